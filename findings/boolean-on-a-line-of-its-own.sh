#!/usr/bin/env bash
# A boolean on a line of its own: KD SOAP 1.9.1 (Qt) reads false as true, suds-community 1.2.0 (Python) reads true as None.
#
# Guessed:  white space around an xs:boolean means nothing (XML Schema Part 2, § 4.3.6: it is collapsed), as around a number, which both read on a line of its own. So zeep 4.3.3 has it.
# Happens:  KD SOAP reads "false" and "0" as true where a space or a line break stands in front or behind: the white space is not taken off, and any other text is true. suds
#           reads each of them as None, which a program takes for false, and says nothing. A date on a line of its own is no date (an invalid QDate) in KD SOAP, and raises ValueError in suds.
# Product:  hands answers on as the provider wrote them, for what is signed cannot be mended on its way.
#           docs/clients/field.md (KD SOAP, suds) says how to read a boolean.
#
# Needs g++, python3, pkg-config and Debian 12's packages libkdsoap-dev, libkdsoap-bin and qtbase5-dev, or root with apt-get to install them.
# Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
for tool in g++ python3; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
version=1.9.1+dfsg-5
installed() { command -v pkg-config kdwsdl2cpp >/dev/null && pkg-config --exists Qt5Network && [ "$(dpkg-query -W -f '${Version}' libkdsoap-dev 2>/dev/null)" = "$version" ]; }
if ! installed; then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive nice apt-get install -y -qq "libkdsoap-dev=$version" "libkdsoap-bin=$version" qtbase5-dev pkg-config; } >apt.log 2>&1 && installed ||
    { tail -n 5 apt.log; echo "Debian 12's packages libkdsoap-dev, libkdsoap-bin, qtbase5-dev and pkg-config are needed"; exit 2; }
fi
python3 -m venv venv
nice venv/bin/pip install --quiet --disable-pip-version-check suds-community==1.2.0 zeep==4.3.3 lxml==6.1.3 || exit 2
cat >service.wsdl <<'WSDL'
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">
  <wsdl:types><xs:schema targetNamespace="urn:t" elementFormDefault="qualified">
    <xs:element name="Ask" type="xs:string"/>
    <xs:complexType name="StateType"><xs:sequence>
      <xs:element name="Holds" type="xs:boolean"/><xs:element name="Count" type="xs:int"/><xs:element name="Day" type="xs:date"/>
    </xs:sequence></xs:complexType>
    <xs:element name="Answer" type="t:StateType"/>
  </xs:schema></wsdl:types>
  <wsdl:message name="In"><wsdl:part name="p" element="t:Ask"/></wsdl:message>
  <wsdl:message name="Out"><wsdl:part name="p" element="t:Answer"/></wsdl:message>
  <wsdl:portType name="P"><wsdl:operation name="ask"><wsdl:input message="t:In"/><wsdl:output message="t:Out"/></wsdl:operation></wsdl:portType>
  <wsdl:binding name="B" type="t:P">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="ask"><soap:operation soapAction="urn:t/ask"/>
      <wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="Register"><wsdl:port name="O" binding="t:B"><soap:address location="http://localhost/"/></wsdl:port></wsdl:service>
</wsdl:definitions>
WSDL
{ kdwsdl2cpp -o made.h service.wsdl && kdwsdl2cpp -impl made.h -o made.cpp service.wsdl; } >made.log 2>&1 || { cat made.log; exit 1; }
cat >client.cpp <<'CPP'
#include <QCoreApplication>
#include <cstdio>
#include "made.h"
// Asks the address as often as it is told, and says what it reads.
int main(int count, char **told)
{
    QCoreApplication app(count, told);
    Register service;
    service.setEndPoint(QString::fromLatin1(told[1]));
    for (int left = QString::fromLatin1(told[2]).toInt(); left > 0; --left) {
        const T__StateType answer = service.ask(QString());
        printf("%s %d %s%s\n", answer.holds() ? "true" : "false", answer.count(), answer.day().isValid() ? "date" : "none", qPrintable(service.lastError()));
    }
    return 0;
}
CPP
"$(pkg-config --variable=host_bins Qt5Core)/moc" made.h -o moc.cpp
read -ra flags <<<"$(pkg-config --cflags Qt5Core Qt5Network) -I/usr/include/KDSoapClient"
read -ra libraries <<<"-lkdsoap $(pkg-config --libs Qt5Core Qt5Network)"
nice g++ -O0 -fPIC -w "${flags[@]}" made.cpp moc.cpp client.cpp -o client "${libraries[@]}"
cat >try.py <<'PYTHON'
import http.server
import pathlib
import subprocess
import sys
import threading
from importlib.metadata import version

import suds.client
import zeep
from lxml import etree

VALUES = [("true", "7", "2026-06-01"), ("false", "7", "2026-06-01"), ("\n  true\n", "\n  7\n", "2026-06-01"), ("\n  false\n", "7", "2026-06-01"), (" 0 ", "7", "2026-06-01"),
          ("true", "7", "\n  2026-06-01\n")]
DOCUMENTS = [f'<Answer xmlns="urn:t"><Holds>{holds}</Holds><Count>{count}</Count><Day>{day}</Day></Answer>' for holds, count, day in VALUES]
ENVELOPES = [f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{document}</e:Body></e:Envelope>'.encode() for document in DOCUMENTS]
turn = iter(ENVELOPES)


class Register(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = next(turn)
        self.send_response(200)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


wsdl = pathlib.Path("service.wsdl").resolve()
of_suds = suds.client.Client(wsdl.as_uri(), cache=None)
of_zeep = zeep.Client(str(wsdl))
answer = of_zeep.get_element("{urn:t}Answer")


def by_suds(envelope):
    try:
        read = of_suds.service.ask(__inject={"reply": envelope})
    except ValueError:
        return "ValueError"
    return f"{read.Holds} {read.Count} {'date' if read.Day else 'none'}".lower()


def by_zeep(document):
    read = answer.parse(etree.fromstring(document), of_zeep.wsdl.types)
    return f"{read.Holds} {read.Count} {'date' if read.Day else 'none'}".lower()


server = http.server.HTTPServer(("127.0.0.1", 0), Register)
threading.Thread(target=server.serve_forever, daemon=True).start()
command = ["./client", f"http://127.0.0.1:{server.server_port}/", str(len(ENVELOPES))]
by_kdsoap = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout.splitlines()
seen = list(zip(by_kdsoap, map(by_suds, ENVELOPES), map(by_zeep, DOCUMENTS)))
print(f"KD SOAP {subprocess.run(['dpkg-query', '-W', '-f', '${Version}', 'libkdsoap-dev'], capture_output=True, text=True).stdout}, "
      f"suds-community {version('suds-community')}, zeep {version('zeep')}")
for value, (kdsoap, of, right) in zip(VALUES, seen):
    print(f"{value}: KD SOAP {kdsoap}; suds {of}; zeep {right}")
due = [
    ("true 7 date", "true 7 date", "true 7 date"),
    ("false 7 date", "false 7 date", "false 7 date"),
    ("true 7 date", "none 7 date", "true 7 date"),
    ("true 7 date", "none 7 date", "false 7 date"),
    ("true 7 date", "none 7 date", "false 7 date"),
    ("true 7 none", "ValueError", "true 7 date"),
]
sys.exit(0 if seen == due else 1)
PYTHON
timeout 120 venv/bin/python -W ignore try.py || { echo "the behaviour has changed"; exit 1; }
