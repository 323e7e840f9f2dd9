//! Where the server is and how to talk to it.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::auth::{Auth, Identity};
use super::proxy::Proxy;
use super::versions::HttpVersions;

/// Where the server is and how to talk to it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The virtual folder, `https://HOST/CertificateManagement`; `api/v1.0` is appended.
    pub url: Url,
    /// Certificates of the authorities to trust, in PEM; the system's store where missing.
    pub ca_file: Option<PathBuf>,
    /// The certificate that we show in TLS, where the server asks for one.
    pub identity: Option<Identity>,
    /// Who we are.
    pub auth: Auth,
    /// The deadline of one call, repeats included.
    pub timeout: Duration,
    /// Which versions of HTTP are spoken.
    pub http_versions: HttpVersions,
    /// The proxy on the way; none, whatever the environment says, where missing.
    pub proxy: Option<Proxy>,
}

impl Settings {
    /// Hands over what it signs in with, as far as it can be read now, for who has to make sure that it is nowhere.
    pub fn hand_over_secrets(&self, hide: &mut dyn FnMut(&[u8])) {
        if let Auth::Bearer(source) = &self.auth {
            source.hand_over(hide);
        }
        if let Auth::Adfs(adfs) = &self.auth {
            adfs.hand_over(hide);
        }
        if let Some(Proxy { credentials: Some((_, source)), .. }) = &self.proxy {
            source.hand_over(hide);
        }
    }
}
