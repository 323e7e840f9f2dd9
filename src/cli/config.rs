//! `pinwright config`: whether the configuration can be used, and where each of its values comes from.

use std::borrow::Cow;
use std::path::Path;

use clap::Subcommand;
use serde::Serialize;

use super::context::CommandContext;
use super::error::CliError;
use super::json::Head;
use crate::config::{Config, Explained, Origin, Setting};
use crate::operation::Operation;

/// What is asked of the configuration.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration: files, keys, values, who can write to it.
    #[command(name = Operation::ConfigCheck.name())]
    Check,
    /// Show every value and where it comes from; secrets as their sources.
    #[command(name = Operation::ConfigShow.name())]
    Show,
}

impl ConfigCommand {
    /// The schema of the command's JSON.
    #[must_use]
    pub fn schema(self) -> &'static str {
        match self {
            Self::Check => Operation::ConfigCheck.schema(),
            Self::Show => Operation::ConfigShow.schema(),
        }
    }
}

/// Runs the command on the configuration that every other command would have. Files of secrets are named and not opened.
///
/// # Errors
/// [`CliError::Config`] where the configuration can't be used, and [`CliError::Output`].
pub fn run(
    command: ConfigCommand,
    file: Option<&Path>,
    json: bool,
    context: &mut CommandContext<'_>,
) -> Result<(), CliError> {
    let explained = Config::explained(file, &context.environment)?;
    for warning in &explained.config.warnings {
        context.warn(warning);
    }
    if json {
        return context.print_json(&ConfigObject::new(command, &explained));
    }
    match command {
        ConfigCommand::Check => {
            for file in &explained.files {
                context.print(&format!("ok  {}", file.display()))?;
            }
            context.print("The configuration can be used.")
        }
        ConfigCommand::Show => {
            explained.settings.iter().try_for_each(|setting| context.print(&setting.to_string()))?;
            let profiles = explained.profiles.iter();
            profiles
                .map(|(name, origin)| format!("card.profile {name:?}  # {origin}"))
                .try_for_each(|line| context.print(&line))
        }
    }
}

/// `pinwright.config-check/1` and `pinwright.config-show/1`.
#[derive(Serialize)]
struct ConfigObject<'a> {
    #[serde(flatten)]
    head: Head,
    files: Vec<Cow<'a, str>>,
    #[serde(flatten)]
    found: Found<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Found<'a> {
    Checked { warnings: &'a [String] },
    Shown { settings: Vec<SettingObject<'a>>, profiles: Vec<ProfileObject<'a>> },
}

#[derive(Serialize)]
struct SettingObject<'a> {
    key: &'a str,
    value: Option<&'a toml::Value>,
    origin: &'static str,
    file: Option<Cow<'a, str>>,
    variable: Option<&'a str>,
}

#[derive(Serialize)]
struct ProfileObject<'a> {
    name: &'a str,
    origin: &'a str,
}

impl<'a> ConfigObject<'a> {
    fn new(command: ConfigCommand, explained: &'a Explained) -> Self {
        let profiles = explained.profiles.iter().map(|(name, origin)| ProfileObject { name, origin });
        Self {
            head: Head { schema: command.schema(), outcome: "ok" },
            files: explained.files.iter().map(|file| file.to_string_lossy()).collect(),
            found: match command {
                ConfigCommand::Check => Found::Checked { warnings: &explained.config.warnings },
                ConfigCommand::Show => Found::Shown {
                    settings: explained.settings.iter().map(SettingObject::from).collect(),
                    profiles: profiles.collect(),
                },
            },
        }
    }
}

impl<'a> From<&'a Setting> for SettingObject<'a> {
    fn from(setting: &'a Setting) -> Self {
        let (origin, file, variable) = match &setting.origin {
            Origin::Default => ("default", None, None),
            Origin::File(path) => ("file", Some(path.to_string_lossy()), None),
            Origin::Variable(name) => ("variable", None, Some(name.as_str())),
        };
        Self { key: &setting.key, value: setting.value.as_ref(), origin, file, variable }
    }
}
