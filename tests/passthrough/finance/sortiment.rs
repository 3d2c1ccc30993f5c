//! Value lists: what is read from XML and from a spreadsheet, what is refused, and what a new version changes.

use hjemmel::services::finance::rules::sortiment::{Entry, List, Lists, Part, csv, diff, xml};
use jiff::civil::date;
use proptest::prelude::*;
use uuid::Uuid;

use super::rules::list;

fn empty() -> List {
    List { parts: std::collections::BTreeMap::new(), ..list() }
}

const TABLE: &str = "\u{feff}Delsortiment;Kode;Navn;KlasseUUID;Foelsomhedsniveau;GyldigFra;GyldigTil\r\n\
    Art;22.0;\"Fødevarer; drikke\";;1;;\r\n\
    Art;040;Øvrige;0b7e2a1c-94d3-4c1e-8f07-5a6b7c8d9e10;3,0;01-02-2026;31-12-2026\r\n\
    Funktion;5.57.71;Sociale formål;;;;\r\n\
    ;;;;;;\r\n";

#[test]
fn what_is_written_is_read_again() {
    let text = xml::write(&list()).unwrap();
    assert_eq!(xml::read(text.as_bytes()), Ok(list()), "{text}");
    let supplement = List { authority: Some("11111111".parse().unwrap()), to: None, ..list() };
    assert_eq!(xml::read(xml::write(&supplement).unwrap().as_bytes()), Ok(supplement));
}

#[test]
fn a_table_of_danish_excel_is_read_as_it_was_meant() {
    let read = csv::read(TABLE.as_bytes(), empty()).unwrap();
    let art = &read.parts["Art"].codes;
    assert_eq!(art["22.0"].name, "Fødevarer; drikke");
    let other = &art["040"];
    assert_eq!(
        (other.sensitivity, other.from, other.to),
        (Some(3), Some("2026-02-01".parse().unwrap()), Some("2026-12-31".parse().unwrap()))
    );
    assert_eq!(read.parts["Funktion"].codes["5.57.71"].name, "Sociale formål");
    assert_eq!(xml::read(xml::write(&read).unwrap().as_bytes()), Ok(read), "and is the same as XML");
}

#[test]
fn what_a_spreadsheet_spoilt_is_told_by_row() {
    let wrong = |text: &str| csv::read(text.as_bytes(), empty()).unwrap_err().join("\n");
    let row = |cells: &str| wrong(&format!("Delsortiment;Kode;Navn;KlasseUUID;Foelsomhedsniveau;GyldigFra;GyldigTil\n{cells}\n"));
    assert!(row("Art;1,23457E+15;;;;;").starts_with("Row 2: Kode was turned into a number"));
    assert!(row("Art;1;;;;31-02-2026;").contains("Row 2: GyldigFra is not a day"));
    assert!(row("Art;1;;;2,5;;").contains("Foelsomhedsniveau is not a number"));
    assert!(row("Art;1;;;;;\nArt;1;;;;;").contains("Row 3: the code 1 of Art stands twice"));
    assert!(row(";1;;;;;").contains("Delsortiment is empty"));
    assert!(wrong("Delsortiment,Kode\nArt,1\n").contains("semicolons"));
    assert!(wrong("Delsortiment;Kode;Farve\nArt;1;rød\n").contains("\"Farve\" is not known"));
    assert!(wrong("Kode\n1\n").contains("The column Delsortiment is missing"));
    let latin = [b"Delsortiment;Kode;Navn\nArt;1;".as_slice(), &[0xF8, b'l', b'\n']].concat();
    assert!(csv::read(&latin, empty()).unwrap_err().join("").contains("CSV UTF-8"));
}

#[test]
fn xml_that_is_no_list_is_refused() {
    let good = xml::write(&list()).unwrap();
    let wrong = |text: String| xml::read(text.as_bytes()).unwrap_err().join("\n");
    assert!(wrong(good.replace("<UUID>", "<Farve>rød</Farve><UUID>")).contains("Farve"));
    assert!(wrong(good.replace(xml::NAMESPACE, "urn:other")).contains(xml::NAMESPACE));
    assert!(wrong(good.replace("?>\n", "?>\n<!DOCTYPE x [<!ENTITY a 'b'>]>\n")).contains("DTD"));
    assert!(wrong(good.replace("2026-12-31", "2025-12-31")).contains("GyldigTil is before GyldigFra"));
    let code = "<Kode>29.1</Kode>";
    assert!(wrong(good.replacen(code, "<Kode>22.0</Kode>", 1)).contains("22.0 stands twice"));
}

#[test]
fn a_list_holds_no_text_that_does_something_to_whoever_shows_it() {
    let good = xml::write(&list()).unwrap();
    let code = "<Kode>29.1</Kode>";
    for bad in ["29&#10;narrows  Art: gone", "29\u{202e}1", "29\u{9b}2J", "=1+1", "@SUM(A1)", "-2+3"] {
        let wrong = xml::read(good.replacen(code, &format!("<Kode>{bad}</Kode>"), 1).as_bytes()).unwrap_err().join("\n");
        assert!(wrong.contains("cannot be used") && !wrong.contains(['\n', '\u{202e}', '\u{9b}']), "{wrong}");
    }
    let name = "<Navn>29&#10;2</Navn>";
    assert!(xml::read(good.replacen(code, &format!("{code}{name}"), 1).as_bytes()).is_err());
    let table = |text: String| csv::read(text.as_bytes(), empty()).unwrap_err().join("\n");
    let long = table(format!("Delsortiment;Kode\r\nArt;\"{}", "x;\r\n".repeat(100_000)));
    assert!(long.len() < 1_000, "{} bytes", long.len());
    let unknown = table("Delsortiment;Kode;\u{1b}[2J\r\nArt;1;2".to_owned());
    assert!(unknown.contains("is not known") && !unknown.contains('\u{1b}'), "{unknown}");
    assert!(table("Delsortiment;Kode\r\nArt;1\u{0}".to_owned()).contains("cannot be used"));
}

#[test]
fn lists_that_do_not_fit_each_other_are_refused() {
    let own = || List { authority: Some("11111111".parse().unwrap()), ..list() };
    let wrong = |lists: Vec<List>| Lists::new(lists).unwrap_err().join("\n");
    assert!(wrong(vec![list(), list()]).contains("stands twice"));
    assert!(wrong(vec![own()]).contains("supplements a list that is not here"));
    assert!(wrong(vec![list(), own()]).contains("has codes in Funktion, which the common list does not let"));
}

#[test]
fn a_new_version_tells_what_it_widens_and_narrows() {
    let mut new = list();
    let art = new.parts.get_mut("Art").unwrap();
    art.codes.remove("22.0");
    art.codes.insert("60.0".to_owned(), Entry { name: "ny".into(), ..Entry::default() });
    art.codes.get_mut("ended").unwrap().to = None;
    art.codes.get_mut("29.1").unwrap().to = Some("2026-06-30".parse().unwrap());
    new.parts.get_mut("Funktion").unwrap().party = true;
    let told: Vec<String> = diff::diff(&list(), &new).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "narrows  Art 22.0: gone (kode 22.0)",
            "narrows  Art 29.1: holds until 2026-06-30, before until the version's end",
            "widens   Art 60.0: new (ny)",
            "widens   Art ended: holds until the version's end, before until 2026-11-26",
            "narrows  Funktion: a posting must name a party",
        ]
    );
    assert!(diff::diff(&list(), &list()).is_empty());
}

/// A change of the list, and what is told of it and of its reverse.
type Told = (fn(&mut List), &'static str, &'static str);

#[test]
fn each_kind_of_change_is_told_with_its_direction_and_its_reverse_with_the_other() {
    fn code(list: &mut List) -> &mut Entry {
        list.parts.get_mut("Art").unwrap().codes.get_mut("22.0").unwrap()
    }
    let changes: [Told; 9] = [
        (
            |list| list.name = "Andre ydelser".to_owned(),
            "says     the name is Andre ydelser",
            "says     the name is Sociale ydelser",
        ),
        (
            |list| list.parts.get_mut("Ydelse").unwrap().party = false,
            "widens   Ydelse: a posting need not name a party",
            "narrows  Ydelse: a posting must name a party",
        ),
        (
            |list| list.parts.get_mut("Art").unwrap().supplement = false,
            "narrows  Art: authorities may no longer add codes",
            "widens   Art: authorities may add codes",
        ),
        (
            |list| code(list).from = Some(date(2026, 2, 1)),
            "narrows  Art 22.0: holds from 2026-02-01, before from the version's first day",
            "widens   Art 22.0: holds from the version's first day, before from 2026-02-01",
        ),
        (
            |list| code(list).to = Some(date(2026, 2, 1)),
            "narrows  Art 22.0: holds until 2026-02-01, before until the version's end",
            "widens   Art 22.0: holds until the version's end, before until 2026-02-01",
        ),
        (
            |list| code(list).class = Some(Uuid::nil()),
            "narrows  Art 22.0: has the class 00000000-0000-0000-0000-000000000000",
            "widens   Art 22.0: has no class any more",
        ),
        (
            |list| code(list).sensitivity = Some(3),
            "says     Art 22.0: the sensitivity is 3, before none",
            "says     Art 22.0: the sensitivity is none, before 3",
        ),
        (
            |list| code(list).name = "anden".to_owned(),
            "says     Art 22.0: means anden, before kode 22.0",
            "says     Art 22.0: means kode 22.0, before anden",
        ),
        (
            |list| {
                let codes = [("1".to_owned(), Entry::default())].into();
                list.parts.insert("Ny".to_owned(), Part { codes, party: true, ..Part::default() });
            },
            "widens   Ny 1: new",
            "narrows  Ny 1: gone",
        ),
    ];
    let told = |old: &List, new: &List| diff::diff(old, new).iter().map(ToString::to_string).collect::<Vec<_>>();
    for (change, forth, back) in changes {
        let mut new = list();
        change(&mut new);
        assert_eq!((told(&list(), &new), told(&new, &list())), (vec![forth.to_owned()], vec![back.to_owned()]));
    }
    let of_class = |class: Uuid| {
        let mut list = list();
        code(&mut list).class = Some(class);
        list
    };
    let other = "narrows  Art 22.0: has another class, ffffffff-ffff-ffff-ffff-ffffffffffff";
    assert_eq!(told(&of_class(Uuid::nil()), &of_class(Uuid::max())), [other], "codes of the class before are refused");
}

/// Cells as a spreadsheet may have them, and such as it should not.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9.]{0,6}",
        "\\PC{0,8}",
        Just("31-12-2026".to_owned()),
        Just("\"en \"\"; to\"".to_owned()),
        Just("\"".to_owned()),
        Just("1,23457E+15".to_owned()),
        Just("0b7e2a1c-94d3-4c1e-8f07-5a6b7c8d9e10".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever a table holds: refused with a word of each fault, or read as what is written and read again.
    #[test]
    fn a_table_is_refused_in_words_or_read_as_it_stays(rows in proptest::collection::vec(proptest::collection::vec(cell(), 0..8), 0..6)) {
        let mut text = "\u{feff}Delsortiment;Kode;Navn;KlasseUUID;Foelsomhedsniveau;GyldigFra;GyldigTil\r\n".to_owned();
        for row in rows {
            text += &row.join(";");
            text += "\r\n";
        }
        match csv::read(text.as_bytes(), empty()) {
            Ok(read) => {
                let written = xml::write(&read).unwrap();
                prop_assert_eq!(xml::read(written.as_bytes()), Ok(read), "{}", written);
            }
            Err(told) => prop_assert!(!told.is_empty() && told.iter().all(|told| told.ends_with('.'))),
        }
    }

    /// Whatever bytes come, as a table or as XML, the answer is words.
    #[test]
    fn bytes_of_any_kind_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(csv::read(&bytes, empty()).is_err());
        prop_assert!(xml::read(&bytes).is_err());
    }

    /// A list with some bytes altered is another list, the same, or refused; never a half of one.
    #[test]
    fn altered_xml_is_refused_or_read_as_it_stays(changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4)) {
        let mut bytes = xml::write(&list()).unwrap().into_bytes();
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        match xml::read(&bytes) {
            Ok(read) => prop_assert_eq!(xml::read(xml::write(&read).unwrap().as_bytes()), Ok(read)),
            Err(told) => prop_assert!(!told.is_empty()),
        }
    }
}
