//! `pinwright request create`: a request for a card, sent once.

use std::time::SystemTime;

use clap::Args;
use thiserror::Error;
use uuid::Uuid;

use super::asked::agreed;
use super::server::Server;
use super::told::{OneRequest, RequestObject};
use crate::cli::context::CommandContext;
use crate::cli::error::CliError;
use crate::cli::error::request::{Doing, LostLook, PolicyRefusal, RequestError, Templates};
use crate::cli::json::Head;
use crate::config::Config;
use crate::job::issuer::template_told;
use crate::operation::Operation;
use crate::server::wire::{ProfileTemplate, Request, WorkflowPolicy};
use crate::server::{DataForm, LostRequest, NewRequest, Purpose, RequestKind, RequestLook, ServerError};

/// The request to be made.
#[derive(Debug, Clone, Args)]
pub struct CreateArgs {
    /// The profile template, by its name or id.
    #[arg(long, value_name = "TEMPLATE")]
    template: String,
    /// An item that the template collects, and its value. Once for each item.
    #[arg(long, value_name = "NAME=VALUE", value_parser = item)]
    data: Vec<(String, String)>,
    /// A comment, where the template takes one.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    comment: String,
    /// For whom the card is: another user, by id. Else for the caller.
    #[arg(long, value_name = "UUID")]
    target: Option<Uuid>,
    /// Say yes beforehand: don't ask on the terminal. Needed where there is none.
    #[arg(long)]
    yes: bool,
}

/// What was given is no item.
#[derive(Debug, Error)]
#[error("an item is its name, `=`, and its value")]
struct NoItem;

fn item(text: &str) -> Result<(String, String), NoItem> {
    let (name, value) = text.split_once('=').ok_or(NoItem)?;
    let name = name.trim();
    (!name.is_empty()).then(|| (name.to_owned(), value.to_owned())).ok_or(NoItem)
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
    let templates = server.look(client.profile_templates())?;
    let template = chosen(&templates, &args.template)?;
    let policy = server.look(client.workflow_policy(template.uuid, RequestKind::Enroll))?;
    check(template, &policy, args)?;
    let known = server.look(open_requests(server, args.target))?;
    agreed(&question(template, &policy, args, &known), args.yes, server, context)?;

    let new = NewRequest {
        purpose: Purpose::Enroll { profile_template: template.uuid },
        data: &args.data,
        data_form,
        comment: &args.comment,
        target: args.target,
    };
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

/// The template of this id, or the only one of this name in any case of letters.
fn chosen<'a>(templates: &'a [ProfileTemplate], wanted: &str) -> Result<&'a ProfileTemplate, RequestError> {
    let id = Uuid::try_parse(wanted.trim()).ok();
    let is_it = |template: &&ProfileTemplate| match id {
        Some(id) => template.uuid == id,
        None => template.name.trim().to_lowercase() == wanted.trim().to_lowercase(),
    };
    let named: Vec<&ProfileTemplate> = templates.iter().filter(is_it).collect();
    let all = |templates: &[&ProfileTemplate]| {
        Templates(templates.iter().map(|template| (template.name.clone(), template.uuid)).collect())
    };
    let wanted = wanted.trim().to_owned();
    match named[..] {
        [] => Err(RequestError::NoTemplate { wanted, shown: all(&templates.iter().collect::<Vec<_>>()) }),
        [template] if template.is_smartcard == Some(false) => {
            Err(RequestError::NotForCards { name: template.name.clone() })
        }
        [template] => Ok(template),
        _ => Err(RequestError::SeveralTemplates { wanted, named: all(&named) }),
    }
}

/// What the template says of such requests. What it does not say forbids nothing: the server decides.
fn check(template: &ProfileTemplate, policy: &WorkflowPolicy, args: &CreateArgs) -> Result<(), RequestError> {
    let is_own = args.target.is_none();
    let why = match policy {
        policy if policy.enabled == Some(false) => Some(PolicyRefusal::Disabled),
        policy if policy.one_time_password => Some(PolicyRefusal::OneTimePassword),
        policy if is_own && policy.self_service == Some(false) => Some(PolicyRefusal::SelfService),
        policy if is_own && policy.enrollment_agent == Some(true) => Some(PolicyRefusal::EnrollmentAgent),
        _ => None,
    };
    let name = template.name.clone();
    if let Some(why) = why {
        return Err(RequestError::Policy { name, why });
    }
    let mut given = args.data.iter().map(|(name, _)| name).enumerate();
    if let Some((_, twice)) = given.find(|(at, name)| args.data.iter().take(*at).any(|(before, _)| before == *name)) {
        return Err(RequestError::DataTwice { name: twice.clone() });
    }
    let is_given = |item: &&String| args.data.iter().any(|(name, _)| name == *item);
    let missing: Vec<String> = policy.data_items.iter().filter(|item| !is_given(item)).cloned().collect();
    if !missing.is_empty() {
        return Err(RequestError::DataMissing { template: name, names: missing });
    }
    // A policy that lists nothing may not say what it collects.
    let is_unknown = |item: &&String| !policy.data_items.is_empty() && !policy.data_items.contains(item);
    let unknown: Vec<String> = args.data.iter().map(|(name, _)| name).filter(is_unknown).cloned().collect();
    if !unknown.is_empty() {
        return Err(RequestError::DataUnknown { template: name, names: unknown });
    }
    if policy.collects_comment == Some(false) && !args.comment.is_empty() {
        return Err(RequestError::CommentUnwanted { template: name });
    }
    Ok(())
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
fn question(template: &ProfileTemplate, policy: &WorkflowPolicy, args: &CreateArgs, open: &[Request]) -> String {
    let is_alike = |request: &&Request| {
        request.profile_template == Some(template.uuid)
            && args.target.is_none_or(|target| request.target_user == Some(target))
    };
    let alike: Vec<String> = open.iter().filter(is_alike).map(|request| request.uuid.to_string()).collect();
    let alike = match alike.is_empty() {
        true => String::new(),
        false => format!("Note: open already under this template: {}.\n", alike.join(", ")),
    };
    let whose = args.target.map_or_else(|| "you".to_owned(), |target| format!("user {target}"));
    let data: String = args.data.iter().map(|(name, value)| format!("\n  {name:?} = {value:?}")).collect();
    let comment = if args.comment.is_empty() { String::new() } else { format!("\n  comment {:?}", args.comment) };
    let approvals = match policy.approvals {
        Some(people @ 1..) => format!("\n  it waits for {people} approval(s)"),
        _ => String::new(),
    };
    let told = template_told(template.uuid, Some(&template.name));
    format!("{alike}Create a request to enroll a card for {whose} under template {told}?{data}{comment}{approvals}")
}

#[cfg(test)]
mod tests;
