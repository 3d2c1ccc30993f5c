//! One person as it was given, before anything is judged.

use std::fmt;

use zeroize::Zeroize;

use super::answer::Remark;
use super::codes::{Code, sayable};
use super::field::{FIELDS, Field, Kind};
use crate::refusal::Detail;

/// How many fields of a row that are not known are told.
const MOST_UNKNOWN: usize = 20;

/// One person as it was given: of each field nothing, or a text, which may be empty. White space around a text is none of it.
///
/// It cannot be printed, serialised or copied, and forgets its CPR numbers when it goes.
pub struct Row {
    pub(super) number: u64,
    pub(super) cells: [Option<String>; FIELDS],
    /// What is wrong with the row itself.
    pub(super) errors: Vec<Remark>,
}

impl Row {
    /// The `number`-th person of a request, from 1, of which nothing is given yet.
    pub fn new(number: u64) -> Self {
        Self { number, cells: Default::default(), errors: Vec::new() }
    }

    /// Which person of the request it is.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Takes a field by its name in the contract. A name that is not known, and one that comes twice, are errors of the person.
    /// What says "no value" (JSON's null, an empty element, an empty cell) is an empty text.
    pub fn give(&mut self, name: &str, value: &str) {
        match Field::named(name) {
            Some(field) => self.give_field(field, value),
            None => self.unknown(name),
        }
    }

    /// Takes a field.
    pub fn give_field(&mut self, field: Field, value: &str) {
        match self.cells.get_mut(field.index()) {
            Some(cell @ None) => *cell = Some(value.trim().to_owned()),
            _ => {
                if !self.errors.iter().any(|known| known.field == field.name()) {
                    self.errors.push(Remark::of(field, Code::PER021));
                }
            }
        }
    }

    /// Says that what was given for a field is no text, such as a number in JSON; nothing is taken of it.
    pub fn no_text(&mut self, name: &str) {
        match Field::named(name) {
            Some(field) if !self.errors.iter().any(|known| known.field == field.name()) => {
                self.errors.push(Remark::of(field, Code::PER023));
            }
            Some(_) => {}
            None => self.unknown(name),
        }
    }

    pub(super) fn unknown(&mut self, name: &str) {
        if self.errors.len() < MOST_UNKNOWN {
            self.errors.push(Remark { field: "", code: Code::PER001 { name: sayable(name) } });
        }
    }

    /// Says that the row cannot be read as a whole, and why; nothing of its content may stand in `what`.
    pub fn broken(&mut self, what: Detail) {
        // Said once, however often it is so.
        if !self.errors.iter().any(|known| matches!(known.code, Code::PER020 { .. })) {
            self.errors.push(Remark { field: "", code: Code::PER020 { what } });
        }
    }

    /// Whether nothing at all is given: what a spreadsheet writes below its last row.
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty() && self.cells.iter().flatten().all(String::is_empty)
    }

    pub(super) fn cell(&self, field: Field) -> Option<&str> {
        self.cells.get(field.index())?.as_deref()
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Row({})", self.number)
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        for field in Field::ALL {
            if field.spec().kind == Kind::Cpr
                && let Some(Some(cell)) = self.cells.get_mut(field.index())
            {
                cell.zeroize();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_nothing_of_the_person_and_tells_names_that_it_does_not_know() {
        let mut row = Row::new(3);
        row.give("CPRnummer", " 6101801234 ");
        row.give("Fornavne", "Åse");
        row.give("Fornavn", "Åse");
        row.give("6101801234", "x");
        row.give("Fornavne", "Bo");
        row.give("Fornavne", "Bo");
        assert_eq!((format!("{row:?}"), row.cell(Field::CPRnummer)), ("Row(3)".to_owned(), Some("6101801234")));
        let named = |name: &str| Remark { field: "", code: Code::PER001 { name: name.to_owned() } };
        assert_eq!(row.errors, [named("Fornavn"), named("?"), Remark::of(Field::Fornavne, Code::PER021)]);
        assert!(Row::new(1).is_empty() && !row.is_empty());
    }
}
