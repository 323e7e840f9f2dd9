//! The server, from its name to who it takes us for: each step as far as the one before it led.

use std::time::SystemTime;

use tokio::runtime::Builder;

use super::finding::{Findings, Probe};
use super::kerberos;
use super::{account, address, api, clock, sign_in, tls, token};
use crate::server::{Client, ServerProblem, Settings, Target};

/// The steps that need an answer of the server.
const STEPS: [Probe; 6] = [Probe::Address, Probe::Tls, Probe::Api, Probe::Clock, Probe::SignIn, Probe::Account];

/// Nothing is asked, for this reason.
pub(super) fn pass_over(reason: &str, findings: &mut Findings) {
    pass_over_from(0, reason, findings);
}

fn pass_over_from(step: usize, reason: &str, findings: &mut Findings) {
    for probe in STEPS.into_iter().skip(step) {
        findings.skipped(probe, reason);
    }
}

/// Asks the server of these settings.
pub(super) fn tell(settings: &Settings, findings: &mut Findings) {
    token::tell(&settings.auth, SystemTime::now(), findings);
    if let Some(negotiate) = settings.auth.kerberos() {
        kerberos::tell_of_tickets(negotiate, settings.timeout, findings);
    }
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(source) => {
            let problem = ServerProblem::Runtime(source);
            return findings.failed(Probe::Address, problem.to_string(), problem.remedy());
        }
    };
    match Client::noting(settings) {
        Ok(client) => runtime.block_on(ask(&client, settings, findings)),
        // Told of as the setting that it is.
        Err(error) => pass_over(&error.to_string(), findings),
    }
    // A name that is still being resolved is not waited for.
    runtime.shutdown_background();
}

async fn ask(client: &Client, settings: &Settings, findings: &mut Findings) {
    if !address::tell(settings, findings).await {
        return pass_over_from(1, "the server can't be reached", findings);
    }
    let look = client.look(Target::Api).await;
    let chain = client.chain();
    if !tls::tell(settings, &chain, look.as_ref().err(), findings) {
        return pass_over_from(2, "there is no trusted connection", findings);
    }
    let look = match look {
        Ok(look) => look,
        Err(problem) => {
            api::tell_of_no_answer(&problem, findings);
            return pass_over_from(3, "the server gives no answer", findings);
        }
    };
    let answers = api::tell(client, settings, &look, findings).await;
    clock::tell(look.clocks, findings);
    if !answers {
        return pass_over_from(4, "the API does not answer", findings);
    }
    let problem = sign_in::tell(client, &settings.auth, &look, findings).await;
    token::tell_of_own(&settings.auth, findings);
    if let Some(negotiate) = settings.auth.kerberos() {
        kerberos::tell_of_kdc(negotiate, look.clocks, problem.as_ref(), findings);
    }
    match problem {
        None => account::tell(client, findings).await,
        Some(_) => findings.skipped(Probe::Account, "the server has not let us in"),
    }
}
