//! The table keeps its rules: a code each, whole sentences, the same in both languages; and `docs/faults.md` is made of it.

use super::*;
use crate::services;
use crate::services::terminaladgang::law::refusal::LawRefusal;
use crate::users::{Pair, Same};

/// Those that callers of services see, those that receipts of files say, those of the API and those of the console's log-on.
fn every() -> Vec<Refusal> {
    let of_api = api::ApiRefusal::every().into_iter().map(Refusal::from);
    let of_console = console::ConsoleRefusal::every().into_iter().map(Refusal::from);
    let of_log_on = logon::LogOnRefusal::every().into_iter().map(Refusal::from);
    let of_files = crate::files::codes::Code::every().into_iter().map(Refusal::from);
    services::refusals().into_iter().chain(of_files).chain(of_api).chain(of_log_on).chain(of_console).collect()
}

fn texts(refusal: &Refusal) -> [String; 6] {
    let Entry { da, en, .. } = refusal.entry();
    [da.what, da.consequence, da.remedy, en.what, en.consequence, en.remedy]
}

#[test]
fn every_code_is_its_own_because_callers_act_on_it() {
    let every = every();
    let mut codes: Vec<_> = every.iter().map(Refusal::code).collect();
    let count = codes.len();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), count);
    assert!(count > 50, "the table is there: {count}");
}

#[test]
fn the_sample_of_what_may_be_said_of_two_users_is_what_is_said_of_two_users() {
    let ids = [1, 2].map(uuid::Uuid::from_u128);
    let told = Same::Unsaid(vec![Pair { users: ids, persons: ids }]).describe();
    let without_ids = |text: &str| ids.iter().fold(text.to_owned(), |text, id| text.replace(&id.to_string(), "…"));
    let samples = api::ApiRefusal::every().into_iter().filter_map(|refusal| match refusal {
        api::ApiRefusal::ApiCreatorApproves { or } | api::ApiRefusal::ApiImporterPublishes { or } => Some(or),
        _ => None,
    });
    let told = Detail::new(without_ids(told.da()), without_ids(told.en()));
    assert_eq!(samples.collect::<Vec<_>>(), [told.clone(), told]);
}

#[test]
fn operations_mend_what_may_pass_and_is_not_the_callers_and_nothing_else() {
    for entry in every().iter().map(Refusal::entry) {
        let passes = entry.party == Party::Gateway && entry.retry == Retry::Later;
        assert_eq!(entry.audience == Audience::Operations, passes, "{}", entry.code);
    }
}

#[test]
fn only_what_may_be_sent_again_says_when_and_a_field_of_it_may_say_so() {
    for entry in every().iter().map(Refusal::entry) {
        assert!(entry.retry_after.is_none() || entry.retry == Retry::Later, "{}", entry.code);
    }
    assert_eq!(Refusal::PeerResting { peer: PeerName::UNNAMED, seconds: 7 }.entry().retry_after, Some(7));
    assert_eq!(Refusal::AuditUnavailable.entry().retry_after, Some(1));
    assert_eq!(Refusal::AuthorityUnknown.entry().retry_after, None);
}

#[test]
fn what_fails_behind_the_gateway_is_told_of_the_peer_in_each_language_and_the_first_name_stays() {
    let index = PeerName::new("Ydelsesindekset", "the benefit index");
    let others = PeerName::named("fordeling");
    let every = every().into_iter().filter(|refusal| refusal.code().starts_with("Peer"));
    assert_eq!(every.count(), 7);
    for unnamed in
        [Refusal::PEER_FAULT, Refusal::PEER_ANSWER_INVALID, Refusal::PEER_UNAVAILABLE, Refusal::BACK_AGREEMENT_NOT_FOUND]
    {
        let told = unnamed.clone().of_peer(&index).of_peer(&others).entry();
        assert!(told.da.what.contains("Ydelsesindekset") && told.en.what.contains("the benefit index"), "{told:?}");
        let told = unnamed.clone().of_peer(&others).entry();
        assert!(told.da.what.contains("fordeling") && told.en.what.contains("fordeling"), "{told:?}");
        let told = unnamed.entry();
        assert!(told.da.what.contains("det bagvedliggende system") && told.en.what.contains("the system behind the service"));
    }
    assert_eq!(Refusal::Internal.of_peer(&index), Refusal::Internal);
}

#[test]
fn each_audience_is_written_by_the_code_it_is_read_by() {
    for (code, audience) in Audience::CODES {
        assert_eq!(serde_json::to_value(audience).unwrap(), code);
    }
}

#[test]
fn a_refusal_of_a_services_own_shows_what_its_own_table_says() {
    let own = LawRefusal::PagingOutside { cap: 25 };
    let refusal = Refusal::from(own.clone());
    assert_eq!((refusal.code(), refusal.entry()), ("PagingOutside", own.entry()));
    assert!(refusal.entry().en.remedy.contains("at most 25"));
}

#[test]
fn a_code_is_the_same_with_and_without_its_texts() {
    for refusal in every() {
        assert_eq!(refusal.code(), refusal.entry().code);
    }
}

#[test]
fn every_text_is_whole_sentences_with_its_values_filled_in() {
    for refusal in every() {
        for text in texts(&refusal) {
            assert!(text.ends_with('.') && text.len() > 10, "{}: {text:?}", refusal.code());
            assert!(!text.contains(['{', '}']) || refusal.code() == "MustUnderstand", "{}: {text:?}", refusal.code());
            assert!(!text.contains("  "), "{}: {text:?}", refusal.code());
        }
    }
}

#[test]
fn danish_and_english_say_it_in_their_own_words_but_with_the_same_values() {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    for refusal in every() {
        let Entry { da, en, .. } = refusal.entry();
        assert_ne!(da.what, en.what, "{}", refusal.code());
        assert_ne!(da.remedy, en.remedy, "{}", refusal.code());
        assert_eq!(digits(&da.what), digits(&en.what), "{}", refusal.code());
    }
}

#[test]
fn a_danish_text_quotes_nothing_and_tells_its_details_in_danish() {
    for refusal in every() {
        let Entry { da, en, .. } = refusal.entry();
        assert!(!da.what.contains(['»', '«']), "{}: {}", refusal.code(), da.what);
        // Words that no Danish sentence has, and no name of the field.
        for english in [" the ", " is ", " it ", " has ", " of ", " not ", " an "] {
            assert!(!da.what.contains(english) && !da.remedy.contains(english), "{}: {}", refusal.code(), da.what);
        }
        // One word for each thing: kuvert, signatur, indeksaftale.
        for other in ["konvolut", "underskr", "forside", "bagside"] {
            assert!(!da.what.contains(other) && !da.remedy.contains(other), "{}: {}", refusal.code(), da.what);
        }
        for danish in [" er ", " og ", " ikke ", " det ", " af "] {
            assert!(!en.what.contains(danish) && !en.remedy.contains(danish), "{}: {}", refusal.code(), en.what);
        }
    }
}

#[test]
fn a_name_is_one_word_so_that_a_sentence_cannot_stand_in_for_both_languages() {
    assert_eq!(Detail::name("Foelsomhed").da(), "Foelsomhed");
    assert_eq!(Detail::name("it has expired").da(), "it");
}

#[test]
fn a_clock_is_ahead_or_behind_and_never_minus() {
    let refusal = |ahead| Refusal::TimestampOutside {
        theirs: "2026-11-22T12:09:59Z".into(),
        ours: "2026-11-22T12:00:00Z".into(),
        difference: Detail::seconds_apart(ahead),
        allowed: 60,
    };
    let ahead = refusal(599).entry();
    assert!(ahead.en.what.contains("the message's time is 599 seconds ahead, and at most 60 seconds"), "{}", ahead.en.what);
    assert!(ahead.da.what.contains("beskedens tidspunkt er 599 sekunder foran, og højst 60 sekunders"), "{}", ahead.da.what);
    let behind = refusal(-600).entry();
    assert!(behind.en.what.contains("600 seconds behind") && behind.da.what.contains("600 sekunder bagud"));
    assert!(!behind.en.what.contains("-6") && !behind.da.what.contains("-6"));
}

#[test]
fn the_error_text_tells_what_consequence_remedy_retry_and_call_id_in_that_order() {
    let entry = Refusal::PeerResting { peer: PeerName::new("Ydelsesindekset", "the benefit index"), seconds: 5 }.entry();
    assert_eq!(
        entry.error_text_da("7f3c"),
        "Kaldene til Ydelsesindekset er mislykkedes gentagne gange, og der sendes ingen i øjeblikket. Kaldet kunne ikke gennemføres; ingen \
         oplysninger er udleveret. Prøv igen om 5 sekunder. Kaldet kan sendes igen som en ny besked. Call-id: 7f3c"
    );
    assert_eq!(
        LawRefusal::PersonMissing.entry().error_text_en("7f3c"),
        "The request names no person. The call was refused; nothing was forwarded and no data was released. Put \
         AND(SoegBevillingIndeks with Bevillingspart/ReferenceID = urn:oio:cpr-nr:NNNNNNNNNN, …) at the top of \
         SoegUdtryk. Call-id: 7f3c"
    );
}

#[test]
fn a_value_as_long_as_a_message_neither_blows_the_fault_up_nor_hides_remedy_and_call_id() {
    let entry = Refusal::SecurityModelMissing { supported: "x\n\t ".repeat(100_000) }.entry();
    for text in [entry.error_text_da("7f3c"), entry.error_text_en("7f3c")] {
        assert!(text.chars().count() <= 2_000);
        assert!(text.contains("(mTLS).") && text.ends_with(" Call-id: 7f3c"), "{text}");
        assert!(!text.contains(['\n', '\t']) && !text.contains("  "));
    }
    let long = Refusal::TokenAudience { expected: "æ".repeat(9_999) }.entry().error_text_da(&"7".repeat(9_999));
    assert!(long.chars().count() <= 2_000);
}

/// `docs/faults.md`, as it must be.
fn faults_md() -> String {
    let mut page = String::from(
        "# Faults\n\n\
         <!-- Generated from src/refusal and the services: UPDATE_DOCS=1 cargo test --lib refusal -->\n\n\
         A refused call is answered with a SOAP fault whose detail holds a `ServiceplatformFault` with two `Error` \
         elements: the same `ErrorCode` twice, the `ErrorText` first in Danish, then in English. The text tells what \
         was wrong, what follows from it, what to do, and ends with the call's id (`Call-id`), by which the operators \
         find the call. A program acts on the code, which never changes its meaning.\n\n\
         *Whose*: the **caller** can mend it (fault code `Sender`, in SOAP 1.1 `Client`), or the **gateway** or what \
         stands behind it failed (`Receiver`, `Server`). *Mended by*: the **user** of the calling system, \
         its **administrator** or supplier (its settings, certificates, roles and agreements), or the **operations** of the \
         gateway and of what stands behind it; public authorities' own codes call the three SLUTBRUGER, ADMINISTRATOR and \
         DRIFT. *Again*: whether to send the call again **later** as it is \
         (as a new message), or only after a **change**; seconds in brackets are those of the header `Retry-After`. *HTTP*: the status where it is not that of a fault, which is 500. \
         SOAP 1.2 gives a fault of the sender's 400 (part 2, table 20); here that is a setting of the gateway's, \
         `[service.NAME] sender_fault_status`, and 500 where it is not set: Apache CXF does not read a body that comes with 400 \
         unless it is told to, and shows \"Could not send Message\" in place of the fault. Names, dates and numbers in the texts below are samples; each text is followed by its remedy.\n\n\
         What is told of files stands in receipts (`.sftpreceipt`), in Danish: `FIL1010` has the ErrorCode 1010 there.\n\n\
         What the API refuses, and what the console refuses at log-on, stands last. In the API a refusal is a problem (RFC 9457, `application/problem+json`) with the code \
         at the end of `type`, in the language that `Accept-Language` asks for ([clients/api.md](clients/api.md)); at log-on it is a page ([console/log-on.md](console/log-on.md)).\n",
    );
    let mut group = "";
    for entry in every().iter().map(Refusal::entry) {
        if entry.group != group {
            group = entry.group;
            page += &format!(
                "\n## {group}\n\n| Code | Whose | Mended by | HTTP | Again | Dansk | English |\n|---|---|---|---|---|---|---|\n"
            );
        }
        let whose = match entry.party {
            Party::Caller => "caller",
            Party::Gateway => "gateway",
        };
        let again = match (entry.retry, entry.retry_after) {
            (Retry::AfterChange, _) => "change".to_owned(),
            (Retry::Later, None) => "later".to_owned(),
            (Retry::Later, Some(seconds)) => format!("later ({seconds} s)"),
        };
        let mended_by = match entry.audience {
            Audience::User => "user",
            Audience::Administrator => "administrator",
            Audience::Operations => "operations",
        };
        let http = entry.http.map_or("–".to_owned(), |status| status.to_string());
        let cell = |text: &Text| format!("{} *{}*", text.what, text.remedy).replace('|', "\\|").replace('<', "&lt;");
        let (code, da, en) = (entry.code, cell(&entry.da), cell(&entry.en));
        page += &format!("| `{code}` | {whose} | {mended_by} | {http} | {again} | {da} | {en} |\n");
    }
    page
}

#[test]
fn the_documentation_of_the_faults_is_that_of_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/faults.md");
    let page = faults_md();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let on_disk = std::fs::read_to_string(path).unwrap_or_default();
    assert!(on_disk == page, "docs/faults.md is stale. Write it anew with: UPDATE_DOCS=1 cargo test --lib refusal");
}
