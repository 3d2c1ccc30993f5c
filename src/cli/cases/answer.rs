//! An answer of the index in the short notation, part by part, written out as the index sends it.

use serde::Deserialize;

use super::notation::{Term, number, parse, unknown, values};

const OWNER: &str = "a91824c4-da1d-47f9-bce2-5d6597879415";
const PARTY: &str = "68d4b903-acae-4f2f-aafc-45bd999ed81f";
const GRANTEE: &str = "3102fa7e-f56e-4510-b0d4-1650c590dc3b";
const LINE: &str = "d0000000-0000-4000-8000-000000000001";
/// What stands in every free text: no case may find it in what is released.
const HIDDEN: &str = "hidden";

/// The parts of an answer with one payment; a case gives those that it changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Answer {
    status: Option<String>,
    counts: Option<String>,
    grants: Option<String>,
    id: Option<String>,
    before: Option<String>,
    properties: Option<String>,
    lines: Option<String>,
    owners: Option<String>,
    payees: Option<String>,
    after: Option<String>,
}

impl Answer {
    /// This answer with a case's parts in place of its own.
    pub(super) fn with(&self, change: &Self) -> Self {
        let or = |new: &Option<String>, old: &Option<String>| new.clone().or_else(|| old.clone());
        Self {
            status: or(&change.status, &self.status),
            counts: or(&change.counts, &self.counts),
            grants: or(&change.grants, &self.grants),
            id: or(&change.id, &self.id),
            before: or(&change.before, &self.before),
            properties: or(&change.properties, &self.properties),
            lines: or(&change.lines, &self.lines),
            owners: or(&change.owners, &self.owners),
            payees: or(&change.payees, &self.payees),
            after: or(&change.after, &self.after),
        }
    }

    /// The `yi:FremsoegYdelseIndeksOutput` that the parts stand for; `words` are put in first.
    pub(super) fn written_out(&self, words: impl Fn(&str) -> String) -> Result<String, String> {
        let part = |notation: &Option<String>| {
            let terms = parse(&words(notation.as_deref().unwrap_or_default()))?;
            terms.iter().map(element).collect::<Result<String, _>>()
        };
        let id = words(self.id.as_deref().unwrap_or_default());
        Ok(format!(
            "<yi:FremsoegYdelseIndeksOutput xmlns:yi=\"urn:oio:sts:ydelse:ydelseindeks:6\" xmlns:oei=\"urn:oio:sts:ydelse:oekonomiskeffektueringindeks:6\" \
             xmlns:bi=\"urn:oio:sts:ydelse:bevillingindeks:6\" xmlns:gd=\"urn:oio:sts:generelledefinitioner:6\" xmlns:sd=\"urn:oio:sagdok:3.0.0\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">{}{}{}\
             <yi:OekonomiskEffektueringFiltreretOejebliksbillede><oei:ObjektType>{}</oei:ObjektType><oei:Registrering>{}\
             <oei:AttributListe>{}</oei:AttributListe><oei:TilstandListe/><oei:RelationListe>{}{}{}</oei:RelationListe>\
             </oei:Registrering></yi:OekonomiskEffektueringFiltreretOejebliksbillede>{}</yi:FremsoegYdelseIndeksOutput>",
            part(&self.status)?,
            part(&self.counts)?,
            part(&self.grants)?,
            uuid(&id),
            part(&self.before)?,
            part(&self.properties)?,
            part(&self.lines)?,
            part(&self.owners)?,
            part(&self.payees)?,
            part(&self.after)?,
        ))
    }
}

fn element(term: &Term) -> Result<String, String> {
    let (name, terms) = match term {
        Term::Text(raw) => return Ok(raw.clone()),
        Term::Call(name, terms) => (name.as_str(), terms.as_slice()),
    };
    Ok(match name {
        "status" => {
            let [code] = values(name, terms)?;
            format!("<sd:StandardRetur><sd:StatusKode>{code}</sd:StatusKode></sd:StandardRetur>")
        }
        "count" => {
            let [of, many] = values(name, terms)?;
            format!("<yi:Antal><yi:Element>{of}</yi:Element><yi:Antal>{many}</yi:Antal></yi:Antal>")
        }
        "grant" => grant(terms)?,
        "properties" => {
            let fields = terms.iter().map(|term| field("oei", term)).collect::<Result<String, _>>()?;
            format!("<oei:Egenskaber>{fields}</oei:Egenskaber>")
        }
        "line" => {
            let [kle, amount, grant] = values(name, terms)?;
            format!(
                "<oei:OekonomiskYdelseEffektueringRelation>{}<gd:Indeks>1</gd:Indeks>\
                 <oei:Ydelsesbeloeb>{amount}</oei:Ydelsesbeloeb><oei:Klassifikationsbeskrivelse>{kle}</oei:Klassifikationsbeskrivelse>\
                 <oei:BevilgetYdelseRef>{}<oei:BevilgetYdelseId>{HIDDEN}</oei:BevilgetYdelseId></oei:BevilgetYdelseRef>\
                 </oei:OekonomiskYdelseEffektueringRelation>",
                role(LINE),
                uuid(grant)
            )
        }
        "owner" => {
            let [cvr] = values(name, terms)?;
            actor(OWNER, cvr)
        }
        "actor" => {
            let [in_role, cvr] = values(name, terms)?;
            actor(in_role, cvr)
        }
        "payee" => {
            let [who] = values(name, terms)?;
            format!(
                "<oei:OekonomiskEffektueringPart>{}{}<oei:FuldtNavn>{HIDDEN}</oei:FuldtNavn></oei:OekonomiskEffektueringPart>",
                role(PARTY),
                person(who)
            )
        }
        other => return Err(unknown(other, "an answer")),
    })
}

fn grant(terms: &[Term]) -> Result<String, String> {
    let (id, rest) = terms.split_first().ok_or("grant(…) begins with its id")?;
    let (mut properties, mut parties) = (String::new(), String::new());
    for term in rest {
        match term {
            Term::Text(raw) => parties += raw,
            Term::Call(name, terms) => match name.as_str() {
                "grantee" => parties += &party(GRANTEE, values::<1>(name, terms)?.concat().as_str()),
                "party" => {
                    let [in_role, who] = values(name, terms)?;
                    parties += &party(in_role, who);
                }
                _ => properties += &field("bi", term)?,
            },
        }
    }
    Ok(format!(
        "<yi:BevillingFiltreretOejebliksbillede><bi:ObjektType>{}</bi:ObjektType><bi:Registrering><bi:AttributListe>\
         <bi:Egenskaber>{properties}</bi:Egenskaber></bi:AttributListe><bi:TilstandListe/>\
         <bi:RelationListe>{parties}</bi:RelationListe></bi:Registrering></yi:BevillingFiltreretOejebliksbillede>",
        uuid(id.text()?)
    ))
}

/// A field by its name on the wire: `Dispositionsdato(2026-10-01T00:00:00+02:00)`.
fn field(prefix: &str, term: &Term) -> Result<String, String> {
    match term {
        Term::Text(raw) => Ok(raw.clone()),
        Term::Call(name, terms) => {
            let [value] = values(name, terms)?;
            Ok(format!("<{prefix}:{name}>{value}</{prefix}:{name}>"))
        }
    }
}

fn actor(in_role: &str, cvr: &str) -> String {
    format!("<oei:Aktoer>{}<oei:FuldtNavn>{HIDDEN}</oei:FuldtNavn><oei:CVR-nr>{cvr}</oei:CVR-nr></oei:Aktoer>", role(in_role))
}

fn party(in_role: &str, who: &str) -> String {
    format!("<bi:Bevillingspart>{}{}<bi:FuldtNavn>{HIDDEN}</bi:FuldtNavn></bi:Bevillingspart>", role(in_role), person(who))
}

fn person(who: &str) -> String {
    format!("<gd:ReferenceID><sd:URNIdentifikator>urn:oio:cpr-nr:{}</sd:URNIdentifikator></gd:ReferenceID>", number(who))
}

fn role(of: &str) -> String {
    format!("<gd:Rolle>{}</gd:Rolle>", uuid(of))
}

fn uuid(uuid: &str) -> String {
    format!("<sd:UUIDIdentifikator>{uuid}</sd:UUIDIdentifikator>")
}
