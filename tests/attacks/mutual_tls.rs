//! Row 25: the AuthorityContext binding, where a claimed authority is worth what the certificate's agreement says.

use hjemmel::cli::call::client::Client;
use hjemmel::cli::demo::world::WITHOUT_BACK;
use hjemmel::clock::Clock;
use hjemmel::signature::credentials::Credentials;
use hjemmel::stub::pki::{DevPki, KeyBits, Leaf, Role, Usage};
use hjemmel::stub::population::{KORSBAEK, UDK};
use jiff::SignedDuration;

use crate::arena::{Arena, SOAP11, SOAP12, arena, started};
use crate::forge::{self, OPEN, piece};
use crate::parties::input;

const CONTEXT: &str = "http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/";

const CALL_CONTEXT: &str = "http://serviceplatformen.dk/xml/schemas/CallContext/1/";
const XSI: &str = "xmlns:x=\"http://www.w3.org/2001/XMLSchema-instance\"";

fn message() -> String {
    let message = Client::authority_context_message(KORSBAEK.parse().unwrap(), &input());
    String::from_utf8(message.to_vec()).unwrap()
}

fn of(role: Role) -> Option<Credentials> {
    Some(started().credentials[&role].clone())
}

/// A certificate of the world's own CA, for the municipality in name and number.
fn issued(arena: &Arena, usage: Usage, from_days: i64, to_days: i64) -> Credentials {
    let now = Clock::system().now();
    let day = |days: i64| now + SignedDuration::from_hours(24 * days);
    let leaf = Leaf {
        common_name: "Fagsystem Korsbæk".to_owned(),
        organization: "Korsbæk Kommune".to_owned(),
        cvr: KORSBAEK.to_owned(),
        uuid: Role::Korsbaek.uuid().to_owned(),
        usage,
        not_before: day(from_days),
        not_after: day(to_days),
    };
    arena.world.pki.issue(&leaf).unwrap()
}

#[test]
fn a_certificate_that_tls_does_not_take_gets_no_answer_at_all() {
    let arena = arena();
    let other_ca = DevPki::generate(&Clock::system(), KeyBits::Bits2048).unwrap();
    arena.nothing_passes(|arena| {
        for (reason, credentials) in [
            ("expired", issued(arena, Usage::System, -20, -2)),
            ("not yet valid", issued(arena, Usage::System, 2, 20)),
            ("for servers", issued(arena, Usage::Server, -2, 20)),
            ("the gateway's own server's", of(Role::GatewayServer).unwrap()),
            ("the same names by another CA", other_ca.credentials(Role::Korsbaek).unwrap().clone()),
        ] {
            let answer = arena.runtime.block_on(async {
                let client = arena.client(Some(credentials));
                arena.post(&client, &[("content-type", SOAP11)], message().into_bytes()).await
            });
            assert!(answer.is_err(), "{reason}: {answer:?}");
        }
    });
}

type Claim = (&'static str, Option<Credentials>, Vec<(&'static str, &'static str)>, String, &'static [&'static str]);

fn table(arena: &Arena) -> Vec<Claim> {
    let good = message();
    let plain = || vec![("content-type", SOAP11)];
    let context = piece(&good, "<ac:AuthorityContext", "</ac:AuthorityContext>").to_owned();
    let request = piece(&good, OPEN, forge::END).to_owned();
    let korsbaek = || of(Role::Korsbaek);
    let claims = |text: &str| good.replace(&format!(">{KORSBAEK}<"), &format!(">{text}<"));
    let invalid: &[&str] = &["AuthorityContextInvalid"];
    let none: &[&str] = &["ServiceAgreementNotFound"];
    let shape: &[&str] = &["RequestInvalid"];
    let missing: &[&str] = &["SecurityModelMissing"];
    let nil = |local: &str| format!("<ac:{local} {XSI} x:nil=\"true\"");
    let calling = |attribute: &str, inside: &str| {
        let calling = format!("<cc:CallContext xmlns:cc=\"{CALL_CONTEXT}\"{attribute}>{inside}</cc:CallContext>");
        good.replace(&context, &format!("{calling}{context}"))
    };
    let in_header = |inner: &str| good.replace("<s:Body>", &format!("<s:Header>{inner}</s:Header><s:Body>"));
    let token = forge::request();
    let unsigned = {
        let security = piece(&token, "<wsse:Security ", "</wsse:Security>");
        token.replace(security, "")
    };
    let declared = format!("<wsse:Security xmlns:soap=\"{}\" ", hjemmel::soap::names::SOAP12);
    let security = piece(&token, "<wsse:Security ", "</wsse:Security>").replace("<wsse:Security ", &declared);
    let mut table: Vec<Claim> = vec![
        ("no certificate", None, plain(), good.clone(), &["ClientCertificateMissing"]),
        (
            "no certificate, over SOAP 1.2",
            None,
            vec![("content-type", SOAP12)],
            good.replace(hjemmel::soap::names::SOAP11, hjemmel::soap::names::SOAP12),
            &["ClientCertificateMissing"],
        ),
        ("a system without any agreement", of(Role::Intruder), plain(), good.clone(), none),
        (
            "a new certificate with the municipality's own names",
            Some(issued(arena, Usage::System, -2, 20)),
            plain(),
            good.clone(),
            none,
        ),
        ("the gateway's own system", of(Role::GatewayClient), plain(), good.clone(), none),
        ("the STS's signing certificate", of(Role::StsSigning), plain(), good.clone(), none),
        ("the authority of another municipality", korsbaek(), plain(), claims(WITHOUT_BACK), none),
        ("the authority of UDK", korsbaek(), plain(), claims(UDK), none),
        ("an authority that nobody knows", korsbaek(), plain(), claims("12345678"), none),
        ("seven digits", korsbaek(), plain(), claims("1111111"), invalid),
        ("nine digits", korsbaek(), plain(), claims("111111111"), invalid),
        ("a space after", korsbaek(), plain(), claims("11111111 "), invalid),
        ("a new line before", korsbaek(), plain(), claims("\n11111111"), invalid),
        ("another kind of digits", korsbaek(), plain(), claims("١١١١١١١١"), invalid),
        ("full-width digits", korsbaek(), plain(), claims("１１１１１１１１"), invalid),
        ("a country before", korsbaek(), plain(), claims("DK11111111"), invalid),
        ("nothing", korsbaek(), plain(), claims(""), invalid),
        ("digits split by a comment", korsbaek(), plain(), claims("1111<!-- -->1111"), invalid),
        ("a digit too many behind a comment", korsbaek(), plain(), claims("11111111<!-- -->9"), invalid),
        ("digits split by CDATA", korsbaek(), plain(), claims("1111<![CDATA[1111]]>"), invalid),
        ("digits all in CDATA", korsbaek(), plain(), claims("<![CDATA[11111111]]>"), invalid),
        ("digits split by an element", korsbaek(), plain(), claims("1111<x/>1111"), invalid),
        ("digits split by an instruction", korsbaek(), plain(), claims("1111<?x?>1111"), &["ProcessingInstructionRefused"]),
        (
            "two numbers in one context",
            korsbaek(),
            plain(),
            context_with(&good, &context, |number| format!("{number}{}", number.replace(KORSBAEK, UDK))),
            invalid,
        ),
        (
            "text beside the number",
            korsbaek(),
            plain(),
            context_with(&good, &context, |number| format!("{number}{UDK}")),
            invalid,
        ),
        (
            "another element in the context",
            korsbaek(),
            plain(),
            context_with(&good, &context, |number| number.replace("MunicipalityCVR", "OtherCVR")),
            invalid,
        ),
        ("two contexts", korsbaek(), plain(), good.replace(&context, &context.repeat(2)), shape),
        (
            "two contexts that differ",
            korsbaek(),
            plain(),
            good.replace(&context, &format!("{context}{}", context.replace(KORSBAEK, UDK))),
            shape,
        ),
        (
            "the context after the request",
            korsbaek(),
            plain(),
            good.replace(&context, "").replace(&request, &format!("{request}{context}")),
            shape,
        ),
        (
            "an attribute on the wrapper",
            korsbaek(),
            plain(),
            good.replace("<ta:FremsoegRequest", "<ta:FremsoegRequest a=\"\""),
            shape,
        ),
        (
            "a type on the wrapper",
            korsbaek(),
            plain(),
            good.replace("<ta:FremsoegRequest", &format!("<ta:FremsoegRequest {XSI} x:type=\"ta:Other\"")),
            shape,
        ),
        ("a context that is nil", korsbaek(), plain(), good.replace("<ac:AuthorityContext", &nil("AuthorityContext")), invalid),
        ("a number that is nil", korsbaek(), plain(), good.replace("<ac:MunicipalityCVR", &nil("MunicipalityCVR")), invalid),
        (
            "a number with an attribute",
            korsbaek(),
            plain(),
            good.replace("<ac:MunicipalityCVR", &format!("<ac:MunicipalityCVR cvr=\"{UDK}\"")),
            invalid,
        ),
        ("a call context with an attribute", korsbaek(), plain(), calling(" a=\"\"", ""), shape),
        ("text in the call context", korsbaek(), plain(), calling("", "x"), shape),
        ("an unknown element in the call context", korsbaek(), plain(), calling("", "<cc:Other/>"), shape),
        ("an element of another namespace in the call context", korsbaek(), plain(), calling("", "<AccountingInfo/>"), shape),
        (
            "two users in the call context",
            korsbaek(),
            plain(),
            calling("", &"<cc:OnBehalfOfUser>a</cc:OnBehalfOfUser>".repeat(2)),
            shape,
        ),
        (
            "a context in the call context",
            korsbaek(),
            plain(),
            calling("", &format!("<cc:OnBehalfOfUser>{context}</cc:OnBehalfOfUser>")),
            shape,
        ),
        ("a user that is nil", korsbaek(), plain(), calling("", &format!("<cc:OnBehalfOfUser {XSI} x:nil=\"1\"/>")), shape),
        (
            "two call contexts",
            korsbaek(),
            plain(),
            calling("", &format!("</cc:CallContext><cc:CallContext xmlns:cc=\"{CALL_CONTEXT}\">")),
            shape,
        ),
        ("two requests", korsbaek(), plain(), good.replace(&request, &request.repeat(2)), shape),
        ("a context of another namespace", korsbaek(), plain(), good.replace(CONTEXT, "urn:x"), shape),
        ("no context", korsbaek(), plain(), good.replace(&context, ""), missing),
        (
            "the context in the Header alone",
            korsbaek(),
            plain(),
            in_header(&context).replacen(&format!("{context}<yi:"), "<yi:", 1),
            missing,
        ),
        ("a token's message without its Security", korsbaek(), vec![("content-type", SOAP12)], unsigned, missing),
        ("a token beside a context", korsbaek(), plain(), in_header(&security), &["SecurityModelAmbiguous"]),
        (
            "an empty Security beside a context",
            korsbaek(),
            plain(),
            in_header(
                "<w:Security xmlns:w=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd\"/>",
            ),
            &["SecurityModelAmbiguous"],
        ),
        (
            "a token's message with a context put in",
            None,
            vec![("content-type", SOAP12)],
            {
                let payload = piece(&token, OPEN, forge::END);
                token.replace(payload, &format!("<ta:FremsoegRequest xmlns:ta=\"http://serviceplatformen.dk/xml/wsdl/soap11/Ydelse/TerminalAdgang/6/\">{}{payload}</ta:FremsoegRequest>", context))
            },
            &["SecurityModelAmbiguous"],
        ),
    ];
    // What a proxy in front might have said of a certificate is nothing that the gateway hears.
    for name in [
        "x-client-cert",
        "x-ssl-client-cert",
        "x-forwarded-client-cert",
        "client-cert",
        "ssl-client-cert",
        "x-arr-clientcert",
        "x-client-verify",
    ] {
        let value: &'static str = hjemmel::signature::base64::encode(started().credentials[&Role::Korsbaek].leaf()).leak();
        table.push((
            "a certificate in a header",
            None,
            vec![("content-type", SOAP11), (name, value)],
            good.clone(),
            &["ClientCertificateMissing"],
        ));
        table.push((
            "another's certificate in a header",
            of(Role::Intruder),
            vec![("content-type", SOAP11), (name, value)],
            good.clone(),
            none,
        ));
    }
    table
}

fn context_with(good: &str, context: &str, edit: impl Fn(&str) -> String) -> String {
    let number = piece(context, "<ac:MunicipalityCVR", "</ac:MunicipalityCVR>");
    good.replace(number, &edit(number))
}

pub fn count() -> Vec<(u8, usize)> {
    vec![(25, table(&arena()).len() + 5 + 4)]
}

#[test]
fn the_authority_is_the_one_that_the_certificate_has_an_agreement_for() {
    let arena = arena();
    arena.nothing_passes(|arena| {
        let mut wrong = Vec::new();
        for (reason, credentials, headers, message, codes) in table(arena) {
            let answer = arena.runtime.block_on(async {
                let client = arena.client(credentials);
                arena.post(&client, &headers, message.into_bytes()).await
            });
            match answer {
                Ok(answer) if codes.contains(&answer.code.as_str()) && answer.status >= 400 => {}
                Ok(answer) => wrong.push(format!("{reason}: HTTP {} {} instead of {codes:?}", answer.status, answer.code)),
                Err(error) => wrong.push(format!("{reason}: {error}")),
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

/// Neutralised: the number is read whole, and what the index is shown is the token that the gateway fetched for it.
#[test]
fn what_is_beside_the_claim_does_not_change_for_whom_the_index_is_asked() {
    let arena = arena();
    let good = message();
    let context = piece(&good, "<ac:AuthorityContext", "</ac:AuthorityContext>").to_owned();
    let header = format!("<s:Header>{}</s:Header><s:Body>", context.replace(KORSBAEK, UDK));
    for (reason, message) in [
        (
            "a call context of three parts",
            good.replace(&context, &format!("<cc:CallContext xmlns:cc=\"{CALL_CONTEXT}\" xmlns:u=\"urn:unused\">\n<cc:AccountingInfo>a</cc:AccountingInfo><cc:OnBehalfOfUser/><cc:CallersServiceCallIdentifier>c</cc:CallersServiceCallIdentifier>\n</cc:CallContext>{context}")),
        ),
        ("digits by number", good.replace(&format!(">{KORSBAEK}<"), ">1111&#49;11&#x31;<")),
        ("another context in the Header", good.replace("<s:Body>", &header)),
        ("a comment beside the number", good.replace("</ac:MunicipalityCVR>", "</ac:MunicipalityCVR><!-- 99999991 -->")),
    ] {
        let answer = arena.runtime.block_on(async {
            let client = arena.client(of(Role::Korsbaek));
            arena.post(&client, &[("content-type", SOAP11)], message.into_bytes()).await.unwrap()
        });
        assert!(answer.is_served(), "{reason}: {} {}", answer.status, answer.code);
        let forwarded = arena.last_reached();
        assert!(forwarded.contains(&format!(">{KORSBAEK}</AttributeValue>")), "{reason}");
        assert!(!forwarded.contains(&format!(">{UDK}<")) && !forwarded.contains("MunicipalityCVR"), "{reason}");
    }
    arena.serves();
}
