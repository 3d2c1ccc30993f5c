//! A graph: the tasks of connecting to one service, as data. `load` makes one, and refuses what could never be finished.

use std::str::FromStr;

use crate::refusal::Detail;
use crate::users::rights::{Role, Side};

/// The graph of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Graph {
    pub id: String,
    /// Its version, which goes up with every change of what must be done.
    pub version: u32,
    /// What is connected to.
    pub name: Detail,
    /// What the client system is called.
    pub client: Detail,
    /// What the receiving system is called; none where the gateway itself is what is connected to.
    pub receiver: Option<Detail>,
    /// What a connection may use, each of which brings tasks.
    pub options: Vec<Choice>,
    /// The tasks, in the order of the file.
    pub tasks: Vec<Task>,
}

impl Graph {
    /// The place of a task.
    pub fn find(&self, id: &str) -> Option<usize> {
        self.tasks.iter().position(|task| task.id == id)
    }

    /// A task by its place.
    pub fn task(&self, at: usize) -> Option<&Task> {
        self.tasks.get(at)
    }

    /// The tasks of one agreement with several signatures, the task itself among them.
    pub(super) fn joint_with(&self, at: usize) -> impl Iterator<Item = usize> {
        let joint = self.task(at).and_then(|task| task.joint.as_ref());
        let same = move |&(place, task): &(usize, &Task)| place == at || joint.is_some() && task.joint.as_ref() == joint;
        self.tasks.iter().enumerate().filter(same).map(|(place, _)| place)
    }

    /// What a task may have to wait for in some connection: what it names, with all signatures of a joint one, the alternative
    /// that it belongs to, and before a connection task every prerequisite that holds back.
    pub(super) fn before(&self, at: usize) -> Vec<usize> {
        let Some(task) = self.task(at) else { return Vec::new() };
        let named = task.needs.iter().chain(task.needs_one.iter().flatten()).chain(&task.chosen);
        let named = named.flat_map(|&need| self.joint_with(need));
        let held = self.tasks.iter().enumerate().filter(|(_, other)| task.stage == Stage::Connection && other.holds_back());
        let mut before: Vec<usize> = named.chain(held.map(|(place, _)| place)).collect();
        before.sort_unstable();
        before.dedup();
        before
    }
}

/// Something that a connection may use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Choice {
    pub id: String,
    pub text: Detail,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Task {
    pub id: String,
    /// What is so when it is done.
    pub text: Detail,
    /// Which party's it is.
    pub party: Party,
    /// Whether it comes before the connection's own tasks.
    pub stage: Stage,
    /// For what it is done once.
    pub once: Once,
    /// The role that answers for it.
    pub responsible: Role,
    /// The role that does it.
    pub performer: Role,
    /// Needed where one of these options is used. Empty: whatever is used.
    pub options: Vec<String>,
    /// Needed only where all of these hold.
    pub only_where: Vec<Where>,
    /// One of a choice: once one of them is done, the others are not needed.
    pub choice: Option<String>,
    /// Needed only where this alternative is the chosen one.
    pub chosen: Option<usize>,
    /// One of several signatures on one agreement: whatever needs one of them needs all.
    pub joint: Option<String>,
    /// What must be done before.
    pub needs: Vec<usize>,
    /// Of each of these lists one must be done before.
    pub needs_one: Vec<Vec<usize>>,
    /// Whether connection tasks wait for this prerequisite without naming it.
    pub(super) holds_back: bool,
    /// Whether both authorities must state it.
    pub both: bool,
    /// What the gateway sees of it by itself.
    pub seen: Option<Look>,
    /// Whether a person may state it.
    pub stated: bool,
}

impl Task {
    pub(super) fn holds_back(&self) -> bool {
        self.stage == Stage::Prerequisite && self.holds_back
    }

    /// Whether it is the receiver's side's, is stated by it too, or shows how that stands.
    pub fn is_of_the_receiver(&self) -> bool {
        self.party == Party::Receiver || self.both || self.seen.as_ref().is_some_and(Look::is_of_the_receiver)
    }

    /// Whether it is the client's authority's own, whatever its system is: done once for it, stated by it, or shown by what it has.
    pub fn is_of_the_authority(&self) -> bool {
        let shows = self.seen.as_ref().is_some_and(Look::is_of_the_authority);
        self.party == Party::Authority || self.once == Once::Authority || self.both || shows
    }

    /// Whose lane it stands in: by who does it, since an authority's supplier does some of its tasks.
    pub fn lane(&self) -> Lane {
        match (self.performer.side(), self.party) {
            (Side::Supplier, Party::Client) => Lane::ClientSupplier,
            (Side::Supplier, Party::Receiver) => Lane::ReceiverSupplier,
            (_, Party::Receiver) => Lane::ReceiverAuthority,
            _ => Lane::Authority,
        }
    }
}

/// Which party a task belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The authority whose connection it is.
    Authority,
    /// The client system.
    Client,
    /// The receiving system.
    Receiver,
}

/// Who does what stands in a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// The authority whose connection it is.
    Authority,
    /// The supplier of its client system.
    ClientSupplier,
    /// The authority of the receiving system.
    ReceiverAuthority,
    /// The supplier of the receiving system.
    ReceiverSupplier,
}

/// One of the two sides that agree to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Consenting {
    /// The client's authority.
    Authority,
    /// The receiver's.
    Receiver,
}

impl Consenting {
    /// The name in the API and at the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::Receiver => "receiver",
        }
    }

    /// What it is called in a sentence.
    pub fn describe(self) -> Detail {
        match self {
            Self::Authority => Detail::new("myndigheden", "the authority"),
            Self::Receiver => Detail::new("modtagersiden", "the receiver's side"),
        }
    }
}

impl FromStr for Consenting {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "authority" => Ok(Self::Authority),
            "receiver" => Ok(Self::Receiver),
            _ => Err("a side is authority or receiver"),
        }
    }
}

/// When a task comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before the connection's own.
    Prerequisite,
    /// The connection's own.
    Connection,
}

/// For what a task is done once: for how many connections a statement counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum Once {
    Authority,
    /// A client system.
    Client,
    /// A receiving system.
    Receiver,
    /// A receiving system and its authority: one instance serves many, and one's contract never counts for another.
    ReceiverAndAuthority,
    Connection,
}

/// A condition of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Where {
    /// The two systems are of different authorities.
    OwnersDiffer,
    /// An option is used.
    Option(String),
}

/// One of the two systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum System {
    /// The client system.
    Client,
    /// The receiving system.
    Receiver,
}

/// What the gateway looks at to see that a task is done.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
#[allow(missing_docs)] // the names say it
pub enum Look {
    /// The authority has a user that holds.
    Users,
    /// The client system has a certificate in the register, or stands in no register and in an agreement with one.
    Client,
    /// The receiving system stands in a route.
    Receiver,
    /// A route that is not over leads to an address and an entity id of the receiving system.
    Endpoint,
    /// The address was asked, and answered with a certificate that was registered.
    Answers,
    /// An agreement was requested.
    Agreement { side: crate::agreements::Side },
    /// An agreement holds.
    Approval { side: crate::agreements::Side },
    /// A route from the authority to the receiver's authority leads to the receiving system today.
    Route,
    /// A system is an SFTP user with a key in force.
    SftpUser { of: System },
    /// A monitoring order for a system's files stands.
    Monitored {
        of: System,
        /// For one of these types of files. Empty: any.
        #[serde(default)]
        inf_refs: Vec<String>,
    },
    /// A route order between the two systems stands, approved or not.
    FileOrder,
    /// Route orders between the two systems are approved and hold today.
    FileRoutes {
        /// From the client system to the receiver, each of these types. Both lists empty: any.
        #[serde(default)]
        to_receiver: Vec<String>,
        /// Back to the client system.
        #[serde(default)]
        to_client: Vec<String>,
    },
    /// A file from the client system was fetched by the receiving one.
    FileFetched,
    /// A common version of a value list is published and holds today.
    ValueLists,
    /// A supplement of the authority's is.
    Supplement,
    /// A system subscribes to value lists.
    Subscription { of: System },
    /// A test was accepted at the other end (`hjemmel verify-connection`).
    Test,
    /// The authority's partner agreement is active.
    Mailbox,
    /// It has an alias that holds today.
    MailboxAliases,
    /// It has data streams.
    MailboxStreams,
    /// A user serves it with a certificate in force.
    MailboxUser,
    /// A file that it sent is Godkendt.
    MailboxFile,
}

impl Look {
    /// Whether it shows how the receiving system stands by itself, and not what is between the two.
    pub fn is_of_the_receiver(&self) -> bool {
        matches!(
            self,
            Self::Receiver
                | Self::Endpoint
                | Self::Answers
                | Self::SftpUser { of: System::Receiver }
                | Self::Monitored { of: System::Receiver, .. }
                | Self::Subscription { of: System::Receiver }
        )
    }

    /// Whether it shows how the client's authority stands by itself, whatever system it is that connects.
    pub fn is_of_the_authority(&self) -> bool {
        let back = crate::agreements::Side::Back;
        match self {
            Self::Agreement { side } | Self::Approval { side } => *side == back,
            Self::Users
            | Self::Supplement
            | Self::Mailbox
            | Self::MailboxAliases
            | Self::MailboxStreams
            | Self::MailboxUser
            | Self::MailboxFile => true,
            _ => false,
        }
    }
}
