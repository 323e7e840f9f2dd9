//! Configuration: files, environment and flags become one validated [`Config`]. Unknown keys are refused; a secret is given
//! by reference only.

mod adfs;
mod agent;
mod environment;
mod error;
mod explained;
mod folders;
mod layers;
mod message;
mod origins;
mod paths;
mod profiles;
mod raw;
mod server;
mod sign_in;
mod text;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use self::error::ConfigError;
use self::error::value;
pub(crate) use self::error::{correct, of_machine};
pub use self::explained::Explained;
use self::folders::{Environment, default_files};
use self::layers::{Layers, parse, read};
pub use self::origins::{Origin, Setting};
use self::profiles::LocatedProfile;
use self::raw::Raw;
use crate::card::family::Families;
use crate::job::authority::Authority;
use crate::job::journal::Journal;
use crate::job::secrets::Need;
use crate::os::credential;
use crate::os::files::configuration_folder;
use crate::provision::Rules;
use crate::server::DataForm;

/// Everything that the program was told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The server; `None` where no `server.url` is set.
    pub server: Option<crate::server::Settings>,
    /// How the PIN step decides.
    pub rules: Rules,
    /// How the stages of an enrollment on the card decide.
    pub enroll: crate::enroll::rules::Rules,
    /// In which form the server takes the data that a request collects.
    pub data_form: DataForm,
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
            // A new PIN is made anew for each card, so no file holds it.
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

impl Config {
    /// The server as the agent signs in to it: with what it has of its own, where it has something.
    #[must_use]
    pub fn server_of_agent(&self) -> Option<crate::server::Settings> {
        let mut server = self.server.clone()?;
        server.auth = server.auth.of_agent(&self.agent.own);
        Some(server)
    }

    /// Reads `config.toml` of the machine's folder, its `config.d/*.toml` in the order of their names, and the user's own, or
    /// `file` instead of all, then `PINWRIGHT_*` of the environment. Missing default files are passed over; a missing `file` is an error. Files that hold secrets are named
    /// and not opened.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`] and [`ConfigError::Exposed`] for a file, [`ConfigError::Syntax`] for a text that is no configuration, and the others for
    /// values that can't be.
    pub fn load(file: Option<&Path>, environment: &[(String, OsString)]) -> Result<Self, ConfigError> {
        Ok(Self::explained(file, environment)?.config)
    }

    /// The same, with where each value comes from.
    ///
    /// # Errors
    /// Those of [`Config::load`].
    pub fn explained(file: Option<&Path>, environment: &[(String, OsString)]) -> Result<Explained, ConfigError> {
        let files = match file {
            Some(path) => vec![path.to_owned()],
            None => default_files(&configuration_folder(), Environment(environment))?,
        };
        Self::from_files(files, Environment(environment))
    }

    fn from_files(mut files: Vec<PathBuf>, environment: Environment<'_>) -> Result<Explained, ConfigError> {
        let mut layers = Layers::default();
        for path in &files {
            layers.overlay(read(path)?);
        }
        let (from_environment, warnings) = environment::table(environment.0)?;
        layers.overlay(from_environment);
        let (mut raw, mut profiles, origins) = layers.finish()?;
        for path in &mut raw.card.profile_files {
            *path = paths::whole("card.profile_files", path, environment)?;
            profiles.extend(profiles::read(path)?);
            files.push(path.clone());
        }
        paths::resolve(&mut raw, environment)?;
        let mut settings = explained::settings(&raw, &origins)?;
        let located = profiles.iter().map(LocatedProfile::name_and_origin).collect();
        let config = Self::validate(raw, profiles, environment, warnings)?;
        explained::fill_in(&mut settings, &config);
        Ok(Explained { config, files, settings, profiles: located })
    }

    /// A configuration from TOML text alone: neither files that it names nor the environment are read.
    ///
    /// # Errors
    /// Those of [`Config::load`] other than [`ConfigError::Unreadable`].
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let (mut raw, profiles, _) = parse(text, "configuration")?.finish()?;
        paths::resolve(&mut raw, Environment(&[]))?;
        Self::validate(raw, profiles, Environment(&[]), Vec::new())
    }

    fn validate(
        raw: Raw,
        profiles: Vec<LocatedProfile>,
        environment: Environment<'_>,
        warnings: Vec<String>,
    ) -> Result<Self, ConfigError> {
        let profiles = profiles::unite(profiles)?;
        profiles::check_preferred(&raw.card.prefer, &profiles)?;
        Ok(Self {
            server: self::server::settings(&raw.server, &raw.agent, environment)?,
            rules: rules(&raw)?,
            enroll: crate::enroll::rules::Rules {
                allow_sha1: raw.card.allow_sha1,
                piv_slot: raw.card.piv_slot,
                management: raw.card.management,
            },
            data_form: raw.server.data_collection,
            sources: sources(&raw.card)?,
            families: Families {
                gids_limits: raw.card.gids_limits()?,
                prefer: raw.card.prefer,
                profiles,
                id_order: raw.card.id_order,
                piv_pin: raw.card.piv_pin,
                atr: raw.card.atr,
                pin_characters: raw.card.pin_characters,
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
        admin_key: raw.card.admin_key,
        pin_route: raw.server.pin_route,
        pin_makers,
    })
}

fn secret_file(
    path: Option<PathBuf>,
    credential: Option<String>,
    conflict: &'static str,
) -> Result<Option<SecretFile>, ConfigError> {
    match (path, credential) {
        (Some(_), Some(_)) => Err(ConfigError::Conflict(conflict)),
        (Some(path), None) => Ok(Some(SecretFile::Path(path))),
        (None, Some(name)) if !credential::is_name(&name) => {
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

/// The configured folder, or the user's state folder.
fn journal(raw: raw::Journal, environment: Environment<'_>) -> Result<Option<Journal>, ConfigError> {
    let keep = humantime::parse_duration(&raw.keep).map_err(|error| value("journal.keep", &error.to_string()))?;
    Ok(raw.dir.or(environment.state_folder()).map(|folder| Journal::new(folder, keep)))
}

#[cfg(test)]
mod tests;
