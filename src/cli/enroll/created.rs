//! The request that an enrollment makes under a template, looked at and asked for before it is made.

use crate::cli::context::CommandContext;
use crate::cli::error::CliError;
use crate::cli::request::{Prepared, Server, Wished, foreseen, prepared};
use crate::config::Config;
use crate::enroll::job::NewEnrollment;

/// The request to be made.
pub struct Created {
    /// As the job takes it.
    pub new: NewEnrollment,
    /// The calls that it took to look at the template.
    pub calls: usize,
}

/// Looks at the template and asks for what is missing. Nothing is sent but looks.
///
/// # Errors
/// [`CliError::Request`], [`CliError::Setup`], [`CliError::System`].
pub fn new_enrollment(
    config: &Config,
    template: &str,
    wished: Wished,
    context: &CommandContext<'_>,
) -> Result<Created, CliError> {
    let server = Server::new(config, context)?;
    let new = new(config, prepared(&server, template, &wished, context)?);
    Ok(Created { new, calls: server.client.calls() })
}

/// The request that would be made, and what the template collects and nobody has given: nobody is asked for it.
///
/// # Errors
/// As [`new_enrollment`].
pub fn foreseen_enrollment(
    config: &Config,
    template: &str,
    wished: &Wished,
    context: &CommandContext<'_>,
) -> Result<(NewEnrollment, Vec<String>), CliError> {
    let server = Server::new(config, context)?;
    let prepared = foreseen(&server, template, wished)?;
    let missing = prepared.missing();
    Ok((new(config, prepared), missing))
}

fn new(config: &Config, prepared: Prepared) -> NewEnrollment {
    let Prepared { template, wished, .. } = prepared;
    NewEnrollment {
        template: Some(template.uuid),
        template_name: Some(template.name),
        data: wished.given.data,
        data_form: config.data_form,
        comment: wished.given.comment,
        target: wished.target,
    }
}
