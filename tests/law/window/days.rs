//! The window on every day from 2020 to 2040, under every reading, against a second computation that uses no calendar
//! library: civil days counted by hand, months clamped by hand, and the European Union's summer time (from the last
//! Sunday of March to the last of October, changed at 01:00 UTC, so that midnight of those days keeps the old offset).

use hjemmel::services::terminaladgang::law::rules::Reading;
use hjemmel::services::terminaladgang::law::window::Window;
use jiff::Timestamp;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Day {
    year: i64,
    month: i64,
    day: i64,
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn length(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Day {
    /// Days since 1970-01-01, counted year by year and month by month.
    fn number(self) -> i64 {
        let years: i64 = (1970..self.year).map(|year| 365 + i64::from(is_leap(year))).sum();
        let months: i64 = (1..self.month).map(|month| length(self.year, month)).sum();
        years + months + self.day - 1
    }

    fn next(self) -> Self {
        match self {
            Self { year, month: 12, day: 31 } => Self { year: year + 1, month: 1, day: 1 },
            Self { year, month, day } if day == length(year, month) => Self { year, month: month + 1, day: 1 },
            Self { year, month, day } => Self { year, month, day: day + 1 },
        }
    }

    /// The same day three months before, or the last of that month.
    fn three_months_back(self) -> Self {
        let (year, month) = if self.month > 3 { (self.year, self.month - 3) } else { (self.year - 1, self.month + 9) };
        Self { year, month, day: self.day.min(length(year, month)) }
    }

    fn first_of_month(self) -> Self {
        Self { day: 1, ..self }
    }

    fn first_of_next_month(self) -> Self {
        Self { day: length(self.year, self.month), ..self }.next()
    }

    /// The hours that Danish time is ahead of UTC at the midnight that begins the day.
    fn offset(self) -> i64 {
        let last_sunday = |month| {
            let last = Self { year: self.year, month, day: 31 };
            // 1970-01-01 was a Thursday, so Sundays are those with number 3 modulo 7.
            Self { day: 31 - (last.number() - 3).rem_euclid(7), ..last }
        };
        if last_sunday(3) < self && self <= last_sunday(10) { 2 } else { 1 }
    }

    /// The midnight that begins the day, in seconds since 1970.
    fn midnight(self) -> i64 {
        self.number() * 86_400 - self.offset() * 3_600
    }

    fn text(self) -> String {
        format!("{:04}-{:02}-{:02}T00:00:00+{:02}:00", self.year, self.month, self.day, self.offset())
    }
}

#[test]
fn the_window_is_right_on_every_day_from_2020_to_2040_under_every_reading() {
    let mut day = Day { year: 2020, month: 1, day: 1 };
    let (mut days, mut clamped, mut short, mut long) = (0, 0, 0, 0);
    while day.year <= 2040 {
        let tomorrow = day.next();
        let hours = (tomorrow.midnight() - day.midnight()) / 3_600;
        (short, long) = (short + u32::from(hours == 23), long + u32::from(hours == 25));
        let back = day.three_months_back();
        clamped += u32::from(back.day != day.day);
        for (reading, from, to) in [
            (Reading::CalendarMonths, back.first_of_month(), day.first_of_next_month()),
            (Reading::RollingStart, back, day.first_of_next_month()),
            (Reading::Rolling, back, tomorrow),
        ] {
            // The first and the last second of the day, the hours about the clocks' change, and noon.
            for second in [0, 1, 7_199, 7_200, 10_800, 43_200, tomorrow.midnight() - day.midnight() - 1] {
                let now = Timestamp::from_second(day.midnight() + second).unwrap();
                let window = Window::at(now, reading).unwrap();
                assert_eq!((window.from_text(), window.to_text()), (from.text(), to.text()), "{reading:?} at {now}");
                assert_eq!(window.from().as_second(), from.midnight(), "{reading:?} at {now}");
                assert_eq!(window.to().as_second(), to.midnight(), "{reading:?} at {now}");
                assert!(window.from() <= now && now < window.to(), "today is inside");
            }
        }
        days += 1;
        day = tomorrow;
    }
    assert_eq!((days, short, long), (7_671, 21, 21), "21 years, each with one short and one long day");
    assert_eq!(clamped, 99, "days whose number does not exist three months before: 29–31 May, 31 July, 31 December");
}
