//! Whom the certificates of the development PKI stand for.

use super::Usage;

/// Whom a certificate of the development PKI stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The gateway's TLS server.
    GatewayServer,
    /// The gateway's own system, TerminalAdgang: signs answers, and is the client of the index and the STS.
    GatewayClient,
    /// The security token service's TLS server.
    StsServer,
    /// The key that signs the tokens of the security token service.
    StsSigning,
    /// The benefit index's TLS server.
    IndexServer,
    /// The key that signs the answers of the benefit index.
    IndexSigning,
    /// The subject system of Korsbæk Kommune, CVR 11111111.
    Korsbaek,
    /// The system of Udbetaling Danmark, here with CVR 99999991.
    Udk,
    /// The subject system of a second municipality, CVR 99999981.
    OtherMunicipality,
    /// A system with a certificate in good order and no agreement at all, CVR 99999989.
    Intruder,
}

impl Role {
    /// Every role, in the order in which they are shown.
    pub const ALL: [Role; 10] = [
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
    ];

    /// The name of its files, without extension.
    pub fn file_name(self) -> &'static str {
        self.row().0
    }

    /// What it is for, in a sentence.
    pub fn purpose(self) -> &'static str {
        self.row().1
    }

    /// The CVR number in its certificate.
    pub fn cvr(self) -> &'static str {
        self.row().4
    }

    /// The UUID in its certificate's serial number; the same in every development PKI.
    pub fn uuid(self) -> &'static str {
        self.row().5
    }

    /// File name, purpose, common name, organisation, CVR, UUID, usage.
    #[rustfmt::skip] // a table
    pub(super) fn row(self) -> (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str, Usage) {
        match self {
            Role::GatewayServer => ("gateway-server", "the gateway's TLS server",
                "localhost", "Hjemmel (development)", "99999990", "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b1001", Usage::Server),
            Role::GatewayClient => ("gateway-client", "the gateway's own system, TerminalAdgang: signs answers, calls the index and the STS",
                "TerminalAdgang", "Hjemmel (development)", "99999990", "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b1002", Usage::System),
            Role::StsServer => ("sts-server", "the security token service's TLS server",
                "localhost", "STS stub (development)", "99999990", "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b1003", Usage::Server),
            Role::StsSigning => ("sts-signing", "signs the tokens of the security token service",
                "Security token service", "STS stub (development)", "99999990", "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b1004", Usage::System),
            Role::IndexServer => ("index-server", "the benefit index's TLS server",
                "localhost", "Index stub (development)", "99999990", "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b1005", Usage::Server),
            Role::IndexSigning => ("index-signing", "signs the answers of the benefit index",
                "Ydelsesindeks", "Index stub (development)", "99999990", "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b1006", Usage::System),
            Role::Korsbaek => ("client-korsbaek", "the subject system of Korsbæk Kommune",
                "Fagsystem Korsbæk", "Korsbæk Kommune", "11111111", "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b1007", Usage::System),
            Role::Udk => ("client-udk", "the system of Udbetaling Danmark",
                "UDK sagssystem", "Udbetaling Danmark (development)", "99999991", "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b1008", Usage::System),
            Role::OtherMunicipality => ("client-other", "the subject system of a second municipality",
                "Fagsystem Andeby", "Andeby Kommune", "99999981", "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b1009", Usage::System),
            Role::Intruder => ("client-intruder", "a system without any agreement",
                "Fremmed system", "Uden aftale ApS (development)", "99999989", "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b100a", Usage::System),
        }
    }
}
