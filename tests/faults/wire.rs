//! A connection that is lost at a call and can't be had again: nobody listens any more, or somebody else does.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use pinwright::job::{Cause, Step};
use pinwright::sim::server::{Endpoint, Fault, FaultKind};
use support::provisioning::{InsertedCard, JobSetup, Kind, Lines, Person, issuer, told};
use support::sample::Sample;

use crate::case_journal::{CaseJournal, secrets};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The port is closed.
    Refused,
    /// Another authority's server.
    Stranger,
    /// No TLS at all.
    Mail,
    /// The connection is taken and closed.
    Closed,
}

/// Passes that many connections on, and then does what it is told. Gives its port.
fn relay(server: u16, stranger: u16, passes: usize, then: Then) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for _ in 0..passes {
            let Ok((client, _)) = listener.accept() else { return };
            splice(client, server);
        }
        if then == Then::Refused {
            return;
        }
        while let Ok((mut client, _)) = listener.accept() {
            match then {
                Then::Stranger => splice(client, stranger),
                Then::Mail => drop(client.write_all(b"220 mail.contoso.com ESMTP\r\n")),
                Then::Closed | Then::Refused => {}
            }
        }
    });
    port
}

fn splice(client: TcpStream, port: u16) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
    let ends = (client.try_clone().unwrap(), server.try_clone().unwrap());
    for (mut from, mut to) in [(client, server), (ends.1, ends.0)] {
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                if to.write_all(&buffer[..length]).is_err() {
                    break;
                }
            }
            drop(to.shutdown(Shutdown::Both));
            drop(from.shutdown(Shutdown::Both));
        });
    }
}

fn port_of(setup: &JobSetup) -> u16 {
    let url = setup.server.base_url();
    url.split(':').nth(2).and_then(|rest| rest.split('/').next()).unwrap().parse().unwrap()
}

#[test]
fn a_connection_that_is_lost_at_any_call_and_not_had_again() {
    let calls = [
        None,
        Some(Endpoint::Smartcards),
        Some(Endpoint::Requests),
        Some(Endpoint::CardPolicy),
        Some(Endpoint::PinByCard),
        Some(Endpoint::AuthenticationResponse),
    ];
    let (mut cases, mut sample) = (0, Sample::from(0));
    let stranger = JobSetup::new(Kind::Gids, "server");
    for (kind, authority) in [(Kind::Gids, "server"), (Kind::Iso, "admin-key"), (Kind::IsoT0, "current-pin")] {
        let lines = Lines { server: "timeout = \"700ms\"".to_owned(), ..Lines::default() };
        let mut setup = JobSetup::with(kind, authority, &lines, |_| {});
        let case_journal = CaseJournal::of(&mut setup);
        let direct = setup.config.server.as_ref().unwrap().url.clone();
        for call in calls {
            if call == Some(Endpoint::AuthenticationResponse) && authority != "server" {
                continue;
            }
            for then in [Then::Refused, Then::Stranger, Then::Mail, Then::Closed].into_iter().filter(|_| sample.takes())
            {
                cases += 1;
                let case = format!("{kind:?}, {authority}, lost at {call:?}, then {then:?}");
                case_journal.clear();
                // The first connection is the only good one, and it ends at the call.
                let port = relay(port_of(&setup), port_of(&stranger), usize::from(call.is_some()), then);
                if let Some(call) = call {
                    setup.server.inject(Fault::on(call, FaultKind::DropBeforeHeaders));
                }
                let mut url = direct.clone();
                url.set_port(Some(port)).unwrap();
                setup.config.server.as_mut().unwrap().url = url;
                setup.issuer = issuer(&setup.config);
                let inserted = InsertedCard::new(kind);
                let run = setup.run(&inserted, &mut Person::knowing());
                let hidden = secrets(&setup, &inserted);
                assert_eq!(case_journal.leaks(&run.result, &hidden), Vec::<String>::new(), "{case}");
                let failure = run.failed_untouched(&case);
                assert!(matches!(*failure.cause, Cause::Server(_)), "{case}: {}", told(&failure));
                let ask = [Some(Endpoint::PinByCard), Some(Endpoint::AuthenticationResponse)].contains(&call);
                assert_eq!(failure.step, if ask { Step::Ask } else { Step::Resolve }, "{case}");
                inserted.assert_not_risked(&case);
                assert!(case_journal.records().is_empty(), "{case}");
                assert!(stranger.server.requests().is_empty(), "{case}: a stranger is told nothing");

                setup.server.state().clear_faults();
                setup.config.server.as_mut().unwrap().url = direct.clone();
                setup.issuer = issuer(&setup.config);
                setup.run(&inserted, &mut Person::knowing()).ok(&case);
                assert!(inserted.pin_is(&setup.server.state().last_pin().unwrap()), "{case}");
                assert!(case_journal.open().is_empty(), "{case}");
            }
        }
    }
    println!("lost connections: {cases} cases{sample}, 0 violations");
}
