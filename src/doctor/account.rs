//! Who the server takes us for. No call of the API says so; a request of the caller's own names its user.

use std::collections::BTreeSet;

use super::finding::{Findings, Probe};
use crate::server::Client;

/// One line.
pub(super) async fn tell(client: &Client, findings: &mut Findings) {
    let untold = "who the server takes us for can't be known: no call of its API says so";
    match client.own_requests().await {
        Err(error) => findings.unknown(Probe::Account, format!("{untold}, and requests can't be read ({error})")),
        Ok(requests) => {
            let users: BTreeSet<_> = requests.iter().filter_map(|request| request.target_user).collect();
            match (users.len(), users.first()) {
                (1, Some(user)) => {
                    let count = requests.len();
                    let of =
                        if count == 1 { "its own request".to_owned() } else { format!("its own {count} requests") };
                    findings.ok(Probe::Account, format!("user {user} of MIM CM, by {of}"));
                }
                (0, _) => {
                    findings.unknown(Probe::Account, format!("{untold}, and this user has no request that would"))
                }
                (several, _) => {
                    findings.unknown(Probe::Account, format!("{untold}, and its requests are for {several} users"));
                }
            }
        }
    }
}
