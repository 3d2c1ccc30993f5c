//! Reads a `FremsoegYdelseIndeksInput` as the index does.
//!
//! Tolerant of what a schema would forbid and nobody minds, but never of a criterion that it does not know: leaving one
//! out would answer another question than the one asked.

use crate::soap::document::Element;
use crate::stub::moment::Moment;

use super::names::{BI, CPR_URN, EFFECTUATION_OWNER, GD, GO, GRANT_OWNER, GRANTEE, OEI, PAYEE, SD, YI};
use jiff::Timestamp;

/// A search.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Search {
    /// Only these grants, where any are named.
    pub grants: Vec<String>,
    /// Only these effectuations, where any are named.
    pub effectuations: Vec<String>,
    pub root: Expression,
    /// What to show; `None` shows everything.
    pub filter: Option<Filter>,
    /// How to sort, the first one deciding.
    pub sorting: Vec<Sorting>,
}

/// The boolean tree. An empty `And` is true, an empty `Or` false.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Expression {
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Box<Expression>),
    Grant(GrantCriteria),
    Effectuation(EffectuationCriteria),
}

/// Which part of the hits of one search element is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Page {
    /// How many hits to pass over.
    pub first: usize,
    /// How many to show at most.
    pub most: Option<usize>,
}

/// What a grant must be; all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs)] // the names say it
pub struct GrantCriteria {
    pub page: Page,
    /// Grantees, as CPR numbers.
    pub grantees: Vec<String>,
    /// Owners' CVR numbers.
    pub owners: Vec<String>,
    pub sensitivities: Vec<String>,
    /// Set by a value that nothing in the index can equal, such as a role that nobody has.
    pub impossible: bool,
}

/// What an effectuation must be; all of it, within one registration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs)] // the names say it
pub struct EffectuationCriteria {
    pub page: Page,
    /// Disposition dates.
    pub dates: Vec<DateTest>,
    /// KLE numbers, each on some line.
    pub kle: Vec<String>,
    /// Class UUIDs, each on some line.
    pub classes: Vec<String>,
    /// Owners' CVR numbers.
    pub owners: Vec<String>,
    /// Payees, as CPR numbers.
    pub payees: Vec<String>,
    /// As in [`GrantCriteria::impossible`].
    pub impossible: bool,
}

/// A test of the disposition date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateTest {
    /// At this very instant.
    At(Timestamp),
    /// From the first, inclusive, to the second, exclusive; `None` is without bound.
    Within(Option<Timestamp>, Option<Timestamp>),
}

/// The `…Vis` of a filter, as on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// What to show of grants.
    pub grants: Vec<String>,
    /// What to show of effectuations.
    pub effectuations: Vec<String>,
}

/// One key to sort by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sorting {
    /// `Dispositionsdato`, `FuldtNavn` or `Ydelsesnavn`.
    pub key: String,
    /// Whether downwards.
    pub down: bool,
}

/// Why a search cannot be carried out, told in the answer's `StandardRetur`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadSearch {
    /// 40, bad input, or 41, what cannot be parsed.
    pub status: u16,
    /// What is wrong.
    pub text: String,
}

fn bad(text: impl Into<String>) -> BadSearch {
    BadSearch { status: 40, text: text.into() }
}

fn unparsable(text: impl Into<String>) -> BadSearch {
    BadSearch { status: 41, text: text.into() }
}

fn unknown(element: &Element<'_>) -> BadSearch {
    bad(format!("{} kan der ikke søges på", element.local()))
}

fn text(element: &Element<'_>) -> Result<String, BadSearch> {
    let text = element.text().ok_or_else(|| unparsable(format!("{} er ikke en værdi", element.local())))?;
    Ok(text.trim_matches(crate::soap::strict::is_space).to_owned())
}

/// Reads the one child of the SOAP body.
///
/// # Errors
/// [`BadSearch`], which the index answers rather than faults.
pub fn read(input: &Element<'_>) -> Result<Search, BadSearch> {
    if !input.is(YI, "FremsoegYdelseIndeksInput") {
        return Err(unparsable("kun FremsoegYdelseIndeksInput forstås"));
    }
    let mut search =
        Search { grants: vec![], effectuations: vec![], root: Expression::And(vec![]), filter: None, sorting: vec![] };
    let mut root = None;
    for child in input.elements() {
        match (child.namespace(), child.local()) {
            (YI, "BevillingUuid") => search.grants.push(text(&child)?),
            (YI, "OekonomiskEffektueringUuid") => search.effectuations.push(text(&child)?),
            (YI, "SoegUdtryk") if root.is_none() => root = Some(expression(&child)?),
            (YI, "Filter") => search.filter = Some(filter(&child)?),
            (YI, "Sortering") => search.sorting = sorting(&child)?,
            _ => return Err(unparsable(format!("{} er uventet", child.local()))),
        }
    }
    search.root = root.ok_or_else(|| unparsable("SoegUdtryk mangler"))?;
    Ok(search)
}

// Depth is bounded by the reader's limit on open elements.
fn expression(element: &Element<'_>) -> Result<Expression, BadSearch> {
    let mut either = false;
    let mut parts = Vec::new();
    for child in element.elements() {
        parts.push(match (child.namespace(), child.local()) {
            (YI, "operation") => {
                either = match text(&child)?.as_str() {
                    "AND" => false,
                    "OR" => true,
                    _ => return Err(unparsable("operation er hverken AND eller OR")),
                };
                continue;
            }
            (YI, "SoegUdtryk") => expression(&child)?,
            (YI, "NOT") => Expression::Not(Box::new(expression(&child)?)),
            (YI, "SoegBevillingIndeks") => Expression::Grant(grant(&child)?),
            (YI, "SoegOekonomiskEffektueringIndeks") => Expression::Effectuation(effectuation(&child)?),
            _ => return Err(unparsable(format!("{} er uventet i SoegUdtryk", child.local()))),
        });
    }
    Ok(if either { Expression::Or(parts) } else { Expression::And(parts) })
}

fn page(page: &mut Page, element: &Element<'_>) -> Result<bool, BadSearch> {
    let number = || text(element)?.parse::<usize>().map_err(|_| bad(format!("{} er ikke et tal fra 0", element.local())));
    match (element.namespace(), element.local()) {
        (SD, "FoersteResultatReference") => page.first = number()?,
        (SD, "MaksimalAntalKvantitet") => page.most = Some(number()?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn grant(element: &Element<'_>) -> Result<GrantCriteria, BadSearch> {
    let mut criteria = GrantCriteria::default();
    for child in element.elements() {
        if page(&mut criteria.page, &child)? {
            continue;
        }
        for inner in list(&child, BI)? {
            match (inner.namespace(), inner.local()) {
                (BI, "Egenskaber") => {
                    for value in inner.elements() {
                        match value.is(BI, "Foelsomhed") {
                            true => criteria.sensitivities.push(text(&value)?),
                            false => return Err(unknown(&value)),
                        }
                    }
                }
                (BI, "Bevillingspart") => {
                    let relation = relation(&inner, BI, GRANTEE)?;
                    criteria.impossible |= relation.impossible;
                    criteria.grantees.extend(relation.person);
                }
                (BI, "Bevillingsaktoer") => {
                    let relation = relation(&inner, BI, GRANT_OWNER)?;
                    criteria.impossible |= relation.impossible;
                    criteria.owners.extend(relation.cvr);
                }
                _ => return Err(unknown(&inner)),
            }
        }
    }
    Ok(criteria)
}

fn effectuation(element: &Element<'_>) -> Result<EffectuationCriteria, BadSearch> {
    let mut criteria = EffectuationCriteria::default();
    for child in element.elements() {
        if page(&mut criteria.page, &child)? {
            continue;
        }
        for inner in list(&child, OEI)? {
            match (inner.namespace(), inner.local()) {
                (OEI, "Egenskaber") => {
                    for value in inner.elements() {
                        match value.is(OEI, "Dispositionsdato") {
                            true => criteria.dates.push(DateTest::At(moment(&value)?)),
                            false => return Err(unknown(&value)),
                        }
                    }
                }
                (GD, "LokalUdvidelseListe") => {
                    for extension in inner.elements() {
                        if !extension.is(OEI, "SoegEgenskaberLokalUdvidelse") {
                            return Err(unknown(&extension));
                        }
                        for interval in extension.elements() {
                            match interval.is(OEI, "DispositionsDatoInterval") {
                                true => criteria.dates.push(within(&interval)?),
                                false => return Err(unknown(&interval)),
                            }
                        }
                    }
                }
                (OEI, "OekonomiskYdelseEffektueringRelation") => {
                    for value in inner.elements() {
                        match (value.namespace(), value.local()) {
                            (OEI, "Klassifikationsbeskrivelse") => criteria.kle.push(text(&value)?),
                            (GD, "ReferenceID") => criteria.classes.push(id(&value)?),
                            (GD, "Rolle" | "Type") => {}
                            _ => return Err(unknown(&value)),
                        }
                    }
                }
                (OEI, "Aktoer") => {
                    let relation = relation(&inner, OEI, EFFECTUATION_OWNER)?;
                    criteria.impossible |= relation.impossible;
                    criteria.owners.extend(relation.cvr);
                }
                (OEI, "OekonomiskEffektueringPart") => {
                    let relation = relation(&inner, OEI, PAYEE)?;
                    criteria.impossible |= relation.impossible;
                    criteria.payees.extend(relation.person);
                }
                _ => return Err(unknown(&inner)),
            }
        }
    }
    Ok(criteria)
}

/// The children of an `AttributListe`, `TilstandListe` or `RelationListe`.
fn list<'d>(element: &Element<'d>, namespace: &str) -> Result<Vec<Element<'d>>, BadSearch> {
    match (element.namespace() == namespace, element.local()) {
        (true, "AttributListe" | "RelationListe") => Ok(element.elements().collect()),
        (true, "TilstandListe") if element.is_empty() => Ok(vec![]),
        _ => Err(unknown(element)),
    }
}

struct Relation {
    person: Option<String>,
    cvr: Option<String>,
    impossible: bool,
}

fn relation(element: &Element<'_>, namespace: &str, role: &str) -> Result<Relation, BadSearch> {
    let mut relation = Relation { person: None, cvr: None, impossible: false };
    for value in element.elements() {
        match (value.namespace(), value.local()) {
            (GD, "Rolle") => relation.impossible |= !id(&value)?.eq_ignore_ascii_case(role),
            (GD, "Type") => {}
            (GD, "ReferenceID") => match id(&value)?.strip_prefix(CPR_URN) {
                Some(cpr) => relation.person = Some(cpr.to_owned()),
                // Persons are registered by CPR number only.
                None => relation.impossible = true,
            },
            (other, "CVR-nr") if other == namespace => relation.cvr = Some(text(&value)?),
            _ => return Err(unknown(&value)),
        }
    }
    Ok(relation)
}

fn id(element: &Element<'_>) -> Result<String, BadSearch> {
    let mut inner = element.elements();
    match (inner.next(), inner.next()) {
        (Some(id), None) if id.namespace() == SD && matches!(id.local(), "UUIDIdentifikator" | "URNIdentifikator") => text(&id),
        _ => Err(unparsable(format!("{} er hverken UUID eller URN", element.local()))),
    }
}

fn moment(element: &Element<'_>) -> Result<Timestamp, BadSearch> {
    let read = Moment::read(&text(element)?).map(|moment| moment.instant());
    read.ok_or_else(|| unparsable(format!("{} er ikke en dateTime", element.local())))
}

fn within(interval: &Element<'_>) -> Result<DateTest, BadSearch> {
    let bound = |name| {
        let bound = interval.only(GO, name).ok().flatten().and_then(|bound| bound.elements().next());
        match bound {
            Some(stamp) if stamp.is(SD, "TidsstempelDatoTid") => moment(&stamp).map(Some),
            Some(limit) if limit.is(SD, "GraenseIndikator") => Ok(None),
            _ => Err(unparsable(format!("{name} mangler"))),
        }
    };
    Ok(DateTest::Within(bound("FraTidspunkt")?, bound("TilTidspunkt")?))
}

fn filter(element: &Element<'_>) -> Result<Filter, BadSearch> {
    let mut filter = Filter::default();
    for child in element.elements() {
        let shown = |kind: &Element<'_>| kind.elements().map(|vis| text(&vis)).collect::<Result<Vec<_>, _>>();
        match (child.namespace(), child.local()) {
            (YI, "BevillingVis") => filter.grants.extend(shown(&child)?),
            (YI, "OekonomiskEffektueringVis") => filter.effectuations.extend(shown(&child)?),
            // What the real index pulls in by these is not public; the stub pulls in nothing.
            (YI, "BevillingInkluder" | "OekonomiskEffektueringInkluder") => {}
            _ => return Err(unparsable(format!("{} er uventet i Filter", child.local()))),
        }
    }
    Ok(filter)
}

fn sorting(element: &Element<'_>) -> Result<Vec<Sorting>, BadSearch> {
    let mut keys = Vec::new();
    for child in element.elements() {
        let value = |name| match child.only(YI, name) {
            Ok(Some(value)) => text(&value),
            _ => Err(unparsable(format!("{name} mangler i Sortering"))),
        };
        let sequence: i64 = value("Sekvens")?.parse().map_err(|_| bad("Sekvens er ikke et tal"))?;
        keys.push((sequence, Sorting { key: value("Element")?, down: value("Retning")? == "Faldende" }));
    }
    keys.sort_by_key(|(sequence, _)| *sequence);
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}
