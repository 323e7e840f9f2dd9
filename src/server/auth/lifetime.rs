//! How long a bearer token is valid, and for whom it is, by its own word: a JSON Web Token (RFC 7519) says so, and nothing of it is
//! verified here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::server::detail::printable;

/// What is known of a token's life.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lifetime {
    /// When its file was written.
    pub written: Option<SystemTime>,
    /// What the token says of itself; `None` for one that is no JSON Web Token.
    pub told: Option<Told>,
}

/// What a JSON Web Token says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// `nbf`.
    pub from: Option<SystemTime>,
    /// `exp`.
    pub until: Option<SystemTime>,
    /// For whom it is; untrusted text.
    pub name: Option<String>,
}

/// The claims that are read; the first name that is there counts.
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    exp: Option<f64>,
    #[serde(default)]
    upn: Option<String>,
    #[serde(default)]
    unique_name: Option<String>,
    #[serde(default)]
    winaccountname: Option<String>,
    #[serde(default)]
    sub: Option<String>,
}

/// Reads what a token says of itself. An error of the parser would quote it, so there is none.
pub(super) fn told(token: &[u8]) -> Option<Told> {
    let mut parts = token.split(|byte| *byte == b'.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let bare = payload.iter().position(|byte| *byte == b'=').unwrap_or(payload.len());
    let json = Zeroizing::new(URL_SAFE_NO_PAD.decode(payload.get(..bare)?).ok()?);
    // Of a list the library would make claims, too.
    let claims: Claims =
        if json.trim_ascii_start().starts_with(b"{") { serde_json::from_slice(&json).ok()? } else { return None };
    let moment = |seconds: Option<f64>| {
        let seconds = seconds.filter(|seconds| (0.0..1e11).contains(seconds))?;
        Some(UNIX_EPOCH + Duration::from_secs(seconds as u64))
    };
    let name = claims.upn.or(claims.unique_name).or(claims.winaccountname).or(claims.sub);
    Some(Told { from: moment(claims.nbf), until: moment(claims.exp), name: name.map(|name| printable(&name)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> Vec<u8> {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part("{\"alg\":\"RS256\"}"), part(claims), part("signature")).into_bytes()
    }

    #[test]
    fn a_token_says_until_when_and_for_whom_it_is() {
        let said =
            told(&token("{\"exp\":1800000000,\"nbf\":1.7e9,\"upn\":\"anna@contoso.com\",\"sub\":\"x\"}")).unwrap();
        let at = |seconds| Some(UNIX_EPOCH + Duration::from_secs(seconds));
        let name = Some("anna@contoso.com".to_owned());
        assert_eq!(said, Told { from: at(1_700_000_000), until: at(1_800_000_000), name });
        assert_eq!(told(&token("{\"sub\":\"S-1-5\\u001b[2J\"}")).unwrap().name.unwrap(), "S-1-5[2J");
        assert_eq!(told(&token("{\"exp\":-1}")), Some(Told::default()));
    }

    #[test]
    fn what_is_no_such_token_says_nothing() {
        for other in [&b"opaque"[..], b"a.b", b"a.b.c.d", b"..", b"a.!.c", &token("[1]"), &token("{\"exp\":\"soon\"}")]
        {
            assert_eq!(told(other), None, "{}", String::from_utf8_lossy(other));
        }
    }
}
