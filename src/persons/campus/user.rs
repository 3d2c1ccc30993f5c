//! A person as Campus has it: a SCIM user (RFC 7643), whose attributes are those that are handed on and no other.
//!
//! One user a running number. `externalId` is the number. Of several employments one fills the attributes that a user has once; all
//! stand in the extension [`EXTENSION`]. What Campus keeps of a user beside that (roles, its own settings) is never touched: a change
//! names each attribute that differs, and nothing else.

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use crate::persons::outbox::Handed;

/// SCIM's user.
pub const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The extension for organisations.
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// What SCIM lacks.
pub const EXTENSION: &str = "urn:hjemmel:params:scim:schemas:extension:campus:1.0:User";
/// A change (RFC 7644, 3.5.2).
pub const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// An attribute: its schema (none: the core's), its name, and the part of it that is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct At(Option<&'static str>, &'static str, Option<&'static str>);

/// Each attribute that is handed on.
const OURS: [At; 15] = [
    At(None, "externalId", None),
    At(None, "userName", None),
    At(None, "name", Some("givenName")),
    At(None, "name", Some("familyName")),
    At(None, "displayName", None),
    At(None, "title", None),
    At(None, "active", None),
    At(Some(ENTERPRISE), "employeeNumber", None),
    At(Some(ENTERPRISE), "organization", None),
    At(Some(ENTERPRISE), "department", None),
    At(Some(ENTERPRISE), "manager", Some("value")),
    At(Some(EXTENSION), "sex", None),
    At(Some(EXTENSION), "birthDate", None),
    At(Some(EXTENSION), "nationality", None),
    At(Some(EXTENSION), "employments", None),
];
/// Of these the value of type `work` is ours, and others are the user's own.
const AT_WORK: [&str; 2] = ["emails", "phoneNumbers"];

impl At {
    fn path(self) -> String {
        let schema = self.0.map(|schema| format!("{schema}:")).unwrap_or_default();
        let part = self.2.map(|part| format!(".{part}")).unwrap_or_default();
        format!("{schema}{}{part}", self.1)
    }

    fn of(self, user: &Value) -> Option<&Value> {
        let holder = match self.0 {
            Some(schema) => member(user, schema)?,
            None => user,
        };
        let value = member(holder, self.1)?;
        let value = match self.2 {
            Some(part) => member(value, part)?,
            None => value,
        };
        (!value.is_null()).then_some(value)
    }

    /// Puts the value there, or takes away what is there.
    fn put(self, user: &mut Map<String, Value>, value: Option<Value>) {
        let put = |holder: &mut Map<String, Value>, name: &str| match value {
            Some(value) => drop(holder.insert(name.to_owned(), value)),
            None => drop(holder.remove(name)),
        };
        let whole = |holder: &mut Map<String, Value>| match self.2 {
            Some(part) => within(holder, self.1, |holder| put(holder, part)),
            None => put(holder, self.1),
        };
        match self.0 {
            Some(schema) => within(user, schema, whole),
            None => whole(user),
        }
    }
}

/// Does something to the object of this name; made, or made anew where it is none.
fn within(holder: &mut Map<String, Value>, name: &str, change: impl FnOnce(&mut Map<String, Value>)) {
    let mut inner = match holder.remove(name) {
        Some(Value::Object(inner)) => inner,
        _ => Map::new(),
    };
    change(&mut inner);
    if !inner.is_empty() {
        holder.insert(name.to_owned(), Value::Object(inner));
    }
}

/// A member of an object. Names of attributes are compared without their case (RFC 7643, 2.1).
pub fn member<'v>(object: &'v Value, name: &str) -> Option<&'v Value> {
    let object = object.as_object()?;
    object.get(name).or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// Whether an employment holds on this day.
fn is_active(employment: &Handed, today: Date) -> bool {
    employment.inactive_from.is_none_or(|from| from > today)
}

/// The next day on which one of the employments ends.
pub fn wakes(employments: &[Handed], today: Date) -> Option<Date> {
    employments.iter().filter_map(|employment| employment.inactive_from).filter(|from| *from > today).min()
}

/// The employment that fills what a user has once: one that is active, then the oldest.
pub fn first(employments: &[Handed], today: Date) -> Option<&Handed> {
    employments.iter().min_by_key(|one| {
        let since = one.employed_from.unwrap_or(Date::MAX);
        (!is_active(one, today), since, one.authority.as_str(), one.institution.as_str(), one.staff_number.as_str())
    })
}

/// The user that a person is on this day. `manager`: Campus's id of the first employment's manager, where it is known. `extension`:
/// whether Campus knows [`EXTENSION`]; a server that does not refuses it.
pub fn user(employments: &[Handed], manager: Option<&str>, today: Date, extension: bool) -> Option<Value> {
    let first = first(employments, today)?;
    let text = |value: Option<&str>| value.filter(|text| !text.is_empty()).map(|text| Value::String(text.to_owned()));
    let day = |day: Option<Date>| day.map(|day| Value::String(day.to_string()));
    let number = first.number.to_string();
    let both = [first.first_names.as_deref(), first.surname.as_deref()];
    let display = both.into_iter().flatten().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(" ");
    let values: [Option<Value>; OURS.len()] = [
        text(Some(&number)),
        text(first.user_name.as_deref()).or_else(|| text(Some(&number))),
        text(first.first_names.as_deref()),
        text(first.surname.as_deref()),
        text(Some(&display)),
        text(first.job_title.as_deref()),
        Some(Value::Bool(employments.iter().any(|one| is_active(one, today)))),
        text(Some(&first.staff_number)),
        text(Some(&first.institution)),
        text(Some(&first.department)),
        text(manager),
        text(first.sex.as_deref()),
        day(first.birth_date),
        text(first.nationality.as_deref()),
        Some(Value::Array(employments.iter().map(|one| employment(one, today)).collect())),
    ];
    let mut user = Map::new();
    for (at, value) in OURS.into_iter().zip(values).filter(|(at, _)| extension || at.0 != Some(EXTENSION)) {
        at.put(&mut user, value);
    }
    for (name, value) in AT_WORK.into_iter().zip([&first.email, &first.phone]) {
        if let Some(value) = text(value.as_deref()) {
            user.insert(name.to_owned(), json!([at_work(name, value)]));
        }
    }
    name_schemas(&mut user);
    Some(Value::Object(user))
}

/// What is left of a user who cannot be deleted: the running number, a name that says so and is nobody's, and that it is not active.
pub fn emptied(number: i64) -> Value {
    json!({"schemas": [CORE], "externalId": number.to_string(), "userName": format!("slettet-{number}"), "active": false})
}

/// Names in `schemas` what the user has.
fn name_schemas(user: &mut Map<String, Value>) {
    let mut schemas: Vec<Value> = user.get("schemas").and_then(Value::as_array).cloned().unwrap_or_default();
    let has = [CORE, ENTERPRISE, EXTENSION].into_iter().filter(|schema| *schema == CORE || user.contains_key(*schema));
    for schema in has.map(Value::from) {
        if !schemas.contains(&schema) {
            schemas.push(schema);
        }
    }
    user.insert("schemas".to_owned(), Value::Array(schemas));
}

fn at_work(name: &str, value: Value) -> Value {
    // A user's first e-mail at work is the one that is written to.
    if name == "emails" {
        json!({"value": value, "type": "work", "primary": true})
    } else {
        json!({"value": value, "type": "work"})
    }
}

fn employment(one: &Handed, today: Date) -> Value {
    let text = |value: &Option<String>| value.clone().filter(|text| !text.is_empty()).map(Value::String);
    let day = |day: Option<Date>| day.map(|day| Value::String(day.to_string()));
    let members = [
        ("authority", Some(Value::String(one.authority.clone()))),
        ("institution", Some(Value::String(one.institution.clone()))),
        ("department", Some(Value::String(one.department.clone()))),
        ("staffNumber", Some(Value::String(one.staff_number.clone()))),
        ("active", Some(Value::Bool(is_active(one, today)))),
        ("municipality", text(&one.municipality)),
        ("collectiveAgreement", text(&one.collective_agreement)),
        ("payFrame", text(&one.pay_frame)),
        ("position", text(&one.position)),
        ("employedFrom", day(one.employed_from)),
        ("inactiveFrom", day(one.inactive_from)),
        ("class", text(&one.class)),
        ("job", text(&one.job)),
        ("jobTitle", text(&one.job_title)),
        ("managerNumber", one.manager.map(|manager| Value::String(manager.to_string()))),
        ("managerStaffNumber", text(&one.manager_staff_number)),
        ("ean", text(&one.ean)),
    ];
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>().into()
}

/// One difference: the attribute's path, and its value; none: it is to be absent.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    at: Place,
    value: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    One(At),
    AtWork(&'static str),
}

/// What of `there`, the user as Campus has it, is not as in `wanted`.
pub fn differences(there: &Value, wanted: &Value) -> Vec<Difference> {
    let ones = OURS.into_iter().filter_map(|at| {
        let (is, should) = (at.of(there), at.of(wanted));
        let same = match (is, should) {
            (Some(is), Some(should)) => alike(is, should),
            (is, should) => is.is_none() && should.is_none(),
        };
        (!same).then(|| Difference { at: Place::One(at), value: should.cloned() })
    });
    let lists = AT_WORK.into_iter().filter_map(|name| {
        let is: &[Value] = member(there, name).and_then(Value::as_array).map_or(&[], Vec::as_slice);
        let should: &[Value] = member(wanted, name).and_then(Value::as_array).map_or(&[], Vec::as_slice);
        let is_ours =
            |value: &&Value| member(value, "type").and_then(Value::as_str).is_some_and(|of| of.eq_ignore_ascii_case("work"));
        let texts = |values: Vec<&Value>| values.iter().filter_map(|value| member(value, "value").cloned()).collect::<Vec<_>>();
        let (ours, others): (Vec<&Value>, Vec<&Value>) = is.iter().partition(is_ours);
        if texts(ours) == texts(should.iter().collect()) {
            return None;
        }
        let mut all: Vec<Value> = should.to_vec();
        all.extend(others.into_iter().cloned().map(|mut other| {
            // Two that are primary are refused.
            if !should.is_empty()
                && let Some(other) = other.as_object_mut()
            {
                other.remove("primary");
            }
            other
        }));
        Some(Difference { at: Place::AtWork(name), value: (!all.is_empty()).then_some(Value::Array(all)) })
    });
    ones.chain(lists).collect()
}

/// Whether two values are one: of objects what the second has, of lists in any order.
fn alike(is: &Value, should: &Value) -> bool {
    match (is, should) {
        (Value::Object(_), Value::Object(wanted)) => {
            let has = |(name, value): (&String, &Value)| member(is, name).is_some_and(|is| alike(is, value));
            // What is there and should not be: an attribute of ours that was cleared.
            let extra = is.as_object().is_some_and(|is| is.keys().any(|key| member(should, key).is_none()));
            wanted.iter().all(has) && !extra
        }
        (Value::Array(is), Value::Array(should)) => {
            is.len() == should.len() && should.iter().all(|value| is.iter().any(|is| alike(is, value)))
        }
        (is, should) => is == should,
    }
}

/// The body of a PATCH that makes these differences: each is replaced or removed, and nothing is added, so that the same twice is as
/// once.
pub fn patch(differences: &[Difference]) -> Value {
    let operation = |difference: &Difference| {
        let path = match difference.at {
            // The manager is written as a whole: a part of what is not there yet cannot be replaced everywhere.
            Place::One(At(Some(schema), "manager", _)) => format!("{schema}:manager"),
            Place::One(at) => at.path(),
            Place::AtWork(name) => name.to_owned(),
        };
        match (&difference.value, difference.at) {
            (None, _) => json!({"op": "remove", "path": path}),
            (Some(value), Place::One(At(_, "manager", _))) => json!({"op": "replace", "path": path, "value": {"value": value}}),
            (Some(value), _) => json!({"op": "replace", "path": path, "value": value}),
        }
    };
    json!({"schemas": [PATCH], "Operations": differences.iter().map(operation).collect::<Vec<_>>()})
}

/// The whole user with these differences made, for a server that knows no PATCH.
pub fn replaced(there: &Value, differences: &[Difference]) -> Value {
    let mut user = there.as_object().cloned().unwrap_or_default();
    // The server's own.
    user.remove("meta");
    for difference in differences {
        match (difference.at, &difference.value) {
            (Place::One(at), value) => at.put(&mut user, value.clone()),
            (Place::AtWork(name), Some(value)) => {
                user.insert(name.to_owned(), value.clone());
            }
            (Place::AtWork(name), None) => {
                user.remove(name);
            }
        }
    }
    name_schemas(&mut user);
    Value::Object(user)
}
