#!/usr/bin/env bash
# npm's soap 1.13.0 writes a Date as an empty element.
#
# Guessed:  a Date given for an xs:date or xs:dateTime is written as one: as its toISOString, perhaps with a time where only a day may stand.
# Happens:  nothing of it is written: <Day></Day>, whatever the type, and nothing is raised. What it reads of an xs:dateTime is a Date, so a
#           value that it has read and sends on becomes empty too. strong-soap 5.0.10 writes an xs:date as a day with "Z" (for midnight
#           in Copenhagen the day before), and in a type made from xs:date, or an xs:string, the milliseconds since 1970.
# Product:  in an import of persons an empty field clears, so that a Date as Aktionskodedato makes a person active whom it was to end, and
#           the answer says OPDATERET or UAENDRET. docs/clients/persons.md says: dates as text. Elsewhere the schema refuses it (RequestInvalid, SchemaViolated).
#
# Needs node and npm. Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
for tool in node npm; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo '{"private": true}' >package.json
npm install --silent --no-audit --no-fund soap@1.13.0 strong-soap@5.0.10 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat >service.wsdl <<'WSDL'
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">
  <wsdl:types><xs:schema targetNamespace="urn:t" elementFormDefault="qualified">
    <xs:simpleType name="Plain"><xs:restriction base="xs:date"><xs:pattern value="[0-9]{4}-[0-9]{2}-[0-9]{2}"/></xs:restriction></xs:simpleType>
    <xs:element name="Ask"><xs:complexType><xs:sequence>
      <xs:element name="Day" type="xs:date"/><xs:element name="Plain" type="t:Plain"/>
      <xs:element name="Text" type="xs:string"/><xs:element name="Instant" type="xs:dateTime"/>
    </xs:sequence></xs:complexType></xs:element>
  </xs:schema></wsdl:types>
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
cat >ask.js <<'JS'
// Nothing is sent: the message is taken where it would leave, and answered there.
const answer = '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><t:Ask xmlns:t="urn:t"><t:Day>2026-06-01</t:Day>'
  + '<t:Plain>2026-06-01</t:Plain><t:Text>x</t:Text><t:Instant>2026-06-01T10:00:00Z</t:Instant></t:Ask></e:Body></e:Envelope>'
const fields = (message) => [...message.matchAll(/<(?:\w+:)?(Day|Plain|Text|Instant)(?: [^>]*)?(?:\/>|>\s*([^<]*?)\s*<)/g)].map((m) => `${m[1]}=${m[2] ?? ''}`).join(' ')
function ask(client, value) {
  let sent
  client.httpClient = { request(url, message, done) { sent = fields(message); done(null, { statusCode: 200, headers: {} }, answer) } }
  return new Promise((resolve, reject) => client.ask(value, (error, read) => (error ? reject(error) : resolve([sent, read]))))
}
async function main() {
  const midnight = new Date('2026-06-01T00:00:00+02:00') // in Copenhagen, where TZ says that this is
  const dates = { Day: midnight, Plain: midnight, Text: midnight, Instant: midnight }
  const texts = { Day: '2026-06-01', Plain: '2026-06-01', Text: '2026-06-01', Instant: midnight.toISOString() }
  const soap = await require('soap').createClientAsync('service.wsdl')
  const strong = await new Promise((resolve, reject) => require('strong-soap').soap.createClient('service.wsdl', {}, (e, c) => (e ? reject(e) : resolve(c))))
  const [asDates, read] = await ask(soap, dates)
  const [sentOn] = await ask(soap, read)
  const [asTexts] = await ask(soap, texts)
  const [strongly] = await ask(strong, { Ask: dates })
  const version = (name) => `${name} ${require(`${name}/package.json`).version}`
  console.log(`${version('soap')}, given Dates:         ${asDates}`)
  console.log(`${version('soap')}, what it read itself:  ${sentOn}`)
  console.log(`${version('soap')}, given texts:         ${asTexts}`)
  console.log(`${version('strong-soap')}, given Dates:  ${strongly}`)
  const due = ['Day= Plain= Text= Instant=', 'Day= Plain=2026-06-01 Text=x Instant=', 'Day=2026-06-01 Plain=2026-06-01 Text=2026-06-01 Instant=2026-05-31T22:00:00.000Z',
    'Day=2026-05-31Z Plain=1780264800000 Text=1780264800000 Instant=2026-05-31T22:00:00.000Z']
  if (JSON.stringify([asDates, sentOn, asTexts, strongly]) !== JSON.stringify(due)) { console.log('the behaviour has changed'); process.exit(1) }
}
main().catch((error) => { console.log(error.message); process.exit(1) })
JS
TZ=Europe/Copenhagen nice -n 19 timeout 120 node ask.js
