//! `[agent]` as it is written, and as it is checked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::{ConfigError, value};
use super::folders::Environment;
use super::secret_file;
use crate::agent::settings::{MetricsAddress, OnInsert, Settings};
use crate::os::account::is_root;
use crate::os::{endpoint, service};
use crate::server::auth::{Identity, OwnMeans};

/// The socket's name in the folder of a unit.
const SOCKET: &str = "agent.sock";

/// A path longer than this is no address of a Unix socket (unix(7): 108 bytes with the closing zero).
const SOCKET_MAX: usize = 107;

/// Whose requests are worked on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Requests {
    /// The agent's own.
    #[default]
    #[serde(alias = "approved")]
    Own,
    /// All that it may see.
    Visible,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Agent {
    pub on_insert: OnInsert,
    pub requests: Requests,
    pub job_timeout: String,
    pub stop_timeout: String,
    pub recheck: [String; 2],
    pub retry: [String; 2],
    pub pinentry: Option<PathBuf>,
    pub pinentry_timeout: String,
    pub control: Option<PathBuf>,
    pub control_group: Option<String>,
    pub user: Option<String>,
    pub metrics: Option<String>,
    pub keytab_file: Option<PathBuf>,
    pub keytab_credential: Option<String>,
    pub principal: Option<String>,
    pub adfs_client_id: Option<String>,
    pub adfs_certificate_file: Option<PathBuf>,
    pub adfs_key_file: Option<PathBuf>,
    pub adfs_key_credential: Option<String>,
}

impl Default for Agent {
    fn default() -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            on_insert: OnInsert::default(),
            requests: Requests::default(),
            job_timeout: text("3min"),
            stop_timeout: text("30s"),
            recheck: [text("30s"), text("15min")],
            retry: [text("2s"), text("5min")],
            pinentry: None,
            pinentry_timeout: text("2min"),
            control: None,
            control_group: None,
            user: None,
            metrics: None,
            keytab_file: None,
            keytab_credential: None,
            principal: None,
            adfs_client_id: None,
            adfs_certificate_file: None,
            adfs_key_file: None,
            adfs_key_credential: None,
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

impl Agent {
    /// Whether a key of AD FS is set.
    pub(super) fn is_configured_for_adfs(&self) -> bool {
        self.adfs_client_id.is_some()
            || self.adfs_certificate_file.is_some()
            || self.adfs_key_file.is_some()
            || self.adfs_key_credential.is_some()
    }

    /// Checks the section; `environment` says where the control socket is where the configuration does not.
    ///
    /// # Errors
    /// [`ConfigError::Value`] with the key.
    pub(super) fn settings(self, environment: Environment<'_>) -> Result<Settings, ConfigError> {
        let [recheck_first, recheck_longest] = pauses("agent.recheck", &self.recheck, SECOND, DAY)?;
        let [retry_first, retry_longest] = pauses("agent.retry", &self.retry, SECOND / 10, HOUR)?;
        let (control, control_of_system) = control(self.control, environment)?;
        let control_group = self.control_group.map(|name| account("agent.control_group", name)).transpose()?;
        // Its folder is a person's own: no other member could get there, and the person need not be one.
        let is_of_person = environment.folder("XDG_RUNTIME_DIR").zip(control.as_ref());
        let is_of_person = is_of_person.is_some_and(|(folder, socket)| socket.starts_with(folder));
        let keytab = secret_file(
            self.keytab_file,
            self.keytab_credential,
            "set only one of agent.keytab_file and agent.keytab_credential",
        )?;
        let certificate = certificate(self.adfs_certificate_file, self.adfs_key_file, self.adfs_key_credential)?;
        if keytab.is_some() && certificate.is_some() {
            return Err(ConfigError::Conflict(
                "the agent signs in at AD FS with a keytab or with a certificate: set agent.keytab_… or agent.adfs_certificate_file, and \
                 not both",
            ));
        }
        if self.adfs_client_id.is_some() && keytab.is_none() && certificate.is_none() {
            return Err(value(
                "agent.adfs_client_id",
                "it is for a sign-in of the agent's own: set agent.keytab_file or agent.adfs_certificate_file",
            ));
        }
        if self.principal.is_some() && keytab.is_none() {
            return Err(value(
                "agent.principal",
                "it is for a keytab: set agent.keytab_file or agent.keytab_credential",
            ));
        }
        Ok(Settings {
            on_insert: self.on_insert,
            visible_requests: self.requests == Requests::Visible,
            job_timeout: span("agent.job_timeout", &self.job_timeout, 10 * SECOND, HOUR)?,
            stop_timeout: span("agent.stop_timeout", &self.stop_timeout, SECOND, 10 * MINUTE)?,
            recheck_first,
            recheck_longest,
            retry_first,
            retry_longest,
            pinentry: self.pinentry.map(pinentry).transpose()?,
            // The pinentry protocol counts its timeout in whole seconds.
            pinentry_timeout: span("agent.pinentry_timeout", &self.pinentry_timeout, 10 * SECOND, HOUR)?,
            control,
            control_of_system,
            control_group: control_group.filter(|_| !is_of_person),
            user: self.user.map(|name| account("agent.user", name)).transpose()?,
            metrics: self.metrics.as_deref().map(metrics).transpose()?,
            own: OwnMeans {
                keytab: keytab.map(Into::into),
                principal: self.principal.map(principal).transpose()?,
                certificate,
                client_id: self.adfs_client_id,
            },
        })
    }
}

/// The certificate for AD FS, and its key.
fn certificate(
    certificate: Option<PathBuf>,
    key_file: Option<PathBuf>,
    key_credential: Option<String>,
) -> Result<Option<Identity>, ConfigError> {
    let key =
        secret_file(key_file, key_credential, "set only one of agent.adfs_key_file and agent.adfs_key_credential")?;
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(Identity { certificate, key: key.into() })),
        _ => Err(ConfigError::Conflict(
            "a certificate and its key go together: agent.adfs_certificate_file with agent.adfs_key_file or agent.adfs_key_credential",
        )),
    }
}

/// The first and the longest of a series of pauses, each twice as long as the one before.
fn pauses(
    key: &'static str,
    texts: &[String; 2],
    least: Duration,
    most: Duration,
) -> Result<[Duration; 2], ConfigError> {
    let [first, longest] = texts;
    let pauses = [span(key, first, least, most)?, span(key, longest, least, most)?];
    if pauses[0] > pauses[1] {
        return Err(value(key, "[first, longest]: the first pause is not longer than the longest"));
    }
    Ok(pauses)
}

fn span(key: &'static str, text: &str, least: Duration, most: Duration) -> Result<Duration, ConfigError> {
    let span = humantime::parse_duration(text).map_err(|error| value(key, &error.to_string()))?;
    if span < least || span > most {
        let (least, most) = (humantime::format_duration(least), humantime::format_duration(most));
        return Err(value(key, &format!("between {least} and {most}")));
    }
    Ok(span)
}

/// Checks the program: a name, which is looked up in PATH, or a whole path. A relative path is refused, since it would depend
/// on where the agent was started.
fn pinentry(program: PathBuf) -> Result<PathBuf, ConfigError> {
    let is_name = program.components().count() == 1 && !program.to_string_lossy().contains('/');
    if program.as_os_str().is_empty() || !(is_name || program.is_absolute()) {
        return Err(value("agent.pinentry", "the whole path of a program, or its name alone"));
    }
    Ok(program)
}

/// Checks the name of a user or group. A number is refused, since a number needs no account.
fn account(key: &'static str, name: String) -> Result<String, ConfigError> {
    let starts = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit() && byte != b'-');
    if !starts || name.len() > 255 || name.bytes().any(|byte| byte <= b' ' || matches!(byte, b':' | b'/' | 0x7F)) {
        return Err(value(key, "the name of an account"));
    }
    Ok(name)
}

/// Checks the name of a principal as far as it is one word.
fn principal(name: String) -> Result<String, ConfigError> {
    if name.is_empty() || name.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return Err(value("agent.principal", "a principal as `klist -k` lists it, HOST$@CONTOSO.COM"));
    }
    Ok(name)
}

/// Where the agent listens, and where the commands look next if the first place was not configured.
fn control(
    configured: Option<PathBuf>,
    environment: Environment<'_>,
) -> Result<(Option<PathBuf>, Option<PathBuf>), ConfigError> {
    if let Some(path) = configured {
        return Ok((Some(socket("agent.control", path)?), None));
    }
    let system = endpoint::of_system();
    // systemd separates several folders of one unit with colons.
    let of_unit = environment
        .folder("RUNTIME_DIRECTORY")
        .and_then(|folders| folders.to_string_lossy().split(':').next().map(|folder| Path::new(folder).join(SOCKET)));
    let own = match of_unit {
        Some(path) => Some(path),
        None if is_root() || service::is_one() => Some(system.clone()),
        None => endpoint::of_user(&|name| environment.folder(name)),
    };
    let own = own.filter(|path| path.is_absolute() && path.as_os_str().len() <= SOCKET_MAX);
    let next = (own.as_ref() != Some(&system)).then_some(system);
    Ok((own, next))
}

fn socket(key: &'static str, path: PathBuf) -> Result<PathBuf, ConfigError> {
    if !endpoint::is_place(&path) {
        return Err(value(key, endpoint::PLACE));
    }
    if path.as_os_str().len() > SOCKET_MAX {
        return Err(value(key, &format!("a socket's path has at most {SOCKET_MAX} bytes")));
    }
    Ok(path)
}

/// Checks where the metrics are served: a Unix socket or a loopback address, since they say of a workplace what is nobody
/// else's business.
fn metrics(text: &str) -> Result<MetricsAddress, ConfigError> {
    const KEY: &str = "agent.metrics";
    if let Some(path) = text.strip_prefix("unix:").filter(|_| endpoint::HAS_SOCKETS) {
        return socket(KEY, PathBuf::from(path)).map(MetricsAddress::Socket);
    }
    let address: SocketAddr = text.parse().map_err(|_| value(KEY, endpoint::METRICS_PLACE))?;
    if !address.ip().is_loopback() {
        return Err(value(KEY, "only a loopback address: the figures are for this machine alone"));
    }
    Ok(MetricsAddress::Loopback(address))
}
