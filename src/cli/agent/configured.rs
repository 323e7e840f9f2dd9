//! The server clients and the suppliers of secrets that the agent's jobs work with, made as the configuration says.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::agent::jobs::JobServices;
use crate::agent::pinentry::PinentrySupplier;
use crate::cli::error::CliError;
use crate::cli::supply::{Asking, CommandSupplier, Handed};
use crate::config::{Config, Sources};
use crate::error_text::error_text;
use crate::job::supplier::Supplier;
use crate::provision::Rules;
use crate::provision::mimcm::MimCm;
use crate::server::{self, Client};

/// Makes server clients and suppliers of secrets as the configuration says.
pub struct ConfiguredServices {
    server: server::Settings,
    rules: Rules,
    sources: Sources,
    pinentry: Option<PathBuf>,
    pinentry_timeout: Duration,
}

impl ConfiguredServices {
    /// Takes what it needs from the configuration, and makes one client for a try: a server that can't be used is better
    /// known at the start than at the first card. Nothing is sent.
    ///
    /// # Errors
    /// [`CliError::NoServer`] where none is configured, [`CliError::Setup`] where no client can be made for it.
    pub fn new(config: &Config) -> Result<Self, CliError> {
        let server = config.server_of_agent().ok_or(CliError::NoServer)?;
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
    fn server(&self) -> Result<MimCm, String> {
        let client = Client::new(&self.server).map_err(|error| error_text(&error))?;
        MimCm::new(client, self.rules.clone()).map_err(|error| error_text(&error))
    }

    fn supplier(&self, card: &str, interrupted: Arc<AtomicBool>) -> Box<dyn Supplier> {
        let nothing = Handed::default();
        let files = CommandSupplier::new(nothing, self.sources.clone(), Asking::default(), Arc::clone(&interrupted));
        let (program, timeout) = (self.pinentry.clone(), self.pinentry_timeout);
        Box::new(PinentrySupplier::new(files, program, timeout, card, interrupted))
    }
}
