//! A request as it is told: as JSON, and as a block of lines.

use std::time::SystemTime;

use serde::Serialize;
use uuid::Uuid;

use crate::cli::json::Head;
use crate::cli::screen::{Line, Tone};
use crate::job::issuer::template_told;
use crate::server::wire::{ProfileTemplate, Request, RequestStatus, RequestType};

/// A request.
#[derive(Debug, Clone, Serialize)]
pub struct RequestObject {
    id: Uuid,
    /// `None` where the server does not say.
    r#type: Option<String>,
    /// `None` of one that was made and could not be read.
    status: Option<String>,
    submitted: Option<String>,
    completed: Option<String>,
    template: Option<Uuid>,
    template_name: Option<String>,
    target_user: Option<Uuid>,
    smartcard: Option<Uuid>,
    old_smartcard: Option<Uuid>,
    comment: Option<String>,
    data: Vec<DataObject>,
    #[serde(skip)]
    tone: Tone,
}

/// An item that was collected.
#[derive(Debug, Clone, Serialize)]
struct DataObject {
    name: String,
    value: Option<String>,
}

/// `pinwright.request-show/1`, and those of the commands that change a request.
#[derive(Debug, Serialize)]
pub struct OneRequest<'a> {
    /// The command.
    #[serde(flatten)]
    pub head: Head,
    /// The request as it is now.
    pub request: &'a RequestObject,
    /// The answer of the call that changed it was lost, and a look has shown what became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found_by_look: Option<bool>,
}

fn moment(moment: SystemTime) -> String {
    humantime::format_rfc3339_seconds(moment).to_string()
}

impl RequestObject {
    /// What the server shows, with the template's name where it is among these.
    #[must_use]
    pub fn new(request: &Request, templates: &[ProfileTemplate]) -> Self {
        let name = |id: Uuid| templates.iter().find(|template| template.uuid == id).map(|known| known.name.clone());
        let data = request.data.iter();
        Self {
            id: request.uuid,
            r#type: (request.kind != RequestType::Unknown(-1)).then(|| request.kind.to_string()),
            status: Some(request.status.to_string()),
            submitted: request.submitted.map(moment),
            completed: request.completed.map(moment),
            template: request.profile_template,
            template_name: request.profile_template.and_then(name),
            target_user: request.target_user,
            smartcard: request.new_smartcard,
            old_smartcard: request.old_smartcard,
            comment: request.comment.clone().filter(|comment| !comment.is_empty()),
            data: data.map(|(name, value)| DataObject { name: name.clone(), value: value.clone() }).collect(),
            tone: match request.status {
                RequestStatus::Approved | RequestStatus::Completed => Tone::Good,
                RequestStatus::Pending | RequestStatus::Executing | RequestStatus::Unknown(_) => Tone::Waiting,
                RequestStatus::Denied | RequestStatus::Failed | RequestStatus::Canceled => Tone::Bad,
            },
        }
    }

    /// One that was made, and of which no more is known than its id.
    #[must_use]
    pub fn unread(id: Uuid) -> Self {
        Self {
            id,
            r#type: None,
            status: None,
            submitted: None,
            completed: None,
            template: None,
            template_name: None,
            target_user: None,
            smartcard: None,
            old_smartcard: None,
            comment: None,
            data: Vec::new(),
            tone: Tone::Waiting,
        }
    }

    /// Status and id, then what else is known.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let status = self.status.as_deref().unwrap_or("made");
        let kind = self.r#type.as_deref().unwrap_or("-");
        let first = Line::new(self.tone, format!("{status:<10}")).with(Tone::Plain, format!(" {kind:<8} {}", self.id));
        let template = self.template.map(|id| template_told(id, self.template_name.as_deref()).to_string());
        let id = |id: Option<Uuid>| id.map(|id| id.to_string());
        let quoted = |text: &String| format!("{text:?}");
        let data = self.data.iter().map(|item| {
            let value = item.value.as_ref().map_or_else(|| "not shown".to_owned(), quoted);
            ("data", format!("{:?} = {value}", item.name))
        });
        let details = [
            ("template", template),
            ("user", id(self.target_user)),
            ("card", id(self.smartcard)),
            ("replaces", id(self.old_smartcard.filter(|old| Some(*old) != self.smartcard))),
            ("submitted", self.submitted.clone()),
            ("completed", self.completed.clone()),
            ("comment", self.comment.as_ref().map(quoted)),
        ];
        let details = details.into_iter().filter_map(|(label, text)| Some((label, text?))).chain(data);
        let below = |(label, text)| Line::new(Tone::Quiet, format!("    {label:<10}")).with(Tone::Plain, text);
        std::iter::once(first).chain(details.map(below)).collect()
    }
}
