//! What stands around every page: who is logged on, the menu, the language.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::session::Visit;
use super::stop::Stop;
use super::{Asked, Console, pages};
use crate::api::problem::Language;
use crate::users::Actor;
use crate::users::rights::Role;

/// A place in the menu.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Where it is.
    pub href: &'static str,
    /// What it is called, in Danish and in English.
    pub name: (&'static str, &'static str),
    /// Who sees it.
    pub for_whom: fn(&Actor) -> bool,
}

/// A place in the menu as a page shows it.
#[derive(Debug)]
pub struct Link {
    /// Where it is.
    pub href: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// Whether this page is there.
    pub here: bool,
}

/// Whoever is logged on, as the page names them.
#[derive(Debug)]
#[allow(missing_docs)] // the names say it
pub struct Who {
    pub name: String,
    /// The roles, in words.
    pub roles: String,
    /// The authority or company.
    pub party: Option<String>,
    /// Whether they act for a colleague, by delegation.
    pub acts: bool,
}

/// What stands around a page. Every template has one by the name `frame`.
#[derive(Debug)]
#[allow(missing_docs)] // the names say it
pub struct Frame {
    language: Language,
    /// What the page is called.
    pub title: String,
    /// Whether the common design system's files are there.
    pub designed: bool,
    pub environment: String,
    /// Where the gateway's operators are reached.
    pub contact: Option<String>,
    /// Whoever is logged on.
    pub who: Option<Who>,
    pub menu: Vec<Link>,
    /// What a form brings back, in the field `form_token`.
    pub token: String,
    /// This page in the other language.
    pub other: String,
    zone: TimeZone,
}

impl Frame {
    /// As [`code`].
    pub fn code(&self, name: &str) -> String {
        code(name)
    }

    /// Around a page of this name.
    pub fn of(console: &Console, asked: &Asked, visit: Option<&Visit>, title: &str) -> Self {
        let english = asked.language == Language::English;
        let path = asked.path.split('?').next().unwrap_or("/");
        let actor = visit.map(|visit| &visit.session.actor);
        let shown = actor.into_iter().flat_map(|actor| pages::MENU.iter().filter(|place| (place.for_whom)(actor)));
        let menu = shown.map(|place| Link {
            href: place.href,
            name: if english { place.name.1 } else { place.name.0 },
            here: if place.href == "/" { path == "/" } else { path.starts_with(place.href) },
        });
        let who = actor.map(|actor| Who {
            name: actor.user().name.clone(),
            roles: actor.user().roles.iter().map(|role| role_name(*role, english)).collect::<Vec<_>>().join(", "),
            party: actor.user().party.map(|cvr| cvr.to_string()),
            acts: actor.by_delegation().is_some(),
        });
        Self {
            language: asked.language,
            title: title.to_owned(),
            designed: console.assets.is_there(),
            environment: console.environment.clone(),
            contact: console.contact.clone(),
            who,
            menu: menu.collect(),
            token: visit.map(Visit::form_token).unwrap_or_default(),
            other: in_other_language(&asked.path, english),
            zone: crate::clock::copenhagen().unwrap_or(TimeZone::UTC),
        }
    }

    /// The text in the page's language.
    pub fn t<'t>(&self, da: &'t str, en: &'t str) -> &'t str {
        if self.english() { en } else { da }
    }

    /// Whether the page is in English.
    pub fn english(&self) -> bool {
        self.language == Language::English
    }

    /// The page's language.
    pub fn tag(&self) -> &'static str {
        self.language.tag()
    }

    /// An instant as people read it, in Copenhagen's time.
    pub fn time(&self, at: &Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime(self.t("%d.%m.%Y kl. %H.%M", "%d %b %Y, %H:%M")).to_string()
    }

    /// The same to the second.
    pub fn moment(&self, at: &Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime(self.t("%d.%m.%Y kl. %H.%M.%S", "%d %b %Y, %H:%M:%S")).to_string()
    }

    /// The day of an instant.
    pub fn day(&self, at: &Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime(self.t("%d.%m.%Y", "%d %b %Y")).to_string()
    }

    /// A number with so many decimals.
    pub fn decimal(&self, number: f64, decimals: usize) -> String {
        let told = format!("{number:.decimals$}");
        if self.english() { told } else { told.replace('.', ",") }
    }

    /// A number with its thousands apart.
    pub fn number(&self, number: &u64) -> String {
        let digits = number.to_string();
        let first = digits.len() % 3;
        let mut told = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && at % 3 == first {
                told.push(if self.english() { ',' } else { '.' });
            }
            told.push(digit);
        }
        told
    }
}

/// A code as a page shows it: it may break between its words, and nowhere else. Escaped, for `|safe`.
pub fn code(name: &str) -> String {
    let mut told = String::new();
    let mut before = ' ';
    for letter in name.chars() {
        if letter.is_uppercase() && before.is_lowercase() || before == ',' {
            told.push_str("<wbr>");
        }
        match letter {
            '&' => told.push_str("&amp;"),
            '<' => told.push_str("&lt;"),
            '>' => told.push_str("&gt;"),
            '"' => told.push_str("&quot;"),
            letter => told.push(letter),
        }
        before = letter;
    }
    told
}

/// What a role is called.
pub fn role_name(role: Role, english: bool) -> &'static str {
    let (da, en) = match role {
        Role::Operator => ("Drift", "Operator"),
        Role::OperatorReadOnly => ("Drift, kun læsning", "Operator, read only"),
        Role::SupplierAdministrator => ("Forvaltningsansvarlig hos leverandør", "Supplier's administrator"),
        Role::SystemOwner => ("Systemejer", "System owner"),
        Role::SystemResponsible => ("Systemansvarlig", "System responsible"),
        Role::SystemAdministrator => ("Systemadministrator", "System administrator"),
        Role::InfrastructureResponsible => ("Infrastrukturansvarlig", "Infrastructure responsible"),
        Role::SortimentAdministrator => ("Sortimentsadministrator", "Value list administrator"),
        Role::Signatory => ("Underskriver", "Signatory"),
        Role::Auditor => ("Revisor", "Auditor"),
    };
    if english { en } else { da }
}

fn in_other_language(path: &str, english: bool) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let pairs = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "lang");
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    query.append_pair("lang", if english { "da" } else { "en" });
    format!("{path}?{}", query.finish())
}

/// A drawn page.
///
/// # Errors
/// A template that cannot be drawn.
pub fn page(template: &impl Template) -> Result<Response, Stop> {
    Ok(Html(template.render()?).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_breaks_between_its_words_and_what_stands_in_one_is_no_markup() {
        assert_eq!(code("BackAgreementNotFound"), "Back<wbr>Agreement<wbr>Not<wbr>Found");
        assert_eq!(code("FB006"), "FB006");
        assert_eq!(code("<b>\"&"), "&lt;b&gt;&quot;&amp;");
    }
}
