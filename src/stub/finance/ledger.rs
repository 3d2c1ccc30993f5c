//! A ledger (EP_BS1): takes deliveries, books them in memory, and answers with a receipt that follows from what is in the delivery.
//!
//! | what a voucher has | what the ledger says |
//! |---|---|
//! | a booking date before [`Ledger::open_from`] | rejected: FB012, for the end user |
//! | a code `9999` | rejected: FB022, for the administrator of the ledger |
//! | debit and credit that differ | rejected: FB010, for the end user |
//! | none of these | accepted, each posting with the account that its codes lead to |
//!
//! The same LeveranceID gets the same receipt and books nothing. A test (Proeve) is judged as any other delivery, and nothing of it is booked. What
//! it booked is counted by voucher, so that a test sees what came twice.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::civil::{Date, date};
use uuid::Uuid;

use crate::refusal::{Detail, Entry};
use crate::services::finance::receipt::{element, error, root, shared};
use crate::services::finance::rules::Place;
use crate::services::finance::rules::delivery::{Head, NAMESPACE, Posting, Side, Voucher, postings, vouchers};
use crate::services::finance::rules::money::Oere;
use crate::services::finance::rules::table::Rule;
use crate::soap::document::{Document, Element};
use crate::soap::strict::Limits;
use crate::stub::service::serve::Content;

/// The code that no account stands behind.
pub const UNMAPPED: &str = "9999";
/// How many deliveries are remembered; beyond that the stub books as if it had never seen any.
const MOST: usize = 100_000;

/// A ledger.
#[derive(Debug)]
pub struct Ledger {
    /// The first day on which it books.
    pub open_from: Date,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    receipts: BTreeMap<Uuid, Vec<u8>>,
    booked: BTreeMap<Uuid, u64>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { open_from: date(2026, 1, 1), books: Mutex::default() }
    }
}

impl Ledger {
    /// How many times each voucher was booked.
    pub fn booked(&self) -> BTreeMap<Uuid, u64> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner).booked.clone()
    }

    fn receive(&self, request: Element<'_>) -> Option<Vec<u8>> {
        self.book(request.elements().find(|child| child.is(NAMESPACE, "FinansbilagLeverance"))?)
    }

    /// Takes a delivery that came as a file; `None`: it is none.
    pub fn by_file(&self, file: &[u8]) -> Option<Vec<u8>> {
        let limits = Limits { nodes: usize::MAX, ..Limits::default() };
        self.book(Document::parse(file.to_vec().into(), &limits).ok()?.root())
    }

    fn book(&self, delivery: Element<'_>) -> Option<Vec<u8>> {
        let head = Head::read(delivery).ok()?;
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(receipt) = books.receipts.get(&head.id) {
            return Some(receipt.clone());
        }
        let (mut results, mut accepted, mut rejected, mut codes) = (String::new(), Vec::new(), 0, Vec::new());
        for element in vouchers(delivery) {
            let voucher = Voucher::read(element).ok()?;
            let of_voucher = postings(element).map(Posting::read).collect::<Result<Vec<_>, _>>().ok()?;
            let why = self.why_not(voucher, &of_voucher);
            if why.is_empty() {
                accepted.push(voucher.id)
            } else {
                rejected += 1
            }
            codes.extend(why.iter().map(|(entry, _)| (entry.code, entry.da.what.clone())));
            results += &result(voucher, &of_voucher, &why);
        }
        let code = if rejected == 0 { "ACCEPTERET" } else { "AFVIST" };
        codes.truncate(20);
        let codes: Vec<(&str, &str)> = codes.iter().map(|(code, text)| (*code, text.as_str())).collect();
        let business = shared("Forretningskvittering", "ForretningsValideringsKode", code, &codes);
        let receipt = root(&format!("{}{business}{results}", element("LeveranceID", &head.id.to_string()))).ok()?;
        if books.receipts.len() >= MOST {
            *books = Books::default();
        }
        books.receipts.insert(head.id, receipt.clone());
        if !head.trial {
            accepted.into_iter().for_each(|voucher| *books.booked.entry(voucher).or_default() += 1);
        }
        Some(receipt)
    }

    fn why_not(&self, voucher: Voucher, postings: &[Posting<'_>]) -> Vec<(Entry, Place)> {
        let (id, day) = (voucher.id, voucher.date);
        let place = || Place { voucher: Some(id), ..Place::default() };
        let mut why = Vec::new();
        if day < self.open_from {
            why.push((Rule::FB012 { voucher: id, date: day }.entry(), place()));
        }
        let sum = |side: Side| {
            let mut sum = Oere::default();
            postings.iter().filter(|posting| posting.side == side).for_each(|posting| sum += posting.amount.amount);
            sum
        };
        if sum(Side::Debit) != sum(Side::Credit) {
            why.push((Rule::FB010 { voucher: id, date: day }.entry(), place()));
        }
        for posting in postings {
            for code in posting.codes.iter().filter(|code| code.code == UNMAPPED) {
                let told = Detail::new(format!("koden {UNMAPPED} i {}", code.part), format!("code {UNMAPPED} of {}", code.part));
                let rule = Rule::FB022 { voucher: id, posting: posting.number, code: told };
                let (part, code) = (Some(code.part.clone().into_owned()), Some(UNMAPPED.to_owned()));
                why.push((rule.entry(), Place { posting: Some(posting.number), part, code, ..place() }));
            }
        }
        why
    }
}

fn result(voucher: Voucher, postings: &[Posting<'_>], why: &[(Entry, Place)]) -> String {
    let follows = (
        "Bilaget er ikke bogført; de øvrige bilag er upåvirkede.",
        "The voucher is not booked; the other vouchers are not affected.",
    );
    let booked = |posting: &Posting<'_>| {
        let account = element("Kontostreng", &account(posting));
        format!("<fb:Postering>{}{account}</fb:Postering>", element("PosteringNummer", &posting.number.to_string()))
    };
    let (said, rest) = match why {
        [] => ("ACCEPTERET", postings.iter().map(booked).collect::<String>()),
        why => {
            let one = |(entry, place): &(Entry, Place)| format!("<fb:Fejl>{}</fb:Fejl>", error(entry, "FEJL", follows, place));
            ("AFVIST", why.iter().map(one).collect())
        }
    };
    let id = element("BilagID", &voucher.id.to_string());
    format!("<fb:BilagResultat>{id}{}{rest}</fb:BilagResultat>", element("Resultat", said))
}

/// The account that a posting's codes lead to: sixteen digits, the same for the same codes.
fn account(posting: &Posting<'_>) -> String {
    let codes: Vec<String> = posting.codes.iter().map(|code| format!("{}={}", code.part, code.code)).collect();
    let sum = digest(&SHA256, codes.join("\n").as_bytes());
    sum.as_ref().iter().take(16).map(|byte| char::from(b'0' + byte % 10)).collect()
}

impl Content for Ledger {
    fn answer(&self, request: Element<'_>) -> Option<Vec<u8>> {
        self.receive(request)
    }

    /// Each voucher that was booked, and how many times: more than once is what must never be.
    fn done(&self) -> Option<String> {
        let booked = self.booked();
        let lines: String = booked.iter().map(|(voucher, times)| format!("{voucher} {times}\n")).collect();
        Some(format!(
            "booked {} vouchers, {} more than once\n{lines}",
            booked.len(),
            booked.values().filter(|times| **times > 1).count()
        ))
    }
}
