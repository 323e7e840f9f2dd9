//! Paths in the configuration: each is a whole one, wherever the program was started.

use std::path::{Path, PathBuf};

use super::error::{ConfigError, value};
use super::folders::Environment;
use super::raw::Raw;

/// Makes every path whole but those of profiles, which are read earlier.
///
/// # Errors
/// [`ConfigError::Value`] with the key of a relative path.
pub(super) fn resolve(raw: &mut Raw, environment: Environment<'_>) -> Result<(), ConfigError> {
    let (server, card, agent) = (&mut raw.server, &mut raw.card, &mut raw.agent);
    for (key, path) in [
        ("server.ca_file", &mut server.ca_file),
        ("server.client_certificate_file", &mut server.client_certificate_file),
        ("server.client_key_file", &mut server.client_key_file),
        ("server.token_file", &mut server.token_file),
        ("server.adfs_ca_file", &mut server.adfs_ca_file),
        ("server.adfs_token_file", &mut server.adfs_token_file),
        ("server.proxy_password_file", &mut server.proxy_password_file),
        ("card.admin_key_file", &mut card.admin_key_file),
        ("card.puk_file", &mut card.puk_file),
        ("card.admin_pin_file", &mut card.admin_pin_file),
        ("card.resetting_code_file", &mut card.resetting_code_file),
        ("card.current_pin_file", &mut card.current_pin_file),
        ("agent.keytab_file", &mut agent.keytab_file),
        ("agent.adfs_certificate_file", &mut agent.adfs_certificate_file),
        ("agent.adfs_key_file", &mut agent.adfs_key_file),
        ("agent.control", &mut agent.control),
        ("journal.dir", &mut raw.journal.dir),
    ] {
        if let Some(path) = path {
            *path = whole(key, path, environment)?;
        }
    }
    // A name without a slash is looked up in PATH.
    if let Some(program) = agent.pinentry.as_mut().filter(|program| program.components().count() > 1) {
        *program = whole("agent.pinentry", program, environment)?;
    }
    if let Some(socket) = agent.metrics.as_deref().and_then(|metrics| metrics.strip_prefix("unix:")) {
        let socket = whole("agent.metrics", Path::new(socket), environment)?;
        agent.metrics = Some(format!("unix:{}", socket.display()));
    }
    Ok(())
}

/// The whole path: as it is, or in the user's home where it begins with `~/`.
///
/// # Errors
/// [`ConfigError::Value`] where it is relative, or there is no home.
pub(super) fn whole(key: &'static str, path: &Path, environment: Environment<'_>) -> Result<PathBuf, ConfigError> {
    if let Ok(below) = path.strip_prefix("~") {
        let home = environment.home().filter(|_| !below.as_os_str().is_empty());
        return match home {
            Some(home) => Ok(home.join(below)),
            None => Err(value(key, "~/ is the user's home, and this user has none, or nothing comes after it")),
        };
    }
    match path.is_absolute() {
        true => Ok(path.to_owned()),
        false => Err(value(key, "a relative path: write the whole path, or begin it with ~/ (the user's home)")),
    }
}
