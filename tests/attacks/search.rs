//! Row 26: searches that go past window and person, from a caller who is who it says and signs what it asks.
//!
//! One case a kind of shape and place; every shape is judged in `tests/law/window`, against a second evaluator.

use hjemmel::signature::sign::{self, Message, SoapVersion};
use jiff::{SignedDuration, ToSpan, tz::TimeZone};

use crate::arena::arena;
use crate::forge::{self, CLIENT, at, issued};
use crate::request::*;

type Asked = (&'static str, String, &'static [&'static str]);

const DAY: i64 = 86_400;

/// What is asked, as its caller signs it.
fn signed(search: &str) -> String {
    let body = sign::canonical_content(search.as_bytes()).unwrap();
    let message = Message { body: &body, ..forge::message(SoapVersion::V12) };
    String::from_utf8(sign::with_token(&message, &issued(&forge::assertion()), &CLIENT.key).unwrap()).unwrap()
}

/// The first day of the month so many months from now, as the window's bounds are.
fn month(months: i64) -> String {
    let copenhagen = TimeZone::get("Europe/Copenhagen").unwrap();
    let here = forge::now().to_zoned(copenhagen).checked_add(months.months()).unwrap();
    here.first_of_month().unwrap().start_of_day().unwrap().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

fn table() -> Vec<Asked> {
    let (from, to) = (month(-3), month(1));
    let inside = || delimited(&at(-DAY), &at(0));
    let open = || effectuation("", "");
    let within = || interval(&from, &to);
    let all = |operands: &[&str]| search(&and(operands));
    let mine = |effectuation: &str| search(&and(&[&person(), effectuation]));
    let with_filter = |filter: &str| input(&format!("{}<yi:Filter>{filter}</yi:Filter>", and(&[&person(), &inside()])));
    let wide = |from: &str, to: &str| mine(&delimited(from, to));
    let outside: &[&str] = &["WindowOutside"];
    let unreadable: &[&str] = &["DateUnreadable"];
    let person_shape: &[&str] = &["PersonShape", "PersonMissing", "PersonSeveral"];
    let misplaced: &[&str] = &["DateMisplaced", "RequestInvalid"];
    let temporal: &[&str] = &["TemporalCriterion"];
    let withheld: &[&str] = &["CriterionWithheld", "RequestInvalid"];
    let paged = |first: &str, most: &str| {
        let paging = format!(
            "<sd:FoersteResultatReference>{first}</sd:FoersteResultatReference><sd:MaksimalAntalKvantitet>{most}</sd:MaksimalAntalKvantitet>"
        );
        search(&and(&[&grant_with(&paging, "", &party(&cpr(PERSON))), &inside()]))
    };
    vec![
        // Window: values.
        ("from 13 months ago", wide(&at(-396 * DAY), &at(0)), outside),
        ("until next year", wide(&at(-DAY), &at(396 * DAY)), outside),
        (
            "a second before the window",
            wide(&(from.parse::<jiff::Timestamp>().unwrap() - SignedDuration::from_secs(1)).to_string(), &to),
            outside,
        ),
        (
            "a second after the window",
            wide(&from, &(to.parse::<jiff::Timestamp>().unwrap() + SignedDuration::from_secs(1)).to_string()),
            outside,
        ),
        ("an offset that hides an hour", wide(&from.replace("+02:00", "+03:00").replace("+01:00", "+02:00"), &to), outside),
        ("inverted", wide(&at(0), &at(-DAY)), &["WindowInverted"]),
        (
            "infinite in both ends",
            mine(&effectuation(&extensions(&[&bounds("DispositionsDatoInterval", INFINITE, INFINITE)]), "")),
            &["WindowInfinite"],
        ),
        (
            "infinite in one end",
            mine(&effectuation(&extensions(&[&bounds("DispositionsDatoInterval", &stamp(&from), INFINITE)]), "")),
            &["WindowInfinite"],
        ),
        ("a negative year", wide(&format!("-{}", at(-DAY)), &at(0)), unreadable),
        ("five digits of year", wide(&format!("0{}", at(-DAY)), &at(0)), unreadable),
        ("an offset out of range", wide(&at(-DAY).replace('Z', "+15:00"), &at(0)), unreadable),
        ("a date without a time", wide(&at(-DAY)[..10], &at(0)), unreadable),
        ("white space inside a date", wide(&at(-DAY).replace('T', " T"), &at(0)), unreadable),
        ("white space around a date that is too early", wide(&format!(" {}", at(-396 * DAY)), &at(0)), outside),
        ("full-width digits", wide(&at(-DAY).replace('2', "２"), &at(0)), unreadable),
        (
            "two dates in one interval's end",
            mine(&effectuation(&extensions(&[&bounds("DispositionsDatoInterval", &stamp(&from).repeat(2), &stamp(&to))]), "")),
            &["RequestInvalid", "DateUnreadable"],
        ),
        // Window: shapes.
        ("one branch of an OR without a date", all(&[&person(), &or(&[&inside(), &open()])]), &["WindowOpen"]),
        ("a dated search beside one without", all(&[&person(), &inside(), &open()]), &["WindowOpen"]),
        ("a wide search beside a narrow one", all(&[&person(), &inside(), &delimited(&at(-396 * DAY), &at(0))]), outside),
        (
            "the negation of the window",
            all(&[&person(), &not(&[&inside()])]),
            &["WindowOpen", "PersonShape", "RequestInvalid", "NotArity"],
        ),
        (
            "two intervals in one list, one wide",
            mine(&effectuation(&extensions(&[&within(), &interval(&at(-396 * DAY), &at(0))]), "")),
            &["WindowOutside", "WindowApart"],
        ),
        ("a date outside as a point", mine(&effectuation(&properties(&point(&at(-396 * DAY))), "")), outside),
        // Window: places.
        ("the date in TilstandListe", mine(&effectuation_with("", "", &extensions(&[&within()]), "")), misplaced),
        ("the date in RelationListe", mine(&effectuation("", &extensions(&[&within()]))), misplaced),
        ("the date in a line", mine(&effectuation("", &line(&extensions(&[&within()])))), misplaced),
        (
            "the date in the grant search",
            all(&[&grant_with("", &extensions(&[&within()]), &party(&cpr(PERSON))), &open()]),
            misplaced,
        ),
        (
            "the date in another namespace",
            mine(&effectuation(
                &extensions(&[&within()]).replace("oei:DispositionsDatoInterval", "bi:DispositionsDatoInterval"),
                "",
            )),
            misplaced,
        ),
        (
            "an embedded request",
            mine(&effectuation(
                &format!("<gd:LokalUdvidelseListe>{}</gd:LokalUdvidelseListe>", search(&and(&[&person(), &inside()]))),
                "",
            )),
            misplaced,
        ),
        // Versions in time.
        (
            "registration",
            mine(&effectuation_with(
                &format!("<sd:SoegRegistrering><sd:FraTidspunkt>{}</sd:FraTidspunkt></sd:SoegRegistrering>", stamp(&from)),
                "",
                "",
                "",
            )),
            temporal,
        ),
        (
            "effect",
            mine(&effectuation_with(
                &format!("<sd:SoegVirkning><sd:FraTidspunkt>{}</sd:FraTidspunkt></sd:SoegVirkning>", stamp(&from)),
                "",
                "",
                "",
            )),
            temporal,
        ),
        // The person.
        ("nobody", all(&[&inside()]), &["PersonMissing"]),
        ("a payment search for a tree", search(&inside()), misplaced),
        ("nobody, by an empty grant search", all(&[&grant(""), &inside()]), person_shape),
        ("two persons", all(&[&person(), &grant(&party(&cpr("6606551239"))), &inside()]), &["PersonSeveral", "PersonShape"]),
        (
            "two persons in one search",
            all(&[&grant(&party(&cpr(PERSON)).repeat(2).replacen(PERSON, "6606551239", 1)), &inside()]),
            &["PersonSeveral", "PersonShape", "RequestInvalid"],
        ),
        (
            "this person or another",
            search(&and(&[&or(&[&person(), &grant(&party(&cpr("6606551239")))]), &inside()])),
            person_shape,
        ),
        ("this person or anybody's payments", search(&or(&[&person(), &inside()])), person_shape),
        ("anybody but this person", all(&[&not(&[&person()]), &inside()]), person_shape),
        (
            "another as payee",
            all(&[&person(), &effectuation(&extensions(&[&within()]), &payee("6606551239"))]),
            &["PersonSeveral", "PersonShape", "CriterionWithheld", "RequestInvalid"],
        ),
        ("a person by UUID", all(&[&grant(&party(&uuid("3102fa7e-f56e-4510-b0d4-1650c590dc3b"))), &inside()]), &["PersonScheme"]),
        ("a company", all(&[&grant(&party(&urn("urn:oio:cvr-nr:11111111"))), &inside()]), &["PersonScheme"]),
        (
            "a scheme in capitals",
            all(&[&grant(&party(&urn(&format!("URN:OIO:CPR-NR:{PERSON}")))), &inside()]),
            &["PersonScheme", "PersonInvalid"],
        ),
        ("a pattern", all(&[&grant(&party(&cpr("61018012%"))), &inside()]), &["PersonInvalid", "PersonScheme"]),
        (
            "a number with a space",
            all(&[&grant(&party(&cpr(&format!("{PERSON} ")))), &inside()]),
            &["PersonInvalid", "PersonScheme"],
        ),
        // Oracles on what is withheld.
        (
            "sensitivity as a criterion",
            mine(&effectuation(&extensions(&[&format!("{}<oei:Foelsomhed>VIP_SAG</oei:Foelsomhed>", within())]), "")),
            withheld,
        ),
        (
            "a grant's sensitivity as a criterion",
            all(&[
                &grant_with("", "<bi:Egenskaber><bi:Foelsomhed>VIP_SAG</bi:Foelsomhed></bi:Egenskaber>", &party(&cpr(PERSON))),
                &inside(),
            ]),
            withheld,
        ),
        (
            "a life cycle as a criterion",
            mine(&effectuation_with("", &extensions(&[&within()]), "<oei:Livscyklus>Slettet</oei:Livscyklus>", "")),
            withheld,
        ),
        (
            "sorting by a name",
            input(&format!("{}<yi:Sortering><yi:Element>FuldtNavn</yi:Element></yi:Sortering>", and(&[&person(), &inside()]))),
            &["SortingWithheld", "RequestInvalid"],
        ),
        ("a page too large", paged("0", "501"), &["PagingOutside"]),
        ("a negative page", paged("-1", "1"), &["PagingOutside"]),
        ("a page that overflows", paged("0", "99999999999999999999999"), &["PagingOutside"]),
        (
            "objects beside the search",
            with_filter("<yi:BevillingInkluder>alle</yi:BevillingInkluder>"),
            &["IncludeRefused", "RequestInvalid"],
        ),
        (
            "a look-up of a grant",
            input(&format!(
                "<yi:BevillingUuid>70355b26-6028-4e42-9eb1-1a93aa9890b1</yi:BevillingUuid>{}",
                and(&[&person(), &inside()])
            )),
            &["DirectLookup"],
        ),
        (
            "a look-up of a payment",
            input("<yi:OekonomiskEffektueringUuid>70355b26-6028-4e42-9eb1-1a93aa9890b1</yi:OekonomiskEffektueringUuid>"),
            &["DirectLookup"],
        ),
        (
            "a NOT of two",
            all(&[&person(), &inside(), &not(&[&inside(), &inside()])]),
            &["NotArity", "RequestInvalid", "PersonShape"],
        ),
        ("an operation that nobody knows", search(&expression("XOR", &[&person(), &inside()])), &["RequestInvalid"]),
        ("an unknown element", mine(&format!("{}<yi:Andet/>", inside())), &["RequestInvalid"]),
        (
            "two roots of the tree",
            input(&and(&[&person(), &inside()]).repeat(2)),
            &["RequestInvalid", "PersonShape", "DateMisplaced"],
        ),
        ("no tree", input(""), &["RequestInvalid", "PersonMissing"]),
    ]
}

pub fn count() -> Vec<(u8, usize)> {
    vec![(26, table().len())]
}

#[test]
fn no_search_goes_past_window_and_person() {
    let arena = arena();
    let honest = search(&and(&[&person(), &delimited(&month(-3), &month(1))]));
    assert!(arena.send(signed(&honest)).is_served(), "the whole window may be asked for");
    arena.nothing_passes(|arena| {
        let mut wrong = Vec::new();
        for (reason, asked, codes) in table() {
            let answer = arena.send(signed(&asked));
            if !codes.contains(&answer.code.as_str()) || answer.status != 500 {
                wrong.push(format!("{reason}: HTTP {} {} instead of {codes:?}", answer.status, answer.code));
            }
            let holds = |number: &str| answer.text.contains(number);
            assert!(!holds(PERSON) && !holds("6606551239"), "{reason}: a fault never holds a person's number");
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

/// Neutralised: where no date is given the gateway writes the window into what it sends, whoever asked.
#[test]
fn a_search_without_a_date_is_sent_with_the_window_in_it() {
    let arena = arena();
    assert!(arena.send(signed(&search(&and(&[&person(), &effectuation("", "")])))).is_served());
    let forwarded = arena.last_reached();
    assert!(
        forwarded.contains(&stamp(&month(-3)).replace("<sd:TidsstempelDatoTid>", "").replace("</sd:TidsstempelDatoTid>", ""))
    );
    assert!(forwarded.contains(&month(1)));
    arena.serves();
}
