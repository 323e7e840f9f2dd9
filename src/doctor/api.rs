//! Whether the API answers: not switched off, not somebody else in its place.

use super::finding::{Findings, Probe};
use crate::error_text::error_text;
use crate::server::{Client, Look, ServerProblem, Settings, Target};

/// The first call had no answer.
pub(super) fn tell_of_no_answer(problem: &ServerProblem, findings: &mut Findings) {
    findings.failed_for_now(Probe::Api, error_text(problem), problem.remedy());
}

/// Gives whether it is the API that has answered.
pub(super) async fn tell(client: &Client, settings: &Settings, look: &Look, findings: &mut Findings) -> bool {
    let via = look.via.as_ref().map_or_else(String::new, |via| format!("; a proxy is in between (Via: {via})"));
    let answer = format!("{} without credentials over {}{via}", look.status, look.version);
    match look.status {
        404 => {
            not_found(client, settings, &via, findings).await;
            false
        }
        300..=399 => {
            let problem = ServerProblem::Redirect { status: look.status };
            findings.failed(Probe::Api, format!("{problem}{via}"), problem.remedy());
            false
        }
        200..=299 if look.is_page => {
            let problem = ServerProblem::Html;
            findings.failed(Probe::Api, format!("{problem}{via}"), problem.remedy());
            false
        }
        407 => {
            let remedy = match &settings.proxy {
                None => "set `server.proxy`, or have the proxy that answers let this server through",
                Some(_) => {
                    "have whoever runs the proxy that answers let this server through: it is another one than `server.proxy`"
                }
            };
            findings.failed(Probe::Api, format!("a proxy answers in the server's place (407){via}"), remedy);
            false
        }
        408 | 429 | 503 => {
            let problem = ServerProblem::Busy { status: look.status, retry_after: None };
            findings.failed_for_now(Probe::Api, format!("{problem}{via}"), problem.remedy());
            false
        }
        502 | 504 => {
            let reason = format!("a proxy before the server has no answer from it ({}){via}", look.status);
            findings.failed_for_now(
                Probe::Api,
                reason,
                "have whoever runs that proxy (IIS ARR, a load balancer) look at it",
            );
            false
        }
        500..=599 => {
            let problem = ServerProblem::Failed { status: look.status, detail: Default::default() };
            findings.failed_for_now(Probe::Api, format!("{problem}{via}"), problem.remedy());
            false
        }
        _ => {
            findings.ok(Probe::Api, format!("answers ({answer})"));
            true
        }
    }
}

/// Which of the three it is: the API is switched off, another folder, or one route that is missing.
async fn not_found(client: &Client, settings: &Settings, via: &str, findings: &mut Findings) {
    let folder = settings.url.path();
    let other = client.look(Target::OtherRoute).await;
    if let Ok(other) = &other
        && other.status != 404
    {
        let problem = ServerProblem::NotFound { api_answered: true, is_pin_route: false };
        let reason = format!("`profiletemplates` is not there (404), and `profiles` is ({}){via}", other.status);
        return findings.failed(Probe::Api, reason, problem.remedy());
    }
    let switch = "the API is switched off: have `Clm.WebApi.Enabled` set to true in that site's Web.config (it is false by default), and \
                  `iisreset` run";
    match client.look(Target::Folder).await {
        Ok(found) if found.status != 404 => findings.failed(
            Probe::Api,
            format!("no route of the API is there (404), and the folder {folder} is ({}){via}", found.status),
            format!("make sure that {folder} is MIM CM's folder; if it is, {switch}"),
        ),
        Ok(_) => findings.failed(
            Probe::Api,
            format!("neither a route of the API is there (404) nor the folder {folder}{via}"),
            format!(
                "correct host and folder in `server.url`; if MIM CM's pages are at {folder} in a browser, {switch}"
            ),
        ),
        Err(problem) => tell_of_no_answer(&problem, findings),
    }
}
