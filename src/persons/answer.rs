//! What is answered on each person, and the same as a file.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};

use super::codes::Code;
use super::field::Field;

/// What became of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It is new.
    Created,
    /// It was there, and something of it is another now.
    Updated,
    /// It was there as it was given; nothing is handed on.
    Unchanged,
    /// It was not taken; the errors say why.
    Refused,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Created, Self::Updated, Self::Unchanged, Self::Refused];

    /// Its name in every answer.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "OPRETTET",
            Self::Updated => "OPDATERET",
            Self::Unchanged => "UAENDRET",
            Self::Refused => "AFVIST",
        }
    }
}

/// One error or warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The field, by its name in the contract; empty where it is about the row as a whole.
    pub field: &'static str,
    /// What about it. Its texts: `code.entry().da.what` and `.remedy`, and `.en`.
    pub code: Code,
}

impl Remark {
    pub(super) fn of(field: Field, code: Code) -> Self {
        Self { field: field.name(), code }
    }
}

/// What is answered on one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Which person of the request, from 1, in its order.
    pub row: u64,
    /// What became of it.
    pub status: Status,
    /// The person's running number; none where it was refused.
    pub number: Option<i64>,
    /// With what it was taken all the same, in the order of the fields.
    pub warnings: Vec<Remark>,
    /// Why it was refused, all of it, in the order of the fields.
    pub errors: Vec<Remark>,
}

/// The columns of a result file.
pub const RESULT_COLUMNS: [&str; 10] =
    ["Raekke", "Status", "Loebenummer", "Art", "Felt", "Kode", "Tekst", "Handling", "TekstEngelsk", "HandlingEngelsk"];

/// Answers as a file: UTF-8 with a byte order mark, `;` between cells, as Danish spreadsheets read it. A line for each error and
/// warning, and one for a person without any. No cell is a formula, and none holds a value that was given.
pub struct ResultFile<W: Write>(csv::Writer<W>);

impl<W: Write> ResultFile<W> {
    /// Begins it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all("\u{feff}".as_bytes())?;
        let mut writer = csv::WriterBuilder::new().delimiter(b';').terminator(csv::Terminator::CRLF).from_writer(out);
        writer.write_record(RESULT_COLUMNS)?;
        Ok(Self(writer))
    }

    /// Writes what is answered on one person.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, answer: &Answer) -> io::Result<()> {
        let (row, number) = (answer.row.to_string(), answer.number.map(|number| number.to_string()).unwrap_or_default());
        let told = [("FEJL", &answer.errors), ("ADVARSEL", &answer.warnings)];
        let mut remarks =
            told.into_iter().flat_map(|(kind, remarks)| remarks.iter().map(move |remark| (kind, remark))).peekable();
        if remarks.peek().is_none() {
            self.0.write_record([&row, answer.status.name(), &number, "", "", "", "", "", "", ""])?;
        }
        for (kind, remark) in remarks {
            let entry = remark.code.entry();
            let (da, en) = (&entry.da, &entry.en);
            self.0.write_record([
                &row,
                answer.status.name(),
                &number,
                kind,
                remark.field,
                entry.code,
                &inert(&da.what),
                &inert(&da.remedy),
                &inert(&en.what),
                &inert(&en.remedy),
            ])?;
        }
        Ok(())
    }

    /// Writes it in one line, with the codes of the errors, or of the warnings where there is none, and no texts.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_short(&mut self, answer: &Answer) -> io::Result<()> {
        let (row, number) = (answer.row.to_string(), answer.number.map(|number| number.to_string()).unwrap_or_default());
        let (kind, remarks) = match (answer.errors.as_slice(), answer.warnings.as_slice()) {
            ([], []) => ("", &[][..]),
            ([], warnings) => ("ADVARSEL", warnings),
            (errors, _) => ("FEJL", errors),
        };
        let codes: BTreeSet<&str> = remarks.iter().map(|remark| remark.code.code()).collect();
        let codes = codes.into_iter().collect::<Vec<_>>().join(" ");
        Ok(self.0.write_record([&row, answer.status.name(), &number, kind, "", &codes, "", "", "", ""])?)
    }

    /// Says of how many persons more nothing is listed, `refused` of them not taken.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn left_out(&mut self, more: u64, refused: u64) -> io::Result<()> {
        let da = format!("Listen er fuld: {more} personer mere er besvaret, heraf {refused} AFVIST.");
        let en = format!("The list is full: {more} more persons were answered, {refused} of them AFVIST.");
        let do_da = "Ret det, som listen viser, og send de øvrige personer igen i mindre filer.";
        let do_en = "Mend what the list shows, and send the other persons again in smaller files.";
        Ok(self.0.write_record(["", "", "", "", "", "", &da, do_da, &en, do_en])?)
    }

    /// Hands on what is held back.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    /// Ends it, and gives back what it was written to.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> io::Result<W> {
        self.0.into_inner().map_err(|error| io::Error::other(error.to_string()))
    }
}

/// A text that no spreadsheet takes for a formula.
pub fn inert(text: &str) -> Cow<'_, str> {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Detail;

    #[test]
    fn a_result_file_has_a_line_for_each_remark_and_no_formula() {
        let mut file = ResultFile::new(Vec::new()).unwrap();
        let answer = |row, status, number| Answer { row, status, number, warnings: Vec::new(), errors: Vec::new() };
        file.write(&answer(1, Status::Created, Some(7))).unwrap();
        let form = Detail::new("=1+1", "=1+1");
        let errors =
            vec![Remark::of(Field::Email, Code::PER016), Remark { field: "", code: Code::PER001 { name: "?".to_owned() } }];
        let warnings = vec![Remark::of(Field::Telefon, Code::PER013 { form })];
        file.write(&Answer { errors, warnings, ..answer(2, Status::Refused, None) }).unwrap();
        let text = String::from_utf8(file.finish().unwrap()).unwrap();
        let lines: Vec<_> = text.strip_prefix('\u{feff}').unwrap().split("\r\n").collect();
        assert_eq!(lines[1], "1;OPRETTET;7;;;;;;;");
        assert!(lines[2].starts_with("2;AFVIST;;FEJL;Email;PER016;Feltet er ikke en e-mailadresse.;"), "{text}");
        assert!(lines[4].starts_with("2;AFVIST;;ADVARSEL;Telefon;PER013;"), "{text}");
        assert_eq!((lines.len(), inert("=cmd()").as_ref(), inert("-1").as_ref()), (6, "'=cmd()", "'-1"));
    }
}
