//! The configuration file as it is written: sections, keys and defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::agent::Agent;
use super::error::ConfigError;
use crate::card::family::AtrRule;
use crate::card::piv::discovery::PivPin;
use crate::card::profile::Profile;
use crate::card::{IdOrder, PinCharacters, PinLimits, PivSlot};
use crate::enroll::rules::ManagementRule;
use crate::job::authority::Authority;
use crate::job::issuer::PinMaker;
use crate::provision::{AdminKeyRule, PinRouteRule};
use crate::secret::Pin;
use crate::server::DataForm;

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    pub server: Server,
    pub card: Card,
    pub reader: Reader,
    pub agent: Agent,
    pub journal: Journal,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Server {
    pub url: Option<String>,
    pub ca_file: Option<PathBuf>,
    pub client_certificate_file: Option<PathBuf>,
    pub client_key_file: Option<PathBuf>,
    pub client_key_credential: Option<String>,
    pub auth: Auth,
    pub token_file: Option<PathBuf>,
    pub token_credential: Option<String>,
    pub spn: Option<String>,
    pub principal: Option<String>,
    pub channel_bindings: ChannelBindings,
    pub adfs_url: Option<String>,
    pub adfs_client_id: Option<String>,
    pub adfs_resource: Option<String>,
    pub adfs_redirect_port: u16,
    pub adfs_ca_file: Option<PathBuf>,
    pub adfs_token_file: Option<PathBuf>,
    pub adfs_token_store: TokenStore,
    pub pin_route: PinRouteRule,
    pub user_pin_options: BTreeMap<String, PinMaker>,
    pub data_collection: DataForm,
    pub timeout: String,
    pub http_version: HttpVersion,
    pub proxy: Option<String>,
    pub proxy_user: Option<String>,
    pub proxy_password_file: Option<PathBuf>,
    pub proxy_password_credential: Option<String>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            url: None,
            ca_file: None,
            client_certificate_file: None,
            client_key_file: None,
            client_key_credential: None,
            auth: Auth::None,
            token_file: None,
            token_credential: None,
            spn: None,
            principal: None,
            channel_bindings: ChannelBindings::Auto,
            adfs_url: None,
            adfs_client_id: None,
            adfs_resource: None,
            adfs_redirect_port: 8400,
            adfs_ca_file: None,
            adfs_token_file: None,
            adfs_token_store: TokenStore::File,
            pin_route: PinRouteRule::Auto,
            user_pin_options: BTreeMap::new(),
            data_collection: DataForm::Text,
            timeout: "10s".to_owned(),
            http_version: HttpVersion::Auto,
            proxy: None,
            proxy_user: None,
            proxy_password_file: None,
            proxy_password_credential: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Auth {
    None,
    Bearer,
    Negotiate,
    Adfs,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ChannelBindings {
    Auto,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TokenStore {
    File,
    Keyring,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
pub(super) enum HttpVersion {
    #[serde(rename = "auto")]
    Auto,
    #[serde(rename = "1.1")]
    Only11,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Card {
    pub authority: Vec<Authority>,
    pub min_tries_left: u8,
    pub id_order: IdOrder,
    pub piv_pin: PivPin,
    pub atr: AtrRule,
    pub pin_characters: PinCharacters,
    pub piv_slot: PivSlot,
    pub management: ManagementRule,
    pub allow_sha1: bool,
    /// Fewest and most characters of a GIDS card's PIN.
    pub pin_length: Option<[usize; 2]>,
    pub admin_key: AdminKeyRule,
    pub admin_key_file: Option<PathBuf>,
    pub admin_key_credential: Option<String>,
    pub puk_file: Option<PathBuf>,
    pub puk_credential: Option<String>,
    pub admin_pin_file: Option<PathBuf>,
    pub admin_pin_credential: Option<String>,
    pub resetting_code_file: Option<PathBuf>,
    pub resetting_code_credential: Option<String>,
    pub current_pin_file: Option<PathBuf>,
    pub current_pin_credential: Option<String>,
    pub prefer: Vec<String>,
    pub profile_files: Vec<PathBuf>,
    #[serde(skip_serializing)]
    pub profile: Vec<Profile>,
}

impl Default for Card {
    fn default() -> Self {
        Self {
            authority: vec![Authority::Server],
            min_tries_left: 2,
            id_order: IdOrder::Windows,
            piv_pin: PivPin::Discovery,
            atr: AtrRule::Record,
            pin_characters: PinCharacters::Digits,
            piv_slot: PivSlot::Authentication,
            management: ManagementRule::Server,
            allow_sha1: false,
            pin_length: None,
            admin_key: AdminKeyRule::Policy,
            admin_key_file: None,
            admin_key_credential: None,
            puk_file: None,
            puk_credential: None,
            admin_pin_file: None,
            admin_pin_credential: None,
            resetting_code_file: None,
            resetting_code_credential: None,
            current_pin_file: None,
            current_pin_credential: None,
            prefer: Vec::new(),
            profile_files: Vec::new(),
            profile: Vec::new(),
        }
    }
}

impl Card {
    /// What a GIDS card's PIN may be, where `card.pin_length` says so.
    ///
    /// # Errors
    /// [`ConfigError::Value`] where the two numbers can't be.
    pub fn gids_limits(&self) -> Result<Option<PinLimits>, ConfigError> {
        let Some([min, max]) = self.pin_length else { return Ok(None) };
        if min == 0 || min > max || max > Pin::MAX {
            let message = format!("[fewest, most] with 1 <= fewest <= most <= {}", Pin::MAX);
            return Err(ConfigError::Value { key: "card.pin_length", message });
        }
        Ok(Some(PinLimits { min, max, characters: PinCharacters::Ascii }))
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Reader {
    pub ignore: Vec<String>,
    pub timeout: String,
}

impl Default for Reader {
    fn default() -> Self {
        Self { ignore: Vec::new(), timeout: "15s".to_owned() }
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Journal {
    pub dir: Option<PathBuf>,
    pub keep: String,
}

impl Default for Journal {
    fn default() -> Self {
        Self { dir: None, keep: "90days".to_owned() }
    }
}
