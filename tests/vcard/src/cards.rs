//! The two applications behind one trait.

use iso7816::command::CommandView;
use iso7816::{App as _, Status};

use crate::host::Client;

/// The largest answer of either application.
pub type Reply = heapless::Vec<u8, 7609>;

/// An application of a card.
pub trait Application {
    /// Whether SELECT with this name means the application.
    fn has_name(&self, name: &[u8]) -> bool;

    /// Answers a command whose chain is complete.
    fn handle(&mut self, command: CommandView<'_>, reply: &mut Reply) -> Result<(), Status>;

    /// The card lost its power or was reset.
    fn reset(&mut self);
}

/// SP 800-73 by piv-authenticator.
pub struct Piv {
    application: piv_authenticator::Authenticator<Client>,
    /// To make the application anew: it has no way to forget the management key's authentication.
    client: Client,
    options: piv_authenticator::Options,
    lenient: bool,
}

const PIV_NAME: [u8; 11] = [0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];
const RID_SIZE: usize = 5;
/// GET DATA for the object that holds Yubico's notes on the management key.
const YUBICO_NOTES: &[u8] = &[0x5C, 0x03, 0x5F, 0xFF, 0x00];
const GET_DATA: u8 = 0xCB;
const GET_VERSION: u8 = 0xFD;
const GET_METADATA: u8 = 0xF7;
/// The last firmware of a YubiKey without GET METADATA. The application says 6.6.6, and answers metadata with nothing.
const WITHOUT_METADATA: [u8; 3] = [5, 2, 7];
const VERIFY_LOGOUT: [u8; 4] = [0x00, 0x20, 0xFF, 0x80];

impl Piv {
    pub fn new(client: Client, guid: Option<[u8; 16]>, lenient: bool) -> Self {
        let options = piv_authenticator::Options::new().uuid(guid);
        let application = piv_authenticator::Authenticator::new(client.clone(), options.clone());
        Self { application, client, options, lenient }
    }

    fn is_short_name(&self, name: &[u8]) -> bool {
        self.lenient && name.len() >= RID_SIZE && PIV_NAME.starts_with(name)
    }
}

impl Application for Piv {
    fn has_name(&self, name: &[u8]) -> bool {
        self.application.aid().matches(name) || self.is_short_name(name)
    }

    fn handle(&mut self, command: CommandView<'_>, reply: &mut Reply) -> Result<(), Status> {
        let mut select = vec![0x00, 0xA4, 0x04, 0x00, PIV_NAME.len() as u8];
        select.extend(PIV_NAME);
        let by_name = u8::from(command.instruction()) == select[1];
        // To the application a name of no object of its own is wrong data, to a YubiKey it is an object that is not there.
        if self.lenient && u8::from(command.instruction()) == GET_DATA && command.data() == YUBICO_NOTES {
            return Err(Status::NotFound);
        }
        // Yubico's newer tools can't read metadata that are empty: ykman asks for them from 5.3 on, yubico-piv-tool always.
        if self.lenient && u8::from(command.instruction()) == GET_METADATA {
            return Err(Status::InstructionNotSupportedOrInvalid);
        }
        if self.lenient && u8::from(command.instruction()) == GET_VERSION {
            return reply.extend_from_slice(&WITHOUT_METADATA).map_err(|_| Status::NotEnoughMemory);
        }
        // The application itself wants nine bytes.
        let command = if by_name && self.is_short_name(command.data()) { view(&select) } else { command };
        self.application.respond(command, reply.as_mut_view())
    }

    fn reset(&mut self) {
        // Deletes the key that the verified PIN has opened, which a new application would leave behind. Nothing is
        // verified where this fails.
        let _ = self.application.respond(view(&VERIFY_LOGOUT), Reply::new().as_mut_view());
        self.application = piv_authenticator::Authenticator::new(self.client.clone(), self.options.clone());
    }
}

fn view(apdu: &[u8]) -> CommandView<'_> {
    CommandView::try_from(apdu).expect("a constant command")
}

/// OpenPGP card 3.4 by opcard.
pub struct OpenPgp(opcard::Card<Client>);

impl OpenPgp {
    pub fn new(client: Client, vendor: [u8; 2], serial: [u8; 4]) -> Self {
        let mut options = opcard::Options::default();
        options.manufacturer = vendor;
        options.serial = serial;
        Self(opcard::Card::new(client, options))
    }
}

impl Application for OpenPgp {
    fn has_name(&self, name: &[u8]) -> bool {
        self.0.aid().matches(name)
    }

    fn handle(&mut self, command: CommandView<'_>, reply: &mut Reply) -> Result<(), Status> {
        self.0.handle(command, reply.as_mut_view())
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}
