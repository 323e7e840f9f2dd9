//! The state of a running agent as text.

use crate::agent::report::{ReaderReport, ServiceState, Snapshot};

/// The state, a line for each reader.
pub(super) fn snapshot_lines(snapshot: &Snapshot) -> Vec<String> {
    let mut lines = vec![
        format!("agent    pinwright {}, process {}, since {}", snapshot.version, snapshot.pid, snapshot.started),
        format!("PC/SC    {}", service(&snapshot.service)),
    ];
    if let Some(until) = &snapshot.server_paused_until {
        lines.push(format!("server   failed; left alone until {until}"));
    }
    let totals = &snapshot.totals;
    lines.push(format!(
        "so far   {} inserted, {} provisioned, {} failed, {} in need of attention; server failed {}, PC/SC lost {}",
        totals.insertions,
        totals.provisioned,
        totals.failed,
        totals.attention,
        times(totals.server_failures),
        times(totals.service_losses)
    ));
    if snapshot.readers.is_empty() {
        lines.push("no reader".to_owned());
    }
    for reader in &snapshot.readers {
        lines.push(String::new());
        let (name, meaning) = (reader.phase.name(), reader.phase.phrase());
        lines.push(format!("{:?}: {name} ({meaning}), since {}", reader.reader, reader.since));
        lines.extend(details(reader).into_iter().map(|(name, value)| format!("  {name:<10} {value}")));
    }
    lines
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

fn service(state: &ServiceState) -> String {
    match state {
        ServiceState::Starting => "starting (not asked yet)".to_owned(),
        ServiceState::Running => "running".to_owned(),
        ServiceState::Absent { reason, refused: true } => format!("absent (refuses the agent): {reason}"),
        ServiceState::Absent { reason, refused: false } => format!("absent: {reason}"),
    }
}

fn details(reader: &ReaderReport) -> Vec<(&'static str, String)> {
    let mut details = Vec::new();
    let mut add = |name, value: &Option<String>| details.extend(value.clone().map(|value| (name, value)));
    add("card", &reader.card_id);
    add("family", &reader.family);
    add("ATR", &reader.atr);
    add("request", &reader.request.map(|id| id.to_string()));
    add("step", &reader.step);
    add("reason", &reader.reason);
    add("PIN", &reader.card_state);
    add("exit code", &reader.exit.map(|code| code.to_string()));
    add("next try", &reader.next_check);
    add("journal", &reader.journal);
    add("log id", &reader.enrollment);
    details
}
