//! A delivery to the distribution service, an answer of the benefit index and a value list of the message broker, each of their
//! elements removed, doubled, emptied, renamed or given another value: our verdict beside that of xmllint and of the JDK, where
//! they are installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hjemmel::schema::pool::Pool;
use hjemmel::services::passthrough::folder;
use hjemmel::soap::document::Document;
use hjemmel::soap::strict::Limits;
use hjemmel::stub::service::instance::Maker;

use crate::jdk::jdk;
use crate::not_run::did_not_run;
use crate::support::{official, service};

pub const DELIVERY: &str = r#"<d:FordelingsobjektAfsendRequest xmlns:d="http://serviceplatformen.dk/xml/wsdl/soap11/DistributionService/3/types"
  xmlns="http://serviceplatformen.dk/xml/wsdl/soap11/DistributionService/2/types">
<c:CallContext xmlns:c="http://serviceplatformen.dk/xml/schemas/CallContext/1/"><c:OnBehalfOfUser>sagsbehandler 7</c:OnBehalfOfUser></c:CallContext>
<a:AuthorityContext xmlns:a="http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/"><a:MunicipalityCVR>99000001</a:MunicipalityCVR></a:AuthorityContext>
<d:anmodning><DistributionContext><AnvenderTransaktionsID>1b4e28ba-2fa1-11d2-883f-0016d3cca427</AnvenderTransaktionsID>
<AfsendendeMyndighed>99000001</AfsendendeMyndighed><RoutingMyndighed>99000002</RoutingMyndighed>
<RoutingValg><RoutingKLEEmneHandling><RoutingKLEEmne>27.03.04</RoutingKLEEmne><RoutingHandlingFacet>G01</RoutingHandlingFacet></RoutingKLEEmneHandling></RoutingValg>
<DokumentFilNavn>brev.pdf</DokumentFilNavn></DistributionContext>
<DistributionObject><ObjektType>DOKUMENT</ObjektType><ObjektIndhold><DistributionDokument>
<ID>1b4e28ba-2fa1-11d2-883f-0016d3cca428</ID><KLEEmneForslag>27.03.04</KLEEmneForslag>
<Registrering><FraTidsPunkt>2026-11-28T12:00:00+01:00</FraTidsPunkt><LivscyklusKode>Oprettet</LivscyklusKode>
<RegistreringItSystem><URN>urn:oio:system:7</URN></RegistreringItSystem>
<RelationListe><VariantListe><Variant><Virkning><FraTidspunkt>2026-11-28T00:00:00</FraTidspunkt><Aktoer><UUID>1b4e28ba-2fa1-11d2-883f-0016d3cca429</UUID></Aktoer><AktoerType>ItSystem</AktoerType></Virkning>
<Rolle>Variant</Rolle><Indeks>1</Indeks><VariantAttributter><VariantType>PDF</VariantType><Offentliggoerelse>false</Offentliggoerelse></VariantAttributter>
<DelAttributter><DelTekst>brev.pdf</DelTekst><Indeks>1</Indeks><Filstoerrelse>1024</Filstoerrelse><MimeType>application/pdf</MimeType></DelAttributter></Variant></VariantListe></RelationListe>
<TilstandsListe><Tilstand><Fremdrift>Endeligt</Fremdrift><Virkning><Aktoer><UUID>1b4e28ba-2fa1-11d2-883f-0016d3cca429</UUID></Aktoer><AktoerType>Bruger</AktoerType></Virkning></Tilstand></TilstandsListe>
<AttributListe><Attributter><BrugervendtNoegleTekst>2026-1</BrugervendtNoegleTekst><TitelTekst>Prøve</TitelTekst><BeskrivelseTekst/>
<Dokumenttype>Brev</Dokumenttype><Retning>Udgaaende</Retning><Brevdato>2026-11-28</Brevdato>
<Virkning><Aktoer><UUID>1b4e28ba-2fa1-11d2-883f-0016d3cca429</UUID></Aktoer><AktoerType>Bruger</AktoerType></Virkning></Attributter></AttributListe>
</Registrering></DistributionDokument></ObjektIndhold></DistributionObject></d:anmodning></d:FordelingsobjektAfsendRequest>"#;

fn parsed(xml: &str) -> Arc<Document> {
    Arc::new(Document::parse(bytes::Bytes::copy_from_slice(xml.as_bytes()), &Limits::default()).unwrap())
}

/// A message as it is, and with one thing changed in each of its elements but the root.
fn mutants(message: &str) -> Vec<String> {
    let (document, mut found) = (parsed(message), vec![message.to_owned()]);
    for element in document.root().descendants().skip(1) {
        let range = element.source_range();
        let (before, own, after) = (&message[..range.start], &message[range.clone()], &message[range.end..]);
        found.extend([format!("{before}{after}"), format!("{before}{own}{own}{after}"), format!("{before}{own}tekst{after}")]);
        let name = own[1..].split(|c: char| c.is_whitespace() || "/>".contains(c)).next().unwrap();
        let tag = &own[..=own.find('>').unwrap()];
        let open = tag.strip_suffix("/>").unwrap_or(tag.trim_end_matches('>'));
        for content in ["", "x", "00000000", "2026-02-30", "2026-11-28T25:00:00", "-1", " true ", "<x/>"] {
            found.push(format!("{before}{open}>{content}</{name}>{after}"));
        }
        found.push(format!("{before}{open} ukendt=\"1\"{}{after}", &own[open.len()..]));
        found.push(format!("{before}{}{after}", own.replace(name, &format!("{name}X"))));
    }
    found
}

/// Compares, if the judge is there, and fails where it says otherwise than we do.
fn beside(judge: &str, theirs: Option<Vec<bool>>, ours: &[bool], mutants: &[String]) {
    let Some(theirs) = theirs else { return did_not_run(judge, "apt-get install libxml2-utils default-jdk-headless") };
    assert_eq!(theirs.len(), ours.len(), "{judge}");
    let differ = (0..ours.len()).filter(|at| ours[*at] != theirs[*at]);
    let told: Vec<String> = differ.map(|at| format!("ours {}, {judge} {}: {}", ours[at], theirs[at], mutants[at])).collect();
    assert!(told.is_empty(), "{} of {}: {}", told.len(), ours.len(), told.join("\n"));
    println!("{judge}: {} verdicts, none otherwise", ours.len());
}

fn xmllint(schema: &Path, files: &Path, count: usize) -> Option<Vec<bool>> {
    let names = (0..count).map(|at| files.join(format!("{at}.xml")));
    let said = Command::new("xmllint").args(["--noout", "--nonet", "--schema"]).arg(schema).args(names).output().ok()?;
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    let verdict = |at: usize| {
        let file = files.join(format!("{at}.xml"));
        let line = |end: &str| said.lines().any(|line| line == format!("{}{end}", file.display()));
        assert!(line(" validates") != line(" fails to validate"), "{said}");
        line(" validates")
    };
    Some((0..count).map(verdict).collect())
}

/// The schema, or where there are several, as in a WSDL, a document that imports them: a judge takes one.
fn importing(dir: &Path, schemas: &[&str]) -> PathBuf {
    if let [one] = schemas {
        return dir.join(one);
    }
    let import = |schema: &&str| {
        let text = fs::read_to_string(dir.join(schema)).unwrap();
        let namespace = text.split("targetNamespace=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        format!("<x:import namespace=\"{namespace}\" schemaLocation=\"{schema}\"/>")
    };
    let imports: String = schemas.iter().map(import).collect();
    let (file, namespace) = (dir.join("all.xsd"), "http://www.w3.org/2001/XMLSchema");
    fs::write(&file, format!("<x:schema xmlns:x=\"{namespace}\">{imports}</x:schema>")).unwrap();
    file
}

/// The verdicts on an official folder's message and each change of it, which both judges must share.
fn judged(what: &str, wsdl: &str, operation: &str, answer: bool, schemas: &[&str], message: &str) {
    let Some(dir) = official(what, &service(&[("token", wsdl)])) else { return };
    let folder = folder::load(dir.path()).unwrap();
    let contract = &folder.contracts[0];
    let operation = contract.wsdl.operations.iter().find(|known| known.name == operation).unwrap();
    let root = if answer { &operation.answer } else { &operation.request };
    let root = Arc::new((root.namespace.clone(), root.local.clone()));
    let pool = Pool::start(&contract.schema, 2).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let files = tempfile::tempdir().unwrap();
    let mutants = mutants(message);
    let mut ours = Vec::new();
    for (at, mutant) in mutants.iter().enumerate() {
        fs::write(files.path().join(format!("{at}.xml")), mutant).unwrap();
        let document = parsed(mutant);
        let node = document.root().id();
        ours.push(runtime.block_on(pool.validate(document, node, root.clone())).unwrap().is_ok());
    }
    let valid = ours.iter().filter(|verdict| **verdict).count();
    assert!(ours[0] && valid > 50 && ours.len() - valid > 300, "{valid} of {}", ours.len());
    let schema = importing(dir.path(), schemas);
    beside("the JDK", jdk(&schema, files.path(), mutants.len()), &ours, &mutants);
    beside("xmllint", xmllint(&schema, files.path(), mutants.len()), &ours, &mutants);
}

#[test]
fn a_delivery_and_each_change_of_it_is_judged_as_xmllint_and_the_jdk_judge_it() {
    let wsdl = "wsdl/token/DistributionService.wsdl";
    judged("sf2900", wsdl, "FordelingsobjektAfsend", false, &["DistributionServiceMsg.xsd"], DELIVERY);
}

#[test]
fn an_answer_of_the_benefit_index_and_each_change_of_it_is_judged_as_xmllint_and_the_jdk_judge_it() {
    let message = include_str!("../interop/fixtures/answer.xml");
    judged(
        "ydelsesindeks-6",
        "wsdl/YdelseIndeks.wsdl",
        "fremsoeg",
        true,
        &["xsd/6.0.STS-0/YdelseIndeksOperationer.xsd"],
        message,
    );
}

#[test]
fn a_value_list_of_the_message_broker_and_each_change_of_it_is_judged_as_xmllint_and_the_jdk_judge_it() {
    let wsdl = "spec/wsdl/Beskedfordeler.wsdl";
    let Some(dir) = official("sf1461", &service(&[("token", wsdl)])) else { return };
    let folder = folder::load(dir.path()).unwrap();
    let contract = &folder.contracts[0];
    let maker = Maker::new(contract.schema.inspect().unwrap().model().unwrap());
    let operation = contract.wsdl.operations.iter().find(|known| known.name == "importvaerdiliste").unwrap();
    let name = &operation.request;
    // The fullest that the maker makes, as long as it is no longer than the delivery above.
    let elements = |message: &String| parsed(message).root().descendants().count();
    let made = (0..200).map(|seed| String::from_utf8(maker.make(&name.namespace, &name.local, seed).unwrap()).unwrap());
    let message = made.filter(|message| elements(message) <= 60).max_by_key(elements).unwrap();
    // Its wildcards take what the other schema declares.
    let schemas = ["spec/xsd/VaerdilisteOperationer.xsd", "spec/xsd/BeskedfordelerOperationer.xsd"];
    judged("sf1461", wsdl, &operation.name, false, &schemas, &message);
}
