//! What fails in the gateway.

macro_rules! node {
    ([$next:ident $($then:ident)*] $($table:tt)*) => { $next! { [$($then)*] $($table)*

    == "The gateway itself";

    /// The audit record cannot be made durable: without it nothing is forwarded.
    AuditUnavailable, Gateway, Later, Operations, after 1,
        da: "Kaldet kan ikke registreres i loggen og gennemføres derfor ikke.", "Prøv igen om lidt.",
        en: "The call cannot be recorded and is therefore not carried out.", "Try again shortly.";
    /// A fault of the gateway's own.
    Internal, Gateway, Later, Operations,
        da: "Der er sket en intern fejl i gatewayen.", "Prøv igen; fortsætter fejlen, så kontakt gatewayens drift, og oplys Call-id.",
        en: "An internal error occurred in the gateway.", "Try again; if the error persists, contact the gateway's operators and give the Call-id.";

    } };
}
