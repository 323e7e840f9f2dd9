//! The runtime that drives calls to the server from a thread without one, and that ends with what its connections have read.
//!
//! What is begun before its result is needed is driven by a thread of its own, on a stack that is unmapped afterwards, and by the
//! caller's from the moment when it waits: the runtime is with one of the two.

use std::future::Future;
use std::pin::pin;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle as Task;
use tracing::Instrument as _;

use crate::job::Cause;
use crate::job::issuer::Watch;
use crate::secret::scrub::on_own_stack;
use crate::server::{ServerError, ServerProblem};

/// How often a wait looks up from the network: for Ctrl-C and for the card.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// A runtime, started anew where it was closed.
pub(super) struct Network(Place);

/// Where the runtime is.
enum Place {
    /// Nothing is open.
    Closed,
    Here(Runtime),
    /// It drives what was begun.
    Away(Driver),
}

/// A thread that drives a runtime until `stop` is dropped.
struct Driver {
    thread: JoinHandle<Runtime>,
    stop: oneshot::Sender<()>,
}

impl Network {
    /// Starts the runtime.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self(Place::Here(start()?)))
    }

    /// Begins something that goes on while the caller does something else; `None` where the system has no thread or runtime for it now.
    pub fn begin<T: Send + 'static>(&mut self, work: impl Future<Output = T> + Send + 'static) -> Option<Task<T>> {
        let runtime = self.take().ok()?;
        let task = runtime.spawn(work.in_current_span());
        let (stop, stopped) = oneshot::channel();
        let drive = move || {
            on_own_stack(|| drop(runtime.block_on(stopped)));
            runtime
        };
        let thread = std::thread::Builder::new().name("server".to_owned()).spawn(drive).ok()?;
        self.0 = Place::Away(Driver { thread, stop });
        Some(task)
    }

    /// Drives a call to its end, and whatever was begun with it, looking up for `watch` in between. Dropping the call closes what it had
    /// open.
    pub fn wait<T>(&mut self, call: impl Future<Output = Result<T, Cause>>, watch: Watch<'_>) -> Result<T, Cause> {
        let runtime =
            self.take().map_err(|source| ServerError { call: "any call", problem: ServerProblem::Runtime(source) })?;
        let result = runtime.block_on(async {
            let mut call = pin!(call);
            loop {
                tokio::select! {
                    biased;
                    result = &mut call => return result,
                    () = tokio::time::sleep(WATCH_INTERVAL) => watch()?,
                }
            }
        });
        self.0 = Place::Here(runtime);
        result
    }

    /// Drops the connections with their buffers. A name that is still being resolved is not waited for, and holds nothing.
    pub fn close(&mut self) {
        if let Some(runtime) = self.recall() {
            runtime.shutdown_background();
        }
    }

    fn take(&mut self) -> std::io::Result<Runtime> {
        self.recall().map_or_else(start, Ok)
    }

    /// Gets the runtime back, where there is one. Its thread lets go of it at once: nothing on it blocks.
    fn recall(&mut self) -> Option<Runtime> {
        match std::mem::replace(&mut self.0, Place::Closed) {
            Place::Closed => None,
            Place::Here(runtime) => Some(runtime),
            Place::Away(Driver { thread, stop }) => {
                drop(stop);
                thread.join().ok()
            }
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.close();
    }
}

fn start() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A network on whose runtime something waits until the sender sends.
    fn waiting() -> (Network, mpsc::Sender<()>) {
        let mut network = Network::new().unwrap();
        let (sender, receiver) = mpsc::channel::<()>();
        let (began, begins) = tokio::sync::oneshot::channel();
        let call = async {
            tokio::task::spawn_blocking(move || {
                let _ = began.send(());
                receiver.recv()
            });
            begins.await.unwrap();
            Ok(())
        };
        network.wait(call, &mut || Ok(())).unwrap();
        (network, sender)
    }

    #[test]
    fn a_name_that_is_still_being_resolved_is_not_waited_for() {
        let (mut network, sender) = waiting();
        network.close();
        // Its connections are gone, with what they have read.
        assert!(matches!(network.0, Place::Closed));
        assert!(sender.send(()).is_ok());
        let (network, sender) = waiting();
        drop(network);
        assert!(sender.send(()).is_ok());
    }

    #[test]
    fn what_was_begun_goes_on_meanwhile_and_is_taken_over_by_a_wait() {
        let mut network = Network::new().unwrap();
        let (sender, receiver) = mpsc::channel();
        let (go_on, goes_on) = tokio::sync::oneshot::channel();
        let begun = network.begin(async move {
            sender.send(std::thread::current().id()).unwrap();
            goes_on.await.unwrap();
            std::thread::current().id()
        });
        // It runs although this thread does something else.
        let here = std::thread::current().id();
        assert_ne!(receiver.recv_timeout(Duration::from_secs(30)).unwrap(), here);
        let end = async {
            go_on.send(()).unwrap();
            Ok(begun.unwrap().await.unwrap())
        };
        assert_eq!(network.wait(end, &mut || Ok(())).unwrap(), here);
        // What is begun and never waited for ends with the network.
        let (held, closes) = tokio::sync::oneshot::channel::<()>();
        drop(network.begin(async move {
            let _held = held;
            std::future::pending::<()>().await;
        }));
        network.close();
        assert!(closes.blocking_recv().is_err());
    }
}
