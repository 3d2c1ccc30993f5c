#!/usr/bin/env bash
# samlify 2.13.1 (npm) as an identity provider: the attributes that it is configured with, and how the person logged on, are not in the answer.
#
# Guessed:  an IdentityProvider whose loginResponseTemplate names attributes sends them with what createLoginResponse is told of the person, and an AuthnStatement, which
#           the web browser profile demands of an answer (SAML Profiles 2.0, § 4.1.4.2).
# Happens:  without createLoginResponse's fifth argument, a function that fills the template in, the template of the configuration is put aside, attributes and all: the signed
#           Assertion has neither AttributeStatement nor AuthnStatement, and its NameID is the person's email, whatever format the provider declares and whatever nameID
#           it was told. Nothing is said. With the function the attributes come, but the AuthnStatement that it gives for {AuthnStatement} is escaped, and stands as text in the
#           Assertion. Written into the template itself, with a tag for its instant, it comes right. And an encrypted Assertion is AES-256-CBC though the service provider's
#           metadata name AES-256-GCM alone, until dataEncryptionAlgorithm says so.
# Product:  refuses such answers at log-on (LogOnStructure: no AuthnStatement, or text where none belongs; LogOnEncryption). docs/console/log-on.md says what is to be set at the provider.
#
# Needs node, npm and openssl. Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
for tool in node npm openssl; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo '{"private": true}' >package.json
nice npm install --silent --no-audit --no-fund --ignore-scripts samlify@2.13.1 @xmldom/xmldom@0.8.11 >npm.log 2>&1 || { cat npm.log; exit 2; }
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out certificate.pem -days 30 -subj /CN=provider 2>/dev/null
cat >try.js <<'JS'
const fs = require('fs')
const { DOMParser } = require('@xmldom/xmldom')
const samlify = require('samlify')

console.warn = () => {} // it would like an address for log-out
samlify.setSchemaValidator({ validate: async () => 'not asked here' })
const key = fs.readFileSync('key.pem', 'utf8')
const certificate = fs.readFileSync('certificate.pem', 'utf8')
const SAML = 'urn:oasis:names:tc:SAML:2.0:assertion'
const persistent = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'
const binding = (name) => `urn:oasis:names:tc:SAML:2.0:bindings:HTTP-${name}`
const plain = samlify.SamlLib.defaultLoginResponseTemplate.context
const written = plain.replace('{AuthnStatement}', '<saml:AuthnStatement AuthnInstant="{IssueInstant}"><saml:AuthnContext>'
  + '<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>')
const attributes = [{ name: 'urn:role', valueTag: 'user.role', nameFormat: 'urn:oasis:names:tc:SAML:2.0:attrname-format:uri', valueXsiType: 'xs:string' }]
const provider = (context, more) => samlify.IdentityProvider({
  entityID: 'https://provider.example', privateKey: key, signingCert: certificate, isAssertionEncrypted: false, nameIDFormat: [persistent],
  singleSignOnService: [{ Binding: binding('Redirect'), Location: 'https://provider.example/logon' }], loginResponseTemplate: { context, attributes }, ...more
})
const pem = certificate.replace(/-----.*-----|\s/g, '')
const service = samlify.ServiceProvider({ metadata: `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:d="http://www.w3.org/2000/09/xmldsig#" entityID="https://service.example">
  <SPSSODescriptor WantAssertionsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor use="encryption">
  <d:KeyInfo><d:X509Data><d:X509Certificate>${pem}</d:X509Certificate></d:X509Data></d:KeyInfo><EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes256-gcm"/></KeyDescriptor>
  <AssertionConsumerService Binding="${binding('POST')}" Location="https://service.example/acs" index="0"/></SPSSODescriptor></EntityDescriptor>` })
const person = { email: 'lis@example.dk', nameID: '7c1', role: 'signatory' }
const filled = (context) => {
  const [now, later] = [0, 300000].map((after) => new Date(Date.now() + after).toISOString())
  return { id: '_1', context: samlify.SamlLib.replaceTagsByValue(context, {
    ID: '_1', AssertionID: '_2', InResponseTo: '_3', Destination: 'https://service.example/acs', SubjectRecipient: 'https://service.example/acs', Audience: 'https://service.example',
    Issuer: 'https://provider.example', IssueInstant: now, StatusCode: 'urn:oasis:names:tc:SAML:2.0:status:Success', ConditionsNotBefore: now, ConditionsNotOnOrAfter: later,
    SubjectConfirmationDataNotOnOrAfter: later, NameIDFormat: persistent, NameID: person.nameID, attrUserRole: person.role,
    AuthnStatement: `<saml:AuthnStatement AuthnInstant="${now}"/>`
  }) }
}
async function answer(from, fill) {
  const { context } = await from.createLoginResponse(service, { extract: { request: { id: '_3' } } }, 'post', person, fill)
  return new DOMParser().parseFromString(Buffer.from(context, 'base64').toString(), 'text/xml')
}
async function told(from, fill) {
  const document = await answer(from, fill)
  const all = (name) => Array.from(document.getElementsByTagNameNS(SAML, name))
  const text = Array.from(all('Assertion')[0].childNodes).some((node) => node.nodeType === 3 && node.data.includes('AuthnStatement'))
  const signed = document.getElementsByTagNameNS('http://www.w3.org/2000/09/xmldsig#', 'SignatureValue').length === 1
  const name = all('NameID')[0]
  return `${signed ? 'signed' : 'not signed'}; attributes: ${all('AttributeValue').map((value) => value.textContent).join() || 'none'}; `
    + `AuthnStatement: ${all('AuthnStatement').length ? 'there' : text ? 'as text' : 'none'}; NameID: ${name.textContent}, ${name.getAttribute('Format').split(':').pop()}`
}
const cipher = async (more) => (await answer(provider(plain, { isAssertionEncrypted: true, ...more })))
  .getElementsByTagNameNS('http://www.w3.org/2001/04/xmlenc#', 'EncryptionMethod')[0].getAttribute('Algorithm').split('#').pop()
async function main() {
  const seen = {
    'without the function': await told(provider(plain)),
    'without it, the statement in the template': await told(provider(written)),
    'with the function': await told(provider(plain), filled),
    'with it, the statement in the template': await told(provider(written), filled),
    'encrypted': await cipher({}),
    'encrypted, set so': await cipher({ dataEncryptionAlgorithm: 'http://www.w3.org/2009/xmlenc11#aes256-gcm' })
  }
  console.log(`samlify ${require('samlify/package.json').version}`)
  for (const [name, what] of Object.entries(seen)) console.log(`${name}: ${what}`)
  const due = ['signed; attributes: none; AuthnStatement: none; NameID: lis@example.dk, persistent', 'signed; attributes: none; AuthnStatement: none; NameID: lis@example.dk, persistent',
    'signed; attributes: signatory; AuthnStatement: as text; NameID: 7c1, persistent', 'signed; attributes: signatory; AuthnStatement: there; NameID: 7c1, persistent', 'aes256-cbc', 'aes256-gcm']
  if (JSON.stringify(Object.values(seen)) !== JSON.stringify(due)) { console.log('the behaviour has changed'); process.exit(1) }
}
main().catch((error) => { console.log(error.message ?? error); process.exit(1) })
JS
nice timeout 120 node try.js
