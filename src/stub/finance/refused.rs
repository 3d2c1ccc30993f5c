//! Deliveries with one thing wrong each, and the code that must come of it: what a source must see refused before it goes live.
//!
//! Only what is refused where nothing is set otherwise: not what a platform warns of (value lists, parties).

use super::sample::{Parties, Posting, Sample};
use crate::services::finance::rules::delivery::NAMESPACE;

/// What a request that breaks the schema is refused with.
const SCHEMA: &str = "SchemaViolated";

/// A delivery that must be refused.
#[derive(Clone, Copy)]
pub struct Case {
    /// What is wrong with it.
    pub what: &'static str,
    /// The code that must come of it.
    pub code: &'static str,
    change: fn(&mut Sample),
    rewrite: fn(String) -> String,
}

impl Case {
    /// The delivery's id and its request, with `context` in front of the delivery.
    pub fn request(&self, seed: u64, parties: &Parties, context: &str) -> (String, String) {
        let mut sample = Sample::ordinary(seed, parties, 3);
        (self.change)(&mut sample);
        (sample.id.clone(), (self.rewrite)(sample.request(context)))
    }
}

const fn changed(what: &'static str, code: &'static str, change: fn(&mut Sample)) -> Case {
    Case { what, code, change, rewrite: |request| request }
}

const fn rewritten(what: &'static str, rewrite: fn(String) -> String) -> Case {
    Case { what, code: SCHEMA, change: |_| {}, rewrite }
}

/// The first posting of all.
fn posting(sample: &mut Sample, change: impl FnOnce(&mut Posting)) {
    if let Some(posting) = sample.vouchers.first_mut().and_then(|voucher| voucher.postings.first_mut()) {
        change(posting);
    }
}

/// Every amount.
fn amounts(sample: &mut Sample, amount: &str) {
    for posting in sample.vouchers.iter_mut().flat_map(|voucher| &mut voucher.postings) {
        amount.clone_into(&mut posting.amount);
    }
}

/// Vouchers of two equal postings of this amount.
fn pairs(sample: &mut Sample, amount: &str) {
    for voucher in &mut sample.vouchers {
        voucher.postings.truncate(1);
        let other = voucher.postings.first().map(|first| Posting { number: "2".to_owned(), side: "K", ..first.clone() });
        voucher.postings.extend(other);
    }
    amounts(sample, amount);
}

fn first_voucher(sample: &mut Sample, field: &'static str, text: String) {
    if let Some(voucher) = sample.vouchers.first_mut() {
        voucher.after = vec![(field, text)];
    }
}

/// Each of them.
pub const CASES: [Case; 32] = [
    changed("the schema: a text of 256 characters", SCHEMA, |sample| first_voucher(sample, "Bilagstekst", "ø".repeat(256))),
    changed("the schema: an empty text", SCHEMA, |sample| first_voucher(sample, "Bilagstekst", String::new())),
    changed("the schema: a payment reference of 36 characters", SCHEMA, |sample| {
        first_voucher(sample, "UdbetalingReference", "x".repeat(36))
    }),
    changed("the schema: an amount with a comma", SCHEMA, |sample| {
        posting(sample, |posting| posting.amount = "12,50".to_owned())
    }),
    changed("the schema: an amount with three decimals", SCHEMA, |sample| {
        posting(sample, |posting| posting.amount = "12.500".to_owned())
    }),
    changed("the schema: an amount below nothing", SCHEMA, |sample| {
        posting(sample, |posting| posting.amount = "-12.50".to_owned())
    }),
    changed("the schema: an amount of 12 digits before the point", SCHEMA, |sample| {
        posting(sample, |posting| posting.amount = "100000000000.00".to_owned())
    }),
    changed("the schema: a posting number of ten digits", SCHEMA, |sample| {
        posting(sample, |posting| posting.number = "1000000000".to_owned())
    }),
    changed("the schema: a side in lower case", SCHEMA, |sample| posting(sample, |posting| posting.side = "d")),
    changed("the schema: an account of 15 digits", SCHEMA, |sample| {
        posting(sample, |posting| posting.account = "123456789012345".to_owned())
    }),
    changed("the schema: a party without its URN", SCHEMA, |sample| {
        posting(sample, |posting| posting.rest = vec![("Part", "6101801234".to_owned())])
    }),
    changed("the schema: a code with white space at its end", SCHEMA, |sample| {
        posting(sample, |posting| posting.codes = vec![["Art".to_owned(), "22.0 ".to_owned(), String::new()]]);
    }),
    changed("the schema: a posting without a code", SCHEMA, |sample| posting(sample, |posting| posting.codes.clear())),
    changed("the schema: a day with a time zone", SCHEMA, |sample| {
        sample.vouchers.iter_mut().take(1).for_each(|voucher| voucher.date += "+01:00");
    }),
    changed("the schema: a day that does not exist", SCHEMA, |sample| {
        sample.vouchers.iter_mut().take(1).for_each(|voucher| "2026-02-29".clone_into(&mut voucher.date));
    }),
    changed("the schema: an unknown kind of posting", SCHEMA, |sample| {
        sample.vouchers.iter_mut().for_each(|voucher| voucher.kind = "nor")
    }),
    changed("the schema: an id in capitals", SCHEMA, |sample| sample.id = sample.id.to_uppercase()),
    changed("the schema: a delivery without vouchers", SCHEMA, |sample| sample.vouchers.clear()),
    rewritten("the schema: a voucher without its id", |request| {
        match (request.find("<fb:BilagID>"), request.find("<fb:BilagNummer>")) {
            (Some(from), Some(to)) => [request.get(..from), request.get(to..)].into_iter().flatten().collect(),
            _ => request,
        }
    }),
    rewritten("the schema: a currency that is not DKK", |request| request.replacen("<fb:Valuta>DKK<", "<fb:Valuta>EUR<", 1)),
    rewritten("the schema: elements in another order", |request| {
        request.replacen("<fb:Valuta>DKK</fb:Valuta><fb:Kontering>", "<fb:Kontering><fb:Valuta>DKK</fb:Valuta>", 1)
    }),
    rewritten("the schema: a voucher in another namespace", |request| {
        let other = format!("<fb:Finansbilag xmlns:fb=\"{}2\">", NAMESPACE.trim_end_matches('1'));
        request.replacen("<fb:Finansbilag>", &other, 1)
    }),
    changed("another it-system than the agreement's", "FB001", |sample| {
        "00000000-0000-4000-8000-000000000000".clone_into(&mut sample.system)
    }),
    changed("another authority than the caller's", "FB001", |sample| "99999982".clone_into(&mut sample.sender)),
    changed("one voucher more than the control section states", "FB003", |sample| {
        sample.control[0] = Some((sample.vouchers.len().saturating_sub(1)).to_string())
    }),
    changed("another debit sum than the control section states", "FB004", |sample| sample.control[2] = Some("0.01".to_owned())),
    changed("another credit sum than the control section states", "FB005", |sample| sample.control[3] = Some("0.01".to_owned())),
    changed("a voucher that does not balance", "FB010", |sample| {
        posting(sample, |posting| posting.amount = "99999999999.99".to_owned())
    }),
    changed("amounts with one decimal", "FB011", |sample| pairs(sample, "12.5")),
    changed("a voucher twice", "FB013", |sample| {
        let again = sample.vouchers.first().cloned();
        sample.vouchers.extend(again);
    }),
    changed("posting numbers that do not ascend", "FB014", |sample| {
        posting(sample, |posting| posting.number = "999999999".to_owned())
    }),
    changed("an amount of nothing outside a test", "FB015", |sample| pairs(sample, "0.00")),
];
