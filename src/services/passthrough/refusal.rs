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
    /// A delivery's id was used before, with other content.
    DeliveryAltered, Caller, AfterChange, Administrator,
        da: "Leverancens id er brugt før til en leverance med andet indhold.", "Send den oprindelige leverance igen uændret for at få dens kvittering, eller giv den nye leverance sit eget id.",
        en: "The delivery's id was used before for a delivery with other content.", "Send the original delivery again unchanged to get its receipt, or give the new delivery an id of its own.";
    /// The same delivery is being passed on at this moment.
    DeliveryUnderWay, Caller, Later, Administrator,
        da: "Leverancen er under behandling: den er sendt videre, og modtageren har endnu ikke svaret.", "Vent et øjeblik, og send leverancen igen uændret med samme id for at få dens kvittering.",
        en: "The delivery is being processed: it was passed on, and the receiver has not answered yet.", "Wait a moment, and send the delivery again unchanged with the same id to get its receipt.";
    /// The delivery was passed on before and its answer was lost, and the receiver may not be asked with the same id once more.
    DeliveryUnknown, Gateway, AfterChange, Administrator,
        da: "Leverancen er sendt videre før, men svaret gik tabt, og det vides ikke, om modtageren har den.", "Spørg modtageren, om leverancen er modtaget; send den kun igen, med et nyt id, hvis den ikke er.",
        en: "The delivery was passed on before, but its answer was lost, and it is not known whether the receiver has it.", "Ask the receiver whether the delivery was taken; send it again, with a new id, only if it was not.";
    /// The memory of deliveries cannot be asked.
    DeliveriesUnavailable, Gateway, Later, Operations,
        da: "Det kan ikke afgøres nu, om leverancen er sendt før; derfor er intet sendt videre.", "Send leverancen igen senere med samme id; oplys Call-id ved gentagelse.",
        en: "It cannot be told now whether the delivery was sent before; so nothing was passed on.", "Send the delivery again later with the same id; give the Call-id if it keeps happening.";
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
