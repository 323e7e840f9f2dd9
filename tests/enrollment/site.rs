//! A desk with one virtual card, the stand-in server, and a journal.

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use pinwright::card::family::Families;
use pinwright::config::Config;
use pinwright::enroll::job::{Ended, EnrollJob, EnrollOutcome, NewEnrollment};
use pinwright::enroll::next::Purpose;
use pinwright::enroll::plan::EnrollPlan;
use pinwright::enroll::rules::Rules as KeyRules;
use pinwright::enroll::{self, EnrollDesk};
use pinwright::job::journal::{Journal, Record};
use pinwright::job::{Failure, Step};
use pinwright::provision::mimcm::MimCm;
use pinwright::provision::{Asked, Rules};
use pinwright::reader::Readers;
use pinwright::server::{Client, DataForm};
use pinwright::sim::card::{SharedCard, VirtualCard};
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::keys::{CardKey, ReadyKeys};
use pinwright::sim::reader::VirtualReaders;
use pinwright::sim::server::{Settings, StandIn};
use support::provisioning::{CARD_A, KEY, OLD, Person, guid};
use tempfile::TempDir;

pub const READER: &str = "Desk 1";

/// Key pairs that were made before: no test here is about how long that takes.
pub fn ready() -> ReadyKeys {
    static KEYS: OnceLock<Vec<CardKey>> = OnceLock::new();
    ReadyKeys::new(KEYS.get_or_init(|| vec![CardKey::rsa_2048().unwrap(), CardKey::rsa_2048().unwrap()]))
}

/// A GIDS card as a shop sells it: personalised, with the template's admin key and no key pair.
pub fn gids() -> GidsCard {
    GidsCard::personalised(GidsSettings {
        card_id: CARD_A,
        admin_key: KEY,
        pin: OLD.to_vec(),
        ready_keys: ready(),
        ..GidsSettings::default()
    })
}

/// A server whose template wants one key pair of RSA 2048 with SHA-256, and that has heard of no card.
pub fn template(diversify: bool) -> Settings {
    let mut settings = Settings::for_card(guid(CARD_A), "", KEY);
    settings.cards.clear();
    settings.requests.clear();
    settings.templates[0].diversify_admin_key = diversify;
    settings.templates[0].keys[0].hash = "SHA256".to_owned();
    settings
}

pub struct Site<C: VirtualCard + Send + 'static> {
    pub server: StandIn,
    pub card: SharedCard<C>,
    pub folder: TempDir,
    pub interrupted: AtomicBool,
    pub steps: Vec<Step>,
    /// What a person answers to each item that a template collects.
    pub item: Option<String>,
    /// The items that they were asked for.
    pub items: Vec<String>,
    /// The PIN that a person says is the card's; `None`: the one that it came with.
    pub current_pin: Option<Vec<u8>>,
    /// Nobody knows the card's PIN.
    pub forgets_pin: bool,
}

impl<C: VirtualCard + Send + 'static> Site<C> {
    pub fn new(card: C, settings: Settings) -> Self {
        Self {
            server: StandIn::start(settings).unwrap(),
            card: SharedCard::new(card),
            folder: tempfile::tempdir().unwrap(),
            interrupted: AtomicBool::new(false),
            steps: Vec::new(),
            item: None,
            items: Vec::new(),
            current_pin: None,
            forgets_pin: false,
        }
    }

    pub fn journal(&self) -> Journal {
        Journal::new(self.folder.path().join("journal"), Duration::from_secs(3600))
    }

    /// What the command asks for where nothing else is said: the open request, or a new one under the sample template.
    pub fn job(&self, purpose: Purpose) -> EnrollJob {
        EnrollJob {
            reader: READER.to_owned(),
            card_id: None,
            purpose,
            request: None,
            smartcard: None,
            visible: true,
            new: Some(NewEnrollment {
                template: self.server.state().change(|settings| Some(settings.templates[0].uuid)),
                template_name: None,
                data: Vec::new(),
                data_form: DataForm::Text,
                comment: String::new(),
                target: None,
            }),
            rules: Rules::default(),
            keys: KeyRules::default(),
            families: Families::default(),
            erase: false,
            reuse: false,
            wipe: false,
            asked: Asked::ByPerson,
            risk: None,
        }
    }

    pub fn run(&mut self, job: &EnrollJob) -> Result<Ended, Failure> {
        let readers = VirtualReaders::with_card(READER, self.card.clone());
        self.run_in(&readers, job)
    }

    pub fn run_in(&mut self, readers: &dyn Readers, job: &EnrollJob) -> Result<Ended, Failure> {
        self.at_desk(readers, job, enroll::run)
    }

    pub fn plan(&mut self, job: &EnrollJob) -> Result<EnrollPlan, Failure> {
        let readers = VirtualReaders::with_card(READER, self.card.clone());
        self.at_desk(&readers, job, enroll::plan)
    }

    fn at_desk<T>(
        &mut self,
        readers: &dyn Readers,
        job: &EnrollJob,
        work: impl FnOnce(&EnrollJob, &mut EnrollDesk<'_>) -> T,
    ) -> T {
        let ca = self.folder.path().join("ca.pem");
        std::fs::write(&ca, self.server.ca_pem()).unwrap();
        let config =
            format!("[server]\nurl = {:?}\nca_file = {:?}\n", self.server.base_url(), ca.display().to_string());
        let config = Config::from_toml(&config).unwrap();
        let client = Client::new(config.server.as_ref().unwrap()).unwrap();
        let mut server = MimCm::new(client, job.rules.clone()).unwrap();
        let mut person = Person { item: self.item.clone(), ..Person::knowing() };
        person.current_pin = self.current_pin.clone().or(person.current_pin).filter(|_| !self.forgets_pin);
        let journal = self.journal();
        let steps = &mut self.steps;
        let mut progress = |step| steps.push(step);
        let result = work(
            job,
            &mut EnrollDesk {
                readers,
                server: &mut server,
                journal: Some(&journal),
                elsewhere: None,
                supplier: &mut person,
                interrupted: &self.interrupted,
                progress: &mut progress,
            },
        );
        self.items.append(&mut person.items);
        result
    }

    pub fn done(&mut self, job: &EnrollJob) -> EnrollOutcome {
        match self.run(job) {
            Ok(Ended::Done(outcome)) => *outcome,
            Ok(other) => panic!("{other:?}"),
            Err(failure) => panic!("{}\n{}\n{:?}", told(&failure), self.lines(), self.steps),
        }
    }

    /// What the server was asked, and the entries of the journal.
    pub fn lines(&self) -> String {
        let calls = self.server.requests();
        let path = |path: &str| path.rsplit("/api/v1.0/").next().unwrap_or_default().to_owned();
        let calls =
            calls.iter().map(|call| format!("{:?} {} {}?{}", call.status, call.method, path(&call.path), call.query));
        let entries = self.records().into_iter().flat_map(|record| {
            let job = record.job;
            record
                .entries
                .into_iter()
                .map(move |entry| format!("{job:?} {:?} {:?} {:?}", entry.stage, entry.phase, entry.facts.admin_key))
        });
        calls.chain(entries).collect::<Vec<_>>().join("\n")
    }

    pub fn records(&self) -> Vec<Record> {
        self.journal().of_card(guid(CARD_A)).unwrap()
    }

    pub fn calls(&self, method: &str, end: &str) -> usize {
        let is_it = |path: &str| path.split('?').next().unwrap_or_default().ends_with(end);
        self.server.requests().iter().filter(|call| call.method == method && is_it(&call.path)).count()
    }
}

pub fn told(failure: &Failure) -> String {
    let mut text = failure.to_string();
    let mut source: Option<&dyn std::error::Error> = std::error::Error::source(failure);
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}
