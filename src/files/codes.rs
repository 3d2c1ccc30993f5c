//! What a transfer is refused for: the numbers of a receipt, each with its texts.
//!
//! No text names a file or a person: a file name can hold a person's number, and the sender knows which file the receipt is of.

use crate::refusal::{Detail, Entry, Table, refusals};

refusals! { []
    /// Every code of a receipt. `FIL1010` is told as 1010.
    pub enum Code;

    == "Files: what a receipt (`.sftpreceipt`) says";

    /// The trigger is not well-formed XML, or has a DTD.
    FIL1001 { what: Detail = Detail::new("ved byte 17 mangler et sluttag", "at byte 17 an end tag is missing") }, Caller, AfterChange, Administrator,
        da: "Triggerfilen kan ikke læses som XML: {what}.", "Dan triggerfilen igen som XML i UTF-8 uden DTD, og send den på ny.",
        en: "The trigger cannot be read as XML: {what}.", "Make the trigger anew as XML in UTF-8 without a DTD, and send it again.";
    /// The trigger is not as its schema says.
    FIL1002 { what: Detail = Detail::new("FileDescriptor mangler SizeInBytes", "FileDescriptor lacks SizeInBytes") }, Caller, AfterChange, Administrator,
        da: "Triggerfilen følger ikke skemaet (SFTPTypes.xsd): {what}.", "Ret triggerfilen efter skemaet, og send den på ny.",
        en: "The trigger is not as its schema (SFTPTypes.xsd) says: {what}.", "Correct the trigger by the schema, and send it again.";
    /// FileName is not the trigger's own name without `.trigger`.
    FIL1003, Caller, AfterChange, Administrator,
        da: "FileName i triggerfilen er et andet navn end triggerfilens eget uden .trigger.", "Skriv datafilens navn i FileName, og kald triggerfilen det samme med .trigger bagefter.",
        en: "FileName in the trigger is another name than the trigger's own without .trigger.", "Write the data file's name in FileName, and name the trigger the same followed by .trigger.";
    /// A name that the recipient could take for something else, or that cannot be stored everywhere.
    FIL1004 { what: Detail = Detail::new("navnet ender på .metadata", "the name ends in .metadata") }, Caller, AfterChange, Administrator,
        da: "Filnavnet er ikke tilladt: {what}.", "Giv filen et andet navn, og send datafil og triggerfil på ny.",
        en: "The file name is not allowed: {what}.", "Give the file another name, and send data file and trigger again.";
    /// The data file did not come in time.
    FIL1010, Caller, AfterChange, Administrator,
        da: "Triggerfilen peger på en datafil, som ikke ligger i OUT.", "Læg datafilen først og triggerfilen bagefter, og send begge igen.",
        en: "The trigger names a data file that is not in OUT.", "Put the data file first and the trigger after it, and send both again.";
    /// Its size is another.
    FIL1011 { stated: u64 = 48_213, found: u64 = 48_000 }, Caller, AfterChange, Administrator,
        da: "SizeInBytes er {stated}, og datafilen i OUT er på {found} bytes.", "Send datafilen hel, og skriv dens størrelse i bytes i triggerfilen.",
        en: "SizeInBytes is {stated}, and the data file in OUT has {found} bytes.", "Send the data file whole, and write its size in bytes in the trigger.";
    /// Something was sent under the name while it was being handled.
    FIL1012, Caller, AfterChange, Administrator,
        da: "Der er sendt en ny datafil eller triggerfil med samme navn, mens den første var under behandling; den nye er ikke taget imod.", "Vent på kvitteringen for den første, og send så den nye.",
        en: "Another data file or trigger of the same name was sent while the first was being handled; the new one was not taken.", "Wait for the receipt of the first, and then send the new one.";
    /// An upload to a mailbox kept a name that clients give to unfinished files.
    FIL1013 { hours: i64 = 24 }, Caller, AfterChange, Administrator,
        da: "Filen er lagt under et navn, som klienter giver ufærdige filer (begynder med punktum eller ender på .tmp, .part, .partial, .filepart eller .writing), og er ikke omdøbt inden for {hours} timer. Den er slettet og ikke afleveret.", "Læg filen igen, og omdøb den til dens endelige navn, når hele filen er sendt; har filen et sådant navn i sig selv, så giv den et andet.",
        en: "The file was put under a name that clients give to unfinished files (it begins with a dot or ends in .tmp, .part, .partial, .filepart or .writing), and was not renamed within {hours} hours. It is deleted, and was not delivered.", "Put the file again, and rename it to its final name once all of it is sent; if that is its own name, give it another.";
    /// Parts of it were never written, and would arrive as zeros; or came in so many parts that it is not known.
    FIL1014, Caller, AfterChange, Administrator,
        da: "Filen er ikke skrevet hel: dele af den blev sprunget over og ville være ankommet som nuller, eller den kom i tusindvis af dele, der ikke hang sammen. Den er ikke taget imod.", "Læg filen igen, og send alle dens bytes fra begyndelsen til enden: lad ikke klienten springe huller over (sparse), og spol en åben fil tilbage, før den sendes.",
        en: "The file was not written whole: parts of it were passed over and would have arrived as zeros, or it came in thousands of parts that did not touch each other. It was not taken.", "Put the file again and send all of its bytes from beginning to end: do not let the client pass over holes (sparse), and rewind an open file before it is sent.";
    /// Sender is not who logged on.
    FIL1020, Caller, AfterChange, Administrator,
        da: "Sender i triggerfilen er ikke den bruger, der er logget på.", "Skriv jeres eget SFTP-brugernavn i Sender, med store og små bogstaver som oprettet.",
        en: "Sender in the trigger is not the user that is logged on.", "Write your own SFTP user name in Sender, in upper and lower case as registered.";
    /// Unknown, blocked or not agreed: the same words for each, so that nobody learns who exists.
    FIL1021 { recipient: usize = 1 }, Caller, AfterChange, Administrator,
        da: "Modtager nr. {recipient} i triggerfilen kan ikke modtage filen.", "Kontrollér modtagerens brugernavn, og at der er en godkendt ruteordre fra jer til modtageren for dette filnavn eller denne InfRef.",
        en: "Recipient number {recipient} of the trigger cannot receive the file.", "Check the recipient's user name, and that there is an approved route order from you to it for this file name or InfRef.";
    /// A recipient that is agreed with, and blocked now.
    FIL1022 { recipient: usize = 1 }, Caller, Later, Administrator,
        da: "Modtager nr. {recipient} er spærret for tiden.", "Spørg modtageren, hvornår den er åben igen, og send da filen på ny.",
        en: "Recipient number {recipient} is blocked for the time being.", "Ask the recipient when it is open again, and send the file again then.";
    /// No route order carries it.
    FIL1030, Caller, AfterChange, Administrator,
        da: "Der er ingen rute for denne InfRef og disse myndigheder på den dag, filen gælder for.", "Kontrollér InfRef og myndigheder i triggerfilen, eller få modtagerens leverandør til at anmode om en ruteordre.",
        en: "There is no route for this InfRef and these authorities on the day that the file is for.", "Check InfRef and authorities in the trigger, or have the recipient's supplier request a route order.";
    /// Several do.
    FIL1031, Caller, AfterChange, Administrator,
        da: "Mere end én rute passer på filen.", "Angiv RecipientIt-system i triggerfilen.",
        en: "More than one route fits the file.", "Give RecipientIt-system in the trigger.";
    /// The route order is not approved, suspended, over, or has not begun.
    FIL1032 { what: Detail = Detail::new("den er suspenderet", "it is suspended") }, Caller, AfterChange, Administrator,
        da: "Ruteordren, der er aftalen for filen, kan ikke bruges: {what}.", "Få modtagermyndigheden til at godkende eller genoptage ruteordren, og send filen igen.",
        en: "The route order, which is the agreement for the file, cannot be used: {what}.", "Have the signatory of the recipient's authority approve or resume the route order, and send the file again.";
    /// No route order has this InfRef.
    FIL1033, Caller, AfterChange, Administrator,
        da: "InfRef i triggerfilen kendes ikke.", "Skriv InfRef som i ruteordren.",
        en: "InfRef in the trigger is not known.", "Write InfRef as in the route order.";
    /// The sending it-system or authority is not the user's.
    FIL1034, Caller, AfterChange, Administrator,
        da: "SenderIt-system i triggerfilen er ikke det it-system, som brugeren tilhører.", "Skriv UUID'et for jeres eget it-system i SenderIt-system.",
        en: "SenderIt-system in the trigger is not the it-system that the user belongs to.", "Write the UUID of your own it-system in SenderIt-system.";
    /// The id was used for another content.
    FIL1035, Caller, AfterChange, Administrator,
        da: "TransactionId og FileName er brugt før, med et andet indhold eller til andre modtagere.", "Brug et nyt TransactionId; det samme bruges kun, når den samme fil sendes igen til de samme modtagere.",
        en: "TransactionId and FileName were used before, with other content or for other recipients.", "Use a new TransactionId; the same is only for sending the same file to the same recipients again.";
    /// The recipient has a file of that name.
    FIL1040 { recipient: usize = 1 }, Caller, AfterChange, Administrator,
        da: "Modtager nr. {recipient} har allerede en fil med dette navn i sin IN-mappe.", "Giv filen et nyt navn, eller vent, til modtageren har hentet og slettet den første.",
        en: "Recipient number {recipient} has a file of this name in its IN folder already.", "Give the file a new name, or wait until the recipient has fetched and removed the first.";
    /// The rules of its InfRef refuse the content.
    FIL1050 { what: Detail = Detail::new("filen følger ikke skemaet", "the file is not as its schema says") }, Caller, AfterChange, Administrator,
        da: "Filens indhold er afvist: {what}.", "Ret filens indhold ved kilden, og send den på ny.",
        en: "The file's content is refused: {what}.", "Correct the file's content at its source, and send it again.";
    /// A mailbox does not take it: the profile of partner agreements.
    FIL1055 { what: Detail = Detail::new("datastrøm og alias er ikke aftalt i dag", "stream and alias are not agreed today") }, Caller, AfterChange, Administrator,
        da: "Postkassen tager ikke imod filen: {what}.", "Kontrollér partneraftalens datastrømme, aliasser og rettigheder, og læg filen på ny.",
        en: "The mailbox does not take the file: {what}.", "Check the partner agreement's streams, aliases and rights, and put the file again.";
    /// Too large, or no room.
    FIL1060 { what: Detail = Detail::new("modtagerens plads er brugt", "the recipient's space is used") }, Caller, AfterChange, Administrator,
        da: "Filen er for stor, eller der er ikke plads: {what}.", "Del filen, eller vent, til der er ryddet op, og send igen.",
        en: "The file is too large, or there is no room: {what}.", "Divide the file, or wait until there is room, and send it again.";
    /// Nobody fetched it.
    FIL1070 { days: i64 = 30 }, Caller, AfterChange, Administrator,
        da: "Filen er ikke hentet inden for {days} dage og er slettet hos modtageren.", "Spørg modtageren, om filen stadig er nødvendig, og send den på ny.",
        en: "The file was not fetched within {days} days, and was deleted at the recipient.", "Ask the recipient whether the file is still needed, and send it again.";
    /// Its recipient never said what became of it.
    FIL1071 { days: i64 = 40 }, Caller, AfterChange, Administrator,
        da: "Modtageren har ikke sendt en forretningskvittering inden for {days} dage.", "Spørg modtageren, om filen er behandlet; send ikke indholdet igen under nye numre, før det vides.",
        en: "The recipient has sent no business receipt within {days} days.", "Ask the recipient whether the file was processed; do not send its content again under new ids before that is known.";
    /// Something behind fails; nothing has to be sent again.
    FIL1090, Gateway, Later, Operations,
        da: "En forbigående fejl på platformen forsinker filen.", "Vent på den endelige kvittering; platformen prøver igen af sig selv.",
        en: "A passing fault of the platform delays the file.", "Wait for the final receipt; the platform tries again by itself.";
    /// It was tried to the end.
    FIL1091, Gateway, Later, Operations,
        da: "Filen kunne ikke leveres på grund af en fejl på platformen.", "Send triggerfilen igen, og filen før den, hvis den ikke ligger i OUT; hjælper det ikke, så giv platformens drift FileTransferUUID.",
        en: "The file could not be delivered because of a fault of the platform.", "Send the trigger again, and the file before it if it is not in OUT; if that does not help, give the platform's operations the FileTransferUUID.";
}

impl Table for Code {
    fn row(&self) -> Entry {
        self.entry()
    }
}

impl Code {
    /// The number in a receipt.
    pub fn number(&self) -> i32 {
        self.code().strip_prefix("FIL").and_then(|number| number.parse().ok()).unwrap_or(1091)
    }

    /// What the number means, as short as receipts have it.
    pub fn title(&self) -> &'static str {
        match self {
            Code::FIL1001 { .. } => "Triggerfil er ikke XML",
            Code::FIL1002 { .. } => "Triggerfil følger ikke skemaet",
            Code::FIL1003 => "Filnavn er forskelligt",
            Code::FIL1004 { .. } => "Filnavn er ikke tilladt",
            Code::FIL1010 => "Datafil mangler",
            Code::FIL1011 { .. } => "Datafilens størrelse er forkert",
            Code::FIL1012 => "Ændret efter triggerfilen",
            Code::FIL1013 { .. } => "Fik aldrig sit endelige navn",
            Code::FIL1014 => "Ikke skrevet hel",
            Code::FIL1020 => "Afsender er en anden",
            Code::FIL1021 { .. } => "Modtager er ukendt",
            Code::FIL1022 { .. } => "Modtager er spærret",
            Code::FIL1030 => "Ingen rute",
            Code::FIL1031 => "Flere ruter",
            Code::FIL1032 { .. } => "Ruteordre kan ikke bruges",
            Code::FIL1033 => "InfRef er ukendt",
            Code::FIL1034 => "It-system er et andet",
            Code::FIL1035 => "TransactionId er brugt",
            Code::FIL1040 { .. } => "Navn er optaget hos modtager",
            Code::FIL1050 { .. } => "Indhold er afvist",
            Code::FIL1055 { .. } => "Postkassen tager ikke imod",
            Code::FIL1060 { .. } => "For stor, eller plads er brugt",
            Code::FIL1070 { .. } => "Ikke hentet i tide",
            Code::FIL1071 { .. } => "Ikke besvaret i tide",
            Code::FIL1090 => "Forbigående fejl",
            Code::FIL1091 => "Intern fejl",
        }
    }

    /// The description in a receipt: what is wrong and what to do, in Danish and English.
    pub fn description(&self) -> String {
        let entry = self.entry();
        match self {
            // What a service's rules found: each is complete by itself, in both languages.
            Code::FIL1050 { .. } => format!("{} / {}", entry.da.what, entry.en.what),
            _ => format!("{} {} / {} {}", entry.da.what, entry.da.remedy, entry.en.what, entry.en.remedy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_told_by_the_number_in_its_name_and_no_two_share_a_title() {
        let every = Code::every();
        let mut numbers: Vec<i32> = every.iter().map(Code::number).collect();
        assert!(numbers.is_sorted() && numbers.first() == Some(&1001) && numbers.last() == Some(&1091), "{numbers:?}");
        numbers.dedup();
        let titles: std::collections::BTreeSet<_> = every.iter().map(Code::title).collect();
        assert_eq!((numbers.len(), titles.len()), (every.len(), every.len()));
    }
}
