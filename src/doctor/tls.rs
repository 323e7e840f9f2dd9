//! TLS, and the certificates as the server shows them.

use std::time::{Duration, SystemTime};

use super::configuration::trusted;
use super::finding::{Findings, Name, Probe};
use super::span::{day, from_now, span};
use crate::error_text::error_text;
use crate::server::error::TlsReason;
use crate::server::{ServerProblem, Settings, ShownCertificate};

/// So long before its end a certificate is warned of.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// Whether there is a trusted connection, or the want of one has another reason; `problem` is that of the first call.
pub(super) fn tell(
    settings: &Settings,
    chain: &[ShownCertificate],
    problem: Option<&ServerProblem>,
    findings: &mut Findings,
) -> bool {
    for certificate in chain {
        findings.name(Name::Authority(certificate.issuer.clone()));
        findings.name(Name::Authority(certificate.name.clone()));
        certificate.hosts.iter().for_each(|host| findings.name(Name::Host(host.clone())));
    }
    match problem {
        Some(problem @ ServerProblem::Tls { reason, connection }) => {
            let shown = if connection.is_of_proxy() { String::new() } else { shown(chain) };
            let more = if connection.is_of_proxy() { None } else { more(reason, chain, settings) };
            let remedy = problem.remedy();
            let remedy = more.map_or_else(|| remedy.clone(), |more| format!("{remedy}; {more}"));
            findings.failed(Probe::Tls, format!("{}{shown}", error_text(problem)), remedy);
            false
        }
        // Other failures are the next line's.
        Some(_) if chain.is_empty() => {
            findings.unknown(Probe::Tls, "no certificate was shown");
            true
        }
        _ if settings.url.scheme() == "http" => {
            findings.ok(Probe::Tls, "none: plain http, which is for this machine alone");
            true
        }
        _ => {
            let reason = format!("trusted by {}{}", trusted(settings), shown(chain));
            match ends_soon(chain, SystemTime::now()) {
                None => findings.ok(Probe::Tls, reason),
                Some((name, left)) => findings.warning(
                    Probe::Tls,
                    format!("{reason}. {name:?} ends in {}", span(left)),
                    "have that certificate renewed before its end",
                ),
            }
            true
        }
    }
}

/// The chain as it came, the server's own certificate first.
fn shown(chain: &[ShownCertificate]) -> String {
    if chain.is_empty() {
        return String::new();
    }
    let certificates: Vec<String> = chain.iter().map(certificate).collect();
    format!("; the server shows {}", certificates.join(" < "))
}

fn certificate(one: &ShownCertificate) -> String {
    let hosts = if one.hosts.is_empty() { String::new() } else { format!("for {}, ", one.hosts.join(", ")) };
    let valid =
        one.validity.map_or("validity not read".to_owned(), |(from, until)| format!("{} to {}", day(from), day(until)));
    let issuer = if one.is_self_issued { "itself".to_owned() } else { format!("{:?}", one.issuer) };
    format!("{:?} ({hosts}{valid}, issued by {issuer})", one.name)
}

/// What the chain says beside the remedy of the reason.
fn more(reason: &TlsReason, chain: &[ShownCertificate], settings: &Settings) -> Option<String> {
    let last = chain.last()?;
    match reason {
        TlsReason::UnknownAuthority if last.is_self_issued && chain.len() == 1 => {
            Some("it is signed by itself, so it is that very certificate".to_owned())
        }
        TlsReason::UnknownAuthority => {
            let lacks = |file: &std::path::PathBuf| {
                format!(" ({} lacks it, or has one of that name with another key)", file.display())
            };
            let lacks = settings.ca_file.as_ref().map(lacks).unwrap_or_default();
            let alone = match last.is_self_issued {
                true => String::new(),
                false => ". If it is no root, have the server send its certificate, too".to_owned(),
            };
            Some(format!("that is {:?}{lacks}{alone}", last.issuer))
        }
        TlsReason::Expired | TlsReason::NotYetValid => {
            Some(format!("this machine's clock says {}", super::span::minute(SystemTime::now())))
        }
        _ => None,
    }
}

/// The certificate that ends first, where that is soon, and how long it has.
fn ends_soon(chain: &[ShownCertificate], now: SystemTime) -> Option<(String, Duration)> {
    let left = |one: &ShownCertificate| from_now(one.validity?.1, now).ok().map(|left| (one.name.clone(), left));
    chain.iter().filter_map(left).min_by_key(|(_, left)| *left).filter(|(_, left)| *left < SOON)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, issuer: &str, days: u64) -> ShownCertificate {
        let start = SystemTime::UNIX_EPOCH;
        ShownCertificate {
            name: name.to_owned(),
            issuer: issuer.to_owned(),
            validity: Some((start, start + Duration::from_secs(days * 86_400))),
            hosts: if name == issuer { Vec::new() } else { vec![name.to_owned()] },
            is_self_issued: name == issuer,
        }
    }

    #[test]
    fn the_chain_is_told_as_it_came() {
        let chain = [one("cm", "CA 1", 30), one("CA 1", "CA 1", 40)];
        assert_eq!(
            shown(&chain),
            "; the server shows \"cm\" (for cm, 1970-01-01 to 1970-01-31, issued by \"CA 1\") < \"CA 1\" (1970-01-01 to 1970-02-10, \
             issued by itself)"
        );
    }

    #[test]
    fn an_end_is_warned_of_in_time() {
        let chain = [one("cm", "CA 1", 30), one("CA 1", "CA 1", 400)];
        let at = |day: u64| ends_soon(&chain, SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400));
        assert_eq!(at(10), None);
        assert_eq!(at(20), Some(("cm".to_owned(), Duration::from_secs(10 * 86_400))));
    }
}
