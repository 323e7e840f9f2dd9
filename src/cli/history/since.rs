//! Moments of the journal: in local time for people, and as people name them.

use std::ffi::OsString;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

/// From when on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Since {
    /// So long ago.
    Ago(Duration),
    /// A local time.
    Local(DateTime),
    /// A time with its offset.
    At(Timestamp),
}

/// What was given is no time.
#[derive(Debug, Error)]
#[error(
    "a time is needed as `2026-11-28`, `2026-11-28 14:30` or `2026-11-28T14:30:00Z`, or how long ago as `2h` or `3days`"
)]
pub struct NoTime;

impl FromStr for Since {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        if let Ok(ago) = humantime::parse_duration(text) {
            return Ok(Self::Ago(ago));
        }
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::At(at));
        }
        let local = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(|date| date.at(0, 0, 0, 0)));
        local.map(Self::Local).map_err(|_| NoTime)
    }
}

impl Since {
    /// The moment; `None` for one that the calendar does not reach.
    pub fn moment(self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Ago(ago) => Timestamp::now().checked_sub(SignedDuration::try_from(ago).ok()?).ok(),
            Self::Local(local) => zone.to_timestamp(local).ok(),
            Self::At(at) => Some(at),
        }
    }
}

/// The time zone of whoever reads: that of `TZ`, else the system's.
pub fn zone(environment: &[(String, OsString)]) -> TimeZone {
    let named = environment.iter().find(|(name, _)| name == "TZ").and_then(|(_, value)| value.to_str());
    let named = named.filter(|name| !name.is_empty());
    named.and_then(|name| TimeZone::get(name).or_else(|_| TimeZone::posix(name)).ok()).unwrap_or_else(TimeZone::system)
}

/// A time of the journal as local time; as it is written where it is none.
pub fn local(text: &str, zone: &TimeZone) -> String {
    match text.parse::<Timestamp>() {
        Ok(at) => zone.to_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_local_and_may_be_given_as_people_say_them() {
        let zone = zone(&[("TZ".to_owned(), "CET-1CEST,M3.5.0,M10.5.0/3".into())]);
        assert_eq!(local("2026-01-06T08:00:01Z", &zone), "2026-01-06 09:00:01");
        assert_eq!(local("2026-07-06T08:00:01.25Z", &zone), "2026-07-06 10:00:01");
        assert_eq!(local("soon", &zone), "soon");
        let moment = |text: &str| text.parse::<Since>().unwrap().moment(&zone).unwrap().to_string();
        assert_eq!(moment("2026-01-06"), "2026-01-05T23:00:00Z");
        assert_eq!(moment("2026-01-06 09:30"), "2026-01-06T08:30:00Z");
        assert_eq!(moment("2026-01-06T09:30:00Z"), "2026-01-06T09:30:00Z");
        assert_eq!("2h".parse::<Since>().unwrap(), Since::Ago(Duration::from_secs(7200)));
        for none in ["", "yesterday", "12345678"] {
            assert!(none.parse::<Since>().is_err(), "{none}");
        }
    }
}
