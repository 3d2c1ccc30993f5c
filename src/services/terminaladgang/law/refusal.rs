//! What this service alone refuses: searches that the law does not allow, and answers that it cannot vouch for.

use crate::refusal::{Detail, Entry, Table, refusals};

refusals! { []
    /// Every refusal of the law.
    pub enum LawRefusal;

    == "TerminalAdgang: person, window, criteria";

    /// Nobody is asked about: the service is no bulk extract.
    PersonMissing, Caller, AfterChange, Administrator,
        da: "Forespørgslen angiver ingen person.", "Skriv AND(SoegBevillingIndeks med Bevillingspart/ReferenceID = urn:oio:cpr-nr:NNNNNNNNNN, …) øverst i SoegUdtryk.",
        en: "The request names no person.", "Put AND(SoegBevillingIndeks with Bevillingspart/ReferenceID = urn:oio:cpr-nr:NNNNNNNNNN, …) at the top of SoegUdtryk.";
    /// More than one person.
    PersonSeveral, Caller, AfterChange, Administrator,
        da: "Forespørgslen angiver mere end én person.", "Send ét kald pr. person.",
        en: "The request names more than one person.", "Send one call a person.";
    /// A person, but not where it binds all of the search.
    PersonShape { what: Detail = Detail::new("det yderste udtryk er ikke et AND", "the root is not an AND") }, Caller, AfterChange, Administrator,
        da: "Personen afgrænser ikke hele søgningen: {what}.", "Skriv AND(SoegBevillingIndeks(person), …); alternativer skrives AND(person, OR(…, …)).",
        en: "The person does not confine the whole search: {what}.", "Write AND(SoegBevillingIndeks(person), …); alternatives are written AND(person, OR(…, …)).";
    /// Another scheme than CPR, which could not be compared in the answer.
    PersonScheme, Caller, AfterChange, Administrator,
        da: "Personen er ikke angivet med urn:oio:cpr-nr.", "Angiv personen som urn:oio:cpr-nr: fulgt af CPR-nummerets ti cifre.",
        en: "The person is not given as urn:oio:cpr-nr.", "Give the person as urn:oio:cpr-nr: followed by the ten digits of the CPR number.";
    /// No possible CPR number.
    PersonInvalid, Caller, AfterChange, User,
        da: "CPR-nummeret er ikke ti cifre, der begynder med en mulig dato.", "Ret CPR-nummeret, og send det uden bindestreg.",
        en: "The CPR number is not ten digits that begin with a possible date.", "Correct the CPR number and send it without a hyphen.";
    /// A date constraint reaches outside the window.
    WindowOutside { place: String = "SoegUdtryk/SoegOekonomiskEffektueringIndeks[1]".into(), asked: String = "2025-10-01T00:00:00 – 2026-12-01T00:00:00".into(), allowed: String = "2026-08-01T00:00:00+02:00 – 2026-12-01T00:00:00+01:00".into() }, Caller, AfterChange, User,
        da: "Dispositionsdatoen i {place} er afgrænset til {asked}, men loven giver kun adgang til {allowed} (sluttidspunktet ikke medregnet).", "Hold afgrænsningen inden for den periode, eller udelad den, så indsætter servicen perioden.",
        en: "The disposition date in {place} is delimited to {asked}, but the law gives access to {allowed} only (the end not included).", "Keep the delimitation within that period, or leave it out and the service inserts the period.";
    /// A bound without an end.
    WindowInfinite { place: String = "SoegUdtryk/SoegOekonomiskEffektueringIndeks[1]".into(), allowed_from: String = "2026-08-01T00:00:00+02:00".into(), allowed_to: String = "2026-12-01T00:00:00+01:00".into() }, Caller, AfterChange, User,
        da: "Dispositionsdatoen i {place} er ubegrænset i mindst den ene ende.", "Angiv begge grænser: FraTidspunkt tidligst {allowed_from}, TilTidspunkt senest {allowed_to} (ikke medregnet).",
        en: "The disposition date in {place} is unbounded at one end at least.", "Give both bounds: FraTidspunkt {allowed_from} at the earliest, TilTidspunkt {allowed_to} at the latest (not included).";
    /// From is not before To.
    WindowInverted { place: String = "SoegUdtryk/SoegOekonomiskEffektueringIndeks[1]".into() }, Caller, AfterChange, User,
        da: "FraTidspunkt ligger ikke før TilTidspunkt i {place}.", "Ret grænserne; TilTidspunkt regnes ikke med, så en enkelt dag går fra kl. 00.00 til kl. 00.00 dagen efter.",
        en: "FraTidspunkt is not before TilTidspunkt in {place}.", "Correct the bounds; TilTidspunkt is not included, so one day goes from 00:00 to 00:00 of the next day.";
    /// Dates are given, but a part of the search is left open.
    WindowOpen { place: String = "SoegUdtryk/SoegUdtryk[1]/SoegOekonomiskEffektueringIndeks[2]".into(), allowed: String = "2026-08-01T00:00:00+02:00 – 2026-12-01T00:00:00+01:00".into() }, Caller, AfterChange, Administrator,
        da: "Søgningen er afgrænset på dispositionsdato, men ikke i {place}.", "Angiv en afgrænsning inden for {allowed} i hvert SoegOekonomiskEffektueringIndeks, eller udelad den alle steder, så indsætter servicen perioden.",
        en: "The search is delimited by disposition date, but not in {place}.", "Put a delimitation within {allowed} into each SoegOekonomiskEffektueringIndeks, or leave it out everywhere and the service inserts the period.";
    /// Criteria that are repeated may be matched each by itself, so each must carry the date.
    WindowApart { place: String = "SoegUdtryk/SoegOekonomiskEffektueringIndeks[1]/AttributListe/Egenskaber[1]".into(), allowed: String = "2026-08-01T00:00:00+02:00 – 2026-12-01T00:00:00+01:00".into() }, Caller, AfterChange, Administrator,
        da: "Kriterierne i {place} har ikke deres egen dispositionsdato, og servicen kan ikke indsætte en, der afgrænser dem.", "Saml kriterierne i ét SoegEgenskaberLokalUdvidelse uden Egenskaber, eller angiv en dispositionsdato inden for {allowed} i hver af dem.",
        en: "The criteria in {place} have no disposition date of their own, and none can be inserted so that it binds them.", "Gather the criteria in one SoegEgenskaberLokalUdvidelse without Egenskaber, or put a disposition date within {allowed} into each of them.";
    /// A date that cannot be read, or could be read in two ways.
    DateUnreadable { place: String = "DispositionsDatoInterval/FraTidspunkt".into() }, Caller, AfterChange, Administrator,
        da: "Datoen i {place} kan ikke læses som dateTime.", "Skriv den fx som 2026-08-01T00:00:00+02:00, uden kommentarer eller blanktegn i værdien.",
        en: "The date in {place} cannot be read as a dateTime.", "Write it as 2026-08-01T00:00:00+02:00, say, without comments or spaces in the value.";
    /// A disposition date where it delimits nothing.
    DateMisplaced { place: String = "TilstandListe/LokalUdvidelseListe".into() }, Caller, AfterChange, Administrator,
        da: "Der står en dispositionsdato i {place}, hvor den ikke afgrænser søgningen.", "Flyt den til AttributListe i SoegOekonomiskEffektueringIndeks.",
        en: "There is a disposition date in {place}, where it does not delimit the search.", "Move it to AttributListe of SoegOekonomiskEffektueringIndeks.";
    /// Time of registration or of effect: the version matched may not be the version returned.
    TemporalCriterion { criterion: String = "SoegVirkning".into() }, Caller, AfterChange, Administrator,
        da: "Der kan ikke søges på registrerings- eller virkningstid ({criterion}).", "Fjern kriteriet; perioden angives som dispositionsdato.",
        en: "Time of registration or effect cannot be searched on ({criterion}).", "Remove the criterion; the period is given as disposition date.";
    /// A lookup by UUID goes past window and person.
    DirectLookup { element: String = "OekonomiskEffektueringUuid".into() }, Caller, AfterChange, Administrator,
        da: "Opslag direkte på {element} er ikke tilladt.", "Fjern elementet, og søg på personen.",
        en: "Looking up directly by {element} is not allowed.", "Remove the element and search by the person.";
    /// NOT takes exactly one operand.
    NotArity { place: String = "SoegUdtryk/NOT[1]".into() }, Caller, AfterChange, Administrator,
        da: "NOT i {place} har ikke netop ét led.", "Giv NOT netop ét led; saml flere led i et SoegUdtryk.",
        en: "NOT in {place} does not have exactly one operand.", "Give NOT exactly one operand; gather several in a SoegUdtryk.";
    /// A criterion on a field that the answer may not show: the hits themselves would tell.
    CriterionWithheld { criterion: Detail = Detail::name("Foelsomhed") }, Caller, AfterChange, Administrator,
        da: "Der kan ikke søges på {criterion}, da feltet ikke må udleveres.", "Fjern kriteriet.",
        en: "{criterion} cannot be searched on, for the field may not be released.", "Remove the criterion.";
    /// Sorting by a field that the answer may not show.
    SortingWithheld { element: String = "FuldtNavn".into() }, Caller, AfterChange, Administrator,
        da: "Der kan ikke sorteres på {element}.", "Sortér på Dispositionsdato eller Ydelsesnavn.",
        en: "{element} cannot be sorted by.", "Sort by Dispositionsdato or Ydelsesnavn.";
    /// Paging outside 0..=cap.
    PagingOutside { cap: u64 = 500 }, Caller, AfterChange, Administrator,
        da: "FoersteResultatReference eller MaksimalAntalKvantitet er ikke et helt tal fra 0 og op, eller der anmodes om flere end {cap} forekomster.", "Anmod om højst {cap} ad gangen.",
        en: "FoersteResultatReference or MaksimalAntalKvantitet is not a whole number from 0 up, or more than {cap} occurrences are asked for.", "Ask for at most {cap} at a time.";
    /// …Inkluder pulls in objects beside the search.
    IncludeRefused { element: String = "BevillingInkluder".into() }, Caller, AfterChange, Administrator,
        da: "{element} er ikke tilladt i Filter.", "Fjern elementet; brug OekonomiskEffektueringVis til at vælge, hvad svaret skal vise.",
        en: "{element} is not allowed in Filter.", "Remove the element; use OekonomiskEffektueringVis to choose what the answer shall show.";
    /// A KLE number outside what token or agreement gives.
    KleOutside { asked: String = "32.03.04".into() }, Caller, AfterChange, User,
        da: "KLE-nummeret {asked} ligger uden for det, som token og serviceaftale giver adgang til.", "Søg inden for de KLE-numre, der er givet adgang til, eller udelad KLE.",
        en: "The KLE number {asked} lies outside what token and agreement give access to.", "Search within the KLE numbers that access is given to, or leave KLE out.";

    == "TerminalAdgang: the answer";

    /// It could not be proven that an object concerns the person asked about.
    PersonUnproven, Gateway, AfterChange, User,
        da: "Det kan ikke godtgøres, at alle fundne ydelser vedrører personen.", "Indskrænk søgningen (kortere periode eller færre KLE-numre), så bevillingerne kommer med på samme side; hjælper det ikke, så kontakt gatewayens drift, og oplys Call-id.",
        en: "It cannot be proven that every benefit found concerns the person.", "Narrow the search (a shorter period or fewer KLE numbers), so that the grants come on the page; if that does not help, contact the gateway's operators and give the Call-id.";
}

impl Table for LawRefusal {
    fn row(&self) -> Entry {
        self.entry()
    }
}
