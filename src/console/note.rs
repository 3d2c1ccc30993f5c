//! What came of a form, at the head of the page that it leads back to.

use http::StatusCode;

use super::session::Visit;
use crate::api::problem::Language;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::refusal::console::ConsoleRefusal;

/// What came of a form.
#[derive(Debug)]
#[allow(missing_docs)] // the names say it
pub enum Note {
    Done,
    /// What it was about is another than the one that was shown; nothing was done.
    Changed,
    /// It may not be; nothing was done. What is wrong, and what to do.
    Refused(String, String),
}

impl Note {
    /// A refusal that the page says beside what was written; `labels` names the form's fields as the page does. None: the refusal is
    /// a page of its own.
    pub fn of(visit: &Visit, refusal: &ApiRefusal, labels: &[(&str, &'static str, &'static str)]) -> Option<Self> {
        let entry = match refusal {
            ApiRefusal::ApiFieldInvalid { field, what } => {
                let label = labels.iter().find(|(name, ..)| name == field);
                let field = label.map_or_else(|| Detail::name(field), |(_, da, en)| Detail::new(*da, *en));
                ConsoleRefusal::ConsoleField { field, what: what.clone() }.entry()
            }
            ApiRefusal::ApiConflict { .. }
            | ApiRefusal::ApiAddressRefused { .. }
            | ApiRefusal::ApiOtherParty
            | ApiRefusal::ApiTransition { .. }
            | ApiRefusal::ApiImporterPublishes { .. }
            | ApiRefusal::ApiImporterUnknown => refusal.entry(),
            _ => return None,
        };
        let text = if visit.asked.language == Language::English { entry.en } else { entry.da };
        Some(Self::Refused(text.what, text.remedy))
    }

    /// The status of the page with it.
    pub fn status(note: Option<&Self>) -> StatusCode {
        match note {
            None | Some(Self::Done) => StatusCode::OK,
            Some(Self::Changed | Self::Refused(..)) => StatusCode::CONFLICT,
        }
    }
}
