//! The agent's metrics, as Prometheus fetches them.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use pinwright::agent::metrics::{MetricsError, MetricsServer};
use pinwright::agent::report::{EVENT_SCHEMA, Event, EventKind, Phase, ReaderReport, timestamp};
use pinwright::agent::settings::MetricsAddress;
use pinwright::agent::{Mailbox, Message, mailbox};

/// Far beyond what counting takes.
const PATIENCE: Duration = Duration::from_secs(60);

struct Served {
    folder: tempfile::TempDir,
    mailbox: Mailbox,
    events: SyncSender<Event>,
}

impl Served {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server =
            MetricsServer::open(&MetricsAddress::Socket(folder.path().join("run/metrics.sock")), None, None).unwrap();
        let (sender, mailbox) = mailbox();
        server.serve(&sender).unwrap();
        let events = follower(&mailbox);
        Self { folder, mailbox, events }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("run/metrics.sock")
    }

    fn tell(&self, event: EventKind, reader: Option<ReaderReport>) {
        let (schema, time) = (EVENT_SCHEMA.to_owned(), timestamp(std::time::SystemTime::now()));
        self.events.send(Event { schema, time, event, reader, detail: None }).unwrap();
    }

    fn fetch(&self) -> String {
        let answer = get(&self.socket(), "GET /metrics");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("content-type: application/openmetrics-text; version=1.0.0"), "{answer}");
        assert!(answer.ends_with("# EOF\n"), "{answer}");
        answer
    }

    /// Waits until all of these lines are there.
    #[track_caller]
    fn show(&self, lines: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = self.fetch();
            let missing: Vec<_> = lines.iter().filter(|line| !text.lines().any(|there| there == **line)).collect();
            if missing.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "no {missing:?} in {text}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn follower(mailbox: &Mailbox) -> SyncSender<Event> {
    match mailbox.next() {
        Some(Message::Follow(events)) => events,
        _ => panic!("the events are followed, and nothing else is wanted"),
    }
}

fn get(socket: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{request} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn reader(name: &str, insertion: u64, phase: Phase, exit: Option<u8>) -> Option<ReaderReport> {
    Some(ReaderReport {
        reader: name.to_owned(),
        phase,
        insertion,
        since: String::new(),
        atr: None,
        family: None,
        card_id: None,
        request: None,
        enrollment: None,
        step: None,
        reason: None,
        exit,
        card_state: None,
        journal: None,
        next_check: None,
    })
}

#[test]
fn every_series_is_there_from_the_start() {
    let served = Served::start();
    let version = env!("CARGO_PKG_VERSION");
    served.show(&[
        &format!("pinwright_agent_build_info{{version=\"{version}\"}} 1"),
        "pinwright_agent_job_duration_seconds_count 0",
    ]);
    let exits = ["2", "3", "4", "5", "6", "7", "8", "9", "10", "70"];
    exits.iter().for_each(|exit| served.show(&[&format!("pinwright_agent_failures_total{{exit=\"{exit}\"}} 0")]));
    let phases = Phase::ALL.map(|phase| format!("pinwright_agent_readers{{phase=\"{}\"}} 0", phase.name()));
    phases.iter().for_each(|line| served.show(&[line]));
    for name in ["attention", "server_failures", "service_losses", "insertions", "provisioned"] {
        served.show(&[&format!("pinwright_agent_{name}_total 0")]);
    }
}

#[test]
fn a_job_is_timed_from_its_first_word_to_its_end() {
    let served = Served::start();
    let count = |n: u32| format!("pinwright_agent_job_duration_seconds_count {n}");
    served.tell(EventKind::Inserted, reader("Desk 1", 1, Phase::Working, None));
    served.tell(EventKind::Phase, reader("Desk 1", 1, Phase::Stuck, None));
    served.tell(EventKind::Step, reader("Desk 1", 1, Phase::Working, None));
    served.show(&["pinwright_agent_readers{phase=\"working\"} 1", &count(0)]);
    served.tell(EventKind::Phase, reader("Desk 1", 1, Phase::Waiting, None));
    served.show(&[&count(1)]);
    // Its next try; then a card that is pulled, whose job tells no end.
    served.tell(EventKind::Step, reader("Desk 1", 1, Phase::Working, None));
    served.tell(EventKind::Phase, reader("Desk 1", 1, Phase::Done, None));
    served.tell(EventKind::Phase, reader("Desk 1", 1, Phase::Done, None));
    served.show(&[&count(2)]);
    served.tell(EventKind::Inserted, reader("Desk 1", 2, Phase::Working, None));
    served.tell(EventKind::Removed, reader("Desk 1", 0, Phase::Empty, None));
    served.tell(EventKind::ServerDown, None);
    served.show(&["pinwright_agent_server_failures_total 1", &count(2)]);
}

#[test]
fn what_happens_is_counted_once() {
    let served = Served::start();
    served.show(&["pinwright_agent_insertions_total 0", "pinwright_agent_provisioned_total 0"]);
    served.tell(EventKind::ReaderAdded, reader("Desk 1", 0, Phase::Empty, None));
    served.tell(EventKind::ReaderAdded, reader("Desk 2", 0, Phase::Empty, None));
    served.tell(EventKind::Inserted, reader("Desk 1", 1, Phase::Working, None));
    served.tell(EventKind::Step, reader("Desk 1", 1, Phase::Working, None));
    served.show(&["pinwright_agent_readers{phase=\"working\"} 1", "pinwright_agent_readers{phase=\"empty\"} 1"]);
    served.tell(EventKind::Phase, reader("Desk 1", 1, Phase::Done, None));
    served.tell(EventKind::Phase, reader("Desk 1", 1, Phase::Done, None));
    served.tell(EventKind::Removed, reader("Desk 1", 0, Phase::Empty, None));
    for (insertion, exit) in [(2, 9), (3, 4), (4, 4)] {
        served.tell(EventKind::Inserted, reader("Desk 2", insertion, Phase::Working, None));
        served.tell(EventKind::Phase, reader("Desk 2", insertion, Phase::Failed, Some(exit)));
    }
    served.tell(EventKind::ReaderRemoved, reader("Desk 1", 0, Phase::Empty, None));
    served.tell(EventKind::ServerDown, None);
    served.tell(EventKind::ServiceLost, None);
    served.show(&[
        "pinwright_agent_insertions_total 4",
        "pinwright_agent_provisioned_total 1",
        "pinwright_agent_failures_total{exit=\"9\"} 1",
        "pinwright_agent_failures_total{exit=\"4\"} 2",
        "pinwright_agent_attention_total 1",
        "pinwright_agent_server_failures_total 1",
        "pinwright_agent_service_losses_total 1",
        "pinwright_agent_readers{phase=\"empty\"} 0",
        "pinwright_agent_readers{phase=\"failed\"} 1",
    ]);
    assert!(served.fetch().contains("\npinwright_agent_silence_seconds "));
    // No name of a reader or card: metrics are for many to see.
    assert!(!served.fetch().contains("Desk"));
}

#[test]
fn counting_goes_on_after_a_follower_was_dropped() {
    let mut served = Served::start();
    served.tell(EventKind::Inserted, reader("Desk 1", 1, Phase::Working, None));
    // The loop drops a follower that lags; it comes again.
    served.events = std::sync::mpsc::sync_channel(1).0;
    served.events = follower(&served.mailbox);
    served.tell(EventKind::Inserted, reader("Desk 1", 2, Phase::Working, None));
    served.show(&["pinwright_agent_insertions_total 2"]);
}

#[test]
fn only_the_metrics_are_served() {
    let served = Served::start();
    let mode = std::fs::metadata(served.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o660);
    assert!(get(&served.socket(), "GET /").starts_with("HTTP/1.1 404 "));
    assert!(get(&served.socket(), "POST /metrics").starts_with("HTTP/1.1 405 "));
    // Clients that say nothing take seats, and give them back.
    let silent: Vec<_> = (0..20).map(|_| UnixStream::connect(served.socket()).unwrap()).collect();
    drop(silent);
    served.fetch();
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = MetricsServer::open(&MetricsAddress::Loopback(address), None, None).unwrap_err();
    assert!(
        matches!(error, MetricsError::Address { .. }) && error.to_string().contains(&address.to_string()),
        "{error}"
    );
    drop(taken);
    MetricsServer::open(&MetricsAddress::Loopback(address), None, None).unwrap();
}
