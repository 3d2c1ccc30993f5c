//! An index that says what it should not, over a signature of its own that holds: what the law withholds is in the answer,
//! in every place where it could hide, and none of it reaches the caller. And a token service that says anything at all: no
//! call goes on with a token that is not the one asked for.

use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{UDK, demo};
use hjemmel::stub::sts::StsMode;
use hjemmel::stub::sts::development::Names;
use hjemmel::stub::ydelsesindeks::mode::FaultMode;
use jiff::SignedDuration;

use crate::stage::{Mint, Stage, lines, on_stage};

/// Stands in every hidden place; it is an amount, a text and part of an id at once.
const HIDDEN: &str = "77310077";
/// What is released of the honest part.
const SHOWN: &str = "1204.50";
pub const GRANT: &str = "b0000000-0000-4000-8000-000000000001";
const OTHER_GRANT: &str = "b0000000-0000-4000-8000-000000000002";
const KLASS: &str = "70355b26-6028-4e42-9eb1-1a93aa9890b1";

fn uuid(uuid: &str) -> String {
    format!("<sd:UUIDIdentifikator>{uuid}</sd:UUIDIdentifikator>")
}

pub fn grant(id: &str, cpr: &str) -> String {
    format!(
        "<yi:BevillingFiltreretOejebliksbillede><bi:ObjektType>{}</bi:ObjektType><bi:Registrering><bi:AttributListe/><bi:TilstandListe/>\
         <bi:RelationListe><bi:Bevillingspart><gd:Rolle>{}</gd:Rolle><gd:ReferenceID><sd:URNIdentifikator>urn:oio:cpr-nr:{cpr}\
         </sd:URNIdentifikator></gd:ReferenceID></bi:Bevillingspart></bi:RelationListe></bi:Registrering>\
         </yi:BevillingFiltreretOejebliksbillede>",
        uuid(id),
        uuid("3102fa7e-f56e-4510-b0d4-1650c590dc3b"),
    )
}

pub fn properties(date: &str, amount: &str) -> String {
    format!("<oei:Egenskaber><oei:SamletBruttobeloeb>{amount}</oei:SamletBruttobeloeb>{date}</oei:Egenskaber>")
}

pub fn dated(date: &str) -> String {
    format!("<oei:Dispositionsdato>{date}</oei:Dispositionsdato>")
}

pub fn owner(cvr: &str) -> String {
    format!(
        "<oei:Aktoer><gd:Rolle>{}</gd:Rolle><oei:CVR-nr>{cvr}</oei:CVR-nr></oei:Aktoer>",
        uuid("a91824c4-da1d-47f9-bce2-5d6597879415")
    )
}

pub fn line(grant: &str, amount: &str) -> String {
    format!(
        "<oei:OekonomiskYdelseEffektueringRelation><gd:ReferenceID>{}</gd:ReferenceID><oei:Ydelsesbeloeb>{amount}</oei:Ydelsesbeloeb>\
         <oei:Klassifikationsbeskrivelse>32.03.04</oei:Klassifikationsbeskrivelse><oei:BevilgetYdelseRef>{}</oei:BevilgetYdelseRef>\
         </oei:OekonomiskYdelseEffektueringRelation>",
        uuid(KLASS),
        uuid(grant),
    )
}

pub fn registration(properties: &str, relations: &str) -> String {
    format!(
        "<oei:Registrering><oei:AttributListe>{properties}</oei:AttributListe><oei:TilstandListe/><oei:RelationListe>{relations}\
         </oei:RelationListe></oei:Registrering>"
    )
}

pub fn payment(n: u32, registrations: &str) -> String {
    format!(
        "<yi:OekonomiskEffektueringFiltreretOejebliksbillede><oei:ObjektType>{}</oei:ObjektType>{registrations}\
         </yi:OekonomiskEffektueringFiltreretOejebliksbillede>",
        uuid(&format!("e0000000-0000-4000-8000-{n:012}")),
    )
}

pub fn output(head: &str, objects: &str) -> String {
    format!(
        "<yi:FremsoegYdelseIndeksOutput xmlns:yi=\"urn:oio:sts:ydelse:ydelseindeks:6\" xmlns:bi=\"urn:oio:sts:ydelse:bevillingindeks:6\" \
         xmlns:oei=\"urn:oio:sts:ydelse:oekonomiskeffektueringindeks:6\" xmlns:gd=\"urn:oio:sts:generelledefinitioner:6\" \
         xmlns:sd=\"urn:oio:sagdok:3.0.0\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <sd:StandardRetur><sd:StatusKode>20</sd:StatusKode>{head}</sd:StandardRetur>{objects}</yi:FremsoegYdelseIndeksOutput>"
    )
}

/// What comes of an answer.
enum Outcome {
    /// The honest payment is released, as if the rest were not there.
    Honest,
    /// Nothing is released, and nothing shows that something was there.
    Nothing,
    /// The call ends in this fault.
    Fault(&'static str),
}
use Outcome::{Fault, Honest, Nothing};

fn answers(stage: &Stage) -> Vec<(&'static str, String, Outcome)> {
    let at = |days: i64| (stage.world.clock.now() + SignedDuration::from_hours(24 * days)).to_string();
    let inside = at(-2);
    let relations = |grant: &str, cvr: &str, amount: &str| format!("{}{}", line(grant, amount), owner(cvr));
    let honest = payment(1, &registration(&properties(&dated(&inside), SHOWN), &relations(GRANT, UDK, SHOWN)));
    let mine = grant(GRANT, demo::UDK_ONLY);
    let with = |more: &str| output("", &format!("{mine}{honest}{more}"));
    let alone = |object: &str| output("", &format!("{mine}{object}"));
    let hidden = |date: &str| payment(2, &registration(&properties(date, HIDDEN), &relations(GRANT, UDK, HIDDEN)));
    let whole = registration(&properties(&dated(&inside), HIDDEN), &relations(GRANT, UDK, HIDDEN));
    let in_honest = |from: &str, to: &str| {
        assert!(honest.contains(from));
        output("", &format!("{mine}{}", honest.replacen(from, to, 1)))
    };
    let year = &inside[..4];
    vec![
        ("a payment of a year ago", with(&hidden(&dated(&at(-400)))), Honest),
        ("a payment to come", with(&hidden(&dated(&at(400)))), Honest),
        ("a payment without a date", with(&hidden("")), Honest),
        ("a payment with an empty date", with(&hidden(&dated(""))), Honest),
        ("a date that is nil", with(&hidden("<oei:Dispositionsdato xsi:nil=\"true\"/>")), Honest),
        ("two dates", with(&hidden(&format!("{}{}", dated(&inside), dated(&at(-400))))), Honest),
        ("a date of year minus 2026, in CDATA", with(&hidden(&dated(&format!("-<![CDATA[{inside}]]>")))), Honest),
        (
            "a date of another year, split by CDATA",
            with(&hidden(&dated(&inside.replacen(year, "<![CDATA[1]]>9<![CDATA[99]]>", 1)))),
            Honest,
        ),
        ("a date inside, its year of six digits", with(&hidden(&dated(&inside.replacen(year, &format!("00{year}"), 1)))), Honest),
        ("a date with an element in it", with(&hidden(&dated(&format!("{inside}<oei:x>{HIDDEN}</oei:x>")))), Honest),
        (
            "a second registration that is outside",
            with(&payment(
                2,
                &format!(
                    "{}{}",
                    registration(&properties(&dated(&at(-400)), HIDDEN), &relations(GRANT, UDK, HIDDEN)),
                    registration(&properties(&dated(&at(-500)), HIDDEN), &relations(GRANT, UDK, HIDDEN)),
                ),
            )),
            Honest,
        ),
        (
            "second properties that are outside",
            with(&payment(
                2,
                &registration(
                    &format!("{}{}", properties(&dated(&inside), HIDDEN), properties(&dated(&at(-400)), HIDDEN)),
                    &relations(GRANT, UDK, HIDDEN),
                ),
            )),
            Honest,
        ),
        (
            "a payment of another owner",
            with(&payment(2, &registration(&properties(&dated(&inside), HIDDEN), &relations(GRANT, "11111111", HIDDEN)))),
            Honest,
        ),
        (
            "a payment of two owners",
            with(&payment(
                2,
                &registration(
                    &properties(&dated(&inside), HIDDEN),
                    &format!("{}{}", relations(GRANT, UDK, HIDDEN), owner("11111111")),
                ),
            )),
            Honest,
        ),
        (
            "a payment of an owner split by CDATA",
            with(&payment(
                2,
                &registration(
                    &properties(&dated(&inside), HIDDEN),
                    &relations(GRANT, &UDK.replacen('9', "9<![CDATA[0]]>", 1), HIDDEN),
                ),
            )),
            Honest,
        ),
        (
            "a payment by another person's grant",
            output(
                "",
                &format!(
                    "{mine}{}{honest}{}",
                    grant(OTHER_GRANT, demo::MUNICIPAL_ONLY),
                    payment(2, &registration(&properties(&dated(&inside), HIDDEN), &relations(OTHER_GRANT, UDK, HIDDEN)))
                ),
            ),
            Honest,
        ),
        (
            "only a payment by another person's grant",
            output(
                "",
                &format!(
                    "{}{}",
                    grant(OTHER_GRANT, demo::MUNICIPAL_ONLY),
                    payment(2, &registration(&properties(&dated(&inside), HIDDEN), &relations(OTHER_GRANT, UDK, HIDDEN)))
                ),
            ),
            Nothing,
        ),
        ("a payment without its grant", output("", &payment(2, &whole)), Fault("PersonUnproven")),
        (
            "a grant of two persons",
            output(
                "",
                &format!(
                    "{}{}",
                    mine.replace(
                        "</bi:Bevillingspart>",
                        &format!(
                            "</bi:Bevillingspart><bi:Bevillingspart><gd:Rolle>{}</gd:Rolle><gd:ReferenceID><sd:URNIdentifikator>\
                             urn:oio:cpr-nr:{}</sd:URNIdentifikator></gd:ReferenceID></bi:Bevillingspart>",
                            uuid("3102fa7e-f56e-4510-b0d4-1650c590dc3b"),
                            demo::MUNICIPAL_ONLY
                        )
                    ),
                    payment(2, &whole)
                ),
            ),
            Fault("PersonUnproven"),
        ),
        ("nothing but what is outside", alone(&hidden(&dated(&at(-400)))), Nothing),
        // Hiding places: what the schema lets through anywhere.
        (
            "a text beside the status",
            output(&format!("<sd:FejlbeskedTekst>{HIDDEN}</sd:FejlbeskedTekst>"), &format!("{mine}{honest}")),
            Honest,
        ),
        (
            "a whole object as another type of ObjektType",
            in_honest(
                "<oei:ObjektType>",
                &format!("<oei:ObjektType xsi:type=\"oei:All\" x=\"{HIDDEN}\"><oei:Note>{HIDDEN}</oei:Note>"),
            ),
            // Whoever says its type anew is read as nothing that is known.
            Nothing,
        ),
        (
            "an extension of the properties",
            in_honest(
                "</oei:AttributListe>",
                &format!("<gd:LokalUdvidelseListe><yi:A>{HIDDEN}{whole}</yi:A></gd:LokalUdvidelseListe></oei:AttributListe>"),
            ),
            Honest,
        ),
        (
            "an extension of the states",
            in_honest("<oei:TilstandListe/>", &format!("<oei:TilstandListe>{whole}{HIDDEN}</oei:TilstandListe>")),
            Honest,
        ),
        (
            "a net amount",
            in_honest(
                "<oei:Dispositionsdato>",
                &format!("<oei:BeloebUdbetalt>{HIDDEN}</oei:BeloebUdbetalt><oei:Dispositionsdato>"),
            ),
            Honest,
        ),
        (
            "a field that nobody knows",
            in_honest("<oei:Dispositionsdato>", &format!("<oei:Ny>{HIDDEN}</oei:Ny><oei:Dispositionsdato>")),
            Honest,
        ),
        (
            "a known name in a foreign namespace",
            in_honest(
                "<oei:Dispositionsdato>",
                &format!("<f:SamletBruttobeloeb xmlns:f=\"urn:f\">{HIDDEN}</f:SamletBruttobeloeb><oei:Dispositionsdato>"),
            ),
            Honest,
        ),
        (
            "a prefix that means another namespace further in",
            in_honest(
                "<oei:Dispositionsdato>",
                &format!("<oei:SamletBruttobeloeb xmlns:oei=\"urn:f\">{HIDDEN}</oei:SamletBruttobeloeb><oei:Dispositionsdato>"),
            ),
            Honest,
        ),
        (
            "an attribute",
            in_honest("<oei:Klassifikationsbeskrivelse>", &format!("<oei:Klassifikationsbeskrivelse note=\"{HIDDEN}\">")),
            Honest,
        ),
        ("the owner's name", in_honest("<oei:CVR-nr>", &format!("<oei:FuldtNavn>{HIDDEN}</oei:FuldtNavn><oei:CVR-nr>")), Honest),
        (
            "the text of the kind",
            with(&payment(
                2,
                &registration(&properties(&dated(&at(-400)), HIDDEN), &relations(GRANT, UDK, HIDDEN).replace("32.03.04", HIDDEN)),
            )),
            Honest,
        ),
        ("text between the elements", in_honest("<oei:Registrering>", &format!("{HIDDEN}<oei:Registrering>")), Honest),
        ("an object of a kind that nobody knows", with(&format!("<yi:Andet>{HIDDEN}</yi:Andet>")), Honest),
        (
            "a count that says how much is hidden",
            output(
                "",
                &format!(
                    "<yi:Antal><yi:Element>effektueringer</yi:Element><yi:Antal>{HIDDEN}</yi:Antal></yi:Antal>{mine}{honest}"
                ),
            ),
            Honest,
        ),
        (
            "another answer inside a grant",
            output(
                "",
                &format!(
                    "{}{honest}",
                    mine.replace(
                        "<bi:AttributListe/>",
                        &format!("<bi:AttributListe>{}</bi:AttributListe>", with(&payment(3, &whole)))
                    )
                ),
            ),
            Honest,
        ),
        // What is no answer.
        ("a second answer behind it", format!("{}{}", with(""), alone(&payment(2, &whole))), Fault("PeerAnswerInvalid")),
        (
            "another answer's name",
            with(&hidden("")).replace("FremsoegYdelseIndeksOutput", "HentYdelseIndeksOutput"),
            Fault("PeerAnswerInvalid"),
        ),
        (
            "an answer of another version",
            with(&hidden("")).replace("ydelse:ydelseindeks:6", "ydelse:ydelseindeks:5"),
            Fault("PeerAnswerInvalid"),
        ),
        ("nothing at all", String::new(), Fault("PeerAnswerInvalid")),
        (
            "a fault, signed",
            format!(
                "<soap:Fault><soap:Code><soap:Value>soap:Receiver</soap:Value></soap:Code><soap:Reason><soap:Text xml:lang=\"da\">{HIDDEN}</soap:Text></soap:Reason></soap:Fault>"
            ),
            Fault("PeerFault"),
        ),
    ]
}

#[test]
fn nothing_that_the_law_withholds_reaches_the_caller_wherever_a_signed_answer_hides_it() {
    on_stage(async |stage| {
        let mut wrong = Vec::new();
        for (sentence, body, outcome) in answers(stage) {
            stage.world.index_mode.set(FaultMode::Says(body.leak()));
            let answer = stage.ask(demo::UDK_ONLY).await;
            stage.world.index_mode.set(FaultMode::Honest);
            let text = answer.text();
            if text.contains(HIDDEN) {
                wrong.push(format!("{sentence}: what is hidden came through: {text}"));
            }
            let as_wanted = match outcome {
                Honest => answer.status == 200 && lines(&answer).len() == 1 && text.contains(SHOWN),
                Nothing => answer.status == 200 && lines(&answer).is_empty() && !text.contains(SHOWN),
                Fault(code) => text.contains(&format!("<spf:ErrorCode>{code}<")) && !text.contains(SHOWN),
            };
            if !as_wanted {
                wrong.push(format!("{sentence}: HTTP {} {text}", answer.status));
            }
            // So that the breaker does not open.
            stage.serves().await;
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    });
}

/// An answer of the token service, unsigned as some of its examples are, with this where the token belongs.
fn issued(token: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body><t:RequestSecurityTokenResponseCollection \
         xmlns:t=\"http://docs.oasis-open.org/ws-sx/ws-trust/200512\"><t:RequestSecurityTokenResponse><t:RequestedSecurityToken>{token}\
         </t:RequestedSecurityToken></t:RequestSecurityTokenResponse></t:RequestSecurityTokenResponseCollection></s:Body></s:Envelope>"
    )
}

#[test]
fn no_call_goes_on_with_what_a_hostile_token_service_says() {
    on_stage(async |stage| {
        // The tokens that the gateway holds have expired, and it asks anew.
        let anew = || stage.travel(SignedDuration::from_hours(9));
        let own = || Mint { audience: Names::default().index, holder: Role::GatewayClient, ..Mint::default() };
        let minted = |mint: &Mint| String::from_utf8(stage.mint(mint).bytes().to_vec()).unwrap();
        anew();
        stage.world.sts_mode.set(StsMode::Says(issued(&minted(&own())).leak()));
        stage.serves().await;

        anew();
        let good = minted(&own());
        let id = good.split("ID=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let forged = good.replace(&id, "_forged").replace(">11111111<", ">99999991<");
        let bearer = stage.mint_with(&own(), |xml| xml.replace("cm:holder-of-key", "cm:bearer"));
        let envelope = issued(&good);
        let cases = [
            ("nothing", String::new()),
            ("no XML", format!("%PDF {HIDDEN}")),
            ("a DTD", format!("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>{envelope}")),
            ("an instruction", format!("<?xml-stylesheet href=\"http://beacon.invalid/\"?>{envelope}")),
            ("an answer cut short", envelope[..envelope.len() - 30].to_owned()),
            (
                "a megabyte",
                envelope
                    .replace("<t:RequestedSecurityToken>", &format!("<x>{}</x><t:RequestedSecurityToken>", "x".repeat(1 << 20))),
            ),
            ("deeper than anything", issued(&"<x>".repeat(10_000))),
            ("no token", issued("")),
            ("two tokens", issued(&format!("{good}{good}"))),
            ("a forged token before the real one", issued(&format!("{forged}{good}"))),
            (
                "a forged token around the real one",
                issued(&forged.replace("</Assertion>", &format!("<Advice>{good}</Advice></Assertion>"))),
            ),
            ("a forged token alone", issued(&forged)),
            ("an altered token", issued(&good.replace(">11111111<", ">99999991<"))),
            ("a comment in a token", issued(&good.replace(">11111111<", ">1111<!-- -->1111<"))),
            ("an encrypted token", issued("<EncryptedAssertion xmlns=\"urn:oasis:names:tc:SAML:2.0:assertion\"/>")),
            ("a bearer token", issued(std::str::from_utf8(bearer.bytes()).unwrap())),
            ("a token that another signed", issued(&minted(&Mint { signer: Role::Intruder, ..own() }))),
            ("a token for the gateway itself", issued(&minted(&Mint { audience: Mint::default().audience, ..own() }))),
            ("a token for another authority", issued(&minted(&Mint { cvr: UDK.to_owned(), ..own() }))),
            ("a token for another key", issued(&minted(&Mint { holder: Role::Korsbaek, ..own() }))),
            ("a token of yesterday", issued(&minted(&Mint { from: SignedDuration::from_hours(-24), ..own() }))),
            ("a token of tomorrow", issued(&minted(&Mint { from: SignedDuration::from_hours(24), ..own() }))),
            ("a token of another issuer", issued(&minted(&Mint { issuer: "https://other.example".to_owned(), ..own() }))),
            (
                "a fault",
                format!(
                    "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body><s:Fault>{HIDDEN}</s:Fault></s:Body></s:Envelope>"
                ),
            ),
        ];
        let before = stage.world.index_requests();
        for (sentence, said) in cases {
            stage.world.sts_mode.set(StsMode::Says(said.leak()));
            let answer = stage.ask(demo::UDK_ONLY).await;
            let text = answer.text();
            let codes = ["StsAnswerInvalid", "StsUnavailable", "StsRefused"];
            assert!(codes.iter().any(|code| text.contains(&format!("<spf:ErrorCode>{code}<"))), "{sentence}: {text}");
            assert!(!text.contains(HIDDEN), "{sentence}: {text}");
        }
        assert_eq!(stage.world.index_requests(), before, "nothing was forwarded");
        stage.world.sts_mode.set(StsMode::Honest);
        stage.serves().await;
    });
}
