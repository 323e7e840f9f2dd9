use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn writable(path: &Path) -> Result<(), Exposure> {
    refuse_writable(&File::open(path).unwrap(), path)
}

#[track_caller]
fn assert_writable(result: Result<(), Exposure>, at: &Path) {
    match result {
        Err(Exposure::Writable { path }) => assert_eq!(path, at),
        other => panic!("{}: {other:?}", at.display()),
    }
}

#[test]
fn a_file_that_others_can_write_to_is_found_and_so_is_a_folder_above_it() {
    let base = tempfile::tempdir().unwrap();
    let folder = base.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let file = folder.join("file");
    fs::write(&file, "x").unwrap();
    for mode in [0o600, 0o640, 0o644, 0o400] {
        set_mode(&file, mode);
        writable(&file).unwrap();
    }
    for mode in [0o666, 0o602] {
        set_mode(&file, mode);
        assert_writable(writable(&file), &file);
    }
    set_mode(&file, 0o600);
    set_mode(&folder, 0o777);
    assert_writable(writable(&file), &folder);
    set_mode(&folder, 0o1777);
    writable(&file).unwrap();
}

#[test]
fn a_link_of_ours_is_followed_and_what_it_leads_through_is_looked_at() {
    let base = tempfile::tempdir().unwrap();
    let (real, open) = (base.path().join("real"), base.path().join("open"));
    fs::create_dir(&real).unwrap();
    fs::create_dir(&open).unwrap();
    fs::write(real.join("file"), "x").unwrap();
    symlink("../real", open.join("link")).unwrap();
    symlink("open/link/../real/file", base.path().join("file")).unwrap();
    writable(&open.join("link/file")).unwrap();
    writable(&base.path().join("file")).unwrap();
    set_mode(&open, 0o777);
    assert_writable(writable(&open.join("link/file")), &open);
    assert_writable(writable(&base.path().join("file")), &open);
    // Of root's, on every system that has it.
    assert!(fs::symlink_metadata("/proc/self").is_ok_and(|link| link.uid() == 0));
}

#[test]
fn what_everybody_can_read_is_found() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for (mode, readable) in [(0o600, false), (0o640, false), (0o644, true), (0o604, true)] {
        set_mode(file.path(), mode);
        assert_eq!(refuse_readable(file.as_file(), file.path()).is_err(), readable, "{mode:o}");
    }
}

#[test]
fn no_others_can_write_to_a_folder_of_ours_behind_a_link_or_not() {
    let base = tempfile::tempdir().unwrap();
    let (real, link) = (base.path().join("real"), base.path().join("link"));
    fs::create_dir(&real).unwrap();
    refuse_shared_folder(&real).unwrap();
    refuse_shared_folder(&real.join(".")).unwrap();
    symlink(&real, &link).unwrap();
    refuse_shared_folder(&link).unwrap();
    // One that another user has put there is none of ours, whatever it names.
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::lchown(&link, Some(65_534), None).unwrap();
        assert!(matches!(refuse_shared_folder(&link), Err(Exposure::Anothers { user: 65_534, .. })));
        std::os::unix::fs::lchown(&link, Some(0), None).unwrap();
    }
    for mode in [0o777, 0o1777, 0o702] {
        set_mode(&real, mode);
        assert_writable(refuse_shared_folder(&real), &real);
        assert_writable(refuse_shared_folder(&link), &link);
    }
}

#[test]
fn another_users_file_is_others_and_a_group_with_a_member_too() {
    let base = tempfile::tempdir().unwrap();
    let file = base.path().join("file");
    fs::write(&file, "x").unwrap();
    set_mode(&file, 0o640);
    // Only root gives files away: `root:pinwright 0640` is fine, `nobody` can do what it likes with its own.
    if std::os::unix::fs::chown(&file, None, Some(1)).is_err() {
        return;
    }
    writable(&file).unwrap();
    set_mode(&file, 0o660);
    assert_writable(writable(&file), &file);
    std::os::unix::fs::chown(&file, Some(65_534), Some(0)).unwrap();
    set_mode(&file, 0o600);
    assert!(matches!(writable(&file), Err(Exposure::Anothers { user: 65_534, .. })));
    std::os::unix::fs::chown(&file, Some(0), Some(0)).unwrap();
    set_mode(&file, 0o660);
    writable(&file).unwrap();
}

#[test]
fn what_was_passed_as_a_descriptor_is_exempt() {
    let file = tempfile::NamedTempFile::new().unwrap();
    set_mode(file.path(), 0o666);
    let passed = Path::new("/dev/fd/3");
    refuse_writable(file.as_file(), passed).unwrap();
    refuse_readable(file.as_file(), passed).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn a_socket_folder_has_a_sole_owner_where_nobody_else_can_write() {
    let base = tempfile::tempdir().unwrap();
    let folder = base.path().join("run");
    fs::create_dir(&folder).unwrap();
    let own = rustix::process::geteuid().as_raw();
    assert_eq!(sole_owner(&folder), Some(own));
    for mode in [0o777, 0o1777] {
        set_mode(&folder, mode);
        assert_eq!(sole_owner(&folder), None);
    }
    set_mode(&folder, 0o755);
    if std::os::unix::fs::chown(&folder, Some(65_534), None).is_ok() {
        assert_eq!(sole_owner(&folder), Some(65_534));
        // In the folder of another user's nobody is sure of his own.
        fs::create_dir(folder.join("own")).unwrap();
        assert_eq!(sole_owner(&folder.join("own")), None);
    }
}
