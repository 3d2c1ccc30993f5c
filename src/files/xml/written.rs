//! What the platform writes: the metadata beside a file, and receipts. The prefix is always `ns2`, for a widespread client looks
//! elements up by it.

use std::fmt::Write as _;

use jiff::Timestamp;
use uuid::Uuid;

use super::NAMESPACE;
use super::trigger::Trigger;
use crate::files::codes::Code;
use crate::id::cvr::Cvr;
use crate::refusal::Detail;
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

/// A trigger of the platform's own, to a recipient that it names.
#[derive(Debug)]
pub struct Routed<'a> {
    /// The data file.
    pub file: &'a str,
    /// Its size, in bytes.
    pub size: u64,
    /// The sending user.
    pub sender: &'a str,
    /// The receiving one.
    pub recipient: &'a str,
    /// The integration.
    pub inf_ref: &'a str,
    /// The sender's it-system.
    pub sender_system: Uuid,
    /// The authority that is sent for.
    pub sender_authority: Cvr,
    /// One for all files of a submission.
    pub transaction: Uuid,
    /// When it was made.
    pub sent_at: Timestamp,
    /// The recipient's it-system.
    pub recipient_system: Uuid,
    /// The authority that receives.
    pub recipient_authority: Cvr,
}

/// Writes a trigger.
pub fn trigger(of: &Routed<'_>) -> String {
    let mut text = String::new();
    let _ = write!(
        text,
        "  <FileDescriptor>\n    <FileName>{}</FileName>\n    <SizeInBytes>{}</SizeInBytes>\n    <Sender>{}</Sender>\n    \
         <Recipients>{}</Recipients>\n  </FileDescriptor>\n  <FileContentDescriptor>\n    <SFTPDynamicRoutingInfo>\n      \
         <InfRef>{}</InfRef>\n      <SenderIt-system>{}</SenderIt-system>\n      \
         <SenderAuthority>{}</SenderAuthority>\n      <TransactionId>{}</TransactionId>\n      \
         <SenderTimestamp>{}</SenderTimestamp>\n      <RecipientIt-system>{}</RecipientIt-system>\n      \
         <RecipientAuthority>{}</RecipientAuthority>\n    </SFTPDynamicRoutingInfo>\n  </FileContentDescriptor>\n",
        escape(of.file),
        of.size,
        escape(of.sender),
        escape(of.recipient),
        escape(of.inf_ref),
        of.sender_system,
        of.sender_authority.urn(),
        of.transaction,
        of.sent_at,
        of.recipient_system,
        of.recipient_authority.urn(),
    );
    document("Trigger", &text)
}

/// What a receipt says.
#[derive(Debug, Clone, Copy)]
pub enum Answer<'a> {
    /// It is delivered; this was found in it all the same.
    Delivered(&'a [Detail]),
    /// It is not, for each of these.
    Refused(&'a [Code]),
}

/// A warning beside a success, which the schema has no place for: `SUCCESS` stands alone there.
fn comment(warning: &Detail) -> String {
    // Two hyphens end a comment, wherever they stand.
    let plain = |text: &str| text.replace("--", "- -").trim_end_matches('-').to_owned();
    format!("  <!-- {} / {} -->\n", plain(warning.da()), plain(warning.en()))
}

/// The receipt to the sender.
pub fn receipt(transfer: Uuid, senders_file_id: Option<&str>, answer: &Answer<'_>) -> String {
    let mut text = format!("  <FileTransferUUID>{transfer}</FileTransferUUID>\n");
    if let Some(id) = senders_file_id {
        let _ = writeln!(text, "  <SendersFileId>{}</SendersFileId>", escape(id));
    }
    let codes = match answer {
        Answer::Refused(codes) => *codes,
        Answer::Delivered(_) => &[],
    };
    if let Answer::Delivered(warnings) = answer {
        text += &warnings.iter().map(comment).collect::<String>();
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
