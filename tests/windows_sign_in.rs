//! Sign-in by Windows' own Kerberos (SSPI): a KDC of MIT's, Apache before the stand-in, a card in a reader, and the program.
//!
//! `.ci/windows` runs it under Wine, whose Kerberos goes to MIT's library, and its tickets are those of `KRB5CCNAME`. `PINWRIGHT_REALM` is the
//! folder of `.ci/windows-realm`. `PINWRIGHT_VPCD` and `PINWRIGHT_PROGRAM` are as for `windows`.
#![cfg(all(windows, feature = "sim"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pinwright::reader::Readers as _;
use pinwright::reader::pcsc::PcscReaders;
use pinwright::sim::card::SharedCard;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::server::{Settings, StandIn, TlsKind};
use pinwright::sim::vpcd::{VpcdHandle, VpcdOptions};
use serde_json::Value;
use support::{repository, waiting};
use uuid::Uuid;

/// The realm, the stand-in behind its sites, and a card in the first reader. One test has all of it at a time.
struct Bed {
    realm: PathBuf,
    folder: tempfile::TempDir,
    server: StandIn,
    card: SharedCard<GidsCard>,
    inserted: Option<VpcdHandle>,
    _alone: MutexGuard<'static, ()>,
}

struct Run {
    exit: Option<i32>,
    out: String,
    err: String,
}

impl Bed {
    fn start() -> Option<Self> {
        static ALONE: Mutex<()> = Mutex::new(());
        let (Some(realm), Ok(port)) = (std::env::var_os("PINWRIGHT_REALM"), std::env::var("PINWRIGHT_VPCD")) else {
            waiting::skip("PINWRIGHT_REALM names no realm, or PINWRIGHT_VPCD no reader: `make test-windows` has both");
            return None;
        };
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        // With its drive.
        let realm = std::path::absolute(realm).unwrap();
        let settings = GidsSettings::default();
        let known = Uuid::from_bytes_le(settings.card_id);
        let server = StandIn::start(Settings {
            tls: TlsKind::PlainHttp,
            port: place(&realm, "back"),
            ..Settings::for_card(known, &hex::encode(&settings.atr), settings.admin_key)
        });
        let card = SharedCard::new(GidsCard::personalised(settings));
        let inserted = VpcdHandle::insert(card.clone(), &VpcdOptions::local(port.parse().unwrap())).unwrap();
        wait_for_card(true);
        let folder = tempfile::tempdir().unwrap();
        // In a folder that nobody else can write to.
        std::fs::copy(realm.join("ca.pem"), folder.path().join("ca.pem")).unwrap();
        let bed = Self { realm, folder, server: server.unwrap(), card, inserted: Some(inserted), _alone: alone };
        bed.sign_in();
        Some(bed)
    }

    /// Whoever runs the program is alice from now on.
    fn sign_in(&self) {
        std::fs::copy(self.realm.join("alice"), self.realm.join("tickets")).unwrap();
    }

    /// Nobody has signed in any more.
    fn sign_out(&self) {
        std::fs::remove_file(self.realm.join("tickets")).unwrap();
    }

    /// A site of Apache.
    fn site(&self, name: &str) -> String {
        let behind = self.server.base_url();
        let folder = behind.rsplit('/').next().unwrap().to_owned();
        format!("https://localhost:{}/{folder}", place(&self.realm, name))
    }

    /// Runs the program against the server at `url`, with more lines of the configuration.
    fn run(&self, url: &str, more: &str, arguments: &[&str]) -> Run {
        let path = |name: &str| self.folder.path().join(name);
        let text = format!(
            "journal.dir = '{}'\n[server]\nauth = \"negotiate\"\nurl = \"{url}\"\nca_file = '{}'\n{more}\n",
            path("journal").display(),
            path("ca.pem").display()
        );
        std::fs::write(path("config.toml"), text).unwrap();
        let program = std::env::var_os("PINWRIGHT_PROGRAM").map_or_else(repository::pinwright, PathBuf::from);
        let mut command = Command::new(program);
        command.arg("--config").arg(path("config.toml")).args(arguments).stdin(Stdio::null());
        // They are no settings of pinwright, which would say so.
        for name in ["PINWRIGHT_REALM", "PINWRIGHT_VPCD", "PINWRIGHT_PROGRAM"] {
            command.env_remove(name);
        }
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Run { exit: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// A plan, which asks the server and changes nothing.
    fn plan(&self, site: &str, more: &str) -> Run {
        self.run(&self.site(site), more, &["plan"])
    }

    /// Whom the server has seen, one for each call that came through.
    fn users(&self) -> Vec<String> {
        let seen = self.server.requests();
        seen.iter().map(|seen| seen.header("x-remote-user").unwrap_or("nobody").to_owned()).collect()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        drop(self.inserted.take());
        if !std::thread::panicking() {
            wait_for_card(false);
        }
    }
}

impl Run {
    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.exit, Some(code), "{}{}", self.out, self.err);
        self
    }

    /// It failed with this code, said what is true and what to do, and showed no token.
    #[track_caller]
    fn says(self, code: i32, parts: &[&str]) -> Self {
        let run = self.exits(code);
        let said = run.err.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in parts {
            assert!(said.contains(part), "{part:?} is missing: {said}");
        }
        assert!(!said.contains("YII") && !said.contains("kinit") && !said.contains("/etc/"), "{said}");
        run
    }
}

/// The port of a site, or that of the server behind them all.
fn place(realm: &Path, name: &str) -> u16 {
    let places = std::fs::read_to_string(realm.join("places")).unwrap();
    let mut found = places.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.next().unwrap().parse().unwrap()
}

/// The card is in the first of the readers, whatever it is called.
fn wait_for_card(present: bool) {
    let pcsc = PcscReaders::new(Duration::from_secs(30));
    waiting::until("what PC/SC says of the reader", || {
        let listed = pcsc.list().unwrap();
        listed.first().unwrap_or_else(|| panic!("no reader")).presence.is_there() == present
    });
}

#[test]
fn a_card_gets_its_pin_from_a_server_that_asks_for_kerberos() {
    let Some(bed) = Bed::start() else { return };
    let run = bed.run(&bed.site("whole"), "", &["--json", "set-pin", "--yes"]).exits(0);
    let done: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((done["outcome"].as_str(), done["apdus"].as_u64()), (Some("done"), Some(9)), "{done}");
    let pin = bed.server.state().last_pin().unwrap();
    assert!(bed.card.with(|card| card.pin_is(&pin)));
    assert_eq!(bed.users(), ["alice@LAB.TEST"; 5]);
    assert!(bed.server.violations().is_empty(), "{:?}", bed.server.violations());
}

#[test]
fn doctor_tells_what_was_accepted() {
    let Some(bed) = Bed::start() else { return };
    let run = bed.run(&bed.site("whole"), "", &["doctor"]);
    let said = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["\"negotiate\" is accepted", "a ticket for HTTP/localhost is here", "by Windows, as the account"] {
        assert!(said.contains(part), "{part:?} is missing: {said}{}", run.err);
    }
    assert!(!said.contains("kinit") && !said.contains("/etc/"), "{said}");
    let users = bed.users();
    assert!(users.iter().any(|user| user == "alice@LAB.TEST"), "{users:?}");
    // The agent signs in as the account that it works as, too.
    let run = bed.run(&bed.site("whole"), "", &["agent", "--check"]);
    let said = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("\"negotiate\" is accepted") && bed.users().len() > users.len(), "{said}{}", run.err);
}

#[test]
fn an_account_without_tickets_is_told_so() {
    let Some(bed) = Bed::start() else { return };
    bed.sign_out();
    bed.plan("whole", "")
        .says(5, &["Windows has nothing to sign in to Kerberos with", "0x8009030E", "user of the domain"]);
    assert!(bed.users().is_empty());
}

/// One that the KDC does not know, and one that is another server's: Apache can't read its ticket.
#[test]
fn a_name_that_is_not_the_servers_is_refused() {
    let Some(bed) = Bed::start() else { return };
    bed.plan("whole", "spn = \"HTTP/nobody.lab.test\"").says(5, &["HTTP/nobody.lab.test", "0x8009"]);
    bed.plan("whole", "spn = \"HTTP/other.lab.test\"").says(5, &["HTTP/other.lab.test"]);
    assert!(bed.users().is_empty());
    bed.plan("whole", "spn = \"HTTP/localhost@LAB.TEST\"").exits(0);
}

#[test]
fn a_server_that_offers_ntlm_alone_is_refused() {
    let Some(bed) = Bed::start() else { return };
    bed.plan("ntlm", "").says(5, &["it offers NTLM and not Kerberos", "Negotiate has to stand before NTLM"]);
    assert!(bed.users().is_empty());
}

#[test]
fn a_server_that_does_not_prove_who_it_is_is_refused() {
    let Some(bed) = Bed::start() else { return };
    bed.plan("missing", "")
        .says(5, &["has not proved that it is HTTP/localhost", "without a token", "no proxy answers"]);
    bed.plan("changed", "").says(5, &["has not proved that it is HTTP/localhost", "0x8009", "was not used"]);
    bed.plan("open", "").says(5, &["answers without asking who we are", "Anonymous Authentication off"]);
}

#[test]
fn a_user_who_is_not_let_in_is_told_so() {
    let Some(bed) = Bed::start() else { return };
    bed.plan("carol", "").says(5, &["does not let this user in"]);
    assert!(bed.users().is_empty());
}

#[test]
fn what_is_for_another_library_is_refused_before_anybody_is_asked() {
    let Some(bed) = Bed::start() else { return };
    for (more, key) in [
        ("principal = \"alice@LAB.TEST\"", "server.principal"),
        ("[agent]\nkeytab_file = 'C:\\agent.keytab'", "agent.keytab_file"),
        ("[agent]\nkeytab_credential = \"keytab\"", "agent.keytab_credential"),
    ] {
        bed.run(&bed.site("whole"), more, &["config", "check"]).says(2, &[key, "leave it out", "account"]);
    }
    bed.run(&bed.site("whole"), "", &["config", "check"]).exits(0);
    assert!(bed.users().is_empty());
}

/// A server that answers by a script, and keeps the token of each request.
fn scripted(answers: &'static [&'static str]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://localhost:{}/cm", listener.local_addr().unwrap().port());
    let received = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&received);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).unwrap_or_default() > 0 {}
            let token = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": Negotiate ")?;
                name.eq_ignore_ascii_case("authorization").then(|| value.to_owned())
            });
            let mut kept = kept.lock().unwrap();
            let answer = answers[kept.len().min(answers.len() - 1)];
            kept.push(token.unwrap_or_default());
            let _ = write!(stream.get_mut(), "HTTP/1.1 {answer}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        }
    });
    (url, received)
}

#[test]
fn each_repeat_has_a_token_of_its_own_and_it_is_one_of_kerberos() {
    let Some(bed) = Bed::start() else { return };
    const ASKS: &str = "401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM";
    let (url, received) = scripted(&["401 Unauthorized\r\nWWW-Authenticate: Negotiate", "503 Service Unavailable"]);
    bed.run(&url, "", &["plan"]).exits(6);
    let mut tokens = received.lock().unwrap().clone();
    assert!(tokens.len() > 2 && tokens.remove(0).is_empty(), "the first one of all has none");
    assert!(tokens.iter().all(|token| token.starts_with("YII")), "{tokens:?}");
    let count = tokens.len();
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), count, "none is shown twice");
    // Refused without a word: the same would be refused again, and NTLM is not tried instead.
    let (url, received) = scripted(&[ASKS]);
    bed.run(&url, "", &["plan"]).says(5, &["does not take the Kerberos ticket"]);
    assert_eq!(received.lock().unwrap().len(), 2);
}

#[test]
fn a_server_that_answers_kerberos_with_ntlm_is_refused() {
    let Some(bed) = Bed::start() else { return };
    const NTLM: &str = "401 Unauthorized\r\nWWW-Authenticate: Negotiate TlRMTVNTUAACAAAA";
    let (url, received) = scripted(&["401 Unauthorized\r\nWWW-Authenticate: Negotiate", NTLM]);
    bed.run(&url, "", &["plan"]).says(5, &["answers Kerberos with NTLM", "setspn"]);
    assert_eq!(received.lock().unwrap().len(), 2);
}
