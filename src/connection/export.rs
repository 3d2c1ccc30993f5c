//! The tasks of connections as a table for spreadsheets. No cell is a formula, whatever stands in it.

use std::io;

use super::shown::{Names, View};
use crate::text::cell;

const COLUMNS: [&str; 21] = [
    "connection",
    "graph",
    "service",
    "environment",
    "authority",
    "client",
    "receiver",
    "receiver_authority",
    "task",
    "text_da",
    "text_en",
    "whose",
    "responsible",
    "performer",
    "state",
    "since",
    "waits_for",
    "person",
    "due",
    "wave",
    "reference",
];

/// A table that is written some connections at a time.
pub struct Table<W: io::Write>(csv::Writer<W>);

impl<W: io::Write> Table<W> {
    /// Begins it, with the names of the columns.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn begun(out: W) -> io::Result<Self> {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        writer.write_record(COLUMNS)?;
        Ok(Self(writer))
    }

    /// Writes a line a task; those that a connection does not need too.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn add(&mut self, views: &[View], names: &Names) -> io::Result<()> {
        for view in views {
            self.rows(view, names)?;
        }
        self.0.flush()
    }

    fn rows(&mut self, view: &View, names: &Names) -> io::Result<()> {
        let connection = &view.connection;
        for shown in &view.tasks {
            let task = shown.task;
            let references: Vec<&str> = shown.statements.iter().map(|said| said.reference.as_str()).collect();
            let given = shown.assignment();
            let row: [String; 21] = [
                connection.id.to_string(),
                connection.graph.clone(),
                connection.service.to_string(),
                connection.environment.to_string(),
                connection.authority.to_string(),
                connection.client.to_string(),
                connection.receiver.map(|receiver| receiver.to_string()).unwrap_or_default(),
                connection.receiver_authority.to_string(),
                task.id.clone(),
                task.text.da().to_owned(),
                task.text.en().to_owned(),
                shown.whose.to_string(),
                task.responsible.to_string(),
                task.performer.to_string(),
                shown.standing.state.name().to_owned(),
                shown.standing.since.map(|since| since.to_string()).unwrap_or_default(),
                view.waits(shown).join(" "),
                given.person.map(|person| names.user(person)).unwrap_or_default(),
                given.due.map(|due| due.to_string()).unwrap_or_default(),
                given.wave.map(|wave| wave.to_string()).unwrap_or_default(),
                references.join("; "),
            ];
            self.0.write_record(row.iter().map(|text| cell(text)))?;
        }
        Ok(())
    }
}
