//! Requests: make, read and end them, and hand in certificate requests.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::body::Long;
use super::call::{Call, Repeat};
use super::client::Client;
use super::error::ServerError;
use super::pfx::PfxPassword;
use super::posted::Posted;
use super::raw_certificates::{CERTIFICATE_DATA, RawCertificates};
use super::wire::{self, KeyOptions, Request};

/// An authority may take its time; the call is not repeated, so it is waited for.
const ISSUING: Duration = Duration::from_secs(60);

/// The types of requests that can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// A card for somebody who has none.
    Enroll,
    /// A new PIN for a card.
    Unblock,
    /// The end of a card.
    Retire,
}

impl RequestKind {
    /// The name in bodies and paths.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Enroll => "Enroll",
            Self::Unblock => "Unblock",
            Self::Retire => "Retire",
        }
    }
}

/// What a request is for, and what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A card under this profile template.
    Enroll {
        /// The template's id.
        profile_template: Uuid,
    },
    /// A new PIN for this card object.
    Unblock {
        /// The object's id.
        smartcard: Uuid,
    },
    /// The end of this card object.
    Retire {
        /// The object's id.
        smartcard: Uuid,
    },
}

impl Purpose {
    /// The type of request.
    #[must_use]
    pub fn kind(self) -> RequestKind {
        match self {
            Self::Enroll { .. } => RequestKind::Enroll,
            Self::Unblock { .. } => RequestKind::Unblock,
            Self::Retire { .. } => RequestKind::Retire,
        }
    }
}

/// How the collected data is written: the reference prints both forms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataForm {
    /// A string that holds a JSON array.
    #[default]
    Text,
    /// A JSON array.
    Array,
}

/// A request to be made.
#[derive(Debug, Clone)]
pub struct NewRequest<'a> {
    /// What it is for.
    pub purpose: Purpose,
    /// The items that the policy asks for: names and values.
    pub data: &'a [(String, String)],
    /// How they are written.
    pub data_form: DataForm,
    /// The comment; empty where the policy wants none.
    pub comment: &'a str,
    /// For whom it is; `None` for the caller.
    pub target: Option<Uuid>,
}

#[derive(Serialize)]
struct NewRequestBody<'a> {
    datacollection: Value,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    profiletemplateuuid: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    smartcard: Option<Uuid>,
    comment: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Uuid>,
}

impl NewRequest<'_> {
    fn body(&self) -> NewRequestBody<'_> {
        let items = self.data.iter().map(|(name, value)| Map::from_iter([(name.clone(), Value::from(value.as_str()))]));
        let items: Value = items.collect();
        let (profiletemplateuuid, smartcard) = match self.purpose {
            Purpose::Enroll { profile_template } => (Some(profile_template), None),
            Purpose::Unblock { smartcard } | Purpose::Retire { smartcard } => (None, Some(smartcard)),
        };
        NewRequestBody {
            datacollection: match self.data_form {
                DataForm::Text => Value::from(items.to_string()),
                DataForm::Array => items,
            },
            kind: self.purpose.kind().name(),
            profiletemplateuuid,
            smartcard,
            comment: self.comment,
            target: self.target,
        }
    }
}

/// How a request is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestEnd {
    /// All was done.
    Completed,
    /// Given up before a card was bound.
    Canceled,
    /// Given up later: the request's status is then "failed".
    Abandoned,
}

#[derive(Serialize)]
struct NewStatus {
    status: &'static str,
}

#[derive(Serialize)]
struct CertificateData<'a> {
    certificaterequests: Vec<String>,
    #[serde(serialize_with = "exposed")]
    pfxpassword: &'a PfxPassword,
    comments: &'a str,
}

fn exposed<S: Serializer>(password: &&PfxPassword, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(password.expose())
}

impl Client {
    /// POST `requests`: makes a request, whose id is given.
    ///
    /// # Errors
    /// The server refused: nothing was made. See [`Posted`] for what else may become of it; where it is lost,
    /// [`Client::look_for_request`] tells.
    pub async fn create_request(&self, request: &NewRequest<'_>) -> Result<Posted<Uuid>, ServerError> {
        let call = Call::create("POST requests", &["requests"], &request.body())?;
        self.http.change(&call, |body: &Vec<u8>| wire::created(body)).await
    }

    /// GET `requests?targetuser=current&status=`: the caller's requests in this status.
    ///
    /// # Errors
    /// See [`ServerProblem`](crate::server::ServerProblem).
    pub async fn requests(&self, status: &str) -> Result<Vec<Request>, ServerError> {
        let call = Call::get("GET requests", Repeat::Safe, &["requests"]);
        self.list(&call.with("targetuser", "current").with("status", status)).await
    }

    /// GET `requests`: all requests that the caller may see, whoever they are for and whatever became of them.
    ///
    /// # Errors
    /// See [`ServerProblem`](crate::server::ServerProblem).
    pub async fn visible_requests(&self) -> Result<Vec<Request>, ServerError> {
        self.list(&Call::get("GET requests", Repeat::Safe, &["requests"])).await
    }

    /// GET `requests?status=`: all requests in this status that the caller may see.
    ///
    /// # Errors
    /// See [`ServerProblem`](crate::server::ServerProblem).
    pub async fn visible_requests_in(&self, status: &str) -> Result<Vec<Request>, ServerError> {
        self.list(&Call::get("GET requests", Repeat::Safe, &["requests"]).with("status", status)).await
    }

    /// GET `requests?targetuser=current`: the caller's requests, whatever became of them.
    ///
    /// # Errors
    /// See [`ServerProblem`](crate::server::ServerProblem).
    pub async fn own_requests(&self) -> Result<Vec<Request>, ServerError> {
        self.list(&Call::get("GET requests", Repeat::Safe, &["requests"]).with("targetuser", "current")).await
    }

    /// The caller's requests in this status, with those that can't be read passed over where they are bound to none of these card objects; one that may be
    /// bound to them is an error.
    ///
    /// # Errors
    /// See [`ServerProblem`](crate::server::ServerProblem).
    pub async fn requests_beside(&self, status: &str, smartcards: &[Uuid]) -> Result<Vec<Request>, ServerError> {
        let call = Call::get("GET requests", Repeat::Safe, &["requests"]).with("targetuser", "current");
        self.list_requests_beside(&call.with("status", status), smartcards).await
    }

    /// GET `requests?status=`: the requests in this status that the caller may see, whoever they are for, read as
    /// [`Client::requests_beside`] reads them.
    ///
    /// # Errors
    /// See [`ServerProblem`](crate::server::ServerProblem).
    pub async fn visible_requests_beside(
        &self,
        status: &str,
        smartcards: &[Uuid],
    ) -> Result<Vec<Request>, ServerError> {
        let call = Call::get("GET requests", Repeat::Safe, &["requests"]).with("status", status);
        self.list_requests_beside(&call, smartcards).await
    }

    async fn list_requests_beside(&self, call: &Call, smartcards: &[Uuid]) -> Result<Vec<Request>, ServerError> {
        self.list_beside(call, |properties| {
            wire::guid(properties, "newsmartcarduuid").is_some_and(|other| !smartcards.contains(&other))
        })
        .await
    }

    /// GET `requests/{id}`.
    ///
    /// # Errors
    /// See [`ServerProblem`](crate::server::ServerProblem); an unknown id is [`ServerProblem::Nothing`](crate::server::ServerProblem::Nothing).
    pub async fn request(&self, id: Uuid) -> Result<Request, ServerError> {
        self.one(&Call::get("GET requests/{id}", Repeat::Safe, &["requests", &id.to_string()])).await
    }

    /// PUT `requests/{id}`: ends a request. Gives the request as it is then.
    ///
    /// # Errors
    /// The server refused: the request is as it was. Where the call is lost, [`Client::look_for_end`] tells.
    pub async fn end_request(&self, id: Uuid, end: RequestEnd) -> Result<Posted<Request>, ServerError> {
        let status = match end {
            RequestEnd::Completed => "Completed",
            RequestEnd::Canceled => "Canceled",
            RequestEnd::Abandoned => "Abandoned",
        };
        let call = Call::update("PUT requests/{id}", &["requests", &id.to_string()], &NewStatus { status })?;
        self.http.change(&call, |body: &Vec<u8>| wire::one(body)).await
    }

    /// GET `requests/{id}/certificaterequestgenerationoptions`: one element for each certificate request that is wanted.
    ///
    /// # Errors
    /// See [`ServerProblem`](crate::server::ServerProblem).
    pub async fn certificate_request_generation_options(&self, id: Uuid) -> Result<Vec<KeyOptions>, ServerError> {
        let path = ["requests", &id.to_string(), "certificaterequestgenerationoptions"];
        self.list(&Call::get("GET certificaterequestgenerationoptions", Repeat::Safe, &path)).await
    }

    /// POST `requests/{id}/certificatedata`: hands in certificate requests (PKCS #10, DER) in the order of the generation
    /// options, and gets the answer as it came, to be kept before it is read: no call gives it again. Of what is read from it
    /// [`certificate_for`](crate::server::certificate_for) finds our certificate. Success is not that all were issued: see
    /// [`IssuedCertificate::error`](crate::server::wire::IssuedCertificate::error). Waits for at least a minute. The password protects what
    /// private keys the server may send along, and is a secret.
    ///
    /// # Errors
    /// The server refused: nothing was issued. Where the call is lost, [`Client::look_for_certificates`] tells whether
    /// something was issued, and not what: another try gets another certificate.
    pub async fn certificate_data(
        &self,
        request: Uuid,
        certificate_requests: &[Vec<u8>],
        password: &PfxPassword,
        comments: &str,
    ) -> Result<Posted<RawCertificates>, ServerError> {
        let body = CertificateData {
            certificaterequests: certificate_requests.iter().map(|request| STANDARD.encode(request)).collect(),
            pfxpassword: password,
            comments,
        };
        let path = ["requests", &request.to_string(), "certificatedata"];
        let call = Call::submit(CERTIFICATE_DATA, &path, &body)?.waiting(ISSUING);
        self.http.change(&call, |body: &Long| RawCertificates::new(body.expose())).await
    }
}

#[cfg(test)]
mod tests {
    use uuid::uuid;

    use super::*;

    fn written(request: &NewRequest<'_>) -> String {
        serde_json::to_string(&request.body()).unwrap()
    }

    #[test]
    fn the_documented_bodies() {
        let mut request = NewRequest {
            purpose: Purpose::Enroll { profile_template: uuid!("a039b4d0-5ce8-4eff-8651-181c6576fda3") },
            data: &[],
            data_form: DataForm::Text,
            comment: "",
            target: None,
        };
        assert_eq!(
            written(&request),
            r#"{"datacollection":"[]","type":"Enroll","profiletemplateuuid":"a039b4d0-5ce8-4eff-8651-181c6576fda3","comment":""}"#
        );
        request.purpose = Purpose::Unblock { smartcard: uuid!("17cf063d-e337-4aa9-a822-346554ddd3c9") };
        assert_eq!(
            written(&request),
            r#"{"datacollection":"[]","type":"Unblock","smartcard":"17cf063d-e337-4aa9-a822-346554ddd3c9","comment":""}"#
        );
        request.target = Some(uuid!("8f1590dc-d932-4b66-8e68-2e91c5880780"));
        assert!(written(&request).ends_with(r#""comment":"","target":"8f1590dc-d932-4b66-8e68-2e91c5880780"}"#));
    }

    #[test]
    fn collected_data_in_both_forms() {
        let data =
            [("Request Reason".to_owned(), "Need \"VPN\" Certs".to_owned()), ("city".to_owned(), "Zürich".to_owned())];
        let mut request = NewRequest {
            purpose: Purpose::Enroll { profile_template: Uuid::nil() },
            data: &data,
            data_form: DataForm::Text,
            comment: "",
            target: None,
        };
        let array = r#"[{"Request Reason":"Need \"VPN\" Certs"},{"city":"Zürich"}]"#;
        let collected = |request: &NewRequest<'_>| request.body().datacollection;
        assert_eq!(collected(&request), Value::from(array));
        request.data_form = DataForm::Array;
        assert_eq!(collected(&request), serde_json::from_str::<Value>(array).unwrap());
    }
}
