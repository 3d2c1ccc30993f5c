//! A search in the short notation, written out as the index's own request.

use super::notation::{Term, number, parse, unknown, values};

/// The `yi:FremsoegYdelseIndeksInput` that the notation stands for.
pub(super) fn written_out(notation: &str) -> Result<String, String> {
    let content = parse(notation)?.iter().map(part).collect::<Result<String, _>>()?;
    Ok(format!(
        "<yi:FremsoegYdelseIndeksInput xmlns:yi='urn:oio:sts:ydelse:ydelseindeks:6' xmlns:oei='urn:oio:sts:ydelse:oekonomiskeffektueringindeks:6' \
         xmlns:bi='urn:oio:sts:ydelse:bevillingindeks:6' xmlns:go='urn:oio:sts:generelleoperationer:6' \
         xmlns:gd='urn:oio:sts:generelledefinitioner:6' xmlns:sd='urn:oio:sagdok:3.0.0' \
         xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>{content}</yi:FremsoegYdelseIndeksInput>"
    ))
}

/// What may stand at the top or in an expression.
fn part(term: &Term) -> Result<String, String> {
    let (name, terms) = match term {
        Term::Text(raw) => return Ok(raw.clone()),
        Term::Call(name, terms) => (name.as_str(), terms.as_slice()),
    };
    let operands = || terms.iter().map(part).collect::<Result<String, _>>();
    Ok(match name {
        "AND" | "OR" => format!("<yi:SoegUdtryk><yi:operation>{name}</yi:operation>{}</yi:SoegUdtryk>", operands()?),
        "SoegUdtryk" => format!("<yi:SoegUdtryk>{}</yi:SoegUdtryk>", operands()?),
        "NOT" => format!("<yi:NOT>{}</yi:NOT>", operands()?),
        "person" => {
            let [who] = values(name, terms)?;
            grant(&[Term::Call("party".to_owned(), vec![Term::Call("cpr".to_owned(), vec![Term::Text(who.to_owned())])])])?
        }
        "grant" => grant(terms)?,
        "payments" => payments(terms)?,
        "lookup" => {
            let [element, uuid] = values(name, terms)?;
            format!("<yi:{element}>{uuid}</yi:{element}>")
        }
        "filter" => format!("<yi:Filter>{}</yi:Filter>", operands()?),
        "show" | "show-grants" => {
            let element = if name == "show" { "OekonomiskEffektueringVis" } else { "BevillingVis" };
            let [part] = values(name, terms)?;
            format!("<yi:{element}><yi:Vis>{part}</yi:Vis></yi:{element}>")
        }
        "sorting" => format!("<yi:Sortering>{}</yi:Sortering>", operands()?),
        "by" | "grants-by" => {
            let kind = if name == "by" { "OekonomiskEffektueringSortering" } else { "BevillingSortering" };
            let [element, way, sequence] = values(name, terms)?;
            format!(
                "<yi:{kind}><yi:Element>{element}</yi:Element><yi:Retning>{way}</yi:Retning><yi:Sekvens>{sequence}</yi:Sekvens></yi:{kind}>"
            )
        }
        other => return Err(unknown(other, "a search")),
    })
}

fn grant(terms: &[Term]) -> Result<String, String> {
    let (mut first, mut attributes, mut relations) = (String::new(), String::new(), String::new());
    for term in terms {
        match term {
            Term::Text(raw) => relations += raw,
            Term::Call(name, terms) => match name.as_str() {
                "party" => relations += &format!("<bi:Bevillingspart>{}</bi:Bevillingspart>", reference(terms)?),
                "attributes" => attributes += values::<1>(name, terms)?.concat().as_str(),
                "first" => first += values::<1>(name, terms)?.concat().as_str(),
                "page" => first += &page(terms)?,
                other => return Err(unknown(other, "grant(…)")),
            },
        }
    }
    Ok(format!(
        "<yi:SoegBevillingIndeks>{first}<bi:AttributListe>{attributes}</bi:AttributListe><bi:TilstandListe/>\
         <bi:RelationListe>{relations}</bi:RelationListe></yi:SoegBevillingIndeks>"
    ))
}

/// Whom a relation is to: in which role, by which kind of reference.
fn reference(terms: &[Term]) -> Result<String, String> {
    let mut content = String::new();
    for term in terms {
        let (name, terms) = match term {
            Term::Text(raw) => {
                content += raw;
                continue;
            }
            Term::Call(name, terms) => (name.as_str(), terms.as_slice()),
        };
        let [value] = values(name, terms)?;
        content += &match name {
            "role" => format!("<gd:Rolle>{}</gd:Rolle>", uuid(value)),
            "type" => format!("<gd:Type>{}</gd:Type>", uuid(value)),
            "cpr" => format!("<gd:ReferenceID>{}</gd:ReferenceID>", urn(&format!("urn:oio:cpr-nr:{}", number(value)))),
            "urn" => format!("<gd:ReferenceID>{}</gd:ReferenceID>", urn(value)),
            "uuid" => format!("<gd:ReferenceID>{}</gd:ReferenceID>", uuid(value)),
            other => return Err(unknown(other, "a relation")),
        };
    }
    Ok(content)
}

fn payments(terms: &[Term]) -> Result<String, String> {
    let (mut first, mut properties, mut extensions) = (String::new(), String::new(), String::new());
    let (mut attributes, mut states, mut relations) = (String::new(), String::new(), String::new());
    let listed = |content: String| format!("<oei:SoegEgenskaberLokalUdvidelse>{content}</oei:SoegEgenskaberLokalUdvidelse>");
    for term in terms {
        let Term::Call(name, terms) = term else {
            return Err(format!("{} where payments(…) has terms; say attributes(…), states(…) or relations(…)", term.text()?));
        };
        match name.as_str() {
            "period" => extensions += &listed(bounds("DispositionsDatoInterval", terms)?),
            "extension" => extensions += &listed(terms.iter().map(criterion).collect::<Result<String, _>>()?),
            "date" => properties += &format!("<oei:Egenskaber>{}</oei:Egenskaber>", criterion(term)?),
            "properties" => {
                let content = terms.iter().map(criterion).collect::<Result<String, _>>()?;
                properties += &format!("<oei:Egenskaber>{content}</oei:Egenskaber>");
            }
            "kle" | "line" => {
                let content = match name.as_str() {
                    "kle" => criterion(term)?,
                    _ => terms.iter().map(criterion).collect::<Result<String, _>>()?,
                };
                relations +=
                    &format!("<oei:OekonomiskYdelseEffektueringRelation>{content}</oei:OekonomiskYdelseEffektueringRelation>");
            }
            "actor" => relations += &format!("<oei:Aktoer>{}</oei:Aktoer>", reference(terms)?),
            "payee" => {
                let content = match terms.as_slice() {
                    [Term::Text(who)] => reference(&[Term::Call("cpr".to_owned(), vec![Term::Text(who.clone())])])?,
                    terms => reference(terms)?,
                };
                relations += &format!("<oei:OekonomiskEffektueringPart>{content}</oei:OekonomiskEffektueringPart>");
            }
            "attributes" => attributes += values::<1>(name, terms)?.concat().as_str(),
            "states" => states += values::<1>(name, terms)?.concat().as_str(),
            "relations" => relations += values::<1>(name, terms)?.concat().as_str(),
            "first" => first += values::<1>(name, terms)?.concat().as_str(),
            "page" => first += &page(terms)?,
            other => return Err(unknown(other, "payments(…)")),
        }
    }
    let list = if extensions.is_empty() {
        String::new()
    } else {
        format!("<gd:LokalUdvidelseListe>{extensions}</gd:LokalUdvidelseListe>")
    };
    Ok(format!(
        "<yi:SoegOekonomiskEffektueringIndeks>{first}<oei:AttributListe>{properties}{list}{attributes}</oei:AttributListe>\
         <oei:TilstandListe>{states}</oei:TilstandListe><oei:RelationListe>{relations}</oei:RelationListe>\
         </yi:SoegOekonomiskEffektueringIndeks>"
    ))
}

/// A criterion inside `properties`, `extension` or `line`.
fn criterion(term: &Term) -> Result<String, String> {
    let (name, terms) = match term {
        Term::Text(raw) => return Ok(raw.clone()),
        Term::Call(name, terms) => (name.as_str(), terms.as_slice()),
    };
    let field = |element: &str| values::<1>(name, terms).map(|[value]| format!("<oei:{element}>{value}</oei:{element}>"));
    Ok(match name {
        "period" => bounds("DispositionsDatoInterval", terms)?,
        "starts-in" => bounds("StartDatoInterval", terms)?,
        "line-starts-in" => bounds("YdelsesperiodeStartDatoInterval", terms)?,
        "gross-between" => {
            let [from, to] = values(name, terms)?;
            format!(
                "<oei:SamletBruttoBeloebInterval><go:FraBeloeb>{from}</go:FraBeloeb><go:TilBeloeb>{to}</go:TilBeloeb></oei:SamletBruttoBeloebInterval>"
            )
        }
        "date" => field("Dispositionsdato")?,
        "start" => field("Startdato")?,
        "end" => field("Slutdato")?,
        "gross" => field("SamletBruttobeloeb")?,
        "kle" => field("Klassifikationsbeskrivelse")?,
        "amount" => field("Ydelsesbeloeb")?,
        "line-start" => field("YdelsesperiodeStartdato")?,
        "line-end" => field("YdelsesperiodeSlutdato")?,
        "index" => values::<1>(name, terms).map(|[value]| format!("<gd:Indeks>{value}</gd:Indeks>"))?,
        "class" => values::<1>(name, terms).map(|[value]| format!("<gd:ReferenceID>{}</gd:ReferenceID>", uuid(value)))?,
        "role" | "type" => reference(std::slice::from_ref(term))?,
        other => return Err(unknown(other, "a criterion")),
    })
}

/// Two bounds: a date, `open` for none, or `bound("…")` for whatever else.
fn bounds(element: &str, terms: &[Term]) -> Result<String, String> {
    let [from, to] = terms else { return Err(format!("{element} takes two bounds")) };
    let (from, to) = (bound(from)?, bound(to)?);
    Ok(format!("<oei:{element}><go:FraTidspunkt>{from}</go:FraTidspunkt><go:TilTidspunkt>{to}</go:TilTidspunkt></oei:{element}>"))
}

fn bound(term: &Term) -> Result<String, String> {
    Ok(match term {
        Term::Text(open) if open == "open" => "<sd:GraenseIndikator>true</sd:GraenseIndikator>".to_owned(),
        Term::Text(date) => format!("<sd:TidsstempelDatoTid>{date}</sd:TidsstempelDatoTid>"),
        Term::Call(name, terms) if name == "bound" => values::<1>(name, terms)?.concat(),
        Term::Call(name, _) => return Err(unknown(name, "a period")),
    })
}

/// The first result and the greatest number of them; `""` where one is not given.
fn page(terms: &[Term]) -> Result<String, String> {
    let [first, most] = values("page", terms)?;
    let tag = |name: &str, value: &str| if value.is_empty() { String::new() } else { format!("<sd:{name}>{value}</sd:{name}>") };
    Ok(tag("FoersteResultatReference", first) + &tag("MaksimalAntalKvantitet", most))
}

fn urn(urn: &str) -> String {
    format!("<sd:URNIdentifikator>{urn}</sd:URNIdentifikator>")
}

fn uuid(uuid: &str) -> String {
    format!("<sd:UUIDIdentifikator>{uuid}</sd:UUIDIdentifikator>")
}
