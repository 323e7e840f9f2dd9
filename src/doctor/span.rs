//! Times in words that people need: how long, and on which day.

use std::time::{Duration, SystemTime};

/// A span by its largest unit: `3 days`, `5 h`, `12 min`, `40 s`.
pub(super) fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 172_800.. => format!("{} days", seconds / 86_400),
        seconds @ 7_200.. => format!("{} h", seconds / 3_600),
        seconds @ 120.. => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

/// The day of a moment, UTC: `2026-11-29`.
pub(super) fn day(moment: SystemTime) -> String {
    jiff::Timestamp::try_from(moment)
        .map_or_else(|_| "another age".to_owned(), |moment| moment.strftime("%Y-%m-%d").to_string())
}

/// A moment, UTC: `2026-11-29 01:30`.
pub(super) fn minute(moment: SystemTime) -> String {
    jiff::Timestamp::try_from(moment)
        .map_or_else(|_| "another age".to_owned(), |moment| moment.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// How far a moment is from now: `Ok` ahead, `Err` past.
pub(super) fn from_now(moment: SystemTime, now: SystemTime) -> Result<Duration, Duration> {
    moment.duration_since(now).map_err(|past| past.duration())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_by_its_largest_unit() {
        for (seconds, told) in [(0, "0 s"), (119, "119 s"), (121, "2 min"), (7_200, "2 h"), (172_800, "2 days")] {
            assert_eq!(span(Duration::from_secs(seconds)), told);
        }
        assert_eq!(day(SystemTime::UNIX_EPOCH), "1970-01-01");
        assert_eq!(minute(SystemTime::UNIX_EPOCH + Duration::from_secs(90)), "1970-01-01 00:01 UTC");
    }
}
