//! A request that could be made under a template: which template, what its policy says, and the items that it collects.

use uuid::Uuid;

use super::server::Server;
use super::wished::{Given, Wished};
use crate::cli::context::CommandContext;
use crate::cli::error::request::{PolicyRefusal, RequestError, Templates};
use crate::os::prompt::{Terminal, is_interactive};
use crate::server::RequestKind;
use crate::server::wire::{ProfileTemplate, WorkflowPolicy};

/// A request that could be made.
pub struct Prepared {
    /// Every template that the caller may enroll for.
    pub templates: Vec<ProfileTemplate>,
    /// The one that is meant.
    pub template: ProfileTemplate,
    /// What it says of such requests.
    pub policy: WorkflowPolicy,
    /// What is given for it, with what was asked for.
    pub wished: Wished,
}

/// Looks at the template, and asks on the terminal for each item that it collects and that was not given, where a person can be
/// asked. Nothing is changed at the server.
///
/// # Errors
/// No such template, or several; what its policy refuses; what is missing or given in vain; the server's; the terminal's.
pub fn prepared(
    server: &Server,
    wanted: &str,
    wished: &Wished,
    context: &CommandContext<'_>,
) -> Result<Prepared, RequestError> {
    let mut prepared = foreseen(server, wanted, wished)?;
    let missing = prepared.missing();
    if !missing.is_empty() && context.may_prompt && is_interactive() {
        let items = asked_for(&prepared.template, missing, server)?;
        prepared.wished.given.data.extend(items);
    }
    check(&prepared.template, &prepared.policy, &prepared.wished)?;
    Ok(prepared)
}

/// The same without asking anybody: [`Prepared::missing`] says what would be asked for.
///
/// # Errors
/// No such template, or several; what its policy refuses; what is given in vain; the server's.
pub fn foreseen(server: &Server, wanted: &str, wished: &Wished) -> Result<Prepared, RequestError> {
    let templates = server.look(server.client.profile_templates())?;
    let template = chosen(&templates, wanted)?.clone();
    let policy = server.look(server.client.workflow_policy(template.uuid, RequestKind::Enroll))?;
    allowed(&template, &policy, wished)?;
    Ok(Prepared { templates, template, policy, wished: wished.clone() })
}

impl Prepared {
    /// The items that the template collects and that are not given.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        missing(&self.policy, &self.wished)
    }
}

/// Asks for the items, one after the other. What is typed is shown: it is no secret.
fn asked_for(
    template: &ProfileTemplate,
    names: Vec<String>,
    server: &Server,
) -> Result<Vec<(String, String)>, RequestError> {
    let mut terminal = Terminal::open().map_err(RequestError::Terminal)?;
    let mut go_on = || !server.is_interrupted();
    let mut before = format!("Profile template {:?} collects data.\n", template.name);
    let mut items = Vec::new();
    for name in names {
        let value = terminal.line(&format!("{before}{name:?}: "), &mut go_on).map_err(RequestError::Terminal)?;
        items.push((name, value.ok_or(RequestError::Interrupted)?));
        before.clear();
    }
    Ok(items)
}

/// The template of this id, or the only one of this name in any case of letters.
pub(super) fn chosen<'a>(templates: &'a [ProfileTemplate], wanted: &str) -> Result<&'a ProfileTemplate, RequestError> {
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
pub(super) fn check(template: &ProfileTemplate, policy: &WorkflowPolicy, wished: &Wished) -> Result<(), RequestError> {
    allowed(template, policy, wished)?;
    match missing(policy, wished) {
        names if names.is_empty() => Ok(()),
        names => Err(RequestError::DataMissing { template: template.name.clone(), names }),
    }
}

/// The same, before what is missing is asked for.
fn allowed(template: &ProfileTemplate, policy: &WorkflowPolicy, wished: &Wished) -> Result<(), RequestError> {
    let Wished { given: Given { data, comment }, target } = wished;
    let is_own = target.is_none();
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
    let mut given = data.iter().map(|(name, _)| name).enumerate();
    if let Some((_, twice)) = given.find(|(at, name)| data.iter().take(*at).any(|(before, _)| before == *name)) {
        return Err(RequestError::DataTwice { name: twice.clone() });
    }
    // A policy that lists nothing may not say what it collects.
    let is_unknown = |item: &&String| !policy.data_items.is_empty() && !policy.data_items.contains(item);
    let unknown: Vec<String> = data.iter().map(|(name, _)| name).filter(is_unknown).cloned().collect();
    if !unknown.is_empty() {
        return Err(RequestError::DataUnknown { template: name, names: unknown });
    }
    if policy.collects_comment == Some(false) && !comment.is_empty() {
        return Err(RequestError::CommentUnwanted { template: name });
    }
    Ok(())
}

/// The items that are collected and not given.
fn missing(policy: &WorkflowPolicy, wished: &Wished) -> Vec<String> {
    let is_given = |item: &&String| wished.given.data.iter().any(|(name, _)| name == *item);
    policy.data_items.iter().filter(|item| !is_given(item)).cloned().collect()
}
