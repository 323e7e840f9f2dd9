//! `packaging/monitoring` against the agent's real figures: names that there are, queries and rules that Prometheus takes, alerts that
//! fire when they should.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::waiting::{skip, until};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(repository().join("packaging/monitoring").join(name)).unwrap()
}

/// Prometheus's tool, as `packaging/tool` finds it; `None`, said aloud, where it can't be had.
fn promtool() -> Option<PathBuf> {
    let output = Command::new(repository().join("packaging/tool")).arg("promtool").output().unwrap();
    let path = String::from_utf8(output.stdout.clone()).unwrap();
    if !output.status.success() {
        skip(&format!("promtool: {}", said(&output)));
        return None;
    }
    Some(path.trim().into())
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn judged(promtool: &Path, arguments: &[&str], input: &str) {
    let mut command = Command::new(promtool);
    command.args(arguments).current_dir(repository().join("packaging/monitoring"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
}

/// What an agent of this build serves: one that runs without pcscd.
fn exposition() -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = format!(
        "[agent]\nmetrics = \"unix:{}\"\ncontrol = \"{}\"\n[server]\nurl = \"https://localhost:9/cm\"\n[journal]\ndir = \"{}\"\n",
        path("metrics.sock").display(),
        path("agent.sock").display(),
        path("journal").display()
    );
    fs::write(path("config.toml"), text).unwrap();
    let mut agent = Command::new(env!("CARGO_BIN_EXE_pinwright"));
    agent.arg("--config").arg(path("config.toml")).arg("agent").env("PCSCLITE_CSOCK_NAME", path("no-pcscd"));
    let mut agent = agent.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut answer = String::new();
    until("the figures", || {
        let Ok(mut stream) = UnixStream::connect(path("metrics.sock")) else { return false };
        answer.clear();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        stream.read_to_string(&mut answer).is_ok() && answer.ends_with("# EOF\n")
    });
    agent.kill().unwrap();
    agent.wait().unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// The names of the series.
fn names(exposition: &str) -> BTreeSet<String> {
    let samples = exposition.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

/// OpenMetrics as the older text format, which is what promtool reads: there a counter is called what its series is called, and an
/// information is a gauge.
fn older(exposition: &str) -> String {
    let mut kinds = exposition.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let suffix = |name: &str| match kinds.clone().find(|(known, _)| *known == name) {
        Some((_, "counter")) => "_total",
        Some((_, "info")) => "_info",
        _ => "",
    };
    let renamed = |line: &str| -> Option<String> {
        match line.splitn(4, ' ').collect::<Vec<_>>()[..] {
            ["#", what @ ("HELP" | "TYPE"), name, text] => {
                let text = if (what, text) == ("TYPE", "info") { "gauge" } else { text };
                Some(format!("# {what} {name}{} {text}\n", suffix(name)))
            }
            ["#", ..] => None,
            _ => Some(format!("{line}\n")),
        }
    };
    let text = exposition.lines().filter_map(renamed).collect();
    assert!(kinds.next().is_some());
    text
}

/// Each query of the dashboard, with something in the place of its variables.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let query = |target: &Value| target["expr"].as_str().unwrap().replace("$instance", ".*").replace("$__range", "6h");
    let queries: Vec<String> = targets.map(query).collect();
    assert!(queries.len() > 10 && queries.iter().all(|query| !query.contains('$')), "{queries:?}");
    queries
}

/// The alerts' names and what they ask.
fn alerts() -> Vec<(String, String)> {
    let text = read("alerts.yml");
    let rules = text.split("- alert: ").skip(1);
    rules
        .map(|rule| {
            let name = rule.lines().next().unwrap().to_owned();
            for key in ["expr: ", "severity: ", "summary: ", "description: "] {
                assert!(rule.contains(key), "{name} has no {key}");
            }
            let (_, expression) = rule.split_once("expr: ").unwrap();
            (name, expression.lines().next().unwrap().to_owned())
        })
        .collect()
}

#[test]
fn every_series_that_dashboard_and_alerts_name_is_served() {
    let served = names(&exposition());
    let asked: Vec<String> = queries().into_iter().chain(alerts().into_iter().map(|(_, query)| query)).collect();
    let mut named = BTreeSet::new();
    for query in &asked {
        let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        named.extend(words.filter(|word| word.starts_with("pinwright_")).map(str::to_owned));
    }
    let unknown: Vec<_> = named.difference(&served).collect();
    assert!(unknown.is_empty() && named.len() > 8, "not served: {unknown:?}");
    // The book has a row for each series, and for each alert.
    let page = fs::read_to_string(repository().join("docs/src/monitoring.md")).unwrap();
    for name in &served {
        let family = ["_sum", "_count", "_bucket"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(page.contains(&format!("| `{family}")), "{family} is not in the book");
    }
    for (name, _) in alerts() {
        assert!(page.contains(&format!("| `{name}` |")), "{name} is not in the book");
        assert!(read("alerts.test.yml").contains(&format!("alertname: {name}\n")), "{name} has no case");
    }
    println!("monitoring: {} queries and alerts name {} series, all served", asked.len(), named.len());
}

#[test]
fn prometheus_takes_the_figures_the_rules_and_the_queries() {
    let Some(promtool) = promtool() else { return };
    judged(&promtool, &["check", "metrics"], &older(&exposition()));
    judged(&promtool, &["check", "rules", "alerts.yml"], "");
    judged(&promtool, &["test", "rules", "alerts.test.yml"], "");
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("queries.yml");
    let mut text = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    for (number, query) in queries().iter().enumerate() {
        text.push_str(&format!("      - record: panel:query:{number}\n        expr: '{query}'\n"));
    }
    fs::write(&rules, text).unwrap();
    judged(&promtool, &["check", "rules", rules.to_str().unwrap()], "");
}

#[test]
fn the_picture_in_the_book_has_every_panel_with_lines_or_a_figure() {
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")).unwrap();
    let picture = fs::read_to_string(repository().join("docs/src/images/dashboard.svg")).unwrap();
    for panel in dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "table") {
        let title = panel["title"].as_str().unwrap();
        assert!(picture.contains(&format!("\n{title}\n")), "{title}: make picture draws it anew");
    }
    let page = fs::read_to_string(repository().join("docs/src/monitoring.md")).unwrap();
    assert!(page.contains("(images/dashboard.svg)"));
}

#[test]
fn the_figures_name_nobody() {
    let text = exposition();
    let labels: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split('{').nth(1)?.split('=').next())
        .collect();
    assert_eq!(labels, BTreeSet::from(["exit", "le", "phase", "version"]));
}
