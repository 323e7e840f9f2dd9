//! Another program that holds a card.

use crate::helper::{Helper, wait_for_release};
use crate::pcscd::Pcscd;

const READER: &str = "TEST_HOLDER_READER";
const SHARED: &str = "TEST_HOLDER_SHARED";
const HOLDING: &str = "HOLDING";

/// What [`Holder`] runs, by a test of the binary that is ignored and called `holder::hold_the_card`.
pub fn hold_the_card() {
    let Ok(reader) = std::env::var(READER) else { return };
    let context = pcsc::Context::establish(pcsc::Scope::User).unwrap();
    let reader = std::ffi::CString::new(reader).unwrap();
    let mode = if std::env::var_os(SHARED).is_some() { pcsc::ShareMode::Shared } else { pcsc::ShareMode::Exclusive };
    let mut card = context.connect(&reader, mode, pcsc::Protocols::ANY).unwrap();
    let transaction = card.transaction().unwrap();
    wait_for_release(HOLDING);
    transaction.end(pcsc::Disposition::LeaveCard).map_err(|(_, code)| code).unwrap();
    card.disconnect(pcsc::Disposition::LeaveCard).map_err(|(_, code)| code).unwrap();
}

/// A running one; killed when dropped.
pub struct Holder(Helper);

impl Holder {
    /// The card for itself.
    pub fn take(pcscd: &Pcscd, reader: usize) -> Self {
        Self::start(pcscd, reader, false)
    }

    /// A transaction on a card that is shared.
    pub fn transact(pcscd: &Pcscd, reader: usize) -> Self {
        Self::start(pcscd, reader, true)
    }

    fn start(pcscd: &Pcscd, reader: usize, shared: bool) -> Self {
        Self(Helper::start("holder::hold_the_card", HOLDING, |command| {
            command.env("PCSCLITE_CSOCK_NAME", pcscd.socket()).env(READER, &pcscd.readers()[reader].name);
            if shared {
                command.env(SHARED, "1");
            }
        }))
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Has it let go of the card, and end.
    pub fn release(self) {
        self.0.release();
    }
}
