//! `BusinessReceipt` and `BusinessResponse`: what a recipient makes of a file as a whole.

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

/// What a recipient makes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Business {
    /// It names the transfer.
    Receipt(BusinessReceipt),
    /// It names nothing: it answers the file of the submission in whose trigger's `TransactionId` it comes. A message accepts, errors reject.
    Response {
        /// Whether the file was accepted.
        accepted: bool,
    },
}

/// Reads one; `None`: it is another document. What is wrong is told in Danish and English, without what stands there.
#[allow(clippy::type_complexity, reason = "both languages, as everywhere")]
pub fn read(bytes: &[u8]) -> Option<Result<Business, (String, String)>> {
    let document = Document::parse(bytes.to_vec().into(), &Limits { nodes: 1_000, depth: 8, ..Limits::default() }).ok()?;
    let root = document.root();
    if root.is(NAMESPACE, "BusinessResponse") {
        return Some(response(root));
    }
    root.is(NAMESPACE, "BusinessReceipt").then(|| of(root).map(Business::Receipt))
}

fn response(root: Element<'_>) -> Result<Business, (String, String)> {
    const PARTS: [&str; 3] = ["ErrorCode", "ErrorCodeDescription", "ErrorDescription"];
    let beyond = || ("der står andet, end skemaet har".to_owned(), "there is something that the schema does not have".to_owned());
    let children: Vec<Element<'_>> = root.elements().collect();
    if root.has_stray_text() {
        return Err(beyond());
    }
    match children.as_slice() {
        [] => Err(("den siger ingenting".to_owned(), "it says nothing".to_owned())),
        [message] if message.is("", "ResponseMessage") && message.value().is_some() => Ok(Business::Response { accepted: true }),
        errors if errors.iter().all(|error| error.is("", "ErrorMessage") && !error.has_stray_text()) => {
            let whole = |error: &Element<'_>| {
                let parts: Vec<Element<'_>> = error.elements().collect();
                let named = parts.len() == PARTS.len() && parts.iter().zip(PARTS).all(|(part, name)| part.is("", name));
                let number = parts.first().and_then(|code| code.value()).is_some_and(|code| code.trim().parse::<i32>().is_ok());
                named && number && parts.iter().all(|part| part.value().is_some())
            };
            if errors.iter().all(whole) { Ok(Business::Response { accepted: false }) } else { Err(beyond()) }
        }
        _ => Err(beyond()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn response(content: &str) -> Option<bool> {
        let text = format!("<n:BusinessResponse xmlns:n=\"{NAMESPACE}\">{content}</n:BusinessResponse>");
        match read(text.as_bytes()).unwrap() {
            Ok(Business::Response { accepted }) => Some(accepted),
            Ok(Business::Receipt(_)) => panic!("it is none"),
            Err(_) => None,
        }
    }

    #[test]
    fn a_response_accepts_by_a_message_rejects_by_errors_and_says_one_of_the_two() {
        let error = "<ErrorMessage><ErrorCode>12</ErrorCode><ErrorCodeDescription>a</ErrorCodeDescription>\
                     <ErrorDescription>b</ErrorDescription></ErrorMessage>";
        assert_eq!(response("<ResponseMessage>modtaget</ResponseMessage>"), Some(true));
        assert_eq!(response(error), Some(false));
        assert_eq!(response(&error.repeat(3)), Some(false));
        for wrong in [
            "",
            "modtaget",
            "<ResponseMessage/><ResponseMessage/>",
            &format!("<ResponseMessage>a</ResponseMessage>{error}"),
            &error.replace(">12<", ">tolv<"),
            &error.replace("<ErrorDescription>b</ErrorDescription>", ""),
            "<n:ResponseMessage>a</n:ResponseMessage>",
        ] {
            assert_eq!(response(wrong), None, "{wrong}");
        }
    }
}
