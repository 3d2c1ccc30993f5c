//! What serde finds wrong with a body, told in both languages and without what was sent: it may be a person's.
//!
//! serde quotes what it read: the name of a field that it does not know, the value of one of another type. What it expected
//! instead stands in our own code, and is what mends it.

use serde_json::Error;

use crate::refusal::Detail;

/// What is wrong, and what should stand there.
pub fn describe(error: &Error) -> Detail {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    // What was sent comes before the last of these, and what is expected, which holds none, after it.
    let expected = text.rsplit_once(", expected ").map(|(_, expected)| expected).filter(|_| !text.ends_with(NO_FIELDS));
    // Names between backticks, of our own where nothing that was sent stands before them.
    let ours = |text: &str| text.split('`').skip(1).step_by(2).collect::<Vec<_>>().join(", ");
    match text.split_once(' ') {
        Some(("missing", rest)) => {
            let field = ours(rest);
            Detail::new(format!("feltet {field} mangler dér; tilføj det"), format!("the field {field} is missing there; add it"))
        }
        Some(("duplicate", rest)) => {
            let field = ours(rest);
            Detail::new(
                format!("feltet {field} står flere gange dér; lad det stå én gang"),
                format!("the field {field} is repeated there; leave it once"),
            )
        }
        Some(("unknown", rest)) if rest.starts_with("field ") => match expected.map(ours) {
            Some(fields) => Detail::new(
                format!("der er et ukendt felt dér; felterne er {fields}"),
                format!("there is an unknown field there; the fields are {fields}"),
            ),
            None => Detail::new("der skal ingen felter være dér", "there must be no fields there"),
        },
        Some(("unknown", _)) => {
            let values = expected.map(ours).unwrap_or_default();
            Detail::new(
                format!("værdien dér findes ikke; skriv en af {values}"),
                format!("the value there does not exist; write one of {values}"),
            )
        }
        Some(("invalid", _)) => {
            let expected = expected.unwrap_or_default();
            // An article, or none, as serde and our own readers write it.
            let kind = ["a ", "an "].iter().find_map(|article| expected.strip_prefix(article)).unwrap_or(expected);
            let (da, en) = match kind {
                "string" | "borrowed string" => ("en tekst", "a text"),
                "boolean" => ("true eller false", "true or false"),
                "sequence" => ("en liste", "a list"),
                "map" | "object" => ("et objekt", "an object"),
                "object of texts" => ("et objekt, hvis værdier er tekster", "an object whose values are texts"),
                "u8" | "u16" | "u32" | "u64" | "usize" => {
                    ("et helt tal, der ikke er negativt eller for stort", "a whole number that is neither negative nor too large")
                }
                "i8" | "i16" | "i32" | "i64" | "isize" => {
                    ("et helt tal, der ikke er for stort", "a whole number that is not too large")
                }
                kind if kind.starts_with("struct ") => ("et objekt", "an object"),
                _ => ("en værdi af den type, som kontrakten har", "a value of the type that the contract has"),
            };
            Detail::new(format!("der skal stå {da} dér"), format!("{en} must stand there"))
        }
        _ if text == NOT_A_UUID => Detail::new(
            "det er ikke en UUID; skriv den med bindestreger, fx 3053ec89-31fe-4206-878b-bba6783d7a88",
            "it is not a UUID; write it with hyphens, as 3053ec89-31fe-4206-878b-bba6783d7a88",
        ),
        _ if text == REPEATED => {
            Detail::new("et navn står flere gange dér; lad hvert stå én gang", "a name is repeated there; leave each once")
        }
        _ => Detail::new(
            "det, der står dér, har en anden form end kontrakten siger",
            "what stands there has another form than the contract says",
        ),
    }
}

/// How serde ends where an object has no fields at all.
const NO_FIELDS: &str = ", there are no fields";
/// What our own readers say, in the words by which it is known here.
pub const NOT_A_UUID: &str = "it is not a UUID";
/// Of a map.
pub const REPEATED: &str = "a name is repeated";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use uuid::Uuid;

    use super::*;
    use crate::api::input::{Object, maybe_uuid, named_once, uuid};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Body {
        #[serde(deserialize_with = "uuid")]
        id: Uuid,
        #[serde(default, deserialize_with = "maybe_uuid")]
        other: Option<Uuid>,
        #[serde(default)]
        name: String,
        #[serde(default)]
        flag: bool,
        #[serde(default)]
        list: Vec<String>,
        #[serde(default)]
        small: u8,
        #[serde(default)]
        number: i64,
        #[serde(default, deserialize_with = "named_once")]
        map: BTreeMap<String, Vec<String>>,
        #[serde(default, deserialize_with = "decision")]
        decision: String,
        #[serde(default)]
        within: Option<Inner>,
        #[serde(default)]
        nothing: Option<Nothing>,
    }

    fn decision<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
        String::deserialize(from)?;
        Err(serde::de::Error::unknown_variant("", &["approve", "reject", "end"]))
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Nothing {}

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Inner {
        text: String,
    }

    /// What was sent, and must not come back: as a value and as a name. It holds what serde's own sentences are made of.
    const SENT: &str = "Jens Jensen 6101801234, expected `hemmeligt` at line 7";

    fn said(body: &str) -> (String, String) {
        let error = serde_json::from_str::<Object<Body>>(&body.replace("SENT", SENT)).expect_err(body);
        let detail = describe(&error);
        (detail.da().to_owned(), detail.en().to_owned())
    }

    #[test]
    fn what_serde_says_is_told_in_both_languages_with_what_mends_it_and_nothing_of_what_was_sent() {
        let id = "\"id\": \"3053ec89-31fe-4206-878b-bba6783d7a88\"";
        for (rest, da, en) in [
            ("", "feltet id mangler dér; tilføj det", "the field id is missing there; add it"),
            ("\"id\": \"SENT\"", "det er ikke en UUID", "it is not a UUID"),
            ("ID, \"other\": \"SENT\"", "fx 3053ec89-", "write it with hyphens"),
            ("ID, ID", "feltet id står flere gange", "the field id is repeated"),
            ("ID, \"SENT\": \"SENT\"", "felterne er id, other, name", "the fields are id, other, name"),
            ("ID, \"name\": {\"SENT\": 1}", "der skal stå en tekst dér", "a text must stand there"),
            ("ID, \"name\": 6101801234", "der skal stå en tekst dér", "a text must stand there"),
            ("ID, \"flag\": \"SENT\"", "true eller false", "true or false"),
            ("ID, \"list\": \"SENT\"", "en liste", "a list"),
            ("ID, \"list\": [6101801234]", "en tekst", "a text"),
            ("ID, \"small\": 6101801234", "ikke er negativt", "neither negative"),
            ("ID, \"small\": \"SENT\"", "et helt tal", "a whole number"),
            ("ID, \"number\": 6101801234.5", "et helt tal", "a whole number"),
            ("ID, \"map\": \"SENT\"", "et objekt", "an object"),
            ("ID, \"map\": {\"SENT\": [], \"SENT\": []}", "lad hvert stå én gang", "leave each once"),
            ("ID, \"decision\": \"SENT\"", "skriv en af approve, reject", "write one of approve, reject"),
            ("ID, \"within\": \"SENT\"", "et objekt", "an object"),
            ("ID, \"within\": {\"SENT\": 1}", "felterne er text", "the fields are text"),
            ("ID, \"nothing\": {\"SENT\": 1}", "ingen felter", "no fields"),
        ] {
            let (said_da, said_en) = said(&format!("{{{}}}", rest.replace("ID", id)));
            assert!(said_da.contains(da), "{rest}: {said_da}");
            assert!(said_en.contains(en), "{rest}: {said_en}");
            for sent in ["Jens", "6101801234", "hemmeligt", "line 7"] {
                assert!(!said_da.contains(sent) && !said_en.contains(sent), "{rest}: {said_da} / {said_en}");
            }
        }
        for body in ["[6101801234]", "\"SENT\"", "6101801234", "null"] {
            let (da, en) = said(body);
            assert_eq!((da.as_str(), en.as_str()), ("der skal stå et objekt dér", "an object must stand there"), "{body}");
        }
    }
}
