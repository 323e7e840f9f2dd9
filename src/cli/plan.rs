//! `pinwright plan`: what `enroll` would do, every call and every APDU, without doing it.

use super::enroll::{JobArgs, issuer};
use super::error::CliError;
use super::output;
use super::select::choose;
use super::world::World;
use crate::config::Config;
use crate::provision::plan;
use crate::reader::Readers;

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
    let mut issuer = issuer(config, args)?;
    let chosen = choose(readers, &config.ignored_readers, &args.choice, &config.families)?;
    let job = args.job(config, chosen);
    let plan = plan::plan(&job, readers, &mut issuer, &world.interrupted)?;
    if json {
        return world.print_json(&output::plan_json(&plan));
    }
    for line in output::plan_lines(&plan) {
        world.print(&line)?;
    }
    Ok(())
}
