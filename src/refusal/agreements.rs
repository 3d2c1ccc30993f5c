//! Whether the authorities have agreed to the call.

macro_rules! agreements {
    ([$next:ident $($then:ident)*] $($table:tt)*) => { $next! { [$($then)*] $($table)*

    == "Service agreements";

    /// No agreement on the front side: this system, this authority, this service, this environment.
    ServiceAgreementNotFound, Caller, AfterChange, Administrator,
        da: "Der er ingen serviceaftale for systemet, myndigheden og servicen i dette miljø.", "Anmod om en serviceaftale, og få myndigheden til at godkende den; kontrollér, at systemet kalder med det certifikat, aftalen er indgået for.",
        en: "There is no service agreement for this system, authority and service in this environment.", "Request a service agreement and have the authority approve it; check that the system calls with the certificate that the agreement is made for.";
    /// There is one, but it does not hold today.
    ServiceAgreementNotActive { state: Detail = Detail::name("SUSPENDERET") }, Caller, AfterChange, Administrator,
        da: "Serviceaftalen er ikke gældende ({state}).", "Få myndigheden til at godkende eller forny aftalen.",
        en: "The service agreement does not hold (state: {state}).", "Have the authority approve or renew the agreement.";
    /// It holds, and was approved under rules or a contract that let less pass than those in force.
    ServiceAgreementOutgrown { what: Detail = Detail::new("+ operation Ny (1 i alt)", "+ operation Ny (1 in all)") }, Caller, AfterChange, Administrator,
        da: "Serviceaftalen er godkendt, før servicen kom til at omfatte mere: {what}.", "Anmod om en ny udgave af aftalen, og få myndigheden til at godkende den; indtil da afvises kald, der går ud over det godkendte.",
        en: "The service agreement was approved before the service came to cover more: {what}.", "Request a new version of the agreement and have the authority approve it; until then calls that go beyond what was approved are refused.";
    /// No agreement on the back side: nobody approved that the service asks the peer on the authority's behalf.
    BackAgreementNotFound { peer: PeerName = PeerName::sample() }, Caller, AfterChange, Administrator,
        da: "Der er ingen godkendt serviceaftale mellem servicen og {peer} for myndigheden.", "Få myndigheden til også at godkende serviceaftalen om servicens egen adgang til {peer}.",
        en: "There is no approved service agreement between the service and {peer} for the authority.", "Have the authority approve the agreement on the back side too, that is, the service's own access to {peer}.";
    /// The authority is not in the register, or not as one that may call the service.
    AuthorityUnknown, Caller, AfterChange, Administrator,
        da: "Myndigheden er ikke tilmeldt servicen.", "Få myndigheden tilmeldt, før systemet kalder på dens vegne.",
        en: "The authority is not enrolled with the service.", "Have the authority enrolled before the system calls on its behalf.";
    /// No route says which system receives the call today.
    RouteNotFound { sender: String = "11111111".into(), receiver: String = "99999981".into(), day: jiff::civil::Date = jiff::civil::date(2026, 11, 22), others: Detail = Detail::new("den første begynder 2027-01-01", "the first begins on 2027-01-01") }, Caller, AfterChange, Administrator,
        da: "Der er ingen rute for servicen fra myndigheden {sender} til myndigheden {receiver} den {day}: {others}.", "Kontrollér den modtagende myndighed i beskeden; er den rigtig, skal myndigheden bestille ruten hos gatewayens drift, som opretter den.",
        en: "The service has no route from authority {sender} to authority {receiver} on {day}: {others}.", "Check the receiving authority in the message; if it is right, that authority must order the route from the gateway's operators, who add it.";
    /// No route says today which system receives the calls of a service that has one receiver for all.
    FixedRouteNotFound { day: jiff::civil::Date = jiff::civil::date(2026, 11, 22), others: Detail = Detail::new("den første begynder 2027-01-01", "the first begins on 2027-01-01") }, Gateway, Later, Operations,
        da: "Servicen har én modtager for alle, og ingen rute fører fra alle til alle den {day}: {others}.", "Send forespørgslen igen, når gatewayens drift har oprettet ruten; oplys Call-id.",
        en: "The service has one receiver for all, and no route leads from every authority to every authority on {day}: {others}.", "Send the request again once the gateway's operators have added the route; give the Call-id.";
    /// The store does not answer and nothing fresh enough is remembered.
    AgreementsUnavailable, Gateway, Later, Operations,
        da: "Serviceaftaler, ruter eller sortimenter kan ikke slås op i øjeblikket.", "Prøv igen om lidt.",
        en: "Service agreements, routes or value lists cannot be looked up just now.", "Try again shortly.";

    } };
}
