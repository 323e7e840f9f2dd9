//! The state of a running agent as text.

use crate::agent::report::{Phase, ReaderReport, ServiceState, Snapshot};
use crate::cli::screen::{Line, Tone};
use crate::cli::select::all_hidden;

/// The state, a line for each reader.
pub(super) fn snapshot_lines(snapshot: &Snapshot) -> Vec<Line> {
    let row = |label, tone, text: String| Line::new(Tone::Quiet, format!("{label:<9}")).with(tone, text);
    let agent = format!("pinwright {}, process {}, since {}", snapshot.version, snapshot.pid, snapshot.started);
    let (tone, state) = service(&snapshot.service);
    let mut lines = vec![row("agent", Tone::Plain, agent), row("PC/SC", tone, state)];
    if let Some(until) = &snapshot.server_paused_until {
        lines.push(row("server", Tone::Bad, format!("failed; left alone until {until}")));
    }
    let totals = &snapshot.totals;
    let so_far = format!(
        "{} inserted, {} provisioned, {} failed, {} in need of attention; server failed {}, PC/SC lost {}",
        totals.insertions,
        totals.provisioned,
        totals.failed,
        totals.attention,
        times(totals.server_failures),
        times(totals.service_losses)
    );
    lines.push(row("so far", Tone::Plain, so_far));
    match (snapshot.readers.is_empty(), snapshot.hidden) {
        (false, _) => {}
        (true, 0) => lines.push(Line::new(Tone::Waiting, "no reader")),
        (true, hidden) => {
            let told = format!("no reader is shown: {} (`reader.ignore`)", all_hidden(hidden));
            lines.push(Line::new(Tone::Waiting, told));
        }
    }
    for reader in &snapshot.readers {
        lines.push(Line::default());
        lines.push(
            Line::new(Tone::Heading, format!("{:?}", reader.reader))
                .with(Tone::Plain, ": ")
                .with(tone_of(reader.phase), format!("{} ({})", reader.phase.name(), reader.phase.phrase()))
                .with(Tone::Plain, format!(", since {}", reader.since)),
        );
        let detail = |(name, value)| Line::new(Tone::Quiet, format!("  {name:<10} ")).with(Tone::Plain, value);
        lines.extend(details(reader).into_iter().map(detail));
    }
    lines
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

/// What a reader's state says: well, that somebody or something is awaited, or that somebody has to see to it.
fn tone_of(phase: Phase) -> Tone {
    match phase {
        Phase::Empty | Phase::NotOurs => Tone::Quiet,
        Phase::Done | Phase::AlreadyDone => Tone::Good,
        Phase::Working | Phase::Waiting | Phase::ServerDown | Phase::Reported | Phase::NeedsPin => Tone::Waiting,
        Phase::NoAccess | Phase::Failed | Phase::Stuck => Tone::Bad,
    }
}

fn service(state: &ServiceState) -> (Tone, String) {
    match state {
        ServiceState::Starting => (Tone::Waiting, "starting (not asked yet)".to_owned()),
        ServiceState::Running => (Tone::Good, "running".to_owned()),
        ServiceState::Absent { reason, refused: true } => (Tone::Bad, format!("absent (refuses the agent): {reason}")),
        ServiceState::Absent { reason, refused: false } => (Tone::Bad, format!("absent: {reason}")),
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
        let lines = |hidden, readers| plain(&Snapshot { hidden, readers, ..Snapshot::idle() }).join("\n");
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

    fn plain(snapshot: &Snapshot) -> Vec<String> {
        snapshot_lines(snapshot).iter().map(|line| line.shown(false)).collect()
    }

    #[test]
    fn colour_adds_nothing_to_what_the_words_say() {
        let mut snapshot = Snapshot::idle();
        snapshot.service = ServiceState::Absent { reason: "it is not running".to_owned(), refused: false };
        let shown = |coloured| snapshot_lines(&snapshot).iter().map(|line| line.shown(coloured)).collect::<Vec<_>>();
        let plain = shown(false);
        assert_eq!(plain[1], "PC/SC    absent: it is not running");
        assert_eq!(plain.last().map(String::as_str), Some("no reader"));
        assert!(shown(true)[1].contains("\u{1b}[31m"));
        for phase in [Phase::Done, Phase::Waiting, Phase::Failed] {
            assert!(!matches!(tone_of(phase), Tone::Plain | Tone::Quiet));
        }
    }
}
