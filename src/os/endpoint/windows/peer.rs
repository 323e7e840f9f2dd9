//! Who may use the control pipe (the system, administrators, the agent's own user, and members of one group), and whose answers there are
//! believed.

use std::os::windows::io::AsHandle as _;
use std::path::Path;

use super::Stream;
use crate::os::account::Group;
use crate::os::acl::Sid;
use crate::os::endpoint::{NotAllowed, NotBelieved};
use crate::os::service;
use crate::os::windows::pipe::client_token;
use crate::os::windows::security::{has, named, of_pipe, own, user_of};

/// Lets the system, administrators, this process's user and the members of `group` in. The system noted who the client is when it connected,
/// so nothing that the client says counts.
///
/// # Errors
/// The client is none of them, or the system does not say who it is.
pub fn admit(stream: &Stream, group: Option<Group>) -> Result<(), NotAllowed> {
    let unknown = |_| NotAllowed { uid: None };
    if !stream.is_of_server() {
        return Err(NotAllowed { uid: None });
    }
    let token = client_token(stream).map_err(unknown)?;
    let user = user_of(&token).map_err(unknown)?;
    let group = group.map(|group| group.0);
    let belongs =
        [Some(Sid::SYSTEM), Some(Sid::ADMINISTRATORS), group].iter().flatten().any(|sid| has(Some(&token), sid));
    if belongs || own().is_ok_and(|own| own == user) { Ok(()) } else { Err(NotAllowed { uid: Some(user) }) }
}

/// Believes a pipe that belongs to the system, to administrators, to this process's user, or to the account of our service. A pipe belongs
/// to who made its first instance, and to nobody else by that one's will.
///
/// # Errors
/// It belongs to none of them, or the system does not say to whom.
pub fn believe(stream: &Stream, _path: &Path) -> Result<(), NotBelieved> {
    let owner = of_pipe(stream.as_handle()).map_err(|_| NotBelieved { uid: None })?.owner;
    let is_trusted = [Sid::SYSTEM, Sid::ADMINISTRATORS, Sid::of_service(service::NAME)].contains(&owner)
        || own().is_ok_and(|own| own == owner);
    if is_trusted || of_service() == Some(owner) { Ok(()) } else { Err(NotBelieved { uid: Some(owner) }) }
}

/// The account that an administrator has given our service.
fn of_service() -> Option<Sid> {
    let account = service::installation::account()?;
    named(&account.to_string_lossy()).ok()
}
