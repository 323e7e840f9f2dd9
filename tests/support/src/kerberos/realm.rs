//! A realm: its KDC, its principals, their keytabs and ticket caches.

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Foreground, a_port, run};

/// Its name.
pub const REALM: &str = "LAB.TEST";

/// A realm with a KDC that runs.
pub struct Realm {
    folder: tempfile::TempDir,
    port: u16,
    kdc: Option<Foreground>,
}

/// A ticket cache.
#[derive(Clone, Debug)]
pub struct Ccache(pub String);

impl Realm {
    /// With the service `HTTP/localhost`, whose keytab is [`Realm::http_keytab`].
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("realm").tempdir().expect("a temporary folder");
        // Apache's children are another user where root starts it.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("the folder is opened");
        let seen = folder.path().join("seen");
        fs::create_dir(&seen).expect("a folder");
        fs::set_permissions(&seen, Permissions::from_mode(0o777)).expect("the folder is opened");
        let mut realm = Self { folder, port: 0, kdc: None };
        realm.write_configuration("krb5.conf", None, "");
        let here = realm.folder.path().display().to_string();
        let text = format!(
            "[realms]\n {REALM} = {{\n  database_name = {here}/principal\n  key_stash_file = {here}/stash\n  max_life = 1h\n  \
             supported_enctypes = aes256-cts-hmac-sha1-96:normal\n }}\n[logging]\n kdc = FILE:{here}/kdc.log\n"
        );
        fs::write(realm.path("kdc.conf"), text).expect("the KDC's configuration is written");
        run(realm.command("/usr/sbin/kdb5_util").args(["-r", REALM, "-P", "master", "create", "-s"]));
        realm.start_kdc();
        realm.add("HTTP/localhost");
        realm.keytab("HTTP/localhost", "http.keytab");
        let readable = Permissions::from_mode(0o644);
        fs::set_permissions(realm.http_keytab(), readable).expect("the server's keytab is opened");
        realm
    }

    /// Starts the KDC again, where it was before unless somebody else is there now.
    pub fn start_kdc(&mut self) {
        for _ in 0..20 {
            if self.port == 0 {
                self.port = a_port();
            }
            self.write_configuration("krb5.conf", Some(self.port), "");
            let text = fs::read_to_string(self.path("kdc.conf")).expect("it was written");
            let realms = text.split_once("[realms]").expect("it has realms").1.to_owned();
            let address = format!("127.0.0.1:{}", self.port);
            let text = format!("[kdcdefaults]\n kdc_listen = {address}\n kdc_tcp_listen = {address}\n[realms]{realms}");
            fs::write(self.path("kdc.conf"), text).expect("the KDC's configuration is written");
            let output = File::create(self.path("kdc.out")).expect("a file for its output");
            let mut command = self.command("/usr/sbin/krb5kdc");
            command.args(["-n", "-r", REALM]).stdout(output.try_clone().expect("a handle")).stderr(output);
            self.kdc = Foreground::listening(&mut command, self.port);
            if self.kdc.is_some() {
                return;
            }
            self.port = 0;
        }
        panic!("the KDC finds no port: {}", fs::read_to_string(self.path("kdc.out")).unwrap_or_default());
    }

    /// Ends the KDC: connections to it are refused from now on.
    pub fn stop_kdc(&mut self) {
        self.kdc = None;
    }

    /// Where the KDC listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A file of the realm.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Another configuration of clients: with its KDC at that port, and more of `[libdefaults]`.
    pub fn configuration(&self, name: &str, port: u16, more: &str) -> PathBuf {
        self.write_configuration(name, Some(port), more);
        self.path(name)
    }

    fn write_configuration(&self, name: &str, port: Option<u16>, more: &str) {
        let port = port.unwrap_or_default();
        // Nothing is looked up by DNS, and one address is asked once, over TCP.
        let text = format!(
            "[libdefaults]\n default_realm = {REALM}\n dns_canonicalize_hostname = false\n dns_lookup_kdc = false\n \
             dns_lookup_realm = false\n rdns = false\n udp_preference_limit = 1\n{more}\n[realms]\n {REALM} = {{\n  \
             kdc = 127.0.0.1:{port}\n }}\n[domain_realm]\n localhost = {REALM}\n"
        );
        fs::write(self.path(name), text).expect("the configuration is written");
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        self.furnish(&mut command);
        command.env("KRB5_KDC_PROFILE", self.path("kdc.conf")).stdin(Stdio::null());
        command
    }

    /// Has a command live in this realm, with no ticket.
    pub fn furnish(&self, command: &mut Command) {
        for name in ["KRB5_TRACE", "KRB5_KTNAME", "KRB5_CLIENT_KTNAME", "GSS_MECH_CONFIG", "NTLM_USER_FILE"] {
            command.env_remove(name);
        }
        command.env("KRB5_CONFIG", self.path("krb5.conf"));
        command.env("KRB5CCNAME", format!("FILE:{}", self.path("no-tickets").display()));
        // What a server has seen; in a folder that Apache's children may write to.
        command.env("KRB5RCACHENAME", format!("file2:{}", self.path("seen/rcache").display()));
    }

    /// What an administrator types.
    pub fn administer(&self, query: &str) {
        let output = run(self.command("/usr/sbin/kadmin.local").args(["-r", REALM, "-q", query]));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("kadmin.local:") && !said.contains("while"), "{query}: {said}");
    }

    /// A new principal with a random key.
    pub fn add(&self, principal: &str) {
        self.administer(&format!("addprinc -randkey {principal}"));
    }

    /// A new key for the principal, in this file of the realm.
    pub fn keytab(&self, principal: &str, file: &str) -> PathBuf {
        let path = self.path(file);
        self.administer(&format!("ktadd -k {} {principal}", path.display()));
        path
    }

    /// The keytab of `HTTP/localhost`.
    pub fn http_keytab(&self) -> PathBuf {
        self.path("http.keytab")
    }

    /// Makes a person, with a cache of tickets for `lifetime` (`1h`, `2s`).
    pub fn person(&self, name: &str, lifetime: &str) -> Ccache {
        self.administer(&format!("addprinc -pw {name}s-password {name}"));
        self.sign_in(name, &Ccache(format!("FILE:{}", self.path(&format!("{name}.ccache")).display())), lifetime)
    }

    /// Signs the person in with this cache, as `kinit` does.
    pub fn sign_in(&self, name: &str, cache: &Ccache, lifetime: &str) -> Ccache {
        let mut command = self.command("/usr/bin/kinit");
        // In a collection each principal gets a cache of its own that way.
        command.env("KRB5CCNAME", &cache.0).args(["-l", lifetime, name]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().expect("kinit starts");
        writeln!(child.stdin.take().expect("it is piped"), "{name}s-password").expect("kinit reads");
        assert!(child.wait().expect("kinit ends").success(), "kinit {name}");
        cache.clone()
    }

    /// What the KDC has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("kdc.log")).unwrap_or_default()
    }

    /// The folder, which others may look into.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
