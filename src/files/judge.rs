//! What a trigger must be before its file goes anywhere.
//!
//! Everything that is wrong is found at once, in the order in which it helps the sender most: clients stop at the first. What a
//! check needs to know is gathered first ([`Known`]), so that the checks themselves ask nobody.

use jiff::civil::Date;
use uuid::Uuid;

use super::codes::Code;
use super::name::Name;
use super::orders::{Order, fits};
use super::users::User;
use super::xml::trigger::{self, ROUTED, Routing, Trigger, same_inf_ref};
use crate::refusal::Detail;

/// The longest name of a data file, in bytes: suffix and id of a receipt must fit in 255.
pub const LONGEST_NAME: usize = 200;
/// What the platform's own files end in.
const RESERVED: [&str; 3] = [".trigger", ".metadata", ".sftpreceipt"];

/// What is known where a trigger is judged.
pub struct Known<'k> {
    /// The name that the trigger's own has without `.trigger`.
    pub name: &'k Name,
    /// Who is logged on.
    pub sender: &'k User,
    /// The size of the data file, if it is there.
    pub found: Option<u64>,
    /// The sender's orders, in any state.
    pub orders: &'k [Order],
    /// The users that the trigger or an order names.
    pub users: &'k [User],
    /// Whether anybody's order has the trigger's InfRef.
    pub inf_ref_is_known: bool,
    /// Today in Copenhagen.
    pub today: Date,
}

/// Who receives, and by which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The recipient.
    pub to: User,
    /// Which it is in the trigger, from 1.
    pub number: usize,
    /// The order.
    pub order: Order,
}

/// Whether a data file may be called so.
///
/// # Errors
/// Why not.
pub fn name_is_allowed(name: &Name) -> Result<(), Code> {
    // What is added to a name must fit in both of its forms.
    let longest = name.spelt().len().max(name.key().len());
    let name = name.spelt();
    let lower = name.to_lowercase();
    let refused = |da: &str, en: &str| Err(Code::FIL1004 { what: Detail::new(da, en) });
    match () {
        () if RESERVED.iter().any(|suffix| lower.ends_with(suffix)) => refused(
            "det ender på .trigger, .metadata eller .sftpreceipt, som er platformens egne",
            "it ends in .trigger, .metadata or .sftpreceipt, which are the platform's own",
        ),
        () if name.contains(['\\', ':']) => refused("det indeholder \\ eller :", "it has \\ or : in it"),
        () if name.starts_with('-') => refused("det begynder med -", "it begins with -"),
        () if name.ends_with(['.', ' ']) => refused("det ender på punktum eller mellemrum", "it ends in a dot or a space"),
        () if longest > LONGEST_NAME => {
            refused(&format!("det fylder mere end {LONGEST_NAME} bytes"), &format!("it has more than {LONGEST_NAME} bytes"))
        }
        () => Ok(()),
    }
}

/// What was found of a trigger.
pub struct Judged {
    /// What it says, where it can be read.
    pub trigger: Option<Trigger>,
    /// The recipients that it may go to.
    pub ways: Vec<Way>,
    /// All that is wrong, the most useful first. What the store alone knows follows.
    pub codes: Vec<Code>,
}

/// Judges a trigger.
pub fn judge(bytes: &[u8], known: &Known<'_>) -> Judged {
    let missing = known.found.is_none().then_some(Code::FIL1010);
    let trigger = match trigger::read(bytes) {
        Ok(trigger) => trigger,
        Err(mut codes) => {
            codes.extend(name_is_allowed(known.name).err());
            codes.extend(missing);
            return Judged { trigger: None, ways: Vec::new(), codes };
        }
    };
    let mut codes = Vec::new();
    if trigger.sender != known.sender.name {
        codes.push(Code::FIL1020);
    }
    if Name::new(&trigger.file_name).ok().as_ref() != Some(known.name) {
        codes.push(Code::FIL1003);
    }
    codes.extend(name_is_allowed(known.name).err());
    codes.extend(missing);
    if let Some(found) = known.found.filter(|found| *found != trigger.size) {
        codes.push(Code::FIL1011 { stated: trigger.size, found });
    }
    if let Some(routing) = &trigger.routing
        && routing.sender_system != known.sender.system
    {
        codes.push(Code::FIL1034);
    }
    let (ways, wrong) = if trigger.recipients.iter().any(|recipient| recipient == ROUTED) {
        match routed(&trigger, known) {
            Ok(way) => (vec![way], Vec::new()),
            Err(code) => (Vec::new(), vec![code]),
        }
    } else {
        named(&trigger, known)
    };
    codes.extend(wrong);
    let size = known.found.unwrap_or(trigger.size);
    if let Some(limit) = ways.iter().map(|way| way.order.largest_bytes).min().filter(|limit| size > *limit) {
        let what = Detail::new(format!("ruteordren tillader {limit} bytes"), format!("the route order allows {limit} bytes"));
        codes.push(Code::FIL1060 { what });
    }
    Judged { trigger: Some(trigger), ways, codes }
}

/// Whether an order is for these authorities and systems.
fn is_between(order: &Order, routing: &Routing, users: &[User]) -> bool {
    let system = |wanted: &Uuid| users.iter().any(|user| user.id == order.recipient && user.system == *wanted);
    (order.sender_authority, order.recipient_authority) == (routing.sender_authority, routing.recipient_authority)
        && routing.recipient_system.as_ref().is_none_or(system)
}

/// Whether it is for this integration too.
fn is_for(order: &Order, routing: &Routing, users: &[User]) -> bool {
    order.inf_ref.as_ref().is_some_and(|inf_ref| same_inf_ref(inf_ref, &routing.inf_ref)) && is_between(order, routing, users)
}

/// Of these orders the one that holds on the day and is not over today, whatever day the sender names; the reason of the last where none
/// does.
fn only<'o>(orders: &[&'o Order], on: Date, today: Date) -> Result<Option<&'o Order>, Code> {
    let holds = |order: &Order| order.usable(on).and_then(|()| order.not_over(today));
    let (usable, not): (Vec<&Order>, Vec<&Order>) = orders.iter().copied().partition(|order| holds(order).is_ok());
    match (usable.as_slice(), not.last()) {
        ([one], _) => Ok(Some(one)),
        ([_, _, ..], _) => Err(Code::FIL1031),
        ([], Some(other)) => match holds(other) {
            Err(what) => Err(Code::FIL1032 { what }),
            Ok(()) => Err(Code::FIL1091),
        },
        ([], None) => Ok(None),
    }
}

/// The way of a file whose recipient the route decides.
fn routed(trigger: &Trigger, known: &Known<'_>) -> Result<Way, Code> {
    let Some(routing) = &trigger.routing else {
        let what = Detail::new(
            format!("Recipients er {ROUTED}, og SFTPDynamicRoutingInfo mangler"),
            format!("Recipients is {ROUTED}, and SFTPDynamicRoutingInfo is missing"),
        );
        return Err(Code::FIL1002 { what });
    };
    if !known.inf_ref_is_known {
        return Err(Code::FIL1033);
    }
    let orders: Vec<&Order> = known.orders.iter().filter(|order| is_for(order, routing, known.users)).collect();
    let orders: Vec<&Order> = orders.into_iter().filter(|order| carries(order, known.name)).collect();
    let order = only(&orders, routing.on, known.today)?.ok_or(Code::FIL1030)?;
    let to = known.users.iter().find(|user| user.id == order.recipient).ok_or(Code::FIL1030)?;
    if !is_open(to, known) {
        return Err(Code::FIL1022 { recipient: 1 });
    }
    Ok(Way { to: to.clone(), number: 1, order: order.clone() })
}

fn carries(order: &Order, name: &Name) -> bool {
    order.pattern.as_ref().is_none_or(|pattern| fits(pattern, name.spelt()))
}

/// Disabled; an end that has passed was judged where the users were read.
fn is_open(user: &User, known: &Known<'_>) -> bool {
    !user.disabled && user.environment == known.sender.environment
}

/// The ways of a file whose sender names the recipients, each by the order of the pair, and what is wrong with the others.
fn named(trigger: &Trigger, known: &Known<'_>) -> (Vec<Way>, Vec<Code>) {
    let (mut ways, mut codes) = (Vec::new(), Vec::new());
    for (at, name) in trigger.recipients.iter().enumerate() {
        let recipient = at + 1;
        // Unknown, of another environment, and not agreed are told alike: nobody learns who exists.
        let unknown = Code::FIL1021 { recipient };
        let Some(to) = known.users.iter().find(|user| user.name == *name && user.environment == known.sender.environment) else {
            codes.push(unknown);
            continue;
        };
        let of_pair: Vec<&Order> =
            known.orders.iter().filter(|order| order.recipient == to.id && carries(order, known.name)).collect();
        let for_inf_ref = |routing: &Routing| -> Vec<&Order> {
            of_pair.iter().copied().filter(|order| is_for(order, routing, known.users)).collect()
        };
        // An order for the InfRef goes before one for names of files; either is for the authorities that the trigger names.
        let orders = match trigger.routing.as_ref().map(for_inf_ref) {
            Some(orders) if !orders.is_empty() => orders,
            _ => {
                let between =
                    |order: &Order| trigger.routing.as_ref().is_none_or(|routing| is_between(order, routing, known.users));
                of_pair.into_iter().filter(|order| order.inf_ref.is_none() && between(order)).collect()
            }
        };
        let on = trigger.routing.as_ref().map_or(known.today, |routing| routing.on);
        match only(&orders, on, known.today) {
            Ok(Some(_)) if !is_open(to, known) => codes.push(Code::FIL1022 { recipient }),
            Ok(Some(order)) => ways.push(Way { to: to.clone(), number: recipient, order: order.clone() }),
            Ok(None) => codes.push(unknown),
            Err(code) => codes.push(code),
        }
    }
    (ways, codes)
}
