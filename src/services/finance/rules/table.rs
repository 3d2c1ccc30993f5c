//! What a delivery is refused for or warned of: the codes of the field's family, each with who can mend it.

use jiff::civil::Date;
use uuid::Uuid;

use crate::refusal::{Detail, Entry, PeerName, Table, refusals};

const SAMPLE: Uuid = Uuid::from_u128(0x9d1c_0a52_3f0e_4d0b_9a53_0d6a_3c1b_7e01);

refusals! { []
    /// Every code of the service.
    pub enum Rule;

    == "Finans: the rules of a delivery";

    /// The delivery's sender or receiver is not one that agreements and routes cover.
    FB001 { what: Detail = Detail::new("AfsenderMyndighed er ikke den myndighed, der kaldes på vegne af", "AfsenderMyndighed is not the authority on whose behalf the call is made") }, Caller, AfterChange, Administrator,
        da: "Leverancens myndighed eller it-system er ikke dækket: {what}.", "Ret afsender og modtager i leverancen, eller få serviceaftale og rute oprettet for dem.",
        en: "The authority or the it-system of the delivery is not covered: {what}.", "Correct sender and receiver in the delivery, or have an agreement and a route made for them.";
    /// The value list is not known, or not in this version, or that version does not hold on the voucher's date.
    FB002 { list: Uuid = SAMPLE, what: Detail = Detail::new("versionen kendes ikke", "the version is not known") }, Caller, AfterChange, Administrator,
        da: "Sortimentet {list} kan ikke bruges: {what}.", "Brug den version af sortimentet, der gælder på bogføringsdatoen, eller få den indlæst på platformen.",
        en: "The value list {list} cannot be used: {what}.", "Use the version of the value list that holds on the booking date, or have it imported on the platform.";
    /// The control section's counts differ from what is there.
    FB003 { what: Detail = Detail::new("Kontrol angiver 2 bilag, og der er 1", "Kontrol states 2 vouchers, and there are 1") }, Caller, AfterChange, Administrator,
        da: "Antallet i kontrolafsnittet passer ikke: {what}.", "Dan leverancen igen med kontrolafsnittet talt op af de bilag, der sendes.",
        en: "A count of the control section is wrong: {what}.", "Make the delivery anew with the control section counted from the vouchers that are sent.";
    /// The control section's debit sum differs.
    FB004 { stated: String = "2.00".into(), found: String = "1.00".into() }, Caller, AfterChange, Administrator,
        da: "SumDebet er angivet til {stated}, og debetposteringerne er i alt {found}.", "Dan leverancen igen med kontrolafsnittet summeret af de posteringer, der sendes.",
        en: "SumDebet is stated as {stated}, and the debit postings sum to {found}.", "Make the delivery anew with the control section summed from the postings that are sent.";
    /// The control section's credit sum differs.
    FB005 { stated: String = "2.00".into(), found: String = "1.00".into() }, Caller, AfterChange, Administrator,
        da: "SumKredit er angivet til {stated}, og kreditposteringerne er i alt {found}.", "Dan leverancen igen med kontrolafsnittet summeret af de posteringer, der sendes.",
        en: "SumKredit is stated as {stated}, and the credit postings sum to {found}.", "Make the delivery anew with the control section summed from the postings that are sent.";
    /// A test outside the time that is open for tests of the sending authority. No setting turns it off.
    FB006 { authority: String = "11111111".into() }, Caller, AfterChange, Administrator,
        da: "Leverancen er en prøve (Proeve), og der er ikke åbnet for prøver fra myndigheden {authority} nu.", "Få myndighedens systemansvarlige til at åbne et tidsrum for prøver (hjemmel trial open); send kun leverancen uden Proeve, hvis bilagene skal bogføres.",
        en: "The delivery is a test (Proeve), and no time for tests of the authority {authority} is open now.", "Have the authority's system responsible open a time for tests (hjemmel trial open); send the delivery without Proeve only if the vouchers are to be booked.";
    /// A voucher's debit and credit differ.
    FB010 { voucher: Uuid = SAMPLE, date: Date = jiff::civil::date(2026, 11, 22) }, Caller, AfterChange, User,
        da: "Bilaget {voucher} stemmer ikke den {date}: debet og kredit er ikke lige store.", "Ret bilagets posteringer, så debet og kredit er lige store.",
        en: "The voucher {voucher} does not balance on {date}: debit and credit differ.", "Correct the postings of the voucher so that debit and credit are equal.";
    /// An amount that is not written with exactly two decimals.
    FB011 { place: Detail = Detail::new("bilaget 9d1c0a52-3f0e-4d0b-9a53-0d6a3c1b7e01, postering 1", "voucher 9d1c0a52-3f0e-4d0b-9a53-0d6a3c1b7e01, posting 1") }, Caller, AfterChange, Administrator,
        da: "Et beløb er ikke skrevet med netop to decimaler: {place}.", "Skriv alle beløb med punktum og netop to decimaler, for eksempel 100.00.",
        en: "An amount is not written with exactly two decimals: {place}.", "Write every amount with a point and exactly two decimals, such as 100.00.";
    /// The ledger's period is closed. Only the ledger says so.
    FB012 { voucher: Uuid = SAMPLE, date: Date = jiff::civil::date(2026, 11, 22) }, Caller, AfterChange, User,
        da: "Perioden for bilaget {voucher} er lukket den {date}.", "Bogfør bilaget i en åben periode, eller få perioden åbnet i bogføringssystemet.",
        en: "The period of the voucher {voucher} is closed on {date}.", "Book the voucher in an open period, or have the period opened in the ledger.";
    /// A voucher's id twice in one delivery.
    FB013 { voucher: Uuid = SAMPLE }, Caller, AfterChange, Administrator,
        da: "Bilaget {voucher} findes mere end én gang i leverancen.", "Giv hvert bilag sit eget BilagID, og send hvert bilag én gang.",
        en: "The voucher {voucher} stands more than once in the delivery.", "Give each voucher a BilagID of its own, and send each voucher once.";
    /// Posting numbers that do not ascend.
    FB014 { voucher: Uuid = SAMPLE, posting: u32 = 2 }, Caller, AfterChange, Administrator,
        da: "Bilaget {voucher}: postering {posting} har ikke et højere nummer end den foran.", "Nummerér posteringerne stigende inden for bilaget.",
        en: "Voucher {voucher}: posting {posting} does not have a higher number than the one before it.", "Number the postings in ascending order within the voucher.";
    /// An amount of nothing, outside a test.
    FB015 { voucher: Uuid = SAMPLE, posting: u32 = 2 }, Caller, AfterChange, User,
        da: "Bilaget {voucher}: postering {posting} har beløbet 0,00, og leverancen er ikke en prøve.", "Fjern posteringen, eller ret dens beløb.",
        en: "Voucher {voucher}: posting {posting} has the amount 0.00, and the delivery is not a test.", "Remove the posting or correct its amount.";
    /// A voucher that is corrected by another, and that nobody knows.
    FB016 { voucher: Uuid = SAMPLE, corrects: Uuid = Uuid::from_u128(0x9d1c_0a52_3f0e_4d0b_9a53_0d6a_3c1b_7e02) }, Caller, AfterChange, Administrator,
        da: "Bilaget {voucher} erstatter bilaget {corrects}, som platformen ikke har set accepteret.", "Kontrollér ErstatterBilagID; et bilag, der er accepteret for længe siden eller uden om platformen, kender den ikke.",
        en: "The voucher {voucher} replaces the voucher {corrects}, which the platform has not seen accepted.", "Check ErstatterBilagID; a voucher that was accepted too long ago, or past the platform, is not known to it.";
    /// A code that the value list does not have.
    FB020 { voucher: Uuid = SAMPLE, posting: u32 = 2, code: Detail = Detail::new("koden 4711 i Art", "code 4711 of Art") }, Caller, AfterChange, User,
        da: "Bilaget {voucher}, postering {posting}: {code} findes ikke i sortimentet.", "Vælg en kode fra sortimentet, eller få koden optaget i det.",
        en: "Voucher {voucher}, posting {posting}: {code} is not in the value list.", "Choose a code of the value list, or have the code added to it.";
    /// A code that does not hold on the voucher's date.
    FB021 { voucher: Uuid = SAMPLE, posting: u32 = 2, code: Detail = Detail::new("koden 4711 i Art", "code 4711 of Art"), date: Date = jiff::civil::date(2026, 11, 22) }, Caller, AfterChange, User,
        da: "Bilaget {voucher}, postering {posting}: {code} gælder ikke den {date}.", "Vælg en kode, der gælder på bogføringsdatoen.",
        en: "Voucher {voucher}, posting {posting}: {code} does not hold on {date}.", "Choose a code that holds on the booking date.";
    /// The ledger has no account for a code. Only the ledger says so.
    FB022 { voucher: Uuid = SAMPLE, posting: u32 = 2, code: Detail = Detail::new("koden 4711 i Art", "code 4711 of Art") }, Caller, AfterChange, Administrator,
        da: "Bilaget {voucher}, postering {posting}: {code} har ingen konto i bogføringssystemet.", "Bogføringssystemets administrator retter oversættelsestabellen; derefter sendes bilaget igen i en ny leverance.",
        en: "Voucher {voucher}, posting {posting}: {code} has no account in the ledger.", "The ledger's administrator corrects the mapping table; then the voucher is sent again in a new delivery.";
    /// A delivery's id that was used with other content.
    FB030, Caller, AfterChange, Administrator,
        da: "LeveranceID er brugt før til en leverance med andet indhold.", "Send den oprindelige leverance igen uændret for at få dens kvittering, eller giv den nye leverance sit eget LeveranceID.",
        en: "The LeveranceID was used before for a delivery with other content.", "Send the original delivery again unchanged to get its receipt, or give the new delivery a LeveranceID of its own.";
    /// A voucher that was accepted in another delivery, or that another delivery has under way.
    FB031 { voucher: Uuid = SAMPLE, what: Detail = Detail::new("bogført 2026-11-22 med leverancen 9d1c0a52-3f0e-4d0b-9a53-0d6a3c1b7e03, kvittering ACCEPTERET", "booked on 2026-11-22 with delivery 9d1c0a52-3f0e-4d0b-9a53-0d6a3c1b7e03, receipt ACCEPTERET") }, Caller, AfterChange, Administrator,
        da: "Bilaget {voucher} er sendt før: {what}.", "Fjern bilaget fra leverancen; skal det rettes, så send et nyt bilag med ErstatterBilagID.",
        en: "The voucher {voucher} was sent before: {what}.", "Remove the voucher from the delivery; if it is to be corrected, send a new voucher with ErstatterBilagID.";
    /// The same delivery is being passed on at this moment.
    FB032, Caller, Later, Administrator,
        da: "Leverancen er under behandling: den er sendt videre, og bogføringssystemet har endnu ikke svaret.", "Vent et øjeblik, og send leverancen igen uændret med samme LeveranceID for at få dens kvittering.",
        en: "The delivery is being processed: it was passed on, and the ledger has not answered yet.", "Wait a moment, and send the delivery again unchanged with the same LeveranceID to get its receipt.";
    /// A party that is missing where the value list demands one, or that cannot exist.
    FB040 { voucher: Uuid = SAMPLE, posting: u32 = 2, what: Detail = Detail::new("parten mangler", "the party is missing") }, Caller, AfterChange, User,
        da: "Bilaget {voucher}, postering {posting}: {what}.", "Angiv den part, posteringen vedrører, med et nummer, der findes.",
        en: "Voucher {voucher}, posting {posting}: {what}.", "Give the party that the posting is about, by a number that exists.";
    /// A person among tests who may be somebody.
    FB041 { voucher: Uuid = SAMPLE, posting: u32 = 2 }, Caller, AfterChange, User,
        da: "Bilaget {voucher}, postering {posting}: partens CPR-nummer er ikke et testnummer, og dette er testmiljøet.", "Brug numre, hvor dagen er 61 til 91, eller dem på driftens liste; er nummeret en virkelig persons, så fortæl det til jeres databeskyttelsesrådgiver.",
        en: "Voucher {voucher}, posting {posting}: the party's CPR number is no test number, and this is the environment for tests.", "Use numbers whose day is 61 to 91, or those on the operators' list; if the number is a real person's, tell your data protection officer.";
    /// The ledger does not answer.
    FB090 { peer: PeerName = PeerName::new("modtagerens system 6d0d6e2e", "the receiving system 6d0d6e2e"), sent: Detail = Detail::new("det vides ikke, om bilagene er bogført", "it is not known whether the vouchers are booked") }, Gateway, Later, Operations,
        da: "Der kom intet svar, der kan bruges, fra {peer}; {sent}.", "Send leverancen igen med samme LeveranceID, eller spørg bogføringssystemet, om den er modtaget.",
        en: "No usable answer came from {peer}; {sent}.", "Send the delivery again with the same LeveranceID, or ask the ledger whether it has it.";
}

impl Table for Rule {
    fn row(&self) -> Entry {
        self.entry()
    }
}
