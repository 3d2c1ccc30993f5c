//! Instructions of a running gateway, counted by callgrind, and which of them are cryptography.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Instructions by function.
#[derive(Default)]
pub struct Count {
    functions: HashMap<String, (u64, bool)>,
}

impl Count {
    /// What callgrind wrote. A function is cryptography where its name or its source is of aws-lc: RSA, SHA, AES, curves. What
    /// wraps it in Rust is not, nor are the copies and allocations that it asks of the C library.
    pub fn read(text: &str) -> Self {
        let mut names: HashMap<(&str, &str), &str> = HashMap::new();
        let mut functions: HashMap<String, (u64, bool)> = HashMap::new();
        let (mut function, mut own, mut file, mut called) = ("", "", "", false);
        for line in text.lines() {
            if let Some((key @ ("fn" | "fl" | "fi" | "fe" | "cfn" | "cfi" | "cfl"), value)) = line.split_once('=') {
                let space = if key.ends_with("fn") { "fn" } else { "fl" };
                let (id, name) = value.split_once(' ').unwrap_or((value, ""));
                let name = if name.is_empty() { names.get(&(space, id)).copied().unwrap_or(id) } else { name };
                names.insert((space, id), name);
                match key {
                    "fn" => (function, own) = (name, file),
                    // Within a function they name what was inlined.
                    "fl" | "fi" | "fe" => file = name,
                    _ => {}
                }
            } else if line.starts_with("calls=") {
                // The line after it is what the function called cost, which is counted there.
                called = true;
            } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
                let cost: u64 = line.split_whitespace().nth(1).and_then(|cost| cost.parse().ok()).unwrap_or(0);
                if !std::mem::take(&mut called) {
                    let entry = functions.entry(function.to_owned()).or_default();
                    entry.0 += cost;
                    entry.1 |= function.starts_with("aws_lc_") || own.contains("/aws-lc/");
                }
            }
        }
        Self { functions }
    }

    /// Of all functions, or without those of cryptography.
    pub fn total(&self, without_cryptography: bool) -> u64 {
        self.functions.values().filter(|(_, cryptography)| !(without_cryptography && *cryptography)).map(|(cost, _)| cost).sum()
    }

    /// The functions that cost most, apart from cryptography.
    pub fn greatest(&self, count: usize) -> Vec<(&str, u64)> {
        let own = self.functions.iter().filter(|(_, (_, cryptography))| !cryptography);
        let mut sorted: Vec<_> = own.map(|(name, (cost, _))| (name.as_str(), *cost)).collect();
        sorted.sort_by_key(|(_, cost)| std::cmp::Reverse(*cost));
        sorted.truncate(count);
        sorted
    }
}

/// Where a process under callgrind writes what it counted.
pub struct Callgrind {
    out: PathBuf,
    dumps: usize,
}

impl Callgrind {
    pub fn new(out: &Path) -> Self {
        Self { out: out.to_owned(), dumps: 0 }
    }

    /// What a program is started by.
    pub fn command(&self) -> Vec<String> {
        let out = format!("--callgrind-out-file={}", self.out.display());
        ["valgrind", "--quiet", "--tool=callgrind", "--compress-pos=no"].map(str::to_owned).into_iter().chain([out]).collect()
    }

    /// What was counted since the last time.
    pub fn dump(&mut self, process: u32) -> Count {
        self.dumps += 1;
        let told = Command::new("callgrind_control").args(["--dump", &process.to_string()]).output().expect("callgrind_control");
        let file = format!("{}.{}", self.out.display(), self.dumps);
        let text = std::fs::read_to_string(&file);
        Count::read(&text.unwrap_or_else(|error| panic!("{file}: {error}: {}", String::from_utf8_lossy(&told.stdout))))
    }
}
