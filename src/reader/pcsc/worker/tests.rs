//! A transaction is never idle for long, and a card that is being powered is waited for. The clock is the tests' own.

use super::*;

/// Windows resets a card whose transaction is idle for so long.
const LIMIT: Duration = Duration::from_secs(5);

/// What a busy machine may be late by.
const LATE: Duration = Duration::from_secs(1);

#[test]
fn no_wait_leaves_the_transaction_idle_for_long() {
    for waited in [0, 1999, 2000, 2001, 4000, 5000, 30_000, 3_600_000].map(Duration::from_millis) {
        let now = std::cell::Cell::new(Duration::ZERO);
        let mut calls = vec![Duration::ZERO];
        let wait = |limit: Duration| {
            let end = now.get() + limit;
            now.set(end.min(waited));
            if waited < end { Ok("a command") } else { Err(RecvTimeoutError::Timeout) }
        };
        assert_eq!(next_job(wait, || calls.push(now.get())), Some("a command"));
        calls.push(now.get());
        assert_eq!(now.get(), waited);
        for pair in calls.windows(2) {
            assert!(pair[1] - pair[0] + LATE < LIMIT, "idle from {:?} to {:?}", pair[0], pair[1]);
        }
        assert!(calls.len() as u128 - 2 <= waited.as_millis() / IDLE.as_millis(), "asked more often than need be");
    }
    assert_eq!(next_job(|_| Err::<(), _>(RecvTimeoutError::Disconnected), || panic!("nobody holds it")), None);
}

#[test]
fn a_card_that_is_being_powered_is_opened_once_more() {
    let mismatch = || ReaderError::ProtocolMismatch { reader: "r".to_owned() };
    for failures in 0..=POWER_UP.len() {
        let (mut paused, mut opened) = (Duration::ZERO, 0);
        let result = once_powered(
            |length| paused += length,
            || {
                opened += 1;
                if opened <= failures { Err(mismatch()) } else { Ok("open") }
            },
        );
        assert_eq!((result.ok(), opened), (Some("open"), failures + 1));
        assert!(paused < Duration::from_secs(1));
    }
    let mut opened = 0;
    let result: Result<(), _> = once_powered(
        |_| {},
        || {
            opened += 1;
            Err(mismatch())
        },
    );
    assert!(matches!(result, Err(ReaderError::ProtocolMismatch { .. })));
    assert_eq!(opened, POWER_UP.len() + 1, "not for ever");
    let mut opened = 0;
    let result: Result<(), _> = once_powered(
        |_| {},
        || {
            opened += 1;
            Err(ReaderError::NoCard { reader: "r".to_owned() })
        },
    );
    assert!(matches!(result, Err(ReaderError::NoCard { .. })));
    assert_eq!(opened, 1, "a sibling: no other failure is tried again");
}
