//! Told when the clock jumps: the machine was asleep, and cards may have been swapped meanwhile.
//!
//! A timer on the settable clock that never expires, and that the kernel cancels when that clock is set (timerfd_create(2),
//! `TFD_TIMER_CANCEL_ON_SET`). Waking from suspend cancels it as well: there the settable clock goes on by the time asleep
//! and the monotonic one does not, and the kernel compares the two (`timerfd_resume` in fs/timerfd.c, called by
//! `timekeeping_resume`). The thread that reads it sleeps until then.

use std::io;
use std::os::fd::OwnedFd;
use std::thread;

use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use super::{Message, Post};

/// Tells the loop of every jump from now on.
///
/// # Errors
/// The system has no such timer, or no thread is to be had.
pub fn watch(post: &Post) -> io::Result<()> {
    let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::CLOEXEC)?;
    arm(&timer)?;
    let post = post.clone();
    thread::Builder::new().name("clock".to_owned()).spawn(move || follow(&timer, &post))?;
    Ok(())
}

/// For the end of time, so that nothing but a jump ends the wait.
fn arm(timer: &OwnedFd) -> io::Result<()> {
    let never = Itimerspec {
        it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
        it_value: Timespec { tv_sec: i64::MAX, tv_nsec: 0 },
    };
    timerfd_settime(timer, TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, &never)?;
    Ok(())
}

fn follow(timer: &OwnedFd, post: &Post) {
    let mut expirations = [0_u8; 8];
    loop {
        match rustix::io::read(timer, &mut expirations) {
            Err(Errno::CANCELED) => {
                if post.send(Message::ClockJumped).is_err() {
                    return;
                }
            }
            Err(Errno::INTR) => {}
            // A clock that was set beyond the end of time would expire it for ever.
            Ok(_) => return tracing::warn!("the clock's timer has expired: suspend and resume go unseen from now on"),
            Err(error) => return tracing::warn!("suspend and resume go unseen from now on: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::time::{ClockId, clock_gettime, clock_settime};

    use super::*;
    use crate::agent::mailbox;

    #[test]
    #[ignore = "sets this machine's clock (by some microseconds): by hand, as root"]
    fn each_jump_is_told() {
        let (post, mailbox) = mailbox();
        watch(&post).unwrap();
        for _ in 0..3 {
            clock_settime(ClockId::Realtime, clock_gettime(ClockId::Realtime)).unwrap();
            assert!(matches!(mailbox.next(), Some(Message::ClockJumped)));
        }
    }
}
