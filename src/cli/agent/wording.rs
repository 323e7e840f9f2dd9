//! The agent's reports for people.

use crate::agent::report::{Event, Phase, ReaderReport, ServiceState, Snapshot, What};

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
        lines.push(format!("{:?}: {}, since {}", reader.reader, phase(reader.phase), reader.since));
        lines.extend(details(reader).into_iter().map(|(name, value)| format!("  {name:<10} {value}")));
    }
    lines
}

/// One event in one line.
pub(super) fn event_line(event: &Event) -> String {
    let mut line = format!("{}  {}", event.time, what(event.event));
    if let Some(reader) = &event.reader {
        line.push_str(&format!("  {:?}", reader.reader));
        match event.event {
            What::Step => line.push_str(&format!(": {}", reader.step.as_deref().unwrap_or("?"))),
            What::Phase => line.push_str(&format!(": {}", phase(reader.phase))),
            _ => {}
        }
        line.extend(reader.card_id.iter().map(|id| format!(", card {id}")));
        if event.event == What::Phase {
            line.extend(reader.reason.iter().map(|reason| format!(": {reason}")));
        }
    }
    line.extend(event.detail.iter().map(|detail| format!(": {detail}")));
    line
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

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Empty => "no card",
        Phase::Working => "at work",
        Phase::NotOurs => "a card that can't be provisioned here; left alone",
        Phase::Waiting => "no open request for this card yet",
        Phase::ServerDown => "the server fails; tried again later",
        Phase::Reported => "has an open request; nothing written (`agent.on_insert` is \"report\")",
        Phase::NeedsPin => "the user must supply a PIN: run `pinwright enroll`",
        Phase::Done => "the PIN is set and verified",
        Phase::AlreadyDone => "was done before; nothing written",
        Phase::Failed => "failed; nothing more is tried until the card is pulled",
        Phase::Stuck => "the reader does not answer; pull the card, or the reader",
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

fn what(event: What) -> &'static str {
    match event {
        What::Started => "the agent serves",
        What::Stopping => "the agent is ending",
        What::ServiceFound => "PC/SC answers",
        What::ServiceLost => "PC/SC does not answer",
        What::ReaderAdded => "reader plugged in",
        What::ReaderRemoved => "reader gone",
        What::Inserted => "card inserted",
        What::Removed => "card pulled",
        What::Step => "step",
        What::Phase => "reader",
        What::ServerDown => "the server fails",
        What::ServerBack => "the server answers again",
        What::ClockJumped => "the clock jumped",
    }
}
