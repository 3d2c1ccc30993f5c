#!/usr/bin/env bash
# suds-community 1.2.0 rounds the fraction of an xs:dateTime up, across midnight and past the last year.
#
# Guessed:  what has more digits than Python's microseconds is cut, as zeep cuts it. .NET writes seven digits, so the end of a day is
#           T23:59:59.9999999, and "for ever" is DateTime.MaxValue, 9999-12-31T23:59:59.9999999.
# Happens:  it rounds. The end of a day is read as midnight of the next one, the end of a year as the next year. DateTime.MaxValue raises
#           "OverflowError: date value out of range", and the whole answer that it stands in cannot be read. zeep 4.3.3 cuts both.
# Product:  hands answers on as the provider wrote them. docs/clients/field.md (suds) says how to read them.
set -euo pipefail
command -v python3 >/dev/null || { echo "python3 is needed"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check suds-community==1.2.0 zeep==4.3.3 lxml==6.1.3 || exit 2
cat >"$work/service.wsdl" <<'WSDL'
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">
  <wsdl:types><xs:schema targetNamespace="urn:t" elementFormDefault="qualified">
    <xs:element name="Ask" type="xs:string"/>
    <xs:element name="Answer"><xs:complexType><xs:sequence><xs:element name="Until" type="xs:dateTime"/></xs:sequence></xs:complexType></xs:element>
  </xs:schema></wsdl:types>
  <wsdl:message name="In"><wsdl:part name="p" element="t:Ask"/></wsdl:message>
  <wsdl:message name="Out"><wsdl:part name="p" element="t:Answer"/></wsdl:message>
  <wsdl:portType name="P"><wsdl:operation name="ask"><wsdl:input message="t:In"/><wsdl:output message="t:Out"/></wsdl:operation></wsdl:portType>
  <wsdl:binding name="B" type="t:P">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="ask"><soap:operation soapAction="urn:t/ask"/>
      <wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="S"><wsdl:port name="O" binding="t:B"><soap:address location="http://localhost/"/></wsdl:port></wsdl:service>
</wsdl:definitions>
WSDL
"$work/venv/bin/python" - "$work/service.wsdl" <<'PYTHON'
import importlib.metadata
import pathlib
import sys

import suds.client
import zeep
from lxml import etree

URL = pathlib.Path(sys.argv[1]).as_uri()
SCHEMA = etree.XMLSchema(etree.parse(sys.argv[1]).find(".//{http://www.w3.org/2001/XMLSchema}schema"))
by_suds = suds.client.Client(URL, cache=None)
by_zeep = zeep.Client(URL).get_element("{urn:t}Answer")


def read(value):
    answer = f'<Answer xmlns="urn:t"><Until>{value}</Until></Answer>'
    SCHEMA.assertValid(etree.fromstring(answer))
    envelope = f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{answer}</e:Body></e:Envelope>'
    try:
        told = by_suds.service.ask("x", __inject={"reply": envelope.encode()})
        told = getattr(told, "Until", told).isoformat()
    except OverflowError as error:
        told = f"OverflowError: {error}"
    return told, by_zeep.parse(etree.fromstring(answer), None).Until.isoformat()


print("suds-community", importlib.metadata.version("suds-community"), "zeep", importlib.metadata.version("zeep"))
values = "2026-06-30T23:59:59.9999999", "2026-12-31T23:59:59.9999999+01:00", "9999-12-31T23:59:59.9999999", "9999-12-31T23:59:59.999999"
seen = [read(value) for value in values]
for value, (suds_says, zeep_says) in zip(values, seen):
    print(f"{value}: suds {suds_says}, zeep {zeep_says}")
forever = "9999-12-31T23:59:59.999999"
due = [
    ("2026-07-01T00:00:00", "2026-06-30T23:59:59.999999"),
    ("2027-01-01T00:00:00+01:00", "2026-12-31T23:59:59.999999+01:00"),
    ("OverflowError: date value out of range", forever),
    (forever, forever),
]
sys.exit(0 if seen == due else "the behaviour has changed")
PYTHON
