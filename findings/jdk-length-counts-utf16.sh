#!/usr/bin/env bash
# The JDK's validator (javax.xml.validation): maxLength on a text with characters beyond U+FFFF.
#
# Guessed: length facets of xs:string count characters (XML Schema Part 2, § 4.3.1), so a text of twenty emoji has maxLength 20.
# Happens: the JDK counts units of UTF-16, two for each such character, and refuses the text ("length = '40' is not facet-valid with respect
#          to maxLength '20'"). libxml2 takes it, and the JDK takes twenty characters below U+10000.
# The product: the gateway counts characters; a ledger on Java may refuse by schema a text that the gateway passed on. docs/clients/finance-ledger.md
#          says so, and the test that holds our verdicts against the JDK's (tests/passthrough/finance/judges.rs) lets this one difference be.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for tool in java xmllint; do command -v "$tool" >/dev/null || { echo "$tool is needed: apt-get install openjdk-17-jdk-headless libxml2-utils"; exit 2; }; done
cat > "$dir/a.xsd" <<'XSD'
<x:schema xmlns:x="http://www.w3.org/2001/XMLSchema"><x:element name="R"><x:simpleType>
  <x:restriction base="x:string"><x:maxLength value="20"/></x:restriction></x:simpleType></x:element></x:schema>
XSD
python3 - "$dir" <<'PY'
import sys
for name, character in (("plain", "\u00e6"), ("emoji", "\U0001F600")):
    open(f"{sys.argv[1]}/{name}.xml", "w", encoding="utf-8").write(f"<R>{character * 20}</R>")
PY
cat > "$dir/Judge.java" <<'JAVA'
import java.io.File; import javax.xml.XMLConstants; import javax.xml.transform.stream.StreamSource; import javax.xml.validation.SchemaFactory;
public class Judge { public static void main(String[] a) throws Exception {
  var schema = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI).newSchema(new File(a[0]));
  System.out.println("JDK " + System.getProperty("java.version"));
  for (int i = 1; i < a.length; i++) { String said = "valid";
    try { schema.newValidator().validate(new StreamSource(new File(a[i]))); } catch (org.xml.sax.SAXException e) { said = "refused: " + e.getMessage().replaceAll("'[^']*' with", "the value with"); }
    System.out.println(new File(a[i]).getName() + " " + said); } } }
JAVA
xmllint --version 2>&1 | head -1
xmllint --noout --schema "$dir/a.xsd" "$dir/plain.xml" "$dir/emoji.xml"
java "$dir/Judge.java" "$dir/a.xsd" "$dir/plain.xml" "$dir/emoji.xml" | tee "$dir/said"
grep -q "^plain.xml valid$" "$dir/said" && grep -q "^emoji.xml refused: .*length = '40'" "$dir/said" || { echo "the behaviour has changed"; exit 1; }
