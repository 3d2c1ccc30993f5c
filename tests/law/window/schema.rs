//! What is sent is valid by the index's own schema and is its own canonical form, as xmllint sees both.

use std::io::Write;
use std::process::{Command, Stdio};

use hjemmel::services::terminaladgang::law::kle::Constraint;

use crate::not_run::did_not_run;
use crate::reference::reference;
use crate::request::*;

fn xmllint(arguments: &[&std::ffi::OsStr], xml: &[u8]) -> Option<std::process::Output> {
    let mut child = Command::new("xmllint")
        .args(arguments)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(xml).ok()?;
    child.wait_with_output().ok()
}

/// Searches that together use every element that can be sent.
fn searches() -> Vec<String> {
    let uuid_of = |name: &str| format!("<gd:{name}>{}</gd:{name}>", uuid("70355b26-6028-4e42-9eb1-1a93aa9890b1"));
    let amounts = "<oei:SamletBruttoBeloebInterval><go:FraBeloeb>-1.5</go:FraBeloeb><go:TilBeloeb>2</go:TilBeloeb></oei:SamletBruttoBeloebInterval>";
    let start = bounds("StartDatoInterval", INFINITE, &stamp("2026-01-01T00:00:00"));
    let full_line = line(&format!(
        "{}{}<gd:Indeks>1</gd:Indeks>{}<gd:LokalUdvidelseListe><oei:SoegOekonomiskYdelseEffektueringRelationLokalUdvidelse>{}{}\
         <oei:YdelsesBeloebInterval><go:FraBeloeb>1</go:FraBeloeb><go:TilBeloeb>2</go:TilBeloeb></oei:YdelsesBeloebInterval>\
         </oei:SoegOekonomiskYdelseEffektueringRelationLokalUdvidelse></gd:LokalUdvidelseListe>\
         <oei:YdelsesperiodeStartdato>2026-01-01T00:00:00Z</oei:YdelsesperiodeStartdato><oei:YdelsesperiodeSlutdato>2026-01-01T00:00:00Z</oei:YdelsesperiodeSlutdato>\
         <oei:Ydelsesbeloeb>1</oei:Ydelsesbeloeb><oei:Klassifikationsbeskrivelse>32.03.04</oei:Klassifikationsbeskrivelse>",
        uuid_of("Rolle"),
        uuid_of("Type"),
        uuid_of("ReferenceID"),
        bounds("YdelsesperiodeStartDatoInterval", &stamp(FROM), &stamp(TO)),
        bounds("YdelsesperiodeSlutDatoInterval", &stamp(FROM), &stamp(TO)),
    ));
    let owner = format!(
        "<oei:Aktoer><gd:Rolle>{}</gd:Rolle>{}<oei:CVR-nr>99999991</oei:CVR-nr></oei:Aktoer>",
        uuid("a91824c4-da1d-47f9-bce2-5d6597879415"),
        uuid_of("Type")
    );
    let relations = [full_line, owner, payee(PERSON)].concat();
    let all_properties = properties(&format!(
        "<oei:Startdato>2026-01-01T00:00:00</oei:Startdato><oei:Slutdato>2026-01-01T00:00:00</oei:Slutdato><oei:SamletBruttobeloeb>1</oei:SamletBruttobeloeb>{}\
         <oei:BeloebEfterSkatATP>1</oei:BeloebEfterSkatATP><oei:BeloebSendtTilUdbetaling>1</oei:BeloebSendtTilUdbetaling><oei:BeloebUdbetalt>1</oei:BeloebUdbetalt>",
        point(FROM)
    ));
    let undated = effectuation(&extensions(&[&[start, amounts.to_owned()].concat()]), &relations);
    let dated = effectuation(&[all_properties, extensions(&[&interval(FROM, TO)])].concat(), &relations);
    let rest = "<yi:Filter><yi:OekonomiskEffektueringVis><yi:Vis>aktoer</yi:Vis></yi:OekonomiskEffektueringVis>\
         <yi:BevillingInkluder>bevilgetydelse</yi:BevillingInkluder></yi:Filter>\
         <yi:Sortering><yi:OekonomiskEffektueringSortering><yi:Element>Dispositionsdato</yi:Element><yi:Retning>Faldende</yi:Retning><yi:Sekvens>1</yi:Sekvens></yi:OekonomiskEffektueringSortering>\
         <yi:BevillingSortering><yi:Element>Ydelsesnavn</yi:Element><yi:Retning>Stigende</yi:Retning><yi:Sekvens>2</yi:Sekvens></yi:BevillingSortering></yi:Sortering>";
    let look_ups = "<yi:BevillingUuid>70355b26-6028-4e42-9eb1-1a93aa9890b1</yi:BevillingUuid><yi:OekonomiskEffektueringUuid>70355b26-6028-4e42-9eb1-1a93aa9890b1</yi:OekonomiskEffektueringUuid>";
    let role = person().replace(
        "<gd:Ref",
        "<gd:Rolle><sd:UUIDIdentifikator>3102fa7e-f56e-4510-b0d4-1650c590dc3b</sd:UUIDIdentifikator></gd:Rolle><gd:Ref",
    );
    vec![
        search(&expression("", &[&person()])),
        search(&and(&[&person(), &inside()])),
        search(&and(&[&person(), &not(&[&undated])])),
        input(&format!(
            "{look_ups}{}{rest}",
            and(&[&role, &or(&[&dated, &dated]), &not(&["<yi:operation>AND</yi:operation>", &dated])])
        )),
        input(&format!("{}<yi:Filter/><yi:Sortering/>", and(&[&person(), &and(&[&undated, &or(&[])])]))),
    ]
}

fn sent() -> Vec<Vec<u8>> {
    let mut all = rules("include = true\ndirect-lookup = true");
    use hjemmel::services::terminaladgang::law::rules::Criterion::{
        BeloebEfterSkatATP, BeloebSendtTilUdbetaling, BeloebUdbetalt,
    };
    all.criteria.extend([BeloebUdbetalt, BeloebSendtTilUdbetaling, BeloebEfterSkatATP]);
    let send = |xml: &String| {
        ask_with(xml, &all, &Constraint::unconstrained()).unwrap_or_else(|refusal| panic!("{refusal}")).forward().to_vec()
    };
    searches().iter().map(send).collect()
}

#[test]
fn what_is_sent_is_valid_by_the_index_s_own_schema() {
    let Some(folder) = reference("ydelsesindeks-6/xsd/6.0.STS-0") else { return };
    let schema = folder.join("YdelseIndeksOperationer.xsd");
    let arguments = ["--noout".as_ref(), "--nonet".as_ref(), "--schema".as_ref(), schema.as_os_str()];
    for xml in sent() {
        let Some(output) = xmllint(&arguments, &xml) else {
            did_not_run("xmllint", "apt-get install libxml2-utils");
            return;
        };
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&xml));
    }
}

#[test]
fn what_is_sent_is_its_own_exclusive_canonical_form() {
    for xml in sent() {
        let Some(output) = xmllint(&["--nonet".as_ref(), "--exc-c14n".as_ref()], &xml) else {
            did_not_run("xmllint", "apt-get install libxml2-utils");
            return;
        };
        let canonical = output.stdout.strip_suffix(b"\n").unwrap_or(&output.stdout);
        assert_eq!(String::from_utf8_lossy(canonical), String::from_utf8_lossy(&xml));
    }
}

/// The schema collapses white space in dateTime, boolean and the integers, and keeps it in every string.
#[test]
fn white_space_that_the_schema_collapses_is_taken_off_and_not_forwarded_and_no_other_is() {
    let whole = |date: &str, infinite: &str, page: &str, sequence: &str, operation: &str| {
        let start = bounds("StartDatoInterval", &INFINITE.replace("true", infinite), &stamp(date));
        let paged = format!("<sd:MaksimalAntalKvantitet>{page}</sd:MaksimalAntalKvantitet>");
        let search = effectuation_with(&paged, &extensions(&[&[start, interval(FROM, TO)].concat()]), "", "");
        let inner = expression(operation, &[&search]);
        input(&format!(
            "{}<yi:Sortering><yi:OekonomiskEffektueringSortering><yi:Element>Dispositionsdato</yi:Element>\
             <yi:Retning>Faldende</yi:Retning><yi:Sekvens>{sequence}</yi:Sekvens></yi:OekonomiskEffektueringSortering>\
             </yi:Sortering>",
            and(&[&person(), &inner])
        ))
    };
    let forwarded = |xml: &str| ask(xml).map(|search| search.forward().to_vec());
    let date = "2026-09-01T00:00:00Z";
    let plain = forwarded(&whole(date, "true", "10", "1", "OR")).unwrap();
    let around = |text: &str| format!("\n\t {text} \r\n");
    let spaced = forwarded(&whole(&around(date), &around("true"), &around("10"), &around("1"), "OR")).unwrap();
    assert_eq!(String::from_utf8(spaced).unwrap(), String::from_utf8(plain).unwrap());
    for (reason, xml) in [
        ("a string", whole(date, "true", "10", "1", " OR")),
        ("a comment beside the white space", whole(&format!(" <!-- -->{date}"), "true", "10", "1", "OR")),
        ("CDATA", whole(&format!(" <![CDATA[{date}]]>"), "true", "10", "1", "OR")),
        ("a no-break space", whole(&format!("\u{a0}{date}"), "true", "10", "1", "OR")),
        ("white space inside a number", whole(date, "true", "1 0", "1", "OR")),
        ("white space inside a boolean", whole(date, "tr ue", "10", "1", "OR")),
    ] {
        assert!(forwarded(&xml).is_err(), "{reason}");
    }
}

/// xs:integer has a sign and zeros in front as it likes (XML Schema part 2, 3.3.13 and 3.3.20); the number is what is forwarded.
#[test]
fn a_number_is_taken_as_the_schema_writes_it_and_forwarded_in_its_canonical_form() {
    let whole = |first: &str, most: &str, sequence: &str| {
        let paging = format!(
            "<sd:FoersteResultatReference>{first}</sd:FoersteResultatReference><sd:MaksimalAntalKvantitet>{most}</sd:MaksimalAntalKvantitet>"
        );
        let search = effectuation_with(&paging, &extensions(&[&interval(FROM, TO)]), "", "");
        input(&format!(
            "{}<yi:Sortering><yi:OekonomiskEffektueringSortering><yi:Element>Dispositionsdato</yi:Element>\
             <yi:Retning>Faldende</yi:Retning><yi:Sekvens>{sequence}</yi:Sekvens></yi:OekonomiskEffektueringSortering>\
             </yi:Sortering>",
            and(&[&person(), &search])
        ))
    };
    let forwarded =
        |first: &str, most: &str, sequence: &str| ask(&whole(first, most, sequence)).map(|search| search.forward().to_vec());
    let plain = forwarded("0", "10", "7").unwrap();
    for (first, most, sequence) in [("+0", "+10", "+7"), ("-0", "010", "0007"), ("000", "+00010", "+007"), ("0", " +10 ", "7")] {
        assert_eq!(forwarded(first, most, sequence).unwrap(), plain, "{first:?} {most:?} {sequence:?}");
    }
    for (first, most, sequence) in [
        ("-1", "10", "7"),
        ("+", "10", "7"),
        ("-", "10", "7"),
        ("", "10", "7"),
        ("+-0", "10", "7"),
        ("++1", "10", "7"),
        ("0", "+ 10", "7"),
        ("0", "1e1", "7"),
        ("0", "10.0", "7"),
        ("0", "+501", "7"),
        ("0", "18446744073709551626", "7"),
        ("+2147483648", "10", "7"),
        ("0", "10", "+1000"),
        ("0", "10", "-1"),
    ] {
        assert!(forwarded(first, most, sequence).is_err(), "{first:?} {most:?} {sequence:?}");
    }
}

#[test]
fn a_missing_element_is_named_and_not_the_one_that_stands_in_its_place() {
    let without = effectuation("", "").replace("<oei:AttributListe></oei:AttributListe>", "");
    assert!(!without.contains("AttributListe"), "{without}");
    let entry = ask(&search(&and(&[&person(), &without]))).map(|_| ()).unwrap_err().entry();
    assert!(
        entry.en.what.contains("AttributListe is missing in") && entry.en.what.contains("TilstandListe stands here"),
        "{entry:?}"
    );
    assert!(entry.da.what.contains("AttributListe mangler i") && entry.da.what.contains("her står TilstandListe"), "{entry:?}");
}

#[test]
fn an_unexpected_element_is_told_with_what_is_expected_there() {
    let xml = search(&and(&[&person(), &inside()])).replace("</yi:SoegUdtryk></", "</yi:SoegUdtryk><yi:Foo/></");
    let entry = ask(&xml).map(|_| ()).unwrap_err().entry();
    assert!(
        entry.en.what.contains("unexpected element Foo") && entry.en.what.contains("Filter or Sortering is expected here"),
        "{entry:?}"
    );
    assert!(
        entry.da.what.contains("uventet element Foo") && entry.da.what.contains("her forventes Filter eller Sortering"),
        "{entry:?}"
    );
}
