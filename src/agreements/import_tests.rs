use super::*;

/// A service's words, which only it understands.
fn vocabulary() -> Vocabulary {
    const KINDS: ScopeKey =
        ScopeKey { name: "kinds", what: "a kind in small letters", fits: |text| text.bytes().all(|b| b.is_ascii_lowercase()) };
    const COLOURS: ScopeKey = ScopeKey { name: "colours", what: "a colour", fits: |_| true };
    Vocabulary { roles: vec!["payer", "payee"], scope: vec![&KINDS, &COLOURS], narrowed_by: BTreeMap::new() }
}

fn parse(text: &str) -> Result<Import, Vec<Problem>> {
    Import::parse(text, &vocabulary())
}

const GOOD: &str = r#"
[[authority]]
cvr = "11111111"
name = "Korsbæk Kommune"
role = "payer"

[[agreement]]
id = "0b2c8f4e-5f5e-4c58-9a3e-6a1f0c1d2e3f"
side = "front"
system = "6d0d6e2e-7d8f-4a54-8a3a-0e7d3f5f9a11"
certificates = ["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]
service = "3053ec89-31fe-4206-878b-bba6783d7a88"
authority = "11111111"
environment = "exttest"
valid_from = 2026-01-01T00:00:00+01:00
valid_to = 2028-01-01T00:00:00+01:00
state = "GODKENDT"
legal_basis = "LUD § 8, stk. 1"
purpose = "vurdering af, om oplysningen skal videregives"
kinds = ["pension", "grant", "pension"]
colours = []
decided_by = "underskriver"
decided_at = 2025-12-15T09:00:00+01:00
reason = "fagsystem i drift"
"#;

/// `GOOD` with one line replaced, and the problems it is refused for.
fn problems_with(line_starting: &str, replacement: &str) -> Vec<Problem> {
    let text: Vec<_> = GOOD.lines().map(|line| if line.starts_with(line_starting) { replacement } else { line }).collect();
    parse(&text.join("\n")).expect_err("the file must be refused")
}

#[test]
fn a_good_file_is_read_whole() {
    let import = parse(GOOD).unwrap();
    assert_eq!(
        import.authorities,
        [Authority { cvr: "11111111".parse().unwrap(), name: "Korsbæk Kommune".into(), role: "payer".parse().unwrap() }]
    );
    let [agreement] = import.agreements.as_slice() else { panic!("one agreement") };
    assert_eq!(agreement.side, Side::Front);
    assert_eq!(agreement.state, State::Approved);
    assert_eq!(agreement.valid_from, "2025-12-31T23:00:00Z".parse().unwrap());
    assert_eq!(agreement.valid_to, Some("2027-12-31T23:00:00Z".parse().unwrap()));
    let scope = r#"{"kinds":["grant","pension"]}"#;
    assert_eq!(agreement.scope.to_string(), scope, "order and repetition carry no meaning, nor does an empty list");
    assert_eq!(agreement.certificates, [Thumbprint::of_der(b"")]);
}

#[test]
fn a_misspelt_key_is_refused_because_an_end_that_is_not_read_is_no_end() {
    let problems = problems_with("valid_to", "valid_too = 2028-01-01T00:00:00+01:00");
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].line, 16);
    assert!(problems[0].message.starts_with("unknown key valid_too"), "{}", problems[0]);
}

#[test]
fn every_problem_is_reported_at_once_with_its_line() {
    let text = GOOD
        .replace("cvr = \"11111111\"", "cvr = \"1111111\"")
        .replace("side = \"front\"", "side = \"both\"")
        .replace("valid_from = 2026-01-01T00:00:00+01:00", "valid_from = 2026-01-01T00:00:00")
        .replace("\"grant\"", "\"*\"")
        .replace("purpose = ", "porpoise = ");
    let problems = parse(&text).unwrap_err();
    let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [3, 7, 9, 15, 19, 20], "{problems:#?}"); // 7: the missing purpose, told where its agreement begins
}

#[test]
fn each_rule_of_a_value_is_held() {
    for (key, replacement, expected) in [
        ("id =", "id = \"1\"", "id is not a UUID"),
        ("id =", "", "id is missing"),
        ("authority =", "authority = 11111111", "authority is not the authority's CVR"),
        ("certificates", "certificates = []", "at least one"),
        ("certificates", "certificates = [\"da39a3ee5e6b4b0d3255bfef95601890afd80709\"]", "not SHA-256"),
        ("valid_to", "valid_to = 2026-01-01T00:00:00+01:00", "valid_to is not after"),
        ("valid_to", "valid_to = 2028-01-01", "not an instant with an offset"),
        ("state", "state = \"APPROVED\"", "state is not ANMODET"),
        ("decided_by", "", "somebody's decision"),
        ("purpose", "purpose = \" \"", "purpose is a text"),
        ("purpose", "purpose = \"skjult\\u202e\"", "invisible characters"),
        ("legal_basis", "legal_basis = \"=1+1\"", "begins with ="),
        ("name", "name = \"K\\u200bommune\"", "invisible characters"),
        ("valid_to", "valid_to = \"2028-01-01T00:00:00+01:00[Europe/Copenhagen]\"", "not an instant with an offset"),
        ("environment", "environment = \"Prod\"", "environment is not"),
        ("kinds", "kinds = \"grant\"", "kinds is a list"),
        ("kinds", "kinds = [\"Grant\"]", "kinds holds a value that is not a kind in small letters"),
        ("[[authority]]", "[authority]", "two brackets"),
        ("role", "role = \"kommune\"", "role is one of payer, payee"),
        ("name", "name = unquoted", "not TOML"),
    ] {
        let problems = problems_with(key, replacement);
        assert!(problems.iter().any(|problem| problem.message.contains(expected)), "{replacement}: {problems:?}");
    }
}

#[test]
fn two_entries_of_one_id_are_refused_because_order_would_decide() {
    let twice = format!("{GOOD}{GOOD}");
    let problems = parse(&twice).unwrap_err();
    assert_eq!(problems.iter().filter(|problem| problem.message.contains("more than once")).count(), 2, "{problems:?}");
}

#[test]
fn no_text_makes_the_reader_panic() {
    for text in
        ["", "[[agreement]]", "[[agreement]]\nkinds = [[]]", "agreement = [1, \"a\"]", "\u{feff}", "a=\"\\u{110000}\"", "[[[["]
    {
        let _ = parse(text);
    }
}

#[test]
fn a_scope_that_is_too_long_is_a_problem_of_its_agreement() {
    let kinds = ["\"grant\""; 10].join(", ");
    assert!(parse(&GOOD.replace("\"grant\"", &kinds)).is_ok(), "repetition is no length");
    let letters = |n: usize| String::from_utf8(n.to_string().bytes().map(|digit| digit - b'0' + b'a').collect()).unwrap();
    let kinds: Vec<_> = (0..40_000).map(|n| format!("\"{}\"", letters(n))).collect();
    let problems = parse(&GOOD.replace("\"grant\"", &kinds.join(", "))).unwrap_err();
    assert_eq!(problems, [Problem { line: 7, message: "a scope is at most 256 KiB of JSON".to_owned() }]);
}

#[test]
fn what_a_known_service_does_not_narrow_by_is_a_problem_at_its_line() {
    let service = "3053ec89-31fe-4206-878b-bba6783d7a88".parse().unwrap();
    let of = |keys: &[&'static str]| Vocabulary { narrowed_by: BTreeMap::from([(service, keys.to_vec())]), ..vocabulary() };
    assert!(Import::parse(GOOD, &of(&["kinds"])).is_ok(), "an empty list of another narrows nothing");
    let problems = Import::parse(GOOD, &of(&["colours"])).unwrap_err();
    assert_eq!((problems.len(), problems[0].line), (1, 20), "{problems:?}");
    assert!(problems[0].message.starts_with("kinds narrows nothing of this service"), "{}", problems[0]);
}
