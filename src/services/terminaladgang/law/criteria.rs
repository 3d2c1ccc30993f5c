//! What a search for effectuations may test: the fields that the answer may show, each where the policy allows it.
//!
//! A search may test only what the answer may show, for the hits themselves would tell the rest. What is not read here
//! (texts, user keys, names, it-systems, actors beside the owner, `BevilgetYdelseRef`, every extension that is no
//! interval search) is refused by its name.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;

use serde::Deserialize;

use super::dates::{self, Readings};
use super::refusal::LawRefusal;
use super::rules::RequestRules;
use super::schema::{Children, GD, GO, OEI, Place, SD, invalid};
use crate::id::cpr::{Cpr, NotCpr};
use crate::id::kle::Kle;
use crate::refusal::{Detail, Refusal};

/// A field that a policy may let searches test, spelt as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub enum Criterion {
    /// The disposition date: the window itself.
    Dispositionsdato,
    /// The start of the period that the payment covers.
    Startdato,
    /// The end of that period.
    Slutdato,
    /// The gross sum.
    SamletBruttobeloeb,
    /// The sum paid.
    BeloebUdbetalt,
    /// The sum sent to be paid.
    BeloebSendtTilUdbetaling,
    /// The sum after tax and ATP.
    BeloebEfterSkatATP,
    /// The kind of benefit, by KLE number.
    Klassifikationsbeskrivelse,
    /// The kind of benefit, by class UUID, and the line's role, type and index.
    OekonomiskYdelseEffektueringRelation,
    /// A line's amount.
    Ydelsesbeloeb,
    /// The start of a line's period.
    YdelsesperiodeStartdato,
    /// The end of a line's period.
    YdelsesperiodeSlutdato,
    /// The owning authority, by CVR number.
    Ejer,
    /// The payee, who may only be the person asked about.
    OekonomiskEffektueringPart,
}

impl Criterion {
    /// Every criterion, by its name in a policy.
    pub const EVERY: [(&'static str, Self); 14] = [
        ("Dispositionsdato", Self::Dispositionsdato),
        ("Startdato", Self::Startdato),
        ("Slutdato", Self::Slutdato),
        ("SamletBruttobeloeb", Self::SamletBruttobeloeb),
        ("BeloebUdbetalt", Self::BeloebUdbetalt),
        ("BeloebSendtTilUdbetaling", Self::BeloebSendtTilUdbetaling),
        ("BeloebEfterSkatATP", Self::BeloebEfterSkatATP),
        ("Klassifikationsbeskrivelse", Self::Klassifikationsbeskrivelse),
        ("OekonomiskYdelseEffektueringRelation", Self::OekonomiskYdelseEffektueringRelation),
        ("Ydelsesbeloeb", Self::Ydelsesbeloeb),
        ("YdelsesperiodeStartdato", Self::YdelsesperiodeStartdato),
        ("YdelsesperiodeSlutdato", Self::YdelsesperiodeSlutdato),
        ("Ejer", Self::Ejer),
        ("OekonomiskEffektueringPart", Self::OekonomiskEffektueringPart),
    ];

    /// Its name in a policy.
    pub fn name(self) -> &'static str {
        Self::EVERY.into_iter().find(|(_, criterion)| *criterion == self).map_or("", |(name, _)| name)
    }

    /// The criterion of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|(known, _)| *known == name).map(|(_, criterion)| criterion)
    }
}

/// A date as written, and what it may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DateText {
    pub(super) text: String,
    pub(super) readings: Readings,
}

/// A bound of an interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Bound {
    At(DateText),
    Infinite,
}

impl Bound {
    pub(super) fn text(&self) -> &str {
        match self {
            Bound::At(date) => &date.text,
            Bound::Infinite => "∞",
        }
    }
}

/// An interval of dates: `FraTidspunkt` inclusive, `TilTidspunkt` exclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dates {
    pub(super) from: Bound,
    pub(super) to: Bound,
}

/// An interval of amounts, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Amounts {
    pub(super) from: String,
    pub(super) to: String,
}

/// `oei:Egenskaber`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Properties {
    pub(super) place: String,
    pub(super) start: Option<DateText>,
    pub(super) end: Option<DateText>,
    pub(super) gross: Option<String>,
    pub(super) disposition: Option<DateText>,
    pub(super) after_tax: Option<String>,
    pub(super) sent: Option<String>,
    pub(super) paid: Option<String>,
}

/// `oei:SoegEgenskaberLokalUdvidelse`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Extension {
    pub(super) place: String,
    pub(super) start: Option<Dates>,
    pub(super) end: Option<Dates>,
    pub(super) disposition: Option<Dates>,
    pub(super) gross: Option<Amounts>,
    pub(super) paid: Option<Amounts>,
    pub(super) after_tax: Option<Amounts>,
    pub(super) sent: Option<Amounts>,
}

/// `oei:OekonomiskYdelseEffektueringRelation`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) role: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) index: Option<String>,
    pub(super) class: Option<String>,
    pub(super) extensions: Vec<LineExtension>,
    pub(super) start: Option<DateText>,
    pub(super) end: Option<DateText>,
    pub(super) amount: Option<String>,
    pub(super) kle: Option<Kle>,
}

/// `oei:SoegOekonomiskYdelseEffektueringRelationLokalUdvidelse`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LineExtension {
    pub(super) start: Option<Dates>,
    pub(super) end: Option<Dates>,
    pub(super) amount: Option<Amounts>,
}

/// `oei:Aktoer`, in the owner's role only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) role: String,
    pub(super) kind: Option<String>,
    pub(super) cvr: Option<String>,
}

/// `oei:OekonomiskEffektueringPart`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Payee {
    pub(super) role: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) person: Cpr,
}

/// Reads values and criteria as the policy allows.
#[derive(Clone, Copy)]
pub(super) struct Reader<'r> {
    pub(super) rules: &'r RequestRules,
    /// What the search was found to test.
    pub(super) tested: &'r RefCell<BTreeSet<Criterion>>,
}

impl Reader<'_> {
    pub(super) fn allow(self, criterion: Criterion, place: &Place<'_>) -> Result<(), Refusal> {
        if self.rules.criteria.contains(&criterion) {
            self.tested.borrow_mut().insert(criterion);
            return Ok(());
        }
        Err(LawRefusal::CriterionWithheld { criterion: Detail::name(place.element.local()) }.into())
    }

    pub(super) fn properties(self, place: &Place<'_>) -> Result<Properties, Refusal> {
        let mut children =
            place.children(&["BrugervendtNoegle", "Udbetalingsafdeling", "SendtTilUdbetalingTekst", "UdbetaltTekst"])?;
        let properties = Properties {
            place: place.path.clone(),
            start: self.date_field(&mut children, Criterion::Startdato, "Startdato")?,
            end: self.date_field(&mut children, Criterion::Slutdato, "Slutdato")?,
            gross: self.amount_field(&mut children, Criterion::SamletBruttobeloeb, "SamletBruttobeloeb")?,
            disposition: self.date_field(&mut children, Criterion::Dispositionsdato, "Dispositionsdato")?,
            after_tax: self.amount_field(&mut children, Criterion::BeloebEfterSkatATP, "BeloebEfterSkatATP")?,
            sent: self.amount_field(&mut children, Criterion::BeloebSendtTilUdbetaling, "BeloebSendtTilUdbetaling")?,
            paid: self.amount_field(&mut children, Criterion::BeloebUdbetalt, "BeloebUdbetalt")?,
        };
        children.end()?;
        Ok(properties)
    }

    pub(super) fn extension(self, place: &Place<'_>) -> Result<Extension, Refusal> {
        let mut children = place.children(&[])?;
        let extension = Extension {
            place: place.path.clone(),
            start: self.dates(&mut children, Criterion::Startdato, "StartDatoInterval")?,
            end: self.dates(&mut children, Criterion::Slutdato, "SlutDatoInterval")?,
            disposition: self.dates(&mut children, Criterion::Dispositionsdato, "DispositionsDatoInterval")?,
            gross: self.amounts(&mut children, Criterion::SamletBruttobeloeb, "SamletBruttoBeloebInterval")?,
            paid: self.amounts(&mut children, Criterion::BeloebUdbetalt, "BeloebUdbetaltInterval")?,
            after_tax: self.amounts(&mut children, Criterion::BeloebEfterSkatATP, "BeloebEfterSkatATPInterval")?,
            sent: self.amounts(&mut children, Criterion::BeloebSendtTilUdbetaling, "BeloebSendtTilUdbetalingInterval")?,
        };
        children.end()?;
        Ok(extension)
    }

    pub(super) fn line(self, place: &Place<'_>) -> Result<Line, Refusal> {
        let mut children = place.children(&["BevilgetYdelseRef"])?;
        let line = Line {
            role: self.line_uuid(&mut children, "Rolle")?,
            kind: self.line_uuid(&mut children, "Type")?,
            index: match children.optional(GD, "Indeks") {
                Some(index) => {
                    self.allow(Criterion::OekonomiskYdelseEffektueringRelation, &index)?;
                    Some(matching(&index, ("et til fire cifre", "one to four digits"), |text| {
                        (1..=4).contains(&text.len()) && digits(text)
                    })?)
                }
                None => None,
            },
            class: self.line_uuid(&mut children, "ReferenceID")?,
            extensions: match children.optional(GD, "LokalUdvidelseListe") {
                Some(list) => self.line_extensions(&list)?,
                None => Vec::new(),
            },
            start: self.date_field(&mut children, Criterion::YdelsesperiodeStartdato, "YdelsesperiodeStartdato")?,
            end: self.date_field(&mut children, Criterion::YdelsesperiodeSlutdato, "YdelsesperiodeSlutdato")?,
            amount: self.amount_field(&mut children, Criterion::Ydelsesbeloeb, "Ydelsesbeloeb")?,
            kle: match children.optional(OEI, "Klassifikationsbeskrivelse") {
                Some(kle) => {
                    self.allow(Criterion::Klassifikationsbeskrivelse, &kle)?;
                    Some(Kle::parse(&kle.value()?).ok_or_else(|| {
                        invalid(
                            format!("{} er ikke et KLE-nummer dd.dd.dd", kle.name()),
                            format!("{} is not a KLE number dd.dd.dd", kle.name()),
                        )
                    })?)
                }
                None => None,
            },
        };
        children.end()?;
        Ok(line)
    }

    fn line_uuid(self, children: &mut Children<'_>, name: &'static str) -> Result<Option<String>, Refusal> {
        let Some(place) = children.optional(GD, name) else { return Ok(None) };
        self.allow(Criterion::OekonomiskYdelseEffektueringRelation, &place)?;
        uuid_reference(&place).map(Some)
    }

    fn line_extensions(self, list: &Place<'_>) -> Result<Vec<LineExtension>, Refusal> {
        let mut children = list.children(&["SenestAendretTidspunkt"])?;
        let mut extensions = Vec::new();
        for place in children.repeated(OEI, "SoegOekonomiskYdelseEffektueringRelationLokalUdvidelse") {
            let mut inner = place.children(&[])?;
            extensions.push(LineExtension {
                start: self.dates(&mut inner, Criterion::YdelsesperiodeStartdato, "YdelsesperiodeStartDatoInterval")?,
                end: self.dates(&mut inner, Criterion::YdelsesperiodeSlutdato, "YdelsesperiodeSlutDatoInterval")?,
                amount: self.amounts(&mut inner, Criterion::Ydelsesbeloeb, "YdelsesBeloebInterval")?,
            });
            inner.end()?;
        }
        children.end()?;
        Ok(extensions)
    }

    /// Only the owner is shown, so only the owner may be tested: an actor without a role could be the paying unit.
    pub(super) fn owner(self, place: &Place<'_>) -> Result<Owner, Refusal> {
        self.allow(Criterion::Ejer, place)?;
        let mut children = place.children(&["Indeks", "ReferenceID", "LokalUdvidelseListe", "BrugervendtNoegle", "FuldtNavn"])?;
        let role = children.optional(GD, "Rolle").map(|role| uuid_reference(&role)).transpose()?;
        let kind = children.optional(GD, "Type").map(|kind| uuid_reference(&kind)).transpose()?;
        let cvr = children
            .optional(OEI, "CVR-nr")
            .map(|cvr| matching(&cvr, ("otte cifre", "eight digits"), |text| text.len() == 8 && digits(text)))
            .transpose()?;
        children.end()?;
        let owner = &self.rules.roles.owner;
        match role.filter(|role| role.eq_ignore_ascii_case(owner)) {
            Some(role) => Ok(Owner { role, kind, cvr }),
            None => Err(LawRefusal::CriterionWithheld {
                criterion: Detail::new(
                    format!("Aktoer uden Rolle {owner} (Ejer)"),
                    format!("Aktoer without Rolle {owner} (Ejer)"),
                ),
            }
            .into()),
        }
    }

    /// The payee need not be the grantee, so naming one binds nothing; [`super::request`] lets it name only P.
    pub(super) fn payee(self, place: &Place<'_>) -> Result<Payee, Refusal> {
        self.allow(Criterion::OekonomiskEffektueringPart, place)?;
        let mut children = place.children(&["Indeks", "LokalUdvidelseListe", "BrugervendtNoegle", "FuldtNavn"])?;
        let role = children.optional(GD, "Rolle").map(|role| uuid_reference(&role)).transpose()?;
        let kind = children.optional(GD, "Type").map(|kind| uuid_reference(&kind)).transpose()?;
        let Some(reference) = children.optional(GD, "ReferenceID") else {
            children.end()?;
            // Without a person it would test who else is paid, which is never shown.
            return Err(LawRefusal::CriterionWithheld {
                criterion: Detail::new(
                    "OekonomiskEffektueringPart uden ReferenceID",
                    "OekonomiskEffektueringPart without ReferenceID",
                ),
            }
            .into());
        };
        children.end()?;
        Ok(Payee { role, kind, person: person(&reference)? })
    }

    fn date_field(
        self,
        children: &mut Children<'_>,
        criterion: Criterion,
        name: &'static str,
    ) -> Result<Option<DateText>, Refusal> {
        let Some(place) = children.optional(OEI, name) else { return Ok(None) };
        self.allow(criterion, &place)?;
        self.date(&place).map(Some)
    }

    fn date(self, place: &Place<'_>) -> Result<DateText, Refusal> {
        let text = place.collapsed()?.into_owned();
        match dates::read(&text, self.rules.naive) {
            Some(readings) => Ok(DateText { text, readings }),
            None => Err(LawRefusal::DateUnreadable { place: place.path.clone() }.into()),
        }
    }

    fn dates(self, children: &mut Children<'_>, criterion: Criterion, name: &'static str) -> Result<Option<Dates>, Refusal> {
        let Some(place) = children.optional(OEI, name) else { return Ok(None) };
        self.allow(criterion, &place)?;
        let mut bounds = place.children(&[])?;
        let from = self.bound(&bounds.required(GO, "FraTidspunkt")?)?;
        let to = self.bound(&bounds.required(GO, "TilTidspunkt")?)?;
        bounds.end()?;
        Ok(Some(Dates { from, to }))
    }

    fn bound(self, place: &Place<'_>) -> Result<Bound, Refusal> {
        let mut children = place.children(&[])?;
        let bound = if let Some(infinite) = children.optional(SD, "GraenseIndikator") {
            collapsed_matching(&infinite, ("true", "true"), |text| text == "true" || text == "1")?;
            Bound::Infinite
        } else {
            Bound::At(self.date(&children.required(SD, "TidsstempelDatoTid")?)?)
        };
        children.end()?;
        Ok(bound)
    }

    fn amount_field(
        self,
        children: &mut Children<'_>,
        criterion: Criterion,
        name: &'static str,
    ) -> Result<Option<String>, Refusal> {
        let Some(place) = children.optional(OEI, name) else { return Ok(None) };
        self.allow(criterion, &place)?;
        amount(&place).map(Some)
    }

    fn amounts(self, children: &mut Children<'_>, criterion: Criterion, name: &'static str) -> Result<Option<Amounts>, Refusal> {
        let Some(place) = children.optional(OEI, name) else { return Ok(None) };
        self.allow(criterion, &place)?;
        let mut bounds = place.children(&[])?;
        let from = amount(&bounds.required(GO, "FraBeloeb")?)?;
        let to = amount(&bounds.required(GO, "TilBeloeb")?)?;
        bounds.end()?;
        Ok(Some(Amounts { from, to }))
    }
}

/// A person's `ReferenceID`: a CPR number, in the one scheme that can be compared in the answer.
pub(super) fn person(reference: &Place<'_>) -> Result<Cpr, Refusal> {
    let mut children = reference.children(&[])?;
    if children.optional(SD, "UUIDIdentifikator").is_some() {
        return Err(LawRefusal::PersonScheme.into());
    }
    let urn = children.required(SD, "URNIdentifikator")?;
    children.end()?;
    Cpr::from_urn(&urn.value()?).map_err(|not| match not {
        NotCpr::Scheme => LawRefusal::PersonScheme.into(),
        NotCpr::Number => LawRefusal::PersonInvalid.into(),
    })
}

/// A reference (role, type, class) by UUID. A URN is a free string and could carry anything.
pub(super) fn uuid_reference(place: &Place<'_>) -> Result<String, Refusal> {
    let mut children = place.children(&["URNIdentifikator"])?;
    let uuid = children.required(SD, "UUIDIdentifikator")?;
    children.end()?;
    matching(&uuid, ("en UUID", "a UUID"), is_uuid)
}

pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

pub(super) fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number from 0 up, as XML Schema writes integers: a sign and zeros may stand before it. What is forwarded is the number.
pub(super) fn whole(text: &str) -> Option<u64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let number = Some(unsigned).filter(|text| digits(text))?.parse().ok()?;
    (number == 0 || !text.starts_with('-')).then_some(number)
}

/// `-?[0-9]+(\.[0-9]+)?`, kept as written: an amount is never reformatted.
fn amount(place: &Place<'_>) -> Result<String, Refusal> {
    matching(place, ("et beløb", "an amount"), |text| {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        match unsigned.split_once('.') {
            Some((whole, fraction)) => digits(whole) && digits(fraction),
            None => digits(unsigned),
        }
    })
}

/// The value of a type whose white space the schema keeps (every string), if it has this form.
pub(super) fn matching(place: &Place<'_>, what: (&str, &str), form: impl Fn(&str) -> bool) -> Result<String, Refusal> {
    formed(place, place.value()?, what, form)
}

/// The value of a type whose white space the schema collapses, if it has this form.
pub(super) fn collapsed_matching(place: &Place<'_>, what: (&str, &str), form: impl Fn(&str) -> bool) -> Result<String, Refusal> {
    formed(place, place.collapsed()?, what, form)
}

fn formed(place: &Place<'_>, text: Cow<'_, str>, (da, en): (&str, &str), form: impl Fn(&str) -> bool) -> Result<String, Refusal> {
    if form(&text) {
        Ok(text.into_owned())
    } else {
        Err(invalid(format!("{} er ikke {da}", place.name()), format!("{} is not {en}", place.name())))
    }
}
