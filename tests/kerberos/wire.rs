//! Tokens as they go over the wire: a new one for each request and each repeat.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cross_krb5::{ClientCtx, InitiateFlags};
use support::kerberos::{Ccache, Site};

use crate::bed::{Bed, Caller};

/// A plain server on this machine that answers by a script, and keeps what it was sent.
pub struct Scripted {
    pub url: String,
    received: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// `answer` gives the status line and headers for each request, by its number and head; an empty one cuts the connection.
    pub fn start<A: AsRef<str>>(answer: impl Fn(usize, &str) -> A + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://localhost:{}/cm", listener.local_addr().unwrap().port());
        let received = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut stream = BufReader::new(stream);
                loop {
                    let mut head = String::new();
                    while !head.ends_with("\r\n\r\n") {
                        if stream.read_line(&mut head).unwrap_or_default() == 0 {
                            break;
                        }
                    }
                    if head.is_empty() {
                        break;
                    }
                    let number = kept.lock().unwrap().len();
                    kept.lock().unwrap().push(head.clone());
                    let answer = answer(number, &head);
                    let answer = answer.as_ref();
                    if answer.is_empty() {
                        break;
                    }
                    let body = if answer.contains("json") { "[]" } else { "" };
                    let text = format!("HTTP/1.1 {answer}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                    if stream.get_mut().write_all(text.as_bytes()).is_err() {
                        break;
                    }
                }
            }
        });
        Self { url, received }
    }

    /// The heads of all requests.
    pub fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }

    /// The token of each request.
    pub fn tokens(&self) -> Vec<Option<String>> {
        let token = |head: String| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            let mut found = lines.filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
            found.next().map(|(_, value)| value.strip_prefix("Negotiate ").expect("the scheme").to_owned())
        };
        self.received().into_iter().map(token).collect()
    }
}

/// A token for the bed's server, by a process that has these tickets.
pub fn a_token(bed: &Bed, cache: &Ccache) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "wire::makes_a_token", "--ignored", "--nocapture"]);
    bed.realm.furnish(&mut command);
    let output = command.env("KRB5CCNAME", &cache.0).env("MAKES_A_TOKEN", "1").output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    out.lines().find_map(|line| line.strip_prefix("token: ")).unwrap_or_else(|| panic!("{out}")).to_owned()
}

#[test]
#[ignore = "played by a process of its own"]
fn makes_a_token() {
    if std::env::var_os("MAKES_A_TOKEN").is_some() {
        let made = ClientCtx::new(InitiateFlags::empty(), None, "HTTP/localhost@", None);
        let (_, token) = made.map_err(|error| error.to_string()).unwrap();
        println!("\ntoken: {}", STANDARD.encode(&*token));
    }
}

#[test]
fn each_repeat_has_a_token_of_its_own() {
    let Some(bed) = Bed::start(&Site::default()) else { return };
    let alice = bed.realm.person("alice", "1h");
    // Asked, cut, failing, failing once more: a call that reads is repeated twice.
    let front = Scripted::start(|number, _| match number {
        0 => "401 Unauthorized\r\nWWW-Authenticate: Negotiate",
        1 => "",
        _ => "503 Service Unavailable",
    });
    let failed = Caller::of(&bed.realm, &front.url, None).tickets(&alice).fails();
    failed.says("busy", "", 6);
    let tokens = front.tokens();
    assert_eq!(tokens.len(), 4, "{:?}", front.received());
    assert!(tokens[0].is_none(), "the first one of all has none");
    let mut shown: Vec<_> = tokens.into_iter().flatten().collect();
    assert!(shown.iter().all(|token| token.starts_with("YII")), "Kerberos without SPNEGO");
    shown.sort();
    shown.dedup();
    assert_eq!(shown.len(), 3, "none is shown twice");
}

/// A 401 to a token without a word of the server: the same would be refused again.
#[test]
fn a_refused_ticket_is_not_tried_again() {
    let Some(bed) = Bed::start(&Site::default()) else { return };
    let alice = bed.realm.person("alice", "1h");
    let front = Scripted::start(|_, _| "401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM");
    let failed = Caller::of(&bed.realm, &front.url, None).tickets(&alice).fails();
    failed.says("does not take the Kerberos ticket", "SPN", 5);
    assert_eq!(front.received().len(), 2);
}
