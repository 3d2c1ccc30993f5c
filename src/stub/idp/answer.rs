//! What the identity provider answers: a Response, as it should be or in one of the ways that must be refused.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::CertificateDer;
use uuid::Uuid;

use super::{Keys, Person, attribute, escaped, privilege};
use crate::signature::base64;
use crate::signature::credentials::inspect;
use crate::signature::key::KeyError;
use crate::signature::names::{DSIG, SAML};
use crate::signature::sign::{SignError, sign_enveloped};
use crate::signon::names::{BEARER, CVR, FULL_NAME, LOA, PERSISTENT, PRIVILEGES, SAMLP, STATUS, TRANSIENT, XENC, XENC11};

/// How the provider answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // each is told by `Mode::ALL`
pub enum Mode {
    Plain,
    Both,
    ResponseOnly,
    Encrypted,
    EncryptedMgf1p,
    EncryptedResponseUnsigned,
    Cpr,
    EncryptedCbc,
    CbcUnsigned,
    Unsigned,
    Sha1,
    TripleDes,
    OtherKey,
    Altered,
    Wrapped,
    WrappedAround,
    SignatureMoved,
    TwoAssertions,
    Comment,
    Unsolicited,
    OtherRequest,
    OtherAudience,
    OtherDestination,
    EntityIdAsDestination,
    OtherRecipient,
    NoRecipient,
    Expired,
    ConfirmationExpired,
    TooOld,
    HolderOfKey,
    LowAssurance,
    Unspecified,
    Transient,
    CprAsName,
    NoAuthority,
    OtherAuthority,
    NoRole,
    Narrowed,
    Condition,
    ForAnother,
    Error,
    Again,
}

impl Mode {
    /// Each with its name on the command line and on the page, and the refusal that is due; none where it is let in.
    pub const ALL: &[(Self, &str, Option<&str>)] = &[
        (Self::Plain, "plain", None),
        (Self::Both, "both", None),
        (Self::ResponseOnly, "response-only", None),
        (Self::Encrypted, "encrypted", None),
        (Self::EncryptedMgf1p, "encrypted-mgf1p", None),
        (Self::EncryptedResponseUnsigned, "encrypted-response-unsigned", None),
        (Self::Cpr, "cpr", None),
        (Self::EncryptedCbc, "encrypted-cbc", Some("LogOnEncryption")),
        (Self::CbcUnsigned, "cbc-unsigned", Some("LogOnEncryption")),
        (Self::Unsigned, "unsigned", Some("LogOnUnsigned")),
        (Self::Sha1, "sha1", Some("LogOnAlgorithm")),
        (Self::TripleDes, "triple-des", Some("LogOnEncryption")),
        (Self::OtherKey, "other-key", Some("LogOnSignature")),
        (Self::Altered, "altered", Some("LogOnSignature")),
        (Self::Wrapped, "wrapped", Some("LogOnStructure")),
        (Self::WrappedAround, "wrapped-around", Some("LogOnStructure")),
        (Self::SignatureMoved, "signature-moved", Some("LogOnStructure")),
        (Self::TwoAssertions, "two-assertions", Some("LogOnStructure")),
        (Self::Comment, "comment", Some("LogOnStructure")),
        (Self::Unsolicited, "unsolicited", Some("LogOnUnsolicited")),
        (Self::OtherRequest, "other-request", Some("LogOnOtherRequest")),
        (Self::OtherAudience, "other-audience", Some("LogOnAudience")),
        (Self::OtherDestination, "other-destination", Some("LogOnDestination")),
        (Self::EntityIdAsDestination, "entity-id-as-destination", Some("LogOnDestination")),
        (Self::OtherRecipient, "other-recipient", Some("LogOnDestination")),
        (Self::NoRecipient, "no-recipient", Some("LogOnDestination")),
        (Self::Expired, "expired", Some("LogOnTime")),
        (Self::ConfirmationExpired, "confirmation-expired", Some("LogOnTime")),
        (Self::TooOld, "too-old", Some("LogOnTime")),
        (Self::HolderOfKey, "holder-of-key", Some("LogOnConfirmation")),
        (Self::LowAssurance, "low-assurance", Some("LogOnAssurance")),
        (Self::Unspecified, "unspecified", Some("LogOnAssurance")),
        (Self::Transient, "transient", Some("LogOnPerson")),
        (Self::CprAsName, "cpr-as-name", Some("LogOnPerson")),
        (Self::NoAuthority, "no-authority", Some("LogOnAuthority")),
        (Self::OtherAuthority, "other-authority", Some("LogOnAuthority")),
        (Self::NoRole, "no-role", Some("LogOnNoRole")),
        (Self::Narrowed, "narrowed", Some("LogOnNoRole")),
        (Self::Condition, "condition", Some("LogOnCondition")),
        (Self::ForAnother, "for-another", Some("LogOnDecryption")),
        (Self::Error, "error", Some("LogOnStatus")),
        (Self::Again, "again", Some("LogOnReplayed")),
    ];

    /// The name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(mode, ..)| *mode == self).map_or("plain", |(_, name, _)| name)
    }
}

impl std::str::FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.iter().map(|(_, name, _)| *name).collect::<Vec<_>>().join(", ");
        let found = Self::ALL.iter().find(|(_, name, _)| *name == text);
        found.map(|(mode, ..)| *mode).ok_or_else(|| format!("unknown mode {text}; choose one of {}", names()))
    }
}

/// What an answer is about.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The provider's entity id.
    pub issuer: &'a str,
    /// The console's Assertion Consumer Service.
    pub consumer: &'a str,
    /// The console's entity id.
    pub audience: &'a str,
    /// The request's ID.
    pub request: &'a str,
    /// For whom an encrypted assertion is.
    pub certificate: Option<&'a CertificateDer<'static>>,
    /// Who logs on.
    pub person: &'a Person,
    /// When.
    pub now: Timestamp,
}

/// The number of somebody who is not: day 61. It stands where a provider sends the CPR number unasked.
pub const UNASKED_CPR: &str = "6101019999";

const CPR_ATTRIBUTE: &str = "dk:gov:saml:attribute:CprNumberIdentifier";

/// Writes the Response.
///
/// # Errors
/// A key failed.
pub fn respond(asked: &Asked<'_>, mode: Mode, keys: &Keys) -> Result<Vec<u8>, SignError> {
    let assertion = assertion(asked, mode);
    let signed = match mode {
        Mode::Unsigned | Mode::ResponseOnly => assertion.into_bytes(),
        Mode::OtherKey => keys.other.signs(&assertion)?,
        _ => keys.own.signs(&assertion)?,
    };
    let text = String::from_utf8_lossy(&signed).into_owned();
    let spoilt = spoil(text, mode, asked);
    let inside = match (mode, asked.certificate) {
        (Mode::Encrypted | Mode::EncryptedResponseUnsigned, Some(to)) => encrypt(&spoilt, to, Method::Gcm)?,
        (Mode::EncryptedMgf1p, Some(to)) => encrypt(&spoilt, to, Method::GcmMgf1p)?,
        (Mode::EncryptedCbc | Mode::CbcUnsigned, Some(to)) => encrypt(&spoilt, to, Method::Cbc)?,
        (Mode::TripleDes, Some(to)) => encrypt(&spoilt, to, Method::Cbc)?.replace("#aes128-cbc", "#tripledes-cbc"),
        (Mode::ForAnother, _) => encrypt(&spoilt, keys.other.credentials.leaf(), Method::Gcm)?,
        _ => spoilt,
    };
    let response = response(asked, mode, &inside);
    let both = [Mode::Both, Mode::ResponseOnly, Mode::Encrypted, Mode::EncryptedMgf1p, Mode::EncryptedCbc, Mode::Error];
    match both.contains(&mode) {
        true => keys.own.signs(&response),
        false => Ok(response.into_bytes()),
    }
}

fn assertion(asked: &Asked<'_>, mode: Mode) -> String {
    let Asked { now, person, .. } = *asked;
    let minutes = |minutes: i64| now.saturating_add(SignedDuration::from_mins(minutes)).unwrap_or(now);
    let (issued, ends) = match mode {
        Mode::TooOld => (minutes(-7), minutes(60)),
        Mode::Expired => (minutes(-3), minutes(-2)),
        _ => (now, minutes(5)),
    };
    let confirmed = if mode == Mode::ConfirmationExpired { minutes(-2) } else { ends };
    let recipient = match mode {
        Mode::OtherRecipient => " Recipient=\"https://elsewhere.example/saml/acs\"".to_owned(),
        Mode::NoRecipient => String::new(),
        _ => format!(" Recipient=\"{}\"", attribute(asked.consumer)),
    };
    let in_response_to = in_response_to(asked, mode);
    let audience = if mode == Mode::OtherAudience { "https://elsewhere.example/saml/metadata" } else { asked.audience };
    let (format, name) = match mode {
        Mode::Transient => (TRANSIENT, format!("_{}", Uuid::new_v4().simple())),
        Mode::CprAsName => (PERSISTENT, UNASKED_CPR.to_owned()),
        _ => (PERSISTENT, person.id.clone()),
    };
    let method = if mode == Mode::HolderOfKey { "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key" } else { BEARER };
    let context = match mode {
        Mode::Unspecified => "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified".to_owned(),
        _ => format!("{LOA}/{}", if mode == Mode::LowAssurance { "Low" } else { "Substantial" }),
    };
    let condition = match mode {
        Mode::Condition => {
            "<saml:Condition xmlns:x=\"urn:x\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"x:Y\"></saml:Condition>"
        }
        _ => "",
    };
    format!(
        "<saml:Assertion xmlns:saml=\"{SAML}\" ID=\"_{}\" IssueInstant=\"{issued:.3}\" Version=\"2.0\"><saml:Issuer>{}</saml:Issuer>\
         <saml:Subject><saml:NameID Format=\"{format}\">{}</saml:NameID><saml:SubjectConfirmation Method=\"{method}\">\
         <saml:SubjectConfirmationData{in_response_to} NotOnOrAfter=\"{confirmed:.3}\"{recipient}></saml:SubjectConfirmationData>\
         </saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore=\"{issued:.3}\" NotOnOrAfter=\"{ends:.3}\">{condition}\
         <saml:AudienceRestriction><saml:Audience>{}</saml:Audience></saml:AudienceRestriction></saml:Conditions>\
         <saml:AuthnStatement AuthnInstant=\"{issued:.3}\" SessionIndex=\"_s{}\"><saml:AuthnContext><saml:AuthnContextClassRef>{context}\
         </saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>{}</saml:AttributeStatement>\
         </saml:Assertion>",
        Uuid::new_v4().simple(),
        escaped(asked.issuer),
        escaped(&name),
        escaped(audience),
        person.id,
        attributes(person, mode),
    )
}

fn in_response_to(asked: &Asked<'_>, mode: Mode) -> String {
    match mode {
        Mode::Unsolicited => String::new(),
        Mode::OtherRequest => " InResponseTo=\"_0000000000000000000000000000000000000000000000000000000000000000\"".to_owned(),
        _ => format!(" InResponseTo=\"{}\"", attribute(asked.request)),
    }
}

fn attributes(person: &Person, mode: Mode) -> String {
    let mut values: Vec<(&str, String)> = vec![(FULL_NAME[0], person.name.clone())];
    match mode {
        Mode::Unspecified => {}
        Mode::LowAssurance => values.push((LOA, "Low".to_owned())),
        _ => values.push((LOA, "Substantial".to_owned())),
    }
    match mode {
        Mode::NoAuthority => {}
        Mode::OtherAuthority => values.push((CVR[0], "99999972".to_owned())),
        _ => values.push((CVR[0], person.cvr.to_string())),
    }
    if mode != Mode::NoRole {
        let constraint = match mode {
            Mode::Narrowed => "<Constraint Name=\"http://sts.kombit.dk/constraints/KLE/1\">32.*</Constraint>",
            _ => "",
        };
        let roles: String =
            person.roles.iter().map(|role| format!("<Privilege>{}</Privilege>", escaped(&privilege(*role)))).collect();
        let list = format!(
            "<bpp:PrivilegeList xmlns:bpp=\"http://digst.dk/oiosaml/basic_privilege_profile\"><PrivilegeGroup \
             Scope=\"urn:dk:gov:saml:cvrNumberIdentifier:{}\">{roles}{constraint}</PrivilegeGroup></bpp:PrivilegeList>",
            person.cvr
        );
        values.push((PRIVILEGES[0], base64::encode(list.as_bytes())));
    }
    if mode == Mode::Cpr {
        values.push((CPR_ATTRIBUTE, UNASKED_CPR.to_owned()));
    }
    values
        .iter()
        .map(|(name, value)| {
            format!(
                "<saml:Attribute Name=\"{name}\"><saml:AttributeValue>{}</saml:AttributeValue></saml:Attribute>",
                escaped(value)
            )
        })
        .collect()
}

/// Does to a signed assertion what the mode asks for.
fn spoil(assertion: String, mode: Mode, asked: &Asked<'_>) -> String {
    let forged = || {
        let unsigned = self::assertion(asked, Mode::Plain);
        unsigned.replace(&asked.person.id, "somebody-else")
    };
    match mode {
        Mode::Sha1 => {
            assertion.replace("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2000/09/xmldsig#rsa-sha1")
        }
        Mode::Altered => assertion.replacen(&asked.person.id, "somebody-else", 1),
        Mode::TwoAssertions => format!("{}{assertion}", forged()),
        // XSW: the forged one stands where a reader looks, and holds the signed one where a verifier finds it by its id.
        Mode::Wrapped => {
            let inside = format!("</saml:Conditions><saml:Advice>{assertion}</saml:Advice>");
            forged().replacen("</saml:Conditions>", &inside, 1)
        }
        Mode::WrappedAround => {
            let signature = between(&assertion, "<ds:Signature", "</ds:Signature>");
            let with = signature.replace("</ds:Signature>", &format!("<ds:Object>{assertion}</ds:Object></ds:Signature>"));
            forged().replacen("</saml:Issuer>", &format!("</saml:Issuer>{with}"), 1)
        }
        Mode::SignatureMoved => {
            let signature = between(&assertion, "<ds:Signature", "</ds:Signature>");
            let without = assertion.replacen(&signature, "", 1);
            without.replacen("<saml:AuthnContext>", &format!("<saml:AuthnContext>{signature}"), 1)
        }
        Mode::Comment => assertion.replacen(&asked.person.id, &format!("{}<!-- -->", asked.person.id), 1),
        _ => assertion,
    }
}

fn between(text: &str, from: &str, to: &str) -> String {
    let start = text.find(from).unwrap_or_default();
    let rest = text.get(start..).unwrap_or_default();
    let end = rest.find(to).map_or(rest.len(), |at| at + to.len());
    rest.get(..end).unwrap_or_default().to_owned()
}

fn response(asked: &Asked<'_>, mode: Mode, inside: &str) -> String {
    let destination = match mode {
        Mode::OtherDestination => "https://elsewhere.example/saml/acs",
        Mode::EntityIdAsDestination => asked.audience,
        _ => asked.consumer,
    };
    let status = match mode {
        Mode::Error => format!(
            "<samlp:StatusCode Value=\"{STATUS}Responder\"><samlp:StatusCode Value=\"{STATUS}NoPassive\"></samlp:StatusCode></samlp:StatusCode>"
        ),
        _ => format!("<samlp:StatusCode Value=\"{STATUS}Success\"></samlp:StatusCode>"),
    };
    format!(
        "<samlp:Response xmlns:saml=\"{SAML}\" xmlns:samlp=\"{SAMLP}\" Destination=\"{}\" ID=\"_{}\"{} IssueInstant=\"{:.3}\" \
         Version=\"2.0\"><saml:Issuer>{}</saml:Issuer><samlp:Status>{status}</samlp:Status>{}</samlp:Response>",
        attribute(destination),
        Uuid::new_v4().simple(),
        in_response_to(asked, mode),
        asked.now,
        escaped(asked.issuer),
        if mode == Mode::Error { "" } else { inside },
    )
}

/// How an assertion is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// AES-256-GCM, OAEP with SHA-256.
    Gcm,
    /// AES-256-GCM, OAEP as `rsa-oaep-mgf1p` without a DigestMethod: SHA-1.
    GcmMgf1p,
    /// AES-128-CBC, OAEP with SHA-1.
    Cbc,
}

/// The EncryptedAssertion of `assertion` for the holder of a certificate.
///
/// # Errors
/// A key failed.
pub fn encrypt(assertion: &str, to: &CertificateDer<'static>, method: Method) -> Result<String, SignError> {
    encrypted(assertion.as_bytes(), to, method).ok_or(SignError::Key(KeyError::Signing))
}

fn encrypted(plain: &[u8], to: &CertificateDer<'static>, method: Method) -> Option<String> {
    let random = |bytes: &mut [u8]| SystemRandom::new().fill(bytes).ok();
    let (key, cipher, name) = match method {
        Method::Gcm | Method::GcmMgf1p => {
            let (mut key, mut nonce) = (vec![0; 32], [0; 12]);
            random(&mut key)?;
            random(&mut nonce)?;
            let sealing = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).ok()?);
            let mut sealed = plain.to_vec();
            sealing.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed).ok()?;
            (key, [&nonce[..], &sealed].concat(), format!("{XENC11}aes256-gcm"))
        }
        Method::Cbc => {
            let (mut key, mut iv) = (vec![0; 16], [0; 16]);
            random(&mut key)?;
            random(&mut iv)?;
            let sealing = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_128, &key).ok()?).ok()?;
            let mut sealed = plain.to_vec();
            sealing.less_safe_encrypt(&mut sealed, EncryptionContext::Iv128(FixedLength::from(iv))).ok()?;
            (key, [&iv[..], &sealed].concat(), format!("{XENC}aes128-cbc"))
        }
    };
    let (oaep, transport) = match method {
        Method::Gcm => (
            &OAEP_SHA256_MGF1SHA256,
            format!(
                "<xenc:EncryptionMethod Algorithm=\"{XENC11}rsa-oaep\"><ds:DigestMethod Algorithm=\"{XENC}sha256\"></ds:DigestMethod>\
                 <xenc11:MGF xmlns:xenc11=\"{XENC11}\" Algorithm=\"{XENC11}mgf1sha256\"></xenc11:MGF></xenc:EncryptionMethod>"
            ),
        ),
        Method::GcmMgf1p => {
            (&OAEP_SHA1_MGF1SHA1, format!("<xenc:EncryptionMethod Algorithm=\"{XENC}rsa-oaep-mgf1p\"></xenc:EncryptionMethod>"))
        }
        Method::Cbc => (
            &OAEP_SHA1_MGF1SHA1,
            format!(
                "<xenc:EncryptionMethod Algorithm=\"{XENC}rsa-oaep-mgf1p\"><ds:DigestMethod Algorithm=\"{DSIG}sha1\"></ds:DigestMethod>\
                 </xenc:EncryptionMethod>"
            ),
        ),
    };
    let public = PublicEncryptingKey::from_der(&inspect(to).ok()?.public_key).ok()?;
    let public = OaepPublicEncryptingKey::new(public).ok()?;
    let mut wrapped = vec![0; public.ciphertext_size()];
    let wrapped = public.encrypt(oaep, &key, &mut wrapped, None).ok()?;
    Some(format!(
        "<saml:EncryptedAssertion xmlns:saml=\"{SAML}\"><xenc:EncryptedData xmlns:xenc=\"{XENC}\" Type=\"{XENC}Element\">\
         <xenc:EncryptionMethod Algorithm=\"{name}\"></xenc:EncryptionMethod><ds:KeyInfo xmlns:ds=\"{DSIG}\"><xenc:EncryptedKey>{transport}\
         <xenc:CipherData><xenc:CipherValue>{}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData>\
         <xenc:CipherValue>{}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData></saml:EncryptedAssertion>",
        base64::encode(wrapped),
        base64::encode(&cipher)
    ))
}

impl super::Signer {
    fn signs(&self, xml: &str) -> Result<Vec<u8>, SignError> {
        sign_enveloped(xml.as_bytes(), &self.key, &self.certificate)
    }
}
