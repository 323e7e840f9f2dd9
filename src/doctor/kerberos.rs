//! Tickets of Kerberos: how long they last, what a KDC has given for the server, and what is known of its clock.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, SystemTime};

use super::finding::{Findings, Name, Probe};
use super::span::{minute, span};
use crate::error_text::error_text;
use crate::server::auth::{AdfsError, KerberosError, Negotiate, OwnError, Reason, SignInError};
use crate::server::{Clocks, ServerProblem};

/// So long before their end tickets are warned of.
const SOON: Duration = Duration::from_secs(600);

/// So far two clocks may differ that a time service keeps.
const WELL: Duration = Duration::from_secs(60);

/// What Kerberos can't be asked for.
const UNTOLD: &str = "by how much the KDC's clock differs can't be known: the library does not say";

/// One line on the tickets that are here. `within` bounds the wait for a KDC.
pub(super) fn tell_of_tickets(negotiate: &Negotiate, within: Duration, findings: &mut Findings) {
    let (sender, answer) = sync_channel(1);
    let asked = negotiate.clone();
    // The library can't be told to stop waiting: the thread ends by itself.
    std::thread::spawn(move || sender.send(asked.tickets()));
    let found = match answer.recv_timeout(within) {
        Ok(found) => found,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(KerberosError::Silent { after: within }),
    };
    let now = SystemTime::now();
    match found {
        // Told of as the setting that it is.
        Err(error) if error.is_of_configuration() => findings.skipped(Probe::Tickets, error.to_string()),
        // Asked about tickets the library says less than when it is to use them.
        Err(KerberosError::Failed { reason: Reason::Other, source, .. }) => {
            findings.unknown(
                Probe::Tickets,
                format!("whose tickets there are can't be known: {source}; `sign-in` says more, where it was tried"),
            );
        }
        Err(error) if error.may_pass() => {
            findings.failed_for_now(Probe::Tickets, error_text(&error), error.remedy());
        }
        Err(error) => findings.failed(Probe::Tickets, error_text(&error), error.remedy()),
        Ok(tickets) => {
            findings.name(Name::User(tickets.principal.clone()));
            let whose = tickets.principal;
            let renews = negotiate.keytab().is_some();
            let until = |left| minute(now.checked_add(left).unwrap_or(now));
            match tickets.left {
                None => {
                    findings.ok(Probe::Tickets, format!("{whose}: the system gets tickets for this account by itself"))
                }
                Some(left) if renews => findings.ok(
                    Probe::Tickets,
                    format!("{whose}: the keytab gives tickets; the one of now is valid for {}", span(left)),
                ),
                Some(left) if left < SOON => {
                    findings.warning(
                        Probe::Tickets,
                        format!("{whose}: valid for {} ({})", span(left), until(left)),
                        "run `kinit`",
                    );
                }
                Some(left) => {
                    findings.ok(Probe::Tickets, format!("{whose}: valid for {} ({})", span(left), until(left)));
                }
            }
        }
    }
}

/// One line on the KDC, once the sign-in was tried: `problem` is what it has failed with.
pub(super) fn tell_of_kdc(
    negotiate: &Negotiate,
    clocks: Option<Clocks>,
    problem: Option<&ServerProblem>,
    findings: &mut Findings,
) {
    let service = negotiate.service();
    if let Some(until) = negotiate.ticket_until() {
        let left = until.duration_since(SystemTime::now()).unwrap_or_default();
        return findings.ok(
            Probe::Kdc,
            format!(
                "a ticket for {service} is here, valid for {}, and was accepted: the clocks keep to the 5 min of Kerberos; {UNTOLD}",
                span(left)
            ),
        );
    }
    match problem.and_then(of_kerberos) {
        Some(error @ KerberosError::Failed { reason: Reason::ClockSkew, .. }) => {
            let whose = match clocks.map(off) {
                Some(off) if off <= WELL => {
                    "the server's clock is as this machine's, so it is the KDC's or, for AD FS, that of AD FS"
                        .to_owned()
                }
                Some(off) => format!("the server's clock and this machine's differ by {}", span(off)),
                None => "the server does not say what its clock shows".to_owned(),
            };
            findings.failed(Probe::Kdc, format!("{error}; {whose}; {UNTOLD}"), error.remedy());
        }
        _ => findings.unknown(Probe::Kdc, format!("no ticket for {service} was accepted, so its clock is not known")),
    }
}

fn off(clocks: Clocks) -> Duration {
    clocks.here.duration_since(clocks.server).unwrap_or_else(|behind| behind.duration())
}

fn of_kerberos(problem: &ServerProblem) -> Option<&KerberosError> {
    match problem {
        ServerProblem::SignIn(SignInError::Kerberos(error)) => Some(error),
        ServerProblem::SignIn(SignInError::Adfs(AdfsError::Own(own))) => match &**own {
            OwnError::Kerberos(error) => Some(error),
            _ => None,
        },
        _ => None,
    }
}
