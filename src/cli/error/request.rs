//! What `request` can end with.

use std::fmt;
use std::io;

use thiserror::Error;
use uuid::Uuid;

use crate::exit::Exit;
use crate::operation::Operation;
use crate::server::{ServerError, ServerProblem};

/// A request that could not be listed, made or given up.
#[derive(Debug, Error)]
pub enum RequestError {
    /// The server.
    #[error(transparent)]
    Server(ServerError),
    /// The server does not let this user do it (403), or does not take the form of it (400).
    #[error(transparent)]
    Refused(RefusedCall),
    /// No template of that name or id.
    #[error("the server shows no profile template {wanted:?} that this user may enroll for")]
    NoTemplate {
        /// What was asked for.
        wanted: String,
        /// Those that it shows.
        shown: Templates,
    },
    /// Several templates of that name.
    #[error("{} profile templates have the name {wanted:?}", .named.0.len())]
    SeveralTemplates {
        /// The name.
        wanted: String,
        /// Those that have it.
        named: Templates,
    },
    /// A template for certificates without a card.
    #[error("profile template {name:?} is not for smart cards")]
    NotForCards {
        /// Its name.
        name: String,
    },
    /// What the template says of such requests forbids this one.
    #[error("profile template {name:?} does not let this request be made here: {why}")]
    Policy {
        /// The template's name.
        name: String,
        /// What it says.
        why: PolicyRefusal,
    },
    /// Items that the template collects are missing.
    #[error("profile template {template:?} collects data that is not given: {}", quoted(.names))]
    DataMissing {
        /// The template's name.
        template: String,
        /// The items.
        names: Vec<String>,
    },
    /// Items are given that the template does not collect.
    #[error("profile template {template:?} does not collect {}", quoted(.names))]
    DataUnknown {
        /// The template's name.
        template: String,
        /// The items.
        names: Vec<String>,
    },
    /// An item is given twice.
    #[error("{name:?} is given twice")]
    DataTwice {
        /// The item.
        name: String,
    },
    /// A comment is given, and the template collects none.
    #[error("profile template {template:?} takes no comment")]
    CommentUnwanted {
        /// The template's name.
        template: String,
    },
    /// A request that has ended, or is too far for this.
    #[error("request {request} is {status}: it can't be {}", .end.participle())]
    Status {
        /// The request.
        request: Uuid,
        /// Its status.
        status: String,
        /// How it was to end.
        end: GivingUp,
    },
    /// A request that a card is bound to.
    #[error("request {request} can't be canceled: card object {smartcard} is bound to it")]
    Bound {
        /// The request.
        request: Uuid,
        /// The card object.
        smartcard: Uuid,
    },
    /// The server has taken the call, and shows the request in another status.
    #[error("the server has taken the call, and shows request {request} as {status}: it is not {}", .end.participle())]
    NotDone {
        /// The request.
        request: Uuid,
        /// Its status.
        status: String,
        /// How it was to end.
        end: GivingUp,
    },
    /// A call that changes the server whose answer was lost; what a look has shown does not settle it.
    #[error("it is not known whether the request was {}: {look}", .end.map_or("made", GivingUp::participle))]
    Lost {
        /// How it was to end; `None` where it was to be made.
        end: Option<GivingUp>,
        /// What was seen.
        look: LostLook,
        /// How the answer was lost.
        #[source]
        source: Box<ServerError>,
    },
    /// Nobody can be asked.
    #[error("nobody has agreed: there is no terminal to ask on, and no `--yes`")]
    NobodyToAsk,
    /// The person said no.
    #[error("declined: nothing was changed at the server")]
    Declined,
    /// Ctrl-C or SIGTERM before anything was changed.
    #[error("interrupted: nothing was changed at the server")]
    Interrupted,
    /// The terminal.
    #[error("the terminal can't be asked")]
    Terminal(#[source] io::Error),
}

/// A call that the server refuses.
#[derive(Debug, Error)]
#[error("{source}")]
pub struct RefusedCall {
    /// What was to be done.
    pub what: Doing,
    /// What the server says. Its words are the message itself.
    pub source: Box<ServerError>,
}

/// What is done to requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Something is read.
    Read,
    /// A request is made.
    Create,
    /// The same, in a form that the server does not take.
    Form,
    /// A request is given up.
    GiveUp,
}

/// Profile templates by name and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Templates(pub Vec<(String, Uuid)>);

impl fmt::Display for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        for (at, (name, id)) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}{name:?} ({id})", if at == 0 { "" } else { ", " })?;
        }
        match self.0.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            Some(more) => write!(f, " and {more} more"),
            None => Ok(()),
        }
    }
}

/// Why a template lets no request be made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyRefusal {
    /// `Enabled` is false.
    Disabled,
    /// `SelfServiceEnabled` is false.
    SelfService,
    /// `EnrollAgentRequired` is true.
    EnrollmentAgent,
    /// There is a policy for one-time passwords.
    OneTimePassword,
}

impl fmt::Display for PolicyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disabled => "enrollment is switched off in it",
            Self::SelfService => "users may not make requests for themselves",
            Self::EnrollmentAgent => "an enrollment agent has to carry it out",
            Self::OneTimePassword => {
                "one-time passwords are handed out, and the REST API has no place to give one back"
            }
        })
    }
}

/// How a request is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivingUp {
    /// Before a card is bound.
    Cancel,
    /// Later.
    Abandon,
}

impl GivingUp {
    /// What was done.
    #[must_use]
    pub fn participle(self) -> &'static str {
        match self {
            Self::Cancel => "canceled",
            Self::Abandon => "abandoned",
        }
    }
}

/// What a look at the server has shown after a lost answer.
#[derive(Debug)]
pub enum LostLook {
    /// No request like it.
    NotShown,
    /// Several requests like it.
    Several(Vec<Uuid>),
    /// The request is still in this status.
    AsBefore(String),
    /// The request has ended otherwise.
    Otherwise(String),
    /// It failed, too.
    Failed(Box<ServerError>),
}

impl fmt::Display for LostLook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotShown => f.write_str("the answer was lost, and the server shows no request like it so far"),
            Self::Several(ids) => {
                let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
                write!(f, "the answer was lost, and the server shows several requests like it: {}", ids.join(", "))
            }
            Self::AsBefore(status) => write!(f, "the answer was lost, and the server still shows it as {status}"),
            Self::Otherwise(status) => write!(f, "the answer was lost, and the server shows it as {status}"),
            Self::Failed(error) => write!(f, "the answer was lost, and looking for it failed ({error})"),
        }
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

impl RequestError {
    /// An error of the server in doing this.
    #[must_use]
    pub fn of(what: Doing, error: ServerError) -> Self {
        match error.problem {
            ServerProblem::Forbidden { .. } => Self::Refused(RefusedCall { what, source: Box::new(error) }),
            // The one call whose form the reference leaves open.
            ServerProblem::Rejected { status: 400, .. } if what == Doing::Create => {
                Self::Refused(RefusedCall { what: Doing::Form, source: Box::new(error) })
            }
            _ => Self::Server(error),
        }
    }

    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Server(error) => error.into(),
            Self::Refused(refused) => refused.source.as_ref().into(),
            Self::NoTemplate { .. } | Self::NotForCards { .. } | Self::Policy { .. } => Exit::ServerRefused,
            Self::Status { .. } | Self::Bound { .. } => Exit::ServerRefused,
            Self::SeveralTemplates { .. } | Self::CommentUnwanted { .. } => Exit::Usage,
            Self::DataMissing { .. } | Self::DataUnknown { .. } | Self::DataTwice { .. } => Exit::Usage,
            Self::Lost { .. } | Self::NotDone { .. } => Exit::ServerFailed,
            Self::NobodyToAsk | Self::Declined | Self::Interrupted => Exit::Interrupted,
            Self::Terminal(_) => Exit::Defect,
        }
    }

    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Server(error) => error.problem.remedy(),
            Self::Refused(RefusedCall { what, .. }) => match what {
                Doing::Read => "have this user given the right to read profile templates and requests in MIM CM",
                Doing::Create => {
                    "have this user given the right to enroll under the template, and with `--target` to do so for that user"
                }
                Doing::Form => {
                    "where the template collects data, set `server.data_collection` to the other form; else report this with the \
                     server's build number"
                }
                Doing::GiveUp => "have it given up by who made it, or by somebody who may manage requests in MIM CM",
            }
            .to_owned(),
            Self::NoTemplate { shown, .. } if shown.0.is_empty() => {
                "have this user given the right to enroll under the profile template".to_owned()
            }
            Self::NoTemplate { shown, .. } => format!("name one of those that it shows: {shown}"),
            Self::SeveralTemplates { named, .. } => format!("name one by its id: {named}"),
            Self::NotForCards { .. } => "name a template for smart cards".to_owned(),
            Self::Policy { why: PolicyRefusal::OneTimePassword, .. } => {
                "make the request in the MIM CM portal, or have the template changed".to_owned()
            }
            Self::Policy { why: PolicyRefusal::SelfService | PolicyRefusal::EnrollmentAgent, .. } => {
                "have somebody who may make the request for this user, with `--target`".to_owned()
            }
            Self::Policy { why: PolicyRefusal::Disabled, .. } => {
                "have enrollment switched on in the profile template".to_owned()
            }
            Self::DataMissing { .. } => "give each with `--data NAME=VALUE`".to_owned(),
            Self::DataUnknown { .. } => "leave it out; names count with blanks and all".to_owned(),
            Self::DataTwice { .. } => "give it once".to_owned(),
            Self::CommentUnwanted { .. } => "leave `--comment` out".to_owned(),
            Self::Status { end: GivingUp::Cancel, status, .. } if status == "Executing" => {
                format!("give it up with `{}`", Operation::RequestAbandon)
            }
            Self::Status { end: GivingUp::Abandon, status, .. } if status == "Pending" => {
                format!("give it up with `{}`", Operation::RequestCancel)
            }
            Self::Status { .. } | Self::NotDone { .. } => format!("look at it with `{}`", Operation::RequestShow),
            Self::Bound { .. } => format!("give it up with `{}`", Operation::RequestAbandon),
            Self::Lost { end: None, .. } => {
                format!(
                    "look with `{}` before it is made again: nothing is sent a second time by itself",
                    Operation::RequestList
                )
            }
            Self::Lost { .. } => format!("look with `{}` before it is done again", Operation::RequestShow),
            Self::NobodyToAsk => "run it on a terminal, or say yes beforehand with `--yes`".to_owned(),
            Self::Declined | Self::Interrupted | Self::Terminal(_) => return None,
        })
    }
}
