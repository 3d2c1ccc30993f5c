//! Persons as XML, read by the scanner that reads messages: no DTD, no entity, every bound kept.

use std::io::Read;

use super::{FileError, LONGEST, LONGEST_TOKEN, NAMESPACE, PIECE, Row, content};
use crate::refusal::Detail;
use crate::soap::reading::Reading;
use crate::soap::scan::{End, Scanner};
use crate::soap::strict::{Limits, Token};

/// Where the reader stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before the root.
    Ahead,
    Root,
    Person,
    Field,
    /// Behind the root.
    Behind,
}

pub(super) struct Xml<R> {
    file: R,
    scanner: Scanner,
    piece: Vec<u8>,
    at: At,
    row: Row,
    /// Where the person begins, in bytes.
    from: usize,
    name: String,
    text: String,
    /// How many elements are open within the field.
    within: usize,
    /// Whether the field is longer than a person may be: no more of it is kept, and it is not given.
    is_cut: bool,
}

impl<R: Read> Xml<R> {
    pub(super) fn new(file: R) -> Self {
        let limits = Limits { depth: 8, nodes: usize::MAX, text: LONGEST_TOKEN, ..Limits::default() };
        Self {
            file,
            scanner: Scanner::new(limits),
            piece: vec![0; PIECE],
            at: At::Ahead,
            row: Row::new(0),
            from: 0,
            name: String::new(),
            text: String::new(),
            within: 0,
            is_cut: false,
        }
    }

    pub(super) fn next_row(&mut self) -> Result<Option<Row>, FileError> {
        loop {
            let token = self.scanner.next().map_err(|refusal| {
                let entry = refusal.entry();
                content(entry.da.what, entry.en.what)
            })?;
            let Some(token) = token else {
                self.fill()?;
                continue;
            };
            match token {
                Token::Start => self.start()?,
                Token::Empty => {
                    self.start()?;
                    if let Some(row) = self.end() {
                        return Ok(Some(row));
                    }
                }
                Token::End => {
                    if let Some(row) = self.end() {
                        return Ok(Some(row));
                    }
                }
                Token::Text | Token::CData | Token::Leaf => match self.at {
                    At::Field => match (self.text.len() + self.scanner.text().len()) as u64 > LONGEST {
                        true => self.is_cut = true,
                        false => self.text.push_str(self.scanner.text()),
                    },
                    _ if self.scanner.text().trim_ascii().is_empty() => {}
                    At::Person => {
                        self.row.broken(Detail::new("der står tekst mellem felterne", "there is text between the fields"))
                    }
                    _ => return Err(content("der står tekst uden for felterne", "there is text outside the fields")),
                },
                Token::Comment | Token::Nothing => {}
                Token::Eof => return Ok(None),
            }
            if matches!(self.at, At::Person | At::Field) && self.scanner.range().end.saturating_sub(self.from) as u64 > LONGEST {
                // That person alone is refused; what more comes of it is read past.
                let kib = LONGEST / 1024;
                self.row.broken(Detail::new(
                    format!("personen er længere end {kib} KiB"),
                    format!("the person is longer than {kib} KiB"),
                ));
            }
        }
    }

    fn fill(&mut self) -> Result<(), FileError> {
        match self.file.read(&mut self.piece) {
            Ok(0) => self.scanner.finish(End::Whole),
            Ok(read) => self.scanner.take(self.piece.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(FileError::Io(error)),
        }
        Ok(())
    }

    fn start(&mut self) -> Result<(), FileError> {
        let ours = self.scanner.uris().get(self.scanner.uri()) == NAMESPACE;
        let local = self.scanner.local();
        self.at = match (self.at, local) {
            (At::Ahead, "Personer") if ours => At::Root,
            (At::Root, "Person") if ours => {
                self.row = Row::new(self.row.number() + 1);
                self.from = self.scanner.range().start;
                At::Person
            }
            (At::Person, _) => {
                // What is of another namespace is no field, whatever it is called.
                self.name = if ours { local.to_owned() } else { format!("{local}?") };
                self.text.clear();
                self.is_cut = false;
                At::Field
            }
            // That person alone is refused.
            (At::Field, _) => {
                self.row.broken(Detail::new("et felt har elementer i sig", "a field has elements in it"));
                self.within += 1;
                At::Field
            }
            _ => {
                return Err(content(
                    format!("filen er ikke Personer med Person i navnerummet {NAMESPACE}"),
                    format!("the file is not Personer with Person in the namespace {NAMESPACE}"),
                ));
            }
        };
        Ok(())
    }

    /// Ends the innermost element, and gives the person where it is one.
    fn end(&mut self) -> Option<Row> {
        match self.at {
            At::Field if self.within > 0 => self.within -= 1,
            At::Field => {
                if !self.is_cut {
                    self.row.give(&self.name, &self.text);
                }
                self.at = At::Person;
            }
            At::Person => {
                self.at = At::Root;
                let next = Row::new(self.row.number());
                return Some(std::mem::replace(&mut self.row, next));
            }
            At::Root => self.at = At::Behind,
            At::Ahead | At::Behind => {}
        }
        None
    }
}
