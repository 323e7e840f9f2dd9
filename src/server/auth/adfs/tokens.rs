//! The tokens of one sign-in: as AD FS answers with them, and as they lie in a file.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::HeaderValue;
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

use crate::foreign_text::escaped;
use crate::secret::SecretBytes;

/// The largest that is read or written: AD FS tokens with many claims stay far below.
pub(super) const MOST: usize = 64 * 1024;

/// A token that ends this soon is renewed before it is shown.
const EARLY: u64 = 60;

/// What RFC 6749 recommends to say, and AD FS does; a token without it is taken to last this long.
const USUAL: u64 = 3600;

/// What was asked for: a sign-in is good for that alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Purpose {
    pub authority: String,
    pub client_id: String,
    pub resource: String,
}

/// Access and refresh token. Times are seconds since 1970.
pub struct Tokens {
    access: SecretBytes,
    expires: u64,
    pub(super) refresh: Option<SecretBytes>,
    refresh_expires: Option<u64>,
}

/// A text that is secret, read without a copy of our own.
pub(super) struct Secret(pub SecretBytes);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret(SecretBytes::copy_of(text.as_bytes())))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// A number, or a number in quotes, as some servers write it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u64),
    Text(String),
}

impl Number {
    fn value(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: Secret,
    expires_in: Option<Number>,
    refresh_token: Option<Secret>,
    refresh_token_expires_in: Option<Number>,
}

#[derive(Deserialize)]
struct Kept {
    version: u32,
    #[serde(flatten)]
    purpose: Purpose,
    expires: u64,
    refresh_expires: Option<u64>,
    access_token: Secret,
    refresh_token: Option<Secret>,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    #[serde(flatten)]
    purpose: &'a Purpose,
    expires: u64,
    refresh_expires: Option<u64>,
    access_token: &'a str,
    refresh_token: Option<&'a str>,
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// RFC 6750 §2.1.
fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte))
}

impl Tokens {
    /// Reads the answer of the token endpoint; `None` where it is none. What came is never quoted.
    pub(super) fn of_answer(body: &[u8], now: u64) -> Option<Self> {
        let answer: Answer = serde_json::from_slice(body).ok()?;
        let seconds = |number: &Option<Number>| number.as_ref().and_then(Number::value);
        is_token(answer.access_token.0.expose()).then(|| Self {
            access: answer.access_token.0,
            expires: now.saturating_add(seconds(&answer.expires_in).unwrap_or(USUAL)),
            refresh_expires: seconds(&answer.refresh_token_expires_in).map(|left| now.saturating_add(left)),
            refresh: answer.refresh_token.map(|token| token.0).filter(|token| !token.is_empty()),
        })
    }

    /// Reads a file; `None` where it holds something else.
    pub(super) fn of_file(text: &[u8]) -> Option<(Purpose, Self)> {
        let kept: Kept = serde_json::from_slice(text).ok()?;
        let tokens = Self {
            access: kept.access_token.0,
            expires: kept.expires,
            refresh: kept.refresh_token.map(|token| token.0),
            refresh_expires: kept.refresh_expires,
        };
        (kept.version == 1 && is_token(tokens.access.expose())).then_some((kept.purpose, tokens))
    }

    /// As a file holds them.
    pub(super) fn to_file(&self, purpose: &Purpose) -> Option<Zeroizing<Vec<u8>>> {
        // It never grows: what would be left behind is a secret.
        let mut text = Zeroizing::new(Vec::with_capacity(2 * MOST));
        let refresh_token = self.refresh.as_ref().map(|token| std::str::from_utf8(token.expose())).transpose().ok()?;
        let written = Written {
            version: 1,
            purpose,
            expires: self.expires,
            refresh_expires: self.refresh_expires,
            access_token: std::str::from_utf8(self.access.expose()).ok()?,
            refresh_token,
        };
        serde_json::to_writer(&mut *text, &written).ok()?;
        (text.len() <= MOST).then_some(text)
    }

    /// Keeps the refresh token of before where the answer to its use has no new one.
    pub(super) fn after(mut self, before: Self) -> Self {
        if self.refresh.is_none() {
            self.refresh = before.refresh;
            self.refresh_expires = self.refresh_expires.or(before.refresh_expires);
        }
        self
    }

    /// Whether it can still be shown.
    pub(super) fn is_fresh(&self, now: u64) -> bool {
        self.expires > now.saturating_add(EARLY)
    }

    /// The value of `Authorization`, marked sensitive.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut value = SecretBytes::with_capacity(self.access.len() + 7);
        let fits = value.append(b"Bearer ") && value.append(self.access.expose());
        let mut header = HeaderValue::from_bytes(value.expose()).ok().filter(|_| fits)?;
        header.set_sensitive(true);
        Some(header)
    }

    /// Hands over both tokens.
    pub(super) fn hand_over(&self, hide: &mut dyn FnMut(&[u8])) {
        hide(self.access.expose());
        if let Some(refresh) = &self.refresh {
            hide(refresh.expose());
        }
    }

    /// When the access token ends.
    #[must_use]
    pub fn expires(&self) -> SystemTime {
        at(self.expires)
    }

    /// Whether there is a refresh token.
    #[must_use]
    pub fn is_renewable(&self) -> bool {
        self.refresh.is_some()
    }

    /// When the refresh token ends, where AD FS has said so.
    #[must_use]
    pub fn refresh_expires(&self) -> Option<SystemTime> {
        self.refresh_expires.map(at)
    }

    /// The account that the access token names, where it is a JWT with such a claim. Nothing of it is verified: the token is for the
    /// server. Escaped.
    #[must_use]
    pub fn account(&self) -> Option<String> {
        let payload = self.access.expose().split(|byte| *byte == b'.').nth(1)?;
        let claims = Zeroizing::new(URL_SAFE_NO_PAD.decode(payload).ok()?);
        let claims: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&claims).ok()?;
        let names = ["upn", "unique_name", "winaccountname", "appid"];
        let name = names.iter().find_map(|name| claims.get(*name)?.as_str())?;
        Some(escaped(&name.chars().take(200).collect::<String>()).into_owned())
    }
}

fn at(seconds: u64) -> SystemTime {
    // What no clock of this system shows is the latest that one does.
    UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds))
        .unwrap_or(UNIX_EPOCH + Duration::from_secs(u64::from(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purpose() -> Purpose {
        Purpose { authority: "https://sts/adfs".into(), client_id: "c".into(), resource: "r".into() }
    }

    #[test]
    fn an_answer_is_kept_and_read_again() {
        let body = br#"{"access_token":"a.b.c","token_type":"bearer","expires_in":"3600","refresh_token":"r1","refresh_token_expires_in":28800}"#;
        let tokens = Tokens::of_answer(body, 1000).unwrap();
        let (read, again) = Tokens::of_file(&tokens.to_file(&purpose()).unwrap()).unwrap();
        assert_eq!((read, again.expires, again.refresh_expires), (purpose(), 4600, Some(29_800)));
        assert!(again.is_fresh(4539) && !again.is_fresh(4540));
        let header = again.header().unwrap();
        assert!(header.is_sensitive() && header == "Bearer a.b.c");
        let next = Tokens::of_answer(br#"{"access_token":"d","expires_in":60}"#, 5000).unwrap().after(again);
        assert_eq!((next.refresh.as_ref().unwrap().expose(), next.refresh_expires), (&b"r1"[..], Some(29_800)));
        let rotated = Tokens::of_answer(br#"{"access_token":"e","refresh_token":"r2"}"#, 5000).unwrap().after(next);
        assert_eq!(rotated.refresh.as_ref().unwrap().expose(), b"r2");
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for body in
            ["", "{}", "[]", r#"{"access_token":1}"#, r#"{"access_token":"two words"}"#, r#"{"access_token":""}"#]
        {
            assert!(Tokens::of_answer(body.as_bytes(), 0).is_none(), "{body}");
        }
        assert!(Tokens::of_file(br#"{"version":2}"#).is_none());
        assert!(
            Tokens::of_answer(br#"{"access_token":"a","expires_in":18446744073709551615}"#, 9).unwrap().is_fresh(9)
        );
    }

    #[test]
    fn an_account_is_read_from_a_jwt_and_escaped() {
        let token = |claims: &str| {
            let body = format!(r#"{{"access_token":"x.{}.y"}}"#, URL_SAFE_NO_PAD.encode(claims));
            Tokens::of_answer(body.as_bytes(), 0).unwrap().account()
        };
        assert_eq!(token(r#"{"upn":"alice@contoso.com","unique_name":"x"}"#).as_deref(), Some("alice@contoso.com"));
        assert_eq!(token("{\"unique_name\":\"a\\u001b[31m\"}").as_deref(), Some("a\\u{1b}[31m"));
        assert_eq!(token("{}"), None);
        assert_eq!(Tokens::of_answer(br#"{"access_token":"opaque"}"#, 0).unwrap().account(), None);
    }
}
