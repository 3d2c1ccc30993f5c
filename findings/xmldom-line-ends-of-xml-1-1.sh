#!/usr/bin/env bash
# xml-crypto 6.3.2 on @xmldom/xmldom 0.8.15 (npm): a signed message with U+0085 or U+2028 in a text does not verify, and one that it signs itself goes out with another text.
#
# Guessed:  in XML 1.0 a line ends with CR, LF or both (§ 2.11), and all other characters of a text are as they were written. So reads the JDK, and libxml2: the signature is the one that was made.
# Happens:  xmldom, on which most of what reads signed XML under Node stands, turns U+0085, CR with U+0085 behind it, and U+2028 into a line feed, as XML 1.1 has it, also in a message that says
#           version 1.0 or nothing. xml-crypto then computes the digest of another text and calls a valid signature false; whoever reads without asking for the signature has a line feed, in an
#           attribute's value a space. What it signs itself verifies everywhere, but holds the line feed in the place of the character. Written as &#x85; or &#x2028; both are kept, and so are U+00A0
#           and U+2029 as they stand. The characters come by themselves: U+0085 is the ellipsis of Windows-1252 that somewhere was read as ISO 8859-1, U+2028 a line break within a paragraph, pasted
#           from an office program or a web page. xmldom 0.9.12 does the same.
# Product:  hands texts on as the provider wrote them and signs what it hands on; such an answer is valid, and a Node client says that it was changed on its way. docs/clients/field.md says what to
#           look for.
#
# Needs node and npm. Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
for tool in node npm; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >package.json <<'JSON'
{"private": true, "dependencies": {"xml-crypto": "6.3.2", "@xmldom/xmldom": "0.8.15", "newer": "npm:@xmldom/xmldom@0.9.12"}, "overrides": {"xml-crypto": {"@xmldom/xmldom": "0.8.15"}}}
JSON
nice npm install --silent --no-audit --no-fund --ignore-scripts >npm.log 2>&1 || { cat npm.log; exit 2; }
cat >try.js <<'JS'
const crypto = require('crypto')
const { SignedXml } = require('xml-crypto')
const { DOMParser } = require('@xmldom/xmldom')
const newer = require('newer')

const { privateKey, publicKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 })
const [key, shown] = [privateKey.export({ type: 'pkcs8', format: 'pem' }), publicKey.export({ type: 'spki', format: 'pem' })]
const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#'
const RSA = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256'
const SHA = 'http://www.w3.org/2001/04/xmlenc#sha256'
const DSIG = 'http://www.w3.org/2000/09/xmldsig#'

// What is signed by hand is written in canonical form, so that its bytes are what is digested and signed.
function signedByHand(text, asWritten) {
  const body = (inner) => `<Body Id="b">${inner}</Body>`
  const digest = crypto.createHash('sha256').update(body(text)).digest('base64')
  const info = `<SignedInfo xmlns="${DSIG}"><CanonicalizationMethod Algorithm="${EXCLUSIVE}"></CanonicalizationMethod><SignatureMethod Algorithm="${RSA}"></SignatureMethod>`
    + `<Reference URI="#b"><Transforms><Transform Algorithm="${EXCLUSIVE}"></Transform></Transforms><DigestMethod Algorithm="${SHA}"></DigestMethod>`
    + `<DigestValue>${digest}</DigestValue></Reference></SignedInfo>`
  const value = crypto.sign('sha256', Buffer.from(info), privateKey).toString('base64')
  const signature = `<Signature xmlns="${DSIG}">${info}<SignatureValue>${value}</SignatureValue></Signature>`
  return { signature, message: `<?xml version="1.0"?><Envelope>${body(asWritten)}${signature}</Envelope>` }
}
function verifies({ signature, message }) {
  const judge = new SignedXml({ publicCert: shown })
  judge.loadSignature(signature)
  try {
    return judge.checkSignature(message) ? 'verifies' : 'does not'
  } catch (error) {
    return /invalid signature/i.test(error.message) ? 'does not' : error.message
  }
}
function sentOf(text) {
  const signer = new SignedXml({ privateKey: key, signatureAlgorithm: RSA, canonicalizationAlgorithm: EXCLUSIVE })
  signer.addReference({ xpath: "//*[local-name(.)='Body']", transforms: [EXCLUSIVE], digestAlgorithm: SHA })
  signer.computeSignature(`<Envelope><Body Id="b">${text}</Body></Envelope>`)
  return /<Body[^>]*>([^<]*)<\/Body>/.exec(signer.getSignedXml())[1]
}
const read = (Parser, xml) => new Parser().parseFromString(xml, 'text/xml').documentElement
const shownAs = (text) => Array.from(text, (c) => c > ' ' && c < '\x7f' ? c : `[${c.codePointAt(0).toString(16)}]`).join('')

const cases = {
  'U+0085': ['a\u0085b', 'a\u0085b'], 'U+2028': ['a\u2028b', 'a\u2028b'], 'U+2029': ['a\u2029b', 'a\u2029b'], 'U+00A0': ['a\u00a0b', 'a\u00a0b'],
  '&#x85;': ['a\u0085b', 'a&#x85;b'], '&#x2028;': ['a\u2028b', 'a&#x2028;b']
}
const seen = {}
for (const [name, [text, written]] of Object.entries(cases)) seen[name] = `${verifies(signedByHand(text, written))}; signed by itself: ${shownAs(sentOf(written))}`
for (const [name, Parser] of [['0.8.15', DOMParser], ['0.9.12', newer.DOMParser]]) {
  const declared = read(Parser, '<?xml version="1.0"?><a b="1\u20282\u00853">1\u20282\u00853\r\u00854</a>')
  seen[`xmldom ${name}`] = `text ${shownAs(declared.textContent)}, attribute ${shownAs(declared.getAttribute('b'))}`
}
for (const [name, what] of Object.entries(seen)) console.log(`${name}: ${what}`)
const due = {
  'U+0085': 'does not; signed by itself: a[a]b', 'U+2028': 'does not; signed by itself: a[a]b', 'U+2029': 'verifies; signed by itself: a[2029]b', 'U+00A0': 'verifies; signed by itself: a[a0]b',
  '&#x85;': 'verifies; signed by itself: a[85]b', '&#x2028;': 'verifies; signed by itself: a[2028]b',
  'xmldom 0.8.15': 'text 1[a]2[a]3[a]4, attribute 1[20]2[20]3', 'xmldom 0.9.12': 'text 1[a]2[a]3[a]4, attribute 1[20]2[20]3'
}
if (JSON.stringify(seen) !== JSON.stringify(due)) { console.log('the behaviour has changed'); process.exit(1) }
JS
node try.js
