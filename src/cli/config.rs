//! `pinwright config`: whether the configuration can be used, and where each of its values comes from.

use std::path::Path;

use clap::Subcommand;
use serde_json::{Value, json};

use super::context::CommandContext;
use super::error::CliError;
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
            Self::Check => "pinwright.config-check/1",
            Self::Show => "pinwright.config-show/1",
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
        context.say(&format!("warning: {warning}"));
    }
    if json {
        return context.print_json(&as_json(command, &explained));
    }
    match command {
        ConfigCommand::Check => {
            for file in &explained.files {
                context.print(&format!("ok  {}", file.display()))?;
            }
            context.print("The configuration can be used.")
        }
        ConfigCommand::Show => {
            explained.settings.iter().try_for_each(|setting| context.print(&line(setting)))?;
            let profiles = explained.profiles.iter();
            profiles
                .map(|(name, origin)| format!("card.profile {name:?}  # {origin}"))
                .try_for_each(|line| context.print(&line))
        }
    }
}

fn as_json(command: ConfigCommand, explained: &Explained) -> Value {
    let profiles: Vec<Value> =
        explained.profiles.iter().map(|(name, origin)| json!({"name": name, "origin": origin})).collect();
    let mut object = json!({"schema": command.schema(), "outcome": "ok", "files": explained.files});
    let (key, value) = match command {
        ConfigCommand::Check => ("warnings", json!(explained.config.warnings)),
        ConfigCommand::Show => ("settings", explained.settings.iter().map(setting_json).collect()),
    };
    if let Some(members) = object.as_object_mut() {
        members.insert(key.to_owned(), value);
        if matches!(command, ConfigCommand::Show) {
            members.insert("profiles".to_owned(), json!(profiles));
        }
    }
    object
}

fn setting_json(setting: &Setting) -> Value {
    let (origin, file, variable) = match &setting.origin {
        Origin::Default => ("default", None, None),
        Origin::File(path) => ("file", Some(path), None),
        Origin::Variable(name) => ("variable", None, Some(name)),
    };
    json!({"key": setting.key, "value": setting.value, "origin": origin, "file": file, "variable": variable})
}

fn line(setting: &Setting) -> String {
    let origin = match &setting.origin {
        Origin::Default => "default".to_owned(),
        Origin::File(path) => path.display().to_string(),
        Origin::Variable(name) => name.clone(),
    };
    match &setting.value {
        Some(value) => format!("{} = {value}  # {origin}", setting.key),
        None => format!("{}  # not set ({origin})", setting.key),
    }
}
