//! A service's folder, loaded whole: `service.toml`, the WSDLs, the schemas, and how they fit each other.

use std::collections::BTreeSet;
use std::path::Path as FilePath;
use std::sync::Arc;

use super::documents;
use super::path::Path;
use super::settings::{self, Offered, Placed, Settings};
use super::wsdl::{self, Name, Operation, Security, Wsdl};
use crate::schema::compile::Schema;
use crate::schema::inspect::Inspected;
use crate::schema::meaning::Meaning;
use crate::schema::source::{self, Problem, Sources};
use crate::soap::names::AUTHORITY_CONTEXT;

/// A binding that is offered: its operations, and what their messages must look like.
#[derive(Debug, Clone)]
pub struct Contract {
    /// How a caller proves who it is.
    pub security: Security,
    /// The operations.
    pub wsdl: Wsdl,
    /// The schema of every request, answer and header.
    pub schema: Schema,
    /// The documents that the schema was made of.
    pub documents: Vec<String>,
}

/// A service that is ready to be offered.
#[derive(Debug, Clone)]
pub struct Folder {
    /// What `service.toml` says.
    pub settings: Settings,
    /// The bindings, one or two.
    pub contracts: Vec<Contract>,
    /// What is odd, yet keeps nobody from offering the service.
    pub warnings: Vec<Problem>,
}

impl Folder {
    /// SHA-256 of its contracts, in hexadecimal: another as soon as a schema of one is another.
    pub fn digest(&self) -> String {
        let mut digests: Vec<_> = self.contracts.iter().map(|contract| contract.schema.digest()).collect();
        digests.sort();
        crate::hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, digests.concat().as_bytes()).as_ref())
    }

    /// What it lets pass.
    pub fn meaning(&self) -> Meaning {
        let mut all = Sources::default();
        for sources in self.contracts.iter().map(|contract| contract.schema.sources()) {
            for path in sources.paths() {
                sources.get(path).into_iter().for_each(|text| all.add(path, text.clone()));
            }
        }
        let mut meaning = Meaning::of(&all);
        for contract in &self.contracts {
            for operation in &contract.wsdl.operations {
                let headers = operation.request_headers.iter().chain(&operation.answer_headers);
                let faults = operation.faults.iter().map(|fault| &fault.element);
                let names = [&operation.request, &operation.answer].into_iter().chain(headers).chain(faults);
                let names = names.map(|name| (name.namespace.as_str(), name.local.as_str()));
                meaning = meaning.with(&passing(contract.security, &operation.name), names);
            }
        }
        meaning
    }
}

/// An operation of one binding, as agreements are bound to it.
pub fn passing(security: Security, operation: &str) -> String {
    format!("{operation} ({})", security.name())
}

impl Contract {
    /// The operation of a request: by its body's element, and by the action where two have the same.
    pub fn operation(&self, namespace: &str, local: &str, action: Option<&str>) -> Option<&Operation> {
        let is = |operation: &&Operation| operation.request.namespace == namespace && operation.request.local == local;
        let same: Vec<&Operation> = self.wsdl.operations.iter().filter(is).collect();
        match same.as_slice() {
            [one] => Some(one),
            several => several.iter().find(|operation| action.is_some() && operation.action.as_deref() == action).copied(),
        }
    }
}

/// Loads a folder.
///
/// # Errors
/// Everything that keeps it from being offered, by file and line.
pub fn load(folder: &FilePath) -> Result<Folder, Vec<Problem>> {
    let (offered, settings) = settings::read(folder);
    let (mut problems, settings) = match settings {
        Ok(settings) => (Vec::new(), Some(settings)),
        Err(problems) => (problems, None),
    };
    let mut contracts = Vec::new();
    match Sources::read(folder) {
        Ok(sources) => {
            for binding in &offered {
                match contract(&sources, binding) {
                    Ok(contract) => contracts.push(contract),
                    Err(more) => problems.extend(more),
                }
            }
        }
        Err(more) => problems.extend(more),
    }
    let mut warnings: Vec<Problem> = contracts.iter().flat_map(|(contract, _)| contract.wsdl.warnings.clone()).collect();
    if let Some(settings) = &settings
        && contracts.len() == offered.len()
    {
        places(settings, &contracts, &mut problems);
        warnings.extend(differing(&contracts));
    }
    let contracts = contracts.into_iter().map(|(contract, _)| contract).collect();
    match settings {
        Some(settings) if problems.is_empty() => Ok(Folder { settings, contracts, warnings: once(warnings) }),
        _ => Err(once(problems)),
    }
}

/// Without what is there twice, for two WSDLs share most of their documents.
fn once(problems: Vec<Problem>) -> Vec<Problem> {
    let mut seen = BTreeSet::new();
    problems.into_iter().filter(|problem| seen.insert(problem.to_string())).collect()
}

fn contract(sources: &Sources, offered: &Offered) -> Result<(Contract, Inspected), Vec<Problem>> {
    let path = &offered.wsdl.value;
    if sources.get(path).is_none() {
        return Err(vec![Problem {
            file: settings::FILE.to_owned(),
            line: Some(offered.wsdl.line),
            what: format!("{}.wsdl names {path}, which is not in the folder.", offered.security.name()),
            remedy: "Write the path of the WSDL, from the folder down, with / between its parts.".to_owned(),
        }]);
    }
    let mut sources = sources.clone();
    let (schemas, read) = wsdl::read(&mut sources, path, offered.binding.as_deref());
    let mut problems = missing(&sources, path);
    let sources = Arc::new(sources);
    // The names of all that is missing say more than what the schema is without it.
    let schema = if problems.is_empty() {
        let schema = Schema::inspected(sources, schemas);
        schema.map_err(|told| problems.extend(told.into_iter().map(in_file))).ok()
    } else {
        None
    };
    let wsdl = read.map_err(|told| problems.extend(told)).ok();
    let (Some(mut wsdl), Some((schema, inspected))) = (wsdl, schema) else { return Err(once(problems)) };
    if let Some(said) = wsdl.security.filter(|said| *said != offered.security) {
        problems.push(Problem {
            file: settings::FILE.to_owned(),
            line: Some(offered.wsdl.line),
            what: format!("[{}] names {path}, whose WS-Policy is for {}.", offered.security.name(), said.name()),
            remedy: format!("Name it under [{}], or name the WSDL for {}.", said.name(), offered.security.name()),
        });
    }
    elements(&mut wsdl, &inspected, &mut problems);
    if problems.is_empty() {
        let mut documents: Vec<String> =
            inspected.documents().iter().map(|document| documents::file_of(document).to_owned()).collect();
        documents.dedup();
        Ok((Contract { security: offered.security, wsdl, schema, documents }, inspected))
    } else {
        Err(problems)
    }
}

fn in_file(problem: Problem) -> Problem {
    let file = documents::file_of(&problem.file).to_owned();
    Problem { file, ..problem }
}

/// Every document that is included or imported and is not in the folder.
fn missing(sources: &Sources, path: &str) -> Vec<Problem> {
    let (mut problems, mut seen, mut next) = (Vec::new(), BTreeSet::new(), vec![path.to_owned()]);
    while let Some(path) = next.pop() {
        let Some(document) = sources.get(&path).and_then(|text| source::parse(text).ok()) else { continue };
        if !seen.insert(path.clone()) {
            continue;
        }
        for (line, location) in documents::links(&document) {
            match Sources::resolve(&path, &location) {
                Some(found) if sources.get(&found).is_some() => next.push(found),
                found => problems.push(documents::absent(&path, line, found, &location)),
            }
        }
    }
    problems
}

/// Every element that a message has must be declared. A fault whose element is not can never be validated, so it is only
/// said: it is not passed on as a declared one.
fn elements(wsdl: &mut Wsdl, schema: &Inspected, problems: &mut Vec<Problem>) {
    let declared = |name: &Name| schema.declares(&name.namespace, &name.local);
    for operation in &mut wsdl.operations {
        let bodies = [("request", &operation.request), ("answer", &operation.answer)];
        let headers = operation.request_headers.iter().chain(&operation.answer_headers).map(|name| ("header", name));
        for (side, name) in bodies.into_iter().chain(headers).filter(|(_, name)| !declared(name)) {
            problems.push(Problem {
                file: operation.place.0.clone(),
                line: Some(operation.place.1),
                what: format!("No schema declares {name}, the {side} of {}.", operation.name),
                remedy: "Import the schema that declares it, or correct its name.".to_owned(),
            });
        }
        let request = (operation.request.namespace.as_str(), operation.request.local.as_str());
        operation.contexts = schema.holds(request, (AUTHORITY_CONTEXT, "AuthorityContext"));
        operation.faults.retain(|fault| {
            let known = declared(&fault.element);
            if !known {
                wsdl.warnings.push(Problem {
                    file: fault.place.0.clone(),
                    line: Some(fault.place.1),
                    what: format!("No schema declares {}, the fault {} of {}.", fault.element, fault.name, operation.name),
                    remedy: "It cannot be validated, so a caller gets its code and call id only, never its content.".to_owned(),
                });
            }
            known
        });
    }
}

/// Each path of `service.toml` must lead somewhere in the schema of a message.
fn places(settings: &Settings, contracts: &[(Contract, Inspected)], problems: &mut Vec<Problem>) {
    let lists = [("receiver", &settings.receiver_paths, false), ("idempotency", &settings.idempotency, false)];
    for (key, paths, answers) in lists.into_iter().chain([("persons", &settings.persons, true)]) {
        let mut roots = BTreeSet::new();
        for path in paths {
            if let Some((what, remedy)) = place(&path.value, contracts, answers) {
                problems.push(problem(path, format!("paths.{key}: {what}"), remedy));
            } else if !answers && !roots.insert(path.value.root()) {
                let what = format!("paths.{key} has two paths for {}.", path.value.root());
                problems.push(problem(path, what, "Keep the one that holds it."));
            }
        }
    }
}

fn problem(path: &Placed<Path>, what: String, remedy: &str) -> Problem {
    Problem { file: settings::FILE.to_owned(), line: Some(path.line), what, remedy: remedy.to_owned() }
}

fn place(path: &Path, contracts: &[(Contract, Inspected)], answers: bool) -> Option<(String, &'static str)> {
    let mut unknown = None;
    for (contract, schema) in contracts {
        for operation in &contract.wsdl.operations {
            let answer = Some(&operation.answer).filter(|_| answers);
            let faults = operation.faults.iter().map(|fault| &fault.element).filter(|_| answers);
            for name in [&operation.request].into_iter().chain(answer).chain(faults).filter(|name| name.local == path.root()) {
                match schema.follow((&name.namespace, &name.local), path.below(), path.attribute()) {
                    Ok(()) => return None,
                    Err(name) => unknown = Some(name.to_owned()),
                }
            }
        }
    }
    Some(match unknown {
        Some(name) => (
            format!("in {path} the schema has no {name} where it stands."),
            "Correct the path by the XSD; it is made of local names, from the body's element down.",
        ),
        None => (
            format!("no message begins with {}.", path.root()),
            "Begin the path with the element of a request or an answer, as the WSDL names it.",
        ),
    })
}

/// Operations that only one of two bindings has.
fn differing(contracts: &[(Contract, Inspected)]) -> Vec<Problem> {
    let [(one, _), (other, _)] = contracts else { return Vec::new() };
    let lacking = |from: &Contract, of: &Contract| {
        let has = |name: &str| of.wsdl.operations.iter().any(|operation| operation.name == name);
        let (file, binding) = (of.wsdl.path.clone(), of.security.name());
        from.wsdl
            .operations
            .iter()
            .filter(|operation| !has(&operation.name))
            .map(|operation| Problem {
                file: file.clone(),
                line: None,
                what: format!("It does not have the operation {}, which the other binding has.", operation.name),
                remedy: format!("It is not offered with {binding}."),
            })
            .collect::<Vec<_>>()
    };
    [lacking(one, other), lacking(other, one)].concat()
}
