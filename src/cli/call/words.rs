//! An answer or a fault in words, for a person at a terminal.

use bytes::Bytes;

use crate::soap::document::{Document, Element};
use crate::soap::names::SERVICEPLATFORM_FAULT;
use crate::soap::strict::Limits;

/// The most characters of an answer that is not the service's that are shown.
const LONGEST_SHOWN: usize = 4_000;

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
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
            Err(_) => return Said::Unknown(shown(String::from_utf8_lossy(answer).trim())),
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
            None => Said::Unknown(match reasons(root) {
                reasons if reasons.is_empty() => shown(&String::from_utf8_lossy(root.source())),
                reasons => format!("a SOAP fault: {}", reasons.join("; ")),
            }),
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

/// What a terminal can take in of a text; whatever is left out is said.
fn shown(text: &str) -> String {
    match text.char_indices().nth(LONGEST_SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} … ({} bytes in all; --save keeps the whole)", text.get(..end).unwrap_or(text), text.len()),
    }
}

/// What a fault says that is not the platform's: its code and reasons.
fn reasons(root: Element<'_>) -> Vec<String> {
    let told = ["Value", "faultcode", "Text", "faultstring"];
    let Some(fault) = root.descendants().find(|element| element.local() == "Fault") else { return Vec::new() };
    let parts = fault.descendants().filter(|element| told.contains(&element.local()));
    parts.filter_map(|element| element.text().map(|text| text.trim().to_owned())).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(text: &str) -> String {
        match Said::read(&Bytes::copy_from_slice(text.as_bytes())) {
            Said::Unknown(shown) => shown,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_text_that_is_no_answer_is_shown_whole_and_one_that_is_very_long_says_what_is_left_out() {
        let page = format!("<html><p>{}</body>", "proxy says no ".repeat(40));
        assert_eq!(unknown(&page), page);
        let long = "æ".repeat(5_000);
        let told = unknown(&long);
        assert!(told.starts_with(&"æ".repeat(4_000)) && told.ends_with("… (10000 bytes in all; --save keeps the whole)"));
    }

    #[test]
    fn a_fault_of_somebody_else_tells_its_code_and_reasons() {
        let soap = crate::soap::names::SOAP12;
        let fault = format!(
            "<s:Envelope xmlns:s='{soap}'><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason>\
             <s:Text xml:lang='da'>Nede</s:Text><s:Text xml:lang='en'>Down</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>"
        );
        assert_eq!(unknown(&fault), "a SOAP fault: s:Receiver; Nede; Down");
    }
}
