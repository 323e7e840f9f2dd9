//! What a server may answer: the parsers of this layer for [`crate::fuzzing`], which can't reach them from outside.

use std::error::Error;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::{Detail, ServerProblem};
use super::issued::{CertificateProblem, certificate_for};
use super::policy::{self, UserPinOption};
use super::secret_body;
use super::wire::{
    self, CardCertificate, IssuedCertificate, KeyOptions, Profile, ProfileTemplate, Request, SmartCard,
    UserCertificate, WorkflowPolicy,
};
use crate::secret::{Pin, PinError};

/// The length of a challenge, and so of its answer.
const CHALLENGE: usize = 8;

/// Bodies that are refused, one for each sentence that a parser of this layer has for it.
const REFUSED: [&str; 18] = [
    "{",
    "[]",
    "[[]]",
    "{}",
    "[1]",
    "[null]",
    "[true]",
    r#"[""]"#,
    r#""""#,
    "null",
    "true",
    "1",
    r#"{"DiversifyAdminKey":7}"#,
    r#"{"UserPinOption":[]}"#,
    r#"{"UserPinPolicy":{"MinLength":-1}}"#,
    r#"{"UserPinPolicy":{"MaxLength":-1}}"#,
    r#""ä""#,
    r#""0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000""#,
];

/// Everything that an error may say. What is not among it came out of the body.
static SENTENCES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let problems = |body: &&str| {
        let body = body.as_bytes();
        [
            secret_body::pin(body).err(),
            secret_body::admin_response(body, CHALLENGE).err(),
            policy::read(body).err(),
            wire::list::<SmartCard>(body).err(),
            wire::one::<SmartCard>(body).err(),
            secret_body::admin_key(body).err(),
            wire::issued(body).err(),
            wire::created(body).err(),
            wire::words(body).err(),
        ]
    };
    REFUSED.iter().flat_map(problems).flatten().map(said).collect()
});

/// All that can be seen of an error: text, debug form, remedy and causes.
fn said(problem: ServerProblem) -> String {
    // Two numbers of bytes, and no more than that, by their type.
    let problem = match problem {
        ServerProblem::Pin(PinError::NotPrintableAscii { .. }) => {
            ServerProblem::Pin(PinError::NotPrintableAscii { position: 0, length: 0 })
        }
        other => other,
    };
    let mut text = format!("{problem} {problem:?} {}", problem.remedy());
    let mut next = problem.source();
    while let Some(cause) = next {
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// What is refused is refused in words of ours alone.
fn in_our_words(problem: ServerProblem) {
    let said = said(problem);
    assert!(SENTENCES.contains(&said), "not a sentence of ours: {said}");
}

/// PIN, admin answer and admin key: exactly the JSON strings that fit, and an error shows nothing of the body.
pub(crate) fn secrets(body: &[u8]) {
    let plain = serde_json::from_slice::<String>(body).ok();
    let expected = plain.as_ref().and_then(|text| Pin::new(text.as_bytes()).ok());
    match secret_body::pin(body) {
        Ok(pin) => {
            assert_eq!(Some(pin.expose()), expected.as_ref().map(Pin::expose));
            assert!(
                (1..=Pin::MAX).contains(&pin.length()) && pin.expose().iter().all(|byte| (0x20..=0x7E).contains(byte))
            );
            assert_eq!(format!("{pin:?}"), "Pin(SecretBytes(…))");
        }
        Err(problem) => {
            assert!(expected.is_none(), "a PIN was refused");
            in_our_words(problem);
        }
    }
    let decoded = plain.and_then(|text| STANDARD.decode(text).ok());
    let is_key = decoded.as_ref().is_some_and(|bytes| matches!(bytes.len(), 16 | 24 | 32));
    match secret_body::admin_key(body) {
        Ok(key) => assert_eq!(Some(key.expose()), decoded.as_deref()),
        Err(problem) => {
            assert!(!is_key, "a key was refused");
            in_our_words(problem);
        }
    }
    let decoded = decoded.filter(|bytes| bytes.len() == CHALLENGE);
    match secret_body::admin_response(body, CHALLENGE) {
        Ok(answer) => assert_eq!(Some(answer.expose()), decoded.as_deref()),
        Err(problem) => {
            assert!(decoded.is_none(), "an answer was refused");
            in_our_words(problem);
        }
    }
}

/// Cards, requests and what else is listed: ids are never nil, one object and a list of one are the same, and text is fit for a terminal.
pub(crate) fn objects(body: &[u8]) {
    let cards = wire::list::<SmartCard>(body);
    let card = wire::one::<SmartCard>(body);
    assert_eq!(card.is_ok(), cards.as_ref().is_ok_and(|cards| cards.len() == 1));
    for card in cards.as_deref().unwrap_or_default() {
        assert!(!card.uuid.is_nil() && card.card_id.is_none_or(|id| !id.is_nil()));
        assert_eq!(card.atr, card.atr.to_ascii_lowercase());
        // Of any length: only as much of it is shown as an ATR can have.
        assert!(!card.atr.contains(char::is_control), "{:?}", card.atr);
    }
    let requests = wire::list::<Request>(body);
    let request = wire::one::<Request>(body);
    assert_eq!(request.is_ok(), requests.as_ref().is_ok_and(|requests| requests.len() == 1));
    for request in requests.as_deref().unwrap_or_default() {
        assert!(!request.uuid.is_nil() && request.new_smartcard.is_none_or(|id| !id.is_nil()));
        fit_to_show(&request.status.to_string());
        fit_to_show(request.comment.as_deref().unwrap_or_default());
        let texts = request.data.iter().flat_map(|(name, value)| [Some(name), value.as_ref()]);
        texts.flatten().for_each(|text| fit_to_show(text));
    }
    let problems = [cards.err(), card.err(), requests.err(), request.err()];
    problems.into_iter().flatten().for_each(in_our_words);
    lists(body);
}

/// What is read for a person to see is fit for a terminal.
fn lists(body: &[u8]) {
    let templates = wire::list::<ProfileTemplate>(body);
    templates.iter().flatten().for_each(|template| fit_to_show(&template.name));
    let policy = wire::one::<WorkflowPolicy>(body);
    policy.iter().flat_map(|policy| &policy.data_items).for_each(|name| fit_to_show(name));
    let options = wire::list::<KeyOptions>(body);
    for option in options.iter().flatten() {
        [&option.subject, &option.algorithm, &option.hash].into_iter().for_each(|text| fit_to_show(text));
        assert!(option.bits != Some(0), "0 is no size");
    }
    let certificates = wire::list::<CardCertificate>(body);
    for certificate in certificates.iter().flatten() {
        fit_to_show(&certificate.serial_number);
        assert!(!certificate.serial_number.is_empty() || !certificate.thumbprint.is_empty());
    }
    let issued = wire::issued(body);
    for error in issued.iter().flatten().filter_map(|issued| issued.error.as_deref()) {
        fit_to_show(error);
    }
    let profiles = wire::list::<Profile>(body);
    for profile in profiles.iter().flatten() {
        assert!(!profile.uuid.is_nil());
        profile.operations.iter().for_each(|name| fit_to_show(name));
    }
    let of_user = wire::list::<UserCertificate>(body);
    of_user.iter().flatten().for_each(|certificate| fit_to_show(&certificate.issuer));
    let names = wire::words(body);
    names.iter().flatten().for_each(|name| fit_to_show(name));
    [profiles.err(), of_user.err(), names.err()].into_iter().flatten().for_each(in_our_words);
    let created = wire::created(body);
    assert!(created.as_ref().map_or(true, |id| !id.is_nil()));
    let problems = [templates.err(), policy.err(), options.err(), certificates.err(), issued.err(), created.err()];
    problems.into_iter().flatten().for_each(in_our_words);
}

/// A smart card policy: read around its key, never quoted.
pub(crate) fn policy(body: &[u8]) {
    match policy::read(body) {
        Ok(policy) => {
            assert!(policy.pin_max != Some(0), "0 is no limit");
            if let Some(UserPinOption::Name(name)) = &policy.user_pin_option {
                assert!(name.parse::<i64>().is_err(), "a number taken for a name");
            }
        }
        Err(problem) => in_our_words(problem),
    }
}

/// The body of an error: untrusted text, made fit for a terminal.
pub(crate) fn errors(body: &[u8]) {
    let detail = Detail::read(body);
    fit_to_show(detail.message.as_deref().unwrap_or_default());
    fit_to_show(&detail.to_string());
    if let Some(id) = &detail.correlation {
        assert_eq!(id.len(), 36);
        assert!(body.windows(36).any(|window| window.eq_ignore_ascii_case(id.as_bytes())), "an id that was not there");
    }
}

/// A certificate request for a key that `fuzz/seeds/server_certificates` has certificates for.
const REQUEST: &[u8] = include_bytes!("../../fixtures/certificates/p256.csr");

/// The answer to certificate requests, as a body or as the message in one: what is taken for our key was sent so, byte for byte,
/// and holds that key; what is refused is told in text that is fit for a terminal.
pub(crate) fn certificates(body: &[u8]) {
    let answers = match wire::issued(body) {
        Ok(answers) => answers,
        Err(problem) => {
            in_our_words(problem);
            vec![IssuedCertificate { pkcs7: Some(body.to_vec()), ..IssuedCertificate::default() }]
        }
    };
    match certificate_for(REQUEST, &answers) {
        Ok(ours) => {
            let has = |whole: &[u8], part: &[u8]| whole.windows(part.len().max(1)).any(|window| window == part);
            let messages = || answers.iter().filter_map(|answer| answer.pkcs7.as_deref());
            assert!(messages().any(|message| has(message, &ours.certificate)), "a certificate that was not sent");
            assert!(ours.others.iter().all(|other| messages().any(|message| has(message, other))));
            // The point of a P-256 key: the last 64 bytes of the request's public key.
            let point =
                REQUEST.windows(2).position(|window| window == [0x00, 0x04]).map(|at| &REQUEST[at + 2..at + 66]);
            assert!(point.is_some_and(|point| has(&ours.certificate, point)), "a certificate of another key");
        }
        Err(problem) => {
            fit_to_show(&problem.to_string());
            assert!(problem != CertificateProblem::Request);
        }
    }
    // Any request: what is none is refused.
    assert!(matches!(certificate_for(body, &[]), Err(CertificateProblem::Request | CertificateProblem::Empty)));
}

/// No control character, and no more than a few lines.
fn fit_to_show(text: &str) {
    assert!(!text.chars().any(char::is_control) && text.chars().count() <= 2500, "{text:?}");
}
