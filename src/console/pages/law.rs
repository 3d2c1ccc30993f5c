//! Law: the policy that a service applies, its rules with what each rests on, the cases that show them, and what each version changed.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use jiff::civil::Date;
use uuid::Uuid;

use crate::clock::{civil_day, copenhagen};
use crate::console::Console;
use crate::console::frame::{Frame, Place, page};
use crate::console::known::Offered;
use crate::console::session::Visit;
use crate::console::stop::Stop;
use crate::refusal::api::ApiRefusal;
use crate::refusal::console::ConsoleRefusal;
use crate::services::terminaladgang::cases;
use crate::services::terminaladgang::law::diff::{Difference, Effect, differences};
use crate::services::terminaladgang::law::document::Policy;
use crate::services::terminaladgang::law::release::Words;
use crate::services::terminaladgang::law::release::catalogue::wire_path;
use crate::services::terminaladgang::law::window::Window;
use crate::services::terminaladgang::policies::{PoliciesError, read_history};

/// In the menu: whoever answers for what passes may read by which rules.
pub const PLACE: Place = Place { href: "/law", name: ("Regler", "Law"), for_whom: |_| true };

pub(super) fn router() -> Router<Console> {
    Router::new().route("/law", get(list)).route("/law/{service}", get(show))
}

#[derive(Template)]
#[template(path = "console/law.html")]
struct LawPage {
    frame: Frame,
    services: Vec<Line>,
}

/// A service, and what its agreements are approved under.
struct Line {
    name: String,
    policy: Option<String>,
    basis: Option<String>,
}

/// The services that the visitor sees.
async fn offered(console: &Console, visit: &Visit) -> Vec<Offered> {
    let own: Vec<Uuid> = visit.actor().scope().services;
    let all = console.known.services().await.into_iter();
    all.filter(|service| own.is_empty() || own.contains(&service.id)).collect()
}

async fn list(State(console): State<Console>, visit: Visit) -> Result<Response, Stop> {
    let frame = visit.frame(&console, "Regler", "Law");
    let services = offered(&console, &visit).await.into_iter().map(|service| Line {
        basis: console.rules.of(service.id).basis,
        policy: service.policy.map(|policy| policy.name),
        name: service.name,
    });
    page(&LawPage { services: services.collect(), frame })
}

#[derive(Template)]
#[template(path = "console/policy.html")]
struct PolicyPage {
    frame: Frame,
    service: String,
    id: String,
    version: String,
    from: Date,
    digest: String,
    legal_basis: String,
    purpose: String,
    window: Option<String>,
    groups: Vec<Group>,
    changelog: Vec<Entry>,
    versions: Vec<(String, Date)>,
    steps: Vec<Step>,
    cases: Vec<(&'static str, Vec<CaseLine>)>,
    cases_hold: bool,
}

/// Rules of one kind.
struct Group {
    id: &'static str,
    name: String,
    rules: Vec<Rule>,
}

/// A rule for a reader.
struct Rule {
    id: String,
    value: String,
    basis: String,
    text: String,
    /// The fields that it is about.
    fields: Vec<String>,
}

struct Entry {
    version: String,
    date: Date,
    text: String,
    widens: Vec<String>,
}

/// From one version to the next.
struct Step {
    from: String,
    to: String,
    differences: Vec<Difference>,
}

struct CaseLine {
    id: String,
    text: String,
    shows: String,
}

/// What stands on the page of a policy, read and put into words.
struct Reader<'f> {
    frame: &'f Frame,
}

impl Reader<'_> {
    fn rule(&self, words: &Words, value: String) -> Rule {
        let basis = match (&words.basis_da, self.frame.english()) {
            (Some(basis), false) => basis,
            _ => &words.basis,
        };
        let text = self.frame.t(&words.da, &words.en).to_owned();
        Rule { id: words.id.clone(), value, basis: basis.clone(), text, fields: Vec::new() }
    }

    fn fields(&self, policy: &Policy, released: bool) -> Vec<Rule> {
        let mut rules: Vec<Rule> = Vec::new();
        for (field, of) in policy.release().fields().filter(|(_, rule)| rule.release == released) {
            if rules.last().is_none_or(|last| last.id != of.words.id) {
                rules.push(self.rule(&of.words, of.form.name().to_owned()));
            }
            if let Some(last) = rules.last_mut() {
                last.fields.push(wire_path(field.path()));
            }
        }
        rules
    }

    fn groups(&self, policy: &Policy) -> Vec<Group> {
        let t = |da: &str, en: &str| self.frame.t(da, en).to_owned();
        let asked = policy.rule_words().map(|words| self.rule(words, policy.asked(&words.id)));
        let searched = policy.criteria().map(|(criterion, words)| self.rule(words, format!("{criterion:?}")));
        let sorted = policy.sorting().map(|(element, words)| self.rule(words, element.as_str().to_owned()));
        let always = || t("altid", "always");
        let removed =
            policy.release().guards().map(|(_, words)| self.rule(words, policy.guarded(&words.id).unwrap_or_else(always)));
        vec![
            Group { id: "asked", name: t("Hvad der kan spørges om", "What may be asked"), rules: asked.collect() },
            Group { id: "searched", name: t("Hvad der kan søges på", "What may be searched on"), rules: searched.collect() },
            Group { id: "sorted", name: t("Hvad der kan sorteres efter", "What may be sorted by"), rules: sorted.collect() },
            Group { id: "released", name: t("Hvad der udleveres", "What is released"), rules: self.fields(policy, true) },
            Group {
                id: "withheld",
                name: t("Hvad der er nævnt, men ikke udleveres", "What is named and not released"),
                rules: self.fields(policy, false),
            },
            Group { id: "removed", name: t("Hvorfor noget fjernes", "Why something is removed"), rules: removed.collect() },
        ]
    }
}

async fn show(State(console): State<Console>, visit: Visit, Path(service): Path<String>) -> Result<Response, Stop> {
    let found = offered(&console, &visit).await.into_iter().find(|offered| offered.name == service);
    let file = found.and_then(|offered| offered.policy).ok_or(ConsoleRefusal::ConsolePageUnknown)?;
    let frame = visit.frame(&console, "En politik", "A policy");
    let now = console.clock.now();
    let history = tokio::task::spawn_blocking(move || read_history(&file.directory, &file.name)).await;
    let history = history.map_err(|_| ApiRefusal::ApiInternal)?.map_err(unread)?;
    let today = civil_day(now).ok_or(ApiRefusal::ApiInternal)?;
    let policy = history.at(today).ok_or_else(|| unread(PoliciesError::NoneInForce))?;
    // Noon, so that the day is the same whatever the offset.
    let zone = copenhagen().ok_or(ApiRefusal::ApiInternal)?;
    let noon = today.at(12, 0, 0, 0).to_zoned(zone).map_err(|_| ApiRefusal::ApiInternal)?.timestamp();
    let said = |da: &str, en: &str| frame.t(da, en).to_owned();
    let steps = history.versions().windows(2).filter_map(|pair| {
        let [old, new] = pair else { return None };
        Some(Step { from: old.version().to_owned(), to: new.version().to_owned(), differences: differences(old, new) })
    });
    let cases = cases::all().iter().map(|file| {
        let line =
            |case: &cases::Case| CaseLine { id: case.id.clone(), text: said(&case.da, &case.en), shows: case.shows.join(", ") };
        (file.name, file.cases.iter().map(line).collect())
    });
    page(&PolicyPage {
        id: policy.id().to_owned(),
        version: policy.version().to_owned(),
        from: policy.valid_from(),
        digest: crate::hex::encode(policy.digest()),
        legal_basis: said(&policy.legal_basis().da, &policy.legal_basis().en),
        purpose: said(&policy.purpose().da, &policy.purpose().en),
        window: Window::at(noon, policy.request().reading).ok().map(|window| window.to_string()),
        groups: Reader { frame: &frame }.groups(policy),
        changelog: policy
            .changelog()
            .iter()
            .map(|change| Entry {
                version: change.version.clone(),
                date: change.date,
                text: said(&change.words.da, &change.words.en),
                widens: change.widens.clone(),
            })
            .collect(),
        versions: history.versions().iter().map(|of| (of.version().to_owned(), of.valid_from())).collect(),
        steps: steps.collect(),
        cases: cases.collect(),
        cases_hold: cases::hold_for(policy),
        service,
        frame,
    })
}

/// The files were in order when the configuration was put in force; what is on the disk now is not.
fn unread(error: PoliciesError) -> Stop {
    tracing::error!(%error, "the policy's files cannot be read");
    ApiRefusal::ApiUnavailable.into()
}
