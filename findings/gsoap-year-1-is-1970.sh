#!/usr/bin/env bash
# gSOAP 2.8.124 reads the year 1 as 1970.
#
# Guessed:  an xs:dateTime becomes the time_t of that instant, also before 1970, or is refused. "Not set" is what .NET writes as
#           DateTime.MinValue, 0001-01-01T00:00:00, so a program takes any instant before, say, 1900 for "none".
# Happens:  the year 0001, and that year alone, is read as 1970: 0001-01-01T00:00:00Z is time_t 0, and is written back as 1970-01-01T00:00:00Z.
#           0002, 1753 and 1950 are read right. What it writes of a year before 1000 has fewer than four digits and is no xs:dateTime.
# Product:  hands answers on as the provider wrote them. docs/clients/field.md (gSOAP) says how to read them. A 1970 that is sent is passed on: it is valid.
#
# Needs Debian 12's apt-get, gcc and xmllint. Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
for tool in apt-get dpkg gcc xmllint; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
{ apt-get download -qq gsoap=2.8.124-2 libgsoap-dev=2.8.124-2 && for package in ./*.deb; do dpkg -x "$package" root; done; } >apt.log 2>&1 ||
  { cat apt.log; echo "Debian 12's packages gsoap and libgsoap-dev are needed"; exit 2; }
cat >service.wsdl <<'WSDL'
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">
  <wsdl:types><xs:schema targetNamespace="urn:t" elementFormDefault="qualified">
    <xs:element name="Answer"><xs:complexType><xs:sequence><xs:element name="Until" type="xs:dateTime"/></xs:sequence></xs:complexType></xs:element>
  </xs:schema></wsdl:types>
  <wsdl:message name="M"><wsdl:part name="p" element="t:Answer"/></wsdl:message>
  <wsdl:portType name="P"><wsdl:operation name="ask"><wsdl:input message="t:M"/><wsdl:output message="t:M"/></wsdl:operation></wsdl:portType>
  <wsdl:binding name="B" type="t:P">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="ask"><soap:operation soapAction="urn:t/ask"/>
      <wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="S"><wsdl:port name="O" binding="t:B"><soap:address location="http://localhost/"/></wsdl:port></wsdl:service>
</wsdl:definitions>
WSDL
sed -n '/<xs:schema/,/<\/xs:schema>/{s/.*<xs:schema/<xs:schema xmlns:xs="http:\/\/www.w3.org\/2001\/XMLSchema"/;s/<\/wsdl:types>//;p}' service.wsdl >answer.xsd
cat >read.c <<'C'
#include "soapH.h"
#include "B.nsmap"
/* Each line of the input is an answer; it is read, and written back. */
int main(void)
{
    char line[1000];
    struct soap *soap = soap_new();
    struct _ns1__Answer answer;
    while (fgets(line, sizeof line, stdin)) {
        const char *written = NULL;
        soap->is = line;
        if (soap_read__ns1__Answer(soap, &answer)) {
            puts("refused");
            continue;
        }
        soap->is = NULL;
        soap->os = &written;
        soap_write__ns1__Answer(soap, &answer);
        printf("%lld %.*s\n", (long long)answer.Until, (int)strcspn(strstr(written, "Until>") + 6, "<"), strstr(written, "Until>") + 6);
        soap->os = NULL;
        soap_end(soap);
    }
    return 0;
}
C
{ root/usr/bin/wsdl2h -c -t root/usr/share/gsoap/WS/typemap.dat -o service.h service.wsdl &&
  root/usr/bin/soapcpp2 -c -C -w -x -Iroot/usr/share/gsoap/import service.h &&
  gcc -w -Iroot/usr/include -o read read.c soapC.c "$(find root -name libgsoap.a)"; } >build.log 2>&1 || { cat build.log; exit 2; }
echo "gSOAP $(root/usr/bin/wsdl2h -V 2>&1 | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -1)"
values='0001-01-01T00:00:00Z 0001-12-31T23:59:59Z 0002-01-01T00:00:00Z 1753-01-01T00:00:00Z 1950-06-01T00:00:00Z'
for value in $values; do
  echo "<Answer xmlns=\"urn:t\"><Until>$value</Until></Answer>" >one.xml
  xmllint --noout --schema answer.xsd one.xml 2>/dev/null || { echo "not valid: $value"; exit 2; }
  printf '%s: ' "$value"
  TZ=UTC ./read <one.xml
done | tee seen
due='0001-01-01T00:00:00Z: 0 1970-01-01T00:00:00Z
0001-12-31T23:59:59Z: 31535999 1970-12-31T23:59:59Z
0002-01-01T00:00:00Z: -62104060800 2-01-01T00:00:00Z
1753-01-01T00:00:00Z: -6847804800 1753-01-01T00:00:00Z
1950-06-01T00:00:00Z: -618105600 1950-06-01T00:00:00Z'
[ "$(cat seen)" = "$due" ] || { echo "the behaviour has changed"; exit 1; }
