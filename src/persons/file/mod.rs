//! Persons in a file, read row by row: a file of any length takes the room of one row.
//!
//! CSV has a line that names the fields, UTF-8 with or without a byte order mark, `,` or `;` between cells. XML is `Personer` of
//! [`NAMESPACE`] with a `Person` for each. Which it is, its first character says.

mod csv;
mod xml;

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::row::Row;
use crate::refusal::Detail;

/// The namespace of the contract, of its messages and of XML files.
pub const NAMESPACE: &str = "urn:hjemmel:campus:personimport:1";
/// The longest that one person may be in a file, in bytes.
const LONGEST: u64 = 64 * 1024;
/// The longest piece of markup or text in an XML file, in bytes: so much of a person who is too long is read past at once.
const LONGEST_TOKEN: usize = 1024 * 1024;
/// Bytes read at once.
const PIECE: usize = 64 * 1024;

/// Why a file cannot be read, or not to its end. Holds nothing of its content. What was answered before holds.
#[derive(Debug)]
pub enum FileError {
    /// It cannot be read from its disk.
    Io(io::Error),
    /// It is not what it should be, in Danish and English.
    Content(Detail),
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FileError::Io(error) => write!(f, "{error}"),
            FileError::Content(what) => f.write_str(what.en()),
        }
    }
}

impl std::error::Error for FileError {}

fn content(da: impl Into<String>, en: impl Into<String>) -> FileError {
    FileError::Content(Detail::new(da, en))
}

/// The persons of a file, in its order.
pub struct Rows<R: Read>(Inner<R>);

enum Inner<R: Read> {
    Csv(Box<csv::Csv<Limited<BufReader<R>>>>),
    Xml(Box<xml::Xml<BufReader<R>>>),
}

impl<R: Read> Rows<R> {
    /// Begins a file.
    ///
    /// # Errors
    /// [`FileError`]: nothing of it can be read.
    pub fn open(file: R) -> Result<Self, FileError> {
        let mut file = BufReader::with_capacity(PIECE, file);
        let begin = file.fill_buf().map_err(FileError::Io)?;
        let mark = "\u{feff}".as_bytes();
        let rest = begin.strip_prefix(mark).unwrap_or(begin);
        let is_xml = rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<');
        if rest.is_empty() {
            return Err(content("filen er tom", "the file is empty"));
        }
        // Excel's choice depends on the country; a name of a field holds neither.
        let first = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let delimiter = if first.contains(&b';') { b';' } else { b',' };
        let skipped = begin.len() - rest.len();
        file.consume(skipped);
        if is_xml {
            return Ok(Self(Inner::Xml(Box::new(xml::Xml::new(file)))));
        }
        let allowed = Arc::new(AtomicU64::new(0));
        let limited = Limited { inner: file, read: 0, allowed: allowed.clone() };
        Ok(Self(Inner::Csv(Box::new(csv::Csv::new(limited, delimiter, allowed)?))))
    }

    /// Up to `most` persons more; none at the end of the file.
    ///
    /// # Errors
    /// [`FileError`]: the file cannot be read any further.
    pub fn some(&mut self, most: usize) -> Result<Vec<Row>, FileError> {
        let mut rows = Vec::new();
        while rows.len() < most {
            match self.next_row()? {
                Some(row) => rows.push(row),
                None => break,
            }
        }
        Ok(rows)
    }

    /// The next person.
    ///
    /// # Errors
    /// As [`Rows::some`].
    pub fn next_row(&mut self) -> Result<Option<Row>, FileError> {
        match &mut self.0 {
            Inner::Csv(csv) => csv.next_row(),
            Inner::Xml(xml) => xml.next_row(),
        }
    }
}

/// A reader that gives no more than is allowed: a quote that is never closed must not fill the memory.
struct Limited<R> {
    inner: R,
    read: u64,
    allowed: Arc<AtomicU64>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read >= self.allowed.load(Ordering::Relaxed) {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        let read = self.inner.read(buffer)?;
        self.read += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persons::field::Field;

    fn read(bytes: &[u8]) -> Result<Vec<Row>, FileError> {
        Rows::open(bytes)?.some(1000)
    }

    fn read_as(rows: &[Row]) -> Vec<(u64, Option<String>, Vec<&'static str>)> {
        let one = |row: &Row| {
            let codes = row.errors.iter().map(|remark| remark.code.code()).collect();
            (row.number(), row.cell(Field::Fornavne).map(str::to_owned), codes)
        };
        rows.iter().map(one).collect()
    }

    fn of(number: u64, name: &str) -> (u64, Option<String>, Vec<&'static str>) {
        (number, Some(name.to_owned()), Vec::new())
    }

    #[test]
    fn a_table_is_read_with_and_without_a_mark_with_either_delimiter_and_whatever_line_ends() {
        for text in [
            "CPRnummer,Fornavne\n6101801234,Åse\n6101801235,\"Bo, Ib\"\n",
            "\u{feff}CPRnummer;Fornavne\r\n6101801234;Åse\r\n\r\n;\r\n6101801235;\"Bo, Ib\"",
            "Fornavne;CPRnummer\r Åse ;6101801234\rBo, Ib;6101801235\r",
        ] {
            assert_eq!(read_as(&read(text.as_bytes()).unwrap()), [of(1, "Åse"), of(2, "Bo, Ib")], "{text:?}");
        }
    }

    #[test]
    fn a_row_that_cannot_be_read_spoils_no_other() {
        let text = b"Fornavne;Efternavn\nBo;X\nBo;X;Y\nBo\n\xc5se;X\nIb;X\n";
        let rows = read(text).unwrap();
        let codes: Vec<_> = read_as(&rows).into_iter().map(|(_, _, codes)| codes).collect();
        assert_eq!(codes, [vec![], vec!["PER020"], vec!["PER020"], vec!["PER020"], vec![]]);
    }

    #[test]
    fn a_column_that_is_not_known_or_stands_twice_is_told_of_each_person() {
        let rows = read(b"Fornavne;Fornavne;Navn;\nBo;Bo;Bo;\n").unwrap();
        assert_eq!(read_as(&rows), [(1, Some("Bo".to_owned()), vec!["PER021", "PER001"])]);
    }

    #[test]
    fn a_file_without_a_header_an_empty_one_and_one_that_never_ends_a_cell_are_refused_and_say_nothing_of_their_content() {
        let endless = format!("Fornavne;Efternavn\nBo;X\n\"{}", "6101801234\n".repeat(100_000));
        for (text, rows_before) in [("", 0), ("\u{feff}", 0), ("6101801234;Bo\n", 0), ("Fornavne;Efternavn\n", 0), (&endless, 1)]
        {
            let mut seen = 0;
            let error = match Rows::open(text.as_bytes()) {
                Err(error) => Some(error),
                Ok(mut rows) => loop {
                    match rows.next_row() {
                        Ok(Some(_)) => seen += 1,
                        Ok(None) => break None,
                        Err(error) => break Some(error),
                    }
                },
            };
            assert_eq!(seen, rows_before);
            let said = error.map(|error| format!("{error} {error:?}"));
            assert_eq!(said.is_none(), text == "Fornavne;Efternavn\n", "{said:?}");
            assert!(!said.unwrap_or_default().contains("6101801234"));
        }
    }

    #[test]
    fn xml_gives_the_same_rows_an_element_a_field() {
        let text = format!(
            "\u{feff}<?xml version=\"1.0\"?>\n<p:Personer xmlns:p=\"{NAMESPACE}\"><!-- to --><p:Person><p:CPRnummer>6101801234</p:CPRnummer>\
             <p:Fornavne>\u{c5}<![CDATA[s]]>e</p:Fornavne><p:Telefon/></p:Person>\n<p:Person><p:Fornavne>Bo &amp; Ib</p:Fornavne><p:Navn>x</p:Navn>\
             <p:Fornavne>x</p:Fornavne></p:Person></p:Personer>"
        );
        let rows = read(text.as_bytes()).unwrap();
        assert_eq!(read_as(&rows), [of(1, "Åse"), (2, Some("Bo & Ib".to_owned()), vec!["PER001", "PER021"])]);
        assert_eq!((rows[0].cell(Field::Telefon), rows[1].cell(Field::Telefon)), (Some(""), None));
    }

    #[test]
    fn in_xml_a_person_with_elements_in_a_field_or_text_between_fields_spoils_no_other() {
        let bad = "<Person><Fornavne>a<b>c<d/></b></Fornavne><Efternavn>e<f/></Efternavn></Person><Person>x<Fornavne>Bo</Fornavne>y</Person>";
        let good = "<Person><Fornavne>Ib</Fornavne></Person>";
        let rows = read(format!("<Personer xmlns=\"{NAMESPACE}\">{good}{bad}{good}</Personer>").as_bytes()).unwrap();
        let codes: Vec<_> = read_as(&rows).into_iter().map(|(_, _, codes)| codes).collect();
        assert_eq!(codes, [vec![], vec!["PER020"], vec!["PER020"], vec![]]);
    }

    #[test]
    fn in_xml_a_person_who_is_too_long_spoils_no_other() {
        let long = "x".repeat(100_000);
        let one_text = format!("<Person><Fornavne>{long}</Fornavne><Efternavn>Y</Efternavn></Person>");
        let many_texts = format!("<Person><Fornavne>{}</Fornavne></Person>", "a<!-- -->".repeat(20_000));
        let many_fields = format!("<Person>{}</Person>", "<Fornavne>a</Fornavne>".repeat(10_000));
        let good = "<Person><Fornavne>Ib</Fornavne></Person>";
        let file = format!("<Personer xmlns=\"{NAMESPACE}\">{good}{one_text}{good}{many_texts}{many_fields}{good}</Personer>");
        let rows = read(file.as_bytes()).unwrap();
        let told = read_as(&rows);
        let codes: Vec<_> = told.iter().map(|(_, _, codes)| codes.contains(&"PER020")).collect();
        assert_eq!(codes, [false, true, false, true, true, false]);
        assert!(told.iter().all(|(_, name, _)| name.as_deref().is_none_or(|name| name.len() as u64 <= LONGEST)));
    }

    #[test]
    fn xml_that_is_something_else_is_refused_and_what_came_before_holds() {
        let person = "<Person><Fornavne>Bo</Fornavne></Person>";
        let wrapped = |inner: &str| format!("<Personer xmlns=\"{NAMESPACE}\">{inner}</Personer>");
        for (text, before) in [
            (wrapped("<Andet/>"), 0),
            (format!("<Personer>{person}</Personer>"), 0),
            (format!("<Person xmlns=\"{NAMESPACE}\"/>"), 0),
            (wrapped(&format!("{person}tekst{person}")), 1),
            (wrapped(person).replace("</Personer>", ""), 1),
            (format!("<!DOCTYPE x>{}", wrapped(person)), 0),
            (wrapped(&format!("{person}<Person><Fornavne>{}</Fornavne></Person>", "x".repeat(LONGEST_TOKEN + 1))), 1),
        ] {
            let mut rows = Rows::open(text.as_bytes()).unwrap();
            let mut seen = 0;
            let error = loop {
                match rows.next_row() {
                    Ok(Some(_)) => seen += 1,
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            assert!(error.is_some() && seen == before, "{seen} {error:?} {}", text.chars().take(200).collect::<String>());
        }
    }
}
