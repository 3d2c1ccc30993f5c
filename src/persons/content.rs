//! What is kept of an employment, beside what it is found by.

use super::field::{FIELDS, Field};
use super::judge::{Given, Judged};

/// The fields of an employment that are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Content([Option<String>; FIELDS]);

impl Content {
    pub(super) fn get(&self, field: Field) -> Option<&str> {
        self.0.get(field.index())?.as_deref()
    }

    pub(super) fn owned(&self, field: Field) -> Option<String> {
        self.get(field).map(str::to_owned)
    }

    /// A field by which an employment is found is no content.
    fn holds(field: Field) -> bool {
        field.is_kept() && !matches!(field, Field::InstitutionsID1 | Field::Medarbejdernummer)
    }

    /// The content after a row: what it does not give stays.
    pub(super) fn merge(&mut self, judged: &Judged) {
        for field in Field::ALL.into_iter().filter(|field| Self::holds(*field)) {
            let (Some(own), Some(given)) = (self.0.get_mut(field.index()), judged.values.get(field.index())) else { continue };
            match given {
                Given::Absent => {}
                Given::Empty => *own = None,
                Given::Value(value) if own.as_ref() == Some(value) => {}
                Given::Value(value) => *own = Some(value.clone()),
            }
        }
    }

    /// Whether a row would make another of it.
    pub(super) fn differs(&self, judged: &Judged) -> bool {
        Field::ALL.into_iter().filter(|field| Self::holds(*field)).any(|field| match judged.values.get(field.index()) {
            None | Some(Given::Absent) => false,
            Some(Given::Empty) => self.get(field).is_some(),
            Some(Given::Value(value)) => self.get(field) != Some(value),
        })
    }

    /// As the store keeps it: a JSON object by names of fields.
    pub(super) fn text(&self) -> String {
        let mut text = String::with_capacity(512);
        for (field, value) in Field::ALL.into_iter().zip(&self.0) {
            if let Some(value) = value {
                text.push(if text.is_empty() { '{' } else { ',' });
                text.push('"');
                text.push_str(field.name());
                text.push_str("\":");
                text.push_str(&serde_json::to_string(value).unwrap_or_default());
            }
        }
        text.push_str(if text.is_empty() { "{}" } else { "}" });
        text
    }

    /// Of what the store keeps; none where it is something else.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut content = Self::default();
        let mut reader = serde_json::Deserializer::from_str(text);
        serde::de::Deserializer::deserialize_map(&mut reader, Fields(&mut content)).ok()?;
        Some(content)
    }
}

/// Reads a content's fields, which stand in the order of the table.
struct Fields<'c>(&'c mut Content);

impl<'de> serde::de::Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the fields of an employment")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut rest = Field::ALL.into_iter();
        while let Some(name) = map.next_key::<&str>()? {
            let field = rest.find(|field| field.name() == name);
            let field = field.ok_or_else(|| serde::de::Error::custom("a field that is not known, or out of order"))?;
            if let Some(own) = self.0.0.get_mut(field.index()) {
                *own = Some(map.next_value()?);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_and_anything_else_is_not_taken() {
        let mut content = Content::default();
        assert_eq!(Content::read(&content.text()), Some(content.clone()));
        for (field, value) in [(Field::Fornavne, "Åse \"A\"\\"), (Field::Email, "a@b.dk"), (Field::Nationalitet, "DK")] {
            content.0[field.index()] = Some(value.to_owned());
        }
        assert_eq!(content.text(), r#"{"Fornavne":"Åse \"A\"\\","Email":"a@b.dk","Nationalitet":"DK"}"#);
        assert_eq!(Content::read(&content.text()), Some(content));
        for other in ["", "[]", r#"{"Navn":"x"}"#, r#"{"Email":"a@b.dk","Fornavne":"A"}"#, r#"{"Email":1}"#] {
            assert_eq!(Content::read(other), None, "{other}");
        }
    }
}
