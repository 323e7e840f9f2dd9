//! `pinwright set-pin`: the PIN step on one card.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use clap::Args;
use uuid::Uuid;

use super::agent_journal::AgentJournal;
use super::context::CommandContext;
use super::error::CliError;
use super::json::{AlreadyDoneObject, DoneObject};
use super::output::{self, Costs};
use super::screen::{Line, Tone};
use super::select::{CardChoice, Chosen, choose};
use super::supply::{Asking, CommandSupplier, Descriptors};
use crate::config::Config;
use crate::job::CardIdentity;
use crate::job::Cause;
use crate::job::Step;
use crate::job::desk::Desk;
use crate::job::issuer::Wanted;
use crate::job::journal::JournalError;
use crate::provision;
use crate::provision::mimcm::MimCm;
use crate::provision::{AdminKeyRule, Asked, Job, Outcome, RiskedProof};
use crate::reader::Readers;
use crate::reader::traffic::Meter;
use crate::secret::scrub::on_own_stack;
use crate::server::Client;

/// Which job, on which card.
#[derive(Debug, Clone, Default, Args)]
pub struct JobArgs {
    /// The card.
    #[command(flatten)]
    pub choice: CardChoice,
    /// The server's smart card object, where it can't be found by the card ID.
    #[arg(long, value_name = "UUID")]
    pub smartcard: Option<Uuid>,
    /// The request to work on, where there are several, or where none is found among the caller's own and those that the caller may see.
    #[arg(long, value_name = "UUID")]
    pub request: Option<Uuid>,
    /// Which admin key is on the card, where policy, request and card status don't say. A wrong one may cost an admin try.
    #[arg(long, value_enum, value_name = "KEY")]
    pub admin_key: Option<AdminKeyRule>,
    /// Risk one more try of what the card does not count aloud, although it has refused it to an earlier job, or may have:
    /// `admin` for the answer to its challenge, `puk` for a PUK or another code, `pin` for the current PIN. Good for this call
    /// alone.
    #[arg(long, value_enum, value_name = "PROOF")]
    pub risk_uncounted: Option<RiskedProof>,
    /// Set another PIN although the journal shows the request as done: the one handed over then is replaced.
    #[arg(long)]
    pub again: bool,
    /// Say yes beforehand: don't ask on the terminal before the card is written to. Needed where there is no terminal.
    #[arg(long)]
    pub yes: bool,
    /// Secrets from descriptors.
    #[command(flatten)]
    pub descriptors: Descriptors,
}

impl JobArgs {
    /// The job on the chosen card, by the rules of the configuration as the options change them.
    #[must_use]
    pub fn job(&self, config: &Config, chosen: Chosen) -> Job {
        let mut rules = config.rules.clone();
        rules.admin_key = self.admin_key.unwrap_or(rules.admin_key);
        Job {
            reader: chosen.reader,
            card_id: chosen.card_id,
            wanted: Wanted { smartcard: self.smartcard, request: self.request, visible: true },
            rules,
            families: config.families.clone(),
            assignment: None,
            asked: if self.again { Asked::Again } else { Asked::ByPerson },
            risk: self.risk_uncounted,
        }
    }
}

/// A client of the configured server. Nothing is sent yet.
///
/// # Errors
/// [`CliError::NoServer`] where none is configured, [`CliError::Setup`] where no client can be made for it,
/// [`CliError::System`] where its runtime can't be started.
pub fn issuer(config: &Config, args: &JobArgs) -> Result<MimCm, CliError> {
    let settings = config.server.as_ref().ok_or(CliError::NoServer)?;
    let client = Client::new(settings)?;
    let mut rules = config.rules.clone();
    rules.admin_key = args.admin_key.unwrap_or(rules.admin_key);
    MimCm::new(client, rules)
        .map_err(|source| CliError::System { what: "the network runtime can't be started", source })
}

/// The readers that a job works on, and the meter that counts what passes through them.
#[derive(Clone, Copy)]
pub struct MeteredReaders<'a> {
    /// The readers.
    pub readers: &'a dyn Readers,
    /// Their meter.
    pub meter: &'a Meter,
}

/// Runs the command: does the job and prints its outcome, as JSON in the schema of the command. What it costs in tries is what [`provision()`] costs.
///
/// # Errors
/// As [`provision()`]; [`CliError::Untold`] where the job is done and its outcome can't be printed.
pub fn run(
    config: &Config,
    args: &JobArgs,
    (schema, json): (&'static str, bool),
    metered: MeteredReaders<'_>,
    context: &mut CommandContext<'_>,
) -> Result<(), CliError> {
    let (outcome, costs) = match provision(config, args, metered, context) {
        Err(error) => return tell_already_done(error, schema, json, context),
        Ok(done) => done,
    };
    warn(&outcome, context);
    let printed = if json {
        context.print_json(&DoneObject::new(schema, &outcome, &costs))
    } else {
        context.print_line(&output::outcome_line(&outcome, &costs))
    };
    // The result is told: nobody waits for what is tidied up now.
    if let Some(journal) = &config.journal {
        journal.tidy(outcome.card.card_id.guid());
    }
    printed.map_err(|error| error.after(done(&outcome)))
}

/// Tells, as a result, that an earlier job has done the request: nothing was fetched and nothing written.
///
/// # Errors
/// Any other error, as it is; [`CliError::Output`].
pub fn tell_already_done(
    error: CliError,
    schema: &'static str,
    json: bool,
    context: &mut CommandContext<'_>,
) -> Result<(), CliError> {
    match &error {
        CliError::Failure(failure) => match failure.cause.as_ref() {
            Cause::AlreadyDone(done) if json => context.print_json(&AlreadyDoneObject::new(schema, failure, done)),
            Cause::AlreadyDone(done) => context.print_line(&output::already_done_line(failure, done)),
            _ => Err(error),
        },
        _ => Err(error),
    }
}

/// What is done, as a sentence without its full stop.
pub fn done(outcome: &Outcome) -> String {
    let CardIdentity { card_id, reader, .. } = &outcome.card;
    format!("the job is done: card {card_id} in {reader:?} has its new PIN, and has verified it")
}

/// Warns of what a job that is done has left behind: a card that was not reset, a journal that does not show the end.
pub fn warn(outcome: &Outcome, context: &mut CommandContext<'_>) {
    if let Some(error) = &outcome.reset_failed {
        context.warn(&format!("the card could not be reset ({error}): pull it out, it may still be unlocked"));
    }
    if let Some(error) = &outcome.journal_failed {
        context.warn(&format!("the card is done, but the journal does not show it ({error})"));
    }
}

/// Does the job and tells what it cost. When this returns, whatever its end, nothing of its secrets is left in this process.
///
/// A job that ends well costs no try. One whose authority or new PIN the card refuses may cost one try of that secret, where
/// the card counts it; the failure's card state says so.
///
/// # Errors
/// What keeps the job from beginning: [`CliError::SharedDescriptor`], [`CliError::TerminalDescriptor`],
/// [`CliError::Journal`], [`CliError::Choice`], and those of [`issuer`]. [`CliError::Failure`] where the job itself failed,
/// with the state that the card is in.
pub fn provision(
    config: &Config,
    args: &JobArgs,
    metered: MeteredReaders<'_>,
    context: &mut CommandContext<'_>,
) -> Result<(Outcome, Costs), CliError> {
    // Client, runtime, card and secrets are made and dropped on that stack.
    on_own_stack(|| job(config, args, metered, context))
}

fn job(
    config: &Config,
    args: &JobArgs,
    metered: MeteredReaders<'_>,
    context: &mut CommandContext<'_>,
) -> Result<(Outcome, Costs), CliError> {
    let start = Instant::now();
    // Descriptors are claimed before anything else is opened: otherwise a number that nobody has handed over could be that
    // of a file of our own.
    let handed = args.descriptors.claim()?;
    // The span puts one id on every line of this job's log.
    let span = tracing::info_span!("enrollment", id = %format_args!("{:08x}", fastrand::u32(..)));
    let _inside = span.enter();
    let MeteredReaders { readers, meter } = metered;
    let journal = config.journal.as_ref().ok_or(CliError::Journal(JournalError::NoFolder))?;
    let mut issuer = issuer(config, args)?;
    let chosen = choose(readers, &config.ignored_readers, &args.choice, &config.families)?;
    let job = args.job(config, chosen);
    let interrupted = Arc::clone(&context.interrupted);
    let sources = config.sources.clone();
    let asking = Asking { yes: args.yes, is_allowed: context.may_prompt };
    let mut supplier = CommandSupplier::new(handed, sources, asking, Arc::clone(&interrupted));
    let mut progress = |step: Step| {
        tracing::info!("{}", step.phrase());
        if context.tells_progress {
            context.say_line(&Line::new(Tone::Quiet, format!("· {}", step.phrase())));
        }
    };
    let agent = AgentJournal::new(&config.agent);
    let mut desk = Desk {
        readers,
        issuer: &mut issuer,
        journal: Some(journal),
        elsewhere: Some(&agent),
        supplier: &mut supplier,
        interrupted: &interrupted,
        progress: &mut progress,
    };
    let outcome = provision::set_pin(&job, &mut desk)?;
    if interrupted.load(Ordering::Relaxed) {
        context.say("Interrupted while the card was being written: the job was carried to its end.");
    }
    let costs = Costs {
        apdus: meter.apdus(),
        http_requests: issuer.client().calls(),
        total: start.elapsed(),
        card: meter.time(),
        server: issuer.waited(),
        person: supplier.waited(),
    };
    Ok((outcome, costs))
}
