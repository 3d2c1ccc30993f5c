//! From a folder's documents to a schema that can judge, or to what stands in its way.

use aws_lc_rs::digest::{Context, SHA256};
use std::collections::HashSet;
use std::sync::Arc;

use xsd_schema::ids::ComplexTypeKey;
use xsd_schema::parser::frames::{ComplexContentResult, DerivationMethod, particle_is_explicit_empty};
use xsd_schema::validation::{SchemaValidator, ValidationFlags};
use xsd_schema::{SchemaError, SchemaSet, SchemaSetBuilder, TypeKey, XmlTypeCode};

use super::accept::Accepted;
use super::guard;
use super::model::Model;
use super::source::{FolderLoader, Problem, Sources};

/// A schema and what is known of it. It belongs to one thread: its table of names is not shared.
pub(super) struct Compiled {
    pub(super) set: SchemaSet,
    /// How many names the schema itself has; a name with a higher number came with a message.
    pub(super) names: usize,
    /// The types whose values are base64: their white space is taken out before they are judged.
    pub(super) base64: HashSet<TypeKey>,
    /// The types in which nothing may stand, and no white space either.
    pub(super) empty: HashSet<TypeKey>,
    /// What is certainly valid, where that can be said without the library.
    pub(super) accepted: Option<Arc<Accepted>>,
}

/// The documents of a schema, compiled again by each thread that validates.
#[derive(Debug, Clone)]
pub struct Schema {
    sources: Arc<Sources>,
    roots: Arc<[String]>,
}

impl Schema {
    /// The schema of the documents `roots` (paths in the folder) and all that they include and import.
    ///
    /// # Errors
    /// What is wrong with it: a document that is missing, a type that does not resolve, a rule of XML Schema broken.
    pub fn new(sources: Arc<Sources>, roots: impl IntoIterator<Item = String>) -> Result<Self, Vec<Problem>> {
        Self::checked(sources, roots).map(|(schema, _)| schema)
    }

    /// The same, with what it was compiled to.
    pub(super) fn checked(
        sources: Arc<Sources>,
        roots: impl IntoIterator<Item = String>,
    ) -> Result<(Self, Compiled), Vec<Problem>> {
        let schema = Self { sources, roots: roots.into_iter().collect() };
        let compiled = schema.compile()?;
        Ok((schema, compiled))
    }

    /// Its documents, and what else lies in their folder.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// SHA-256 of its documents and their paths, in hexadecimal.
    pub fn digest(&self) -> String {
        let mut digest = Context::new(&SHA256);
        for path in self.sources.paths() {
            let text = self.sources.get(path).map_or("", |text| text);
            // The lengths first, so that no two folders give the same bytes.
            for part in [path, text] {
                digest.update(&(part.len() as u64).to_be_bytes());
                digest.update(part.as_bytes());
            }
        }
        crate::hex::encode(digest.finish().as_ref())
    }

    pub(super) fn compile(&self) -> Result<Compiled, Vec<Problem>> {
        let one = |error: &SchemaError| vec![problem(error, &self.roots)];
        let mut builder = SchemaSetBuilder::with_loader(Box::new(FolderLoader(self.sources.clone())));
        for root in &*self.roots {
            let Some(text) = self.sources.get(root) else {
                return Err(vec![missing(root, None, root)]);
            };
            builder = builder.add_source(text, &FolderLoader::uri(root)).map_err(|error| one(&error))?;
        }
        let compiled = builder.compile().map_err(|error| one(&error))?;
        // The library treats a location as a hint: what could not be read is left out, and a name that it would have
        // declared fails when it is met. Here a service does not start with a hole.
        let mut problems: Vec<Problem> = compiled
            .directive_failures()
            .iter()
            .filter(|failure| !failure.namespace_supplied())
            .map(|failure| {
                let at = failure.location();
                let file = at.map_or("", |at| FolderLoader::path(&at.base_uri));
                let named = failure.schema_location().or(failure.namespace()).unwrap_or("?");
                missing(file, at.map(|at| at.line), named)
            })
            .collect();
        let set = compiled.into_schema_set();
        for element in set.arenas.elements.values().filter(|element| element.deferred_type_error.is_some()) {
            let name = element.name.map_or_else(|| "?".to_owned(), |name| set.name_table.resolve(name));
            problems.push(unresolved(&set, &name, element.source.as_ref()));
        }
        for simple in set.arenas.simple_types.values().filter(|simple| simple.deferred_item_type_error.is_some()) {
            let name = simple.name.map_or_else(|| "?".to_owned(), |name| set.name_table.resolve(name));
            problems.push(unresolved(&set, &name, simple.source.as_ref()));
        }
        for (_, why) in SchemaValidator::new(&set, ValidationFlags::default()).content_model_failures() {
            problems.push(Problem {
                file: self.roots.join(", "),
                line: None,
                what: format!("A content model could not be compiled: {why}."),
                remedy: REMEDY.to_owned(),
            });
        }
        problems.extend(guard::problems(&set));
        if !problems.is_empty() {
            return Err(problems);
        }
        let (names, base64, empty) = (set.name_table.len(), base64(&set), empty(&set));
        let is_plain = set.arenas.identity_constraints.is_empty() && set.documents.iter().all(|one| one.redefines.is_empty());
        let accepted = is_plain.then(|| Model::of(&set).ok()).flatten().and_then(|model| Accepted::new(&model)).map(Arc::new);
        Ok(Compiled { set, names, base64, empty, accepted })
    }
}

const REMEDY: &str = "Take the schema as it was published, whole; a schema that is not understood is not used.";

fn missing(file: &str, line: Option<usize>, named: &str) -> Problem {
    Problem {
        file: file.to_owned(),
        line,
        what: format!("It needs {named}, which is not in the folder."),
        remedy: "Put that document into the folder, at the place where it is looked for.".to_owned(),
    }
}

fn unresolved(set: &SchemaSet, name: &str, source: Option<&xsd_schema::parser::location::SourceRef>) -> Problem {
    let at = source.and_then(|source| set.source_maps.locate(source));
    Problem {
        file: at.as_ref().map_or_else(String::new, |at| FolderLoader::path(&at.base_uri).to_owned()),
        line: at.map(|at| at.line),
        what: format!("The type of {name} does not resolve."),
        remedy: "Add the document that declares the type, or correct its name.".to_owned(),
    }
}

fn problem(error: &SchemaError, roots: &[String]) -> Problem {
    let at = error.location();
    Problem {
        file: at.map_or_else(|| roots.join(", "), |at| FolderLoader::path(&at.base_uri).to_owned()),
        line: at.map(|at| at.line),
        what: format!("The schema is not valid: {error}."),
        remedy: REMEDY.to_owned(),
    }
}

/// Every type whose value is base64: the built-in one and whatever restricts or extends it.
fn base64(set: &SchemaSet) -> HashSet<TypeKey> {
    let Some(built_in) = set.get_built_in_simple_type_by_code(XmlTypeCode::Base64Binary) else { return HashSet::new() };
    let mut found = HashSet::from([TypeKey::Simple(built_in)]);
    // A type may stand before the one it is derived from, so until nothing is added.
    loop {
        let before = found.len();
        let simple = set.arenas.simple_types.iter().map(|(key, data)| (TypeKey::Simple(key), data.resolved_base_type));
        let complex = set
            .arenas
            .complex_types
            .iter()
            .map(|(key, data)| (TypeKey::Complex(key), data.resolved_simple_content_type.or(data.resolved_base_type)));
        let more: Vec<TypeKey> = simple
            .chain(complex)
            .filter(|(_, base)| base.is_some_and(|base| found.contains(&base)))
            .map(|(key, _)| key)
            .collect();
        found.extend(more);
        if found.len() == before {
            return found;
        }
    }
}

/// Every type whose content is empty: `<xs:sequence/>`, and what is derived from it and adds no element. The library takes its content for
/// one of elements, of which there happen to be none, and so takes white space.
fn empty(set: &SchemaSet) -> HashSet<TypeKey> {
    set.arenas.complex_types.keys().filter(|key| is_empty(set, *key)).map(TypeKey::Complex).collect()
}

/// By XML Schema 1.0 Structures § 3.4.2: a group of nothing is no content, and an extension without content has that of its base.
fn is_empty(set: &SchemaSet, key: ComplexTypeKey) -> bool {
    let (mut next, mut seen) = (Some(key), HashSet::new());
    while let Some(data) = next.filter(|key| seen.insert(*key)).and_then(|key| set.arenas.complex_types.get(key)) {
        let content = match &data.content {
            ComplexContentResult::Empty => return !data.mixed,
            ComplexContentResult::Simple(_) => return false,
            ComplexContentResult::Complex(content) => content,
        };
        if data.mixed || content.mixed || !content.particle.as_ref().is_none_or(particle_is_explicit_empty) {
            return false;
        }
        next = match (content.derivation, data.resolved_base_type) {
            (DerivationMethod::Extension, Some(TypeKey::Complex(base))) => Some(data.redefine_original.unwrap_or(base)),
            _ => return true,
        };
    }
    false
}
