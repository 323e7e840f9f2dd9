//! The control socket: whoever may, asks the agent for its state, its events, its journal, or for a re-check.
//!
//! One JSON request line a connection, answers as JSON lines ([`protocol`]). The kernel says who has connected
//! (`peer`): root, the agent's own user and members of one group are answered, others are told no. Nothing that is asked
//! or answered here holds a secret, and nothing writes to a card. [`Endpoint`] is the socket, `conversation` talks to one
//! client, [`client`] is the other end.

pub mod client;
mod conversation;
mod followers;
pub mod protocol;

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use self::conversation::Desk;
use self::followers::Followers;
use self::protocol::{Reason, Refusal};
use super::Post;
use crate::os::account::Group;
use crate::os::endpoint::{Endpoint, Stream};
use crate::provision::journal::Journal;

/// How many clients are talked to at once.
pub const SEATS: usize = 16;

/// How long a client may take to take a line, and one that is turned away has for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pause after a connection could not be taken: the cause (no free descriptor) does not go away at once.
const RECOVERY: Duration = Duration::from_secs(1);

/// A control socket that answers; it ends, and its file goes, when dropped.
pub struct Control {
    endpoint: Arc<Endpoint>,
    closing: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Control {
    /// Answers root, this process's user and the members of `group` on the socket from now on, on threads that sleep until
    /// somebody talks.
    ///
    /// # Errors
    /// No thread is to be had.
    pub fn start(endpoint: Endpoint, group: Option<Group>, post: &Post, journal: Option<Journal>) -> io::Result<Self> {
        let closing = Arc::new(AtomicBool::new(false));
        let followers = Arc::new(Followers::default());
        let desk = Arc::new(Desk { post: post.clone(), journal, group, followers: Arc::clone(&followers) });
        let endpoint = Arc::new(endpoint);
        let mut control = Self { endpoint: Arc::clone(&endpoint), closing, threads: Vec::new() };
        // An agent that has ended already has no events; then there is nothing to follow, and its clients are told so.
        if let Ok(events) = post.follow() {
            let feed = thread::Builder::new().name("control-events".to_owned());
            control.threads.push(feed.spawn(move || followers.feed(&events))?);
        } else {
            followers.close();
        }
        let closing = Arc::clone(&control.closing);
        let door = thread::Builder::new().name("control".to_owned());
        control.threads.push(door.spawn(move || let_in(&endpoint, &desk, &closing))?);
        Ok(control)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for clients; where that fails it ends with the process.
        let woken = self.endpoint.stop_accepting().is_ok();
        // The agent's loop has ended, and with it the events; a client that is still talked to does not hold us up.
        if let (Some(door), true) = (self.threads.pop(), woken) {
            drop(door.join());
        }
        // A socket that stays behind is found dead by the next agent, and replaced.
        drop(self.endpoint.remove());
    }
}

fn let_in(endpoint: &Endpoint, desk: &Arc<Desk>, closing: &AtomicBool) {
    // Held by each conversation; the one more is ours.
    let seats = Arc::new(());
    loop {
        let accepted = endpoint.accept();
        if closing.load(Ordering::SeqCst) {
            return;
        }
        match accepted {
            Ok(stream) if Arc::strong_count(&seats) > SEATS => turn_away(&stream),
            Ok(stream) => seat(stream, desk, &seats),
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
            Err(error) => {
                tracing::error!("the control socket can't take a connection: {error}");
                thread::sleep(RECOVERY);
            }
        }
    }
}

fn seat(stream: Stream, desk: &Arc<Desk>, seats: &Arc<()>) {
    let (desk, seat) = (Arc::clone(desk), Arc::clone(seats));
    let talk = move || {
        conversation::hold(&stream, &desk);
        drop(seat);
    };
    if let Err(error) = thread::Builder::new().name("control-client".to_owned()).spawn(talk) {
        tracing::error!("a client of the control socket can't be served: {error}");
    }
}

fn turn_away(stream: &Stream) {
    let message = format!("{SEATS} clients are being served already: try again when one has gone");
    tracing::warn!("a client of the control socket was turned away: {message}");
    conversation::refuse(stream, &Refusal::new(Reason::TooMany, message));
}
