//! Server clients and suppliers of secrets for the agent's jobs, made as the configuration says.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::agent::jobs::JobServices;
use crate::agent::pinentry::PinentrySupplier;
use crate::cli::error::CliError;
use crate::cli::supply::{CommandSupplier, Handed};
use crate::config::{Config, Sources};
use crate::job::issuer::Issuer;
use crate::job::supplier::Supplier;
use crate::provision::Rules;
use crate::provision::mimcm::MimCm;
use crate::server::{self, Client};

/// What the configuration says about them.
pub struct ConfiguredServices {
    server: server::Settings,
    rules: Rules,
    sources: Sources,
    pinentry: Option<PathBuf>,
    pinentry_timeout: Duration,
}

impl ConfiguredServices {
    /// From a configuration with a server.
    ///
    /// # Errors
    /// None is configured, or it can't be used: better known at the start than at the first card.
    pub fn new(config: &Config) -> Result<Self, CliError> {
        let server = config.server.clone().ok_or(CliError::NoServer)?;
        Client::new(&server)?;
        Ok(Self {
            server,
            rules: config.rules.clone(),
            sources: config.sources.clone(),
            pinentry: config.agent.pinentry.clone(),
            pinentry_timeout: config.agent.pinentry_timeout,
        })
    }
}

impl JobServices for ConfiguredServices {
    fn issuer(&self) -> Result<Box<dyn Issuer>, String> {
        let client = Client::new(&self.server).map_err(|error| said(&error))?;
        let issuer = MimCm::new(client, self.rules.clone()).map_err(|error| said(&error))?;
        Ok(Box::new(issuer))
    }

    fn supplier(&self, card: &str, interrupted: Arc<AtomicBool>) -> Box<dyn Supplier> {
        let nothing = Handed::default();
        let files = CommandSupplier::new(nothing, self.sources.clone(), true, false, Arc::clone(&interrupted));
        let (program, timeout) = (self.pinentry.clone(), self.pinentry_timeout);
        Box::new(PinentrySupplier::new(files, program, timeout, card, interrupted))
    }
}

fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
