//! What a job's thread does with one card: look at it, ask the server about it, set its PIN or carry out its request.
//!
//! A thread lives for one job. Its server client is made in it and dropped with it, and the card is open only while it is
//! looked at or provisioned: an agent that waits holds neither a card nor a connection.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use super::enrollment;
use super::job_report::{Ending, JobEvent, JobReport};
use super::mailbox::{MailboxSender, Message};
use super::report::Phase;
use super::settings::OnInsert;
use super::verdict::Next;
use crate::card::family::Families;
use crate::enroll;
use crate::job::desk::Desk;
use crate::job::issuer::{Assignment, Issuer, Wanted};
use crate::job::journal::{self, Journal, Record, most_doubtful};
use crate::job::look::look;
use crate::job::records::ResolveError;
use crate::job::supplier::Supplier;
use crate::job::{CardIdentity, Cause, Failure, Step, record_atr};
use crate::operation::Operation;
use crate::provision;
use crate::provision::mimcm::MimCm;
use crate::provision::{Asked, Job, Outcome, Rules};
use crate::reader::Readers;
use crate::reader::traffic::Traffic;
use crate::secret::scrub::on_own_stack;
use crate::server::{ServerError, ServerProblem};

/// Makes what each job needs for itself: a server client, and a supplier of secrets.
pub trait JobServices: Send + Sync {
    /// A client of the server, for one job.
    ///
    /// # Errors
    /// The configured server can't be used now (a certificate file, a token); in words.
    fn server(&self) -> Result<MimCm, String>;

    /// The supplier of secrets that the server does not give. `card` names reader and card to a person; `interrupted` ends a wait
    /// for that person.
    fn supplier(&self, card: &str, interrupted: Arc<AtomicBool>) -> Box<dyn Supplier>;
}

/// What all jobs of one agent have in common.
pub struct JobContext {
    /// The readers.
    pub readers: Arc<dyn Readers>,
    /// Makes server client and supplier of each job.
    pub services: Arc<dyn JobServices>,
    /// The journal.
    pub journal: Journal,
    /// The rules that the configuration sets.
    pub rules: Rules,
    /// The card families, built in and from profiles.
    pub families: Families,
    /// Whether requests are worked on that are not the agent's own.
    pub visible_requests: bool,
    /// How keys and certificates are put on cards.
    pub keys: enroll::rules::Rules,
    /// Whether jobs write to cards, and how much.
    pub on_insert: OnInsert,
    /// The requests that this agent has begun to work on: a server may count the first question for a secret as a beginning.
    pub begun: Mutex<BTreeSet<Uuid>>,
}

impl JobContext {
    /// Who gives a job the secrets for this card that the server does not.
    pub(super) fn supplier(&self, task: &Task, identity: &CardIdentity) -> Box<dyn Supplier> {
        let card = format!("card {} in reader {:?}", identity.card_id, task.reader);
        self.services.supplier(&card, Arc::clone(&task.interrupted))
    }
}

/// What is known of the requests of others that name a card. The server lists them once for an insertion, and in no recheck.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Others {
    /// They were not looked at.
    #[default]
    NotSeen,
    /// None names the card, or none that can be taken.
    Nothing,
    /// This one does.
    Found(Uuid),
}

/// One job.
#[derive(Debug)]
pub struct Task {
    /// The reader.
    pub reader: String,
    /// The number of the insertion.
    pub insertion: u64,
    /// The id of the insertion in the log.
    pub enrollment: String,
    /// Which card it is, where an earlier look has found that out: then only the server is asked at first.
    pub identity: Option<CardIdentity>,
    /// The server has asked to be left alone: look at the card only.
    pub look_only: bool,
    /// What an earlier job on this insertion has found among the requests of others.
    pub others: Others,
    /// Set when the job is to back out.
    pub interrupted: Arc<AtomicBool>,
}

/// Starts a job on a thread of its own, which writes to `mailbox` until it has ended, however it ends.
///
/// # Errors
/// No thread can be started.
pub fn start(context: Arc<JobContext>, task: Task, mailbox: MailboxSender) -> std::io::Result<()> {
    let sender = JobSender { mailbox, reader: task.reader.clone(), insertion: task.insertion, has_ended: false };
    std::thread::Builder::new().name("card-job".to_owned()).spawn(move || run(&context, &task, sender)).map(drop)
}

/// Writes a job's events to the loop. Dropped before the job has told its end, it tells that the job broke off.
pub(super) struct JobSender {
    mailbox: MailboxSender,
    reader: String,
    insertion: u64,
    has_ended: bool,
}

impl JobSender {
    pub(super) fn send(&self, event: JobEvent) {
        let report = JobReport { reader: self.reader.clone(), insertion: self.insertion, event };
        if self.mailbox.send(Message::Job(report)).is_err() {
            tracing::debug!("nobody listens to the job any more");
        }
    }

    /// Tells each step that a job comes to.
    pub(super) fn progress(&self) -> impl FnMut(Step) {
        |step| {
            tracing::debug!("{}", step.phrase());
            self.send(JobEvent::Step(step));
        }
    }

    fn end(mut self, ending: Ending) {
        self.has_ended = true;
        self.send(JobEvent::Ended(Box::new(ending)));
    }
}

impl Drop for JobSender {
    fn drop(&mut self) {
        if !self.has_ended {
            // The thread is unwinding. What it held of the card was reset when it was dropped.
            let reason = format!(
                "the job broke off by a defect in pinwright: see the log, and `{}` for the card",
                Operation::History
            );
            self.send(JobEvent::Ended(Box::new(Ending::plain(Phase::Failed, Next::Never, reason))));
        }
    }
}

fn run(context: &JobContext, task: &Task, sender: JobSender) {
    // One id on every line of this card's log.
    let span = tracing::info_span!("enrollment", id = %task.enrollment, reader = %task.reader);
    let _inside = span.enter();
    let readers = Traffic::new(context.readers.as_ref(), Arc::default());
    // What the job reads and computes stays on a stack that is gone when it has ended.
    let ending = on_own_stack(|| work(context, &readers, task, &sender)).unwrap_or_else(Ending::failed);
    tracing::debug!("{}", ending.verdict.phase.name());
    let card = ending.card_id;
    sender.end(ending);
    // The result is told: nobody waits for what is tidied up now.
    if let Some(card_id) = card {
        context.journal.tidy(card_id.guid());
    }
}

fn work(context: &JobContext, readers: &dyn Readers, task: &Task, sender: &JobSender) -> Result<Ending, Failure> {
    let mut identity = match &task.identity {
        Some(identity) => identity.clone(),
        None => identify(context, readers, task, sender)?,
    };
    if task.look_only {
        return Ok(Ending::plain(
            Phase::ServerDown,
            Next::AfterPause,
            "the server has asked to be left alone for a while".to_owned(),
        ));
    }
    let mut issuer = match context.services.server() {
        Ok(server) => server,
        Err(reason) => return Ok(Ending::plain(Phase::NoAccess, Next::Recheck, reason)),
    };
    if context.on_insert == OnInsert::Enroll {
        return enrollment::work(context, readers, task, &identity, &mut issuer, sender);
    }
    sender.send(JobEvent::Step(Step::Resolve));
    let mut assignment = match ask(context, &mut issuer, task, &identity, sender) {
        // What an earlier look has seen may have been a card that was still being pushed in.
        Err(failure) if task.identity.is_some() && is_of_another_card(&failure) => {
            let seen = identify(context, readers, task, sender)?;
            if seen == identity {
                return Err(failure);
            }
            identity = seen;
            sender.send(JobEvent::Step(Step::Resolve));
            ask(context, &mut issuer, task, &identity, sender)?
        }
        result => result?,
    };
    let answered = |ending: Ending| Ok(Ending { server_answered: true, ..ending });
    let Some(request) = assignment.request else {
        return answered(Ending::plain(Phase::Waiting, Next::Recheck, no_request(context, &identity, &assignment)));
    };
    sender.send(JobEvent::Found(request));
    let records =
        context.journal.of_card(identity.card_id.guid()).map_err(|error| failed(task, &identity, error.into()))?;
    if let Some(record) = journal::done(&records, request) {
        let reason = format!("request {request} was done on this card already (journal {})", record.id);
        return answered(Ending::plain(Phase::AlreadyDone, Next::Never, reason).noted(Some(record.id.clone())));
    }
    if context.on_insert == OnInsert::Report {
        let reason =
            format!("request {request} is open for this card; `agent.on_insert` is \"report\", so nothing was written");
        return answered(Ending::plain(Phase::Reported, Next::Recheck, reason));
    }
    note_whose_work(context, request, &mut assignment);
    provision(context, readers, task, &identity, assignment, &mut issuer, sender).map(Ending::done)
}

/// Looks at the card and tells what it is.
fn identify(
    context: &JobContext,
    readers: &dyn Readers,
    task: &Task,
    sender: &JobSender,
) -> Result<CardIdentity, Failure> {
    sender.send(JobEvent::Step(Step::Identify));
    let identity = look(readers, &task.reader, &context.families)?;
    sender.send(JobEvent::Identified(identity.clone()));
    Ok(identity)
}

/// Whether the server's record is of another card than the one that was seen.
fn is_of_another_card(failure: &Failure) -> bool {
    matches!(failure.cause.as_ref(), Cause::Resolve(ResolveError::OtherCard { .. } | ResolveError::OtherAtr { .. }))
}

/// Asks for the server's records. The card is not held meanwhile: others may use it, and a slow server blocks nobody.
fn ask(
    context: &JobContext,
    issuer: &mut dyn Issuer,
    task: &Task,
    identity: &CardIdentity,
    sender: &JobSender,
) -> Result<Assignment, Failure> {
    let looks_at_all = context.visible_requests && task.others == Others::NotSeen;
    let wanted = Wanted { visible: looks_at_all, ..Wanted::default() };
    let assignment = match task.others {
        // It is asked for by its id, and the caller's own requests where it is over.
        Others::Found(request) => match resolve(issuer, task, identity, Wanted { request: Some(request), ..wanted }) {
            Err(cause) if is_over(&cause) => resolve(issuer, task, identity, wanted),
            result => result,
        },
        Others::NotSeen | Others::Nothing => resolve(issuer, task, identity, wanted),
    };
    if looks_at_all {
        match &assignment {
            Ok(Assignment { is_of_others: true, request: Some(request), .. }) => {
                sender.send(JobEvent::LookedAtAll(Others::Found(*request)));
            }
            Ok(Assignment { request: None, .. }) | Err(Cause::Resolve(_)) => {
                sender.send(JobEvent::LookedAtAll(Others::Nothing));
            }
            // An own request was found first, or the server has not answered.
            Ok(_) | Err(_) => {}
        }
    }
    let assignment = assignment.map_err(|cause| failed(task, identity, cause))?;
    record_atr::check(identity, &assignment, &context.families)
        .map_err(|error| failed(task, identity, error.into()))?;
    Ok(assignment)
}

fn resolve(issuer: &mut dyn Issuer, task: &Task, identity: &CardIdentity, wanted: Wanted) -> Result<Assignment, Cause> {
    let mut watch = || if task.interrupted.load(Ordering::Relaxed) { Err(Cause::Interrupted) } else { Ok(()) };
    issuer.resolve(&identity.parameters(), wanted, &mut watch)
}

/// What this agent has begun itself is nobody else's work.
fn note_whose_work(context: &JobContext, request: Uuid, assignment: &mut Assignment) {
    let mut begun = context.begun.lock().unwrap_or_else(PoisonError::into_inner);
    if assignment.is_executing {
        assignment.is_executing = !begun.contains(&request);
    } else {
        begun.insert(request);
    }
}

/// Whether a request that was named is none to work on any more.
fn is_over(cause: &Cause) -> bool {
    match cause {
        Cause::Resolve(error) => {
            matches!(error, ResolveError::RequestNotOpen { .. } | ResolveError::RequestForOther { .. })
        }
        Cause::Server(ServerError { problem, .. }) => {
            matches!(problem, ServerProblem::Nothing | ServerProblem::UnknownId)
        }
        _ => false,
    }
}

fn failed(task: &Task, identity: &CardIdentity, cause: Cause) -> Failure {
    Failure::before_any_effect(Step::Resolve, &task.reader, Some(identity.card_id), cause)
}

/// The reason where there is no request. It names an earlier job that was cut off on this card.
fn no_request(context: &JobContext, identity: &CardIdentity, assignment: &Assignment) -> String {
    let none = ResolveError::NoRequest { smartcard: assignment.smartcard }.to_string();
    let mut records = context.journal.of_card(identity.card_id.guid()).unwrap_or_default();
    records.retain(Record::is_open);
    match most_doubtful(&records) {
        Some(record) => format!("{none}, although an earlier job ({}) {}", record.id, record.meaning()),
        None => none,
    }
}

fn provision(
    context: &JobContext,
    readers: &dyn Readers,
    task: &Task,
    identity: &CardIdentity,
    assignment: Assignment,
    issuer: &mut dyn Issuer,
    sender: &JobSender,
) -> Result<Outcome, Failure> {
    let job = Job {
        reader: task.reader.clone(),
        card_id: Some(identity.card_id),
        wanted: Wanted::default(),
        rules: context.rules.clone(),
        families: context.families.clone(),
        assignment: Some(assignment),
        asked: Asked::ByInsertion,
        risk: None,
    };
    let mut supplier = context.supplier(task, identity);
    let mut progress = sender.progress();
    let mut desk = Desk {
        readers,
        issuer,
        journal: Some(&context.journal),
        elsewhere: None,
        supplier: supplier.as_mut(),
        interrupted: &task.interrupted,
        progress: &mut progress,
    };
    provision::set_pin(&job, &mut desk)
}
