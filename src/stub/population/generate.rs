//! How the population comes about.
//!
//! Every person gets up to three grants, every grant a payment a month. Then chance lays the hazards in, each rarely
//! enough that most persons are plain and often enough that five hundred persons hold all of them.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan};

use super::{
    Benefit, Effectuation, Grant, LifeCycle, Line, MUNICIPAL_BENEFITS, MUNICIPALITIES, Person, Population, Properties,
    Registration, SPLIT_BENEFIT, UDK, UDK_BENEFITS, demo,
};
use crate::stub::moment::{Moment, Style, copenhagen, moved};
use crate::stub::random::Random;

/// Months with payments, relative to the current one.
const MONTHS: std::ops::RangeInclusive<i32> = -8..=1;

const FIRST_NAMES: [&str; 12] =
    ["Agnes", "Bertil", "Cecilie", "Ditlev", "Elna", "Frode", "Gudrun", "Helge", "Inger", "Jens", "Karla", "Laust"];
const LAST_NAMES: [&str; 8] = ["Prøvesen", "Testrup", "Eksempelgaard", "Demo", "Opdigt", "Fiktiv", "Skabelon", "Attrap"];

pub(super) fn generate(seed: u64, size: usize, now: Timestamp) -> Population {
    let mut random = Random::new(seed);
    let mut population = Population { persons: Vec::new(), grants: Vec::new(), effectuations: Vec::new(), now };
    demo::add(&mut population, &mut random);
    let mut taken: BTreeSet<String> = population.persons.iter().map(|person| person.cpr.clone()).collect();
    while population.persons.len() < size {
        let cpr = number(&mut random);
        if taken.insert(cpr.clone()) {
            let name = name(&mut random);
            population.persons.push(Person { cpr, name });
        }
    }
    // Payees and second grantees are drawn among the strangers, so that the well-known persons stay explainable.
    let strangers: Vec<Person> = population.persons.iter().skip(demo::ALL.len()).cloned().collect();
    for person in &strangers {
        for _ in 0..random.below(4) {
            add_grant(&mut population, &mut random, person, &strangers);
        }
    }
    population
}

/// A number like a CPR number whose day is 61–91: nobody's.
fn number(random: &mut Random) -> String {
    let month = random.below(12) + 1;
    let last = match month {
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let day = 61 + random.below(last);
    let year = 30 + random.below(70);
    // The seventh digit 0–3 puts the years 00–99 into the 1900s.
    format!("{day:02}{month:02}{year:02}{}{:03}", random.below(4), random.below(1000))
}

fn name(random: &mut Random) -> String {
    let first = random.pick(&FIRST_NAMES).copied().unwrap_or_default();
    let last = random.pick(&LAST_NAMES).copied().unwrap_or_default();
    format!("{first} {last}")
}

fn add_grant(population: &mut Population, random: &mut Random, person: &Person, strangers: &[Person]) {
    let (owner, benefits) = draw_benefits(random);
    let mut grantees = vec![person.cpr.clone()];
    match random.below(100) {
        0 | 1 => grantees.clear(),
        2 | 3 => grantees.extend(random.pick(strangers).map(|other| other.cpr.clone())),
        _ => {}
    }
    let sensitivity = match random.below(20) {
        0 => "VIP_SAGER",
        1 | 2 => "FOELSOMME_PERSONOPLYSNINGER",
        3..=6 => "IKKE_FORTROLIGE_DATA",
        _ => "FORTROLIGE_PERSONOPLYSNINGER",
    };
    let grant = Grant {
        uuid: random.uuid(),
        registered: moved(population.now, -250 - random.below(400) as i64),
        life_cycle: if random.chance(2) { LifeCycle::Slettet } else { LifeCycle::Opstaaet },
        grantees,
        name: person.name.clone(),
        sensitivity,
        owner: owner.to_owned(),
        benefits: benefits.iter().enumerate().map(|(n, benefit)| (format!("Y{}", n + 1), *benefit)).collect(),
    };
    // A split benefit is granted by the municipality and paid by UDK, which then owns the payment.
    let payer = if benefits.contains(&SPLIT_BENEFIT) { UDK } else { owner };
    // Some payments go to a third person: a landlord, a guardian, a spouse.
    let payee = match random.below(12) {
        0 => random.pick(strangers).map_or(&person.cpr, |other| &other.cpr).clone(),
        _ => person.cpr.clone(),
    };
    for month in MONTHS {
        let mut effectuation = payment(random, population.now, month, &grant, payer, &payee);
        let hazard = random.below(200);
        lay_in(hazard, &mut effectuation, random, population, strangers);
        population.effectuations.push(effectuation);
    }
    population.grants.push(grant);
}

fn draw_benefits(random: &mut Random) -> (&'static str, Vec<Benefit>) {
    let municipality = random.pick(&MUNICIPALITIES).map_or(super::KORSBAEK, |(cvr, _)| cvr);
    let (owner, from): (&str, &[Benefit]) = match random.below(10) {
        0 => (municipality, &[SPLIT_BENEFIT]),
        1..=5 => (UDK, &UDK_BENEFITS),
        _ => (municipality, &MUNICIPAL_BENEFITS),
    };
    let first = random.pick(from).copied();
    let second = random.chance(30).then(|| random.pick(from).copied()).flatten().filter(|second| Some(*second) != first);
    (owner, first.into_iter().chain(second).collect())
}

/// The disposition of a month: at eleven on its last day but one, in Denmark.
pub(super) fn disposition(now: Timestamp, month: i32) -> Timestamp {
    let zone = copenhagen();
    let today = zone.to_datetime(now).date();
    let there = today.first_of_month().checked_add(month.months()).unwrap_or(today);
    let day = there.last_of_month().saturating_sub(1.day());
    zone.to_timestamp(day.at(11, 0, 0, 0)).unwrap_or(now)
}

/// A plain payment: one registration, every field there, one line for each benefit of the grant.
pub(super) fn payment(random: &mut Random, now: Timestamp, month: i32, grant: &Grant, owner: &str, payee: &str) -> Effectuation {
    let at = disposition(now, month);
    let style = random.pick(&Style::ALL).copied().unwrap_or(Style::Local);
    let amounts: Vec<u64> = grant.benefits.iter().map(|_| 900 + random.below(9000) as u64).collect();
    let total: u64 = amounts.iter().sum();
    let start = Some(Moment::write(moved(at, -28), style));
    let end = Some(Moment::write(moved(at, 1), style));
    let lines = grant.benefits.iter().zip(&amounts).map(|((id, benefit), amount)| Line {
        kle: Some(benefit.kle.to_owned()),
        class: Some(benefit.class),
        amount: Some(amount.to_string()),
        start: start.clone(),
        end: end.clone(),
        grant: Some((grant.uuid, id.clone())),
    });
    let registration = Registration {
        registered: moved(at, -9),
        life_cycle: LifeCycle::Opstaaet,
        lines: lines.collect(),
        properties: vec![Properties {
            disposition: Some(Moment::write(at, style)),
            start,
            end,
            gross: Some(total.to_string()),
            paid: Some((total * 62 / 100).to_string()),
        }],
        owners: vec![Some(owner.to_owned())],
        payees: vec![payee.to_owned()],
    };
    Effectuation { uuid: random.uuid(), registrations: vec![registration] }
}

/// Lays hazard number `hazard` into a payment; most numbers are none.
fn lay_in(hazard: usize, effectuation: &mut Effectuation, random: &mut Random, population: &Population, strangers: &[Person]) {
    let now = population.now;
    let Some(first) = effectuation.registrations.first_mut() else { return };
    let properties = first.properties.first_mut();
    match hazard {
        // No disposition date at all.
        0 | 1 => first.properties.iter_mut().for_each(|properties| properties.disposition = None),
        // A second set of properties: without a date, or with one far outside the window.
        2..=4 => {
            if let Some(mut second) = first.properties.first().cloned() {
                second.disposition = (hazard != 2).then(|| Moment::write(disposition(now, -13), Style::Local));
                second.gross = Some("987654".to_owned());
                first.properties.push(second);
            }
        }
        // A second registration, the older one outside the window or deleted.
        5..=8 => {
            let mut older = first.clone();
            older.registered = moved(older.registered, -400);
            older.life_cycle = if hazard < 7 { LifeCycle::Slettet } else { LifeCycle::Importeret };
            for properties in &mut older.properties {
                properties.disposition = Some(Moment::write(disposition(now, -13), Style::Naive));
            }
            effectuation.registrations.push(older);
        }
        9 | 10 => first.life_cycle = LifeCycle::Slettet,
        11 => first.life_cycle = LifeCycle::Passiveret,
        12 | 13 => first.owners.clear(),
        14 => first.owners.push(Some(UDK.to_owned())),
        15 => first.owners.push(Some("99999983".to_owned())),
        16 => first.owners = vec![None],
        // Lines that refer to nothing, to a grant that is not there, or to another person's.
        17 | 18 => first.lines.iter_mut().for_each(|line| line.grant = None),
        19 => first.lines.iter_mut().for_each(|line| line.grant = Some((random.uuid(), "Y1".to_owned()))),
        20..=22 => {
            // The grants of the well-known persons stay out of it, or one of them could no longer be explained.
            let known = |grant: &Grant| demo::ALL.iter().any(|(cpr, _)| grant.grantees.iter().any(|grantee| grantee == cpr));
            let others: Vec<_> = population.grants.iter().filter(|grant| !known(grant)).collect();
            if let Some(other) = random.pick(&others)
                && let Some(mut line) = first.lines.first().cloned()
            {
                line.grant = Some((other.uuid, "Y1".to_owned()));
                if hazard == 22 {
                    first.lines.clear();
                }
                first.lines.push(line);
            }
        }
        23 => first.lines.clear(),
        // Payees: nobody, or somebody beside the grantee.
        24 => first.payees.clear(),
        25 | 26 => first.payees.extend(random.pick(strangers).map(|other| other.cpr.clone())),
        // Amounts: recovered, with decimals, long, with leading zeros, or missing.
        27..=32 => {
            let amount = match hazard {
                27 => Some("-1250"),
                28 => Some("-0.5"),
                29 => Some("12345.67"),
                30 => Some("00042.10"),
                31 => Some("123456789012345678901234567890.123456789"),
                _ => None,
            };
            if let Some(properties) = properties {
                properties.gross = amount.map(str::to_owned);
            }
            if let Some(line) = first.lines.first_mut() {
                line.amount = amount.map(str::to_owned);
            }
        }
        // Benefits: without a KLE number, with one of another form, without a class.
        33 => first.lines.iter_mut().for_each(|line| line.kle = None),
        34 => first.lines.iter_mut().for_each(|line| line.kle = Some("Folkepension, jf. 6101801234".to_owned())),
        35 => first.lines.iter_mut().for_each(|line| line.class = None),
        // The very edges of a calendar month.
        36 => {
            if let Some(properties) = properties {
                let first_of_month = copenhagen().to_datetime(now).date().first_of_month();
                if let Ok(edge) = copenhagen().to_timestamp(first_of_month.at(0, 0, 0, 0)) {
                    properties.disposition = Some(Moment::write(edge, Style::WrongSeason));
                }
            }
        }
        _ => {}
    }
}
