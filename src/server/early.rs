//! Connections that are made before there is a request for them: one client makes them and keeps them, another one uses them.
//!
//! A connection is kept between TLS and HTTP: nothing of a request has gone out on it. The client that makes it is told that there is
//! none, so that its request ends there.

use std::any::Any;
use std::collections::VecDeque;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper_util::client::legacy::connect as library;
use thiserror::Error;
use tokio::sync::oneshot;
use tower_layer::Layer;
use tower_service::Service;

/// One that was made longer ago is not used: servers close those on which nothing is asked.
const FRESH: Duration = Duration::from_secs(5);

/// What has come of making a connection. It has the type that the library has for it and does not name.
struct Connection {
    ended: Instant,
    made: Result<Box<dyn Any + Send>, BoxError>,
}

/// The connections of one client that are made before they are needed. Copies are the same.
#[derive(Clone, Default)]
pub(super) struct EarlyConnections(Arc<Mutex<VecDeque<oneshot::Receiver<Connection>>>>);

impl EarlyConnections {
    /// Where the next connections come from, as many as places are given.
    pub(super) fn await_from(&self, places: &Places, count: usize) {
        for _ in 0..count {
            let (sender, receiver) = oneshot::channel();
            places.list().push_back(sender);
            self.list().push_back(receiver);
        }
    }

    /// Forgets them: each is closed, those that come later, too.
    pub(super) fn close(&self) {
        self.list().clear();
    }

    fn next(&self) -> Option<oneshot::Receiver<Connection>> {
        self.list().pop_front()
    }

    fn list(&self) -> MutexGuard<'_, VecDeque<oneshot::Receiver<Connection>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a client puts the connections that it makes for another one.
#[derive(Clone, Default)]
pub(super) struct Places(Arc<Mutex<VecDeque<oneshot::Sender<Connection>>>>);

impl Places {
    fn list(&self) -> MutexGuard<'_, VecDeque<oneshot::Sender<Connection>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a client whose connections are kept for another one is told instead.
#[derive(Debug, Error)]
#[error("the connection is kept for a later request")]
struct Kept {
    /// There is a connection, and one call at a time can go over it: no HTTP/2.
    needs_another: bool,
}

/// Whether a connection was made and kept that can't serve two calls at the same time.
pub(super) fn needs_another(ended: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(ended);
    while let Some(error) = cause {
        if let Some(kept) = error.downcast_ref::<Kept>() {
            return kept.needs_another;
        }
        cause = error.source();
    }
    false
}

type BoxError = Box<dyn Error + Send + Sync>;

type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// For the client that makes them.
impl<S> Layer<S> for Places {
    type Service = Making<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Making { inner, places: self.clone() }
    }
}

/// Connects, and keeps the connection in a place.
#[derive(Clone)]
pub(super) struct Making<S> {
    inner: S,
    places: Places,
}

impl<S, R> Service<R> for Making<S>
where
    S: Service<R, Error = BoxError>,
    S::Response: library::Connection + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Connecting<S::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let (place, connect) = (self.places.list().pop_front(), self.inner.call(target));
        Box::pin(async move {
            let stream = connect.await;
            let is_http_2 = |stream| library::Connection::connected(stream).is_negotiated_h2();
            let needs_another = stream.as_ref().is_ok_and(|stream| !is_http_2(stream));
            if let Some(place) = place {
                let made = stream.map(|stream| Box::new(stream) as Box<dyn Any + Send>);
                // Whoever does not wait for it any more has it closed.
                let _ = place.send(Connection { ended: Instant::now(), made });
            }
            Err(Kept { needs_another }.into())
        })
    }
}

/// For the client that uses them.
impl<S> Layer<S> for EarlyConnections {
    type Service = Using<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Using { inner, early: self.clone() }
    }
}

/// Uses an early connection, also one that has yet to come about. Why it did not come about is told as if it had been made now: a server
/// or proxy that refuses us is not asked twice. Connects where there is none, or none that is fresh.
#[derive(Clone)]
pub(super) struct Using<S> {
    inner: S,
    early: EarlyConnections,
}

impl<S, R> Service<R> for Using<S>
where
    S: Service<R, Error = BoxError> + Clone + Send + 'static,
    S::Response: Send + 'static,
    S::Future: Send + 'static,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Connecting<S::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, target: R) -> Self::Future {
        // The one that was found ready serves this call, and a copy the next.
        let copy = self.inner.clone();
        let (mut inner, early) = (std::mem::replace(&mut self.inner, copy), self.early.clone());
        Box::pin(async move {
            while let Some(coming) = early.next() {
                let fresh = coming.await.ok().filter(|connection| connection.ended.elapsed() < FRESH);
                match fresh.map(|connection| connection.made) {
                    Some(Ok(stream)) => {
                        if let Ok(stream) = stream.downcast::<S::Response>() {
                            return Ok(*stream);
                        }
                    }
                    Some(Err(error)) => {
                        // The others were made in the same moment: a repeat makes its own.
                        early.close();
                        return Err(error);
                    }
                    None => {}
                }
            }
            inner.call(target).await
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A connection that knows its number.
    #[derive(Debug, PartialEq)]
    struct Numbered(usize);

    impl library::Connection for Numbered {
        fn connected(&self) -> library::Connected {
            let connected = library::Connected::new();
            // The second one speaks HTTP/2.
            if self.0 == 1 { connected.negotiated_h2() } else { connected }
        }
    }

    /// Makes connections.
    #[derive(Clone, Default)]
    struct Counting {
        calls: Arc<AtomicUsize>,
        fails: bool,
    }

    impl Service<()> for Counting {
        type Response = Numbered;
        type Error = BoxError;
        type Future = std::future::Ready<Result<Numbered, BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, (): ()) -> Self::Future {
            let number = self.calls.fetch_add(1, Ordering::Relaxed);
            std::future::ready(if self.fails { Err("no".into()) } else { Ok(Numbered(number)) })
        }
    }

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    #[test]
    fn a_connection_is_made_once_and_used_once() {
        let (early, places, counting) = (EarlyConnections::default(), Places::default(), Counting::default());
        let (mut making, mut using) = (places.layer(counting.clone()), early.layer(counting.clone()));
        early.await_from(&places, 1);
        block_on(async {
            let ended = making.call(()).await.unwrap_err();
            assert!(ended.is::<Kept>() && needs_another(&*ended));
            assert_eq!(using.call(()).await.unwrap(), Numbered(0), "the early one");
            let ended = making.call(()).await.unwrap_err();
            assert!(ended.is::<Kept>() && !needs_another(&*ended), "nobody waits for it");
            assert_eq!(using.call(()).await.unwrap(), Numbered(2), "one of its own");
        });
        assert_eq!(counting.calls.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn one_that_has_yet_to_come_about_is_waited_for() {
        let (early, places, counting) = (EarlyConnections::default(), Places::default(), Counting::default());
        let (mut making, mut using) = (places.layer(counting.clone()), early.layer(counting.clone()));
        early.await_from(&places, 1);
        block_on(async {
            let (used, made) = tokio::join!(using.call(()), making.call(()));
            assert_eq!(used.unwrap(), Numbered(0));
            assert!(made.is_err());
        });
        assert_eq!(counting.calls.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn one_that_is_old_or_forgotten_is_replaced_by_the_calls_own() {
        let (early, counting) = (EarlyConnections::default(), Counting::default());
        let mut using = early.layer(counting.clone());
        block_on(async {
            let old = Places::default();
            early.await_from(&old, 1);
            let ended = Instant::now().checked_sub(FRESH).unwrap();
            let connection = Connection { ended, made: Ok(Box::new(Numbered(77))) };
            assert!(old.list().pop_front().unwrap().send(connection).is_ok());
            assert_eq!(using.call(()).await.unwrap(), Numbered(0));

            let forgotten = Places::default();
            early.await_from(&forgotten, 1);
            early.close();
            assert!(forgotten.layer(Counting::default()).call(()).await.is_err());
            assert_eq!(using.call(()).await.unwrap(), Numbered(1));
        });
    }

    #[test]
    fn why_one_did_not_come_about_is_told_once_and_by_the_call() {
        let (early, places, counting) = (EarlyConnections::default(), Places::default(), Counting::default());
        let (failing, mut using) = (Counting { fails: true, ..Counting::default() }, early.layer(counting.clone()));
        let mut making = places.layer(failing);
        early.await_from(&places, 2);
        block_on(async {
            for _ in 0..2 {
                let ended = making.call(()).await.unwrap_err();
                assert!(ended.is::<Kept>() && !needs_another(&*ended));
            }
            assert_eq!(using.call(()).await.unwrap_err().to_string(), "no");
            assert_eq!(counting.calls.load(Ordering::Relaxed), 0, "the server was not asked again");
            assert_eq!(using.call(()).await.unwrap(), Numbered(0), "a repeat is its own");
        });
    }
}
