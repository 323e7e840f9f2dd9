//! `pinwright agent`: the daemon, a check of its configuration, and commands that ask a running one.
//!
//! It starts in this order: configuration → logs → sockets → privileges dropped → signals and clock → serve. What needs root
//! is over before anything is read from a card or a server.

mod ask;
mod check;
mod configured;
mod feed;
mod wording;

use std::sync::Arc;

use clap::{Args, Subcommand};

use self::configured::ConfiguredServices;
use self::feed::Feed;
use super::context::CommandContext;
use super::error::CliError;
use super::error::agent::AgentError;
use crate::agent::account::{self, Account};
use crate::agent::control::{self, Control, place::Place};
use crate::agent::jobs::Workshop;
use crate::agent::metrics::Window;
use crate::agent::{self, Mailbox, Pulse, Settings, Station, Stopped, clock, mailbox, signals};
use crate::config::Config;
use crate::error_text::error_text;
use crate::operation::Operation;
use crate::provision::journal::Journal;
use crate::reader::pcsc::PcscReaders;
use crate::secret::process;

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
    #[command(name = Operation::AgentStatus.name())]
    Status {
        /// Go on with each event as it happens.
        #[arg(long)]
        follow: bool,
    },
    /// List the running agent's journal: what was done to which card, and what is unsettled.
    #[command(name = Operation::AgentHistory.name())]
    History,
    /// Have the running agent ask the server now about every card that waits.
    #[command(name = Operation::AgentRecheck.name())]
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
            Some(Ask::History) => crate::provision::journal::LISTING_SCHEMA,
            Some(Ask::Recheck) => control::protocol::SCHEMA,
            None if self.check => check::SCHEMA,
            None => "pinwright.agent/1",
        }
    }
}

/// Runs the command: serves until told to end, checks the configuration, or asks a running agent.
///
/// # Errors
/// [`CliError::Agent`] for what concerns the agent itself, [`CliError::NoServer`], [`CliError::Setup`] and
/// [`CliError::Journal`] where the configuration does not do for an agent, [`CliError::System`] where the system refuses a
/// socket or a thread, and [`CliError::Output`].
pub fn run(config: &Config, args: &AgentArgs, json: bool, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    match &args.ask {
        Some(Ask::Status { follow }) => ask::status(&config.agent, *follow, json, context),
        Some(Ask::History) => ask::history(&config.agent, json, context),
        Some(Ask::Recheck) => ask::recheck(&config.agent, json, context),
        None if args.check => check::run(config, json, context),
        None => start(config, json, context),
    }
}

fn start(config: &Config, json: bool, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    let Opened { control: place, metrics: window } = open_and_become_user(&config.agent)?;
    // Without a journal no card is written to, and that is better known now than at the first card.
    let journal = config.journal.as_ref().ok_or(crate::provision::journal::JournalError::NoFolder)?;
    journal.probe()?;
    let system = |what| move |source| CliError::System { what, source };
    let (post, mailbox) = mailbox();
    signals::forward(&post).map_err(system("signals can't be listened to"))?;
    if let Err(error) = clock::watch(&post) {
        tracing::warn!("suspend and resume go unseen: {error}");
    }
    let control = match place {
        Some(place) => {
            tracing::info!("answering on {}", place.path().display());
            Some(
                Control::start(place, &post, Some(journal.clone()))
                    .map_err(system("the control socket can't be served"))?,
            )
        }
        None => {
            tracing::warn!("no control socket: set `agent.control`, or XDG_RUNTIME_DIR in the environment");
            None
        }
    };
    if let Some(window) = window {
        window.serve(&post).map_err(system("the metrics can't be served"))?;
    }
    let feed = if json {
        let events = post.follow().map_err(|_| AgentError::Ended)?;
        Some(Feed::start(&post, events).map_err(system("the events can't be printed"))?)
    } else {
        None
    };
    let result = serve(config, journal, mailbox);
    drop(control);
    // The agent has gone on where standard output failed, since cards matter more; that it failed is told only now.
    result.and(feed.map_or(Ok(()), |feed| feed.finish(context)))
}

/// Sockets that were opened with the rights of whoever started the agent.
struct Opened {
    control: Option<Place>,
    metrics: Option<Window>,
}

/// Opens the sockets and then becomes the configured user: only root may do either for that user.
fn open_and_become_user(settings: &Settings) -> Result<Opened, CliError> {
    let account = match &settings.user {
        Some(name) => Account::to_become(name).map_err(AgentError::Account)?,
        None => None,
    };
    let group = settings.control_group.as_deref().map(account::group).transpose().map_err(AgentError::Account)?;
    let place = match &settings.control {
        Some(path) => Some(Place::take(path, group, account.as_ref()).map_err(AgentError::Place)?),
        None => None,
    };
    let window = match &settings.metrics {
        Some(place) => Some(Window::open(place, group, account.as_ref()).map_err(AgentError::Metrics)?),
        None => None,
    };
    if let Some(account) = &account {
        account.become_it().map_err(AgentError::Account)?;
        // With the user the kernel sets anew who may look into the process (PR_SET_DUMPABLE in prctl(2)), so that is
        // forbidden once more.
        if let Err(error) = process::harden() {
            tracing::warn!("{}", error_text(&error));
        }
        tracing::info!("working as user {}", account.name);
    } else if nix::unistd::geteuid().is_root() {
        tracing::warn!("working as root: set `agent.user` to a user of its own");
    }
    Ok(Opened { control: place, metrics: window })
}

/// Serves until it is asked to end; running jobs are then given time to bring their cards to a good end.
fn serve(config: &Config, journal: &Journal, mailbox: Mailbox) -> Result<(), CliError> {
    let service = Arc::new(PcscReaders::new(config.reader_timeout));
    let workshop = Workshop {
        readers: service.clone(),
        outfit: Arc::new(ConfiguredServices::new(config)?),
        journal: journal.clone(),
        rules: config.rules.clone(),
        families: config.families.clone(),
        on_insert: config.agent.on_insert,
    };
    let station = Station {
        workshop: Arc::new(workshop),
        status: service,
        ignored_readers: config.ignored_readers.clone(),
        pulse: Pulse::systemd(config.agent.stop_timeout),
    };
    let stopped = agent::run(config.agent.clone(), station, mailbox)
        .map_err(|source| CliError::System { what: "the card monitor can't be started", source })?;
    match stopped {
        Stopped { unfinished, .. } if !unfinished.is_empty() => Err(AgentError::Unfinished(unfinished).into()),
        Stopped { deaf: true, .. } => Err(AgentError::Deaf.into()),
        Stopped { .. } => Ok(()),
    }
}
