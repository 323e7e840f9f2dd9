//! The agent's keytab, which the Kerberos library is told of by its environment alone: the agent starts itself anew with it.

use std::ffi::OsString;

use crate::cli::error::agent::AgentError;
use crate::config::Config;
use crate::os::start_anew::{GUARD, has_rights_of_its_file, start_anew};
use crate::server::auth::kerberos_environment;

/// Comes back once this process has the environment that its keytab needs; before that it becomes another program of the same name.
///
/// # Errors
/// The system refuses, the library would not look at its environment, or it is another one than was set.
pub(super) fn settle(config: &Config) -> Result<(), AgentError> {
    let Some(keytab) = &config.agent.own.keytab else { return Ok(()) };
    if has_rights_of_its_file() {
        return Err(AgentError::RightsOfFile);
    }
    let variables = kerberos_environment(keytab).ok_or(AgentError::NoCredentials)?;
    let is_set = |(name, value): &(&str, OsString)| std::env::var_os(name).is_some_and(|found| found == *value);
    if variables.iter().all(is_set) {
        return Ok(());
    }
    // It was, and something has changed it on the way.
    if std::env::var_os(GUARD).is_some() {
        return Err(AgentError::KeytabEnvironment);
    }
    Err(AgentError::StartAnew(start_anew(&variables)))
}
