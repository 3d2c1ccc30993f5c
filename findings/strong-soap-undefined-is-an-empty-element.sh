#!/usr/bin/env bash
# strong-soap 5.0.10 (npm) sends an empty element for a field that is undefined.
#
# Guessed:  a field whose value is undefined is left out, as JSON.stringify leaves it out, and npm's soap (1.13.0), which strong-soap came of.
# Happens:  it is sent as an empty element, as null is, and an undefined list as one empty element; only a field that the object does not have at all is left out. An optional
#           element of elements is sent empty too. The other way round, an element that is there and empty is read as a field that is undefined, so that a program which asks
#           for undefined or for JSON takes what was cleared for what was not there.
# Product:  in an import of persons a field left out stays as it is, and an empty one is cleared: { Email: row.email } of a row without the column takes the address away, and an
#           undefined Aktionskodedato makes a person active again. The answer is OPDATERET. docs/clients/persons.md says how to send such an object.
#
# Needs node and npm. Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
for tool in node npm; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo '{"private": true}' >package.json
nice npm install --silent --no-audit --no-fund --ignore-scripts soap@1.13.0 strong-soap@5.0.10 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat >service.wsdl <<'WSDL'
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">
  <wsdl:types><xs:schema targetNamespace="urn:t" elementFormDefault="qualified">
    <xs:element name="Ask"><xs:complexType><xs:sequence>
      <xs:element name="Id" type="xs:string"/><xs:element name="Email" type="xs:string" minOccurs="0"/>
      <xs:element name="Phone" type="xs:string" minOccurs="0" maxOccurs="unbounded"/>
      <xs:element name="Leader" minOccurs="0"><xs:complexType><xs:sequence><xs:element name="Name" type="xs:string" minOccurs="0"/></xs:sequence></xs:complexType></xs:element>
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
const answer = '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><t:Ask xmlns:t="urn:t"><t:Id>1</t:Id><t:Email></t:Email></t:Ask></e:Body></e:Envelope>'
const elements = (message) => [...message.matchAll(/<(?:\w+:)?(Id|Email|Phone|Leader|Name)\b/g)].map((m) => m[1]).join(' ')
function ask(client, value) {
  let sent
  client.httpClient = { request(url, message, done) { sent = elements(message); done(null, { statusCode: 200, headers: {} }, answer) } }
  return new Promise((resolve, reject) => client.ask(value, (error, read) => (error ? reject(error) : resolve([sent, Object.entries(read).map(([name, value]) => `${name}=${value}`).join(' ')]))))
}
async function main() {
  const row = { Id: '1' } // has neither of the other columns
  const person = { Id: row.Id, Email: row.Email, Phone: row.Phone, Leader: row.Leader }
  const soap = await require('soap').createClientAsync('service.wsdl')
  const strong = await new Promise((resolve, reject) => require('strong-soap').soap.createClient('service.wsdl', {}, (e, c) => (e ? reject(e) : resolve(c))))
  const [plain] = await ask(soap, person)
  const [undef, read] = await ask(strong, { Ask: person })
  const [absent] = await ask(strong, { Ask: row })
  const [cleaned] = await ask(strong, JSON.parse(JSON.stringify({ Ask: person })))
  const version = (name) => `${name} ${require(`${name}/package.json`).version}`
  console.log(`${version('soap')}, undefined: ${plain}`)
  console.log(`${version('strong-soap')}, undefined: ${undef}`)
  console.log(`${version('strong-soap')}, not in the object: ${absent}`)
  console.log(`${version('strong-soap')}, through JSON first: ${cleaned}`)
  console.log(`${version('strong-soap')}, reads of an empty Email: ${read}`)
  if (JSON.stringify([plain, undef, absent, cleaned, read]) !== JSON.stringify(['Id', 'Id Email Phone Leader', 'Id', 'Id', 'Id=1 Email=undefined'])) { console.log('the behaviour has changed'); process.exit(1) }
}
main().catch((error) => { console.log(error.message); process.exit(1) })
JS
nice timeout 120 node ask.js
