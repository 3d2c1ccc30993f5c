//! A stream whose files are XML, judged by an XML Schema that stands in the agreement: what both parties signed is what judges, on
//! every node.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::validate::Remark;
use crate::files::content::{Content, Passing};
use crate::refusal::{Detail, Refusal};
use crate::schema::compile::Schema;
use crate::schema::expansion::bounded;
use crate::schema::file::validating;
use crate::schema::source::Sources;
use crate::schema::violation::Violations;
use crate::soap::pieces::{Pieces, Unread};
use crate::soap::strict::Limits;

/// The most documents of one schema, and bytes of all of them.
const DOCUMENTS: usize = 50;
const BYTES: usize = 512 * 1024;
/// The longest part that is read by itself, in bytes.
const LONGEST_PART: usize = 4 * 1024 * 1024;

/// The schema, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BySchema {
    /// The namespace of the root element; empty: none.
    #[serde(default)]
    pub namespace: String,
    /// The root element, by its local name.
    pub root: String,
    /// A child of the root, of the same namespace, that a file may have any number of. Each is read by itself, so that a file may be
    /// larger than memory; left out: the whole is read at once, and has at most 4 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeated: Option<String>,
    /// The document that has the root, by its path.
    pub entry: String,
    /// The documents, by their paths, as they include and import each other.
    pub documents: BTreeMap<String, String>,
}

/// What of the schema cannot be.
fn unusable(da: impl Into<String>, en: impl Into<String>) -> Detail {
    Detail::new(da.into(), en.into())
}

impl BySchema {
    fn sources(&self) -> Arc<Sources> {
        let mut sources = Sources::default();
        for (path, text) in &self.documents {
            sources.add(path, text.as_str());
        }
        Arc::new(sources)
    }

    /// Whether it can judge: it compiles, and has the root.
    ///
    /// # Errors
    /// What it must be.
    pub fn sound(&self) -> Result<(), Detail> {
        let bytes: usize = self.documents.iter().map(|(path, text)| path.len() + text.len()).sum();
        if self.documents.is_empty() || self.documents.len() > DOCUMENTS || bytes > BYTES {
            return Err(unusable(
                format!("skemaet har 1 til {DOCUMENTS} dokumenter på højst {BYTES} bytes i alt"),
                format!("the schema has 1 to {DOCUMENTS} documents of {BYTES} bytes at most in all"),
            ));
        }
        let sources = self.sources();
        bounded(&sources).map_err(|problem| {
            let (da, en) = ("skemaet fylder for meget, når det oversættes, eller er ikke XML uden DTD", problem.to_string());
            unusable(format!("{da} ({})", problem.file), en)
        })?;
        let (_, inspected) = Schema::inspected(sources, [self.entry.clone()]).map_err(|problems| {
            let place = problems.first().map_or(String::new(), |problem| match problem.line {
                Some(line) => format!("{}, linje {line}", problem.file),
                None => problem.file.clone(),
            });
            let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
            unusable(format!("skemaet kan ikke bruges ({place}); ret det, og prøv igen"), told.join(" "))
        })?;
        if !inspected.declares(&self.namespace, &self.root) {
            return Err(unusable("skemaet har ikke det rodelement", "the schema does not declare that root element"));
        }
        Ok(())
    }

    /// Judges a content, on a thread that may block.
    ///
    /// # Errors
    /// It cannot be read now.
    pub fn judge(&self, content: &Content) -> Result<Vec<Remark>, Passing> {
        let (sources, passing) = (self.sources(), |_| Passing("its schema does not compile".to_owned()));
        // Also one that was agreed before schemas were counted.
        bounded(&sources).map_err(|_| Passing("its schema becomes too large".to_owned()))?;
        let schema = Schema::new(sources, [self.entry.clone()]).map_err(passing)?;
        // Broken: once more, slower, to say what was expected where.
        let judged = match self.read(&schema, content, false) {
            Ok(None) => self.read(&schema, content, true),
            judged => judged,
        };
        match judged {
            Ok(Some(violations)) if violations.count == 0 => Ok(Vec::new()),
            Ok(Some(violations)) => Ok(vec![broken(&violations)]),
            Ok(None) | Err(Unread::Content(Refusal::Internal)) => {
                Err(Passing("the schema's validator gave no verdict".to_owned()))
            }
            Err(Unread::Content(refusal)) => Ok(vec![unread(&refusal)]),
            Err(Unread::File(error)) => Err(Passing(error.to_string())),
        }
    }

    /// What is wrong; `None`: something is, and it was not asked what.
    fn read(&self, schema: &Schema, content: &Content, explain: bool) -> Result<Option<Violations>, Unread> {
        let limits = Limits { nodes: 200_000, ..Limits::default() };
        // No element is called so: then the whole is one part.
        let part = (self.namespace.as_str(), self.repeated.as_deref().unwrap_or("-"));
        let mut pieces = Pieces::new(content.open()?, part, limits, LONGEST_PART);
        validating(schema, (self.namespace.as_str(), self.root.as_str()), explain, |mut judged| {
            while let Some(piece) = pieces.next_piece()? {
                if !judged.take(&piece)? && !explain {
                    return Ok(None);
                }
            }
            match judged.finish() {
                Ok(()) => Ok(Some(Violations::default())),
                Err(_) if !explain => Ok(None),
                Err(violations) => Ok(Some(violations)),
            }
        })
        .map_err(|_| Refusal::Internal)?
    }
}

fn remark(code: &str, da: String, en: String) -> Remark {
    Remark {
        code: code.to_owned(),
        da,
        en,
        remedy_da: "Ret filen i det afleverende system efter skemaet i partneraftalen, og aflever den igen med et nyt id.".to_owned(),
        remedy_en: "Correct the file in the delivering system by the schema in the partner agreement, and deliver it again under a new id."
            .to_owned(),
    }
}

fn broken(violations: &Violations) -> Remark {
    let places = violations.detail();
    remark(
        "VP020",
        format!("Filen følger ikke skemaet: {}.", places.da()),
        format!("The file is not as its schema says: {}.", places.en()),
    )
}

fn unread(refusal: &Refusal) -> Remark {
    let entry = refusal.entry();
    remark("VP021", format!("Filen kan ikke læses: {}", entry.da.what), format!("The file cannot be read: {}", entry.en.what))
}
