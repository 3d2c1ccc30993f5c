//! One rule a case: the name says what is asked, the row what becomes of it and why. The clock stands at
//! 2026-11-22T12:00:00+01:00, so W is `[2026-08-01T00:00+02:00, 2026-12-01T00:00+01:00)`.

use hjemmel::policy::kle::Constraint;
use hjemmel::policy::request::{Outcome, Search};
use hjemmel::policy::rules::{Asked, Criterion, RequestRules, SortingElement};
use hjemmel::refusal::Refusal;

use crate::request::*;

const GRANTEE: &str = "3102fa7e-f56e-4510-b0d4-1650c590dc3b";
const OWNER: &str = "a91824c4-da1d-47f9-bce2-5d6597879415";
const CLASS: &str = "70355b26-6028-4e42-9eb1-1a93aa9890b1";

/// The search is served, with this outcome.
#[track_caller]
fn served(what: &str, xml: &str, outcome: Outcome) -> Search {
    served_by(what, xml, &rules(""), outcome)
}

#[track_caller]
fn served_by(what: &str, xml: &str, rules: &RequestRules, outcome: Outcome) -> Search {
    match ask_with(xml, rules, &Constraint::unconstrained()) {
        Ok(search) => {
            assert_eq!(search.outcome(), outcome, "{what}");
            search
        }
        Err(refusal) => panic!("{what}: must be served, was refused: {refusal}"),
    }
}

/// The search is refused with this code, and the text names this.
#[track_caller]
fn refused(what: &str, xml: &str, code: &str, names: &str) {
    refused_by(what, xml, &rules(""), code, names);
}

#[track_caller]
fn refused_by(what: &str, xml: &str, rules: &RequestRules, code: &str, names: &str) {
    refused_as(what, ask_with(xml, rules, &Constraint::unconstrained()), code, names);
}

#[track_caller]
fn refused_as(what: &str, answer: Result<Search, Refusal>, code: &str, names: &str) {
    match answer {
        Ok(search) => panic!("{what}: must be refused, was {:?}", search.outcome()),
        Err(refusal) => {
            let text = refusal.to_string();
            assert_eq!(refusal.code(), code, "{what}: {text}");
            assert!(text.contains(names), "{what}: {text:?} must name {names:?}");
            assert!(!text.contains(PERSON) && !text.contains(OTHER), "{what}: a refusal never holds a person's number");
        }
    }
}

/// How often W stands in what is sent.
fn windows(search: &Search) -> usize {
    let whole = format!(
        "<oei:DispositionsDatoInterval><go:FraTidspunkt xmlns:go=\"urn:oio:sts:generelleoperationer:6\">\
         <sd:TidsstempelDatoTid xmlns:sd=\"urn:oio:sagdok:3.0.0\">{FROM}</sd:TidsstempelDatoTid></go:FraTidspunkt>\
         <go:TilTidspunkt xmlns:go=\"urn:oio:sts:generelleoperationer:6\">\
         <sd:TidsstempelDatoTid xmlns:sd=\"urn:oio:sagdok:3.0.0\">{TO}</sd:TidsstempelDatoTid></go:TilTidspunkt></oei:DispositionsDatoInterval>"
    );
    forwarded(search).matches(&whole).count()
}

fn effectuations(search: &Search) -> usize {
    forwarded(search).matches("<yi:SoegOekonomiskEffektueringIndeks>").count()
}

#[test]
fn the_natural_queries_are_answered_as_a_caller_expects() {
    let kle_only = effectuation("", &kle("32.03.04"));

    let asked = served("AND(B(P), E(interval in W))", &search(&and(&[&person(), &inside()])), Outcome::Unchanged);
    assert_eq!((windows(&asked), effectuations(&asked)), (0, 1), "the expression is forwarded unchanged");
    assert_eq!(asked.asked_windows().len(), 1);
    assert_eq!(asked.asked_windows()[0].to_string(), "2026-10-01T00:00:00+02:00 – 2026-11-01T00:00:00+01:00");
    assert_eq!(asked.person().expose(), PERSON);

    let alone = served("B(P) alone", &search(&expression("", &[&person()])), Outcome::Inserted);
    assert_eq!((windows(&alone), effectuations(&alone)), (1, 1), "E(W) stands beside it");
    assert!(alone.asked_windows().is_empty());

    let kle_search = served("AND(B(P), E(KLE))", &search(&and(&[&person(), &kle_only])), Outcome::Inserted);
    assert_eq!((windows(&kle_search), effectuations(&kle_search)), (1, 1), "W stands in E itself");
    assert_eq!(kle_search.kle_asked()[0].as_str(), "32.03.04");

    let two = or(&[&kle_only, &effectuation("", &kle("32.06.04"))]);
    let two = served("AND(B(P), OR(E(k1), E(k2)))", &search(&and(&[&person(), &two])), Outcome::Inserted);
    assert_eq!((windows(&two), effectuations(&two)), (2, 2), "W stands in both");

    let except = effectuation(&extensions(&[&interval(FROM, TO)]), &kle("32.03.04"));
    let except = search(&and(&[&person(), &inside(), &not(&[&except])]));
    served("AND(B(P), E(in W), NOT(E(in W, KLE)))", &except, Outcome::Unchanged);

    let each = and(&[&person(), &kle_only]);
    let distributed = search(&or(&[&each, &each]));
    refused("OR(AND(B(P), E), AND(B(P), E))", &distributed, "PersonShape", "AND(person, OR(…, …))");

    refused("KLE alone", &search(&and(&[&kle_only])), "PersonMissing", "urn:oio:cpr-nr");
    served(
        "exact W without offsets",
        &search(&and(&[&person(), &delimited("2026-08-01T00:00:00", "2026-12-01T00:00:00")])),
        Outcome::Unchanged,
    );

    let open_ended = effectuation(&extensions(&[&bounds("DispositionsDatoInterval", &stamp(FROM), INFINITE)]), "");
    refused("Fra in W, Til infinite", &search(&and(&[&person(), &open_ended])), "WindowInfinite", TO);
}

#[test]
fn nested_ands_are_read_as_one_as_kombits_own_client_nests_them() {
    served("AND(AND(B(P), E))", &search(&expression("", &[&and(&[&person(), &inside()])])), Outcome::Unchanged);
    served("AND(AND(AND(B(P))), E)", &search(&and(&[&and(&[&and(&[&person()])]), &inside()])), Outcome::Unchanged);
    let nested = served("AND(AND(B(P)))", &search(&and(&[&and(&[&person()])])), Outcome::Inserted);
    assert_eq!(windows(&nested), 1);
}

#[test]
fn a_search_is_bound_to_one_person_or_refused() {
    let e = inside();
    let role = |role: &str| {
        format!(
            "<bi:Bevillingspart><gd:Rolle>{}</gd:Rolle><gd:ReferenceID>{}</gd:ReferenceID></bi:Bevillingspart>",
            uuid(role),
            cpr(PERSON)
        )
    };
    served("the grantee's role", &search(&and(&[&grant(&role(GRANTEE)), &e])), Outcome::Unchanged);
    served("the grantee's role in capitals", &search(&and(&[&grant(&role(&GRANTEE.to_uppercase())), &e])), Outcome::Unchanged);
    served(
        "the payee is P",
        &search(&and(&[&person(), &effectuation(&extensions(&[&interval(FROM, TO)]), &payee(PERSON))])),
        Outcome::Unchanged,
    );

    let cases: &[(&str, String, &str, &str)] = &[
        ("no grant search at all", and(&[&e]), "PersonMissing", ""),
        ("an empty root", and(&[]), "PersonMissing", ""),
        (
            "a payee instead of a grantee",
            and(&[&effectuation(&extensions(&[&interval(FROM, TO)]), &payee(PERSON))]),
            "PersonMissing",
            "",
        ),
        ("a grant search without a person", and(&[&grant(""), &e]), "PersonMissing", ""),
        ("a party without a reference", and(&[&grant("<bi:Bevillingspart/>"), &e]), "PersonMissing", ""),
        (
            "two parties in one grant search",
            and(&[&grant(&[party(&cpr(PERSON)), party(&cpr(PERSON))].concat()), &e]),
            "PersonSeveral",
            "",
        ),
        ("two persons", and(&[&person(), &grant(&party(&cpr(OTHER))), &e]), "PersonSeveral", ""),
        ("two persons by OR", or(&[&person(), &grant(&party(&cpr(OTHER)))]), "PersonSeveral", ""),
        (
            "a payee who is another",
            and(&[&person(), &effectuation(&extensions(&[&interval(FROM, TO)]), &payee(OTHER))]),
            "PersonSeveral",
            "",
        ),
        ("the person twice", and(&[&person(), &person(), &e]), "PersonShape", "more than once"),
        ("the person again in a nested AND", and(&[&person(), &and(&[&person(), &e])]), "PersonShape", "more than once"),
        ("the root is an OR", or(&[&person(), &e]), "PersonShape", "root"),
        ("the root is an OR of one", or(&[&person()]), "PersonShape", "root"),
        ("the person below an OR", and(&[&or(&[&person(), &e])]), "PersonShape", "below"),
        ("the person below an AND below an OR", and(&[&or(&[&and(&[&person(), &e])])]), "PersonShape", "below"),
        ("the person below a NOT", and(&[&not(&[&person()]), &e]), "PersonShape", "below"),
        ("the person at the top and below", and(&[&person(), &not(&[&person()]), &e]), "PersonShape", "below"),
        ("another role than grantee", and(&[&grant(&role(OWNER)), &e]), "PersonShape", "Bevillingsmodtager"),
        ("a person by UUID", and(&[&grant(&party(&uuid(CLASS))), &e]), "PersonScheme", ""),
        ("UDK's citizen number", and(&[&grant(&party(&urn("urn:oio:udk:borgerid:123456789012"))), &e]), "PersonScheme", ""),
        ("a company", and(&[&grant(&party(&urn("urn:oio:cvr-nr:11111111"))), &e]), "PersonScheme", ""),
        ("the scheme in capitals", and(&[&grant(&party(&urn("URN:OIO:CPR-NR:6101801234"))), &e]), "PersonScheme", ""),
        ("a number alone", and(&[&grant(&party(&urn(PERSON))), &e]), "PersonScheme", ""),
        (
            "a payee by UUID",
            and(&[
                &person(),
                &effectuation(&extensions(&[&interval(FROM, TO)]), &payee(PERSON).replace(&cpr(PERSON), &uuid(CLASS))),
            ]),
            "PersonScheme",
            "",
        ),
        ("nine digits", and(&[&grant(&party(&cpr("610180123"))), &e]), "PersonInvalid", ""),
        ("an impossible date", and(&[&grant(&party(&cpr("6113801234"))), &e]), "PersonInvalid", ""),
        ("white space around the number", and(&[&grant(&party(&cpr(" 6101801234"))), &e]), "PersonInvalid", ""),
        ("a comment inside the number", and(&[&grant(&party(&cpr("61018<!-- -->01234"))), &e]), "CommentRefused", ""),
        ("CDATA inside the number", and(&[&grant(&party(&cpr("61018<![CDATA[01234]]>"))), &e]), "RequestInvalid", "plain text"),
    ];
    for (what, root, code, names) in cases {
        refused(what, &search(root), code, names);
    }
}

#[test]
fn a_delimitation_is_judged_as_instants_and_never_altered() {
    let ask = |e: &str| search(&and(&[&person(), e]));
    for (what, from, to) in [
        ("exactly W", FROM, TO),
        ("W with winter offsets", "2026-07-31T23:00:00+01:00", TO),
        ("W with summer offsets", FROM, "2026-12-01T01:00:00+02:00"),
        ("W in UTC", "2026-07-31T22:00:00Z", "2026-11-30T23:00:00Z"),
        ("W ending at 24:00:00", FROM, "2026-11-30T24:00:00+01:00"),
        ("W by offsets of ±14:00", "2026-08-01T12:00:00+14:00", "2026-11-30T09:00:00-14:00"),
        ("fractions inside W", "2026-08-01T00:00:00.0000001+02:00", "2026-11-30T23:59:59.9999999+01:00"),
        ("the hour that comes twice", "2026-10-25T02:00:00", "2026-10-25T02:59:59"),
    ] {
        let asked = served(what, &ask(&delimited(from, to)), Outcome::Unchanged);
        assert!(
            forwarded(&asked).contains(&format!(">{from}<")) && forwarded(&asked).contains(&format!(">{to}<")),
            "{what}: forwarded verbatim"
        );
    }
    for (what, from, to) in [
        ("a millisecond too early", "2026-07-31T23:59:59.999+02:00", TO),
        ("less than a millisecond too early", "2026-07-31T23:59:59.9999999+02:00", TO),
        ("an hour too early by a summer date in winter time", "2026-08-01T00:00:00+03:00", TO),
        ("a millisecond too late", FROM, "2026-12-01T00:00:00.001+01:00"),
        ("less than a millisecond too late", FROM, "2026-12-01T00:00:00.0000001+01:00"),
        ("an hour too late by a winter date in UTC", FROM, "2026-12-01T00:00:00Z"),
        ("the year 9999", FROM, "9999-12-31T00:00:00Z"),
        ("the last second of 9999", FROM, "9999-12-31T23:59:59Z"),
        ("the year 0001", "0001-01-01T00:00:00Z", TO),
        ("wholly before W", "2025-01-01T00:00:00Z", "2025-02-01T00:00:00Z"),
        ("wholly after W", "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z"),
    ] {
        refused(what, &ask(&delimited(from, to)), "WindowOutside", &format!("{from} – {to}"));
    }
    let allowed = "2026-08-01T00:00:00+02:00 – 2026-12-01T00:00:00+01:00";
    refused("what is allowed is told", &ask(&delimited("2025-01-01T00:00:00Z", TO)), "WindowOutside", allowed);

    for (what, date, inside) in [
        ("the first instant", FROM, true),
        ("the last millisecond", "2026-11-30T23:59:59.999+01:00", true),
        ("the end, which is exclusive", TO, false),
        ("less than a millisecond before the end, which may be rounded up", "2026-11-30T23:59:59.9999+01:00", false),
        ("before the start", "2026-07-31T23:59:59+02:00", false),
    ] {
        let xml = ask(&effectuation(&properties(&point(date)), ""));
        if inside { drop(served(what, &xml, Outcome::Unchanged)) } else { refused(what, &xml, "WindowOutside", date) }
    }

    for (what, from, to) in [
        ("an empty interval", FROM, FROM),
        ("the bounds swapped", TO, FROM),
        ("one instant in two offsets", "2026-09-01T00:00:00Z", "2026-09-01T02:00:00+02:00"),
    ] {
        refused(what, &ask(&delimited(from, to)), "WindowInverted", "SoegEgenskaberLokalUdvidelse[1]");
    }
    for (what, from, to) in [
        ("Til is infinite", stamp(FROM), INFINITE.to_owned()),
        ("Fra is infinite", INFINITE.to_owned(), stamp(TO)),
        ("both are infinite", INFINITE.to_owned(), INFINITE.to_owned()),
    ] {
        let e = effectuation(&extensions(&[&bounds("DispositionsDatoInterval", &from, &to)]), "");
        refused(what, &ask(&e), "WindowInfinite", FROM);
    }
}

#[test]
fn a_date_that_two_readers_could_take_for_two_is_refused() {
    for date in [
        "",
        "2026-10-01",
        "2026-10-01T00:00:00 ",
        "\n2026-10-01T00:00:00Z",
        "-2026-10-01T00:00:00Z",
        "+2026-10-01T00:00:00Z",
        "02026-10-01T00:00:00Z",
        "0000-10-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "2026-10-32T00:00:00Z",
        "2027-02-29T00:00:00Z",
        "2026-10-01T24:00:01Z",
        "2026-10-01T23:59:60Z",
        "2026-10-01T00:00:00+15:00",
        "2026-10-01T00:00:00+14:01",
        "２０２６-10-01T00:00:00Z",
        "2026-10-01T00:00:00z",
        "2026-10-01T00:00:00,5Z",
    ] {
        refused(date, &search(&and(&[&person(), &delimited(date, TO)])), "DateUnreadable", "FraTidspunkt/TidsstempelDatoTid");
        refused(
            date,
            &search(&and(&[&person(), &effectuation(&properties(&point(date)), "")])),
            "DateUnreadable",
            "Egenskaber[1]/Dispositionsdato",
        );
    }
    refused(
        "a comment inside",
        &search(&and(&[&person(), &delimited("2026-10-01<!-- -->T00:00:00Z", TO)])),
        "CommentRefused",
        "TidsstempelDatoTid",
    );
    refused(
        "CDATA inside",
        &search(&and(&[&person(), &delimited("<![CDATA[2026-10-01T00:00:00Z]]>", TO)])),
        "RequestInvalid",
        "plain text",
    );
    refused(
        "an element inside",
        &search(&and(&[&person(), &delimited("<x/>2026-10-01T00:00:00Z", TO)])),
        "RequestInvalid",
        "plain text",
    );
    refused(
        "a processing instruction inside",
        &search(&and(&[&person(), &delimited("2026<?x?>-10-01T00:00:00Z", TO)])),
        "ProcessingInstructionRefused",
        "",
    );
    let naive = search(&and(&[&person(), &delimited("2026-10-01T00:00:00", TO)]));
    refused_by("no offset, and the policy refuses that", &naive, &rules("naive = \"refuse\""), "DateUnreadable", "FraTidspunkt");
    served(
        "a character reference is the character",
        &search(&and(&[&person(), &delimited("2026-10-01T00&#58;00:00Z", TO)])),
        Outcome::Unchanged,
    );
}

#[test]
fn every_effectuation_search_carries_its_own_date_or_none_does() {
    let open = effectuation("", "");
    let empty_extension = effectuation(&extensions(&[""]), "");
    let gross = "<oei:SamletBruttoBeloebInterval><go:FraBeloeb>1</go:FraBeloeb><go:TilBeloeb>2.50</go:TilBeloeb></oei:SamletBruttoBeloebInterval>";
    let within = interval(FROM, TO);
    let sum_alone = "<oei:SamletBruttobeloeb>100</oei:SamletBruttobeloeb>";

    let cases: &[(&str, String, &str, &str)] = &[
        (
            "one branch of an OR is open",
            and(&[&person(), &or(&[&inside(), &open])]),
            "WindowOpen",
            "SoegUdtryk[1]/SoegOekonomiskEffektueringIndeks[2]",
        ),
        (
            "an open search beside a bound one",
            and(&[&person(), &inside(), &open]),
            "WindowOpen",
            "SoegOekonomiskEffektueringIndeks[2]",
        ),
        (
            "an open search below a NOT",
            and(&[&person(), &inside(), &not(&[&open])]),
            "WindowOpen",
            "NOT[1]/SoegOekonomiskEffektueringIndeks[1]",
        ),
        ("bound only below a NOT", and(&[&person(), &not(&[&inside()])]), "WindowOpen", "NOT[1]"),
        ("an OR with an empty AND", and(&[&person(), &or(&[&inside(), &and(&[])])]), "WindowOpen", "SoegUdtryk[1]/SoegUdtryk[1]"),
        ("an OR with a NOT", and(&[&person(), &or(&[&inside(), &not(&[&inside()])])]), "WindowOpen", "SoegUdtryk[1]/NOT[1]"),
        (
            "an undated OR with a NOT cannot be filled",
            and(&[&person(), &or(&[&open, &not(&[&open])])]),
            "WindowOpen",
            "SoegUdtryk[1]/NOT[1]",
        ),
        (
            "one Egenskaber with a date, one without",
            and(&[&person(), &effectuation(&[properties(&point(FROM)), properties(sum_alone)].concat(), "")]),
            "WindowOpen",
            "",
        ),
        (
            "an extension with a date, Egenskaber without",
            and(&[&person(), &effectuation(&[properties(sum_alone), extensions(&[&within])].concat(), "")]),
            "WindowOpen",
            "",
        ),
        (
            "Egenskaber with a date, an extension without",
            and(&[&person(), &effectuation(&[properties(&point(FROM)), extensions(&[gross])].concat(), "")]),
            "WindowOpen",
            "",
        ),
        ("two extensions, one without", and(&[&person(), &effectuation(&extensions(&[&within, gross]), "")]), "WindowOpen", ""),
        (
            "one inside, one outside",
            and(&[&person(), &effectuation(&extensions(&[&within, &interval("2025-01-01T00:00:00Z", TO)]), "")]),
            "WindowOutside",
            "SoegEgenskaberLokalUdvidelse[2]",
        ),
        (
            "outside is told before open",
            and(&[&person(), &open, &delimited("2025-01-01T00:00:00Z", TO)]),
            "WindowOutside",
            "2025-01-01T00:00:00Z",
        ),
        (
            "Egenskaber without a date",
            and(&[&person(), &effectuation(&properties(sum_alone), "")]),
            "WindowApart",
            "Egenskaber[1]",
        ),
        (
            "an empty Egenskaber",
            and(&[&person(), &effectuation(&properties(""), "")]),
            "WindowApart",
            "Gather the criteria in one",
        ),
        (
            "two extensions without dates",
            and(&[&person(), &effectuation(&extensions(&["", gross]), "")]),
            "WindowApart",
            "SoegEgenskaberLokalUdvidelse[1]",
        ),
    ];
    for (what, root, code, names) in cases {
        refused(what, &search(root), code, names);
    }

    let filled = served("one empty extension", &search(&and(&[&person(), &empty_extension])), Outcome::Inserted);
    assert_eq!(windows(&filled), 1);
    let start = bounds("StartDatoInterval", &stamp("2020-01-01T00:00:00Z"), INFINITE);
    let one = served(
        "one extension with other criteria",
        &search(&and(&[&person(), &effectuation(&extensions(&[&[start, gross.to_owned()].concat()]), "")])),
        Outcome::Inserted,
    );
    let sent = forwarded(&one);
    let at = |what: &str| sent.find(what).unwrap_or_else(|| panic!("{what} must be sent"));
    assert!(
        at("<oei:StartDatoInterval>") < at("<oei:DispositionsDatoInterval>")
            && at("<oei:DispositionsDatoInterval>") < at("<oei:SamletBruttoBeloebInterval>")
    );
    assert_eq!(sent.matches("<oei:SoegEgenskaberLokalUdvidelse>").count(), 1, "criteria of one extension stand together");
    assert!(sent.contains(">2.50<"), "an amount is never reformatted");

    let below = served("an undated search below a NOT only", &search(&and(&[&person(), &not(&[&open])])), Outcome::Inserted);
    assert_eq!((windows(&below), effectuations(&below)), (2, 2), "W below the NOT, and E(W) beside");
    let double =
        served("below two NOTs", &search(&and(&[&person(), &not(&[&expression("", &[&not(&[&open])])])])), Outcome::Inserted);
    assert_eq!((windows(&double), effectuations(&double)), (2, 2));
    let empties =
        served("empty operators beside the person", &search(&and(&[&person(), &or(&[]), &and(&[])])), Outcome::Inserted);
    assert_eq!((windows(&empties), effectuations(&empties)), (1, 1));
    let several = effectuation(
        &[properties(&point(FROM)), properties(&point("2026-09-01T00:00:00Z")), extensions(&[&within, &within])].concat(),
        "",
    );
    served("every repeated place has its date", &search(&and(&[&person(), &several])), Outcome::Unchanged);
}

#[test]
fn a_date_where_it_binds_nothing_is_a_decoy() {
    let within = interval(FROM, TO);
    let list = extensions(&[&within]);
    let embedded = format!("<gd:LokalUdvidelseListe>{}</gd:LokalUdvidelseListe>", search(&and(&[&person(), &inside()])));
    let cases: &[(&str, String)] = &[
        ("in TilstandListe", effectuation_with("", "", &list, "")),
        ("in RelationListe", effectuation("", &list)),
        ("in a line's extension", effectuation("", &line(&list))),
        ("in an actor's extension", effectuation("", &format!("<oei:Aktoer><gd:Rolle>{}</gd:Rolle>{list}</oei:Aktoer>", uuid(OWNER)))),
        ("in a payee's extension", effectuation("", &format!("<oei:OekonomiskEffektueringPart>{list}</oei:OekonomiskEffektueringPart>"))),
        ("as a child of AttributListe", effectuation(&within, "")),
        ("as a child of the extension list", effectuation(&format!("<gd:LokalUdvidelseListe>{within}</gd:LokalUdvidelseListe>"), "")),
        ("in an embedded request", effectuation(&embedded, "")),
        ("as a child of the search", effectuation_with(&within, "", "", "")),
        ("in the grant search", grant_with("", &list, &party(&cpr(PERSON)))),
        ("in the grant search's relations", grant(&[party(&cpr(PERSON)), list.clone()].concat())),
        ("in another namespace", effectuation(&extensions(&[]).replace("</gd", "<x:Egenskaber xmlns:x='urn:x'><x:Dispositionsdato>2026-10-01T00:00:00Z</x:Dispositionsdato></x:Egenskaber></gd"), "")),
    ];
    for (what, decoy) in cases {
        refused(what, &search(&and(&[&person(), decoy])), "DateMisplaced", "where it does not delimit the search");
    }
    let twice = effectuation(&extensions(&[&[within.clone(), within.clone()].concat()]), "");
    refused("twice in one extension", &search(&and(&[&person(), &twice])), "RequestInvalid", "DispositionsDatoInterval");
    let twice = effectuation(&properties(&[point(FROM), point(FROM)].concat()), "");
    refused("twice in one Egenskaber", &search(&and(&[&person(), &twice])), "RequestInvalid", "Dispositionsdato");
}

#[test]
fn a_version_in_time_cannot_be_searched_for() {
    let time = format!("<sd:FraTidspunkt>{}</sd:FraTidspunkt>", stamp(FROM));
    let virkning = format!("<oei:Virkning>{time}</oei:Virkning>");
    let gd = format!("<gd:Virkning>{time}</gd:Virkning>");
    let sts = |name: &str| format!("<go:{name}>{}</go:{name}>", stamp(FROM));
    let registration = format!("<sd:SoegRegistrering>{time}</sd:SoegRegistrering>");
    let effect = format!("<sd:SoegVirkning>{time}</sd:SoegVirkning>");
    let cases: &[(&str, String, &str)] = &[
        ("registration", effectuation_with(&registration, "", "", ""), "SoegRegistrering"),
        ("effect", effectuation_with(&effect, "", "", ""), "SoegVirkning"),
        ("from in the index", effectuation_with(&sts("SoegStsFraTidspunkt"), "", "", ""), "SoegStsFraTidspunkt"),
        ("until in the index", effectuation_with(&sts("SoegStsTilTidspunkt"), "", "", ""), "SoegStsTilTidspunkt"),
        ("effect of an attribute", effectuation(&properties(&virkning), ""), "Virkning"),
        ("effect of a line", effectuation("", &line(&gd)), "Virkning"),
        ("effect of an actor", effectuation("", &format!("<oei:Aktoer>{gd}</oei:Aktoer>")), "Virkning"),
        (
            "effect of a payee",
            effectuation("", &format!("<oei:OekonomiskEffektueringPart>{gd}</oei:OekonomiskEffektueringPart>")),
            "Virkning",
        ),
        ("registration of a grant", grant_with(&registration, "", &party(&cpr(PERSON))), "SoegRegistrering"),
        ("effect of a grant's party", grant(&party(&cpr(PERSON)).replace("<gd:Ref", &format!("{gd}<gd:Ref"))), "Virkning"),
        (
            "effect of a grant's attribute",
            grant_with("", "<bi:Egenskaber><bi:Virkning/></bi:Egenskaber>", &party(&cpr(PERSON))),
            "Virkning",
        ),
    ];
    for (what, node, criterion) in cases {
        refused(what, &search(&and(&[&person(), node])), "TemporalCriterion", criterion);
    }
}

#[test]
fn only_what_the_answer_may_show_can_be_tested() {
    let actor = |content: &str| effectuation("", &format!("<oei:Aktoer>{content}</oei:Aktoer>"));
    let owner = format!("<gd:Rolle>{}</gd:Rolle>", uuid(OWNER));
    let amounts = |name: &str| {
        extensions(&[&format!("<oei:{name}><go:FraBeloeb>1</go:FraBeloeb><go:TilBeloeb>2</go:TilBeloeb></oei:{name}>")])
    };
    let party_with =
        |more: &str| grant(&party(&cpr(PERSON)).replace("</bi:Bevillingspart>", &format!("{more}</bi:Bevillingspart>")));
    let cases: &[(&str, String, &str)] = &[
        (
            "sensitivity of a grant",
            grant_with("", "<bi:Egenskaber><bi:Foelsomhed>VIP_SAGER</bi:Foelsomhed></bi:Egenskaber>", &party(&cpr(PERSON))),
            "Egenskaber/Foelsomhed",
        ),
        (
            "a granted benefit",
            grant_with("", "<bi:BevilgetYdelse><bi:Navn>x</bi:Navn></bi:BevilgetYdelse>", &party(&cpr(PERSON))),
            "BevilgetYdelse",
        ),
        ("a case", grant(&["<bi:Bevillingssag/>".to_owned(), party(&cpr(PERSON))].concat()), "Bevillingssag"),
        ("an actor of a grant", grant(&[party(&cpr(PERSON)), "<bi:Bevillingsaktoer/>".to_owned()].concat()), "Bevillingsaktoer"),
        ("a security profile", grant(&[party(&cpr(PERSON)), "<bi:Sikkerhedsprofil/>".to_owned()].concat()), "Sikkerhedsprofil"),
        (
            "a type of the grantee",
            grant(&party(&cpr(PERSON)).replace("<gd:Ref", &format!("<gd:Type>{}</gd:Type><gd:Ref", uuid(CLASS)))),
            "Type",
        ),
        ("a name of the grantee", party_with("<bi:FuldtNavn>A</bi:FuldtNavn>"), "FuldtNavn"),
        ("a user key", effectuation(&properties("<oei:BrugervendtNoegle>x</oei:BrugervendtNoegle>"), ""), "BrugervendtNoegle"),
        (
            "the payment office",
            effectuation(&properties("<oei:Udbetalingsafdeling>x</oei:Udbetalingsafdeling>"), ""),
            "Udbetalingsafdeling",
        ),
        (
            "a set-off text",
            effectuation(&properties("<oei:SendtTilUdbetalingTekst>x</oei:SendtTilUdbetalingTekst>"), ""),
            "SendtTilUdbetalingTekst",
        ),
        ("a payment text", effectuation(&properties("<oei:UdbetaltTekst>x</oei:UdbetaltTekst>"), ""), "UdbetaltTekst"),
        ("the sum paid", effectuation(&properties("<oei:BeloebUdbetalt>1</oei:BeloebUdbetalt>"), ""), "BeloebUdbetalt"),
        (
            "the sum sent",
            effectuation(&properties("<oei:BeloebSendtTilUdbetaling>1</oei:BeloebSendtTilUdbetaling>"), ""),
            "BeloebSendtTilUdbetaling",
        ),
        (
            "the sum after tax",
            effectuation(&properties("<oei:BeloebEfterSkatATP>1</oei:BeloebEfterSkatATP>"), ""),
            "BeloebEfterSkatATP",
        ),
        ("the sum paid, by interval", effectuation(&amounts("BeloebUdbetaltInterval"), ""), "BeloebUdbetaltInterval"),
        (
            "the sum sent, by interval",
            effectuation(&amounts("BeloebSendtTilUdbetalingInterval"), ""),
            "BeloebSendtTilUdbetalingInterval",
        ),
        (
            "the sum after tax, by interval",
            effectuation(&amounts("BeloebEfterSkatATPInterval"), ""),
            "BeloebEfterSkatATPInterval",
        ),
        (
            "when it was last changed",
            effectuation(
                &format!(
                    "<gd:LokalUdvidelseListe><gd:SenestAendretTidspunkt>{FROM}</gd:SenestAendretTidspunkt></gd:LokalUdvidelseListe>"
                ),
                "",
            ),
            "SenestAendretTidspunkt",
        ),
        ("an extension of the states", effectuation_with("", "", "<gd:LokalUdvidelseListe/>", ""), "LokalUdvidelseListe"),
        ("an it-system", effectuation("", "<oei:ItSystem/>"), "ItSystem"),
        ("a grant's reference", effectuation("", &line("<oei:BevilgetYdelseRef/>")), "BevilgetYdelseRef"),
        (
            "a line's role by a free string",
            effectuation("", &line(&format!("<gd:Rolle>{}</gd:Rolle>", urn("x")))),
            "URNIdentifikator",
        ),
        ("an actor without a role", actor("<oei:CVR-nr>11111111</oei:CVR-nr>"), "Ejer"),
        ("an actor in another role", actor(&format!("<gd:Rolle>{}</gd:Rolle>", uuid(GRANTEE))), "Ejer"),
        ("the owner's name in the index", actor(&format!("{owner}<oei:FuldtNavn>x</oei:FuldtNavn>")), "FuldtNavn"),
        ("the owner's reference", actor(&format!("{owner}<gd:ReferenceID>{}</gd:ReferenceID>", uuid(CLASS))), "ReferenceID"),
        (
            "the payee's name",
            effectuation("", &payee(PERSON).replace("</oei:Oek", "<oei:FuldtNavn>x</oei:FuldtNavn></oei:Oek")),
            "FuldtNavn",
        ),
        ("whether there is a payee", effectuation("", "<oei:OekonomiskEffektueringPart/>"), "OekonomiskEffektueringPart"),
    ];
    for (what, node, criterion) in cases {
        refused(what, &search(&and(&[&person(), node])), "CriterionWithheld", criterion);
    }

    let everything = effectuation(
        &[
            properties(&format!("<oei:Startdato>2026-01-01T00:00:00</oei:Startdato><oei:Slutdato>2026-01-31T00:00:00</oei:Slutdato><oei:SamletBruttobeloeb>-12.50</oei:SamletBruttobeloeb>{}", point(FROM))),
            extensions(&[&interval(FROM, TO)]),
        ]
        .concat(),
        &[
            line(&format!(
                "<gd:Rolle>{0}</gd:Rolle><gd:Type>{0}</gd:Type><gd:Indeks>12</gd:Indeks><gd:ReferenceID>{0}</gd:ReferenceID>\
                 <gd:LokalUdvidelseListe><oei:SoegOekonomiskYdelseEffektueringRelationLokalUdvidelse>{1}</oei:SoegOekonomiskYdelseEffektueringRelationLokalUdvidelse></gd:LokalUdvidelseListe>\
                 <oei:YdelsesperiodeStartdato>2020-01-01T00:00:00Z</oei:YdelsesperiodeStartdato><oei:YdelsesperiodeSlutdato>2020-02-01T00:00:00Z</oei:YdelsesperiodeSlutdato>\
                 <oei:Ydelsesbeloeb>1000.00</oei:Ydelsesbeloeb><oei:Klassifikationsbeskrivelse>32.03.04</oei:Klassifikationsbeskrivelse>",
                uuid(CLASS),
                bounds("YdelsesperiodeStartDatoInterval", INFINITE, &stamp("2020-01-01T00:00:00Z")),
            )),
            format!("<oei:Aktoer>{owner}<gd:Type>{}</gd:Type><oei:CVR-nr>99999991</oei:CVR-nr></oei:Aktoer>", uuid(CLASS)),
            payee(PERSON),
        ]
        .concat(),
    );
    let all = search(&and(&[&person(), &everything]));
    let sent = served("every field that is shown", &all, Outcome::Unchanged);
    for value in ["-12.50", "1000.00", "32.03.04", "99999991", "2020-02-01T00:00:00Z", ">12<"] {
        assert!(forwarded(&sent).contains(value), "{value} is forwarded");
    }
    let mut narrower = rules("");
    narrower.criteria.retain(|criterion| *criterion != Criterion::Ydelsesbeloeb);
    refused_by("a field that the policy does not list", &all, &narrower, "CriterionWithheld", "Ydelsesbeloeb");
    let mut wider = rules("");
    wider.criteria.push(Criterion::BeloebUdbetalt);
    served_by(
        "a field that the policy lists",
        &search(&and(&[
            &person(),
            &effectuation(&properties(&format!("{}<oei:BeloebUdbetalt>1</oei:BeloebUdbetalt>", point(FROM))), ""),
        ])),
        &wider,
        Outcome::Unchanged,
    );
    for (name, criterion) in Criterion::EVERY {
        assert_eq!(
            (Criterion::named(name), format!("{criterion:?}")),
            (Some(criterion), name.to_owned()),
            "a policy names it as the wire does"
        );
    }
    assert_eq!((Criterion::named("Foelsomhed"), SortingElement::named("FuldtNavn")), (None, None));
    assert!(
        toml::from_str::<RequestRules>("criteria = [\"Foelsomhed\"]\nsorting = []").is_err(),
        "no policy can list a field that is never shown"
    );
    assert!(toml::from_str::<RequestRules>("criteria = []\nsorting = [\"FuldtNavn\"]").is_err());
}

#[test]
fn kle_numbers_only_narrow() {
    let within = Constraint::unconstrained().and(["32.03.*"]).unwrap().and(["32.03.04", "32.06.04"]).unwrap();
    let ask = |relations: &str, attributes: &str| {
        ask_with(&search(&and(&[&person(), &effectuation(attributes, relations)])), &rules(""), &within)
    };
    assert_eq!(ask(&kle("32.03.04"), "").unwrap().kle_asked().len(), 1);
    refused_as("outside the agreement", ask(&kle("32.03.16"), ""), "KleOutside", "32.03.16");
    refused_as("outside the token", ask(&kle("32.06.04"), ""), "KleOutside", "32.06.04");
    refused_as("one inside, one outside", ask(&[kle("32.03.04"), kle("33.00.00")].concat(), ""), "KleOutside", "33.00.00");
    let below = search(&and(&[&person(), &not(&[&effectuation("", &kle("33.00.00"))])]));
    refused_as("outside, below a NOT", ask_with(&below, &rules(""), &within), "KleOutside", "33.00.00");
    let none = ask("", "").unwrap();
    assert!(
        none.decisions().iter().any(|decision| decision.what.contains("the answer is kept within")),
        "one without KLE is answered within it"
    );
    refused_as(
        "a sum that hidden lines are part of",
        ask(
            "",
            &extensions(&[
                "<oei:SamletBruttoBeloebInterval><go:FraBeloeb>1</go:FraBeloeb><go:TilBeloeb>2</go:TilBeloeb></oei:SamletBruttoBeloebInterval>",
            ]),
        ),
        "CriterionWithheld",
        "SamletBruttobeloeb",
    );
    refused_as(
        "a line by its class only",
        ask(&line(&format!("<gd:ReferenceID>{}</gd:ReferenceID>", uuid(CLASS))), ""),
        "CriterionWithheld",
        "Klassifikationsbeskrivelse",
    );
    for wrong in ["32.03", "32.03.*", "32.03.041", " 32.03.04", "32-03-04", "Folkepension", ""] {
        refused("not a KLE number", &search(&and(&[&person(), &effectuation("", &kle(wrong))])), "RequestInvalid", "KLE");
    }
}

#[test]
fn pages_are_whole_numbers_up_to_the_cap() {
    let page = |first: &str, most: &str| {
        let tag =
            |name: &str, value: &str| if value.is_empty() { String::new() } else { format!("<sd:{name}>{value}</sd:{name}>") };
        let paging = [tag("FoersteResultatReference", first), tag("MaksimalAntalKvantitet", most)].concat();
        search(&and(&[
            &grant_with(&paging, "", &party(&cpr(PERSON))),
            &effectuation_with(&paging, &extensions(&[&interval(FROM, TO)]), "", ""),
        ]))
    };
    for (first, most) in [("", ""), ("0", "500"), ("1000", "1"), ("0", "0"), ("2147483647", "500")] {
        let sent = served("inside the cap", &page(first, most), Outcome::Unchanged);
        let cap = format!(">{}</sd:MaksimalAntalKvantitet>", if most.is_empty() { "500" } else { most });
        assert_eq!(forwarded(&sent).matches(&cap).count(), 2, "each search has a page");
    }
    for (first, most) in [
        ("-1", "10"),
        ("0", "501"),
        ("0", "-1"),
        ("0", "99999999999999999999999"),
        ("2147483648", "1"),
        ("x", "1"),
        ("0", "1.0"),
        ("0", "+1"),
        ("0", " 1"),
        ("0", "1e2"),
        ("0", "１"),
    ] {
        refused("outside", &page(first, most), "PagingOutside", "500");
    }
    let alone = served("E(W) that is added", &search(&and(&[&person()])), Outcome::Inserted);
    assert_eq!(forwarded(&alone).matches(">500</sd:MaksimalAntalKvantitet>").count(), 2, "it has the cap too");
    refused_by("another cap", &page("", "100"), &rules("page-cap = 50"), "PagingOutside", "50");
}

#[test]
fn the_filter_shows_less_and_never_checks_less() {
    let tree = and(&[&person(), &inside()]);
    let with = |filter: &str| input(&format!("{tree}{filter}"));
    let vis = |name: &str, value: &str| format!("<yi:{name}><yi:Vis>{value}</yi:Vis></yi:{name}>");
    let filter = |content: &str| with(&format!("<yi:Filter>{content}</yi:Filter>"));

    let none = served("no filter", &with(""), Outcome::Unchanged);
    assert_eq!(none.asked(), Asked::Everything);
    assert!(!forwarded(&none).contains("Filter"));
    let empty = served("an empty filter", &filter(""), Outcome::Unchanged);
    assert_eq!(empty.asked(), Asked::Nothing);
    assert!(forwarded(&empty).contains("<yi:Filter></yi:Filter>"));
    for (part, properties, actors, lines) in [
        ("egenskaber", true, false, false),
        ("aktoer", false, true, false),
        ("oekonomiskeydelseeffektueringer", false, false, true),
        ("itsystem", false, false, false),
    ] {
        let asked = served(part, &filter(&vis("OekonomiskEffektueringVis", part)), Outcome::Unchanged);
        assert_eq!(asked.asked(), Asked::Parts { properties, actors, lines }, "{part}");
        let sent = forwarded(&asked);
        for needed in ["egenskaber", "aktoer", "oekonomiskeydelseeffektueringer"] {
            assert!(sent.contains(&vis("OekonomiskEffektueringVis", needed)), "{part}: {needed} is needed by the checks");
        }
        for needed in ["egenskaber", "bevilgetydelse", "part"] {
            assert!(sent.contains(&vis("BevillingVis", needed)), "{part}: {needed} of the grant is needed by the checks");
        }
        assert!(!sent.contains("itsystem"), "what is never released is not fetched");
    }
    let grants = served("only of grants, which are never released", &filter(&vis("BevillingVis", "sag")), Outcome::Unchanged);
    assert_eq!(grants.asked(), Asked::Parts { properties: false, actors: false, lines: false });
    assert!(!forwarded(&grants).contains(">sag<"));

    let include =
        filter("<yi:OekonomiskEffektueringInkluder>oekonomiskeydelseeffektueringer</yi:OekonomiskEffektueringInkluder>");
    refused("Inkluder", &include, "IncludeRefused", "OekonomiskEffektueringInkluder");
    refused(
        "Inkluder of grants",
        &filter("<yi:BevillingInkluder>bevilgetydelse</yi:BevillingInkluder>"),
        "IncludeRefused",
        "BevillingInkluder",
    );
    served_by("Inkluder, where the policy allows it", &include, &rules("include = true"), Outcome::Unchanged);
    refused("a part that does not exist", &filter(&vis("OekonomiskEffektueringVis", "alt")), "RequestInvalid", "Vis");
    refused(
        "two parts in one",
        &filter("<yi:OekonomiskEffektueringVis><yi:Vis>aktoer</yi:Vis><yi:Vis>aktoer</yi:Vis></yi:OekonomiskEffektueringVis>"),
        "RequestInvalid",
        "Vis",
    );
    refused("two filters", &with("<yi:Filter/><yi:Filter/>"), "RequestInvalid", "Filter");
}

#[test]
fn sorting_ranks_only_by_what_is_shown() {
    let with = |sorting: &str| input(&format!("{}<yi:Sortering>{sorting}</yi:Sortering>", and(&[&person(), &inside()])));
    let key = |name: &str, element: &str, way: &str, sequence: &str| {
        format!(
            "<yi:{name}><yi:Element>{element}</yi:Element><yi:Retning>{way}</yi:Retning><yi:Sekvens>{sequence}</yi:Sekvens></yi:{name}>"
        )
    };
    let both = with(
        &[
            key("OekonomiskEffektueringSortering", "Dispositionsdato", "Faldende", "1"),
            key("BevillingSortering", "Ydelsesnavn", "Stigende", "2"),
        ]
        .concat(),
    );
    let sorted = served("by date and by name of benefit", &both, Outcome::Unchanged);
    assert_eq!(
        sorted.sorting().iter().map(|key| (key.element, key.descending, key.sequence)).collect::<Vec<_>>(),
        [(SortingElement::Dispositionsdato, true, 1), (SortingElement::Ydelsesnavn, false, 2)]
    );
    refused(
        "by a person's name",
        &with(&key("BevillingSortering", "FuldtNavn", "Stigende", "1")),
        "SortingWithheld",
        "FuldtNavn",
    );
    let mut none = rules("");
    none.sorting.clear();
    refused_by("by what the policy does not list", &both, &none, "SortingWithheld", "Dispositionsdato");
    refused(
        "by another's element",
        &with(&key("BevillingSortering", "Dispositionsdato", "Stigende", "1")),
        "RequestInvalid",
        "Dispositionsdato",
    );
    refused("another way", &with(&key("BevillingSortering", "Ydelsesnavn", "DESC", "1")), "RequestInvalid", "Retning");
    refused(
        "a sequence that is no number",
        &with(&key("BevillingSortering", "Ydelsesnavn", "Stigende", "-1")),
        "RequestInvalid",
        "Sekvens",
    );
}

#[test]
fn look_ups_and_other_operations_go_past_window_and_person() {
    let tree = and(&[&person(), &inside()]);
    for element in ["BevillingUuid", "OekonomiskEffektueringUuid"] {
        let look_up = |uuid: &str| input(&format!("<yi:{element}>{uuid}</yi:{element}>{tree}"));
        refused("a look-up", &look_up(CLASS), "DirectLookup", element);
        served_by("a look-up, where the policy allows it", &look_up(CLASS), &rules("direct-lookup = true"), Outcome::Unchanged);
        refused_by("a look-up by something else", &look_up("x"), &rules("direct-lookup = true"), "RequestInvalid", "UUID");
    }
    let other = search(&tree).replace("FremsoegYdelseIndeksInput", "ImporterYdelseIndeksInput");
    refused("another operation", &other, "OperationUnknown", "fremsoeg");
    refused("the operation in another namespace", "<FremsoegYdelseIndeksInput/>", "OperationUnknown", "");
}

#[test]
fn what_the_schema_does_not_have_is_refused_by_name() {
    let e = inside();
    let cases: &[(&str, String, &str)] = &[
        ("no expression", input(""), "SoegUdtryk is missing"),
        ("two expressions", input(&[and(&[&person()]), and(&[&person()])].concat()), "SoegUdtryk"),
        ("an unknown operation", search(&expression("XOR", &[&person(), &e])), "operation"),
        ("an operation in small letters", search(&expression("and", &[&person(), &e])), "operation"),
        ("an operation with white space", search(&expression(" AND", &[&person(), &e])), "operation"),
        ("two operations", search(&and(&["<yi:operation>OR</yi:operation>", &person()])), "operation"),
        ("the operation last", search(&expression("", &[&person(), "<yi:operation>OR</yi:operation>"])), "operation"),
        ("an unknown element in an expression", search(&and(&[&person(), "<yi:XOR/>"])), "XOR"),
        (
            "an element of another namespace",
            search(&and(&[&person(), "<oei:SoegOekonomiskEffektueringIndeks/>"])),
            "SoegOekonomiskEffektueringIndeks",
        ),
        ("text between elements", search(&and(&[&person(), "AND"])), "text"),
        ("CDATA between elements", search(&and(&[&person(), "<![CDATA[x]]>"])), "text"),
        (
            "an attribute",
            search(&and(&[&person(), &e]).replacen("<yi:SoegUdtryk>", "<yi:SoegUdtryk xsi:type='yi:SoegUdtrykType'>", 1)),
            "type",
        ),
        (
            "xsi:nil on a value",
            search(&and(&[&person(), &e.replacen("<sd:TidsstempelDatoTid>", "<sd:TidsstempelDatoTid xsi:nil='true'>", 1)])),
            "nil",
        ),
        (
            "a search without its lists",
            search(&and(&[&person(), "<yi:SoegOekonomiskEffektueringIndeks/>"])),
            "AttributListe is missing",
        ),
        (
            "a search without TilstandListe",
            search(&and(&[&person(), &e.replace("<oei:TilstandListe></oei:TilstandListe>", "")])),
            "unexpected element RelationListe",
        ),
        (
            "lists out of order",
            search(&and(&[
                &person(),
                "<yi:SoegOekonomiskEffektueringIndeks><oei:TilstandListe/><oei:AttributListe/><oei:RelationListe/></yi:SoegOekonomiskEffektueringIndeks>",
            ])),
            "TilstandListe",
        ),
        (
            "an interval without Til",
            search(&and(&[
                &person(),
                &effectuation(
                    &extensions(&[&format!(
                        "<oei:DispositionsDatoInterval><go:FraTidspunkt>{}</go:FraTidspunkt></oei:DispositionsDatoInterval>",
                        stamp(FROM)
                    )]),
                    "",
                ),
            ])),
            "TilTidspunkt is missing",
        ),
        (
            "Til before Fra",
            search(&and(&[
                &person(),
                &effectuation(
                    &extensions(&[&format!(
                        "<oei:DispositionsDatoInterval><go:TilTidspunkt>{0}</go:TilTidspunkt><go:FraTidspunkt>{0}</go:FraTidspunkt></oei:DispositionsDatoInterval>",
                        stamp(FROM)
                    )]),
                    "",
                ),
            ])),
            "TilTidspunkt",
        ),
        (
            "a bound without a value",
            search(&and(&[&person(), &effectuation(&extensions(&[&bounds("DispositionsDatoInterval", "", &stamp(TO))]), "")])),
            "TidsstempelDatoTid is missing",
        ),
        (
            "a bound with two values",
            search(&and(&[
                &person(),
                &effectuation(
                    &extensions(&[&bounds("DispositionsDatoInterval", &[stamp(FROM), stamp(FROM)].concat(), &stamp(TO))]),
                    "",
                ),
            ])),
            "TidsstempelDatoTid",
        ),
        (
            "a bound that is both",
            search(&and(&[
                &person(),
                &effectuation(
                    &extensions(&[&bounds("DispositionsDatoInterval", &[INFINITE, &stamp(FROM)].concat(), &stamp(TO))]),
                    "",
                ),
            ])),
            "TidsstempelDatoTid",
        ),
        (
            "an infinity that is false",
            search(&and(&[
                &person(),
                &effectuation(
                    &extensions(&[&bounds("DispositionsDatoInterval", &INFINITE.replace("true", "false"), &stamp(TO))]),
                    "",
                ),
            ])),
            "GraenseIndikator",
        ),
        (
            "an interval after the amounts",
            search(&and(&[
                &person(),
                &effectuation(
                    &extensions(&[&format!(
                        "<oei:SamletBruttoBeloebInterval><go:FraBeloeb>1</go:FraBeloeb><go:TilBeloeb>2</go:TilBeloeb></oei:SamletBruttoBeloebInterval>{}",
                        interval(FROM, TO)
                    )]),
                    "",
                ),
            ])),
            "DispositionsDatoInterval",
        ),
        (
            "an amount that is none",
            search(&and(&[&person(), &effectuation(&properties("<oei:SamletBruttobeloeb>1,5</oei:SamletBruttobeloeb>"), "")])),
            "amount",
        ),
        (
            "a UUID that is none",
            search(&and(&[&person(), &effectuation("", &line(&format!("<gd:ReferenceID>{}</gd:ReferenceID>", uuid("x"))))])),
            "UUID",
        ),
        (
            "a CVR number that is none",
            search(&and(&[
                &person(),
                &effectuation(
                    "",
                    &format!("<oei:Aktoer><gd:Rolle>{}</gd:Rolle><oei:CVR-nr>1111</oei:CVR-nr></oei:Aktoer>", uuid(OWNER)),
                ),
            ])),
            "eight digits",
        ),
        (
            "an index that is no number",
            search(&and(&[&person(), &effectuation("", &line("<gd:Indeks>6101801234</gd:Indeks>"))])),
            "one to four digits",
        ),
        ("something after the sorting", input(&format!("{}<yi:Sortering/><yi:Filter/>", and(&[&person(), &e]))), "Filter"),
        ("an element whose name is a number", search(&and(&[&person(), "<yi:_6101801234/>"])), "(not shown)"),
    ];
    for (what, xml, names) in cases {
        refused(what, xml, "RequestInvalid", names);
    }
    for (what, content) in [
        ("none", String::new()),
        ("two", [e.clone(), e.clone()].concat()),
        ("an operation only", "<yi:operation>OR</yi:operation>".to_owned()),
    ] {
        refused(&format!("NOT with {what}"), &search(&and(&[&person(), &not(&[&content])])), "NotArity", "NOT[1]");
    }
    served(
        "NOT with an operation and one operand",
        &search(&and(&[&person(), &e, &not(&["<yi:operation>OR</yi:operation>", &e])])),
        Outcome::Unchanged,
    );
    served(
        "comments between elements",
        &search(&and(&["<!-- who -->", &person(), " \n ", &e, "<!-- when -->"])),
        Outcome::Unchanged,
    );
}

#[test]
fn narrowing_is_a_departure_that_an_installation_must_choose() {
    let narrow = rules("outside = \"narrow\"");
    let ask = |e: &str| search(&and(&[&person(), e]));
    let early =
        served_by("Fra too early", &ask(&delimited("2025-01-01T00:00:00Z", "2026-10-01T00:00:00")), &narrow, Outcome::Narrowed);
    assert!(
        forwarded(&early).contains(FROM) && forwarded(&early).contains(">2026-10-01T00:00:00<"),
        "the bound inside keeps its text"
    );
    assert_eq!(early.asked_windows()[0].from, "2025-01-01T00:00:00Z", "the record tells what was asked");
    assert!(early.decisions().iter().any(|decision| decision.why.contains("departs from the documented service")));
    let wide =
        served_by("both outside", &ask(&delimited("2025-01-01T00:00:00Z", "2030-01-01T00:00:00Z")), &narrow, Outcome::Narrowed);
    assert_eq!(windows(&wide), 1);
    let infinite = effectuation(&extensions(&[&bounds("DispositionsDatoInterval", INFINITE, INFINITE)]), "");
    served_by("no bounds", &ask(&infinite), &narrow, Outcome::Narrowed);
    served_by("inside", &ask(&inside()), &narrow, Outcome::Unchanged);
    refused_by(
        "nothing is left",
        &ask(&delimited("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z")),
        &narrow,
        "WindowOutside",
        "2026-01-01",
    );
    refused_by(
        "a point cannot be narrowed",
        &ask(&effectuation(&properties(&point("2025-01-01T00:00:00Z")), "")),
        &narrow,
        "WindowOutside",
        "2025-01-01",
    );
    refused_by(
        "narrowed but open beside",
        &search(&and(&[&person(), &delimited("2025-01-01T00:00:00Z", TO), &effectuation("", "")])),
        &narrow,
        "WindowOpen",
        "",
    );
}

#[test]
fn nothing_that_is_printed_by_accident_holds_the_person() {
    let asked = ask(&search(&and(&[&person(), &inside()]))).unwrap();
    assert!(!format!("{asked:?} {:?}", asked.decisions()).contains(PERSON));
    assert!(forwarded(&asked).contains(PERSON));
}
