#!/usr/bin/env bash
# Apache Axis 1.4 reads an instant without an offset as UTC: the end of 30 June, 2026-06-30T23:59:59, is 1 July to the program.
#
# Guessed:  an xs:dateTime without an offset is of no zone; a program in Denmark that holds it as a java.util.Calendar takes it for local time, and writes the same hour back.
# Happens:  where there is no offset Axis puts a Z there. The Calendar is in the machine's own zone, one or two hours later: 2026-06-30T23:59:59 shows as 1 July 01:59:59, 2026-12-31T23:59:59 as 1
#           January. What is written is UTC with Z, so that a value which is read and sent on says another instant than the one that was meant. With an offset, and of an xs:date, all is right. White
#           space around a date or an instant, which is valid and no trouble around a number, ends the reading of the whole answer ("NumberFormatException: Invalid date"). Of a type made from
#           xs:string the text is read and written as it came. A BigDecimal is written with its exponent (1000.00 without its zeros as 1E+3), which no xs:decimal may have.
# Product:  hands answers on as the provider wrote them, their instants with an offset or without one. docs/clients/field.md (Axis 1.4) says to make such types from xs:string;
#           amounts are set by new BigDecimal("1000.00").
#
# Seen: 2026-06-30T23:59:59 is read in Copenhagen as 2026-07-01 01:59:59 and written as 2026-06-30T23:59:59.000Z; 2026-06-30T23:59:59+02:00 as 2026-06-30 23:59:59 and 2026-06-30T21:59:59.000Z.
# Needs java 17 or later with javac, and mvn. Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
for tool in java javac mvn; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >pom.xml <<'POM'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>axis</groupId><artifactId>axis</artifactId><version>1.4</version></dependency>
    <dependency><groupId>axis</groupId><artifactId>axis-jaxrpc</artifactId><version>1.4</version></dependency>
    <dependency><groupId>axis</groupId><artifactId>axis-saaj</artifactId><version>1.4</version></dependency>
    <dependency><groupId>axis</groupId><artifactId>axis-wsdl4j</artifactId><version>1.5.1</version></dependency>
    <dependency><groupId>commons-discovery</groupId><artifactId>commons-discovery</artifactId><version>0.5</version></dependency>
    <dependency><groupId>commons-logging</groupId><artifactId>commons-logging</artifactId><version>1.2</version></dependency>
    <dependency><groupId>javax.activation</groupId><artifactId>activation</artifactId><version>1.1.1</version></dependency>
    <dependency><groupId>javax.mail</groupId><artifactId>mail</artifactId><version>1.4.7</version></dependency>
  </dependencies>
</project>
POM
nice mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory=lib >mvn.log 2>&1 || { cat mvn.log; exit 2; }
cat >service.wsdl <<'WSDL'
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">
  <wsdl:types><xs:schema targetNamespace="urn:t" elementFormDefault="qualified">
    <xs:simpleType name="TextType"><xs:restriction base="xs:string"/></xs:simpleType>
    <xs:complexType name="PeriodType"><xs:sequence>
      <xs:element name="Text" type="t:TextType"/><xs:element name="Ends" type="xs:dateTime"/><xs:element name="Day" type="xs:date"/><xs:element name="Amount" type="xs:decimal"/>
    </xs:sequence></xs:complexType>
    <xs:element name="Ask" type="t:PeriodType"/><xs:element name="Told" type="t:PeriodType"/>
  </xs:schema></wsdl:types>
  <wsdl:message name="M"><wsdl:part name="p" element="t:Ask"/></wsdl:message>
  <wsdl:message name="N"><wsdl:part name="p" element="t:Told"/></wsdl:message>
  <wsdl:portType name="P"><wsdl:operation name="ask"><wsdl:input message="t:M"/><wsdl:output message="t:N"/></wsdl:operation></wsdl:portType>
  <wsdl:binding name="B" type="t:P">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="ask"><soap:operation soapAction="urn:t/ask"/>
      <wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="S"><wsdl:port name="O" binding="t:B"><soap:address location="http://localhost/"/></wsdl:port></wsdl:service>
</wsdl:definitions>
WSDL
cat >Finding.java <<'JAVA'
import com.sun.net.httpserver.HttpServer;
import java.math.BigDecimal;
import java.net.InetSocketAddress;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.text.SimpleDateFormat;
import java.util.Calendar;
import java.util.GregorianCalendar;
import java.util.TimeZone;
import t.BStub;
import t.PeriodType;
import t.SLocator;

public class Finding {
  static String received, answer;
  static boolean same = true;

  static String element(String name) { return received.replaceAll("(?s).*<" + name + ">|</" + name + ">.*", ""); }

  static void check(String what, String got, String due) {
    System.out.println(what.replace("\n", "\\n") + ": " + got);
    same &= got.equals(due);
  }

  static PeriodType period(String amount) {
    Calendar ends = new GregorianCalendar(2026, Calendar.JUNE, 1, 10, 0);
    return new PeriodType("2026-06-01T10:00:00", ends, ends.getTime(), new BigDecimal(amount));
  }

  static void told(BStub stub, String ends, String day, String due) throws Exception {
    answer = "<Told xmlns=\"urn:t\"><Text>" + ends + "</Text><Ends>" + ends + "</Ends><Day>" + day + "</Day><Amount>\n100.50\n</Amount></Told>";
    String got;
    try {
      PeriodType period = stub.ask(period("1.00"));
      String shown = new SimpleDateFormat("yyyy-MM-dd HH:mm:ss").format(period.getEnds().getTime());
      stub.ask(period);
      got = shown + " " + element("Ends") + " " + element("Day") + " " + element("Amount") + (element("Text").equals(ends) ? ", the text as it came" : ", the text " + element("Text"));
    } catch (Exception error) {
      got = error.toString().replaceAll("(?s)\n.*", "");
    }
    check(ends + " " + day, got, due);
  }

  public static void main(String[] arguments) throws Exception {
    TimeZone.setDefault(TimeZone.getTimeZone("Europe/Copenhagen"));
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.createContext("/", exchange -> {
      received = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
      byte[] body = ("<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>" + answer + "</s:Body></s:Envelope>").getBytes(StandardCharsets.UTF_8);
      exchange.getResponseHeaders().set("Content-Type", "text/xml; charset=utf-8");
      exchange.sendResponseHeaders(200, body.length);
      exchange.getResponseBody().write(body);
      exchange.close();
    });
    server.start();
    BStub stub = (BStub) new SLocator().getO(new URL("http://127.0.0.1:" + server.getAddress().getPort() + "/"));
    told(stub, "2026-06-30T23:59:59", "2026-06-30", "2026-07-01 01:59:59 2026-06-30T23:59:59.000Z 2026-06-30 100.50, the text as it came");
    told(stub, "2026-12-31T23:59:59", "2026-12-31", "2027-01-01 00:59:59 2026-12-31T23:59:59.000Z 2026-12-31 100.50, the text as it came");
    told(stub, "2026-06-30T23:59:59+02:00", "2026-06-30+02:00", "2026-06-30 23:59:59 2026-06-30T21:59:59.000Z 2026-06-30 100.50, the text as it came");
    told(stub, "\n2026-06-30T23:59:59+02:00\n", "2026-06-30", "org.xml.sax.SAXException: java.lang.NumberFormatException: Invalid date");
    told(stub, "2026-06-30T23:59:59+02:00", "\n2026-06-30\n", "org.xml.sax.SAXException: java.lang.NumberFormatException: Invalid date");
    answer = "<Told xmlns=\"urn:t\"><Text/><Ends>2026-06-30T00:00:00Z</Ends><Day>2026-06-30</Day><Amount>1</Amount></Told>";
    stub.ask(period("1000.00"));
    check("1000.00 sent", element("Amount"), "1000.00");
    PeriodType stripped = period("1000.00");
    stripped.setAmount(stripped.getAmount().stripTrailingZeros());
    stub.ask(stripped);
    check("1000.00 without its zeros sent", element("Amount"), "1E+3");
    server.stop(0);
    if (!same) System.out.println("the behaviour has changed");
    System.exit(same ? 0 : 1);
  }
}
JAVA
{ java -cp 'lib/*' org.apache.axis.wsdl.WSDL2Java -o made -W service.wsdl && javac -nowarn -cp 'lib/*' -d classes made/t/*.java Finding.java; } >made.log 2>&1 || { cat made.log; exit 1; }
timeout 120 java -cp 'lib/*:classes' Finding 2>err.log || { tail -n 5 err.log; exit 1; }
