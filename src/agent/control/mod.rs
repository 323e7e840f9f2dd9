//! The control socket, on which the agent is asked for its state, its events, its journal, or for a re-check.
//!
//! One JSON request line a connection, answers as JSON lines ([`protocol`]). The system says who has connected: root, the agent's own user and members of one group are answered, others are told no. Nothing that is asked
//! or answered here holds a secret, and nothing writes to a card. [`Endpoint`] is the socket, `connection` answers one
//! client, [`client`] is the other end.

pub mod client;
mod connection;
mod followers;
pub mod protocol;

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use self::connection::ControlContext;
use self::followers::Followers;
use self::protocol::{Reason, Refusal};
use super::mailbox::MailboxSender;
use crate::job::journal::Journal;
use crate::os::account::Group;
use crate::os::endpoint::{Endpoint, Stream};

/// How many clients are served at once.
pub const MAX_CLIENTS: usize = 16;

/// The pause after a connection could not be taken: the cause (no free descriptor) does not go away at once.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

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
    pub fn start(
        endpoint: Endpoint,
        group: Option<Group>,
        agent: &MailboxSender,
        journal: Option<Journal>,
    ) -> io::Result<Self> {
        let closing = Arc::new(AtomicBool::new(false));
        let followers = Arc::new(Followers::default());
        let context =
            Arc::new(ControlContext { agent: agent.clone(), journal, group, followers: Arc::clone(&followers) });
        let endpoint = Arc::new(endpoint);
        let mut control = Self { endpoint: Arc::clone(&endpoint), closing, threads: Vec::new() };
        // A loop that has ended already sends no events; clients that want to follow are then told so.
        if let Ok(events) = agent.follow() {
            let feed = thread::Builder::new().name("control-events".to_owned());
            control.threads.push(feed.spawn(move || followers.feed(&events))?);
        } else {
            followers.close();
        }
        let closing = Arc::clone(&control.closing);
        let acceptor = thread::Builder::new().name("control".to_owned());
        control.threads.push(acceptor.spawn(move || accept_clients(&endpoint, &context, &closing))?);
        Ok(control)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for clients; where that fails it ends with the process.
        let woken = self.endpoint.stop_accepting().is_ok();
        // Threads of clients are not waited for: the agent's loop has ended, and they end with the process.
        if let (Some(acceptor), true) = (self.threads.pop(), woken) {
            drop(acceptor.join());
        }
        // Where this fails the next agent finds a socket on which nobody listens, and replaces it.
        drop(self.endpoint.remove());
    }
}

fn accept_clients(endpoint: &Endpoint, context: &Arc<ControlContext>, closing: &AtomicBool) {
    // Each client's thread holds a clone, and this one the original.
    let clients = Arc::new(());
    loop {
        let accepted = endpoint.accept();
        if closing.load(Ordering::SeqCst) {
            return;
        }
        match accepted {
            Ok(stream) if Arc::strong_count(&clients) > MAX_CLIENTS => refuse_one_too_many(&stream),
            Ok(stream) => serve(stream, context, &clients),
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
            Err(error) => {
                tracing::error!("the control socket can't take a connection: {error}");
                thread::sleep(ACCEPT_PAUSE);
            }
        }
    }
}

fn serve(stream: Stream, context: &Arc<ControlContext>, clients: &Arc<()>) {
    let (context, counted) = (Arc::clone(context), Arc::clone(clients));
    let answer = move || {
        connection::serve(&stream, &context);
        drop(counted);
    };
    if let Err(error) = thread::Builder::new().name("control-client".to_owned()).spawn(answer) {
        tracing::error!("a client of the control socket can't be served: {error}");
    }
}

fn refuse_one_too_many(stream: &Stream) {
    let message = format!("{MAX_CLIENTS} clients are being served already: try again when one has gone");
    tracing::warn!("a client of the control socket was turned away: {message}");
    connection::refuse(stream, &Refusal::new(Reason::TooMany, message));
}
