#!/usr/bin/env bash
# Axis2 1.8.2 (ADB, its own data binding): a type made from xs:date that has a pattern takes no date at all.
#
# Guessed:  a date that is read is held as one. What is written back may have a time zone, for Axis2 holds a java.util.Date.
# Happens:  it judges the pattern by what it would write itself, which has the machine's zone (2026-06-01+02:00). So the classes made from a
#           contract that says "a day without a time zone" ([0-9]{4}-[0-9]{2}-[0-9]{2}) refuse each valid day when it is read, and each Date when
#           it is set: "Input values do not follow defined XSD restrictions". Without the pattern the day is read, and the zone
#           is sent. Numbers with white space around them, which every schema allows, are not read either (NumberFormatException).
# Product:  Finansbilag's DatoType is such a type, so Axis2's classes can make no voucher. docs/clients/field.md (Axis2): in one's own copy of the
#           schema the type is made from xs:string, pattern and all; then the message is the same.
#
# Needs java 11 or later with javac, mvn and xmllint. Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
for tool in java javac mvn xmllint; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
{
  echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>f</groupId><artifactId>f</artifactId><version>1</version><dependencies>'
  for name in adb adb-codegen codegen transport-http transport-local; do
    echo "<dependency><groupId>org.apache.axis2</groupId><artifactId>axis2-$name</artifactId><version>1.8.2</version></dependency>"
  done
  echo '</dependencies></project>'
} >pom.xml
mvn --quiet --batch-mode org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory="$work/lib" >mvn.log 2>&1 || { cat mvn.log; exit 2; }
cat >answer.xsd <<'XSD'
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t" elementFormDefault="qualified">
  <xs:simpleType name="Day"><xs:restriction base="xs:date"><xs:pattern value="[0-9]{4}-[0-9]{2}-[0-9]{2}"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="Text"><xs:restriction base="xs:string"><xs:pattern value="[0-9]{4}-[0-9]{2}-[0-9]{2}"/></xs:restriction></xs:simpleType>
  <xs:element name="Ask"><xs:complexType><xs:choice>
    <xs:element name="Plain" type="xs:date"/><xs:element name="Day" type="t:Day"/><xs:element name="Text" type="t:Text"/>
    <xs:element name="Count" type="xs:int"/>
  </xs:choice></xs:complexType></xs:element>
</xs:schema>
XSD
cat >service.wsdl <<WSDL
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:t="urn:t" targetNamespace="urn:t">
  <wsdl:types>$(cat answer.xsd)</wsdl:types>
  <wsdl:message name="M"><wsdl:part name="p" element="t:Ask"/></wsdl:message>
  <wsdl:portType name="P"><wsdl:operation name="ask"><wsdl:input message="t:M"/><wsdl:output message="t:M"/></wsdl:operation></wsdl:portType>
  <wsdl:binding name="B" type="t:P">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="ask"><soap:operation soapAction="urn:t/ask"/>
      <wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="S"><wsdl:port name="O" binding="t:B"><soap:address location="http://localhost/"/></wsdl:port></wsdl:service>
</wsdl:definitions>
WSDL
java -cp 'lib/*' org.apache.axis2.wsdl.WSDL2Java -uri service.wsdl -d adb -s -u -p stub -o out >made.log 2>&1 || { cat made.log; exit 1; }
cat >Finding.java <<'JAVA'
import java.io.StringReader;
import java.nio.file.*;
import javax.xml.stream.XMLInputFactory;
import org.apache.axiom.om.OMAbstractFactory;

public class Finding {
    interface Tried { t.Ask ask() throws Exception; }

    static String said(Tried tried) {
        try {
            String written = tried.ask().getOMElement(t.Ask.MY_QNAME, OMAbstractFactory.getOMFactory()).toString();
            return "written as " + written.replaceAll("<[^>]*>", "");
        } catch (Exception e) {
            return e.getClass().getSimpleName() + ": " + e.getMessage().replace("\n", " ");
        }
    }

    public static void main(String[] files) throws Exception {
        for (String file : files) {
            String text = Files.readString(Path.of(file));
            System.out.println(file + " " + said(() -> t.Ask.Factory.parse(XMLInputFactory.newInstance().createXMLStreamReader(new StringReader(text)))));
        }
        System.out.println("setDay(Date) " + said(() -> {
            t.Day day = new t.Day();
            day.setDay(new java.util.Date(1780293600000L));
            t.Ask ask = new t.Ask();
            ask.setDay(day);
            return ask;
        }));
    }
}
JAVA
javac -nowarn -cp 'lib/*' -d classes out/src/t/*.java Finding.java 2>javac.log || { cat javac.log; exit 1; }
echo '<Ask xmlns="urn:t"><Plain>2026-06-01</Plain></Ask>' >plain.xml
echo '<Ask xmlns="urn:t"><Day>2026-06-01</Day></Ask>' >day.xml
echo '<Ask xmlns="urn:t"><Text>2026-06-01</Text></Ask>' >text.xml
echo '<Ask xmlns="urn:t"><Count>5</Count></Ask>' >count.xml
echo '<Ask xmlns="urn:t"><Count> 5 </Count></Ask>' >spaces.xml
xmllint --noout --schema answer.xsd plain.xml day.xml text.xml count.xml 2>/dev/null
echo "Axis2 1.8.2, in Copenhagen:"
java -Duser.timezone=Europe/Copenhagen -cp 'classes:lib/*' Finding plain.xml day.xml text.xml count.xml spaces.xml 2>java.log | tee said
due='plain.xml written as 2026-06-01+02:00
day.xml RuntimeException: Input values do not follow defined XSD restrictions
text.xml written as 2026-06-01
count.xml written as 5
spaces.xml NumberFormatException: For input string: " 5 "
setDay(Date) RuntimeException: Input values do not follow defined XSD restrictions'
[ "$(cat said)" = "$due" ] || { cat java.log; echo "the behaviour has changed"; exit 1; }
