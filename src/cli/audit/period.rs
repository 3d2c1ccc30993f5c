//! Days, months and years as people write them, as stretches of time in Copenhagen.

use jiff::civil::Date;
use jiff::{Span, Timestamp};

use crate::clock::copenhagen;

/// A stretch of time `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first instant in it.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
}

/// A text that is no day, month or year, or could be two.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "»{0}« kan ikke læses entydigt som dato. Skriv en dag (2026-11-03, 3.11.2026, 3/11-2026, 3. november 2026), en måned (2026-11, \
     11.2026, november 2026), et år (2026) eller et tidspunkt (2026-11-03T12:00:00+01:00) · \"{0}\" cannot be read as one date. Write \
     a day (2026-11-03, 3.11.2026, 3/11-2026, 3 November 2026), a month (2026-11, 11.2026, November 2026), a year (2026) or an \
     instant (2026-11-03T12:00:00+01:00)"
)]
pub struct NoDate(String);

/// The months in Danish and English, by their first three letters and whole.
const MONTHS: [(&str, &str); 12] = [
    ("januar", "january"),
    ("februar", "february"),
    ("marts", "march"),
    ("april", "april"),
    ("maj", "may"),
    ("juni", "june"),
    ("juli", "july"),
    ("august", "august"),
    ("september", "september"),
    ("oktober", "october"),
    ("november", "november"),
    ("december", "december"),
];

enum Written {
    Day(Date),
    Month(i16, i8),
    Year(i16),
    Instant(Timestamp),
}

impl std::str::FromStr for Period {
    type Err = NoDate;

    fn from_str(text: &str) -> Result<Self, NoDate> {
        let no_date = || NoDate(text.chars().take(40).collect());
        let day = |year, month, day| Date::new(year, month, day).ok();
        let (first, length) = match written(text.trim()).ok_or_else(no_date)? {
            Written::Instant(at) => return Ok(Self { from: at, to: at }),
            Written::Day(date) => (Some(date), Span::new().days(1)),
            Written::Month(year, month) => (day(year, month, 1), Span::new().months(1)),
            Written::Year(year) => (day(year, 1, 1), Span::new().years(1)),
        };
        let first = first.ok_or_else(no_date)?;
        let after = first.checked_add(length).map_err(|_| no_date())?;
        let begins = |date: Date| Some(date.to_zoned(copenhagen()?).ok()?.timestamp());
        Ok(Self { from: begins(first).ok_or_else(no_date)?, to: begins(after).ok_or_else(no_date)? })
    }
}

fn written(text: &str) -> Option<Written> {
    if text.contains('T') {
        return text.parse().ok().map(Written::Instant);
    }
    let parts: Vec<&str> = text.split([' ', '\u{a0}']).filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [day, month, year] => {
            let day = number(day.strip_suffix('.').unwrap_or(day), 2)?;
            Some(Written::Day(Date::new(year_of(year)?, month_named(month)?, i8::try_from(day).ok()?).ok()?))
        }
        [month, year] => Some(Written::Month(year_of(year)?, month_named(month)?)),
        [figures] => in_figures(figures),
        _ => None,
    }
}

/// A date in figures: the year first with hyphens, or the day first as Danes write it, with points or as `3/11-2026`.
/// `3/11/2026` and `03-11-2026` are not among them: elsewhere the month comes first there.
fn in_figures(text: &str) -> Option<Written> {
    let day = |year: &str, month: &str, day: &str| {
        let (month, day) = (i8::try_from(number(month, 2)?).ok()?, i8::try_from(number(day, 2)?).ok()?);
        Some(Written::Day(Date::new(year_of(year)?, month, day).ok()?))
    };
    let month = |year: &str, month: &str| {
        let month = i8::try_from(number(month, 2)?).ok()?;
        (1..=12).contains(&month).then_some(Written::Month(year_of(year)?, month))
    };
    let parts = |by: char| text.split(by).collect::<Vec<_>>();
    match (parts('-').as_slice(), parts('.').as_slice()) {
        ([y, m, d], [_]) if m.len() == 2 && d.len() == 2 => day(y, m, d),
        ([d_m, y], [_]) if d_m.contains('/') => {
            let (d, m) = d_m.split_once('/')?;
            day(y, m, d)
        }
        ([y, m], [_]) if m.len() == 2 => month(y, m),
        ([_], [d, m, y]) => day(y, m, d),
        ([_], [m, y]) => month(y, m),
        ([_], [y]) => Some(Written::Year(year_of(y)?)),
        _ => None,
    }
}

/// Four digits: of two nobody knows the century.
fn year_of(text: &str) -> Option<i16> {
    let year = (text.len() == 4).then(|| number(text, 4)).flatten()?;
    (1900..=2999).contains(&year).then_some(year)
}

fn number(text: &str, most: usize) -> Option<i16> {
    let digits = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn month_named(text: &str) -> Option<i8> {
    let text = text.to_lowercase();
    let text = text.strip_suffix('.').unwrap_or(&text);
    let is = |name: &str| text == name || (text.len() == 3 && name.starts_with(text));
    (1..).zip(MONTHS).find(|(_, (da, en))| is(da) || is(en)).map(|(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, String)> {
        text.parse::<Period>().ok().map(|period| (period.from.to_string(), period.to.to_string()))
    }

    fn is(text: &str, from: &str, to: &str) {
        assert_eq!(read(text), Some((from.to_owned(), to.to_owned())), "{text}");
    }

    #[test]
    fn a_day_is_read_as_people_write_it_and_is_that_day_in_copenhagen() {
        let texts = [
            "2026-11-03",
            "3.11.2026",
            "03.11.2026",
            "3/11-2026",
            "03/11-2026",
            "3. november 2026",
            "3 november 2026",
            "3. nov. 2026",
            "3 November 2026",
            " 3.11.2026 ",
            "3.\u{a0}november 2026",
        ];
        for text in texts {
            is(text, "2026-11-02T23:00:00Z", "2026-11-03T23:00:00Z");
        }
    }

    #[test]
    fn a_month_and_a_year_are_whole_and_a_day_that_the_clock_is_changed_on_has_its_own_length() {
        for text in ["2026-11", "11.2026", "november 2026", "November 2026", "nov 2026"] {
            is(text, "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z");
        }
        is("maj 2026", "2026-04-30T22:00:00Z", "2026-05-31T22:00:00Z");
        is("oktober 2026", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z");
        is("october 2026", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z");
        is("2026", "2025-12-31T23:00:00Z", "2026-12-31T23:00:00Z");
        is("29.3.2026", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"); // 23 hours
        is("25.10.2026", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"); // 25 hours
        is("2026-11-03T12:00:00+01:00", "2026-11-03T11:00:00Z", "2026-11-03T11:00:00Z");
    }

    #[test]
    fn what_could_be_two_dates_or_is_none_is_refused_with_the_forms_that_are_taken() {
        let texts = [
            "3/11/2026",
            "03-11-2026",
            "3-11-2026",
            "11/3",
            "3.11.26",
            "3/11-26",
            "november",
            "3. november",
            "2026/11/03",
            "2026-13",
            "13.2026",
            "2026-11-31",
            "31.11.2026",
            "29.2.2026",
            "0.11.2026",
            "2026-1-3",
            "ma 2026",
            "j 2026",
            "i går",
            "yesterday",
            "",
            "2026-11-03 12:00",
            "2026-11-03T12:00:00",
            "３.11.2026",
            "3.november.2026",
            "0026-11-03",
        ];
        for text in texts {
            assert_eq!(read(text), None, "{text}");
        }
        let told = "3/11/2026".parse::<Period>().unwrap_err().to_string();
        assert!(told.contains("3/11-2026") && told.contains("november 2026") && told.contains("cannot be read"), "{told}");
        assert!("9".repeat(1000).parse::<Period>().unwrap_err().to_string().len() < 1000);
    }

    #[test]
    fn no_text_makes_the_reading_panic() {
        proptest::proptest!(|(text in "\\PC{0,20}")| drop(text.parse::<Period>()));
        proptest::proptest!(|(text in "[0-9./ -]{0,12}")| drop(text.parse::<Period>()));
    }
}
