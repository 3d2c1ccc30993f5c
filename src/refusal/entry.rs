//! One row of a table of refusals: what the outside sees.

use super::words::Detail;

/// Whose fault a refusal is. Decides the SOAP fault code (`Sender`/`Receiver`, `Client`/`Server` in SOAP 1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The caller can mend it.
    Caller,
    /// The gateway, or what stands behind it, failed; the call itself may be good.
    Gateway,
}

/// Whether the same call may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Never unchanged: mend it first.
    AfterChange,
    /// Yes, after a pause: the cause lies outside the call and may pass.
    Later,
}

/// Who can mend it, by the names that the public authorities' own codes have for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum Audience {
    /// The user of the calling system, by asking otherwise: `SLUTBRUGER`.
    #[serde(rename = "SLUTBRUGER")]
    User,
    /// Who administers the calling system or its agreements, or its supplier: `ADMINISTRATOR`.
    #[serde(rename = "ADMINISTRATOR")]
    Administrator,
    /// The gateway's operators, and those of what stands behind it: `DRIFT`.
    #[serde(rename = "DRIFT")]
    Operations,
}

impl Audience {
    /// Each by its code.
    pub const CODES: [(&str, Self); 3] =
        [("SLUTBRUGER", Self::User), ("ADMINISTRATOR", Self::Administrator), ("DRIFT", Self::Operations)];

    /// Who that is, in words.
    pub fn describe(self) -> Detail {
        match self {
            Self::User => Detail::new("brugeren af det kaldende system", "the user of the calling system"),
            Self::Administrator => Detail::new(
                "det kaldende systems administrator eller leverandør",
                "the administrator or the supplier of the calling system",
            ),
            Self::Operations => Detail::new("driften af gatewayen", "the operations of the gateway"),
        }
    }
}

/// A public text in one language: what happened, what follows from it, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What was wrong.
    pub what: String,
    /// What the gateway did because of it.
    pub consequence: String,
    /// What the caller does next.
    pub remedy: String,
}

/// One row of the table: all that the outside sees of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The part of the gateway's work that it belongs to: a heading of the table in `docs/faults.md`.
    pub group: &'static str,
    /// The stable code, spelt as the variant. Never reused for another meaning.
    pub code: &'static str,
    /// Whose fault it is.
    pub party: Party,
    /// Who can mend it.
    pub audience: Audience,
    /// The HTTP status where the refusal is not told as a SOAP fault, or must be told by HTTP too (413, 415, 503 …).
    pub http: Option<u16>,
    /// Whether to try again.
    pub retry: Retry,
    /// After how many seconds, where that is known: the header `Retry-After`.
    pub retry_after: Option<u64>,
    /// The Danish text, shown first.
    pub da: Text,
    /// The English text.
    pub en: Text,
}

impl Party {
    pub(crate) fn consequence_da(self) -> String {
        match self {
            Party::Caller => "Kaldet er afvist; intet er sendt videre, og ingen oplysninger er udleveret.".to_owned(),
            Party::Gateway => "Kaldet kunne ikke gennemføres; ingen oplysninger er udleveret.".to_owned(),
        }
    }
    pub(crate) fn consequence_en(self) -> String {
        match self {
            Party::Caller => "The call was refused; nothing was forwarded and no data was released.".to_owned(),
            Party::Gateway => "The call could not be completed; no data was released.".to_owned(),
        }
    }
}

/// The longest that a caller's fields may make "what was wrong", in characters. A header's name can be as long as a message.
const WHAT_MAX: usize = 800;
/// The longest that the rest of an error text may be, in characters.
const REST_MAX: usize = 1_000;
/// The longest call id that is shown, in characters; a UUID has 36.
const CALL_ID_MAX: usize = 100;

impl Entry {
    /// The Danish `ErrorText`: what, consequence, remedy, whether to send again, call id. White space is single, the
    /// length at most 2,000 characters; what is cut to fit ends in `…`, and the call id is always there.
    pub fn error_text_da(&self, call_id: &str) -> String {
        let retry = match self.retry {
            Retry::AfterChange => "",
            Retry::Later => "Kaldet kan sendes igen som en ny besked.",
        };
        self.da.error_text(retry, call_id)
    }

    /// Code, Danish and English on a line each: for an answer that is no SOAP message.
    pub fn plain_text(&self) -> String {
        let line = |text: &Text| format!("{} {} {}", text.what, text.consequence, text.remedy);
        format!("{}\n{}\n{}\n", self.code, line(&self.da), line(&self.en))
    }

    /// The English `ErrorText`, as [`Entry::error_text_da`].
    pub fn error_text_en(&self, call_id: &str) -> String {
        let retry = match self.retry {
            Retry::AfterChange => "",
            Retry::Later => "The call may be sent again as a new message.",
        };
        self.en.error_text(retry, call_id)
    }
}

impl Text {
    fn error_text(&self, retry: &str, call_id: &str) -> String {
        let what = clipped(&self.what, WHAT_MAX);
        let rest = clipped(&format!("{} {} {retry}", self.consequence, self.remedy), REST_MAX);
        format!("{what} {rest} Call-id: {}", clipped(call_id, CALL_ID_MAX))
    }
}

/// `text` with single spaces, cut to at most `limit` characters.
fn clipped(text: &str, limit: usize) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= limit {
        return words;
    }
    words.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}
