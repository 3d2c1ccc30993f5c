//! What the values of a request must be, and how one that is not so is told.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::str::FromStr;

use jiff::{Timestamp, civil::Date};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use super::unread::{NOT_A_UUID, REPEATED};
use crate::agreements::route::day;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::text;

/// A field whose value cannot be used.
pub fn wrong(field: &str, da: impl Into<String>, en: impl Into<String>) -> ApiRefusal {
    ApiRefusal::ApiFieldInvalid { field: field.to_owned(), what: Detail::new(da, en) }
}

/// A parameter of the query that cannot be used.
pub fn wrong_parameter(parameter: &str, da: impl Into<String>, en: impl Into<String>) -> ApiRefusal {
    ApiRefusal::ApiQueryInvalid { parameter: parameter.to_owned(), what: Detail::new(da, en) }
}

/// One line of text that people read.
pub fn line(field: &str, text: &str) -> Result<String, ApiRefusal> {
    text::line(text).map_err(|unfit| ApiRefusal::ApiFieldInvalid { field: field.to_owned(), what: unfit.describe() })
}

/// What the contract calls an object, and nothing else: of itself serde takes a list of a struct's fields for it too.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(entries)).map(Object)
            }
        }
        from.deserialize_map(Fields(PhantomData))
    }
}

/// A UUID as the contract has it.
pub fn uuid<'de, D: Deserializer<'de>>(from: D) -> Result<Uuid, D::Error> {
    text::uuid(&String::deserialize(from)?).ok_or_else(|| serde::de::Error::custom(NOT_A_UUID))
}

/// The same, or null.
pub fn maybe_uuid<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Uuid>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    let read = |text: String| text::uuid(&text).ok_or_else(|| serde::de::Error::custom(NOT_A_UUID));
    text.map(read).transpose()
}

/// A text of at most so many characters, which is not for people.
pub fn within<'t>(field: &str, text: &'t str, most: usize) -> Result<&'t str, ApiRefusal> {
    let long = || wrong(field, format!("det er længere end {most} tegn"), format!("it is longer than {most} characters"));
    if text.chars().count() > most { Err(long()) } else { Ok(text) }
}

/// A map whose names stand once each: of a repeated one it would be left open which holds.
pub fn named_once<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, Vec<String>>, D::Error> {
    struct Once;
    impl<'de> Visitor<'de> for Once {
        type Value = BTreeMap<String, Vec<String>>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut found = BTreeMap::new();
            while let Some((name, values)) = entries.next_entry()? {
                if found.insert(name, values).is_some() {
                    return Err(serde::de::Error::custom(REPEATED));
                }
            }
            Ok(found)
        }
    }
    from.deserialize_map(Once)
}

/// A UUID of the query.
pub fn uuid_parameter(name: &str, text: Option<&str>) -> Result<Option<Uuid>, ApiRefusal> {
    let read = |text| text::uuid(text).ok_or_else(|| wrong_parameter(name, "det er ikke en UUID", "it is not a UUID"));
    text.map(read).transpose()
}

/// A value of another type.
pub fn parsed<T: FromStr>(field: &str, text: &str, da: &str, en: &str) -> Result<T, ApiRefusal> {
    text.parse().map_err(|_| wrong(field, da, en))
}

/// An instant with an offset.
pub fn instant(field: &str, text: &str) -> Result<Timestamp, ApiRefusal> {
    text::instant(text).ok_or_else(|| {
        wrong(
            field,
            "det er ikke et tidspunkt med tidszone; skriv fx 2027-01-01T00:00:00+01:00",
            "it is not an instant with an offset; write 2027-01-01T00:00:00+01:00, say",
        )
    })
}

/// A civil day.
pub fn civil(field: &str, text: &str) -> Result<Date, ApiRefusal> {
    day(text).map_err(|_| wrong(field, "det er ikke en dato; skriv fx 2027-01-01", "it is not a day; write 2027-01-01, say"))
}

/// A list within bounds, each item read.
pub fn list<T>(
    field: &str,
    items: &[String],
    most: usize,
    read: impl Fn(&str) -> Result<T, ApiRefusal>,
) -> Result<Vec<T>, ApiRefusal> {
    if items.len() > most {
        return Err(wrong(field, format!("der er flere end {most}"), format!("there are more than {most}")));
    }
    items.iter().map(|item| read(item)).collect()
}
