//! `pinwright plan`: what a job would do, every call and every command to the card, without doing it.

mod enrollment;
mod text;

use std::sync::Arc;

use clap::{Args, ValueEnum};

use self::enrollment::{EnrollPlanObject, Planned};
use super::agent_journal::AgentJournal;
use super::context::CommandContext;
use super::enroll::{EnrollArgs, EnrollCommand, RetireArgs, UnblockArgs, foreseen_enrollment};
use super::error::CliError;
use super::inspect::ReportFormat;
use super::json::PlanObject;
use super::request::Wished;
use super::select::choose;
use super::set_pin::{JobArgs, issuer};
use super::supply::{Asking, CommandSupplier};
use crate::config::Config;
use crate::enroll::job::EnrollJob;
use crate::enroll::{self, EnrollDesk};
use crate::exit::Exit;
use crate::job::journal::JournalError;
use crate::job::{Cause, Stop};
use crate::operation::Operation;
use crate::provision::plan::{self, Plan, Surroundings};
use crate::reader::Readers;
use crate::secret::scrub::on_own_stack;

/// The job that is planned.
#[derive(Debug, Clone, Default, Args)]
pub struct PlanArgs {
    /// Card, request and secrets.
    #[command(flatten)]
    pub job: JobArgs,
    /// The command whose job it is.
    #[arg(long = "for", value_enum, value_name = "COMMAND", default_value_t)]
    pub command: PlannedCommand,
    /// With `--for enroll`: the profile template, by its name or id, under which a request would be made where there is none.
    #[arg(long, value_name = "TEMPLATE")]
    pub template: Option<String>,
    /// What else that request would have.
    #[command(flatten)]
    pub wished: Wished,
    /// With `--for retire`: keys and certificates on the card would be erased, too.
    #[arg(long)]
    pub wipe: bool,
}

/// A command whose job can be planned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PlannedCommand {
    /// The PIN step alone.
    #[default]
    SetPin,
    /// The card's open request, to its end.
    Enroll,
    /// A new PIN by a request to unblock the card.
    Unblock,
    /// The card's end at the server.
    Retire,
}

/// Runs the command: identifies the card, asks the server for its records, and prints what the job would go on with. Writes nothing
/// and spends no try. Ends with the exit code that the job would have, as if a person had said yes.
///
/// # Errors
/// [`CliError::NoServer`] and [`CliError::Setup`] where the configuration names no server that can be used,
/// [`CliError::OtherPlan`], [`CliError::Request`] where a request can't be made as it is wished,
/// [`CliError::Journal`], [`CliError::Choice`], [`CliError::Failure`] where card or records don't lead to a plan, and
/// [`CliError::Output`].
pub fn run(
    config: &Config,
    args: &PlanArgs,
    format: ReportFormat,
    readers: &dyn Readers,
    context: &mut CommandContext<'_>,
) -> Result<Exit, CliError> {
    let job = args.job.clone();
    if args.template.is_some() && args.command != PlannedCommand::Enroll {
        return Err(CliError::OtherPlan { option: "--template", command: Operation::Enroll });
    }
    if args.wipe && args.command != PlannedCommand::Retire {
        return Err(CliError::OtherPlan { option: "--wipe", command: Operation::Retire });
    }
    match args.command {
        PlannedCommand::SetPin => set_pin(config, &args.job, format, readers, context),
        PlannedCommand::Enroll => {
            let (template, wished) = (args.template.clone(), args.wished.clone());
            let args = EnrollArgs { job, template, wished, ..EnrollArgs::default() };
            enrollment(config, EnrollCommand::Enroll(&args), format, readers, context)
        }
        PlannedCommand::Unblock => {
            let args = UnblockArgs { job, ..UnblockArgs::default() };
            enrollment(config, EnrollCommand::Unblock(&args), format, readers, context)
        }
        PlannedCommand::Retire => {
            let args = RetireArgs { job, wipe: args.wipe, ..RetireArgs::default() };
            enrollment(config, EnrollCommand::Retire(&args), format, readers, context)
        }
    }
}

fn enrollment(
    config: &Config,
    command: EnrollCommand<'_>,
    format: ReportFormat,
    readers: &dyn Readers,
    context: &mut CommandContext<'_>,
) -> Result<Exit, CliError> {
    let args = command.job();
    let handed = args.descriptors.claim()?;
    let asking = Asking { yes: true, is_allowed: context.may_prompt };
    let mut supplier = CommandSupplier::new(handed, config.sources.clone(), asking, Arc::clone(&context.interrupted));
    let journal = config.journal.as_ref().ok_or(CliError::Journal(JournalError::NoFolder))?;
    // As below.
    let planned = on_own_stack(|| -> Result<Planned, CliError> {
        let mut server = issuer(config, args)?;
        let chosen = choose(readers, &config.ignored_readers, &args.choice, &config.families)?;
        let mut job = command.enroll_job(config, chosen);
        let mut once = |job: &EnrollJob| {
            let mut desk = EnrollDesk {
                readers,
                server: &mut server,
                journal: Some(journal),
                elsewhere: Some(&AgentJournal::new(&config.agent)),
                supplier: &mut supplier,
                interrupted: &context.interrupted,
                progress: &mut |step| tracing::info!("{}", step.phrase()),
            };
            enroll::plan(job, &mut desk)
        };
        let plan = once(&job)?;
        let (Some(Cause::Stop(Stop::NoRequest)), Some(template)) = (&plan.stop, command.template()) else {
            return Ok(Planned::new(command, plan));
        };
        let (new, missing) = foreseen_enrollment(config, template, &command.wished(), context)?;
        job.new = Some(new);
        let mut plan = once(&job)?;
        plan.notes.extend(
            missing
                .iter()
                .map(|item| format!("the template collects {item:?}: give it with `--data`, or at the terminal")),
        );
        Ok(Planned::new(command, plan))
    })?;
    match format.json {
        true => context.print_json(&EnrollPlanObject::new(&planned))?,
        false => planned.lines(format.verbose).iter().try_for_each(|line| context.print_line(line))?,
    }
    Ok(planned.exit())
}

fn set_pin(
    config: &Config,
    args: &JobArgs,
    format: ReportFormat,
    readers: &dyn Readers,
    context: &mut CommandContext<'_>,
) -> Result<Exit, CliError> {
    let handed = args.descriptors.claim()?;
    let asking = Asking { yes: true, is_allowed: context.may_prompt };
    let supplier = CommandSupplier::new(handed, config.sources.clone(), asking, Arc::clone(&context.interrupted));
    let journal = config.journal.as_ref().ok_or(CliError::Journal(JournalError::NoFolder))?;
    // The plan is drawn on a stack of its own because secrets pass through it: a token goes to the server, and a policy with
    // an admin key in it comes back.
    let plan = on_own_stack(|| -> Result<Plan, CliError> {
        let mut issuer = issuer(config, args)?;
        let chosen = choose(readers, &config.ignored_readers, &args.choice, &config.families)?;
        let job = args.job(config, chosen);
        let around = Surroundings {
            readers,
            journal: Some(journal),
            elsewhere: Some(&AgentJournal::new(&config.agent)),
            can_supply: &|need| supplier.can_supply(need),
            is_agreed: args.yes,
            interrupted: &context.interrupted,
        };
        Ok(plan::plan(&job, around, &mut issuer)?)
    })?;
    let exit = plan.obstacle.as_ref().map_or(Exit::Done, Exit::from);
    if format.json {
        context.print_json(&PlanObject::new(&plan))?;
        return Ok(exit);
    }
    for line in text::lines(&plan, format.verbose) {
        context.print_line(&line)?;
    }
    Ok(exit)
}
