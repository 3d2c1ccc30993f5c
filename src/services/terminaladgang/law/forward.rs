//! Writing the search that goes to the index: anew from the types, in exclusive canonical form.
//!
//! What is sent is what was judged: nothing of the caller's bytes is copied but values that were read and checked. The
//! form is the one a signer would canonicalise to, so that it can be placed into a message and signed as it stands.

use super::criteria::{Amounts, Bound, DateText, Dates, Extension, Line, LineExtension, Owner, Payee, Properties};
use super::rules::{Asked, Sorting, SortingElement};
use super::schema::{BI, GD, GO, OEI, SD, YI};
use super::search::{Effectuation, Expression, Filter, Grant, Input, Node, Operation, Paging};

/// For how many bytes there is room at once: a search has about a thousand.
const USUAL: usize = 2 * 1024;

/// `yi:FremsoegYdelseIndeksInput` as bytes, self-contained.
pub(super) fn write(input: &Input) -> Vec<u8> {
    let mut xml = Canonical { out: String::with_capacity(USUAL), declared: Vec::with_capacity(8) };
    xml.element(Name::Yi("FremsoegYdelseIndeksInput"), |xml| {
        for uuid in &input.grants {
            xml.value(Name::Yi("BevillingUuid"), uuid);
        }
        for uuid in &input.effectuations {
            xml.value(Name::Yi("OekonomiskEffektueringUuid"), uuid);
        }
        xml.element(Name::Yi("SoegUdtryk"), |xml| expression(xml, &input.root));
        if let Some(asked) = &input.filter {
            filter(xml, asked);
        }
        if let Some(keys) = &input.sorting {
            xml.element(Name::Yi("Sortering"), |xml| keys.iter().for_each(|key| sorting(xml, key)));
        }
    });
    xml.out.into_bytes()
}

fn expression(xml: &mut Canonical, expression: &Expression) {
    operands(xml, expression.operation, &expression.operands);
}

fn operands(xml: &mut Canonical, operation: Option<Operation>, operands: &[Node]) {
    match operation {
        Some(Operation::And) => xml.value(Name::Yi("operation"), "AND"),
        Some(Operation::Or) => xml.value(Name::Yi("operation"), "OR"),
        None => {}
    }
    for operand in operands {
        match operand {
            Node::Expression(inner) => xml.element(Name::Yi("SoegUdtryk"), |xml| expression(xml, inner)),
            Node::Not { operation, operand, .. } => {
                xml.element(Name::Yi("NOT"), |xml| self::operands(xml, *operation, std::slice::from_ref(operand)));
            }
            Node::Grant(search) => xml.element(Name::Yi("SoegBevillingIndeks"), |xml| grant(xml, search)),
            Node::Effectuation(search) => {
                xml.element(Name::Yi("SoegOekonomiskEffektueringIndeks"), |xml| effectuation(xml, search))
            }
        }
    }
}

fn paging(xml: &mut Canonical, paging: Paging) {
    for (name, number) in [("FoersteResultatReference", paging.first), ("MaksimalAntalKvantitet", paging.most)] {
        if let Some(number) = number {
            xml.value(Name::Sd(name), &number.to_string());
        }
    }
}

fn grant(xml: &mut Canonical, grant: &Grant) {
    paging(xml, grant.paging);
    xml.element(Name::Bi("AttributListe"), |_| {});
    xml.element(Name::Bi("TilstandListe"), |_| {});
    xml.element(Name::Bi("RelationListe"), |xml| {
        xml.element(Name::Bi("Bevillingspart"), |xml| {
            uuid(xml, "Rolle", grant.role.as_deref());
            urn(xml, &grant.person.expose_urn());
        });
    });
}

fn effectuation(xml: &mut Canonical, search: &Effectuation) {
    paging(xml, search.paging);
    xml.element(Name::Oei("AttributListe"), |xml| {
        search.properties.iter().for_each(|place| properties(xml, place));
        if !search.extensions.is_empty() {
            xml.element(Name::Gd("LokalUdvidelseListe"), |xml| search.extensions.iter().for_each(|place| extension(xml, place)));
        }
    });
    xml.element(Name::Oei("TilstandListe"), |_| {});
    xml.element(Name::Oei("RelationListe"), |xml| {
        search.lines.iter().for_each(|place| line(xml, place));
        search.owners.iter().for_each(|place| owner(xml, place));
        search.payees.iter().for_each(|place| payee(xml, place));
    });
}

fn properties(xml: &mut Canonical, place: &Properties) {
    xml.element(Name::Oei("Egenskaber"), |xml| {
        date(xml, "Startdato", place.start.as_ref());
        date(xml, "Slutdato", place.end.as_ref());
        text(xml, "SamletBruttobeloeb", place.gross.as_deref());
        date(xml, "Dispositionsdato", place.disposition.as_ref());
        text(xml, "BeloebEfterSkatATP", place.after_tax.as_deref());
        text(xml, "BeloebSendtTilUdbetaling", place.sent.as_deref());
        text(xml, "BeloebUdbetalt", place.paid.as_deref());
    });
}

fn extension(xml: &mut Canonical, place: &Extension) {
    xml.element(Name::Oei("SoegEgenskaberLokalUdvidelse"), |xml| {
        dates(xml, "StartDatoInterval", place.start.as_ref());
        dates(xml, "SlutDatoInterval", place.end.as_ref());
        dates(xml, "DispositionsDatoInterval", place.disposition.as_ref());
        amounts(xml, "SamletBruttoBeloebInterval", place.gross.as_ref());
        amounts(xml, "BeloebUdbetaltInterval", place.paid.as_ref());
        amounts(xml, "BeloebEfterSkatATPInterval", place.after_tax.as_ref());
        amounts(xml, "BeloebSendtTilUdbetalingInterval", place.sent.as_ref());
    });
}

fn line(xml: &mut Canonical, line: &Line) {
    xml.element(Name::Oei("OekonomiskYdelseEffektueringRelation"), |xml| {
        uuid(xml, "Rolle", line.role.as_deref());
        uuid(xml, "Type", line.kind.as_deref());
        if let Some(index) = &line.index {
            xml.value(Name::Gd("Indeks"), index);
        }
        uuid(xml, "ReferenceID", line.class.as_deref());
        if !line.extensions.is_empty() {
            xml.element(Name::Gd("LokalUdvidelseListe"), |xml| {
                line.extensions.iter().for_each(|place| line_extension(xml, place))
            });
        }
        date(xml, "YdelsesperiodeStartdato", line.start.as_ref());
        date(xml, "YdelsesperiodeSlutdato", line.end.as_ref());
        text(xml, "Ydelsesbeloeb", line.amount.as_deref());
        text(xml, "Klassifikationsbeskrivelse", line.kle.as_ref().map(|kle| kle.as_str()));
    });
}

fn line_extension(xml: &mut Canonical, place: &LineExtension) {
    xml.element(Name::Oei("SoegOekonomiskYdelseEffektueringRelationLokalUdvidelse"), |xml| {
        dates(xml, "YdelsesperiodeStartDatoInterval", place.start.as_ref());
        dates(xml, "YdelsesperiodeSlutDatoInterval", place.end.as_ref());
        amounts(xml, "YdelsesBeloebInterval", place.amount.as_ref());
    });
}

fn owner(xml: &mut Canonical, owner: &Owner) {
    xml.element(Name::Oei("Aktoer"), |xml| {
        uuid(xml, "Rolle", Some(&owner.role));
        uuid(xml, "Type", owner.kind.as_deref());
        text(xml, "CVR-nr", owner.cvr.as_deref());
    });
}

fn payee(xml: &mut Canonical, payee: &Payee) {
    xml.element(Name::Oei("OekonomiskEffektueringPart"), |xml| {
        uuid(xml, "Rolle", payee.role.as_deref());
        uuid(xml, "Type", payee.kind.as_deref());
        urn(xml, &payee.person.expose_urn());
    });
}

/// The caller may ask to see less; the checks of the answer need these parts all the same.
fn filter(xml: &mut Canonical, filter: &Filter) {
    xml.element(Name::Yi("Filter"), |xml| {
        if filter.asked == Asked::Nothing {
            return;
        }
        for (vis, parts) in [
            ("BevillingVis", ["egenskaber", "bevilgetydelse", "part"]),
            ("OekonomiskEffektueringVis", ["egenskaber", "aktoer", "oekonomiskeydelseeffektueringer"]),
        ] {
            for part in parts {
                xml.element(Name::Yi(vis), |xml| xml.value(Name::Yi("Vis"), part));
            }
        }
        for (include, part) in &filter.include {
            xml.value(Name::Yi(include), part);
        }
    });
}

fn sorting(xml: &mut Canonical, key: &Sorting) {
    let name = match key.element {
        SortingElement::Ydelsesnavn => "BevillingSortering",
        SortingElement::Dispositionsdato => "OekonomiskEffektueringSortering",
    };
    xml.element(Name::Yi(name), |xml| {
        xml.value(Name::Yi("Element"), key.element.as_str());
        xml.value(Name::Yi("Retning"), if key.descending { "Faldende" } else { "Stigende" });
        xml.value(Name::Yi("Sekvens"), &key.sequence.to_string());
    });
}

fn text(xml: &mut Canonical, name: &'static str, value: Option<&str>) {
    if let Some(value) = value {
        xml.value(Name::Oei(name), value);
    }
}

fn date(xml: &mut Canonical, name: &'static str, value: Option<&DateText>) {
    text(xml, name, value.map(|date| date.text.as_str()));
}

fn uuid(xml: &mut Canonical, name: &'static str, value: Option<&str>) {
    if let Some(value) = value {
        xml.element(Name::Gd(name), |xml| xml.value(Name::Sd("UUIDIdentifikator"), value));
    }
}

fn urn(xml: &mut Canonical, value: &str) {
    xml.element(Name::Gd("ReferenceID"), |xml| xml.value(Name::Sd("URNIdentifikator"), value));
}

fn dates(xml: &mut Canonical, name: &'static str, interval: Option<&Dates>) {
    let Some(interval) = interval else { return };
    xml.element(Name::Oei(name), |xml| {
        for (name, bound) in [("FraTidspunkt", &interval.from), ("TilTidspunkt", &interval.to)] {
            xml.element(Name::Go(name), |xml| match bound {
                Bound::At(date) => xml.value(Name::Sd("TidsstempelDatoTid"), &date.text),
                Bound::Infinite => xml.value(Name::Sd("GraenseIndikator"), "true"),
            });
        }
    });
}

fn amounts(xml: &mut Canonical, name: &'static str, interval: Option<&Amounts>) {
    let Some(interval) = interval else { return };
    xml.element(Name::Oei(name), |xml| {
        xml.value(Name::Go("FraBeloeb"), &interval.from);
        xml.value(Name::Go("TilBeloeb"), &interval.to);
    });
}

/// An element's name in one of the six namespaces.
#[derive(Clone, Copy)]
enum Name {
    Yi(&'static str),
    Oei(&'static str),
    Bi(&'static str),
    Go(&'static str),
    Gd(&'static str),
    Sd(&'static str),
}

impl Name {
    fn parts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Name::Yi(local) => ("yi", YI, local),
            Name::Oei(local) => ("oei", OEI, local),
            Name::Bi(local) => ("bi", BI, local),
            Name::Go(local) => ("go", GO, local),
            Name::Gd(local) => ("gd", GD, local),
            Name::Sd(local) => ("sd", SD, local),
        }
    }
}

/// A writer whose output is its own exclusive canonical form: each prefix is declared where it is first used on the way
/// down, elements have no attributes, empty elements have an end tag.
struct Canonical {
    out: String,
    declared: Vec<&'static str>,
}

impl Canonical {
    fn element(&mut self, name: Name, content: impl FnOnce(&mut Self)) {
        let (prefix, namespace, local) = name.parts();
        let outside = self.declared.len();
        self.out.extend(["<", prefix, ":", local]);
        if !self.declared.contains(&prefix) {
            self.declared.push(prefix);
            self.out.extend([" xmlns:", prefix, "=\"", namespace, "\""]);
        }
        self.out.push('>');
        content(self);
        self.out.extend(["</", prefix, ":", local, ">"]);
        self.declared.truncate(outside);
    }

    fn value(&mut self, name: Name, value: &str) {
        self.element(name, |xml| {
            for c in value.chars() {
                match c {
                    '&' => xml.out.push_str("&amp;"),
                    '<' => xml.out.push_str("&lt;"),
                    '>' => xml.out.push_str("&gt;"),
                    '\r' => xml.out.push_str("&#xD;"),
                    other => xml.out.push(other),
                }
            }
        });
    }
}
