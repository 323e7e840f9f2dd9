//! Files and folders of this user alone, and folders whose entries survive a power cut.
//!
//! Unix has rights as mode bits. Elsewhere files and folders get the rights that their folder hands down.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::path::Path;

/// Options that create a file for this user alone (mode 0600 on Unix). A file that exists keeps its rights.
#[must_use]
pub fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Creates a folder and those above it that are missing, for this user alone (mode 0700 on Unix). One that exists keeps its
/// rights.
///
/// # Errors
/// The system's, where one of them can't be created or is no folder.
pub fn create_private_dir_all(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Waits until the names in a folder (files created, renamed, removed) are on disk. Nothing to do on systems that can't open a
/// folder for that: there the file system's own log keeps the order of renames.
///
/// # Errors
/// The system's, where the folder can't be opened or written to disk.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        std::fs::File::open(path)?.sync_all()
    }
    #[cfg(not(unix))]
    {
        std::fs::metadata(path).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_with_those_above_it_and_can_be_synced() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("a").join("b");
        assert!(sync_dir(&folder).is_err());
        create_private_dir_all(&folder).unwrap();
        create_private_dir_all(&folder).unwrap();
        private_options().write(true).create_new(true).open(folder.join("file")).unwrap();
        sync_dir(&folder).unwrap();
        assert!(create_private_dir_all(&folder.join("file")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn what_is_made_is_for_this_user_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let base = tempfile::tempdir().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let folder = base.path().join("a").join("b");
        create_private_dir_all(&folder).unwrap();
        let file = folder.join("file");
        private_options().write(true).create_new(true).open(&file).unwrap();
        assert_eq!((mode(&base.path().join("a")), mode(&folder), mode(&file)), (0o700, 0o700, 0o600));
    }
}
