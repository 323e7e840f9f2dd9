//! The server, what is configured, and one run of the job on a card.

use std::error::Error as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use pinwright::card::CardId;
use pinwright::config::Config;
use pinwright::job::desk::Desk;
use pinwright::job::elsewhere::OtherJournal;
use pinwright::job::issuer::{Assignment, Wanted};
use pinwright::job::journal::Journal;
use pinwright::job::{CardState, Failure, Step};
use pinwright::provision::mimcm::MimCm;
use pinwright::provision::{Asked, Job, Outcome, RiskedProof, set_pin};
use pinwright::reader::Readers;
use pinwright::server::Client;
use pinwright::sim::server::{Settings, StandIn};

use super::cards::{CARD_A, CARD_B, KEY, Kind};
use super::inserted::{InsertedCard, READER};
use super::journal_check::JournalCheck;
use super::person::Person;

/// The server, what is configured, and the client between them.
pub struct JobSetup {
    /// The server.
    pub server: StandIn,
    /// What is configured.
    pub config: Config,
    /// The client between them.
    pub issuer: MimCm,
    /// Ids that a person gave.
    pub wanted: Wanted,
    /// What the server's records say, where they were read before the job; with `card_id`.
    pub assignment: Option<Assignment>,
    /// The card that must be in the reader.
    pub card_id: Option<CardId>,
    /// Who wants the job done: somebody who wants it again, unless a test is about that.
    pub asked: Asked,
    /// Of which proof one more try is risked.
    pub risk: Option<RiskedProof>,
    /// `None` unless a test is about the journal.
    pub journal: Option<Journal>,
    /// The journal of this machine's agent.
    pub elsewhere: Option<Box<dyn OtherJournal>>,
    _ca: tempfile::NamedTempFile,
}

/// Lines of the configuration beside those that every set-up has.
#[derive(Clone, Default)]
pub struct Lines {
    /// In `[server]`.
    pub server: String,
    /// In `[card]`.
    pub card: String,
    /// In the profile's `admin`.
    pub admin: String,
}

impl JobSetup {
    /// Cards A and B are known to the server, both with an approved request.
    pub fn new(kind: Kind, authority: &str) -> Self {
        Self::with(kind, authority, &Lines::default(), |_| {})
    }

    /// With more lines in the configuration, and another server.
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
            kind.profile().replace("admin = {}", &format!("admin = {{ {} }}", lines.admin))
        );
        let config = Config::from_toml(&text).unwrap();
        let issuer = issuer(&config);
        Self {
            server,
            config,
            issuer,
            wanted: Wanted::default(),
            assignment: None,
            card_id: None,
            asked: Asked::Again,
            risk: None,
            journal: None,
            elsewhere: None,
            _ca: ca,
        }
    }

    /// What is to be done.
    pub fn job(&self) -> Job {
        Job {
            reader: READER.to_owned(),
            card_id: self.card_id,
            wanted: self.wanted,
            rules: self.config.rules.clone(),
            families: self.config.families.clone(),
            assignment: self.assignment.clone(),
            asked: self.asked,
            risk: self.risk,
        }
    }

    /// The job on this card.
    pub fn run(&mut self, inserted: &InsertedCard, person: &mut Person<'_>) -> Run {
        let readers = inserted.readers.clone();
        self.run_over(&readers, person, |_| {})
    }

    /// Where there is a journal, each risky frame is checked against it.
    #[track_caller]
    pub fn run_over(&mut self, readers: &dyn Readers, person: &mut Person<'_>, at: impl FnMut(Step)) -> Run {
        let Some(journal) = self.journal.clone() else { return self.run_unchecked(readers, person, at) };
        let check = JournalCheck::new(readers, &journal);
        let run = self.run_unchecked(&check, person, at);
        let unrecorded = check.unrecorded();
        assert!(unrecorded.is_empty(), "{unrecorded:?}: {}", run.end());
        Run { risky_frames: check.frames(), ..run }
    }

    /// The same with readers that check it themselves, or not.
    pub fn run_unchecked(&mut self, readers: &dyn Readers, person: &mut Person<'_>, mut at: impl FnMut(Step)) -> Run {
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
                elsewhere: self.elsewhere.as_deref(),
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
        Run { result, steps, risky_frames: 0 }
    }

    /// Insists that the server was asked for nothing that it knows as wrong.
    #[track_caller]
    pub fn assert_no_violations(&self, case: &str) {
        let violations = self.server.violations();
        assert!(violations.is_empty(), "{case}: {violations:?}");
    }
}

/// The client that this configuration makes.
pub fn issuer(config: &Config) -> MimCm {
    MimCm::new(Client::new(config.server.as_ref().unwrap()).unwrap(), config.rules.clone()).unwrap()
}

/// What came of a job.
pub struct Run {
    /// How it ended.
    pub result: Result<Outcome, Failure>,
    /// The steps that were entered, in order.
    pub steps: Vec<Step>,
    /// Frames with a proof or a PIN; counted where there is a journal.
    pub risky_frames: usize,
}

impl Run {
    /// How it ended, for people.
    fn end(&self) -> String {
        match &self.result {
            Ok(outcome) => format!("succeeded: {outcome:?}"),
            Err(failure) => told(failure),
        }
    }

    /// Insists on success.
    #[track_caller]
    pub fn ok(self, case: &str) -> Outcome {
        match self.result {
            Ok(outcome) => outcome,
            Err(failure) => panic!("{case}: {}", told(&failure)),
        }
    }

    /// Insists on a failure.
    #[track_caller]
    pub fn failed(self, case: &str) -> Failure {
        match self.result {
            Ok(outcome) => panic!("{case}: succeeded: {outcome:?}"),
            Err(failure) => failure,
        }
    }

    /// Insists on a failure that has left the card as it was.
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
