//! Whatever the files say, loading ends with a service or with problems.

use std::sync::Arc;

use hjemmel::schema::compile::Schema;
use hjemmel::schema::source::Sources;
use hjemmel::services::passthrough::{settings, wsdl};
use proptest::prelude::*;

use crate::support::{WSDL, XSD, service};

/// A text with pieces removed, doubled, moved or overwritten, at the places where XML changes its meaning.
fn mutated(text: &'static str) -> impl Strategy<Value = String> {
    let places: Vec<usize> = text.char_indices().filter(|(_, c)| "<>\"=: /".contains(*c)).map(|(at, _)| at).collect();
    let edit = (0..places.len(), 0..places.len(), 0..places.len(), 0..5_u8, "[a-zA-Z:#\"<>/&;= é]{0,8}");
    proptest::collection::vec(edit, 1..4).prop_map(move |edits| {
        let mut text = text.to_owned();
        for (from, length, to, kind, with) in edits {
            let at = |place: usize| (0..=places[place].min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            let (from, to) = (at(from), at(to));
            let end = at((length % 12 + places.partition_point(|place| *place <= from)).min(places.len() - 1)).max(from);
            let piece = text[from..end].to_owned();
            match kind {
                0 => text.replace_range(from..end, ""),
                1 => text.insert_str(end, &piece),
                2 => text.insert_str(to, &piece),
                3 => text.replace_range(from..end, &with),
                _ => text.insert_str(from, &with),
            }
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_wsdl_panics(text in mutated(WSDL)) {
        let mut sources = Sources::default();
        sources.add("brev.wsdl", text);
        sources.add("brev.xsd", XSD);
        let (_, read) = wsdl::read(&mut sources, "brev.wsdl", None);
        if let Err(problems) = read {
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.iter().all(|problem| !problem.what.is_empty() && !problem.remedy.is_empty()));
        }
    }

    #[test]
    fn no_service_toml_panics(cut in 0..1000_usize, insert in "\\PC{0,12}") {
        let mut text = service(&[("token", "brev.wsdl")]);
        let at = (0..=cut.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        text.insert_str(at, &insert);
        let (_, read) = settings::parse(&text);
        if let Err(problems) = read {
            prop_assert!(!problems.is_empty());
        }
    }
}

/// A schema that is still well-formed, with some attributes' values exchanged for each other or for odd ones.
fn exchanged() -> impl Strategy<Value = String> {
    let parts: Vec<&str> = XSD.split('"').collect();
    let odd =
        ["", "-1", "unbounded", "99999999999", "x:any", "b:Ukendt", "##any", "[a-", "(a*)*b{1,99999}", "b:Brev", "x:integer"];
    let values: Vec<&str> = parts.iter().skip(1).step_by(2).copied().chain(odd).collect();
    let edit = (0..parts.len() / 2, 0..values.len());
    proptest::collection::vec(edit, 1..5).prop_map(move |edits| {
        let mut parts = parts.clone();
        for (at, value) in edits {
            parts[2 * at + 1] = values[value];
        }
        parts.join("\"")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_schema_panics(text in exchanged()) {
        let mut sources = Sources::default();
        sources.add("brev.xsd", text);
        match Schema::inspected(Arc::new(sources), ["brev.xsd".to_owned()]) {
            Ok((_, schema)) => drop(schema.follow(("urn:test:brev", "Brev"), &["Modtager".to_owned(), "Id".to_owned()], Some("art"))),
            Err(problems) => prop_assert!(!problems.is_empty()),
        }
    }
}
