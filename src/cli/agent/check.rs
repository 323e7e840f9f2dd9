//! `pinwright agent --check`: what the agent would stumble over, found before it starts.

mod metrics;

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::AgentError;
use crate::agent::settings::MetricsAddress;
use crate::cli::error::CliError;
use crate::cli::world::World;
use crate::config::{Config, SecretFile};
use crate::job::journal::Journal;
use crate::job::secrets::Need;
use crate::os::account::{self, Account, Group};
use crate::os::files::{can_create_in, open_regular};
use crate::server::auth::{Auth, TokenSource};
use crate::server::{self, Client};

pub(super) const SCHEMA: &str = "pinwright.agent-check/1";

/// Secrets of authorities, by the names of their keys.
const SECRETS: [(&str, Need); 5] = [
    ("card.admin_key", Need::AdminKey),
    ("card.puk", Need::Puk),
    ("card.admin_pin", Need::AdminPin),
    ("card.resetting_code", Need::ResettingCode),
    ("card.current_pin", Need::CurrentPin),
];

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// One for each thing that was looked at.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub check: &'static str,
    /// Whether the agent can work with it.
    pub ok: bool,
    /// What was found, and what to do where it is not well.
    pub detail: String,
}

impl Report {
    fn add(&mut self, check: &'static str, result: Result<String, String>) {
        let ok = result.is_ok();
        let detail = result.unwrap_or_else(|reason| match reason.strip_prefix(check) {
            // Some errors name the key themselves.
            Some(rest) => rest.trim_start_matches(": ").to_owned(),
            None => reason,
        });
        self.checks.push(Check { check, ok, detail });
    }

    /// The names of what is not well.
    #[must_use]
    pub fn failed(&self) -> String {
        let failed: Vec<&str> = self.checks.iter().filter(|check| !check.ok).map(|check| check.check).collect();
        failed.join(", ")
    }
}

/// Looks, as the user that the agent works as. Sends nothing to any server and touches no card.
pub(super) fn run(config: &Config, json: bool, world: &mut World<'_>) -> Result<(), CliError> {
    let mut report = Report::default();
    let settings = &config.agent;
    report.add("configuration", Ok("can be used".to_owned()));
    if let Some(name) = &settings.control_group {
        report.add("agent.control_group", Group::named(name).map(|_| name.clone()).map_err(text));
    }
    let is_root = account::is_root();
    let mut metrics = match &settings.metrics {
        Some(MetricsAddress::Loopback(address)) => Some(metrics::address(*address, settings.control.as_deref())),
        Some(MetricsAddress::Socket(_)) | None => None,
    };
    // What follows is looked at with the rights of the agent's user.
    let seen = work_as(settings.user.as_deref());
    let seen_well = seen.is_ok();
    report.add("agent.user", seen);
    if seen_well {
        report.add("agent.control", Ok(control(settings.control.as_deref())));
        if let Some(MetricsAddress::Socket(path)) = &settings.metrics {
            metrics = Some(metrics::socket(path, settings.control.as_deref(), is_root));
        }
        if let Some(found) = metrics {
            report.add("agent.metrics", found);
        }
        report.add("journal", journal(config.journal.as_ref()));
        report.add("server", server(config.server.as_ref()));
        if let Some(server) = &config.server {
            report.add("server.auth", auth(&server.auth));
        }
        for (name, need) in SECRETS {
            if let Some(file) = config.sources.of(need) {
                report.add(name, secret_file(file));
            }
        }
        if let Some(program) = &settings.pinentry {
            report.add("agent.pinentry", pinentry(program));
        }
    }
    if report.checks.iter().any(|check| !check.ok) {
        if !json {
            print(&report, world)?;
        }
        // The error's JSON has all checks.
        return Err(AgentError::Check(report).into());
    }
    if json {
        return world.print_json(&serde_json::json!({"schema": SCHEMA, "outcome": "ok", "checks": report.checks}));
    }
    print(&report, world)
}

fn print(report: &Report, world: &mut World<'_>) -> Result<(), CliError> {
    for Check { check, ok, detail } in &report.checks {
        world.print(&format!("{} {check:<19} {detail}", if *ok { "ok  " } else { "FAIL" }))?;
    }
    Ok(())
}

fn work_as(name: Option<&str>) -> Result<String, String> {
    match name.map(Account::to_become).transpose().map_err(text)?.flatten() {
        Some(account) => account.become_it().map(|()| account.name).map_err(text),
        None => Ok(account::own_name().unwrap_or_else(|| "a user without a name".to_owned())),
    }
}

/// An agent without one works, and can't be asked.
fn control(path: Option<&Path>) -> String {
    path.map_or("none: set `agent.control`, or XDG_RUNTIME_DIR in the environment".to_owned(), |path| {
        path.display().to_string()
    })
}

/// Makes nothing: a folder that is made here would belong to whoever checks.
fn journal(journal: Option<&Journal>) -> Result<String, String> {
    let journal = journal.ok_or("no place for it: set `journal.dir`")?;
    let folder = journal.folder();
    if folder.exists() {
        journal.probe().map_err(text)?;
        return Ok(folder.display().to_string());
    }
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    match can_create_in(there) {
        Ok(()) => Ok(format!("{} (will be made)", folder.display())),
        Err(error) => Err(format!("{} can't be made in {}: {error}", folder.display(), there.display())),
    }
}

fn server(settings: Option<&server::Settings>) -> Result<String, String> {
    let settings = settings.ok_or("none: set `server.url`")?;
    Client::new(settings).map_err(text)?;
    let trust =
        settings.ca_file.as_ref().map_or("the system's authorities".to_owned(), |file| file.display().to_string());
    Ok(format!("{} (trusting {trust}; not called)", settings.url))
}

fn auth(auth: &Auth) -> Result<String, String> {
    match auth {
        Auth::Bearer(TokenSource::Credential(name)) if credentials().is_none() => Ok(only_in_the_unit(name)),
        auth => auth.check().map(str::to_owned).map_err(text),
    }
}

fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

fn only_in_the_unit(credential: &str) -> String {
    format!("credential {credential}: systemd gives it to the unit alone, not looked at here")
}

/// Opens the file and does not read it: no secret is needed yet.
fn secret_file(file: &SecretFile) -> Result<String, String> {
    let path = match (file, credentials()) {
        (SecretFile::Path(path), _) => path.clone(),
        (SecretFile::Credential(name), Some(folder)) => folder.join(name),
        (SecretFile::Credential(name), None) => return Ok(only_in_the_unit(name)),
    };
    open_regular(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path.display().to_string())
}

fn pinentry(program: &Path) -> Result<String, String> {
    ::pinentry::PassphraseInput::with_binary(program)
        .map(|_| program.display().to_string())
        .ok_or_else(|| format!("{} is not there, or is no program", program.display()))
}

/// With its causes.
fn text(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(current) = cause {
        let said = current.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = current.source();
    }
    text
}
