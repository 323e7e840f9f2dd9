//! `pinwright agent --check`: what the agent would stumble over, found before it starts.

mod metrics;
mod running_as;

use std::path::Path;

use serde::Serialize;

use self::running_as::RunningAs;
use crate::agent::settings::MetricsAddress;
use crate::cli::context::CommandContext;
use crate::cli::error::CliError;
use crate::cli::error::agent::{AgentError, Check};
use crate::cli::json::Head;
use crate::config::{Config, SecretFile};
use crate::error_text::error_text;
use crate::job::journal::{Journal, JournalError};
use crate::job::secrets::Need;
use crate::os::account::{self, Account, Group};
use crate::os::files::{self, can_create_in, open_regular, refuse_readable, refuse_writable};
use crate::os::service::credentials;
use crate::reader::pcsc::PcscReaders;
use crate::reader::{ReaderError, Readers};
use crate::server::auth::{Auth, SignInError, TokenSource};
use crate::server::{self, Client, Proxy, SetupError, TrustError};

pub(super) const SCHEMA: &str = "pinwright.agent-check/1";

/// Secrets of authorities, by the names of their keys.
const SECRETS: [(&str, Need); 5] = [
    ("card.admin_key", Need::AdminKey),
    ("card.puk", Need::Puk),
    ("card.admin_pin", Need::AdminPin),
    ("card.resetting_code", Need::ResettingCode),
    ("card.current_pin", Need::CurrentPin),
];

/// `pinwright.agent-check/1`, where all is well.
#[derive(Serialize)]
struct CheckedObject<'a> {
    #[serde(flatten)]
    head: Head,
    checks: &'a [Check],
}

/// What was found, one entry for each thing that was looked at.
#[derive(Default)]
struct Checks(Vec<Check>);

impl Checks {
    fn add(&mut self, check: &'static str, result: Result<String, String>) {
        let ok = result.is_ok();
        let detail = result.unwrap_or_else(|reason| match reason.strip_prefix(check) {
            // Some errors name the key themselves, and it is not named twice.
            Some(rest) => rest.trim_start_matches(": ").to_owned(),
            None => reason,
        });
        self.0.push(Check { check, ok, detail });
    }
}

/// Checks as the user that the agent works as. Sends nothing to any server and touches no card.
///
/// # Errors
/// [`AgentError::Check`] where something is not well, and [`CliError::Output`].
pub(super) fn run(config: &Config, json: bool, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    // Of stand-ins for readers no unit knows.
    let running_as = if context.readers.is_none() { RunningAs::of(config) } else { RunningAs::here() };
    let config = &running_as.configured(config, &context.environment)?;
    let Checks(checks) = look(config, &running_as, context.readers);
    if checks.iter().any(|check| !check.ok) {
        // With `--json` the error's object holds the checks.
        if !json {
            print(&checks, context)?;
        }
        return Err(AgentError::Check(checks).into());
    }
    if json {
        return context.print_json(&CheckedObject { head: Head { schema: SCHEMA, outcome: "ok" }, checks: &checks });
    }
    print(&checks, context)
}

/// Looks at everything. What comes after `agent.user` is looked at with that user's rights, and not at all where it can't be
/// become.
fn look(config: &Config, running_as: &RunningAs, readers: Option<&dyn Readers>) -> Checks {
    let mut report = Checks::default();
    let settings = &config.agent;
    report.add("configuration", Ok("can be used".to_owned()));
    if let Some(told) = running_as.told() {
        report.add("unit", Ok(told));
    }
    let user = running_as.user(config);
    if let Some(name) = &settings.control_group {
        let belongs = |group| running_as.belongs(user, group).map_err(|why| format!("{name}: {why}"));
        report.add("agent.control_group", Group::named(name).map_err(text).and_then(belongs).map(|()| name.clone()));
    }
    let is_root = account::is_root();
    // An agent that runs may be this one, or the system's.
    let controls = [settings.control.as_deref(), settings.control_of_system.as_deref()];
    let mut metrics = match &settings.metrics {
        Some(MetricsAddress::Loopback(address)) => Some(metrics::address(*address, &controls)),
        Some(MetricsAddress::Socket(_)) | None => None,
    };
    let seen = work_as(user);
    let seen_well = seen.is_ok();
    report.add("agent.user", seen);
    if seen_well {
        report.add("agent.control", Ok(control(settings.control.as_deref())));
        report.add("PC/SC", card_service(config, readers));
        if let Some(MetricsAddress::Socket(path)) = &settings.metrics {
            metrics = Some(metrics::socket(path, settings.control.as_deref(), is_root));
        }
        if let Some(found) = metrics {
            report.add("agent.metrics", found);
        }
        report.add("journal", journal(config.journal.as_ref(), running_as));
        let of_agent = config.server_of_agent();
        report.add("server", server(of_agent.as_ref(), running_as));
        if let Some(server) = &of_agent {
            report.add("server.auth", auth(&server.auth, settings.keytab.as_ref(), running_as));
        }
        for (name, need) in SECRETS {
            if let Some(file) = config.sources.of(need) {
                report.add(name, secret_file(file, running_as));
            }
        }
        if let Some(program) = &settings.pinentry {
            report.add("agent.pinentry", running_as.sees(program).and_then(|()| pinentry(program)));
        }
    }
    report
}

fn print(checks: &[Check], context: &mut CommandContext<'_>) -> Result<(), CliError> {
    for Check { check, ok, detail } in checks {
        context.print(&format!("{} {check:<19} {detail}", if *ok { "ok  " } else { "FAIL" }))?;
    }
    Ok(())
}

fn work_as(name: Option<&str>) -> Result<String, String> {
    match name.map(Account::to_become).transpose().map_err(text)?.flatten() {
        Some(account) => account.become_it().map(|()| account.name).map_err(text),
        None => Ok(account::own_name().unwrap_or_else(|| "a user without a name".to_owned())),
    }
}

/// Where the agent would listen. An agent without such a running_as works, and can't be asked, so its lack is no fault.
fn control(path: Option<&Path>) -> String {
    path.map_or("none: set `agent.control`, or XDG_RUNTIME_DIR in the environment".to_owned(), |path| {
        path.display().to_string()
    })
}

/// Whether the PC/SC service takes the agent in. One that does not run is waited for, so that is no fault. No card is touched.
fn card_service(config: &Config, readers: Option<&dyn Readers>) -> Result<String, String> {
    let found = match readers {
        Some(readers) => readers.list(),
        None => PcscReaders::new(config.reader_timeout).list(),
    };
    match found {
        Ok(_) => Ok("answers".to_owned()),
        Err(error @ ReaderError::AccessDenied) => Err(format!(
            "{error}: {} (packaging/polkit/50-pinwright.rules, which belongs into /etc/polkit-1/rules.d)",
            error.remedy()
        )),
        Err(error) if error.needs_a_person() => Err(format!("{error}: {}", error.remedy())),
        Err(error) => Ok(format!("waited for: {error}")),
    }
}

/// Whether the journal can be kept. A folder that is not there is not made, since it would belong to whoever checks.
fn journal(journal: Option<&Journal>, running_as: &RunningAs) -> Result<String, String> {
    let journal = journal.ok_or("no running_as for it: set `journal.dir`")?;
    let folder = journal.folder();
    running_as.writes(folder)?;
    if folder.exists() {
        journal.probe().map_err(|error| match &error {
            JournalError::Exposed { source, .. } => with_remedy(&error, source.remedy()),
            error => error_text(error),
        })?;
        return Ok(folder.display().to_string());
    }
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    match can_create_in(there) {
        Ok(()) => Ok(format!("{} (will be made)", folder.display())),
        Err(error) => Err(format!("{} can't be made in {}: {error}", folder.display(), there.display())),
    }
}

fn server(settings: Option<&server::Settings>, running_as: &RunningAs) -> Result<String, String> {
    let settings = settings.ok_or("none: set `server.url`")?;
    settings.ca_file.as_deref().map_or(Ok(()), |file| running_as.sees(file))?;
    if let Some(identity) = &settings.identity {
        running_as.sees(&identity.certificate)?;
        match &identity.key {
            TokenSource::File(file) => running_as.sees(file)?,
            TokenSource::Credential(name) if credentials().is_none() => return Ok(only_in_the_unit(name)),
            TokenSource::Credential(_) => {}
        }
    }
    if let Some(Proxy { credentials: Some((_, TokenSource::File(file))), .. }) = &settings.proxy {
        running_as.sees(file)?;
    }
    Client::new(settings).map_err(|error| match &error {
        SetupError::Trust(TrustError::Exposed { source, .. }) => with_remedy(&error, source.remedy()),
        SetupError::Identity(cause) => with_remedy(&error, cause.remedy()),
        SetupError::Http(cause) => with_remedy(&error, cause.remedy()),
        SetupError::Trust(_) => error_text(&error),
    })?;
    let trust =
        settings.ca_file.as_ref().map_or("the system's authorities".to_owned(), |file| file.display().to_string());
    Ok(format!("{} (trusting {trust}; not called)", settings.url))
}

fn auth(auth: &Auth, keytab: Option<&TokenSource>, running_as: &RunningAs) -> Result<String, String> {
    if let Auth::Adfs(adfs) = auth {
        running_as.sees(adfs.token_file())?;
    }
    let source = match auth {
        Auth::Bearer(source) => Some(source),
        _ => keytab,
    };
    match source {
        Some(TokenSource::Credential(name)) if credentials().is_none() => return Ok(only_in_the_unit(name)),
        Some(TokenSource::File(file)) => running_as.sees(file)?,
        Some(TokenSource::Credential(_)) | None => {}
    }
    auth.check().map_err(|error| match &error {
        SignInError::Token(token) => match token.remedy_of_rights() {
            Some(remedy) => with_remedy(&error, remedy),
            None => error_text(&error),
        },
        SignInError::Kerberos(_) | SignInError::Adfs(_) => with_remedy(&error, error.remedy()),
    })
}

fn only_in_the_unit(credential: &str) -> String {
    format!("credential {credential}: systemd gives it to the unit alone, not looked at here")
}

/// Whether a secret's file can be opened, and by nobody else. It is not read, since nothing is done with the secret here.
fn secret_file(file: &SecretFile, running_as: &RunningAs) -> Result<String, String> {
    let path = match (file, credentials()) {
        (SecretFile::Path(path), _) => path.clone(),
        (SecretFile::Credential(name), Some(folder)) => folder.join(name),
        (SecretFile::Credential(name), None) => return Ok(only_in_the_unit(name)),
    };
    running_as.sees(&path)?;
    let opened = open_regular(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let is_private = refuse_writable(&opened, &path).and_then(|()| refuse_readable(&opened, &path));
    is_private.map_err(|exposure| with_remedy(&exposure, exposure.remedy()))?;
    Ok(path.display().to_string())
}

fn pinentry(program: &Path) -> Result<String, String> {
    files::program(program)
        .map(|_| program.display().to_string())
        .ok_or_else(|| format!("{} is not there, or is no program", program.display()))
}

/// An error and what to do about it.
fn with_remedy(error: &dyn std::error::Error, remedy: String) -> String {
    format!("{}; {remedy}", error_text(error))
}

fn text(error: impl std::error::Error) -> String {
    error_text(&error)
}
