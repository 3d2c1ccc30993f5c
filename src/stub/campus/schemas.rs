//! The schemas of the stub: RFC 7643's user, its enterprise extension, and the gateway's own extension; and what a resource must be
//! by them.

use serde_json::{Map, Value, json};

use super::Refusal;

pub const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const CAMPUS: &str = "urn:hjemmel:params:scim:schemas:extension:campus:1.0:User";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Flag,
    Reference,
    Binary,
    Complex,
}

/// An attribute's row in the table.
#[derive(Debug, Clone, Copy)]
pub struct Attribute {
    pub name: &'static str,
    pub kind: Kind,
    pub many: bool,
    pub required: bool,
    pub read_only: bool,
    /// Taken, and never shown.
    pub secret: bool,
    pub exact: bool,
    pub unique: bool,
    pub parts: &'static [Attribute],
}

const fn of(name: &'static str, kind: Kind) -> Attribute {
    let no = false;
    Attribute { name, kind, many: no, required: no, read_only: no, secret: no, exact: no, unique: no, parts: &[] }
}

const fn text(name: &'static str) -> Attribute {
    of(name, Kind::Text)
}

const fn complex(name: &'static str, parts: &'static [Attribute]) -> Attribute {
    Attribute { parts, ..of(name, Kind::Complex) }
}

const fn many(name: &'static str, parts: &'static [Attribute]) -> Attribute {
    Attribute { many: true, ..complex(name, parts) }
}

const VALUES: &[Attribute] = &[text("value"), text("display"), text("type"), of("primary", Kind::Flag)];
const PHOTOS: &[Attribute] = &[of("value", Kind::Reference), text("display"), text("type"), of("primary", Kind::Flag)];
const CERTIFICATES: &[Attribute] = &[of("value", Kind::Binary), text("display"), text("type"), of("primary", Kind::Flag)];
const NAME: &[Attribute] = &[
    text("formatted"),
    text("familyName"),
    text("givenName"),
    text("middleName"),
    text("honorificPrefix"),
    text("honorificSuffix"),
];
const ADDRESS: &[Attribute] = &[
    text("formatted"),
    text("streetAddress"),
    text("locality"),
    text("region"),
    text("postalCode"),
    text("country"),
    text("type"),
    of("primary", Kind::Flag),
];
const GROUP: &[Attribute] = &[
    Attribute { read_only: true, ..text("value") },
    Attribute { read_only: true, ..of("$ref", Kind::Reference) },
    Attribute { read_only: true, ..text("display") },
    Attribute { read_only: true, ..text("type") },
];
const MANAGER: &[Attribute] = &[text("value"), of("$ref", Kind::Reference), Attribute { read_only: true, ..text("displayName") }];
const EMPLOYMENT: &[Attribute] = &[
    text("authority"),
    text("institution"),
    text("department"),
    text("staffNumber"),
    of("active", Kind::Flag),
    text("municipality"),
    text("collectiveAgreement"),
    text("payFrame"),
    text("position"),
    text("employedFrom"),
    text("inactiveFrom"),
    text("class"),
    text("job"),
    text("jobTitle"),
    text("managerNumber"),
    text("managerStaffNumber"),
    text("ean"),
];

const USER: &[Attribute] = &[
    Attribute { required: true, unique: true, ..text("userName") },
    complex("name", NAME),
    text("displayName"),
    text("nickName"),
    of("profileUrl", Kind::Reference),
    text("title"),
    text("userType"),
    text("preferredLanguage"),
    text("locale"),
    text("timezone"),
    of("active", Kind::Flag),
    Attribute { secret: true, ..text("password") },
    many("emails", VALUES),
    many("phoneNumbers", VALUES),
    many("ims", VALUES),
    many("photos", PHOTOS),
    many("addresses", ADDRESS),
    Attribute { read_only: true, ..many("groups", GROUP) },
    many("entitlements", VALUES),
    many("roles", VALUES),
    many("x509Certificates", CERTIFICATES),
];
const ENTERPRISE_USER: &[Attribute] = &[
    text("employeeNumber"),
    text("costCenter"),
    text("organization"),
    text("division"),
    text("department"),
    complex("manager", MANAGER),
];
const CAMPUS_USER: &[Attribute] = &[text("sex"), text("birthDate"), text("nationality"), many("employments", EMPLOYMENT)];

/// What every resource has (RFC 7643, 3.1).
const COMMON: &[Attribute] =
    &[Attribute { read_only: true, exact: true, ..text("id") }, Attribute { exact: true, ..text("externalId") }];

/// Each schema: its URN, its name, its attributes.
pub const SCHEMAS: [(&str, &str, &[Attribute]); 3] =
    [(CORE, "User", USER), (ENTERPRISE, "EnterpriseUser", ENTERPRISE_USER), (CAMPUS, "CampusUser", CAMPUS_USER)];

/// The schema in which a name without a URN is looked for.
pub fn core(name: &str) -> Option<&'static Attribute> {
    named(COMMON, name).or_else(|| named(USER, name))
}

/// The attribute of this name.
pub fn named(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// The extension with this URN.
pub fn extension(urn: &str) -> Option<(&'static str, &'static [Attribute])> {
    let of = SCHEMAS.into_iter().skip(1).find(|(own, ..)| own.eq_ignore_ascii_case(urn));
    of.map(|(urn, _, attributes)| (urn, attributes))
}

fn shown(attribute: &Attribute) -> Value {
    let mut of = json!({
        "name": attribute.name,
        "type": match attribute.kind {
            Kind::Text => "string",
            Kind::Flag => "boolean",
            Kind::Reference => "reference",
            Kind::Binary => "binary",
            Kind::Complex => "complex",
        },
        "multiValued": attribute.many,
        "description": attribute.name,
        "required": attribute.required,
        "caseExact": attribute.exact,
        "mutability": if attribute.read_only { "readOnly" } else if attribute.secret { "writeOnly" } else { "readWrite" },
        "returned": if attribute.secret { "never" } else { "default" },
        "uniqueness": if attribute.unique { "server" } else { "none" },
    });
    if let Some(of) = of.as_object_mut() {
        if attribute.kind == Kind::Complex {
            of.insert("subAttributes".to_owned(), attribute.parts.iter().map(shown).collect());
        }
        if attribute.kind == Kind::Reference {
            let kinds = if attribute.name == "$ref" { json!(["User", "Group"]) } else { json!(["external"]) };
            of.insert("referenceTypes".to_owned(), kinds);
        }
    }
    of
}

/// The document of each schema.
pub fn documents(base: &str) -> Vec<Value> {
    let document = |(urn, name, attributes): (&str, &str, &[Attribute])| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": urn,
            "name": name,
            "description": name,
            "attributes": attributes.iter().map(shown).collect::<Vec<_>>(),
            "meta": {"resourceType": "Schema", "location": format!("{base}/Schemas/{urn}")},
        })
    };
    SCHEMAS.into_iter().map(document).collect()
}

/// The document of the one kind of resource.
pub fn resource_type(base: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": "User",
        "name": "User",
        "endpoint": "/Users",
        "description": "User",
        "schema": CORE,
        "schemaExtensions": [
            {"schema": ENTERPRISE, "required": false},
            {"schema": CAMPUS, "required": false},
        ],
        "meta": {"resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/User")},
    })
}

/// What the server can.
pub fn provider(base: &str, patch: bool) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "documentationUri": "https://hjemmel.example/",
        "patch": {"supported": patch},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": super::MOST},
        "changePassword": {"supported": false},
        "sort": {"supported": false},
        "etag": {"supported": true},
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "RFC 6750",
        }],
        "meta": {"resourceType": "ServiceProviderConfig", "location": format!("{base}/ServiceProviderConfig")},
    })
}

/// A resource as it is kept: names as the schema writes them, without what is not assigned and what the server alone sets.
pub fn shaped(given: &Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let mut kept = Map::new();
    for (name, value) in given {
        if ["schemas", "meta", "id"].iter().any(|own| own.eq_ignore_ascii_case(name)) {
            continue;
        }
        if let Some((urn, attributes)) = extension(name) {
            let given = value.as_object().ok_or_else(|| Refusal::invalid("an extension is an object"))?;
            let part = parts(given, attributes)?;
            if !part.is_empty() {
                kept.insert(urn.to_owned(), Value::Object(part));
            }
            continue;
        }
        let attribute = core(name).ok_or_else(|| Refusal::invalid(format!("no schema has the attribute {name}")))?;
        if let Some(value) = shape(attribute, value)? {
            kept.insert(attribute.name.to_owned(), value);
        }
    }
    if !kept.contains_key("userName") {
        return Err(Refusal::invalid("userName is missing"));
    }
    Ok(kept)
}

fn parts(given: &Map<String, Value>, attributes: &'static [Attribute]) -> Result<Map<String, Value>, Refusal> {
    let mut kept = Map::new();
    for (name, value) in given {
        let attribute = named(attributes, name).ok_or_else(|| Refusal::invalid(format!("no schema has the attribute {name}")))?;
        if let Some(value) = shape(attribute, value)? {
            kept.insert(attribute.name.to_owned(), value);
        }
    }
    Ok(kept)
}

/// A value as it is kept; none where it is not assigned, or the server's own.
pub fn shape(attribute: &'static Attribute, value: &Value) -> Result<Option<Value>, Refusal> {
    if attribute.read_only || value.is_null() {
        return Ok(None);
    }
    if !attribute.many {
        return one(attribute, value);
    }
    let values = value.as_array().ok_or_else(|| Refusal::invalid(format!("{} is a list", attribute.name)))?;
    let mut kept = Vec::with_capacity(values.len());
    for value in values {
        kept.extend(one(attribute, value)?);
    }
    if kept.iter().filter(|value| value.get("primary") == Some(&Value::Bool(true))).count() > 1 {
        return Err(Refusal::invalid(format!("two of {} are primary", attribute.name)));
    }
    Ok((!kept.is_empty()).then_some(Value::Array(kept)))
}

fn one(attribute: &'static Attribute, value: &Value) -> Result<Option<Value>, Refusal> {
    let wrong = || Refusal::invalid(format!("{} has a value of another type", attribute.name));
    match (attribute.kind, value) {
        (Kind::Complex, Value::Object(given)) => {
            let kept = parts(given, attribute.parts)?;
            Ok((!kept.is_empty()).then_some(Value::Object(kept)))
        }
        (Kind::Flag, Value::Bool(_)) => Ok(Some(value.clone())),
        (Kind::Text | Kind::Reference | Kind::Binary, Value::String(text)) if text.len() <= 10_000 => Ok(Some(value.clone())),
        _ => Err(wrong()),
    }
}
