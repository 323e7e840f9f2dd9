//! A pcscd that asks polkit: beside it, in its mount namespace, a system bus and polkitd, real ones with nobody's rules but the test's;
//! or no bus at all.
//!
//! Clients are run in that namespace too, as the user `pinwright`, whom only the namespace's list of users knows.

use std::fs::{self, Permissions};
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::pcscd::{Home, NAMESPACE, Pcscd, Skip, asks_polkit};
use crate::repository;

const POLKITD: &str = "/usr/lib/polkit-1/polkitd";

/// The number that the user `pinwright` has in the namespace.
const UID: u32 = 19_999;

/// The bus ends with pcscd, and polkitd with the bus. Both are ready before pcscd is.
const WITH_BUS: &str = r#"set -e
mount -t tmpfs none /run
mkdir /run/pcscd /run/dbus
mount --bind "$1/run" /run/pcscd
mount -t tmpfs none /usr/lib/pcsc/drivers
mkdir "$1/rules.d"
grep -v '^pinwright:' /etc/passwd >"$1/passwd"
echo 'pinwright:x:19999:19999::/:/usr/sbin/nologin' >>"$1/passwd"
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/rules.d" /etc/polkit-1/rules.d
cat >"$1/bus.conf" <<'XML'
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <includedir>/usr/share/dbus-1/system.d</includedir>
</busconfig>
XML
setpriv --pdeathsig KILL dbus-daemon --nofork --nopidfile --config-file="$1/bus.conf" &
tries=0
until [ -S /run/dbus/system_bus_socket ]; do tries=$((tries + 1)); [ $tries -lt 200 ]; sleep 0.05; done
/usr/lib/polkit-1/polkitd --no-debug &
until dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner \
    string:org.freedesktop.PolicyKit1 | grep -q 'boolean true'; do tries=$((tries + 1)); [ $tries -lt 400 ]; sleep 0.05; done
folder=$1
shift
exec pcscd --foreground -c "$folder/reader.conf" "$@"
"#;

/// A running one, with the client's program and its own files beside it.
pub struct PolkitPcscd {
    pcscd: Pcscd,
}

impl PolkitPcscd {
    /// With a system bus and polkitd.
    ///
    /// # Errors
    /// Where pcscd is built without polkit (Debian 12), or polkitd and dbus are not installed, or this is not root.
    pub fn start(readers: u16) -> Result<Self, Skip> {
        if let Some(lacking) =
            [POLKITD, "/usr/bin/dbus-daemon", "/usr/bin/dbus-send"].iter().find(|it| !Path::new(it).exists())
        {
            return Err(Skip(format!("no {lacking} (Debian: polkitd, dbus)")));
        }
        Self::start_in(WITH_BUS, readers)
    }

    /// Without either.
    ///
    /// # Errors
    /// Where pcscd is built without polkit (Debian 12), or this is not root.
    pub fn start_without_bus() -> Result<Self, Skip> {
        Self::start_in(NAMESPACE, 0)
    }

    fn start_in(script: &'static str, readers: u16) -> Result<Self, Skip> {
        if !asks_polkit() {
            return Err(Skip("this pcscd is built without polkit, as Debian 12's is; Debian 13's asks it".to_owned()));
        }
        if !rustix::process::geteuid().is_root() {
            return Err(Skip("other users need root".to_owned()));
        }
        let pcscd = Pcscd::start_in(|| Ok(Home::Polkit(script)), readers, b"Virtual")?;
        let folder = pcscd.folder();
        fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("the folder is ours");
        // Where the build is may be closed to others.
        fs::copy(repository::pinwright(), folder.join("pinwright")).expect("a copy of the program");
        fs::write(folder.join("config.toml"), "[server]\nurl = \"https://localhost:9/\"\nauth = \"none\"\n")
            .expect("a configuration");
        let state = folder.join("state");
        fs::create_dir(&state).expect("the folder is ours");
        chown(&state, Some(UID), Some(UID)).expect("this is root");
        Ok(Self { pcscd })
    }

    /// The rule that the package installs, there or not. polkitd notices by itself.
    pub fn allow(&self, allowed: bool) {
        let rule = self.folder().join("rules.d/50-pinwright.rules");
        if allowed {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/polkit/50-pinwright.rules");
            fs::copy(source, &rule).expect("the rule is copied");
        } else {
            fs::remove_file(&rule).expect("the rule is there");
        }
    }

    /// A file of the user `pinwright`.
    pub fn state(&self, name: &str) -> PathBuf {
        self.folder().join("state").join(name)
    }

    /// pinwright in this namespace, as the user that the rule is for, or as nobody in particular.
    pub fn pinwright(&self, as_meant: bool) -> Command {
        let uid = if as_meant { UID } else { UID + 1 };
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.id().to_string(), "--mount", "--root", "--wd"]);
        command.args(["setpriv", "--reuid", &uid.to_string(), "--regid", &uid.to_string(), "--clear-groups"]);
        command.arg(self.folder().join("pinwright")).arg("--config").arg(self.folder().join("config.toml"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.state("")).env("XDG_STATE_HOME", self.state(""));
        command.env("PINWRIGHT_AGENT_CONTROL", self.state("agent.sock"));
        command.stdin(Stdio::null());
        command
    }
}

impl Deref for PolkitPcscd {
    type Target = Pcscd;

    fn deref(&self) -> &Pcscd {
        &self.pcscd
    }
}

impl DerefMut for PolkitPcscd {
    fn deref_mut(&mut self) -> &mut Pcscd {
        &mut self.pcscd
    }
}
