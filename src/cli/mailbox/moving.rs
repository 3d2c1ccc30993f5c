//! `hjemmel mailbox fetch` and `deliver`: for a scheduled job. What breaks is gone on with, and no file stands under its name before all
//! of it is there and is what it should be. Builds wherever Rust does.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::{Value, json};
use uuid::Uuid;

use super::CommandError;
use super::client::{Api, Connection, Failure, next};
use crate::files::partner::agreement::Number;
use crate::files::partner::pieces;

/// The exit code where it may be tried again later, where somebody must look, and where a delivered file was rejected.
pub(super) const AGAIN: u8 = 3;
pub(super) const REFUSED: u8 = 4;
pub(super) const REJECTED: u8 = 5;

/// Fetch what is in an inbox, confirm it, and remember the place
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit code: 0 all is fetched; 3 something passing, run it again; 4 refused, or a file cannot be kept: somebody must look.
Run again, it goes on where it broke off; two runs at once: the second exits with 3. In the folder stand .ID.part (what has come of a
file), .ID.kept (it has its name, and is not confirmed yet), .PA00001.next (the place) and .PA00001.lock.

Examples:
  hjemmel mailbox fetch --agreement PA00001 --into /srv/loen --api https://gateway.example.dk:8444 \\
    --ca ca.pem --cert loen.pem --key loen.key.pem")]
pub(super) struct Fetch {
    #[command(flatten)]
    connection: Connection,
    /// The agreement
    #[arg(long, value_name = "NUMBER")]
    agreement: Number,
    /// The folder
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    /// Say the files' names too; a name can hold a person's data, and the lines go to the journal
    #[arg(long)]
    names: bool,
}

/// Deliver files, and wait for their validation
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit code: 0 all are delivered, and none was rejected meanwhile; 3 something passing, run it again; 4 refused; 5 a file is AFVIST.
A file that was delivered before, unchanged since, is not delivered twice, however long ago it was. One that could not be validated
(VP091, VP092) is delivered again by the next run. A file of more than 4 MiB is sent in pieces of that size: run again within a day, it
goes on where it broke off.

Examples:
  hjemmel mailbox deliver loen.txt --agreement PA85858 --stream LOENPOSTER --alias LOENGRUPPE:4711 \\
    --api https://gateway.example.dk:8444 --ca ca.pem --cert loen.pem --key loen.key.pem")]
pub(super) struct Deliver {
    #[command(flatten)]
    connection: Connection,
    /// The agreement
    #[arg(long, value_name = "NUMBER")]
    agreement: Number,
    /// The stream's code
    #[arg(long, value_name = "CODE")]
    stream: String,
    /// The alias: its kind, a colon and its code, as LOENGRUPPE:4711
    #[arg(long, value_name = "KIND:CODE", value_parser = alias)]
    alias: (String, String),
    /// Seconds to wait for the validation; 0: not at all
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    /// Say the files' names too; a name can hold a person's data, and the lines go to the journal
    #[arg(long)]
    names: bool,
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

fn alias(text: &str) -> Result<(String, String), String> {
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    let wrong = "an alias is its kind, a colon and its code, as LOENGRUPPE:4711";
    let (kind, code) = text.split_once(':').filter(|(kind, code)| plain(kind) && plain(code)).ok_or(wrong)?;
    Ok((kind.to_owned(), code.to_owned()))
}

/// Why a file did not go.
#[derive(Debug, thiserror::Error)]
enum MoveError {
    #[error(transparent)]
    Failed(#[from] Failure),
    /// On this machine. Its path is not told: a name can hold a person's data, and is said with `--names` alone.
    #[error("on this machine: {0}{remedy}", remedy = crate::cli::file::remedy(.0))]
    File(io::Error),
    #[error("what came is not what the gateway says it is; it is fetched anew next time")]
    Differs,
}

impl MoveError {
    fn code(&self) -> u8 {
        match self {
            Self::Failed(Failure::Passing(_) | Failure::Later(..)) | Self::Differs => AGAIN,
            Self::Failed(Failure::Refused(_)) | Self::File(_) => REFUSED,
        }
    }

    /// For how long it need not be tried again.
    fn rest(&self) -> Duration {
        match self {
            Self::Failed(Failure::Later(_, rest)) => *rest,
            _ => Duration::ZERO,
        }
    }
}

/// Does it, and again where something passing was in the way, with growing pauses that are no shorter than the gateway asks for.
async fn tried<T>(attempts: u32, mut once: impl AsyncFnMut() -> Result<T, MoveError>) -> Result<T, MoveError> {
    let mut attempt = 0;
    loop {
        match once().await {
            Err(error) if error.code() == AGAIN && attempt < attempts => {
                attempt += 1;
                let pause = Duration::from_millis(250) * 2_u32.saturating_pow(attempt.min(6));
                tokio::time::sleep(pause.max(error.rest())).await;
            }
            done => return done,
        }
    }
}

/// A line that is written over, where somebody looks.
fn progress(part: u64, whole: u64) {
    let mut err = io::stderr();
    if err.is_terminal() && whole > 0 {
        // Nobody is told where it cannot be shown.
        let _ = write!(err, "\r{:3} %{}", part.saturating_mul(100) / whole, if part >= whole { "\r     \r" } else { "" });
    }
}

fn digest_of(path: &Path) -> io::Result<(u64, String)> {
    let (mut file, mut context, mut size) = (File::open(path)?, Context::new(&SHA256), 0);
    let mut piece = vec![0; 256 * 1024];
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            return Ok((size, crate::hex::encode(context.finish().as_ref())));
        }
        size += length as u64;
        context.update(piece.get(..length).unwrap_or_default());
    }
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// What a file is called here: nothing that leads elsewhere, hides it, or that a system cannot hold.
fn local(name: &str, id: &str) -> String {
    let bad = |c: char| c.is_control() || "<>:\"/\\|?*".contains(c);
    let name: String = name.chars().map(|c| if bad(c) { '_' } else { c }).collect();
    let name = name.trim_end_matches(['.', ' ']);
    let stem = name.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let device = ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str())
        || (stem.len() == 4
            && (stem.starts_with("COM") || stem.starts_with("LPT"))
            && stem.ends_with(|c: char| c.is_ascii_digit()));
    if name.is_empty() || name.starts_with('.') || device { format!("{id}_{name}") } else { name.to_owned() }
}

/// A file that an inbox lists.
struct Listed {
    id: String,
    name: String,
    size: u64,
    sha256: String,
}

impl Listed {
    /// What is still to be fetched.
    fn of(item: &Value) -> Option<Self> {
        let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
        // It names a file here.
        let id = text("id").filter(|id| id.parse::<Uuid>().is_ok())?;
        let wanted = text("transport")? == "KLAR" && item.get("deleted") == Some(&Value::Bool(false));
        let size = item.get("size")?.as_u64()?;
        wanted.then_some(Self { id, name: text("name")?, size, sha256: text("sha256")? })
    }
}

/// Says of a file that it has its name here, from before it gets it until it is confirmed.
fn mark(into: &Path, id: &str) -> PathBuf {
    into.join(format!(".{id}.kept"))
}

/// Fetches all of a file into its part, from where it broke off, and gives it its name. `again`: it has its name here, and is read once
/// more for the gateway's sake.
async fn kept(api: &Api, of: Number, file: &Listed, into: &Path, again: bool) -> Result<(), MoveError> {
    let part = into.join(format!(".{}.{}", file.id, if again { "again" } else { "part" }));
    let mark = mark(into, &file.id);
    // An earlier run gave it its name, and its confirmation was lost. Whether the file still lies there is whoever reads it's business.
    if !again && mark.exists() && !part.exists() {
        return Ok(());
    }
    let opened = part.clone();
    let open = move || OpenOptions::new().create(true).append(true).open(opened);
    let mut out = aside(open).await.map_err(MoveError::File)?;
    let mut there = out.metadata().map_err(MoveError::File)?.len();
    if there > file.size {
        out.set_len(0).map_err(MoveError::File)?;
        there = 0;
    }
    if there < file.size {
        let path = format!("/api/v1/mailboxes/{of}/inbox/{}/content", file.id);
        let (goes_on, mut body) = api.content(&path, there, &format!("\"{}\"", file.sha256)).await?;
        if !goes_on {
            out.set_len(0).map_err(MoveError::File)?;
            there = 0;
        }
        while let Some(bytes) = next(&mut body).await? {
            there += bytes.len() as u64;
            if there > file.size {
                break;
            }
            let (back, written) = tokio::task::spawn_blocking(move || {
                let written = out.write_all(&bytes);
                (out, written)
            })
            .await
            .map_err(|error| MoveError::File(io::Error::other(error)))?;
            out = back;
            written.map_err(MoveError::File)?;
            progress(there, file.size);
        }
        if there < file.size {
            return Err(Failure::Passing("the content broke off".to_owned()).into());
        }
    }
    aside(move || out.sync_all()).await.map_err(MoveError::File)?;
    let read = part.clone();
    let (size, sha256) = aside(move || digest_of(&read)).await.map_err(MoveError::File)?;
    if (size, &sha256) != (file.size, &file.sha256) {
        if !again && mark.exists() {
            std::fs::remove_file(&mark).map_err(MoveError::File)?;
        }
        std::fs::remove_file(&part).map_err(MoveError::File)?;
        return Err(MoveError::Differs);
    }
    if again {
        return std::fs::remove_file(&part).map_err(MoveError::File);
    }
    let name = local(&file.name, &file.id);
    let mut to = into.join(&name);
    // Nothing that is here is written over, also where it has the same content: another delivery may.
    if to.exists() {
        to = into.join(format!("{}_{name}", file.id));
    }
    aside(move || {
        File::create(&mark)?.sync_all()?;
        mark.parent().map_or(Ok(()), settled)
    })
    .await
    .map_err(MoveError::File)?;
    std::fs::rename(&part, &to).map_err(MoveError::File)?;
    // The name too, before the file is confirmed and so never fetched again.
    let folder = into.to_owned();
    aside(move || settled(&folder)).await.map_err(MoveError::File)
}

/// Sees to it that what was renamed in a folder stays so after a power cut.
fn settled(folder: &Path) -> io::Result<()> {
    // Windows writes a rename down with the file.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Keeps other runs for the same agreement out of a folder, as long as it is held and the process lives.
fn alone(into: &Path, of: Number) -> io::Result<Option<File>> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(into.join(format!(".{of}.lock")))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

/// The place that the last run came to.
fn place(into: &Path, of: Number) -> PathBuf {
    into.join(format!(".{of}.next"))
}

fn remember(path: &Path, next: &str) -> io::Result<()> {
    let fresh = path.with_extension("fresh");
    let mut file = File::create(&fresh)?;
    file.write_all(next.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    path.parent().map_or(Ok(()), settled)
}

pub(super) async fn fetch(args: Fetch, out: &mut impl Write) -> Result<ExitCode, CommandError> {
    let Fetch { connection, agreement, into, names } = args;
    let api = Api::new(&connection)?;
    std::fs::create_dir_all(&into).map_err(|error| CommandError::File { path: into.clone(), error })?;
    let own = alone(&into, agreement).map_err(|error| CommandError::File { path: into.clone(), error })?;
    let Some(_own) = own else {
        writeln!(out, "mailbox fetch {agreement}: another run fetches into this folder; nothing was done")?;
        return Ok(ExitCode::from(AGAIN));
    };
    let held = place(&into, agreement);
    let after = std::fs::read_to_string(&held).unwrap_or_default();
    let mut after = Some(after.trim().to_owned()).filter(|text| text.parse::<u64>().is_ok()).unwrap_or_else(|| "0".to_owned());
    let (mut fetched, mut failed, mut code) = (0, 0, 0);
    loop {
        let list = format!("/api/v1/mailboxes/{agreement}/inbox?after={after}&limit=200");
        let page = match tried(connection.attempts, async || Ok(api.get(&list).await?)).await {
            Ok(page) => page,
            Err(error) => {
                writeln!(out, "mailbox fetch {agreement}: {error}")?;
                code = code.max(error.code());
                break;
            }
        };
        for item in page.get("items").and_then(Value::as_array).into_iter().flatten() {
            let Some(file) = Listed::of(item) else { continue };
            let name = if names { format!(" {:?}", file.name) } else { String::new() };
            let confirm = format!("/api/v1/mailboxes/{agreement}/inbox/{}/confirm", file.id);
            let done = tried(connection.attempts, async || kept(&api, agreement, &file, &into, false).await).await;
            let sha256 = json!({"sha256": file.sha256});
            let confirmed = async || tried(connection.attempts, async || Ok(api.post(&confirm, &sha256).await?)).await.map(drop);
            let done = match done {
                Ok(()) => match confirmed().await {
                    // It does not know that it handed the file over, as after it was put back from a copy: it is read once more.
                    Err(MoveError::Failed(Failure::Refused(why))) if why.contains("MailboxNotFetched") => {
                        match tried(connection.attempts, async || kept(&api, agreement, &file, &into, true).await).await {
                            Ok(()) => confirmed().await,
                            Err(error) => Err(error),
                        }
                    }
                    confirmed => confirmed,
                },
                Err(error) => Err(error),
            };
            match done {
                Ok(()) => {
                    // A mark that stays does no harm: a file that is confirmed is not fetched again.
                    let _ = std::fs::remove_file(mark(&into, &file.id));
                    fetched += 1;
                    writeln!(out, "mailbox fetch {agreement}: {} fetched and confirmed, {} bytes{name}", file.id, file.size)?;
                }
                Err(error) => {
                    failed += 1;
                    code = code.max(error.code());
                    writeln!(out, "mailbox fetch {agreement}: {} is not fetched{name}: {error}", file.id)?;
                }
            }
        }
        let next = page.get("next").and_then(Value::as_str).unwrap_or(&after).to_owned();
        // What failed is looked for again.
        if failed == 0 && next != after {
            remember(&held, &next).map_err(|error| CommandError::File { path: held.clone(), error })?;
        }
        after = next;
        if page.get("more") != Some(&Value::Bool(true)) {
            break;
        }
    }
    writeln!(out, "mailbox fetch {agreement}: {fetched} files fetched, {failed} failed")?;
    Ok(ExitCode::from(code))
}

/// A larger file is sent in pieces of so many bytes, or more where there would be too many of them: what is lost when the connection breaks.
/// So small that the gateway's refusal of one is read also while the rest of it is on its way.
const PIECE: u64 = 4 << 20;

/// How often a file is delivered anew, where no delivery of it could be validated.
const MOST_ATTEMPTS: u32 = 50;

/// The id of a delivery: the same as long as the file is the same, so that a job that is run again delivers nothing twice.
fn delivery_id(args: &Deliver, name: &str, sha256: &str, modified: u128, attempt: u32) -> Uuid {
    let (kind, code) = &args.alias;
    let again = if attempt == 0 { String::new() } else { format!(" {attempt}") };
    let text = format!("{} {} {kind} {code} {sha256} {modified} {name}{again}", args.agreement, args.stream);
    let digest = crate::decisions::shown::sha256(&text);
    let bytes = crate::hex::decode::<32>(&digest).unwrap_or_default();
    let mut first = [0; 16];
    first.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    uuid::Builder::from_random_bytes(first).into_uuid()
}

fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// What the gateway knows of a delivery.
enum Known {
    Nothing,
    File(Value),
    /// Its history is deleted; whether it was rejected.
    Past(bool),
}

async fn known(api: &Api, of: &str) -> Result<Known, MoveError> {
    match api.get(of).await {
        Ok(file) => Ok(Known::File(file)),
        Err(Failure::Refused(why)) if why.starts_with("404 ") => Ok(Known::Nothing),
        Err(Failure::Refused(why)) if why.starts_with("410 MailboxDeliveryPast") => Ok(Known::Past(why.contains("AFVIST"))),
        Err(error) => Err(error.into()),
    }
}

/// How many bytes of a delivery the gateway has, of an earlier piece or run.
async fn come(api: &Api, of: &str) -> Result<u64, MoveError> {
    match api.get(&format!("{of}/upload")).await {
        Ok(upload) => Ok(upload.get("offset").and_then(Value::as_u64).unwrap_or(0)),
        Err(Failure::Refused(why)) if why.starts_with("404 ") => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Sends a file from where it broke off, in pieces where it is large. Gives the file as it is delivered. `known` and `come` ask what the
/// gateway has, `put` sends a part.
async fn sent(
    attempts: u32,
    size: u64,
    known: impl AsyncFn() -> Result<Known, MoveError>,
    come: impl AsyncFn() -> Result<u64, MoveError>,
    put: impl AsyncFn(Range<u64>) -> Result<Value, Failure>,
) -> Result<Value, MoveError> {
    // How much is sent at a time.
    let mut most = pieces::least(size).max(PIECE);
    // Where the next piece begins; none: the gateway is asked.
    let mut at = None;
    let mut asked = true;
    loop {
        let answer = tried(attempts, async || {
            // The last answer may be lost.
            if !std::mem::replace(&mut asked, false)
                && let Known::File(file) = known().await?
            {
                return Ok(file);
            }
            let from = match at.take() {
                Some(at) => at,
                None if size <= most => 0,
                None => come().await?,
            };
            let part = from..from.saturating_add(most).min(size);
            let in_pieces = part != (0..size);
            let done = match put(part).await {
                // A gateway of the release before, or one of its nodes, takes a piece for all of the file.
                Err(Failure::Refused(why)) if in_pieces && why.starts_with("422 MailboxContentDiffers") => {
                    most = size;
                    put(0..size).await
                }
                done => done,
            };
            match done {
                // Another run sends the same.
                Err(Failure::Refused(why)) if why.starts_with("409 MailboxPiecePlace") => Err(Failure::Passing(why).into()),
                done => Ok(done?),
            }
        })
        .await?;
        match answer.get("offset").and_then(Value::as_u64) {
            // It answered: what became of the piece is known.
            Some(offset) => (at, asked) = (Some(offset), true),
            None => return Ok(answer),
        }
    }
}

/// Rejected for no fault of the file: it was never validated.
fn was_not_validated(file: &Value) -> bool {
    let code = |remark: &Value| remark.get("code").and_then(Value::as_str).is_some_and(|code| ["VP091", "VP092"].contains(&code));
    let rejected = file.get("validation").and_then(Value::as_str) == Some("AFVIST");
    rejected && file.get("remarks").and_then(Value::as_array).is_some_and(|remarks| remarks.iter().any(code))
}

/// Delivers a file, with the id of its delivery; past: it was delivered so long ago that nothing else is known of it.
async fn delivered(api: &Api, args: &Deliver, path: &Path) -> Result<(Uuid, Known), MoveError> {
    let read = path.to_owned();
    let (size, sha256) = aside(move || digest_of(&read)).await.map_err(MoveError::File)?;
    let modified = path.metadata().and_then(|data| data.modified()).map_err(MoveError::File)?;
    let modified = modified.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (kind, code) = &args.alias;
    let mut attempt = 0;
    let (id, of, found) = loop {
        let id = delivery_id(args, &name, &sha256, modified, attempt);
        let of = format!("/api/v1/mailboxes/{}/outbox/{id}", args.agreement);
        // It may be there: the last answer was lost, or the job was run before.
        match tried(args.connection.attempts, async || known(api, &of).await).await? {
            Known::File(file) if was_not_validated(&file) && attempt < MOST_ATTEMPTS => attempt += 1,
            found => break (id, of, found),
        }
    };
    let put = format!("{of}?stream={}&alias_kind={kind}&alias={code}&size={size}&sha256={sha256}", encoded(&args.stream));
    let mut file = match found {
        Known::Past(rejected) => return Ok((id, Known::Past(rejected))),
        Known::File(file) => file,
        Known::Nothing => {
            let name = encoded(&name);
            let put = async |part| api.put(&put, &name, (path, size), part, move |sent| progress(sent, size)).await;
            sent(args.connection.attempts, size, async || known(api, &of).await, async || come(api, &of).await, put).await?
        }
    };
    let until = tokio::time::Instant::now() + Duration::from_secs(args.wait);
    while file.get("validation").and_then(Value::as_str) == Some("MODTAGET") && tokio::time::Instant::now() < until {
        tokio::time::sleep(Duration::from_secs(1)).await;
        file = tried(args.connection.attempts, async || Ok(api.get(&of).await?)).await?;
    }
    Ok((id, Known::File(file)))
}

pub(super) async fn deliver(args: Deliver, out: &mut impl Write) -> Result<ExitCode, CommandError> {
    let api = Api::new(&args.connection)?;
    let (mut code, mut done, mut failed) = (0, 0, 0);
    let agreement = args.agreement;
    let many = args.files.len();
    for (at, path) in args.files.iter().enumerate() {
        let name = if args.names { format!(" {:?}", path.display().to_string()) } else { String::new() };
        match delivered(&api, &args, path).await {
            Ok((id, Known::Nothing | Known::Past(false))) => {
                done += 1;
                writeln!(out, "mailbox deliver {agreement}: {id} was delivered before, and its history is deleted{name}")?;
            }
            Ok((id, Known::Past(true))) => {
                code = code.max(REJECTED);
                failed += 1;
                writeln!(
                    out,
                    "mailbox deliver {agreement}: {id} was delivered before and was AFVIST; write the file anew to deliver it again{name}"
                )?;
            }
            Ok((_, Known::File(file))) => {
                let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                let (id, validation) = (text(&file, "delivery"), text(&file, "validation"));
                writeln!(out, "mailbox deliver {agreement}: {id} is {validation}{name}")?;
                for remark in file.get("remarks").and_then(Value::as_array).into_iter().flatten() {
                    writeln!(out, "  {} {} {}", text(remark, "code"), text(remark, "da"), text(remark, "remedy_da"))?;
                    writeln!(out, "  {} {} {}", text(remark, "code"), text(remark, "en"), text(remark, "remedy_en"))?;
                }
                if validation == "AFVIST" {
                    code = code.max(REJECTED);
                    failed += 1;
                } else {
                    done += 1;
                }
            }
            Err(error) => {
                code = code.max(error.code());
                failed += 1;
                writeln!(out, "mailbox deliver {agreement}: file {} of {many} is not delivered{name}: {error}", at + 1)?;
            }
        }
    }
    writeln!(out, "mailbox deliver {agreement}: {done} files delivered, {failed} failed or rejected")?;
    Ok(ExitCode::from(code))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn a_name_from_elsewhere_leads_nowhere_and_every_system_can_hold_it() {
        for (name, due) in [
            ("løn 11.txt", "løn 11.txt"),
            ("../../etc/passwd", "ID_.._.._etc_passwd"),
            ("C:\\x", "C__x"),
            (".profile", "ID_.profile"),
            ("NUL.txt", "ID_NUL.txt"),
            ("com1", "ID_com1"),
            ("command.txt", "command.txt"),
            ("a. .", "a"),
            ("...", "ID_"),
        ] {
            assert_eq!(local(name, "ID"), due, "{name:?}");
        }
    }

    /// What is put to a gateway that `answers` it, of a file of so many bytes.
    async fn put_to(
        size: u64,
        come: u64,
        answers: impl Fn(&Range<u64>) -> Result<Value, Failure>,
    ) -> (Result<Value, MoveError>, Vec<Range<u64>>) {
        let parts = RefCell::new(Vec::new());
        let put = async |part: Range<u64>| {
            let answer = answers(&part);
            parts.borrow_mut().push(part);
            answer
        };
        let done = sent(0, size, async || Ok(Known::Nothing), async || Ok(come), put).await;
        (done, parts.into_inner())
    }

    #[tokio::test]
    async fn what_the_gateway_asks_to_be_tried_again_later_is_not_tried_before() {
        let (rest, begun, mut tries) = (Duration::from_secs(2), std::time::Instant::now(), 0);
        let done = tried(1, async || {
            tries += 1;
            if tries == 1 { Err(Failure::Later("503 MailboxJoining: ".to_owned(), rest).into()) } else { Ok(()) }
        });
        done.await.unwrap();
        assert_eq!(tries, 2);
        assert!(begun.elapsed() >= rest, "{:?}", begun.elapsed());
        let never: Result<(), _> = tried(0, async || Err(Failure::Later("503 MailboxJoining: ".to_owned(), rest).into())).await;
        assert_eq!(never.unwrap_err().code(), AGAIN);
    }

    fn differs() -> Result<Value, Failure> {
        Err(Failure::Refused("422 MailboxContentDiffers: ".to_owned()))
    }

    #[tokio::test]
    async fn a_file_goes_whole_to_a_gateway_that_takes_a_piece_for_all_of_it() {
        let size = 2 * PIECE + 1;
        let whole = |part: &Range<u64>| part == &(0..size);
        let before = |part: &Range<u64>| if whole(part) { Ok(json!({"id": 1})) } else { differs() };
        let (done, parts) = put_to(size, 0, before).await;
        assert_eq!((done.unwrap(), parts), (json!({"id": 1}), vec![0..PIECE, 0..size]));
        // One of its nodes is of the release before.
        let second =
            |part: &Range<u64>| if part.start == 0 && !whole(part) { Ok(json!({"offset": part.end})) } else { before(part) };
        let (done, parts) = put_to(size, 0, second).await;
        assert_eq!((done.unwrap(), parts), (json!({"id": 1}), vec![0..PIECE, PIECE..2 * PIECE, 0..size]));
        // What is not what it says is refused, and not sent again and again.
        for size in [size, PIECE] {
            let (done, parts) = put_to(size, 0, |_| differs()).await;
            assert_eq!(done.unwrap_err().code(), REFUSED);
            assert_eq!(parts.iter().filter(|part| **part == (0..size)).count(), 1, "{parts:?}");
        }
    }

    #[tokio::test]
    async fn a_file_is_sent_in_no_more_pieces_than_it_may_have() {
        for size in [PIECE, PIECE + 1, 100_000_000_000] {
            let taken = |part: &Range<u64>| Ok(if part.end == size { json!({"id": 1}) } else { json!({"offset": part.end}) });
            let (done, parts) = put_to(size, 0, taken).await;
            assert_eq!(done.unwrap(), json!({"id": 1}));
            assert!(u64::try_from(parts.len()).unwrap() <= pieces::MOST_PIECES, "{size}: {}", parts.len());
            let (last, others) = parts.split_last().unwrap();
            assert!(others.iter().all(|part| part.end - part.start >= pieces::least(size)), "{size}");
            assert_eq!(others.last().map_or(0, |part| part.end), last.start, "{size}");
        }
        let (_, parts) = put_to(3 * PIECE, PIECE, |_| Ok(json!({"id": 1}))).await;
        assert_eq!(parts, vec![PIECE..2 * PIECE], "what has come is not sent again");
    }
}
