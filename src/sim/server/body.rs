//! A response body that follows a script, which is how answers get lost half-way.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame};
use tokio::sync::Notify;
use tokio::time::{Sleep, sleep};

use super::reply::Effects;
use super::state::State;

/// One thing to do while the body is sent.
pub(super) enum Step {
    /// Send these bytes.
    Data(Bytes),
    /// Pause.
    Wait(Duration),
    /// What follows completes the answer: book it as delivered.
    Deliver(Effects),
    /// End the connection.
    Cut,
}

/// Runs its steps in order and then ends.
pub(super) struct Script {
    steps: VecDeque<Step>,
    pause: Option<Pin<Box<Sleep>>>,
    state: Arc<State>,
    cut: Arc<Notify>,
}

impl Script {
    pub(super) fn new(steps: VecDeque<Step>, state: Arc<State>, cut: Arc<Notify>) -> Self {
        Self { steps, pause: None, state, cut }
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if let Some(pause) = &mut self.pause {
                if pause.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.pause = None;
            }
            match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Data(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Step::Wait(time)) => self.pause = Some(Box::pin(sleep(time))),
                Some(Step::Deliver(effects)) => self.state.delivered(effects),
                Some(Step::Cut) => {
                    self.cut.notify_one();
                    // Nobody polls again: the connection is dropped with this body.
                    return Poll::Pending;
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.pause.is_none()
    }
}
