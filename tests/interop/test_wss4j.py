"""The WSS4J judge accepts real OIO IDWS messages and refuses each of them once it is altered."""

import os
import re
import subprocess
import tempfile
import textwrap
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
JUDGE = Path(os.environ.get("HJEMMEL_INTEROP", ROOT / "target/interop")) / "wss4j"
MESSAGES = Path(os.environ.get("HJEMMEL_REFERENCE", ROOT.parent / "shared/reference")) / "oio-idws/messages"

SIGN = ("request", "HelloSignRequest-PrettyPrint.xml", "2023-04-04T08:22:00Z")
NONE = ("request", "JavaHelloNoneRequest-PrettyPrint.xml", "2022-11-28T01:38:00Z")
ANSWER = ("response", "JavaHelloNoneResponse-PrettyPrint.xml", "2022-11-28T01:42:00Z")


def judge(kind, message, trusted, at, *more):
    """The judge's exit code and words."""
    with tempfile.TemporaryDirectory() as folder:
        file, trust = Path(folder) / "message.xml", Path(folder) / "trust.pem"
        file.write_text(message, encoding="utf-8")
        trust.write_text("-----BEGIN CERTIFICATE-----\n" + "\n".join(textwrap.wrap(re.sub(r"\s", "", trusted), 64))
                         + "\n-----END CERTIFICATE-----\n")
        run = subprocess.run(["java", "-Xmx2g", "-cp", f"{JUDGE}/classes:{JUDGE}/lib/*", "dk.hjemmel.interop.Judge", kind, str(file),
                              "--trust", str(trust), "--at", at, *more], capture_output=True, text=True)
    return run.returncode, run.stdout + run.stderr


@unittest.skipUnless((JUDGE / "classes").exists(), f"DID NOT RUN: the judge is not built ({JUDGE}); run.sh builds it")
@unittest.skipUnless(MESSAGES.exists(), "DID NOT RUN: the real messages are not at hand (../shared/reference or HJEMMEL_REFERENCE)")
class RealMessages(unittest.TestCase):
    def message(self, name):
        text = (MESSAGES / name).read_text(encoding="utf-8-sig")
        return re.sub(r">\s+<", "><", text)

    def signer(self, message):
        found = re.search(r"BinarySecurityToken [^>]*>([^<]+)<", message) or re.search(r"X509Certificate>([^<]+)<", message)
        return found[1]

    def good(self, case, *more):
        kind, name, at = case
        message = self.message(name)
        code, told = judge(kind, message, self.signer(message), at, *more)
        self.assertEqual(code, 0, told)
        return told

    def bad(self, why, case, change=lambda message: message, at=None, trusted=None, *more):
        kind, name, right = case
        message = self.message(name)
        altered = change(message)
        code, told = judge(kind, altered, trusted or self.signer(message), at or right, *more)
        self.assertEqual(code, 1, told)
        self.assertRegex(told, why)

    def test_a_request_with_the_token_signed_by_str_transform_holds(self):
        told = self.good(SIGN)
        self.assertIn("Assertion ([http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform])", told)
        self.assertEqual(told.count("  verified #"), 8)
        self.assertIn("holder of key", told)

    def test_another_suppliers_request_holds_but_for_the_basic_security_profile(self):
        self.assertIn("covered", self.good(NONE, "--no-bsp"))
        self.bad("BSP:R6617", NONE)

    def test_a_response_signed_by_a_binary_security_token_holds(self):
        self.assertIn("covered: [Body, Timestamp, Action, MessageID, To, RelatesTo]", self.good(ANSWER))

    def test_whatever_is_altered_after_signing_is_refused(self):
        for change in [
            lambda m: m.replace("11111111", "11111112", 1),
            lambda m: m.replace("urn:uuid:18fc4148", "urn:uuid:18fc4149"),
            lambda m: m.replace("2023-04-04T08:26:45.772Z", "2023-04-04T08:26:45.773Z"),
            lambda m: re.sub(r"(<s:Body[^>]*>)", r"\1 ", m),
        ]:
            self.assertNotEqual(change(self.message(SIGN[1])), self.message(SIGN[1]))
            self.bad("signature|digest|verif", SIGN, change)
        self.bad("signature|digest|verif", ANSWER, lambda m: m.replace("HelloWorldResponse<", "HelloWorldResponsf<", 1))

    def test_another_signer_is_not_trusted(self):
        other = self.signer(self.message(ANSWER[1]))
        self.bad("authenticated|trusted|AUTHENTICATION", SIGN, trusted=other)
        self.bad("authenticated|trusted|AUTHENTICATION", ANSWER, trusted=self.signer(self.message(SIGN[1])))

    def test_times_are_judged_at_the_instant_given(self):
        self.bad("Timestamp holds from", SIGN, at="2023-04-04T08:30:00Z")
        self.bad("Timestamp holds from", SIGN, at="2023-04-04T08:00:00Z")

    def test_a_header_that_the_signature_does_not_cover_is_told(self):
        added = '<a:FaultTo><a:Address>http://www.w3.org/2005/08/addressing/anonymous</a:Address></a:FaultTo></s:Header>'
        self.bad("does not cover FaultTo", SIGN, lambda m: m.replace("</s:Header>", added, 1))

    def test_a_body_moved_away_and_a_forged_one_in_its_place_is_told(self):
        def wrap(message):
            body = re.search(r"<s:Body.*</s:Body>", message)[0]
            forged = re.sub(r' u:Id="[^"]*"', "", body)
            return message.replace(body, forged).replace("</s:Header>", f"<w:W xmlns:w='urn:w'>{body}</w:W></s:Header>", 1)
        self.bad("does not cover Body|Body", SIGN, wrap)


if __name__ == "__main__":
    unittest.main()
