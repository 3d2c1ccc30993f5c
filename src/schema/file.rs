//! A document that is read piece by piece: what is kept is a piece and the validator's own place in the content model.

use std::panic::{AssertUnwindSafe, catch_unwind};

use xsd_schema::validation::SchemaValidator;

use super::compile::{Compiled, Schema};
use super::drive::{self, Drive, Open};
use super::pool::{NoVerdict, validator};
use super::violation::Violations;
use crate::refusal::Refusal;
use crate::soap::document::Document;
use crate::soap::strict::too_complex;

/// How many names a document may use that the schema does not have, prefixes included: the library keeps each.
const NAMES: usize = 50_000;

/// A validator of one document.
pub struct Pieces<'v> {
    compiled: &'v Compiled,
    validator: &'v SchemaValidator<'v>,
    root: (&'v str, &'v str),
    explain: bool,
    begun: Option<(Drive<'v, 'v>, Open)>,
    other: Option<Violations>,
}

/// Lends a validator of one document, whose root must be the schema's element of the name `root`. `explain` makes it say what
/// was expected where something is wrong, which is slow. It works on the thread that asks.
///
/// # Errors
/// [`NoVerdict`] where the validator fails.
pub fn validating<T>(
    schema: &Schema,
    root: (&str, &str),
    explain: bool,
    work: impl FnOnce(Pieces<'_>) -> T,
) -> Result<T, NoVerdict> {
    let judge = || {
        let compiled = schema.compile().map_err(|_| NoVerdict)?;
        let validator = validator(&compiled);
        Ok(work(Pieces { compiled: &compiled, validator: &validator, root, explain, begun: None, other: None }))
    };
    catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(|_| {
        tracing::error!("the schema validator panicked; its document is refused");
        Err(NoVerdict)
    })
}

impl Pieces<'_> {
    /// Takes the next piece; whether nothing was wrong so far.
    ///
    /// # Errors
    /// `XmlTooComplex`.
    pub fn take(&mut self, piece: &Document) -> Result<bool, Refusal> {
        if self.begun.is_none() {
            self.other = drive::other_root(piece.root(), self.root);
            let mut drive = Drive::new(self.compiled, self.validator, piece.root(), self.explain);
            let open = drive.begin(piece.root());
            self.begun = Some((drive, open));
        }
        let Some((drive, open)) = &mut self.begun else { return Err(Refusal::Internal) };
        drive.content(piece.root(), open);
        let clean = drive.is_clean() && self.other.is_none();
        let used = self.compiled.set.name_table.len().saturating_sub(self.compiled.names);
        if used > NAMES {
            return Err(too_complex("antallet af navne, som skemaet ikke har", "names that the schema does not have", NAMES));
        }
        Ok(clean)
    }

    /// The verdict, once the last piece was taken.
    ///
    /// # Errors
    /// What is wrong with the document.
    pub fn finish(self) -> Result<(), Violations> {
        if let Some(other) = self.other {
            return Err(other);
        }
        let Some((mut drive, open)) = self.begun else { return Err(Violations::default()) };
        drive.end(&open);
        drive.finish()
    }
}
