"""The person import by every door: zeep in both bindings, a client that openapi-python-client generates from the contract, and a CSV
file by OpenSSH's sftp. Each imports the same 2,000 persons, with every kind of error, into an institution of its own; each must be
answered as the oracle says (persons_oracle.py), and no CPR number may be found in anything that was written. A hundred thousand by file:

    HJEMMEL_BIN=target/release/hjemmel HJEMMEL_PERSONS=100000 HJEMMEL_PERSONS_IN_A_FILE=10000 python -m unittest -v test_persons.ByFile
"""

import csv
import io
import json
import os
import re
import subprocess
import time
import unittest
import uuid
from pathlib import Path
from unittest import mock

import requests
from lxml import etree
from zeep import Client, Plugin
from zeep.plugins import HistoryPlugin
from zeep.transports import Transport

import demo
from generated import Generated
from persons_oracle import Oracle, People, lengths, texts
from test_passthrough import SOAP12, Signed, signer

NS = "urn:hjemmel:campus:personimport:1"
KORSBAEK = "11111111"
SEED = int(os.environ.get("HJEMMEL_PERSONS_SEED", "1"))
MANY = int(os.environ.get("HJEMMEL_PERSONS", "2000"))
TEXTS = ("Tekst", "Handling", "TekstEngelsk", "HandlingEngelsk")
# All that persons can be answered by every door. Others are about what one binding alone can say (JSON that is no text), or about the hour.
CODES = {f"PER{n:03}" for n in range(1, 20)} | {"PER101", "PER102", "PER103", "PER105", "PER106"}
running = None
answers = b""
# What was said with each code, by each door: (what is wrong, what to do) in Danish and in English.
said = {}


def setUpModule():
    global running
    if demo.binary() is None:
        raise unittest.SkipTest("DID NOT RUN: the person import by zeep, a generated client and sftp, for HJEMMEL_BIN names no program")
    running = demo.Demo(demo.binary())


def tearDownModule():
    if running is not None and running.stop() != 0:
        raise RuntimeError("the demo did not stop in good order on Ctrl-C")


class Beside(Plugin):
    """Adds to zeep's message what its contract has no name for: fields of persons that are not known."""

    def __init__(self):
        self.unknown = {}

    def egress(self, envelope, headers, operation, options):
        for at, person in enumerate(envelope.iter(f"{{{NS}}}Person")):
            for name, value in self.unknown.get(at, {}).items():
                etree.SubElement(person, f"{{{NS}}}{name}").text = value
        return envelope, headers


class Door:
    """What holds for each door. A subclass sends one call (or one file) and gives the answers as status, number and remarks."""

    @classmethod
    def setUpClass(cls):
        cls.told = running.told["person_import"]
        schema = requests.get(cls.told["service"] + "?xsd=PersonImport", verify=running.told["root"], timeout=120).content
        cls.longest = lengths(etree.fromstring(schema))
        cls.system = running.told["systems"]["korsbaek"]
        cls.prepare()

    @classmethod
    def prepare(cls):
        pass

    def test_the_same_persons_are_answered_as_the_oracle_says_and_no_number_stays(self):
        people, oracle = People(SEED, self.institution), Oracle(self.longest, self.told["institutions"])
        seen, wrong = set(), []
        for call in people.calls(MANY, self.at_once):
            due, found = oracle.call(call), self.send(call)
            self.assertEqual(len(found), len(call))
            for at, ((status, errors, warnings), (said, number, fejl, advarsel)) in enumerate(zip(due, found)):
                if (said, fejl, advarsel, number is None) != (status, errors, warnings, status == "AFVIST"):
                    shown = {name: value for name, value in call[at].items() if "CPR" not in name}
                    wrong.append(f"{shown}\n  was answered {said} {sorted(fejl)} {sorted(advarsel)} {number is not None}\n  and must be  {status} {sorted(errors)} {sorted(warnings)}")
                seen |= {code for _, code in errors | warnings}
        self.assertEqual(len(wrong), 0, "\n".join(wrong[:10]))
        self.assertEqual(seen, CODES, "every kind of error came")
        self.texts_are_those_that_are_published(seen)
        self.no_number_is_found(people.numbers)

    def tells(self, code, *four):
        """Keeps what is said with a code."""
        said.setdefault(type(self).__name__, {}).setdefault(code, set()).add(four)

    def texts_are_those_that_are_published(self, seen):
        own, published = said[type(self).__name__], texts()
        self.assertEqual(set(own), seen)
        for code, found in own.items():
            for da, do_da, en, do_en in found:
                self.assertTrue(da and do_da and en and do_en, code)
                due_da, due_en = published[code]
                self.assertRegex(f"{da} {do_da}", due_da, code)
                self.assertRegex(f"{en} {do_en}", due_en, code)
        # The persons are the same at each door, and so is what is said with what they have in it.
        for door, others in said.items():
            self.assertEqual(others, own, f"{type(self).__name__} and {door}")

    def no_number_is_found(self, numbers):
        written = {str(path): path.read_bytes() for path in running.dir.rglob("*") if path.is_file()}
        written |= {"screen": running.screen().encode(), "answers": answers, "metrics": requests.get(running.told["admin"] + "/metrics", timeout=120).content}
        for where, content in written.items():
            # Whole numbers alone: part of a longer one is something else.
            digits = set(re.findall(rb"(?<!\d)\d{10}(?!\d)", content))
            digits |= {text.replace(b"-", b"") for text in re.findall(rb"(?<!\d)\d{6}-\d{4}(?!\d)", content)}
            self.assertEqual(len({number.encode() for number in numbers} & digits), 0, f"CPR numbers stay in {where}")
        self.assertGreater(sum(map(len, written.values())), 1_000_000)


class ByZeep(Door):
    at_once = 500

    def client(self):
        raise NotImplementedError

    def send(self, call):
        global answers
        known = [{name: value for name, value in person.items() if name in self.longest} for person in call]
        self.beside.unknown = {at: {name: value for name, value in person.items() if name not in self.longest} for at, person in enumerate(call)}
        # Beside the body the contract has a header.
        body = self.client.service.ImporterPersoner(Person=known, **self.context).body
        read = body.Svar
        answers += etree.tostring(self.history.last_received["envelope"])
        for person in read:
            for remark in [*person.Fejl, *person.Advarsel]:
                self.tells(remark.Kode, remark.Tekst, remark.Handling, remark.TekstEngelsk, remark.HandlingEngelsk)
        remarks = lambda found: {(remark.Felt or "", remark.Kode) for remark in found}
        return [(person.Status, person.Loebenummer, remarks(person.Fejl), remarks(person.Advarsel)) for person in read]


class ByMutualTls(ByZeep, unittest.TestCase):
    institution = "1002"
    context = {"AuthorityContext": {"MunicipalityCVR": KORSBAEK}}

    @classmethod
    def prepare(cls):
        session = requests.Session()
        session.trust_env, session.verify, session.cert = False, running.told["root"], (cls.system["certificate"], cls.system["key"])
        cls.beside, cls.history = Beside(), HistoryPlugin()
        cls.client = Client(cls.told["service"] + "?wsdl", transport=Transport(session=session, timeout=120, operation_timeout=120), plugins=[cls.beside, cls.history])


class ByToken(ByZeep, unittest.TestCase):
    """A token of the STS, the message signed by the system and the answer by the gateway (OIO IDWS)."""

    institution = "1003"
    context = {}

    @classmethod
    def prepare(cls):
        told = running.told
        settings = {"CA": told["root"], "ENTITY_ID": cls.told["entity_id"], "STS": told["sts"], "STS_CERT": told["sts_certificate"]}
        patched = mock.patch.dict(os.environ, settings)
        patched.start()
        cls.addClassCleanup(patched.stop)
        system = signer.System(cls.system["certificate"], cls.system["key"])
        security = Signed(SOAP12, system, told["gateway_certificate"], signer.token(system, KORSBAEK))
        cls.beside, cls.history = Beside(), HistoryPlugin()
        transport = Transport(session=signer.session(), timeout=120, operation_timeout=120)
        cls.client = Client(cls.told["service"] + "?wsdl=token", transport=transport, wsse=security, plugins=[cls.beside, cls.history])


class ByGeneratedClient(Door, unittest.TestCase):
    institution, at_once = "1004", 500

    @classmethod
    def prepare(cls):
        contract = running.dir / "openapi.json"
        pair = cls.system["certificate"], cls.system["key"]
        operator = running.told["users"]["operator"]
        answer = requests.get(running.told["api"] + "/openapi.json", cert=(operator["certificate"], operator["key"]), verify=running.told["root"], timeout=120)
        answer.raise_for_status()
        contract.write_bytes(answer.content)
        api = Generated(contract, "hjemmel_persons")
        cls.models = api.models
        cls.operation = api.operation("persons", "import_persons")
        cls.client = api.user(running.told["api"], running.told["root"], pair, timeout=120)

    def send(self, call):
        global answers
        body = self.models.PersonRequest.from_dict({"Person": call})
        sent = self.operation.sync_detailed(client=self.client, body=body, authority=KORSBAEK, idempotency_key=str(uuid.uuid4()))
        self.assertEqual(sent.status_code, 200, sent.content)
        answers += sent.content
        remarks = lambda found: {(remark["Felt"] or "", remark["Kode"]) for remark in found}
        read = sent.parsed.to_dict()["Svar"]
        for person in read:
            for remark in [*person["Fejl"], *person["Advarsel"]]:
                self.tells(remark["Kode"], *(remark[name] for name in TEXTS))
        return [(person["Status"], person["Loebenummer"], remarks(person["Fejl"]), remarks(person["Advarsel"])) for person in read]


@unittest.skipUnless(subprocess.run(["which", "sftp"], capture_output=True).returncode == 0, "DID NOT RUN: the person import by file, for OpenSSH's sftp is not installed")
class ByFile(Door, unittest.TestCase):
    institution, at_once = "1005", int(os.environ.get("HJEMMEL_PERSONS_IN_A_FILE", "500"))

    def sftp(self, *commands):
        key = running.dir / "sftp/korsbaek.key"
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        where = ["-P", str(self.told["sftp_port"]), "-i", str(key), f"{self.told['sftp_user']}@localhost"]
        return subprocess.run(["sftp", "-b", "-", *options, *where], input="\n".join(commands), capture_output=True, text=True, timeout=600)

    def send(self, call):
        names = list(call[0])
        if all(list(person) == names for person in call):
            text = io.StringIO()
            table = csv.DictWriter(text, names, delimiter=";", lineterminator="\r\n")
            table.writeheader()
            table.writerows(call)
            return self.put(text.getvalue().encode(), "csv")
        # A table cannot leave out a field of one person.
        root = etree.Element(f"{{{NS}}}Personer", nsmap={None: NS})
        for person in call:
            element = etree.SubElement(root, f"{{{NS}}}Person")
            for name, value in person.items():
                etree.SubElement(element, f"{{{NS}}}{name}").text = value
        return self.put(etree.tostring(root, xml_declaration=True, encoding="UTF-8"), "xml")

    def put(self, content, kind):
        global answers
        name = f"personer-{uuid.uuid4()}.{kind}"
        trigger = (running.dir / "persons.csv.trigger").read_text()
        trigger = trigger.replace("persons.csv", name)
        trigger = re.sub(r"(SizeInBytes>)\d+", rf"\g<1>{len(content)}", trigger)
        trigger = re.sub(r"(TransactionId>)[0-9a-f-]{36}", rf"\g<1>{uuid.uuid4()}", trigger)
        own = running.dir / name
        try:
            own.write_bytes(content)
            Path(f"{own}.trigger").write_text(trigger)
            sent = self.sftp(f"put {own} OUT/", f"put {own}.trigger OUT/")
            self.assertEqual(sent.returncode, 0, sent.stderr)
            back = running.dir / "result.csv"
            until = time.monotonic() + 120 + self.at_once / 50
            while self.sftp(f"get IN/{name}.result.csv {back}").returncode != 0:
                if self.sftp(f"get IN/{name}.sftpreceipt {back}").returncode == 0 and b"ErrorCode" in back.read_bytes():
                    self.fail(back.read_text())
                self.assertLess(time.monotonic(), until, "no result came")
                time.sleep(0.3)
            result = back.read_bytes()
            listed = self.sftp("ls -1 OUT").stdout
            self.assertNotIn(name, listed, "the file is erased once it is answered")
        finally:
            own.unlink(missing_ok=True)
            Path(f"{own}.trigger").unlink(missing_ok=True)
        answers += result
        found = {}
        for line in csv.DictReader(io.StringIO(result.decode("utf-8-sig")), delimiter=";"):
            self.assertFalse(any(cell.startswith(("=", "+", "@")) for cell in line.values()), "a formula")
            row = found.setdefault(int(line["Raekke"]), (line["Status"], line["Loebenummer"] or None, set(), set()))
            if line["Art"]:
                # What would be a formula has an apostrophe before it.
                self.tells(line["Kode"], *(re.sub(r"^'(?=[=+@\t\r-])", "", line[name]) for name in TEXTS))
                row[2 if line["Art"] == "FEJL" else 3].add((line["Felt"], line["Kode"]))
        return [found[at] for at in sorted(found)]


if __name__ == "__main__":
    unittest.main()
