#!/usr/bin/env bash
# zeep 4.3.3 reads the end of a day, 24:00:00, as None.
#
# Guessed:  a valid value that a client cannot hold is refused: the caller gets an exception, as suds-community 1.2.0 raises ValueError ("hour must be in 0..23").
# Happens:  zeep reads an xs:dateTime or xs:time of 24:00:00 (XML Schema Part 2, § 3.2.7.1: the first instant of the next day), and a date after the year 9999, as None, in a
#           mandatory element too and with its strict setting. A period that ends with the year has no end then. It is told to the log alone ("Error during xml -> python translation").
# Product:  hands answers on as the provider wrote them, for what is signed cannot be mended on its way. docs/clients/field.md (zeep) says what to look at.
#
# Needs python3. Exit 0: it still does so. Exit 1: it does something else. Exit 2: something cannot be installed.
set -euo pipefail
command -v python3 >/dev/null || { echo "python3 is needed"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
nice venv/bin/pip install --quiet --disable-pip-version-check suds-community==1.2.0 zeep==4.3.3 lxml==6.1.3 || exit 2
cat >answer.xsd <<'XSD'
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:t" elementFormDefault="qualified">
  <xs:element name="Ask" type="xs:string"/>
  <xs:element name="Answer"><xs:complexType><xs:sequence>
    <xs:element name="Until" type="xs:dateTime"/><xs:element name="Opens" type="xs:time"/><xs:element name="Last" type="xs:date"/>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>
XSD
cat >service.wsdl <<'WSDL'
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">
  <wsdl:types><xs:schema><xs:import namespace="urn:t" schemaLocation="answer.xsd"/></xs:schema></wsdl:types>
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
cat >try.py <<'PYTHON'
import importlib.metadata
import logging
import pathlib
import sys

import suds.client
import zeep
from lxml import etree

PLAIN = {"Until": "2026-12-31T23:59:59", "Opens": "23:59:59", "Last": "9999-12-31"}
told = []


class Log(logging.Handler):
    def emit(self, record):
        told.append(record.name)


logging.getLogger().handlers = [Log()]
schema = etree.XMLSchema(etree.parse("answer.xsd"))
wsdl = pathlib.Path("service.wsdl").resolve()
of_suds = suds.client.Client(wsdl.as_uri(), cache=None)
of_zeep = zeep.Client(str(wsdl), settings=zeep.Settings(strict=True))
answer = of_zeep.get_element("{urn:t}Answer")


def document(changes):
    text = "".join(f"<{name}>{value}</{name}>" for name, value in {**PLAIN, **changes}.items())
    text = f'<Answer xmlns="urn:t">{text}</Answer>'
    assert schema.validate(etree.fromstring(text)), "libxml2 says that it is valid"
    return text


def read(reader, text, name):
    told.clear()
    try:
        value = getattr(reader(text), name)
    except Exception as error:
        return type(error).__name__
    return f"{value}{', told to the log' if told else ''}"


READERS = {
    "zeep": lambda text: answer.parse(etree.fromstring(text), of_zeep.wsdl.types),
    "suds": lambda text: of_suds.service.ask(__inject={
        "reply": f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{text}</e:Body></e:Envelope>'.encode()}),
}
DUE = {
    ("Until", "2026-12-31T24:00:00"): ("None, told to the log", "ValueError"),
    ("Opens", "24:00:00"): ("None, told to the log", "ValueError"),
    ("Last", "12026-06-01"): ("None, told to the log", "ValueError"),
    ("Until", "2026-12-31T23:59:59"): ("2026-12-31 23:59:59", "2026-12-31 23:59:59"),
}
print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("zeep", "suds-community", "lxml")))
as_due = True
for (name, value), due in DUE.items():
    seen = tuple(read(reader, document({name: value}), name) for reader in READERS.values())
    print(f"{name} {value!r}: zeep {seen[0]}; suds {seen[1]}")
    as_due &= seen == due
sys.exit(0 if as_due else 1)
PYTHON
venv/bin/python -W ignore try.py || { echo "the behaviour has changed"; exit 1; }
