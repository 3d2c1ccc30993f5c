//! The fuzz targets' checks on the corpus in `fuzz/corpus`: what was found once, and one of each kind of message.

use std::fs;
use std::path::{Path, PathBuf};

use crate::release_generator::{Tape, case};
use crate::request::*;
use hjemmel::cli::call::question::Question;
use hjemmel::id::cpr::Cpr;
use hjemmel::soap::strict::Token;

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

/// The seeds and the findings, which are kept; not what a fuzzer on this machine has found of interest.
fn kept(target: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(folder(target)).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|extension| extension == "xml")).collect();
    files.sort();
    files
}

#[test]
fn what_must_hold_of_any_bytes_holds_of_the_corpus() {
    for (target, check) in crate::checks::ALL {
        let files = kept(target);
        assert!(
            files.len() >= 8,
            "{target} has only {} seeds: `cargo test --test messages fuzz_corpus:: -- --ignored` writes them",
            files.len()
        );
        for file in files {
            println!("{}", file.display());
            let data = fs::read(&file).unwrap();
            check(&data);
            // Cut and bent a little, as a fuzzer would: the seeds lead to the rules, their neighbours along the edges.
            for n in (0..data.len()).step_by(1 + data.len() / 24) {
                check(&data[..n]);
                let mut bent = data.clone();
                bent[n] ^= 1 << (n % 7);
                check(&bent);
            }
        }
    }
}

/// Found by the target `canonicaliser`: an answer whose first piece was one or two bytes long was refused as malformed.
#[test]
fn a_byte_order_mark_may_arrive_in_pieces_and_only_once() {
    let pieces = |data: &str, size| {
        let mut reader = crate::checks::reading::stream(data.as_bytes(), size);
        std::iter::from_fn(|| Some(crate::checks::reading::now(reader.next())))
            .map(|token| token.map_err(crate::checks::reading::refusal))
            .take_while(|token| !matches!(token, Ok(Token::Eof)))
            .find_map(Result::err)
    };
    for size in [1, 2, 3, 4, usize::MAX] {
        assert_eq!(pieces("\u{FEFF}<x>ø</x>", size), None, "{size}");
        assert_eq!(pieces("<x/>", size), None, "{size}");
        for wrong in ["\u{FEFF}\u{FEFF}<x/>", "<x/>\u{FEFF}", "\u{FEFF}", "<"] {
            let refused = pieces(wrong, size).map(|refusal| refusal.code());
            assert_eq!(refused, Some("MalformedXml"), "{wrong:?} in pieces of {size}");
        }
    }
}

/// A corpus of which nothing is accepted would lead a fuzzer nowhere.
#[test]
fn the_corpus_reaches_the_rules() {
    let read = |target: &str| -> Vec<Vec<u8>> { kept(target).into_iter().map(|file| fs::read(file).unwrap()).collect() };
    let asked = read("window");
    let accepted = asked.iter().filter(|data| std::str::from_utf8(data).is_ok_and(|text| ask(text).is_ok())).count();
    assert!(accepted >= 8 && accepted < asked.len(), "{accepted} of {} searches are accepted", asked.len());
    let answers = read("release");
    let released = |data: &&Vec<u8>| {
        crate::checks::release::answer(data, usize::MAX, false).is_ok_and(|released| released.counts().objects_released > 0)
    };
    assert!(answers.iter().filter(released).count() >= 8, "objects are released");
}

#[test]
#[ignore = "writes the seeds into fuzz/corpus"]
fn write_the_seeds() {
    let write = |target: &str, name: &str, data: &str| {
        fs::create_dir_all(folder(target)).unwrap();
        fs::write(folder(target).join(format!("{name}.xml")), data).unwrap();
    };
    for (name, data) in searches() {
        write("window", name, &data);
    }
    for (name, data) in messages() {
        write("envelope", name, &data);
    }
    for (name, data) in documents() {
        write("canonicaliser", name, &data);
        write("tokenizer", name, &data);
    }
    for (name, data) in refused() {
        write("tokenizer", name, data);
    }
    let answers: Vec<(bool, String)> = answers();
    for wanted in [true, false] {
        let kind = if wanted { "released" } else { "withheld" };
        let mut of: Vec<&String> = answers.iter().filter(|(some, _)| *some == wanted).map(|(_, xml)| xml).collect();
        of.sort_by_key(|xml| xml.len());
        for (n, xml) in of.iter().step_by(of.len().div_ceil(16)).enumerate() {
            write("release", &format!("{kind}-{n:02}"), xml);
        }
    }
}

/// Searches that reach each rule: accepted ones, and ones that are refused by a hair.
fn searches() -> Vec<(&'static str, String)> {
    let p = person();
    let (from, to) = (FROM, TO);
    let question = |period: Option<(&str, &str)>, kle: &[&str]| {
        let period = period.map(|(from, to)| (from.to_owned(), to.to_owned()));
        let kle = kle.iter().map(|kle| (*kle).to_owned()).collect();
        String::from_utf8(Question { person: Cpr::parse(PERSON), period, kle }.input()).unwrap()
    };
    vec![
        ("question", question(None, &[])),
        ("question-period", question(Some((from, to)), &[])),
        ("question-kle", question(None, &["32.03.04", "32.06.04"])),
        ("question-outside", question(Some(("2026-07-31T23:59:59+02:00", to)), &["32.03.04"])),
        ("no-person", search(&and(&[&inside()]))),
        ("two-persons", search(&and(&[&p, &grant(&party(&cpr("6202801234"))), &inside()]))),
        ("payee", search(&and(&[&p, &effectuation("", &payee(PERSON))]))),
        ("payee-other", search(&and(&[&p, &effectuation("", &payee("6202801234"))]))),
        ("or-root", search(&or(&[&p, &inside()]))),
        ("or-inside", search(&and(&[&p, &or(&[&inside(), &delimited(from, to)])]))),
        ("or-half", search(&and(&[&p, &or(&[&inside(), &effectuation("", "")])]))),
        ("not-outside", search(&and(&[&p, &inside(), &not(&[&effectuation("", &kle("32.03.04"))])]))),
        ("not-window", search(&and(&[&p, &not(&[&inside()])]))),
        ("not-not", search(&and(&[&p, &not(&[&not(&[&inside()])])]))),
        ("not-two", search(&and(&[&p, &not(&[&inside(), &inside()])]))),
        ("point", search(&and(&[&p, &effectuation(&properties(&point("2026-10-15T00:00:00+02:00")), "")]))),
        ("point-naive", search(&and(&[&p, &effectuation(&properties(&point("2026-10-25T02:30:00")), "")]))),
        ("point-end-of-day", search(&and(&[&p, &effectuation(&properties(&point("2026-11-29T24:00:00")), "")]))),
        ("point-fraction", search(&and(&[&p, &effectuation(&properties(&point("2026-11-30T23:59:59.9999+01:00")), "")]))),
        (
            "infinite",
            search(&and(&[&p, &effectuation(&extensions(&[&bounds("DispositionsDatoInterval", &stamp(from), INFINITE)]), "")])),
        ),
        (
            "two-intervals",
            search(&and(&[
                &p,
                &effectuation(&extensions(&[&interval(from, to), &interval(from, "2026-09-01T00:00:00+02:00")]), ""),
            ])),
        ),
        ("inverted", search(&and(&[&p, &delimited(to, from)]))),
        ("unprefixed", search(&and(&[&p])).replace("yi:", "").replace("xmlns:yi", "xmlns").replace("xmlns:<", "<")),
        ("comment", search(&and(&[&p.replace("cpr-nr:", "cpr-nr:<!-- -->"), &inside()]))),
        ("uuid-person", search(&and(&[&grant(&party(&uuid("3102fa7e-f56e-4510-b0d4-1650c590dc3b"))), &inside()]))),
        (
            "paged-sorted-filtered",
            input(&format!(
                "{}<yi:Filter/><yi:Sortering><yi:Element>Dispositionsdato</yi:Element></yi:Sortering>",
                and(&[
                    &grant_with("<sd:FoersteResultatReference>0</sd:FoersteResultatReference>", "", &party(&cpr(PERSON))),
                    &effectuation_with("<sd:MaksimalAntalKvantitet>500</sd:MaksimalAntalKvantitet>", "", "", "")
                ])
            )),
        ),
        ("direct", input("<yi:BevillingUuid>3102fa7e-f56e-4510-b0d4-1650c590dc3b</yi:BevillingUuid>")),
    ]
}

/// Messages with and without their HTTP headers.
fn messages() -> Vec<(&'static str, String)> {
    const WSA: &str = "http://www.w3.org/2005/08/addressing";
    const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
    const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
    let soap = |version: &str, headers: &str, body: &str| {
        format!("<s:Envelope xmlns:s='{version}'><s:Header>{headers}</s:Header><s:Body>{body}</s:Body></s:Envelope>")
    };
    let (soap11, soap12) = ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope");
    let question = String::from_utf8(Question::about(Cpr::parse(PERSON).unwrap()).input()).unwrap();
    let addressing = format!(
        "<a:MessageID xmlns:a='{WSA}'>urn:uuid:1</a:MessageID><a:Action xmlns:a='{WSA}' s:mustUnderstand='1'>urn:x</a:Action>\
         <a:To xmlns:a='{WSA}'>https://x.example/</a:To><a:ReplyTo xmlns:a='{WSA}'><a:Address>{WSA}/anonymous</a:Address></a:ReplyTo>"
    );
    let transaction = "<h:RequestHeader xmlns:h='http://kombit.dk/xml/schemas/RequestHeader/1/'>\
                       <h:TransactionUUID>5c31a456-277d-4043-b4d6-44d51cdb5220</h:TransactionUUID></h:RequestHeader>";
    let security = format!(
        "<w:Security xmlns:w='{WSSE}' xmlns:u='{WSU}' s:mustUnderstand='1'><u:Timestamp u:Id='t'>\
         <u:Created>2026-11-22T11:00:00Z</u:Created><u:Expires>2026-11-22T11:05:00Z</u:Expires></u:Timestamp></w:Security>\
         <l:Framework xmlns:l='urn:liberty:sb' version='2.0'/>"
    );
    let plain = soap(soap11, transaction, &question);
    let full = soap(soap12, &format!("{addressing}{security}{transaction}"), "<x xmlns='urn:x' xml:lang='da'>&lt;æ&#13;</x>");
    vec![
        ("soap11", format!("Content-Type: text/xml; charset=utf-8\nSOAPAction: \"urn:x\"\n\n{plain}")),
        ("soap12", format!("Content-Type: application/soap+xml;charset=\"UTF-8\"; action=\"urn:x\"\n\n{full}")),
        ("multipart", format!("Content-Type: multipart/related; boundary=x; start=y\n\n{plain}")),
        ("coded", format!("Content-Type: text/xml\nContent-Encoding: gzip\n\n{plain}")),
        ("no-header", format!("<s:Envelope xmlns:s='{soap11}'><s:Body><x/></s:Body></s:Envelope>")),
        ("two-bodies", full.replace("</s:Body>", "</s:Body><s:Body><y/></s:Body>")),
        ("two-security", soap(soap12, &format!("{security}{security}"), "<x/>")),
        ("role", soap(soap11, "<b xmlns='urn:b' s:actor='urn:somebody' s:mustUnderstand='1'/>", "<x/>")),
        ("comments", full.replace("><", "><!-- c --><").replace("urn:uuid:1", "urn:<![CDATA[uuid]]>:1")),
        ("ids", soap(soap12, "", "<x Id='a' xmlns:u='urn:u' u:Id='b'><y ID='a'/></x>")),
        (
            "fault",
            String::from_utf8(hjemmel::soap::fault::body(
                hjemmel::soap::envelope::Version::V12,
                &hjemmel::refusal::Refusal::NotSoap,
                "call",
            ))
            .unwrap(),
        ),
        ("declared", format!("\u{FEFF}<?xml version=\"1.0\" encoding=\"utf-8\" standalone='yes'?>\n{plain}\n<!-- end -->\n")),
    ]
}

/// Documents in which a canonicaliser can go wrong.
fn documents() -> Vec<(&'static str, String)> {
    let of = |name, xml: &str| (name, xml.to_owned());
    vec![
        of("rebound", "<a:x xmlns:a='urn:1'><a:y xmlns:a='urn:2'><a:z xmlns:a='urn:1' a:k='v'/></a:y><a:y/></a:x>"),
        of("default-undone", "<x xmlns='urn:1'><y xmlns=''><z xmlns='urn:1'/></y><p:q xmlns:p='urn:p' k='v'/></x>"),
        of("attributes", "<x xmlns:b='urn:1' xmlns:a='urn:2' a:k='1' b:k='2' k='3' xml:lang='da' b:a='4'/>"),
        of("unused", "<x xmlns:a='urn:a' xmlns:b='urn:b'><b:y xmlns:c='urn:c'><z c:k=''/></b:y></x>"),
        of(
            "references",
            "<x k='&#10;&#9;&#13;&lt;&quot;&apos;&amp; a\n\tb'>&#13;&lt;&gt;&amp;\r\n\r&#x1D518;<![CDATA[<&>\r\n]]></x>",
        ),
        of("comments", "<?xml version='1.0'?><!-- a --><x><!-- b -->t<!-- c -->u<y/><!-- d --></x><!-- e -->"),
        of("deep", &format!("{}t{}", "<a xmlns='urn:1'><b xmlns='urn:2'>".repeat(12), "</b></a>".repeat(12))),
        of("two-prefixes", "<a:x xmlns:a='urn:1' xmlns:b='urn:1'><b:x a:k='1'/><b:x b:j='1' a:k='2'/></a:x>"),
        of("names", "<_.-ø xmlns:é='http://x.example/?a=1&amp;b=2#c'><é:𐀀 é:k='&#x9;'/></_.-ø>"),
        of("question", &String::from_utf8(Question::about(Cpr::parse(PERSON).unwrap()).input()).unwrap()),
    ]
}

/// Documents that are refused by a hair, each in another place of the reader.
fn refused() -> Vec<(&'static str, &'static str)> {
    vec![
        ("refused-dtd", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"),
        ("refused-instruction", "<a><?target data?></a>"),
        ("refused-declaration", "<a/><?xml version='1.0'?>"),
        ("refused-comment", "<a><!-- x -- y --></a>"),
        ("refused-cdata", "<a><![CDATA[x]]></a><![CDATA[x]]>"),
        ("refused-text", "<a>]]></a>"),
        ("refused-reference", "<a>&nbsp;&#xD800;</a>"),
        ("refused-names", "<a:b:c xmlns:a='urn:a'/>"),
        ("refused-attributes", "<a xmlns:p='urn:p' xmlns:q='urn:p' p:b='1' q:b='2'/>"),
        ("refused-quotes", "<a b=\"'>\" c='\">'>\r\n<d e='1'f='2'/></a >"),
        ("refused-end", "<a><b></b ></a><c/>"),
    ]
}

/// Generated answers, each with whether anything of it is released.
fn answers() -> Vec<(bool, String)> {
    let mut all = Vec::new();
    for seed in 1..1_500u32 {
        let mut state = seed.wrapping_mul(2_654_435_761);
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 11) as u8
        };
        let tape: Vec<u8> = (0..16_000).map(|_| next()).collect();
        let (answer, _) = case(&mut Tape::new(&tape));
        if answer.len() > 12_000 {
            continue;
        }
        let body = format!("<e:Body xmlns:e=\"http://www.w3.org/2003/05/soap-envelope\">{answer}</e:Body>");
        let released = crate::checks::release::answer(body.as_bytes(), usize::MAX, false);
        all.push((released.is_ok_and(|released| released.counts().objects_released > 0), body));
    }
    all
}
