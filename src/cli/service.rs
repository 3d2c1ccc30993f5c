//! `hjemmel service`: pass-through services, each a folder of published files and a `service.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;

use crate::agreements::Store;
use crate::cli::lang::Lang;
use crate::cli::place::with_store;
use crate::cli::which;
use crate::clock::Clock;
use crate::config::{Draft, store_of};
use crate::schema::pool::Pool;
use crate::schema::source::{self, Problem, Sources};
use crate::services::Service;
use crate::services::finance::lists::Source;
use crate::services::finance::rules::trial::Opening;
use crate::services::finance::settings::Settings as Finance;
use crate::services::passthrough::documents;
use crate::services::passthrough::folder::{self, Contract, Folder};
use crate::services::passthrough::settings::{FILE, Receiver};
use crate::services::passthrough::wsdl::{self, Operation, Security, Wsdl};
use crate::soap::document::{Document, Element};
use crate::soap::names::{SOAP11, SOAP12};
use crate::soap::strict::Limits;
use crate::store::Access;

/// Whatever keeps the command from saying anything.
pub type ServiceError = Box<dyn std::error::Error + Send + Sync>;

/// The most documents that `new` follows from a WSDL.
const DOCUMENTS: usize = 500;

/// Pass-through services: a folder with the WSDL and XSD files as they were published, and service.toml.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hjemmel service new DistributionService/wsdl/token/DistributionService.wsdl
  hjemmel service check policies/services/distribution
  hjemmel service show finansbilag --config hjemmel.toml
  hjemmel service validate policies/services/distribution request.xml --lang da

`new` writes service.toml with what it found; a person answers each \"# say:\".")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write a service.toml for a WSDL, with what it says and a line for each thing that a person must decide
    New {
        /// The WSDL; two of them where the token binding and AuthorityContext have one each
        #[arg(required = true, num_args = 1..=2)]
        wsdl: Vec<PathBuf>,
    },
    /// Check a folder, every problem in one report: exits 1 where there is one
    Check {
        /// The folder
        dir: PathBuf,
    },
    /// Show a service: operations, elements, actions, bindings, documents, persons
    Show {
        /// The folder; with --config the name of the service
        dir: PathBuf,
        /// The gateway's configuration: also what its settings say, and which of them
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Judge a message by the schema, in the words that a caller gets: exits 1 where it breaks it
    Validate {
        /// The folder
        dir: PathBuf,
        /// The message: a SOAP envelope, or its body's element alone
        file: PathBuf,
        /// The operation; by the body's element where it is not given
        #[arg(long, value_name = "NAME")]
        operation: Option<String>,
        /// It is an answer
        #[arg(long)]
        answer: bool,
        /// Which words to print
        #[arg(long, value_enum, default_value = "both")]
        lang: Lang,
    },
    /// List the services in the folders of a folder: exits 1 where one of them cannot be offered
    List {
        /// The folder of folders
        dir: PathBuf,
    },
}

/// Carries out the command.
///
/// # Errors
/// Files that cannot be read, and what is wrong in them.
pub async fn run(args: &Args, clock: &Clock, out: &mut impl Write) -> Result<ExitCode, ServiceError> {
    match &args.command {
        Command::New { wsdl } => new(wsdl, out),
        Command::Check { dir } => match folder::load(dir) {
            Ok(folder) => {
                warn(&folder.warnings, out)?;
                let operations = folder.contracts.first().map_or(0, |contract| contract.wsdl.operations.len());
                writeln!(out, "{}: in order; {operations} operations at {}", dir.display(), folder.settings.path)?;
                Ok(ExitCode::SUCCESS)
            }
            Err(problems) => {
                problems.iter().try_for_each(|problem| writeln!(out, "{problem}"))?;
                writeln!(out, "{}: cannot be offered; {}", dir.display(), counted(problems.len()))?;
                Ok(ExitCode::FAILURE)
            }
        },
        Command::Show { dir, config: None } => {
            show(&loaded(dir)?, out)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Show { dir: name, config: Some(config) } => {
            show_of(&name.to_string_lossy(), config, clock, out).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Validate { dir, file, operation, answer, lang } => {
            validate(&loaded(dir)?, file, operation.as_deref(), *answer, *lang, out).await
        }
        Command::List { dir } => list(dir, out),
    }
}

fn counted(problems: usize) -> String {
    if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") }
}

fn loaded(dir: &Path) -> Result<Folder, ServiceError> {
    folder::load(dir).map_err(|problems| {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        format!("{} cannot be offered:\n{}", dir.display(), lines.join("\n")).into()
    })
}

fn warn(warnings: &[Problem], out: &mut impl Write) -> io::Result<()> {
    warnings.iter().try_for_each(|warning| writeln!(out, "warning: {warning}"))
}

fn list(dir: &Path, out: &mut impl Write) -> Result<ExitCode, ServiceError> {
    let entries = fs::read_dir(dir).map_err(|error| super::file::describe(dir, &error).to_string())?;
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.join(FILE).exists()).collect();
    folders.sort();
    if folders.is_empty() {
        writeln!(out, "There is no folder with a {FILE} in {}. Write one with `hjemmel service new WSDL`.", dir.display())?;
    }
    let (mut code, mut taken) = (ExitCode::SUCCESS, BTreeMap::new());
    for path in folders {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match folder::load(&path) {
            Ok(folder) => {
                let bindings: Vec<_> = folder.contracts.iter().map(|contract| contract.security.name()).collect();
                let operations = folder.contracts.first().map_or(0, |contract| contract.wsdl.operations.len());
                let (uuid, at) = (folder.settings.uuid, &folder.settings.path);
                writeln!(out, "{name}  {uuid}  {at}  {}  {operations} operations", bindings.join(", "))?;
                for own in
                    [format!("the UUID {uuid}"), format!("the path {at}"), format!("the entity id {}", folder.settings.entity_id)]
                {
                    if let Some(other) = taken.insert(own.clone(), name.to_string()) {
                        code = ExitCode::FAILURE;
                        writeln!(out, "{name}  has {own}, and so has {other}: each service has its own")?;
                    }
                }
            }
            Err(problems) => {
                code = ExitCode::FAILURE;
                writeln!(
                    out,
                    "{name}  cannot be offered; {}: `hjemmel service check {}`",
                    counted(problems.len()),
                    path.display()
                )?;
            }
        }
    }
    Ok(code)
}

fn show(folder: &Folder, out: &mut impl Write) -> io::Result<()> {
    let settings = &folder.settings;
    writeln!(out, "{}  {}", settings.uuid, settings.entity_id)?;
    writeln!(out, "path      {}", settings.path)?;
    let receiver = match settings.receiver {
        Receiver::Fixed => "one for all",
        Receiver::ImplicitByEntityId if settings.receiver_paths.is_empty() => "by the sender's own authority",
        Receiver::ImplicitByEntityId => "by the authority in the body",
    };
    writeln!(out, "provider  {}, {receiver}", settings.provider.name())?;
    writeln!(out, "basis     {}", settings.legal_basis.en)?;
    writeln!(out, "purpose   {}", settings.purpose.en)?;
    let limits = settings.limits;
    writeln!(
        out,
        "limits    request {} bytes, answer {} bytes, {:?}",
        limits.request_bytes, limits.answer_bytes, limits.deadline
    )?;
    for (words, paths) in [("receiver", &settings.receiver_paths), ("id", &settings.idempotency), ("person", &settings.persons)] {
        paths.iter().try_for_each(|path| writeln!(out, "{words:<9} {}", path.value))?;
    }
    if settings.persons.is_empty() {
        writeln!(out, "person    no message holds any, says {FILE}")?;
    }
    for contract in &folder.contracts {
        let wsdl = &contract.wsdl;
        writeln!(out, "\n{}, {}, from {}, binding {}", contract.security.name(), wsdl.version.name(), wsdl.path, wsdl.binding)?;
        wsdl.operations.iter().try_for_each(|operation| shown(operation, out))?;
        writeln!(out, "  documents")?;
        contract.documents.iter().try_for_each(|document| writeln!(out, "    {document}"))?;
    }
    if !folder.warnings.is_empty() {
        writeln!(out)?;
    }
    warn(&folder.warnings, out)
}

/// A service of a configuration, with what its settings say.
async fn show_of(name: &str, config: &Path, clock: &Clock, out: &mut impl Write) -> Result<(), ServiceError> {
    let now = clock.now();
    let draft = Draft::<Service>::open(config, now);
    let service = which::service(&draft.sections().services, Some(name)).map(|(_, service)| service);
    let Ok(service) = service else {
        // What is wrong with it is told as `hjemmel check` tells it.
        let (told, problems) = (service.err().unwrap_or_default(), draft.finish().problems);
        return Err(format!("{told}\n{problems}").into());
    };
    let folder = service.passthrough().ok_or_else(|| format!("{name} is no folder: see `hjemmel check --config`"))?;
    show(&folder.folder, out)?;
    let Some(settings) = service.finance() else { return Ok(()) };
    writeln!(out, "\nrules")?;
    for (rule, mode, said) in settings.rules.general() {
        let source = if said { format!("[service.{name}.rules]") } else { "by default".to_owned() };
        writeln!(out, "  {rule}  {:<6}  {source}", mode.name())?;
    }
    for (authority, rule, mode) in settings.rules.own() {
        writeln!(out, "  {rule}  {:<6}  [service.{name}.authority.{authority}.rules], for what {authority} sends", mode.name())?;
    }
    match &settings.lists {
        Source::None => writeln!(out, "\nvalue lists  none: no code is judged"),
        Source::Folder(lists) => writeln!(out, "\nvalue lists  {} versions, of a folder", lists.all().count()),
        Source::Store => writeln!(out, "\nvalue lists  what the store has published, {} days ahead", settings.notice),
    }?;
    tests_of(name, settings, config, now, out).await
}

/// When tests are taken: what the settings say, and what the store has open or to come.
async fn tests_of(
    name: &str,
    settings: &Finance,
    config: &Path,
    now: Timestamp,
    out: &mut impl Write,
) -> Result<(), ServiceError> {
    writeln!(out, "\ntests (Proeve), refused at any other time")?;
    for (authority, Opening { from, to }) in settings.trials.all() {
        writeln!(out, "  {authority}  {from} – {to}  [service.{name}.authority.{authority}.proeve]")?;
    }
    let service = settings.offered.offer.service_uuid;
    let store = store_of::<Service>(config, now).map_err(|report| report.to_string());
    let kept = match store {
        Ok(store) => with_store(&store, Access::Look, async |store: &Store| store.trials(service).await)
            .await
            .map_err(|error| error.to_string()),
        Err(told) => Err(told),
    };
    match kept {
        Ok(trials) => {
            for trial in trials.iter().filter(|trial| !trial.is_over(now)) {
                writeln!(
                    out,
                    "  {}  {} – {}  in the store, {}",
                    trial.authority, trial.opening.from, trial.opening.to, trial.id
                )?;
            }
        }
        Err(told) => writeln!(out, "  what the store has open cannot be read: {told}")?,
    }
    Ok(())
}

fn shown(operation: &Operation, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "  {}", operation.name)?;
    writeln!(out, "    action   {}", operation.action.as_deref().unwrap_or("none"))?;
    let sides =
        [("request", &operation.request, &operation.request_headers), ("answer", &operation.answer, &operation.answer_headers)];
    for (side, body, headers) in sides {
        writeln!(out, "    {side:<8} {body}")?;
        headers.iter().try_for_each(|header| writeln!(out, "             with the header {header}"))?;
    }
    operation.faults.iter().try_for_each(|fault| writeln!(out, "    fault    {}", fault.element))
}

async fn validate(
    folder: &Folder,
    file: &Path,
    operation: Option<&str>,
    answer: bool,
    lang: Lang,
    out: &mut impl Write,
) -> Result<ExitCode, ServiceError> {
    let most = if answer { folder.settings.limits.answer_bytes } else { folder.settings.limits.request_bytes };
    let read = |error: io::Error| super::file::describe(file, &error).to_string();
    if fs::metadata(file).map_err(read)?.len() > most as u64 {
        return Err(format!("{}: it has more than {most} bytes, the service's limit", file.display()).into());
    }
    let bytes = fs::read(file).map_err(read)?;
    let document = Document::parse(bytes.into(), &Limits::default())
        .map_err(|refusal| format!("{}: {}", file.display(), refusal.entry().en.what))?;
    let body = body(&document).ok_or_else(|| format!("{}: the envelope has no Body with one element", file.display()))?;
    let chosen = folder.contracts.iter().find_map(|contract| Some((contract, chosen(contract, body, operation, answer)?)));
    let Some((contract, operation)) = chosen else {
        let names: BTreeSet<&str> = folder
            .contracts
            .iter()
            .flat_map(|contract| &contract.wsdl.operations)
            .map(|operation| operation.name.as_str())
            .collect();
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        return Err(match operation {
            Some(name) => format!("there is no operation {name}; there are {names}"),
            None => format!("no operation has this element in its body; name one with --operation: {names}"),
        }
        .into());
    };
    let root = if answer { &operation.answer } else { &operation.request };
    let (node, root) = (body.id(), Arc::new((root.namespace.clone(), root.local.clone())));
    let pool = Pool::start(&contract.schema, 1)?;
    match pool.validate(Arc::new(document), node, root).await? {
        Ok(()) => {
            let (da, en) = if answer { ("svar på", "an answer of") } else { ("anmodning til", "a request of") };
            let name = &operation.name;
            lang.say(out, "", &format!("gyldig som {da} {name}"), &format!("valid as {en} {name}"))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(violations) => {
            let detail = violations.detail();
            // One place a line; a caller gets them in one.
            let lines = |words: &str| words.replace("; /", ";\n/");
            lang.say(out, "", &lines(detail.da()), &lines(detail.en()))?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// The body's element of an envelope, or the root of what is none.
fn body(document: &Document) -> Option<Element<'_>> {
    let root = document.root();
    if root.local() != "Envelope" || ![SOAP11, SOAP12].contains(&root.namespace()) {
        return Some(root);
    }
    let mut inside = root.only(root.namespace(), "Body").ok()??.elements();
    inside.next().filter(|_| inside.next().is_none())
}

fn chosen<'c>(contract: &'c Contract, body: Element<'_>, name: Option<&str>, answer: bool) -> Option<&'c Operation> {
    let fits = |operation: &&Operation| match name {
        Some(name) => operation.name == name,
        None => {
            let element = if answer { &operation.answer } else { &operation.request };
            body.is(&element.namespace, &element.local)
        }
    };
    contract.wsdl.operations.iter().find(fits)
}

fn new(files: &[PathBuf], out: &mut impl Write) -> Result<ExitCode, ServiceError> {
    let mut reached = BTreeSet::new();
    for file in files {
        let file = plain(&std::path::absolute(file)?);
        if !file.is_file() {
            return Err(format!("{}: there is no such file", file.display()).into());
        }
        follow(file, &mut reached);
    }
    let folder = common(&reached).ok_or("the files have no folder in common")?;
    let target = folder.join(FILE);
    let sources = Sources::read(&folder).map_err(|problems| {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        format!("{}:\n{}", folder.display(), lines.join("\n"))
    })?;
    let mut read = Vec::new();
    for file in files {
        let file = plain(&std::path::absolute(file)?);
        let path = file.strip_prefix(&folder)?.to_string_lossy().replace('\\', "/");
        match wsdl::read(&mut sources.clone(), &path, None).1 {
            Ok(wsdl) => read.push(wsdl),
            Err(problems) => {
                problems.iter().try_for_each(|problem| writeln!(out, "{problem}"))?;
                writeln!(out, "nothing was written; {}", counted(problems.len()))?;
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    if let [one, other] = read.as_slice()
        && one.security.is_some()
        && one.security == other.security
    {
        return Err("the WS-Policy of both WSDLs is for the same binding; give one for each, or one alone".into());
    }
    let text = written(&read);
    // Never over one that somebody filled in.
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&target)
        .map_err(|error| super::file::describe(&target, &error).to_string())?;
    file.write_all(text.as_bytes())?;
    writeln!(
        out,
        "{} written. Answer each \"# say:\" in it, then: hjemmel service check {}",
        target.display(),
        folder.display()
    )?;
    Ok(ExitCode::SUCCESS)
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// A document and all that it includes and imports from this machine by a relative location.
fn follow(file: PathBuf, reached: &mut BTreeSet<PathBuf>) {
    let mut next = vec![file];
    while let Some(file) = next.pop() {
        if reached.len() >= DOCUMENTS || !file.is_file() || !reached.insert(file.clone()) {
            continue;
        }
        let Some(document) = source::document(&file).ok().and_then(|text| source::parse(&text).ok()) else { continue };
        let relative = documents::links(&document).into_iter().map(|(_, location)| location);
        let relative = relative.filter(|location| !location.starts_with('/') && !location.contains(':'));
        next.extend(relative.map(|location| plain(&file.with_file_name("").join(location))));
    }
}

fn common(files: &BTreeSet<PathBuf>) -> Option<PathBuf> {
    let mut folders = files.iter().filter_map(|file| file.parent());
    let mut shared = folders.next()?.to_owned();
    for folder in folders {
        while !folder.starts_with(&shared) {
            if !shared.pop() {
                return None;
            }
        }
    }
    Some(shared)
}

/// The `service.toml` of one or two WSDLs.
fn written(read: &[Wsdl]) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let mut text =
        String::from("# A pass-through service. Every key is explained in docs/services.md.\n#\n# Operations found:\n");
    for operation in read.first().iter().flat_map(|wsdl| &wsdl.operations) {
        let mut names = vec![format!("#   {}: {} → {}", operation.name, operation.request.local, operation.answer.local)];
        names.extend(operation.request_headers.iter().map(|name| format!("header {}", name.local)));
        text.push_str(&format!("{}\n", names.join(", ")));
    }
    text.push_str(
        "\n[service]\nuuid = \"\"       # say: the service's UUID, as agreements name it\nentity_id = \"\"  # say: the URI by which tokens name the service\n\
         path = \"\"       # say: the path of its address here, such as \"/service/Oekonomi/Finans/1\"\n\n",
    );
    let both = [Security::Token, Security::AuthorityContext];
    for (at, wsdl) in read.iter().enumerate() {
        // One that does not say goes where the other is not.
        let other = read.iter().enumerate().find(|(other, _)| *other != at).and_then(|(_, wsdl)| wsdl.security);
        let free = both.into_iter().filter(|security| Some(*security) != other);
        let Some(security) = wsdl.security.or_else(|| free.clone().nth(at).or(free.clone().next())) else { continue };
        let why = match wsdl.security {
            Some(_) => "its WS-Policy says so",
            None => "say: token or authority-context; the WSDL has no WS-Policy that tells",
        };
        text.push_str(&format!("[{}]  # {why}\nwsdl = {}\n\n", security.name(), quoted(&wsdl.path)));
    }
    text.push_str(
        "[provider]\nsecurity = \"\"   # say: how the gateway proves itself to the provider, \"token\" or \"authority-context\"\n\
         receiver = \"\"   # say: \"implicit-by-entity-id\" (by routes) or \"fixed\" (one provider for all)\n# ask_again = true   # say: whether it answers an id that it has with the receipt of before, and does nothing twice\n\n\
         [paths]\n# receiver = [\"/Element/…\"]     # say: where a request names the receiving authority, if it does\n\
         # idempotency = [\"/Element/…\"]  # say: where a request has the id by which it is known again, if it has one\n\
         # persons = [\"/Element/…\"]      # say: where messages hold persons, or [] where none does\n\n\
         # [codes]\n# audience = \"ADMINISTRATOR\"  # say: SLUTBRUGER, ADMINISTRATOR or DRIFT, if the service has codes of its own\n\n\
         [law]\nlegal_basis_da = \"\"  # say: the law and the section\nlegal_basis_en = \"\"\npurpose_da = \"\"      # say: what the data is for\npurpose_en = \"\"\n\n\
         [limits]\nrequest_bytes = 10_485_760  # say: is that right for this service?\nanswer_bytes = 10_485_760\ndeadline = \"30s\"\n",
    );
    text
}
