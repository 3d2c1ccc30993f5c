#!/usr/bin/env bash
# generateDS 2.44.3 (Python) writes each element with the prefix that stood before it in what was read, whether or not that prefix is declared.
#
# Guessed:  which prefix a document uses, if any, means nothing: what is read and written again is the same message, each element in the schema's namespace.
# Happens:  an element keeps the prefix that it was read with; the export declares that of the schema file alone. Read under a default namespace, as most
#           programs write, elements of a complex type are written with the schema's prefix and those of a simple type without any, in no namespace: half of the
#           message is outside the schema. Read with another prefix than the schema file has, the document is not even well-formed ("Namespace prefix m … is not defined").
#           Only a document with the schema file's own prefix comes out right, and so does an object that was made by hand. No word is said of it.
#           With UseCapturedNS_ = False in the module and xmlns="…" as namespacedef_, each of the three is written right.
# Product:  takes any prefix, and writes its own. Whoever changes an example and sends it, or sends on what was received, meets SchemaViolated or RequestInvalid, or MalformedXml.
#           docs/clients/field.md (generateDS) says how to write it.
#
# Needs python3. Exit 0: it still does so. Exit 1: it does something else. Exit 2: something cannot be installed.
set -euo pipefail
command -v python3 >/dev/null || { echo "python3 is needed"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
nice venv/bin/pip install --quiet --disable-pip-version-check generateDS==2.44.3 lxml==6.1.3 six==1.17.0 requests==2.34.2 || exit 2
cat >letter.xsd <<'XSD'
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t" elementFormDefault="qualified">
  <xs:element name="Letter" type="t:LetterType"/>
  <xs:complexType name="LetterType"><xs:sequence>
    <xs:element name="Subject" type="xs:string"/>
    <xs:element name="Sender" type="t:PartyType"/>
  </xs:sequence></xs:complexType>
  <xs:complexType name="PartyType"><xs:sequence><xs:element name="Name" type="xs:string"/></xs:sequence></xs:complexType>
</xs:schema>
XSD
venv/bin/generateDS -q -f -o letters.py letter.xsd >made.log 2>&1 || { cat made.log; exit 1; }
cat >try.py <<'PYTHON'
import importlib.metadata
import io
import sys

from lxml import etree

import letters

print("generateDS", importlib.metadata.version("generateDS"), "lxml", importlib.metadata.version("lxml"))
schema = etree.XMLSchema(etree.parse("letter.xsd"))


def written(letter, **said):
    """The document, and what a reader makes of it."""
    out = io.StringIO()
    letter.export(out, 0, name_="Letter", pretty_print=False, **said)
    try:
        document = etree.fromstring(out.getvalue())
    except etree.XMLSyntaxError as error:
        return out.getvalue(), f"not well-formed ({error.msg.split(' on ')[0]})"
    return out.getvalue(), "valid" if schema.validate(document) else f"not valid, {document.xpath('count(//*[not(namespace-uri())])'):.0f} of 4 elements in no namespace"


seen = {}
documents = {
    "no prefix": '<Letter xmlns="urn:t"><Subject>s</Subject><Sender><Name>n</Name></Sender></Letter>',
    "another prefix": '<m:Letter xmlns:m="urn:t"><m:Subject>s</m:Subject><m:Sender><m:Name>n</m:Name></m:Sender></m:Letter>',
    "the schema's prefix": '<t:Letter xmlns:t="urn:t"><t:Subject>s</t:Subject><t:Sender><t:Name>n</t:Name></t:Sender></t:Letter>',
}
for name, document in documents.items():
    assert schema.validate(etree.fromstring(document))
    letter = letters.parseString(document, silence=True, print_warnings=False)
    letters.UseCapturedNS_ = True
    seen[name] = written(letter)
    letters.UseCapturedNS_ = False
    seen[name + ", set so"] = written(letter, namespacedef_='xmlns="urn:t"')
letters.UseCapturedNS_ = True
seen["by hand"] = written(letters.LetterType(Subject="s", Sender=letters.PartyType(Name="n")))
for name, (text, verdict) in seen.items():
    print(f"{name}: {text} {verdict}")
verdicts = {name: verdict.split(",")[0].split(" (")[0] for name, (_, verdict) in seen.items()}
due = {"no prefix": "not valid", "another prefix": "not well-formed", "the schema's prefix": "valid", "by hand": "valid",
       **{f"{name}, set so": "valid" for name in documents}}
half = seen["no prefix"][0] == '<Letter xmlns:t="urn:t"><Subject>s</Subject><t:Sender><Name>n</Name></t:Sender></Letter>'
sys.exit(0 if verdicts == due and half else 1)
PYTHON
venv/bin/python try.py || { echo "the behaviour has changed"; exit 1; }
