//! What a call asks for: which persons, under which terms. What stands beside persons in the request is a fault; what is wrong within
//! one is for that person's answer.

use std::sync::Arc;

use super::door::{Door, MOST, Terms};
use super::names::{NS, PERSON};
use super::refusal::ImportRefusal;
use crate::audit::AboutPersons;
use crate::gateway::agreement::Admitted;
use crate::gateway::call::{Call, OfCall};
use crate::gateway::context::is_context;
use crate::gateway::step::Check;
use crate::persons::row::Row;
use crate::refusal::{Detail, Refusal};
use crate::soap::document::Element;

/// A call that names persons, under an agreement that says which institutions.
pub struct Asked {
    admitted: Admitted,
    terms: Terms,
    rows: Vec<Row>,
}

impl Asked {
    pub(super) fn part(self) -> (Admitted, Terms, Vec<Row>) {
        (self.admitted, self.terms, self.rows)
    }
}

impl OfCall for Asked {
    fn call(&self) -> &Call {
        self.admitted.call()
    }
}

/// Reads the persons that are to be imported, and judges the message as a whole.
pub struct AskStep {
    /// The service.
    pub door: Arc<Door>,
}

impl Check for AskStep {
    const NAME: &'static str = "request";
    type In = Admitted;
    type Out = Asked;

    async fn check(&self, admitted: Admitted) -> Result<Asked, Refusal> {
        let front = admitted.front().clone();
        let terms = self.door.terms(&front).await?;
        let request = admitted.authenticated().request().ok_or(Refusal::Internal)?;
        admitted.call().note(|record| {
            record.legal_basis = Some(front.legal_basis.clone());
            let persons = request.elements().filter(|element| element.is(NS, PERSON)).count() as u64;
            record.about = AboutPersons { persons, ..AboutPersons::default() }.into();
        });
        let rows = rows(request)?;
        Ok(Asked { admitted, terms, rows })
    }
}

fn unreadable(da: &str, en: &str) -> Refusal {
    ImportRefusal::ImportUnreadable { what: Detail::new(da, en) }.into()
}

/// The persons of a request, in its order.
fn rows(request: Element<'_>) -> Result<Vec<Row>, Refusal> {
    if request.has_stray_text() {
        return Err(unreadable("der står tekst ved siden af personerne", "text stands beside the persons"));
    }
    if request.attributes().next().is_some() {
        return Err(unreadable("der er en attribut på forespørgslen", "there is an attribute on the request"));
    }
    // Contexts stand first, if at all; that was seen to where the caller was proven.
    let persons: Vec<_> = request.elements().filter(|element| !is_context(*element)).collect();
    if !persons.iter().all(|element| element.is(NS, PERSON)) {
        return Err(unreadable("der står andet end Person i forespørgslen", "something else than Person stands in the request"));
    }
    match persons.len() {
        0 => Err(ImportRefusal::ImportEmpty.into()),
        found if found > MOST => Err(ImportRefusal::ImportTooMany { found, most: MOST }.into()),
        _ => Ok((1..).zip(persons).map(|(number, person)| row(number, person)).collect()),
    }
}

/// One person. Its fields may stand in any order.
fn row(number: u64, person: Element<'_>) -> Row {
    let mut row = Row::new(number);
    if person.has_stray_text() || person.attributes().next().is_some() {
        row.broken(Detail::new(
            "der er tekst eller en attribut ved siden af felterne i Person",
            "there is text or an attribute beside the fields of Person",
        ));
    }
    for field in person.elements() {
        // Of another namespace it is another field, whatever it is called.
        let name = if field.namespace() == NS { field.local() } else { "?" };
        match field.value() {
            Some(value) if field.attributes().next().is_none() => row.give(name, &value),
            _ => row
                .broken(Detail::new("et felt har elementer eller attributter i sig", "a field has elements or attributes in it")),
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soap::document::Document;
    use crate::soap::strict::Limits;

    fn read(content: &str) -> Result<usize, String> {
        let xml = format!("<p:ImporterPersonerRequest xmlns:p=\"{NS}\">{content}</p:ImporterPersonerRequest>");
        let limits = Limits { nodes: usize::MAX, ..Limits::default() };
        let document = Document::parse(bytes::Bytes::from(xml), &limits).unwrap();
        rows(document.root()).map(|rows| rows.len()).map_err(|refusal| refusal.code().to_owned())
    }

    #[test]
    fn one_to_five_hundred_persons_are_a_call_and_anything_else_is_a_fault() {
        let persons = |many: usize| "<p:Person><p:EAN/></p:Person>".repeat(many);
        assert_eq!((read(&persons(1)), read(&persons(500))), (Ok(1), Ok(500)));
        for (content, code) in [
            (String::new(), "ImportEmpty"),
            (persons(501), "ImportTooMany"),
            ("<Person/>".to_owned(), "ImportUnreadable"),
            (persons(1) + "<p:Persona/>", "ImportUnreadable"),
            (persons(1) + "tekst", "ImportUnreadable"),
        ] {
            assert_eq!(read(&content), Err(code.to_owned()));
        }
    }
}
