//! What a command prints, to a reader that may be gone (`hjemmel … | head -1`).
//!
//! The macros below take the place of std's in every file under `cli`; std's panic where the reader is gone, and lints
//! (`print_stdout`, `print_stderr`) forbid them. After the first line that nobody took, a command that has its verdict ends with it; one that goes on for long is
//! called off. Neither says a word about it.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

static GONE: AtomicBool = AtomicBool::new(false);
static TOLD: Notify = Notify::const_new();

/// As a shell reports a command that SIGPIPE ended: 128 and the signal's number. Never 0: no verdict was given.
const ENDED_BY_SIGPIPE: u8 = 141;

/// Standard output. Once its reader is gone, every write fails.
#[derive(Debug, Default)]
pub struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        noticed(io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        noticed(io::stdout().flush())
    }
}

fn noticed<T>(written: io::Result<T>) -> io::Result<T> {
    if written.as_ref().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe) {
        GONE.store(true, Ordering::Relaxed);
        TOLD.notify_one();
    }
    written
}

/// Whether the reader of standard output is gone.
pub fn is_gone() -> bool {
    GONE.load(Ordering::Relaxed)
}

/// Completes when the reader of standard output is gone.
pub async fn gone() -> ExitCode {
    TOLD.notified().await;
    ended()
}

/// The exit code of a command whose reader is gone before it had a verdict.
pub fn ended() -> ExitCode {
    ENDED_BY_SIGPIPE.into()
}

/// For `print!` and `println!`. There is nowhere to report an error.
pub fn out(text: fmt::Arguments<'_>) {
    let _ = Stdout.write_fmt(text);
}

/// For `eprint!` and `eprintln!`. There is nowhere to report an error.
pub fn error(text: fmt::Arguments<'_>) {
    let _ = io::stderr().write_fmt(text);
}

#[allow(unused_macros)] // so that std's is not reached
macro_rules! print {
    ($($text:tt)*) => { $crate::cli::output::out(format_args!($($text)*)) };
}
macro_rules! println {
    () => { $crate::cli::output::out(format_args!("\n")) };
    ($($text:tt)*) => { $crate::cli::output::out(format_args!("{}\n", format_args!($($text)*))) };
}
macro_rules! eprint {
    ($($text:tt)*) => { $crate::cli::output::error(format_args!($($text)*)) };
}
macro_rules! eprintln {
    () => { $crate::cli::output::error(format_args!("\n")) };
    ($($text:tt)*) => { $crate::cli::output::error(format_args!("{}\n", format_args!($($text)*))) };
}
