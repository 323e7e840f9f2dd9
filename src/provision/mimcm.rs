//! MIM CM as the [`Issuer`]: which calls, in which order, and what their answers mean together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use uuid::Uuid;

use super::network::Network;
use super::open_request::open_request;
use super::policy::{admin_key, evidence, option_name, pin_maker};
use super::rules::{AdminKeyRule, PinRouteRule, Rules};
use crate::job::Cause;
use crate::job::fit::PolicyLengths;
use crate::job::issuer::{Answers, Assignment, Issuer, Question, Wanted, Watch};
use crate::job::records::ResolveError;
use crate::secret::AdminResponse;
use crate::server::policy::SmartcardPolicy;
use crate::server::wire::{CardStatus, Request, RequestStatus, SmartCard};
use crate::server::{AdminKeyVersion, CardParameters, Client, PinRoute, ProposedPin, ServerError, ServerProblem};

/// How long a template's name is waited for: it is for people, and no job needs it.
const NAME_PATIENCE: Duration = Duration::from_secs(3);

/// A MIM CM server, asked from a thread without a runtime of its own.
///
/// A connection that is open keeps what it has read last in its buffers, and a runtime keeps its connections: both end as soon
/// as the secrets are here, and before every wait for a person.
pub struct MimCm {
    client: Arc<Client>,
    network: Network,
    rules: Rules,
    waited: Duration,
    /// Something was begun or asked since the connections were closed last.
    is_open: bool,
    begun: Option<LookUp>,
}

/// The server's look into its records, which goes on while nobody waits for it.
struct LookUp {
    card: CardParameters,
    wanted: Wanted,
    task: JoinHandle<Result<Assignment, Cause>>,
}

impl Drop for LookUp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl MimCm {
    /// Takes a client and the rules that decide what its answers mean.
    ///
    /// # Errors
    /// The system gives no runtime (descriptors, memory).
    pub fn new(client: Client, rules: Rules) -> std::io::Result<Self> {
        let network = Network::new()?;
        Ok(Self { client: Arc::new(client), network, rules, waited: Duration::ZERO, is_open: false, begun: None })
    }

    /// The client: for its count of requests and its URLs.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Time spent waiting for the server. What it does while nobody waits is no part of it.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Drives a call of another job than the PIN step, on this runtime and its connections.
    ///
    /// # Errors
    /// The call's, and the watch's.
    pub fn call<T>(
        &mut self,
        call: impl AsyncFnOnce(&Client) -> Result<T, Cause>,
        watch: Watch<'_>,
    ) -> Result<T, Cause> {
        let start = Instant::now();
        self.is_open = true;
        let result = self.network.wait(call(&self.client), watch);
        self.waited += start.elapsed();
        result
    }

    /// The same for a call whose answer is a secret: the connections end with it.
    ///
    /// # Errors
    /// As [`MimCm::call`].
    pub fn secret_call<T>(
        &mut self,
        call: impl AsyncFnOnce(&Client) -> Result<T, Cause>,
        watch: Watch<'_>,
    ) -> Result<T, Cause> {
        let result = self.call(call, watch);
        self.close();
        result
    }

    /// From now on the server is told to answer with this key.
    pub fn answer_with(&mut self, key: AdminKeyRule) {
        self.rules.admin_key = key;
    }

    /// Lets go of the connections before a wait of unknown length: a later call opens new ones.
    pub fn close_for_a_while(&mut self) {
        self.close();
    }

    /// Begins something that nobody waits for yet. Where that can't be, it is done when it is waited for.
    fn begin<T: Send + 'static>(&mut self, work: impl Future<Output = T> + Send + 'static) -> Option<JoinHandle<T>> {
        self.is_open = true;
        let task = self.network.begin(work);
        if task.is_none() {
            // Its runtime is gone, and the connections with it.
            self.client.close();
        }
        task
    }
}

impl Issuer for MimCm {
    fn connect(&mut self) {
        if !self.is_open {
            self.begin(self.client.connect_early());
        }
    }

    fn look_up(&mut self, card: &CardParameters, wanted: Wanted) {
        if self.begun.as_ref().is_some_and(|begun| begun.is_of(card, wanted)) {
            return;
        }
        let (client, rules, of) = (Arc::clone(&self.client), self.rules.clone(), card.clone());
        let task = self.begin(async move { resolve(&client, &rules, &of, wanted).await });
        self.begun = task.map(|task| LookUp { card: card.clone(), wanted, task });
    }

    fn resolve(&mut self, card: &CardParameters, wanted: Wanted, watch: Watch<'_>) -> Result<Assignment, Cause> {
        let start = Instant::now();
        self.is_open = true;
        let begun = self.begun.take().filter(|begun| begun.is_of(card, wanted));
        let result = match begun {
            Some(mut begun) => self.network.wait(begun.end(), watch),
            None => self.network.wait(resolve(&self.client, &self.rules, card, wanted), watch),
        };
        self.waited += start.elapsed();
        result
    }

    fn ask(
        &mut self,
        assignment: &Assignment,
        card: &CardParameters,
        question: Question,
        watch: Watch<'_>,
    ) -> Result<Answers, Cause> {
        let start = Instant::now();
        let both = async {
            let pin = async {
                match question.pin {
                    true => proposed_pin(&self.client, self.rules.pin_route, assignment, card).await.map(Some),
                    false => Ok(None),
                }
            };
            let answer = answer(&self.client, assignment, card, question.answer);
            // In flight at the same time: the card waits for one round trip, not for two.
            let (pin, answer) = tokio::try_join!(pin, answer)?;
            Ok(Answers { pin, answer })
        };
        let result = self.network.wait(both, watch);
        self.close();
        self.waited += start.elapsed();
        result
    }

    fn template_name(&mut self, template: Uuid, watch: Watch<'_>) -> Result<Option<String>, Cause> {
        let start = Instant::now();
        self.is_open = true;
        let name = async { Ok(template_name(&self.client, template).await) };
        let result = self.network.wait(name, watch);
        self.waited += start.elapsed();
        result
    }

    fn close(&mut self) {
        self.begun = None;
        self.client.close();
        self.network.close();
        self.is_open = false;
    }
}

impl LookUp {
    fn is_of(&self, card: &CardParameters, wanted: Wanted) -> bool {
        self.card == *card && self.wanted == wanted
    }

    async fn end(&mut self) -> Result<Assignment, Cause> {
        match (&mut self.task).await {
            Ok(result) => result,
            Err(broken) => match broken.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Its runtime is gone.
                Err(_) => {
                    let problem = ServerProblem::Runtime(std::io::ErrorKind::Interrupted.into());
                    Err(ServerError { call: "any call", problem }.into())
                }
            },
        }
    }
}

async fn resolve(client: &Client, rules: &Rules, card: &CardParameters, wanted: Wanted) -> Result<Assignment, Cause> {
    let (records, named) = records(client, card, wanted).await?;
    for record in &records {
        check_record(record, card)?;
    }
    // With one record its template is known, and the policy is fetched beside the requests.
    let template = match records.as_slice() {
        [only] => only.profile_template,
        _ => None,
    };
    let (found, policy) =
        tokio::try_join!(open_request(client, &records, named, wanted.visible), policy(client, template))?;
    let is_of_others = found.as_ref().is_some_and(|found| found.is_of_others);
    let request = found.map(|found| found.request);
    let record = pick(records, request.as_ref())?;
    let policy = match (policy, record.profile_template) {
        (None, Some(late)) if template != Some(late) => self::policy(client, Some(late)).await?,
        (policy, _) => policy,
    };
    let policy = policy.unwrap_or_default();
    // Whose own request it is, and who has named it, knows what it is about.
    let template_name = match record.profile_template {
        Some(template) if is_of_others => template_name(client, template).await,
        _ => None,
    };
    let target_user =
        request.as_ref().and_then(|request| request.target_user.filter(|_| record.assigned_user.is_some()));
    Ok(Assignment {
        smartcard: record.uuid,
        request: request.as_ref().map(|request| request.uuid),
        target_user,
        is_of_others,
        is_executing: request.as_ref().is_some_and(|request| request.status == RequestStatus::Executing),
        template: record.profile_template,
        template_name,
        atr: record.atr,
        admin_key: admin_key(rules.admin_key, &policy, request.as_ref(), record.status),
        evidence: evidence(rules.admin_key, &policy, request.as_ref(), record.status),
        pin_maker: pin_maker(rules, policy.user_pin_option.as_ref()),
        pin_option: option_name(policy.user_pin_option.as_ref()),
        policy: PolicyLengths { min: policy.pin_min.map(size), max: policy.pin_max.map(size) },
    })
}

/// The card's records, and the request that was named.
async fn records(
    client: &Client,
    card: &CardParameters,
    wanted: Wanted,
) -> Result<(Vec<SmartCard>, Option<Request>), Cause> {
    let cards = async {
        match wanted.smartcard {
            Some(id) => client.smartcard(id).await.map(|record| vec![record]),
            None => client.smartcards_by_card_id(&card.card_id).await,
        }
    };
    let request = async {
        match wanted.request {
            Some(id) => client.request(id).await.map(Some),
            None => Ok(None),
        }
    };
    let (mut cards, request) = tokio::try_join!(cards, request)?;
    if cards.iter().any(|record| record.status != CardStatus::Retired) {
        // Earlier assignments of the same plastic are no candidates.
        cards.retain(|record| record.status != CardStatus::Retired);
    } else {
        // None but those: each says the same.
        cards.truncate(1);
    }
    if cards.is_empty() {
        let other_order = uuid::Uuid::parse_str(&card.card_id)
            .map(|id| Uuid::from_bytes(id.to_bytes_le()).to_string())
            .unwrap_or_default();
        return Err(ResolveError::UnknownCard { card_id: card.card_id.clone(), other_order }.into());
    }
    Ok((cards, request))
}

/// The record must be of the card in the reader.
fn check_record(record: &SmartCard, card: &CardParameters) -> Result<(), ResolveError> {
    if record.status == CardStatus::Retired {
        return Err(ResolveError::Retired { smartcard: record.uuid });
    }
    match record.card_id.map(|id| id.to_string()) {
        Some(id) if id == card.card_id => Ok(()),
        theirs => {
            Err(other_card(record, "SerialNumber", theirs.unwrap_or_else(|| "missing".to_owned()), &card.card_id))
        }
    }
}

fn other_card(record: &SmartCard, what: &'static str, theirs: String, ours: &str) -> ResolveError {
    ResolveError::OtherCard { smartcard: record.uuid, what, theirs, ours: ours.to_owned() }
}

/// A template's name, for people: where the server does not tell it, they are told the id alone.
async fn template_name(client: &Client, template: Uuid) -> Option<String> {
    match tokio::time::timeout(NAME_PATIENCE, client.profile_template(template)).await {
        Ok(Ok(template)) => Some(template.name).filter(|name| !name.is_empty()),
        Ok(Err(error)) => {
            tracing::info!("the server does not tell the profile template's name: {error}");
            None
        }
        Err(_) => {
            tracing::info!("the server does not tell the profile template's name in time");
            None
        }
    }
}

/// Several records share a card ID after a re-issue: the request names the right one.
fn pick(records: Vec<SmartCard>, request: Option<&Request>) -> Result<SmartCard, ResolveError> {
    let candidates: Vec<Uuid> = records.iter().map(|record| record.uuid).collect();
    let single = records.len() == 1;
    records
        .into_iter()
        .find(|record| single || request.is_some_and(|request| request.new_smartcard == Some(record.uuid)))
        .ok_or(ResolveError::AmbiguousCard { candidates })
}

/// The template's policy. A server that does not show it (403, 404, 204) leaves its questions open; they are decided later,
/// where they matter.
async fn policy(client: &Client, template: Option<Uuid>) -> Result<Option<SmartcardPolicy>, Cause> {
    let Some(template) = template else { return Ok(None) };
    match client.smartcard_policy(template).await {
        Ok(policy) => Ok(policy),
        Err(ServerError {
            problem: ServerProblem::Forbidden { .. } | ServerProblem::NotFound { .. } | ServerProblem::UnknownId,
            ..
        }) => {
            tracing::info!("the server does not show the template's smart card policy");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

async fn proposed_pin(
    client: &Client,
    rule: PinRouteRule,
    assignment: &Assignment,
    card: &CardParameters,
) -> Result<ProposedPin, Cause> {
    let smartcard = assignment.smartcard;
    let by_card = PinRoute::Smartcard(smartcard);
    let by_request = assignment.request.map(|request| PinRoute::Request(request, smartcard));
    let first = match (rule, by_request) {
        (PinRouteRule::Request, Some(route)) => route,
        (PinRouteRule::Request, None) => return Err(ResolveError::NoRequest { smartcard }.into()),
        (PinRouteRule::Auto | PinRouteRule::Smartcard, _) => by_card,
    };
    match (client.server_proposed_pin(first, card).await, rule, by_request) {
        // Only this answer says "no such route"; any other one is the server's word on the PIN.
        (Err(ServerError { problem: ServerProblem::NotFound { .. }, .. }), PinRouteRule::Auto, Some(route)) => {
            Ok(client.server_proposed_pin(route, card).await?)
        }
        (result, ..) => Ok(result?),
    }
}

async fn answer(
    client: &Client,
    assignment: &Assignment,
    card: &CardParameters,
    key: Option<AdminKeyVersion>,
) -> Result<Option<AdminResponse>, Cause> {
    let Some(key) = key else { return Ok(None) };
    let smartcard = assignment.smartcard;
    let request = assignment.request.ok_or(ResolveError::NoRequest { smartcard })?;
    Ok(Some(client.authentication_response(request, smartcard, card, key).await?))
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
