//! What fails in the gateway.

macro_rules! node {
    ([$next:ident $($then:ident)*] $($table:tt)*) => { $next! { [$($then)*] $($table)*

    == "The gateway itself";

    /// The audit record cannot be made durable: without it nothing is forwarded.
    AuditUnavailable, Gateway, Later, Operations, after 1,
        da: "Kaldet kan ikke registreres i loggen og gennemføres derfor ikke.", "Prøv igen om lidt.",
        en: "The call cannot be recorded and is therefore not carried out.", "Try again shortly.";
    /// What may be released passes the limit of one answer.
    AnswerTooLarge { limit: usize = 8388608 }, Gateway, AfterChange, User,
        da: "Svaret ville blive større end {limit} byte.", "Bed om mindre i ét kald; i en søgning fx en kortere periode eller mindre sider.",
        en: "The answer would be larger than {limit} bytes.", "Ask for less in one call; in a search, say, a shorter period or smaller pages.";
    /// A fault of the gateway's own.
    Internal, Gateway, Later, Operations,
        da: "Der er sket en intern fejl i gatewayen.", "Prøv igen; fortsætter fejlen, så kontakt gatewayens drift, og oplys Call-id.",
        en: "An internal error occurred in the gateway.", "Try again; if the error persists, contact the gateway's operators and give the Call-id.";

    } };
}
