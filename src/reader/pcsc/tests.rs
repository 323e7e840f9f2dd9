//! What each number is told as.

use super::*;

#[test]
fn a_refusal_is_told_also_where_the_service_closes_early() {
    let asked_where = |answers: &[Code], has_socket, listens: bool| {
        let mut answers = answers.iter();
        let reached: Result<(), _> = reach(|| Err(*answers.next().unwrap()), has_socket, || listens);
        (failure(SERVICE, "reaching the service", reached.unwrap_err()), answers.count())
    };
    let asked = |answers: &[Code], has_socket| asked_where(answers, has_socket, false);
    for early in [5, ATTEMPTS_WHERE_IT_LISTENS as usize - 1] {
        let answers = [vec![Code::NO_SERVICE; early], vec![Code::SECURITY_VIOLATION]].concat();
        assert!(matches!(asked_where(&answers, true, true), (ReaderError::AccessDenied, 0)), "{early}");
        assert!(matches!(asked(&answers, true), (ReaderError::ServiceNotRunning, _)), "nobody listens: {early}");
    }
    let silent = vec![Code::NO_SERVICE; ATTEMPTS_WHERE_IT_LISTENS as usize + 1];
    assert!(matches!(asked_where(&silent, true, true), (ReaderError::ServiceNotRunning, 1)), "not for ever");
    for early in 0..ATTEMPTS as usize {
        let answers = [vec![Code::NO_SERVICE; early], vec![Code::SECURITY_VIOLATION]].concat();
        assert!(matches!(asked(&answers, true), (ReaderError::AccessDenied, 0)), "{early}");
    }
    let absent = [Code::NO_SERVICE; 5];
    assert!(matches!(asked(&absent, true), (ReaderError::ServiceNotRunning, 1)), "no more than four times");
    assert!(matches!(asked(&absent, false), (ReaderError::ServiceNotRunning, 4)), "once without a socket");
    if cfg!(not(windows)) {
        assert!(matches!(asked(&[Code::SERVICE_STOPPED], true), (ReaderError::OtherProtocol, 0)));
    }
    assert!(matches!(asked(&[Code::NO_MEMORY], true).1, 0), "a sibling: no other answer is asked again");
}

#[test]
#[cfg(windows)]
fn a_service_that_stopped_with_its_last_reader_is_one_that_does_not_run() {
    let reaching = failure(SERVICE, "reaching the service", Code::SERVICE_STOPPED);
    assert!(matches!(reaching, ReaderError::ServiceNotRunning), "{reaching}");
    assert!(reaching.remedy().contains("plug a reader in"), "{}", reaching.remedy());
    for code in [Code::SERVICE_STOPPED, Code::NO_SERVICE, Code::INVALID_HANDLE] {
        let later = failure(SERVICE, "watching the readers", code);
        assert!(matches!(later, ReaderError::ServiceLost { .. }), "{later}");
    }
}

#[test]
#[cfg(not(windows))]
fn a_service_of_another_protocol_has_not_stopped() {
    let reaching = failure(SERVICE, "reaching the service", Code::SERVICE_STOPPED);
    assert!(matches!(reaching, ReaderError::OtherProtocol), "{reaching}");
    assert!(reaching.remedy().contains("one release"), "{}", reaching.remedy());
    let later = failure(SERVICE, "listing the readers", Code::SERVICE_STOPPED);
    assert!(matches!(later, ReaderError::ServiceLost { .. }), "{later}");
}

/// Each number that is told as something better than a number.
#[test]
fn each_number_is_an_error_with_words() {
    let told = |code| failure("r", "sending a command", code);
    for code in [
        Code::NO_SERVICE,
        Code::SERVICE_STOPPED,
        Code::INVALID_HANDLE,
        Code::COMM_ERROR,
        Code::SHUTDOWN,
        Code::WINDOWS_INVALID_HANDLE,
        Code::WINDOWS_BROKEN_PIPE,
        Code::WINDOWS_NO_DATA,
        Code::WINDOWS_PIPE_NOT_CONNECTED,
        Code::WINDOWS_RPC_UNAVAILABLE,
        Code::WINDOWS_RPC_FAILED,
    ] {
        assert!(matches!(told(code), ReaderError::ServiceLost { .. }), "{code:?}");
        // The monitor asks again after any failure; a person is told to change nothing.
        assert!(!told(code).needs_a_person(), "{code:?}");
    }
    for code in [Code::SYSTEM_CANCELLED, Code::WINDOWS_SHUTDOWN_IN_PROGRESS] {
        assert!(matches!(told(code), ReaderError::SystemEnds { .. }), "{code:?}");
    }
    for code in
        [Code::UNKNOWN_READER, Code::READER_UNAVAILABLE, Code::NO_READERS_AVAILABLE, Code::WINDOWS_DEVICE_REMOVED]
    {
        assert!(matches!(told(code), ReaderError::NoSuchReader { .. }), "{code:?}");
    }
    for code in [Code::NO_SMARTCARD, Code::WINDOWS_NO_MEDIA] {
        assert!(matches!(told(code), ReaderError::NoCard { .. }), "{code:?}");
    }
    for code in [Code::SHARING_VIOLATION, Code::WINDOWS_SHARING_VIOLATION, Code::WINDOWS_BUSY] {
        assert!(matches!(told(code), ReaderError::InUse { .. }), "{code:?}");
    }
    for code in [Code::NOT_TRANSACTED, Code::COMM_DATA_LOST, Code::WINDOWS_IO_DEVICE, Code::WINDOWS_SEM_TIMEOUT] {
        assert!(matches!(told(code), ReaderError::Transmission { .. }), "{code:?}");
    }
    for code in [Code::PROTO_MISMATCH, Code::UNSUPPORTED_CARD] {
        assert!(matches!(told(code), ReaderError::ProtocolMismatch { .. }), "{code:?}");
    }
    assert!(matches!(told(Code::REMOVED_CARD), ReaderError::CardRemoved { .. }));
    assert!(matches!(told(Code::RESET_CARD), ReaderError::CardReset { .. }));
    assert!(matches!(told(Code::UNPOWERED_CARD), ReaderError::Unpowered { .. }));
    assert!(matches!(told(Code::UNRESPONSIVE_CARD), ReaderError::Unresponsive { .. }));
    for code in [Code::SECURITY_VIOLATION, Code::NO_ACCESS, Code::WINDOWS_ACCESS_DENIED] {
        assert!(matches!(failure("r", "opening the card", code), ReaderError::AccessDenied), "{code:?}");
    }
    // What a service says that is going down: nobody has to allow anything, and it is asked again soon.
    for code in [Code::SECURITY_VIOLATION, Code::NO_ACCESS] {
        let later = failure(SERVICE, "watching the readers", code);
        assert!(matches!(later, ReaderError::ServiceLost { .. }) && !later.needs_a_person(), "{code:?}");
    }
}

/// A number of which nobody knows anything is shown as it is, with what was going on.
#[test]
fn every_other_number_is_shown_as_it_is() {
    use std::error::Error as _;
    for code in Code::ALL.iter().copied().chain([Code(0xDEAD_BEEF), Code(0x8010_0034), Code(0x54F)]) {
        let error = failure("r", "sending a command", code);
        assert!(!error.to_string().is_empty() && !error.remedy().is_empty(), "{code:?}");
        if let ReaderError::UnexpectedCode { .. } = error {
            let text = error.to_string();
            assert!(text.contains(&format!("{:08X}", code.0)) && text.contains("sending a command"), "{text}");
            assert_eq!(error.source().unwrap().to_string(), code.to_string());
        }
    }
    let cancelled = failure("r", "opening the card", Code::CANCELLED_BY_USER);
    assert!(crate::error_text::error_text(&cancelled).contains("a person has pressed Cancel"), "{cancelled}");
}

/// No failure of a reader is told of one that is named like the service.
#[test]
fn a_device_that_is_gone_while_all_are_watched_is_a_service_to_be_asked_anew() {
    for code in [Code::WINDOWS_DEVICE_REMOVED, Code::WINDOWS_NO_SUCH_DEVICE, Code::WINDOWS_DEVICE_NOT_CONNECTED] {
        assert!(matches!(failure(SERVICE, "watching the readers", code), ReaderError::ServiceLost { .. }), "{code:?}");
    }
}
