//! `pinwright agent`: the daemon, a check of its configuration, and commands that ask a running one.
//!
//! It starts in this order: configuration → anew, where a keytab needs it → logs → sockets → privileges dropped → signals and clock → serve. What needs root
//! is over before anything is read from a card or a server.

mod ask;
mod check;
mod configured;
mod feed;
mod installed;
mod keytab;
mod wording;

use std::io;
use std::sync::{Arc, Mutex};

use clap::{Args, Subcommand};

use self::configured::ConfiguredServices;
use self::feed::Feed;
use super::context::CommandContext;
use super::error::CliError;
use super::error::agent::AgentError;
use crate::agent::control::{self, Control};
use crate::agent::jobs::JobContext;
use crate::agent::metrics::MetricsServer;
use crate::agent::{self, AgentContext, Mailbox, ServiceNotifier, Settings, Stopped, mailbox, system_events};
use crate::config::Config;
use crate::error_text::error_text;
use crate::job::journal::{Journal, JournalError};
use crate::operation::Operation;
use crate::os::account::{self, Account, Group};
use crate::os::endpoint::Endpoint;
use crate::os::other_agent::{self, Found};
use crate::os::{card_service, process, service};
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
    /// Make the agent a service of this machine (Windows).
    #[command(name = Operation::AgentInstall.name(), hide = !installed::IS_POSSIBLE)]
    Install(installed::InstallArgs),
    /// Stop the service and remove it; configuration and journal stay (Windows).
    #[command(name = Operation::AgentUninstall.name(), hide = !installed::IS_POSSIBLE)]
    Uninstall,
    /// Keep a secret as a credential that this machine alone can read (Windows).
    #[command(name = Operation::AgentProtect.name(), hide = !installed::IS_POSSIBLE)]
    Protect(installed::ProtectArgs),
}

impl AgentArgs {
    /// Whether this is the agent itself.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.ask.is_none() && !self.check
    }

    /// Runs a command that needs no configuration, which may be a wrong one, or not be there yet; `None` for others.
    ///
    /// # Errors
    /// As [`run`].
    pub fn run_without_configuration(
        &self,
        json: bool,
        context: &mut CommandContext<'_>,
    ) -> Option<Result<(), CliError>> {
        Some(match &self.ask {
            Some(Ask::Install(args)) => installed::install(args, json, context),
            Some(Ask::Uninstall) => installed::uninstall(json, context),
            Some(Ask::Protect(args)) => installed::protect(args, json, context),
            Some(Ask::Status { .. } | Ask::History | Ask::Recheck) | None => return None,
        })
    }

    /// The schema of the command's JSON.
    #[must_use]
    pub fn schema(&self) -> &'static str {
        match self.ask {
            Some(Ask::Status { .. }) => crate::agent::report::STATUS_SCHEMA,
            Some(Ask::History) => crate::job::journal::LISTING_SCHEMA,
            Some(Ask::Recheck) => control::protocol::SCHEMA,
            Some(Ask::Install(_) | Ask::Uninstall | Ask::Protect(_)) => installed::SCHEMA,
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
    service::available().map_err(AgentError::NotHere)?;
    match &args.ask {
        Some(Ask::Status { follow }) => ask::status(&config.agent, *follow, json, context),
        Some(Ask::History) => ask::history(&config.agent, json, context),
        Some(Ask::Recheck) => ask::recheck(&config.agent, json, context),
        // Run before the configuration was loaded.
        Some(Ask::Install(_) | Ask::Uninstall | Ask::Protect(_)) => Ok(()),
        None if args.check => check::run(config, json, context),
        None => start(config, json, context),
    }
}

fn start(config: &Config, json: bool, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    // Before anything is opened.
    keytab::settle(config)?;
    let Opened { group, endpoint, metrics } = open_and_become_user(&config.agent)?;
    let journal = config.journal.as_ref().ok_or(JournalError::NoFolder)?;
    look_at(journal)?;
    // Kept until the end, for the next one to find.
    let found = other_agent::look(&card_service::socket());
    say_of_other_agent(&found);
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
    // The agent has gone on where standard output failed, since cards matter more; that it failed is told only now.
    result.and(feed.map_or(Ok(()), |feed| feed.finish(context)))
}

/// Without a journal no card is written to, and that is better known now than at the first card. One that can't be written now (a
/// full disk, a folder that is not mounted yet) is waited for by each card's job.
fn look_at(journal: &Journal) -> Result<(), JournalError> {
    match journal.probe() {
        Err(error @ JournalError::Io { .. }) => {
            tracing::warn!("{}: no card is written to until it can be; each card is tried again", error_text(&error));
            Ok(())
        }
        found => found,
    }
}

/// The journals of two agents don't know of each other: both would set a PIN on the same card, one after the other.
fn say_of_other_agent(found: &io::Result<Found>) {
    match found {
        Ok(Found::Nobody(_)) => {}
        Ok(Found::Other(other)) => tracing::warn!(
            "another agent ({other}) sees to the same cards, and each would set a PIN of its own on them: stop one of the two, for good \
             with `systemctl disable --now pinwright-agent` or `systemctl --user disable --now pinwright-agent`"
        ),
        Err(error) => tracing::debug!("whether there is another agent is not known: {error}"),
    }
}

/// Sockets that were opened with the rights of whoever started the agent.
struct Opened {
    group: Option<Group>,
    endpoint: Option<Endpoint>,
    metrics: Option<MetricsServer>,
}

/// Opens the sockets and then becomes the configured user: only root may do either for that user.
fn open_and_become_user(settings: &Settings) -> Result<Opened, CliError> {
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
        // With the user the kernel sets anew who may look into the process (PR_SET_DUMPABLE in prctl(2)), so that is
        // forbidden once more.
        if let Err(error) = process::harden() {
            tracing::warn!("{}", error_text(&error));
        }
        tracing::info!("working as user {}", account.name);
    } else if account::is_root() {
        tracing::warn!("working as root: set `agent.user` to a user of its own");
    }
    Ok(Opened { group, endpoint, metrics })
}

/// Serves until it is asked to end; running jobs are then given time to bring their cards to a good end.
fn serve(config: &Config, journal: &Journal, mailbox: Mailbox) -> Result<(), CliError> {
    let service = Arc::new(PcscReaders::new(config.reader_timeout));
    let jobs = JobContext {
        visible_requests: config.agent.visible_requests,
        readers: service.clone(),
        services: Arc::new(ConfiguredServices::new(config)?),
        journal: journal.clone(),
        rules: config.rules.clone(),
        families: config.families.clone(),
        keys: config.enroll.clone(),
        on_insert: config.agent.on_insert,
        begun: Mutex::default(),
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
