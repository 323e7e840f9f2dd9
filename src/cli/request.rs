//! `pinwright request`: requests at the server. No card is needed, and none is touched.

mod asked;
mod create;
mod end;
mod list;
mod prepared;
mod server;
mod told;
mod wished;

use clap::{Args, Subcommand};
use uuid::Uuid;

use self::create::CreateArgs;
use self::list::ListArgs;
pub use self::prepared::{Prepared, foreseen, prepared};
pub use self::server::Server;
pub use self::wished::{Given, Wished};
use super::context::CommandContext;
use super::error::CliError;
use super::error::request::GivingUp;
use super::examples;
use crate::config::Config;
use crate::operation::Operation;
use crate::secret::scrub::on_own_stack;

/// What is asked about requests.
#[derive(Debug, Clone, Subcommand)]
pub enum RequestCommand {
    /// List requests: the caller's own, or all that the caller may see.
    #[command(name = Operation::RequestList.name(), after_help = examples::of(Some(Operation::RequestList)))]
    List(ListArgs),
    /// Show one request.
    #[command(name = Operation::RequestShow.name())]
    Show {
        /// The request's id.
        request: Uuid,
    },
    /// Create a request for a card under a profile template. Writes at the server, once, after a yes.
    #[command(name = Operation::RequestCreate.name(), after_help = examples::of(Some(Operation::RequestCreate)))]
    Create(CreateArgs),
    /// Give up a request that no card is bound to. Writes at the server, after a yes.
    #[command(name = Operation::RequestCancel.name())]
    Cancel(EndArgs),
    /// Give up a request that is approved or being worked on: it fails. Writes at the server, after a yes; a card is left as it is.
    #[command(name = Operation::RequestAbandon.name())]
    Abandon(EndArgs),
}

/// Which request is given up.
#[derive(Debug, Clone, Args)]
pub struct EndArgs {
    /// The request's id.
    request: Uuid,
    /// Say yes beforehand: don't ask on the terminal. Needed where there is none.
    #[arg(long)]
    yes: bool,
}

impl RequestCommand {
    /// The command by itself.
    #[must_use]
    pub fn operation(&self) -> Operation {
        match self {
            Self::List(_) => Operation::RequestList,
            Self::Show { .. } => Operation::RequestShow,
            Self::Create(_) => Operation::RequestCreate,
            Self::Cancel(_) => Operation::RequestCancel,
            Self::Abandon(_) => Operation::RequestAbandon,
        }
    }

    /// Whether it writes at the server.
    #[must_use]
    pub fn changes(&self) -> bool {
        match self {
            Self::List(_) | Self::Show { .. } => false,
            Self::Create(_) | Self::Cancel(_) | Self::Abandon(_) => true,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// [`CliError::NoServer`], [`CliError::Setup`], [`CliError::System`] where the server can't be called at all;
/// [`CliError::Request`] with what came of the call; [`CliError::Output`].
pub fn run(
    config: &Config,
    command: &RequestCommand,
    json: bool,
    context: &mut CommandContext<'_>,
) -> Result<(), CliError> {
    // What the sign-in reads is dropped with that stack.
    on_own_stack(|| {
        let server = Server::new(config, context)?;
        match command {
            RequestCommand::List(args) => list::list(&server, args, json, context),
            RequestCommand::Show { request } => list::show(&server, *request, json, context),
            RequestCommand::Create(args) => create::run(&server, config, args, json, context),
            RequestCommand::Cancel(args) => end::run(&server, config, args, GivingUp::Cancel, json, context),
            RequestCommand::Abandon(args) => end::run(&server, config, args, GivingUp::Abandon, json, context),
        }
    })
}
