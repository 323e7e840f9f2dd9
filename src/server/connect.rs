//! The HTTP client of a server: whom it may reach, and over which version of HTTP.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use super::proxy::{Proxy, ProxyError};

/// The client that [`builder`] makes.
pub(super) fn client(
    tls: &rustls::ClientConfig,
    alpn: Vec<Vec<u8>>,
    is_plain: bool,
    proxy: Option<&Proxy>,
    shows_certificate: bool,
) -> Result<reqwest::Client, ClientError> {
    Ok(builder(tls, alpn, is_plain, proxy, shows_certificate)?.build()?)
}

/// The making of a client without redirects, repeats and proxies but the configured one. Both versions of HTTP leave nothing behind once closed, and the
/// second one takes both secret calls over one connection. `alpn` is what the TLS handshake offers; plain HTTP reaches this
/// machine alone. `shows_certificate`: each answer comes with the certificate of its connection.
pub(super) fn builder(
    tls: &rustls::ClientConfig,
    alpn: Vec<Vec<u8>>,
    is_plain: bool,
    proxy: Option<&Proxy>,
    shows_certificate: bool,
) -> Result<reqwest::ClientBuilder, ClientError> {
    let mut tls = tls.clone();
    tls.alpn_protocols = alpn;
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .tls_info(shows_certificate)
        .user_agent(concat!("pinwright/", env!("CARGO_PKG_VERSION")));
    let builder = match proxy {
        Some(proxy) => builder.proxy(proxy.for_library()?),
        None => builder,
    };
    Ok(if is_plain { builder.dns_resolver(Arc::new(ThisMachine)) } else { builder })
}

/// No client can be made.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The library refused.
    #[error("the HTTP client can't be set up")]
    Http(#[from] reqwest::Error),
    /// The proxy.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
}

impl ClientError {
    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Proxy(ProxyError::Password(error)) => error.remedy_of_rights().unwrap_or_else(|| {
                "check what `server.proxy_password_file` or `server.proxy_password_credential` points at".to_owned()
            }),
            Self::Proxy(ProxyError::Credentials) => {
                "check `server.proxy_user`, and what `server.proxy_password_file` or `server.proxy_password_credential` \
                 points at"
                    .to_owned()
            }
            Self::Proxy(ProxyError::Url(_)) => "check `server.proxy`".to_owned(),
            Self::Http(_) => "report this: it is a defect in pinwright".to_owned(),
        }
    }
}

/// A name that plain HTTP may not be spoken with.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{name} is {address}, which is not this machine: plain http would show PINs to the network")]
struct Elsewhere {
    name: String,
    address: IpAddr,
}

/// Whether a connection failed since its name is not this machine's.
pub(super) fn is_elsewhere(reason: &(dyn std::error::Error + 'static)) -> bool {
    reason.is::<Elsewhere>()
}

/// Resolves names to addresses of this machine, which are those that are then connected to. A name such as `localhost` is
/// whatever the system's files and name servers say.
struct ThisMachine;

impl Resolve for ThisMachine {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is the caller's.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let own = own(name.as_str(), found.collect())?;
            Ok(Box::new(own.into_iter()) as Addrs)
        })
    }
}

/// The loopback addresses among those of a name.
fn own(name: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Elsewhere> {
    let is_own = |address: &SocketAddr| address.ip().to_canonical().is_loopback();
    match found.iter().find(|address| !is_own(address)) {
        Some(other) if !found.iter().any(is_own) => Err(Elsewhere { name: name.to_owned(), address: other.ip() }),
        _ => Ok(found.into_iter().filter(is_own).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_this_machine_by_its_addresses() {
        let of = |addresses: &[&str]| {
            let found = addresses.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 80)).collect();
            own("localhost", found).map(|own| own.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>())
        };
        assert_eq!(of(&["127.0.0.1", "::1"]).unwrap(), ["127.0.0.1", "::1"]);
        assert_eq!(of(&["::ffff:127.0.0.1", "127.9.9.9"]).unwrap().len(), 2);
        assert_eq!(of(&["192.0.2.1", "127.0.0.1"]).unwrap(), ["127.0.0.1"]);
        for elsewhere in ["192.0.2.1", "0.0.0.0", "::", "fe80::1", "::ffff:192.0.2.1", "10.0.0.1"] {
            let error = of(&[elsewhere]).unwrap_err().to_string();
            assert!(error.contains("plain http") && error.contains("not this machine"), "{error}");
        }
    }
}
