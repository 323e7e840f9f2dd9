//! The state of a running agent as text.

use crate::agent::report::{ReaderReport, ServiceState, Snapshot};
use crate::cli::select::all_hidden;

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
    match (snapshot.readers.is_empty(), snapshot.hidden) {
        (false, _) => {}
        (true, 0) => lines.push("no reader".to_owned()),
        (true, hidden) => lines.push(format!("no reader is shown: {} (`reader.ignore`)", all_hidden(hidden))),
    }
    for reader in &snapshot.readers {
        lines.push(String::new());
        lines.push(format!("{:?}: {}, since {}", reader.reader, reader.phase.phrase(), reader.since));
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
        ServiceState::Starting => "not asked yet".to_owned(),
        ServiceState::Running => "running".to_owned(),
        ServiceState::Absent { reason } => format!("does not answer: {reason}"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_that_are_hidden_are_not_told_as_none() {
        let lines = |hidden, readers| snapshot_lines(&Snapshot { hidden, readers, ..Snapshot::idle() }).join("\n");
        assert!(lines(0, Vec::new()).ends_with("\nno reader"));
        for (hidden, told) in [(1, "the one reader that is there is hidden"), (2, "all 2 readers are hidden")] {
            let text = lines(hidden, Vec::new());
            assert!(text.contains(told) && text.contains("reader.ignore") && !text.ends_with("no reader"), "{text}");
        }
        assert!(!lines(1, vec![ReaderReport::empty("Reader 00 00")]).contains("hidden"));
    }

    #[test]
    fn an_agent_that_does_not_count_them_is_understood() {
        let mut old = serde_json::to_value(Snapshot::idle()).unwrap();
        old.as_object_mut().unwrap().remove("hidden").unwrap();
        assert_eq!(serde_json::from_value::<Snapshot>(old).unwrap().hidden, 0);
    }
}
