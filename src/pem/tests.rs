use super::*;

/// What `sections` says of a file of certificates.
fn certificates(text: impl AsRef<[u8]>) -> Result<Vec<Vec<u8>>, PemError> {
    let found = sections(text.as_ref(), &[Kind::Certificate])?;
    Ok(found.into_iter().map(|section| section.der.to_vec()).collect())
}

fn section(label: &str, content: &[u8]) -> String {
    encode(label, content).to_string()
}

fn one() -> String {
    section("CERTIFICATE", &[1; 100])
}

fn two() -> String {
    section("CERTIFICATE", &[2; 50])
}

fn said(text: impl AsRef<[u8]>) -> String {
    certificates(text).map(|found| found.len()).expect_err("must be refused").to_string()
}

#[test]
fn every_section_is_read_in_its_order() {
    let both = certificates(one() + &two()).unwrap();
    assert_eq!(both, [vec![1; 100], vec![2; 50]]);
    let crlf = (one() + &two()).replace('\n', "\r\n");
    assert_eq!(certificates(crlf).unwrap(), both, "as Windows ends lines");
    assert_eq!(certificates((one() + &two()).trim_end()).unwrap(), both, "without an end of the last line");
    assert!(certificates("").unwrap().is_empty());
}

#[test]
fn text_that_explains_a_section_is_let_through() {
    let openssl = format!(
        "Bag Attributes\n    localKeyID: 01 02 \n    friendlyName: system\nsubject=C = DK, CN = Prøve\n\nissuer=C = DK\n{}\
         Key Attributes: <No Attributes>\n# the second\nCertificate:\n    Data:\n        Version: 3 (0x2)\n{}\nnotAfter=Jan 1\n",
        one(),
        two()
    );
    assert_eq!(certificates(openssl).unwrap().len(), 2);
    // curl's cacert.pem names each with a title and a line under it.
    assert_eq!(certificates(format!("##\n## Bundle\n##\n\nDen Danske Stat OCES rod\n========\n{}", one())).unwrap().len(), 1);
}

#[test]
fn what_is_not_understood_is_refused_with_its_section_and_line() {
    let lines = one().lines().count();
    let cut = two().lines().take(2).collect::<Vec<_>>().join("\n");
    let cases: Vec<(&str, Vec<u8>, String)> = vec![
        ("a byte order mark", ["\u{feff}", &one()].concat().into(), "byte order mark".to_owned()),
        ("UTF-16", [vec![0xFF, 0xFE], b"-\0-\0".to_vec()].concat(), "byte order mark".to_owned()),
        ("a byte order mark between", (one() + "\u{feff}" + &two()).into(), format!("in line {}: dashes", lines + 1)),
        ("joined", (one().trim_end().to_owned() + &two()).into(), format!("in line {lines}: two sections are joined")),
        ("cut off", (one() + &cut).into(), format!("section 2 (CERTIFICATE, line {}) does not end", lines + 1)),
        ("cut off before another", (cut + "\n" + &one()).into(), "section 1 (CERTIFICATE, line 1) does not end".to_owned()),
        (
            "without its beginning",
            (one() + &two().replacen("-----BEGIN CERTIFICATE-----\n", "", 1)).into(),
            format!("line {}", lines + 1),
        ),
        (
            "an unknown label",
            (one() + &section("TRUSTED CERTIFICATE", b"x")).into(),
            format!("section 2 (TRUSTED CERTIFICATE, line {})", lines + 1),
        ),
        (
            "a key among certificates",
            (one() + &section("PRIVATE KEY", b"x")).into(),
            "holds a private key where none belongs: section 2 (PRIVATE KEY".to_owned(),
        ),
        (
            "a list among certificates",
            section("X509 CRL", b"x").into(),
            "holds a revocation list where none belongs: section 1 (X509 CRL, line 1)".to_owned(),
        ),
        ("text after the last section", (one() + "and so on\n").into(), format!("in line {}: the text", lines + 1)),
        ("control characters", ("a\u{1}b\n".to_owned() + &one()).into(), "in line 1".to_owned()),
        ("an indented boundary", one().replace("-----BEGIN", "  -----BEGIN").into(), "in line 1: dashes".to_owned()),
        (
            "four dashes",
            one().replace("-----BEGIN CERTIFICATE-----", "----BEGIN CERTIFICATE-----").into(),
            "in line 1: dashes".to_owned(),
        ),
        ("not base64", one().replacen("AQEB", "A*EB", 1).into(), "section 1 (CERTIFICATE, line 1) is not base64".to_owned()),
        ("an empty section", b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".to_vec(), "is not base64".to_owned()),
        ("another end", one().replace("END CERTIFICATE", "END X509 CRL").into(), "ends as X509 CRL".to_owned()),
        (
            "a header",
            one().replace("CERTIFICATE-----\nA", "CERTIFICATE-----\nComment: x\nA").into(),
            "unknown header in section 1".to_owned(),
        ),
        ("PKCS#12", vec![0x30, 0x82, 9, 9, 2, 1, 3, 0x30], "is PKCS#12 and not PEM; take the key out with".to_owned()),
        ("a key in DER", vec![0x30, 0x82, 9, 9, 2, 1, 0, 0x30], "is DER and not PEM".to_owned()),
        ("DER", vec![0x30, 0x82, 1, 2], "is DER and not PEM".to_owned()),
        ("bytes", vec![0x80, 0x82, 1, 2], "is not text".to_owned()),
    ];
    for (case, text, expected) in cases {
        let said = said(&text);
        assert!(said.contains(&expected), "{case}: {said}\nbut expected: {expected}");
        assert!(said.contains(';'), "{case} has no remedy: {said}");
    }
}

#[test]
fn a_key_under_a_password_is_known_in_both_of_its_forms() {
    let older = section("RSA PRIVATE KEY", b"x")
        .replace("KEY-----\ne", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\ne");
    for text in [older, section("ENCRYPTED PRIVATE KEY", b"x")] {
        assert_eq!(sections(text.as_bytes(), PRIVATE_KEY).unwrap()[0].kind, Kind::EncryptedKey, "{text}");
    }
}

/// Nothing is lost however a good file is cut: it is read whole, or refused.
#[test]
fn a_file_that_is_cut_anywhere_is_refused_or_holds_whole_sections() {
    let whole = one() + &two();
    let first = one().len();
    for length in 0..whole.len() {
        let read = certificates(&whole.as_bytes()[..length]).map_or(0, |found| found.len());
        let expected = usize::from(length == first || length + 1 == first) + 2 * usize::from(length + 1 == whole.len());
        assert_eq!(read, expected, "cut at {length}");
    }
}
