//! `pinwright request cancel` and `abandon`: a request is given up.

use uuid::Uuid;

use super::EndArgs;
use super::asked::agreed;
use super::server::Server;
use super::told::{OneRequest, RequestObject};
use crate::cli::context::CommandContext;
use crate::cli::error::CliError;
use crate::cli::error::request::{Doing, GivingUp, LostLook, RequestError};
use crate::cli::json::Head;
use crate::config::Config;
use crate::operation::Operation;
use crate::server::wire::{Request, RequestStatus, RequestType};
use crate::server::{EndLook, RequestEnd};

/// How it came about that the request is given up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Before,
    Now,
    /// Now, as a look has shown.
    FoundByLook,
}

/// Gives the request up.
///
/// # Errors
/// As [`run`](super::run). A lost answer is looked for, and never sent again: [`RequestError::Lost`] where that does not settle it.
pub fn run(
    server: &Server,
    config: &Config,
    args: &EndArgs,
    end: GivingUp,
    json: bool,
    context: &mut CommandContext<'_>,
) -> Result<(), CliError> {
    let before = server.look(server.client.request(args.request))?;
    let (request, how) = match allowed(&before, end)? {
        false => (before, How::Before),
        true => {
            warn_of_unsettled(config, args.request, context);
            agreed(&question(&before, end), args.yes, server, context)?;
            given_up(server, args.request, end)?
        }
    };
    let object = RequestObject::new(&request, &server.names());
    let printed = match json {
        true => {
            let operation = match end {
                GivingUp::Cancel => Operation::RequestCancel,
                GivingUp::Abandon => Operation::RequestAbandon,
            };
            let outcome = if how == How::Before { "already-done" } else { "done" };
            let head = Head { schema: operation.schema(), outcome };
            let found_by_look = Some(how == How::FoundByLook);
            context.print_json(&OneRequest { head, request: &object, found_by_look })
        }
        false => {
            match how {
                How::Before => context.say(&format!("Nothing was done: the request was {} before.", end.participle())),
                How::Now => {}
                How::FoundByLook => {
                    context.warn(&format!("the server's answer was lost; it shows the request as {}", request.status));
                }
            }
            object.lines().iter().try_for_each(|line| context.print_line(line))
        }
    };
    printed.map_err(|error| error.after(format!("the request is {}", end.participle())))
}

/// Whether the request can be given up so; false where it is already.
fn allowed(request: &Request, end: GivingUp) -> Result<bool, RequestError> {
    use RequestStatus::{Approved, Canceled, Completed, Denied, Executing, Failed, Pending, Unknown};
    let status = || {
        let (request, status) = (request.uuid, request.status.to_string());
        Err(RequestError::Status { request, status, end })
    };
    match (end, request.status) {
        (GivingUp::Cancel, Canceled) | (GivingUp::Abandon, Failed) => Ok(false),
        // A server that shows a status of its own decides by itself.
        (GivingUp::Cancel, Pending | Approved | Unknown(_)) => match request.new_smartcard {
            Some(smartcard) if request.kind == RequestType::Enroll => {
                Err(RequestError::Bound { request: request.uuid, smartcard })
            }
            _ => Ok(true),
        },
        (GivingUp::Abandon, Approved | Executing | Unknown(_)) => Ok(true),
        (GivingUp::Cancel, Executing | Denied | Completed | Failed)
        | (GivingUp::Abandon, Pending | Denied | Completed | Canceled) => status(),
    }
}

/// A job of this request that is unsettled is settled by another one under the same request: with the request given up there is none.
fn warn_of_unsettled(config: &Config, request: Uuid, context: &mut CommandContext<'_>) {
    let Some(listed) = config.journal.as_ref().and_then(|journal| Some((journal.folder(), journal.history().ok()?)))
    else {
        return;
    };
    let listing = crate::job::journal::Listing::new(listed.0, listed.1);
    for record in listing.records.iter().filter(|record| record.open && record.request == Some(request)) {
        let card = record.card_id.map_or_else(|| "a card".to_owned(), |id| format!("card {id}"));
        context.warn(&format!(
            "job {} on {card} is unsettled, and was for this request: once that is given up, it can't be settled under it",
            record.id
        ));
    }
}

/// What a yes does.
fn question(request: &Request, end: GivingUp) -> String {
    let card = request.new_smartcard.map_or_else(String::new, |id| format!(", bound to card object {id}"));
    let user = request.target_user.map_or_else(String::new, |id| format!(", for user {id}"));
    let (verb, then) = match end {
        GivingUp::Cancel => ("Cancel", "it can't be resumed"),
        GivingUp::Abandon => ("Abandon", "it fails and can't be resumed; the card stays as it is"),
    };
    format!("{verb} request {} ({} {}{user}{card})? Then {then}.", request.uuid, request.status, request.kind)
}

fn given_up(server: &Server, id: Uuid, end: GivingUp) -> Result<(Request, How), RequestError> {
    let wanted = match end {
        GivingUp::Cancel => RequestEnd::Canceled,
        GivingUp::Abandon => RequestEnd::Abandoned,
    };
    let source = match server.change(Doing::GiveUp, server.client.end_request(id, wanted))? {
        Ok(request) if wanted.look(request.status) == EndLook::Done => return Ok((request, How::Now)),
        Ok(request) => return Err(RequestError::NotDone { request: id, status: request.status.to_string(), end }),
        Err(lost) => lost,
    };
    let look = match server.look_for(server.client.look_for_end(id, wanted)) {
        Ok(EndLook::Done) => match server.look_for(server.client.request(id)) {
            Ok(request) => return Ok((request, How::FoundByLook)),
            Err(error) => LostLook::Failed(Box::new(error)),
        },
        Ok(EndLook::AsBefore(status)) => LostLook::AsBefore(status.to_string()),
        Ok(EndLook::Otherwise(status)) => LostLook::Otherwise(status.to_string()),
        Err(error) => LostLook::Failed(Box::new(error)),
    };
    Err(RequestError::Lost { end: Some(end), look, source: Box::new(source) })
}

#[cfg(test)]
mod tests;
