//! A pcscd that hangs: it is there, takes connections, and answers nobody.

use pinwright::agent::report::What;
use rustix::process::Signal;

use crate::cards::place_for;
use crate::daemon::Daemon;
use crate::pcscd::Pcscd;

#[test]
fn sigterm_ends_an_idle_agent_while_the_service_hangs() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let place = place_for(1);
    let mut agent = Daemon::start(&place, &pcscd.socket(), "agent");
    agent.hears(What::ServiceFound);
    pcscd.hang();
    agent.signal(Signal::TERM);
    assert_eq!(agent.exit(), Some(0));
    pcscd.go_on();
}
