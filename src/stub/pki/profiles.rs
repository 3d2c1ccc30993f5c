//! `certs/profiles.toml`: what the certificates of the development PKI say, and whom they stand for.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose};
use serde::Deserialize;

use super::{KeyBits, PkiError};

static EMBEDDED: LazyLock<Result<Profiles, String>> =
    LazyLock::new(|| toml::from_str(include_str!("../../../certs/profiles.toml")).map_err(|error| error.to_string()));

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profiles {
    /// The sizes that may be asked for, the default first.
    pub key_bits: Vec<KeyBits>,
    /// How many days everything is valid.
    pub days: u16,
    pub(super) authority: Authority,
    usage: Usages,
    certificate: BTreeMap<Role, Profile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Authority {
    pub(super) country: String,
    pub(super) organization: String,
    pub(super) root: String,
    pub(super) issuing: String,
    key_usage: Vec<KeyPurpose>,
    pub(super) signature: Signature,
}

/// How the authorities sign certificates. Their lists and OCSP responses are always RSASSA-PSS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Signature {
    RsassaPss,
    RsaPkcs1,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Usages {
    server: Purposes,
    system: Purposes,
    responder: Purposes,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Purposes {
    key_usage: Vec<KeyPurpose>,
    extended_key_usage: ExtendedPurpose,
    /// Host names and addresses.
    pub(super) names: Vec<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum KeyPurpose {
    DigitalSignature,
    KeyEncipherment,
    KeyCertSign,
    CrlSign,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ExtendedPurpose {
    ServerAuth,
    ClientAuth,
    OcspSigning,
}

/// What a certificate may be used for; in detail in the profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Usage {
    /// A TLS server on this machine.
    Server,
    /// A client system: TLS client, and signatures on messages and tokens.
    System,
    /// A responder: signatures on OCSP responses, in the authority's place.
    Responder,
}

/// One certificate's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    purpose: String,
    pub(super) common_name: String,
    pub(super) organization: String,
    cvr: String,
    uuid: String,
    pub(super) usage: Usage,
}

impl Profiles {
    /// The profiles that are built in.
    ///
    /// # Errors
    /// The file is not in order, which its tests rule out.
    pub fn embedded() -> Result<&'static Self, PkiError> {
        EMBEDDED.as_ref().map_err(|error| PkiError::Made(format!("certs/profiles.toml: {error}")))
    }

    pub(super) fn certificate(&self, role: Role) -> Result<&Profile, PkiError> {
        let missing = || PkiError::Made(format!("certs/profiles.toml has no certificate {}", role.file_name()));
        self.certificate.get(&role).ok_or_else(missing)
    }

    pub(super) fn usage(&self, usage: Usage) -> &Purposes {
        match usage {
            Usage::Server => &self.usage.server,
            Usage::System => &self.usage.system,
            Usage::Responder => &self.usage.responder,
        }
    }
}

impl Authority {
    pub(super) fn key_usages(&self) -> Vec<KeyUsagePurpose> {
        self.key_usage.iter().map(|purpose| purpose.rcgen()).collect()
    }
}

impl Purposes {
    pub(super) fn key_usages(&self) -> Vec<KeyUsagePurpose> {
        self.key_usage.iter().map(|purpose| purpose.rcgen()).collect()
    }

    pub(super) fn extended_key_usages(&self) -> Vec<ExtendedKeyUsagePurpose> {
        vec![match self.extended_key_usage {
            ExtendedPurpose::ServerAuth => ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedPurpose::ClientAuth => ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedPurpose::OcspSigning => ExtendedKeyUsagePurpose::OcspSigning,
        }]
    }
}

impl KeyPurpose {
    fn rcgen(self) -> KeyUsagePurpose {
        match self {
            Self::DigitalSignature => KeyUsagePurpose::DigitalSignature,
            Self::KeyEncipherment => KeyUsagePurpose::KeyEncipherment,
            Self::KeyCertSign => KeyUsagePurpose::KeyCertSign,
            Self::CrlSign => KeyUsagePurpose::CrlSign,
        }
    }
}

/// Whom a certificate of the development PKI stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the names say it
pub enum Role {
    /// The gateway's TLS server.
    GatewayServer,
    /// The gateway's own system: signs answers, and is the client of the index and the STS.
    GatewayClient,
    /// The security token service's TLS server.
    StsServer,
    /// The key that signs the tokens of the security token service.
    StsSigning,
    /// The benefit index's TLS server.
    IndexServer,
    /// The key that signs the answers of the benefit index.
    IndexSigning,
    /// The subject system of Korsbæk Kommune.
    #[serde(rename = "client-korsbaek")]
    Korsbaek,
    /// The system of Udbetaling Danmark.
    #[serde(rename = "client-udk")]
    Udk,
    /// The subject system of a second municipality.
    #[serde(rename = "client-other")]
    OtherMunicipality,
    /// A system with a certificate in good order and no agreement at all.
    #[serde(rename = "client-intruder")]
    Intruder,
    /// A person of the gateway's operators.
    PersonOperator,
    PersonSupplier,
    /// A person who signs agreements for Korsbæk Kommune.
    PersonSignatory,
}

impl Role {
    /// Every role, in the order in which they are shown.
    pub const ALL: [Role; 13] = [
        Role::GatewayServer,
        Role::GatewayClient,
        Role::StsServer,
        Role::StsSigning,
        Role::IndexServer,
        Role::IndexSigning,
        Role::Korsbaek,
        Role::Udk,
        Role::OtherMunicipality,
        Role::Intruder,
        Role::PersonOperator,
        Role::PersonSupplier,
        Role::PersonSignatory,
    ];

    /// The name of its files, without extension, and of its profile.
    pub fn file_name(self) -> &'static str {
        match self {
            Role::GatewayServer => "gateway-server",
            Role::GatewayClient => "gateway-client",
            Role::StsServer => "sts-server",
            Role::StsSigning => "sts-signing",
            Role::IndexServer => "index-server",
            Role::IndexSigning => "index-signing",
            Role::Korsbaek => "client-korsbaek",
            Role::Udk => "client-udk",
            Role::OtherMunicipality => "client-other",
            Role::Intruder => "client-intruder",
            Role::PersonOperator => "person-operator",
            Role::PersonSupplier => "person-supplier",
            Role::PersonSignatory => "person-signatory",
        }
    }

    /// What it is for, in a sentence.
    pub fn purpose(self) -> &'static str {
        self.profile().map_or("", |profile| &profile.purpose)
    }

    /// The CVR number in its certificate.
    pub fn cvr(self) -> &'static str {
        self.profile().map_or("", |profile| &profile.cvr)
    }

    /// The UUID in its certificate's serial number; the same in every development PKI.
    pub fn uuid(self) -> &'static str {
        self.profile().map_or("", |profile| &profile.uuid)
    }

    /// There is one for each role (`every_role_has_a_profile_under_the_name_of_its_files`), and no PKI without it.
    fn profile(self) -> Option<&'static Profile> {
        Profiles::embedded().ok()?.certificate(self).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_a_profile_under_the_name_of_its_files() {
        let profiles = Profiles::embedded().unwrap();
        assert_eq!(profiles.certificate.len(), Role::ALL.len());
        let table: toml::Table = include_str!("../../../certs/profiles.toml").parse().unwrap();
        for role in Role::ALL {
            let written = &table["certificate"][role.file_name()];
            assert_eq!(written["cvr"].as_str(), Some(role.cvr()), "{role:?}");
            assert_eq!(written["uuid"].as_str(), Some(role.uuid()), "{role:?}");
            assert!(!role.purpose().is_empty(), "{role:?}");
        }
    }

    #[test]
    fn a_setting_that_is_not_known_is_refused() {
        let text = include_str!("../../../certs/profiles.toml");
        let refused = |text: String| toml::from_str::<Profiles>(&text).unwrap_err().to_string();
        assert!(refused(format!("colour = 1\n{text}")).contains("unknown field `colour`"));
        assert!(refused(text.replace("days = 90", "")).contains("missing field `days`"));
        assert!(refused(text.replace("client-udk", "client-nobody")).contains("unknown variant `client-nobody`"));
        assert!(refused(text.replace("[2048, 3072]", "[1024]")).contains("1024"));
        assert!(refused(text.replace("rsassa-pss\"\n", "dsa\"\n")).contains("unknown variant `dsa`"));
    }
}
