//! The keys of a sign-in with AD FS.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::agent::Agent;
use super::error::{ConfigError, value};
use super::folders::Environment;
use super::server::https_url;
use super::{raw, sign_in};
use crate::server::auth::{Adfs, AdfsSettings, Auth, Place};
use crate::server::{Proxy, Sts};

/// How AD FS is reached: as the server is.
pub(super) struct Way {
    pub timeout: Duration,
    pub proxy: Option<Proxy>,
}

/// Whether a key of AD FS is set.
pub(super) fn is_configured(raw: &raw::Server) -> bool {
    let texts = [&raw.adfs_url, &raw.adfs_client_id, &raw.adfs_resource];
    texts.iter().any(|text| text.is_some())
        || raw.adfs_ca_file.is_some()
        || raw.adfs_token_file.is_some()
        || raw.adfs_token_store != raw::TokenStore::File
}

/// The sign-in. `server` is MIM CM.
pub(super) fn auth(
    raw: &raw::Server,
    agent: &Agent,
    server: &Url,
    way: Way,
    environment: Environment<'_>,
) -> Result<Auth, ConfigError> {
    // What belongs to other kinds is refused there.
    sign_in::auth(raw, agent, server)?;
    let (Some(authority), Some(client_id)) = (&raw.adfs_url, &raw.adfs_client_id) else {
        return Err(ConfigError::Conflict("server.auth is \"adfs\": set server.adfs_url and server.adfs_client_id"));
    };
    let mut authority = https_url("server.adfs_url", authority)?;
    if authority.path() == "/" {
        authority.set_path("adfs");
    }
    let host = &server[url::Position::BeforeHost..url::Position::AfterPort];
    let resource = raw.adfs_resource.clone().unwrap_or_else(|| format!("https://{host}/certificatemanagement"));
    if raw.adfs_redirect_port == 0 {
        return Err(value("server.adfs_redirect_port", "the port that is registered at AD FS, 1 to 65535"));
    }
    let token_place = match raw.adfs_token_store {
        raw::TokenStore::File => Place::File,
        raw::TokenStore::Keyring if raw.adfs_token_file.is_some() => {
            return Err(ConfigError::Conflict(
                "server.adfs_token_file is configured, and server.adfs_token_store is \"keyring\": remove the one, or set the other to \
                 \"file\"",
            ));
        }
        raw::TokenStore::Keyring => Place::Keyring,
    };
    let own = || environment.state_folder().map(|folder| folder.join("adfs-token.json"));
    let token_file = raw.adfs_token_file.clone().or_else(own).ok_or_else(|| {
        value("server.adfs_token_file", "needed here: this user has no home folder that the sign-in could be kept in")
    })?;
    let ca_file = raw.adfs_ca_file.clone().or_else(|| raw.ca_file.clone());
    let sts = Sts { authority: authority.clone(), ca_file, proxy: way.proxy, timeout: way.timeout };
    let settings = AdfsSettings {
        authority,
        client_id: client_id.clone(),
        resource,
        redirect_port: raw.adfs_redirect_port,
        token_file,
        token_place,
        binds: matches!(raw.channel_bindings, raw::ChannelBindings::Auto),
    };
    Ok(Auth::Adfs(Box::new(Adfs::new(settings, Arc::new(sts)))))
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::os::kerberos::{LIBRARY, Library};
    use crate::os::testing;

    fn read(keys: &str) -> Result<Config, String> {
        let text = format!("[server]\nurl = \"https://cm.contoso.com/x\"\n{keys}");
        Config::from_toml(&testing::with_absolute_paths(&text)).map_err(|error| error.to_string())
    }

    const BOTH: &str = "adfs_url = \"https://sts.contoso.com\"\nadfs_client_id = \"c\"\n";

    #[test]
    fn what_is_asked_for_follows_from_the_servers_host() {
        let config = read(&format!("auth = \"adfs\"\n{BOTH}adfs_token_file = \"/s/t\"")).unwrap();
        let shown = format!("{:?}", config.server.unwrap().auth);
        assert!(shown.contains("https://cm.contoso.com/certificatemanagement"), "{shown}");
        assert!(
            shown.contains("https://sts.contoso.com/adfs") && shown.contains(&testing::absolute("/s/t")),
            "{shown}"
        );
    }

    const PAIR: &str = "adfs_certificate_file = \"/c\"\nadfs_key_file = \"/k\"\n";

    #[test]
    fn the_agent_signs_in_with_what_it_has() {
        let agents = |keys: &str| {
            let config = read(&format!("auth = \"adfs\"\n{BOTH}adfs_token_file = \"/s/t\"\n[agent]\n{keys}"))?;
            Ok::<_, String>(format!("{:?}", config.server_of_agent().unwrap().auth))
        };
        assert!(agents("").unwrap().contains("own: None"));
        let shown = agents(&format!("{PAIR}adfs_client_id = \"agents\"")).unwrap();
        assert!(shown.contains("Certificate(") && shown.contains("\"agents\""), "{shown}");
        let with_keytab = agents("keytab_file = \"/k\"");
        match LIBRARY {
            Library::Mit => {
                let shown = with_keytab.unwrap();
                assert!(shown.contains("Keytab(") && shown.contains("\"HTTP/sts.contoso.com\""), "{shown}");
                assert!(agents(&format!("{PAIR}keytab_file = \"/k\"")).unwrap_err().contains("not both"));
            }
            Library::Windows => assert!(with_keytab.unwrap_err().contains("agent.adfs_certificate_file")),
            Library::Missing => assert!(with_keytab.unwrap_err().contains("built without Kerberos")),
        }
    }

    #[test]
    fn keys_that_do_not_go_together_are_refused() {
        for (keys, expected) in [
            (BOTH.to_owned(), "set it to \"adfs\""),
            ("auth = \"adfs\"\nadfs_url = \"https://sts\"".to_owned(), "server.adfs_client_id"),
            (format!("auth = \"adfs\"\n{BOTH}token_file = \"/t\""), "a token is configured"),
            (format!("auth = \"adfs\"\n{BOTH}spn = \"HTTP/x\""), "are for Kerberos"),
            (format!("auth = \"adfs\"\n{BOTH}adfs_redirect_port = 0"), "adfs_redirect_port"),
            (format!("auth = \"adfs\"\n{BOTH}[agent]\nadfs_key_file = \"/k\""), "go together"),
            (format!("auth = \"adfs\"\n{BOTH}[agent]\nadfs_client_id = \"c\""), "a sign-in of the agent's own"),
            (
                format!("auth = \"adfs\"\n{BOTH}[agent]\n{PAIR}adfs_key_credential = \"k\""),
                "only one of agent.adfs_key",
            ),
            (format!("auth = \"adfs\"\n{BOTH}adfs_token_store = \"keyring\"\nadfs_token_file = \"/t\""), "\"keyring\""),
            ("adfs_token_store = \"keyring\"".to_owned(), "set it to \"adfs\""),
            (format!("[agent]\n{PAIR}"), "agent.adfs_… is configured"),
            ("auth = \"adfs\"\nadfs_url = \"http://sts\"\nadfs_client_id = \"c\"".to_owned(), "plain http"),
        ] {
            let message = read(&keys).unwrap_err();
            assert!(message.contains(expected), "{keys}: {message}");
        }
    }
}
