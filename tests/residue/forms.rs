//! Secrets that are looked for, and every form in which memory could hold them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// So many bytes of a secret in a row count as found.
pub const PART: usize = 5;

/// Not seen in text by chance, and none that JSON must escape.
const CHARACTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%()*,-.:;<>?@[]^_{|}~";

/// RFC 6750 §2.1.
const TOKEN_CHARACTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+";

/// A secret made for one job and used nowhere else.
#[derive(Clone)]
pub struct Canary {
    /// What it is.
    pub kind: Kind,
    pub bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Pin,
    Answer,
    AdminKey,
    Token,
    /// Put there to be found.
    Control,
    /// Used nowhere: what is found of it is chance.
    Decoy,
}

impl Kind {
    pub const SECRETS: [Self; 4] = [Self::Pin, Self::Answer, Self::AdminKey, Self::Token];

    pub fn name(self) -> &'static str {
        match self {
            Self::Pin => "PIN",
            Self::Answer => "admin answer",
            Self::AdminKey => "admin key",
            Self::Token => "bearer token",
            Self::Control => "control",
            Self::Decoy => "decoy",
        }
    }
}

impl Canary {
    pub fn text(kind: Kind, length: usize) -> Self {
        let from = if kind == Kind::Token { TOKEN_CHARACTERS } else { CHARACTERS };
        Self { kind, bytes: (0..length).map(|_| from[fastrand::usize(..from.len())]).collect() }
    }

    pub fn binary(kind: Kind, length: usize) -> Self {
        Self { kind, bytes: (0..length).map(|_| fastrand::u8(..)).collect() }
    }

    pub fn of(kind: Kind, bytes: &[u8]) -> Self {
        Self { kind, bytes: bytes.to_vec() }
    }

    pub fn as_text(&self) -> &str {
        std::str::from_utf8(&self.bytes).expect("made of text")
    }
}

/// One form of a secret.
pub struct Form {
    pub name: &'static str,
    /// The whole secret in this form.
    pub content: Vec<u8>,
    /// Bytes of the form from one place in the secret to the next.
    step: usize,
    /// Bytes of the form that hold [`PART`] bytes of the secret.
    window: usize,
}

impl Form {
    fn new(name: &'static str, content: Vec<u8>, step: usize, window: usize) -> Self {
        Self { name, content, step, window }
    }

    /// Every part that counts as found, with its place in the content.
    pub fn windows(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let last = self.content.len().saturating_sub(self.window);
        (0..=last).step_by(self.step).filter_map(|at| Some((at, self.content.get(at..at + self.window)?)))
    }

    /// How many bytes of the secret `length` bytes of the form hold.
    pub fn secret_bytes(&self, length: usize) -> usize {
        length * PART / self.window
    }
}

/// Every form. Quotes, APDU headers and the like around a secret leave the plain form in place.
pub fn forms(canary: &Canary) -> Vec<Form> {
    let bytes = &canary.bytes;
    let hex = hex::encode(bytes);
    let utf16 = bytes.iter().flat_map(|byte| [*byte, 0]).collect();
    let escaped = |upper: bool| -> Vec<u8> {
        let one = |byte: &u8| if upper { format!("\\u{byte:04X}") } else { format!("\\u{byte:04x}") };
        bytes.iter().map(one).collect::<String>().into_bytes()
    };
    let mut forms = vec![
        Form::new("plain", bytes.clone(), 1, PART),
        Form::new("UTF-16LE", utf16, 2, 2 * PART),
        Form::new("hex, upper case", hex.to_uppercase().into_bytes(), 2, 2 * PART),
        Form::new("hex, lower case", hex.into_bytes(), 2, 2 * PART),
        Form::new("JSON escapes, lower case", escaped(false), 6, 6 * PART),
        Form::new("JSON escapes, upper case", escaped(true), 6, 6 * PART),
    ];
    for (shift, name) in ["base64", "base64, shifted by one", "base64, shifted by two"].into_iter().enumerate() {
        forms.push(Form::new(name, base64(bytes, shift), 1, 7));
    }
    if canary.kind == Kind::Token {
        forms.push(Form::new("HPACK Huffman code", huffman(bytes), 1, PART));
    }
    forms
}

/// The characters of the base64 of `bytes` behind `shift` others that depend on `bytes` alone.
fn base64(bytes: &[u8], shift: usize) -> Vec<u8> {
    let text = STANDARD_NO_PAD.encode([&[0; 2][..shift], bytes].concat()).into_bytes();
    let first = (shift * 8).div_ceil(6);
    let end = (shift + bytes.len()) * 8 / 6;
    text[first..end].to_vec()
}

/// As HTTP/2 may write `Bearer …` (RFC 7541 §5.2), without the first byte and the last, which others share.
fn huffman(token: &[u8]) -> Vec<u8> {
    let encoded = |text: &[u8]| {
        let mut code = Vec::new();
        httlib_huffman::encode(text, &mut code).expect("every byte has a code");
        code
    };
    let (before, mut all) = (encoded(b"Bearer ").len(), encoded(&[b"Bearer ", token].concat()));
    all.pop();
    all.split_off(before)
}

/// The secret in the surroundings that this program, its protocols and its card give it, and a part of it.
pub fn planted(control: &Canary) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = &control.bytes;
    let length = u8::try_from(bytes.len()).expect("a short one");
    let mut planted: Vec<(&'static str, Vec<u8>)> =
        forms(control).into_iter().map(|form| (form.name, form.content)).collect();
    planted.extend([
        ("quoted", [b"\"", &bytes[..], b"\""].concat()),
        ("VERIFY", [&[0x00, 0x20, 0x00, 0x80, length][..], bytes].concat()),
        ("RESET RETRY COUNTER", [&[0x00, 0x2C, 0x02, 0x80, length][..], bytes].concat()),
        ("first part", bytes[..PART].to_vec()),
        ("last part", bytes[bytes.len() - PART..].to_vec()),
    ]);
    planted
}
