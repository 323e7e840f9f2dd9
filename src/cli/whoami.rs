//! `pinwright whoami`: who the server will take us for, as far as it can be known without asking it.

use std::time::SystemTime;

use serde::Serialize;

use super::context::CommandContext;
use super::error::CliError;
use super::json::Head;
use crate::config::Config;
use crate::operation::Operation;
use crate::server::auth::{Adfs, Auth, Place, SignInError, Tokens};

/// A sign-in at AD FS as it is told.
#[derive(Serialize)]
pub struct SignInObject {
    /// What an unverified claim of the access token says; `None` where the token is opaque.
    account: Option<String>,
    access_token_expires: String,
    refresh_token: bool,
    refresh_token_expires: Option<String>,
    token_file: String,
    token_store: &'static str,
    #[serde(skip)]
    is_over: bool,
}

impl SignInObject {
    /// What of it may be told: no token is.
    #[must_use]
    pub fn of(tokens: &Tokens, adfs: &Adfs) -> Self {
        Self {
            account: tokens.account(),
            access_token_expires: told(tokens.expires()),
            refresh_token: tokens.is_renewable(),
            refresh_token_expires: tokens.refresh_expires().map(told),
            token_file: adfs.token_file().map(|file| file.display().to_string()).unwrap_or_default(),
            token_store: match adfs.token_place() {
                Some(Place::File) => "file",
                Some(Place::Keyring) => "keyring",
                None => "memory",
            },
            is_over: tokens.expires() <= SystemTime::now(),
        }
    }

    /// The account, as the end of a sentence.
    #[must_use]
    pub fn whose(&self) -> String {
        match &self.account {
            Some(account) => format!(" as {account} (the token says so; only the server verifies it)"),
            None => " (the token does not say as whom)".to_owned(),
        }
    }

    /// How long it lasts, as sentences.
    #[must_use]
    pub fn until(&self) -> String {
        let ends = if self.is_over { "ended" } else { "ends" };
        let access = format!("The access token {ends} {}.", self.access_token_expires);
        match (self.refresh_token, &self.refresh_token_expires) {
            (false, _) => format!("{access} There is no refresh token: after that `{}` is needed.", Operation::Login),
            (true, None) => format!("{access} A refresh token renews it; AD FS does not say how long."),
            (true, Some(until)) => format!("{access} A refresh token renews it until {until}."),
        }
    }
}

fn told(moment: SystemTime) -> String {
    humantime::format_rfc3339_seconds(moment).to_string()
}

/// `pinwright.whoami/1`.
#[derive(Serialize)]
struct WhoamiObject {
    #[serde(flatten)]
    head: Head,
    kind: &'static str,
    told: Option<String>,
    adfs: Option<SignInObject>,
}

/// Says who is signed in. Neither the server nor AD FS nor a KDC is asked.
///
/// # Errors
/// [`CliError::SignIn`] where nobody is, or the token can't be used.
pub fn run(config: &Config, json: bool, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    let auth = &config.server.as_ref().ok_or(CliError::NoServer)?.auth;
    let (told, adfs) = match auth {
        Auth::Adfs(adfs) => (None, Some(SignInObject::of(&adfs.kept().map_err(SignInError::from)?, adfs))),
        other => (Some(other.check()?), None),
    };
    if json {
        let head = Head::done(Operation::Whoami.schema());
        return context.print_json(&WhoamiObject { head, kind: auth.name(), told, adfs });
    }
    match adfs {
        Some(sign_in) => context.print(&format!("AD FS: signed in{}. {}", sign_in.whose(), sign_in.until())),
        None => context.print(&format!(
            "{}: {}. Who that is the server decides; it was not asked.",
            auth.name(),
            told.unwrap_or_default()
        )),
    }
}
