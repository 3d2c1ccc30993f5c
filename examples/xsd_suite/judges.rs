//! The JDK's verdict and xmllint's, on the documents as the suite has them.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Case;

/// The verdicts of the JDK's `javax.xml.validation`, in the order of the cases.
pub fn jdk(root: &Path, cases: &[&Case]) -> Vec<String> {
    let list = std::env::temp_dir().join(format!("xsd_suite.{}", std::process::id()));
    let line = |case: &&Case| format!("{}\t{}\n", case.instance.as_deref().unwrap_or("-"), case.schema.join("\t"));
    fs::write(&list, cases.iter().map(line).collect::<String>()).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/xsd_suite/Judge.java");
    // A proxy that nobody answers at: a location on the network is a document that is missing.
    let said = Command::new("java")
        .args(["-Dhttp.proxyHost=127.0.0.1", "-Dhttp.proxyPort=9"])
        .arg(source)
        .arg(root.canonicalize().unwrap())
        .arg(&list)
        .output()
        .unwrap();
    fs::remove_file(&list).unwrap();
    let verdicts: Vec<String> = String::from_utf8(said.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(verdicts.len(), cases.len(), "{}", String::from_utf8_lossy(&said.stderr));
    verdicts
}

/// xmllint's verdict. It takes one schema document.
pub fn xmllint(root: &Path, case: &Case) -> &'static str {
    let [schema] = case.schema.as_slice() else { return "not asked" };
    let instance = case.instance.as_ref().unwrap_or(schema);
    let said =
        Command::new("xmllint").current_dir(root).args(["--noout", "--nonet", "--schema", schema, instance]).output().unwrap();
    // 5 is a schema that is refused, 3 and 4 an instance; a schema is asked about with itself as the instance.
    match (said.status.code(), &case.instance) {
        (Some(5), _) | (Some(3 | 4), Some(_)) => "refused",
        (Some(0), _) | (Some(3 | 4), None) => "accepted",
        _ => "no verdict",
    }
}
