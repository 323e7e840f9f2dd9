//! Folders with a list of rights of their own from their first moment on.

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::os::acl::{Share, Sid, private_folder};
use crate::os::windows::security::{Descriptor, own};

/// Creates a folder and those above it that are missing, for this user, administrators and the system.
///
/// # Errors
/// The system's, where one of them can't be created or is no folder.
pub(super) fn create_all(path: &Path) -> io::Result<()> {
    let own = own()?;
    create_with(path, &Descriptor::of_text(&private_folder(&own, &[(own, Share::All)]))?)
}

/// Creates a folder of the administrators in which these others have a share; `false` where it is there already, and keeps its rights.
///
/// # Errors
/// The system's.
pub(super) fn create_shared(path: &Path, others: &[(Sid, Share)]) -> io::Result<bool> {
    let descriptor = Descriptor::of_text(&private_folder(&Sid::ADMINISTRATORS, others))?;
    match descriptor.make_folder(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
        made => made.map(|()| true),
    }
}

fn create_with(path: &Path, descriptor: &Descriptor) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    match descriptor.make_folder(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let above = path.parent().filter(|above| !above.as_os_str().is_empty()).ok_or(error)?;
            create_with(above, descriptor)?;
            create_with(path, descriptor)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}
