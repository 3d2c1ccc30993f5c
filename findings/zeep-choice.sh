#!/usr/bin/env bash
# zeep: an xs:choice of an element or a sequence, followed by an optional element.
#
# Guessed: a valid document is read, whichever branch of the choice it has.
# Happens: with the first branch and the optional element behind it, zeep 4.3.3 raises XMLParseError ("Unexpected element … expected …"): it takes the
#          sequence for the branch that was meant. With the first branch alone, and with the second branch, it reads the same schema.
# The product: its receipt (policies/services/finansbilag) has no such choice; the gateway checks what the choice would have said.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check zeep==4.3.3 lxml==6.0.2
cat > "$dir/a.xsd" <<'XSD'
<x:schema xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t" elementFormDefault="qualified">
  <x:element name="R"><x:complexType><x:sequence>
    <x:choice>
      <x:element name="A" type="x:string"/>
      <x:sequence><x:element name="B" type="x:string"/><x:element name="C" type="x:string" maxOccurs="unbounded"/></x:sequence>
    </x:choice>
    <x:element name="P" type="x:string" minOccurs="0"/>
  </x:sequence></x:complexType></x:element>
</x:schema>
XSD
cat > "$dir/a.py" <<'PY'
import sys
from importlib.metadata import version
from lxml import etree
from zeep.exceptions import XMLParseError
from zeep.settings import Settings
from zeep.transports import Transport
from zeep.xsd import Schema

print("zeep", version("zeep"), "lxml", version("lxml"))
file = sys.argv[1]
schema = Schema(etree.parse(file).getroot(), Transport(), file, Settings())
judge = etree.XMLSchema(etree.parse(file))
seen = {}
for inside in ["<A>1</A>", "<A>1</A><P>2</P>", "<B>1</B><C>2</C>", "<B>1</B><C>2</C><P>3</P>"]:
    document = etree.fromstring(f'<R xmlns="urn:t">{inside}</R>')
    assert judge.validate(document), "libxml2 says that it is valid"
    try:
        seen[inside] = "read: " + str(schema.get_element("{urn:t}R").parse(document, schema)).replace("\n", "")
    except XMLParseError as error:
        seen[inside] = f"XMLParseError: {error}"
    print(f"{inside:<28} {seen[inside]}")
fails = [inside for inside, what in seen.items() if what.startswith("XMLParseError")]
sys.exit(0 if fails == ["<A>1</A><P>2</P>"] else "the behaviour changed")
PY
"$dir/venv/bin/python" "$dir/a.py" "$dir/a.xsd"
