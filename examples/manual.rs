//! Writes the manual pages and the completions of bash, zsh and fish, which packages hold: `cargo run --example manual -- DIR`.
//! They are made from the command line itself, and so not kept.

use std::path::PathBuf;
use std::{env, fs, io};

use clap_complete::{Shell, generate_to};

fn main() -> io::Result<()> {
    let Some(dir) = env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("name the folder to write in"));
    };
    let (manual, completions) = (dir.join("man1"), dir.join("completions"));
    fs::create_dir_all(&manual)?;
    fs::create_dir_all(&completions)?;
    clap_mangen::generate_to(hjemmel::cli::command(), &manual)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut hjemmel::cli::command(), "hjemmel", &completions)?;
    }
    Ok(())
}
