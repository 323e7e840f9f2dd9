//! The bench: a card that is looked at from both sides, a server, a person, and one run of the job between them.

use std::error::Error as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use pinwright::card::PinLimits;
use pinwright::config::Config;
use pinwright::job::desk::Desk;
use pinwright::job::issuer::Wanted;
use pinwright::job::journal::Journal;
use pinwright::job::secrets::{Need, SecretError};
use pinwright::job::supplier::Supplier;
use pinwright::job::{CardState, Cause, Failure, Step};
use pinwright::provision::mimcm::MimCm;
use pinwright::provision::{Job, Outcome, set_pin};
use pinwright::reader::{Protocol, Readers};
use pinwright::secret::{AdminKey, Code, Pin};
use pinwright::server::Client;
use pinwright::sim::card::SharedCard;
use pinwright::sim::fault::Faulty;
use pinwright::sim::reader::{Slot, VirtualReaders};
use pinwright::sim::server::{Settings, StandIn};

pub const READER: &str = "Bench Reader 00 00";
/// The PIN that every card begins with.
pub const OLD: &[u8] = b"24681357";
/// Three different parts, none of them weak.
pub const KEY: [u8; 24] =
    *b"\x98\x15\x40\xF8\x7A\x29\x07\xF8\x1C\xFB\xA1\x6E\x2A\xC4\x2A\xC7\xE3\x97\xD3\x58\x4A\xD5\x64\x08";
pub const CARD_A: [u8; 16] = *b"\x3F\xF1\x88\xBC\xBA\x83\x37\x40\x82\x62\x46\xEB\xA1\x29\x1C\x6E";
pub const CARD_B: [u8; 16] = *b"\x4A\x02\x88\xBC\xBA\x83\x37\x40\x82\x62\x46\xEB\xA1\x29\x1C\x6F";
/// The documented challenge as it must stand in a query.
pub const CHALLENGE_SAMPLE: &str = "challenge=1hFD%2Bcz%2F0so%3D";
pub const ISO_ATR: &[u8] = b"\x3B\x80\x80\x01\x01";

pub use crate::plastic::{CODE, Kind, Plastic, TRIES, Tap, guid};

/// One card in one reader.
pub struct Bench {
    pub card: SharedCard<Tap>,
    pub readers: VirtualReaders,
    pub slot: Slot,
}

impl Bench {
    pub fn new(kind: Kind) -> Self {
        Self::of(Faulty::new(kind.card(CARD_A, KEY, OLD)), kind)
    }

    pub fn of(faulty: Faulty<Box<dyn Plastic>>, kind: Kind) -> Self {
        let card = SharedCard::new(Tap::new(faulty));
        let mut readers = VirtualReaders::new();
        let slot = readers.add(READER);
        slot.insert(card.clone());
        if kind == Kind::IsoT0 {
            slot.set_protocol(Protocol::T0);
        }
        Self { card, readers, slot }
    }

    /// Changes answers on their way from the card.
    pub fn forge(&self, forge: impl FnMut(&[u8], Vec<u8>) -> Vec<u8> + Send + 'static) {
        self.card.with(|tap| tap.forge = Some(Box::new(forge)));
    }

    /// Gives answers instead of the card, which then never sees the command.
    pub fn instead(&self, instead: impl FnMut(&[u8]) -> Option<Vec<u8>> + Send + 'static) {
        self.card.with(|tap| tap.instead = Some(Box::new(instead)));
    }

    #[allow(dead_code, reason = "shared with the fault matrix")]
    pub fn honest(&self) {
        self.card.with(|tap| (tap.forge, tap.instead) = (None, None));
    }

    pub fn pin_is(&self, pin: &[u8]) -> bool {
        self.card.with(|tap| tap.faulty.card().pin_is(pin))
    }

    pub fn tries(&self) -> u8 {
        self.card.with(|tap| tap.faulty.card().tries())
    }

    /// Tries that a PUK, PW3 or resetting code has lost.
    pub fn code_tries_lost(&self) -> u8 {
        self.card.with(|tap| tap.faulty.card().code_tries_lost())
    }

    pub fn authenticated(&self) -> bool {
        self.card.with(|tap| tap.faulty.card().authenticated())
    }

    pub fn apdus(&self) -> usize {
        self.card.with(|tap| tap.sent.len())
    }

    pub fn admin_answers(&self) -> usize {
        self.card.with(|tap| tap.admin_answers())
    }

    pub fn forget_sent(&self) {
        self.card.with(|tap| tap.sent.clear());
    }

    /// The card is as it was before the job: nothing risky was even sent.
    #[track_caller]
    pub fn assert_not_risked(&self, case: &str) {
        self.card.with(|tap| {
            assert_eq!(tap.admin_answers(), 0, "{case}: no admin answer");
            assert_eq!(tap.risky(), 0, "{case}: no PIN command");
            let card = tap.faulty.card();
            assert!(card.pin_is(OLD), "{case}: the old PIN");
            assert_eq!((card.tries(), card.code_tries_lost()), (TRIES, 0), "{case}: all tries");
            assert!(!card.authenticated(), "{case}: nobody authenticated");
        });
    }
}

/// The server, what is configured, and the client between them.
pub struct World {
    pub server: StandIn,
    pub config: Config,
    pub issuer: MimCm,
    pub wanted: Wanted,
    /// `None` unless a test is about the journal.
    pub journal: Option<Journal>,
    _ca: tempfile::NamedTempFile,
}

/// Lines of the configuration beside those that every bench has.
#[derive(Clone, Default)]
pub struct Lines {
    pub server: String,
    pub card: String,
}

impl World {
    /// Cards A and B are known to the server, both with an approved request.
    pub fn new(kind: Kind, authority: &str) -> Self {
        Self::with(kind, authority, &Lines::default(), |_| {})
    }

    pub fn with(kind: Kind, authority: &str, lines: &Lines, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::for_card(kind.guid(CARD_A), &kind.atr(), KEY);
        settings.add_card(kind.guid(CARD_B), &kind.atr());
        change(&mut settings);
        let server = StandIn::start(settings).unwrap();
        let mut ca = tempfile::NamedTempFile::new().unwrap();
        ca.write_all(server.ca_pem().as_bytes()).unwrap();
        let timeout = if lines.server.contains("timeout") { "" } else { "timeout = \"8s\"" };
        // The SELECTs of other families are another test's; each would be an exchange more in every case of a matrix.
        let prefer = if kind.profile().is_empty() { "" } else { "prefer = [\"bench\"]" };
        let text = format!(
            "[server]\nurl = \"{}\"\nca_file = {:?}\n{timeout}\n{}\n[card]\nauthority = [\"{authority}\"]\n{prefer}\n{}\n{}",
            server.base_url(),
            ca.path(),
            lines.server,
            lines.card,
            kind.profile()
        );
        let config = Config::from_toml(&text).unwrap();
        let issuer = issuer(&config);
        Self { server, config, issuer, wanted: Wanted::default(), journal: None, _ca: ca }
    }

    pub fn job(&self) -> Job {
        Job {
            reader: READER.to_owned(),
            card_id: None,
            wanted: self.wanted,
            rules: self.config.rules.clone(),
            families: self.config.families.clone(),
            assignment: None,
            repeat: true,
        }
    }

    pub fn run(&mut self, bench: &Bench, person: &mut Person<'_>) -> Run {
        let readers = bench.readers.clone();
        self.run_over(&readers, person, |_| {})
    }

    pub fn run_over(&mut self, readers: &dyn Readers, person: &mut Person<'_>, mut at: impl FnMut(Step)) -> Run {
        let job = self.job();
        let mut steps = Vec::new();
        let interrupted = AtomicBool::new(false);
        let interrupt_at = person.interrupt_at;
        let result = set_pin(
            &job,
            &mut Desk {
                readers,
                issuer: &mut self.issuer,
                journal: self.journal.as_ref(),
                supplier: person,
                interrupted: &interrupted,
                progress: &mut |step| {
                    steps.push(step);
                    at(step);
                    if interrupt_at == Some(step) {
                        interrupted.store(true, Ordering::Relaxed);
                    }
                },
            },
        );
        Run { result, steps }
    }

    #[track_caller]
    pub fn assert_no_violations(&self, case: &str) {
        let violations = self.server.violations();
        assert!(violations.is_empty(), "{case}: {violations:?}");
    }
}

pub fn issuer(config: &Config) -> MimCm {
    MimCm::new(Client::new(config.server.as_ref().unwrap()).unwrap(), config.rules.clone()).unwrap()
}

/// A person with answers prepared; asked for anything else they cancel.
#[derive(Default)]
pub struct Person<'a> {
    pub new_pin: Option<Vec<u8>>,
    pub current_pin: Option<Vec<u8>>,
    pub admin_key: Option<[u8; 24]>,
    /// The PUK, the admin PIN or the resetting code.
    pub code: Option<Vec<u8>>,
    pub asked: Vec<&'static str>,
    /// What is in a file: nobody has to be waited for.
    pub at_hand: Vec<Need>,
    /// What happens while they type.
    pub meanwhile: Option<Box<dyn FnMut() + 'a>>,
    /// How often they were asked whether to go on.
    pub consented: usize,
    /// What happens while they think about it.
    pub thinking: Option<Box<dyn FnMut() + 'a>>,
    /// They say no.
    pub declines: bool,
    /// Presses Ctrl-C at this step.
    pub interrupt_at: Option<Step>,
}

impl Person<'_> {
    /// Knows the old PIN, the admin key and the code.
    pub fn knowing() -> Self {
        Self { current_pin: Some(OLD.to_vec()), admin_key: Some(KEY), code: Some(CODE.to_vec()), ..Self::default() }
    }

    fn ask(&mut self, what: &'static str) {
        self.asked.push(what);
        if let Some(meanwhile) = &mut self.meanwhile {
            meanwhile();
        }
    }
}

impl Supplier for Person<'_> {
    fn at_hand(&self, need: Need) -> bool {
        self.at_hand.contains(&need)
    }

    fn consent(&mut self, _card: &str, watch: &mut dyn FnMut() -> Result<(), Cause>) -> Result<(), Cause> {
        self.consented += 1;
        if let Some(thinking) = &mut self.thinking {
            thinking();
        }
        match self.declines {
            true => Err(SecretError::Cancelled { what: "the consent" }.into()),
            false => watch(),
        }
    }

    fn new_pin(&mut self, _: PinLimits) -> Result<Pin, SecretError> {
        self.ask("new PIN");
        let pin = self.new_pin.as_ref().ok_or(SecretError::Cancelled { what: "the new PIN" })?;
        Ok(Pin::new(pin).unwrap())
    }

    fn current_pin(&mut self) -> Result<Pin, SecretError> {
        self.ask("current PIN");
        let pin = self.current_pin.as_ref().ok_or(SecretError::Cancelled { what: "the current PIN" })?;
        Ok(Pin::new(pin).unwrap())
    }

    fn admin_key(&mut self) -> Result<AdminKey, SecretError> {
        self.ask("admin key");
        let key = self.admin_key.as_ref().ok_or(SecretError::Cancelled { what: "the admin key" })?;
        Ok(AdminKey::new(key).unwrap())
    }

    fn code(&mut self, need: Need) -> Result<Code, SecretError> {
        self.ask(match need {
            Need::Puk => "PUK",
            Need::AdminPin => "admin PIN",
            Need::ResettingCode => "resetting code",
            Need::NewPin | Need::CurrentPin | Need::AdminKey => panic!("{need:?} is no code"),
        });
        let code = self.code.as_ref().ok_or(SecretError::Cancelled { what: need.what() })?;
        Ok(Code::new(code).unwrap())
    }
}

/// What came of a job.
pub struct Run {
    pub result: Result<Outcome, Failure>,
    pub steps: Vec<Step>,
}

impl Run {
    #[track_caller]
    pub fn ok(self, case: &str) -> Outcome {
        match self.result {
            Ok(outcome) => outcome,
            Err(failure) => panic!("{case}: {}", told(&failure)),
        }
    }

    #[track_caller]
    pub fn failed(self, case: &str) -> Failure {
        match self.result {
            Ok(outcome) => panic!("{case}: succeeded: {outcome:?}"),
            Err(failure) => failure,
        }
    }

    #[track_caller]
    pub fn failed_untouched(self, case: &str) -> Failure {
        let failure = self.failed(case);
        assert_eq!(failure.card_state(), CardState::Untouched, "{case}: {}", told(&failure));
        failure
    }
}

/// Everything that a failure says, in every form in which it could be shown.
pub fn told(failure: &Failure) -> String {
    let mut text = format!("{failure}");
    let mut source = failure.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text.push_str(&format!(" [{}] ({}) {failure:?}", failure.card_state(), failure.cause.remedy()));
    text
}
