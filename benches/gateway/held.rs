//! What holds a process to a part of the machine, so that what stands around it is not what slows it down.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// Driver, back end, balancer and database need processors of their own beside two nodes.
const ENOUGH: usize = 6;
/// The part of a processor that a node has where there are fewer.
const SHARE: f64 = 0.25;
/// Over what time the kernel counts a share. Short beside a call under load.
const PERIOD_US: u32 = 5_000;

/// One processor, or the same part of one for each that is held.
pub enum Held {
    /// A processor by its number.
    Processor(usize),
    /// A control group with a quota.
    Group(PathBuf),
}

impl Held {
    /// For the process of this number of those that are compared.
    pub fn new(number: usize) -> Self {
        match processors() < ENOUGH {
            true => group().map_or(Self::Processor(number), Self::Group),
            false => Self::Processor(number),
        }
    }

    /// What goes before the program and its arguments.
    pub fn prefix(&self) -> Vec<String> {
        match self {
            Self::Processor(number) => ["taskset", "-c", &number.to_string()].map(str::to_owned).to_vec(),
            Self::Group(group) => {
                let joins = r#"echo $$ > "$0/cgroup.procs" && exec "$@""#;
                vec!["sh".to_owned(), "-c".to_owned(), joins.to_owned(), group.display().to_string()]
            }
        }
    }

    /// In words.
    pub fn describe(&self) -> String {
        match self {
            Self::Processor(_) => format!("held to one of {} processors", processors()),
            Self::Group(_) => format!("held to {:.0} % of a processor, of {}", SHARE * 100.0, processors()),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Self::Group(group) = self {
            // It can go when its last process has ended.
            let _ = std::fs::remove_dir(group);
        }
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

/// A group of its own with that share; `None` where this user may not make one.
fn group() -> Option<PathBuf> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let name = format!("hjemmel-bench-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let quota = (f64::from(PERIOD_US) * SHARE) as u32;
    let root = std::path::Path::new("/sys/fs/cgroup");
    let (group, settings) = match root.join("cgroup.controllers").exists() {
        true => (root.join(name), vec![("cpu.max", format!("{quota} {PERIOD_US}"))]),
        false => {
            let settings = vec![("cpu.cfs_period_us", PERIOD_US.to_string()), ("cpu.cfs_quota_us", quota.to_string())];
            (root.join("cpu").join(name), settings)
        }
    };
    std::fs::create_dir(&group).ok()?;
    let set = settings.iter().try_for_each(|(file, value)| std::fs::write(group.join(file), value));
    if set.is_err() {
        let _ = std::fs::remove_dir(&group);
        return None;
    }
    Some(group)
}
