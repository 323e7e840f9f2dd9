//! What a service of Windows says, as records of the event log: it has no other place to say it.

use std::io::{self, Write};

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::registry::LookupSpan;

use crate::os::service::{NAME, is_joined};
use crate::os::windows::event_log::{Weight, report};

/// Each event as a record of its own.
pub(super) fn layer<S>() -> Option<impl Layer<S>>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    is_joined().then(|| {
        tracing_subscriber::fmt::layer().with_ansi(false).without_time().with_level(false).with_writer(Records)
    })
}

/// Makes records.
struct Records;

/// One record, written when it is whole.
struct Record {
    weight: Weight,
    text: Vec<u8>,
}

impl Record {
    fn new(weight: Weight) -> Self {
        Self { weight, text: Vec::new() }
    }

    fn send(&mut self) {
        let text = String::from_utf8_lossy(&self.text);
        if !text.trim().is_empty() {
            // Nobody is left to tell of a log that takes nothing.
            drop(report(NAME, self.weight, text.trim_end()));
        }
        self.text.clear();
    }
}

impl Write for Record {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.text.extend(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.send();
    }
}

impl<'a> MakeWriter<'a> for Records {
    type Writer = Record;

    fn make_writer(&'a self) -> Record {
        Record::new(Weight::Information)
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Record {
        Record::new(match *metadata.level() {
            Level::ERROR => Weight::Error,
            Level::WARN => Weight::Warning,
            _ => Weight::Information,
        })
    }
}

/// Standard error; of a service it is the event log. A line that is indented belongs to the one before it.
pub(super) struct StandardError {
    record: Record,
    line: Vec<u8>,
}

impl StandardError {
    pub fn new() -> Self {
        Self { record: Record::new(Weight::Information), line: Vec::new() }
    }

    fn end_line(&mut self) {
        if !self.line.starts_with(b" ") {
            self.record.send();
            self.record.weight = match self.line.as_slice() {
                line if line.starts_with(b"error") => Weight::Error,
                line if line.starts_with(b"warning") => Weight::Warning,
                _ => Weight::Information,
            };
        }
        self.record.text.append(&mut self.line);
    }
}

impl Write for StandardError {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if !is_joined() {
            return io::stderr().write(text);
        }
        for part in text.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend(part);
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl Drop for StandardError {
    fn drop(&mut self) {
        self.end_line();
    }
}
