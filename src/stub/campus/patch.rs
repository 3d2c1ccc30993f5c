//! Changes of a user (RFC 7644, 3.5.2).

use serde_json::{Map, Value};

use super::Refusal;
use super::path::{Path, path};
use super::schemas::{Attribute, shape};

/// The most operations of one change.
const MOST: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Add,
    Replace,
    Remove,
}

/// Applies a change; nothing is changed where one of its operations is refused.
pub fn apply(user: &Map<String, Value>, body: &Value) -> Result<Map<String, Value>, Refusal> {
    let syntax = |what: &str| Refusal::of(400, "invalidSyntax", what);
    let operations = body.as_object().and_then(|body| {
        body.iter().find(|(name, _)| name.eq_ignore_ascii_case("Operations")).and_then(|(_, operations)| operations.as_array())
    });
    let operations = operations.filter(|operations| !operations.is_empty() && operations.len() <= MOST);
    let operations = operations.ok_or_else(|| syntax("there are no Operations"))?;
    let mut changed = user.clone();
    for operation in operations {
        let op = match operation.get("op").and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
            Some("add") => Op::Add,
            Some("replace") => Op::Replace,
            Some("remove") => Op::Remove,
            _ => return Err(syntax("an operation is add, replace or remove")),
        };
        let value = operation.get("value");
        match (op, operation.get("path")) {
            (Op::Remove, None) => return Err(Refusal::of(400, "noTarget", "remove needs a path")),
            (Op::Remove, Some(at)) => at_path(&mut changed, op, &read(at)?, None)?,
            (_, Some(at)) => {
                let value = value.ok_or_else(|| syntax("there is no value"))?;
                at_path(&mut changed, op, &read(at)?, Some(value))?;
            }
            (_, None) => {
                let values = value.and_then(Value::as_object).ok_or_else(|| syntax("without a path the value is an object"))?;
                for (name, value) in values.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("schemas")) {
                    at_path(&mut changed, op, &path(name)?, Some(value))?;
                }
            }
        }
    }
    Ok(changed)
}

fn read(at: &Value) -> Result<Path, Refusal> {
    path(at.as_str().ok_or_else(|| Refusal::of(400, "invalidPath", "a path is a text"))?)
}

fn at_path(user: &mut Map<String, Value>, op: Op, path: &Path, value: Option<&Value>) -> Result<(), Refusal> {
    let holder = match path.extension {
        Some(urn) => {
            let of = user.entry(urn.to_owned()).or_insert_with(|| Value::Object(Map::new()));
            of.as_object_mut().ok_or_else(|| Refusal::invalid("an extension is an object"))?
        }
        None => &mut *user,
    };
    match path.attribute {
        None => whole(holder, op, path.extension.unwrap_or_default(), value)?,
        Some(attribute) => within(holder, op, path, attribute, value)?,
    }
    if let Some(urn) = path.extension
        && user.get(urn).and_then(Value::as_object).is_some_and(Map::is_empty)
    {
        user.remove(urn);
    }
    Ok(())
}

/// An extension as a whole.
fn whole(holder: &mut Map<String, Value>, op: Op, urn: &str, value: Option<&Value>) -> Result<(), Refusal> {
    if op == Op::Remove {
        holder.clear();
        return Ok(());
    }
    let values = value.and_then(Value::as_object).ok_or_else(|| Refusal::invalid("an extension is an object"))?;
    // Clients repeat the extension's URN in it.
    for (name, value) in values.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("schemas")) {
        let one = path(&format!("{urn}:{name}"))?;
        if let Some(attribute) = one.attribute {
            within(holder, op, &one, attribute, Some(value))?;
        }
    }
    Ok(())
}

fn within(
    holder: &mut Map<String, Value>,
    op: Op,
    path: &Path,
    attribute: &'static Attribute,
    value: Option<&Value>,
) -> Result<(), Refusal> {
    if attribute.read_only || path.part.is_some_and(|part| part.read_only) {
        return Err(Refusal::of(400, "mutability", format!("{} is the server's own", attribute.name)));
    }
    if op == Op::Remove && attribute.required {
        return Err(Refusal::of(400, "mutability", format!("{} is required", attribute.name)));
    }
    match (&path.which, path.part) {
        (None, None) => {
            let new = value.map(|value| shape(attribute, value)).transpose()?.flatten();
            set(holder, op, attribute, new);
        }
        (None, Some(part)) if !attribute.many => {
            let new = value.map(|value| shape(part, value)).transpose()?.flatten();
            let of = holder.entry(attribute.name.to_owned()).or_insert_with(|| Value::Object(Map::new()));
            if let Some(of) = of.as_object_mut() {
                set(of, op, part, new);
                if of.is_empty() {
                    holder.remove(attribute.name);
                }
            }
        }
        (which, part) => {
            let mut values = holder.get(attribute.name).and_then(Value::as_array).cloned().unwrap_or_default();
            let chosen: Vec<bool> = values
                .iter()
                .map(|value| value.as_object().is_some_and(|value| which.as_ref().is_none_or(|which| which.holds(value))))
                .collect();
            if !chosen.contains(&true) && op != Op::Remove {
                return Err(Refusal::of(400, "noTarget", "no value is as the path says"));
            }
            let mut kept = Vec::new();
            for (mut is, chosen) in std::mem::take(&mut values).into_iter().zip(chosen) {
                if chosen {
                    match (part, value) {
                        (None, None) => continue,
                        (None, Some(value)) => {
                            let value = Value::Array(vec![value.clone()]);
                            let new =
                                shape(attribute, &value)?.and_then(|new| new.as_array().and_then(|new| new.first().cloned()));
                            if let (Some(is), Some(Value::Object(new))) = (is.as_object_mut(), new) {
                                is.extend(new);
                            }
                        }
                        (Some(part), value) => {
                            let new = value.map(|value| shape(part, value)).transpose()?.flatten();
                            if let Some(is) = is.as_object_mut() {
                                set(is, op, part, new);
                            }
                        }
                    }
                }
                kept.push(is);
            }
            set(holder, Op::Replace, attribute, (!kept.is_empty()).then_some(Value::Array(kept)));
        }
    }
    Ok(())
}

/// Sets an attribute. A value that is there is not added twice; parts that are not named stay.
fn set(holder: &mut Map<String, Value>, op: Op, attribute: &Attribute, new: Option<Value>) {
    let Some(new) = new else {
        // To replace by nothing is to remove.
        if op != Op::Add {
            holder.remove(attribute.name);
        }
        return;
    };
    match (op, holder.get_mut(attribute.name), new) {
        (Op::Add, Some(Value::Array(is)), Value::Array(new)) => {
            for value in new {
                if !is.contains(&value) {
                    if value.get("primary") == Some(&Value::Bool(true)) {
                        // The new one takes its place (RFC 7644, 3.5.2).
                        is.iter_mut().filter_map(Value::as_object_mut).for_each(|is| drop(is.remove("primary")));
                    }
                    is.push(value);
                }
            }
        }
        (_, Some(Value::Object(is)), Value::Object(new)) => is.extend(new),
        (_, _, new) => drop(holder.insert(attribute.name.to_owned(), new)),
    }
}
