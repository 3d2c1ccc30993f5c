//! The letter of a notice: what, consequence, what to do, and where, in the reader's language.

use jiff::Timestamp;

use super::address::Language;
use super::{Kind, Notice};
use crate::clock::copenhagen;

/// A letter, without whom it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The subject: one line.
    pub subject: String,
    /// The text.
    pub body: String,
}

/// What is said of a kind: the subject, what, the consequence, what to do.
struct Words {
    subject: &'static str,
    what: &'static str,
    consequence: &'static str,
    remedy: &'static str,
}

const fn words(subject: &'static str, what: &'static str, consequence: &'static str, remedy: &'static str) -> Words {
    Words { subject, what, consequence, remedy }
}

fn danish(kind: Kind) -> Words {
    match kind {
        Kind::Requested => words(
            "Anmodning om serviceaftale",
            "Der er anmodet om en serviceaftale på vegne af jeres myndighed.",
            "Systemet har ingen adgang, før I godkender.",
            "Læs aftalens tekst, og godkend eller afvis den.",
        ),
        Kind::Reminder => words(
            "Ubesvaret anmodning om serviceaftale",
            "En anmodning om en serviceaftale på vegne af jeres myndighed er ikke besvaret.",
            "Systemet har ingen adgang, før I godkender.",
            "Læs aftalens tekst, og godkend eller afvis den.",
        ),
        Kind::Approved => words(
            "Serviceaftale godkendt",
            "Myndigheden har godkendt serviceaftalen.",
            "Systemet har adgang, så længe aftalen gælder.",
            "Kald servicen, og se i konsollen, at kaldet lykkes.",
        ),
        Kind::Rejected => words(
            "Serviceaftale afvist",
            "Myndigheden har afvist serviceaftalen.",
            "Systemet får ingen adgang for denne myndighed.",
            "Læs begrundelsen, ret anmodningen, og anmod på ny.",
        ),
        Kind::Suspended => words(
            "Serviceaftale suspenderet",
            "Serviceaftalen er suspenderet.",
            "Systemets kald for myndigheden afvises, indtil aftalen genoptages.",
            "Tal med den, der suspenderede, om årsagen. Den, der suspenderede, eller en over denne kan genoptage aftalen.",
        ),
        Kind::Ended => words(
            "Serviceaftale opsagt",
            "Serviceaftalen er opsagt.",
            "Systemets kald for myndigheden afvises, fra opsigelsen har virkning.",
            "Anmod om en ny aftale, hvis adgangen skal bestå.",
        ),
        Kind::NoticeTakenBack => words(
            "Opsigelse af serviceaftale trukket tilbage",
            "Opsigelsen af serviceaftalen er trukket tilbage.",
            "Aftalen gælder fortsat, og det, der blev opsagt og lukket sammen med den, fortsætter, hvor der ikke siden er besluttet andet.",
            "Se, om alt det fortsætter, som systemet bruger; anmod ellers om det på ny.",
        ),
        Kind::Expiring => words(
            "Serviceaftale udløber snart",
            "Serviceaftalen udløber snart.",
            "Systemets kald for myndigheden afvises, fra aftalen er udløbet.",
            "Anmod om en ny udgave af aftalen, og få den godkendt inden da, hvis adgangen skal bestå.",
        ),
        Kind::Outgrown => words(
            "Service omfatter mere end godkendt",
            "Servicen er kommet til at omfatte mere, end serviceaftalen er godkendt for.",
            "Kald, der går ud over det godkendte, afvises, indtil en ny udgave er godkendt; er det alene reglerne, der giver mere, besvares kald efter de godkendte regler.",
            "Den, der anmodede, anmoder om en ny udgave af aftalen; underskriveren læser, hvad der kommer til, og godkender eller afviser den.",
        ),
        Kind::CertificateExpiring => words(
            "Certifikat udløber snart",
            "Et certifikat udløber snart.",
            "Det, der bruger certifikatet, kan ikke logge på, fra det er udløbet.",
            "Bestil et nyt certifikat, og registrér det ved siden af det gamle, inden det udløber.",
        ),
        Kind::ConnectionAsked => words(
            "Forbindelse venter på jeres bekræftelse",
            "En anden part har oprettet en forbindelse af et system, som nævner jer eller jeres system.",
            "Før den er bekræftet, vises og oplyses intet om jer i den, og den går ikke videre.",
            "Se, om I kender forbindelsen, og bekræft den i så fald på dens side. Ellers skal I intet gøre; mens den venter, får I højst et brev hver 30. dag.",
        ),
        Kind::TaskNext => words(
            "Opgave i en tilslutning venter på jer",
            "En opgave i tilslutningen af et system kan udføres nu, og den er jeres.",
            "Tilslutningen går ikke videre, før opgaven er udført.",
            "Udfør opgaven. Ser gatewayen den ikke selv, så oplys den udført med en henvisning til dokumentationen.",
        ),
        Kind::TaskWaits => words(
            "Opgave i en tilslutning venter stadig på jer",
            "En opgave i tilslutningen af et system er ikke udført, og dens frist er nær eller overskredet, eller den har ventet i en uge.",
            "Tilslutningen går ikke videre, før opgaven er udført.",
            "Udfør opgaven, eller aftal en ny frist med den, der har fordelt den.",
        ),
        Kind::FileNotFetched => words(
            "Fil ikke hentet",
            "En fil er ikke hentet inden for den aftalte tid.",
            "Modtageren har ikke fået indholdet, og filen slettes, når dens dage er gået.",
            "Kontrollér, at modtagerens system henter, eller aftal med afsenderen, at filen trækkes tilbage.",
        ),
        Kind::FileExpired => words(
            "Fil slettet, uden at den blev hentet",
            "En fil er slettet, fordi den ikke blev hentet, før dens dage var gået.",
            "Modtageren har ikke fået indholdet, og det kan ikke hentes længere.",
            "Kontrollér, at modtagerens system henter, og aflever indholdet igen, hvis modtageren skal have det.",
        ),
        Kind::ProviderFailing => words(
            "Bagvedliggende system svarer ikke",
            "Et system bag en service svarer ikke.",
            "Kald, der skal videre til systemet, afvises, indtil det svarer igen.",
            "Kontakt systemets driftsansvarlige; gatewayen prøver selv igen.",
        ),
        Kind::ProviderAnswerRefused => words(
            "Bagvedliggende system svarer i strid med kontrakten",
            "Et system bag en service har svaret i strid med servicens kontrakt.",
            "Svaret er ikke givet videre, og afsenderen ved ikke, om leverancen er modtaget.",
            "Find kaldet i gatewayens log, der siger, hvor svaret bryder skemaet, og få systemet rettet. Afsenderen kan derefter sende igen.",
        ),
        Kind::DeliveryUnknown => words(
            "Svar på en leverance er gået tabt",
            "En leverance er sendt videre, men svaret på den er gået tabt.",
            "Det vides ikke, om modtagerens system har leverancen, før afsenderen sender den igen.",
            "Bed afsenderen sende leverancen igen med samme id, eller spørg modtageren, om den er der.",
        ),
        Kind::PersonNotHandedOn => words(
            "Person ikke givet videre",
            "En eller flere personer kunne ikke gives videre til læringsplatformen, og gatewayen prøver ikke længere.",
            "Brugeren oprettes, ændres eller slettes ikke i læringsplatformen, og senere ændringer af samme person venter; andre personer gives videre.",
            "Se med kommandoen hjemmel persons queue show, hvorfor platformen ikke tager imod, få årsagen fjernet, og prøv igen med hjemmel persons queue retry.",
        ),
        Kind::Silence => words(
            "Ingen udveksling i længere tid end aftalt",
            "Der er ikke udvekslet noget i længere tid end aftalt.",
            "Data, som modtageren venter på, mangler måske.",
            "Kontrollér, at afsenderens system kører og kan logge på, og at modtagerens henter.",
        ),
        Kind::LogOnName => words(
            "Brugernavn skrevet forkert",
            "Et system har forsøgt at logge på en postkasse med et brugernavn, der kun afviger ved store og små bogstaver.",
            "Det er ikke lukket ind, og det får ikke at vide hvorfor.",
            "Skriv brugernavnet i systemets opsætning, netop som det står her.",
        ),
        Kind::HostKeyChanges => words(
            "SFTP-serveren får en ny værtsnøgle",
            "SFTP-serveren viser en ny værtsnøgle fra det tidspunkt, der står her.",
            "En klient, der kun kender den hidtidige nøgle, afviser fra da af at forbinde.",
            "Tilføj nøglen i klientens known_hosts inden tidspunktet, og lad den hidtidige blive stående, til den nye vises. Er I i tvivl om brevet, så spørg platformens drift ad en anden vej.",
        ),
        Kind::DelegationGiven => words(
            "Rolle delegeret",
            "En person i jeres myndighed har ladet en kollega handle i en af sine roller i en periode.",
            "Kollegaen kan fra det tidspunkt, der står her, beslutte i rollen, som personen selv kan. Begge navne står ved det, der besluttes.",
            "Kender I ikke delegeringen, så træk den straks tilbage på siden, og sig det til gatewayens drift.",
        ),
        Kind::DelegationEnded => words(
            "Delegering ophørt",
            "En delegering af en rolle er ophørt før tiden.",
            "Kollegaen kan ikke længere handle i rollen. Det, der er besluttet efter den, står ved magt.",
            "Find en anden stedfortræder, hvis der fortsat skal være en.",
        ),
        Kind::ToldApart => words(
            "To brugere er to personer",
            "Gatewayens drift har skrevet ned, at to brugere, der kunne være samme person, er to personer.",
            "Den ene kan fra nu af godkende det, som den anden har anmodet om, også det, der allerede venter.",
            "Er de to samme person, så sig det straks til gatewayens drift, der afslutter den ene bruger. Er de to personer, skal I intet gøre.",
        ),
        Kind::Namesake => words(
            "Log-on af en person med en anden brugers navn",
            "En identitetsudbyder har for første gang logget en person på, der hedder det samme som en anden bruger hos samme part.",
            "De, der hedder det samme, anses for samme person: den ene kan ikke godkende det, som den anden har anmodet om.",
            "Find hos parten ud af, om de er én person. Er de flere, så skriv det ned med hjemmel user distinct og begge id'er for hvert par; er de én, så lad det stå.",
        ),
    }
}

fn english(kind: Kind) -> Words {
    match kind {
        Kind::Requested => words(
            "Request for a service agreement",
            "A service agreement on behalf of your authority has been requested.",
            "The system has no access until you approve.",
            "Read the agreement's text, and approve or reject it.",
        ),
        Kind::Reminder => words(
            "Unanswered request for a service agreement",
            "A request for a service agreement on behalf of your authority has not been answered.",
            "The system has no access until you approve.",
            "Read the agreement's text, and approve or reject it.",
        ),
        Kind::Approved => words(
            "Service agreement approved",
            "The authority has approved the service agreement.",
            "The system has access for as long as the agreement holds.",
            "Call the service, and see in the console that the call succeeds.",
        ),
        Kind::Rejected => words(
            "Service agreement rejected",
            "The authority has rejected the service agreement.",
            "The system gets no access for this authority.",
            "Read the reason, correct the request, and request it anew.",
        ),
        Kind::Suspended => words(
            "Service agreement suspended",
            "The service agreement has been suspended.",
            "The system's calls for the authority are refused until the agreement is resumed.",
            "Ask whoever suspended it for the cause. They, or one who stands above, can resume it.",
        ),
        Kind::Ended => words(
            "Service agreement ended",
            "Notice has been given on the service agreement.",
            "The system's calls for the authority are refused from the day on which it takes effect.",
            "Request a new agreement if access is to go on.",
        ),
        Kind::NoticeTakenBack => words(
            "Notice on a service agreement taken back",
            "The notice on the service agreement was taken back.",
            "The agreement goes on, and so does what was ended and closed with it, where nothing else was decided since.",
            "See whether all that the system uses goes on; otherwise ask for it anew.",
        ),
        Kind::Expiring => words(
            "Service agreement about to expire",
            "The service agreement is about to expire.",
            "The system's calls for the authority are refused once it has.",
            "Request a new version and have it approved before then if access is to go on.",
        ),
        Kind::Outgrown => words(
            "Service covers more than was approved",
            "The service has come to cover more than the service agreement was approved for.",
            "Calls that go beyond what was approved are refused until a new version is approved; where the rules alone give more, calls are answered by the rules that were approved.",
            "Whoever requested the agreement requests a new version; the signatory reads what is added, and approves or rejects it.",
        ),
        Kind::CertificateExpiring => words(
            "Certificate about to expire",
            "A certificate is about to expire.",
            "What uses the certificate cannot log on once it has.",
            "Order a new certificate, and register it beside the old one before then.",
        ),
        Kind::ConnectionAsked => words(
            "Connection waits for you to agree",
            "Somebody else has added a connection of a system that names you or your system.",
            "Until it is agreed to, nothing of yours is shown or stated in it, and it does not go on.",
            "See whether you know the connection, and agree to it on its page if so. Otherwise you need do nothing; while it waits you get a letter each 30 days at most.",
        ),
        Kind::TaskNext => words(
            "Task of a connection waits for you",
            "A task of connecting a system can be done now, and it is yours.",
            "The connection does not go on until the task is done.",
            "Do the task. Where the gateway does not see it by itself, state that it is done, with a reference to what shows it.",
        ),
        Kind::TaskWaits => words(
            "Task of a connection still waits for you",
            "A task of connecting a system is not done, and its day is near or over, or it has waited for a week.",
            "The connection does not go on until the task is done.",
            "Do the task, or agree on another day with whoever gave it to you.",
        ),
        Kind::FileNotFetched => words(
            "File not fetched",
            "A file was not fetched within the time agreed.",
            "The recipient does not have its content, and the file is deleted when its days are over.",
            "See that the recipient's system fetches, or agree with the sender that the file is taken back.",
        ),
        Kind::FileExpired => words(
            "File deleted before it was fetched",
            "A file was deleted, for it was not fetched before its days were over.",
            "The recipient has not got the content, and it can no longer be fetched.",
            "See that the recipient's system fetches, and deliver the content again if the recipient is to have it.",
        ),
        Kind::ProviderFailing => words(
            "System behind a service does not answer",
            "A system behind a service does not answer.",
            "Calls that go on to it are refused until it answers again.",
            "Contact whoever runs the system; the gateway tries again by itself.",
        ),
        Kind::ProviderAnswerRefused => words(
            "System behind a service answers against the contract",
            "A system behind a service answered against the service's contract.",
            "The answer was not handed on, and the sender does not know whether the delivery was received.",
            "Find the call in the gateway's log, which says where the answer breaks the schema, and have the system mended. The sender can send again then.",
        ),
        Kind::DeliveryUnknown => words(
            "Answer to a delivery is lost",
            "A delivery was passed on, but the answer to it is lost.",
            "It is not known whether the receiver's system has the delivery until the sender sends it again.",
            "Ask the sender to send the delivery again with the same id, or the receiver whether it is there.",
        ),
        Kind::PersonNotHandedOn => words(
            "Person not handed on",
            "One or more persons could not be handed on to the learning platform, and the gateway no longer tries.",
            "The user is not created, changed or deleted in the learning platform, and later changes of the same person wait; other persons are handed on.",
            "See by the command hjemmel persons queue show why the platform does not take them, have the cause removed, and try again with hjemmel persons queue retry.",
        ),
        Kind::Silence => words(
            "Nothing exchanged for longer than agreed",
            "Nothing was exchanged for longer than agreed.",
            "Data that the recipient waits for may be missing.",
            "See that the sender's system runs and can log on, and that the recipient's fetches.",
        ),
        Kind::LogOnName => words(
            "User name written wrong",
            "A system has tried to log on to a mailbox with a user name that differs in upper and lower case alone.",
            "It was not let in, and is not told why.",
            "Write the user name in the system's set-up just as it stands here.",
        ),
        Kind::HostKeyChanges => words(
            "The SFTP server gets another host key",
            "The SFTP server shows another host key from the instant named here.",
            "A client that knows the present key alone refuses to connect from then on.",
            "Add the key to the client's known_hosts before that instant, and let the present one stand until the new one is shown. If in doubt about the letter, ask the platform's operators by another way.",
        ),
        Kind::DelegationGiven => words(
            "Role delegated",
            "A person of your authority lets a colleague act in one of their roles for a time.",
            "From the instant named here the colleague can decide in the role as the person can. Both names stand by what is decided.",
            "If you do not know the delegation, take it back on its page at once, and tell the gateway's operators.",
        ),
        Kind::DelegationEnded => words(
            "Delegation ended",
            "A delegation of a role has ended before its time.",
            "The colleague can act in the role no longer. What was decided by it stands.",
            "Find another substitute if there is to be one.",
        ),
        Kind::ToldApart => words(
            "Two users are two persons",
            "The gateway's operators have written down that two users who might have been one person are two persons.",
            "From now on the one can approve what the other asked for, also what waits already.",
            "If the two are one person, tell the gateway's operators at once, who end one of the users. If they are two, you need do nothing.",
        ),
        Kind::Namesake => words(
            "Log-on of a person with another user's name",
            "An identity provider has for the first time logged on a person who has the name of another user of the same party.",
            "Those who have the name are taken for one person: the one cannot approve what the other asked for.",
            "Find out from the party whether they are one person. If they are more, write it down with hjemmel user distinct and both ids for each pair; if they are one, leave it as it is.",
        ),
    }
}

/// On one line: a name comes from whoever wrote it, and must make neither a header nor a line of its own.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')).collect::<Vec<_>>().join(" ").trim().to_owned()
}

fn day(at: Timestamp, language: Language) -> String {
    let Some(zone) = copenhagen() else { return at.to_string() };
    let local = at.to_zoned(zone);
    match language {
        Language::Da => local.strftime("%-d.%-m.%Y kl. %H.%M").to_string(),
        Language::En => local.strftime("%Y-%m-%d %H:%M").to_string(),
    }
}

/// Writes the letter. `console`: where the console is; none: the page is named without.
pub fn write(notice: &Notice, language: Language, console: Option<&str>) -> Letter {
    let da = language == Language::Da;
    let words = if da { danish(notice.kind) } else { english(notice.kind) };
    let name = one_line(notice.english.as_ref().filter(|_| !da).unwrap_or(&notice.name));
    let mut body = format!("{}\n\n", words.what);
    let mut line = |da_name: &str, en_name: &str, value: String| {
        body += &format!("{}: {}\n", if da { da_name } else { en_name }, one_line(&value));
    };
    line("Navn", "Name", name.clone());
    if let Some(authority) = notice.authority {
        line("Myndighed (CVR)", "Authority (CVR)", authority.to_string());
    }
    if let Some(service) = notice.service {
        line("Service", "Service", service.to_string());
    }
    if let Some(system) = notice.system {
        line("System", "System", system.to_string());
    }
    if let Some(environment) = &notice.environment {
        line("Miljø", "Environment", environment.clone());
    }
    if let Some(at) = notice.at {
        line("Tidspunkt", "When", day(at, language));
    }
    if let Some(by) = &notice.by {
        line("Besluttet af", "Decided by", by.clone());
    }
    if let Some(reason) = &notice.reason {
        match notice.kind {
            // Nobody decided it.
            Kind::Silence | Kind::FileNotFetched | Kind::FileExpired => {
                line("Sandsynlig årsag", "Likely cause", reason.clone());
            }
            _ => line("Begrundelse", "Reason", reason.clone()),
        }
    }
    if !notice.differs.is_empty() {
        body += match (notice.kind, da) {
            (Kind::HostKeyChanges, true) => "\nDen nye nøgles fingeraftryk, og dens linje i known_hosts:\n",
            (Kind::HostKeyChanges, false) => "\nThe new key's fingerprint, and its line in known_hosts:\n",
            (Kind::DelegationGiven | Kind::DelegationEnded, true) => "\nDelegeringen:\n",
            (Kind::DelegationGiven | Kind::DelegationEnded, false) => "\nThe delegation:\n",
            (Kind::ToldApart | Kind::Namesake, true) => "\nBrugerne:\n",
            (Kind::ToldApart | Kind::Namesake, false) => "\nThe users:\n",
            (Kind::NoticeTakenBack, true) => "\nSammen med aftalen:\n",
            (Kind::NoticeTakenBack, false) => "\nWith the agreement:\n",
            (_, true) => "\nDet er ændret i forhold til det, der er godkendt:\n",
            (_, false) => "\nWhat differs from what was approved:\n",
        };
        for line in &notice.differs {
            body += &format!("  {}\n", one_line(line));
        }
    }
    let (consequence, remedy, see) =
        if da { ("Konsekvens", "Det skal du gøre", "Se") } else { ("Consequence", "What to do", "See") };
    body += &format!("\n{consequence}: {}\n{remedy}: {}\n", words.consequence, words.remedy);
    body += &format!("{see}: {}{}\n", console.unwrap_or_default().trim_end_matches('/'), one_line(&notice.page));
    Letter { subject: format!("{}: {name}", words.subject), body }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(kind: Kind, name: &str) -> Notice {
        Notice {
            kind,
            name: name.to_owned(),
            page: "/agreements/1".to_owned(),
            authority: Some("11111111".parse().unwrap()),
            service: None,
            system: None,
            environment: Some("prod".to_owned()),
            at: Some("2026-11-29T12:00:00Z".parse().unwrap()),
            reason: Some("sag 7".to_owned()),
            differs: vec!["+ formål: andet".to_owned()],
            english: None,
            by: Some("A for B (delegation 7)".to_owned()),
        }
    }

    #[test]
    fn every_kind_says_what_with_what_consequence_what_to_do_and_where_in_both_languages() {
        for kind in Kind::ALL {
            let notice = notice(kind, "Aftale");
            let (da, en) = (write(&notice, Language::Da, Some("https://k.example/")), write(&notice, Language::En, None));
            for text in ["Konsekvens: ", "Det skal du gøre: ", "Se: https://k.example/agreements/1\n", "29.11.2026 kl. 13.00"] {
                assert!(da.body.contains(text), "{kind:?} {text}");
            }
            for text in [
                "Consequence: ",
                "What to do: ",
                "See: /agreements/1\n",
                "2026-11-29 13:00",
                "+ formål: andet",
                "Decided by: A for B",
            ] {
                assert!(en.body.contains(text), "{kind:?} {text}");
            }
            assert_ne!(da.subject, en.subject);
        }
    }

    #[test]
    fn a_name_makes_no_line_of_its_own() {
        for name in ["A\r\nBcc: x@y.example", "A\nB", "A\u{2028}B", "A\0B"] {
            let letter = write(&notice(Kind::Requested, name), Language::En, None);
            assert!(!letter.subject.contains(char::is_control), "{:?}", letter.subject);
            assert!(!letter.body.lines().any(|line| line.starts_with("Bcc") || line.starts_with('B')), "{}", letter.body);
        }
    }
}
