//! What the body of an answer is read into, and how much of it.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use reqwest::Response;
use reqwest::header::CONTENT_ENCODING;

use super::detail::printable;
use super::error::ServerProblem;
use super::failed;
use crate::secret::SecretBytes;

/// Where the bytes of an answer go.
pub(super) trait Body: Sized {
    /// The answer is a secret: nothing of it is shown.
    const SECRET: bool;
    /// What is told of an answer that is an error instead.
    const OF_ERRORS: OfErrors;
    /// The most that is read, in bytes.
    const MOST: usize;
    /// An empty body; `announced` is the length that the server has promised, if any.
    fn expecting(announced: Option<usize>) -> Self;
    /// Takes the next piece; false where it does not fit.
    fn take(&mut self, piece: &[u8]) -> bool;
    /// What was compressed with gzip; `None` where this kind of body is not taken compressed.
    fn unpacked(&self) -> Option<Result<Self, ServerProblem>> {
        None
    }
}

/// What of the body of an error is told.
pub(super) enum OfErrors {
    /// Message and correlation id.
    Shown,
    /// The correlation id, where a property is named so.
    CorrelationId,
    /// Nothing.
    Nothing,
}

/// One buffer that is zeroed when dropped and never grows. Secrets are short.
impl Body for SecretBytes {
    const SECRET: bool = true;
    const OF_ERRORS: OfErrors = OfErrors::CorrelationId;
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
    const OF_ERRORS: OfErrors = OfErrors::Nothing;
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
    const OF_ERRORS: OfErrors = OfErrors::Shown;
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

    fn unpacked(&self) -> Option<Result<Self, ServerProblem>> {
        let mut text = Self::new();
        // One byte more than may be: a small answer can unpack to any size.
        let read = MultiGzDecoder::new(self.as_slice()).take(Self::MOST as u64 + 1).read_to_end(&mut text);
        Some(match read {
            Err(_) => Err(ServerProblem::NotJson),
            Ok(_) if text.len() > Self::MOST => Err(ServerProblem::TooLarge { limit: Self::MOST }),
            Ok(_) => Ok(text.strip_prefix(&BYTE_ORDER_MARK).map(<[u8]>::to_vec).unwrap_or(text)),
        })
    }
}

/// What some servers write before a text in UTF-8. It is no part of JSON.
const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// A mark that is passed over, however the pieces are cut.
struct Mark {
    /// How many of its bytes have come; `None` once something else has.
    come: Option<usize>,
}

impl Mark {
    /// What of a piece belongs to the body: the bytes that were held back for the mark and are none of it, and the rest.
    fn pass<'a>(&mut self, piece: &'a [u8]) -> (&'static [u8], &'a [u8]) {
        const MARK: &[u8] = &BYTE_ORDER_MARK;
        let Some(before) = self.come else { return (&[], piece) };
        let awaited = MARK.get(before..).unwrap_or_default();
        let same = piece.iter().zip(awaited).take_while(|(one, other)| one == other).count();
        let (come, rest) = (before + same, piece.get(same..).unwrap_or_default());
        let is_open = rest.is_empty() && come < MARK.len();
        self.come = is_open.then_some(come);
        if is_open || come == MARK.len() { (&[], rest) } else { (MARK.get(..come).unwrap_or_default(), rest) }
    }
}

/// How an answer is compressed, though we ask for none; `None` where it is not.
fn encoding(response: &Response) -> Option<String> {
    let values = response.headers().get_all(CONTENT_ENCODING).iter();
    let joined: Vec<String> =
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase()).collect();
    let name = joined.join(", ");
    (!matches!(name.trim(), "" | "identity")).then(|| printable(name.trim()))
}

/// Reads the body to its end, or refuses one that is longer than [`Body::MOST`].
pub(super) async fn read<B: Body>(mut response: Response) -> Result<B, ServerProblem> {
    let encoding = encoding(&response);
    if let Some(encoding) = encoding.as_ref().filter(|name| B::SECRET || !matches!(name.as_str(), "gzip" | "x-gzip")) {
        return Err(ServerProblem::Compressed { encoding: encoding.clone() });
    }
    let too_large = ServerProblem::TooLarge { limit: B::MOST };
    let announced = response.content_length().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced.is_some_and(|length| length > B::MOST) {
        return Err(too_large);
    }
    let mut body = B::expecting(announced);
    let mut mark = Mark { come: Some(0) };
    while let Some(piece) = response.chunk().await.map_err(|error| failed::problem(error, None))? {
        let (held_back, rest) = mark.pass(&piece);
        if !body.take(held_back) || !body.take(rest) {
            return Err(too_large);
        }
    }
    match encoding {
        None => Ok(body),
        Some(encoding) => body.unpacked().unwrap_or(Err(ServerProblem::Compressed { encoding })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_passed_over_however_the_pieces_are_cut() {
        let passed = |pieces: &[&[u8]]| {
            let mut mark = Mark { come: Some(0) };
            let parts = pieces.iter().map(|piece| {
                let (held_back, rest) = mark.pass(piece);
                [held_back, rest].concat()
            });
            parts.collect::<Vec<_>>().concat()
        };
        assert_eq!(passed(&[b"\xEF\xBB\xBF[]"]), b"[]");
        assert_eq!(passed(&[b"\xEF", b"\xBB", b"\xBF[", b"\xEF]"]), b"[\xEF]");
        assert_eq!(passed(&[b"", b"\xEF\xBB", b"\xBF", b"1"]), b"1");
        // Once, and whole.
        assert_eq!(passed(&[b"\xEF\xBB\xBF\xEF\xBB\xBF1"]), b"\xEF\xBB\xBF1");
        assert_eq!(passed(&[b"\xEF\xBB", b"1"]), b"\xEF\xBB1");
        assert_eq!(passed(&[b"[1]"]), b"[1]");
    }
}
