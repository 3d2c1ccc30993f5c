//! What `[service.NAME]` says of a pass-through service: its folder, and what depends on the installation.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::deliveries::Rules;
use super::folder::{self, Folder};
use super::wsdl::Security;
use crate::agreements::basis::Contract;
use crate::config::reader::Reader;
use crate::config::{Binding, Offer, Reach, service};
use crate::schema::source::Problem;

/// The section of a pass-through service, and its folder.
#[derive(Debug)]
pub struct Offered {
    /// The folder, loaded whole.
    pub folder: Folder,
    /// The folder that is to take its place: what new agreements are approved under, so that nobody is refused on the day.
    pub next: Option<Folder>,
    /// Where and as what it is offered: what `service.toml` says.
    pub offer: Offer,
    /// How deliveries are remembered.
    pub deliveries: Rules,
    /// How each provider is reached, whose address and certificates the routes give.
    pub reach: Reach,
}

impl Offered {
    /// The contract in force.
    pub fn contract(&self) -> Contract {
        contract_of(&self.folder)
    }

    /// The contract that new agreements are approved under: the next one where there is one that lets all pass that passes now.
    pub fn approved(&self) -> Contract {
        let now = self.contract();
        let next = self.next.as_ref().map(contract_of).filter(|next| now.meaning.beyond(&next.meaning, None).is_empty());
        next.unwrap_or(now)
    }
}

fn contract_of(folder: &Folder) -> Contract {
    Contract { digest: folder.digest(), meaning: Arc::new(folder.meaning()) }
}

/// A problem in the folder as one of the configuration's: the line of `folder` leads to the file and line in it.
fn describe(folder: &Path, problem: &Problem) -> String {
    let Problem { file, line, what, remedy } = problem;
    let line = line.map_or_else(String::new, |line| format!(":{line}"));
    let (what, remedy) = (what.trim_end_matches('.'), remedy.trim_end_matches('.'));
    format!("{}{line}: {what}; {}", folder.join(file).display(), lower_first(remedy))
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

fn load(section: &mut Reader<'_>, key: &'static str) -> Option<(PathBuf, Folder)> {
    let path = section.directory(key)?;
    match folder::load(&path) {
        Ok(folder) => Some((path, folder)),
        Err(problems) => {
            problems.iter().for_each(|problem| section.problem_at(key, describe(&path, problem)));
            None
        }
    }
}

/// Reads the section and the folder that it names.
pub(crate) fn read(section: &mut Reader<'_>) -> Option<Offered> {
    let sender_fault_status = service::sender_fault_status(section);
    let terms = service::terms(section);
    let reach = Reach::read(section, crate::config::peer::A_PROVIDER);
    let deliveries = section.section("deliveries", |section| {
        let days = |days: u64| Duration::from_secs(days * 24 * 3600);
        let keep = section.number("days", 40, 1..=400);
        let keep_items = section.number("accepted_days", 400, 1..=4_000);
        let wait = section.duration("wait", Duration::from_secs(10), Duration::ZERO..=Duration::from_secs(60));
        let whatever_came = section.choice("other_content", Some(false), &[("refuse", false), ("same-receipt", true)]);
        let (keep, keep_items) = (days(keep?), days(keep_items?));
        Some(Rules { keep, keep_items: keep_items.max(keep), wait: wait?, whatever_came: whatever_came? })
    });
    let next = if section.has_any(&["next_folder"]) { Some(load(section, "next_folder")?.1) } else { None };
    let (path, folder) = load(section, "folder")?;
    for warning in &folder.warnings {
        section.warning_at("folder", describe(&path, warning));
    }
    let binding = |security: Security| match security {
        Security::Token => Binding::Token,
        Security::AuthorityContext => Binding::AuthorityContext,
    };
    let offer = Offer {
        entity_id: folder.settings.entity_id.clone(),
        service_uuid: folder.settings.uuid,
        path: folder.settings.path.clone(),
        bindings: folder.contracts.iter().map(|contract| binding(contract.security)).collect(),
        sender_fault_status: sender_fault_status?,
        terms: terms?,
    };
    if folder.settings.idempotency.is_empty() && section.has_any(&["deliveries"]) {
        section.problem_at(
            "deliveries",
            "is given, and the service names no path of an id (paths.idempotency in its service.toml), so nothing is remembered; remove it"
                .to_owned(),
        );
    }
    Some(Offered { folder, next, offer, deliveries: deliveries?, reach: reach? })
}
