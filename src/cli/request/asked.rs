//! The yes to what is written at the server: said beforehand, or on the terminal.

use super::server::Server;
use crate::cli::context::CommandContext;
use crate::cli::error::request::RequestError;
use crate::os::prompt::{Terminal, can_confirm};

/// Has a person say yes, unless it was said beforehand. `question` ends with what a yes does.
///
/// # Errors
/// [`RequestError::NobodyToAsk`], [`RequestError::Declined`], [`RequestError::Interrupted`], [`RequestError::Terminal`].
pub fn agreed(question: &str, yes: bool, server: &Server, context: &CommandContext<'_>) -> Result<(), RequestError> {
    if yes {
        return Ok(());
    }
    if !context.may_prompt || !can_confirm() {
        return Err(RequestError::NobodyToAsk);
    }
    let mut terminal = Terminal::open().map_err(RequestError::Terminal)?;
    let mut go_on = || !server.is_interrupted();
    match terminal.confirm(&format!("{question} [y/N] "), &mut go_on).map_err(RequestError::Terminal)? {
        Some(true) => Ok(()),
        Some(false) => Err(RequestError::Declined),
        None => Err(RequestError::Interrupted),
    }
}
