//! The picture of the dashboard: a morning of an agent's real figures, asked by Prometheus itself with the dashboard's queries.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use pinwright::agent::metrics::MetricsServer;
use pinwright::agent::report::{EventKind, Phase};
use pinwright::agent::settings::MetricsAddress;
use pinwright::sim::fault::Fault;
use pinwright::sim::server::{Endpoint, Fault as ServerFault, FaultKind};
use plotters::prelude::*;
use serde_json::Value;
use support::waiting::until;

use crate::setup::{Setup, card};
use crate::watcher::Agent;

const READERS: [&str; 2] = ["Reader 00 00", "Reader 01 00"];

/// From eight to two, Saturday, 28 November 2026, looked at every two minutes.
const BEGIN: u64 = 1_795_852_800;
const STEP: u64 = 120;
const LOOKS: u64 = 180;

/// At which looks the server is down, and the sign-in has expired.
const OUTAGE: std::ops::Range<u64> = 70..92;
const EXPIRED: std::ops::Range<u64> = 120..132;

/// The look at which a card refuses, and the one at which the answer to a write is lost.
const REFUSED: u64 = 40;
const LOST: u64 = 150;

type Failure = Box<dyn std::error::Error>;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the agent serves now.
fn figures(socket: &Path) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// How many readers are in this phase, by the figures.
fn shows(figures: &str, agent: &Agent) -> bool {
    let readers = agent.status().readers;
    Phase::ALL.iter().all(|phase| {
        let count = readers.iter().filter(|report| report.phase == *phase).count();
        figures.contains(&format!("pinwright_agent_readers{{phase=\"{}\"}} {count}\n", phase.name()))
    })
}

/// The samples of one look, as those of an agent that Prometheus asks at that time.
fn stamped(figures: &str, time: u64) -> String {
    let own = "instance=\"desk-7\",job=\"pinwright\"";
    let mut text = format!("up{{{own}}} 1 {time}\n");
    for line in figures.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').map_or((series, "}"), |(name, labels)| (name, labels));
        let comma = if labels == "}" { "" } else { "," };
        writeln!(text, "{name}{{{own}{comma}{labels} {value} {time}").unwrap();
    }
    text
}

/// Whether a card is inserted at this look: few at first, many before noon.
fn is_inserted(look: u64) -> bool {
    let every = if look < 30 { 4 } else { 2 };
    look.is_multiple_of(every) || look == REFUSED || look == LOST
}

/// A morning with virtual cards and the stand-in for the server.
fn morning() -> String {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("run/metrics.sock");
    let setup = Setup::new(200);
    let server = MetricsServer::open(&MetricsAddress::Socket(socket.clone()), None, None).unwrap();
    let mut agent = setup.agent();
    server.serve(&agent.sender).unwrap();
    let mut readers = setup.readers.clone();
    let slots = READERS.map(|name| {
        let slot = readers.add(name);
        agent.sees(name, EventKind::ReaderAdded);
        slot
    });
    let (mut cards, mut recorded, mut waiting) = (0_u8, String::new(), false);
    let mut is_occupied = [false; 2];
    for look in 0..LOOKS {
        if look == OUTAGE.start {
            setup.server.inject(ServerFault::on(Endpoint::Smartcards, FaultKind::status(500)).always());
        }
        if look == EXPIRED.start {
            *setup.services.broken.lock().unwrap() = Some("the token has expired".to_owned());
        }
        if waiting && (look == OUTAGE.end || look == EXPIRED.end) {
            setup.server.state().clear_faults();
            *setup.services.broken.lock().unwrap() = None;
            agent.sender.recheck().unwrap();
            agent.until("the card that has waited", |event| {
                event.event == EventKind::Phase
                    && event.reader.as_ref().is_some_and(|report| report.phase == Phase::Done)
            });
            waiting = false;
        }
        let number = usize::try_from(look % 4 / 2).unwrap();
        let is_out_of_order = OUTAGE.contains(&look) || EXPIRED.contains(&look);
        if is_inserted(look) && !waiting {
            if std::mem::replace(&mut is_occupied[number], true) {
                slots[number].remove();
                agent.sees(READERS[number], EventKind::Removed);
            }
            let plastic = card(cards);
            cards += 1;
            match look {
                REFUSED => plastic.with(|card| card.after(9, Fault::StatusWord(0x6982))),
                LOST => plastic.with(|card| card.after(10, Fault::LostAnswer)),
                _ => {}
            }
            slots[number].insert(plastic);
            let end = agent.sees(READERS[number], EventKind::Phase);
            waiting = is_out_of_order;
            assert!(waiting || matches!(end.phase, Phase::Done | Phase::Failed), "{end:?}");
        }
        let mut now = String::new();
        until("the figures", || {
            now = figures(&socket);
            shows(&now, &agent)
        });
        recorded.push_str(&stamped(&now, BEGIN + look * STEP));
    }
    agent.stop();
    recorded + "# EOF\n"
}

/// Prometheus over these figures; ended when dropped.
struct Prometheus {
    process: Child,
    promtool: PathBuf,
    address: String,
    _folder: tempfile::TempDir,
}

fn tool(name: &str) -> PathBuf {
    let output = Command::new(repository().join("packaging/tool")).arg(name).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().into()
}

impl Prometheus {
    fn over(figures: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("figures"), figures).unwrap();
        fs::write(path("prometheus.yml"), "").unwrap();
        let promtool = tool("promtool");
        let mut blocks = Command::new(&promtool);
        blocks.args(["tsdb", "create-blocks-from", "openmetrics"]).arg(path("figures")).arg(path("data"));
        let made = blocks.output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let port = (19_000..20_000).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap();
        let address = format!("127.0.0.1:{port}");
        let mut process = Command::new(tool("prometheus"));
        process.arg(format!("--config.file={}", path("prometheus.yml").display()));
        process.arg(format!("--storage.tsdb.path={}", path("data").display()));
        process.args(["--storage.tsdb.retention.time=100y", "--log.level=error"]);
        process.arg(format!("--web.listen-address={address}"));
        let process = process.current_dir(folder.path()).stdin(Stdio::null()).spawn().unwrap();
        let prometheus = Self { process, promtool, address: format!("http://{address}"), _folder: folder };
        until("Prometheus", || prometheus.ask(&["query", "instant"], "vector(1)").is_some());
        prometheus
    }

    fn ask(&self, what: &[&str], query: &str) -> Option<Value> {
        let mut promtool = Command::new(&self.promtool);
        let output = promtool.args(what).args(["-o", "json", &self.address, query]).output().unwrap();
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    /// The lines of a panel: their names, and their points.
    fn lines(&self, target: &Value) -> Vec<(String, Vec<(f64, f64)>)> {
        let (start, end) = (format!("--start={BEGIN}"), format!("--end={}", BEGIN + (LOOKS - 1) * STEP));
        let step = format!("--step={STEP}s");
        let answer = self.ask(&["query", "range", &start, &end, &step], &query(target)).expect("an answer");
        let line = |series: &Value| {
            let mut name = target["legendFormat"].as_str().unwrap().to_owned();
            for (label, value) in series["metric"].as_object().unwrap() {
                name = name.replace(&format!("{{{{{label}}}}}"), value.as_str().unwrap());
            }
            let points = series["values"].as_array().unwrap().iter();
            let number = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
            let points = points.map(|point| (hours(point[0].as_f64().unwrap()), number(&point[1])));
            (name, points.filter(|(_, value)| value.is_finite()).collect())
        };
        answer.as_array().unwrap().iter().map(line).collect()
    }

    /// What a panel of one figure shows at the end.
    fn figure(&self, target: &Value) -> String {
        let time = format!("--time={}", BEGIN + (LOOKS - 1) * STEP);
        let answer = self.ask(&["query", "instant", &time], &query(target)).expect("an answer");
        let value: f64 = answer[0]["value"][1].as_str().unwrap().parse().unwrap();
        format!("{value:.0}")
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn query(target: &Value) -> String {
    target["expr"].as_str().unwrap().replace("$instance", ".*").replace("$__range", "6h")
}

/// The hour of the day.
fn hours(time: f64) -> f64 {
    (time - BEGIN as f64) / 3600.0 + 8.0
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// One panel with lines.
fn draw_lines(area: &Area<'_>, title: &str, lines: &[(String, Vec<(f64, f64)>)]) -> Result<(), Failure> {
    let highest = lines.iter().flat_map(|(_, points)| points).map(|(_, value)| *value).fold(0.0, f64::max);
    let (from, to) = (hours(BEGIN as f64), hours((BEGIN + LOOKS * STEP) as f64));
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 15))
        .margin(10)
        .x_label_area_size(22)
        .y_label_area_size(40)
        .build_cartesian_2d(from..to, 0.0..(highest * 1.25).max(0.05))?;
    let clock = |time: &f64| format!("{time:02.0}:00");
    chart.configure_mesh().x_labels(7).y_labels(5).light_line_style(WHITE).x_label_formatter(&clock).draw()?;
    for (number, (name, points)) in lines.iter().enumerate() {
        let colour = Palette99::pick(number).to_rgba();
        let style = colour.stroke_width(2);
        // Where a series is missing for a while its line is, too.
        for part in points.chunk_by(|one, next| next.0 - one.0 < hours(BEGIN as f64 + 1.5 * STEP as f64) - from) {
            chart.draw_series(LineSeries::new(part.iter().copied(), style))?;
        }
        let series = chart.draw_series(std::iter::empty::<Circle<(f64, f64), i32>>())?;
        series.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .label_font(("sans-serif", 12))
        .draw()?;
    Ok(())
}

fn draw(file: &Path, prometheus: &Prometheus) -> Result<(), Failure> {
    let dashboard: Value =
        serde_json::from_str(&fs::read_to_string(repository().join("packaging/monitoring/dashboard.json"))?)?;
    let panels = dashboard["panels"].as_array().unwrap();
    let of_kind = |kind: &'static str| panels.iter().filter(move |panel| panel["type"] == kind);
    let root = SVGBackend::new(file, (960, 840)).into_drawing_area();
    root.fill(&WHITE)?;
    let (top, charts) = root.split_vertically(90);
    for (area, panel) in top.split_evenly((1, 4)).iter().zip(of_kind("stat")) {
        let title = panel["title"].as_str().unwrap();
        area.draw(&Text::new(title.to_owned(), (12, 14), ("sans-serif", 15)))?;
        area.draw(&Text::new(prometheus.figure(&panel["targets"][0]), (12, 40), ("sans-serif", 34)))?;
    }
    for (area, panel) in charts.split_evenly((3, 2)).iter().zip(of_kind("timeseries")) {
        let lines = panel["targets"].as_array().unwrap().iter().flat_map(|target| prometheus.lines(target));
        draw_lines(area, panel["title"].as_str().unwrap(), &lines.collect::<Vec<_>>())?;
    }
    root.present()?;
    Ok(())
}

#[test]
#[ignore = "draws the picture of the dashboard: make picture"]
fn draw_the_dashboard() {
    let prometheus = Prometheus::over(&morning());
    draw(&repository().join("docs/src/images/dashboard.svg"), &prometheus).unwrap();
}
