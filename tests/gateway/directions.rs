//! Both directions, both bindings, both SOAP versions, both forms: what is served, and that what is withheld leaves no trace.

use hjemmel::audit::{Binding, Outcome};
use hjemmel::cli::call::check_signature;
use hjemmel::signature::sign::Token;
use hjemmel::soap::envelope::Version;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{KORSBAEK, UDK, demo};

use crate::request::{and, effectuation, grant_with, input, kle, party, search};
use crate::stage::{REQUEST_HEADER, Signed, Stage, WRAPPER, lines, on_stage, person};
use crate::wire::Answer;

pub fn about(cpr: &str) -> String {
    search(&and(&[&person(cpr)]))
}

pub fn wrapped(input: &str) -> String {
    format!("<ta:FremsoegRequest xmlns:ta=\"{WRAPPER}\">{input}</ta:FremsoegRequest>")
}

/// A call of the token binding, its answer's signature and relation verified.
pub async fn by_token(stage: &Stage, version: Version, token: &Token, role: Role, body: &str) -> Answer {
    let mut signed = Signed::new(version, token, body);
    signed.signer = role;
    let answer = stage.call(version, None, stage.signed(&signed)).await;
    let pinned = [stage.world.gateway_certificate().unwrap()];
    check_signature(&answer.body, &pinned, &signed.message_id, stage.world.clock.now())
        .unwrap_or_else(|problem| panic!("{version:?}: {problem:?} {}", answer.text()));
    let text = answer.text();
    assert!(text.contains(&format!(">{}</", signed.message_id)), "RelatesTo names the request: {text}");
    assert!(text.contains(&signed.transaction.to_string()) && text.contains(REQUEST_HEADER), "the caller's own id comes back");
    answer
}

#[test]
fn both_directions_are_served_in_every_binding_version_and_form() {
    on_stage(async |stage| {
        let directions = [(Role::Korsbaek, KORSBAEK, demo::UDK_ONLY), (Role::Udk, UDK, demo::MUNICIPAL_ONLY)];
        for (role, cvr, citizen) in directions {
            let token = stage.token(role, cvr).await;
            for version in [Version::V11, Version::V12] {
                for (form, body) in [("own", about(citizen)), ("wrapped", wrapped(&about(citizen)))] {
                    let answer = by_token(stage, version, &token, role, &body).await;
                    assert_eq!(answer.status, 200, "{cvr} {version:?} {form}: {}", answer.text());
                    assert!(!lines(&answer).is_empty(), "{cvr} {version:?} {form}");
                    assert_eq!(
                        answer.text().contains("<ta:FremsoegResponse xmlns:ta="),
                        form == "wrapped",
                        "the answer has the question's form"
                    );
                    let mime = if version == Version::V11 { "text/xml" } else { "application/soap+xml" };
                    assert!(answer.header("content-type").starts_with(mime), "{}", answer.header("content-type"));
                    let record = stage.record(&answer);
                    assert_eq!((record.outcome, record.binding), (Some(Outcome::Served), Some(Binding::Token)));
                    assert_eq!(record.authority.unwrap().to_string(), cvr);
                }
                let answer = stage.call(version, Some(role), stage.by_tls(version, cvr, &about(citizen))).await;
                assert_eq!(answer.status, 200, "{cvr} {version:?}: {}", answer.text());
                assert!(
                    !lines(&answer).is_empty() && answer.text().contains("<ta:FremsoegResponse xmlns:ta="),
                    "{}",
                    answer.text()
                );
                assert_eq!(stage.record(&answer).binding, Some(Binding::AuthorityContext));
            }
        }
    });
}

#[test]
fn a_direction_shows_the_counterparts_benefits_and_never_ones_own() {
    on_stage(async |stage| {
        let municipality = stage.ask(demo::BOTH).await;
        assert!(lines(&municipality).iter().all(|line| line.contains("Udbetaling Danmark")), "{:?}", lines(&municipality));
        assert!(!lines(&municipality).is_empty());
        let message = stage.by_tls(Version::V11, UDK, &about(demo::BOTH));
        let udk = stage.call(Version::V11, Some(Role::Udk), message).await;
        assert!(!lines(&udk).is_empty());
        assert!(lines(&udk).iter().all(|line| line.contains("Kommune")), "{:?}", lines(&udk));
    });
}

#[test]
fn what_concerns_a_third_person_is_shown_by_the_grant_and_what_cannot_be_proven_is_refused() {
    on_stage(async |stage| {
        // Her housing benefit, paid to another, is hers; the child benefit that she receives for another is not.
        let hers = stage.ask(demo::THIRD_PERSON).await;
        let others = stage.ask(demo::THE_OTHER).await;
        assert!(!lines(&hers).is_empty() && !lines(&others).is_empty());
        let kinds = |answer: &Answer| -> std::collections::BTreeSet<String> {
            lines(answer).iter().map(|line| line.split('[').nth(1).unwrap()[..8].to_owned()).collect()
        };
        assert!(kinds(&hers).is_disjoint(&kinds(&others)), "{:?} {:?}", kinds(&hers), kinds(&others));
        for answer in [&hers, &others] {
            for cpr in [demo::THIRD_PERSON, demo::THE_OTHER] {
                assert!(!answer.text().contains(cpr), "no person's number is released");
            }
        }
        stage.refused(&stage.ask(demo::UNPROVEN).await, "PersonUnproven");
    });
}

#[test]
fn a_search_may_be_narrowed_by_kind_filter_and_page() {
    on_stage(async |stage| {
        let ask = async |input: String| {
            let answer = stage.call(Version::V11, Some(Role::Korsbaek), stage.by_tls(Version::V11, KORSBAEK, &input)).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            answer
        };
        let all = stage.ask(demo::UDK_ONLY).await;
        let number = lines(&all)[0].split('[').nth(1).unwrap()[..8].to_owned();
        let one_kind = ask(search(&and(&[&person(demo::UDK_ONLY), &effectuation("", &kle(&number))]))).await;
        assert!(!lines(&one_kind).is_empty());
        assert!(lines(&one_kind).iter().all(|line| line.contains(&number)));
        let another = ask(search(&and(&[&person(demo::UDK_ONLY), &effectuation("", &kle("27.99.99"))]))).await;
        assert!(lines(&another).is_empty(), "a kind that she does not have");

        let filter = |vis: &str| input(&format!("{}<yi:Filter>{vis}</yi:Filter>", and(&[&person(demo::UDK_ONLY)])));
        let actors = "<yi:OekonomiskEffektueringVis><yi:Vis>aktoer</yi:Vis></yi:OekonomiskEffektueringVis>";
        let narrow = ask(filter(actors)).await;
        assert_eq!(lines(&narrow).len(), lines(&all).len(), "as many objects");
        assert!(narrow.text().contains("FuldtNavn") && !narrow.text().contains("Dispositionsdato"), "with what was asked for");
        let none = ask(filter("")).await;
        assert!(!none.text().contains("FuldtNavn") && !none.text().contains("Dispositionsdato"), "{}", none.text());
        assert!(none.text().len() < narrow.text().len() && narrow.text().len() < all.text().len());

        let page = "<sd:FoersteResultatReference>0</sd:FoersteResultatReference><sd:MaksimalAntalKvantitet>500</sd:MaksimalAntalKvantitet>";
        let at_the_cap = grant_with(page, "", &party(&crate::request::cpr(demo::UDK_ONLY)));
        assert!(!lines(&ask(search(&and(&[&at_the_cap]))).await).is_empty(), "a page of the greatest size");
    });
}
