//! The kinds of sign-in that the server offers, and the configured one tried with a call that reads no secret.

use super::finding::{Findings, Probe};
use crate::error_text::error_text;
use crate::server::auth::{Auth, Offered, SPOKEN, SignInError};
use crate::server::{Client, Look, ServerProblem};

/// Gives what is in the way; `None` where the server lets us in.
pub(super) async fn tell(client: &Client, auth: &Auth, look: &Look, findings: &mut Findings) -> Option<ServerProblem> {
    let kind = auth.name();
    let offer = match look.status {
        401 => format!("the server offers {}", look.offered),
        200..=299 => "the server lets in who shows no credentials, too".to_owned(),
        status => format!("without credentials the server answers {status}"),
    };
    let problem = match client.profile_templates().await {
        Ok(templates) => {
            let seen = match templates.len() {
                0 => "this user may enroll for no profile template".to_owned(),
                1 => "this user may enroll for 1 profile template".to_owned(),
                many => format!("this user may enroll for {many} profile templates"),
            };
            findings.ok(Probe::SignIn, format!("{:?} is accepted; {offer}; {seen}", kind));
            return None;
        }
        Err(error) => error.problem,
    };
    match &problem {
        ServerProblem::Unauthorized { offered, .. } => {
            findings.failed(Probe::SignIn, format!("{problem}; `server.auth` is {kind:?}"), after_401(auth, offered, &problem));
        }
        ServerProblem::Forbidden { .. } => findings.failed(
            Probe::SignIn,
            format!("{problem}; {offer}"),
            "have this user given rights in MIM CM (read profile templates and requests); IIS answers 403, too, where it wants a client \
             certificate or does not take this machine's address",
        ),
        ServerProblem::SignIn(error @ (SignInError::Kerberos(_) | SignInError::Adfs(_))) => {
            findings.failed(Probe::SignIn, format!("{}; {offer}", error_text(error)), error.remedy());
        }
        // Told of as the setting that it is, or given by systemd to the unit alone.
        ServerProblem::SignIn(_) => {
            findings.skipped(Probe::SignIn, format!("there is nothing here to sign in with (server.auth); {offer}"));
        }
        // What the server does not do for us it may not do for anybody.
        _ => findings.failed_for_now(Probe::Api, format!("with credentials: {}", error_text(&problem)), problem.remedy()),
    }
    if !matches!(
        problem,
        ServerProblem::Unauthorized { .. } | ServerProblem::Forbidden { .. } | ServerProblem::SignIn(_)
    ) {
        findings.unknown(Probe::SignIn, format!("whether {kind:?} is accepted can't be known; {offer}"));
    }
    Some(problem)
}

/// What to do after a 401, by what the server offers and what this program can answer.
fn after_401(auth: &Auth, offered: &Offered, problem: &ServerProblem) -> String {
    let is_offered = |scheme: &str| !offered.lacks(scheme);
    let names_some = !offered.schemes().is_empty();
    if !names_some && auth.scheme().is_none() {
        return "set `server.auth` to the kind of sign-in that the server's administrator names: it wants one, and says not which".to_owned();
    }
    if !names_some || auth.scheme().is_some_and(is_offered) {
        return problem.remedy();
    }
    match SPOKEN.iter().find(|(scheme, _)| is_offered(scheme)) {
        Some((_, value)) => format!("set `server.auth` to {value:?}"),
        None => {
            let spoken: Vec<&str> = SPOKEN.iter().map(|(scheme, _)| *scheme).collect();
            format!(
                "have the server offer {}: of what it offers ({offered}) this build of pinwright can answer none",
                spoken.join(" or ")
            )
        }
    }
}
