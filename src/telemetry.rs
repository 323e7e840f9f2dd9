//! Logs: on stderr, or in the journal where systemd started us with stderr connected to it; this crate's own events only.
//!
//! Events of libraries are dropped at every level: what an HTTP or TLS library logs at trace level may hold a secret.

use std::fmt;

use tracing::Subscriber;
use tracing::field::Field;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::foreign_text::escaped;
use crate::os;

/// Where a write to a card is logged, apart from all other lines: one line each, which no level keeps out of the system's log.
pub const WRITES: &str = "pinwright::write";

/// How much is logged: warnings, then `-v` what happens, `-vv` each call, `-vvv` each APDU (secrets masked).
#[must_use]
pub fn level(verbose: u8, quiet: bool) -> LevelFilter {
    match (quiet, verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, 2) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    }
}

/// Starts logging; a second call in the same process has no effect. `writes_to_cards`: writes are told to the system's log also
/// where it does not get the other lines.
pub fn start(level: LevelFilter, color: bool, writes_to_cards: bool) {
    let ours = || Targets::new().with_target("pinwright", level);
    let writes = LevelFilter::INFO;
    // An error of `try_init` means that a subscriber is there already: then logs go where that one sends them.
    if let Some(system_log) = os::log::layer() {
        let ours = ours().with_target(WRITES, level.max(writes));
        return drop(tracing_subscriber::registry().with(system_log).with(ours).try_init());
    }
    let lines = lines(std::io::stderr, color, level >= LevelFilter::DEBUG).with_filter(ours());
    let system_log = writes_to_cards.then(os::log::system).flatten();
    let system_log = system_log.map(|layer| layer.with_filter(Targets::new().with_target(WRITES, writes)));
    drop(tracing_subscriber::registry().with(lines).with(system_log).try_init());
}

/// Events as lines for a terminal, whatever text stands in them.
fn lines<S, W>(writer: W, color: bool, with_target: bool) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + 'static,
{
    tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(color)
        .with_target(with_target)
        .fmt_fields(debug_fn(write_field).delimited(" "))
}

/// The library's own form of a field, with what is foreign in it escaped.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let text = format!("{value:?}");
    let text = escaped(&text);
    match field.name() {
        "message" => write!(writer, "{text}"),
        name if writer.has_ansi_escapes() => write!(writer, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{text}"),
        name => write!(writer, "{name}={text}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_line_is_one_line_without_commands_to_the_terminal() {
        let written = Written::default();
        let to = written.clone();
        let subscriber = tracing_subscriber::registry().with(lines(move || to.clone(), false, false));
        tracing::subscriber::with_default(subscriber, || {
            let reader = "Evil\u{1B}]0;x\u{7}\u{9B}2J\u{202E}\nERROR forged";
            let _in_span = tracing::error_span!("job", reader = %reader).entered();
            tracing::error!(count = 1, "reader {reader}");
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let shown = "Evil\\u{1b}]0;x\\u{7}\\u{9b}2J\\u{202e}\\nERROR forged";
        assert!(text.ends_with(&format!(" ERROR job{{reader={shown}}}: reader {shown} count=1\n")), "{text}");
    }
}
