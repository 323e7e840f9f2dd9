//! What is the agent's alone: its unit, its user and group, its sockets, its pinentry.

use std::path::Path;

use super::finding::{Fault, Findings, Name, Probe};
use super::metrics;
use super::running_as::RunningAs;
use crate::agent::settings::MetricsAddress;
use crate::config::Config;
use crate::error_text::error_text;
use crate::os::account::{self, Account, AccountError, Group};
use crate::os::files;

/// One line for each. What comes after `agent.user` is looked at with that user's rights; gives whether it could be become.
pub(super) fn tell(config: &Config, running_as: &RunningAs, findings: &mut Findings) -> bool {
    let settings = &config.agent;
    if let Some(told) = running_as.told() {
        findings.ok(Probe::Unit, told);
    }
    let user = running_as.user(config);
    if let Some(name) = &settings.control_group {
        findings.result(Probe::ControlGroup, control_group(name, user, running_as));
    }
    let is_root = account::is_root();
    // An agent that runs may be this one, or the system's.
    let controls = [settings.control.as_deref(), settings.control_of_system.as_deref()];
    let mut served = match &settings.metrics {
        Some(MetricsAddress::Loopback(address)) => Some(metrics::address(*address, &controls)),
        Some(MetricsAddress::Socket(_)) | None => None,
    };
    let working_as = work_as(user);
    let is_that_user = working_as.is_ok();
    if let Ok(name) = &working_as {
        findings.name(Name::User(name.clone()));
    }
    findings.result(Probe::User, working_as);
    if is_that_user {
        findings.ok(Probe::Control, control(settings.control.as_deref()));
        if let Some(MetricsAddress::Socket(path)) = &settings.metrics {
            served = Some(metrics::socket(path, settings.control.as_deref(), is_root));
        }
    }
    if let Some(served) = served {
        let place = "set `agent.metrics` to a place that is free";
        findings.result(Probe::Metrics, served.map_err(|reason| Fault::new(reason, place)));
    }
    if let (true, Some(program)) = (is_that_user, &settings.pinentry) {
        findings.result(Probe::Pinentry, running_as.sees(program).and_then(|()| pinentry(program)));
    }
    is_that_user
}

fn control_group(name: &str, user: Option<&str>, running_as: &RunningAs) -> Result<String, Fault> {
    let group = Group::named(name).map_err(|error| Fault::new(error_text(&error), account_remedy(&error)))?;
    let belongs = running_as.belongs(user, group);
    belongs.map(|()| name.to_owned()).map_err(|fault| Fault::new(format!("{name}: {}", fault.reason), fault.remedy))
}

fn work_as(name: Option<&str>) -> Result<String, Fault> {
    let fault = |error: AccountError| Fault::new(error_text(&error), account_remedy(&error));
    match name.map(Account::to_become).transpose().map_err(fault)?.flatten() {
        Some(account) => account.become_it().map(|()| account.name).map_err(fault),
        None => Ok(account::own_name().unwrap_or_else(|| "a user without a name".to_owned())),
    }
}

fn account_remedy(error: &AccountError) -> String {
    match error {
        AccountError::Unknown { .. } | AccountError::Lookup { .. } => account::CREATE.to_owned(),
        AccountError::NotRoot { name } => format!("ask as root or as {name}"),
        AccountError::Refused { .. } => "ask as that user".to_owned(),
        AccountError::Regained { .. } => "report this; start the agent as that user meanwhile".to_owned(),
        AccountError::NotHere(_) => account::instead(),
    }
}

/// Where the agent would listen. An agent without such a place works, and can't be asked, so its lack is no fault.
fn control(path: Option<&Path>) -> String {
    path.map_or("none: set `agent.control`, or XDG_RUNTIME_DIR in the environment".to_owned(), |path| {
        path.display().to_string()
    })
}

fn pinentry(program: &Path) -> Result<String, Fault> {
    files::program(program).map(|_| program.display().to_string()).ok_or_else(|| {
        Fault::new(format!("{} is not there, or is no program", program.display()), "install it, or correct the key")
    })
}
