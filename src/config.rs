//! Configuration: files, environment and flags become one validated [`Config`]. Unknown keys are refused; a secret is given
//! by reference only.

mod agent;
mod environment;
mod message;
mod profiles;
mod raw;
mod source;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use url::Url;

use crate::card::family::Families;
use crate::card::profile::{Clash, ProfileError};
use crate::job::authority::Authority;
use crate::job::issuer::PinMaker;
use crate::job::journal::Journal;
use crate::job::secrets::Need;
use crate::provision::{AdminKeyRule, PinRouteRule, Rules};
use crate::server;

use profiles::Placed;
use raw::Raw;
use source::{Source, parse, read};

/// Everything that the program was told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The server; `None` where no `server.url` is set.
    pub server: Option<server::Settings>,
    /// How the PIN step decides.
    pub rules: Rules,
    /// What is known of cards.
    pub families: Families,
    /// Where secrets of the authorities come from.
    pub sources: Sources,
    /// Readers whose names contain one of these are not looked at.
    pub ignored_readers: Vec<String>,
    /// Deadline of one call to the PC/SC service.
    pub reader_timeout: Duration,
    /// Where the journal is kept; `None` where no folder is configured and the environment names none.
    pub journal: Option<Journal>,
    /// How the agent works.
    pub agent: crate::agent::Settings,
    /// What a person should know about the configuration.
    pub warnings: Vec<String>,
}

/// Files and credentials that hold secrets.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The local admin key, 48 hex digits.
    pub admin_key: Option<SecretFile>,
    /// The PUK of PIV cards.
    pub puk: Option<SecretFile>,
    /// The admin PIN (PW3) of OpenPGP cards.
    pub admin_pin: Option<SecretFile>,
    /// The resetting code of OpenPGP cards.
    pub resetting_code: Option<SecretFile>,
    /// The current (transport) PIN.
    pub current_pin: Option<SecretFile>,
}

impl Sources {
    /// Where this secret is kept, where the configuration says so.
    #[must_use]
    pub fn of(&self, need: Need) -> Option<&SecretFile> {
        match need {
            // Made anew for each card: never in a file.
            Need::NewPin => None,
            Need::CurrentPin => self.current_pin.as_ref(),
            Need::AdminKey => self.admin_key.as_ref(),
            Need::Puk => self.puk.as_ref(),
            Need::AdminPin => self.admin_pin.as_ref(),
            Need::ResettingCode => self.resetting_code.as_ref(),
        }
    }
}

/// Where a secret is kept.
#[derive(Debug, Clone)]
pub enum SecretFile {
    /// A file.
    Path(PathBuf),
    /// A systemd credential, by name.
    Credential(String),
}

/// A configuration that can't be used. Exit code 2.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file can't be read.
    #[error("{} can't be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong kind.
    #[error("{origin}: {message}")]
    Syntax {
        /// File and line, or the environment variable.
        origin: String,
        /// What is wrong.
        message: String,
    },
    /// A value that can't be.
    #[error("{key}: {message}")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong.
        message: String,
    },
    /// A card profile that can't work.
    #[error("{origin}: {problem}")]
    Profile {
        /// File and line.
        origin: String,
        /// Key, and what is wrong.
        problem: ProfileError,
    },
    /// Two card profiles that can't both be.
    #[error("{origin}: card profile {name:?} {clash} (the other is {other:?}: {other_origin})")]
    Profiles {
        /// File and line of the later one.
        origin: String,
        /// Its name.
        name: String,
        /// The earlier one's name.
        other: String,
        /// File and line of the earlier one.
        other_origin: String,
        /// Why.
        clash: Clash,
    },
    /// Keys that exclude each other, or one that needs another.
    #[error("{0}")]
    Conflict(&'static str),
}

impl Config {
    /// Reads `/etc/pinwright/config.toml` and the user's own, or `file` instead of both, then `PINWRIGHT_*` of the
    /// environment. Missing default files are passed over; a missing `file` is an error.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn load(file: Option<&Path>, environment: &[(String, OsString)]) -> Result<Self, ConfigError> {
        let mut source = Source::default();
        match file {
            Some(path) => source.overlay(read(path)?),
            None => {
                for path in default_files(environment).iter().filter(|path| path.exists()) {
                    source.overlay(read(path)?);
                }
            }
        }
        let (from_environment, warnings) = environment::table(environment)?;
        source.set(from_environment);
        let (raw, mut profiles) = source.finish()?;
        for path in &raw.card.profile_files {
            profiles.extend(profiles::read(path)?);
        }
        Self::validate(raw, profiles, environment, warnings)
    }

    /// A configuration from TOML text alone: files that it names are not read.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let (raw, profiles) = parse(text, "configuration")?.finish()?;
        Self::validate(raw, profiles, &[], Vec::new())
    }

    fn validate(
        raw: Raw,
        profiles: Vec<Placed>,
        environment: &[(String, OsString)],
        warnings: Vec<String>,
    ) -> Result<Self, ConfigError> {
        let profiles = profiles::unite(profiles)?;
        profiles::check_preferred(&raw.card.prefer, &profiles)?;
        Ok(Self {
            server: server_settings(&raw.server)?,
            rules: rules(&raw)?,
            sources: sources(&raw.card)?,
            families: Families {
                gids_limits: raw.card.gids_limits()?,
                prefer: raw.card.prefer,
                profiles,
                id_order: raw.card.id_order,
            },
            ignored_readers: raw.reader.ignore,
            reader_timeout: duration("reader.timeout", &raw.reader.timeout)?,
            journal: journal(raw.journal, environment)?,
            agent: raw.agent.settings(environment)?,
            warnings,
        })
    }
}

fn sources(card: &raw::Card) -> Result<Sources, ConfigError> {
    let file = |path: &Option<PathBuf>, credential: &Option<String>, conflict| {
        secret_file(path.clone(), credential.clone(), conflict)
    };
    Ok(Sources {
        admin_key: file(
            &card.admin_key_file,
            &card.admin_key_credential,
            "set only one of card.admin_key_file and card.admin_key_credential",
        )?,
        puk: file(&card.puk_file, &card.puk_credential, "set only one of card.puk_file and card.puk_credential")?,
        admin_pin: file(
            &card.admin_pin_file,
            &card.admin_pin_credential,
            "set only one of card.admin_pin_file and card.admin_pin_credential",
        )?,
        resetting_code: file(
            &card.resetting_code_file,
            &card.resetting_code_credential,
            "set only one of card.resetting_code_file and card.resetting_code_credential",
        )?,
        current_pin: file(
            &card.current_pin_file,
            &card.current_pin_credential,
            "set only one of card.current_pin_file and card.current_pin_credential",
        )?,
    })
}

fn rules(raw: &Raw) -> Result<Rules, ConfigError> {
    if raw.card.authority.is_empty() {
        let names: Vec<String> = Authority::ALL.iter().map(|authority| format!("{:?}", authority.name())).collect();
        return Err(value("card.authority", &format!("name at least one of {}", names.join(", "))));
    }
    let mut pin_makers = Vec::new();
    for (number, maker) in &raw.server.user_pin_options {
        let number = number.parse().map_err(|_| value("server.user_pin_options", "the keys are numbers in quotes"))?;
        pin_makers.push((number, *maker));
    }
    Ok(Rules {
        authorities: raw.card.authority.clone(),
        min_tries_left: raw.card.min_tries_left,
        risk_uncounted: false,
        admin_key: raw.card.admin_key,
        pin_route: raw.server.pin_route,
        pin_makers,
    })
}

fn server_settings(raw: &raw::Server) -> Result<Option<server::Settings>, ConfigError> {
    let Some(text) = &raw.url else { return Ok(None) };
    let url = server_url(text)?;
    let token = secret_file(
        raw.token_file.clone(),
        raw.token_credential.clone(),
        "set only one of server.token_file and server.token_credential",
    )?;
    let auth = match (raw.auth, token) {
        (raw::Auth::None, None) => server::auth::Auth::None,
        (raw::Auth::None, Some(_)) => {
            return Err(ConfigError::Conflict(
                "a token is configured, but server.auth is \"none\": set it to \"bearer\"",
            ));
        }
        (raw::Auth::Bearer, Some(SecretFile::Path(path))) => {
            server::auth::Auth::Bearer(server::auth::TokenSource::File(path))
        }
        (raw::Auth::Bearer, Some(SecretFile::Credential(name))) => {
            server::auth::Auth::Bearer(server::auth::TokenSource::Credential(name))
        }
        (raw::Auth::Bearer, None) => {
            return Err(ConfigError::Conflict(
                "server.auth is \"bearer\": set server.token_file or server.token_credential",
            ));
        }
        (raw::Auth::Negotiate | raw::Auth::Adfs, _) => {
            return Err(value("server.auth", "this version knows \"none\" and \"bearer\" only"));
        }
    };
    let timeout = duration("server.timeout", &raw.timeout)?;
    Ok(Some(server::Settings { url, ca_file: raw.ca_file.clone(), auth, timeout }))
}

/// The virtual folder's URL: HTTPS, or HTTP to this machine alone.
fn server_url(text: &str) -> Result<Url, ConfigError> {
    // The text is not quoted back: it might hold a password.
    let url = Url::parse(text).map_err(|error| value("server.url", &error.to_string()))?;
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let refused = match url.scheme() {
        "https" => None,
        "http" if loopback => None,
        "http" => Some("plain http would show PINs to the network: use https (http is for this machine alone)"),
        _ => Some("an https URL is needed"),
    };
    let refused = refused.or_else(|| {
        (!url.username().is_empty() || url.password().is_some())
            .then_some("no user name or password in the URL: see server.auth")
    });
    let refused =
        refused.or_else(|| (url.query().is_some() || url.fragment().is_some()).then_some("no query and no fragment"));
    match refused {
        Some(message) => Err(value("server.url", message)),
        None => Ok(url),
    }
}

fn secret_file(
    path: Option<PathBuf>,
    credential: Option<String>,
    conflict: &'static str,
) -> Result<Option<SecretFile>, ConfigError> {
    match (path, credential) {
        (Some(_), Some(_)) => Err(ConfigError::Conflict(conflict)),
        (Some(path), None) => Ok(Some(SecretFile::Path(path))),
        (None, Some(name)) if name.is_empty() || name.contains('/') => {
            Err(value("credential", "a systemd credential's name has no slash"))
        }
        (None, Some(name)) => Ok(Some(SecretFile::Credential(name))),
        (None, None) => Ok(None),
    }
}

fn duration(key: &'static str, text: &str) -> Result<Duration, ConfigError> {
    let duration = humantime::parse_duration(text).map_err(|error| value(key, &error.to_string()))?;
    if duration < Duration::from_millis(10) || duration > Duration::from_secs(600) {
        return Err(value(key, "between 10ms and 10min"));
    }
    Ok(duration)
}

fn value(key: &'static str, message: &str) -> ConfigError {
    ConfigError::Value { key, message: message.to_owned() }
}

/// The configured folder, or the user's state folder.
fn journal(raw: raw::Journal, environment: &[(String, OsString)]) -> Result<Option<Journal>, ConfigError> {
    let keep = humantime::parse_duration(&raw.keep).map_err(|error| value("journal.keep", &error.to_string()))?;
    let own = variable(environment, "XDG_STATE_HOME")
        // A service without HOME still has a user, and that user a home.
        .or_else(|| variable(environment, "HOME").or_else(std::env::home_dir).map(|home| home.join(".local/state")))
        .map(|folder| folder.join("pinwright"));
    Ok(raw.dir.or(own).map(|folder| Journal::new(folder, keep)))
}

fn variable(environment: &[(String, OsString)], name: &str) -> Option<PathBuf> {
    environment.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| PathBuf::from(value))
}

fn default_files(environment: &[(String, OsString)]) -> Vec<PathBuf> {
    let own = variable(environment, "XDG_CONFIG_HOME")
        .or_else(|| variable(environment, "HOME").map(|home| home.join(".config")));
    let mut files = vec![PathBuf::from("/etc/pinwright/config.toml")];
    files.extend(own.map(|folder| folder.join("pinwright/config.toml")));
    files
}

#[cfg(test)]
mod tests;
