//! What the agent's jobs need for themselves, made as the configuration says.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::agent::jobs::Outfit;
use crate::agent::pinentry::PinentrySupplier;
use crate::cli::error::CliError;
use crate::cli::supply::{CommandSupplier, Handed};
use crate::config::{Config, Sources};
use crate::provision::Rules;
use crate::provision::issuer::Issuer;
use crate::provision::mimcm::MimCm;
use crate::provision::supplier::Supplier;
use crate::server::{self, Client};

/// Server clients and suppliers by the configuration.
pub struct Configured {
    server: server::Settings,
    rules: Rules,
    sources: Sources,
    pinentry: Option<PathBuf>,
    pinentry_timeout: Duration,
}

impl Configured {
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

impl Outfit for Configured {
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
