//! The objects of the REST API exactly as on the wire, read leniently.

mod certificates;
mod created;
mod object;
mod profile_templates;
mod profiles;
mod requests;
mod smartcards;

pub use self::certificates::IssuedCertificate;
pub(super) use self::certificates::issued;
pub(super) use self::created::created;
pub(super) use self::object::{FromObject, flag_of, guid, list, list_beside, number_of, one, words};
pub use self::profile_templates::{ProfileTemplate, WorkflowPolicy};
pub use self::profiles::{Profile, UserCertificate};
pub use self::requests::{KeyOptions, Request, RequestStatus, RequestType};
pub use self::smartcards::{CardCertificate, CardStatus, SmartCard};
