//! Name and address of the server, or of the proxy before it, which then resolves the server's name.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use url::Url;

use super::finding::{Findings, Name, Probe};
use super::span::span;
use crate::server::{Settings, with_unasked_proxy};

/// Longer than a name server or a server that is there ever needs.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether somebody listens there.
pub(super) async fn tell(settings: &Settings, findings: &mut Findings) -> bool {
    let (url, key) = match &settings.proxy {
        Some(proxy) => (&proxy.url, "server.proxy"),
        None => (&settings.url, "server.url"),
    };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or_default();
    let patience = settings.timeout.min(PATIENCE);
    let found = timeout(patience, lookup_host((host, port))).await;
    let addresses = match found.unwrap_or_else(|_| Err(no_answer(patience))) {
        Ok(found) => distinct(found),
        Err(error) => {
            let remedy = format!("check the host in `{key}`, and this machine's name servers (/etc/resolv.conf)");
            findings.failed_for_now(
                Probe::Address,
                format!("the name {host} can't be resolved: {error}"),
                advice(settings, remedy),
            );
            return false;
        }
    };
    addresses.iter().for_each(|address| findings.name(Name::Host(address.ip().to_string())));
    let mut silent = Vec::new();
    for address in &addresses {
        let start = Instant::now();
        match timeout(patience, TcpStream::connect(address)).await.unwrap_or_else(|_| Err(no_answer(patience))) {
            Ok(_) => {
                // This machine has several addresses of its own, and a server need not listen at all of them.
                silent.retain(|(silent, _): &(IpAddr, io::Error)| !silent.is_loopback());
                listens(host_of(url, settings), *address, start.elapsed(), &silent, findings);
                return true;
            }
            Err(error) => silent.push((address.ip(), error)),
        }
    }
    let told: Vec<String> = silent.iter().map(|(address, error)| format!("{address}: {error}")).collect();
    let told = if told.is_empty() { "it has no address".to_owned() } else { told.join("; ") };
    let remedy = match silent.iter().all(|(_, error)| error.kind() == io::ErrorKind::ConnectionRefused) {
        true => format!(
            "check host and port in `{key}`, and that the server runs: its machine answers, and nobody listens there"
        ),
        false => format!(
            "check host and port in `{key}`, network and firewall: the way to it is closed, or its machine is off"
        ),
    };
    findings.failed_for_now(
        Probe::Address,
        format!("nobody answers at {host} port {port} ({told})"),
        advice(settings, remedy),
    );
    false
}

fn host_of(url: &Url, settings: &Settings) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    match &settings.proxy {
        Some(_) => format!("the proxy {host}:{port}"),
        None => format!("{host}:{port}"),
    }
}

fn listens(
    host: String,
    address: SocketAddr,
    after: Duration,
    silent: &[(IpAddr, io::Error)],
    findings: &mut Findings,
) {
    let reason = format!("{host} answers at {} ({} ms)", address.ip(), after.as_millis());
    if silent.is_empty() {
        return findings.ok(Probe::Address, reason);
    }
    let others: Vec<String> = silent.iter().map(|(address, error)| format!("{address}: {error}")).collect();
    findings.warning(
        Probe::Address,
        format!("{reason}, and not at every address that its name has ({})", others.join("; ")),
        "have the addresses that do not answer taken from the name, or the way to them opened: a connection may try them first",
    );
}

fn distinct(found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

/// With a proxy configured, the environment's has no part in it anyway.
fn advice(settings: &Settings, remedy: String) -> String {
    if settings.proxy.is_some() { remedy } else { with_unasked_proxy(remedy) }
}

fn no_answer(patience: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {}", span(patience)))
}
