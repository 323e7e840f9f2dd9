//! The configured server for calls that need no card: looks are given up with Ctrl-C, a change is waited for.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use crate::cli::context::CommandContext;
use crate::cli::error::CliError;
use crate::cli::error::request::{Doing, RequestError};
use crate::config::Config;
use crate::server::wire::ProfileTemplate;
use crate::server::{Client, Posted, ServerError};

/// How often it is looked whether the person has given up.
const LOOK: Duration = Duration::from_millis(100);

/// The server.
pub struct Server {
    /// Its client.
    pub client: Client,
    runtime: Runtime,
    interrupted: Arc<AtomicBool>,
}

impl Server {
    /// The configured one. Nothing is sent yet.
    ///
    /// # Errors
    /// [`CliError::NoServer`], [`CliError::Setup`], [`CliError::System`].
    pub fn new(config: &Config, context: &CommandContext<'_>) -> Result<Self, CliError> {
        let client = Client::new(config.server.as_ref().ok_or(CliError::NoServer)?)?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|source| CliError::System { what: "the network runtime can't be started", source })?;
        Ok(Self { client, runtime, interrupted: Arc::clone(&context.interrupted) })
    }

    /// Whether a person has given up.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Drives calls that only read.
    ///
    /// # Errors
    /// The call's, and [`RequestError::Interrupted`].
    pub fn look<T>(&self, call: impl Future<Output = Result<T, ServerError>>) -> Result<T, RequestError> {
        let given_up = async {
            while !self.is_interrupted() {
                sleep(LOOK).await;
            }
        };
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                found = call => found.map_err(|error| RequestError::of(Doing::Read, error)),
                () = given_up => Err(RequestError::Interrupted),
            }
        })
    }

    /// Drives a call that changes the server, to its end.
    ///
    /// # Errors
    /// The server has refused, or not a byte of the call has left: nothing was changed.
    pub fn change<T>(
        &self,
        what: Doing,
        call: impl Future<Output = Result<Posted<T>, ServerError>>,
    ) -> Result<Result<T, ServerError>, RequestError> {
        if self.is_interrupted() {
            return Err(RequestError::Interrupted);
        }
        match self.runtime.block_on(call).map_err(|error| RequestError::of(what, error))? {
            Posted::Done(done) => Ok(Ok(done)),
            Posted::NotSent(error) => Err(RequestError::Server(error)),
            Posted::Lost(error) => Ok(Err(error)),
        }
    }

    /// Looks for what became of a lost call. A person who gives up meanwhile is waited for: the answer is what they need.
    ///
    /// # Errors
    /// The call's.
    pub fn look_for<T>(&self, call: impl Future<Output = Result<T, ServerError>>) -> Result<T, ServerError> {
        self.runtime.block_on(call)
    }

    /// The templates that the caller may enroll for, to tell names. Where the server does not show them ids have to do.
    pub fn names(&self) -> Vec<ProfileTemplate> {
        self.runtime.block_on(self.client.profile_templates()).unwrap_or_default()
    }
}
