//! `pinwright agent`: the daemon, a check of its configuration, and commands that ask a running one.
//!
//! It starts in this order: configuration → logs → sockets → privileges dropped → signals and clock → serve. What needs root
//! is over before anything is read from a card or a server.

mod ask;
mod check;
mod error;
mod feed;
mod services;
mod wording;

use std::sync::Arc;

use clap::{Args, Subcommand};

pub use self::check::Report;
pub use self::error::AgentError;
use self::feed::Feed;
use self::services::ConfiguredServices;
use super::error::CliError;
use super::world::World;
use crate::agent::control::{self, Control};
use crate::agent::jobs::JobContext;
use crate::agent::metrics::MetricsServer;
use crate::agent::{self, AgentContext, Mailbox, ServiceNotifier, Stopped, mailbox, system_events};
use crate::config::Config;
use crate::job::journal::Journal;
use crate::os::account::{self, Account, Group};
use crate::os::endpoint::Endpoint;
use crate::os::{process, service};
use crate::reader::pcsc::PcscReaders;

/// What to do with the agent.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct AgentArgs {
    /// Check configuration, accounts, files and programs, say what was found, and end.
    #[arg(long)]
    check: bool,
    #[command(subcommand)]
    ask: Option<Ask>,
}

#[derive(Debug, Subcommand)]
enum Ask {
    /// Show the state of the running agent.
    Status {
        /// Go on with each event as it happens.
        #[arg(long)]
        follow: bool,
    },
    /// List the running agent's journal: what was done to which card, and what is unsettled.
    History,
    /// Have the running agent ask the server now about every card that waits.
    Recheck,
}

impl AgentArgs {
    /// Whether this is the agent itself.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.ask.is_none() && !self.check
    }

    /// The schema of the command's JSON.
    #[must_use]
    pub fn schema(&self) -> &'static str {
        match self.ask {
            Some(Ask::Status { .. }) => crate::agent::report::STATUS_SCHEMA,
            Some(Ask::History) => crate::job::journal::LISTING_SCHEMA,
            Some(Ask::Recheck) => control::protocol::SCHEMA,
            None if self.check => check::SCHEMA,
            None => "pinwright.agent/1",
        }
    }
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub fn run(config: &Config, args: &AgentArgs, json: bool, world: &mut World<'_>) -> Result<(), CliError> {
    service::available().map_err(AgentError::NotHere)?;
    match &args.ask {
        Some(Ask::Status { follow }) => ask::status(&config.agent, *follow, json, world),
        Some(Ask::History) => ask::history(&config.agent, json, world),
        Some(Ask::Recheck) => ask::recheck(&config.agent, json, world),
        None if args.check => check::run(config, json, world),
        None => start(config, json, world),
    }
}

fn start(config: &Config, json: bool, world: &mut World<'_>) -> Result<(), CliError> {
    let settings = &config.agent;
    let account = match &settings.user {
        Some(name) => Account::to_become(name).map_err(AgentError::Account)?,
        None => None,
    };
    let group = settings.control_group.as_deref().map(Group::named).transpose().map_err(AgentError::Account)?;
    let endpoint = match &settings.control {
        Some(path) => Some(Endpoint::open(path, group, account.as_ref()).map_err(AgentError::Endpoint)?),
        None => None,
    };
    let metrics = match &settings.metrics {
        Some(address) => Some(MetricsServer::open(address, group, account.as_ref()).map_err(AgentError::Metrics)?),
        None => None,
    };
    if let Some(account) = &account {
        account.become_it().map_err(AgentError::Account)?;
        // With the user the kernel has set anew who may look into the process.
        if let Err(error) = process::harden() {
            tracing::warn!("{error}: {}", error.source);
        }
        tracing::info!("working as user {}", account.name);
    } else if account::is_root() {
        tracing::warn!("working as root: set `agent.user` to a user of its own");
    }
    // Without a journal no card is written to, and that is better known now than at the first card.
    let journal = config.journal.as_ref().ok_or(crate::job::journal::JournalError::NoFolder)?;
    journal.probe()?;
    let system = |what| move |source| CliError::System { what, source };
    let (sender, mailbox) = mailbox();
    system_events::forward_signals(&sender).map_err(system("signals can't be listened to"))?;
    if let Err(error) = system_events::watch_clock(&sender) {
        tracing::warn!("suspend and resume go unseen: {error}");
    }
    let control = match endpoint {
        Some(endpoint) => {
            tracing::info!("answering on {}", endpoint.path().display());
            let control = Control::start(endpoint, group, &sender, Some(journal.clone()));
            Some(control.map_err(system("the control socket can't be served"))?)
        }
        None => {
            tracing::warn!("no control socket: set `agent.control`, or XDG_RUNTIME_DIR in the environment");
            None
        }
    };
    if let Some(metrics) = metrics {
        metrics.serve(&sender).map_err(system("the metrics can't be served"))?;
    }
    let feed = if json {
        let events = sender.follow().map_err(|_| AgentError::Ended)?;
        Some(Feed::start(&sender, events).map_err(system("the events can't be printed"))?)
    } else {
        None
    };
    let result = serve(config, journal, mailbox);
    drop(control);
    // A failure of standard output did not end the agent, since cards matter more: it is the result now.
    result.and(feed.map_or(Ok(()), |feed| feed.finish(world)))
}

/// Serves until it is asked to end, and until running jobs have brought their cards to a good end.
fn serve(config: &Config, journal: &Journal, mailbox: Mailbox) -> Result<(), CliError> {
    let service = Arc::new(PcscReaders::new(config.reader_timeout));
    let jobs = JobContext {
        readers: service.clone(),
        services: Arc::new(ConfiguredServices::new(config)?),
        journal: journal.clone(),
        rules: config.rules.clone(),
        families: config.families.clone(),
        on_insert: config.agent.on_insert,
    };
    let context = AgentContext {
        jobs: Arc::new(jobs),
        status: service,
        ignored_readers: config.ignored_readers.clone(),
        notifier: ServiceNotifier::of_system(config.agent.stop_timeout),
    };
    let stopped = agent::run(config.agent.clone(), context, mailbox)
        .map_err(|source| CliError::System { what: "the card monitor can't be started", source })?;
    match stopped {
        Stopped { unfinished, .. } if !unfinished.is_empty() => Err(AgentError::Unfinished(unfinished).into()),
        Stopped { monitor_failed: true, .. } => Err(AgentError::MonitorFailed.into()),
        Stopped { .. } => Ok(()),
    }
}
