//! The body of a request on its one way out, and how far it came: what tells a call that was not sent from one that was lost.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use thiserror::Error;

/// How far a call came that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// No byte of its body was given to a connection: it can't have been carried out, and won't be.
    NotSent,
    /// The server has said that it carried out nothing.
    Refused,
    /// The body may have arrived, and no answer says what became of it.
    Unknown,
}

const OPEN: u8 = 0;
const TAKEN: u8 = 1;
const REFUSED: u8 = 2;
const CLOSED: u8 = 3;

/// What the body of a call passes once.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<AtomicU8>);

impl Gate {
    /// The body for the next attempt. The one before was refused.
    pub fn body(&self, bytes: Bytes) -> reqwest::Body {
        self.0.store(OPEN, Ordering::SeqCst);
        reqwest::Body::wrap(Outgoing { bytes: Some(bytes), gate: self.clone() })
    }

    /// The server has answered that nothing was carried out.
    pub fn refused(&self) {
        self.0.store(REFUSED, Ordering::SeqCst);
    }

    /// Closes the gate. A body that has not left by then never does.
    pub fn close(&self) -> Reach {
        match self.0.compare_exchange(OPEN, CLOSED, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) | Err(CLOSED) => Reach::NotSent,
            Err(REFUSED) => Reach::Refused,
            Err(_) => Reach::Unknown,
        }
    }

    fn pass(&self) -> bool {
        self.0.compare_exchange(OPEN, TAKEN, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

/// The call was given up before its body left.
#[derive(Debug, Error)]
#[error("the call was given up")]
struct GivenUp;

/// A body that can't be cloned: no library sends it a second time.
struct Outgoing {
    bytes: Option<Bytes>,
    gate: Gate,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = GivenUp;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        Poll::Ready(match self.bytes.take() {
            None => None,
            Some(_) if !self.gate.pass() => Some(Err(GivenUp)),
            Some(bytes) => Some(Ok(Frame::data(bytes))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    // Known, so that HTTP/1.1 sends a length and no chunks.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn outgoing(gate: &Gate) -> Outgoing {
        Outgoing { bytes: Some(Bytes::from_static(b"{}")), gate: gate.clone() }
    }

    fn next(body: &mut Outgoing) -> Option<Result<Bytes, GivenUp>> {
        match Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(frame) => frame.map(|frame| frame.map(|frame| frame.into_data().unwrap())),
            Poll::Pending => panic!("it never waits"),
        }
    }

    #[test]
    fn a_body_leaves_once_or_never() {
        let gate = Gate::default();
        let mut body = outgoing(&gate);
        assert_eq!(body.size_hint().exact(), Some(2));
        assert_eq!(next(&mut body).unwrap().unwrap(), "{}");
        assert!(body.is_end_stream() && next(&mut body).is_none());
        assert_eq!(gate.close(), Reach::Unknown);
        // A second one behind the same gate.
        assert!(next(&mut outgoing(&gate)).unwrap().is_err());

        let gate = Gate::default();
        assert_eq!(gate.close(), Reach::NotSent);
        assert!(next(&mut outgoing(&gate)).unwrap().is_err());
        assert_eq!(gate.close(), Reach::NotSent);
    }

    #[test]
    fn a_refused_body_may_leave_again() {
        let gate = Gate::default();
        assert!(next(&mut outgoing(&gate)).unwrap().is_ok());
        gate.refused();
        assert_eq!(gate.close(), Reach::Refused);
        drop(gate.body(Bytes::from_static(b"{}")));
        assert_eq!(gate.close(), Reach::NotSent);
    }
}
