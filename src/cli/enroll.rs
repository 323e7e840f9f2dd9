//! `pinwright enroll`: the job.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use clap::Args;
use uuid::Uuid;

use super::error::CliError;
use super::output::{self, Costs};
use super::select::{CardChoice, Chosen, choose};
use super::supply::{CommandSupplier, Descriptors};
use super::world::World;
use crate::config::Config;
use crate::job::CardIdentity;
use crate::job::Step;
use crate::job::desk::Desk;
use crate::job::issuer::Wanted;
use crate::job::journal::JournalError;
use crate::provision;
use crate::provision::mimcm::MimCm;
use crate::provision::{AdminKeyRule, Job, Outcome};
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
    /// The request to work on, where it is not the caller's own or there are several.
    #[arg(long, value_name = "UUID")]
    pub request: Option<Uuid>,
    /// Which admin key is on the card, where policy, request and card status don't say. A wrong one may cost an admin try.
    #[arg(long, value_enum, value_name = "KEY")]
    pub admin_key: Option<AdminKeyRule>,
    /// Risk one more try of a PUK or other code whose counter the card does not tell, although an earlier job may have spent
    /// one.
    #[arg(long)]
    pub risk_uncounted: bool,
    /// Don't ask for confirmation on the terminal.
    #[arg(long)]
    pub yes: bool,
    /// Secrets from descriptors.
    #[command(flatten)]
    pub descriptors: Descriptors,
}

impl JobArgs {
    /// The job on a chosen card.
    #[must_use]
    pub fn job(&self, config: &Config, chosen: Chosen) -> Job {
        let mut rules = config.rules.clone();
        rules.admin_key = self.admin_key.unwrap_or(rules.admin_key);
        rules.risk_uncounted = self.risk_uncounted;
        Job {
            reader: chosen.reader,
            card_id: chosen.card_id,
            wanted: Wanted { smartcard: self.smartcard, request: self.request },
            rules,
            families: config.families.clone(),
            assignment: None,
            repeat: true,
        }
    }
}

/// The configured server.
///
/// # Errors
/// None is configured, or it can't be used.
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
pub struct Desktop<'a> {
    /// The readers.
    pub readers: &'a dyn Readers,
    /// Their meter.
    pub meter: &'a Meter,
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub fn run(
    config: &Config,
    args: &JobArgs,
    json: bool,
    desktop: Desktop<'_>,
    world: &mut World<'_>,
) -> Result<(), CliError> {
    let (outcome, costs) = provision(config, args, desktop, world)?;
    warn(&outcome, world);
    let printed = if json {
        world.print_json(&output::outcome_json(&outcome, &costs))
    } else {
        world.print(&output::outcome_text(&outcome, &costs))
    };
    // The result is told: nobody waits for what is tidied up now.
    if let Some(journal) = &config.journal {
        journal.tidy(outcome.card.card_id.guid());
    }
    printed.map_err(|error| error.after(done(&outcome)))
}

/// What is done, in a sentence without its end.
pub fn done(outcome: &Outcome) -> String {
    let CardIdentity { card_id, reader, .. } = &outcome.card;
    format!("the job is done: card {card_id} in {reader:?} has its new PIN, and has verified it")
}

/// What a person must know of a job that is done.
pub fn warn(outcome: &Outcome, world: &mut World<'_>) {
    if let Some(error) = &outcome.reset_failed {
        world.say(&format!("warning: the card could not be reset ({error}): pull it out, it may still be unlocked"));
    }
    if let Some(error) = &outcome.journal_failed {
        world.say(&format!("warning: the card is done, but the journal does not show it ({error})"));
    }
}

/// The job itself, with what it cost. When this returns, whatever its end, nothing of its secrets is left in this process.
///
/// # Errors
/// See [`CliError`].
pub fn provision(
    config: &Config,
    args: &JobArgs,
    desktop: Desktop<'_>,
    world: &mut World<'_>,
) -> Result<(Outcome, Costs), CliError> {
    on_own_stack(|| job(config, args, desktop, world))
}

/// Client, runtime, card and secrets are made and dropped in here.
fn job(
    config: &Config,
    args: &JobArgs,
    desktop: Desktop<'_>,
    world: &mut World<'_>,
) -> Result<(Outcome, Costs), CliError> {
    let start = Instant::now();
    // Before anything of our own is opened: a number that nobody has handed over is not to become one of ours.
    let handed = args.descriptors.claim()?;
    // One id on every line of this job's log.
    let span = tracing::info_span!("enrollment", id = %format_args!("{:08x}", fastrand::u32(..)));
    let _inside = span.enter();
    let Desktop { readers, meter } = desktop;
    let journal = config.journal.as_ref().ok_or(CliError::Journal(JournalError::NoFolder))?;
    let mut issuer = issuer(config, args)?;
    let chosen = choose(readers, &config.ignored_readers, &args.choice, &config.families)?;
    let job = args.job(config, chosen);
    let mut supplier = CommandSupplier::new(
        handed,
        config.sources.clone(),
        args.yes,
        world.may_prompt,
        Arc::clone(&world.interrupted),
    );
    let interrupted = Arc::clone(&world.interrupted);
    let mut progress = |step: Step| {
        tracing::info!("{}", step.phrase());
        if world.err_is_terminal {
            world.say(&format!("· {}", step.phrase()));
        }
    };
    let mut desk = Desk {
        readers,
        issuer: &mut issuer,
        journal: Some(journal),
        supplier: &mut supplier,
        interrupted: &interrupted,
        progress: &mut progress,
    };
    let outcome = provision::set_pin(&job, &mut desk)?;
    if interrupted.load(Ordering::Relaxed) {
        world.say("Interrupted while the card was being written: the job was carried to its end.");
    }
    let costs = Costs {
        apdus: meter.apdus(),
        http_requests: issuer.client().calls(),
        total: start.elapsed(),
        card: meter.time(),
        server: issuer.waited(),
    };
    Ok((outcome, costs))
}
