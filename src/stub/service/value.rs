//! Values of simple types: varied, within their facets, and never a number that could be a living person's.

use std::collections::HashMap;

use super::number;
use super::pattern::Pattern;
use super::person::{could_be_real, unreal};
use crate::schema::model::{Facets, Model, Name, Simple, Variety};
use crate::signature::base64;
use crate::stub::random::Random;

/// How often a value is tried before the type counts as one that the stub cannot write.
const TRIES: usize = 400;
/// How deep lists and unions may nest.
const NESTED: usize = 8;
/// The longest value that a type may demand, in characters, bytes or items.
const LONGEST: u64 = 100_000;
/// The longest value that is written of one's own accord, in characters.
const LONG: u64 = 60;

const WORDS: [&str; 24] = [
    "sag",
    "brev",
    "kvittering",
    "ydelse",
    "borger",
    "øre",
    "ål",
    "æble",
    "kommune",
    "bilag",
    "dokument",
    "modtaget",
    "afsender",
    "Korsbæk",
    "Andeby",
    "journal",
    "nota",
    "frist",
    "klar",
    "note",
    "emne",
    "titel",
    "post",
    "rå",
];

/// A value as it is written: text, or a qualified name whose prefix is not chosen yet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum Value {
    Text(String),
    /// A name in a namespace.
    Name(Name),
}

/// What values need to know of the message that they stand in.
#[derive(Debug, Default)]
pub struct Ids {
    /// The IDs so far.
    given: Vec<String>,
}

/// Writes values of a model's simple types.
#[derive(Debug)]
pub struct Values {
    patterns: HashMap<String, Result<Pattern, String>>,
}

impl Values {
    /// Reads every pattern once.
    pub fn new(model: &Model) -> Self {
        let written = model.simple.iter().flat_map(|simple| simple.facets.patterns.iter().flatten());
        Self { patterns: written.map(|pattern| (pattern.clone(), Pattern::parse(pattern))).collect() }
    }

    /// A value of a simple type. `scope` is the namespace whose prefix is sure to be declared where the value stands.
    ///
    /// # Errors
    /// Why none was found, in words.
    pub fn make(&self, model: &Model, kind: usize, scope: &str, ids: &mut Ids, random: &mut Random) -> Result<Value, String> {
        self.nested(model, kind, scope, ids, random, NESTED)
    }

    fn nested(
        &self,
        model: &Model,
        kind: usize,
        scope: &str,
        ids: &mut Ids,
        random: &mut Random,
        depth: usize,
    ) -> Result<Value, String> {
        let simple = model.simple.get(kind).ok_or("a type that is not there")?;
        let deeper = depth.checked_sub(1).ok_or("simple types nest too deep")?;
        let patterns = self.patterns(simple)?;
        let facets = &simple.facets;
        if facets.length.or(facets.min_length).is_some_and(|least| least > LONGEST) {
            return Err("a value longer than a stub writes".to_owned());
        }
        if let Some(listed) = &simple.facets.enumeration {
            let fitting: Vec<&String> = listed.iter().filter(|value| fit(&patterns, value)).collect();
            let value = random.pick(&fitting).ok_or("no listed value fits the type's patterns")?;
            return Ok(Value::Text((*value).clone()));
        }
        match &simple.variety {
            Variety::Atomic(name) if name == "QName" => {
                Ok(Value::Name((scope.to_owned(), random.pick(&WORDS).map_or_else(String::new, |word| (*word).to_owned()))))
            }
            Variety::Atomic(name) => self.atomic(name, &simple.facets, &patterns, ids, random).map(Value::Text),
            Variety::Union(members) => {
                // A member may be one that cannot be written, or that the union's own patterns leave out.
                for _ in 0..TRIES {
                    let Some(member) = random.pick(members) else { break };
                    match self.nested(model, *member, scope, ids, random, deeper) {
                        Ok(Value::Text(text)) if fit(&patterns, &text) => return Ok(Value::Text(text)),
                        Ok(name @ Value::Name(_)) if patterns.is_empty() => return Ok(name),
                        _ => {}
                    }
                }
                Err("no member of a union gives a value".to_owned())
            }
            Variety::List(item) => {
                let least = facets.length.or(facets.min_length).unwrap_or(0);
                let most = facets.length.or(facets.max_length).unwrap_or(least + 3).min(least + 3);
                for _ in 0..TRIES {
                    let count = least + random.below(usize::try_from(most - least).unwrap_or(0) + 1) as u64;
                    let mut parts = Vec::new();
                    for _ in 0..count {
                        match self.nested(model, *item, scope, ids, random, deeper)? {
                            Value::Text(text) => parts.push(text),
                            Value::Name(_) => return Err("a list of qualified names".to_owned()),
                        }
                    }
                    let text = parts.join(" ");
                    if fit(&patterns, &text) {
                        return Ok(Value::Text(text));
                    }
                }
                Err("no list fits the type's patterns".to_owned())
            }
        }
    }

    fn patterns(&self, simple: &Simple) -> Result<Vec<Vec<&Pattern>>, String> {
        let read = |pattern: &String| match self.patterns.get(pattern) {
            Some(Ok(read)) => Ok(read),
            Some(Err(why)) => Err(why.clone()),
            None => Err(format!("the pattern {pattern} was not read")),
        };
        simple.facets.patterns.iter().map(|step| step.iter().map(read).collect()).collect()
    }

    fn atomic(
        &self,
        built_in: &str,
        facets: &Facets,
        patterns: &[Vec<&Pattern>],
        ids: &mut Ids,
        random: &mut Random,
    ) -> Result<String, String> {
        match built_in {
            "ID" => {
                let id = format!("id-{}", ids.given.len() + 1);
                ids.given.push(id.clone());
                return Ok(id);
            }
            "IDREF" | "IDREFS" => {
                return random.pick(&ids.given).cloned().ok_or_else(|| "a reference where no ID is yet".to_owned());
            }
            "ENTITY" | "ENTITIES" | "NOTATION" => return Err(format!("a value of xs:{built_in}")),
            _ => {}
        }
        let by_pattern = !patterns.is_empty() && (is_text(built_in) || number::is_number(built_in));
        for at in 0..TRIES {
            let text = match patterns.first().filter(|_| by_pattern && at % 4 != 3) {
                // Where a UUID fits, one is meant.
                Some(_) if at == 0 => random.uuid().to_string(),
                Some(step) => {
                    // What is too short or too long at first may fit when more or less is repeated.
                    let stretch = [3, 1, 10, 0, 40, 200].get(at / 4 % 6).copied().unwrap_or(3);
                    random.pick(step).map(|pattern| pattern.make(random, stretch)).unwrap_or_default()
                }
                None => written(built_in, facets, random),
            };
            for text in unreal(text) {
                if fit(patterns, &text) && keeps(built_in, facets, &text) && !could_be_real(&text) {
                    return Ok(text);
                }
            }
        }
        let said = facets.patterns.iter().flatten().map(|pattern| format!(" with the pattern {pattern}")).collect::<String>();
        Err(format!("a value of xs:{built_in}{said} within its other facets"))
    }
}

fn fit(patterns: &[Vec<&Pattern>], text: &str) -> bool {
    patterns.iter().all(|step| step.iter().any(|pattern| pattern.fits(text)))
}

fn is_text(built_in: &str) -> bool {
    matches!(
        built_in,
        "string"
            | "normalizedString"
            | "token"
            | "language"
            | "NMTOKEN"
            | "Name"
            | "NCName"
            | "anyURI"
            | "anySimpleType"
            | "anyAtomicType"
    )
}

/// Whether a text keeps the facets, patterns and enumeration apart. Dates are written within their bounds.
fn keeps(built_in: &str, facets: &Facets, text: &str) -> bool {
    let words = text.split(' ').all(|word| !word.is_empty()) || text.is_empty();
    let collapse = facets.collapse.unwrap_or(!matches!(built_in, "string" | "normalizedString"));
    if text.contains(['\t', '\n', '\r']) || (collapse && !words) {
        return false;
    }
    let length = match built_in {
        "base64Binary" => base64::decode(text).map_or(0, |bytes| bytes.len()),
        "hexBinary" => text.len() / 2,
        _ => text.chars().count(),
    } as u64;
    let lengths = facets.length.is_none_or(|exact| length == exact)
        && facets.min_length.is_none_or(|least| length >= least)
        && facets.max_length.is_none_or(|most| length <= most);
    let form = match built_in {
        "language" => text.split('-').enumerate().all(|(at, part)| {
            (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphabetic() || (at > 0 && c.is_ascii_digit()))
        }),
        "NMTOKEN" => !text.is_empty() && text.chars().all(is_name_part),
        "Name" | "NCName" => {
            text.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
                && text.chars().all(is_name_part)
                && (built_in == "Name" || !text.contains(':'))
        }
        _ => true,
    };
    lengths && form && (!number::is_number(built_in) || number::keeps(built_in, facets, text))
}

fn is_name_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | ':')
}

/// A value of a built-in type, most often within the facets.
fn written(built_in: &str, facets: &Facets, random: &mut Random) -> String {
    if number::whole(built_in).is_some() || matches!(built_in, "decimal" | "float" | "double") {
        return number::written(built_in, facets, random);
    }
    if let Some(bound) = date_bound(facets, random) {
        return bound;
    }
    let length = |random: &mut Random, most: u64| {
        let least = facets.length.or(facets.min_length).unwrap_or(0);
        let most = facets.length.or(facets.max_length).unwrap_or(least.max(1) + most).min(least.max(1) + most);
        least + random.below(usize::try_from(most.saturating_sub(least)).unwrap_or(0) + 1) as u64
    };
    let date =
        |random: &mut Random| format!("{:04}-{:02}-{:02}", 1995 + random.below(40), 1 + random.below(12), 1 + random.below(28));
    let time = |random: &mut Random| {
        let fraction = if random.chance(30) { format!(".{:03}", random.below(1000)) } else { String::new() };
        format!("{:02}:{:02}:{:02}{fraction}", random.below(24), random.below(60), random.below(60))
    };
    let zone = |random: &mut Random| random.pick(&["", "Z", "+01:00", "+02:00"]).copied().unwrap_or("");
    match built_in {
        "boolean" => random.pick(&["true", "false", "1", "0"]).copied().unwrap_or("true").to_owned(),
        "date" => date(random) + zone(random),
        "time" => time(random) + zone(random),
        "dateTime" => format!("{}T{}{}", date(random), time(random), zone(random)),
        "dateTimeStamp" => format!("{}T{}Z", date(random), time(random)),
        "gYear" => format!("{:04}", 1995 + random.below(40)),
        "gYearMonth" => format!("{:04}-{:02}", 1995 + random.below(40), 1 + random.below(12)),
        "gMonth" => format!("--{:02}", 1 + random.below(12)),
        "gDay" => format!("---{:02}", 1 + random.below(28)),
        "gMonthDay" => format!("--{:02}-{:02}", 1 + random.below(12), 1 + random.below(28)),
        "duration" => format!("P{}DT{}H{}M", random.below(400), random.below(24), random.below(60)),
        "dayTimeDuration" => format!("P{}DT{}H", random.below(400), random.below(24)),
        "yearMonthDuration" => format!("P{}Y{}M", random.below(20), random.below(12)),
        "base64Binary" => {
            let bytes: Vec<u8> = (0..length(random, 48)).map(|_| random.below(256) as u8).collect();
            base64::encode(&bytes)
        }
        "hexBinary" => (0..length(random, 24)).map(|_| format!("{:02X}", random.below(256))).collect(),
        "anyURI" => match random.below(3) {
            0 => format!("urn:uuid:{}", random.uuid()),
            1 => format!("https://eksempel.dk/{}/{}", random.pick(&WORDS[..5]).unwrap_or(&"sag"), random.below(10_000)),
            _ => format!("urn:eksempel:{}", random.below(100_000)),
        },
        "language" => random.pick(&["da", "en", "da-DK", "kl", "fo"]).copied().unwrap_or("da").to_owned(),
        "NMTOKEN" | "Name" | "NCName" | "NMTOKENS" => {
            let word = random.pick(&WORDS).copied().unwrap_or("sag");
            filled(format!("{word}-{}", random.below(1000)), length(random, 12).max(1), "a")
        }
        // A text where a UUID just fits is most often one.
        _ if facets.length == Some(36) || (facets.max_length == Some(36) && random.chance(50)) => random.uuid().to_string(),
        _ => sentence(length(random, LONG), random),
    }
}

/// Words up to a length in characters.
fn sentence(length: u64, random: &mut Random) -> String {
    let mut text = String::new();
    while (text.chars().count() as u64) < length {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(random.pick(&WORDS).copied().unwrap_or("sag"));
    }
    filled(text, length, "e")
}

/// A text cut or lengthened to a length in characters, without white space at its end.
fn filled(text: String, length: u64, with: &str) -> String {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let mut text: String = text.chars().take(length).collect();
    while text.ends_with(' ') {
        text.pop();
    }
    let lacking = length.saturating_sub(text.chars().count());
    text + &with.repeat(lacking)
}

/// A date at its bound: the one value that is sure to lie within.
fn date_bound(facets: &Facets, random: &mut Random) -> Option<String> {
    let bounds: Vec<&String> = [&facets.min_inclusive, &facets.max_inclusive].into_iter().flatten().collect();
    random.pick(&bounds).map(|bound| (*bound).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(built_in: &str, facets: Facets) -> (Model, Values) {
        let simple = Simple { variety: Variety::Atomic(built_in.to_owned()), facets };
        let model = Model { simple: vec![simple], ..Model::default() };
        let values = Values::new(&model);
        (model, values)
    }

    fn made(built_in: &str, facets: Facets) -> Vec<String> {
        let (model, values) = one(built_in, facets);
        let make = |seed| match values.make(&model, 0, "", &mut Ids::default(), &mut Random::new(seed)) {
            Ok(Value::Text(text)) => text,
            other => panic!("{built_in}: {other:?}"),
        };
        (0..200).map(make).collect()
    }

    #[test]
    fn a_number_of_ten_digits_is_never_one_that_a_person_could_have() {
        let patterns = |pattern: &str| Facets { patterns: vec![vec![pattern.to_owned()]], ..Facets::default() };
        let official = r"((((0[1-9]|1[0-9]|2[0-9]|3[0-1])(01|03|05|07|08|10|12))|((0[1-9]|1[0-9]|2[0-9]|30)(04|06|09|11))|((0[1-9]|1[0-9]|2[0-9])(02)))[0-9]{6})|0000000000";
        for pattern in [r"[0-9]{10}", r"[0-9]{6}-[0-9]{4}", official, r"0101[0-9]{6}|290201[0-9]{4}"] {
            let all = made("string", patterns(pattern));
            assert!(all.iter().all(|text| !could_be_real(text)), "{pattern}: {all:?}");
        }
    }

    #[test]
    fn numbers_keep_bounds_and_digits_and_lengths_are_in_characters() {
        let text = |text: &str| Some(text.to_owned());
        let facets = Facets {
            min_exclusive: text("0"),
            max_inclusive: text("9.99"),
            fraction_digits: Some(2),
            total_digits: Some(3),
            ..Facets::default()
        };
        for value in made("decimal", facets) {
            let number: f64 = value.parse().unwrap();
            assert!(number > 0.0 && number <= 9.99, "{value}");
            assert!(value.split_once('.').is_none_or(|(_, behind)| behind.len() <= 2), "{value}");
        }
        let bytes = made("byte", Facets::default());
        assert!(bytes.iter().all(|value| value.parse::<i8>().is_ok()), "{bytes:?}");
        let texts = made("token", Facets { min_length: Some(3), max_length: Some(7), ..Facets::default() });
        assert!(texts.iter().all(|text| (3..=7).contains(&text.chars().count())), "{texts:?}");
        assert!(texts.iter().any(|text| !text.is_ascii()), "Danish letters: {texts:?}");
        let fixed = made("base64Binary", Facets { length: Some(5), ..Facets::default() });
        assert!(fixed.iter().all(|text| base64::decode(text).unwrap().len() == 5));
    }
}
