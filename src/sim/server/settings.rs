//! What a stand-in serves and how it behaves: the data and the switches.
//!
//! None of the types that hold a PIN, a key or a token implements `Debug`: a failing test prints its operands.

use std::time::Duration;

use uuid::Uuid;

use super::keys::{AdminKey, SAMPLE_SECRET};
use super::records::{ASSIGNED, Card, Certificate, ENROLL, Request, RequestStatus, Template};

/// How the stand-in presents itself to a TLS client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsKind {
    /// A leaf for `localhost` and 127.0.0.1, signed by the stand-in's own CA.
    #[default]
    Good,
    /// As `Good`, but the leaf ended a year ago.
    ExpiredLeaf,
    /// The leaf names another host.
    WrongHost,
    /// The leaf was signed by a CA that [`super::StandIn::ca_pem`] does not name.
    OtherAuthority,
    /// No TLS at all.
    PlainHttp,
}

/// What the server answers for an id that it does not know; the REST reference does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownId {
    /// 204, as for an empty list.
    #[default]
    NoContent,
    /// 403.
    Forbidden,
    /// 404 with a JSON body.
    NotFound,
}

/// How the URI of something new is printed; the reference has the first form, its walkthrough the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UriForm {
    /// Relative to the virtual folder.
    #[default]
    Relative,
    /// From the root of the host.
    Rooted,
    /// With a host, which is another one.
    Absolute,
}

/// In which of the two printed forms collected data is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataForm {
    /// A string that holds a JSON array.
    #[default]
    Text,
    /// A JSON array.
    Array,
}

/// Where the proposed PIN comes from ("Get server proposed PIN").
#[derive(Clone)]
pub enum PinMaker {
    /// That many random digits, others for each call (`Randomized`).
    Random(usize),
    /// That many random digits, the same for each call of one request (`ServerDistributed`).
    Stored(usize),
    /// These bytes.
    Fixed(Vec<u8>),
    /// 204: the user provides the PIN.
    UserProvided,
    /// An answer that is not made from a PIN, for tests of the client's parser.
    Raw {
        /// HTTP status.
        status: u16,
        /// `Content-Type`.
        content_type: String,
        /// The body as sent.
        body: Vec<u8>,
    },
}

/// What the authority makes of a certificate request that is as its template wants it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Issues {
    /// A certificate for its key.
    #[default]
    Right,
    /// None: this is said in `Error`.
    Denied(String),
    /// A certificate for a key of nobody.
    ForAnotherKey,
    /// None, and nothing is said.
    Nothing,
}

/// In which of two messages certificates are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateForm {
    /// A full response of CMC, as in the sample.
    #[default]
    Cmc,
    /// Certificates alone.
    Bag,
}

/// A certificate that somebody else has made, of an authority of theirs.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnCertificate {
    /// It, and those between it and its authority (DER).
    pub chain: Vec<Vec<u8>>,
    /// Its key (PKCS#8).
    pub key: Vec<u8>,
}

/// Everything a stand-in needs to know; change it while it runs with [`super::State::change`].
#[derive(Clone)]
pub struct Settings {
    /// Port on 127.0.0.1; 0 takes a free one. Read at the start only.
    pub port: u16,
    /// How TLS is done. Read at the start only.
    pub tls: TlsKind,
    /// The certificate that is shown instead of one made for `tls`. Read at the start only.
    pub certificate: Option<OwnCertificate>,
    /// Whether HTTP/2 is offered in ALPN. Read at the start only.
    pub http2: bool,
    /// Name of the IIS virtual folder.
    pub folder: String,
    /// The bearer token to insist on.
    pub token: Option<String>,
    /// The value of a session cookie that each answer sets.
    pub cookie: Option<String>,
    /// Without a token: whether calls without `Authorization` are served.
    pub allow_anonymous: bool,
    /// `Clm.WebApi.Enabled`; off answers 404 everywhere.
    pub api_enabled: bool,
    /// Whether `smartcards/{id}/serverproposedpin` exists.
    pub pin_by_card: bool,
    /// Whether `requests/{reqid}/smartcards/{scid}/serverproposedpin` exists.
    pub pin_by_request: bool,
    /// Whether `profiletemplates/{id}/policies/{type}` exists.
    pub policy_by_policies: bool,
    /// Whether `profiletemplates/{id}/policy/workflow/{type}` exists.
    pub policy_by_workflow: bool,
    /// The answer for ids that are not in the data.
    pub unknown_id: UnknownId,
    /// The current user.
    pub caller: Uuid,
    /// The current user may see the requests of others.
    pub sees_others: bool,
    /// Whether challenges are answered under a request to retire a card, too: no document says for which types they are.
    pub answers_for_retirement: bool,
    /// Smart card objects.
    pub cards: Vec<Card>,
    /// Requests.
    pub requests: Vec<Request>,
    /// Profile templates.
    pub templates: Vec<Template>,
    /// Certificates that were issued.
    pub certificates: Vec<Certificate>,
    /// Status of a request that was just made: `Approved`, or `Pending` where somebody has to approve it.
    pub new_request_status: RequestStatus,
    /// How the URI of something new is printed.
    pub created_uri: UriForm,
    /// The form in which collected data is taken.
    pub data_form: DataForm,
    /// The current user may make, and end, requests for others.
    pub makes_for_others: bool,
    /// A pending request is approved once it was read by its id that often; never where there is no number.
    pub approved_after_looks: Option<usize>,
    /// What the authority does with certificate requests.
    pub issues: Issues,
    /// Certificate requests for a card that has certificates are taken, and more are issued.
    pub issues_again: bool,
    /// The message that certificates are sent in.
    pub certificate_form: CertificateForm,
    /// By how many places root, certificate and issuing authority are turned in it.
    pub certificates_turned: usize,
    /// Elements of the answer to certificate requests, as JSON, that stand before those that were asked for.
    pub more_answers: Vec<String>,
    /// One flag (`diversified`) for each card, but for `True` after a diversified key was given out.
    pub one_flag: bool,
    /// Source of the proposed PIN.
    pub pin_maker: PinMaker,
    /// Challenge lengths that are accepted, in bytes.
    pub challenge_lengths: Vec<usize>,
    /// How often one challenge may be sent for an answer as long as none of the answers arrived.
    pub challenge_sends: Option<usize>,
    /// Secret from which the diversified keys are derived.
    pub diversification_secret: AdminKey,
    /// Added to every answer.
    pub latency: Duration,
    /// Print the request status as a name instead of a number.
    pub names_for_enums: bool,
    /// The first call for a secret moves an approved request to `Executing`.
    pub moves_to_executing: bool,
}

// The ids of the reference's samples; further cards count up from them.
pub(super) const SAMPLE_REQUEST: Uuid = Uuid::from_u128(0xa9b4b42c_cc50_4c9b_89d1_bbc0bcd5a099);
pub(super) const SAMPLE_CARD: Uuid = Uuid::from_u128(0x17cf063d_e337_4aa9_a822_346554ddd3c9);
const SAMPLE_USER: Uuid = Uuid::from_u128(0x8f1590dc_d932_4b66_8e68_2e91c5880780);

impl Settings {
    /// One approved Enroll request bound to one card, whose PIN the server makes (eight random digits).
    ///
    /// `atr` is lower-case hex; `admin_key` is the key of a card that was never diversified.
    #[must_use]
    pub fn for_card(card_id: Uuid, atr: &str, admin_key: AdminKey) -> Self {
        let mut settings = Self { templates: vec![Template::sample(admin_key)], ..Self::empty() };
        settings.add_card(card_id, atr);
        settings
    }

    /// A server that holds nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            port: 0,
            tls: TlsKind::Good,
            certificate: None,
            http2: true,
            folder: "CertificateManagement".to_owned(),
            token: None,
            cookie: None,
            allow_anonymous: true,
            api_enabled: true,
            pin_by_card: true,
            pin_by_request: true,
            policy_by_policies: true,
            policy_by_workflow: true,
            unknown_id: UnknownId::NoContent,
            caller: SAMPLE_USER,
            sees_others: true,
            answers_for_retirement: false,
            cards: Vec::new(),
            requests: Vec::new(),
            templates: Vec::new(),
            certificates: Vec::new(),
            new_request_status: RequestStatus::Approved,
            created_uri: UriForm::Relative,
            data_form: DataForm::Text,
            makes_for_others: false,
            approved_after_looks: None,
            issues: Issues::Right,
            issues_again: false,
            certificate_form: CertificateForm::Cmc,
            certificates_turned: 0,
            more_answers: Vec::new(),
            one_flag: false,
            pin_maker: PinMaker::Random(8),
            challenge_lengths: vec![8],
            challenge_sends: Some(2),
            diversification_secret: SAMPLE_SECRET,
            latency: Duration::ZERO,
            names_for_enums: false,
            moves_to_executing: false,
        }
    }

    /// Add a card and an approved Enroll request bound to it; returns the ids of the card object and the request.
    pub fn add_card(&mut self, card_id: Uuid, atr: &str) -> (Uuid, Uuid) {
        let card = nth(SAMPLE_CARD, self.cards.len());
        let request = nth(SAMPLE_REQUEST, self.requests.len());
        let template = self.templates.first().map_or(Template::SAMPLE, |t| t.uuid);
        self.cards.push(Card {
            uuid: card,
            card_id,
            atr: atr.to_owned(),
            status: ASSIGNED,
            template,
            user: self.caller,
        });
        self.requests.push(Request {
            uuid: request,
            kind: ENROLL,
            status: RequestStatus::Approved,
            new_card: Some(card),
            old_card: None,
            template,
            user: self.caller,
            submitted: "2015-07-07T23:36:21.93Z".to_owned(),
            comment: String::new(),
            data: Vec::new(),
            looks: 0,
        });
        (card, request)
    }
}

pub(super) fn nth(first: Uuid, count: usize) -> Uuid {
    Uuid::from_u128(first.as_u128().wrapping_add(count as u128))
}
