//! A delivery as it is read from the nodes that were signed, voucher by voucher: what the rules look at, and nothing else.
//!
//! The schema has judged the same nodes, so what cannot be read here is a fault of ours: [`Unreadable`].

use std::borrow::Cow;

use jiff::civil::Date;
use uuid::Uuid;

use super::money::{Oere, Written};
use crate::id::cvr::Cvr;
pub use crate::id::cvr::URN as CVR_URN;
use crate::soap::document::Element;

/// The contract's namespace.
pub const NAMESPACE: &str = "urn:hjemmel:oekonomi:finansbilag:1";

/// Something that the schema should not have let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a valid delivery cannot be read")]
pub struct Unreadable;

/// What stands in front of the vouchers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Head {
    /// The delivery.
    pub id: Uuid,
    /// The it-system that says it sends.
    pub system: Uuid,
    /// The authority that says it sends.
    pub sender: Cvr,
    /// The authority whose ledger receives.
    pub receiver: Cvr,
    /// The value list.
    pub list: Uuid,
    pub version: String,
    /// From when that version is said to hold.
    pub version_from: Date,
    /// The control section.
    pub control: Control,
    /// Whether the delivery is a test.
    pub trial: bool,
}

/// The control section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control {
    /// How many vouchers.
    pub vouchers: u64,
    /// How many postings.
    pub postings: u64,
    /// The sum of the debit postings.
    pub debit: Written,
    /// The sum of the credit postings.
    pub credit: Written,
}

/// What stands in front of a voucher's postings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Voucher {
    /// The voucher.
    pub id: Uuid,
    /// The day on which it is booked.
    pub date: Date,
    /// The voucher that it corrects.
    pub corrects: Option<Uuid>,
}

/// On which side a posting stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `D`.
    Debit,
    /// `K`.
    Credit,
}

/// A posting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Posting<'d> {
    pub number: u32,
    pub side: Side,
    pub amount: Written,
    pub codes: Vec<Code<'d>>,
    /// Whom it is about, as the URN.
    pub party: Option<Cow<'d, str>>,
}

/// A code of a part list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Code<'d> {
    /// The part list.
    pub part: Cow<'d, str>,
    pub code: Cow<'d, str>,
    pub class: Option<Uuid>,
}

/// The text of an element as the receiver reads it from the canonical form.
fn text(element: Element<'_>) -> Result<Cow<'_, str>, Unreadable> {
    element.value().ok_or(Unreadable)
}

fn find<'d>(parent: Element<'d>, local: &str) -> Option<Element<'d>> {
    parent.elements().find(|child| child.is(NAMESPACE, local))
}

fn one<'d>(parent: Element<'d>, local: &str) -> Result<Element<'d>, Unreadable> {
    find(parent, local).ok_or(Unreadable)
}

fn string<'d>(parent: Element<'d>, local: &str) -> Result<Cow<'d, str>, Unreadable> {
    text(one(parent, local)?)
}

/// A number, date or boolean: white space around it is no part of the value.
fn value<T>(parent: Element<'_>, local: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, Unreadable> {
    let text = string(parent, local)?;
    read(text.trim_matches([' ', '\t', '\n', '\r'])).ok_or(Unreadable)
}

fn uuid(parent: Element<'_>, local: &str) -> Result<Uuid, Unreadable> {
    string(parent, local)?.parse().map_err(|_| Unreadable)
}

fn authority(parent: Element<'_>, local: &str) -> Result<Cvr, Unreadable> {
    Cvr::of_urn(&string(parent, local)?).ok_or(Unreadable)
}

fn date(text: &str) -> Option<Date> {
    text.parse().ok()
}

impl Head {
    /// Reads what stands in front of the vouchers of a `FinansbilagLeverance`.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn read(delivery: Element<'_>) -> Result<Self, Unreadable> {
        let (list, control) = (one(delivery, "SortimentReference")?, one(delivery, "Kontrol")?);
        let count = |local: &str| value(control, local, |text| text.parse().ok());
        let trial = match find(delivery, "Proeve") {
            None => false,
            Some(_) => value(delivery, "Proeve", |text| match text {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            })?,
        };
        Ok(Self {
            id: uuid(delivery, "LeveranceID")?,
            system: uuid(delivery, "AfsenderItSystem")?,
            sender: authority(delivery, "AfsenderMyndighed")?,
            receiver: authority(delivery, "ModtagerMyndighed")?,
            list: uuid(list, "UUID")?,
            version: string(list, "Version")?.into_owned(),
            version_from: value(list, "GyldigFra", date)?,
            control: Control {
                vouchers: count("AntalBilag")?,
                postings: count("AntalPosteringer")?,
                debit: value(control, "SumDebet", Oere::read)?,
                credit: value(control, "SumKredit", Oere::read)?,
            },
            trial,
        })
    }
}

/// The vouchers of a `FinansbilagLeverance`, one at a time.
pub fn vouchers(delivery: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    delivery.elements().filter(|child| child.is(NAMESPACE, "Finansbilag"))
}

/// The postings of a `Finansbilag`, one at a time.
pub fn postings(voucher: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    voucher.elements().filter(|child| child.is(NAMESPACE, "Finanspostering"))
}

impl Voucher {
    /// Reads what stands in front of the postings of a `Finansbilag`.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn read(voucher: Element<'_>) -> Result<Self, Unreadable> {
        let corrects = find(voucher, "ErstatterBilagID").map(|_| uuid(voucher, "ErstatterBilagID")).transpose()?;
        Ok(Self { id: uuid(voucher, "BilagID")?, date: value(voucher, "Bogfoeringsdato", date)?, corrects })
    }
}

impl<'d> Posting<'d> {
    /// Reads a `Finanspostering`.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn read(posting: Element<'d>) -> Result<Self, Unreadable> {
        let code = |element: Element<'d>| {
            Ok(Code {
                part: string(element, "Delsortiment")?,
                code: string(element, "Kode")?,
                class: find(element, "KlasseUUID").map(|_| uuid(element, "KlasseUUID")).transpose()?,
            })
        };
        let codes = one(posting, "Kontering")?;
        let side = match string(posting, "DebetKredit")?.as_ref() {
            "D" => Side::Debit,
            "K" => Side::Credit,
            _ => return Err(Unreadable),
        };
        Ok(Self {
            number: value(posting, "PosteringNummer", |text| text.parse().ok())?,
            side,
            amount: value(posting, "Beloeb", Oere::read)?,
            codes: codes.elements().filter(|child| child.is(NAMESPACE, "Element")).map(code).collect::<Result<_, _>>()?,
            party: find(posting, "Part").map(text).transpose()?,
        })
    }
}
