//! Apache as IIS with Windows authentication would be: TLS, `Negotiate`, and the server behind it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use super::{Foreground, Realm, a_port, run};

const MODULES: [&str; 9] =
    ["mpm_event", "authn_core", "authz_core", "authz_user", "auth_gssapi", "ssl", "headers", "proxy", "proxy_http"];

/// What becomes of the server's proof on its way.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Proof {
    /// It arrives.
    #[default]
    Whole,
    /// It is taken out.
    Missing,
    /// Some of it is changed.
    Changed,
}

/// What the site is like.
#[derive(Clone, Default)]
pub struct Site {
    /// NTLM is offered beside Kerberos.
    pub ntlm: bool,
    /// Its clock is that many minutes ahead.
    pub minutes_ahead: u32,
    /// HTTP/2 is offered as well.
    pub http2: bool,
    /// The keytab; that of `HTTP/localhost` where missing.
    pub keytab: Option<PathBuf>,
    /// What becomes of the header with which it proves who it is.
    pub proof: Proof,
    /// Everybody is let in, and nobody is asked who they are.
    pub is_open: bool,
    /// The only place that asks who somebody is; all where missing.
    pub asks_at: Option<&'static str>,
    /// The only user who is let in; any where missing.
    pub lets_in: Option<&'static str>,
}

/// A running Apache; ended when dropped.
pub struct Apache {
    _process: Foreground,
    folder: tempfile::TempDir,
    port: u16,
}

impl Apache {
    /// Before the server at `behind` (`http://localhost:PORT/FOLDER`), whose folder it has as well. The user whom it has found out
    /// goes along as `X-Remote-User`.
    pub fn start(realm: &Realm, behind: &str, site: &Site) -> Self {
        let folder = tempfile::Builder::new().prefix("apache").tempdir_in(realm.folder()).expect("a folder");
        let file = |name: &str| folder.path().join(name);
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
        openssl.args(["-subj", "/CN=localhost", "-days", "3", "-addext", "subjectAltName=DNS:localhost"]);
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        run(openssl.arg("-keyout").arg(file("key.pem")).arg("-out").arg(file("ca.pem")));
        for _ in 0..20 {
            let port = a_port();
            fs::write(file("httpd.conf"), configuration(&file(""), port, behind, site)).expect("it is written");
            let output = File::create(file("output")).expect("a file for its output");
            let mut command = match site.minutes_ahead {
                0 => Command::new("/usr/sbin/apache2"),
                minutes => {
                    let mut command = Command::new("faketime");
                    command.args(["-f", &format!("+{minutes}m"), "/usr/sbin/apache2"]);
                    command
                }
            };
            command.arg("-f").arg(file("httpd.conf")).arg("-DFOREGROUND");
            realm.furnish(&mut command);
            // A credential store in the configuration ends Apache's children with SPNEGO and NTLM (mod_auth_gssapi 1.6.4).
            command.env("KRB5_KTNAME", site.keytab.clone().unwrap_or_else(|| realm.http_keytab()));
            if site.ntlm {
                fs::write(file("ntlm-users"), "LAB:bob:password\n").expect("it is written");
                command.env("NTLM_USER_FILE", file("ntlm-users"));
            } else {
                command.env("GSS_MECH_CONFIG", "/dev/null");
            }
            command.stdout(output.try_clone().expect("a handle")).stderr(output);
            if let Some(process) = Foreground::listening(&mut command, port) {
                return Self { _process: process, folder, port };
            }
        }
        panic!("Apache finds no port: {}", fs::read_to_string(file("output")).unwrap_or_default());
    }

    /// `https://localhost:PORT/FOLDER` for the server behind.
    pub fn url(&self, behind: &str) -> String {
        format!("https://localhost:{}{}", self.port, path_of(behind))
    }

    /// The authority to trust, as PEM.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Its calls in the order in which they ended: how many came before it over the same connection, version of HTTP, user (`-` for none), status, method and path.
    pub fn calls(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("calls.log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }
}

/// The virtual folder of `http://localhost:PORT/FOLDER`.
fn path_of(behind: &str) -> &str {
    let host = behind.trim_start_matches("http://");
    host.find('/').map_or("", |at| &host[at..])
}

fn configuration(folder: &std::path::Path, port: u16, behind: &str, site: &Site) -> String {
    let here = folder.display();
    let more = if site.http2 { &["http2"][..] } else { &[] };
    let modules: String = MODULES
        .iter()
        .chain(more)
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .collect();
    let mechanisms = if site.ntlm {
        "GssapiAllowedMech krb5\nGssapiAllowedMech ntlmssp\nGssapiConnectionBound On"
    } else {
        "GssapiAllowedMech krb5"
    };
    // Apache leaves root behind, and has no user to become otherwise.
    let user = if rustix::process::geteuid().is_root() { "User www-data\nGroup www-data\n" } else { "" };
    let user_let_in = site.lets_in.map_or("Require valid-user".to_owned(), |name| format!("Require user {name}"));
    let sign_in = match site.is_open {
        true => "Require all granted".to_owned(),
        false => format!("AuthType GSSAPI\nAuthName \"MIM CM\"\nGssapiSSLonly On\n{mechanisms}\n{user_let_in}"),
    };
    let protocols = if site.http2 { "Protocols h2 http/1.1\n" } else { "" };
    // Only with a success: a 401 is needed for the sign-in to begin.
    let proof = match site.proof {
        Proof::Whole => "",
        Proof::Missing => "Header always unset WWW-Authenticate \"expr=%{REQUEST_STATUS} =~ /^[23]/\"\n",
        Proof::Changed => {
            "Header always edit WWW-Authenticate \"^(Negotiate .{80}).{8}\" \"$1AAAAAAAA\" \"expr=%{REQUEST_STATUS} =~ /^[23]/\"\n"
        }
    };
    let origin = behind.trim_end_matches(path_of(behind));
    let (all, one) = match site.asks_at {
        None => (sign_in, String::new()),
        Some(place) => ("Require all granted".to_owned(), format!("<Location {place}>\n{sign_in}\n</Location>\n")),
    };
    format!(
        "ServerRoot {here}\nServerName localhost\nListen 127.0.0.1:{port}\nPidFile {here}/pid\nMutex file:{here} default\n\
         ErrorLog {here}/error.log\nLogLevel warn auth_gssapi:info\nLogFormat \"%k %H %u %>s %m %U\" calls\nCustomLog {here}/calls.log calls\n{modules}{user}{protocols}StartServers 1\nThreadsPerChild 64\n\
         ServerLimit 2\nMaxRequestWorkers 128\nSSLEngine on\nSSLCertificateFile {here}/ca.pem\nSSLCertificateKeyFile {here}/key.pem\n\
         {proof}<Location />\n{all}\n\
         RequestHeader unset Authorization\nRequestHeader set X-Remote-User \"expr=%{{REMOTE_USER}}\"\nProxyPass {origin}/\n</Location>\n{one}"
    )
}
