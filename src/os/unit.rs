//! The unit that the service manager has for the agent, as it would have the agent live: what it sees, writes to and belongs to.
//!
//! systemd is asked by its own program (systemctl(1) `show`), which anybody may do. Elsewhere there is no such unit.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The unit's name.
pub const NAME: &str = "pinwright-agent.service";

/// Folders of persons, which `ProtectHome=` is about (systemd.exec(5)).
const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];

/// Folders that the unit has of its own with `PrivateTmp=`.
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];

/// What is read-only with `ProtectSystem=yes`, and with `full`; with `strict` everything is.
const SYSTEM: [&str; 4] = ["/usr", "/boot", "/efi", "/etc"];

/// What the unit says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit(Vec<(String, String)>);

impl Unit {
    /// The system's unit of the agent; `None` where none is loaded, or no systemd runs.
    #[must_use]
    pub fn of_system() -> Option<Self> {
        if cfg!(windows) {
            return None;
        }
        let mut show = Command::new("systemctl");
        show.args(["--system", "--no-pager", "show", NAME]).stdin(Stdio::null()).stderr(Stdio::null());
        let output = show.output().ok().filter(|output| output.status.success())?;
        let unit = Self::of_text(&String::from_utf8_lossy(&output.stdout));
        (unit.get("LoadState") == "loaded").then_some(unit)
    }

    fn of_text(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Self(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }

    fn get(&self, key: &str) -> &str {
        self.0.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
    }

    fn words(&self, key: &str) -> impl Iterator<Item = &str> {
        self.get(key).split_whitespace()
    }

    /// The user that the agent is; root where the unit names none.
    #[must_use]
    pub fn user(&self) -> &str {
        Some(self.get("User")).filter(|user| !user.is_empty()).unwrap_or("root")
    }

    /// The groups that the unit adds to those of the user.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.words("Group").chain(self.words("SupplementaryGroups"))
    }

    /// The environment that the unit gives, with the folders that systemd names there. A value with spaces is not understood.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, OsString)> {
        let given = self.words("Environment").filter_map(|pair| pair.split_once('='));
        let mut variables: Vec<(String, OsString)> =
            given.map(|(name, value)| (name.to_owned(), OsString::from(value))).collect();
        let runtime: Vec<String> = self.words("RuntimeDirectory").map(|name| format!("/run/{name}")).collect();
        variables.push(("RUNTIME_DIRECTORY".to_owned(), runtime.join(":").into()));
        variables
    }

    /// A limit of the unit's as systemd tells it (`LimitCORE`): a number, or `infinity`; empty where it tells none.
    #[must_use]
    pub fn limit(&self, key: &str) -> &str {
        self.get(key)
    }

    /// The setting that keeps the agent from seeing a file, as it stands in the unit.
    #[must_use]
    pub fn hides(&self, file: &Path) -> Option<String> {
        let below = |folders: &[&str]| folders.iter().any(|folder| file.starts_with(folder));
        match self.get("ProtectHome") {
            home @ ("yes" | "tmpfs") if below(&HOMES) => return Some(format!("ProtectHome={home}")),
            _ => {}
        }
        (self.get("PrivateTmp") == "yes" && below(&TEMPORARY)).then(|| "PrivateTmp=yes".to_owned())
    }

    /// The setting that keeps the agent from writing to a folder, as it stands in the unit.
    #[must_use]
    pub fn bars_writing(&self, folder: &Path) -> Option<String> {
        let opened = self.words("ReadWritePaths").map(|path| PathBuf::from(path.trim_start_matches(['-', '+'])));
        let own = [("StateDirectory", "/var/lib"), ("RuntimeDirectory", "/run"), ("CacheDirectory", "/var/cache")];
        let own = own.iter().flat_map(|(key, base)| self.words(key).map(|name| Path::new(base).join(name)));
        let logs = self.words("LogsDirectory").map(|name| Path::new("/var/log").join(name));
        if opened.chain(own).chain(logs).any(|open| folder.starts_with(open)) {
            return None;
        }
        if self.get("ProtectHome") == "read-only" && HOMES.iter().any(|home| folder.starts_with(home)) {
            return Some("ProtectHome=read-only".to_owned());
        }
        let protected = match self.get("ProtectSystem") {
            "strict" => true,
            "full" => SYSTEM.iter().any(|part| folder.starts_with(part)),
            "yes" => SYSTEM.iter().filter(|part| **part != "/etc").any(|part| folder.starts_with(part)),
            _ => false,
        };
        protected.then(|| format!("ProtectSystem={}", self.get("ProtectSystem"))).or_else(|| self.hides(folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "User=pinwright\nGroup=pinwright\nSupplementaryGroups=a b\nProtectHome=yes\nProtectSystem=strict\nPrivateTmp=yes\n\
        StateDirectory=pinwright\nRuntimeDirectory=pinwright\nReadWritePaths=-/srv/cards\nEnvironment=XDG_STATE_HOME=/var/lib A=b\n";

    #[test]
    fn what_the_unit_sees_and_writes_to_follows_from_its_settings() {
        let unit = Unit::of_text(TEXT);
        assert_eq!(unit.user(), "pinwright");
        assert_eq!(unit.groups().collect::<Vec<_>>(), ["pinwright", "a", "b"]);
        let said = unit.environment();
        assert!(said.contains(&("XDG_STATE_HOME".to_owned(), "/var/lib".into())), "{said:?}");
        assert!(said.contains(&("RUNTIME_DIRECTORY".to_owned(), "/run/pinwright".into())), "{said:?}");
        for (file, setting) in [
            ("/home/anna/token", Some("ProtectHome=yes")),
            ("/run/user/1000/token", Some("ProtectHome=yes")),
            ("/tmp/token", Some("PrivateTmp=yes")),
            ("/etc/pinwright/secrets/token", None),
            ("/homes/token", None),
        ] {
            assert_eq!(unit.hides(Path::new(file)).as_deref(), setting, "{file}");
        }
        for (folder, setting) in [
            ("/var/lib/pinwright", None),
            ("/srv/cards/journal", None),
            ("/srv/journal", Some("ProtectSystem=strict")),
            ("/home/anna/journal", Some("ProtectSystem=strict")),
        ] {
            assert_eq!(unit.bars_writing(Path::new(folder)).as_deref(), setting, "{folder}");
        }
        let open = Unit::of_text("ProtectHome=no\nProtectSystem=full\n");
        assert_eq!((open.user(), open.hides(Path::new("/home/x"))), ("root", None));
        assert_eq!(open.bars_writing(Path::new("/etc/x")).as_deref(), Some("ProtectSystem=full"));
        assert_eq!(open.bars_writing(Path::new("/srv/x")), None);
    }
}
