//! What an agreement is narrowed to. Its meaning is the service's: here it is kept, compared and handed over.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::model::ModelError;
use crate::refusal::{Detail, Refusal};

/// What an agreement is narrowed to, in its service's words; empty where it is not.
///
/// A JSON object in its one canonical form, names in order and nothing between: two scopes that say the same are equal.
///
/// ```
/// use hjemmel::agreements::Scope;
///
/// let scope = Scope::read(r#"{"kinds":["a","b"]}"#).unwrap();
/// assert_eq!(scope.names().collect::<Vec<_>>(), ["kinds"]);
/// assert!(Scope::read(r#"{ "kinds": ["a", "b"] }"#).is_err());
/// assert!(Scope::read(r#"{"kinds":["a"],"kinds":["b"]}"#).is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    entries: Map<String, Value>,
}

impl Scope {
    /// The longest, in bytes of JSON. A list of every number of a classification is a tenth of it.
    pub const LIMIT: usize = 256 * 1024;

    /// The scope that narrows nothing.
    pub fn none() -> Self {
        Self { entries: Map::new() }
    }

    /// A scope of these entries.
    ///
    /// # Errors
    /// It would be longer than [`Scope::LIMIT`].
    pub fn of(entries: impl IntoIterator<Item = (String, Value)>) -> Result<Self, ModelError> {
        let scope = Self { entries: entries.into_iter().collect() };
        if scope.to_string().len() > Self::LIMIT { Err(ModelError("a scope is at most 256 KiB of JSON")) } else { Ok(scope) }
    }

    /// Reads what `to_string` wrote, and nothing else.
    ///
    /// # Errors
    /// It is too long, no JSON object, or not in canonical form.
    pub fn read(text: &str) -> Result<Self, ModelError> {
        let wrong = ModelError("a scope is a JSON object in canonical form");
        // The length first: what is not ours may be of any.
        if text.len() > Self::LIMIT {
            return Err(wrong);
        }
        let scope = Self { entries: serde_json::from_str(text).map_err(|_| wrong)? };
        // A name that stands twice, or a number in another spelling, is not what was read.
        if scope.to_string() == text { Ok(scope) } else { Err(wrong) }
    }

    /// The scope as the service's own type. Let it deny unknown fields: a narrowing that nobody applies must not be
    /// passed over.
    ///
    /// # Errors
    /// [`Refusal::ServiceAgreementNotActive`], where the service has no such narrowing.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        T::deserialize(&self.entries).map_err(|_| Refusal::ServiceAgreementNotActive {
            state: Detail::new(
                "afgrænset på en måde, som servicen ikke anvender",
                "narrowed in a way that the service does not apply",
            ),
        })
    }

    /// Whether it narrows nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// By what it narrows, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// What it says under one name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.entries.get(name)
    }
}

impl fmt::Display for Scope {
    /// As the store keeps it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // serde_json keeps an object's names sorted, unless a dependency turns `preserve_order` on: a test would say so.
        f.write_str(&serde_json::to_string(&self.entries).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    fn scope(entries: Value) -> Scope {
        let Value::Object(entries) = entries else { panic!("an object") };
        Scope::of(entries).unwrap()
    }

    #[test]
    fn a_scope_is_written_with_its_names_in_order_and_read_back_the_same() {
        let one = scope(json!({"b": ["1"], "a": ["æ", "\""]}));
        assert_eq!(one.to_string(), r#"{"a":["æ","\""],"b":["1"]}"#);
        assert_eq!(Scope::read(&one.to_string()), Ok(one));
        assert_eq!(Scope::read("{}"), Ok(Scope::none()));
    }

    #[test]
    fn what_is_not_in_canonical_form_is_no_scope() {
        for wrong in
            ["", "[]", "null", "{", "{} ", " {}", r#"{"b":1,"a":2}"#, r#"{"a":1,"a":2}"#, r#"{"a":1.50}"#, r#"{"\u0061":1}"#]
        {
            assert!(Scope::read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_scope_beyond_the_limit_is_neither_made_nor_read() {
        let long = |length: usize| ("a".to_owned(), Value::from("x".repeat(length - r#"{"a":""}"#.len())));
        let longest = Scope::of([long(Scope::LIMIT)]).unwrap().to_string();
        assert!(Scope::read(&longest).is_ok());
        assert!(Scope::of([long(Scope::LIMIT + 1)]).is_err());
        assert!(Scope::read(&longest.replace("x\"", "xx\"")).is_err());
        assert!(Scope::read(&"[".repeat(1000)).is_err(), "depth is bounded, too");
    }

    #[test]
    fn a_narrowing_that_the_service_does_not_have_is_an_error_of_its_type() {
        #[derive(Debug, Deserialize, PartialEq)]
        #[serde(deny_unknown_fields, default)]
        struct Own {
            kinds: Vec<String>,
        }
        impl Default for Own {
            fn default() -> Self {
                Self { kinds: vec!["all".to_owned()] }
            }
        }
        assert_eq!(scope(json!({"kinds": ["a"]})).to::<Own>().unwrap().kinds, ["a"]);
        assert_eq!(Scope::none().to::<Own>().unwrap(), Own::default());
        for other in [json!({"kinds": "a"}), json!({"kinds": [1]}), json!({"colours": []})] {
            assert!(scope(other.clone()).to::<Own>().is_err(), "{other}");
        }
    }
}
