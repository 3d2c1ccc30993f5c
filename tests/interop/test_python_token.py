"""The Python client of docs/clients in the token binding, before the running gateway: what it gets, what it refuses to
believe, and that every kind of fault tells it what, why and what to do.

The client is the one that the documentation gives to readers; what this file adds is the ways to get it wrong.
"""

import copy
import importlib.util
import os
import re
import unittest
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path
from unittest import mock

from lxml import etree
from zeep import Client
from zeep.transports import Transport
from zeep.wsa import WsAddressingPlugin

import demo

ROOT = Path(__file__).resolve().parents[2]
INDEX_WSDL = Path(os.environ.get("HJEMMEL_REFERENCE", ROOT.parent / "shared/reference")) / "ydelsesindeks-6/wsdl/YdelseIndeks.wsdl"
ANNA, NOBODY, UNPROVEN = "6101801234", "6303701236", "6404651237"

spec = importlib.util.spec_from_file_location("token_binding", ROOT / "docs/clients/python/token_binding.py")
client = importlib.util.module_from_spec(spec)
spec.loader.exec_module(client)

running = None
tokens = {}


def setUpModule():
    global running
    if demo.binary() is None:
        raise unittest.SkipTest("DID NOT RUN: the Python client of the token binding, for HJEMMEL_BIN names no program")
    running = demo.Demo(demo.binary())
    settings = dict(re.findall(r"^export (\w+)=(.*)$", (running.dir / "client.env").read_text(), re.MULTILINE))
    mock.patch.dict(os.environ, settings).start()


def tearDownModule():
    mock.patch.stopall()
    if running is not None and running.stop() != 0:
        raise RuntimeError("the demo did not stop in good order on Ctrl-C")


def system(name="korsbaek"):
    own = running.told["systems"][name]
    return client.System(own["certificate"], own["key"])


def token(name="korsbaek"):
    """A token of the STS's, fetched once."""
    if name not in tokens:
        tokens[name] = client.token(system(name), running.told["systems"][name]["authority"])
    return copy.deepcopy(tokens[name])


class Wrong(client.OioIdws):
    """Signs as the client does, but for what goes wrong before or after it."""

    def __init__(self, before=None, after=None, signer="korsbaek", holder="korsbaek", token_of=None, clock_off=timedelta()):
        super().__init__(system(signer), os.environ["GATEWAY_CERT"], token_of if token_of is not None else token(holder))
        self.before, self.after, self.clock_off, self.sent, self.got = before, after, clock_off, None, None

    def apply(self, envelope, headers):
        if self.before:
            self.before(envelope)
        with clock(self.clock_off):
            envelope, headers = super().apply(envelope, headers)
        if self.after:
            self.after(envelope)
        self.sent = etree.tostring(envelope)
        return envelope, headers

    def verify(self, envelope):
        self.got = copy.deepcopy(envelope)
        return super().verify(envelope)


def header(name, change):
    """Changes a WS-Addressing header."""
    return lambda envelope: change(envelope.find(f"soap:Header/wsa:{name}", client.NS))


def text(value):
    return lambda element: setattr(element, "text", value)


def gone(element):
    element.getparent().remove(element)


def in_security(path, change):
    return lambda envelope: change(envelope.find(f"soap:Header/wsse:Security/{path}", client.NS))


def clock(by):
    """The client's clock is wrong by so much."""

    class Shifted(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + by

    return mock.patch.object(client, "datetime", Shifted)


class Token(unittest.TestCase):
    def refused(self, code, signed, expression=None, security=None):
        """The fault has this code, tells all that it must, and is signed exactly where the caller was proven."""
        with self.assertRaises(client.Refused) as caught:
            client.ask(expression or client.search(ANNA), security or Wrong())
        told = caught.exception
        self.assertEqual((told.code, told.signed), (code, signed), str(told))
        for words, consequence in [(told.danish, r" Kaldet (er afvist|kunne ikke gennemføres)[^.]*\. "),
                                   (told.english, r" The call (was refused|could not be completed)[^.]*\. ")]:
            # What was wrong; what that meant; what to do; which call it was.
            what, _, remedy = re.split(consequence, words, maxsplit=1)
            remedy, call_id = remedy.split(" Call-id: ")
            self.assertGreater(len(what), 20, words)
            self.assertGreater(len(remedy), 10, words)
            self.assertEqual(call_id, told.call_id)
        uuid.UUID(told.call_id)
        return told

    # --- served

    def test_it_is_served_and_verifies_the_answer(self):
        security = Wrong()
        answer = client.ask(client.search(ANNA), security)
        self.assertEqual((str(answer.StandardRetur.StatusKode), len(answer.OekonomiskEffektueringFiltreretOejebliksbillede)), ("20", 4))
        self.assertTrue(security.signed)

    def test_nothing_found_is_an_answer_that_is_signed_too(self):
        security = Wrong()
        self.assertEqual(len(client.ask(client.search(NOBODY), security).OekonomiskEffektueringFiltreretOejebliksbillede), 0)
        self.assertTrue(security.signed)

    # --- an answer that is not to be believed

    def test_nothing_but_what_the_gateway_signed_for_this_request_is_believed(self):
        security = Wrong()
        client.ask(client.search(ANNA), security)
        good = security.got
        client.OioIdws.verify(security, copy.deepcopy(good))

        def body_elsewhere(answer):
            body = answer.find("soap:Body", client.NS)
            forged = copy.deepcopy(body)
            forged.attrib.clear()
            forged[0].clear()
            answer.replace(body, forged)
            etree.SubElement(answer.find("soap:Header", client.NS), "wrapper").append(body)

        forgeries = {
            "an amount is altered": lambda answer: text("1")(answer.find(".//{*}Ydelsesbeloeb")),
            "it is not signed": lambda answer: gone(answer.find("soap:Header/wsse:Security", client.NS)),
            "its signature is gone": lambda answer: gone(answer.find("soap:Header/wsse:Security/ds:Signature", client.NS)),
            "the signed Body was moved away": body_elsewhere,
            "two elements have the Body's id": lambda answer: etree.SubElement(answer.find("soap:Header", client.NS), "x").set(
                "Id", answer.find("soap:Body", client.NS).get(client.WSU_ID)),
            "it relates to another request": lambda answer: text("urn:uuid:other")(answer.find("soap:Header/wsa:RelatesTo", client.NS)),
            "the Timestamp is gone": lambda answer: gone(answer.find("soap:Header/wsse:Security/wsu:Timestamp", client.NS)),
            "a header was added": lambda answer: etree.SubElement(answer.find("soap:Header", client.NS), f"{{{client.WSA}}}FaultTo"),
        }
        for sentence, forge in forgeries.items():
            forged = copy.deepcopy(good)
            forge(forged)
            with self.subTest(sentence), self.assertRaises(client.Untrusted):
                client.OioIdws.verify(security, etree.fromstring(etree.tostring(forged)))

        with self.subTest("the answer to an earlier request"), self.assertRaises(client.Untrusted):
            other = Wrong()
            client.ask(client.search(NOBODY), other)
            client.OioIdws.verify(other, copy.deepcopy(good))
        with self.subTest("an answer that was kept"), clock(timedelta(minutes=20)), self.assertRaises(client.Untrusted):
            client.OioIdws.verify(security, copy.deepcopy(good))
        with self.subTest("somebody else's signature"), self.assertRaises(client.Untrusted):
            client.ask(client.search(ANNA), client.OioIdws(system(), os.environ["STS_CERT"], token()))

    # --- faults, unsigned: the caller is not yet proven

    def test_a_signature_that_is_not_right_is_told_which_part_and_why(self):
        altered = self.refused("DigestMismatch", False, security=Wrong(after=lambda envelope: text("OR")(envelope.find(".//{*}operation"))))
        self.assertIn("Body", altered.english)
        self.refused("SignatureInvalid", False, security=Wrong(signer="udk"))
        uncovered = lambda envelope: etree.SubElement(envelope.find("soap:Header", client.NS), f"{{{client.WSA}}}From")
        self.refused("SignatureCoverage", False, security=Wrong(after=uncovered))
        sha1 = lambda element: element.set("Algorithm", "http://www.w3.org/2000/09/xmldsig#rsa-sha1")
        self.assertIn("RSA-SHA256", self.refused(
            "SignatureAlgorithm", False,
            security=Wrong(after=in_security("ds:Signature/ds:SignedInfo/ds:SignatureMethod", sha1))).english)
        self.refused("SecurityStructure", False, security=Wrong(after=in_security("wsse:SecurityTokenReference", gone)))
        twice = lambda envelope: envelope.find(".//{*}SoegUdtryk").set("Id", "part-0")
        self.refused("DuplicateId", False, security=Wrong(after=twice))

    def test_a_token_that_does_not_count_is_told_why(self):
        altered = token()
        next(node for node in altered.iter("{*}AttributeValue") if node.text == "11111111").text = "99999981"
        self.refused("DigestMismatch", False, security=Wrong(token_of=altered))
        self.refused("SignatureInvalid", False, security=Wrong(holder="udk"))

    def test_addressing_that_is_not_right_is_told(self):
        self.refused("AddressingInvalid", False, security=Wrong(before=header("MessageID", gone)))
        self.refused("ActionMismatch", False, security=Wrong(before=header("Action", text("urn:other"))))

    def test_a_message_without_security_model_is_told_which_there_are(self):
        told = self.refused("SecurityModelMissing", False, security=Wrong(after=lambda e: gone(e.find("soap:Header/wsse:Security", client.NS))))
        self.assertIn("[KombitToken, AuthorityContext]", told.english)

    def test_a_clock_that_is_wrong_is_told_both_clocks(self):
        for off in (timedelta(minutes=-20), timedelta(minutes=20)):
            told = self.refused("TimestampOutside", False, security=Wrong(clock_off=off))
            self.assertRegex(told.english, r"\d{4}-\d\d-\d\dT\S+Z.*\d{4}-\d\d-\d\dT\S+Z.* seconds")

    # --- faults, signed: the caller is proven

    def test_a_message_twice_is_told(self):
        once = f"urn:uuid:{uuid.uuid4()}"
        client.ask(client.search(ANNA), Wrong(before=header("MessageID", text(once))))
        self.refused("Replay", True, security=Wrong(before=header("MessageID", text(once))))

    def test_a_search_that_the_law_does_not_bear_is_told_what_it_bears(self):
        now = datetime.now(timezone.utc)
        told = self.refused("WindowOutside", True, client.search(ANNA, now - timedelta(days=396), now))
        self.assertIn(running.told["window"][0], told.english)
        self.refused("WindowInverted", True, client.search(ANNA, now, now - timedelta(days=1)))
        self.refused("PersonInvalid", True, client.search("0000000000"))
        self.refused("PersonMissing", True, {"operation": "AND", "_value_1": client.search(ANNA)["_value_1"][1:]})
        self.refused("PersonShape", True, client.search(ANNA) | {"operation": "OR"})
        kle = client.search(ANNA)
        kle["_value_1"][1]["SoegOekonomiskEffektueringIndeks"]["MaksimalAntalKvantitet"] = -1
        self.refused("PagingOutside", True, kle)

    def test_an_authority_without_agreement_is_told_so(self):
        self.refused("BackAgreementNotFound", True, security=Wrong(signer="without-back-agreement", holder="without-back-agreement"))

    def test_what_the_gateway_cannot_answer_for_is_told(self):
        self.refused("PersonUnproven", True, client.search(UNPROVEN))

    # --- a client of the index's

    @unittest.skipUnless(INDEX_WSDL.exists(), "DID NOT RUN: the index's own WSDL is not at hand (../shared/reference or HJEMMEL_REFERENCE)")
    def test_a_client_made_from_the_indexs_own_wsdl_needs_only_another_address(self):
        security = client.OioIdws(system(), os.environ["GATEWAY_CERT"], token())
        # zeep reads no policy: towards the index too it must be told to write WS-Addressing's headers.
        made = Client(str(INDEX_WSDL), wsse=security, transport=Transport(session=client.session()), plugins=[WsAddressingPlugin()])
        service = made.create_service("{http://stoettesystemerne.dk/ydelsesindeks}YdelseIndeks", os.environ["SERVICE"])
        transaction = str(uuid.uuid4())
        answer = service.fremsoeg(SoegUdtryk=client.search(ANNA), _soapheaders={"header": {"TransactionUUID": transaction}})
        self.assertTrue(security.signed and answer.body.OekonomiskEffektueringFiltreretOejebliksbillede)
        self.assertEqual(answer.header.header.TransactionUUID, transaction)

    # --- faults of HTTP, which a SOAP stack meets before it sends what it means to

    def test_faults_below_soap_have_the_same_form(self):
        security = Wrong()
        client.ask(client.search(ANNA), security)
        soap = "application/soap+xml; charset=utf-8"
        cases = [
            ("MediaTypeRefused", 415, {"Content-Type": "application/json"}, security.sent),
            ("MediaTypeRefused", 415, {"Content-Type": 'multipart/related; type="application/xop+xml"; boundary=x'}, security.sent),
            ("ContentCodingRefused", 415, {"Content-Type": soap, "Content-Encoding": "gzip"}, security.sent),
            ("BodyTooLarge", 413, {"Content-Type": soap}, security.sent + b" " * (1 << 24)),  # the demo takes 16 MiB, for vouchers
            ("MalformedXml", 500, {"Content-Type": soap}, security.sent[:-10]),
            ("DtdRefused", 500, {"Content-Type": soap}, b"<!DOCTYPE x>" + security.sent),
            ("NotSoap", 500, {"Content-Type": soap}, b"<x/>"),
            ("Replay", 500, {"Content-Type": soap}, security.sent),
        ]
        for code, status, headers, body in cases:
            with self.subTest(code):
                answer = client.session().post(os.environ["SERVICE"], body, headers=headers, timeout=120)
                errors = list(etree.fromstring(answer.content).iter(f"{{{client.FAULT}}}Error"))
                self.assertEqual([error.findtext(f"{{{client.FAULT}}}ErrorCode") for error in errors], [code, code], answer.text)
                for error in errors:
                    self.assertTrue(error.findtext(f"{{{client.FAULT}}}ErrorText").endswith(f"Call-id: {answer.headers['X-Call-Id']}"))
                self.assertEqual(answer.status_code, status, answer.text)

    def test_the_sts_says_no_in_its_own_words(self):
        with self.assertRaises(SystemExit) as caught:
            client.token(system(), "99999981")
        self.assertIn("111", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
