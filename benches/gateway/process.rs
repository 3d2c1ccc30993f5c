//! Processes of this run, and what the kernel's accounting says of them.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// How many ticks of the accounting make a second.
static TICKS: LazyLock<f64> = LazyLock::new(|| said("getconf", &["CLK_TCK"]).trim().parse().unwrap());

/// A process of this run and its children; told to end when this is dropped.
pub struct Process {
    child: Child,
    log: std::path::PathBuf,
}

impl Process {
    /// Starts a program that stays in the foreground; what it writes goes into `log`.
    pub fn start(program: &str, arguments: &[&str], log: &Path) -> Self {
        let file = std::fs::File::create(log).unwrap();
        // Whatever becomes of this program, nothing of it is left running.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--", program])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("setpriv (util-linux) does not start {program}: {error}"));
        Self { child, log: log.to_owned() }
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it listens.
    pub fn listens(&mut self, address: std::net::SocketAddr) {
        let until = Instant::now() + Duration::from_mins(3);
        while Instant::now() < until && self.runs() {
            if std::net::TcpStream::connect(address).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("nothing listens on {address}: {}", self.log());
    }

    /// Whether it has not ended.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// CPU time used so far, user and system, by all threads of the process and of its children, in seconds.
    pub fn cpu(&self) -> f64 {
        cpu_of(self.id())
    }

    /// A line of the status of the process and its children, added up, in bytes: `VmHWM` is the greatest resident size.
    pub fn memory(&self, name: &str) -> u64 {
        let kilobytes = |process: &Accounted| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", process.id)).unwrap_or_default();
            let line = status.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0)
        };
        family(self.id()).iter().map(|process| kilobytes(process) * 1024).sum()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.id().to_string()]).status();
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The same of any process and its children.
pub fn cpu_of(process: u32) -> f64 {
    let ticks: u64 = family(process).iter().map(|process| process.ticks).sum();
    ticks as f64 / *TICKS
}

/// What `/proc/PID/stat` says of one process.
struct Accounted {
    id: u32,
    parent: u32,
    ticks: u64,
}

impl Accounted {
    fn read(id: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name stands in parentheses and may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self { id, parent: u32::try_from(number(1)?).ok()?, ticks: number(11)? + number(12)? })
    }
}

/// A process and its descendants.
fn family(root: u32) -> Vec<Accounted> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut others: Vec<Accounted> = ids.filter_map(Accounted::read).collect();
    let mut members: Vec<u32> = vec![root];
    let mut found = Vec::new();
    loop {
        let (of_us, rest): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|process| members.contains(&process.id) || members.contains(&process.parent));
        others = rest;
        if of_us.is_empty() {
            return found;
        }
        members.extend(of_us.iter().map(|process| process.id));
        found.extend(of_us);
    }
}

/// CPU time of the calling thread, in seconds, to the nanosecond.
pub fn thread_cpu() -> f64 {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    schedstat.split_whitespace().next().unwrap().parse::<u64>().unwrap() as f64 / 1e9
}

/// What a program says when asked, on either stream.
pub fn said(program: &str, arguments: &[&str]) -> String {
    match Command::new(program).args(arguments).output() {
        Ok(output) => format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
        Err(_) => String::new(),
    }
}

/// A free port of the loopback.
pub fn free() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
