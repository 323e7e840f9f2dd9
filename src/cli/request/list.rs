//! `pinwright request list` and `show`.

use clap::{Args, ValueEnum};
use serde::Serialize;
use uuid::Uuid;

use super::server::Server;
use super::told::{OneRequest, RequestObject};
use crate::cli::context::CommandContext;
use crate::cli::error::CliError;
use crate::cli::json::Head;
use crate::operation::Operation;

/// Which requests are listed.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Only those in this status.
    #[arg(long, value_enum, value_name = "STATUS")]
    status: Option<Status>,
    /// All that the caller may see, whoever they are for.
    #[arg(long)]
    visible: bool,
}

/// A status by which the server can choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Status {
    Approved,
    Canceled,
    Completed,
    Denied,
    Executing,
    Failed,
    Pending,
}

impl Status {
    /// As the REST reference names it.
    fn name(self) -> &'static str {
        match self {
            Self::Approved => "Approved",
            Self::Canceled => "Canceled",
            Self::Completed => "Completed",
            Self::Denied => "Denied",
            Self::Executing => "Executing",
            Self::Failed => "Failed",
            Self::Pending => "Pending",
        }
    }
}

/// `pinwright.request-list/1`.
#[derive(Serialize)]
struct ListObject<'a> {
    #[serde(flatten)]
    head: Head,
    requests: &'a [RequestObject],
}

/// Lists requests, in the server's order.
///
/// # Errors
/// As [`run`](super::run).
pub fn list(server: &Server, args: &ListArgs, json: bool, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    let client = &server.client;
    let found = match (args.status, args.visible) {
        (None, false) => server.look(client.own_requests()),
        (None, true) => server.look(client.visible_requests()),
        (Some(status), false) => server.look(client.requests(status.name())),
        (Some(status), true) => server.look(client.visible_requests_in(status.name())),
    }?;
    let templates = if found.is_empty() { Vec::new() } else { server.names() };
    let requests: Vec<RequestObject> = found.iter().map(|request| RequestObject::new(request, &templates)).collect();
    if json {
        let head = Head::done(Operation::RequestList.schema());
        return context.print_json(&ListObject { head, requests: &requests });
    }
    if requests.is_empty() {
        context.say("The server shows no such request.");
    }
    requests.iter().flat_map(RequestObject::lines).try_for_each(|line| context.print_line(&line))
}

/// Shows one request.
///
/// # Errors
/// As [`run`](super::run).
pub fn show(server: &Server, request: Uuid, json: bool, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    let found = server.look(server.client.request(request))?;
    let request = RequestObject::new(&found, &server.names());
    if json {
        let head = Head::done(Operation::RequestShow.schema());
        return context.print_json(&OneRequest { head, request: &request, found_by_look: None });
    }
    request.lines().iter().try_for_each(|line| context.print_line(line))
}
