//! What the platform writes: the metadata beside a file, and receipts. The prefix is always `ns2`, for a widespread client looks
//! elements up by it.

use std::fmt::Write as _;

use uuid::Uuid;

use super::NAMESPACE;
use super::trigger::Trigger;
use crate::files::codes::Code;
use crate::soap::fault::escape;

/// Which root the metadata has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// `FileMetadata`, as the schema of 2023 says.
    FileMetadata,
    /// `Trigger`, as before it: for users whose client knows no other.
    Trigger,
}

impl Root {
    fn name(self) -> &'static str {
        match self {
            Root::FileMetadata => "FileMetadata",
            Root::Trigger => "Trigger",
        }
    }
}

fn document(root: &str, content: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ns2:{root} xmlns:ns2=\"{NAMESPACE}\">\n{content}</ns2:{root}>\n")
}

/// The metadata of a file for one recipient, which sees itself alone among the recipients.
pub fn metadata(transfer: Uuid, trigger: &Trigger, recipient: &str, root: Root) -> String {
    let mut text = String::new();
    let senders_id = trigger
        .senders_file_id
        .as_deref()
        .map_or(String::new(), |id| format!("    <SendersFileId>{}</SendersFileId>\n", escape(id)));
    let descriptor = match trigger.descriptor.as_str() {
        "" => "  <FileContentDescriptor/>\n".to_owned(),
        content => format!("  <FileContentDescriptor>{content}</FileContentDescriptor>\n"),
    };
    let _ = write!(
        text,
        "  <FileTransferUUID>{transfer}</FileTransferUUID>\n  <FileDescriptor>\n    <FileName>{}</FileName>\n    \
         <SizeInBytes>{}</SizeInBytes>\n    <Sender>{}</Sender>\n{senders_id}    <Recipients>{}</Recipients>\n  \
         </FileDescriptor>\n{descriptor}",
        escape(&trigger.file_name),
        trigger.size,
        escape(&trigger.sender),
        escape(recipient),
    );
    document(root.name(), &text)
}

/// The receipt to the sender: of success where there are no codes, or each of them.
pub fn receipt(transfer: Uuid, senders_file_id: Option<&str>, codes: &[Code]) -> String {
    let mut text = format!("  <FileTransferUUID>{transfer}</FileTransferUUID>\n");
    if let Some(id) = senders_file_id {
        let _ = writeln!(text, "  <SendersFileId>{}</SendersFileId>", escape(id));
    }
    if codes.is_empty() {
        text += "  <Receipt>\n    <Message>SUCCESS</Message>\n  </Receipt>\n";
    }
    for code in codes {
        let _ = write!(
            text,
            "  <ErrorMessage>\n    <ErrorCode>{}</ErrorCode>\n    <ErrorCodeDescription>{}</ErrorCodeDescription>\n    \
             <ErrorDescription>{}</ErrorDescription>\n  </ErrorMessage>\n",
            code.number(),
            escape(code.title()),
            escape(&code.description()),
        );
    }
    document("TechnicalReceipt", &text)
}
