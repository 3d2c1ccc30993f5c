//! A table of persons.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::{FileError, LONGEST, PIECE, Row, content};
use crate::persons::field::Field;
use crate::refusal::Detail;

/// The most columns that are looked at.
const MOST_COLUMNS: usize = 500;

/// What a column holds.
enum Column {
    Field(Field),
    Unknown(String),
    /// Without a name: what spreadsheets write of columns that once held something.
    Nothing,
}

pub(super) struct Csv<R: Read> {
    reader: Reader<R>,
    allowed: Arc<AtomicU64>,
    columns: Vec<Column>,
    record: ByteRecord,
    rows: u64,
}

impl<R: Read> Csv<R> {
    pub(super) fn new(file: R, delimiter: u8, allowed: Arc<AtomicU64>) -> Result<Self, FileError> {
        let reader =
            ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).buffer_capacity(PIECE).from_reader(file);
        let mut this = Self { reader, allowed, columns: Vec::new(), record: ByteRecord::new(), rows: 0 };
        this.read()?;
        let column = |name: &[u8]| {
            let name = std::str::from_utf8(name).ok()?.trim();
            Some(match Field::named(name) {
                Some(field) => Column::Field(field),
                None if name.is_empty() => Column::Nothing,
                None => Column::Unknown(name.to_owned()),
            })
        };
        let columns: Option<Vec<Column>> = this.record.iter().map(column).collect();
        this.columns = columns.ok_or_else(|| content("filen er ikke i UTF-8", "the file is not in UTF-8"))?;
        if this.columns.len() > MOST_COLUMNS {
            return Err(content(
                format!("filen har flere end {MOST_COLUMNS} kolonner"),
                format!("the file has more than {MOST_COLUMNS} columns"),
            ));
        }
        if !this.columns.iter().any(|column| matches!(column, Column::Field(_))) {
            return Err(content(
                "den første linje navngiver ingen felter; skriv kontraktens feltnavne dér, fx CPRnummer",
                "the first line names no fields; write the contract's names there, such as CPRnummer",
            ));
        }
        Ok(this)
    }

    fn read(&mut self) -> Result<bool, FileError> {
        self.allowed.store(self.reader.position().byte() + LONGEST + PIECE as u64, Ordering::Relaxed);
        self.reader.read_byte_record(&mut self.record).map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
                let (row, kib) = (self.rows + 1, LONGEST / 1024);
                content(
                    format!("række {row} er længere end {kib} KiB; mangler et anførselstegn?"),
                    format!("row {row} is longer than {kib} KiB; is a quotation mark missing?"),
                )
            }
            csv::ErrorKind::Io(error) => FileError::Io(error),
            _ => content("filen er ikke CSV", "the file is no CSV"),
        })
    }

    pub(super) fn next_row(&mut self) -> Result<Option<Row>, FileError> {
        loop {
            if !self.read()? {
                return Ok(None);
            }
            if self.record.iter().all(|cell| cell.trim_ascii().is_empty()) {
                continue;
            }
            self.rows += 1;
            return Ok(Some(self.row()));
        }
    }

    fn row(&self) -> Row {
        let mut row = Row::new(self.rows);
        if let Some(what) = self.broken() {
            row.broken(what);
            return row;
        }
        for (column, cell) in self.columns.iter().zip(&self.record) {
            let cell = std::str::from_utf8(cell).unwrap_or_default();
            match column {
                Column::Field(field) => row.give_field(*field, cell),
                Column::Unknown(name) => row.unknown(name),
                Column::Nothing if cell.trim().is_empty() => {}
                Column::Nothing => row.unknown(""),
            }
        }
        row
    }

    fn broken(&self) -> Option<Detail> {
        let (cells, columns) = (self.record.len(), self.columns.len());
        let more_are_empty = self.record.iter().skip(columns).all(<[u8]>::is_empty);
        match () {
            () if cells < columns || !more_are_empty => Some(Detail::new(
                format!("den har {cells} celler, og overskriften har {columns}"),
                format!("it has {cells} cells, and the header has {columns}"),
            )),
            () if self.record.iter().any(|cell| std::str::from_utf8(cell).is_err()) => {
                Some(Detail::new("den er ikke i UTF-8", "it is not in UTF-8"))
            }
            () => None,
        }
    }
}
