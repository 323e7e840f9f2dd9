//! Card objects: read, bind and retire them, and the secrets that the server has for one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use uuid::Uuid;

use super::call::{Call, Repeat, Route};
use super::client::Client;
use super::error::{ServerError, ServerProblem};
use super::posted::Posted;
use super::secret_body;
use super::wire::{self, CardCertificate, SmartCard};
use crate::secret::{AdminKey, AdminResponse, Pin, SecretBytes};

/// The card, as the parameters of a call name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardParameters {
    /// `cardid`: GUID text without braces.
    pub card_id: String,
    /// `atr`: lower-case hex.
    pub atr: String,
    /// `challenge`: the bytes to be answered; empty where none were taken, and where the card's are one half of a mutual
    /// authentication, which is no challenge to the server.
    pub challenge: Vec<u8>,
}

impl CardParameters {
    /// `challenge` as base64 with padding.
    fn challenge_text(&self) -> String {
        STANDARD.encode(&self.challenge)
    }
}

/// Which admin key is on the card now (the `diversified` parameter).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminKeyVersion {
    /// The template's default key.
    Default,
    /// The card's own key.
    Diversified,
}

impl AdminKeyVersion {
    /// The parameter's value, as in the reference's sample.
    #[must_use]
    pub fn parameter(self) -> &'static str {
        match self {
            Self::Default => "False",
            Self::Diversified => "True",
        }
    }

    /// The name used in configuration and journal.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Diversified => "diversified",
        }
    }
}

/// Which of the two documented routes gives the PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinRoute {
    /// `smartcards/{id}/serverproposedpin`.
    Smartcard(Uuid),
    /// `requests/{reqid}/smartcards/{scid}/serverproposedpin`.
    Request(Uuid, Uuid),
}

/// Who makes the PIN, by the server's answer.
#[derive(Debug)]
pub enum ProposedPin {
    /// This one.
    Pin(Pin),
    /// Nobody at the server (204): the user supplies it.
    UserSupplies,
}

/// GET `…/serverproposedpin` by one of its two routes. `challenge` is the parameter's text: base64 with padding, or what stands for it in
/// a plan; where it is empty the parameter is left out.
#[must_use]
pub fn server_proposed_pin_call(route: PinRoute, card: &CardParameters, challenge: &str) -> Call {
    let call = |name, path: &[&str]| Call::get(name, Repeat::OnceWhileUnwritten, path);
    let call = match route {
        PinRoute::Smartcard(smartcard) => {
            let path = ["smartcards", &smartcard.to_string(), "serverproposedpin"];
            call("GET smartcards/{id}/serverproposedpin", &path)
        }
        PinRoute::Request(request, smartcard) => {
            let path = ["requests", &request.to_string(), "smartcards", &smartcard.to_string(), "serverproposedpin"];
            call("GET requests/{reqid}/smartcards/{scid}/serverproposedpin", &path)
        }
    };
    let call = call.with("atr", &card.atr).with("cardid", &card.card_id);
    let call = call.over(Route::Pin);
    if challenge.is_empty() { call } else { call.with("challenge", challenge) }
}

/// GET `…/authenticationresponse`. `challenge` is the parameter's text: base64 with padding, or what stands for it in a plan.
#[must_use]
pub fn authentication_response_call(
    request: Uuid,
    smartcard: Uuid,
    card: &CardParameters,
    challenge: &str,
    key: AdminKeyVersion,
) -> Call {
    let path = ["requests", &request.to_string(), "smartcards", &smartcard.to_string(), "authenticationresponse"];
    Call::get("GET authenticationresponse", Repeat::OnceWhileUnwritten, &path)
        .with("cardid", &card.card_id)
        .with("challenge", challenge)
        .with("diversified", key.parameter())
        .with("atr", &card.atr)
}

#[derive(Serialize)]
struct Binding<'a> {
    requestid: Uuid,
    cardid: &'a str,
    atr: &'a str,
}

#[derive(Serialize)]
struct NewStatus {
    status: &'static str,
}

impl Client {
    /// GET `smartcards?cardid=`: the server's records of this card; none where it does not know it.
    /// An element that can't be read is passed over where it names another card, and an error where it may be of this one.
    ///
    /// # Errors
    /// See [`ServerProblem`].
    pub async fn smartcards_by_card_id(&self, card_id: &str) -> Result<Vec<SmartCard>, ServerError> {
        let call = Call::get("GET smartcards?cardid=", Repeat::Safe, &["smartcards"]).with("cardid", card_id);
        let ours = Uuid::try_parse(card_id).ok();
        self.list_beside(&call, |properties| {
            wire::guid(properties, "serialnumber").is_some_and(|other| Some(other) != ours)
        })
        .await
    }

    /// GET `smartcards`: all card objects that the caller may see.
    ///
    /// # Errors
    /// See [`ServerProblem`].
    pub async fn smartcards(&self) -> Result<Vec<SmartCard>, ServerError> {
        self.list(&Call::get("GET smartcards", Repeat::Safe, &["smartcards"])).await
    }

    /// GET `smartcards/{id}`.
    ///
    /// # Errors
    /// See [`ServerProblem`]; an unknown id is [`ServerProblem::Nothing`].
    pub async fn smartcard(&self, id: Uuid) -> Result<SmartCard, ServerError> {
        self.one(&Call::get("GET smartcards/{id}", Repeat::Safe, &["smartcards", &id.to_string()])).await
    }

    /// GET `smartcards/{id}/certificates`: what was issued for the card. Tells whether a lost POST of certificate requests was
    /// carried out; the certificates themselves are not given out again.
    ///
    /// # Errors
    /// See [`ServerProblem`].
    pub async fn smartcard_certificates(&self, id: Uuid) -> Result<Vec<CardCertificate>, ServerError> {
        let path = ["smartcards", &id.to_string(), "certificates"];
        self.list(&Call::get("GET smartcards/{id}/certificates", Repeat::Safe, &path)).await
    }

    /// GET `requests/{reqid}/smartcards/{scid}`: the card object of a request. The reference prints this route with GET in a
    /// table and with PUT in its example; what GET gives is inferred.
    ///
    /// # Errors
    /// See [`ServerProblem`]; an unknown id is [`ServerProblem::Nothing`].
    pub async fn smartcard_of_request(&self, request: Uuid, smartcard: Uuid) -> Result<SmartCard, ServerError> {
        let path = ["requests", &request.to_string(), "smartcards", &smartcard.to_string()];
        self.one(&Call::get("GET requests/{reqid}/smartcards/{scid}", Repeat::Safe, &path)).await
    }

    /// GET `smartcards/{id}/operations`: what the caller may start with the card, by names of types of requests; none where
    /// there is nothing.
    ///
    /// # Errors
    /// See [`ServerProblem`].
    pub async fn smartcard_operations(&self, id: Uuid) -> Result<Vec<String>, ServerError> {
        let path = ["smartcards", &id.to_string(), "operations"];
        self.words(&Call::get("GET smartcards/{id}/operations", Repeat::Safe, &path)).await
    }

    /// POST `smartcards`: binds the card to a request, and makes a card object, whose id is given. The request then works with
    /// this card alone. The card's challenge is not part of it.
    ///
    /// # Errors
    /// The server refused: nothing was bound. See [`Posted`] for what else may become of it; where it is lost,
    /// [`Client::look_for_binding`] tells.
    pub async fn bind_smartcard(&self, request: Uuid, card: &CardParameters) -> Result<Posted<Uuid>, ServerError> {
        let body = Binding { requestid: request, cardid: &card.card_id, atr: &card.atr };
        let call = Call::create("POST smartcards", &["smartcards"], &body)?;
        self.http.change(&call, |body: &Vec<u8>| wire::created(body)).await
    }

    /// PUT `requests/{reqid}/smartcards/{scid}`: says that the card is retired. Gives the object as it is then.
    ///
    /// # Errors
    /// The server refused: nothing was changed. Where the call is lost, [`Client::look_for_retirement`] tells.
    pub async fn retire_smartcard(&self, request: Uuid, smartcard: Uuid) -> Result<Posted<SmartCard>, ServerError> {
        let path = ["requests", &request.to_string(), "smartcards", &smartcard.to_string()];
        let body = NewStatus { status: "Retired" };
        let call = Call::update("PUT requests/{reqid}/smartcards/{scid}", &path, &body)?;
        self.http.change(&call, |body: &Vec<u8>| wire::one(body)).await
    }

    /// GET `…/serverproposedpin`.
    ///
    /// # Errors
    /// See [`ServerProblem`]. Only 204 means that the user supplies the PIN.
    pub async fn server_proposed_pin(
        &self,
        route: PinRoute,
        card: &CardParameters,
    ) -> Result<ProposedPin, ServerError> {
        let call = server_proposed_pin_call(route, card, &card.challenge_text());
        match self.http.get::<SecretBytes>(&call).await? {
            None => Ok(ProposedPin::UserSupplies),
            Some(body) => secret_body::pin(body.expose())
                .map(ProposedPin::Pin)
                .map_err(|problem| ServerError { call: call.name(), problem }),
        }
    }

    /// GET `requests/{reqid}/smartcards/{scid}/authenticationresponse`: the answer to the card's challenge, as long as the
    /// challenge.
    ///
    /// # Errors
    /// See [`ServerProblem`]; 204 and an answer of another length must not reach a card.
    pub async fn authentication_response(
        &self,
        request: Uuid,
        smartcard: Uuid,
        card: &CardParameters,
        key: AdminKeyVersion,
    ) -> Result<AdminResponse, ServerError> {
        let call = authentication_response_call(request, smartcard, card, &card.challenge_text(), key);
        let fail = |problem| ServerError { call: call.name(), problem };
        let body = self.http.get::<SecretBytes>(&call).await?;
        let body = body.ok_or_else(|| fail(ServerProblem::Nothing))?;
        secret_body::admin_response(body.expose(), card.challenge.len()).map_err(fail)
    }

    /// GET `requests/{reqid}/smartcards/{scid}/diversifiedkey`: the card's own admin key, to be written to it; `None` where
    /// there is none to write (204). Like every secret answer it stays in the connection's buffers until [`Client::close`].
    ///
    /// # Errors
    /// See [`ServerProblem`].
    pub async fn diversified_key(
        &self,
        request: Uuid,
        smartcard: Uuid,
        card: &CardParameters,
    ) -> Result<Option<AdminKey>, ServerError> {
        let path = ["requests", &request.to_string(), "smartcards", &smartcard.to_string(), "diversifiedkey"];
        let call = Call::get("GET diversifiedkey", Repeat::OnceWhileUnwritten, &path)
            .with("cardid", &card.card_id)
            .with("atr", &card.atr);
        let body = self.http.get::<SecretBytes>(&call).await?;
        body.map(|body| secret_body::admin_key(body.expose()))
            .transpose()
            .map_err(|problem| ServerError { call: call.name(), problem })
    }
}
