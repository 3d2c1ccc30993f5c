//! What a pass-through service refuses by its contract.

use crate::refusal::{Detail, Entry, PeerName, Table, refusals};

refusals! { []
    /// Every refusal of a pass-through service.
    pub enum ContractRefusal;

    == "Pass-through services: schema and receiver";

    /// The request breaks the service's schema.
    SchemaViolated { places: Detail = Detail::new("/Leverance/Bilag: elementet mangler", "/Leverance/Bilag: the element is missing") }, Caller, AfterChange, Administrator,
        da: "Forespørgslen følger ikke servicens skema: {places}.", "Ret de nævnte steder efter skemaet, og send forespørgslen igen.",
        en: "The request does not follow the service's schema: {places}.", "Correct the places named by the schema and send the request again.";
    /// A header that the contract declares breaks the schema.
    HeaderViolated { places: Detail = Detail::new("/RequestHeader/TransactionUUID: værdien følger ikke mønsteret", "/RequestHeader/TransactionUUID: the value does not follow the pattern") }, Caller, AfterChange, Administrator,
        da: "En header i forespørgslen følger ikke servicens skema: {places}.", "Ret headeren efter skemaet, og send forespørgslen igen.",
        en: "A header of the request does not follow the service's schema: {places}.", "Correct the header by the schema and send the request again.";
    /// The authority that is to receive the call is not named just once.
    ReceiverMissing { path: String = "/Leverance/ModtagerMyndighed".into() }, Caller, AfterChange, Administrator,
        da: "Den modtagende myndighed er ikke angivet netop én gang i {path}.", "Angiv modtagerens CVR-nummer dér, som otte cifre eller som urn:oio:cvr-nr: fulgt af otte cifre.",
        en: "The receiving authority is not named exactly once in {path}.", "Give the receiver's CVR number there, as eight digits or as urn:oio:cvr-nr: followed by eight digits.";
    /// The provider refused the request with a fault that the contract declares, which stands in the detail.
    ProviderFault { peer: PeerName = PeerName::new("modtagerens system 6d0d6e2e", "the receiving system 6d0d6e2e"), fault: String = "TransportKvitteringFault".into() }, Gateway, AfterChange, Administrator,
        da: "Forespørgslen er modtaget af {peer} og besvaret med fejlen {fault}, som står i detaljen.", "Ret det, som modtagerens fejl angiver, og send forespørgslen igen.",
        en: "The request was received by {peer} and answered with the fault {fault}, which stands in the detail.", "Correct what the receiver's fault states and send the request again.";
    /// What the provider answered breaks the service's schema.
    AnswerViolated, Gateway, Later, Operations,
        da: "Modtagerens svar følger ikke servicens skema og videregives ikke.", "Spørg modtageren, om leverancen er modtaget, før den sendes igen; oplys Call-id.",
        en: "The receiver's answer does not follow the service's schema and is not handed on.", "Ask the receiver whether the delivery was taken before sending it again; give the Call-id.";
    /// A greater answer than this service hands on.
    ProviderAnswerTooLarge { limit: usize = 10_485_760 }, Gateway, Later, Operations,
        da: "Modtagerens svar er større end de {limit} bytes, som servicen videregiver.", "Spørg modtageren, om leverancen er modtaget, før den sendes igen; oplys Call-id.",
        en: "The receiver's answer is larger than the {limit} bytes that the service hands on.", "Ask the receiver whether the delivery was taken before sending it again; give the Call-id.";
}

impl Table for ContractRefusal {
    fn row(&self) -> Entry {
        self.entry()
    }
}
