//! Writes the migrations of both dialects as constants for `src/store/migrations.rs`.
//!
//! sqlx's macro would do it too, and have SQLite, the TLS library and sqlx itself compiled a second time, to run in the compiler.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> Result<(), Box<dyn Error>> {
    let (root, out) = (env::var("CARGO_MANIFEST_DIR")?, env::var("OUT_DIR")?);
    let mut written = String::new();
    for (name, dialect) in [("SQLITE", "sqlite"), ("POSTGRES", "postgres")] {
        let folder = Path::new(&root).join("migrations").join(dialect);
        let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
        files.sort();
        writeln!(written, "const {name}: &[(i64, &str, &str)] = &[")?;
        for file in files {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            let (version, description) =
                stem.split_once('_').ok_or_else(|| format!("{stem}: VERSION_DESCRIPTION.sql is wanted"))?;
            let (version, description): (i64, _) = (version.parse()?, description.replace('_', " "));
            // Named from the crate that is compiled, and not from here: trees with one target folder have one output of this script.
            let file = format!("/migrations/{dialect}/{stem}.sql");
            writeln!(
                written,
                "    ({version}, {description:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {file:?}))),"
            )?;
        }
        writeln!(written, "];")?;
    }
    fs::write(Path::new(&out).join("migrations.rs"), written)?;
    writeln!(io::stdout(), "cargo::rerun-if-changed=migrations")?;
    Ok(())
}
