//! `pinwright plan`: every call and every APDU of the job that `enroll` would do, without doing it.

use super::context::CommandContext;
use super::enroll::{JobArgs, issuer};
use super::error::CliError;
use super::output;
use super::select::choose;
use crate::config::Config;
use crate::provision::plan::{self, Plan};
use crate::reader::Readers;
use crate::secret::scrub::on_own_stack;

/// Runs the command: identifies the card, asks the server for its records, and prints what the job would go on with. Writes
/// nothing and spends no try.
///
/// # Errors
/// [`CliError::NoServer`] and [`CliError::Setup`] where the configuration names no server that can be used,
/// [`CliError::Choice`], [`CliError::Failure`] where card or records don't lead to a plan, and [`CliError::Output`].
pub fn run(
    config: &Config,
    args: &JobArgs,
    json: bool,
    readers: &dyn Readers,
    context: &mut CommandContext<'_>,
) -> Result<(), CliError> {
    // The plan is drawn on a stack of its own because secrets pass through it: a token goes to the server, and a policy with
    // an admin key in it comes back.
    let plan = on_own_stack(|| -> Result<Plan, CliError> {
        let mut issuer = issuer(config, args)?;
        let chosen = choose(readers, &config.ignored_readers, &args.choice, &config.families)?;
        let job = args.job(config, chosen);
        Ok(plan::plan(&job, readers, &mut issuer, &context.interrupted)?)
    })?;
    if json {
        return context.print_json(&output::plan_json(&plan));
    }
    for line in output::plan_lines(&plan) {
        context.print_lines(&line)?;
    }
    Ok(())
}
