//! Servers that fail at any call, and the run after them.

use std::time::Duration;

use pinwright::enroll::job::Ended;
use pinwright::enroll::next::Purpose;
use pinwright::exit::Exit;
use pinwright::job::{Cause, Stop};
use pinwright::sim::gids::GidsCard;
use pinwright::sim::server::{Endpoint, Fault, FaultKind, Rule, Violation};
use support::sample::Sample;

use crate::site::{Site, gids, template, told};

/// Each endpoint that an enrollment calls.
const CALLS: [Endpoint; 14] = [
    Endpoint::Smartcards,
    Endpoint::Smartcard,
    Endpoint::Requests,
    Endpoint::Request,
    Endpoint::CardPolicy,
    Endpoint::GenerationOptions,
    Endpoint::CardCertificates,
    Endpoint::PinByCard,
    Endpoint::AuthenticationResponse,
    Endpoint::DiversifiedKey,
    Endpoint::CreateRequest,
    Endpoint::BindCard,
    Endpoint::CertificateData,
    Endpoint::EndRequest,
];

fn status(code: u16) -> FaultKind {
    FaultKind::status(code)
}

fn kinds() -> Vec<(&'static str, FaultKind)> {
    vec![
        ("403", status(403)),
        ("500", status(500)),
        ("204", status(204)),
        ("no answer", FaultKind::DropBeforeHeaders),
        ("half an answer", FaultKind::DropAfterHeaders),
    ]
}

#[test]
fn the_server_fails_at_any_call() {
    let (mut stopped, mut sample) = (Vec::new(), Sample::from(0));
    for endpoint in CALLS {
        for (name, kind) in kinds() {
            // That is how a server says that no key pair is wanted.
            if (endpoint, name) == (Endpoint::GenerationOptions, "204") {
                continue;
            }
            for nth in (0..2).filter(|_| sample.takes()) {
                let case = format!("{endpoint:?} {name} at call {nth}");
                let mut site = Site::new(gids(), template(true));
                let job = site.job(Purpose::Enroll);
                site.server.inject(Fault::on(endpoint, kind.clone()).after(nth));
                let first = site.run(&job);
                site.server.state().clear_faults();
                if first.is_ok() {
                    check(&site, &case);
                    continue;
                }
                match site.run(&job) {
                    Ok(Ended::Done(_)) => check(&site, &case),
                    Ok(other) => panic!("{case}: {other:?}"),
                    Err(failure) => {
                        assert_eq!(
                            Exit::from(&failure),
                            Exit::Attention,
                            "{case}: {}\n{}",
                            told(&failure),
                            site.lines()
                        );
                        let known = matches!(
                            failure.cause.as_ref(),
                            Cause::Stop(
                                Stop::CertificatesLost { .. }
                                    | Stop::RequestLost
                                    | Stop::BindLost { .. }
                                    | Stop::AdminKeyUnknown { .. }
                            )
                        );
                        assert!(known, "{case}: {}\n{}", told(&failure), site.lines());
                        no_violations(&site, &case);
                        stopped.push(case);
                    }
                }
            }
        }
    }
    println!("{} of {}{sample} stopped for a person: {stopped:#?}", stopped.len(), CALLS.len() * kinds().len() * 2);
}

/// A broken connection takes two answers along, and the server believes that it gave the other one: the same challenge once more is
/// no second use of it.
fn no_violations(site: &Site<GidsCard>, case: &str) {
    let is_told = |violation: &Violation| case.contains("answer") && violation.rule == Rule::ChallengeReused;
    let violations = site.server.violations();
    assert!(violations.iter().all(is_told), "{case}: {violations:?}");
}

fn check(site: &Site<GidsCard>, case: &str) {
    no_violations(site, case);
    let tries = site.card.with(|card| (card.admin_failures(), card.tries_left(), card.has_key(0x82)));
    assert_eq!(tries, (0, 3, false), "{case}");
    let done = site.server.state().change(|settings| (settings.requests.len(), settings.certificates.len()));
    assert_eq!(done, (1, 1), "{case}: requests and certificates\n{}", site.lines());
    assert!(site.records().iter().all(|record| !record.is_open()), "{case}: {:#?}", site.records());
}

#[test]
fn a_slow_authority_is_waited_for() {
    let mut site = Site::new(gids(), template(false));
    let job = site.job(Purpose::Enroll);
    site.server.inject(Fault::on(Endpoint::CertificateData, FaultKind::Delay(Duration::from_millis(300))));
    assert_eq!(site.done(&job).certificates.len(), 1);
}
