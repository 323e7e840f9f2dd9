//! Nothing that is secret shows in any log at any level, whoever writes it: the client, its libraries, the stand-ins.
//!
//! A process of its own: a subscriber of one thread misses call sites that another thread without one has met before.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod changes;

use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use pinwright::job::Step;
use pinwright::reader::record::Recording;
use pinwright::reader::traffic::{Meter, Traffic};
use pinwright::sim::server::{Endpoint, Fault, FaultKind, PinMaker};
use support::captured::Captured;
use support::provisioning::{InsertedCard, JobSetup, KEY, Kind, Lines, OLD, Person, told};

/// What libraries write through the `log` crate, from every thread of this process.
struct LogCrate;

fn log_sink() -> &'static Captured {
    static SINK: OnceLock<Captured> = OnceLock::new();
    SINK.get_or_init(Captured::default)
}

impl log::Log for LogCrate {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let _ = writeln!(log_sink().clone(), "{} {} {}", record.level(), record.target(), record.args());
    }

    fn flush(&self) {}
}

/// Every form in which bytes could show.
fn forms(secret: &[u8]) -> Vec<String> {
    let hex = hex::encode(secret);
    let spaced = |separator: &str, upper: bool| {
        let pairs: Vec<String> =
            secret.iter().map(|byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") }).collect();
        pairs.join(separator)
    };
    let decimal: Vec<String> = secret.iter().map(ToString::to_string).collect();
    let escaped = secret.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "\\x{byte:02x}");
        text
    });
    let mut forms = vec![
        hex.to_uppercase(),
        hex,
        spaced(" ", true),
        spaced(" ", false),
        spaced(":", false),
        spaced(", ", true),
        decimal.join(", "),
        escaped,
        secret.escape_ascii().to_string(),
        STANDARD.encode(secret),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        url::form_urlencoded::byte_serialize(STANDARD.encode(secret).as_bytes()).collect(),
    ];
    if let Ok(text) = std::str::from_utf8(secret) {
        forms.push(text.to_owned());
    }
    forms
}

fn found(log: &str, secret: &[u8]) -> Option<String> {
    forms(secret).into_iter().find(|form| log.contains(form.as_str()))
}

/// The data of a command that carries a PIN or an admin answer.
fn secret_of(command: &[u8]) -> Option<&[u8]> {
    let carries = matches!(command.get(1), Some(0x20 | 0x24 | 0x2C)) || command.starts_with(&[0, 0x87, 0, 0, 12]);
    command.get(5..).filter(|data| carries && !data.is_empty())
}

/// A card that sends back what it was sent, before its own answer.
fn repeated(command: &[u8], answer: Vec<u8>) -> Vec<u8> {
    [secret_of(command).unwrap_or_default(), &answer].concat()
}

#[test]
fn the_scanner_finds_what_is_there() {
    let secret = b"\x17Fnvn0<\xb6";
    for form in forms(secret) {
        assert!(found(&format!("x {form} y"), secret).is_some(), "{form}");
    }
    assert!(found("1746 6e76 F0Zudm4", secret).is_none());
}

#[test]
fn nothing_secret_is_logged() {
    const TOKEN: &str = "eyJ0eXAiOiJKV1QiCANARYTOKEN";
    const PIN: &[u8] = b"CANARY-7391";
    const TYPED: &[u8] = b"CANARY-8402";
    log::set_logger(&LogCrate).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let sink = Captured::default();
    let writer = sink.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .without_time()
        .finish();
    let mut token = tempfile::NamedTempFile::new().unwrap();
    token.write_all(TOKEN.as_bytes()).unwrap();
    let mut secrets: Vec<Vec<u8>> = vec![
        PIN.to_vec(),
        TYPED.to_vec(),
        OLD.to_vec(),
        KEY.to_vec(),
        TOKEN.as_bytes().to_vec(),
        b"CANARYBODY".to_vec(),
    ];
    let mut said = String::new();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    {
        for http2 in [true, false] {
            for authority in ["server", "admin-key", "current-pin"] {
                let lines = Lines {
                    server: format!("auth = \"bearer\"\ntoken_file = {:?}\ntimeout = \"2s\"", token.path()),
                    ..Lines::default()
                };
                let mut setup = JobSetup::with(Kind::Gids, authority, &lines, |settings| {
                    settings.http2 = http2;
                    settings.token = Some(TOKEN.to_owned());
                    settings.pin_maker = PinMaker::Fixed(PIN.to_vec());
                });
                let mut jobs: Vec<(PinMaker, Option<Fault>)> = vec![
                    (PinMaker::Fixed(PIN.to_vec()), None),
                    (PinMaker::Fixed(PIN.to_vec()), None),
                    (PinMaker::UserProvided, None),
                    (PinMaker::Fixed([PIN, PIN].concat()), None),
                ];
                for body in ["\"CANARYBODY", "CANARYBODY", "{\"CANARYBODY\":\"CANARYBODY\"}", "\"CANARYBODY\\u0000\""] {
                    let raw = PinMaker::Raw {
                        status: 200,
                        content_type: "application/json".to_owned(),
                        body: body.as_bytes().to_vec(),
                    };
                    jobs.push((raw, None));
                }
                for endpoint in [Endpoint::PinByCard, Endpoint::AuthenticationResponse, Endpoint::CardPolicy] {
                    for kind in [
                        FaultKind::error(500, "CANARYBODY"),
                        FaultKind::error(403, "CANARYBODY"),
                        FaultKind::DropMidBody,
                        FaultKind::TruncatedBody,
                        FaultKind::WrongJsonType,
                    ] {
                        jobs.push((PinMaker::Fixed(PIN.to_vec()), Some(Fault::on(endpoint, kind))));
                    }
                }
                for (number, (maker, fault)) in jobs.into_iter().enumerate() {
                    setup.server.state().clear_faults();
                    setup.server.state().change(|settings| settings.pin_maker = maker);
                    if let Some(fault) = fault {
                        setup.server.inject(fault);
                    }
                    let inserted = InsertedCard::new(Kind::Gids);
                    if number == 0 {
                        inserted.forge(repeated);
                    }
                    let meter = Arc::new(Meter::default());
                    let readers = inserted.readers.clone();
                    let traffic = Traffic::new(&readers, Arc::clone(&meter));
                    let mut person = Person { new_pin: Some(TYPED.to_vec()), ..Person::knowing() };
                    let recording = Recording::new(&traffic);
                    let run = setup.run_over(&recording, &mut person, |step: Step| tracing::info!(?step));
                    match run.result {
                        Ok(outcome) => write!(said, "{outcome:?}").unwrap(),
                        Err(failure) => said.push_str(&told(&failure)),
                    }
                    assert!(meter.apdus() > 0);
                    said.push_str(&recording.fixture().to_string());
                    let sent = inserted.card.with(|tap| tap.sent.clone());
                    secrets.extend(
                        sent.iter()
                            .filter(|command| command.starts_with(&[0, 0x87, 0, 0, 12]))
                            .map(|command| command[9..].to_vec()),
                    );
                }
                secrets.extend(setup.server.state().answers());
                setup.server.state().clear_faults();
                let (made, told) = changes::try_all(&setup.server, setup.config.server.as_ref().unwrap());
                secrets.extend(made);
                said.push_str(&told);
            }
        }
        tracing::trace!(target: "h2::planted", "CANARYPLANTED");
    }
    log::trace!(target: "rustls::planted", "CANARYPLANTED");
    let (log, from_log) = (sink.text(), log_sink().text());
    // Controls: everything was written, by everybody, at the lowest level.
    assert!(log.contains("CANARYPLANTED") && from_log.contains("CANARYPLANTED"));
    for target in ["pinwright::apdu", "pinwright::server::http", "hyper", "h2::", "TRACE"] {
        assert!(log.contains(target), "nothing from {target}");
    }
    assert!(log.contains("00200080"), "the APDU log shows headers");
    assert!(log.matches("h2::").count() > 1000 && log.matches("hyper").count() > 1000, "the libraries say little");
    // Most lines come again and again; each is scanned once.
    let once =
        |text: &str| text.lines().collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("\n");
    let (log, from_log, size) = (once(&log), once(&from_log), (log.len() + from_log.len()) / 1000);
    secrets.sort();
    secrets.dedup();
    for secret in &secrets {
        for (name, text) in [("tracing", &log), ("log", &from_log), ("results", &said)] {
            if let Some(form) = found(text, secret) {
                let at = text.find(form.as_str()).unwrap();
                let line = text[..at].rfind('\n').map_or(0, |line| line + 1);
                panic!("{name} shows a secret as {form:?}: {}", text[line..].lines().next().unwrap_or_default());
            }
        }
    }
    println!("logs: {} secrets, {size} kB, none found", secrets.len());
}
