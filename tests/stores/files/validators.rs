//! Files of a stream judged by the XML Schema that stands in its agreement, or by the rule of a service that it names.

use std::io::Read;
use std::sync::Arc;

use hjemmel::files::codes::Code;
use hjemmel::files::content::{ByInfRef, Candidate, Content, ContentRule, Judgement, Later, Passed, Passing};
use hjemmel::files::partner::agreement::Terms;
use hjemmel::files::partner::core::RULES as USUAL;
use hjemmel::files::partner::rows::{File, Validation};
use hjemmel::id::cvr::Cvr;
use hjemmel::refusal::Detail;
use hjemmel::store::{StoreError, Transaction, sql};
use jiff::Timestamp;
use uuid::Uuid;

use super::mailboxes::{INSTITUTION, OWN, Post, codes, terms};

const SCHEMA: &str = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:example:loen' xmlns='urn:example:loen'
    elementFormDefault='qualified'><xs:include schemaLocation='typer/beloeb.xsd'/><xs:element name='Loen'><xs:complexType><xs:sequence>
    <xs:element name='Maaned' type='xs:gYearMonth'/>
    <xs:element name='Post' maxOccurs='unbounded'><xs:complexType><xs:sequence><xs:element name='Beloeb' type='Beloeb'/></xs:sequence>
    </xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element></xs:schema>";
const TYPES: &str = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:example:loen'>
    <xs:simpleType name='Beloeb'><xs:restriction base='xs:decimal'><xs:fractionDigits value='2'/></xs:restriction></xs:simpleType></xs:schema>";

/// The institution's own terms with another validator.
fn judged_by(validator: &str) -> String {
    let control = OWN.split_once("[stream.validator.control]").unwrap();
    let rest = control.1.split_once("[[stream]]").unwrap().1;
    format!("{}{validator}[[stream]]{rest}", control.0)
}

fn of(schema: &str) -> String {
    judged_by(&format!(
        "[stream.validator.schema]\nnamespace = 'urn:example:loen'\nroot = 'Loen'\nrepeated = 'Post'\nentry = 'loen.xsd'\n\
         [stream.validator.schema.documents]\n'loen.xsd' = \"\"\"{schema}\"\"\"\n'typer/beloeb.xsd' = \"\"\"{TYPES}\"\"\"\n"
    ))
}

const INF_REF: &str = "X_1";

/// A service's rule: a file that begins with a question mark is refused.
struct NoQuestions;

impl ContentRule for NoQuestions {
    fn judge(&self, _: Candidate) -> Later<'_, Result<Judgement, Passing>> {
        panic!("nothing is claimed for a mailbox");
    }

    fn delivered<'a>(
        &'a self,
        _: &'a mut Transaction,
        _: Uuid,
        _: &'a Passed,
        _: Timestamp,
    ) -> Later<'a, Result<(), StoreError>> {
        panic!("nothing is remembered of a mailbox");
    }

    fn check(&self, content: Content, _: Cvr, _: Timestamp) -> Option<Later<'_, Result<Vec<Code>, Passing>>> {
        Some(Box::pin(async move {
            let first = move || {
                let mut first = [0];
                content.open()?.read_exact(&mut first).map(|()| first)
            };
            let first = tokio::task::spawn_blocking(first).await.unwrap().map_err(|error| Passing(error.to_string()))?;
            let what = Detail::new("den spørger", "it asks");
            Ok(if first == *b"?" { vec![Code::FIL1050 { what }] } else { Vec::new() })
        }))
    }

    fn given_up(&self, _: Uuid) -> Later<'_, Result<(), StoreError>> {
        panic!("nothing was claimed");
    }
}

/// The job of a file that is looked at, as if its time had come; how often it was tried by then.
async fn looked_at(post: &Post) -> i64 {
    let due = sql("UPDATE job SET due_us = 0 WHERE state = 'waiting'");
    post.database.session().await.unwrap().execute(due).await.unwrap();
    assert!(post.mailboxes.work_once().await.unwrap() > 0, "{}: its job is there", post.kind);
    let tried = sql("SELECT max(attempts) AS n FROM job WHERE state = 'waiting'");
    post.database.first(tried).await.unwrap().unwrap().maybe::<i64>("n").unwrap().unwrap_or_default()
}

#[tokio::test]
async fn a_file_whose_rule_is_not_on_this_node_waits_without_an_attempt_and_is_judged_where_the_rule_is() {
    for post in Post::all().await {
        post.put(terms(INSTITUTION, &judged_by(&format!("[stream.validator]\nnamed = '{INF_REF}'\n")))).await;
        let (good, bad) = (post.sent(b"an answer").await, post.sent(b"?").await);
        for _ in 0..USUAL.attempts * 2 {
            assert_eq!(looked_at(&post).await, 0, "{}: that was no attempt", post.kind);
        }
        let validation = async |file: &File| post.as_it_is(file).await.validation;
        assert_eq!(validation(&good).await, Validation::Received, "{}", post.kind);
        let rules: ByInfRef = [(INF_REF.to_owned(), Arc::new(NoQuestions) as Arc<dyn ContentRule>)].into();
        post.parts.contents.replace(rules);
        looked_at(&post).await;
        assert_eq!(validation(&good).await, Validation::Approved, "{}", post.kind);
        let bad = post.as_it_is(&bad).await;
        assert_eq!(codes(&bad), (Validation::Rejected, vec!["1050"]), "{}", post.kind);
        assert!(bad.remarks[0].da.contains("den spørger") && bad.remarks[0].en.contains("it asks"), "{:?}", bad.remarks);
    }
}

#[tokio::test]
async fn a_file_that_no_node_could_judge_for_a_day_is_rejected_and_not_approved_unread() {
    for post in Post::all().await {
        post.put(terms(INSTITUTION, &judged_by(&format!("[stream.validator]\nnamed = '{INF_REF}'\n")))).await;
        let file = post.sent(b"an answer").await;
        post.pass(23);
        looked_at(&post).await;
        assert_eq!(post.as_it_is(&file).await.validation, Validation::Received, "{}", post.kind);
        post.pass(1);
        looked_at(&post).await;
        assert_eq!(codes(&post.as_it_is(&file).await), (Validation::Rejected, vec!["VP091"]), "{}", post.kind);
    }
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
