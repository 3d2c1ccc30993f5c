//! Writes an answer, piece by piece: the same pieces each time it is asked to.
//!
//! An answer is full: beside what a caller may see it holds what a gateway must take away (names, notes, texts, taxed
//! amounts, registration times, validity, extensions), so that a filter which forgets something is seen to.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::canonical::{Canonical, Ns};
use super::evaluate::Found;
use super::names::{CPR_URN, EFFECTUATION_OWNER, GRANT_OWNER, GRANTEE, PAYEE};
use super::request::{Filter, Page};
use crate::stub::moment::{Moment, Style, moved};
use crate::stub::population::{Effectuation, Grant, LifeCycle, Population, Properties, Registration, authority_name};
use crate::stub::random::Random;

/// The `wsu:Id` of the body, which the signature refers to.
pub const BODY_ID: &str = "body";

/// Makes an answer longer than what was found, for measuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Padding {
    /// How long the body is to become, in bytes; passed by less than one object.
    pub bytes: u64,
    /// How many of them, as they stand in the answer, are copies of the first payment found, with its own date and owner.
    /// The rest are copies moved thirteen months back.
    pub alike: u64,
}

/// An answer: what to write.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the names say it
pub struct Answer {
    /// Where the objects are.
    pub population: Arc<Population>,
    /// `StandardRetur/StatusKode`.
    pub status: u16,
    /// `StandardRetur/FejlbeskedTekst`.
    pub text: Option<String>,
    pub found: Found,
    /// What to show.
    pub filter: Option<Filter>,
    /// Whether to make it longer.
    pub padding: Option<Padding>,
}

impl Answer {
    /// The body of the envelope, from `<soap:Body` to its end tag, in pieces of at most one object.
    pub fn pieces(&self) -> Pieces<'_> {
        Pieces { answer: self, out: Canonical::default(), next: Next::Head, padding: self.plan() }
    }

    fn shows(&self, kind: fn(&Filter) -> &Vec<String>) -> Shown<'_> {
        Shown(self.filter.as_ref().map(kind))
    }

    fn plan(&self) -> Plan {
        let nothing = Plan { alike: 0, apart: 0 };
        let (Some(padding), Some(model)) = (self.padding, self.model()) else { return nothing };
        let size = |back| {
            let mut out = Canonical::default();
            out.open(Ns::Yi, "FremsoegYdelseIndeksOutput");
            out.take();
            effectuation(
                &mut out,
                &self.population,
                &copy(model, 0, back, self.population.now),
                self.shows(|f| &f.effectuations),
            );
            (out.take().len() as u64).max(1)
        };
        let (alike, apart) = (size(false), size(true));
        let short = Pieces { answer: self, out: Canonical::default(), next: Next::Head, padding: nothing };
        let plain: u64 = short.map(|piece| piece.len() as u64).sum();
        let wanted = padding.bytes.saturating_sub(plain);
        let copies = padding.alike.min(wanted) / alike;
        Plan { alike: copies, apart: (wanted.saturating_sub(copies * alike)).div_ceil(apart) }
    }

    fn model(&self) -> Option<&Effectuation> {
        let inside = |n: &&usize| self.population.effectuations.get(**n).is_some_and(|e| e.registrations.len() == 1);
        self.population.effectuations.get(*self.found.effectuations.iter().find(inside)?)
    }
}

#[derive(Debug, Clone, Copy)]
struct Plan {
    alike: u64,
    apart: u64,
}

#[derive(Debug, Clone, Copy)]
enum Next {
    Head,
    Grant(usize),
    Effectuation(usize),
    Copy(u64),
    Tail,
    Nothing,
}

/// The pieces of a body.
#[derive(Debug)]
pub struct Pieces<'a> {
    answer: &'a Answer,
    out: Canonical,
    next: Next,
    padding: Plan,
}

impl Iterator for Pieces<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.next {
                Next::Head => {
                    self.head();
                    self.next = Next::Grant(0);
                }
                Next::Grant(n) => {
                    let shown = self.answer.shows(|filter| &filter.grants);
                    let found = self.answer.found.grants.get(n).filter(|_| shown.anything());
                    match found.and_then(|n| self.answer.population.grants.get(*n)) {
                        Some(found) => {
                            grant(&mut self.out, &self.answer.population, found, shown);
                            self.next = Next::Grant(n + 1);
                        }
                        None => self.next = Next::Effectuation(0),
                    }
                }
                Next::Effectuation(n) => {
                    let shown = self.answer.shows(|filter| &filter.effectuations);
                    let found = self.answer.found.effectuations.get(n).filter(|_| shown.anything());
                    match found.and_then(|n| self.answer.population.effectuations.get(*n)) {
                        Some(found) => {
                            effectuation(&mut self.out, &self.answer.population, found, shown);
                            self.next = Next::Effectuation(n + 1);
                        }
                        None => self.next = Next::Copy(0),
                    }
                }
                Next::Copy(n) => {
                    let shown = self.answer.shows(|filter| &filter.effectuations);
                    let Plan { alike, apart } = self.padding;
                    match self.answer.model().filter(|_| n < alike + apart && shown.anything()) {
                        Some(model) => {
                            // The alike ones stand evenly spread among the others.
                            let before = |n: u64| u128::from(n) * u128::from(alike) / u128::from(alike + apart).max(1);
                            let back = before(n) == before(n + 1);
                            let copy = copy(model, n, back, self.answer.population.now);
                            effectuation(&mut self.out, &self.answer.population, &copy, shown);
                            self.next = Next::Copy(n + 1);
                        }
                        None => self.next = Next::Tail,
                    }
                }
                Next::Tail => {
                    self.out.close();
                    self.out.close();
                    self.next = Next::Nothing;
                }
                Next::Nothing => return None,
            }
            let piece = self.out.take();
            if !piece.is_empty() {
                return Some(piece);
            }
        }
    }
}

impl Pieces<'_> {
    fn head(&mut self) {
        let Answer { status, text, found, .. } = self.answer;
        let out = &mut self.out;
        out.open_with_id(Ns::Soap, "Body", BODY_ID);
        out.open(Ns::Yi, "FremsoegYdelseIndeksOutput");
        out.open(Ns::Sd, "StandardRetur");
        out.leaf(Ns::Sd, "StatusKode", &status.to_string());
        out.maybe(Ns::Sd, "FejlbeskedTekst", text.as_deref());
        out.close();
        if *status == 20 {
            count(out, "bevillinger", found.all_grants, found.grant_page);
            count(out, "ydelser", found.all_lines, Page::default());
            count(out, "effektueringer", found.all_effectuations, found.effectuation_page);
        }
    }
}

fn count(out: &mut Canonical, of: &str, number: usize, page: Page) {
    out.open(Ns::Yi, "Antal");
    out.leaf(Ns::Yi, "Element", of);
    out.leaf(Ns::Yi, "Antal", &number.to_string());
    if let Some(most) = page.most {
        out.open(Ns::Yi, "Paginering");
        out.leaf(Ns::Sd, "FoersteResultatReference", &page.first.to_string());
        out.leaf(Ns::Sd, "MaksimalAntalKvantitet", &most.to_string());
        out.close();
    }
    out.close();
}

/// What a filter shows of one kind of object; without a filter, everything.
#[derive(Debug, Clone, Copy)]
struct Shown<'f>(Option<&'f Vec<String>>);

impl Shown<'_> {
    fn anything(self) -> bool {
        self.0.is_none_or(|shown| !shown.is_empty())
    }
    fn has(self, part: &str) -> bool {
        self.0.is_none_or(|shown| shown.iter().any(|vis| vis == part))
    }
}

/// A copy of a payment under a UUID of its own; `back` moves it thirteen months back.
fn copy(model: &Effectuation, number: u64, back: bool, now: Timestamp) -> Effectuation {
    let mut copy = model.clone();
    copy.uuid = Random::new(number).uuid();
    if back {
        let long_ago = Moment::write(moved(now, -400), Style::Local);
        for registration in &mut copy.registrations {
            for properties in &mut registration.properties {
                properties.disposition = Some(long_ago.clone());
            }
        }
    }
    copy
}

fn grant(out: &mut Canonical, population: &Population, grant: &Grant, shown: Shown<'_>) {
    out.open(Ns::Yi, "BevillingFiltreretOejebliksbillede");
    out.open(Ns::Bi, "ObjektType");
    out.leaf(Ns::Sd, "UUIDIdentifikator", &grant.uuid.to_string());
    out.close();
    out.open(Ns::Bi, "Registrering");
    registered(out, grant.registered, grant.life_cycle, grant.uuid);
    let start = Moment::write(grant.registered, Style::Local);

    out.open(Ns::Bi, "AttributListe");
    if shown.has("egenskaber") {
        out.open(Ns::Bi, "Egenskaber");
        valid(out, Ns::Bi, grant.registered);
        out.leaf(Ns::Bi, "BrugervendtNoegle", &format!("B-{}", short(grant.uuid)));
        out.leaf(Ns::Bi, "Bevillingstartdato", start.text());
        out.leaf(Ns::Bi, "Begrundelse", &format!("Bevilget {} efter ansøgning; helbredsoplysninger i sagen.", grant.name));
        out.leaf(Ns::Bi, "Foelsomhed", grant.sensitivity);
        out.close();
    }
    if shown.has("bevilgetydelse") {
        for (id, benefit) in &grant.benefits {
            out.open(Ns::Bi, "BevilgetYdelse");
            out.leaf(Ns::Bi, "Id", id);
            out.leaf(Ns::Bi, "Navn", benefit.name);
            out.leaf(Ns::Bi, "BevilgetYdelseStartdato", start.text());
            out.leaf(Ns::Bi, "Tilbagebetalingspligtig", "false");
            out.leaf(Ns::Bi, "Meddelelse", "Meddelelse til borgeren.");
            out.open(Ns::Bi, "Ydelse");
            reference(out, Ns::Bi, "ReferenceID", "UUIDIdentifikator", &benefit.class.to_string());
            out.leaf(Ns::Bi, "Ydelsesnavn", benefit.name);
            out.open(Ns::Bi, "Klassifikation");
            out.leaf(Ns::Bi, "BrugervendtNoegle", benefit.kle);
            out.leaf(Ns::Bi, "Klassetitel", benefit.name);
            out.close();
            out.close();
            out.close();
        }
    }
    if shown.has("egenskaberlokaludvidelse") {
        extension(out, grant.registered, &grant.name);
    }
    out.close();

    out.open(Ns::Bi, "TilstandListe");
    out.close();

    out.open(Ns::Bi, "RelationListe");
    if shown.has("sag") {
        out.open(Ns::Bi, "Bevillingssag");
        reference(out, Ns::Gd, "ReferenceID", "UUIDIdentifikator", &grant.uuid.to_string());
        out.leaf(Ns::Bi, "BrugervendtNoegle", &format!("S-{}", short(grant.uuid)));
        out.leaf(Ns::Bi, "FuldtNavn", &format!("Sag om {}", grant.name));
        out.close();
    }
    if shown.has("part") {
        for grantee in &grant.grantees {
            out.open(Ns::Bi, "Bevillingspart");
            person(out, grantee, GRANTEE);
            out.leaf(Ns::Bi, "BrugervendtNoegle", grantee);
            out.leaf(Ns::Bi, "FuldtNavn", population.name_of(grantee));
            out.close();
        }
    }
    if shown.has("aktoer-ejer") {
        actor(out, Ns::Bi, "Bevillingsaktoer", GRANT_OWNER, Some(&grant.owner));
    }
    if shown.has("sikkerhedsprofil") {
        out.open(Ns::Bi, "Sikkerhedsprofil");
        reference(out, Ns::Gd, "ReferenceID", "URNIdentifikator", "urn:oio:kle:32.00.00");
        out.close();
    }
    out.close();
    out.close();
    out.close();
}

fn effectuation(out: &mut Canonical, population: &Population, effectuation: &Effectuation, shown: Shown<'_>) {
    out.open(Ns::Yi, "OekonomiskEffektueringFiltreretOejebliksbillede");
    out.open(Ns::Oei, "ObjektType");
    out.leaf(Ns::Sd, "UUIDIdentifikator", &effectuation.uuid.to_string());
    out.close();
    for registration in &effectuation.registrations {
        out.open(Ns::Oei, "Registrering");
        registered(out, registration.registered, registration.life_cycle, effectuation.uuid);
        out.open(Ns::Oei, "AttributListe");
        if shown.has("egenskaber") {
            registration.properties.iter().for_each(|set| properties(out, registration, set, effectuation.uuid));
            extension(out, registration.registered, registration.payees.first().map_or("", |cpr| cpr));
        }
        out.close();
        out.open(Ns::Oei, "TilstandListe");
        out.close();
        out.open(Ns::Oei, "RelationListe");
        if shown.has("oekonomiskeydelseeffektueringer") {
            lines(out, registration);
        }
        if shown.has("aktoer") {
            for owner in &registration.owners {
                actor(out, Ns::Oei, "Aktoer", EFFECTUATION_OWNER, owner.as_deref());
            }
        }
        if shown.has("itsystem") {
            out.open(Ns::Oei, "ItSystem");
            out.leaf(Ns::Oei, "SystemNavn", "Udbetalingssystemet");
            out.leaf(Ns::Oei, "SystemURI", "urn:oio:system:udbetaling");
            out.close();
        }
        // The filter has no name for the payee; the stub shows it together with the actors.
        if shown.has("aktoer") {
            for payee in &registration.payees {
                out.open(Ns::Oei, "OekonomiskEffektueringPart");
                person(out, payee, PAYEE);
                out.leaf(Ns::Oei, "BrugervendtNoegle", payee);
                out.leaf(Ns::Oei, "FuldtNavn", population.name_of(payee));
                out.close();
            }
        }
        out.close();
        out.close();
    }
    out.close();
}

fn properties(out: &mut Canonical, registration: &Registration, set: &Properties, uuid: Uuid) {
    let date = |moment: &Option<Moment>| moment.as_ref().map(|moment| moment.text().to_owned());
    out.open(Ns::Oei, "Egenskaber");
    valid(out, Ns::Oei, registration.registered);
    out.leaf(Ns::Oei, "BrugervendtNoegle", &format!("E-{}", short(uuid)));
    out.maybe(Ns::Oei, "Startdato", date(&set.start).as_deref());
    out.maybe(Ns::Oei, "Slutdato", date(&set.end).as_deref());
    out.maybe(Ns::Oei, "SamletBruttobeloeb", set.gross.as_deref());
    out.maybe(Ns::Oei, "Dispositionsdato", date(&set.disposition).as_deref());
    out.maybe(Ns::Oei, "BeloebEfterSkatATP", set.paid.as_deref());
    out.maybe(Ns::Oei, "BeloebSendtTilUdbetaling", set.paid.as_deref());
    out.maybe(Ns::Oei, "BeloebUdbetalt", set.paid.as_deref());
    out.leaf(Ns::Oei, "Udbetalingsafdeling", "Udbetaling Nord");
    out.leaf(Ns::Oei, "SendtTilUdbetalingTekst", "Modregnet gæld til det offentlige & <retsafgift>");
    out.leaf(Ns::Oei, "UdbetaltTekst", "Overført til NemKonto");
    out.close();
}

fn lines(out: &mut Canonical, registration: &Registration) {
    for (n, line) in registration.lines.iter().enumerate() {
        out.open(Ns::Oei, "OekonomiskYdelseEffektueringRelation");
        valid(out, Ns::Gd, registration.registered);
        out.leaf(Ns::Gd, "Indeks", &(n + 1).to_string());
        if let Some(class) = line.class {
            reference(out, Ns::Gd, "ReferenceID", "UUIDIdentifikator", &class.to_string());
        }
        out.maybe(Ns::Oei, "YdelsesperiodeStartdato", line.start.as_ref().map(Moment::text));
        out.maybe(Ns::Oei, "YdelsesperiodeSlutdato", line.end.as_ref().map(Moment::text));
        out.maybe(Ns::Oei, "Ydelsesbeloeb", line.amount.as_deref());
        out.maybe(Ns::Oei, "Klassifikationsbeskrivelse", line.kle.as_deref());
        if let Some((grant, id)) = &line.grant {
            out.open(Ns::Oei, "BevilgetYdelseRef");
            out.leaf(Ns::Sd, "UUIDIdentifikator", &grant.to_string());
            out.leaf(Ns::Oei, "BevilgetYdelseId", id);
            out.close();
        }
        out.close();
    }
}

/// The head of a registration: what the general types hold.
fn registered(out: &mut Canonical, at: Timestamp, life_cycle: LifeCycle, uuid: Uuid) {
    let moment = Moment::write(at, Style::Utc);
    out.leaf(Ns::Sd, "NoteTekst", &format!("Registreret af sagsbehandler; journal {uuid}."));
    out.leaf(Ns::Sd, "Tidspunkt", moment.text());
    let life_cycle = match life_cycle {
        LifeCycle::Opstaaet => "Opstaaet",
        LifeCycle::Importeret => "Importeret",
        LifeCycle::Passiveret => "Passiveret",
        LifeCycle::Slettet => "Slettet",
    };
    out.leaf(Ns::Sd, "LivscyklusKode", life_cycle);
    reference(out, Ns::Sd, "BrugerRef", "URNIdentifikator", "urn:oio:bruger:sagsbehandler-17");
    out.leaf(Ns::Gd, "StsTidspunkt", moment.text());
}

fn valid(out: &mut Canonical, ns: Ns, from: Timestamp) {
    out.open(ns, "Virkning");
    out.open(Ns::Sd, "FraTidspunkt");
    out.leaf(Ns::Sd, "TidsstempelDatoTid", Moment::write(from, Style::Local).text());
    out.close();
    out.open(Ns::Sd, "TilTidspunkt");
    out.leaf(Ns::Sd, "GraenseIndikator", "true");
    out.close();
    reference(out, Ns::Sd, "AktoerRef", "URNIdentifikator", "urn:oio:bruger:sagsbehandler-17");
    out.leaf(Ns::Sd, "AktoerTypeKode", "Bruger");
    out.leaf(Ns::Sd, "NoteTekst", "Se journalen.");
    out.close();
}

/// Extensions hold anything at all; here a note about a person.
fn extension(out: &mut Canonical, at: Timestamp, about: &str) {
    out.open(Ns::Gd, "LokalUdvidelseListe");
    out.leaf(Ns::Sd, "NoteTekst", &format!("Vedrører {about}."));
    out.leaf(Ns::Gd, "SenestAendretTidspunkt", Moment::write(at, Style::Utc).text());
    out.close();
}

fn actor(out: &mut Canonical, ns: Ns, element: &'static str, role: &str, cvr: Option<&str>) {
    out.open(ns, element);
    reference(out, Ns::Gd, "Rolle", "UUIDIdentifikator", role);
    out.leaf(Ns::Gd, "Indeks", "1");
    out.maybe(ns, "FuldtNavn", cvr.map(authority_name));
    out.maybe(ns, "CVR-nr", cvr);
    out.close();
}

fn person(out: &mut Canonical, cpr: &str, role: &str) {
    reference(out, Ns::Gd, "Rolle", "UUIDIdentifikator", role);
    out.leaf(Ns::Gd, "Indeks", "1");
    reference(out, Ns::Gd, "ReferenceID", "URNIdentifikator", &format!("{CPR_URN}{cpr}"));
}

fn reference(out: &mut Canonical, ns: Ns, element: &'static str, kind: &'static str, value: &str) {
    out.open(ns, element);
    out.leaf(Ns::Sd, kind, value);
    out.close();
}

fn short(uuid: Uuid) -> String {
    uuid.simple().to_string().chars().take(12).collect()
}
