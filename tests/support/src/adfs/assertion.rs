//! Assertions of a client with a certificate, judged as strictly as RFC 7523 and Microsoft's documents allow.

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;

use super::{Form, RESOURCE, State};

/// By so many seconds the clocks may differ.
const TOLERANCE: i64 = 60;

/// The longest life of an assertion that is taken.
const LONGEST: i64 = 600;

/// A client with a certificate.
pub struct Registered {
    /// Its number.
    pub client_id: String,
    /// Its certificate, in DER.
    pub certificate: Vec<u8>,
    /// The certificate's public key (RFC 8017 §A.1.1), in DER.
    pub public_key: Vec<u8>,
    /// The token endpoint as the client knows it.
    pub endpoint: String,
    /// What was shown once.
    pub seen: HashSet<String>,
}

/// Whether the form is one of the registered client; else AD FS's words.
pub(super) fn verify(state: &mut State, form: &Form) -> Result<(), String> {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap() + state.ahead;
    let get = |name: &str| form.get(name).cloned().unwrap_or_default();
    let assertion = get("client_assertion");
    state.secrets.push(assertion.clone());
    let Some(client) = &mut state.registered else { return Err("MSIS9607: no such client".to_owned()) };
    let judged = |holds: bool, words: &str| if holds { Ok(()) } else { Err(format!("MSIS9622: {words}")) };
    judged(get("client_id") == client.client_id, "another client")?;
    judged(get("resource") == RESOURCE, "another resource")?;
    judged(form.keys().all(|name| !name.contains("secret")), "two proofs at once")?;
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    judged(get("client_assertion_type") == kind, "another kind of assertion")?;

    let parts: Vec<&str> = assertion.split('.').collect();
    let [head, claims, signature] = parts[..] else { return Err("MSIS9622: no JWT".to_owned()) };
    let json = |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
    let (head_read, claims) = (json(head), json(claims));
    let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &client.certificate));
    judged(head_read == serde_json::json!({ "alg": "RS256", "typ": "JWT", "x5t": thumbprint }), "another certificate")?;
    let signed = &assertion[..assertion.rfind('.').unwrap()];
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &client.public_key);
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    judged(key.verify(signed.as_bytes(), &signature).is_ok(), "the signature is wrong")?;

    judged(claims["aud"] == client.endpoint.as_str(), "another audience")?;
    let is_client = |name: &str| claims[name] == client.client_id.as_str();
    judged(is_client("iss") && is_client("sub"), "another subject")?;
    let (from, until) = (claims["nbf"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    judged(from <= now + TOLERANCE && until > now - TOLERANCE && until - from <= LONGEST, "not valid now")?;
    let number = claims["jti"].as_str().unwrap().to_owned();
    judged(number.len() >= 32 && client.seen.insert(number), "used before")
}
