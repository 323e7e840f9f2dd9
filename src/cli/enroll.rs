//! `pinwright enroll`, `unblock` and `retire`: a card's request, carried out to its end.

mod arguments;
mod created;
pub(super) mod object;
pub(super) mod told;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

pub use self::arguments::{EnrollArgs, EnrollCommand, RetireArgs, UnblockArgs};
pub use self::created::foreseen_enrollment;
use super::agent_journal::AgentJournal;
use super::context::CommandContext;
use super::error::CliError;
use super::inspect::ReportFormat;
use super::output::Costs;
use super::progress::Progress;
use super::select::choose;
use super::set_pin::{MeteredReaders, issuer, tell_already_done};
use super::supply::{Asking, CommandSupplier};
use crate::config::Config;
use crate::enroll::job::{Ended, EnrollJob};
use crate::enroll::{self, EnrollDesk};
use crate::exit::Exit;
use crate::job::journal::JournalError;
use crate::job::{Cause, Failure, Step, Stop};
use crate::secret::scrub::on_own_stack;

/// Runs the command: finds the card's request or has one made, carries it out from the stage at which it stands, and prints how that
/// ended. It costs the tries that its stages cost.
///
/// # Errors
/// What keeps it from beginning: [`CliError::SharedDescriptor`], [`CliError::TerminalDescriptor`], [`CliError::Journal`],
/// [`CliError::Choice`], [`CliError::NoServer`], [`CliError::Setup`]. [`CliError::Request`] where a request can't be made as it is
/// wished. [`CliError::Failure`] where a stage failed, with what was changed on the card. [`CliError::Untold`] where the end can't
/// be printed.
pub fn run(
    config: &Config,
    command: EnrollCommand<'_>,
    format: ReportFormat,
    metered: MeteredReaders<'_>,
    context: &mut CommandContext<'_>,
) -> Result<Exit, CliError> {
    let schema = command.operation().schema();
    // Client, runtime, card and secrets are made and dropped on that stack.
    let (ended, costs) = match on_own_stack(|| carry_out(config, command, metered, context)) {
        Ok(end) => end,
        Err(error) => return tell_already_done(error, schema, format.json, context).map(|()| Exit::Done),
    };
    match ended {
        Ended::Done(outcome) => {
            told::warn(&outcome, context);
            let printed = match format.json {
                true => context.print_json(&object::EnrolledObject::new(schema, &outcome, &costs)),
                false => {
                    told::lines(&outcome, &costs, format.verbose).iter().try_for_each(|line| context.print_line(line))
                }
            };
            // The result is told: nobody waits for what is tidied up now.
            if let Some(journal) = &config.journal {
                journal.tidy(outcome.card.card_id.guid());
            }
            printed.map_err(|error| error.after(told::done(&outcome)))?;
            Ok(Exit::Done)
        }
        Ended::AwaitsApproval(awaiting) => {
            let printed = match format.json {
                true => context.print_json(&object::AwaitingObject::new(schema, &awaiting)),
                false => context.print_line(&told::awaiting(&awaiting)),
            };
            context.say_line(&told::goes_on(command.operation()));
            printed.map_err(|error| error.after(format!("request {} waits for approval", awaiting.request)))?;
            Ok(Exit::Pending)
        }
    }
}

fn carry_out(
    config: &Config,
    command: EnrollCommand<'_>,
    metered: MeteredReaders<'_>,
    context: &mut CommandContext<'_>,
) -> Result<(Ended, Costs), CliError> {
    carry_out_watched(config, command, metered, context, &mut |_| {})
}

/// Carries the request out; `watch` is told of each step before it is taken.
///
/// # Errors
/// As [`run`], but for what is printed.
pub(super) fn carry_out_watched(
    config: &Config,
    command: EnrollCommand<'_>,
    metered: MeteredReaders<'_>,
    context: &mut CommandContext<'_>,
    watch: &mut dyn FnMut(Step),
) -> Result<(Ended, Costs), CliError> {
    let start = Instant::now();
    let args = command.job();
    // Descriptors are claimed before anything else is opened: otherwise a number that nobody has handed over could be that
    // of a file of our own.
    let handed = args.descriptors.claim()?;
    let span = tracing::info_span!("enrollment", id = %format_args!("{:08x}", fastrand::u32(..)));
    let _inside = span.enter();
    let MeteredReaders { readers, meter } = metered;
    let journal = config.journal.as_ref().ok_or(CliError::Journal(JournalError::NoFolder))?;
    let mut server = issuer(config, args)?;
    let chosen = choose(readers, &config.ignored_readers, &args.choice, &config.families)?;
    let mut job = command.enroll_job(config, chosen);
    let interrupted = Arc::clone(&context.interrupted);
    let asking = Asking { yes: args.yes, is_allowed: context.may_prompt };
    let mut supplier = CommandSupplier::new(handed, config.sources.clone(), asking, Arc::clone(&interrupted));
    supplier.loss_is_agreed(job.erase || job.wipe);
    let agent = AgentJournal::new(&config.agent);
    let mut once = |job: &EnrollJob, context: &mut CommandContext<'_>| {
        let mut progress = Progress::new(context);
        let mut desk = EnrollDesk {
            readers,
            server: &mut server,
            journal: Some(journal),
            elsewhere: Some(&agent),
            supplier: &mut supplier,
            interrupted: &interrupted,
            progress: &mut |step: Step| {
                watch(step);
                progress.tell(step);
            },
        };
        enroll::run(job, &mut desk)
    };
    let mut calls_beside = 0;
    let ended = match (once(&job, context), command.template()) {
        (Err(failure), Some(template)) if is_no_request(&failure) => {
            let created = created::new_enrollment(config, template, command.wished(), context)?;
            calls_beside = created.calls;
            job.new = Some(created.new);
            once(&job, context)?
        }
        (result, _) => result?,
    };
    if interrupted.load(Ordering::Relaxed) {
        context.say("Interrupted while a stage was at work: it was carried to its end.");
    }
    let costs = Costs {
        apdus: meter.apdus(),
        http_requests: server.client().calls() + calls_beside,
        total: start.elapsed(),
        card: meter.time(),
        server: server.waited(),
        person: supplier.waited(),
    };
    Ok((ended, costs))
}

/// Whether there is no request, and none was to be made.
fn is_no_request(failure: &Failure) -> bool {
    matches!(failure.cause.as_ref(), Cause::Stop(Stop::NoRequest))
}
