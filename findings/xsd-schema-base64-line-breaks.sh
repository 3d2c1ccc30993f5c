#!/usr/bin/env bash
# xsd-schema 0.3.0 refuses a valid xs:base64Binary whose text has white space inside it.
#
# Guessed: a value of xs:base64Binary is judged by XML Schema part 2, § 3.2.16, whose lexical form lets single spaces stand
# between the characters, and whose whiteSpace facet turns line breaks into such spaces. Signed and attached documents
# come in lines of 64 or 76 characters, so nearly every real value has them.
# Happens: the value is collapsed and then decoded with the spaces in it: "Invalid symbol 32". White space around the value
# is taken. xmllint takes both.
# The product: src/schema/drive.rs takes white space out of every value whose type is, or is derived from, base64Binary before
# the library judges it (tests/schema/small.rs: base64_with_line_breaks_is_everyday_and_its_length_counts_octets).
#
# Needs cargo and xmllint (Debian: libxml2-utils).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat > Cargo.toml <<'T'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
xsd-schema = { version = "=0.3.0", features = ["xsd11"] }
T
cat > src/main.rs <<'T'
use xsd_schema::validation::{drive_quick_xml, CollectingValidationSink, SchemaValidator, ValidationFlags};
use xsd_schema::SchemaSetBuilder;

fn main() {
    let schema = std::fs::read_to_string("a.xsd").unwrap();
    let set = SchemaSetBuilder::new().add_source(&schema, "a.xsd").unwrap().compile().unwrap().into_schema_set();
    let validator = SchemaValidator::new(&set, ValidationFlags::default());
    for name in std::env::args().skip(1) {
        let (mut errors, mut warnings) = (Vec::new(), Vec::new());
        {
            let mut run = validator.start_run(CollectingValidationSink { errors: &mut errors, warnings: &mut warnings });
            drive_quick_xml(std::fs::read(&name).unwrap().as_slice(), &mut run, &set).unwrap();
        }
        println!("{name} {}", errors.first().map_or("valid", |error| error.constraint));
    }
}
T
echo '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a" type="xs:base64Binary"/></xs:schema>' > a.xsd
echo '<a>AQIDBAUG</a>' > one-line.xml
printf '<a>\n  AQIDBAUG\n</a>\n' > around.xml
printf '<a>AQID\nBAUG</a>\n' > two-lines.xml
said=$(cargo run --quiet -- one-line.xml around.xml two-lines.xml)
echo "xsd-schema 0.3.0:"
echo "$said"
echo "$(xmllint --version 2>&1 | head -1):"
xmllint --noout --schema a.xsd one-line.xml around.xml two-lines.xml
expected='one-line.xml valid
around.xml valid
two-lines.xml cvc-datatype-valid'
if [ "$said" != "$expected" ]; then
  echo "the behaviour has changed; expected:"
  echo "$expected"
  exit 1
fi
echo "as found: the library refuses what xmllint and the recommendation take"
