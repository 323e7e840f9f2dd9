//! Jumps of the clock by Linux's timers.
//!
//! A timer on the settable clock that never expires, and that the kernel cancels when that clock is set (timerfd_create(2),
//! `TFD_TIMER_CANCEL_ON_SET`). Waking from suspend cancels it as well: there the settable clock goes on by the time asleep
//! and the monotonic one does not, and the kernel compares the two (`timerfd_resume` in fs/timerfd.c, called by
//! `timekeeping_resume`). The thread that reads it sleeps until then.
//!
//! A time service sets the clock by a little again and again, and that is no jump: how far the clocks have moved apart tells
//! them from each other. Slewing moves none of them apart.

use std::io;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};

/// The least change that counts: nobody swaps a card in less.
const STEP: Duration = Duration::from_secs(2);

pub(super) fn watch(jumped: impl FnMut() -> ControlFlow<()> + Send + 'static) -> io::Result<()> {
    let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::CLOEXEC)?;
    arm(&timer)?;
    let clocks = Clocks::now();
    thread::Builder::new().name("clock".to_owned()).spawn(move || follow(&timer, clocks, jumped))?;
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

fn follow(timer: &OwnedFd, mut clocks: Clocks, mut jumped: impl FnMut() -> ControlFlow<()>) {
    let mut expirations = [0_u8; 8];
    loop {
        match rustix::io::read(timer, &mut expirations) {
            Err(Errno::CANCELED) => {
                let before = std::mem::replace(&mut clocks, Clocks::now());
                if clocks.jumped_since(&before) && jumped().is_break() {
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

/// The machine's clocks at one moment, in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Clocks {
    /// Wall time, which is set.
    real: i128,
    /// Stands still while the machine is asleep.
    monotonic: i128,
    /// Goes on.
    boot: i128,
}

impl Clocks {
    fn now() -> Self {
        let read = |clock| {
            let time = clock_gettime(clock);
            i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
        };
        Self { real: read(ClockId::Realtime), monotonic: read(ClockId::Monotonic), boot: read(ClockId::Boottime) }
    }

    /// Whether the machine slept, or wall time was set by more than a time service's touch: a virtual machine that was
    /// stopped for a while may know of its sleep from nothing else.
    fn jumped_since(&self, before: &Self) -> bool {
        let step = i128::try_from(STEP.as_nanos()).unwrap_or(i128::MAX);
        let asleep = (self.boot - self.monotonic) - (before.boot - before.monotonic);
        let set = (self.real - self.boot) - (before.real - before.boot);
        asleep > step || set.abs() > step
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    const SECOND: i128 = 1_000_000_000;
    const START: Clocks = Clocks { real: 1_700_000_000 * SECOND, monotonic: 900 * SECOND, boot: 1_000 * SECOND };

    /// Whether an hour later, with the clocks off by this, is a jump.
    fn later(real: i128, monotonic: i128, boot: i128) -> bool {
        let hour = 3600 * SECOND;
        let now = Clocks {
            real: START.real + hour + real,
            monotonic: START.monotonic + hour + monotonic,
            boot: START.boot + hour + boot,
        };
        now.jumped_since(&START)
    }

    #[test]
    fn time_that_goes_by_and_a_touch_of_a_time_service_are_no_jump() {
        assert!(!later(0, 0, 0));
        for touch in [1_000, -1_000, SECOND / 2, -SECOND, 2 * SECOND] {
            assert!(!later(touch, 0, 0), "{touch} ns");
        }
    }

    #[test]
    fn sleep_and_a_clock_that_is_set_are_jumps() {
        // Asleep: wall time and boot time go on.
        assert!(later(0, -3 * SECOND, 0));
        assert!(later(0, -8 * 3600 * SECOND, 0));
        // Set forward, and back.
        assert!(later(3 * SECOND, 0, 0));
        assert!(later(-3 * SECOND, 0, 0));
        // Asleep with a wall clock that was set back at once.
        assert!(later(-60 * SECOND, -60 * SECOND, 0));
    }

    #[test]
    fn this_machines_clocks_are_read_and_its_timer_is_armed_and_quiet() {
        let (before, timer) = (Clocks::now(), timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::CLOEXEC).unwrap());
        arm(&timer).unwrap();
        let after = Clocks::now();
        assert!(after.monotonic >= before.monotonic && after.boot >= after.monotonic);
        let quiet = Timespec { tv_sec: 0, tv_nsec: 0 };
        assert_eq!(poll(&mut [PollFd::new(&timer, PollFlags::IN)], Some(&quiet)).unwrap(), 0);
    }
}
