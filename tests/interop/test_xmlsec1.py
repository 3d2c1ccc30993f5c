"""xmlsec1, as verify_xmlsec1.py calls it, accepts good signatures and refuses altered ones."""

import os
import re
import shutil
import tempfile
import textwrap
import unittest
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree
from signxml import XMLSigner, methods

import https_stand_in
from verify_xmlsec1 import Bad, verify

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = Path(os.environ.get("HJEMMEL_REFERENCE", ROOT.parent / "shared/reference")) / "oio-idws/messages"


@unittest.skipUnless(shutil.which("xmlsec1"), "DID NOT RUN: xmlsec1 is not installed")
class Xmlsec1(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = Path(self.folder.name)

    def bad(self, kind, text, certificate, why):
        with self.assertRaisesRegex(Bad, why):
            verify(kind, text, certificate)

    def test_an_assertion_that_signxml_signed_holds_and_an_altered_one_does_not(self):
        https_stand_in.pki(self.path)
        key = load_pem_private_key((self.path / "server.key").read_bytes(), None)
        plain = etree.fromstring('<Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion" ID="_1"><Issuer>sts</Issuer>'
                                 '<Signature xmlns="http://www.w3.org/2000/09/xmldsig#" Id="placeholder"/><Subject/></Assertion>')
        signer = XMLSigner(method=methods.enveloped, signature_algorithm="rsa-sha256", digest_algorithm="sha256",
                           c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#")
        signed = etree.tostring(signer.sign(plain, key=key, cert=(self.path / "server.pem").read_text(), reference_uri="_1", id_attribute="ID")).decode()
        own, other = str(self.path / "server.pem"), str(self.path / "client.pem")
        self.assertEqual(verify("assertion", signed, own), ["Assertion"])
        self.assertEqual(verify("assertion", f"<x>{signed}</x>", own), ["Assertion"])
        self.bad("assertion", signed.replace(">sts<", ">stz<"), own, "xmlsec1")
        self.bad("assertion", signed, other, "xmlsec1")
        self.bad("assertion", signed.replace('ID="_1"', 'ID="_2"'), own, "not of the assertion")

    def real(self, name):
        if not MESSAGES.exists():
            self.skipTest("DID NOT RUN: the real messages are not at hand (../shared/reference or HJEMMEL_REFERENCE)")
        text = re.sub(r">\s+<", "><", (MESSAGES / name).read_text(encoding="utf-8-sig"))
        found = re.search(r"BinarySecurityToken [^>]*>([^<]+)<", text) or re.search(r"X509Certificate>([^<]+)<", text)
        pem = self.path / "signer.pem"
        pem.write_text("-----BEGIN CERTIFICATE-----\n" + "\n".join(textwrap.wrap(re.sub(r"\s", "", found[1]), 64)) + "\n-----END CERTIFICATE-----\n")
        return text, str(pem)

    def test_a_real_token_of_the_sts_holds(self):
        text, pem = self.real("bootstrap-token.xml")
        self.assertEqual(verify("assertion", text, pem), ["Assertion"])
        self.bad("assertion", text.replace("11111111", "11111112"), pem, "xmlsec1")

    def test_a_real_response_holds_and_what_is_altered_or_uncovered_does_not(self):
        text, pem = self.real("JavaHelloNoneResponse-PrettyPrint.xml")
        self.assertEqual(verify("response", text, pem), ["Body", "Timestamp", "Action", "MessageID", "To", "RelatesTo"])
        self.bad("response", text.replace("HelloWorldResponse<", "HelloWorldResponsf<", 1), pem, "xmlsec1")
        self.bad("response", text.replace("2022-11-28T01:45:47.215Z", "2032-11-28T01:45:47.215Z"), pem, "xmlsec1")
        faultto = '<FaultTo xmlns="http://www.w3.org/2005/08/addressing"/></soap:Header>'
        self.bad("response", text.replace("</soap:Header>", faultto), pem, "does not cover FaultTo")
        body = re.search(r"<soap:Body.*</soap:Body>", text)[0]
        forged = re.sub(r' wsu:Id="[^"]*"', "", body)
        self.bad("response", text.replace(body, forged).replace("</soap:Header>", f"<x>{body}</x></soap:Header>"), pem, "does not cover Body")


if __name__ == "__main__":
    unittest.main()
