//! What `[service.NAME]` says of a pass-through service: its folder, and what depends on the installation.

use std::path::Path;
use std::time::Duration;

use super::deliveries::Rules;
use super::folder::{self, Folder};
use super::wsdl::Security;
use crate::config::reader::Reader;
use crate::config::{Binding, Offer, Reach, service};
use crate::schema::source::Problem;

/// The section of a pass-through service, and its folder.
#[derive(Debug)]
pub struct Offered {
    /// The folder, loaded whole.
    pub folder: Folder,
    /// Where and as what it is offered: what `service.toml` says.
    pub offer: Offer,
    /// How deliveries are remembered.
    pub deliveries: Rules,
    /// How each provider is reached, whose address and certificates the routes give.
    pub reach: Reach,
}

/// A problem in the folder as one of the configuration's: the line of `folder` leads to the file and line in it.
fn told(folder: &Path, problem: &Problem) -> String {
    let Problem { file, line, what, remedy } = problem;
    let line = line.map_or_else(String::new, |line| format!(":{line}"));
    let (what, remedy) = (what.trim_end_matches('.'), remedy.trim_end_matches('.'));
    format!("{}{line}: {what}; {}", folder.join(file).display(), lower_first(remedy))
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
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
    let path = section.directory("folder")?;
    let folder = match folder::load(&path) {
        Ok(folder) => folder,
        Err(problems) => {
            problems.iter().for_each(|problem| section.problem_at("folder", told(&path, problem)));
            return None;
        }
    };
    for warning in &folder.warnings {
        section.warning_at("folder", told(&path, warning));
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
    Some(Offered { folder, offer, deliveries: deliveries?, reach: reach? })
}
