//! The steps of an enrollment as lines on standard error, and the time of the one that takes long.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::context::CommandContext;
use super::screen::{Line, Tone};
use crate::job::Step;
use crate::os::prompt::{Terminal, can_confirm};

/// How often the time is shown.
const TICK: Duration = Duration::from_secs(1);

/// Tells the steps of one job. Dropped, it ends the line of a step that goes on.
pub struct Progress<'a, 'b> {
    context: &'a mut CommandContext<'b>,
    ticking: Option<Ticking>,
}

impl<'a, 'b> Progress<'a, 'b> {
    /// Nothing is told yet.
    pub fn new(context: &'a mut CommandContext<'b>) -> Self {
        Self { context, ticking: None }
    }

    /// Tells a step before it is taken: once, and where the card makes a key pair with the time that passes, where a person sees it.
    pub fn tell(&mut self, step: Step) {
        self.ticking = None;
        tracing::info!("{}", step.phrase());
        if !self.context.tells_progress {
            return;
        }
        if step == Step::GenerateKeyPair && self.context.may_prompt && can_confirm() {
            self.ticking = Ticking::start(step, self.context.colours.err).ok();
        }
        if self.ticking.is_none() {
            self.context.say_line(&Line::new(Tone::Quiet, format!("· {}", step.phrase())));
        }
    }
}

/// A line on the terminal with the time that a step takes, until it is dropped.
struct Ticking {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticking {
    fn start(step: Step, coloured: bool) -> io::Result<Self> {
        let mut terminal = Terminal::open()?;
        let start = Instant::now();
        let line = move || shown(step, start.elapsed(), coloured);
        terminal.say(&line())?;
        let (end, ended) = mpsc::channel::<()>();
        let tick = move || {
            while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                // A terminal that is gone can't be told of anywhere.
                drop(terminal.say(&line()));
            }
            drop(terminal.say(&format!("{}\n", line())));
        };
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(tick)?;
        Ok(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.end = None;
        // A thread that broke off has ended its line badly, and nothing else.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// The line from its beginning.
fn shown(step: Step, time: Duration, coloured: bool) -> String {
    let text = format!("· {} ({} s)", step.phrase(), time.as_secs());
    format!("\r{}", Line::new(Tone::Quiet, text).shown(coloured))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_stands_in_the_same_line() {
        assert_eq!(
            shown(Step::GenerateKeyPair, Duration::from_millis(12_900), false),
            "\r· generate the key pair (12 s)"
        );
    }
}
