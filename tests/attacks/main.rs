//! Every kind of attack that the gateway must withstand, over TLS against a running world.

// All of this is test code, helpers included: a panic here is a failed test, and what did not run is printed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout
)]

mod arena;
mod faults;
#[path = "../support/forge/mod.rs"]
#[allow(dead_code)] // tests/messages uses the rest
mod forge;
mod http;
mod mutual_tls;
#[path = "../support/not_run.rs"]
mod not_run;
mod parties;
mod replay;
#[path = "../support/request.rs"]
#[allow(dead_code)] // tests/law/window uses the rest
mod request;
mod search;
mod signature;
mod soap;
mod tls;
mod xml;

/// The rows of the catalogue that are attacks on the gateway as a server, and the fewest messages that count as having
/// tried. Hostile answers of the index, row 27, are tests/gateway. docs/attacks.md is the whole table.
const ROWS: [(u8, usize); 26] = [
    (1, 10),
    (2, 100),
    (3, 10),
    (4, 15),
    (5, 15),
    (6, 30),
    (7, 5),
    (8, 20),
    (9, 10),
    (10, 10),
    (11, 10),
    (12, 10),
    (13, 15),
    (14, 30),
    (15, 15),
    (16, 25),
    (17, 30),
    (18, 20),
    (19, 20),
    (20, 15),
    (21, 30),
    (22, 10),
    (23, 15),
    (24, 40),
    (25, 40),
    (26, 50),
];

#[test]
fn every_row_of_the_catalogue_has_its_messages() {
    let counted =
        [signature::count(), replay::count(), soap::count(), xml::count(), http::count(), mutual_tls::count(), search::count()];
    let of = |row: u8| counted.iter().flatten().filter(|(one, _)| *one == row).map(|(_, count)| count).sum::<usize>();
    let mut all = 0;
    for (row, least) in ROWS {
        println!("row {row}: {} messages", of(row));
        assert!(of(row) >= least, "row {row}: {} of at least {least}", of(row));
        all += of(row);
    }
    println!("{all} messages in all");
}

/// A page that names tests which are gone shows nothing.
#[test]
fn the_tests_that_the_page_of_attacks_names_are_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/attacks.md")).unwrap();
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| #")).collect();
    for row in 1..=27 {
        assert!(rows.iter().any(|line| line.starts_with(&format!("| {row} |"))), "row {row}");
    }
    for row in rows {
        let columns: Vec<_> = row.split(" | ").collect();
        for column in &columns[3..] {
            let mut file = String::new();
            let named: Vec<_> = column.split('`').skip(1).step_by(2).collect();
            assert!(named.len() > 1, "{column}");
            for name in named {
                if let Some(path) = name.strip_suffix(".rs") {
                    let path = if path.starts_with("src/") { name.to_owned() } else { format!("tests/{name}") };
                    file = std::fs::read_to_string(root.join(&path)).unwrap_or_else(|_| panic!("{path} is not there"));
                } else {
                    // Alone, of a property, or a scenario of `on_both!`.
                    let tested = [
                        "#[test]\n",
                        "#[test]\n    ",
                        "#[tokio::test]\n",
                        "#[tokio::test]\n    ",
                        "#[tokio::test(flavor = \"multi_thread\")]\n",
                    ]
                    .iter()
                    .flat_map(|mark| [format!("{mark}fn {name}("), format!("{mark}async fn {name}(")])
                    .any(|head| file.contains(&head))
                        || file.split_once("on_both! {").is_some_and(|(_, rest)| rest.contains(&format!("    {name};\n")));
                    assert!(tested, "no test {name} where {column} names it");
                }
            }
        }
    }
}

/// A threat model that names code which is gone protects nobody.
#[test]
fn the_code_that_the_threat_model_names_is_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let security = std::fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let mut named = 0;
    for row in security.lines().filter(|line| line.starts_with("| ")) {
        for place in row.split("; ").filter_map(|part| part.split_once("`src/")).map(|(_, place)| place) {
            let file = format!("src/{}", place.split('`').next().unwrap());
            let code = std::fs::read_to_string(root.join(&file)).unwrap_or_else(|_| panic!("{file} is not there"));
            for function in place.split('`').skip(2).step_by(2) {
                named += 1;
                let there = [format!("fn {function}("), format!("fn {function}<")].iter().any(|head| code.contains(head));
                assert!(there, "{file} has no {function}");
            }
        }
    }
    assert!(named > 30, "{named} functions are named");
}
