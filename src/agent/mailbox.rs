//! How others reach the agent's loop: signals, the control socket, the monitor and the jobs all write to one mailbox, and the
//! loop sleeps until something is in it.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use super::job_report::JobReport;
use super::report::{Event, Snapshot};
use crate::reader::monitor::CardEvent;

/// Something for the loop to act on.
pub enum Message {
    /// A reader, a card, the PC/SC service.
    Card(CardEvent),
    /// A job's thread tells how far it has come.
    Job(JobReport),
    /// The state is asked for; the answer goes to this sender.
    Status(SyncSender<Snapshot>),
    /// Every event from now on goes to this sender, until its receiver is dropped or does not keep up.
    Follow(SyncSender<Event>),
    /// Ask the server now about every card that waits; answers how many that are.
    Recheck(Option<SyncSender<usize>>),
    /// The clock jumped: the machine was asleep, and cards may have changed unseen.
    ClockJumped,
    /// End: running jobs first.
    Shutdown,
    /// The card monitor has failed: end likewise.
    MonitorFailed,
}

/// The loop's end: where it finds what others have written.
pub struct Mailbox {
    pub(super) messages: Receiver<Message>,
    pub(super) sender: MailboxSender,
}

/// The others' end: any thread writes to the loop by it.
#[derive(Clone)]
pub struct MailboxSender(Sender<Message>);

/// How many events a follower may lag behind before it is dropped.
const MAX_LAG: usize = 1024;

/// A new mailbox: both of its ends.
#[must_use]
pub fn mailbox() -> (MailboxSender, Mailbox) {
    let (sender, messages) = channel();
    let sender = MailboxSender(sender);
    (sender.clone(), Mailbox { messages, sender })
}

impl Mailbox {
    /// The next message, as soon as there is one. `None` once nobody could write any more.
    #[must_use]
    pub fn next(&self) -> Option<Message> {
        self.messages.recv().ok()
    }
}

/// The loop has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the agent has ended")]
pub struct Ended;

impl MailboxSender {
    /// Puts a message into the mailbox.
    ///
    /// # Errors
    /// The loop has ended.
    pub fn send(&self, message: Message) -> Result<(), Ended> {
        self.0.send(message).map_err(|_| Ended)
    }

    /// The agent's state.
    ///
    /// # Errors
    /// The loop has ended.
    pub fn status(&self) -> Result<Snapshot, Ended> {
        let (reply, answer) = sync_channel(1);
        self.send(Message::Status(reply))?;
        answer.recv().map_err(|_| Ended)
    }

    /// Every event from now on.
    ///
    /// # Errors
    /// The loop has ended.
    pub fn follow(&self) -> Result<Receiver<Event>, Ended> {
        let (events, follower) = sync_channel(MAX_LAG);
        self.send(Message::Follow(events))?;
        Ok(follower)
    }

    /// Has the server asked at once about every card that waits; gives how many that are.
    ///
    /// # Errors
    /// The loop has ended.
    pub fn recheck(&self) -> Result<usize, Ended> {
        let (reply, answer) = sync_channel(1);
        self.send(Message::Recheck(Some(reply)))?;
        answer.recv().map_err(|_| Ended)
    }
}
