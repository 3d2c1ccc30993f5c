"""What docs/clients tells a reader to do is done: every command of its pages, as it stands there, before the running gateway."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from lxml import etree

import demo

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / "docs/clients"
ANNA, NOBODY, UNPROVEN = "6101801234", "6303701236", "6404651237"
# What tells a command that asks about a person from one that prepares.
ASKS = re.compile(r"^read -r cpr$|\.py$|\.php$|AuthorityContext\.java$|TokenBinding$", re.MULTILINE)

running = None


def setUpModule():
    global running
    if demo.binary() is None:
        raise unittest.SkipTest("DID NOT RUN: the commands of docs/clients, for HJEMMEL_BIN names no program")
    running = demo.Demo(demo.binary())


def tearDownModule():
    if running is not None and running.stop() != 0:
        raise RuntimeError("the demo did not stop in good order on Ctrl-C")


def needs(*tools):
    missing = [tool for tool in tools if not shutil.which(tool)]
    return unittest.skipIf(missing, f"DID NOT RUN: the commands of a page of docs/clients, for {', '.join(missing)} is not installed")


HAS_PHP = unittest.skipIf(
    not shutil.which("php") or subprocess.run(["php", "-r", "exit((int) !extension_loaded('soap'));"], check=False).returncode,
    "DID NOT RUN: the client of PHP's SoapClient (docs/clients/php.md), for php with its extension soap is not installed")


def commands(page):
    return re.findall(r"^```sh\n(.*?)^```$", (CLIENTS / page).read_text(), re.MULTILINE | re.DOTALL)


class Commands(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = Path(folder.name) / "clients"
        shutil.copytree(CLIENTS, self.dir)
        self.settings = dict(re.findall(r"^export (\w+)=(.*)$", (running.dir / "client.env").read_text(), re.MULTILINE))

    def run_command(self, command, said=""):
        run = subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=self.dir, env={**os.environ, **self.settings},
                             input=said, capture_output=True, text=True)
        return run.returncode, run.stdout + run.stderr

    def run_page(self, page, asks):
        """Runs every command; those that ask are served about one person, and refused about another."""
        found = commands(page)
        self.assertEqual(sum(bool(ASKS.search(command)) for command in found), asks, found)
        for command in found:
            if not ASKS.search(command):
                code, told = self.run_command(command)
                self.assertEqual(code, 0, f"{command}\n{told}")
                continue
            code, told = self.run_command(command, f"{ANNA}\n")
            self.assertEqual(code, 0, f"{command}\n{told}")
            self.assertEqual(told.count("32.03.04"), 4, f"{command}\n{told}")
            self.assertNotIn("no benefits", told, command)
            code, told = self.run_command(command, f"{NOBODY}\n")
            self.assertEqual(code, 0, f"{command}\n{told}")
            self.assertIn("no benefits", told, command)
            _, told = self.run_command(command, f"{UNPROVEN}\n")
            self.assertGreaterEqual(told.count("PersonUnproven"), 2, f"{command}\n{told}")
            self.assertEqual(len(set(re.findall(r"Call-id: ([0-9a-f-]{36})", told))), 1, f"{command}\n{told}")

    @needs("curl", "openssl")
    def test_curl(self):
        self.run_page("curl.md", asks=1)
        self.assertIn(b"FremsoegRequest", (self.dir / "terminaladgang.wsdl").read_bytes())
        fingerprint = lambda file: subprocess.check_output(["openssl", "x509", "-noout", "-fingerprint", "-in", file])
        self.assertEqual(fingerprint(self.dir / "gateway.pem"), fingerprint(self.settings["GATEWAY_CERT"]))

    def test_python(self):
        self.run_page("python.md", asks=2)

    @needs("java", "keytool", "mvn")
    def test_java(self):
        self.run_page("java.md", asks=2)


    @HAS_PHP
    def test_php(self):
        self.run_page("php.md", asks=1)

    @HAS_PHP
    def test_php_shows_a_single_payment(self):
        program = self.dir / "php/authority_context.php"
        search = "'SoegOekonomiskEffektueringIndeks' => "
        self.assertIn(search + "$empty]", program.read_text())
        program.write_text(program.read_text().replace(search, search + "['MaksimalAntalKvantitet' => 1] + "))
        code, told = self.run_command("php php/authority_context.php", f"{ANNA}\n")
        self.assertEqual((code, told.count("32.03.04")), (0, 1), told)

    @HAS_PHP
    def test_what_php_sends_of_an_object_twice_is_refused_by_name(self):
        program = self.dir / "php/authority_context.php"
        shared = program.read_text().replace("    $empty = [", "    $one = new stdClass();\n    $empty = [").replace("=> []", "=> $one")
        program.write_text(shared)
        code, told = self.run_command("php php/authority_context.php", f"{ANNA}\n")
        self.assertEqual(code, 1, told)
        self.assertRegex(told, "RequestInvalid: .*attribute id on SoegUdtryk/SoegBevillingIndeks.*AttributListe")


class Persons(unittest.TestCase):
    """The page for suppliers of HR systems: its calls, as they stand there, in the demo's folder."""

    def run_here(self, *command):
        # requests believes these rather than its session.
        settings = {name: value for name, value in os.environ.items() if name not in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")}
        run = subprocess.run(command, cwd=running.dir, env=settings, capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, f"{command}\n{run.stdout}{run.stderr}")
        return run.stdout

    def run_block(self, *words):
        """The blocks that have the words, in one shell: a later one uses what an earlier one has set."""
        blocks = [block for word in words for block in commands("persons.md") if word in block]
        self.assertEqual(len(blocks), len(words), blocks)
        return self.run_here("bash", "-euo", "pipefail", "-c", "\n".join(blocks))

    def by_rest(self):
        return json.loads(self.run_block("/api/v1/persons"))["Svar"]

    @needs("curl", "jq")
    def test_a_supplier_has_its_first_persons_answered_as_the_page_says(self):
        first, second = self.by_rest()
        self.assertEqual((first["Status"], second["Status"], second["Loebenummer"]), ("OPRETTET", "AFVIST", None))
        self.assertIsNotNone(first["Loebenummer"])
        self.assertEqual([(error["Felt"], error["Kode"]) for error in second["Fejl"]], [("Foedselsdato", "PER004")])
        # "Correct the date in persons.json, send it again."
        sent = running.dir / "persons.json"
        persons = json.loads(sent.read_text())
        persons["Person"][1]["Foedselsdato"] = "1980-01-31"
        sent.write_text(json.dumps(persons))
        self.assertEqual([person["Status"] for person in self.by_rest()], ["UAENDRET", "OPRETTET"])
        told = self.run_block("/api/v1/persons", "persons.xml").rpartition("}]}")[2]
        self.assertRegex(told, r"<\w+:Status>(OPRETTET|UAENDRET)</")
        self.assertNotIn("Fault", told)

    def test_a_supplier_imports_a_person_by_the_python_of_the_page(self):
        blocks = re.findall(r"^```python\n(.*?)^```$", (CLIENTS / "persons.md").read_text(), re.MULTILINE | re.DOTALL)
        self.assertEqual(len(blocks), 1)
        self.assertRegex(self.run_here(sys.executable, "-c", blocks[0]), r"^1 (OPRETTET|UAENDRET) \d+ \[\]$")


class Finance(unittest.TestCase):
    """The pages of SF1590_A: their commands, in the order in which they stand."""

    def run_in(self, folder, command):
        with tempfile.TemporaryDirectory() as path:
            os.symlink(demo.binary(), Path(path) / "hjemmel")
            settings = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"}
            run = subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=folder, env=settings, capture_output=True, text=True)
        return run.returncode, run.stdout + run.stderr

    def of_page(self, page, word):
        found = [command for command in commands(page) if word in command]
        self.assertEqual(len(found), 1, f"{page}: {word}")
        return found[0]

    def test_a_sender_has_each_sample_answered_as_expected_and_every_code_landed(self):
        code, told = self.run_in(running.dir.parent, self.of_page("finance-sender.md", "--sample"))
        self.assertEqual(code, 0, told)
        self.assertRegex(told, r"(?m)^42 deliveries sent, 42 as expected, 0 otherwise")
        outcomes = re.findall(r"expected (\w+), got \1$", told, re.MULTILINE)
        self.assertEqual((outcomes.count("ACCEPTERET"), len(outcomes)), (10, 42), told)
        code, told = self.run_in(running.dir.parent, self.of_page("finance-sender.md", "--verify"))
        self.assertEqual(code, 0, told)
        self.assertRegex(told, r"(?m)^(\d+) of \1 codes landed \(delivery [0-9a-f-]{36}, ACCEPTERET\)$")

    @needs("curl")
    def test_a_ledger_of_ones_own_stands_behind_the_demo_and_tells_what_it_booked(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        page = lambda word: self.of_page("finance-ledger.md", word).replace("8446", port)
        arguments = page("demo --dir").split()
        own = demo.Demo(demo.binary(), *arguments[arguments.index("--ledger"):])
        try:
            stub = subprocess.Popen([demo.binary(), *page("stub ledger").replace("\\\n", " ").split()[1:], "--listen", f"127.0.0.1:{port}"],
                                    cwd=own.dir.parent, stdout=subprocess.DEVNULL)
            try:
                until = time.monotonic() + demo.DEADLINE_SECONDS
                while self.run_in(own.dir.parent, page("/stub/done"))[0] != 0:
                    self.assertLess(time.monotonic(), until, "the ledger did not come up")
                    time.sleep(0.2)
                code, told = self.run_in(own.dir.parent, page("--valid-only").replace("--count 100", "--count 12"))
                self.assertEqual((code, told.count("expected ACCEPTERET, got ACCEPTERET")), (0, 12), told)
                code, told = self.run_in(own.dir.parent, page("--verify"))
                self.assertEqual(code, 0, told)
                code, told = self.run_in(own.dir.parent, page("/stub/done"))
                self.assertEqual(code, 0, told)
                count, twice = re.search(r"^booked (\d+) vouchers, (\d+) more than once$", told, re.MULTILINE).groups()
                self.assertGreater(int(count), 12, told)
                self.assertEqual(int(twice), 0, told)
            finally:
                stub.kill()
                stub.wait()
        finally:
            own.stop()


class Pages(unittest.TestCase):
    def test_the_settings_are_those_that_the_demo_writes(self):
        told = re.findall(r"^export (\w+)=", (CLIENTS / "README.md").read_text(), re.MULTILINE)
        self.assertEqual(told, re.findall(r"^export (\w+)=", (running.dir / "client.env").read_text(), re.MULTILINE))

    def test_the_faults_that_the_page_explains_are_faults(self):
        known = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/faults.md").read_text(), re.MULTILINE))
        table = (CLIENTS / "README.md").read_text().split("| you get | do |")[1]
        explained = [code for row in table.splitlines() if row.startswith("| `") for code in re.findall(r"`([A-Z]\w+)`", row.split(" | ")[0])]
        self.assertGreater(len(explained), 30)
        self.assertEqual([code for code in explained if code not in known], [])

    def test_what_the_pages_link_to_is_there(self):
        for page in CLIENTS.glob("*.md"):
            for link in re.findall(r"\]\(([^)#:]+)[^)]*\)", page.read_text()):
                self.assertTrue((CLIENTS / link).exists(), f"{page.name}: {link}")

    def test_the_untried_program_says_so_and_sends_the_message_that_is_tried(self):
        self.assertIn("**Not tried", "".join((CLIENTS / "dotnet.md").read_text().splitlines(True)[:4]))
        program = (CLIENTS / "dotnet/Program.cs").read_text()
        self.assertIn("NOT TRIED", program.splitlines()[0])
        message = program.split('$"""')[1].split('"""')[0].strip().replace('{Setting("AUTHORITY")}', "11111111").replace("{cpr}", ANNA)
        body = lambda document: etree.tostring(document.find(".//{*}Body"), method="c14n", exclusive=True)
        trimmed = lambda text: etree.fromstring(re.sub(rb">\s+|\s+<", lambda m: m[0].strip(), text))
        self.assertEqual(body(trimmed(message.encode())).replace(b"ac:", b"authority:").replace(b":ac=", b":authority="),
                         body(trimmed((CLIENTS / "request.xml").read_bytes())))


if __name__ == "__main__":
    unittest.main()
