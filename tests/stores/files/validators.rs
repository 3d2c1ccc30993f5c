//! Files of a stream judged by the XML Schema that stands in its agreement.

use hjemmel::files::partner::agreement::Terms;
use hjemmel::files::partner::rows::Validation;

use super::mailboxes::{INSTITUTION, OWN, Post, terms};

const SCHEMA: &str = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:example:loen' xmlns='urn:example:loen'
    elementFormDefault='qualified'><xs:include schemaLocation='typer/beloeb.xsd'/><xs:element name='Loen'><xs:complexType><xs:sequence>
    <xs:element name='Maaned' type='xs:gYearMonth'/>
    <xs:element name='Post' maxOccurs='unbounded'><xs:complexType><xs:sequence><xs:element name='Beloeb' type='Beloeb'/></xs:sequence>
    </xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element></xs:schema>";
const TYPES: &str = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:example:loen'>
    <xs:simpleType name='Beloeb'><xs:restriction base='xs:decimal'><xs:fractionDigits value='2'/></xs:restriction></xs:simpleType></xs:schema>";

fn of(schema: &str) -> String {
    let control = OWN.split_once("[stream.validator.control]").unwrap();
    let rest = control.1.split_once("[[stream]]").unwrap().1;
    format!(
        "{}[stream.validator.schema]\nnamespace = 'urn:example:loen'\nroot = 'Loen'\nrepeated = 'Post'\nentry = 'loen.xsd'\n\
         [stream.validator.schema.documents]\n'loen.xsd' = \"\"\"{schema}\"\"\"\n'typer/beloeb.xsd' = \"\"\"{TYPES}\"\"\"\n[[stream]]{rest}",
        control.0
    )
}

fn file(posts: &str) -> Vec<u8> {
    format!("<Loen xmlns='urn:example:loen'><Maaned>2026-11</Maaned>{posts}</Loen>").into_bytes()
}

#[tokio::test]
async fn a_file_is_approved_or_rejected_by_the_schema_of_its_stream_and_no_value_of_it_is_told() {
    for post in Post::all().await {
        post.put(terms(INSTITUTION, &of(SCHEMA))).await;
        let many = "<Post><Beloeb>10.50</Beloeb></Post>".repeat(5_000);
        let good = post.delivered(&file(&many)).await;
        assert_eq!((good.validation, good.remarks.len()), (Validation::Approved, 0), "{}: {:?}", post.kind, good.remarks);
        for (content, code, place) in [
            (file("<Post><Beloeb>6105998888.999</Beloeb></Post>"), "VP020", "Beloeb"),
            (file(""), "VP020", "Post"),
            (file(&format!("{many}<Post><Andet/></Post>")), "VP020", "5001"),
            (b"<Loen/>".to_vec(), "VP020", "Loen"),
            (b"<Loen xmlns='urn:example:loen'><Maaned>6105998888".to_vec(), "VP021", ""),
            (b"<!DOCTYPE x [<!ENTITY e 'e'>]><Loen xmlns='urn:example:loen'/>".to_vec(), "VP021", ""),
            (b"P;4711;D;10,50\n".to_vec(), "VP021", ""),
        ] {
            let refused = post.delivered(&content).await;
            let told = format!("{:?}", refused.remarks);
            let codes: Vec<_> = refused.remarks.iter().map(|remark| remark.code.as_str()).collect();
            assert_eq!((refused.validation, codes.as_slice()), (Validation::Rejected, &[code][..]), "{}: {told}", post.kind);
            assert!(told.contains(place) && !told.contains("6105998888"), "{}: {told}", post.kind);
        }
    }
}

#[test]
fn a_schema_that_cannot_judge_is_refused_when_it_is_asked_for() {
    let sound = |text: &str| toml::from_str::<Terms>(text).unwrap().sound().map(drop).map_err(|error| error.to_string());
    let head = "number = 'PA85858'\nowner = '11111111'\nenvironment = 'test'\nlegal_basis = 'a'\npurpose = 'b'\n\
                contact = { email = 'a@b.example', phone = '1' }\n";
    sound(&format!("{head}{}", of(SCHEMA))).unwrap();
    for wrong in [
        of("<xs:schema"),
        of(&SCHEMA.replace("typer/beloeb.xsd", "../../etc/passwd")),
        of(&SCHEMA.replace("typer/beloeb.xsd", "http://example.dk/beloeb.xsd")),
        of(&SCHEMA.replace("type='Beloeb'", "type='Andet'")),
        of(SCHEMA).replace("root = 'Loen'", "root = 'loen'"),
        of(SCHEMA).replace("entry = 'loen.xsd'", "entry = 'andet.xsd'"),
        of(&format!("{SCHEMA}<!-- {} -->", "x".repeat(600_000))),
        // A kilobyte that would take more memory than there is.
        of(&SCHEMA.replace(
            "<xs:element name='Maaned' type='xs:gYearMonth'/>",
            &format!(
                "{}<xs:element name='Maaned' type='xs:gYearMonth'/>{}",
                "<xs:sequence maxOccurs='16'>".repeat(8),
                "</xs:sequence>".repeat(8)
            ),
        )),
    ] {
        let error = sound(&format!("{head}{wrong}")).unwrap_err();
        assert!(error.starts_with("stream 1, validator: "), "{error}");
    }
}
