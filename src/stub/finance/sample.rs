//! Deliveries as a specialist system makes them: invented, varied, the same for the same seed.
//!
//! Every field is open, so that a test plants a fault by changing one.

use std::fmt::Write as _;

use jiff::civil::{Date, date};
use uuid::Uuid;

use crate::id::cvr::Cvr;
use crate::services::finance::rules::delivery::{CVR_URN, NAMESPACE};
use crate::services::finance::rules::sortiment::{Entry, List, Part};
use crate::soap::fault::escape;
use crate::stub::random::Random;

/// The value list of samples.
pub const LIST: Uuid = Uuid::from_u128(0x1c5b_4a56_0b9e_4d0f_8f5c_5a0f_1590_a001);
const NAME: &str = "Sociale ydelser";
/// Its version.
pub const VERSION: &str = "2026.1";
/// From when it holds.
pub const VERSION_FROM: &str = "2026-01-01";
/// Codes of the part list "Art".
pub const KINDS: [&str; 4] = ["22.0", "29.1", "40.5", "52.2"];
/// Codes of the part list "Funktion".
pub const FUNCTIONS: [&str; 3] = ["5.48.67", "5.57.71", "5.57.72"];
/// Invented persons: their numbers begin with days that no month has.
pub const PERSONS: [&str; 3] = ["6101801234", "7202811235", "8503823236"];

/// Who sends to whom, and for which day.
#[derive(Debug, Clone, Copy)]
pub struct Parties {
    /// The it-system that sends.
    pub system: Uuid,
    /// Its authority.
    pub sender: Cvr,
    /// The authority whose ledger receives.
    pub receiver: Cvr,
    /// The day on which the vouchers are booked.
    pub day: Date,
}

/// A delivery.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the names say it
pub struct Sample {
    /// LeveranceID.
    pub id: String,
    /// AfsenderItSystem.
    pub system: String,
    /// AfsenderMyndighed, without the URN.
    pub sender: String,
    /// ModtagerMyndighed, without the URN.
    pub receiver: String,
    /// AfsendtTidspunkt.
    pub sent: String,
    /// UUID, Navn, Version and GyldigFra of the value list.
    pub list: [String; 4],
    /// AntalBilag, AntalPosteringer, SumDebet and SumKredit; what is there where it is `None`.
    pub control: [Option<String>; 4],
    /// Proeve.
    pub trial: bool,
    /// Whether Proeve is written where it is false.
    pub no_trial: bool,
    pub vouchers: Vec<Voucher>,
}

/// A voucher: what must be there, and of what may be there, what is not empty.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)] // the names say it
pub struct Voucher {
    /// BilagID.
    pub id: String,
    /// BilagNummer.
    pub number: String,
    /// Bogfoeringsdato.
    pub date: String,
    /// Bilagsdato, Regnskabsaar.
    pub before: Vec<(&'static str, String)>,
    /// Posteringstype.
    pub kind: &'static str,
    /// From Bilagstekst to ErstatterBilagID.
    pub after: Vec<(&'static str, String)>,
    pub postings: Vec<Posting>,
}

/// A posting.
#[derive(Debug, Clone, Default)]
pub struct Posting {
    /// PosteringNummer.
    pub number: String,
    /// D or K.
    pub side: &'static str,
    /// Beloeb.
    pub amount: String,
    /// Delsortiment, Kode and KlasseUUID where it is not empty.
    pub codes: Vec<[String; 3]>,
    /// Kontostreng, where it is not empty.
    pub account: String,
    /// From Posteringstekst to Foelsomhedsniveau.
    pub rest: Vec<(&'static str, String)>,
}

/// An amount in øre, as the contract writes it.
pub fn kroner(oere: u64) -> String {
    format!("{}.{:02}", oere / 100, oere % 100)
}

/// The øre of an amount that has two decimals or fewer; 0 where it has none.
fn oere(amount: &str) -> u64 {
    let (whole, decimals) = amount.split_once('.').unwrap_or((amount, ""));
    let decimals = format!("{decimals:0<2}");
    whole.parse::<u64>().unwrap_or_default() * 100 + decimals.parse::<u64>().unwrap_or_default()
}

/// The value list that samples name, as a whole.
pub fn list() -> List {
    let part = |codes: &[&str]| {
        let codes = codes.iter().map(|code| ((*code).to_owned(), Entry::default())).collect();
        Part { codes, ..Part::default() }
    };
    List {
        id: LIST,
        name: NAME.to_owned(),
        version: VERSION.to_owned(),
        from: date(2026, 1, 1),
        to: None,
        authority: None,
        parts: [("Art".to_owned(), part(&KINDS)), ("Funktion".to_owned(), part(&FUNCTIONS))].into(),
    }
}

impl Sample {
    /// A delivery in which nothing is wrong, with so many vouchers.
    pub fn ordinary(seed: u64, parties: &Parties, vouchers: usize) -> Self {
        let mut random = Random::new(seed);
        let day = parties.day.to_string();
        Self {
            id: random.uuid().to_string(),
            system: parties.system.to_string(),
            sender: parties.sender.to_string(),
            receiver: parties.receiver.to_string(),
            sent: format!("{day}T08:30:00+01:00"),
            list: [LIST.to_string(), NAME.to_owned(), VERSION.to_owned(), VERSION_FROM.to_owned()],
            control: [None, None, None, None],
            trial: false,
            no_trial: false,
            vouchers: (0..vouchers).map(|_| Voucher::ordinary(&mut random, &day)).collect(),
        }
    }

    /// The same with the longest and the shortest that the schema lets through, and nothing wrong: three vouchers, with as little as may be, with
    /// everything, and with the shortest of each text. Part lists, codes and versions are those of the value list, however long they may be.
    pub fn boundaries(seed: u64, parties: &Parties) -> Self {
        let mut sample = Self::ordinary(seed, parties, 3);
        let text = |longest: usize| "ø".repeat(longest);
        let one = || "x".to_owned();
        let [_, name, ..] = &mut sample.list;
        (sample.no_trial, *name) = (true, text(255));
        if let [least, most, short] = sample.vouchers.as_mut_slice() {
            (least.before, least.after, least.number) = (Vec::new(), Vec::new(), "1".to_owned());
            least.kind = "PRI";
            least.postings.iter_mut().take(1).for_each(|posting| posting.number = "0".to_owned());
            for posting in &mut least.postings {
                (posting.amount, posting.account) = ("0.01".to_owned(), String::new());
                posting.rest.clear();
            }
            (most.number, most.kind) = (text(20), "SUP");
            most.before = vec![("Bilagsdato", "2024-02-29".to_owned()), ("Regnskabsaar", "2026".to_owned())];
            most.after = vec![
                ("Bilagstekst", text(255)),
                ("UdbetalingReference", text(35)),
                ("AttesteretAf", text(64)),
                ("KonteretAf", text(64)),
                ("ErstatterBilagID", LIST.to_string()),
            ];
            for posting in &mut most.postings {
                (posting.amount, posting.account) = ("99999999999.99".to_owned(), "0123456789012345".to_owned());
                posting.rest = vec![
                    ("Posteringstekst", text(255)),
                    ("Momskode", text(20)),
                    ("PeriodeFra", "2026-01-01".to_owned()),
                    ("PeriodeTil", "2026-12-31".to_owned()),
                    ("KLE", "32.18.04".to_owned()),
                    ("SagUUID", LIST.to_string()),
                    ("OrganisationUUID", LIST.to_string()),
                    ("Part", "urn:oio:pnr:1000000001".to_owned()),
                    ("Foelsomhedsniveau", "9".to_owned()),
                ];
            }
            if let Some(last) = most.postings.last_mut() {
                last.number = "999999999".to_owned();
                // A class that the value list does not name is no other code.
                last.codes.iter_mut().take(1).for_each(|[.., class]| *class = LIST.to_string());
            }
            short.number = one();
            short.after = ["Bilagstekst", "UdbetalingReference", "AttesteretAf", "KonteretAf"].map(|name| (name, one())).into();
            for posting in &mut short.postings {
                posting.rest = vec![
                    ("Posteringstekst", one()),
                    ("Momskode", one()),
                    ("Part", format!("{CVR_URN}{}", parties.sender)),
                    ("Foelsomhedsniveau", "1".to_owned()),
                ];
            }
            most.balance();
            least.balance();
        }
        sample
    }

    /// Sums as they are.
    fn counted(&self) -> [String; 4] {
        let postings = || self.vouchers.iter().flat_map(|voucher| &voucher.postings);
        let sum =
            |side: &str| kroner(postings().filter(|posting| posting.side == side).map(|posting| oere(&posting.amount)).sum());
        [self.vouchers.len().to_string(), postings().count().to_string(), sum("D"), sum("K")]
    }

    /// The `FinansbilagLeverance`.
    pub fn delivery(&self) -> String {
        let mut xml = format!("<fb:FinansbilagLeverance xmlns:fb=\"{NAMESPACE}\">");
        element(&mut xml, "LeveranceID", &self.id);
        element(&mut xml, "AfsenderItSystem", &self.system);
        element(&mut xml, "AfsenderMyndighed", &format!("{CVR_URN}{}", self.sender));
        element(&mut xml, "ModtagerMyndighed", &format!("{CVR_URN}{}", self.receiver));
        element(&mut xml, "AfsendtTidspunkt", &self.sent);
        within(&mut xml, "SortimentReference", &["UUID", "Navn", "Version", "GyldigFra"], &self.list);
        let counted = self.counted();
        let control = self.control.clone().map(Option::unwrap_or_default);
        let control: Vec<&String> =
            control.iter().zip(&counted).map(|(given, counted)| if given.is_empty() { counted } else { given }).collect();
        within(&mut xml, "Kontrol", &["AntalBilag", "AntalPosteringer", "SumDebet", "SumKredit"], &control);
        if self.trial || self.no_trial {
            element(&mut xml, "Proeve", &self.trial.to_string());
        }
        self.vouchers.iter().for_each(|voucher| voucher.write(&mut xml));
        xml + "</fb:FinansbilagLeverance>"
    }

    /// The request of immediate delivery, with `context` in front of the delivery.
    pub fn request(&self, context: &str) -> String {
        let name = "ModtagFinansbilagStraksleveranceRequest";
        format!("<fb:{name} xmlns:fb=\"{NAMESPACE}\">{context}{}</fb:{name}>", self.delivery())
    }
}

fn element(xml: &mut String, name: &str, text: &str) {
    // Writing to a String cannot fail.
    let _ = write!(xml, "<fb:{name}>{}</fb:{name}>", escape(text));
}

fn within<T: AsRef<str>>(xml: &mut String, name: &str, names: &[&str], texts: &[T]) {
    let _ = write!(xml, "<fb:{name}>");
    names.iter().zip(texts).for_each(|(name, text)| element(xml, name, text.as_ref()));
    let _ = write!(xml, "</fb:{name}>");
}

impl Voucher {
    fn ordinary(random: &mut Random, day: &str) -> Self {
        let mut voucher = Self {
            id: random.uuid().to_string(),
            number: format!("B-{}", 1 + random.below(99_999)),
            date: day.to_owned(),
            before: if random.chance(50) { vec![("Bilagsdato", day.to_owned())] } else { Vec::new() },
            kind: "NOR",
            after: if random.chance(70) { vec![("Bilagstekst", "Udbetalt hjælp".to_owned())] } else { Vec::new() },
            postings: Vec::new(),
        };
        for number in 1..=1 + random.below(4) {
            let person = random.pick(&PERSONS).copied().unwrap_or_default();
            let rest = vec![("Posteringstekst", "Ydelse".to_owned()), ("Part", format!("urn:oio:cpr-nr:{person}"))];
            let amount = kroner(1 + random.bits() % 1_000_000);
            let rest = if random.chance(60) { rest } else { Vec::new() };
            voucher.postings.push(Posting { number: number.to_string(), side: "D", amount, rest, ..Posting::coded(random) });
        }
        let number = voucher.postings.len() + 1;
        voucher.postings.push(Posting { number: number.to_string(), side: "K", ..Posting::coded(random) });
        voucher.balance();
        voucher
    }

    /// Makes the last posting a credit of all the others, which are made debits.
    pub fn balance(&mut self) {
        if let Some((last, others)) = self.postings.split_last_mut() {
            others.iter_mut().for_each(|posting| posting.side = "D");
            let (debit, most) = (others.iter().map(|posting| oere(&posting.amount)).sum::<u64>(), oere("99999999999.99"));
            // More than one amount can hold is not balanced by one; the others are made equal parts of it.
            if debit > most {
                let each = kroner(most / others.len().max(1) as u64);
                others.iter_mut().for_each(|posting| posting.amount.clone_from(&each));
            }
            (last.side, last.amount) = ("K", kroner(others.iter().map(|posting| oere(&posting.amount)).sum()));
        }
    }

    fn write(&self, xml: &mut String) {
        let _ = write!(xml, "<fb:Finansbilag>");
        element(xml, "BilagID", &self.id);
        element(xml, "BilagNummer", &self.number);
        element(xml, "Bogfoeringsdato", &self.date);
        self.before.iter().for_each(|(name, text)| element(xml, name, text));
        element(xml, "Posteringstype", self.kind);
        self.after.iter().for_each(|(name, text)| element(xml, name, text));
        for posting in &self.postings {
            let _ = write!(xml, "<fb:Finanspostering>");
            element(xml, "PosteringNummer", &posting.number);
            element(xml, "DebetKredit", posting.side);
            element(xml, "Beloeb", &posting.amount);
            element(xml, "Valuta", "DKK");
            let _ = write!(xml, "<fb:Kontering>");
            for [part, code, class] in &posting.codes {
                let names = ["Delsortiment", "Kode", "KlasseUUID"];
                let count = if class.is_empty() { 2 } else { 3 };
                within(xml, "Element", names.get(..count).unwrap_or_default(), &[part, code, class]);
            }
            if !posting.account.is_empty() {
                element(xml, "Kontostreng", &posting.account);
            }
            let _ = write!(xml, "</fb:Kontering>");
            posting.rest.iter().for_each(|(name, text)| element(xml, name, text));
            let _ = write!(xml, "</fb:Finanspostering>");
        }
        let _ = write!(xml, "</fb:Finansbilag>");
    }
}

impl Posting {
    fn coded(random: &mut Random) -> Self {
        let code =
            |part: &str, code: Option<&&str>| [part.to_owned(), code.copied().unwrap_or_default().to_owned(), String::new()];
        let codes = vec![code("Art", random.pick(&KINDS)), code("Funktion", random.pick(&FUNCTIONS))];
        Self { codes, ..Self::default() }
    }
}
