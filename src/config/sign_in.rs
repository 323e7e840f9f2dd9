//! The kind of sign-in, and the keys that belong to it.

use url::Url;

use super::agent::Agent;
use super::error::{ConfigError, value};
use super::{SecretFile, adfs, raw, secret_file};
use crate::os::kerberos::{LIBRARY, Library};
use crate::server::auth::{Auth, ChannelBindings, Negotiate, TokenSource};

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
    match LIBRARY {
        Library::Mit => {}
        Library::Windows => not_on_windows(raw, agent)?,
        Library::Missing if raw.auth == raw::Auth::Adfs && has_keytab => {
            return Err(value("agent.keytab_file", WITHOUT_KERBEROS));
        }
        Library::Missing => {}
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

/// What is for MIT's library alone.
fn not_on_windows(raw: &raw::Server, agent: &Agent) -> Result<(), ConfigError> {
    if raw.principal.is_some() {
        let message =
            "Windows signs in as the account that pinwright runs as: leave it out, and run it as that account";
        return Err(value("server.principal", message));
    }
    let keys = [
        ("agent.keytab_file", agent.keytab_file.is_some()),
        ("agent.keytab_credential", agent.keytab_credential.is_some()),
        ("agent.principal", agent.principal.is_some()),
    ];
    match keys.into_iter().find(|(_, is_set)| *is_set) {
        None => Ok(()),
        Some((key, _)) if raw.auth == raw::Auth::Adfs => {
            let message = "Windows takes no keytab: leave it out, and have the agent sign in at AD FS with agent.adfs_certificate_file";
            Err(value(key, message))
        }
        Some((key, _)) => {
            let message = "Windows takes no keytab: leave it out; the agent signs in as the account of its service";
            Err(value(key, message))
        }
    }
}

fn negotiate(raw: &raw::Server, url: &Url) -> Result<Auth, ConfigError> {
    if LIBRARY == Library::Missing {
        return Err(value("server.auth", WITHOUT_KERBEROS));
    }
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

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::os::kerberos::{LIBRARY, Library};
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

    #[test]
    fn a_build_without_kerberos_says_so() {
        if LIBRARY == Library::Missing {
            let message = refused("auth = \"negotiate\"");
            assert!(message.contains("built without Kerberos") && message.contains("packages"), "{message}");
        }
    }

    #[test]
    fn what_is_for_keytabs_and_ticket_caches_is_refused_on_windows() {
        if LIBRARY != Library::Windows {
            return;
        }
        for (keys, key, advice) in [
            ("auth = \"negotiate\"\nprincipal = \"alice\"", "server.principal", "run it as that account"),
            ("auth = \"negotiate\"\n[agent]\nkeytab_file = \"/k\"", "agent.keytab_file", "account of its service"),
            (
                "auth = \"negotiate\"\n[agent]\nkeytab_credential = \"k\"",
                "agent.keytab_credential",
                "account of its service",
            ),
            ("auth = \"negotiate\"\n[agent]\nprincipal = \"HOST$\"", "agent.principal", "account of its service"),
        ] {
            let message = refused(keys);
            assert!(message.contains(key) && message.contains(advice), "{keys}: {message}");
        }
        let text = "[server]\nurl = \"https://cm.contoso.com/x\"\nauth = \"negotiate\"\n";
        assert!(Config::from_toml(text).is_ok());
    }

    #[test]
    fn what_kerberos_can_not_be_asked_for_is_refused() {
        if LIBRARY == Library::Missing {
            return;
        }
        for (keys, expected) in [
            ("auth = \"negotiate\"\nspn = \"cm.contoso.com\"", "server.spn"),
            ("auth = \"negotiate\"\nspn = \"HTTP/\"", "server.spn"),
            ("auth = \"negotiate\"\nspn = \"HTTP/a b\"", "server.spn"),
            ("auth = \"negotiate\"\nprincipal = \"a b\"", "server.principal"),
            ("auth = \"negotiate\"\nchannel_bindings = \"on\"", "unknown variant"),
            ("auth = \"negotiate\"\n[agent]\nprincipal = \"HOST$\"", "agent.principal"),
        ] {
            let message = refused(keys);
            assert!(message.contains(expected), "{keys}: {message}");
        }
        if LIBRARY == Library::Mit {
            let keys = "auth = \"negotiate\"\n[agent]\nkeytab_file = \"/a\"\nkeytab_credential = \"b\"";
            assert!(refused(keys).contains("only one"));
        }
        let address = "[server]\nurl = \"https://192.0.2.1/x\"\nauth = \"negotiate\"\n";
        assert!(Config::from_toml(address).unwrap_err().to_string().contains("this is an address"));
        assert!(Config::from_toml(&format!("{address}spn = \"HTTP/cm.contoso.com@CONTOSO.COM\"")).is_ok());
    }
}
