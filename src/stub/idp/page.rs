//! The provider's pages: plain HTML that works without scripts.

use super::answer::Mode;
use super::{Person, attribute, escaped};
use crate::stub::server::{Reply, reply};

const HTML: &str = "text/html; charset=utf-8";

fn page(status: u16, title: &str, body: &str) -> Reply {
    let title = escaped(title);
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"da\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>body{{font:1rem/1.5 sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}}\
         fieldset{{margin:1rem 0}}label{{display:block;padding:.25rem 0}}button{{font:inherit;padding:.5rem 1rem}}</style></head>\
         <body><main><h1>{title}</h1>{body}</main></body></html>"
    );
    reply(status, HTML, html)
}

/// Who logs on, and how the provider answers.
pub fn choice(people: &[Person], request: &str, relay_state: &str) -> Reply {
    let people: String = people
        .iter()
        .enumerate()
        .map(|(n, person)| {
            let roles = person.roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ");
            format!(
                "<label><input type=\"radio\" name=\"person\" value=\"{}\"{}> {} ({}, CVR {})</label>",
                attribute(&person.id),
                if n == 0 { " checked" } else { "" },
                escaped(&person.name),
                escaped(&roles),
                person.cvr
            )
        })
        .collect();
    let modes: String = Mode::ALL
        .iter()
        .map(|(_, name, refusal)| {
            let told = refusal.map_or("logges på".to_owned(), |code| format!("afvises: {code}"));
            format!("<option value=\"{name}\">{name} ({told})</option>")
        })
        .collect();
    let body = format!(
        "<p>Opdigtede personer. Identitetsudbyderen er en attrap til udvikling og demo.</p><form method=\"post\">\
         <input type=\"hidden\" name=\"request\" value=\"{}\"><input type=\"hidden\" name=\"relay_state\" value=\"{}\">\
         <fieldset><legend>Hvem logger på?</legend>{people}</fieldset>\
         <p><label>Hvordan svares der? <select name=\"mode\">{modes}</select></label></p><button>Log på</button></form>",
        attribute(request),
        attribute(relay_state)
    );
    page(200, "Log på", &body)
}

/// The Response, on its way to the console.
pub fn post(to: &str, response: &str, relay_state: &str) -> Reply {
    let body = format!(
        "<form method=\"post\" action=\"{}\"><input type=\"hidden\" name=\"SAMLResponse\" value=\"{response}\">\
         <input type=\"hidden\" name=\"RelayState\" value=\"{}\"><button autofocus>Fortsæt til konsollen</button></form>",
        attribute(to),
        attribute(relay_state)
    );
    page(200, "Fortsæt", &body)
}

/// After a log-out that began here.
pub fn left() -> Reply {
    page(200, "Logget ud", "<p>Konsollen har svaret, at personen er logget ud.</p>")
}

/// To another address.
pub fn see(address: &str) -> Reply {
    let mut answer = reply(303, HTML, "");
    if let Ok(value) = http::HeaderValue::from_str(address) {
        answer.headers_mut().insert(http::header::LOCATION, value);
    }
    answer
}

/// What cannot be done.
pub fn wrong(what: &'static str) -> Reply {
    page(400, "Det kan ikke lade sig gøre", &format!("<p>{}</p>", escaped(what)))
}
