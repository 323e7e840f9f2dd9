//! What the body of an answer is read into, and how much of it.

use reqwest::Response;

use super::error::ServerProblem;
use super::failed;
use crate::secret::SecretBytes;

/// Where the bytes of an answer go.
pub(super) trait Body: Sized {
    /// The answer is a secret: nothing of it is shown.
    const SECRET: bool;
    /// The most that is read, in bytes.
    const MOST: usize;
    /// An empty body; `announced` is the length that the server has promised, if any.
    fn expecting(announced: Option<usize>) -> Self;
    /// Takes the next piece; false where it does not fit.
    fn take(&mut self, piece: &[u8]) -> bool;
}

/// One buffer that is zeroed when dropped and never grows. Secrets are short.
impl Body for SecretBytes {
    const SECRET: bool = true;
    const MOST: usize = 64 * 1024;

    fn expecting(announced: Option<usize>) -> Self {
        Self::with_capacity(announced.unwrap_or(Self::MOST))
    }

    fn take(&mut self, piece: &[u8]) -> bool {
        self.append(piece)
    }
}

/// A secret answer that may be long: certificates, and private keys under a password.
pub(super) struct Long(SecretBytes);

impl Long {
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

impl Body for Long {
    const SECRET: bool = true;
    const MOST: usize = 1024 * 1024;

    fn expecting(announced: Option<usize>) -> Self {
        Self(SecretBytes::with_capacity(announced.unwrap_or(Self::MOST)))
    }

    fn take(&mut self, piece: &[u8]) -> bool {
        self.0.append(piece)
    }
}

/// Records of the server: a caller with some thousand open requests has a list of megabytes.
impl Body for Vec<u8> {
    const SECRET: bool = false;
    const MOST: usize = 4 * 1024 * 1024;

    fn expecting(announced: Option<usize>) -> Self {
        Self::with_capacity(announced.unwrap_or_default())
    }

    fn take(&mut self, piece: &[u8]) -> bool {
        let fits = self.len() + piece.len() <= Self::MOST;
        if fits {
            self.extend_from_slice(piece);
        }
        fits
    }
}

/// Reads the body to its end, or refuses one that is longer than [`Body::MOST`].
pub(super) async fn read<B: Body>(mut response: Response) -> Result<B, ServerProblem> {
    let too_large = ServerProblem::TooLarge { limit: B::MOST };
    let announced = response.content_length().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced.is_some_and(|length| length > B::MOST) {
        return Err(too_large);
    }
    let mut body = B::expecting(announced);
    while let Some(piece) = response.chunk().await.map_err(failed::problem)? {
        if !body.take(&piece) {
            return Err(too_large);
        }
    }
    Ok(body)
}
