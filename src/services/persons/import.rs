//! The end of a call: the record of admission on disk, the import, and the answer for each person.

use std::fmt::Write as _;
use std::sync::Arc;

use super::ask::Asked;
use super::door::Door;
use super::names::{NS, RESPONSE};
use crate::gateway::answer::Release;
use crate::gateway::call::OfCall;
use crate::gateway::step::Step;
use crate::persons::answer::{Answer, Remark};
use crate::refusal::Refusal;
use crate::soap::fault::escape;
use crate::work::Work;

/// Writes the persons into the store, and says of each how it went.
pub struct ImportStep {
    /// The service.
    pub door: Arc<Door>,
    /// The calls that are worked on.
    pub work: Work,
}

impl Step<()> for ImportStep {
    type In = Asked;
    type Out = Release;
    type Error = Refusal;

    async fn pass(&self, asked: Asked, (): ()) -> Result<Release, Refusal> {
        let call = asked.call().clone();
        let (admitted, terms, rows) = asked.part();
        let started = call.start();
        // Disk and store are waited for; the call is not worked on meanwhile.
        let away = self.work.away();
        let recorded = call.admit().await?;
        let answers = self.door.begin(&recorded, terms).persons(rows).await;
        drop(away);
        call.finish("import", started);
        let answers = answers?;
        let mut noted = Ok(());
        call.note(|record| noted = self.door.note(record, &answers));
        noted?;
        Ok(Release::own(admitted.agreed(), &recorded, body(&answers)))
    }
}

/// The answer, in exclusive canonical form.
fn body(answers: &[Answer]) -> Vec<u8> {
    let mut xml = format!("<p:{RESPONSE} xmlns:p=\"{NS}\">");
    for Answer { row, status, number, warnings, errors } in answers {
        let _ = write!(xml, "<p:Svar><p:Raekke>{row}</p:Raekke><p:Status>{}</p:Status>", status.name());
        if let Some(number) = number {
            let _ = write!(xml, "<p:Loebenummer>{number}</p:Loebenummer>");
        }
        warnings.iter().for_each(|remark| write_remark(&mut xml, "Advarsel", remark));
        errors.iter().for_each(|remark| write_remark(&mut xml, "Fejl", remark));
        xml.push_str("</p:Svar>");
    }
    let _ = write!(xml, "</p:{RESPONSE}>");
    xml.into_bytes()
}

fn write_remark(xml: &mut String, name: &str, remark: &Remark) {
    let entry = remark.code.entry();
    let _ = write!(xml, "<p:{name}>");
    for (part, text) in [
        ("Felt", remark.field),
        ("Kode", entry.code),
        ("Tekst", entry.da.what.as_str()),
        ("Handling", &entry.da.remedy),
        ("TekstEngelsk", &entry.en.what),
        ("HandlingEngelsk", &entry.en.remedy),
    ] {
        if !text.is_empty() {
            let _ = write!(xml, "<p:{part}>{}</p:{part}>", escape(text));
        }
    }
    let _ = write!(xml, "</p:{name}>");
}
