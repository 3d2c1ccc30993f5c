//! A folder in which a server runs, as a user that it agrees to run as, and the process that ends both.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

/// A temporary folder, owned by the user that the server runs as.
pub struct Folder {
    path: PathBuf,
    /// Only where this program is root: PostgreSQL and PgBouncer refuse that.
    user: Option<(u32, u32)>,
    watcher: Child,
}

impl Folder {
    /// `end` is what the watcher does with the servers, as shell commands in the folder.
    pub fn new(name: &str, end: &str) -> Self {
        let path = tempfile::Builder::new().prefix(name).tempdir().unwrap().keep();
        let user = (fs::metadata("/proc/self").unwrap().uid() == 0).then(unprivileged);
        if let Some((uid, gid)) = user {
            chown(&path, Some(uid), Some(gid)).unwrap();
        }
        // Input ends when this program does, in whatever way. Signals of the terminal are for the program alone.
        let script = format!("trap '' INT TERM HUP\nread -r line\n{end}\ncd /\nrm -rf \"$1\"");
        let mut watcher = command(user, &path, Path::new("/bin/sh"));
        watcher.args(["-c", &script, "watcher"]).arg(&path).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let watcher = watcher.spawn().unwrap();
        Self { path, user, watcher }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that only the server's user reads, as keys must be.
    pub fn write(&self, name: &str, text: &str) {
        let file = self.path.join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        if let Some((uid, gid)) = self.user {
            chown(&file, Some(uid), Some(gid)).unwrap();
        }
    }

    /// A program, to be run in the folder as its user.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = command(self.user, &self.path, program);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs a program, which must succeed; what it printed.
    pub fn run(&self, program: &Path, arguments: &[&str]) -> String {
        let mut command = self.command(program);
        let done = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{} {}: {said}", program.display(), arguments.join(" "));
        String::from_utf8(done.stdout).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
    }
}

fn command(user: Option<(u32, u32)>, folder: &Path, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin").env("LC_ALL", "C");
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

/// `postgres` where there is one, for it can read what its packages hold; otherwise `nobody`.
fn unprivileged() -> (u32, u32) {
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let of = |name: &str| {
        let entry = passwd.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut fields = entry.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    of("postgres").or_else(|| of("nobody")).unwrap()
}

/// A port that nobody listens on at the moment.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Not of those that the kernel gives out: while a server is down its port would go to whoever asks for any.
    let first = (std::process::id() % 12_000) as u16;
    let ports = std::iter::repeat_with(|| 20_000 + first.wrapping_add(NEXT.fetch_add(7, Ordering::Relaxed)) % 12_000);
    ports.take(12_000).find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

#[derive(Debug, Clone, Copy)]
pub enum Signal {
    Stop,
    Continue,
    Kill,
}

/// Sends a signal to processes; those that have ended meanwhile do not matter.
pub fn signal(signal: Signal, processes: &[u32]) {
    let name = match signal {
        Signal::Stop => "STOP",
        Signal::Continue => "CONT",
        Signal::Kill => "KILL",
    };
    let all: Vec<String> = processes.iter().map(u32::to_string).collect();
    let script = format!("kill -{name} {}", all.join(" "));
    let _ = Command::new("/bin/sh").args(["-c", &script]).stderr(Stdio::null()).status().unwrap();
}

/// A process and its children.
pub fn tree(process: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    std::iter::once(process).chain(children.split_whitespace().filter_map(|child| child.parse().ok())).collect()
}

/// Whether a process has ended and only its parent has not asked for it yet.
pub fn is_zombie(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with('Z'))
}
