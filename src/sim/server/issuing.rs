//! "Submit certificate requests": what the stand-in's authority makes of them, and how it is answered.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use uuid::Uuid;

use super::certificate_request::CertificateRequest;
use super::json;
use super::json_body::{JsonBody, shape};
use super::records::Certificate;
use super::reply::Reply;
use super::routes::{Call, card, request, template};
use super::rules::{Refusal, Rule};
use super::secrets::{begin, check_binding};
use super::settings::Issues;
use super::state::Inner;

/// What an authority says where a key is not as its template wants it (CERTSRV_E_KEY_LENGTH).
const WRONG_KEY: &str =
    "The public key does not meet the minimum size required by the specified certificate template. 0x80094811";

/// "Submit certificate requests".
pub(super) fn certificate_data(inner: &mut Inner, id: Uuid, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = JsonBody::read(call, &["certificaterequests", "pfxpassword", "comments"])?;
    inner.passwords.push(body.text("pfxpassword")?.to_owned());
    body.text("comments")?;
    let list = body.get("certificaterequests").and_then(Value::as_array);
    let list = list.ok_or_else(|| shape("certificaterequests", "must be a list"))?;
    let known = request(inner, id)?.clone();
    let bound = known.new_card.ok_or_else(|| Refusal::forbidden(Rule::CardNotBound, "No smart card is bound."))?;
    check_binding(&known, card(inner, bound)?)?;
    let wanted = template(inner, known.template)?.keys.clone();
    let read: Option<Vec<_>> = list.iter().map(certificate_request).collect();
    let Some(read) = read.filter(|read| read.len() == wanted.len()) else {
        let message = "certificaterequests: must be PKCS #10 in base64, signed with their own keys, one for each generation option";
        return Err(Refusal::bad(Rule::CertificateRequests, message));
    };
    if !inner.settings.issues_again && inner.settings.certificates.iter().any(|issued| issued.card == bound) {
        return Err(Refusal::forbidden(Rule::AlreadyIssued, "Certificates were issued for the request already."));
    }
    begin(inner, id);
    inner.certificate_requests.extend(read.iter().map(|request| request.der.clone()));
    let mut answers = inner.settings.more_answers.clone();
    for (request, wanted) in read.iter().zip(&wanted) {
        answers.extend(match &inner.settings.issues {
            Issues::Denied(reason) => Some(json::refused_certificate(reason)),
            _ if !request.is_of(wanted) => Some(json::refused_certificate(WRONG_KEY)),
            Issues::Right => Some(issue(inner, request, bound, known.user)?),
            Issues::ForAnotherKey => {
                let other = CertificateRequest::of_another_key();
                Some(issue(inner, &other.ok_or_else(failed)?, bound, known.user)?)
            }
            Issues::Nothing => None,
        });
    }
    // An empty list, and not 204.
    Ok(Reply::json(json::list(&answers)))
}

/// Issues a certificate, and lists it with the card before its answer leaves.
fn issue(inner: &mut Inner, request: &CertificateRequest, card: Uuid, user: Uuid) -> Result<String, Refusal> {
    let (form, turned) = (inner.settings.certificate_form, inner.settings.certificates_turned);
    let authority = inner.authority().map_err(|_| failed())?;
    let issued = authority.issue(request, &format!("user-{}", user.as_fields().0)).map_err(|_| failed())?;
    let message = authority.message(&issued.der, form, turned).ok_or_else(failed)?;
    let (serial_number, thumbprint) = (issued.serial_number, issued.thumbprint);
    inner.settings.certificates.push(Certificate { card, serial_number, thumbprint });
    Ok(json::issued_certificate(&message))
}

fn failed() -> Refusal {
    Refusal::plain(500, "The certification authority has failed.")
}

/// Base64 without armour, in one line or many, of a request that is signed with its own key.
fn certificate_request(value: &Value) -> Option<CertificateRequest> {
    let text: String = value.as_str()?.split("\r\n").collect();
    CertificateRequest::read(&STANDARD.decode(text).ok()?)
}
