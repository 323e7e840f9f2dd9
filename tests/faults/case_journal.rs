//! A journal of its own for each case, read the way a person would read it and held against the card.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use pinwright::cli;
use pinwright::job::Failure;
use pinwright::job::journal::{Journal, Point, Record};
use pinwright::provision::Outcome;
use support::forms::forms;
use support::provisioning::{InsertedCard, JobSetup, KEY, OLD, told};

pub const KEEP: Duration = Duration::from_secs(90 * 86_400);

/// A temporary folder in memory where there is one: a matrix makes ten thousands of records, each fsynced.
pub fn fast_folder() -> tempfile::TempDir {
    // Under Wine others could write to that folder, and a journal there is refused.
    if cfg!(windows) {
        return tempfile::tempdir().unwrap();
    }
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Every file in a folder and below.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

pub struct CaseJournal {
    folder: tempfile::TempDir,
    journal: Journal,
}

impl CaseJournal {
    /// Gives the set-up a journal.
    pub fn of(setup: &mut JobSetup) -> Self {
        let folder = fast_folder();
        let journal = Journal::new(folder.path().join("journal"), KEEP);
        let text = format!("[journal]\ndir = {:?}\n", journal.folder());
        std::fs::write(folder.path().join("config.toml"), text).unwrap();
        setup.journal = Some(journal.clone());
        Self { folder, journal }
    }

    /// Where it is.
    #[cfg(unix)]
    pub fn folder(&self) -> &Path {
        self.journal.folder()
    }

    /// Before the next case.
    pub fn clear(&self) {
        drop(std::fs::remove_dir_all(self.journal.folder()));
    }

    pub fn records(&self) -> Vec<Record> {
        let history = self.journal.history().unwrap();
        assert!(history.unreadable.is_empty(), "{:?}", history.unreadable);
        history.records
    }

    pub fn open(&self) -> Vec<Record> {
        self.records().into_iter().filter(|record| record.is_open()).collect()
    }

    /// What a run's record says must be true: `has` tells of the record's card whether it has the PIN from before the run,
    /// and whether it has the run's new one.
    pub fn check(&self, result: &Result<Outcome, Failure>, has: impl Fn(&Record) -> (bool, bool)) -> Vec<String> {
        let id = match result {
            Ok(outcome) => outcome.journal_id.clone(),
            Err(failure) => failure.journal.clone(),
        };
        let records = self.records();
        let Some(id) = id else {
            let wrong = match result {
                Ok(_) => Some("success without a record".to_owned()),
                Err(failure) if failure.card_state().needs_attention() => {
                    Some("a doubtful card without a record".to_owned())
                }
                // The claim and nothing else: what was open before still is.
                Err(_) => None,
            };
            return wrong.into_iter().collect();
        };
        let Some(record) = records.iter().find(|record| record.id == id) else {
            return vec![format!("no record {id}")];
        };
        let mut wrong = Vec::new();
        let (old, new) = has(record);
        if !is_true(record.point(), old, new) {
            wrong.push(format!("the journal says {}, and that is not so", record.point().name()));
        }
        let ended = match result {
            Ok(outcome) => record.point() == Point::Done && outcome.journal_failed.is_none(),
            Err(failure) if failure.card_state().needs_attention() => record.point() == Point::Unclear,
            Err(_) => record.point() == Point::Untouched,
        };
        if !ended {
            wrong.push(format!("the record stays at {}", record.point().name()));
        }
        wrong
    }

    /// No secret in the records as bytes, in the error, in `history` for people or in its JSON.
    pub fn leaks(&self, result: &Result<Outcome, Failure>, secrets: &[Vec<u8>]) -> Vec<String> {
        let mut texts = vec![match result {
            Ok(outcome) => format!("{outcome:?}"),
            Err(failure) => told(failure),
        }];
        if !self.records().is_empty() {
            texts.extend([self.history(false), self.history(true)]);
        }
        for path in files_below(self.journal.folder()) {
            texts.push(String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned());
        }
        let mut wrong = Vec::new();
        for form in secrets.iter().flat_map(|secret| forms(secret)) {
            wrong.extend(texts.iter().filter(|text| text.contains(&form)).map(|text| format!("{form:?} in {text}")));
        }
        wrong
    }

    /// What `pinwright history` prints, on both outputs.
    pub fn history(&self, json: bool) -> String {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut context = cli::context::CommandContext {
            readers: None,
            environment: Vec::new(),
            out: &mut out,
            err: &mut err,
            screen: Default::default(),
            colours: Default::default(),
            tells_progress: false,
            may_prompt: false,
            interrupted: Arc::new(AtomicBool::new(false)),
        };
        let config = self.config().display().to_string();
        let mut arguments = vec!["pinwright", "--config", &config, "history"];
        if json {
            arguments.push("--json");
        }
        let arguments = cli::parse(arguments, &mut context).unwrap();
        assert_eq!(cli::run(&arguments, &mut context), pinwright::exit::Exit::Done);
        String::from_utf8_lossy(&[out, err].concat()).into_owned()
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    /// A good end leaves nothing open, and names what it settled.
    pub fn settled(&self, outcome: &Outcome, before: &[Record]) -> Vec<String> {
        let mut wrong = Vec::new();
        if let Some(open) = self.open().first() {
            wrong.push(format!("{} is left at {}", open.id, open.point().name()));
        }
        let named = outcome.settled.as_ref().map(|record| &record.id);
        if named.is_some() == before.is_empty() {
            wrong.push(format!("settled {named:?} of {} open", before.len()));
        }
        for record in self.records() {
            let was_open = before.iter().any(|before| before.id == record.id);
            if was_open && record.point() != Point::Resolved {
                wrong.push(format!("{} ends at {}", record.id, record.point().name()));
            }
        }
        wrong
    }
}

/// What a record says of a card that has the old PIN, the new one, or neither.
pub fn is_true(point: Point, old: bool, new: bool) -> bool {
    match point {
        Point::Authorizing | Point::Untouched => old,
        Point::Setting | Point::Unclear => old || new,
        Point::Set | Point::Done => new,
        Point::Resolved => true,
    }
}

/// All that is secret in a set-up: PINs, keys, challenges' answers.
pub fn secrets(setup: &JobSetup, inserted: &InsertedCard) -> Vec<Vec<u8>> {
    let state = setup.server.state();
    let mut secrets = vec![OLD.to_vec(), KEY.to_vec(), KEY[..8].to_vec()];
    secrets.extend(state.pins().into_iter().rev().take(3));
    secrets.extend(state.answers().into_iter().rev().take(3));
    secrets.extend(inserted.card.with(|tap| tap.answers()));
    secrets
}

/// The PIN that the card has now, among those that there are.
pub fn current(setup: &JobSetup, inserted: &InsertedCard) -> Option<Vec<u8>> {
    let made = setup.server.state().pins();
    made.into_iter().rev().chain([OLD.to_vec()]).find(|pin| inserted.pin_is(pin))
}
