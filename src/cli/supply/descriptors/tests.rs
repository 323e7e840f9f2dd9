use super::*;
use crate::os::testing;

#[test]
fn one_descriptor_gives_one_secret() {
    let shared = Descriptors { pin_fd: Some(9), puk_fd: Some(9), ..Descriptors::default() };
    assert!(matches!(shared.claim().map(|_| ()), Err(CliError::SharedDescriptor)));
}

#[test]
fn a_terminal_would_show_the_secret() {
    let Some((_person, terminal)) = testing::terminal() else { return };
    let named =
        |file: &std::fs::File| Descriptors { current_pin_fd: testing::number_of(file), ..Descriptors::default() };
    let error = named(&terminal).claim().map(|_| ()).unwrap_err();
    assert!(matches!(error, CliError::TerminalDescriptor), "{error:?}");
    assert_eq!(error.exit(), crate::exit::Exit::Usage);
    assert!(named(&tempfile::tempfile().unwrap()).claim().unwrap().of(Need::CurrentPin).is_some());
}
