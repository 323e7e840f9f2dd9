//! `pinwright agent install`, `uninstall` and `protect`: the agent as a service of Windows, and its credentials.

use std::io::{IsTerminal as _, Read as _};
use std::sync::atomic::Ordering;

use clap::Args;
use serde::Serialize;

use crate::cli::context::CommandContext;
use crate::cli::error::CliError;
use crate::cli::error::agent::AgentError;
use crate::cli::json::Head;
use crate::operation::Operation;
use crate::os::credential;
use crate::os::prompt::{Terminal, is_interactive};
use crate::os::service;
use crate::os::service::installation::{self, Installed};
use crate::secret::SecretBytes;

pub(super) const SCHEMA: &str = Operation::AgentInstall.schema();

/// Whether these commands do something on this system.
pub(super) const IS_POSSIBLE: bool = installation::IS_POSSIBLE;

/// How the agent becomes a service.
#[derive(Debug, Args)]
pub(super) struct InstallArgs {
    /// Work as this group managed service account instead of NT SERVICE\pinwright.
    #[arg(long, value_name = "DOMAIN\\NAME$")]
    account: Option<String>,
}

/// Which credential to keep.
#[derive(Debug, Args)]
pub(super) struct ProtectArgs {
    /// The credential's name, as `…_credential` in the configuration names it.
    name: String,
}

#[derive(Serialize)]
struct InstalledObject<'a> {
    #[serde(flatten)]
    head: Head,
    account: &'a str,
    configuration: String,
    journal: String,
}

#[derive(Serialize)]
struct ProtectedObject {
    #[serde(flatten)]
    head: Head,
    file: String,
}

pub(super) fn install(args: &InstallArgs, json: bool, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    let Installed { account, configuration, journal } =
        installation::install(args.account.as_deref()).map_err(AgentError::Installation)?;
    let (configuration, journal) = (configuration.display().to_string(), journal.display().to_string());
    if json {
        let head = Head::done(SCHEMA);
        return context.print_json(&InstalledObject { head, account: &account, configuration, journal });
    }
    context.print(&format!("The agent is a service of this machine, as {account}. It starts with the machine."))?;
    context.print(&format!("Configuration: {configuration}"))?;
    context.print(&format!("Journal: {journal}"))?;
    context.print(&format!("Start it now: {}", service::START))
}

pub(super) fn uninstall(json: bool, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    installation::uninstall().map_err(AgentError::Installation)?;
    if json {
        return context.print_json(&Head::done(SCHEMA));
    }
    context.print("The service is removed. Configuration and journal stay.")
}

pub(super) fn protect(args: &ProtectArgs, json: bool, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    let failed = |what| move |source| CliError::System { what, source };
    let secret = if std::io::stdin().is_terminal() {
        asked(context).map_err(failed("the secret can't be asked for"))?
    } else {
        piped().map_err(failed("the secret can't be read from standard input"))?
    };
    let path = credential::keep(&args.name, &secret).map_err(AgentError::Credential)?;
    let file = path.display().to_string();
    if json {
        return context.print_json(&ProtectedObject { head: Head::done(SCHEMA), file });
    }
    context.print(&format!("The credential is kept in {file}, readable on this machine alone."))
}

fn asked(context: &CommandContext<'_>) -> std::io::Result<SecretBytes> {
    if !(context.may_prompt && is_interactive()) {
        return Err(std::io::Error::other("there is no terminal to ask on"));
    }
    let mut go_on = || !context.interrupted.load(Ordering::Relaxed);
    let secret = Terminal::open()?.long_secret("The credential's secret: ", &mut go_on)?;
    secret.ok_or_else(|| std::io::ErrorKind::Interrupted.into())
}

/// All that comes, as it is.
fn piped() -> std::io::Result<SecretBytes> {
    let mut secret = SecretBytes::with_capacity(credential::MOST);
    let mut piece = zeroize::Zeroizing::new([0_u8; 1024]);
    let mut input = std::io::stdin().lock();
    loop {
        let read = input.read(piece.as_mut_slice())?;
        if read == 0 {
            return Ok(secret);
        }
        if !secret.append(piece.get(..read).unwrap_or_default()) {
            return Err(std::io::Error::other(format!("it is longer than {} KiB", credential::MOST / 1024)));
        }
    }
}
