#!/usr/bin/env bash
# KD SOAP 1.9.1 (Qt): an xs:decimal is a C++ float, so that amounts come out as others.
#
# Guessed:  kdwsdl2cpp makes a double or a text of an xs:decimal, so that an amount of up to 15 digits is read and written as it is.
# Happens:  it makes a float, which has seven digits, whatever totalDigits and fractionDigits say. 999999.99 is read as 1000000.00, and 12345678901.50 as
#           12345678848.00; nothing is raised. What is written has either too many decimals (123456.78 goes out as 123456.78125) or an exponent (1e+06), which no
#           xs:decimal may have. Up to some thousand kroner the kroner and øre are right to the eye. A type made from xs:string is a QString, read and written letter by letter.
# Product:  hands amounts on as they were written. What is sent is refused by the schema, or as FB011 (Finansbilag), but what is read of an answer of the benefit index is wrong
#           without a word. docs/clients/field.md (KD SOAP): in one's own copy of the schema amounts are made from xs:string.
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
cat >service.wsdl <<'WSDL'
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">
  <wsdl:types><xs:schema targetNamespace="urn:t" elementFormDefault="qualified">
    <xs:simpleType name="Amount"><xs:restriction base="xs:decimal"><xs:totalDigits value="13"/><xs:fractionDigits value="2"/></xs:restriction></xs:simpleType>
    <xs:simpleType name="Text"><xs:restriction base="xs:string"><xs:pattern value="[0-9]{1,11}[.][0-9]{2}"/></xs:restriction></xs:simpleType>
    <xs:complexType name="Posting"><xs:sequence><xs:element name="Sum" type="t:Amount"/><xs:element name="SumAsText" type="t:Text"/></xs:sequence></xs:complexType>
    <xs:element name="Post" type="t:Posting"/><xs:element name="Answer" type="t:Posting"/>
  </xs:schema></wsdl:types>
  <wsdl:message name="In"><wsdl:part name="p" element="t:Post"/></wsdl:message>
  <wsdl:message name="Out"><wsdl:part name="p" element="t:Answer"/></wsdl:message>
  <wsdl:portType name="P"><wsdl:operation name="post"><wsdl:input message="t:In"/><wsdl:output message="t:Out"/></wsdl:operation></wsdl:portType>
  <wsdl:binding name="B" type="t:P">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="post"><soap:operation soapAction="urn:t/post"/>
      <wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="Ledger"><wsdl:port name="O" binding="t:B"><soap:address location="http://localhost/"/></wsdl:port></wsdl:service>
</wsdl:definitions>
WSDL
{ kdwsdl2cpp -o made.h service.wsdl && kdwsdl2cpp -impl made.h -o made.cpp service.wsdl; } >made.log 2>&1
grep -q 'operator float() const' made.h || { echo "an xs:decimal is no float any more"; exit 1; }
cat >client.cpp <<'CPP'
#include <QCoreApplication>
#include <cstdio>
#include "made.h"
// Posts each amount to the address, and says what it reads of the answer.
int main(int count, char **told)
{
    QCoreApplication app(count, told);
    Ledger ledger;
    ledger.setEndPoint(QString::fromLatin1(told[1]));
    for (int at = 2; at < count; ++at) {
        const QString amount = QString::fromLatin1(told[at]);
        T__Posting posting;
        posting.setSum(T__Amount(amount.toDouble()));
        posting.setSumAsText(T__Text(amount));
        const T__Posting answer = ledger.post(posting);
        printf("%.2f %s %s\n", double(float(answer.sum())), qPrintable(QString(answer.sumAsText())), qPrintable(ledger.lastError()));
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
import re
import subprocess
import sys
import threading

AMOUNTS = ["100.50", "9999.99", "123456.78", "999999.99", "12345678901.50"]
sent = []


class Ledger(http.server.BaseHTTPRequestHandler):
    """Answers with the amount whose turn it is."""

    def do_POST(self):
        message = self.rfile.read(int(self.headers["Content-Length"])).decode()
        amount = AMOUNTS[len(sent)]
        sent.append(dict(re.findall(r"<(?:\w+:)?(Sum|SumAsText)(?: [^>]*)?>([^<]*)<", message)))
        answer = ('<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><t:Answer xmlns:t="urn:t">'
                  f"<t:Sum>{amount}</t:Sum><t:SumAsText>{amount}</t:SumAsText></t:Answer></e:Body></e:Envelope>").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Ledger)
threading.Thread(target=server.serve_forever, daemon=True).start()
command = ["./client", f"http://127.0.0.1:{server.server_port}/", *AMOUNTS]
lines = [line.split() for line in subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout.splitlines()]
seen = [(amount, line[0], out["Sum"]) for amount, line, out in zip(AMOUNTS, lines, sent)]
for amount, read, written in seen:
    print(f"{amount}: read as {read}, written as {written}")
as_text = all(line[1:] == [amount] and out["SumAsText"] == amount for amount, line, out in zip(AMOUNTS, lines, sent))
print("as a text:", "right" if as_text else "wrong")
due = [("100.50", "100.50", "100.5"), ("9999.99", "9999.99", "9999.990234375"), ("123456.78", "123456.78", "123456.78125"),
       ("999999.99", "1000000.00", "1e+06"), ("12345678901.50", "12345678848.00", "12345678848")]
sys.exit(0 if seen == due and as_text else 1)
PYTHON
timeout 120 python3 try.py || { echo "the behaviour has changed"; exit 1; }
