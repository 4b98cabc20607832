//! When services may be moved.
//!
//! Knows: spans of a week, in UTC. Must not know: what the time is.

use std::str::FromStr;

/// Minutes of a day.
const DAY: u64 = 24 * 60;

/// Minutes of a week.
const WEEK: u64 = 7 * DAY;

/// The days, as RDS and others spell them in their maintenance windows.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// 1970 began on a Thursday.
const FIRST_DAY: u64 = 3 * DAY;

/// When services may be moved: spans of the week, in UTC. Without one, always.
///
/// Written as `Sat:22:00-Mon:04:00`, or `22:00-04:00` for every day; several are separated by commas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MaintenanceWindow(Vec<Span>);

/// From a minute of the week, for so many minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from: u64,
    minutes: u64,
}

/// What is no maintenance window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a maintenance window such as 22:00-04:00 or Sat:22:00-Mon:04:00")]
pub struct WindowError;

impl MaintenanceWindow {
    /// In how many seconds it opens, at that second since 1970; 0 if it is open.
    pub fn opens_in(&self, now: u64) -> u64 {
        let minute = (now / 60 + FIRST_DAY) % WEEK;
        let until = |span: &Span| {
            let since = (minute + WEEK - span.from) % WEEK;
            if since < span.minutes { 0 } else { (WEEK - since) * 60 - now % 60 }
        };
        self.0.iter().map(until).min().unwrap_or(0)
    }
}

impl FromStr for MaintenanceWindow {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let mut spans = Vec::new();
        for span in text.split(',') {
            let (from, to) = span.trim().split_once('-').ok_or(WindowError)?;
            match (point(from)?, point(to)?) {
                ((Some(first), from), (Some(last), to)) => {
                    spans.push(Span::new(first * DAY + from, last * DAY + to, WEEK))
                }
                ((None, from), (None, to)) => {
                    spans.extend((0..7).map(|day| Span { from: day * DAY + from, ..Span::new(from, to, DAY) }));
                }
                ((Some(_), _), (None, _)) | ((None, _), (Some(_), _)) => return Err(WindowError),
            }
        }
        Ok(Self(spans))
    }
}

impl Span {
    /// The end is the next such time after the beginning; where they are the same, all of the period is meant.
    fn new(from: u64, to: u64, period: u64) -> Self {
        let minutes = (to + period - from) % period;
        Self { from, minutes: if minutes == 0 { period } else { minutes } }
    }
}

/// The day of the week, if one is said, and the minute of the day.
fn point(text: &str) -> Result<(Option<u64>, u64), WindowError> {
    let parts: Vec<&str> = text.split(':').collect();
    let (day, hour, minute) = match parts[..] {
        [hour, minute] => (None, hour, minute),
        [day, hour, minute] => {
            let index = DAYS.iter().position(|known| day.eq_ignore_ascii_case(known)).ok_or(WindowError)?;
            (Some(index as u64), hour, minute)
        }
        _ => return Err(WindowError),
    };
    let number = |text: &str, below: u64| {
        let number =
            text.parse::<u64>().ok().filter(|_| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()));
        number.filter(|number| *number < below).ok_or(WindowError)
    };
    Ok((day, number(hour, 24)? * 60 + number(minute, 60)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Wednesday, 10:00:30 UTC.
    const WEDNESDAY: u64 = 1_763_546_430;

    fn opens_in(window: &str) -> u64 {
        window.parse::<MaintenanceWindow>().expect(window).opens_in(WEDNESDAY)
    }

    #[test]
    fn without_one_it_is_always_open() {
        assert_eq!(MaintenanceWindow::default().opens_in(WEDNESDAY), 0);
    }

    #[test]
    fn it_opens_at_the_second() {
        assert_eq!(opens_in("10:00-10:01"), 0);
        assert_eq!(opens_in("10:01-10:02"), 30);
        assert_eq!(opens_in("09:00-10:00"), 23 * 3600 - 30);
        assert_eq!(opens_in("Wed:09:00-Wed:10:00"), 7 * 24 * 3600 - 3600 - 30);
        assert_eq!(opens_in("Tue:22:00-wed:10:00"), (7 * 24 - 12) * 3600 - 30);
    }

    #[test]
    fn it_may_go_over_midnight_and_over_the_weekend() {
        assert_eq!(opens_in("22:00-11:00"), 0);
        assert_eq!(opens_in("Sat:22:00-Mon:04:00"), (3 * 24 + 12) * 3600 - 30);
        assert_eq!(opens_in("Sun:22:00-Thu:04:00"), 0);
        assert_eq!(opens_in("04:00-04:00"), 0, "all day");
        assert_eq!(opens_in("Sat:00:00-Sun:00:00, 10:30-11:00"), 30 * 60 - 30, "whichever opens first");
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "22-04",
            "22:00",
            "24:00-04:00",
            "22:60-23:00",
            "Sam:22:00-Mon:04:00",
            "Sat:22:00-04:00",
            "2:00-4:00",
            "+2:00-04:00",
        ] {
            assert_eq!(text.parse::<MaintenanceWindow>(), Err(WindowError), "{text}");
        }
    }
}
