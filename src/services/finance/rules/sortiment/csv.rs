//! A value list as Danish Excel writes it ("CSV UTF-8"): `;` between columns, a byte order mark in front, dates as 31-12-2026.
//!
//! One row a code, the first row names the columns. What the list is, is not in the table: whoever imports it says so.

use std::collections::BTreeMap;

use csv::{ReaderBuilder, StringRecord};
use jiff::civil::Date;

use super::xml::LARGEST;
use super::{Entry, List, MOST_CODES, shown};
use crate::text::line_at;

/// The columns, in any order; the last five may be left out.
pub const COLUMNS: [&str; 7] = ["Delsortiment", "Kode", "Navn", "KlasseUUID", "Foelsomhedsniveau", "GyldigFra", "GyldigTil"];
/// Those that must be there.
const NEEDED: usize = 2;
/// How many problems of a file are reported.
const MOST: usize = 50;

/// What the table does not say: the list, without codes, and of part lists what holds for them.
pub fn read(bytes: &[u8], about: List) -> Result<List, Vec<String>> {
    if bytes.len() > LARGEST {
        return Err(vec![format!("The file has more than {LARGEST} bytes; divide the list.")]);
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| vec![no_utf8(bytes, error.valid_up_to())])?;
    let first = text.lines().next().unwrap_or_default();
    let semicolon = first.contains(';') || !first.contains(',');
    if !semicolon {
        return Err(vec!["The columns are divided by commas; divide them by semicolons, as Danish Excel does.".to_owned()]);
    }
    let mut reader = ReaderBuilder::new().delimiter(b';').flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| vec![format!("The first row cannot be read: {error}.")])?.clone();
    let mut columns = BTreeMap::new();
    let mut wrong = Vec::new();
    for (at, name) in header.iter().map(str::trim).enumerate() {
        match COLUMNS.iter().find(|known| known.eq_ignore_ascii_case(name)) {
            Some(known) if columns.insert(*known, at).is_some() => {
                wrong.push(format!("The column {known} stands twice; keep one."))
            }
            Some(_) => {}
            // Excel writes columns that once held something.
            None if name.is_empty() => {}
            None => wrong.push(format!("The column \"{}\" is not known; the columns are {}.", shown(name), COLUMNS.join(", "))),
        }
    }
    let missing = COLUMNS.iter().take(NEEDED).filter(|column| !columns.contains_key(*column));
    wrong.extend(missing.map(|column| format!("The column {column} is missing; add it to the first row.")));
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mut list = about;
    for (row, record) in reader.records().enumerate() {
        let line = row + 2;
        if wrong.len() >= MOST {
            wrong.push("There are more; correct these first.".to_owned());
            break;
        }
        if row >= MOST_CODES {
            wrong.push(format!("There are more than {MOST_CODES} rows; divide the list."));
            break;
        }
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                wrong.push(format!("Row {line} cannot be read: {error}."));
                continue;
            }
        };
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        match code(&record, &columns) {
            Ok((part, code, entry)) => {
                let own = list.parts.entry(part.clone()).or_default();
                if own.codes.insert(code.clone(), entry).is_some() {
                    wrong.push(format!("Row {line}: the code {} of {} stands twice; keep one.", shown(&code), shown(&part)));
                }
            }
            Err(what) => wrong.push(format!("Row {line}: {what}")),
        }
    }
    for (name, _) in list.parts.iter().filter(|(_, part)| part.codes.is_empty()) {
        wrong.push(format!("The part list {} is named, and the table has no code of it; correct its name.", shown(name)));
    }
    if wrong.is_empty() {
        wrong.extend(list.check().err().unwrap_or_default());
    }
    if wrong.is_empty() { Ok(list) } else { Err(wrong) }
}

/// What a file is instead of UTF-8, as far as its bytes tell.
fn no_utf8(bytes: &[u8], at: usize) -> String {
    let row = line_at(bytes, at);
    let what = match bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => "is UTF-16 (\"Unicode Text\")".to_owned(),
        _ => format!("is not UTF-8 but, by a letter in row {row}, Windows-1252 or the like (plain \"CSV\")"),
    };
    format!("The file {what}; save it in Excel as \"CSV UTF-8\", or æ, ø and å are lost.")
}

fn code(record: &StringRecord, columns: &BTreeMap<&str, usize>) -> Result<(String, String, Entry), String> {
    let cell = |column: &str| columns.get(column).and_then(|at| record.get(*at)).map(str::trim).filter(|cell| !cell.is_empty());
    let needed = |column: &str| cell(column).map(str::to_owned).ok_or_else(|| format!("{column} is empty; write it."));
    let code = needed("Kode")?;
    // A spreadsheet makes large numbers like 1,23E+15 of codes, and what they were cannot be told from that.
    if code.contains(['E', 'e']) && code.contains('+') && code.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(
            "Kode was turned into a number by the spreadsheet; format the column as text and enter the code again.".to_owned()
        );
    }
    let class = cell("KlasseUUID").map(|text| text.parse().map_err(|_| "KlasseUUID is not a UUID; correct it.".to_owned()));
    let date = |column: &str| {
        let read = |text: &str| date(text).ok_or_else(|| format!("{column} is not a day; write it as 31-12-2026 or 2026-12-31."));
        cell(column).map(read).transpose()
    };
    let entry = Entry {
        name: cell("Navn").unwrap_or_default().to_owned(),
        class: class.transpose()?,
        sensitivity: cell("Foelsomhedsniveau").map(level).transpose()?,
        from: date("GyldigFra")?,
        to: date("GyldigTil")?,
    };
    Ok((needed("Delsortiment")?, code, entry))
}

/// A whole number from 1 to 9, as a spreadsheet writes numbers: `3`, or with a decimal comma `3,0`.
fn level(text: &str) -> Result<u8, String> {
    let (whole, decimals) = text.split_once(',').unwrap_or((text, ""));
    let level = whole.parse().ok().filter(|level| (1..=9).contains(level) && decimals.bytes().all(|byte| byte == b'0'));
    level.ok_or_else(|| "Foelsomhedsniveau is not a number from 1 to 9; correct it.".to_owned())
}

/// `2026-12-31`, or `31-12-2026` and `31.12.2026` as they are written in Denmark.
fn date(text: &str) -> Option<Date> {
    if let Ok(date) = text.parse() {
        return Some(date);
    }
    let parts: Vec<&str> = text.split(['-', '.', '/']).collect();
    match parts.as_slice() {
        [day, month, year] if year.len() == 4 => Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok(),
        _ => None,
    }
}
