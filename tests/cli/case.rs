//! One case: its file, its surroundings, its run.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pinwright::cli::screen::Screen;
use pinwright::cli::{self, context::CommandContext};
use pinwright::reader::Readers;
use pinwright::sim::gids::GidsSettings;
use pinwright::sim::reader::VirtualReaders;
use pinwright::sim::server::{
    DataForm, Endpoint, Fault, FaultKind, Pattern, PinMaker, RequestStatus, Settings, StandIn, TlsKind,
};
use serde::Deserialize;
use support::repository;
use support::rights::set_mode;
use uuid::Uuid;

use crate::elsewhere;
use crate::reader::ReaderSpec;

/// A case as its file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Arguments after the program's name. `[recording]` is a path in a folder of the case's own.
    args: Vec<String>,
    /// The configuration, after the lines that name the stand-in server.
    #[serde(default)]
    config: String,
    #[serde(default)]
    reader: Vec<ReaderSpec>,
    server: Option<ServerSpec>,
    #[serde(default)]
    env: Vec<(String, String)>,
    /// Files that are there before the command runs.
    #[serde(default)]
    file: Vec<FileSpec>,
    /// What can be read from the descriptor `[fd]` in the arguments.
    descriptor: Option<String>,
    #[serde(default)]
    stderr_is_terminal: bool,
    /// How wide the terminal is that standard output goes to.
    columns: Option<usize>,
    exit: i32,
    #[serde(default)]
    stdout: String,
    #[serde(default)]
    stderr: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSpec {
    /// The path in the case's folder; the journal is in `state/pinwright`.
    path: String,
    text: String,
    /// Its rights, in octal digits; else those that it is made with.
    mode: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerSpec {
    /// user, or the raw body of a 200.
    pin: Option<String>,
    /// The card ID that it knows, if not the first reader's.
    card_id: Option<Uuid>,
    tls: Option<String>,
    api_enabled: Option<bool>,
    /// 18 for Executing, 16 for Pending.
    request_status: Option<u32>,
    request_kind: Option<u32>,
    diversify: Option<bool>,
    /// The requests are bound to no card.
    #[serde(default)]
    unbound: bool,
    /// The server has no record of the card.
    #[serde(default)]
    no_cards: bool,
    /// There are no requests.
    #[serde(default)]
    no_requests: bool,
    /// The status of a request that is made: 16 for Pending.
    new_request_status: Option<u32>,
    /// What the template collects.
    #[serde(default)]
    data_items: Vec<String>,
    /// With which digest certificate requests are signed: SHA1 as in the reference's sample, or this; "none" for no requests.
    digest: Option<String>,
    /// Collected data is taken as an array.
    #[serde(default)]
    data_as_array: bool,
    /// As many templates of one name more.
    #[serde(default)]
    twins: u128,
    #[serde(default)]
    fault: Vec<FaultSpec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultSpec {
    /// pin, answer, cards, requests, request, create, end, policy, templates, any.
    on: String,
    /// An HTTP status, 401-negotiate, 502-via, old-date, or html, garbage, oversize, truncated, redirect, drop.
    kind: String,
    /// How many such calls pass before it.
    #[serde(default)]
    after: usize,
}

/// A descriptor that is open for reading, and its number.
#[cfg(unix)]
fn descriptor(path: &Path, text: &str) -> (std::fs::File, i64) {
    use std::os::fd::AsRawFd as _;
    std::fs::write(path, text).unwrap();
    let file = std::fs::File::open(path).unwrap();
    let number = file.as_raw_fd().into();
    (file, number)
}

/// A handle there.
#[cfg(windows)]
fn descriptor(path: &Path, text: &str) -> (std::fs::File, i64) {
    use std::os::windows::io::AsRawHandle as _;
    std::fs::write(path, text).unwrap();
    let file = std::fs::File::open(path).unwrap();
    let number = (file.as_raw_handle() as usize).try_into().unwrap();
    (file, number)
}

/// What came of a run.
pub struct Got {
    pub out: String,
    pub err: String,
    pub exit: i32,
    /// The calls that the stand-in server saw, with its answers' status.
    pub calls: Vec<String>,
}

impl Case {
    pub fn read(file: &Path) -> Self {
        elsewhere::read(file)
    }

    /// Whether each of these results is another than this case's own.
    pub fn differs_from(&self, other: &elsewhere::Results) -> bool {
        let results = [(&other.stdout, &self.stdout), (&other.stderr, &self.stderr)];
        other.exit != Some(self.exit) && results.iter().all(|(other, own)| other.as_ref() != Some(*own))
    }

    /// With what is printed on this system, where that differs.
    pub fn here(mut self, file: &Path) -> Self {
        if let Some(other) = elsewhere::results(file) {
            self.exit = other.exit.unwrap_or(self.exit);
            self.stdout = other.stdout.unwrap_or(self.stdout);
            self.stderr = other.stderr.unwrap_or(self.stderr);
        }
        self
    }

    /// Whether the result is to be one JSON object.
    pub fn is_json(&self) -> bool {
        self.args.iter().any(|argument| argument == "--json")
    }

    pub fn run(&self) -> Got {
        let folder = tempfile::tempdir().unwrap();
        let server = self.server.as_ref().map(|spec| spec.start(self.reader.first()));
        let mut config = String::new();
        if let Some(server) = &server {
            let ca = folder.path().join("ca.pem");
            std::fs::write(&ca, server.ca_pem()).unwrap();
            let ca = repository::with_slashes(&ca);
            config = format!("[server]\nurl = \"{}\"\nca_file = \"{ca}\"\n", server.base_url());
        }
        config.push_str(&elsewhere::with_absolute_paths(&self.config));
        config = config.replace("[folder]", &repository::with_slashes(folder.path()));
        let file = folder.path().join("config.toml");
        std::fs::write(&file, config).unwrap();
        for spec in &self.file {
            let path = folder.path().join(&spec.path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &spec.text).unwrap();
            if let Some(mode) = &spec.mode {
                set_mode(&path, u32::from_str_radix(mode, 8).unwrap());
            }
        }
        let mut readers = VirtualReaders::new();
        for spec in &self.reader {
            spec.add(&mut readers);
        }
        let recording = folder.path().join("recording.apdu").display().to_string();
        let named = file.display().to_string();
        let mut args = vec!["pinwright".to_owned()];
        let handed = self.descriptor.as_ref().map(|text| descriptor(&folder.path().join("descriptor"), text));
        let number = handed.as_ref().map_or_else(String::new, |(_, number)| number.to_string());
        let replaced =
            |arg: &String| arg.replace("[recording]", &recording).replace("[config]", &named).replace("[fd]", &number);
        args.extend(self.args.iter().map(replaced));
        let mut environment: Vec<(String, OsString)> =
            self.env.iter().map(|(name, value)| (name.clone(), value.into())).collect();
        environment.push(("PINWRIGHT_CONFIG".to_owned(), named.into()));
        if !self.env.iter().any(|(name, _)| name == "TZ") {
            environment.push(("TZ".to_owned(), "UTC0".into()));
        }
        environment.push(("XDG_STATE_HOME".to_owned(), folder.path().join("state").into()));
        let mut got =
            run_in(&args, environment, &readers, Surface { progress: self.stderr_is_terminal, columns: self.columns });
        got.calls = server.as_ref().map(calls).unwrap_or_default();
        for text in [&mut got.out, &mut got.err] {
            *text = elsewhere::without_folder(text, folder.path());
        }
        got
    }

    pub fn difference(&self, got: &Got) -> Option<String> {
        let mut lines = Vec::new();
        if self.exit != got.exit {
            lines.push(format!("exit: expected {}, got {}", self.exit, got.exit));
        }
        for (name, expected, got) in [("stdout", &self.stdout, &got.out), ("stderr", &self.stderr, &got.err)] {
            if !matches(expected, got) {
                lines.push(format!("{name}: expected\n{expected}\ngot\n{got}"));
            }
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// Writes what was got into the file; wildcards that still match are kept.
    pub fn update(&self, file: &Path, got: &Got) {
        if elsewhere::SYSTEM.is_some() {
            return self.update_elsewhere(file, got);
        }
        let text = std::fs::read_to_string(file).unwrap();
        let (head, tables) = around_the_results(&text);
        let kept = |expected: &str, got: &str| {
            if matches(expected, got) { expected.to_owned() } else { wild(got) }
        };
        let (out, err) = (kept(&self.stdout, &got.out), kept(&self.stderr, &got.err));
        let block =
            |name: &str, text: &str| if text.is_empty() { String::new() } else { format!("{name} = '''\n{text}'''\n") };
        let body = format!("{}exit = {}\n{}{}{}", head, got.exit, block("stdout", &out), block("stderr", &err), tables);
        std::fs::write(file, body).unwrap();
    }
}

impl Case {
    /// What differs on this system goes into a file of its own, and what no longer does goes out of it.
    fn update_elsewhere(&self, file: &Path, got: &Got) {
        let common = Self::read(file);
        // A line that is the same there, or was written there by hand, keeps its wildcards.
        let line = |got: &str, known: &[&str]| {
            let same = known.iter().flat_map(|text| text.lines()).find(|pattern| fits(pattern, got));
            same.map_or_else(|| wild(got), str::to_owned) + "\n"
        };
        let text = |expected: &str, own: &str, got: &str| {
            let lines = || got.lines().map(|got| line(got, &[own, expected])).collect();
            (!matches(expected, got)).then(lines)
        };
        elsewhere::write(
            file,
            &elsewhere::Results {
                exit: (common.exit != got.exit).then_some(got.exit),
                stdout: text(&common.stdout, &self.stdout, &got.out),
                stderr: text(&common.stderr, &self.stderr, &got.err),
            },
        );
    }
}

/// What stands before and after `exit`, `stdout` and `stderr`, which follow each other; a text in three quotes may hold anything.
fn around_the_results(text: &str) -> (String, String) {
    let (mut head, mut rest) = (String::new(), String::new());
    let (mut in_text, mut in_result, mut seen) = (false, false, false);
    for line in text.split_inclusive('\n') {
        if !in_text {
            in_result = ["exit = ", "stdout = ", "stderr = "].iter().any(|key| line.starts_with(key));
            seen |= in_result;
        }
        in_text ^= line.matches("'''").count() % 2 == 1;
        match (in_result, seen) {
            (true, _) => {}
            (false, false) => head.push_str(line),
            (false, true) => rest.push_str(line),
        }
    }
    (head, rest)
}

/// Numbers that differ from run to run.
fn wild(text: &str) -> String {
    let mut out = text.to_owned();
    for (start, end) in [
        ("https://localhost:", "/"),
        ("\"elapsed_ms\":{", "}"),
        ("HTTP requests, ", ")"),
        ("# recorded: ", "\n"),
        ("\"journal\":\"", "\""),
        ("\"thumbprint\":\"", "\""),
        ("\"not_after\":\"", "\""),
        ("certificate    kxc00: ", "\n"),
        ("journal        ", "\n"),
        ("  journal: ", " "),
        ("    submitted 2026", "Z"),
        ("\"submitted\":\"2026", "\""),
        ("\"localhost:", " answers"),
        (" answers at ", "\""),
        ("(for localhost, ", ", issued"),
        ("\"as the server's, to ", "\""),
        ("\"agent.user\",\"ok\":true,\"detail\":\"", "\",\"state\""),
    ] {
        let mut from = 0;
        while let Some(at) = out.get(from..).and_then(|rest| rest.find(start)) {
            let begin = from + at + start.len();
            let Some(length) = out.get(begin..).and_then(|rest| rest.find(end)) else { break };
            out.replace_range(begin..begin + length, "[..]");
            from = begin;
        }
    }
    out
}

/// Line by line; `[..]` stands for any text in a line.
fn matches(expected: &str, got: &str) -> bool {
    let (expected, got): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), got.lines().collect());
    expected.len() == got.len() && expected.iter().zip(got).all(|(pattern, line)| fits(pattern, line))
}

fn fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split("[..]");
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (number, part) in parts.iter().enumerate() {
        if number + 1 == parts.len() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty()
}

impl ServerSpec {
    fn start(&self, reader: Option<&ReaderSpec>) -> StandIn {
        let gids = GidsSettings::default();
        let raw: [u8; 16] = reader
            .and_then(|reader| reader.card_id.as_ref())
            .map_or(gids.card_id, |id| hex::decode(id).unwrap().try_into().unwrap());
        let card_id = self.card_id.unwrap_or_else(|| Uuid::from_bytes_le(raw));
        let mut settings = Settings::for_card(card_id, "", gids.admin_key);
        settings.pin_maker = match self.pin.as_deref() {
            None => PinMaker::Random(8),
            Some("user") => PinMaker::UserProvided,
            Some(body) => PinMaker::Raw {
                status: 200,
                content_type: "application/json; charset=utf-8".to_owned(),
                body: body.as_bytes().to_vec(),
            },
        };
        settings.api_enabled = self.api_enabled.unwrap_or(true);
        settings.tls = match self.tls.as_deref() {
            None => TlsKind::Good,
            Some("expired") => TlsKind::ExpiredLeaf,
            Some("wrong-host") => TlsKind::WrongHost,
            Some("other-authority") => TlsKind::OtherAuthority,
            Some(other) => panic!("unknown tls {other:?}"),
        };
        for request in &mut settings.requests {
            if let Some(status) = self.request_status {
                request.status = status_of(status);
            }
            request.kind = self.request_kind.unwrap_or(request.kind);
        }
        for template in &mut settings.templates {
            template.diversify_admin_key = self.diversify.unwrap_or(template.diversify_admin_key);
        }
        if self.unbound {
            settings.requests.iter_mut().for_each(|request| request.new_card = None);
        }
        if self.no_cards {
            settings.cards.clear();
        }
        if self.no_requests {
            settings.requests.clear();
        }
        if let Some(status) = self.new_request_status {
            settings.new_request_status = status_of(status);
        }
        settings.templates[0].data_items = self.data_items.clone();
        match self.digest.as_deref() {
            None => {}
            Some("none") => settings.templates[0].keys.clear(),
            Some(digest) => settings.templates[0].keys.iter_mut().for_each(|keys| keys.hash = digest.to_owned()),
        }
        if self.data_as_array {
            settings.data_form = DataForm::Array;
        }
        for number in 0..self.twins {
            let mut twin = settings.templates[0].clone();
            twin.uuid = Uuid::from_u128(0xA0 + number);
            settings.templates.push(twin);
        }
        let server = StandIn::start(settings).unwrap();
        for fault in &self.fault {
            server.inject(fault.fault());
        }
        server
    }
}

/// By its number, where that has a name.
fn status_of(number: u32) -> RequestStatus {
    use RequestStatus::{Approved, Canceled, Completed, Executing, Failed, Pending};
    let named = [Approved, Canceled, Completed, Executing, Failed, Pending];
    named.into_iter().find(|status| status.number() == number).unwrap_or(RequestStatus::Other(number))
}

fn calls(server: &StandIn) -> Vec<String> {
    let requests = server.requests().into_iter();
    let status = |status: Option<u16>| status.map_or("no answer".to_owned(), |status| status.to_string());
    requests.map(|seen| format!("{} {}?{} {}", seen.method, seen.path, seen.query, status(seen.status))).collect()
}

impl FaultSpec {
    fn fault(&self) -> Fault {
        let on: Pattern = match self.on.as_str() {
            "pin" => Pattern::Pin,
            "answer" => Endpoint::AuthenticationResponse.into(),
            "cards" => Endpoint::Smartcards.into(),
            "requests" => Endpoint::Requests.into(),
            "request" => Endpoint::Request.into(),
            "create" => Endpoint::CreateRequest.into(),
            "end" => Endpoint::EndRequest.into(),
            "policy" => Endpoint::CardPolicy.into(),
            "templates" => Endpoint::Templates.into(),
            "any" => Pattern::Any,
            other => panic!("unknown call {other:?}"),
        };
        let kind = match self.kind.as_str() {
            "401-negotiate" => FaultKind::status_with(401, "WWW-Authenticate", "Negotiate, NTLM"),
            "407" => FaultKind::status_with(407, "Proxy-Authenticate", "Basic realm=\"proxy\""),
            "502-via" => FaultKind::status_with(502, "Via", "1.1 proxy.contoso.com (squid)"),
            "old-date" => FaultKind::Status {
                code: 200,
                headers: vec![("Date".to_owned(), "Tue, 24 Nov 2015 08:00:00 GMT".to_owned())],
                body: Some("[]".to_owned()),
            },
            "html" => FaultKind::Html,
            "garbage" => FaultKind::Garbage,
            "oversize" => FaultKind::Oversize { declared: false },
            "truncated" => FaultKind::TruncatedBody,
            "redirect" => FaultKind::Redirect("https://sts.contoso.com/adfs/ls/".to_owned()),
            "drop" => FaultKind::DropBeforeHeaders,
            "500" => FaultKind::server_error(Uuid::from_u128(0x2F1A_6D1E_0000_4000_8000_0000_0000_ABCD)),
            "503" => FaultKind::status_with(503, "Retry-After", "120"),
            status => FaultKind::status(status.parse().unwrap()),
        };
        Fault::on(on, kind).after(self.after).always()
    }
}

/// Runs the command with no reader.
pub fn run_arguments(args: &[&str]) -> Got {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    run_in(&args, Vec::new(), &VirtualReaders::new(), Surface::default())
}

/// Where the outputs seem to go.
#[derive(Default)]
struct Surface {
    progress: bool,
    columns: Option<usize>,
}

fn run_in(args: &[String], environment: Vec<(String, OsString)>, readers: &dyn Readers, surface: Surface) -> Got {
    // As `main` does: whether this process may write a core is a line of `doctor`.
    pinwright::os::process::harden().unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut context = CommandContext {
        readers: Some(readers),
        environment,
        out: &mut out,
        err: &mut err,
        screen: Screen { columns: surface.columns, ..Screen::default() },
        colours: Default::default(),
        tells_progress: surface.progress,
        may_prompt: false,
        interrupted: Arc::new(AtomicBool::new(false)),
    };
    let exit = match cli::parse(args, &mut context) {
        Ok(arguments) => cli::run(&arguments, &mut context),
        Err(exit) => exit,
    };
    let exit = exit as i32;
    // TOML has no place for the character that begins a terminal's command.
    let text = |bytes| String::from_utf8(bytes).unwrap().replace('\u{1B}', "\u{241B}");
    Got { out: text(out), err: text(err), exit, calls: Vec::new() }
}
