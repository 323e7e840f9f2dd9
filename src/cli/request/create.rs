//! `pinwright request create`: a request for a card, sent once.

use std::time::SystemTime;

use clap::Args;
use uuid::Uuid;

use super::asked::agreed;
use super::prepared::{Prepared, prepared};
use super::server::Server;
use super::told::{OneRequest, RequestObject};
use super::wished::{Given, Wished};
use crate::cli::context::CommandContext;
use crate::cli::error::CliError;
use crate::cli::error::request::{Doing, LostLook, RequestError};
use crate::cli::json::Head;
use crate::config::Config;
use crate::job::issuer::template_told;
use crate::operation::Operation;
use crate::server::wire::{ProfileTemplate, Request, WorkflowPolicy};
use crate::server::{DataForm, LostRequest, NewRequest, Purpose, RequestLook, ServerError};

/// The request to be made.
#[derive(Debug, Clone, Args)]
pub struct CreateArgs {
    /// The profile template, by its name or id.
    #[arg(long, value_name = "TEMPLATE")]
    template: String,
    /// What else it is to have.
    #[command(flatten)]
    wished: Wished,
    /// Say yes beforehand: don't ask on the terminal. Needed where there is none.
    #[arg(long)]
    yes: bool,
}

/// Makes the request.
///
/// # Errors
/// As [`run`](super::run). A lost answer is looked for, and never sent again: [`RequestError::Lost`] where that does not settle it.
pub fn run(
    server: &Server,
    config: &Config,
    args: &CreateArgs,
    json: bool,
    context: &mut CommandContext<'_>,
) -> Result<(), CliError> {
    let (request, found_by_look) = made(server, config.data_form, args, context)?;
    if json {
        let head = Head::done(Operation::RequestCreate.schema());
        return told(context.print_json(&OneRequest { head, request: &request, found_by_look: Some(found_by_look) }));
    }
    if found_by_look {
        context.warn("the server's answer was lost; it shows one request like the one that was sent, and it is new");
    }
    told(request.lines().iter().try_for_each(|line| context.print_line(line)))
}

fn told(printed: Result<(), CliError>) -> Result<(), CliError> {
    printed.map_err(|error| error.after("the request is made".to_owned()))
}

fn made(
    server: &Server,
    data_form: DataForm,
    args: &CreateArgs,
    context: &mut CommandContext<'_>,
) -> Result<(RequestObject, bool), RequestError> {
    let client = &server.client;
    let Prepared { templates, template, policy, wished } = prepared(server, &args.template, &args.wished, context)?;
    let target = wished.target;
    let known = server.look(open_requests(server, target))?;
    agreed(&question(&template, &policy, &wished, &known), args.yes, server, context)?;

    let Given { data, comment } = &wished.given;
    let purpose = Purpose::Enroll { profile_template: template.uuid };
    let new = NewRequest { purpose, data, data_form, comment, target };
    let at = SystemTime::now();
    match server.change(Doing::Create, client.create_request(&new))? {
        Ok(id) => Ok((read(server, id, &templates, context), false)),
        Err(source) => {
            let known: Vec<Uuid> = known.iter().map(|request| request.uuid).collect();
            let lost = LostRequest { sent: &new, at, given_up: Some(SystemTime::now()), known: &known };
            let look = match server.look_for(client.look_for_request(&lost)) {
                Ok(RequestLook::Made(request)) => return Ok((RequestObject::new(&request, &templates), true)),
                Ok(RequestLook::NotShown) => LostLook::NotShown,
                Ok(RequestLook::Several(several)) => LostLook::Several(several),
                Err(error) => LostLook::Failed(Box::new(error)),
            };
            Err(RequestError::Lost { end: None, look, source: Box::new(source) })
        }
    }
}

/// The request that was made, as the server shows it; where it does not, its id alone.
fn read(server: &Server, id: Uuid, templates: &[ProfileTemplate], context: &mut CommandContext<'_>) -> RequestObject {
    match server.look_for(server.client.request(id)) {
        Ok(request) => RequestObject::new(&request, templates),
        Err(error) => {
            context.warn(&format!("the request is made, and can't be read: {error}"));
            RequestObject::unread(id)
        }
    }
}

/// The open requests for the same user that the server shows now: none of them is the one that is about to be made.
async fn open_requests(server: &Server, target: Option<Uuid>) -> Result<Vec<Request>, ServerError> {
    let mut open = Vec::new();
    for status in ["Approved", "Pending"] {
        open.extend(match target {
            None => server.client.requests(status).await?,
            Some(_) => server.client.visible_requests_in(status).await?,
        });
    }
    Ok(open)
}

/// What a yes does.
fn question(template: &ProfileTemplate, policy: &WorkflowPolicy, wished: &Wished, open: &[Request]) -> String {
    let Wished { given: Given { data, comment }, target } = wished;
    let is_alike = |request: &&Request| {
        request.profile_template == Some(template.uuid)
            && target.is_none_or(|target| request.target_user == Some(target))
    };
    let alike: Vec<String> = open.iter().filter(is_alike).map(|request| request.uuid.to_string()).collect();
    let alike = match alike.is_empty() {
        true => String::new(),
        false => format!("Note: open already under this template: {}.\n", alike.join(", ")),
    };
    let whose = target.map_or_else(|| "you".to_owned(), |target| format!("user {target}"));
    let data: String = data.iter().map(|(name, value)| format!("\n  {name:?} = {value:?}")).collect();
    let comment = if comment.is_empty() { String::new() } else { format!("\n  comment {comment:?}") };
    let approvals = match policy.approvals {
        Some(people @ 1..) => format!("\n  it waits for {people} approval(s)"),
        _ => String::new(),
    };
    let told = template_told(template.uuid, Some(&template.name));
    format!("{alike}Create a request to enroll a card for {whose} under template {told}?{data}{comment}{approvals}")
}

#[cfg(test)]
mod tests;
