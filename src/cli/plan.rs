//! `pinwright plan`: every call and every APDU of the job that `set-pin` would do, without doing it.

mod text;

use std::sync::Arc;

use super::agent_journal::AgentJournal;
use super::context::CommandContext;
use super::error::CliError;
use super::inspect::ReportFormat;
use super::json::PlanObject;
use super::select::choose;
use super::set_pin::{JobArgs, issuer};
use super::supply::{Asking, CommandSupplier};
use crate::config::Config;
use crate::exit::Exit;
use crate::job::journal::JournalError;
use crate::provision::plan::{self, Plan, Surroundings};
use crate::reader::Readers;
use crate::secret::scrub::on_own_stack;

/// Runs the command: identifies the card, asks the server for its records, and prints what the job would go on with. Writes
/// nothing and spends no try. Ends with the exit code that `set-pin` would have, as if a person had said yes.
///
/// # Errors
/// [`CliError::NoServer`] and [`CliError::Setup`] where the configuration names no server that can be used,
/// [`CliError::Journal`], [`CliError::Choice`], [`CliError::Failure`] where card or records don't lead to a plan, and
/// [`CliError::Output`].
pub fn run(
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
