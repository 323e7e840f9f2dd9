//! Readers, a server and a journal with which agents are started.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pinwright::agent::Message;
use pinwright::agent::jobs::{JobContext, JobServices};
use pinwright::agent::settings::OnInsert;
use pinwright::agent::{AgentContext, Settings};
use pinwright::card::PinLimits;
use pinwright::config::Config;
use pinwright::job::Cause;
use pinwright::job::consent::{Proposal, Standing};
use pinwright::job::journal::{Journal, Point, Record};
use pinwright::job::secrets::{Need, SecretError};
use pinwright::job::supplier::Supplier;
use pinwright::provision::mimcm::MimCm;
use pinwright::reader::Readers;
use pinwright::reader::monitor::StatusService;
use pinwright::secret::{AdminKey, Code, Pin};
use pinwright::server::Client;
use pinwright::sim::card::SharedCard;
use pinwright::sim::fault::Faulty;
use pinwright::sim::gids::{ATR, GidsCard, GidsSettings};
use pinwright::sim::reader::VirtualReaders;
use pinwright::sim::server::{Endpoint, Settings as ServerSettings, StandIn};
use uuid::Uuid;

use crate::watcher::Agent;

/// The PIN that every card begins with.
pub const OLD: &[u8] = b"12345678";

pub type Card = SharedCard<Faulty<GidsCard>>;

/// The card with that number.
pub fn card(number: u8) -> Card {
    SharedCard::new(Faulty::new(GidsCard::personalised(card_settings(number))))
}

fn card_settings(number: u8) -> GidsSettings {
    let mut settings = GidsSettings::default();
    settings.card_id[0] = number;
    settings
}

/// Card 0 with other answers to reset: with power just on, and afterwards.
pub fn card_with_atrs(cold: &[u8], warm: &[u8]) -> Card {
    let settings = GidsSettings { atr: cold.to_vec(), warm_atr: Some(warm.to_vec()), ..card_settings(0) };
    SharedCard::new(Faulty::new(GidsCard::personalised(settings)))
}

/// What the server calls it.
pub fn card_id(number: u8) -> Uuid {
    Uuid::from_bytes_le(card_settings(number).card_id)
}

/// How often the card was sent a command that sets a PIN.
pub fn writes(card: &Card) -> usize {
    card.with(|card| card.card().headers().iter().filter(|header| header[1] == 0x2C).count())
}

/// Whoever supplies what the server does not.
pub type MakeSupplier = Arc<dyn Fn(&str, Arc<AtomicBool>) -> Box<dyn Supplier> + Send + Sync>;

/// Server client and supplier of each job.
pub struct TestServices {
    config: Config,
    supplier: MakeSupplier,
    /// Server clients made so far: one for each job that asked the server.
    pub clients: AtomicUsize,
    /// The next job finds a defect.
    pub defect: AtomicBool,
    /// Why there is no client.
    pub broken: Mutex<Option<String>>,
}

impl JobServices for TestServices {
    fn server(&self) -> Result<MimCm, String> {
        assert!(!self.defect.swap(false, Ordering::SeqCst), "a defect, on purpose");
        self.clients.fetch_add(1, Ordering::SeqCst);
        if let Some(reason) = self.broken.lock().unwrap().clone() {
            return Err(reason);
        }
        let client = Client::new(self.config.server.as_ref().unwrap()).unwrap();
        Ok(MimCm::new(client, self.config.rules.clone()).unwrap())
    }

    fn supplier(&self, card: &str, interrupted: Arc<AtomicBool>) -> Box<dyn Supplier> {
        (self.supplier)(card, interrupted)
    }
}

/// Everything but the agent.
pub struct Setup {
    pub readers: VirtualReaders,
    pub server: StandIn,
    pub journal: Journal,
    pub settings: Settings,
    pub services: Arc<TestServices>,
    pub ignored_readers: Vec<String>,
    /// Between the jobs and the readers, where a test wants something there.
    pub between: Option<Arc<dyn Readers>>,
    /// Where status changes come from, where that is not the readers.
    pub status: Option<Arc<dyn StatusService>>,
    _folder: tempfile::TempDir,
}

impl Setup {
    /// With cards 0 to `cards` - 1 known to the server, each with an approved request.
    pub fn new(cards: u8) -> Self {
        Self::with(cards, |_| {}, "", Arc::new(|_, _| Box::new(Nobody)))
    }

    /// With that many cards, another server, more lines in `[server]`, and somebody to ask.
    pub fn with(cards: u8, change: impl FnOnce(&mut ServerSettings), lines: &str, supplier: MakeSupplier) -> Self {
        let atr = hex::encode(ATR);
        let mut server = ServerSettings::for_card(card_id(0), &atr, GidsSettings::default().admin_key);
        for number in 1..cards {
            server.add_card(card_id(number), &atr);
        }
        change(&mut server);
        let server = StandIn::start(server).unwrap();
        let folder = tempfile::Builder::new().prefix("agent").tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::File::create(&ca).and_then(|mut file| file.write_all(server.ca_pem().as_bytes())).unwrap();
        let timeout = if lines.contains("timeout") { "" } else { "timeout = \"8s\"" };
        let text = format!("[server]\nurl = \"{}\"\nca_file = {ca:?}\n{timeout}\n{lines}\n", server.base_url());
        let config = Config::from_toml(&text).unwrap();
        let services = TestServices {
            config,
            supplier,
            clients: AtomicUsize::new(0),
            defect: AtomicBool::new(false),
            broken: Mutex::new(None),
        };
        Self {
            readers: VirtualReaders::new(),
            server,
            journal: Journal::new(folder.path().join("journal"), Duration::from_secs(86_400)),
            settings: quick(),
            services: Arc::new(services),
            ignored_readers: Vec::new(),
            between: None,
            status: None,
            _folder: folder,
        }
    }

    /// Starts an agent here.
    pub fn agent(&self) -> Agent {
        self.agent_with(Vec::new())
    }

    /// The same with these messages waiting for it.
    pub fn agent_with(&self, waiting: Vec<Message>) -> Agent {
        let config = &self.services.config;
        let readers: Arc<dyn Readers> = match &self.between {
            Some(between) => Arc::clone(between),
            None => Arc::new(self.readers.clone()),
        };
        let jobs = JobContext {
            visible_requests: self.settings.visible_requests,
            readers,
            services: Arc::clone(&self.services) as Arc<dyn JobServices>,
            journal: self.journal.clone(),
            rules: config.rules.clone(),
            families: config.families.clone(),
            keys: config.enroll.clone(),
            on_insert: self.settings.on_insert,
            begun: Mutex::default(),
        };
        let context = AgentContext {
            jobs: Arc::new(jobs),
            status: self.status.clone().unwrap_or_else(|| Arc::new(self.readers.clone())),
            ignored_readers: self.ignored_readers.clone(),
            notifier: pinwright::agent::ServiceNotifier::silent(),
        };
        Agent::start(self.settings.clone(), context, waiting)
    }

    /// Calls at which the server gave something secret, or was asked for it.
    pub fn secret_calls(&self) -> usize {
        let secret = |endpoint| {
            matches!(
                endpoint,
                Some(
                    Endpoint::PinByCard
                        | Endpoint::PinByRequest
                        | Endpoint::AuthenticationResponse
                        | Endpoint::DiversifiedKey
                )
            )
        };
        self.server.requests().iter().filter(|call| secret(call.endpoint)).count()
    }

    /// Calls by which jobs begin.
    pub fn inquiries(&self) -> usize {
        self.server.requests().iter().filter(|call| call.endpoint == Some(Endpoint::Smartcards)).count()
    }

    /// Whether the card has a PIN that the server gave out.
    pub fn has_server_pin(&self, card: &Card) -> bool {
        let pins = self.server.state().pins();
        card.with(|card| pins.iter().any(|pin| card.card().pin_is(pin)))
    }

    /// The job is done, and exactly once.
    #[track_caller]
    pub fn assert_done(&self, card: &Card, case: &str) {
        assert!(self.has_server_pin(card), "{case}: the card has the server's PIN");
        assert_eq!(writes(card), 1, "{case}: written once");
        self.assert_let_go(card, case);
    }

    /// Nothing was written, no try was spent, and nobody is authenticated.
    #[track_caller]
    pub fn assert_untouched(&self, card: &Card, case: &str) {
        assert!(card.with(|card| card.card().pin_is(OLD)), "{case}: the old PIN");
        assert_eq!(writes(card), 0, "{case}: nothing was written");
        self.assert_let_go(card, case);
    }

    #[track_caller]
    fn assert_let_go(&self, card: &Card, case: &str) {
        card.with(|card| {
            let card = card.card();
            assert_eq!(card.tries_left(), 3, "{case}: all tries");
            assert_eq!(card.admin_failures(), 0, "{case}: no wrong admin answer");
            assert!(!card.user_authenticated() && !card.admin_authenticated(), "{case}: nobody is authenticated");
        });
    }

    /// The journal, with no file in it that is none.
    pub fn records(&self) -> Vec<Record> {
        let history = self.journal.history().unwrap();
        assert!(history.unreadable.is_empty(), "{:?}", history.unreadable);
        history.records
    }

    /// Where the journal's jobs stand, oldest first.
    pub fn points(&self) -> Vec<Point> {
        self.records().iter().map(|record| record.point()).collect()
    }

    #[track_caller]
    pub fn assert_no_violations(&self) {
        assert!(self.server.violations().is_empty(), "{:?}", self.server.violations());
    }
}

/// No test waits for a pause that a person would not notice either.
fn quick() -> Settings {
    Settings {
        on_insert: OnInsert::SetPin,
        job_timeout: Duration::from_secs(60),
        stop_timeout: Duration::from_secs(20),
        retry_first: Duration::from_millis(200),
        retry_longest: Duration::from_millis(400),
        // Longer than any test, unless a test is about it.
        recheck_first: Duration::from_secs(3600),
        recheck_longest: Duration::from_secs(3600),
        ..Settings::default()
    }
}

/// An unattended workstation.
pub struct Nobody;

impl Supplier for Nobody {
    fn at_hand(&self, _: Need) -> bool {
        false
    }

    fn new_pin(&mut self, _: PinLimits) -> Result<Pin, SecretError> {
        Err(SecretError::NoTerminal { what: "the new PIN" })
    }

    fn standing(&self) -> Standing {
        Standing::Given
    }

    fn consent(&mut self, _: &Proposal<'_>, watch: &mut dyn FnMut() -> Result<(), Cause>) -> Result<(), Cause> {
        watch()
    }

    fn current_pin(&mut self) -> Result<Pin, SecretError> {
        Err(SecretError::NoTerminal { what: "the current PIN" })
    }

    fn code(&mut self, _: Need) -> Result<Code, SecretError> {
        Err(SecretError::NoTerminal { what: "the code" })
    }

    fn admin_key(&mut self) -> Result<AdminKey, SecretError> {
        Err(SecretError::NoTerminal { what: "the admin key" })
    }
}
