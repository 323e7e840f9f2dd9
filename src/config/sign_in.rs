//! The kind of sign-in, and the keys that belong to it.

use url::Url;

use super::agent::Agent;
use super::error::{ConfigError, value};
use super::{SecretFile, adfs, raw, secret_file};
use crate::server::auth::{Auth, TokenSource};

impl From<SecretFile> for TokenSource {
    fn from(file: SecretFile) -> Self {
        match file {
            SecretFile::Path(path) => Self::File(path),
            SecretFile::Credential(name) => Self::Credential(name),
        }
    }
}

/// The kind that is configured. Keys of another kind are refused: somebody reckons with them.
pub(super) fn auth(raw: &raw::Server, agent: &Agent, url: &Url) -> Result<Auth, ConfigError> {
    let token = secret_file(
        raw.token_file.clone(),
        raw.token_credential.clone(),
        "set only one of server.token_file and server.token_credential",
    )?;
    let conflict = |message| Err(ConfigError::Conflict(message));
    if raw.auth != raw::Auth::Adfs && adfs::is_configured(raw) {
        return conflict("server.adfs_… is configured, and server.auth is another kind: set it to \"adfs\"");
    }
    if raw.auth != raw::Auth::Adfs && agent.is_configured_for_adfs() {
        return conflict("agent.adfs_… is configured, and server.auth is another kind: set it to \"adfs\"");
    }
    let has_keytab = agent.keytab_file.is_some() || agent.keytab_credential.is_some();
    if raw.auth != raw::Auth::Negotiate {
        let is_for_kerberos = raw.spn.is_some() || raw.principal.is_some();
        if is_for_kerberos || has_keytab && raw.auth != raw::Auth::Adfs {
            return conflict(
                "server.spn, server.principal, agent.keytab_file and agent.keytab_credential are for Kerberos: set server.auth to \
                 \"negotiate\"",
            );
        }
    }
    if raw.auth == raw::Auth::Adfs && has_keytab && !cfg!(feature = "kerberos") {
        return Err(value("agent.keytab_file", WITHOUT_KERBEROS));
    }
    match (raw.auth, token) {
        (raw::Auth::None, None) => Ok(Auth::None),
        (raw::Auth::None, Some(_)) => {
            conflict("a token is configured, but server.auth is \"none\": set it to \"bearer\"")
        }
        (raw::Auth::Bearer, Some(file)) => Ok(Auth::Bearer(file.into())),
        (raw::Auth::Bearer, None) => {
            conflict("server.auth is \"bearer\": set server.token_file or server.token_credential")
        }
        (raw::Auth::Negotiate, Some(_)) => conflict(
            "a token is configured, but server.auth is \"negotiate\": remove the one or set the other to \"bearer\"",
        ),
        (raw::Auth::Negotiate, None) => negotiate(raw, url),
        (raw::Auth::Adfs, Some(_)) => conflict(
            "a token is configured, but server.auth is \"adfs\", which gets its own: remove the one or set the other to \"bearer\"",
        ),
        // Made by `config/adfs.rs`, which has asked here for what does not go with it.
        (raw::Auth::Adfs, None) => Ok(Auth::None),
    }
}

/// What a build says that lacks it.
const WITHOUT_KERBEROS: &str = "this pinwright was built without Kerberos: install the one of the packages, or build it with `make \
                                install` or `cargo build --release --features kerberos`";

#[cfg(feature = "kerberos")]
fn negotiate(raw: &raw::Server, url: &Url) -> Result<Auth, ConfigError> {
    use crate::server::auth::{ChannelBindings, Negotiate};

    let service = match (&raw.spn, url.host()) {
        (Some(spn), _) => spn.clone(),
        (None, Some(url::Host::Domain(name))) => format!("HTTP/{name}"),
        (None, _) => {
            let message = "Kerberos knows servers by name, and this is an address: use the name, or set server.spn";
            return Err(value("server.url", message));
        }
    };
    let is_word = |text: &str| !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let (name, host) = service.split_once('/').unwrap_or_default();
    if !is_word(name) || !is_word(host) || host.starts_with('@') {
        return Err(value("server.spn", "a service principal name as `setspn -L` lists it, HTTP/cm.contoso.com"));
    }
    if raw.principal.as_deref().is_some_and(|principal| !is_word(principal)) {
        return Err(value("server.principal", "a principal as `klist` lists it, alice@CONTOSO.COM"));
    }
    let bindings = match raw.channel_bindings {
        raw::ChannelBindings::Auto => ChannelBindings::Auto,
        raw::ChannelBindings::Off => ChannelBindings::Off,
    };
    Ok(Auth::Negotiate(Negotiate::new(&service, raw.principal.clone(), bindings)))
}

#[cfg(not(feature = "kerberos"))]
fn negotiate(raw: &raw::Server, url: &Url) -> Result<Auth, ConfigError> {
    let _ = (raw, url);
    Err(value("server.auth", WITHOUT_KERBEROS))
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::os::testing;

    fn refused(keys: &str) -> String {
        let text = format!("[server]\nurl = \"https://cm.contoso.com/x\"\n{keys}");
        Config::from_toml(&testing::with_absolute_paths(&text)).unwrap_err().to_string()
    }

    #[test]
    fn keys_of_kerberos_are_for_kerberos() {
        for keys in [
            "spn = \"HTTP/x\"",
            "principal = \"alice\"",
            "auth = \"none\"\n[agent]\nkeytab_file = \"/k\"",
            "auth = \"none\"\n[agent]\nkeytab_credential = \"k\"",
        ] {
            let message = refused(keys);
            assert!(message.contains("are for Kerberos") && message.contains("\"negotiate\""), "{keys}: {message}");
        }
        assert!(refused("auth = \"negotiate\"\ntoken_file = \"/t\"").contains("a token is configured"));
        assert!(refused("auth = \"adfs\"\ntoken_file = \"/t\"").contains("a token is configured"));
    }

    #[cfg(not(feature = "kerberos"))]
    #[test]
    fn a_build_without_kerberos_says_so() {
        let message = refused("auth = \"negotiate\"");
        assert!(message.contains("built without Kerberos") && message.contains("packages"), "{message}");
    }

    #[cfg(feature = "kerberos")]
    #[test]
    fn what_kerberos_can_not_be_asked_for_is_refused() {
        for (keys, expected) in [
            ("auth = \"negotiate\"\nspn = \"cm.contoso.com\"", "server.spn"),
            ("auth = \"negotiate\"\nspn = \"HTTP/\"", "server.spn"),
            ("auth = \"negotiate\"\nspn = \"HTTP/a b\"", "server.spn"),
            ("auth = \"negotiate\"\nprincipal = \"a b\"", "server.principal"),
            ("auth = \"negotiate\"\nchannel_bindings = \"on\"", "unknown variant"),
            ("auth = \"negotiate\"\n[agent]\nprincipal = \"HOST$\"", "agent.principal"),
            ("auth = \"negotiate\"\n[agent]\nkeytab_file = \"/a\"\nkeytab_credential = \"b\"", "only one"),
        ] {
            let message = refused(keys);
            assert!(message.contains(expected), "{keys}: {message}");
        }
        let address = "[server]\nurl = \"https://192.0.2.1/x\"\nauth = \"negotiate\"\n";
        assert!(Config::from_toml(address).unwrap_err().to_string().contains("this is an address"));
        assert!(Config::from_toml(&format!("{address}spn = \"HTTP/cm.contoso.com@CONTOSO.COM\"")).is_ok());
    }
}
