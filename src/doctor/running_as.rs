//! Where the agent would live: under the system's unit, where one is loaded that is meant, else as whoever checks.

use std::ffi::OsString;
use std::path::Path;

use super::finding::Fault;
use crate::config::{Config, ConfigError};
use crate::os::account::{self, Group};
use crate::os::unit::{self, Unit};

/// Where the agent would live.
pub struct RunningAs {
    unit: Option<Unit>,
}

impl RunningAs {
    /// Under the unit, where whoever checks is the unit's user, or is root and has named no other user.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let is_meant = |unit: &Unit| {
            account::own_name().is_some_and(|name| name == unit.user())
                || account::is_root() && config.agent.user.is_none()
        };
        Self { unit: Unit::of_system().filter(is_meant) }
    }

    /// As whoever checks.
    #[must_use]
    pub fn here() -> Self {
        Self { unit: None }
    }

    /// What is told of it.
    #[must_use]
    pub fn told(&self) -> Option<String> {
        self.unit.as_ref().map(|unit| format!("{}, as user {}", unit::NAME, unit.user()))
    }

    /// The user that the agent becomes, or is made by the unit; `None`: it stays who it is.
    #[must_use]
    pub fn user<'a>(&'a self, config: &'a Config) -> Option<&'a str> {
        config.agent.user.as_deref().or_else(|| self.unit.as_ref().map(Unit::user))
    }

    /// The configuration as the unit would have it: the places that follow from the environment are those of its own.
    ///
    /// # Errors
    /// The unit's environment is no configuration.
    pub fn configured(&self, config: &Config, here: &[(String, OsString)]) -> Result<Config, ConfigError> {
        let Some(unit) = &self.unit else { return Ok(config.clone()) };
        let nothing = Some(Path::new("/dev/null"));
        let (own, of_unit) = (Config::load(nothing, here)?, Config::load(nothing, &unit.environment())?);
        let mut config = config.clone();
        let folder = |config: &Config| config.journal.as_ref().map(|journal| journal.folder().to_owned());
        if folder(&config) == folder(&own) {
            config.journal = of_unit.journal;
        }
        if config.agent.control == own.agent.control {
            config.agent.control = of_unit.agent.control;
        }
        Ok(config)
    }

    /// The limits that the agent would have of its unit: of core files and of locked memory.
    pub(super) fn limits(&self) -> Option<[&str; 2]> {
        self.unit.as_ref().map(|unit| [unit.limit("LimitCORE"), unit.limit("LimitMEMLOCK")])
    }

    /// Whether the agent may hand its socket to the group: root may, and a member.
    pub(super) fn belongs(&self, user: Option<&str>, group: Group) -> Result<(), Fault> {
        let added = |unit: &Unit| unit.groups().any(|name| Group::named(name).is_ok_and(|named| named == group));
        let opens_as_root = match &self.unit {
            Some(unit) => unit.user() == "root",
            None => account::is_root(),
        };
        if opens_as_root || account::is_member(user, group) || self.unit.as_ref().is_some_and(added) {
            return Ok(());
        }
        Err(Fault::new("the agent's user is not in it", "add it there, or set Group= of the unit in a drop-in"))
    }

    /// Whether the agent sees a file.
    pub(super) fn sees(&self, file: &Path) -> Result<(), Fault> {
        match self.unit.as_ref().and_then(|unit| unit.hides(file)) {
            Some(setting) => Err(Fault::new(
                format!("{}: the unit does not see it ({setting})", file.display()),
                "put it into /etc/pinwright/secrets, or use a credential",
            )),
            None => Ok(()),
        }
    }

    /// Whether the agent may write to a folder.
    pub(super) fn writes(&self, folder: &Path) -> Result<(), Fault> {
        match self.unit.as_ref().and_then(|unit| unit.bars_writing(folder)) {
            Some(setting) => Err(Fault::new(
                format!("the unit can't write to {} ({setting})", folder.display()),
                format!(
                    "`systemctl edit {}`, and there ReadWritePaths={} under [Service]",
                    unit::NAME,
                    folder.display()
                ),
            )),
            None => Ok(()),
        }
    }
}
