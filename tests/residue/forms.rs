//! Secrets that are looked for, and every form in which memory could hold them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// So many bytes in a row of a secret count as found: 5 of 8, and of a long one 8. Of digits all: memory is full of numbers.
fn part(secret: &[u8]) -> usize {
    match secret.len() {
        length if secret.iter().all(u8::is_ascii_digit) => length,
        17.. => 8,
        _ => 5,
    }
}

/// Kinds of characters that take turns in a secret: text that looks like that is rare. None that JSON must escape.
const CHARACTERS: [&[u8]; 4] =
    [b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"0123456789", b"abcdefghijklmnopqrstuvwxyz", b"!#$%()*,-.:;<>?@[]^_{|}~"];

/// RFC 6750 §2.1.
const TOKEN_MARKS: &[u8] = b"-._~+";

/// Those that stay as they are in a form that is sent.
const FORM_MARKS: &[u8] = b"-._";

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
    /// Also AD FS' access token, which is one.
    Token,
    /// What a new access token is got with.
    RefreshToken,
    /// The value of a session cookie.
    Cookie,
    CurrentPin,
    /// A PUK, an admin PIN or a resetting code.
    Code,
    /// The password for private keys that a server sends along with certificates.
    Password,
    /// Kerberos' key for the server or the KDC.
    #[cfg(feature = "kerberos")]
    SessionKey,
    /// What only the server or the KDC can read.
    #[cfg(feature = "kerberos")]
    Ticket,
    /// Put there to be found.
    Control,
    /// Used nowhere: what is found of it is chance.
    Decoy,
}

impl Kind {
    pub const SECRETS: [Self; 7] =
        [Self::Pin, Self::CurrentPin, Self::Code, Self::Answer, Self::AdminKey, Self::Token, Self::Cookie];

    /// Those of a whole enrollment. The admin keys are the template's and the card's own.
    pub const OF_ENROLLMENTS: &[Self] =
        &[Self::Pin, Self::Answer, Self::AdminKey, Self::Password, Self::Token, Self::Cookie];

    /// Those of a job that signs in.
    pub const OF_SIGN_INS: &[Self] = &[
        Self::Pin,
        Self::Answer,
        Self::AdminKey,
        Self::Cookie,
        Self::Token,
        Self::RefreshToken,
        #[cfg(feature = "kerberos")]
        Self::SessionKey,
        #[cfg(feature = "kerberos")]
        Self::Ticket,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Pin => "PIN",
            Self::Answer => "admin answer",
            Self::AdminKey => "admin key",
            Self::Token => "bearer token",
            Self::RefreshToken => "refresh token",
            Self::Cookie => "session cookie",
            Self::CurrentPin => "current PIN",
            Self::Code => "PUK, PW3, code",
            Self::Password => "PFX password",
            #[cfg(feature = "kerberos")]
            Self::SessionKey => "session key",
            #[cfg(feature = "kerberos")]
            Self::Ticket => "ticket",
            Self::Control => "control",
            Self::Decoy => "decoy",
        }
    }
}

impl Canary {
    pub fn text(kind: Kind, length: usize) -> Self {
        let mut kinds = CHARACTERS;
        match kind {
            Kind::Token | Kind::Cookie => kinds[3] = TOKEN_MARKS,
            Kind::RefreshToken => kinds[3] = FORM_MARKS,
            _ => {}
        }
        fastrand::shuffle(&mut kinds);
        let one = |from: &[u8]| from[fastrand::usize(..from.len())];
        Self { kind, bytes: kinds.iter().cycle().take(length).map(|from| one(from)).collect() }
    }

    pub fn digits(kind: Kind, length: usize) -> Self {
        Self { kind, bytes: (0..length).map(|_| fastrand::u8(b'0'..=b'9')).collect() }
    }

    pub fn binary(kind: Kind, length: usize) -> Self {
        Self { kind, bytes: (0..length).map(|_| fastrand::u8(..)).collect() }
    }

    /// Another one of the same make.
    pub fn decoy(&self) -> Self {
        let length = self.bytes.len();
        match std::str::from_utf8(&self.bytes) {
            Ok(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => Self::digits(Kind::Decoy, length),
            Ok(_) => Self::text(Kind::Decoy, length),
            Err(_) => Self::binary(Kind::Decoy, length),
        }
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
    /// Bytes of the form that hold a part that counts.
    window: usize,
    part: usize,
}

impl Form {
    /// A form in which each byte of the secret takes `step` bytes.
    fn new(name: &'static str, content: Vec<u8>, step: usize, part: usize) -> Self {
        Self { name, content, step, window: step * part, part }
    }

    /// Every part that counts as found, with its place in the content.
    pub fn windows(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let last = self.content.len().saturating_sub(self.window);
        (0..=last).step_by(self.step).filter_map(|at| Some((at, self.content.get(at..at + self.window)?)))
    }

    /// How many bytes of the secret `length` bytes of the form hold, or more than any where that is the whole form.
    pub fn secret_bytes(&self, length: usize) -> usize {
        if length >= self.content.len() { usize::MAX } else { length * self.part / self.window }
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
    let part = part(bytes);
    let mut forms = vec![
        Form::new("plain", bytes.clone(), 1, part),
        Form::new("UTF-16LE", utf16, 2, part),
        Form::new("hex, upper case", hex.to_uppercase().into_bytes(), 2, part),
        Form::new("hex, lower case", hex.into_bytes(), 2, part),
        Form::new("JSON escapes, lower case", escaped(false), 6, part),
        Form::new("JSON escapes, upper case", escaped(true), 6, part),
    ];
    for (shift, name) in ["base64", "base64, shifted by one", "base64, shifted by two"].into_iter().enumerate() {
        let content = base64(bytes, shift);
        // The characters at the ends of the whole are not its own.
        let window = (part * 8).div_ceil(6).min(content.len());
        forms.push(Form { name, content, step: 1, window, part });
    }
    let written_behind = match canary.kind {
        Kind::Token => Some("Bearer "),
        Kind::Cookie => Some("ASP.NET_SessionId="),
        _ => None,
    };
    if let Some(before) = written_behind {
        forms.push(Form::new("HPACK Huffman code", huffman(before, bytes), 1, part));
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

/// As HTTP/2 may write it behind `before` (RFC 7541 §5.2), without the first byte and the last, which others share.
fn huffman(before: &str, secret: &[u8]) -> Vec<u8> {
    let encoded = |text: &[u8]| {
        let mut code = Vec::new();
        httlib_huffman::encode(text, &mut code).expect("every byte has a code");
        code
    };
    let (before, mut all) = (encoded(before.as_bytes()).len(), encoded(&[before.as_bytes(), secret].concat()));
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
        ("first part", bytes[..part(bytes)].to_vec()),
        ("last part", bytes[bytes.len() - part(bytes)..].to_vec()),
    ]);
    planted
}
