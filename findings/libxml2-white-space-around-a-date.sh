#!/usr/bin/env bash
# libxml2's validator (xmllint 2.9.14, lxml 6.1.3 with 2.14.6): white space around a date.
#
# Guessed:  whiteSpace is "collapse" for every type but strings (XML Schema Part 2, § 4.3.6), so a date on a line of its own is as valid as
#           a number on a line of its own.
# Happens:  of xs:date, xs:dateTime and xs:gYear it refuses white space in front and behind; of xs:time and xs:duration it takes it in front
#           and refuses it behind; of xs:decimal, xs:integer and xs:boolean it takes both. With a pattern the same date is taken again: then the
#           white space is taken away first. xmllint 2.9.14 refuses it around xs:int and its kin too, which 2.14.6 takes. The JDK takes all of them.
# Product:  the gateway takes them, and hands them on as they were signed. A receiver that judges by libxml2 (lxml, xmllint; PHP and Nokogiri have the same) refuses
#           what is valid: docs/clients/finance-ledger.md.
#
# Needs java, python3 and xmllint. Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
for tool in java python3 xmllint; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check lxml==6.1.3 || exit 2
cat >Judge.java <<'JAVA'
import java.io.File;
import javax.xml.XMLConstants;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.SchemaFactory;

public class Judge {
    public static void main(String[] files) throws Exception {
        SchemaFactory factory = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI);
        for (String file : files) {
            String said = "valid";
            try {
                factory.newSchema(new File(file + ".xsd")).newValidator().validate(new StreamSource(new File(file + ".xml")));
            } catch (org.xml.sax.SAXException e) {
                said = "refused";
            }
            System.out.println(file + " " + said);
        }
    }
}
JAVA
cat >tried.py <<'PY'
import subprocess
import sys

from lxml import etree

XSD = '<x:schema xmlns:x="http://www.w3.org/2001/XMLSchema"><x:element name="a"{}</x:schema>'
PATTERN = '><x:simpleType><x:restriction base="x:date"><x:pattern value="[0-9-]*"/></x:restriction></x:simpleType></x:element>'
VALUES = {
    "date": "2026-06-01", "dateTime": "2026-06-01T12:00:00", "gYear": "2026", "time": "12:00:00", "duration": "P1D",
    "int": "5", "integer": "5", "decimal": "5.00", "boolean": "true", "date-with-pattern": "2026-06-01",
}
names, by_lxml, by_xmllint = [], {}, {}
for kind, value in VALUES.items():
    schema = XSD.format(PATTERN if "pattern" in kind else f' type="x:{kind}"/>')
    for where, text in (("bare", value), ("front", f"\n{value}"), ("behind", f"{value}\n")):
        name = f"{kind}.{where}"
        names.append(name)
        for ending, content in ((".xsd", schema), (".xml", f"<a>{text}</a>")):
            with open(name + ending, "w") as file:
                file.write(content)
        by_lxml[name] = etree.XMLSchema(etree.parse(name + ".xsd")).validate(etree.parse(name + ".xml"))
        by_xmllint[name] = not subprocess.run(["xmllint", "--noout", "--schema", name + ".xsd", name + ".xml"], capture_output=True).returncode
told = subprocess.run(["java", "Judge.java", *names], capture_output=True, text=True, check=True).stdout.split("\n")
by_jdk = {line.split()[0]: line.endswith(" valid") for line in told if line}
print("lxml", etree.__version__, "with libxml2", ".".join(map(str, etree.LIBXML_VERSION)))


def refused(said):
    return [name for name, valid in said.items() if not valid]


for judge, said in (("lxml", by_lxml), ("xmllint", by_xmllint), ("the JDK", by_jdk)):
    print(f"{judge} refuses: {', '.join(refused(said)) or 'nothing'}")
due = [f"{kind}.{where}" for kind in ("date", "dateTime", "gYear") for where in ("front", "behind")] + ["time.behind", "duration.behind"]
ok = len(by_jdk) == len(names) and refused(by_jdk) == [] and refused(by_lxml) == due and set(due) <= set(refused(by_xmllint))
sys.exit(0 if ok else "the behaviour has changed")
PY
xmllint --version 2>&1 | head -1
venv/bin/python tried.py
