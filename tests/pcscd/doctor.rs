//! `doctor` against a real pcscd: what is broken is named with its remedy and exit code, and nothing is touched that should not be.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pinwright::sim::gids::GidsSettings;
use pinwright::sim::server::{PinMaker, Settings};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use support::holding::Holder;
use support::installation::{Installation, Run, server_for};
use support::pcscd::Pcscd;
use support::waiting::skip;

use super::{OLD_PIN, pcscd_with, personalised};

/// State, reason and remedy of every line of a probe.
fn lines(run: &Run, probe: &str) -> Vec<(String, String, String)> {
    let json = run.json();
    assert_eq!(json["schema"], "pinwright.doctor/1");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let probes = json["probes"].as_array().unwrap_or_else(|| panic!("{run}"));
    let named = probes.iter().filter(|line| line["probe"] == probe);
    named.map(|line| (text(&line["state"]), text(&line["reason"]), text(&line["remedy"]))).collect()
}

/// That the only line of a probe is so.
#[track_caller]
fn says(run: &Run, probe: &str, state: &str, reason: &str, remedy: &str) {
    let found = lines(run, probe);
    let [(is, why, todo)] = &found[..] else { panic!("{probe}: {found:?}\n{run}") };
    assert!(is == state && why.contains(reason) && todo.contains(remedy), "{probe}: {found:?}");
}

fn installation() -> Installation {
    Installation::for_gids(PinMaker::Random(8))
}

fn doctor(installation: &Installation, socket: &Path) -> Run {
    installation.start(socket, &["--json", "doctor"]).finish()
}

#[test]
fn a_machine_that_is_well_is_well_and_nothing_secret_is_asked_for() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let tries = card.with(|card| card.tries_left());
    let token = "doctor-token-0123456789";
    let mut settings = server_for(&GidsSettings::default());
    settings.token = Some(token.to_owned());
    let installation = Installation::new(settings);
    fs::write(installation.path("token"), token).unwrap();
    fs::set_permissions(installation.path("token"), Permissions::from_mode(0o600)).unwrap();
    let source = format!("auth = \"bearer\"\ntoken_file = \"{}\"", installation.path("token").display());
    installation.configure(&source, "");

    let run = doctor(&installation, &pcscd.socket());
    run.exits(0);
    says(&run, "PC/SC", "ok", "answers", "");
    says(&run, "PC/SC log", "ok", &format!("pcscd (pid {}) logs no APDUs", pcscd.id()), "");
    says(&run, "readers", "ok", "2 readers", "");
    let cards = lines(&run, "card");
    assert!(
        cards.len() == 2
            && cards[0].1.contains("33221100-5544-7766-8899-aabbccddeeff")
            && cards[1].1.ends_with("empty"),
        "{cards:?}"
    );
    says(&run, "server.tls", "ok", "\"pinwright stand-in CA\"", "");
    says(&run, "sign-in", "ok", "\"bearer\" is accepted; the server offers Bearer", "");
    says(&run, "token", "unknown", "no JSON Web Token", "");
    says(&run, "user", "ok", "user 8f1590dc-d932-4b66-8e68-2e91c5880780 of MIM CM", "");
    says(&run, "clock", "ok", "as the server's", "");

    // Not one call whose answer is a secret: no PIN, no answer to a challenge, no smart card policy.
    let calls: Vec<String> = installation
        .server
        .requests()
        .iter()
        .map(|seen| format!("{} {}?{}", seen.method, seen.path, seen.query))
        .collect();
    let api = "/CertificateManagement/api/v1.0";
    assert_eq!(
        calls,
        [
            format!("GET {api}/profiletemplates?"),
            format!("GET {api}/profiletemplates?"),
            format!("GET {api}/requests?targetuser=current"),
        ]
    );
    assert!(card.with(|card| card.pin_is(OLD_PIN.as_bytes())));
    assert_eq!(card.with(|card| (card.admin_failures(), card.tries_left())), (0, tries));
    assert!(!run.stdout.contains(token) && !run.stderr.contains(token));
}

#[test]
fn a_service_that_is_not_there_or_hangs_or_has_no_reader_is_named() {
    let installation = installation();
    let run = doctor(&installation, &installation.path("no-pcscd"));
    run.exits(3);
    says(&run, "PC/SC", "failed", "the smart card service is not running", "systemctl start pcscd.socket");
    says(&run, "readers", "skipped", "", "");
    // The server is looked at all the same.
    says(&run, "sign-in", "ok", "\"none\" is accepted", "");

    let Some(mut pcscd) = pcscd_with(0) else { return };
    let run = doctor(&installation, &pcscd.socket());
    run.exits(3);
    says(&run, "PC/SC", "ok", "answers", "");
    says(&run, "readers", "failed", "there is none", "plug a reader in");

    installation.configure("", "[reader]\ntimeout = \"1s\"");
    pcscd.hang();
    let run = doctor(&installation, &pcscd.socket());
    run.exits(3).within(Duration::from_secs(20));
    assert_eq!(lines(&run, "PC/SC")[0].0, "failed", "{run}");
    pcscd.go_on();
    // A socket that nobody answers for any more.
    pcscd.kill();
    let run = doctor(&installation, &pcscd.socket());
    run.exits(3);
    says(&run, "PC/SC", "failed", "not running", "systemctl reset-failed pcscd.socket");
}

#[test]
fn readers_without_a_card_are_well_and_say_so() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let run = doctor(&installation(), &pcscd.socket());
    run.exits(0);
    let cards = lines(&run, "card");
    assert!(
        cards.iter().any(|(state, reason, _)| state == "warning" && reason.contains("no card in any reader")),
        "{cards:?}"
    );
}

#[test]
fn a_service_that_logs_apdus_would_log_pins() {
    let Some(pcscd) = Pcscd::start_logging_apdus(2).inspect_err(|reason| skip(&format!("no pcscd: {reason}"))).ok()
    else {
        return;
    };
    let run = doctor(&installation(), &pcscd.socket());
    run.exits(3);
    says(&run, "PC/SC log", "failed", "was started with --apdu", "start pcscd again without --apdu");
}

#[test]
fn a_library_that_writes_apdus_down_would_write_pins() {
    const SPY: &str = "/usr/lib/x86_64-linux-gnu/libpcscspy.so.0";
    let Some(pcscd) = pcscd_with(2) else { return };
    if !Path::new(SPY).exists() {
        return support::waiting::say_skipped(&format!("no {SPY} (Debian: pcsc-tools or libpcsclite-dev)"));
    }
    // It talks on standard output itself, which is no JSON then.
    let run = installation().start_by(&pcscd.socket(), &format!("export LD_PRELOAD={SPY}"), &["doctor"]).finish();
    let line = run.stdout.lines().find(|line| line.starts_with("FAIL PC/SC log")).unwrap_or_else(|| panic!("{run}"));
    assert!(line.contains("libpcscspy.so.0"), "{run}");
    run.exits(3).says("start pinwright without LIBPCSCLITE_DELEGATE and LD_PRELOAD");
    let run =
        installation().start_by(&pcscd.socket(), "export LIBPCSCLITE_DELEGATE=/x.so", &["--json", "doctor"]).finish();
    says(&run, "PC/SC log", "failed", "/x.so (LIBPCSCLITE_DELEGATE)", "");
}

#[test]
fn a_service_that_writes_core_files_is_warned_of() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let process = Pid::from_raw(pcscd.id().cast_signed()).unwrap();
    let limit = |bytes| Rlimit { current: Some(bytes), maximum: Some(bytes) };
    if prlimit(Some(process), Resource::Core, limit(4096)).is_err() {
        return skip("the limit of core files can't be raised here");
    }
    let run = doctor(&installation(), &pcscd.socket());
    run.exits(0);
    says(&run, "PC/SC core", "warning", "(limit: 4096 bytes)", "ulimit -c 0");
    prlimit(Some(process), Resource::Core, limit(0)).unwrap();
    let run = doctor(&installation(), &pcscd.socket());
    says(&run, "PC/SC core", "ok", "(limit 0)", "");
}

#[test]
fn a_card_of_another_program_is_not_touched() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let installation = installation();
    let before = card.with(|card| card.commands_seen());
    for (take, exit, state, words) in [
        (Holder::take as fn(&Pcscd, usize) -> Holder, 3, "failed", "another program has the card for itself"),
        (Holder::transact, 0, "unknown", "another program has the card open, so that it is not touched"),
    ] {
        let holder = take(&pcscd, 0);
        let run = doctor(&installation, &pcscd.socket());
        run.exits(exit).within(Duration::from_secs(10));
        let (is, reason, remedy) = lines(&run, "card").remove(0);
        let pid = format!("(pid {})", holder.id());
        assert!(is == state && reason.contains(words) && reason.contains(&pid), "{is} {reason}");
        assert_eq!(remedy.contains("wait until the program that holds it is done"), exit == 3, "{remedy}");
        assert_eq!(card.with(|card| card.commands_seen()), before);
        holder.release();
    }
    // One that is free is asked, and left as it was: a PIN that somebody has verified there stays verified.
    doctor(&installation, &pcscd.socket()).exits(0);
    assert!(card.with(|card| card.commands_seen()) > before);
    assert!(card.with(|card| card.pin_is(OLD_PIN.as_bytes())));
}

/// A server without TLS that has 404 for the API and this for its folder.
fn without_api(folder: &'static str) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let calls = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = [0; 4096];
            let Ok(length @ 1..) = stream.read(&mut asked) else { continue };
            let line = String::from_utf8_lossy(&asked[..length]).lines().next().unwrap().to_owned();
            let status = if line.contains("/api/") { "404 Not Found" } else { folder };
            calls.lock().unwrap().push(line);
            drop(
                stream.write_all(
                    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes(),
                ),
            );
        }
    });
    (port, seen)
}

#[test]
fn an_api_that_is_switched_off_is_told_from_a_folder_that_is_not_there() {
    let installation = installation();
    for (folder, reason, remedy) in [
        (
            "200 OK",
            "the folder /cm is (200)",
            "make sure that /cm is MIM CM's folder; if it is, the API is switched off",
        ),
        ("401 Unauthorized", "the folder /cm is (401)", "Clm.WebApi.Enabled"),
        ("404 Not Found", "nor the folder /cm", "correct host and folder in `server.url`"),
    ] {
        let (port, calls) = without_api(folder);
        fs::write(installation.path("config.toml"), format!("[server]\nurl = \"http://localhost:{port}/cm\"\n"))
            .unwrap();
        let run = doctor(&installation, &installation.path("no-pcscd"));
        says(&run, "server.api", "failed", reason, remedy);
        says(&run, "clock", "unknown", "does not say what its clock shows", "");
        says(&run, "sign-in", "skipped", "the API does not answer", "");
        let api = "GET /cm/api/v1.0";
        let expected = [
            format!("{api}/profiletemplates HTTP/1.1"),
            format!("{api}/profiles HTTP/1.1"),
            "GET /cm HTTP/1.1".to_owned(),
        ];
        assert_eq!(*calls.lock().unwrap(), expected);
    }
}

/// A proxy that answers every CONNECT so.
fn proxy(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = [0; 1024];
            // The look at the address sends nothing.
            if stream.read(&mut asked).is_ok_and(|length| length > 0) {
                drop(stream.write_all(answer.as_bytes()));
            }
        }
    });
    port
}

#[test]
fn a_proxy_in_between_is_told_from_the_server() {
    let installation = installation();
    let nowhere = installation.path("no-pcscd");
    for answer in [
        "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
    ] {
        installation.configure(&format!("proxy = \"http://127.0.0.1:{}\"", proxy(answer)), "");
        let run = doctor(&installation, &nowhere);
        says(&run, "server.address", "ok", "the proxy 127.0.0.1:", "");
        says(&run, "server.api", "failed", "through the proxy 127.0.0.1:", "check `server.proxy`");
    }
    // One that the environment names is not asked, and that is said where nobody answers.
    installation.configure("", "");
    let text = fs::read_to_string(installation.path("config.toml")).unwrap();
    let url = installation.server.base_url();
    fs::write(installation.path("config.toml"), text.replace(&url, "https://localhost:9/x")).unwrap();
    let words = "export HTTPS_PROXY=http://proxy.contoso.com:3128";
    let run = installation.start_by(&nowhere, words, &["--json", "doctor"]).finish();
    says(
        &run,
        "server.address",
        "failed",
        "nobody answers at localhost port 9",
        "HTTPS_PROXY is set and has no effect",
    );
}

#[test]
fn a_journal_that_this_user_cannot_write_is_named() {
    if !rustix::process::geteuid().is_root() {
        return skip("another user needs root");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    // Where the build is may be closed to others.
    fs::copy(support::repository::pinwright(), folder.path().join("pinwright")).unwrap();
    let journal = folder.path().join("root/journal");
    fs::create_dir_all(&journal).unwrap();
    fs::set_permissions(&journal, Permissions::from_mode(0o755)).unwrap();
    let config = format!("[server]\nurl = \"https://localhost:9/x\"\n[journal]\ndir = \"{}\"\n", journal.display());
    fs::write(folder.path().join("config.toml"), config).unwrap();
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(folder.path().join("pinwright"));
    command.arg("--config").arg(folder.path().join("config.toml")).args(["doctor"]);
    let output = command.env("PCSCLITE_CSOCK_NAME", folder.path().join("no-pcscd")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let line = said.lines().find(|line| line.starts_with("FAIL journal")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("belongs to another user") || line.contains("Permission denied"), "{line}");
}

/// Words that may not be in a bundle, one of each kind.
const SECRETS: [&str; 7] = [
    "doctor-token-0123456789",
    "opaque-token-of-the-proxy",
    "24681357",
    "010203040506070801020304050607080102030405060708",
    "eyJhbGciOiJSUzI1NiJ9.eyJ1cG4iOiJib2IifQ.c2lnbmF0dXJl",
    "F0Zudm4wPLY",
    "hunter2",
];
const NAMES: [&str; 11] = [
    "anna",
    "carla",
    "dora",
    "cm.contoso.com",
    "contoso",
    "proxy7",
    "33221100-5544-7766-8899-aabbccddeeff",
    "00112233445566778899aabbccddeeff",
    "8f1590dc-d932-4b66-8e68-2e91c5880780",
    "192.0.2.77",
    "S-1-5-21-1004336348",
];

/// What the service manager would have kept of the agent's log, with every secret and every name in it.
fn journalctl(folder: &Path) {
    let lines: Vec<String> = SECRETS
        .iter()
        .enumerate()
        .map(|(number, secret)| match number {
            2 => format!("2026-11-29T01:30:00+0000 ws12.contoso.com pinwright[42]: PIN {secret} and pin={secret}"),
            4 => format!("2026-11-29T01:30:00+0000 ws12.contoso.com pinwright[42]: Authorization: Bearer {secret}"),
            5 => format!("2026-11-29T01:30:00+0000 ws12.contoso.com pinwright[42]: challenge={secret}%3D"),
            6 => format!("2026-11-29T01:30:00+0000 ws12.contoso.com pinwright[42]: password: {secret}"),
            _ => format!("2026-11-29T01:30:00+0000 ws12.contoso.com pinwright[42]: it was {secret} here"),
        })
        .chain(
            ["dora@contoso.com", "CONTOSO\\\\carla", "/home/dora/token", "user anna"]
                .map(|name| format!("signed in: {name}")),
        )
        .chain(NAMES[3..].iter().map(|name| format!("{name} and {}", name.to_uppercase())))
        .collect();
    let script = format!("#!/bin/sh\ncat <<'LINES'\n{}\n\u{1b}[31mred\nLINES\n", lines.join("\n"));
    let program = folder.join("journalctl");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_bundle_holds_no_secret_and_no_name() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let _inserted = pcscd.insert(0, personalised());
    let settings = Settings { token: Some(SECRETS[0].to_owned()), ..server_for(&GidsSettings::default()) };
    let installation = Installation::new(settings);
    let file = |name: &str, content: &str| {
        fs::write(installation.path(name), content).unwrap();
        fs::set_permissions(installation.path(name), Permissions::from_mode(0o600)).unwrap();
        installation.path(name).display().to_string()
    };
    let (token, password) = (file("token", SECRETS[0]), file("password", SECRETS[1]));
    let (puk, key) = (file("puk", SECRETS[2]), file("key", SECRETS[3]));
    fs::create_dir(installation.path("bin")).unwrap();
    journalctl(&installation.path("bin"));
    let bundle = installation.path("bundle.txt");
    // With a server that answers, and with one that is elsewhere behind a proxy.
    for elsewhere in [false, true] {
        let proxy = "proxy = \"http://proxy7.contoso.com:3128\"\nproxy_user = \"carla\"\nproxy_password_file";
        let server = match elsewhere {
            false => format!("auth = \"bearer\"\ntoken_file = \"{token}\""),
            true => format!("auth = \"bearer\"\ntoken_file = \"{token}\"\n{proxy} = \"{password}\""),
        };
        let sections = format!(
            "[card]\npuk_file = \"{puk}\"\nadmin_key_file = \"{key}\"\n[reader]\nignore = [\"Reader of anna@contoso.com at 192.0.2.77\"]\n\
             [agent]\ncontrol_group = \"carla\""
        );
        installation.configure(&server, &sections);
        if elsewhere {
            let text = fs::read_to_string(installation.path("config.toml")).unwrap();
            let text = text.replace(&installation.server.base_url(), "https://cm.contoso.com/CertificateManagement");
            fs::write(installation.path("config.toml"), text).unwrap();
        }
        let words = format!("export USER=anna LOGNAME=anna PATH='{}':\"$PATH\"", installation.path("bin").display());
        let to = bundle.display().to_string();
        let run = installation.start_by(&pcscd.socket(), &words, &["doctor", "--bundle", &to]).finish();
        assert_eq!(run.code(), if elsewhere { 6 } else { 0 }, "{run}");
        run.says("read it before you send it");
        assert_eq!(fs::metadata(&bundle).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&bundle).unwrap();
        let lower = text.to_lowercase();
        // What nothing on this machine knows of is masked by its form alone, and these two have none.
        let untold = |word: &&&str| elsewhere || !["opaque-token-of-the-proxy", "proxy7"].contains(*word);
        for word in SECRETS.iter().chain(&NAMES).filter(untold) {
            assert!(!lower.contains(&word.to_lowercase()), "{word} is in the bundle:\n{text}");
        }
        for part in [
            "== versions",
            "== doctor",
            "== configuration",
            "== log of pinwright-agent",
            "pcscd  ",
            "card ID <card-1>",
            "server.ca_file",
            "\\u{1b}[31mred",
        ] {
            assert!(text.contains(part), "no {part}:\n{text}");
        }
        if !elsewhere {
            // The same name is the same pseudonym, in the configuration as in the log.
            assert!(text.contains("user <id-") && text.contains("<user-1>"), "{text}");
            let again = installation.start_by(&pcscd.socket(), &words, &["doctor", "--bundle", &to]).finish();
            again.exits(2).says("name a file that is not there");
            assert_eq!(fs::read_to_string(&bundle).unwrap(), text);
        }
        fs::remove_file(&bundle).unwrap();
    }
}
