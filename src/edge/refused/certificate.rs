//! What the log may say of a certificate that was refused: enough to find it, and nothing about a person.
//!
//! Anyone can show a certificate, an employee's with name and number included. So the subject is left out but for the number of an
//! organisation, in the forms that name one alone; whoever has the certificate recognises its thumbprint.

use std::fmt;

use rustls_pki_types::CertificateDer;
use x509_parser::asn1_rs::Tag;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::hex;
use crate::signature::credentials::thumbprint;

/// What was shown in a handshake.
#[derive(Debug, Clone)]
pub struct Shown {
    thumbprint: String,
    organization: Option<String>,
    issuer: Option<String>,
    chain: usize,
}

/// So much of an issuer's name: it is whatever the client put there.
const LONGEST_NAME: usize = 120;
const ORGANIZATION_IDENTIFIER: &str = "2.5.4.97";
const SERIAL_NUMBER: &str = "2.5.4.5";

impl Shown {
    /// The client's own certificate, and how many it sent beside it.
    pub fn new(certificate: &CertificateDer<'_>, chain: usize) -> Self {
        let parsed = X509Certificate::from_der(certificate).ok().map(|(_, parsed)| parsed);
        Self {
            thumbprint: hex::encode(&thumbprint(certificate)),
            organization: parsed.as_ref().and_then(|parsed| organization(parsed.subject())),
            issuer: parsed.as_ref().and_then(issuer),
            chain,
        }
    }

    /// Whether the client sent no other certificate.
    pub fn alone(&self) -> bool {
        self.chain == 0
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "; certificate sha256 {}", self.thumbprint)?;
        if let Some(organization) = &self.organization {
            write!(f, ", of {organization}")?;
        }
        if let Some(issuer) = &self.issuer {
            write!(f, ", issued by \"{issuer}\"")?;
        }
        write!(f, ", {} more in its chain", self.chain)
    }
}

/// The text of an attribute in whatever form of string: also as OCES2 and older CAs wrote it (T61String, BMPString).
fn text(attribute: &AttributeTypeAndValue<'_>) -> String {
    let value = attribute.attr_value();
    if value.tag() == Tag::BmpString {
        let units = value.data.chunks_exact(2).map(|pair| pair.iter().fold(0, |unit, byte| unit << 8 | u16::from(*byte)));
        return char::decode_utf16(units).map(|c| c.unwrap_or('?')).collect();
    }
    std::str::from_utf8(value.data).map_or_else(|_| value.data.iter().map(|byte| char::from(*byte)).collect(), str::to_owned)
}

/// The number of an organisation: `NTRDK-` and CVR number, or OCES2's for functions (FID) and companies (UID). Employees (RID) and
/// citizens (PID) have other forms.
fn organization(subject: &X509Name<'_>) -> Option<String> {
    let mut values = subject.iter_attributes().filter_map(|attribute| {
        let value = text(attribute);
        let number = match attribute.attr_type().to_id_string().as_str() {
            ORGANIZATION_IDENTIFIER => value.strip_prefix("NTRDK-")?,
            SERIAL_NUMBER => {
                let (cvr, rest) = value.strip_prefix("CVR:")?.split_once('-')?;
                (rest.starts_with("FID:") || rest.starts_with("UID:")).then_some(cvr)?
            }
            _ => return None,
        };
        (number.len() == 8 && number.bytes().all(|digit| digit.is_ascii_digit())).then(|| format!("CVR {number}"))
    });
    let found = values.next();
    // An employee's certificate names the employer in the same place.
    let person = subject.iter_attributes().any(|attribute| {
        attribute.attr_type().to_id_string() == SERIAL_NUMBER
            && ["RID:", "PID:", "UI:DK-E:", "UI:DK-P:"].iter().any(|of| text(attribute).contains(of))
    });
    found.filter(|_| !person)
}

/// Of a CA's name the country, the organisation and the name proper.
fn part(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    let kind = match attribute.attr_type().to_id_string().as_str() {
        "2.5.4.6" => "C",
        "2.5.4.10" => "O",
        "2.5.4.3" => "CN",
        _ => return None,
    };
    Some(format!("{kind}={}", text(attribute)))
}

/// The CA's name, unless the certificate is its own issuer; without control characters and without long numbers.
fn issuer(certificate: &X509Certificate<'_>) -> Option<String> {
    if certificate.issuer().as_raw() == certificate.subject().as_raw() {
        return None;
    }
    let parts: Vec<_> = certificate.issuer().iter_attributes().filter_map(part).collect();
    let name: String = parts.join(", ").chars().take(LONGEST_NAME).map(|c| if c.is_control() { '?' } else { c }).collect();
    let long = |run: &str| run.len() >= 6;
    let mut out = String::new();
    let mut run = String::new();
    for c in name.chars().chain(std::iter::once('\0')) {
        if c.is_ascii_digit() {
            run.push(c);
            continue;
        }
        out.push_str(if long(&run) { "…" } else { &run });
        run.clear();
        if c != '\0' {
            out.push(c);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, Issuer, KeyPair};

    use super::*;

    fn shown(subject: &[(DnType, &str)], ca: &str) -> String {
        let name = |parts: &[(DnType, &str)]| {
            let mut name = DistinguishedName::new();
            parts.iter().for_each(|(kind, value)| name.push(kind.clone(), *value));
            name
        };
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = name(&[(DnType::CommonName, ca)]);
        let issuer = Issuer::new(params, key);
        let mut params = CertificateParams::default();
        params.distinguished_name = name(subject);
        let own = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&own, &issuer).unwrap();
        Shown::new(certificate.der(), 0).to_string()
    }

    fn serial_number() -> DnType {
        DnType::CustomDnType(vec![2, 5, 4, 5])
    }

    fn organization_identifier() -> DnType {
        DnType::CustomDnType(vec![2, 5, 4, 97])
    }

    #[test]
    fn an_organisation_is_told_by_its_number_in_the_forms_of_oces_2_and_3() {
        for (kind, value) in [
            (organization_identifier(), "NTRDK-99999981"),
            (serial_number(), "CVR:99999981-FID:12345678"),
            (serial_number(), "CVR:99999981-UID:12345678"),
        ] {
            let text = shown(&[(DnType::CommonName, "Fagsøgning"), (kind, value)], "Prøve CA");
            assert!(text.contains("of CVR 99999981") && text.contains("issued by \"CN=Prøve CA\""), "{text}");
            assert!(!text.contains("Fagsøgning") && !text.contains("12345678"), "{text}");
        }
    }

    #[test]
    fn names_in_the_strings_of_older_cas_are_read() {
        let mut of_ca = DistinguishedName::new();
        of_ca.push(DnType::CommonName, DnValue::BmpString("Prøve OCES2 CA".try_into().unwrap()));
        of_ca.push(DnType::OrganizationName, DnValue::TeletexString("Prove".try_into().unwrap()));
        let mut params = CertificateParams::default();
        params.distinguished_name = of_ca;
        let issuer = Issuer::new(params, KeyPair::generate().unwrap());
        let own = CertificateParams::default().signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        let told = Shown::new(own.der(), 0).to_string();
        assert!(told.contains("CN=Prøve OCES2 CA") && told.contains("O=Prove"), "{told}");
    }

    #[test]
    fn nothing_of_a_person_is_told_whatever_the_certificate_holds() {
        for (kind, value) in [
            (serial_number(), "CVR:99999981-RID:12345678"),
            (serial_number(), "PID:9208-2002-2-123456789012"),
            (serial_number(), "UI:DK-E:G:5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b10ff"),
            (serial_number(), "6101801234"),
            (organization_identifier(), "NTRDK-6101801234"),
        ] {
            let text = shown(&[(DnType::CommonName, "Alma Opfundet"), (kind, value)], "CA for 6101801234");
            // The thumbprint is chance; what stands behind it is not.
            let (_, behind) = text.split_once(", ").unwrap();
            for personal in ["Alma", "6101801234", "12345678", "9208", "5a0c7b52", "of CVR"] {
                assert!(!behind.contains(personal), "{personal} in {text}");
            }
        }
        // An employee's certificate of today names the employer too.
        let employee = [(organization_identifier(), "NTRDK-99999981"), (serial_number(), "UI:DK-E:G:5a0c7b52")];
        assert!(!shown(&employee, "CA").contains("99999981"));
    }

    #[test]
    fn a_certificate_that_names_itself_as_issuer_has_no_issuer_told_and_what_is_none_has_its_thumbprint() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Alma Opfundet");
        let own = params.self_signed(&key).unwrap();
        assert!(!Shown::new(own.der(), 0).to_string().contains("issued by"));
        let none = Shown::new(&CertificateDer::from(vec![1, 2, 3]), 2).to_string();
        assert!(none.starts_with("; certificate sha256 039058c6") && none.ends_with("2 more in its chain"), "{none}");
    }
}
