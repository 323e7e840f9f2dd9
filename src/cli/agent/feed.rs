//! `agent --json`: each event as a line on standard output, from a thread of its own, since whoever reads there may stop.

use std::io::{self, ErrorKind, Write};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use super::AgentError;
use crate::agent::MailboxSender;
use crate::agent::report::Event;
use crate::cli::error::CliError;
use crate::cli::world::World;
use crate::os::descriptor::standard_output;

/// How long the reader of standard output has for the last events.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// The thread that prints. It is left behind where it hangs.
pub(super) struct Feed {
    ended: Receiver<Result<(), CliError>>,
}

impl Feed {
    /// Prints every event from now on.
    ///
    /// # Errors
    /// Standard output is closed, or no thread is to be had.
    pub fn start(sender: &MailboxSender, events: Receiver<Event>) -> io::Result<Self> {
        // A descriptor, and not the process's buffer: a thread that hangs would keep it locked.
        let mut out = standard_output()?;
        let (end, ended) = channel();
        let sender = sender.clone();
        // The command may have stopped waiting for the end.
        let print = move || drop(end.send(print(&mut out, &sender, events)));
        thread::Builder::new().name("events".to_owned()).spawn(print)?;
        Ok(Self { ended })
    }

    /// To be called when the agent has ended: waits until all is printed, where somebody reads it.
    ///
    /// # Errors
    /// The output is gone for another reason than a closed pipe.
    pub fn finish(self, world: &mut World<'_>) -> Result<(), CliError> {
        self.ended.recv_timeout(DRAIN_TIMEOUT).unwrap_or_else(|_| {
            tracing::warn!("nobody reads standard output: the last events were not printed");
            // Nothing else that the command prints there would be read either.
            world.out = Box::leak(Box::new(io::sink()));
            Ok(())
        })
    }
}

/// Prints until there are no more events. The agent's loop drops a follower that lags too far behind; then the events are followed
/// anew from there on.
fn print(out: &mut impl Write, sender: &MailboxSender, mut events: Receiver<Event>) -> Result<(), CliError> {
    let mut lagged = false;
    loop {
        let mut is_over = true;
        for event in events {
            is_over = false;
            if std::mem::take(&mut lagged) {
                tracing::warn!(
                    "standard output was not read for a while: events before {} are missing there",
                    event.time
                );
            }
            let line = serde_json::to_string(&event).map_err(AgentError::Json)? + "\n";
            match out.write_all(line.as_bytes()) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                Err(source) => return Err(CliError::Output { unwritten: line.trim_end().to_owned(), source }),
                Ok(()) => {}
            }
        }
        match sender.follow() {
            Ok(next) if !is_over => events = next,
            // A subscription without any event means that the agent has ended.
            _ => return Ok(()),
        }
        lagged = true;
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::agent::report::{EVENT_SCHEMA, EventKind, timestamp};
    use crate::agent::{Message, mailbox};

    fn event(what: EventKind) -> Event {
        let time = timestamp(SystemTime::now());
        Event { schema: EVENT_SCHEMA.to_owned(), time, event: what, reader: None, detail: None }
    }

    #[test]
    fn a_feed_that_lagged_goes_on_with_what_comes_next() {
        let (sender, mailbox) = mailbox();
        let events = sender.follow().unwrap();
        let agent = thread::spawn(move || {
            for what in [EventKind::Started, EventKind::ServiceLost, EventKind::ServiceFound] {
                let Some(Message::Follow(follower)) = mailbox.next() else { panic!("nobody follows") };
                follower.send(event(what)).unwrap();
                // Let go of here, as after a lag; and of the mailbox after the last.
            }
        });
        let mut out = Vec::new();
        print(&mut out, &sender, events).unwrap();
        agent.join().unwrap();
        let text = String::from_utf8(out).unwrap();
        let told: Vec<EventKind> =
            text.lines().map(|line| serde_json::from_str::<Event>(line).unwrap().event).collect();
        assert_eq!(told, [EventKind::Started, EventKind::ServiceLost, EventKind::ServiceFound]);
    }

    #[test]
    fn a_reader_that_has_gone_ends_the_feed_and_nothing_else() {
        let (reader, mut writer) = io::pipe().unwrap();
        drop(reader);
        let (sender, mailbox) = mailbox();
        let events = sender.follow().unwrap();
        let Some(Message::Follow(follower)) = mailbox.next() else { panic!("nobody follows") };
        follower.send(event(EventKind::Started)).unwrap();
        print(&mut writer, &sender, events).unwrap();
        assert!(follower.send(event(EventKind::Stopping)).is_err(), "nobody listens any more");
    }
}
