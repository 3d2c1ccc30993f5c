//! The release rules, one a case: what an answer of the index holds, and what of it is released. The clock stands still
//! at 2026-11-22, so the window is `[2026-08-01, 2026-12-01)` in Danish time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr
)] // a test

#[path = "support/release_run.rs"]
mod release_run;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hjemmel::policy::kle::{Constraint, SensitivityConstraint};
use hjemmel::policy::release::{Ask, Counterpart, Limits, Released};
use hjemmel::policy::rules::{Asked, Naive};
use release_run::{ask, filter, policy};

const NOW: &str = "2026-11-22T12:00:00Z";
const OWNER: &str = "a91824c4-da1d-47f9-bce2-5d6597879415";
const PARTY: &str = "68d4b903-acae-4f2f-aafc-45bd999ed81f";
const GRANTEE: &str = "3102fa7e-f56e-4510-b0d4-1650c590dc3b";
const P: &str = "6101801234";
const Q: &str = "6202755678";
const G1: &str = "b0000000-0000-4000-8000-000000000001";
const G2: &str = "b0000000-0000-4000-8000-000000000002";
const ID: &str = "e0000000-0000-4000-8000-000000000001";

/// The parts of an answer that a case changes.
#[derive(Clone)]
struct Answer {
    head: String,
    counts: String,
    grants: String,
    registration_head: String,
    properties: String,
    lines: String,
    actors: String,
    parties: String,
    after: String,
}

fn id(uuid: &str) -> String {
    format!("<sd:UUIDIdentifikator>{uuid}</sd:UUIDIdentifikator>")
}

fn person(cpr: &str) -> String {
    format!("<gd:ReferenceID><sd:URNIdentifikator>urn:oio:cpr-nr:{cpr}</sd:URNIdentifikator></gd:ReferenceID>")
}

fn role(uuid: &str) -> String {
    format!("<gd:Rolle>{}</gd:Rolle>", id(uuid))
}

fn grantee(cpr: &str) -> String {
    format!("<bi:Bevillingspart>{}{}<bi:FuldtNavn>hidden</bi:FuldtNavn></bi:Bevillingspart>", role(GRANTEE), person(cpr))
}

fn grant(uuid: &str, parties: &str, sensitivity: &str) -> String {
    format!(
        "<yi:BevillingFiltreretOejebliksbillede><bi:ObjektType>{}</bi:ObjektType><bi:Registrering><bi:AttributListe>\
         <bi:Egenskaber>{sensitivity}</bi:Egenskaber></bi:AttributListe><bi:TilstandListe/>\
         <bi:RelationListe>{parties}</bi:RelationListe></bi:Registrering></yi:BevillingFiltreretOejebliksbillede>",
        id(uuid)
    )
}

fn properties(date: &str) -> String {
    format!(
        "<oei:Egenskaber><oei:BrugervendtNoegle>hidden</oei:BrugervendtNoegle><oei:Startdato>2026-09-01T00:00:00+02:00</oei:Startdato>\
         <oei:SamletBruttobeloeb>7001.50</oei:SamletBruttobeloeb>{date}<oei:BeloebUdbetalt>6001</oei:BeloebUdbetalt>\
         <oei:UdbetaltTekst>hidden</oei:UdbetaltTekst></oei:Egenskaber>"
    )
}

fn date(text: &str) -> String {
    format!("<oei:Dispositionsdato>{text}</oei:Dispositionsdato>")
}

fn line(kle: &str, amount: &str, grant: &str) -> String {
    format!(
        "<oei:OekonomiskYdelseEffektueringRelation><gd:Rolle>{}</gd:Rolle><gd:Indeks>1</gd:Indeks>\
         <oei:Ydelsesbeloeb>{amount}</oei:Ydelsesbeloeb><oei:Klassifikationsbeskrivelse>{kle}</oei:Klassifikationsbeskrivelse>\
         <oei:BevilgetYdelseRef>{}<oei:BevilgetYdelseId>hidden</oei:BevilgetYdelseId></oei:BevilgetYdelseRef>\
         </oei:OekonomiskYdelseEffektueringRelation>",
        id("d0000000-0000-4000-8000-000000000001"),
        id(grant)
    )
}

fn actor(cvr: &str) -> String {
    format!("<oei:Aktoer>{}<oei:FuldtNavn>hidden</oei:FuldtNavn><oei:CVR-nr>{cvr}</oei:CVR-nr></oei:Aktoer>", role(OWNER))
}

fn party(cpr: &str) -> String {
    format!(
        "<oei:OekonomiskEffektueringPart>{}{}<oei:FuldtNavn>hidden</oei:FuldtNavn></oei:OekonomiskEffektueringPart>",
        role(PARTY),
        person(cpr)
    )
}

impl Answer {
    /// One payment of UDK's to the person asked about, on 1 October 2026.
    fn plain() -> Self {
        Self {
            head: "<sd:StandardRetur><sd:StatusKode>20</sd:StatusKode></sd:StandardRetur>".to_owned(),
            counts: "<yi:Antal><yi:Element>effektueringer</yi:Element><yi:Antal>9</yi:Antal></yi:Antal>\
                     <yi:Antal><yi:Element>bevillinger</yi:Element><yi:Antal>9</yi:Antal></yi:Antal>"
                .to_owned(),
            grants: grant(G1, &grantee(P), "") + &grant(G2, &grantee(Q), ""),
            registration_head: String::new(),
            properties: properties(&date("2026-10-01T00:00:00+02:00")),
            lines: line("32.03.04", "7001.50", G1),
            actors: actor("99999991"),
            parties: party(P),
            after: String::new(),
        }
    }

    fn xml(&self) -> String {
        let Self { head, counts, grants, registration_head, properties, lines, actors, parties, after } = self;
        format!(
            "<yi:FremsoegYdelseIndeksOutput xmlns:yi=\"urn:oio:sts:ydelse:ydelseindeks:6\" xmlns:oei=\"urn:oio:sts:ydelse:oekonomiskeffektueringindeks:6\" \
             xmlns:bi=\"urn:oio:sts:ydelse:bevillingindeks:6\" xmlns:gd=\"urn:oio:sts:generelledefinitioner:6\" xmlns:sd=\"urn:oio:sagdok:3.0.0\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">{head}{counts}{grants}\
             <yi:OekonomiskEffektueringFiltreretOejebliksbillede><oei:ObjektType>{}</oei:ObjektType><oei:Registrering>{registration_head}\
             <oei:AttributListe>{properties}</oei:AttributListe><oei:TilstandListe/><oei:RelationListe>{lines}{actors}{parties}</oei:RelationListe>\
             </oei:Registrering></yi:OekonomiskEffektueringFiltreretOejebliksbillede>{after}</yi:FremsoegYdelseIndeksOutput>",
            id(ID)
        )
    }
}

enum Then {
    /// The object is released, and the body holds the first texts and none of the others.
    Shows(&'static [&'static str], &'static [&'static str]),
    /// Nothing is released; the object was removed by this rule.
    Silent(&'static str),
    /// The call is refused with this code.
    Refused(&'static str),
}
use Then::{Refused, Shows, Silent};

fn expect(name: &str, outcome: Result<Released, hjemmel::refusal::Refusal>, then: &Then) {
    match (outcome, then) {
        (Ok(released), Shows(there, gone)) => {
            let body = std::str::from_utf8(released.body()).unwrap();
            assert_eq!(released.counts().objects_released, 1, "{name}: {:?}", released.counts());
            for text in *there {
                assert!(body.contains(text), "{name}: {text} is missing from {body}");
            }
            for text in gone.iter().chain(&["hidden", Q]) {
                assert!(!body.contains(text), "{name}: {text} stands in {body}");
            }
        }
        (Ok(released), Silent(rule)) => {
            assert_eq!(released.counts().objects_removed.get(*rule), Some(&1), "{name}: {:?}", released.counts());
            assert_eq!(released.counts().objects_released, 0, "{name}");
            assert_eq!(std::str::from_utf8(released.body()).unwrap(), NOTHING, "{name}: nothing left looks like nothing found");
        }
        (Err(refusal), Refused(code)) => assert_eq!(refusal.code(), *code, "{name}"),
        (outcome, _) => panic!("{name}: {outcome:?}"),
    }
}

const NOTHING: &str = "<yi:FremsoegYdelseIndeksOutput xmlns:yi=\"urn:oio:sts:ydelse:ydelseindeks:6\"><sd:StandardRetur \
                       xmlns:sd=\"urn:oio:sagdok:3.0.0\"><sd:StatusKode>20</sd:StatusKode></sd:StandardRetur></yi:FremsoegYdelseIndeksOutput>";

#[test]
fn each_rule_decides_on_the_index_answer() {
    type Change = fn(&mut Answer);
    let cases: &[(&str, Change, Then)] = &[
        (
            "a plain payment is released with what the law names",
            |_| {},
            Shows(
                &[
                    "2026-10-01T00:00:00+02:00",
                    ">7001.50<",
                    ">32.03.04<",
                    ">99999991<",
                    "Udbetaling Danmark (test)",
                    P,
                    "<yi:Antal>1</yi:Antal>",
                    ID,
                ],
                &["6001", "bevillinger", G1],
            ),
        ),
        // rule 1
        ("a date before the window removes", |a| a.properties = properties(&date("2026-07-31T23:59:59+02:00")), Silent("window")),
        (
            "the window's first instant is inside",
            |a| a.properties = properties(&date("2026-07-31T22:00:00Z")),
            Shows(&["2026-07-31T22:00:00Z"], &[]),
        ),
        ("the window's end is outside", |a| a.properties = properties(&date("2026-12-01T00:00:00+01:00")), Silent("window")),
        ("no date removes", |a| a.properties = properties(""), Silent("window")),
        ("an unreadable date removes", |a| a.properties = properties(&date("-2026-10-01T00:00:00Z")), Silent("window")),
        (
            "two dates in one Egenskaber are none",
            |a| a.properties = properties(&date("2026-10-01T00:00:00Z").repeat(2)),
            Silent("window"),
        ),
        (
            "one date outside removes the registration",
            |a| a.properties += &properties(&date("2026-01-01T00:00:00Z")),
            Silent("window"),
        ),
        (
            "an undated Egenskaber beside a dated one goes alone",
            |a| a.properties += "<oei:Egenskaber><oei:SamletBruttobeloeb>555</oei:SamletBruttobeloeb></oei:Egenskaber>",
            Shows(&["7001.50"], &["555"]),
        ),
        (
            "a date split by comment, CDATA and reference is read whole",
            |a| a.properties = properties(&date("2026<!--hidden-->-1<![CDATA[0-0]]>1T00:00:00&#43;02:00")),
            Shows(&[">2026-10-01T00:00:00+02:00<"], &[]),
        ),
        (
            "a date split so that its first text is inside is judged whole",
            |a| a.properties = properties(&date("2026-10-01T00:00:00Z<!-- -->x")),
            Silent("window"),
        ),
        (
            "an element inside a date makes it unreadable",
            |a| a.properties = properties(&date("2026-10-01T00:00:00Z<oei:x/>")),
            Silent("window"),
        ),
        (
            "a deleted registration is removed",
            |a| a.registration_head = "<sd:LivscyklusKode>Slettet</sd:LivscyklusKode>".into(),
            Silent("deleted"),
        ),
        (
            "an unknown life-cycle is removed",
            |a| a.registration_head = "<sd:LivscyklusKode>Annulleret</sd:LivscyklusKode>".into(),
            Silent("deleted"),
        ),
        (
            "a passivated registration stands",
            |a| a.registration_head = "<sd:LivscyklusKode>Passiveret</sd:LivscyklusKode>".into(),
            Shows(&["7001.50"], &["Passiveret"]),
        ),
        // rule 2
        ("no owner removes", |a| a.actors.clear(), Silent("other-owner")),
        ("another owner removes", |a| a.actors = actor("99999981"), Silent("other-owner")),
        ("two owners remove", |a| a.actors += &actor("99999991"), Silent("other-owner")),
        (
            "an owner without CVR removes",
            |a| a.actors = format!("<oei:Aktoer>{}</oei:Aktoer>", role(OWNER)),
            Silent("other-owner"),
        ),
        (
            "an actor in another role is no owner, and removed",
            |a| a.actors += &actor("99999982").replace(OWNER, PARTY),
            Shows(&["99999991"], &["99999982"]),
        ),
        (
            "an actor whose role is doubtful may be a second owner",
            |a| {
                a.actors +=
                    &actor("99999982").replace("</gd:Rolle>", "<sd:URNIdentifikator>urn:x:y</sd:URNIdentifikator></gd:Rolle>")
            },
            Silent("other-owner"),
        ),
        (
            "an actor with two roles may be a second owner",
            |a| a.actors += &actor("99999982").replace(&role(OWNER), &(role(OWNER) + &role(PARTY))),
            Silent("other-owner"),
        ),
        // rule 0
        (
            "a line of another person's grant is removed, and the sums with it",
            |a| a.lines += &line("32.06.04", "444", G2),
            Shows(&["32.03.04"], &["32.06.04", "444", "SamletBruttobeloeb"]),
        ),
        ("only another person's lines: removed in silence", |a| a.lines = line("32.03.04", "1", G2), Silent("person")),
        ("no line proves nothing", |a| a.lines.clear(), Refused("PersonUnproven")),
        (
            "a line without reference proves nothing",
            |a| a.lines = line("32.03.04", "1", G1).replace("BevilgetYdelseRef", "BevilgetYdelseAnden"),
            Refused("PersonUnproven"),
        ),
        (
            "a grant on another page proves nothing",
            |a| a.lines = line("32.03.04", "1", "b0000000-0000-4000-8000-000000000009"),
            Refused("PersonUnproven"),
        ),
        (
            "one proven and one unproven line: refused",
            |a| a.lines += &line("32.03.04", "1", "b0000000-0000-4000-8000-000000000009"),
            Refused("PersonUnproven"),
        ),
        (
            "an unproven object outside the window is removed, not told",
            |a| {
                a.lines.clear();
                a.properties = properties(&date("2020-01-01T00:00:00Z"))
            },
            Silent("window"),
        ),
        (
            "a grant with two grantees proves nothing",
            |a| a.grants = grant(G1, &(grantee(P) + &grantee(Q)), ""),
            Refused("PersonUnproven"),
        ),
        ("a grant with no grantee proves nothing", |a| a.grants = grant(G1, "", ""), Refused("PersonUnproven")),
        (
            "a grantee by UUID proves nothing",
            |a| {
                a.grants = grant(
                    G1,
                    &format!(
                        "<bi:Bevillingspart>{}<gd:ReferenceID>{}</gd:ReferenceID></bi:Bevillingspart>",
                        role(GRANTEE),
                        id(ID)
                    ),
                    "",
                )
            },
            Refused("PersonUnproven"),
        ),
        (
            "payee = P proves nothing",
            |a| a.grants = grant(G1, &grantee(P).replace(GRANTEE, "93af57a7-7658-4fac-98da-9e5ac7a7d9a5"), ""),
            Refused("PersonUnproven"),
        ),
        (
            "a party beside the grantee does not disturb",
            |a| a.grants = grant(G1, &(grantee(P) + &grantee(Q).replace(GRANTEE, "93af57a7-7658-4fac-98da-9e5ac7a7d9a5")), ""),
            Shows(&["7001.50"], &[]),
        ),
        (
            "a party without a role may be a second grantee",
            |a| a.grants = grant(G1, &(grantee(P) + &grantee(Q).replace(&role(GRANTEE), "")), ""),
            Refused("PersonUnproven"),
        ),
        (
            "a deleted grant proves nothing",
            |a| {
                a.grants = grant(G1, &grantee(P), "")
                    .replace("<bi:AttributListe>", "<sd:LivscyklusKode>Slettet</sd:LivscyklusKode><bi:AttributListe>")
            },
            Refused("PersonUnproven"),
        ),
        (
            "a grant given twice, with different grantees, proves nothing",
            |a| a.grants += &grant(G1, &grantee(Q), ""),
            Refused("PersonUnproven"),
        ),
        (
            "UUIDs are compared without regard to case",
            |a| a.lines = line("32.03.04", "1", &G1.to_uppercase()),
            Shows(&["32.03.04"], &[]),
        ),
        // sensitivity
        (
            "VIP_SAGER is not shown unless named",
            |a| a.grants = grant(G1, &grantee(P), "<bi:Foelsomhed>VIP_SAGER</bi:Foelsomhed>"),
            Silent("sensitivity"),
        ),
        (
            "an unreadable sensitivity may be VIP_SAGER",
            |a| a.grants = grant(G1, &grantee(P), "<bi:Foelsomhed>VIP</bi:Foelsomhed>"),
            Silent("sensitivity"),
        ),
        // fields
        ("a payee who is not P is removed", |a| a.parties = party(Q), Shows(&["7001.50"], &["OekonomiskEffektueringPart"])),
        (
            "an amount of another form is removed",
            |a| a.lines = line("32.03.04", "1.234,50", G1),
            Shows(&["32.03.04"], &["1.234,50", "Ydelsesbeloeb"]),
        ),
        ("amounts are not reformatted", |a| a.lines = line("32.03.04", "-0012.500", G1), Shows(&[">-0012.500<"], &[])),
        (
            "a KLE text of another form is removed",
            |a| a.lines = line("pension 6202755678", "1", G1),
            Shows(&["Ydelsesbeloeb"], &["pension"]),
        ),
        (
            "a long index may be a CPR number",
            |a| a.lines = line("32.03.04", "1", G1).replace("<gd:Indeks>1", "<gd:Indeks>6202755678"),
            Shows(&["32.03.04"], &["gd:Indeks"]),
        ),
        (
            "a role by URN is removed",
            |a| {
                a.lines = line("32.03.04", "1", G1)
                    .replace(&id("d0000000-0000-4000-8000-000000000001"), "<sd:URNIdentifikator>hidden</sd:URNIdentifikator>")
            },
            Shows(&["32.03.04"], &["URNIdentifikator>hidden"]),
        ),
        (
            "xsi:nil on a value removes the value",
            |a| a.properties = a.properties.replace("<oei:Startdato>", "<oei:Startdato xsi:nil=\"true\">"),
            Shows(&["7001.50"], &["Startdato", "nil"]),
        ),
        (
            "xsi:type on the disposition date makes it unreadable",
            |a| a.properties = a.properties.replace("<oei:Dispositionsdato>", "<oei:Dispositionsdato xsi:type=\"oei:x\">"),
            Silent("window"),
        ),
        (
            "xsi:type on a part removes the object",
            |a| a.properties = a.properties.replace("<oei:Egenskaber>", "<oei:Egenskaber xsi:type=\"oei:EgenskaberType\">"),
            Silent("shape"),
        ),
        (
            "attributes are dropped",
            |a| a.properties = a.properties.replace("<oei:Egenskaber>", "<oei:Egenskaber note=\"hidden\">"),
            Shows(&["7001.50"], &["note"]),
        ),
        (
            "a whole answer in an extension is passed over",
            |a| {
                a.registration_head =
                    format!("<gd:LokalUdvidelseListe><x xmlns=\"urn:x:y\">hidden {Q}</x></gd:LokalUdvidelseListe>")
            },
            Shows(&["7001.50"], &["LokalUdvidelse"]),
        ),
        (
            "an element in the wrong namespace is unknown",
            |a| a.properties = a.properties.replace("oei:SamletBruttobeloeb", "gd:SamletBruttobeloeb"),
            Shows(&["32.03.04"], &["SamletBruttobeloeb"]),
        ),
        // the answer as a whole
        (
            "the index's 44 with an object contradicts itself",
            |a| a.head = a.head.replace("20", "44"),
            Refused("IndexAnswerInvalid"),
        ),
        ("another status is a fault", |a| a.head = a.head.replace("20", "41"), Refused("IndexFault")),
        ("no status is no answer", |a| a.head.clear(), Refused("IndexAnswerInvalid")),
        ("two statuses are none", |a| a.head = a.head.repeat(2), Refused("IndexAnswerInvalid")),
        (
            "a count behind the grants is out of order",
            |a| std::mem::swap(&mut a.counts, &mut a.grants),
            Refused("IndexAnswerInvalid"),
        ),
        (
            "a typed status is not trusted",
            |a| a.head = a.head.replace("<sd:StandardRetur>", "<sd:StandardRetur xsi:type=\"sd:UnikReturType\">"),
            Refused("IndexAnswerInvalid"),
        ),
        (
            "a grant behind the effectuations came too late",
            |a| a.after = grant(G1, &grantee(P), ""),
            Refused("IndexAnswerInvalid"),
        ),
        (
            "the index's texts are not passed on",
            |a| {
                a.head =
                    a.head.replace("</sd:StandardRetur>", "<sd:FejlbeskedTekst>hidden</sd:FejlbeskedTekst></sd:StandardRetur>")
            },
            Shows(&["20"], &["Fejl"]),
        ),
    ];
    let policy = policy(&[]);
    for (name, change, then) in cases {
        let mut answer = Answer::plain();
        change(&mut answer);
        expect(name, filter(&policy, ask(NOW), &answer.xml()), then);
    }
}

#[test]
fn each_setting_of_the_call_decides() {
    type Change = fn(&mut Ask);
    let kle = |patterns: &[&str]| Constraint::unconstrained().and(patterns.iter().copied()).unwrap();
    let levels = |levels: &[&str]| SensitivityConstraint::unconstrained().and(levels.iter().copied()).unwrap();
    let two_lines = |a: &mut Answer| a.lines += &line("32.06.04", "444", G1);
    let sensitive =
        |a: &mut Answer| a.grants = grant(G1, &grantee(P), "<bi:Foelsomhed>FORTROLIGE_PERSONOPLYSNINGER</bi:Foelsomhed>");
    let run = |name: &str, answer: &dyn Fn(&mut Answer), change: &dyn Fn(&mut Ask), then: &Then| {
        let (mut built, mut asked) = (Answer::plain(), ask(NOW));
        answer(&mut built);
        change(&mut asked);
        expect(name, filter(&policy(&[]), asked, &built.xml()), then);
    };
    let same = |_: &mut Answer| {};
    run(
        "lines outside the KLE constraint go, with the sums",
        &two_lines,
        &|a| a.kle = kle(&["32.03.*"]),
        &Shows(&["32.03.04"], &["32.06.04", "444", "SamletBruttobeloeb"]),
    );
    run("no line within the KLE constraint removes the object", &same, &|a| a.kle = kle(&["32.06.*"]), &Silent("kle"));
    run(
        "no line at all under a KLE constraint removes the object",
        &|a| a.lines.clear(),
        &|a| a.kle = kle(&["32.*"]),
        &Silent("kle"),
    );
    run(
        "a sensitivity within the constraint is shown",
        &sensitive,
        &|a| a.sensitivity = levels(&["FORTROLIGE_PERSONOPLYSNINGER"]),
        &Shows(&["32.03.04"], &["FORTROLIGE"]),
    );
    run(
        "a sensitivity outside the constraint removes",
        &sensitive,
        &|a| a.sensitivity = levels(&["IKKE_FORTROLIGE_DATA"]),
        &Silent("sensitivity"),
    );
    run(
        "a grant that states none is outside a constraint",
        &same,
        &|a| a.sensitivity = levels(&["IKKE_FORTROLIGE_DATA"]),
        &Silent("sensitivity"),
    );
    run(
        "UDK sees the municipalities it asks for",
        &|a| a.actors = actor("11111111"),
        &|a| a.counterpart = Counterpart::Municipalities(["11111111".to_owned()].into()),
        &Shows(&["11111111"], &["FuldtNavn"]),
    );
    run(
        "UDK does not see other municipalities",
        &|a| a.actors = actor("99999981"),
        &|a| a.counterpart = Counterpart::Municipalities(["11111111".to_owned()].into()),
        &Silent("other-owner"),
    );
    run("a name that the register lacks is left out", &same, &|a| a.names = Arc::default(), &Shows(&["CVR-nr"], &["FuldtNavn"]));
    run("an empty filter has the shape of nothing found", &same, &|a| a.asked = Asked::Nothing, &Silent("not-asked"));
    run(
        "an empty filter tells nothing of missing proof",
        &|a| a.lines.clear(),
        &|a| a.asked = Asked::Nothing,
        &Silent("not-asked"),
    );
    let parts = |properties, actors, lines| Asked::Parts { properties, actors, lines };
    run("only egenskaber", &same, &|a| a.asked = parts(true, false, false), &Shows(&["7001.50"], &["32.03.04", "99999991", P]));
    run("only aktoer", &same, &|a| a.asked = parts(false, true, false), &Shows(&["99999991"], &["32.03.04", "7001.50", P]));
    run("only lines", &same, &|a| a.asked = parts(false, false, true), &Shows(&["32.03.04"], &["99999991", "2026-10-01", P]));
    let naive_date = |a: &mut Answer| a.properties = properties(&date("2026-10-01T00:00:00"));
    run("a date without offset is Danish time", &naive_date, &|_| {}, &Shows(&["2026-10-01T00:00:00<"], &[]));
    run("unless that is refused", &naive_date, &|a| a.naive = Naive::Refuse, &Silent("window"));
    let change: Change = |a| a.limits = Limits { released_bytes: 600, ..Limits::default() };
    run("past the limit the call is refused", &same, &change, &Refused("AnswerTooLarge"));
    run("an object past its limit is no answer", &same, &|a| a.limits.object_bytes = 300, &Refused("IndexAnswerInvalid"));
    run("grants past their limit", &same, &|a| a.limits.grants = 1, &Refused("AnswerTooLarge"));
}

#[test]
fn each_switch_of_the_policy_decides() {
    let net = ("form = \"amount\"\nrelease = false", "form = \"amount\"\nrelease = true");
    let answer = Answer::plain().xml();
    expect("net amounts may be switched on", filter(&policy(&[net]), ask(NOW), &answer), &Shows(&["6001"], &[]));
    let trust = ("check = \"prove\"", "check = \"trust-index\"");
    let mut unproven = Answer::plain();
    unproven.grants.clear();
    expect("the index's join may be trusted", filter(&policy(&[trust]), ask(NOW), &unproven.xml()), &Shows(&["32.03.04"], &[]));
    let mut other = Answer::plain();
    other.lines = line("32.03.04", "1", G2);
    expect("but not against proof", filter(&policy(&[trust]), ask(NOW), &other.xml()), &Silent("person"));
    let narrow = (
        "form = \"amount\"\nrelease = true\nbasis = \"§ 8, stk. 1: \\\"størrelsen på ydelsen og",
        "form = \"amount-two-decimals\"\nrelease = true\nbasis = \"§ 8, stk. 1: \\\"størrelsen på ydelsen og",
    );
    let mut long = Answer::plain();
    long.lines = line("32.03.04", "1.2345", G1);
    expect("a form may be narrowed", filter(&policy(&[narrow]), ask(NOW), &long.xml()), &Shows(&["32.03.04"], &["1.2345"]));
    let removed =
        filter(&policy(&[("\nstatus = 20", "\nstatus = 44")]), Ask { asked: Asked::Nothing, ..ask(NOW) }, &answer).unwrap();
    assert!(std::str::from_utf8(removed.body()).unwrap().contains("<sd:StatusKode>44<"), "empty_status decides");
}

#[test]
fn what_is_not_an_answer_is_refused() {
    let policy = policy(&[]);
    let empty = "<yi:FremsoegYdelseIndeksOutput xmlns:yi=\"urn:oio:sts:ydelse:ydelseindeks:6\"/>";
    let cases = [
        ("nothing", "", "IndexAnswerInvalid"),
        ("text", "hello", "IndexAnswerInvalid"),
        ("an output without status", empty, "IndexAnswerInvalid"),
        ("another root", "<x/>", "IndexAnswerInvalid"),
        (
            "the request sent back",
            "<yi:FremsoegYdelseIndeksInput xmlns:yi=\"urn:oio:sts:ydelse:ydelseindeks:6\"/>",
            "IndexAnswerInvalid",
        ),
        (
            "a SOAP 1.2 fault",
            "<f:Fault xmlns:f=\"http://www.w3.org/2003/05/soap-envelope\"><f:Reason>hidden</f:Reason></f:Fault>",
            "IndexFault",
        ),
        ("a SOAP 1.1 fault", "<f:Fault xmlns:f=\"http://schemas.xmlsoap.org/soap/envelope/\"/>", "IndexFault"),
        ("a fault of no SOAP", "<Fault/>", "IndexAnswerInvalid"),
    ];
    for (name, content, code) in cases {
        assert_eq!(filter(&policy, ask(NOW), content).unwrap_err().code(), code, "{name}");
    }
    let whole = Answer::plain().xml();
    let twice = whole.clone() + &whole;
    assert_eq!(filter(&policy, ask(NOW), &twice).unwrap_err().code(), "IndexAnswerInvalid", "two answers");
    let typed = whole.replacen("xmlns:yi", "xsi:type=\"yi:x\" xmlns:yi", 1);
    assert_eq!(filter(&policy, ask(NOW), &typed).unwrap_err().code(), "IndexAnswerInvalid", "a typed answer");
}

#[test]
fn nothing_found_and_nothing_left_are_the_same_bytes() {
    let policy = policy(&[]);
    let mut found = Answer::plain();
    found.actors = actor("99999981");
    let start = &found.xml()[..found.xml().find("<sd:StandardRetur>").unwrap()];
    let not_found =
        format!("{start}<sd:StandardRetur><sd:StatusKode>44</sd:StatusKode></sd:StandardRetur></yi:FremsoegYdelseIndeksOutput>");
    let left = filter(&policy, ask(NOW), &found.xml()).unwrap();
    let none = filter(&policy, ask(NOW), &not_found).unwrap();
    assert_eq!(left.body(), none.body());
}

#[test]
fn counts_and_decisions_name_the_rules_and_no_values() {
    let released = filter(&policy(&[]), Ask { decisions: true, ..ask(NOW) }, &Answer::plain().xml()).unwrap();
    let counts = released.counts();
    assert_eq!(released.objects_seen(), 3);
    assert_eq!(counts.objects_removed.get("grant"), Some(&2));
    assert_eq!(counts.fields_released.get("gross-amount"), Some(&1));
    assert_eq!(counts.fields_removed.get("net-amounts"), Some(&1));
    // BrugervendtNoegle, UdbetaltTekst, TilstandListe, the line's grant (UUID and id), two names.
    assert_eq!(counts.fields_removed.get("unnamed"), Some(&7), "{counts:?}");
    let decisions = serde_json::to_string(released.decisions().unwrap()).unwrap();
    assert!(decisions.contains("oei:Egenskaber/oei:SamletBruttobeloeb") && !decisions.contains("7001"), "{decisions}");
}

#[test]
fn what_is_passed_over_is_not_held() {
    let mut answer = Answer::plain();
    answer.registration_head =
        format!("<gd:LokalUdvidelseListe><x xmlns=\"urn:x:y\">{}</x></gd:LokalUdvidelseListe>", "hidden ".repeat(60_000));
    answer.registration_head += &"<sd:NoteTekst>hidden</sd:NoteTekst>".repeat(60_000);
    let limits = Limits { object_bytes: 16 * 1024, ..Limits::default() };
    let released = filter(&policy(&[]), Ask { limits, ..ask(NOW) }, &answer.xml()).unwrap();
    assert_eq!(released.counts().objects_released, 1);
}

/// The reference material beside the project, or why a test that needs it does not run.
fn schema() -> Option<PathBuf> {
    let root = std::env::var_os("HJEMMEL_REFERENCE")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference"));
    let schema = root.join("ydelsesindeks-6/xsd/6.0.STS-0/YdelseIndeksOperationer.xsd");
    let xmllint = Command::new("xmllint").arg("--version").output().is_ok_and(|output| output.status.success());
    if !schema.exists() || !xmllint {
        eprintln!("NOT RUN: validity against the index's schema needs {} and xmllint", schema.display());
        return None;
    }
    Some(schema)
}

#[test]
fn released_answers_are_valid_against_the_index_schema() {
    let Some(schema) = schema() else { return };
    let directory = tempfile::tempdir().unwrap();
    let net = ("form = \"amount\"\nrelease = false", "form = \"amount\"\nrelease = true");
    let everything = policy(&[net]);
    let parts = |properties, actors, lines| Asked::Parts { properties, actors, lines };
    let mut files = Vec::new();
    for (n, asked) in
        [Asked::Everything, Asked::Nothing, parts(true, false, false), parts(false, true, false), parts(false, false, true)]
            .into_iter()
            .enumerate()
    {
        let mut answer = Answer::plain();
        answer.counts = answer.counts.replacen(
            "</yi:Antal></yi:Antal>",
            "</yi:Antal><yi:Paginering><sd:FoersteResultatReference>0</sd:FoersteResultatReference></yi:Paginering></yi:Antal>",
            1,
        );
        let file = directory.path().join(format!("{n}.xml"));
        std::fs::write(&file, filter(&everything, Ask { asked, ..ask(NOW) }, &answer.xml()).unwrap().body()).unwrap();
        files.push(file);
    }
    let output = Command::new("xmllint").args(["--noout", "--schema"]).arg(&schema).args(&files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
