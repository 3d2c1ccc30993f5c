//! What is sent is valid by the index's own schema and is its own canonical form, as xmllint sees both.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use hjemmel::policy::kle::Constraint;

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
    use hjemmel::policy::rules::Criterion::{BeloebEfterSkatATP, BeloebSendtTilUdbetaling, BeloebUdbetalt};
    all.criteria.extend([BeloebUdbetalt, BeloebSendtTilUdbetaling, BeloebEfterSkatATP]);
    let send = |xml: &String| {
        ask_with(xml, &all, &Constraint::unconstrained()).unwrap_or_else(|refusal| panic!("{refusal}")).forward().to_vec()
    };
    searches().iter().map(send).collect()
}

#[test]
fn what_is_sent_is_valid_by_the_index_s_own_schema() {
    let reference = std::env::var_os("HJEMMEL_REFERENCE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/reference"), PathBuf::from);
    let schema = reference.join("ydelsesindeks-6/xsd/6.0.STS-0/YdelseIndeksOperationer.xsd");
    if !schema.exists() {
        println!("DID NOT RUN: the index's schema is not at {}", schema.display());
        return;
    }
    let arguments = ["--noout".as_ref(), "--nonet".as_ref(), "--schema".as_ref(), schema.as_os_str()];
    for xml in sent() {
        let Some(output) = xmllint(&arguments, &xml) else {
            println!("DID NOT RUN: xmllint is not installed");
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
            println!("DID NOT RUN: xmllint is not installed");
            return;
        };
        let canonical = output.stdout.strip_suffix(b"\n").unwrap_or(&output.stdout);
        assert_eq!(String::from_utf8_lossy(canonical), String::from_utf8_lossy(&xml));
    }
}
