//! `pinwright plan`: what `enroll` would do, every call and every APDU, without doing it.

use super::enroll::{JobArgs, issuer};
use super::error::CliError;
use super::output;
use super::select::choose;
use super::world::World;
use crate::config::Config;
use crate::provision::plan::{self, Plan};
use crate::reader::Readers;
use crate::secret::scrub::on_own_stack;

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub fn run(
    config: &Config,
    args: &JobArgs,
    json: bool,
    readers: &dyn Readers,
    world: &mut World<'_>,
) -> Result<(), CliError> {
    // A token goes to the server, and a policy with an admin key in it comes back.
    let plan = on_own_stack(|| -> Result<Plan, CliError> {
        let mut issuer = issuer(config, args)?;
        let chosen = choose(readers, &config.ignored_readers, &args.choice, &config.families)?;
        let job = args.job(config, chosen);
        Ok(plan::plan(&job, readers, &mut issuer, &world.interrupted)?)
    })?;
    if json {
        return world.print_json(&output::plan_json(&plan));
    }
    for line in output::plan_lines(&plan) {
        world.print(&line)?;
    }
    Ok(())
}
