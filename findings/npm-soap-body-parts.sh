#!/usr/bin/env bash
# npm's soap 1.13.0 writes the header's element into Body, where the WSDL's message has a header's part before the body's.
#
# Guessed:  WSDL 1.1, § 3.5: soap:body parts="request" says which part of a message is the body, and soap:header which is a header, in whatever
#           order the message has them. Java, .NET, PHP and zeep read the contract so.
# Happens:  it takes the message's first part for the body and reads `parts` not at all. What the caller gives for the request is written
#           inside the header's element, in the header's namespace, with no word of it. A valid answer cannot be read at all ("Cannot read
#           properties of undefined") unless its element is called as the operation with "Response" behind it; then it is read without its
#           types, and a list of one comes as one and not as an array. With the body's part first all of it is right, so it is no
#           matter of the schemas. strong-soap 5.0.10, which came of it, reads `parts`.
# Product:  TerminalAdgang and PersonImport have the header's part first, as the benefit index's own WSDL has: the call is refused. What to do is in
#           docs/clients/field.md (npm's soap).
#
# Needs node and npm. Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
for tool in node npm; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo '{"private": true}' >package.json
npm install --silent --no-audit --no-fund soap@1.13.0 strong-soap@5.0.10 >npm.log 2>&1 || { cat npm.log; exit 2; }
HEADER='<wsdl:part name="header" element="h:Head"/>'
wsdl() {
  cat <<WSDL
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:h="urn:h" xmlns:t="urn:t" targetNamespace="urn:t">
  <wsdl:types>
    <xs:schema targetNamespace="urn:h" elementFormDefault="qualified"><xs:element name="Head"><xs:complexType><xs:sequence>
      <xs:element name="Id" type="xs:string"/></xs:sequence></xs:complexType></xs:element></xs:schema>
    <xs:schema targetNamespace="urn:t" elementFormDefault="qualified">
      <xs:element name="Ask"><xs:complexType><xs:sequence><xs:element name="Name" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
      <xs:element name="$3"><xs:complexType><xs:sequence><xs:element name="Line" type="xs:string" maxOccurs="9"/></xs:sequence></xs:complexType></xs:element>
    </xs:schema>
  </wsdl:types>
  <wsdl:message name="In">$1<wsdl:part name="body" element="t:Ask"/>$2</wsdl:message>
  <wsdl:message name="Out">$1<wsdl:part name="body" element="t:$3"/>$2</wsdl:message>
  <wsdl:portType name="P"><wsdl:operation name="ask"><wsdl:input message="t:In"/><wsdl:output message="t:Out"/></wsdl:operation></wsdl:portType>
  <wsdl:binding name="B" type="t:P">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="ask"><soap:operation soapAction="urn:t/ask"/>
      <wsdl:input><soap:header message="t:In" part="header" use="literal"/><soap:body parts="body" use="literal"/></wsdl:input>
      <wsdl:output><soap:header message="t:Out" part="header" use="literal"/><soap:body parts="body" use="literal"/></wsdl:output>
    </wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="S"><wsdl:port name="O" binding="t:B"><soap:address location="http://localhost/"/></wsdl:port></wsdl:service>
</wsdl:definitions>
WSDL
}
wsdl "$HEADER" "" Answer >header-first.wsdl
wsdl "$HEADER" "" askResponse >header-first-response.wsdl
wsdl "" "$HEADER" Answer >body-first.wsdl
cat >ask.js <<'JS'
// Nothing is sent: the message is taken where it would leave, and answered there.
const answer = (name) => '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header><h:Head xmlns:h="urn:h"><h:Id>1</h:Id></h:Head></e:Header>'
  + `<e:Body><t:${name} xmlns:t="urn:t"><t:Line>one</t:Line></t:${name}></e:Body></e:Envelope>`
const bodyOf = (message) => message.replace(/\n\s*/g, '').match(/Body>(.*)<\/soap:Body/)[1].replace(/ xmlns(:\w+)?="[^"]*"/g, '').replace(/(<\/?)\w+:/g, '$1')
function ask(file, client, value) {
  let body
  client.httpClient = { request(url, message, done) { body = bodyOf(message); done(null, { statusCode: 200, headers: {} }, answer(file.includes('response') ? 'askResponse' : 'Answer')) } }
  return new Promise((resolve) => client.ask(value, (error, read) => resolve([body, error ? error.message : JSON.stringify(read)])))
}
async function main() {
  const seen = []
  for (const file of ['header-first.wsdl', 'header-first-response.wsdl', 'body-first.wsdl']) {
    seen.push(await ask(file, await require('soap').createClientAsync(file), { Name: 'x' }))
    const strong = await new Promise((resolve, reject) => require('strong-soap').soap.createClient(file, {}, (e, c) => (e ? reject(e) : resolve(c))))
    seen.push(await ask(file, strong, { Ask: { Name: 'x' } }))
    for (const [i, name] of [[seen.length - 2, 'soap'], [seen.length - 1, 'strong-soap']]) {
      const { version } = require(`${name}/package.json`)
      console.log(`${name} ${version}, ${file}: Body has ${seen[i][0]}; the answer reads ${seen[i][1]}`)
    }
  }
  const right = ['<Ask><Name>x</Name></Ask>', '{"Line":["one"]}']
  const wrong = '<Head><Name>x</Name></Head>'
  const due = [[wrong, "Cannot read properties of undefined (reading 'description')"], right, [wrong, '{"Line":"one"}'], right, right, right]
  if (JSON.stringify(seen) !== JSON.stringify(due)) { console.log('the behaviour has changed'); process.exit(1) }
}
main().catch((error) => { console.log(error.message); process.exit(1) })
JS
nice -n 19 timeout 120 node ask.js
