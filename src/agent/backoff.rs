//! When to ask the server again: at random times, so that the agents that lost it at the same moment don't all call at the
//! same moment.

use std::time::{Duration, Instant, SystemTime};

/// The longest pause that is kept because a server asks for it.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Full jitter: each pause is drawn between nothing and a bound that doubles with every failure. (M. Brooker, "Exponential
/// Backoff And Jitter", AWS Architecture Blog, 2015.)
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// No failure yet.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// The pause after one more failure. What the server asks for (`Retry-After`) is waited in full, and the random part comes
    /// on top: else all agents that it was said to would come back in the same second.
    pub fn failed(&mut self, retry_after: Option<Duration>) -> Duration {
        let bound = doubled(self.first, self.failures, self.longest);
        self.failures = self.failures.saturating_add(1);
        match retry_after {
            None => bound.mul_f64(fastrand::f64()),
            Some(asked) => {
                let asked = asked.min(MAX_RETRY_AFTER);
                let spread = bound.max(asked).min(self.longest);
                asked.saturating_add(spread.mul_f64(fastrand::f64()))
            }
        }
    }

    /// The server has answered.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

/// Pauses between two looks at the server for a card that has no request: they double, and each is drawn from the upper half
/// of its bound.
#[derive(Debug, Clone)]
pub struct Recheck {
    first: Duration,
    longest: Duration,
    looks: u32,
}

impl Recheck {
    /// No look yet.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, looks: 0 }
    }

    /// The pause before the next look.
    pub fn pause(&mut self) -> Duration {
        let bound = doubled(self.first, self.looks, self.longest);
        self.looks = self.looks.saturating_add(1);
        bound.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times)).min(longest)
}

/// The pause after a failure of the server, which all readers of one agent keep.
#[derive(Debug)]
pub struct ServerPause {
    backoff: Backoff,
    /// Until when, by both clocks.
    end: Option<(Instant, SystemTime)>,
    /// The server itself has named the time: it holds for a card that has just been inserted, too.
    ordered: bool,
}

impl ServerPause {
    /// No pause yet.
    #[must_use]
    pub fn new(backoff: Backoff) -> Self {
        Self { backoff, end: None, ordered: false }
    }

    /// A call failed. Several jobs that failed on the same outage count once: only the first one after the pause doubles it.
    pub fn failed(&mut self, now: Instant, retry_after: Option<Duration>) -> Instant {
        let pause = match (self.until(), retry_after) {
            (Some(until), None) if until > now => return until,
            (_, retry_after) => self.backoff.failed(retry_after),
        };
        let until = now + pause;
        let until = self.until().map_or(until, |earlier| earlier.max(until));
        self.ordered = retry_after.is_some();
        self.end = Some((until, SystemTime::now() + until.saturating_duration_since(now)));
        until
    }

    /// A call succeeded, which ends the pause; tells whether there was one.
    pub fn succeeded(&mut self) -> bool {
        self.backoff.succeeded();
        self.ordered = false;
        self.end.take().is_some()
    }

    /// A person wants the server asked now, whatever it said; the next failure waits as long as it would have anyway.
    pub fn lift(&mut self) {
        self.ordered = false;
        self.end = None;
    }

    /// The clock has jumped, most likely by a sleep of the machine: the pause counts that time, though [`Instant`] does not.
    pub fn clock_jumped(&mut self, now: Instant, wall: SystemTime) {
        if let Some((until, _)) = self.end.filter(|(_, by_the_wall)| *by_the_wall <= wall) {
            self.end = Some((until.min(now), wall));
        }
    }

    /// Until when the server is left alone.
    #[must_use]
    pub fn until(&self) -> Option<Instant> {
        self.end.map(|(until, _)| until)
    }

    /// Until when even a card that was just inserted has to wait. People insert cards at their own times, so after a plain
    /// failure they get their try; what the server asks for holds for all.
    #[must_use]
    pub fn ordered_until(&self, now: Instant) -> Option<Instant> {
        self.until().filter(|until| self.ordered && *until > now)
    }

    /// Failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.backoff.failures()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_stay_below_a_bound_that_doubles_up_to_the_longest() {
        for _ in 0..200 {
            let mut backoff = Backoff::new(2 * SECOND, 60 * SECOND);
            for bound in [2, 4, 8, 16, 32, 60, 60] {
                assert!(backoff.failed(None) <= bound * SECOND);
            }
            backoff.succeeded();
            assert!(backoff.failed(None) <= 2 * SECOND);
        }
    }

    #[test]
    fn pauses_are_spread_over_the_whole_bound() {
        let pauses: Vec<Duration> = (0..1000).map(|_| Backoff::new(10 * SECOND, 10 * SECOND).failed(None)).collect();
        let early = pauses.iter().filter(|pause| **pause < 5 * SECOND).count();
        assert!((300..700).contains(&early), "{early} of 1000 in the first half");
    }

    #[test]
    fn what_the_server_asks_for_is_waited_in_full_and_spread() {
        let pauses: Vec<Duration> =
            (0..1000).map(|_| Backoff::new(SECOND, 300 * SECOND).failed(Some(60 * SECOND))).collect();
        assert!(pauses.iter().all(|pause| (60 * SECOND..=120 * SECOND).contains(pause)));
        assert!(pauses.iter().any(|pause| *pause > 90 * SECOND));
    }

    #[test]
    fn nothing_overflows() {
        let mut backoff = Backoff::new(SECOND, 60 * SECOND);
        for _ in 0..100 {
            assert!(backoff.failed(None) <= 60 * SECOND);
        }
        assert!(backoff.failed(Some(Duration::MAX)) <= MAX_RETRY_AFTER + 60 * SECOND);
    }

    #[test]
    fn rechecks_grow_and_are_never_hasty() {
        for _ in 0..100 {
            let mut recheck = Recheck::new(30 * SECOND, 120 * SECOND);
            for bound in [30, 60, 120, 120] {
                let pause = recheck.pause();
                assert!(pause >= bound * SECOND / 2 && pause <= bound * SECOND, "{pause:?}");
            }
        }
    }

    #[test]
    fn jobs_that_fail_on_one_outage_count_once() {
        let mut pause = ServerPause::new(Backoff::new(8 * SECOND, 60 * SECOND));
        let now = Instant::now();
        let until = pause.failed(now, None);
        for _ in 0..8 {
            assert_eq!(pause.failed(now, None), until.max(now));
        }
        assert_eq!(pause.failures(), 1);
        assert_eq!(pause.ordered_until(now), None);
        assert!(pause.succeeded());
        assert!(!pause.succeeded());
    }

    #[test]
    fn an_order_of_the_server_holds_for_all() {
        let mut pause = ServerPause::new(Backoff::new(SECOND, 60 * SECOND));
        let now = Instant::now();
        let until = pause.failed(now, Some(30 * SECOND));
        assert!(until >= now + 30 * SECOND);
        assert_eq!(pause.ordered_until(now), Some(until));
        assert_eq!(pause.ordered_until(until), None);
        pause.lift();
        assert_eq!(pause.until(), None);
    }

    #[test]
    fn time_asleep_counts() {
        let mut pause = ServerPause::new(Backoff::new(SECOND, SECOND));
        let (now, wall) = (Instant::now(), SystemTime::now());
        let until = pause.failed(now, Some(3600 * SECOND));
        pause.clock_jumped(now, wall + 60 * SECOND);
        assert_eq!(pause.ordered_until(now), Some(until), "a minute is not enough");
        pause.clock_jumped(now, wall + 2 * 3600 * SECOND);
        assert_eq!(pause.ordered_until(now), None);
    }
}
