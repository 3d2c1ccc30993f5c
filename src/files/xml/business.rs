//! `BusinessReceipt`: what a recipient makes of a file as a whole.

use std::borrow::Cow;

use uuid::Uuid;

use super::NAMESPACE;
use crate::soap::document::{Document, Element};
use crate::soap::strict::Limits;

/// A business receipt. `Reason` is the recipient's own text, which can name persons: it is passed on in the file alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessReceipt {
    /// The transfer that it answers.
    pub transfer: Uuid,
    /// The name of its file.
    pub file_name: String,
    /// Who received it.
    pub recipient: String,
    /// ACCEPTED, or REJECTED.
    pub accepted: bool,
}

/// Reads one; `None`: it is another document. What is wrong is told in Danish and English, without what stands there.
#[allow(clippy::type_complexity, reason = "both languages, as everywhere")]
pub fn read(bytes: &[u8]) -> Option<Result<BusinessReceipt, (String, String)>> {
    let document = Document::parse(bytes.to_vec().into(), &Limits { nodes: 100, depth: 8, ..Limits::default() }).ok()?;
    let root = document.root();
    root.is(NAMESPACE, "BusinessReceipt").then(|| of(root))
}

fn of(root: Element<'_>) -> Result<BusinessReceipt, (String, String)> {
    const NAMES: [&str; 5] = ["FileTransferUUID", "Filename", "Recipient", "FileAcceptance", "Reason"];
    let mut children = root.elements().peekable();
    let mut values = Vec::new();
    for name in NAMES {
        let found = children.next_if(|child| child.is("", name));
        match found.map(|child| child.value().map(Cow::into_owned)) {
            Some(Some(text)) => values.push(text),
            Some(None) => return Err((format!("{name} har elementer i sig"), format!("{name} has elements in it"))),
            None if name == "Reason" => {}
            None => return Err((format!("{name} mangler eller står et andet sted"), format!("{name} is missing or misplaced"))),
        }
    }
    if children.next().is_some() || root.has_stray_text() {
        return Err(("der står mere, end skemaet har".to_owned(), "there is more than the schema has".to_owned()));
    }
    let [transfer, file_name, recipient, acceptance, ..] = values.as_slice() else {
        return Err(("den er ikke hel".to_owned(), "it is not whole".to_owned()));
    };
    let accepted = match acceptance.as_str() {
        "ACCEPTED" => true,
        "REJECTED" => false,
        _ => {
            return Err((
                "FileAcceptance er hverken ACCEPTED eller REJECTED".to_owned(),
                "FileAcceptance is neither ACCEPTED nor REJECTED".to_owned(),
            ));
        }
    };
    let not_a_uuid = || ("FileTransferUUID er ikke en UUID".to_owned(), "FileTransferUUID is not a UUID".to_owned());
    Ok(BusinessReceipt {
        transfer: transfer.parse().map_err(|_| not_a_uuid())?,
        file_name: file_name.clone(),
        recipient: recipient.clone(),
        accepted,
    })
}
