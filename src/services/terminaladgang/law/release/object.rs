//! Writes what is left of one effectuation, field by field, and counts what was released and what was not.

use super::catalogue::{Field, Form, Guard};
use super::counts::Tally;
use super::judge::{Kept, Registration};
use super::node::{Identifier, Node, Value, is_uuid};
use super::place::{Ns, Place};
use super::write::Writer;
use super::{Ask, ReleaseRules};
use crate::id::kle::Kle;
use crate::services::terminaladgang::law::dates;
use crate::services::terminaladgang::law::rules::Asked;
use crate::soap::strict::is_char;

/// Whether a value has the form that its rule names.
pub(super) fn has_form(form: Form, text: &str, ask: &Ask) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let amount = |decimals: usize| {
        let text = text.strip_prefix('-').unwrap_or(text);
        match text.split_once('.') {
            None => digits(text),
            Some((whole, fraction)) => digits(whole) && digits(fraction) && fraction.len() <= decimals,
        }
    };
    match form {
        Form::Status | Form::Count => digits(text),
        Form::Digits(most) => digits(text) && text.len() <= usize::from(most),
        Form::Uuid => is_uuid(text),
        Form::DateTime => dates::read(text, ask.naive).is_some(),
        Form::DateTimeWithOffset => dates::read(text, crate::services::terminaladgang::law::rules::Naive::Refuse).is_some(),
        Form::Amount => amount(usize::MAX),
        Form::AmountTwoDecimals => amount(2),
        Form::Kle => Kle::parse(text).is_some(),
        Form::Cvr => text.len() == 8 && digits(text),
        // The schema's own bound; a character that XML forbids would break the answer.
        Form::RegisterName => text.chars().count() <= 255 && text.chars().all(is_char),
        Form::Person => text == ask.person.expose_urn(),
    }
}

/// Where the fields of a part stand in it.
fn places(part: Place) -> &'static [(Place, Field)] {
    match part {
        Place::Properties => &[
            (Place::PeriodStart, Field::PeriodStart),
            (Place::PeriodEnd, Field::PeriodEnd),
            (Place::GrossAmount, Field::GrossAmount),
            (Place::DispositionDate, Field::DispositionDate),
            (Place::NetAmount, Field::NetAmount),
            (Place::SentAmount, Field::SentAmount),
            (Place::PaidAmount, Field::PaidAmount),
        ],
        Place::Line => &[
            (Place::Role, Field::LineRole),
            (Place::Type, Field::LineType),
            (Place::Index, Field::LineIndex),
            (Place::Reference, Field::LineClass),
            (Place::LineStart, Field::LineStart),
            (Place::LineEnd, Field::LineEnd),
            (Place::LineAmount, Field::LineAmount),
            (Place::LineKle, Field::LineKle),
        ],
        Place::Actor => &[(Place::Role, Field::OwnerRole), (Place::Type, Field::OwnerType), (Place::Cvr, Field::OwnerCvr)],
        Place::Party => {
            &[(Place::Role, Field::PartyRole), (Place::Type, Field::PartyType), (Place::Reference, Field::PartyReference)]
        }
        _ => &[],
    }
}

/// Writes one effectuation.
pub(super) struct ObjectWriter<'a> {
    rules: &'a ReleaseRules,
    ask: &'a Ask,
    tally: &'a mut Tally,
    number: u64,
    writer: Writer,
    /// Fields of the index that were counted, so that the rest can be counted as unnamed.
    counted: u64,
    lines: u64,
    sums_hidden: bool,
}

impl<'a> ObjectWriter<'a> {
    /// Writes behind what is in `out`.
    pub(super) fn new(rules: &'a ReleaseRules, ask: &'a Ask, tally: &'a mut Tally, number: u64, out: Vec<u8>) -> Self {
        Self { rules, ask, tally, number, writer: Writer::inside_output(out), counted: 0, lines: 0, sums_hidden: false }
    }

    /// How many benefit lines were written.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.writer.into_bytes()
    }

    pub(super) fn write(&mut self, node: Node<'_>, kept: &Kept<'_>) {
        self.sums_hidden = kept.sums_hidden;
        self.tally.object_released(self.number);
        for (part, guard) in &kept.removed {
            self.part_removed(*part, *guard);
        }
        self.writer.open(Ns::Yi, "OekonomiskEffektueringFiltreretOejebliksbillede");
        self.writer.open(Ns::Oei, "ObjektType");
        self.writer.leaf(Ns::Sd, "UUIDIdentifikator", kept.id);
        self.released(Field::ObjectId, 1);
        self.writer.close();
        for registration in &kept.registrations {
            self.registration(registration);
        }
        self.writer.close();
        let rest = node.fields().saturating_sub(self.counted);
        self.tally.part_removed(self.number, Guard::Unnamed, rest);
    }

    fn registration(&mut self, registration: &Registration<'_>) {
        let (properties, actors, lines, parties) = match self.ask.asked {
            Asked::Everything => (true, true, true, true),
            Asked::Nothing => (false, false, false, false),
            // No filter of the index names the party, so only who asks for everything sees it.
            Asked::Parts { properties, actors, lines } => (properties, actors, lines, false),
        };
        self.writer.open(Ns::Oei, "Registrering");
        self.writer.open(Ns::Oei, "AttributListe");
        for node in self.asked(&registration.properties, properties) {
            self.properties(*node);
        }
        self.writer.close();
        self.writer.open(Ns::Oei, "TilstandListe");
        self.writer.close();
        self.writer.open(Ns::Oei, "RelationListe");
        for node in self.asked(&registration.lines, lines) {
            self.lines += 1;
            self.line(*node);
        }
        for node in self.asked(&[registration.owner], actors) {
            self.owner(*node, registration.cvr);
        }
        for node in self.asked(&registration.parties, parties) {
            self.party(*node);
        }
        self.writer.close();
        self.writer.close();
    }

    fn properties(&mut self, node: Node<'_>) {
        self.writer.open(Ns::Oei, "Egenskaber");
        self.value(node, Place::PeriodStart, Field::PeriodStart, "Startdato");
        self.value(node, Place::PeriodEnd, Field::PeriodEnd, "Slutdato");
        self.value(node, Place::GrossAmount, Field::GrossAmount, "SamletBruttobeloeb");
        self.value(node, Place::DispositionDate, Field::DispositionDate, "Dispositionsdato");
        self.value(node, Place::NetAmount, Field::NetAmount, "BeloebEfterSkatATP");
        self.value(node, Place::SentAmount, Field::SentAmount, "BeloebSendtTilUdbetaling");
        self.value(node, Place::PaidAmount, Field::PaidAmount, "BeloebUdbetalt");
        self.writer.close();
    }

    fn line(&mut self, node: Node<'_>) {
        self.writer.open(Ns::Oei, "OekonomiskYdelseEffektueringRelation");
        self.identifier(node, Place::Role, Field::LineRole, "Rolle");
        self.identifier(node, Place::Type, Field::LineType, "Type");
        self.value_in(Ns::Gd, node, Place::Index, Field::LineIndex, "Indeks");
        self.identifier(node, Place::Reference, Field::LineClass, "ReferenceID");
        self.value(node, Place::LineStart, Field::LineStart, "YdelsesperiodeStartdato");
        self.value(node, Place::LineEnd, Field::LineEnd, "YdelsesperiodeSlutdato");
        self.value(node, Place::LineAmount, Field::LineAmount, "Ydelsesbeloeb");
        self.value(node, Place::LineKle, Field::LineKle, "Klassifikationsbeskrivelse");
        self.writer.close();
    }

    fn owner(&mut self, node: Node<'_>, cvr: &str) {
        self.writer.open(Ns::Oei, "Aktoer");
        self.identifier(node, Place::Role, Field::OwnerRole, "Rolle");
        self.identifier(node, Place::Type, Field::OwnerType, "Type");
        if let Some(name) = self.ask.names.get(cvr)
            && self.rules.field(Field::OwnerName).is_some_and(|rule| rule.release && has_form(rule.form, name, self.ask))
        {
            self.writer.leaf(Ns::Oei, "FuldtNavn", name);
            self.released(Field::OwnerName, 0);
        }
        self.value(node, Place::Cvr, Field::OwnerCvr, "CVR-nr");
        self.writer.close();
    }

    fn party(&mut self, node: Node<'_>) {
        self.writer.open(Ns::Oei, "OekonomiskEffektueringPart");
        self.identifier(node, Place::Role, Field::PartyRole, "Rolle");
        self.identifier(node, Place::Type, Field::PartyType, "Type");
        self.identifier(node, Place::Reference, Field::PartyReference, "ReferenceID");
        self.writer.close();
    }

    fn value(&mut self, node: Node<'_>, place: Place, field: Field, local: &'static str) {
        self.value_in(Ns::Oei, node, place, field, local);
    }

    fn value_in(&mut self, ns: Ns, node: Node<'_>, place: Place, field: Field, local: &'static str) {
        let at = node.at(place);
        let text = match at.value() {
            Value::Absent => return,
            Value::Text(text) => Some(text),
            Value::Unreadable => None,
        };
        if let Some(text) = self.passes(field, text, at.fields) {
            self.writer.leaf(ns, local, text);
        }
    }

    fn identifier(&mut self, node: Node<'_>, place: Place, field: Field, local: &'static str) {
        let at = node.at(place);
        let (text, inner) = match at.identifier() {
            Identifier::Absent => return,
            Identifier::Unreadable => (None, ""),
            Identifier::Uuid(uuid) => (Some(uuid), "UUIDIdentifikator"),
            // A URN is a free string; only the person asked about is known by one.
            Identifier::Urn(urn) => (Some(urn).filter(|_| field.form() == Form::Person), "URNIdentifikator"),
        };
        if let Some(text) = self.passes(field, text, at.fields) {
            self.writer.open(Ns::Gd, local);
            self.writer.leaf(Ns::Sd, inner, text);
            self.writer.close();
        }
    }

    /// The text, where the field's rule releases it; counts it in any case, as so `many`. `None` cannot be read.
    fn passes<'n>(&mut self, field: Field, text: Option<&'n str>, many: u64) -> Option<&'n str> {
        let rules = self.rules;
        self.counted += many;
        let Some(rule) = rules.field(field) else {
            self.tally.field_removed(self.number, field, Guard::Unnamed, many);
            return None;
        };
        if !rule.release {
            self.tally.field_off(self.number, field, many);
            return None;
        }
        if field.is_sum() && self.sums_hidden {
            self.tally.field_removed(self.number, field, Guard::Sums, many);
            return None;
        }
        let Some(text) = text.filter(|text| has_form(rule.form, text, self.ask)) else {
            self.tally.field_removed(self.number, field, Guard::Form, many);
            return None;
        };
        self.tally.field_released(self.number, field);
        // An element that the filter does not know may stand beside the one identifier.
        self.tally.part_removed(self.number, Guard::Unnamed, many.saturating_sub(1));
        Some(text)
    }

    fn released(&mut self, field: Field, of_the_index: u64) {
        self.counted += of_the_index;
        self.tally.field_released(self.number, field);
    }

    fn part_removed(&mut self, node: Node<'_>, guard: Guard) {
        self.counted += node.fields();
        for (place, field) in places(node.place()) {
            self.tally.place_removed(*field, guard, node.at(*place).fields);
        }
        self.tally.part_removed(self.number, guard, node.fields());
    }

    /// The parts, where the caller asked for them; else they are counted as not asked.
    fn asked<'k, 'n>(&mut self, nodes: &'k [Node<'n>], asked: bool) -> &'k [Node<'n>] {
        if asked {
            return nodes;
        }
        for node in nodes {
            self.part_removed(*node, Guard::NotAsked);
        }
        &[]
    }
}
