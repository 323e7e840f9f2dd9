//! What a job's thread does with one card: look at it, ask the server about it, set its PIN.
//!
//! A thread lives for one job. Its server client is made in it and dropped with it, and the card is open only while it is
//! looked at or provisioned: an agent that waits holds neither a card nor a connection.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use uuid::Uuid;

use super::mailbox::{Message, Post};
use super::report::Phase;
use super::settings::OnInsert;
use super::verdict::{self, Next, Verdict};
use crate::card::family::Families;
use crate::operation::Operation;
use crate::provision::issuer::{Assignment, Issuer, Wanted};
use crate::provision::journal::{self, Journal, most_doubtful};
use crate::provision::look::{Identity, look};
use crate::provision::records::ResolveError;
use crate::provision::supplier::Supplier;
use crate::provision::{self, Cause, Desk, Failure, Job, Outcome, Rules, Step};
use crate::reader::Readers;
use crate::reader::traffic::Traffic;
use crate::secret::scrub::on_own_stack;

/// Makes what a job needs for itself.
pub trait Outfit: Send + Sync {
    /// A client of the server, for one job.
    ///
    /// # Errors
    /// The configured server can't be used now (a certificate file, a token); in words.
    fn issuer(&self) -> Result<Box<dyn Issuer>, String>;

    /// Whoever supplies what the server does not; `card` names reader and card to a person.
    fn supplier(&self, card: &str, interrupted: Arc<AtomicBool>) -> Box<dyn Supplier>;
}

/// What all jobs of one agent have in common.
pub struct Workshop {
    /// The readers.
    pub readers: Arc<dyn Readers>,
    /// Server client and supplier of each job.
    pub outfit: Arc<dyn Outfit>,
    /// The journal.
    pub journal: Journal,
    /// How to decide.
    pub rules: Rules,
    /// What is known of cards.
    pub families: Families,
    /// Whether to write.
    pub on_insert: OnInsert,
}

/// One job.
#[derive(Debug)]
pub struct Task {
    /// The reader.
    pub reader: String,
    /// The insertion.
    pub insertion: u64,
    /// What an earlier look has found: then only the server is asked at first.
    pub identity: Option<Identity>,
    /// The server has asked to be left alone: look at the card only.
    pub look_only: bool,
    /// Set when the job is to back out.
    pub interrupted: Arc<AtomicBool>,
}

/// Word from the thread that works on a reader's card.
#[derive(Debug)]
pub struct JobReport {
    /// The reader.
    pub reader: String,
    /// The insertion that it is about: word of an earlier one is no news of the card there now.
    pub insertion: u64,
    /// What it has to say.
    pub news: News,
}

/// What a job has to say.
#[derive(Debug)]
pub enum News {
    /// It has begun, under this id on every line of its log.
    Began(String),
    /// It has come to a step.
    Step(Step),
    /// It has found out which card it is.
    Identified(Identity),
    /// It has found the open request.
    Found(Uuid),
    /// It has ended.
    Ended(Box<Ending>),
}

/// How a job ended.
#[derive(Debug)]
pub struct Ending {
    /// What becomes of the reader, and what comes next.
    pub verdict: Verdict,
    /// Whether the server has answered.
    pub server_answered: bool,
    /// Why, and what to do.
    pub reason: Option<String>,
    /// Where it stopped, in which state the card is, and the exit code of a command that ends so.
    pub stopped: Option<(Step, provision::CardState, u8)>,
    /// The job's id in the journal.
    pub journal: Option<String>,
}

impl Ending {
    fn plain(phase: Phase, next: Next, reason: impl Into<Option<String>>) -> Self {
        Self {
            verdict: Verdict { phase, next },
            server_answered: false,
            reason: reason.into(),
            stopped: None,
            journal: None,
        }
    }

    fn done(outcome: Outcome) -> Self {
        let warnings = [
            outcome
                .reset_failed
                .map(|error| format!("the card could not be reset ({error}): pull it out, it may still be unlocked")),
            outcome.journal_failed.map(|error| format!("the journal does not show that the card is done ({error})")),
        ];
        let warnings: Vec<String> = warnings.into_iter().flatten().collect();
        Self {
            server_answered: true,
            journal: outcome.journal_id,
            ..Self::plain(Phase::Done, Next::Never, (!warnings.is_empty()).then(|| warnings.join("; ")))
        }
    }

    fn failed(failure: Failure) -> Self {
        Self {
            server_answered: failure.step > Step::Ask,
            stopped: Some((failure.step, failure.card, verdict::exit(&failure))),
            ..Self::plain(Phase::Failed, Next::Never, verdict::reason(&failure)).judged(verdict::judge(&failure))
        }
        .noted(failure.journal)
    }

    fn judged(self, verdict: Verdict) -> Self {
        Self { verdict, ..self }
    }

    fn noted(self, journal: Option<String>) -> Self {
        Self { journal, ..self }
    }
}

/// Starts a job on a thread of its own, which writes to `post` until it has ended, however it ends.
///
/// # Errors
/// No thread can be started.
pub fn start(workshop: Arc<Workshop>, task: Task, post: Post) -> std::io::Result<()> {
    let bell = Bell { post, reader: task.reader.clone(), insertion: task.insertion, rung: false };
    std::thread::Builder::new().name("card-job".to_owned()).spawn(move || run(&workshop, &task, bell)).map(drop)
}

/// Tells the loop; at the latest that the thread is gone.
struct Bell {
    post: Post,
    reader: String,
    insertion: u64,
    rung: bool,
}

impl Bell {
    fn tell(&self, news: News) {
        let report = JobReport { reader: self.reader.clone(), insertion: self.insertion, news };
        if self.post.send(Message::Job(report)).is_err() {
            tracing::debug!("nobody listens to the job any more");
        }
    }

    fn end(mut self, ending: Ending) {
        self.rung = true;
        self.tell(News::Ended(Box::new(ending)));
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        if !self.rung {
            // The thread is unwinding. What it held of the card was reset when it was dropped.
            let reason = format!(
                "the job broke off by a defect in pinwright: see the log, and `{}` for the card",
                Operation::History
            );
            self.tell(News::Ended(Box::new(Ending::plain(Phase::Failed, Next::Never, reason))));
        }
    }
}

fn run(workshop: &Workshop, task: &Task, bell: Bell) {
    let id = format!("{:08x}", fastrand::u32(..));
    // One id on every line of this job's log.
    let span = tracing::info_span!("enrollment", id = %id, reader = %task.reader);
    let _inside = span.enter();
    bell.tell(News::Began(id));
    let readers = Traffic::new(workshop.readers.as_ref(), Arc::default());
    // What the job reads and computes stays on a stack that is gone when it has ended.
    let ending = on_own_stack(|| work(workshop, &readers, task, &bell)).unwrap_or_else(Ending::failed);
    tracing::debug!("{}", ending.verdict.phase.phrase());
    bell.end(ending);
}

fn work(workshop: &Workshop, readers: &dyn Readers, task: &Task, bell: &Bell) -> Result<Ending, Failure> {
    let identity = match &task.identity {
        Some(identity) => identity.clone(),
        None => {
            bell.tell(News::Step(Step::Identify));
            let identity = look(readers, &task.reader, &workshop.families)?;
            bell.tell(News::Identified(identity.clone()));
            identity
        }
    };
    if task.look_only {
        return Ok(Ending::plain(
            Phase::ServerDown,
            Next::AtGate,
            "the server has asked to be left alone for a while".to_owned(),
        ));
    }
    let mut issuer = match workshop.outfit.issuer() {
        Ok(issuer) => issuer,
        Err(reason) => return Ok(Ending::plain(Phase::NoAccess, Next::Recheck, reason)),
    };
    bell.tell(News::Step(Step::Resolve));
    let assignment = ask(issuer.as_mut(), task, &identity)?;
    let answered = |ending: Ending| Ok(Ending { server_answered: true, ..ending });
    let Some(request) = assignment.request else {
        return answered(Ending::plain(Phase::Waiting, Next::Recheck, no_request(workshop, &identity, &assignment)));
    };
    bell.tell(News::Found(request));
    let records =
        workshop.journal.of_card(identity.card_id.guid()).map_err(|error| failed(task, &identity, error.into()))?;
    if let Some(record) = journal::done(&records, request) {
        let reason = format!("request {request} was done on this card already (journal {})", record.id);
        return answered(Ending::plain(Phase::AlreadyDone, Next::Never, reason).noted(Some(record.id.clone())));
    }
    if workshop.on_insert == OnInsert::Report {
        let reason =
            format!("request {request} is open for this card; `agent.on_insert` is \"report\", so nothing was written");
        return answered(Ending::plain(Phase::Reported, Next::Recheck, reason));
    }
    provision(workshop, readers, task, &identity, assignment, issuer.as_mut(), bell).map(Ending::done)
}

/// Asks for the server's records. The card is not held meanwhile: others may use it, and a slow server blocks nobody.
fn ask(issuer: &mut dyn Issuer, task: &Task, identity: &Identity) -> Result<Assignment, Failure> {
    let interrupted = Arc::clone(&task.interrupted);
    let mut watch = || {
        if interrupted.load(std::sync::atomic::Ordering::Relaxed) { Err(Cause::Interrupted) } else { Ok(()) }
    };
    issuer.resolve(&identity.parameters(), Wanted::default(), &mut watch).map_err(|cause| failed(task, identity, cause))
}

fn failed(task: &Task, identity: &Identity, cause: Cause) -> Failure {
    Failure {
        step: Step::Resolve,
        reader: Some(task.reader.clone()),
        card_id: Some(identity.card_id.to_string()),
        card: provision::CardState::Untouched,
        journal: None,
        cause: Box::new(cause),
    }
}

/// No request: usual, unless an earlier job was cut off on this card.
fn no_request(workshop: &Workshop, identity: &Identity, assignment: &Assignment) -> String {
    let none = ResolveError::NoRequest { smartcard: assignment.smartcard }.to_string();
    let mut records = workshop.journal.of_card(identity.card_id.guid()).unwrap_or_default();
    records.retain(|record| record.point.is_open());
    match most_doubtful(&records) {
        Some(record) => format!("{none}, although an earlier job ({}) {}", record.id, record.point.meaning()),
        None => none,
    }
}

fn provision(
    workshop: &Workshop,
    readers: &dyn Readers,
    task: &Task,
    identity: &Identity,
    assignment: Assignment,
    issuer: &mut dyn Issuer,
    bell: &Bell,
) -> Result<Outcome, Failure> {
    let job = Job {
        reader: task.reader.clone(),
        card_id: Some(identity.card_id),
        wanted: Wanted { smartcard: Some(assignment.smartcard), request: assignment.request },
        rules: workshop.rules.clone(),
        families: workshop.families.clone(),
        assignment: Some(assignment),
        repeat: false,
    };
    let card = format!("card {} in reader {:?}", identity.card_id, task.reader);
    let mut supplier = workshop.outfit.supplier(&card, Arc::clone(&task.interrupted));
    let mut progress = |step: Step| {
        tracing::debug!("{}", step.phrase());
        bell.tell(News::Step(step));
    };
    let mut desk = Desk {
        readers,
        issuer,
        journal: Some(&workshop.journal),
        supplier: supplier.as_mut(),
        interrupted: &task.interrupted,
        progress: &mut progress,
    };
    provision::set_pin(&job, &mut desk)
}
