//! Response APDUs (ISO 7816-4 §5.1).

use zeroize::ZeroizeOnDrop;

use super::Status;
use crate::secret::SecretBytes;

/// What a card answered: data, in one piece whatever the transport did, and the final status word.
#[derive(Debug, ZeroizeOnDrop)]
pub struct Response {
    data: SecretBytes,
    #[zeroize(skip)]
    status: Status,
}

impl Response {
    pub(super) fn new(data: SecretBytes, status: Status) -> Self {
        Self { data, status }
    }

    /// The data field.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        self.data.expose()
    }

    /// The status word.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }
}
