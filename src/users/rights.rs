//! Who may do what: the one table of roles and actions.

use std::{fmt, str::FromStr};

use Action::*;
use Role::*;

use crate::{agreements::State, refusal::Detail};

/// What a user is to the agreements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Who runs the gateway.
    Operator,
    /// The same, to look only.
    OperatorReadOnly,
    /// *Forvaltningsansvarlig*: the administrator of a supplier of client systems.
    SupplierAdministrator,
    /// The authority's owner of a system.
    SystemOwner,
    /// The authority's responsible for a system.
    SystemResponsible,
    /// The authority's administrator of a system.
    SystemAdministrator,
    /// The authority's responsible for its infrastructure: endpoints and routes.
    InfrastructureResponsible,
    /// The authority's administrator of its value lists (*sortimenter*).
    SortimentAdministrator,
    /// Who signs agreements for the authority, for all services or for some.
    Signatory,
    /// The authority's auditor.
    Auditor,
}

/// Whom a role belongs to, which decides what its users see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The gateway's operators: everything.
    Operators,
    /// A supplier: what it has requested.
    Supplier,
    /// An authority: its own.
    Authority,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 10] = [
        Operator,
        OperatorReadOnly,
        SupplierAdministrator,
        SystemOwner,
        SystemResponsible,
        SystemAdministrator,
        InfrastructureResponsible,
        SortimentAdministrator,
        Signatory,
        Auditor,
    ];

    /// The name in the store, on screens and in records.
    pub fn name(self) -> &'static str {
        match self {
            Operator => "operator",
            OperatorReadOnly => "operator-read-only",
            SupplierAdministrator => "supplier-administrator",
            SystemOwner => "system-owner",
            SystemResponsible => "system-responsible",
            SystemAdministrator => "system-administrator",
            InfrastructureResponsible => "infrastructure-responsible",
            SortimentAdministrator => "sortiment-administrator",
            Signatory => "signatory",
            Auditor => "auditor",
        }
    }

    /// Whom it belongs to.
    pub fn side(self) -> Side {
        match self {
            Operator | OperatorReadOnly => Side::Operators,
            SupplierAdministrator => Side::Supplier,
            SystemOwner
            | SystemResponsible
            | SystemAdministrator
            | InfrastructureResponsible
            | SortimentAdministrator
            | Signatory
            | Auditor => Side::Authority,
        }
    }

    /// Whether a person lets a colleague act in it. An auditor asks about persons, and does so in person.
    pub fn is_delegable(self) -> bool {
        self.side() == Side::Authority && self != Auditor
    }

    /// As it stands in a sentence.
    pub fn describe(self) -> Detail {
        let (da, en) = match self {
            Operator => ("drift", "operator"),
            OperatorReadOnly => ("drift, kun læsning", "operator, read only"),
            SupplierAdministrator => ("forvaltningsansvarlig hos leverandør", "supplier's administrator"),
            SystemOwner => ("systemejer", "system owner"),
            SystemResponsible => ("systemansvarlig", "system responsible"),
            SystemAdministrator => ("systemadministrator", "system administrator"),
            InfrastructureResponsible => ("infrastrukturansvarlig", "infrastructure responsible"),
            SortimentAdministrator => ("sortimentsadministrator", "value list administrator"),
            Signatory => ("underskriver", "signatory"),
            Auditor => ("revisor", "auditor"),
        };
        Detail::new(da, en)
    }

    /// Whether a user in this role may do it. What is not said here may not be done.
    pub fn may(self, action: Action) -> bool {
        let allowed: &[Role] = match action {
            SeeAgreements | SeeAuthorities => &Self::ALL,
            RequestAgreement => &[Operator, SupplierAdministrator, SystemResponsible, SystemAdministrator],
            ApproveAgreement | RejectAgreement => &[Signatory],
            WithdrawAgreement => &[Operator, SupplierAdministrator, SystemResponsible, SystemAdministrator],
            SuspendAgreement | ResumeAgreement => &[Operator, SystemOwner, SystemResponsible, Signatory],
            EndAgreement => &[SupplierAdministrator, SystemOwner, SystemResponsible, Signatory],
            SeeRoutes | SeeSubscriptions | SeeTrials | SeeCalls => &[
                Operator,
                OperatorReadOnly,
                SystemOwner,
                SystemResponsible,
                SystemAdministrator,
                InfrastructureResponsible,
                SortimentAdministrator,
                Signatory,
                Auditor,
            ],
            AddRoute | EndRoute => &[Operator, InfrastructureResponsible],
            ManageUsers | ManageAuthorities | AcceptStore | RetireAudit => &[Operator],
            SeeSortiment => &Self::ALL,
            ImportSortiment | PublishSortiment => &[Operator, SortimentAdministrator],
            SubscribeSortiment => &[Operator, SystemResponsible, SystemAdministrator, SortimentAdministrator],
            OpenTrials => &[Operator, SystemResponsible],
            EndTrials => &[Operator, SystemOwner, SystemResponsible],
            AskAudit => &[Auditor],
            ExceptFile => &[Operator, SystemOwner, SystemResponsible, SystemAdministrator],
            ErasePerson => &[SystemOwner, SystemResponsible, Signatory],
            SeeSystems => &Self::ALL,
            ManageSystems => {
                &[Operator, SupplierAdministrator, SystemResponsible, SystemAdministrator, InfrastructureResponsible]
            }
            SeeConnections => &Self::ALL,
            AddConnection => &[Operator, SupplierAdministrator, SystemResponsible, SystemAdministrator],
            StateTask => &[
                Operator,
                SupplierAdministrator,
                SystemOwner,
                SystemResponsible,
                SystemAdministrator,
                InfrastructureResponsible,
                SortimentAdministrator,
                Signatory,
            ],
            AssignTask => {
                &[Operator, SupplierAdministrator, SystemOwner, SystemResponsible, SystemAdministrator, InfrastructureResponsible]
            }
            Delegate => &[
                SystemOwner,
                SystemResponsible,
                SystemAdministrator,
                InfrastructureResponsible,
                SortimentAdministrator,
                Signatory,
            ],
        };
        allowed.contains(&self)
    }

    /// How far above others it stands where a suspension is lifted: whoever suspended, or one who stands above.
    pub fn rank(self) -> u8 {
        match self {
            Operator => 3,
            Signatory => 2,
            SystemOwner | SystemResponsible => 1,
            OperatorReadOnly
            | SupplierAdministrator
            | SystemAdministrator
            | InfrastructureResponsible
            | SortimentAdministrator
            | Auditor => 0,
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| format!("a role is one of {}", known()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Look at agreements, their history and their export.
    SeeAgreements,
    /// Ask for an agreement, one or by import.
    RequestAgreement,
    /// Approve one.
    ApproveAgreement,
    /// Reject one.
    RejectAgreement,
    /// Take a request back.
    WithdrawAgreement,
    /// Suspend one.
    SuspendAgreement,
    /// Lift a suspension.
    ResumeAgreement,
    /// End one.
    EndAgreement,
    /// Look at the register of authorities.
    SeeAuthorities,
    /// Look at routes, and ask who would receive a call.
    SeeRoutes,
    /// Add routes, one or by import.
    AddRoute,
    /// End one.
    EndRoute,
    /// Add and end users.
    ManageUsers,
    /// Accept a store that was put back from a copy.
    AcceptStore,
    /// Remove segments of an audit log whose time is over.
    RetireAudit,
    /// Add authorities to the register, and rename them.
    ManageAuthorities,
    /// Look at value lists: published ones, and one's own drafts.
    SeeSortiment,
    /// Bring in a version of a value list as a draft, and remove a draft.
    ImportSortiment,
    /// Publish a version of a value list.
    PublishSortiment,
    /// Look at who gets the versions of value lists.
    SeeSubscriptions,
    /// Say which system gets the versions of value lists, and end that.
    SubscribeSortiment,
    /// Look at the times within which deliveries may be tests.
    SeeTrials,
    /// Open a time within which an authority's deliveries may be tests.
    OpenTrials,
    /// End one.
    EndTrials,
    /// Except a rejected file of a mailbox from the daily check.
    ExceptFile,
    /// Take a person out for good whom an institution imported.
    ErasePerson,
    /// Look at calls: when, for whom, how each ended. No person is shown.
    SeeCalls,
    /// Ask the audit log who has asked about a person.
    AskAudit,
    /// Look at client systems and their certificates.
    SeeSystems,
    /// Register client systems, and change them and their certificates.
    ManageSystems,
    /// Look at connections and their tasks.
    SeeConnections,
    /// Add a connection, and end one.
    AddConnection,
    /// State that a task of a connection is done, and take that back. Which role states which task is the graph's.
    StateTask,
    /// Give a task to a person, with a day and a wave.
    AssignTask,
    /// Let a colleague act in one's role for a time.
    Delegate,
}

impl Action {
    /// Every action.
    pub const ALL: [Action; 35] = [
        SeeAgreements,
        RequestAgreement,
        ApproveAgreement,
        RejectAgreement,
        WithdrawAgreement,
        SuspendAgreement,
        ResumeAgreement,
        EndAgreement,
        SeeAuthorities,
        SeeRoutes,
        AddRoute,
        EndRoute,
        ManageUsers,
        AcceptStore,
        RetireAudit,
        ManageAuthorities,
        SeeSortiment,
        ImportSortiment,
        PublishSortiment,
        SeeSubscriptions,
        SubscribeSortiment,
        SeeTrials,
        OpenTrials,
        EndTrials,
        ExceptFile,
        ErasePerson,
        SeeCalls,
        AskAudit,
        SeeSystems,
        ManageSystems,
        SeeConnections,
        AddConnection,
        StateTask,
        AssignTask,
        Delegate,
    ];

    /// The action that takes an agreement from one state to another.
    pub fn of_change(from: State, to: State) -> Option<Self> {
        match (from, to) {
            (State::Requested, State::Approved) => Some(ApproveAgreement),
            (State::Suspended, State::Approved) => Some(ResumeAgreement),
            // Whoever may give notice may take it back.
            (State::Terminated, State::Approved) => Some(EndAgreement),
            (_, State::Rejected) => Some(RejectAgreement),
            (_, State::Withdrawn) => Some(WithdrawAgreement),
            (_, State::Suspended) => Some(SuspendAgreement),
            (_, State::Terminated) => Some(EndAgreement),
            (_, State::Requested | State::Approved | State::Expired) => None,
        }
    }

    /// Whether a system may not do it by itself. What creates an agreement and what opens one each stand for a person, so that
    /// two persons stand behind every agreement that holds, and behind every value list.
    pub fn needs_a_person(self) -> bool {
        match self {
            RequestAgreement | ApproveAgreement | ResumeAgreement | AddRoute | ManageUsers | AcceptStore | RetireAudit
            | ManageAuthorities | ImportSortiment | PublishSortiment | OpenTrials | ExceptFile | ErasePerson | AskAudit
            | ManageSystems | AddConnection | StateTask | AssignTask | Delegate => true,
            SeeAgreements | RejectAgreement | WithdrawAgreement | SuspendAgreement | EndAgreement | SeeAuthorities
            | SeeRoutes | EndRoute | SeeSortiment | SeeSubscriptions | SubscribeSortiment | SeeTrials | EndTrials | SeeCalls
            | SeeSystems | SeeConnections => false,
        }
    }

    /// As it stands in a sentence.
    pub fn describe(self) -> Detail {
        let (da, en) = match self {
            SeeAgreements => ("se serviceaftaler", "see service agreements"),
            RequestAgreement => ("anmode om serviceaftaler", "request service agreements"),
            ApproveAgreement => ("godkende serviceaftaler", "approve service agreements"),
            RejectAgreement => ("afvise serviceaftaler", "reject service agreements"),
            WithdrawAgreement => ("trække anmodninger tilbage", "withdraw requests"),
            SuspendAgreement => ("suspendere serviceaftaler", "suspend service agreements"),
            ResumeAgreement => ("genoptage serviceaftaler", "resume service agreements"),
            EndAgreement => ("opsige serviceaftaler", "end service agreements"),
            SeeAuthorities => ("se myndighedsregisteret", "see the register of authorities"),
            SeeRoutes => ("se ruter", "see routes"),
            AddRoute => ("oprette ruter", "add routes"),
            EndRoute => ("afslutte ruter", "end routes"),
            ManageAuthorities => ("ændre myndighedsregisteret", "change the register of authorities"),
            ManageUsers => ("oprette og afslutte brugere", "add and end users"),
            AcceptStore => ("godkende et lager, der er lagt tilbage", "accept a store that was put back"),
            RetireAudit => ("fjerne udløbne dele af revisionsloggen", "remove parts of the audit log whose time is over"),
            SeeSortiment => ("se sortimenter", "see value lists"),
            ImportSortiment => ("importere og fjerne udkast til sortimenter", "import and remove drafts of value lists"),
            PublishSortiment => ("offentliggøre sortimenter", "publish value lists"),
            SeeSubscriptions => ("se abonnementer på sortimenter", "see subscriptions to value lists"),
            SubscribeSortiment => ("oprette og afslutte abonnementer på sortimenter", "subscribe to value lists and end that"),
            SeeTrials => ("se tidsrum for prøver", "see times for tests"),
            OpenTrials => ("åbne tidsrum for prøver", "open times for tests"),
            EndTrials => ("lukke tidsrum for prøver", "end times for tests"),
            ExceptFile => ("undtage afviste filer", "except rejected files"),
            ErasePerson => ("slette personer", "erase persons"),
            SeeCalls => ("se kald", "see calls"),
            AskAudit => ("spørge revisionsloggen om en person", "ask the audit log about a person"),
            SeeSystems => ("se systemer", "see systems"),
            ManageSystems => ("registrere og ændre systemer", "register and change systems"),
            SeeConnections => ("se forbindelser", "see connections"),
            AddConnection => ("oprette og afslutte forbindelser", "add and end connections"),
            StateTask => ("oplyse, at opgaver er udført", "state that tasks are done"),
            AssignTask => ("fordele opgaver", "give tasks to persons"),
            Delegate => ("delegere en rolle", "delegate a role"),
        };
        Detail::new(da, en)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by hand from who the public sources say requests, signs and runs: a column a role in the order of
    /// [`Role::ALL`], `x` where it may.
    const TABLE: [(Action, &str); 35] = [
        //                   op ro su ow re ad in so si au
        (SeeAgreements, "     x  x  x  x  x  x  x  x  x  x"),
        (RequestAgreement, "  x  .  x  .  x  x  .  .  .  ."),
        (ApproveAgreement, "  .  .  .  .  .  .  .  .  x  ."),
        (RejectAgreement, "   .  .  .  .  .  .  .  .  x  ."),
        (WithdrawAgreement, " x  .  x  .  x  x  .  .  .  ."),
        (SuspendAgreement, "  x  .  .  x  x  .  .  .  x  ."),
        (ResumeAgreement, "   x  .  .  x  x  .  .  .  x  ."),
        (EndAgreement, "      .  .  x  x  x  .  .  .  x  ."),
        (SeeAuthorities, "    x  x  x  x  x  x  x  x  x  x"),
        (SeeRoutes, "         x  x  .  x  x  x  x  x  x  x"),
        (AddRoute, "          x  .  .  .  .  .  x  .  .  ."),
        (EndRoute, "          x  .  .  .  .  .  x  .  .  ."),
        (ManageUsers, "       x  .  .  .  .  .  .  .  .  ."),
        (AcceptStore, "       x  .  .  .  .  .  .  .  .  ."),
        (RetireAudit, "       x  .  .  .  .  .  .  .  .  ."),
        (ManageAuthorities, " x  .  .  .  .  .  .  .  .  ."),
        (SeeSortiment, "      x  x  x  x  x  x  x  x  x  x"),
        (ImportSortiment, "   x  .  .  .  .  .  .  x  .  ."),
        (PublishSortiment, "  x  .  .  .  .  .  .  x  .  ."),
        (SeeSubscriptions, "  x  x  .  x  x  x  x  x  x  x"),
        (SubscribeSortiment, "x  .  .  .  x  x  .  x  .  ."),
        (SeeTrials, "         x  x  .  x  x  x  x  x  x  x"),
        (OpenTrials, "        x  .  .  .  x  .  .  .  .  ."),
        (EndTrials, "         x  .  .  x  x  .  .  .  .  ."),
        (ExceptFile, "        x  .  .  x  x  x  .  .  .  ."),
        (ErasePerson, "       .  .  .  x  x  .  .  .  x  ."),
        (SeeCalls, "          x  x  .  x  x  x  x  x  x  x"),
        (AskAudit, "          .  .  .  .  .  .  .  .  .  x"),
        (SeeSystems, "        x  x  x  x  x  x  x  x  x  x"),
        (ManageSystems, "     x  .  x  .  x  x  x  .  .  ."),
        (SeeConnections, "    x  x  x  x  x  x  x  x  x  x"),
        (AddConnection, "     x  .  x  .  x  x  .  .  .  ."),
        (StateTask, "         x  .  x  x  x  x  x  x  x  ."),
        (AssignTask, "        x  .  x  x  x  x  x  .  .  ."),
        (Delegate, "          .  .  .  x  x  x  x  x  x  ."),
    ];

    #[test]
    fn every_role_may_do_what_the_table_says_and_nothing_else() {
        assert_eq!(TABLE.map(|(action, _)| action), Action::ALL);
        for (action, row) in TABLE {
            let cells: Vec<_> = row.split_whitespace().collect();
            assert_eq!(cells.len(), Role::ALL.len(), "{action:?}");
            for (role, cell) in Role::ALL.into_iter().zip(cells) {
                assert_eq!(role.may(action), cell == "x", "{role} {action:?}");
            }
        }
    }

    #[test]
    fn a_role_is_delegated_by_whoever_has_it_and_an_auditors_by_nobody() {
        for role in Role::ALL {
            assert_eq!(role.is_delegable(), role.may(Delegate), "{role}");
        }
    }

    #[test]
    fn who_only_looks_changes_nothing() {
        for action in Action::ALL {
            let looks = matches!(
                action,
                SeeAgreements
                    | SeeAuthorities
                    | SeeRoutes
                    | SeeSortiment
                    | SeeSubscriptions
                    | SeeTrials
                    | SeeCalls
                    | AskAudit
                    | SeeSystems
                    | SeeConnections
            );
            for role in [OperatorReadOnly, Auditor] {
                assert!(looks || !role.may(action), "{role} {action:?}");
            }
        }
    }

    #[test]
    fn every_legal_change_of_state_that_somebody_decides_is_an_action() {
        for from in State::ALL {
            for to in State::ALL {
                let decided = from.may_become(to) && to != State::Expired;
                assert!(!decided || Action::of_change(from, to).is_some(), "{from} to {to}");
            }
        }
    }

    #[test]
    fn roles_are_read_by_their_names_only() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
        }
        assert!("Operator".parse::<Role>().unwrap_err().contains("signatory"));
    }
}
