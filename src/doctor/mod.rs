//! What is well and what is not between a person's plug and the server, each with what to do about it.
//!
//! One probe a file. A probe looks and changes nothing: no try of a PIN is spent, nothing is written to a card, no card is touched that
//! another program has open, and no call is sent whose answer is a secret. What can't be known is said.
//!
//! Two commands show it: `pinwright doctor` for the person who runs it, and `pinwright agent --check` for the agent as it would live,
//! which waits by itself for what may come yet.

mod account;
mod address;
mod agent;
mod api;
pub mod bundle;
mod cards;
mod clock;
mod configuration;
mod finding;
mod journal;
mod kerberos;
mod mask;
mod metrics;
mod process;
pub mod running_as;
mod secret_files;
mod server;
mod service;
mod sign_in;
mod span;
mod tls;
mod token;

use std::path::Path;

pub use self::finding::{Finding, Findings, Group, Name, Probe, State};
use self::running_as::RunningAs;
use crate::config::{Config, ConfigError, Explained};
use crate::reader::Readers;
use crate::server::Settings;

/// The PC/SC service that the readers are of.
#[derive(Debug, Clone, Copy)]
pub enum Service<'a> {
    /// One that listens on this socket.
    Socket(&'a Path),
    /// None: the readers are stand-ins.
    StandIn,
}

/// The readers, and the service that they are of.
#[derive(Clone, Copy)]
pub struct CardSide<'a> {
    /// The readers.
    pub readers: &'a dyn Readers,
    /// Their service.
    pub service: Service<'a>,
}

/// Looks at everything as the person who asks. Of a configuration that can't be used only that is told, and what needs none.
#[must_use]
pub fn of_person(explained: Result<&Explained, &ConfigError>, card_side: CardSide<'_>) -> Findings {
    let mut findings = Findings::default();
    match explained {
        Ok(Explained { config, files, .. }) => {
            configuration::tell(config, files, &mut findings);
            common(config, config.server.as_ref(), card_side, &RunningAs::here(), &mut findings);
        }
        Err(error) => {
            configuration::tell_of_error(error, &mut findings);
            without_configuration(card_side, &mut findings);
        }
    }
    findings
}

/// Looks at everything as the agent, with its user's rights from `agent.user` on, and not further where that user can't be become.
#[must_use]
pub fn of_agent(config: &Config, running_as: &RunningAs, card_side: CardSide<'_>) -> Findings {
    let mut findings = Findings::of_waiting();
    configuration::tell(config, &[], &mut findings);
    if agent::tell(config, running_as, &mut findings) {
        common(config, config.server_of_agent().as_ref(), card_side, running_as, &mut findings);
    }
    findings
}

fn common(
    config: &Config,
    server: Option<&Settings>,
    card_side: CardSide<'_>,
    running_as: &RunningAs,
    findings: &mut Findings,
) {
    journal::tell(config.journal.as_ref(), running_as, findings);
    let is_usable = configuration::tell_of_server(server, running_as, findings);
    secret_files::tell(&config.sources, running_as, findings);
    match running_as.limits() {
        Some(limits) => process::tell_of_unit(limits, findings),
        None => process::tell(findings),
    }
    if service::tell(card_side, findings) {
        cards::tell(config, card_side.readers, findings);
    }
    match server {
        Some(settings) if is_usable => server::tell(settings, findings),
        Some(_) => server::pass_over("what `[server]` names can't be used", findings),
        None => server::pass_over("no server is configured", findings),
    }
}

/// What can be seen although nobody knows how this machine is meant to work.
fn without_configuration(card_side: CardSide<'_>, findings: &mut Findings) {
    process::tell(findings);
    if let (true, Ok(config)) = (service::tell(card_side, findings), Config::from_toml("")) {
        cards::tell(&config, card_side.readers, findings);
    }
    server::pass_over("the configuration can't be used", findings);
}
