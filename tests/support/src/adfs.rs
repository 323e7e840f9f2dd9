//! A stand-in for AD FS, shaped after Microsoft's documents with the quirks that they name. It is not AD FS: no real one was here.

mod assertion;
mod pages;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

pub use assertion::Registered;
pub use pages::Pages;

/// The client of persons.
pub const CLIENT: &str = "5f0c1b2a-0000-4000-8000-00000000c11e";
/// MIM CM's relying party.
pub const RESOURCE: &str = "https://cm.contoso.com/certificatemanagement";

/// Which AD FS it is like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Windows Server 2012 R2: code and refresh token alone, PKCE passed over, `resource` needed.
    R2012,
    /// 2019: PKCE is checked, device codes are given.
    V2019,
}

/// An access token and a refresh token.
pub struct Pair {
    /// What the server is shown.
    pub access: String,
    /// What the next access token is got with.
    pub refresh: String,
}

/// Names and values.
pub type Form = BTreeMap<String, String>;

/// What it does, and what it has seen.
pub struct State {
    /// Which AD FS it is like.
    pub version: Version,
    /// Seconds that an access token is good for.
    pub lifetime: u64,
    /// An answer to a refresh has a new refresh token, and the old one is good no more.
    pub rotates: bool,
    /// So many characters more has each access token.
    pub padding: usize,
    /// Issued next, instead of numbered ones.
    pub next: Option<Pair>,
    /// No refresh token at all.
    pub no_refresh: bool,
    /// What the token endpoint answers instead: status and body.
    pub instead: Option<(u16, String)>,
    /// How often the device's code is still pending, and then slow_down once.
    pub pending: u32,
    /// What the person says in the browser.
    pub denies: bool,
    /// What its pages show to somebody who asks for a code.
    pub pages: Pages,
    /// The agent's client, with what its assertions are judged by.
    pub registered: Option<Registered>,
    /// By so many seconds its clock is ahead.
    pub ahead: i64,
    /// Whom the web server before it has found out, one for each code.
    pub users: Vec<String>,
    codes: HashMap<String, (String, String)>,
    refresh: HashSet<String>,
    issued: u32,
    /// Endpoint and form of each request.
    pub seen: Vec<(String, Form)>,
    /// Everything that must show nowhere.
    pub secrets: Vec<String>,
    /// The access token that was issued last.
    pub current: String,
}

impl State {
    /// Takes this refresh token from now on, as if it had issued it.
    pub fn honour(&mut self, refresh: &str) {
        self.refresh.insert(refresh.to_owned());
    }
}

/// A running one; it ends with the process.
#[derive(Clone)]
pub struct Sts {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    state: Arc<Mutex<State>>,
}

type OnIssue = dyn Fn(&str) + Send + Sync;

impl Sts {
    /// `on_issue` is told each access token: MIM CM takes it from then on.
    pub fn start(version: Version, on_issue: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let socket = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://127.0.0.1:{}", socket.local_addr().unwrap().port());
        let state = Arc::new(Mutex::new(State {
            version,
            lifetime: 3600,
            rotates: false,
            padding: 0,
            next: None,
            no_refresh: false,
            instead: None,
            pending: 0,
            denies: false,
            pages: Pages::Code,
            registered: None,
            ahead: 0,
            users: Vec::new(),
            codes: HashMap::new(),
            refresh: HashSet::new(),
            issued: 0,
            seen: Vec::new(),
            secrets: Vec::new(),
            current: String::new(),
        }));
        let (serving, on_issue): (_, Arc<OnIssue>) = (Arc::clone(&state), Arc::new(on_issue));
        std::thread::spawn(move || {
            for stream in socket.incoming().map_while(Result::ok) {
                let (state, on_issue) = (Arc::clone(&serving), Arc::clone(&on_issue));
                std::thread::spawn(move || serve(stream, &state, &*on_issue));
            }
        });
        Self { url, state }
    }

    /// What it does, and what it has seen.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// How often the token endpoint was asked for this grant.
    pub fn asked(&self, grant: &str) -> usize {
        let state = self.state();
        state.seen.iter().filter(|(_, form)| form.get("grant_type").is_some_and(|found| found == grant)).count()
    }
}

/// A request of HTTP/1.1: its head and its body.
fn read_request(stream: &mut impl Read) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                return Some((head.to_owned(), body.to_owned()));
            }
        }
        let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
    }
}

fn form(text: &str) -> Form {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

fn serve(mut stream: TcpStream, state: &Mutex<State>, on_issue: &OnIssue) {
    let Some((head, body)) = read_request(&mut stream) else { return };
    let line = head.lines().next().unwrap();
    let target = Url::parse(&format!("http://sts{}", line.split(' ').nth(1).unwrap())).unwrap();
    let endpoint = target.path().trim_start_matches("/adfs/oauth2/").to_owned();
    let form = form(if line.starts_with("POST") { &body } else { target.query().unwrap_or_default() });
    let ahead = state.lock().unwrap().ahead;
    let date = SystemTime::now().checked_add(std::time::Duration::from_secs(ahead.unsigned_abs()));
    let date = if ahead < 0 {
        SystemTime::now() - std::time::Duration::from_secs(ahead.unsigned_abs())
    } else {
        date.unwrap()
    };
    let date = httpdate::fmt_http_date(date);
    let (status, header, body) = {
        let mut state = state.lock().unwrap();
        state.seen.push((endpoint.clone(), form.clone()));
        match endpoint.as_str() {
            "authorize" | "authorize/wia" => pages::answer(&mut state, &endpoint, &head, &form),
            "token" => token(&mut state, &form, on_issue),
            "devicecode" if state.version == Version::V2019 => device(&mut state),
            _ => (404, String::new(), "not here".to_owned()),
        }
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} x\r\nDate: {date}\r\nContent-Type: application/json;charset=UTF-8\r\n{header}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let _ = stream.write_all(answer.as_bytes());
}

/// Status, more headers, body.
type Reply = (u16, String, String);

fn error(name: &str, words: &str) -> Reply {
    (400, String::new(), format!("{{\"error\":\"{name}\",\"error_description\":\"{words}\"}}"))
}

/// The person has signed in, or says no: AD FS sends the browser back.
fn authorize(state: &mut State, form: &Form) -> Reply {
    let get = |name: &str| form.get(name).cloned().unwrap_or_default();
    if get("resource") != RESOURCE || get("client_id") != CLIENT || get("response_type") != "code" {
        return (400, String::new(), "<html><p>MSIS9602: no such resource".to_owned());
    }
    let mut back = Url::parse(&get("redirect_uri")).unwrap();
    if state.denies {
        back.query_pairs_mut().append_pair("error", "access_denied").append_pair("error_description", "MSIS9604: no");
    } else {
        let code = format!("code-{}-x/y+z", state.codes.len());
        state.secrets.push(code.clone());
        state.codes.insert(code.clone(), (get("code_challenge"), get("redirect_uri")));
        back.query_pairs_mut().append_pair("code", &code);
    }
    back.query_pairs_mut().append_pair("state", &get("state"));
    (302, format!("Location: {back}\r\n"), String::new())
}

fn device(state: &mut State) -> Reply {
    state.secrets.push("device-code-secret".to_owned());
    let body = "{\"device_code\":\"device-code-secret\",\"user_code\":\"BCDFGHJ\",\"verification_uri\":\"https://sts/adfs/oauth2/deviceauth\",\
                \"verification_url\":\"https://sts/adfs/oauth2/deviceauth\",\"expires_in\":900,\"interval\":1,\"message\":\"x\"}";
    (200, String::new(), body.to_owned())
}

fn token(state: &mut State, form: &Form, on_issue: &OnIssue) -> Reply {
    if let Some((status, body)) = &state.instead {
        return (*status, String::new(), body.clone());
    }
    let get = |name: &str| form.get(name).cloned().unwrap_or_default();
    if get("grant_type") == "client_credentials" && state.version == Version::V2019 {
        return match assertion::verify(state, form) {
            Ok(()) => issue(state, false, on_issue),
            Err(words) => error("invalid_client", &words),
        };
    }
    if get("client_id") != CLIENT {
        return error("invalid_client", "MSIS9623: who is that");
    }
    match get("grant_type").as_str() {
        "authorization_code" => {
            state.secrets.push(get("code_verifier"));
            let Some((challenge, redirect)) = state.codes.remove(&get("code")) else {
                return error("invalid_grant", "MSIS9612: no such code");
            };
            let hash = ring::digest::digest(&ring::digest::SHA256, get("code_verifier").as_bytes());
            let fits = URL_SAFE_NO_PAD.encode(hash) == challenge || state.version == Version::R2012;
            if !fits || redirect != get("redirect_uri") {
                return error("invalid_grant", "MSIS9612: not yours");
            }
            issue(state, true, on_issue)
        }
        "refresh_token" if state.refresh.contains(&get("refresh_token")) => {
            if state.rotates {
                state.refresh.remove(&get("refresh_token"));
            }
            let rotates = state.rotates;
            issue(state, rotates, on_issue)
        }
        // Hostile: the words hold what was sent.
        "refresh_token" => error("invalid_grant", &format!("MSIS9615: {} is no good", get("refresh_token"))),
        "urn:ietf:params:oauth:grant-type:device_code" if state.version == Version::V2019 => {
            state.pending = state.pending.saturating_sub(1);
            match state.pending {
                0 => issue(state, true, on_issue),
                1 => error("slow_down", ""),
                _ => error("authorization_pending", "MSIS9705"),
            }
        }
        _ => error("unsupported_grant_type", "MSIS9611: \\u001b[31mthe grant type is not supported"),
    }
}

fn issue(state: &mut State, with_refresh: bool, on_issue: &OnIssue) -> Reply {
    state.issued += 1;
    let number = state.issued;
    let claims = URL_SAFE_NO_PAD.encode("{\"upn\":\"alice@contoso.com\"}");
    let numbered = || Pair {
        access: format!("head.{claims}.signature-{number}{}", "x".repeat(state.padding)),
        refresh: format!("refresh-token-secret-{number}"),
    };
    let Pair { access, refresh } = state.next.take().unwrap_or_else(numbered);
    let mut body =
        format!("{{\"access_token\":\"{access}\",\"token_type\":\"bearer\",\"expires_in\":{}", state.lifetime);
    if with_refresh && !state.no_refresh {
        body.push_str(&format!(",\"refresh_token\":\"{refresh}\",\"refresh_token_expires_in\":28799"));
        state.refresh.insert(refresh.clone());
        state.secrets.push(refresh);
    }
    body.push('}');
    state.secrets.push(access.clone());
    state.current = access.clone();
    on_issue(&access);
    (200, String::new(), body)
}

/// Asks for a page as a browser does, without following where it leads: status and `Location`.
pub fn get(address: &str) -> (u16, Option<String>) {
    let url = Url::parse(address).unwrap();
    send(&url, &format!("{}:{}", url.host_str().unwrap(), url.port().unwrap()), "GET")
}

/// The same with this `Host` and method.
pub fn send(url: &Url, host: &str, method: &str) -> (u16, Option<String>) {
    let mut stream = TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).unwrap();
    let target = &url[url::Position::BeforePath..];
    write!(stream, "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let location = answer.lines().find_map(|line| line.strip_prefix("Location: ")).map(str::to_owned);
    (status, location)
}
