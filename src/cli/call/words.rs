//! An answer or a fault in words, for a person at a terminal.

use bytes::Bytes;

use crate::soap::document::{Document, Element};
use crate::soap::names::SERVICEPLATFORM_FAULT;
use crate::soap::strict::Limits;

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Benefits, possibly none.
    Answer {
        /// `StatusKode`.
        status: String,
        /// One line an effectuation.
        lines: Vec<String>,
    },
    /// A fault of the platform's.
    Fault {
        /// The code.
        code: String,
        /// Danish, then English.
        texts: Vec<String>,
    },
    /// Neither.
    Unknown(String),
}

impl Said {
    /// Reads an answer.
    pub fn read(answer: &Bytes) -> Self {
        let limits = Limits { nodes: 2_000_000, ..Limits::default() };
        let document = match Document::parse(answer.clone(), &limits) {
            Ok(document) => document,
            Err(_) => return Said::Unknown(String::from_utf8_lossy(answer).chars().take(300).collect()),
        };
        let root = document.root();
        let errors: Vec<_> = root.descendants().filter(|element| element.is(SERVICEPLATFORM_FAULT, "Error")).collect();
        if let Some(first) = errors.first() {
            let texts = errors.iter().map(|error| child(*error, "ErrorText")).collect();
            return Said::Fault { code: child(*first, "ErrorCode"), texts };
        }
        let status = root.descendants().find(|element| element.local() == "StatusKode").and_then(|status| status.text());
        match status {
            Some(status) => Said::Answer { status: status.into_owned(), lines: effectuations(root) },
            None => Said::Unknown(format!("{root:?}")),
        }
    }

    /// As lines of text.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Said::Answer { status, lines } if lines.is_empty() => {
                vec![format!("StatusKode {status}: no benefits that may be shown")]
            }
            Said::Answer { status, lines } => {
                let mut out = vec![format!("StatusKode {status}: {} effectuation(s)", lines.len())];
                out.extend(lines.iter().cloned());
                out
            }
            Said::Fault { code, texts } => {
                let mut out = vec![format!("fault {code}")];
                out.extend(texts.iter().cloned());
                out
            }
            Said::Unknown(text) => vec![format!("not an answer of this service: {text}")],
        }
    }
}

fn effectuations(root: Element<'_>) -> Vec<String> {
    let objects = root.descendants().filter(|element| element.local() == "OekonomiskEffektueringFiltreretOejebliksbillede");
    objects
        .map(|object| {
            let first =
                |name: &str| object.descendants().find(|element| element.local() == name).and_then(|element| element.text());
            let date = first("Dispositionsdato").map_or_else(|| "no date".to_owned(), |date| date.chars().take(10).collect());
            let sum = first("SamletBruttobeloeb").map_or_else(|| "sum withheld".to_owned(), |sum| format!("{sum} kr."));
            let owner = first("FuldtNavn").unwrap_or_default();
            let lines: Vec<_> = object
                .descendants()
                .filter(|element| element.local() == "OekonomiskYdelseEffektueringRelation")
                .map(|line| format!("{} {}", child(line, "Klassifikationsbeskrivelse"), child(line, "Ydelsesbeloeb")))
                .collect();
            format!("{date}  {sum}  {owner}  [{}]", lines.join(", "))
        })
        .collect()
}

fn child(element: Element<'_>, local: &str) -> String {
    element.elements().find(|child| child.local() == local).and_then(|child| child.text()).unwrap_or_default().into_owned()
}
