//! The runtime that drives calls to the server from a thread without one, and that ends with what its connections have read.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::job::Cause;
use crate::job::issuer::Watch;
use crate::server::{ServerError, ServerProblem};

/// How often a wait looks up from the network: for Ctrl-C and for the card.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// A runtime of this thread, started anew where it was closed.
pub(super) struct Network {
    /// `None` while nothing is open.
    runtime: Option<Runtime>,
}

impl Network {
    /// Starts the runtime.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { runtime: Some(start()?) })
    }

    /// Drives a call to its end, looking up for `watch` in between. Dropping the call closes what it had open.
    pub fn wait<T>(&mut self, call: impl Future<Output = Result<T, Cause>>, watch: Watch<'_>) -> Result<T, Cause> {
        let runtime = match self.runtime.take() {
            Some(runtime) => runtime,
            None => {
                start().map_err(|source| ServerError { call: "any call", problem: ServerProblem::Runtime(source) })?
            }
        };
        self.runtime.insert(runtime).block_on(async {
            let mut call = pin!(call);
            loop {
                tokio::select! {
                    biased;
                    result = &mut call => return result,
                    () = tokio::time::sleep(WATCH_INTERVAL) => watch()?,
                }
            }
        })
    }

    /// Drops the connections with their buffers. A name that is still being resolved is not waited for, and holds nothing.
    pub fn close(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
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
        assert!(network.runtime.is_none());
        assert!(sender.send(()).is_ok());
        let (network, sender) = waiting();
        drop(network);
        assert!(sender.send(()).is_ok());
    }
}
