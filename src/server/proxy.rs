//! The proxy that connects us to the server (`server.proxy`): it is asked with CONNECT and sees host and port, never a call.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use thiserror::Error;
use url::Url;

use super::auth::{TokenError, TokenSource};
use crate::secret::SecretBytes;

/// The longest name and password together.
const LONGEST: usize = 1024;

/// Where the proxy is, and who we are to it.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// `http` or `https`, host and port.
    pub url: Url,
    /// Name and password for the proxy alone.
    pub credentials: Option<(String, TokenSource)>,
}

/// Why the proxy can't be asked.
#[derive(Debug, Error)]
pub enum ProxyError {
    /// Its password can't be read.
    #[error("the password for server.proxy can't be used")]
    Password(#[from] TokenError),
    /// Too long, or characters that no header can have.
    #[error("name and password for server.proxy can't be sent: at most 1024 bytes in all")]
    Credentials,
    /// The library refused its URL.
    #[error("server.proxy is no URL of a proxy")]
    Url(#[source] reqwest::Error),
}

impl Proxy {
    /// The proxy as the library knows it, for TLS to the server alone.
    pub(super) fn for_library(&self) -> Result<reqwest::Proxy, ProxyError> {
        let proxy = reqwest::Proxy::https(self.url.clone()).map_err(ProxyError::Url)?;
        match &self.credentials {
            None => Ok(proxy),
            Some((user, password)) => Ok(proxy.custom_http_auth(basic(user, &password.secret()?)?)),
        }
    }
}

/// RFC 7617.
fn basic(user: &str, password: &SecretBytes) -> Result<HeaderValue, ProxyError> {
    let mut pair = SecretBytes::with_capacity(LONGEST);
    let fits = [user.as_bytes(), b":", password.expose()].into_iter().all(|part| pair.append(part));
    let mut text = [0_u8; 2 * LONGEST];
    let written = STANDARD.encode_slice(pair.expose(), &mut text).ok().filter(|_| fits);
    let mut header = SecretBytes::with_capacity(2 * LONGEST);
    let fits = header.append(b"Basic ") && header.append(text.get(..written.unwrap_or_default()).unwrap_or_default());
    zeroize::Zeroize::zeroize(&mut text);
    let value = written.filter(|_| fits).and_then(|_| HeaderValue::from_bytes(header.expose()).ok());
    let mut value = value.ok_or(ProxyError::Credentials)?;
    value.set_sensitive(true);
    Ok(value)
}
