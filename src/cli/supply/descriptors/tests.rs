use super::*;

#[test]
fn one_descriptor_gives_one_secret() {
    let shared = Descriptors { pin_fd: Some(9), puk_fd: Some(9), ..Descriptors::default() };
    assert!(matches!(shared.claim().map(|_| ()), Err(CliError::SharedDescriptor)));
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_would_show_the_secret() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use std::os::fd::AsRawFd as _;
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).and_then(|()| unlockpt(&person)).unwrap();
    let name = ptsname(&person, Vec::new()).unwrap();
    let terminal = std::fs::File::open(name.to_str().unwrap()).unwrap();
    let named = |file: &std::fs::File| Descriptors {
        current_pin_fd: Some(file.as_raw_fd().try_into().unwrap()),
        ..Descriptors::default()
    };
    let error = named(&terminal).claim().map(|_| ()).unwrap_err();
    assert!(matches!(error, CliError::TerminalDescriptor), "{error:?}");
    assert_eq!(error.exit(), crate::exit::Exit::Usage);
    assert!(named(&tempfile::tempfile().unwrap()).claim().unwrap().of(Need::CurrentPin).is_some());
}
