//! The release filter, with the policy that ships: nothing leaves but what a rule releases, in the form that it names.
//!
//! The bytes are the Body of an answer, start tag included. What leaves is judged by a list written apart from the filter:
//! which element may stand in which, and what its text may look like. A text that is planted anywhere (a name, a remark,
//! another person's number) has no form that passes.

use std::collections::BTreeMap;
use std::sync::Arc;

use hjemmel::id::cpr::Cpr;
use hjemmel::refusal::Refusal;
use hjemmel::services::terminaladgang::law::kle::{Constraint, SensitivityConstraint};
use hjemmel::services::terminaladgang::law::release::{Ask, Filter, Filtered, Limits};
use hjemmel::services::terminaladgang::law::rules::{Asked, Naive};
use hjemmel::signature::c14n::canonical_bytes;
use hjemmel::soap::document::{Child, Element};
use hjemmel::soap::reading::Reading;
use hjemmel::soap::strict::Token;
use jiff::Timestamp;

use super::reading::{now, refusal, reread, stream};
use super::window::{POLICY, WITHHOLDING, window};

/// The invented person asked about.
pub const PERSON: &str = "6101801234";
const COUNTERPART: &str = "99999991";
const NAME: &str = "Udbetaling Danmark (test)";

/// The first instant of the day after that of [`super::window::NOW`].
const TOMORROW: &str = "2026-11-23T00:00:00+01:00";

/// Small, so that the fuzzer reaches them.
const LIMITS: Limits = Limits { object_bytes: 32 * 1024, released_bytes: 64 * 1024, grants: 64 };

pub fn check(data: &[u8]) {
    for narrow in [false, true] {
        let whole = answer(data, usize::MAX, narrow);
        let pieces = answer(data, 1 + data.len() % 13, narrow);
        assert!(whole == pieces, "an answer is judged the same in whatever pieces it arrives");
        let Ok(released) = whole else { continue };
        let body = released.body();
        assert!(body.len() <= LIMITS.released_bytes);
        assert!(body.len() <= 1024 + 16 * data.len(), "{} bytes out of {}", body.len(), data.len());
        assert!(released.bytes_seen() <= data.len() as u64);
        let document = reread(body);
        assert!(canonical_bytes(document.root()) == body, "what leaves is canonical");
        let root = document.root();
        assert_eq!((root.namespace(), root.local()), (YI, "FremsoegYdelseIndeksOutput"));
        let objects = root.elements().filter(|part| part.local().starts_with("Oekonomisk")).count() as u64;
        assert_eq!(objects, released.counts().objects_released);
        let mut walk = Walk { narrow, objects, lines: 0 };
        walk.element(root, "");
        let counted = root.elements().filter(|part| part.local() == "Antal").filter_map(|count| {
            let mut parts = count.elements().filter_map(|part| part.text());
            Some((parts.next()?.into_owned(), parts.next()?.parse::<u64>().ok()?))
        });
        for (kind, many) in counted {
            assert_eq!(many, if kind == "ydelser" { walk.lines } else { objects }, "the counts are of what is released");
        }
    }
}

/// What the gateway does with an answer whose signature holds.
pub fn answer(data: &[u8], size: usize, narrow: bool) -> Result<Filtered, Refusal> {
    let mut reader = stream(data, size);
    let policy = if narrow { &WITHHOLDING } else { &POLICY };
    let mut filter = Filter::new(policy.release().clone(), ask(narrow));
    loop {
        match now(reader.next()).map_err(refusal)? {
            Token::Start => break,
            Token::Nothing => {}
            _ => return Err(Refusal::PEER_ANSWER_INVALID),
        }
    }
    loop {
        // The whole is read with leaves, the pieces token by token.
        let token = match if size == usize::MAX { reader.ready().map_err(refusal)? } else { None } {
            Some(token) => token,
            None => now(reader.next()).map_err(refusal)?,
        };
        if token == Token::End && reader.read().depth() == 0 {
            break;
        }
        filter.feed(token, reader.read())?;
    }
    loop {
        match now(reader.next()).map_err(refusal)? {
            Token::Eof => return filter.finish(),
            Token::Nothing => {}
            _ => return Err(Refusal::PEER_ANSWER_INVALID),
        }
    }
}

fn ask(narrow: bool) -> Ask {
    let (mut kle, mut sensitivity) = (Constraint::unconstrained(), SensitivityConstraint::unconstrained());
    if narrow {
        kle = kle.and(["32.03.*"]).expect("a constraint");
        sensitivity = sensitivity.and(["IKKE_FORTROLIGE_DATA", "VIP_SAGER"]).expect("a constraint");
    }
    Ask {
        person: Cpr::parse(PERSON).expect("a number"),
        window: window(),
        counterpart: [COUNTERPART.to_owned()].into(),
        names: Arc::new(BTreeMap::from([(COUNTERPART.to_owned(), NAME.to_owned())])),
        kle,
        sensitivity,
        asked: match narrow {
            true => Asked::Parts { properties: true, actors: false, lines: true },
            false => Asked::Everything,
        },
        naive: if narrow { Naive::Refuse } else { Naive::Copenhagen },
        limits: LIMITS,
        decisions: narrow,
    }
}

const YI: &str = "urn:oio:sts:ydelse:ydelseindeks:6";
const OEI: &str = "urn:oio:sts:ydelse:oekonomiskeffektueringindeks:6";
const GD: &str = "urn:oio:sts:generelledefinitioner:6";
const SD: &str = "urn:oio:sagdok:3.0.0";

/// What may stand where: an element's namespace and name, what it stands in, and whether it holds elements or text.
#[rustfmt::skip]
const PLACES: [(&str, &str, &[&str], Form); 35] = [
    (YI, "FremsoegYdelseIndeksOutput", &[""], Form::Elements),
    (SD, "StandardRetur", &["FremsoegYdelseIndeksOutput"], Form::Elements),
    (SD, "StatusKode", &["StandardRetur"], Form::OneOf(&["20", "44"])),
    (YI, "Antal", &["FremsoegYdelseIndeksOutput"], Form::Elements),
    (YI, "Element", &["Antal"], Form::OneOf(&["effektueringer", "ydelser"])),
    (YI, "Antal", &["Antal"], Form::Digits(9)),
    (YI, "Paginering", &["Antal"], Form::Elements),
    (SD, "FoersteResultatReference", &["Paginering"], Form::Digits(9)),
    (SD, "MaksimalAntalKvantitet", &["Paginering"], Form::Digits(9)),
    (YI, "OekonomiskEffektueringFiltreretOejebliksbillede", &["FremsoegYdelseIndeksOutput"], Form::Elements),
    (OEI, "ObjektType", &["OekonomiskEffektueringFiltreretOejebliksbillede"], Form::Elements),
    (OEI, "Registrering", &["OekonomiskEffektueringFiltreretOejebliksbillede"], Form::Elements),
    (OEI, "AttributListe", &["Registrering"], Form::Elements),
    (OEI, "TilstandListe", &["Registrering"], Form::OneOf(&[""])),
    (OEI, "RelationListe", &["Registrering"], Form::Elements),
    (OEI, "Egenskaber", &["AttributListe"], Form::Elements),
    (OEI, "Startdato", &["Egenskaber"], Form::Date),
    (OEI, "Slutdato", &["Egenskaber"], Form::Date),
    (OEI, "SamletBruttobeloeb", &["Egenskaber"], Form::Amount),
    (OEI, "Dispositionsdato", &["Egenskaber"], Form::DateInWindow),
    (OEI, "OekonomiskYdelseEffektueringRelation", &["RelationListe"], Form::Elements),
    (OEI, "Aktoer", &["RelationListe"], Form::Elements),
    (OEI, "OekonomiskEffektueringPart", &["RelationListe"], Form::Elements),
    (GD, "Rolle", &["OekonomiskYdelseEffektueringRelation", "Aktoer", "OekonomiskEffektueringPart"], Form::Elements),
    (GD, "Type", &["OekonomiskYdelseEffektueringRelation", "Aktoer", "OekonomiskEffektueringPart"], Form::Elements),
    (GD, "ReferenceID", &["OekonomiskYdelseEffektueringRelation", "OekonomiskEffektueringPart"], Form::Elements),
    (SD, "UUIDIdentifikator", &["ObjektType", "Rolle", "Type", "ReferenceID"], Form::Uuid),
    (SD, "URNIdentifikator", &["ReferenceID"], Form::Person),
    (GD, "Indeks", &["OekonomiskYdelseEffektueringRelation"], Form::Digits(4)),
    (OEI, "YdelsesperiodeStartdato", &["OekonomiskYdelseEffektueringRelation"], Form::Date),
    (OEI, "YdelsesperiodeSlutdato", &["OekonomiskYdelseEffektueringRelation"], Form::Date),
    (OEI, "Ydelsesbeloeb", &["OekonomiskYdelseEffektueringRelation"], Form::Amount),
    (OEI, "Klassifikationsbeskrivelse", &["OekonomiskYdelseEffektueringRelation"], Form::Kle),
    (OEI, "FuldtNavn", &["Aktoer"], Form::OneOf(&[NAME])),
    (OEI, "CVR-nr", &["Aktoer"], Form::OneOf(&[COUNTERPART])),
];

#[derive(Clone, Copy)]
enum Form {
    Elements,
    OneOf(&'static [&'static str]),
    Digits(usize),
    Uuid,
    Person,
    Date,
    DateInWindow,
    Amount,
    Kle,
}

struct Walk {
    narrow: bool,
    objects: u64,
    lines: u64,
}

impl Walk {
    fn element(&mut self, element: Element<'_>, within: &str) {
        let (namespace, local) = (element.namespace(), element.local());
        let place = PLACES.iter().find(|place| (place.0, place.1) == (namespace, local) && place.2.contains(&within));
        let (_, _, _, form) = place.unwrap_or_else(|| panic!("nothing releases {local} in {within}"));
        assert_eq!(element.attributes().count(), 0, "no attribute is released");
        let mut text = String::new();
        for child in element.children() {
            match child {
                Child::Element(_) => assert!(matches!(form, Form::Elements), "an element in {local}"),
                Child::Text { text: piece, .. } => text.push_str(piece),
                Child::Comment => panic!("a comment is released"),
            }
        }
        assert!(self.has_form(*form, &text), "{local} is {text:?}");
        if self.narrow {
            assert!(!["Aktoer", "OekonomiskEffektueringPart"].contains(&local), "what was not asked for");
            assert!(local != "Klassifikationsbeskrivelse" || text.starts_with("32.03."), "{text}");
        }
        self.lines += u64::from(local == "OekonomiskYdelseEffektueringRelation");
        assert!(self.objects > 0 || ["FremsoegYdelseIndeksOutput", "StandardRetur", "StatusKode"].contains(&local));
        element.elements().for_each(|child| self.element(child, local));
    }

    fn has_form(&self, form: Form, text: &str) -> bool {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let shaped = |mask: &str| {
            let fits = |(m, byte): (u8, u8)| if m == b'0' { byte.is_ascii_digit() } else { m == byte };
            mask.len() == text.len() && mask.bytes().zip(text.bytes()).all(fits)
        };
        match form {
            Form::Elements => text.is_empty(),
            Form::OneOf(texts) => texts.contains(&text),
            Form::Digits(most) => digits(text) && text.len() <= most,
            Form::Uuid => {
                let parts: Vec<&str> = text.split('-').collect();
                parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
                    && parts.concat().bytes().all(|byte| byte.is_ascii_hexdigit())
            }
            Form::Person => text == format!("urn:oio:cpr-nr:{PERSON}"),
            Form::Amount => {
                let parts: Vec<&str> = text.strip_prefix('-').unwrap_or(text).split('.').collect();
                parts.len() <= 2 && parts.into_iter().all(digits)
            }
            Form::Kle => shaped("00.00.00"),
            Form::Date => self.date(text).is_some(),
            Form::DateInWindow => self.date(text).is_some_and(|around| {
                let (from, end) = (window().from(), window().to());
                // Where the narrow ask withholds what is still to come, the day of the call is the last.
                let to = if self.narrow { TOMORROW.parse().expect("an instant") } else { end };
                around.iter().all(|at| from <= *at && *at < to)
            }),
        }
    }

    /// The instants that the text may mean, to the second.
    fn date(&self, text: &str) -> Option<Vec<Timestamp>> {
        let (local, mut rest) = (text.get(..19)?, text.get(19..)?);
        let at = |n: usize| local.as_bytes()[n];
        let shape = (0..19).all(|n| match n {
            4 | 7 => at(n) == b'-',
            10 => at(n) == b'T',
            13 | 16 => at(n) == b':',
            _ => at(n).is_ascii_digit(),
        });
        if let Some(fraction) = rest.strip_prefix('.') {
            rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if rest.len() == fraction.len() {
                return None;
            }
        }
        // The end of a day is the first instant of the next.
        let (local, more) = match local.strip_suffix("T24:00:00") {
            Some(day) => (format!("{day}T00:00:00"), 24 * 3600),
            None => (local.to_owned(), 0),
        };
        let civil: jiff::civil::DateTime = local.parse().ok().filter(|_| shape)?;
        let seconds = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second() + more;
        let offsets = match (rest, rest.get(..1)) {
            ("Z", _) => vec![0],
            ("", _) if self.narrow => return None,
            ("", _) => {
                // Copenhagen's clock is one hour before UTC or two; both, but where only one of them is Copenhagen's.
                let day = local.get(5..10)?;
                match day {
                    day if ("03-22".."03-31").contains(&day) || ("10-24".."10-31").contains(&day) => vec![3600, 7200],
                    day if ("03-31".."10-24").contains(&day) => vec![7200],
                    _ => vec![3600],
                }
            }
            (_, Some(sign @ ("+" | "-"))) if rest.len() == 6 => {
                let (hours, minutes) = (rest.get(1..3)?.parse::<i64>().ok()?, rest.get(4..6)?.parse::<i64>().ok()?);
                let offset = hours * 3600 + minutes * 60;
                vec![if sign == "+" { offset } else { -offset }]
            }
            _ => return None,
        };
        let limited =
            |second: i64| Timestamp::from_second(second).unwrap_or(if second < 0 { Timestamp::MIN } else { Timestamp::MAX });
        Some(offsets.into_iter().map(|offset| limited(seconds - offset)).collect())
    }
}
