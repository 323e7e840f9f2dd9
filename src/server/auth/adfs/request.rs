//! The forms that go to AD FS, the address that a browser is sent to, and the address that it comes back to.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::{self, Serializer};
use zeroize::Zeroizing;

use super::error::AdfsError;
use super::refusal::{Refusal, RefusalKind};
use super::tokens::{MOST, Secret};
use crate::foreign_text::escaped;
use crate::secret::SecretBytes;

/// The most that is told of what AD FS says, in characters.
const WORDS: usize = 300;

/// A form, in a buffer that does not grow.
pub(super) fn form(fields: &[(&str, &[u8])]) -> Zeroizing<String> {
    let mut form = Serializer::new(String::with_capacity(4 * MOST));
    for (name, value) in fields {
        // A value that is no text is refused by AD FS as any other that it does not know.
        form.append_pair(name, std::str::from_utf8(value).unwrap_or_default());
    }
    Zeroizing::new(form.finish())
}

/// 32 random bytes as text of a URL (RFC 7636 §4.1: 43 characters).
fn random() -> Result<SecretBytes, AdfsError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| AdfsError::System(std::io::Error::other(error)))?;
    Ok(encoded(bytes.as_slice()))
}

fn encoded(bytes: &[u8]) -> SecretBytes {
    let mut text = Zeroizing::new([0_u8; 64]);
    let length = URL_SAFE_NO_PAD.encode_slice(bytes, text.as_mut_slice()).unwrap_or_default();
    SecretBytes::copy_of(text.get(..length).unwrap_or_default())
}

/// One sign-in by browser: what proves that its answer is ours.
pub struct Authorization {
    /// The address for the browser.
    pub url: Url,
    pub(super) redirect: String,
    pub(super) verifier: SecretBytes,
    state: SecretBytes,
}

impl Authorization {
    /// Begins one. `port` is that of this machine where the browser comes back to.
    pub(super) fn new(authorize: Url, client_id: &str, resource: &str, port: u16) -> Result<Self, AdfsError> {
        let (verifier, state) = (random()?, random()?);
        let challenge = encoded(digest(&SHA256, verifier.expose()).as_ref());
        let redirect = format!("http://127.0.0.1:{port}/");
        let text = |secret: &SecretBytes| String::from_utf8_lossy(secret.expose()).into_owned();
        let mut url = authorize;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", client_id)
            .append_pair("resource", resource)
            .append_pair("redirect_uri", &redirect)
            .append_pair("state", &text(&state))
            .append_pair("code_challenge", &text(&challenge))
            .append_pair("code_challenge_method", "S256");
        Ok(Self { url, redirect, verifier, state })
    }

    /// The code in the query that the browser came back with.
    ///
    /// # Errors
    /// [`AdfsError::WrongState`], [`AdfsError::NoCode`], and [`AdfsError::Refused`] where AD FS has sent an error instead.
    pub fn code(&self, query: &[u8]) -> Result<SecretBytes, AdfsError> {
        let (mut code, mut state, mut error, mut words) = (None, None, None, String::new());
        for (name, value) in form_urlencoded::parse(query) {
            let value = Zeroizing::new(value.into_owned());
            match name.as_ref() {
                "code" => code = Some(SecretBytes::copy_of(value.as_bytes())),
                "state" => state = Some(SecretBytes::copy_of(value.as_bytes())),
                "error" => error = Some(value),
                "error_description" => words = value.to_string(),
                _ => {}
            }
        }
        if code.is_none() && error.is_none() {
            return Err(AdfsError::NoCode);
        }
        if !state.is_some_and(|state| state.is_same_as(&self.state)) {
            return Err(AdfsError::WrongState);
        }
        match (error, code.filter(|code| !code.is_empty())) {
            (Some(name), _) => Err(AdfsError::Refused(refusal(&name, &words))),
            (None, code) => code.ok_or(AdfsError::NoCode),
        }
    }

    /// The code in the address that a person has pasted.
    ///
    /// # Errors
    /// As [`Authorization::code`].
    pub fn code_of_address(&self, address: &[u8]) -> Result<SecretBytes, AdfsError> {
        let address = address.trim_ascii();
        let query = address.iter().position(|byte| *byte == b'?').and_then(|at| address.get(at + 1..));
        let query = query.ok_or(AdfsError::NoCode)?;
        self.code(query.split(|byte| *byte == b'#').next().unwrap_or_default())
    }
}

/// A sign-in by a code that a person enters on another device.
pub struct Device {
    pub(super) device_code: SecretBytes,
    /// What the person enters.
    pub user_code: String,
    /// Where.
    pub address: String,
    /// How many seconds lie between two questions.
    pub interval: u64,
    /// For how many seconds the code is good.
    pub expires_in: u64,
}

impl Device {
    /// Reads the answer of the device endpoint. AD FS says the address under two names.
    pub(super) fn of_answer(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Answer {
            device_code: Secret,
            user_code: String,
            verification_uri: Option<String>,
            verification_url: Option<String>,
            expires_in: Option<u64>,
            interval: Option<u64>,
        }
        let answer: Answer = serde_json::from_slice(body).ok()?;
        Some(Self {
            device_code: answer.device_code.0,
            user_code: bounded(&answer.user_code),
            address: bounded(&answer.verification_uri.or(answer.verification_url)?),
            interval: answer.interval.unwrap_or(5).clamp(1, 60),
            expires_in: answer.expires_in.unwrap_or(900).clamp(1, 3600),
        })
    }
}

/// Reads the body of an error; `None` where it is none of AD FS's. Words that hold one of `secrets` are left out.
pub(super) fn refusal_of(body: &[u8], secrets: &[&[u8]]) -> Option<Refusal> {
    #[derive(Deserialize)]
    struct Answer {
        error: String,
        error_description: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let words = answer.error_description.unwrap_or_default();
    let holds = |text: &str, secret: &[u8]| {
        !secret.is_empty() && text.as_bytes().windows(secret.len()).any(|part| part == secret)
    };
    if secrets.iter().any(|secret| holds(&words, secret) || holds(&answer.error, secret)) {
        return Some(Refusal { kind: RefusalKind::of(&answer.error), words: String::new() });
    }
    Some(refusal(&answer.error, &words))
}

fn refusal(name: &str, words: &str) -> Refusal {
    let kind = RefusalKind::of(name);
    let words = match (kind, words) {
        (RefusalKind::Other, "") => bounded(name),
        (RefusalKind::Other, words) => bounded(&format!("{name}: {words}")),
        (_, words) => bounded(words),
    };
    Refusal { kind, words }
}

fn bounded(text: &str) -> String {
    escaped(&text.trim().chars().take(WORDS).collect::<String>()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> (Authorization, String) {
        let url = Url::parse("https://sts.contoso.com/adfs/oauth2/authorize").unwrap();
        let begun = Authorization::new(url, "c", "https://cm/certificatemanagement", 8400).unwrap();
        let state = begun.url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        (begun, state)
    }

    #[test]
    fn the_challenge_is_that_of_rfc_7636() {
        let challenge = encoded(digest(&SHA256, b"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").as_ref());
        assert_eq!(challenge.expose(), b"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        let (first, second) = (begun(), begun());
        assert_eq!((first.1.len(), first.0.verifier.len()), (43, 43));
        assert_ne!(first.1, second.1);
    }

    #[test]
    fn an_answer_to_another_sign_in_is_refused() {
        let (begun, state) = begun();
        let code = |query: &str| begun.code(query.as_bytes()).map(|code| code.expose().to_vec());
        assert_eq!(code(&format!("code=a%2Bb&state={state}")).unwrap(), b"a+b");
        assert!(matches!(code("code=a&state=other"), Err(AdfsError::WrongState)));
        assert!(matches!(code("code=a"), Err(AdfsError::WrongState)));
        assert!(matches!(code("error=access_denied&state=x"), Err(AdfsError::WrongState)));
        assert!(matches!(code(&format!("state={state}")), Err(AdfsError::NoCode)));
        assert!(matches!(code(&format!("code=&state={state}")), Err(AdfsError::NoCode)));
        let pasted = format!(" http://127.0.0.1:8400/?code=xyz&state={state}#\n");
        assert_eq!(begun.code_of_address(pasted.as_bytes()).unwrap().expose(), b"xyz");
        assert!(matches!(begun.code_of_address(b"https://sts/"), Err(AdfsError::NoCode)));
        let denied = format!("error=access_denied&error_description=MSIS%1B9604&state={state}");
        let error = begun.code(denied.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("access_denied (MSIS\\u{1b}9604)"), "{error}");
    }

    #[test]
    fn a_devices_answer_has_its_address_under_one_name_or_two() {
        let both = br#"{"device_code":"d","user_code":"ABC","verification_uri":"https://sts/a","verification_url":"https://sts/b","expires_in":900,"interval":5}"#;
        assert_eq!(Device::of_answer(both).unwrap().address, "https://sts/a");
        let old = br#"{"device_code":"d","user_code":"ABC","verification_url":"https://sts/b"}"#;
        assert_eq!(Device::of_answer(old).unwrap().address, "https://sts/b");
        assert!(Device::of_answer(br#"{"device_code":"d","user_code":"ABC"}"#).is_none());
    }

    #[test]
    fn words_of_adfs_are_told_without_secrets() {
        let body = br#"{"error":"invalid_grant","error_description":"MSIS9615: the token refresh-1 is no good"}"#;
        let told = refusal_of(body, &[]).unwrap().to_string();
        assert!(told.contains("MSIS9615") && told.contains("invalid_grant"), "{told}");
        let told = refusal_of(body, &[b"refresh-1"]).unwrap().to_string();
        assert!(!told.contains("refresh-1") && told.contains("invalid_grant"), "{told}");
        let odd = refusal_of(br#"{"error":"odd"}"#, &[]).unwrap();
        assert_eq!((odd.kind, odd.words.as_str()), (RefusalKind::Other, "odd"));
        assert!(refusal_of(b"<html>", &[]).is_none());
    }
}
