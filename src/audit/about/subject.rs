//! What decisions are on: what every service has, and what single services have decided in their own rooms.

use serde::{Deserialize, Serialize};

/// What was decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // the names say it
pub enum Subject {
    /// A service agreement.
    Agreement,
    Route,
    User,
    /// A version of a value list.
    Sortiment,
    /// Who gets the versions of value lists.
    SortimentSubscription,
    /// A time within which an authority's deliveries may be tests.
    Trial,
    /// A user of the SFTP service.
    SftpUser,
    /// A route order, the agreement for files.
    FileOrder,
    /// A file that is handed over.
    Transfer,
    /// The store itself, that it was put back from a copy.
    Store,
    /// A partner agreement.
    Mailbox,
    MailboxUser,
    /// What was asked for on partner agreements and their users.
    MailboxRequest,
    MailboxFile,
    /// What waits to be handed on of persons.
    PersonQueue,
    /// A person whom an institution imported; its id is the running number.
    Person,
    AgreementRequest,
    /// A client system.
    System,
    /// A connection to a service, and its tasks.
    Connection,
    /// An audit log, that segments of it were removed since their time is over.
    AuditLog,
    /// A host key of the SFTP server; its id follows from the fingerprint.
    SftpHostKey,
    /// That a person lets a colleague act in their role for a time.
    Delegation,
}

impl Subject {
    /// Every subject.
    pub const ALL: [Self; 22] = [
        Self::Agreement,
        Self::Route,
        Self::User,
        Self::Sortiment,
        Self::SortimentSubscription,
        Self::Trial,
        Self::SftpUser,
        Self::FileOrder,
        Self::Transfer,
        Self::Store,
        Self::Mailbox,
        Self::MailboxUser,
        Self::MailboxRequest,
        Self::MailboxFile,
        Self::PersonQueue,
        Self::Person,
        Self::AgreementRequest,
        Self::System,
        Self::Connection,
        Self::AuditLog,
        Self::SftpHostKey,
        Self::Delegation,
    ];

    /// The name in the store, in records and on screens.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Agreement => "agreement",
            Subject::Route => "route",
            Subject::User => "user",
            Subject::Sortiment => "sortiment",
            Subject::SortimentSubscription => "sortiment_subscription",
            Subject::Trial => "trial",
            Subject::SftpUser => "sftp_user",
            Subject::FileOrder => "file_order",
            Subject::Transfer => "transfer",
            Subject::Store => "store",
            Subject::Mailbox => "mailbox",
            Subject::MailboxUser => "mailbox_user",
            Subject::MailboxRequest => "mailbox_request",
            Subject::MailboxFile => "mailbox_file",
            Subject::PersonQueue => "person_queue",
            Subject::Person => "person",
            Subject::AgreementRequest => "agreement_request",
            Subject::System => "system",
            Subject::Connection => "connection",
            Subject::AuditLog => "audit_log",
            Subject::SftpHostKey => "sftp_host_key",
            Subject::Delegation => "delegation",
        }
    }
}

impl std::str::FromStr for Subject {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|subject| subject.name() == text).ok_or(())
    }
}
