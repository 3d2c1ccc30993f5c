//! What the token service says when it refuses: one of the service's own codes, and in both languages what was wrong.

use crate::refusal::Refusal;
use crate::signature::sign::SoapVersion;
use crate::signature::write;
use crate::stub::soap;

/// The codes of the interface description, each with its text there and what that says in English.
pub const CODES: [(u16, &str, &str); 8] = [
    (100, "Uventet fejl.", "Unexpected error."),
    (101, "Den anvendte konfiguration kendes ikke.", "The configuration used is not known."),
    (103, "Forkert formateret forespørgsel.", "The request is not formed as it must be."),
    (104, "Der forespørges et endpoint, der ikke findes.", "There is no such endpoint."),
    (106, "Der opstod en transaktionsfejl under commit af auditlog.", "A transaction failed while the audit log was written."),
    (110, "Ikke understøttet.", "Not supported."),
    (111, "Konfigurationsfejl.", "The configuration does not allow it."),
    (130, "Databasefejl.", "Database error."),
];

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// One of [`CODES`].
    pub code: u16,
    da: String,
    en: String,
}

impl Fault {
    /// A fault with nothing to add to what its code says.
    pub fn code(code: u16) -> Self {
        Self::new(code, "", "")
    }

    /// A fault of this kind; what it was, in Danish and in English.
    pub fn new(code: u16, da: impl Into<String>, en: impl Into<String>) -> Self {
        Self { code, da: da.into(), en: en.into() }
    }

    /// A request that is not XML, or whose signature is not as it must be: for this service all of it is 103.
    pub fn of(refusal: &Refusal) -> Self {
        // Told as the gateway tells it, but where that speaks of a token or of the gateway: here there is neither.
        match refusal {
            Refusal::SignatureInvalid { .. } => Self::new(
                103,
                "Signaturen kan ikke verificeres med nøglen i det certifikat, der følger med beskeden (BinarySecurityToken). \
                 Signér med den nøgle, der hører til certifikatet.",
                "The signature does not verify with the key of the certificate that the message carries \
                 (BinarySecurityToken). Sign with the key that belongs to the certificate.",
            ),
            Refusal::SignatureCoverage { part } => Self::new(
                103,
                format!(
                    "Signaturen dækker ikke {part}. Signér Body, Timestamp, BinarySecurityToken og alle WS-Addressing-headere."
                ),
                format!(
                    "The signature does not cover {part}. Sign Body, Timestamp, BinarySecurityToken and every WS-Addressing header."
                ),
            ),
            Refusal::TimestampOutside { theirs, ours, difference, allowed } => Self::new(
                103,
                format!(
                    "Beskedens Timestamp er {theirs}, og STS'ens ur viser {ours}: beskedens tidspunkt er {}, og højst {allowed} \
                     sekunders afvigelse er tilladt. Stil uret.",
                    difference.da()
                ),
                format!(
                    "The message's Timestamp says {theirs}, the clock of the STS {ours}: the message's time is {}, and at most \
                     {allowed} seconds are allowed. Set the clock.",
                    difference.en()
                ),
            ),
            other => {
                let entry = other.entry();
                let sentence = |text: crate::refusal::Text| format!("{} {}", text.what, text.remedy);
                Self::new(103, sentence(entry.da), sentence(entry.en))
            }
        }
    }

    /// What it says, in Danish and in English.
    pub fn texts(&self) -> [String; 2] {
        let (da, en) = CODES.iter().find(|(known, ..)| *known == self.code).map_or(("", ""), |(_, da, en)| (*da, *en));
        [(da, &self.da), (en, &self.en)].map(|(kind, what)| format!("{}: {kind} {what}", self.code).trim_end().to_owned())
    }

    /// The envelope that tells it.
    pub fn envelope(&self, version: SoapVersion) -> String {
        let code = self.code;
        let [da, en] = self.texts().map(|text| write::escaped(&text));
        let sender = !matches!(code, 100 | 106 | 130);
        let detail = format!("<Fejlkode xmlns=\"urn:hjemmel:stub:sts\">{code}</Fejlkode>");
        soap::fault(version, sender, &[("da", &da), ("en", &en)], &detail)
    }
}
