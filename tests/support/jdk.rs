//! The JDK's judge of XML by a schema, beside ours and libxml2's.

use std::fs;
use std::path::Path;
use std::process::Command;

const JUDGE: &str = r#"
import java.io.File; import java.nio.file.*; import javax.xml.XMLConstants; import javax.xml.transform.stream.StreamSource; import javax.xml.validation.*;
public class Judge { public static void main(String[] a) throws Exception {
  Schema schema = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI).newSchema(new File(a[0]));
  for (int i = 0; i < Integer.parseInt(a[2]); i++) { String said = "valid";
    try { schema.newValidator().validate(new StreamSource(new File(a[1], i + ".xml"))); } catch (org.xml.sax.SAXException e) { said = "invalid"; }
    System.out.println(said); } } }
"#;

/// The JDK's verdicts on `0.xml`, `1.xml` and so on; `None` where it is not installed.
pub fn jdk(schema: &Path, files: &Path, count: usize) -> Option<Vec<bool>> {
    let source = files.join("Judge.java");
    fs::write(&source, JUDGE).unwrap();
    let said = Command::new("java").arg(&source).arg(schema).arg(files).arg(count.to_string()).output().ok()?;
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    Some(String::from_utf8_lossy(&said.stdout).lines().map(|line| line == "valid").collect())
}
