//! This machine's clock against the server's.

use std::time::Duration;

use super::finding::{Findings, Probe};
use super::span::span;
use crate::os::clock;
use crate::server::Clocks;

/// What a time service keeps to, and the server's clock in whole seconds.
const WELL: Duration = Duration::from_secs(60);

/// What Kerberos allows.
const MOST: Duration = Duration::from_secs(300);

fn remedy() -> String {
    format!("set this machine's clock by a time service ({}); if it is right, the server's is wrong", clock::SET)
}

/// One line.
pub(super) fn tell(clocks: Option<Clocks>, findings: &mut Findings) {
    let Some(Clocks { server, here, within }) = clocks else {
        return findings.unknown(Probe::Clock, "the server does not say what its clock shows");
    };
    let (off, way) = match here.duration_since(server) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    let reason = format!("{} {way} the server's", span(off));
    match off {
        // The answer was under way as long, and the server's clock is cut to whole seconds.
        off if off <= WELL + within => findings.ok(Probe::Clock, format!("as the server's, to {}", span(off + within))),
        off if off <= MOST => findings.warning(Probe::Clock, reason, remedy()),
        _ => findings.failed(
            Probe::Clock,
            format!("{reason}: tokens and certificates are judged by it, and Kerberos allows 5 min"),
            remedy(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_clock_is_judged_by_how_far_it_is_off() {
        let now = SystemTime::now();
        let told = |server: SystemTime| {
            let mut findings = Findings::default();
            tell(Some(Clocks { server, here: now, within: Duration::from_millis(3) }), &mut findings);
            (findings.list()[0].state, findings.list()[0].reason.clone())
        };
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        assert_eq!(told(now).0, State::Ok);
        assert_eq!(told(now + minutes(4)), (State::Warning, "4 min behind the server's".to_owned()));
        let (state, reason) = told(now - minutes(20));
        assert!(state == State::Failed && reason.starts_with("20 min ahead of the server's"), "{reason}");
        let mut findings = Findings::default();
        tell(None, &mut findings);
        assert_eq!(findings.list()[0].state, State::Unknown);
    }
}
