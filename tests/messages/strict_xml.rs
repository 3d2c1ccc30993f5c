//! What the strict reader refuses that quick-xml alone lets through (each line has confused a real product).

use bytes::Bytes;
use hjemmel::soap::document::Document;
use hjemmel::soap::strict::Limits;

fn parse(xml: &str) -> Result<Document, String> {
    Document::parse(Bytes::copy_from_slice(xml.as_bytes()), &Limits::default()).map_err(|refusal| refusal.code().to_owned())
}

#[test]
fn what_two_readers_could_understand_differently_is_refused() {
    let malformed = [
        ("two roots", "<a/><b/>"),
        ("text outside the root", "<a/>x"),
        ("text before the root", "x<a/>"),
        ("CDATA outside the root", "<a/><![CDATA[x]]>"),
        ("a reference outside the root", "<a/>&#32;"),
        ("an open element at the end", "<a><b></b>"),
        ("no element at all", ""),
        ("white space only", " \n"),
        ("mismatched tags", "<a></b>"),
        ("an end tag alone", "</a>"),
        ("a control character", "<a>\u{1}</a>"),
        ("NUL", "<a>\0</a>"),
        ("U+FFFE", "<a>\u{FFFE}</a>"),
        ("]]> in text", "<a>]]></a>"),
        ("< in an attribute", "<a b='<'/>"),
        ("a reference to a control character", "<a>&#1;</a>"),
        ("a reference to a surrogate", "<a>&#xD800;</a>"),
        ("an unknown entity", "<a>&nbsp;</a>"),
        ("an unknown entity in an attribute", "<a b='&nbsp;'/>"),
        ("a bare ampersand", "<a>a & b</a>"),
        ("a bare ampersand in an attribute", "<a b='a & b'/>"),
        ("a bad name", "<1a/>"),
        ("a name with two colons", "<a:b:c xmlns:a='urn:a'/>"),
        ("an empty local name", "<a: xmlns:a='urn:a'/>"),
        ("-- in a comment", "<a><!-- x -- y --></a>"),
        ("a comment that ends in three hyphens", "<a><!-- x ---></a>"),
        ("an undeclared prefix", "<p:a/>"),
        ("an undeclared prefix on an attribute", "<a p:b=''/>"),
        ("one attribute twice", "<a b='1' b='2'/>"),
        ("one attribute by two prefixes", "<a xmlns:p='urn:p' xmlns:q='urn:p' p:b='1' q:b='2'/>"),
        ("one prefix declared twice", "<a xmlns:p='urn:p' xmlns:p='urn:q'/>"),
        ("xml bound elsewhere", "<a xmlns:xml='urn:x'/>"),
        ("another prefix bound to xml's namespace", "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>"),
        ("xmlns declared", "<a xmlns:xmlns='urn:x'/>"),
        ("a default bound to xmlns's namespace", "<a xmlns='http://www.w3.org/2000/xmlns/'/>"),
        ("a prefix declared empty", "<a xmlns:p=''/>"),
        ("a relative namespace name", "<a xmlns='foo'/>"),
        ("a relative namespace name behind a good one", "<a xmlns='urn:a'><b xmlns='urn:a'/><c xmlns='foo'/></a>"),
        ("a namespace name that is no URI", "<a xmlns='http://[x'/>"),
        ("a namespace name with an empty port", "<a xmlns='http://x:/y'/>"),
        ("a namespace name with a port that is none", "<a xmlns='http://x.exam://x.example/'/>"),
        ("a namespace name with a user", "<a xmlns='http://u@x/y'/>"),
        ("no space between attributes", "<a x='1'y='2'/>"),
        ("an attribute without a value", "<a x/>"),
        ("an attribute without quotes", "<a x=1/>"),
        ("white space before the declaration", " <?xml version='1.0'?><a/>"),
        ("a second declaration", "<?xml version='1.0'?><?xml version='1.0'?><a/>"),
        ("a declaration inside", "<a><?xml version='1.0'?></a>"),
        ("version 1.1", "<?xml version='1.1'?><a/>"),
        ("a declaration without version", "<?xml encoding='UTF-8'?><a/>"),
        ("two byte order marks", "\u{FEFF}\u{FEFF}<a/>"),
        ("a tag that does not end", "<a"),
        ("a comment that does not end", "<a><!-- "),
    ];
    for (what, xml) in malformed {
        let refused = parse(xml).map(|_| ()).expect_err(what);
        assert!(
            ["MalformedXml", "ProcessingInstructionRefused"].contains(&refused.as_str()),
            "{what} must be refused as malformed, was {refused}"
        );
    }
    assert_eq!(parse("<!DOCTYPE a><a/>").unwrap_err(), "DtdRefused");
    assert_eq!(parse("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>").unwrap_err(), "DtdRefused");
    assert_eq!(parse("<a><?target data?></a>").unwrap_err(), "ProcessingInstructionRefused");
    assert_eq!(parse("<?xml-stylesheet href='x'?><a/>").unwrap_err(), "ProcessingInstructionRefused");
    assert_eq!(parse("<?xml version='1.0' encoding='ISO-8859-1'?><a/>").unwrap_err(), "EncodingRefused");
    let not_utf8 = Document::parse(Bytes::from_static(b"<a>\xe6</a>"), &Limits::default());
    assert_eq!(not_utf8.unwrap_err().code(), "EncodingRefused");
}

#[test]
fn what_is_past_a_limit_is_refused() {
    let deep = "<a>".repeat(65) + &"</a>".repeat(65);
    assert_eq!(parse(&deep).unwrap_err(), "XmlTooComplex");
    let wide: String = (0..65).map(|n| format!(" a{n}=''")).collect();
    assert_eq!(parse(&format!("<a{wide}/>")).unwrap_err(), "XmlTooComplex");
    let names: String = (0..65).map(|n| format!(" xmlns:a{n}='urn:{n}'")).collect();
    assert_eq!(parse(&format!("<a{names}/>")).unwrap_err(), "XmlTooComplex");
    let many = format!("<a>{}</a>", "<b/>".repeat(100_001));
    assert_eq!(parse(&many).unwrap_err(), "XmlTooComplex");
    let long = format!("<{}/>", "a".repeat(257));
    assert_eq!(parse(&long).unwrap_err(), "XmlTooComplex");
    let namespace = |length: usize| format!("<a xmlns='urn:{}'/>", "a".repeat(length - 4));
    assert!(parse(&namespace(512)).is_ok());
    assert_eq!(parse(&namespace(513)).unwrap_err(), "XmlTooComplex");
    let text = format!("<a>{}</a>", "x".repeat(512 * 1024 + 1));
    assert_eq!(parse(&text).unwrap_err(), "XmlTooComplex");
}

#[test]
fn an_honest_message_is_read_whole() {
    let document = parse(
        "\u{FEFF}<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<p:a xmlns:p='urn:p' xmlns='urn:d' p:x='1\n2&#10;&lt;' y=\"'\">\
         x&amp;y<![CDATA[<z>]]><!-- c --><b> v\r\n&#13;w </b></p:a>\n<!-- after -->",
    )
    .unwrap();
    let root = document.root();
    assert!(root.is("urn:p", "a"));
    assert_eq!(root.attribute("urn:p", "x"), Some("1 2\n<"));
    assert_eq!(root.attribute("", "y"), Some("'"));
    assert!(document.has_comments());
    assert_eq!(root.text(), None, "CDATA and comments inside a value make it unreadable");
    let b = root.only("urn:d", "b").unwrap().unwrap();
    assert_eq!(b.text().as_deref(), Some(" v\n\rw "), "line ends are normalised, references are not");
    assert_eq!(b.source(), "<b> v\r\n&#13;w </b>".as_bytes(), "the source span is exact, also behind a byte order mark");
    assert_eq!(b.parent(), Some(root));
    assert_eq!(root.namespace_of("p"), Some("urn:p"));
    assert_eq!(root.descendants().count(), 2);
}

/// Some canonicalisers give up at a namespace name that they cannot read, and digest nothing (void canonicalisation).
#[test]
fn a_percent_sign_in_a_namespace_name_stands_before_two_hexadecimal_digits() {
    let read = |name: &str| parse(&format!("<a xmlns:p='{name}'/>")).map(|_| ());
    for good in ["urn:%41", "urn:a%4f%4Fb", "http://x/%20", "urn:a#%41"] {
        assert_eq!(read(good), Ok(()), "{good}");
    }
    for bad in ["urn:%", "urn:%4", "urn:%4g", "urn:%%41", "urn:%4%41", "urn:%41%", "urn:%4é", "urn:%é1", "urn:%-1", "urn:a#b#%41"]
    {
        assert_eq!(read(bad), Err("MalformedXml".into()), "{bad}");
    }
}

/// Prefixes are told apart by how they begin, and by the rest where that is longer.
#[test]
fn prefixes_that_begin_alike_are_different_prefixes() {
    let prefixes = ["p", "pp", "abcdefg", "abcdefgh", "abcdefghi", "abcdefghj", "abcdefghij", "æøåæ", "æøåø", "æøåæø"];
    let declared = prefixes.iter().enumerate().map(|(number, prefix)| format!(" xmlns:{prefix}='urn:{number}'"));
    let declared: String = declared.collect();
    for (number, prefix) in prefixes.iter().enumerate() {
        let document = parse(&format!("<a{declared}><{prefix}:b/></a>")).unwrap();
        let expected = format!("urn:{number}");
        let inner = document.root().elements().next().unwrap();
        assert_eq!((inner.namespace(), document.root().namespace_of(prefix)), (expected.as_str(), Some(expected.as_str())));
        for longer in [format!("{prefix}x"), format!("{prefix}å")] {
            assert!(parse(&format!("<a{declared}><{longer}:b/></a>")).is_err(), "{longer} is not declared");
        }
    }
}
