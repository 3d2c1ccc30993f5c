//! The rules of a delivery beyond its schema: pre-checks, for it is the ledger that validates.
//!
//! [`Judge`] is fed voucher by voucher and posting by posting, so that a file of a gigabyte is judged by the same code as a call:
//! what it keeps is sums, counts and the ids of each voucher, and at most [`MOST`] findings of each severity. The verdict is on
//! the whole delivery; which voucher stands is for the ledger to say. No I/O here, and no clock: dates come from the delivery.

pub mod delivery;
pub mod mode;
pub mod money;
pub mod sortiment;
pub mod table;
pub mod trial;

use std::collections::HashSet;

use uuid::Uuid;

use crate::id::cpr::{CPR_URN, Cpr};
use crate::id::cvr::Cvr;
use crate::refusal::Detail;
use crate::soap::document::Element;
use delivery::{CVR_URN, Code, Head, Posting, Side, Unreadable, Voucher};
use mode::{Mode, Modes};
use money::Oere;
use sortiment::{Lists, Standing};
use table::Rule;

/// How many findings are reported; what is beyond is counted.
pub const MOST: usize = 20;

/// How a P-number is named.
const PNR_URN: &str = "urn:oio:pnr:";

/// What a finding does to the delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The delivery is refused.
    Error,
    /// It is passed on, and the sender is warned.
    Warning,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which rule says so.
    pub rule: Rule,
    /// What follows.
    pub severity: Severity,
    /// Where.
    pub place: Place,
}

/// Where something is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Place {
    pub voucher: Option<Uuid>,
    pub posting: Option<u32>,
    /// The part list.
    pub part: Option<String>,
    pub code: Option<String>,
}

/// What is in a delivery, whatever its control section says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)] // the names say it
pub struct Totals {
    pub vouchers: u64,
    pub postings: u64,
    /// The sum of the debit postings.
    pub debit: Oere,
    /// The sum of the credit postings.
    pub credit: Oere,
}

/// The verdict on a whole delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Verdict {
    /// What is wrong, errors first, in the order of the delivery.
    pub findings: Vec<Finding>,
    /// How many more there are than are reported.
    pub left_out: u64,
    pub totals: Totals,
    /// Its vouchers, in order, and which each corrects.
    pub vouchers: Vec<(Uuid, Option<Uuid>)>,
}

impl Verdict {
    /// The error for which the delivery is refused: the first. `None`: it is passed on.
    pub fn refused(&self) -> Option<&Finding> {
        self.findings.first().filter(|finding| finding.severity == Severity::Error)
    }

    /// The same of a delivery that was let pass before: what would be found now is not told.
    #[must_use]
    pub fn without_findings(self) -> Self {
        Self { findings: Vec::new(), left_out: 0, ..self }
    }

    /// The same with what was found when earlier deliveries were looked up, each as its rule is set.
    #[must_use]
    pub fn with(mut self, modes: &Modes, more: impl IntoIterator<Item = (Rule, Uuid)>) -> Self {
        for (rule, voucher) in more {
            let severity = match modes.of(rule.code()) {
                Mode::Off => continue,
                Mode::Refuse => Severity::Error,
                Mode::Warn => Severity::Warning,
            };
            self.findings.push(Finding { rule, severity, place: Place { voucher: Some(voucher), ..Place::default() } });
        }
        // Errors first, each in the order in which they were found.
        self.findings.sort_by_key(|finding| finding.severity);
        self.left_out += self.findings.len().saturating_sub(MOST) as u64;
        self.findings.truncate(MOST);
        self
    }
}

/// What a delivery is held against.
#[derive(Debug, Clone, Copy)]
pub struct Against<'a> {
    /// What each rule does for this sender.
    pub modes: &'a Modes,
    /// The value lists; `None` where the service has none, and then no code is judged.
    pub lists: Option<&'a Lists>,
    /// The authority on whose behalf the call was proven to be made.
    pub caller: Cvr,
    /// The it-system of its agreement; none where that is of no it-system, as the agreements of mailboxes are.
    pub system: Option<Uuid>,
    /// Whether a time for its tests is open.
    pub trials: bool,
}

/// Judges a delivery.
///
/// # Errors
/// [`Unreadable`], where the schema let through what it should not have.
pub fn judge(delivery: Element<'_>, against: Against<'_>) -> Result<(Head, Verdict), Unreadable> {
    let head = Head::read(delivery)?;
    let mut judge = Judge::new(&head, against);
    for voucher in delivery::vouchers(delivery) {
        judge.voucher(Voucher::read(voucher)?);
        for posting in delivery::postings(voucher) {
            judge.posting(&Posting::read(posting)?);
        }
    }
    let verdict = judge.finish();
    Ok((head, verdict))
}

/// Findings up to a bound.
#[derive(Debug, Default)]
struct Found {
    told: Vec<Finding>,
    all: u64,
}

/// Judges a delivery piece by piece.
pub struct Judge<'a> {
    head: &'a Head,
    against: Against<'a>,
    standing: Option<Standing<'a>>,
    seen: HashSet<Uuid>,
    vouchers: Vec<(Uuid, Option<Uuid>)>,
    totals: Totals,
    open: Option<Open>,
    errors: Found,
    warnings: Found,
}

/// The voucher that is being read.
struct Open {
    voucher: Voucher,
    debit: Oere,
    credit: Oere,
    last: Option<u32>,
    /// Whether its codes can be judged: whether the version holds on its date.
    codes: bool,
}

impl<'a> Judge<'a> {
    /// Begins with what stands in front of the vouchers.
    pub fn new(head: &'a Head, against: Against<'a>) -> Self {
        let standing = against.lists.map(|lists| lists.standing(head.list, &head.version, head.sender));
        let mut judge = Self {
            head,
            against,
            standing,
            seen: HashSet::new(),
            vouchers: Vec::new(),
            totals: Totals::default(),
            open: None,
            errors: Found::default(),
            warnings: Found::default(),
        };
        judge.head();
        judge
    }

    fn find(&mut self, place: Place, rule: impl FnOnce() -> Rule, code: &'static str) {
        let severity = match self.against.modes.of(code) {
            Mode::Off => return,
            Mode::Refuse => Severity::Error,
            Mode::Warn => Severity::Warning,
        };
        let found = if severity == Severity::Error { &mut self.errors } else { &mut self.warnings };
        found.all += 1;
        if found.told.len() < MOST {
            found.told.push(Finding { rule: rule(), severity, place });
        }
    }

    fn head(&mut self) {
        let (head, against) = (self.head, self.against);
        if head.sender != against.caller {
            let (da, en) = (
                "AfsenderMyndighed er ikke den myndighed, der kaldes på vegne af",
                "AfsenderMyndighed is not the authority on whose behalf the call is made",
            );
            self.find(Place::default(), || Rule::FB001 { what: Detail::new(da, en) }, "FB001");
        }
        if against.system.is_some_and(|system| head.system != system) {
            let (da, en) = (
                "AfsenderItSystem er ikke det it-system, serviceaftalen gælder for",
                "AfsenderItSystem is not the it-system of the service agreement",
            );
            self.find(Place::default(), || Rule::FB001 { what: Detail::new(da, en) }, "FB001");
        }
        if head.trial && !against.trials {
            self.find(Place::default(), || Rule::FB006 { authority: against.caller.to_string() }, "FB006");
        }
        let what = match &self.standing {
            None => None,
            Some(Standing::NoList) => Some(("det kendes ikke", "it is not known")),
            Some(Standing::NoVersion) => Some(("versionen kendes ikke", "the version is not known")),
            Some(Standing::Known(list)) if list.from() != head.version_from => {
                Some(("GyldigFra er ikke den dag, versionen gælder fra", "GyldigFra is not the day from which the version holds"))
            }
            Some(Standing::Known(_)) => None,
        };
        if let Some((da, en)) = what {
            let list = head.list;
            self.find(Place::default(), || Rule::FB002 { list, what: Detail::new(da, en) }, "FB002");
        }
        for (name, written) in [("SumDebet", head.control.debit), ("SumKredit", head.control.credit)] {
            if !written.two_decimals {
                self.find(Place::default(), || Rule::FB011 { place: Detail::name(name) }, "FB011");
            }
        }
    }

    /// Begins a voucher.
    pub fn voucher(&mut self, voucher: Voucher) {
        self.close();
        self.totals.vouchers += 1;
        let place = || Place { voucher: Some(voucher.id), ..Place::default() };
        self.vouchers.push((voucher.id, voucher.corrects));
        if !self.seen.insert(voucher.id) {
            self.find(place(), || Rule::FB013 { voucher: voucher.id }, "FB013");
        }
        let holds = match &self.standing {
            Some(Standing::Known(list)) => Some(list.holds_on(voucher.date)),
            _ => None,
        };
        if holds == Some(false) {
            let list = self.head.list;
            let what = || {
                let (id, date) = (voucher.id, voucher.date);
                Detail::new(
                    format!("versionen gælder ikke den {date}, som bilaget {id} bogføres på"),
                    format!("the version does not hold on {date}, on which voucher {id} is booked"),
                )
            };
            self.find(place(), || Rule::FB002 { list, what: what() }, "FB002");
        }
        let (debit, credit) = (Oere::default(), Oere::default());
        self.open = Some(Open { voucher, debit, credit, last: None, codes: holds == Some(true) });
    }

    /// Takes a posting of the voucher that was begun last.
    pub fn posting(&mut self, posting: &Posting<'_>) {
        let Some(open) = &mut self.open else { return };
        let (voucher, number, amount) = (open.voucher, posting.number, posting.amount);
        self.totals.postings += 1;
        let (all, own) = match posting.side {
            Side::Debit => (&mut self.totals.debit, &mut open.debit),
            Side::Credit => (&mut self.totals.credit, &mut open.credit),
        };
        *all += amount.amount;
        *own += amount.amount;
        let ascends = open.last.is_none_or(|last| last < number);
        open.last = Some(number);
        let codes = open.codes;
        let place = || Place { voucher: Some(voucher.id), posting: Some(number), ..Place::default() };
        if !ascends {
            self.find(place(), || Rule::FB014 { voucher: voucher.id, posting: number }, "FB014");
        }
        if !amount.two_decimals {
            let in_words = || {
                let id = voucher.id;
                Detail::new(format!("bilaget {id}, postering {number}"), format!("voucher {id}, posting {number}"))
            };
            self.find(place(), || Rule::FB011 { place: in_words() }, "FB011");
        }
        if amount.amount.is_zero() && !self.head.trial {
            self.find(place(), || Rule::FB015 { voucher: voucher.id, posting: number }, "FB015");
        }
        let demands = codes && self.codes(voucher, posting);
        let what = match posting.party.as_deref() {
            None if demands => Some(("parten mangler", "the party is missing")),
            Some(party) if !is_possible(party) => {
                Some(("partens nummer kan ikke findes", "the number of the party cannot exist"))
            }
            _ => None,
        };
        let person = posting.party.as_deref().and_then(|party| Cpr::from_urn(party).ok());
        if person.is_some_and(|person| !self.against.modes.take(&person)) {
            self.find(place(), || Rule::FB041 { voucher: voucher.id, posting: number }, "FB041");
        }
        if let Some((da, en)) = what {
            let rule = || Rule::FB040 { voucher: voucher.id, posting: number, what: Detail::new(da, en) };
            self.find(place(), rule, "FB040");
        }
    }

    /// The codes of a posting; whether one of them demands a party.
    fn codes(&mut self, voucher: Voucher, posting: &Posting<'_>) -> bool {
        let Some(Standing::Known(list)) = self.standing.clone() else { return false };
        let mut demands = false;
        for code in &posting.codes {
            demands |= list.demands_party(&code.part);
            let (voucher, date, posting) = (voucher.id, voucher.date, posting.number);
            let holds = list.code(&code.part, &code.code, code.class, date);
            if holds == Some(true) {
                continue;
            }
            let (part, told) = (sayable(&code.part), sayable(&code.code));
            let place = Place { voucher: Some(voucher), posting: Some(posting), part, code: told };
            match holds {
                Some(_) => {
                    let rule = || Rule::FB021 { voucher, posting, code: named(code), date };
                    self.find(place, rule, "FB021");
                }
                None => self.find(place, || Rule::FB020 { voucher, posting, code: named(code) }, "FB020"),
            }
        }
        demands
    }

    fn close(&mut self) {
        if let Some(Open { voucher, debit, credit, .. }) = self.open.take()
            && debit != credit
        {
            let place = Place { voucher: Some(voucher.id), ..Place::default() };
            self.find(place, || Rule::FB010 { voucher: voucher.id, date: voucher.date }, "FB010");
        }
    }

    /// The verdict, once the last posting was taken.
    pub fn finish(mut self) -> Verdict {
        self.close();
        let (stated, found) = (self.head.control, self.totals);
        for (da, en, stated, found) in
            [("bilag", "vouchers", stated.vouchers, found.vouchers), ("posteringer", "postings", stated.postings, found.postings)]
        {
            if stated != found {
                let what = || {
                    Detail::new(
                        format!("Kontrol angiver {stated} {da}, og leverancen har {found}"),
                        format!("Kontrol states {stated} {en}, and the delivery has {found}"),
                    )
                };
                self.find(Place::default(), || Rule::FB003 { what: what() }, "FB003");
            }
        }
        let (debit, credit) = (stated.debit.amount, stated.credit.amount);
        if debit != found.debit {
            let rule = || Rule::FB004 { stated: debit.to_string(), found: found.debit.to_string() };
            self.find(Place::default(), rule, "FB004");
        }
        if credit != found.credit {
            let rule = || Rule::FB005 { stated: credit.to_string(), found: found.credit.to_string() };
            self.find(Place::default(), rule, "FB005");
        }
        let all = self.errors.all + self.warnings.all;
        let mut findings = self.errors.told;
        findings.extend(self.warnings.told);
        findings.truncate(MOST);
        let left_out = all - findings.len() as u64;
        Verdict { findings, left_out, totals: self.totals, vouchers: self.vouchers }
    }
}

/// Whether somebody can have this number.
fn is_possible(party: &str) -> bool {
    if party.starts_with(CPR_URN) {
        return Cpr::from_urn(party).is_ok();
    }
    // Neither CVR numbers nor P-numbers begin with 0.
    let number = party.strip_prefix(CVR_URN).or_else(|| party.strip_prefix(PNR_URN));
    number.is_some_and(|number| !number.starts_with('0'))
}

/// A code of the sender's as a text may say it: not one that holds what may be a person's number.
pub fn sayable(code: &str) -> Option<String> {
    let digits: Vec<u8> = code.bytes().filter(|byte| !matches!(byte, b' ' | b'-')).collect();
    let person = |ten: &[u8]| std::str::from_utf8(ten).ok().and_then(Cpr::parse).is_some();
    (!digits.windows(10).any(person)).then(|| code.to_owned())
}

fn named(code: &Code<'_>) -> Detail {
    match (sayable(&code.part), sayable(&code.code)) {
        (Some(part), Some(code)) => Detail::new(format!("koden {code} i {part}"), format!("code {code} of {part}")),
        (Some(part), None) => Detail::new(format!("en kode i {part}"), format!("a code of {part}")),
        (None, _) => Detail::new("en kode", "a code"),
    }
}
