"""Clients and judges that this project did not write, before the running gateway."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from datetime import datetime, timedelta
from pathlib import Path

from lxml import etree

import demo
import validate
import verify_xmlsec1
import wsdl_zeep

ROOT = Path(__file__).resolve().parents[2]
INTEROP = Path(os.environ.get("HJEMMEL_INTEROP", ROOT / "target/interop"))
JUDGE, CXF = INTEROP / "wss4j", INTEROP / "cxf"
ANNA, BO, NOBODY, UNPROVEN = "6101801234", "6202751235", "6303701236", "6404651237"
OBJECT = f"{validate.YI}OekonomiskEffektueringFiltreretOejebliksbillede"

running = None


def needs(tool):
    return unittest.skipUnless(shutil.which(tool), f"DID NOT RUN: {tool} is not installed, so it did not judge the running gateway")


def needs_judge(folder, name):
    return unittest.skipUnless((folder / "classes").exists(), f"DID NOT RUN: {name} is not built ({folder}), so it did not judge the running gateway")


def setUpModule():
    global running
    if demo.binary() is None:
        raise unittest.SkipTest("DID NOT RUN: the running gateway before the judges, for HJEMMEL_BIN names no program")
    running = demo.Demo(demo.binary())


def tearDownModule():
    if running is not None and running.stop() != 0:
        raise RuntimeError("the demo did not stop in good order on Ctrl-C")


def a_year_ago_and_more():
    now = datetime.now().astimezone()
    return now - timedelta(days=396), now


class Gateway(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.dir = Path(self.folder.name)

    def system(self, name):
        return running.told["systems"][name]

    def valid(self, *files):
        """By xmllint, by our schemas, and by the index's where they are at hand."""
        for file in files:
            body = validate.body(file)
            self.assertEqual(validate.errors(body, validate.OURS), [])
            if validate.index_schema():
                self.assertEqual(validate.errors(body, validate.index_schema()), [])

    def saved(self, system="korsbaek", cpr=ANNA, more=(), exits=0):
        """The folder of messages that `hjemmel call` exchanged."""
        call = list(running.told["call"])
        for option, key in [("--cert", "certificate"), ("--key", "key"), ("--authority", "authority")]:
            call += [option, self.system(system)[key]]
        run = subprocess.run([*call, "--save", str(self.dir), *more], input=cpr, capture_output=True, text=True)
        self.assertEqual(run.returncode, exits, run.stdout + run.stderr)
        return run.stdout

    def too_wide(self):
        return [word for option, at in zip(("--from", "--to"), a_year_ago_and_more()) for word in (option, at.isoformat())]


class PrintedLines(Gateway):
    """What the screen says may be pasted into a shell."""

    def printed(self, start):
        """The line with its folds undone, as it runs in the demo's folder."""
        found = re.findall(rf"^  ({start}.*)$", running.screen().replace("\\\n  ", ""), re.MULTILINE)
        self.assertEqual(len(found), 1, running.screen())
        return f"cd {running.dir} && {found[0]}"

    @needs("curl")
    def test_the_curl_line_is_served(self):
        run = subprocess.run(["sh", "-c", f"{self.printed('curl ')} --silent --show-error --fail"], capture_output=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(len(etree.fromstring(run.stdout).findall(f".//{OBJECT}")), 4)

    @needs("curl")
    def test_the_curl_line_without_the_client_certificate_is_refused(self):
        line = re.sub(r"--cert \S+ --key \S+", "", self.printed("curl "))
        run = subprocess.run(["sh", "-c", f"{line} --silent --write-out '%{{http_code}}'"], capture_output=True, text=True)
        self.assertEqual(run.stdout[-3:], "500", run.stdout)
        self.assertNotIn("Dispositionsdato", run.stdout)

    def test_the_call_line_is_served_and_its_answer_signed(self):
        run = subprocess.run(["sh", "-c", self.printed("echo ")], capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("The answer is signed by the gateway.\nStatusKode 20: 4 effectuation(s)", run.stdout)


class Zeep(Gateway):
    def client(self, system="korsbaek", contract="?wsdl"):
        own = self.system(system)
        return wsdl_zeep.load(running.told["service"] + contract, running.told["root"], own["certificate"], own["key"])

    def ask(self, cpr=ANNA, system="korsbaek", **search):
        self.zeep, self.history = self.client(system)
        return wsdl_zeep.call(self.zeep, wsdl_zeep.search(cpr, **search), self.system(system)["authority"])

    def refused(self, code, *asked, **search):
        outcome, told = self.ask(*asked, **search)
        self.assertEqual(outcome, code)
        self.assertEqual(len(told), 2)
        danish, english = (text for _, text in told)
        self.assertRegex(danish, "Kaldet (er afvist|kunne ikke gennemføres)")
        self.assertRegex(english, "The call (was refused|could not be)")

    def test_it_loads_the_contract_builds_the_call_and_reads_the_answer(self):
        outcome, answer = self.ask()
        self.assertEqual(outcome, "served")
        self.assertEqual(str(answer.StandardRetur.StatusKode), "20")
        objects = answer.OekonomiskEffektueringFiltreretOejebliksbillede
        self.assertEqual(len(objects), 4)
        for each in objects:
            registration = each.Registrering[0]
            self.assertEqual([a.FuldtNavn for a in registration.RelationListe.Aktoer], ["Udbetaling Danmark"])
            self.assertTrue(registration.AttributListe.Egenskaber[0].Dispositionsdato)

    @needs("xmllint")
    def test_what_it_sends_and_what_it_gets_are_valid(self):
        self.ask()
        for name, what in [("request.xml", self.history.last_sent), ("answer.xml", self.history.last_received)]:
            (self.dir / name).write_bytes(etree.tostring(what["envelope"]))
            self.valid(self.dir / name)

    def test_a_person_without_benefits_gets_an_answer_without_payments(self):
        outcome, answer = self.ask(NOBODY)
        self.assertEqual((outcome, len(answer.OekonomiskEffektueringFiltreretOejebliksbillede)), ("served", 0))

    def test_it_reads_a_refusal_in_both_languages(self):
        since, until = a_year_ago_and_more()
        self.refused("WindowOutside", since=since, until=until)
        self.refused("PersonUnproven", UNPROVEN)
        self.refused("BackAgreementNotFound", system="without-back-agreement")

    def test_it_loads_the_contract_of_the_token_binding_too(self):
        client, _ = self.client(contract="?wsdl=token")
        self.assertEqual(client.service._binding.name.localname, "TerminalAdgangTokenBinding")
        wsdl_zeep.request(client, wsdl_zeep.search(ANNA))


class TokenBinding(Gateway):
    """The messages of `hjemmel call`, before WSS4J, xmlsec1 and xmllint."""

    def wss4j(self, kind, file):
        trust = running.told["sts_certificate" if kind == "request" else "gateway_certificate"]
        run = subprocess.run(["java", "-Xmx2g", "-cp", f"{JUDGE}/classes:{JUDGE}/lib/*", "dk.hjemmel.interop.Judge", kind, str(file),
                              "--trust", trust], capture_output=True, text=True)
        return run.returncode, run.stdout + run.stderr

    def good(self, kind, file):
        code, told = self.wss4j(kind, file)
        self.assertEqual(code, 0, told)
        return told

    @needs_judge(JUDGE, "WSS4J")
    def test_wss4j_verifies_request_and_answer_of_both_directions(self):
        for system, cpr in [("korsbaek", ANNA), ("udk", BO)]:
            self.saved(system, cpr)
            self.assertIn("#STR-Transform", self.good("request", self.dir / "request.xml"))
            self.assertIn("RelatesTo", self.good("response", self.dir / "answer.xml"))

    @needs_judge(JUDGE, "WSS4J")
    def test_wss4j_verifies_a_signed_fault(self):
        told = self.saved(more=self.too_wide(), exits=1)
        self.assertIn("fault WindowOutside", told)
        self.good("request", self.dir / "request.xml")
        self.good("response", self.dir / "answer.xml")

    @needs_judge(JUDGE, "WSS4J")
    def test_wss4j_refuses_them_once_altered(self):
        self.saved()
        for kind, name, was, now in [("request", "request.xml", ANNA, BO), ("response", "answer.xml", "32.03.04", "32.03.05")]:
            text = (self.dir / name).read_text()
            self.assertIn(was, text)
            (self.dir / name).write_text(text.replace(was, now, 1))
            self.assertEqual(self.wss4j(kind, self.dir / name)[0], 1)

    @needs("xmlsec1")
    def test_xmlsec1_verifies_the_answer_a_fault_and_the_token(self):
        verified = lambda kind, name, by: verify_xmlsec1.verify(kind, (self.dir / name).read_text(), running.told[by])
        self.saved()
        self.assertEqual(verified("assertion", "token.xml", "sts_certificate"), ["Assertion"])
        self.assertEqual(verified("response", "answer.xml", "gateway_certificate")[:2], ["Body", "Timestamp"])
        with self.assertRaises(verify_xmlsec1.Bad):
            verified("response", "answer.xml", "sts_certificate")
        self.saved(more=self.too_wide(), exits=1)
        verified("response", "answer.xml", "gateway_certificate")

    @needs("xmllint")
    def test_request_and_filtered_answer_are_valid(self):
        for system, cpr, more in [("korsbaek", ANNA, []), ("udk", BO, []), ("korsbaek", NOBODY, []),
                                  ("korsbaek", ANNA, ["--kle", "32.03.04", "--kle", "32.06.04"])]:
            self.saved(system, cpr, more)
            self.valid(self.dir / "request.xml", self.dir / "answer.xml")

    @needs("xmllint")
    @unittest.skipUnless(validate.index_schema(), "DID NOT RUN: validation by the index's own schemas, which are not at hand (../shared/reference or HJEMMEL_REFERENCE)")
    def test_the_index_schemas_are_at_hand(self):
        """So that a report tells where messages were judged by our schemas alone."""


@needs_judge(CXF, "Apache CXF")
class Cxf(Gateway):
    def run_class(self, name, *arguments):
        trusting = [f"-Djavax.net.ssl.trustStore={self.truststore()}", "-Djavax.net.ssl.trustStoreType=PKCS12",
                    "-Djavax.net.ssl.trustStorePassword=changeit"]
        run = subprocess.run(["java", "-Xmx2g", *trusting, "-cp", f"{CXF}/classes:{CXF}/lib/*", f"dk.hjemmel.interop.{name}", *arguments],
                             capture_output=True, text=True)
        return run.returncode, run.stdout + run.stderr

    def truststore(self):
        store = self.dir / "trust.p12"
        if not store.exists():
            subprocess.run(["keytool", "-importcert", "-noprompt", "-alias", "root", "-file", running.told["root"], "-keystore", str(store),
                            "-storetype", "PKCS12", "-storepass", "changeit"], check=True, capture_output=True)
        return store

    def test_it_loads_both_contracts_from_the_gateway(self):
        for contract, assertions in [("?wsdl", []), ("?wsdl=token", ["AsymmetricBinding", "SignedParts", "Addressing"])]:
            code, told = self.run_class("Load", running.told["service"] + contract, *assertions)
            self.assertEqual(code, 0, told)

    def call(self, cpr=ANNA, gateway="gateway_certificate", more=()):
        own = self.system("korsbaek")
        told = running.told
        return self.run_class("Call", "--service", told["service"], "--sts", told["sts"], "--entity-id", told["entity_id"],
                              "--authority", own["authority"], "--cpr", cpr, "--ca", told["root"], "--cert", own["certificate"],
                              "--key", own["key"], "--gateway-cert", told[gateway], "--sts-cert", told["sts_certificate"], *more)

    def test_a_client_generated_from_the_contract_gets_a_token_calls_and_verifies_the_answer(self):
        code, told = self.call()
        self.assertEqual(code, 0, told)
        self.assertIn("served: status 20, 4 objects, signed by the gateway", told)

    def test_it_reads_a_refusal_in_both_languages(self):
        since, until = (at.isoformat(timespec="seconds") for at in a_year_ago_and_more())
        code, told = self.call(more=("--from", since, "--to", until))
        self.assertEqual(code, 3, told)
        self.assertEqual(told.count("refused WindowOutside: "), 2)

    def test_it_does_not_take_an_answer_that_another_signed(self):
        code, told = self.call(gateway="sts_certificate")
        self.assertEqual(code, 1, told)
        self.assertNotIn("served", told)


if __name__ == "__main__":
    unittest.main()
