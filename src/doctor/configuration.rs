//! Whether the configuration can be used: its values, and the files that its `[server]` names.

use std::path::PathBuf;

use super::finding::{Fault, Findings, Name, Probe};
use super::running_as::RunningAs;
use crate::config::{Config, ConfigError};
use crate::error_text::error_text;
use crate::os::service::credentials;
use crate::server::auth::{Auth, Identity, SignInError, TokenError, TokenSource};
use crate::server::{self, Client, Proxy, SetupError, TrustError};

/// The configuration as a whole, and the files that it was read from, where they are known. A warning of it is one.
pub(super) fn tell(config: &Config, files: &[PathBuf], findings: &mut Findings) {
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let read = if files.is_empty() { String::new() } else { format!(" ({})", files.join(", ")) };
    findings.ok(Probe::Configuration, format!("can be used{read}"));
    let accounts = [&config.agent.user, &config.agent.control_group];
    accounts.into_iter().flatten().for_each(|account| findings.name(Name::User(account.clone())));
    for warning in &config.warnings {
        findings.warning(Probe::Configuration, warning.clone(), "correct it in the environment");
    }
}

/// The configuration can't be used.
pub(super) fn tell_of_error(error: &ConfigError, findings: &mut Findings) {
    findings.failed(Probe::Configuration, error_text(error), error.remedy());
}

/// What `[server]` names. Gives whether a client can be made of it.
pub(super) fn tell_of_server(
    settings: Option<&server::Settings>,
    running_as: &RunningAs,
    findings: &mut Findings,
) -> bool {
    let Some(settings) = settings else {
        findings.failed(Probe::Server, "none", "set `server.url`");
        return false;
    };
    let hosts = [Some(&settings.url), settings.proxy.as_ref().map(|proxy| &proxy.url)];
    for host in hosts.into_iter().flatten().filter_map(|url| url.host_str()) {
        findings.name(Name::Host(host.to_owned()));
    }
    if let Some(Proxy { credentials: Some((user, _)), .. }) = &settings.proxy {
        findings.name(Name::User(user.clone()));
    }
    let found = files(settings, running_as);
    let is_usable = found.is_ok();
    findings.result(Probe::Server, found);
    tell_of_sign_in(&settings.auth, settings.auth.keytab(), running_as, findings);
    is_usable
}

fn files(settings: &server::Settings, running_as: &RunningAs) -> Result<String, Fault> {
    settings.ca_file.as_deref().map_or(Ok(()), |file| running_as.sees(file))?;
    if let Some(Proxy { credentials: Some((_, TokenSource::File(file))), .. }) = &settings.proxy {
        running_as.sees(file)?;
    }
    if let Some(identity) = &settings.identity {
        running_as.sees(&identity.certificate)?;
        match &identity.key {
            TokenSource::File(file) => running_as.sees(file)?,
            TokenSource::Credential(name) if credentials().is_none() => return Ok(only_in_the_unit(name)),
            TokenSource::Credential(_) => {}
        }
    }
    Client::new(settings).map_err(|error| {
        let remedy = match &error {
            SetupError::Trust(TrustError::Exposed { source, .. }) => source.remedy(),
            SetupError::Trust(TrustError::Unreadable { .. }) => {
                "check `server.ca_file`, and who may read that file".to_owned()
            }
            SetupError::Trust(TrustError::CaFile { .. }) => "mend the file of `server.ca_file` as that says".to_owned(),
            SetupError::Trust(TrustError::Setup(_)) => "report this: it is a defect in pinwright".to_owned(),
            SetupError::Identity(cause) => cause.remedy(),
            SetupError::Http(cause) => cause.remedy(),
        };
        Fault::new(error_text(&error), remedy)
    })?;
    Ok(format!("{} (trusting {})", settings.url, trusted(settings)))
}

/// Whom the server's certificate has to be from.
pub(super) fn trusted(settings: &server::Settings) -> String {
    settings.ca_file.as_ref().map_or("the system's authorities".to_owned(), |file| file.display().to_string())
}

fn tell_of_sign_in(auth: &Auth, keytab: Option<&TokenSource>, running_as: &RunningAs, findings: &mut Findings) {
    if let Auth::Bearer(TokenSource::File(file)) = auth
        && let Err(Fault { reason, remedy }) = running_as.sees(file)
    {
        return findings.failed(Probe::ServerAuth, reason, remedy);
    }
    let of_adfs = match auth {
        Auth::Adfs(adfs) => (adfs.token_file(), adfs.certificate()),
        _ => (None, None),
    };
    let (token_file, identity) = of_adfs;
    let key_file = identity.and_then(|identity| match &identity.key {
        TokenSource::File(file) => Some(file.as_path()),
        TokenSource::Credential(_) => None,
    });
    let files = [token_file, identity.map(|identity| identity.certificate.as_path()), key_file];
    for file in files.into_iter().flatten() {
        if let Err(Fault { reason, remedy }) = running_as.sees(file) {
            return findings.failed(Probe::ServerAuth, reason, remedy);
        }
    }
    if let Some(Identity { key: TokenSource::Credential(name), .. }) = identity
        && credentials().is_none()
    {
        return findings.unknown(Probe::ServerAuth, only_in_the_unit(name));
    }
    if let Some(TokenSource::File(file)) = keytab
        && let Err(Fault { reason, remedy }) = running_as.sees(file)
    {
        return findings.failed(Probe::ServerAuth, reason, remedy);
    }
    match (auth, keytab) {
        (Auth::Bearer(TokenSource::Credential(name)), _) | (_, Some(TokenSource::Credential(name)))
            if credentials().is_none() =>
        {
            findings.unknown(Probe::ServerAuth, only_in_the_unit(name));
        }
        (auth, _) => match (auth.check(), auth.exposure()) {
            (Err(error), _) => {
                let (reason, remedy) = match &error {
                    SignInError::Token(token) => (error_text(token), remedy_of_token(token)),
                    SignInError::Kerberos(_) | SignInError::Adfs(_) => (error_text(&error), error.remedy()),
                };
                findings.failed(Probe::ServerAuth, reason, remedy);
            }
            (Ok(_), Some(exposure)) => {
                findings.warning(Probe::ServerAuth, format!("the bearer token: {exposure}"), exposure.remedy());
            }
            (Ok(told), None) => findings.ok(Probe::ServerAuth, told),
        },
    }
}

fn remedy_of_token(error: &TokenError) -> String {
    error.remedy_of_rights().unwrap_or_else(|| {
        "put a token where `server.token_file` or `server.token_credential` points, or correct that".to_owned()
    })
}

/// Why a credential is not looked at.
pub(super) fn only_in_the_unit(credential: &str) -> String {
    format!("credential {credential}: systemd gives it to the unit alone, not looked at here")
}
