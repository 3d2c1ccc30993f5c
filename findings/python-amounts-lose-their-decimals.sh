#!/usr/bin/env bash
# Amounts from Python: PyXB-X 1.2.6.4, generateDS 2.44.3 and suds-community 1.2.0 write other decimals than they are given, or an exponent.
#
# Guessed:  a Decimal with two decimals goes out with two, as zeep 4.3.3 and xsdata 26.10 write it; and a Decimal is never written with an exponent, which no xs:decimal may have.
# Happens:  generateDS takes zeros off the end (100.50 goes out as 100.5, 100.00 as 100, 0.00 as 0), a text that it is given too. PyXB-X leaves one decimal at least (100.5,
#           100.0, 0.0), a text too. Both do so with what they have read, so that a voucher which is read and sent on is another. suds takes zeros off where the type is
#           xs:decimal itself, and leaves them where it is made from xs:decimal. A Decimal that was normalised (1000.00 is then 1E+3) goes out of generateDS as 1E+3,
#           and of suds where the type is made from xs:decimal. A type made from xs:string goes out of each of the five as it was given.
# Product:  demands two decimals of every amount of a voucher (FB011), and an exponent is against the schema. docs/clients/finance-sender.md says which classes write what.
#
# Needs python3. Exit 0: it still does so. Exit 1: it does something else. Exit 2: something cannot be installed.
set -euo pipefail
command -v python3 >/dev/null || { echo "python3 is needed"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
nice venv/bin/pip install --quiet --disable-pip-version-check generateDS==2.44.3 PyXB-X==1.2.6.4 suds-community==1.2.0 'xsdata[cli]==26.10' zeep==4.3.3 lxml==6.1.3 || exit 2
cat >amounts.xsd <<'XSD'
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t" elementFormDefault="qualified">
  <xs:simpleType name="AmountType"><xs:restriction base="xs:decimal"><xs:totalDigits value="13"/><xs:fractionDigits value="2"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="TextType"><xs:restriction base="xs:string"><xs:pattern value="[0-9]{1,11}[.][0-9]{2}"/></xs:restriction></xs:simpleType>
  <xs:element name="Posting"><xs:complexType><xs:sequence>
    <xs:element name="Amount" type="t:AmountType"/><xs:element name="Plain" type="xs:decimal"/><xs:element name="Text" type="t:TextType"/>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>
XSD
cat >service.wsdl <<'WSDL'
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">
  <wsdl:types><xs:schema><xs:import namespace="urn:t" schemaLocation="amounts.xsd"/></xs:schema></wsdl:types>
  <wsdl:message name="M"><wsdl:part name="p" element="t:Posting"/></wsdl:message>
  <wsdl:portType name="P"><wsdl:operation name="post"><wsdl:input message="t:M"/><wsdl:output message="t:M"/></wsdl:operation></wsdl:portType>
  <wsdl:binding name="B" type="t:P">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="post"><soap:operation soapAction="urn:t/post"/>
      <wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="S"><wsdl:port name="O" binding="t:B"><soap:address location="http://localhost/"/></wsdl:port></wsdl:service>
</wsdl:definitions>
WSDL
{ venv/bin/generateDS -q -f -o of_generateds.py amounts.xsd && venv/bin/pyxbgen -u amounts.xsd -m of_pyxb && PATH=$work/venv/bin:$PATH xsdata generate amounts.xsd --package of_xsdata; } >made.log 2>&1 ||
  { cat made.log; exit 1; }
cat >try.py <<'PYTHON'
import io
import pathlib
import re
import sys
from decimal import Decimal
from importlib.metadata import version

import suds.client
import zeep
from lxml import etree
from xsdata.formats.dataclass.serializers import XmlSerializer

import of_generateds
import of_pyxb
import of_xsdata

wsdl = pathlib.Path("service.wsdl").resolve()
of_suds = suds.client.Client(wsdl.as_uri(), nosend=True, cache=None)
of_zeep = zeep.Client(str(wsdl))


def by_generateds(**values):
    out = io.StringIO()
    of_generateds.Posting(**values).export(out, 0, pretty_print=False)
    return out.getvalue()


WRITERS = {
    "zeep": lambda **values: etree.tostring(of_zeep.create_message(of_zeep.service, "post", **values)).decode(),
    "xsdata": lambda **values: XmlSerializer().render(of_xsdata.Posting(**{name.lower(): value for name, value in values.items()})),
    "PyXB-X": lambda **values: of_pyxb.Posting(**values).toxml(),
    "generateDS": by_generateds,
    "suds-community": lambda **values: of_suds.service.post(**values).envelope.decode(),
}
AMOUNTS = [Decimal("100.50"), Decimal("100.00"), Decimal("0.00"), Decimal("1000.00").normalize(), "100.50"]
KEPT = ["100.50", "100.00", "0.00", "1000", "100.50"]
DUE = {
    "zeep": (KEPT, KEPT),
    "xsdata": (KEPT, KEPT),
    "PyXB-X": (["100.5", "100.0", "0.0", "1000.0", "100.5"],) * 2,
    "generateDS": (["100.5", "100", "0", "1E+3", "100.5"],) * 2,
    "suds-community": (["100.50", "100.00", "0.00", "1E+3", "100.50"], ["100.5", "100", "0", "1000", "100.50"]),
}


def written(writer, amount):
    message = writer(Amount=amount, Plain=amount, Text=f"{Decimal(amount):.2f}")
    return dict(re.findall(r"<(?:\w+:)?(Amount|Plain|Text)\b[^>]*>([^<]*)<", message))


as_due = True
for name, writer in WRITERS.items():
    messages = [written(writer, amount) for amount in AMOUNTS]
    made, plain, text = ([message[field] for message in messages] for field in ("Amount", "Plain", "Text"))
    print(f"{name} {version(name)}: made from xs:decimal {' '.join(made)}; xs:decimal {' '.join(plain)}; a text {' '.join(text)}")
    as_due &= (made, plain) == DUE[name] and text == ["100.50", "100.00", "0.00", "1000.00", "100.50"]
document = '<t:Posting xmlns:t="urn:t"><t:Amount>100.50</t:Amount><t:Plain>100.50</t:Plain><t:Text>100.50</t:Text></t:Posting>'
out = io.StringIO()
of_generateds.parseString(document, silence=True, print_warnings=False).export(out, 0, pretty_print=False)
for name, again in ("generateDS", out.getvalue()), ("PyXB-X", of_pyxb.CreateFromDocument(document).toxml()):
    values = re.findall(r":(?:Amount|Plain|Text)>([^<]+)<", again)
    print(f"{name}, 100.50 read and written: {' '.join(values)}")
    as_due &= values == ["100.5", "100.5", "100.50"]
sys.exit(0 if as_due else 1)
PYTHON
venv/bin/python -W ignore try.py 2>err.log || { tail -n 3 err.log; echo "the behaviour has changed"; exit 1; }
