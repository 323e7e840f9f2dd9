//! `[server]` as it is checked: where the server is, and how it is reached.

use url::Url;

use super::adfs::{self, Way};
use super::agent::Agent;
use super::error::{ConfigError, value};
use super::folders::Environment;
use super::{duration, raw, secret_file, sign_in};
use crate::server;

/// Checks the section, and what `[agent]` says of the sign-in.
///
/// # Errors
/// [`ConfigError::Value`] and [`ConfigError::Conflict`].
pub(super) fn settings(
    raw: &raw::Server,
    agent: &Agent,
    environment: Environment<'_>,
) -> Result<Option<server::Settings>, ConfigError> {
    let Some(text) = &raw.url else { return Ok(None) };
    let url = server_url(text)?;
    let timeout = duration("server.timeout", &raw.timeout)?;
    let proxy = proxy(raw, &url)?;
    let auth = match raw.auth {
        raw::Auth::Adfs => adfs::auth(raw, agent, &url, Way { timeout, proxy: proxy.clone() }, environment)?,
        _ => sign_in::auth(raw, agent, &url)?,
    };
    let http_versions = match raw.http_version {
        // IIS does not sign in with Windows' own kinds over HTTP/2.
        _ if raw.auth == raw::Auth::Negotiate => server::HttpVersions::only_1_1(),
        raw::HttpVersion::Auto => server::HttpVersions::auto(),
        raw::HttpVersion::Only11 => server::HttpVersions::only_1_1(),
    };
    let (ca_file, identity) = (raw.ca_file.clone(), identity(raw)?);
    Ok(Some(server::Settings { url, ca_file, identity, auth, timeout, http_versions, proxy }))
}

/// The certificate that is shown to the server, and its key.
fn identity(raw: &raw::Server) -> Result<Option<server::Identity>, ConfigError> {
    let key = secret_file(
        raw.client_key_file.clone(),
        raw.client_key_credential.clone(),
        "set only one of server.client_key_file and server.client_key_credential",
    )?;
    match (raw.client_certificate_file.clone(), key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(server::Identity { certificate, key: key.into() })),
        _ => Err(ConfigError::Conflict(
            "a client certificate and its key go together: server.client_certificate_file with server.client_key_file or \
             server.client_key_credential",
        )),
    }
}

/// The proxy on the way to the server.
fn proxy(raw: &raw::Server, server: &Url) -> Result<Option<server::Proxy>, ConfigError> {
    let password = secret_file(
        raw.proxy_password_file.clone(),
        raw.proxy_password_credential.clone(),
        "set only one of server.proxy_password_file and server.proxy_password_credential",
    )?;
    let credentials = match (raw.proxy_user.clone(), password) {
        (None, None) => None,
        (Some(user), Some(file)) => Some((user, file.into())),
        _ => {
            return Err(ConfigError::Conflict(
                "a proxy's name and password go together: server.proxy_user with server.proxy_password_file or \
                 server.proxy_password_credential",
            ));
        }
    };
    let Some(text) = &raw.proxy else {
        return match credentials {
            None => Ok(None),
            Some(_) => Err(ConfigError::Conflict("a proxy's name and password are set, and server.proxy is not")),
        };
    };
    // The text is not quoted in the error, since it may hold a password.
    let url = Url::parse(text).map_err(|error| value("server.proxy", &error.to_string()))?;
    let refused = match () {
        () if server.scheme() != "https" => Some("a proxy is for an https server.url alone"),
        () if !matches!(url.scheme(), "http" | "https") => Some("an http or https URL is needed"),
        () if !url.username().is_empty() || url.password().is_some() => {
            Some("no user name or password in the URL: see server.proxy_user")
        }
        () if url.path() != "/" || url.query().is_some() || url.fragment().is_some() => {
            Some("host and port only, with nothing behind them")
        }
        () => None,
    };
    match refused {
        Some(message) => Err(value("server.proxy", message)),
        None => Ok(Some(server::Proxy { url, credentials })),
    }
}

/// The virtual folder's URL: HTTPS, or HTTP to this machine alone.
fn server_url(text: &str) -> Result<Url, ConfigError> {
    https_url("server.url", text)
}

/// A URL that secrets go to.
pub(super) fn https_url(key: &'static str, text: &str) -> Result<Url, ConfigError> {
    // The text is not quoted in the error, since it may hold a password.
    let url = Url::parse(text).map_err(|error| value(key, &error.to_string()))?;
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let refused = match url.scheme() {
        "https" => None,
        "http" if loopback => None,
        "http" => Some("plain http would show PINs to the network: use https (http is for this machine alone)"),
        _ => Some("an https URL is needed"),
    };
    let refused = refused.or_else(|| {
        (!url.username().is_empty() || url.password().is_some())
            .then_some("no user name or password in the URL: see server.auth")
    });
    let refused =
        refused.or_else(|| (url.query().is_some() || url.fragment().is_some()).then_some("no query and no fragment"));
    match refused {
        Some(message) => Err(value(key, message)),
        None => Ok(url),
    }
}
