"""The whole way of a system, as tests/console/way.mjs goes it in the browser, by a client that openapi-python-client generates from the
contract, and by the command line: a supplier registers a system and its certificate and asks three authorities; one signatory approves,
one rejects with a reason, one never answers; the first call is answered after the approval; the connection goes step by step to done."""

import base64
import re
import subprocess
import time
import unittest
import uuid

import requests

import demo
from generated import Generated

SERVICE = "3053ec89-31fe-4206-878b-bba6783d7a88"
KORSBAEK, ANDEBY, LUNDEBY = "11111111", "99999981", "99999982"
SUPPLIER = "99999998"
PATIENCE_SECONDS = 60
# Who the demo has no user of, each of a certificate that is no other's here.
OTHERS = {
    "andeby": ("client-other", ANDEBY, ("signatory",)),
    "lundeby": ("client-udk", LUNDEBY, ("signatory",)),
    "owner": ("client-korsbaek", KORSBAEK, ("system-owner", "system-responsible")),
}
# What a request says beside the system, its certificates and its authorities.
ASKED = {
    "kind": "without-passing-on", "name": "Nyt fagsystem i tre kommuner", "justification": "Sagsbehandlere slår ydelser op", "environment": "demo",
    "contract": "DBA-2026-31", "purpose": "Sagsbehandling efter lov om aktiv socialpolitik", "legal_basis": "Lov om Udbetaling Danmark § 8, stk. 1",
    "categories": ["ydelser"], "retention": "slettes efter 5 år",
}
WHY_NOT = "Databehandleraftalen mangler bilag B"


@unittest.skipUnless(demo.binary(), "DID NOT RUN: the whole way by a generated client and by the command line: no gateway")
class Way(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.demo = demo.Demo(demo.binary())
        cls.told = cls.demo.told
        cls.pki = cls.demo.dir / "pki"
        cls.ids = {name: str(uuid.uuid4()) for name in OTHERS}
        for name, (certificate, cvr, roles) in OTHERS.items():
            cls.hjemmel("user", "add", "--name", name, "--id", cls.ids[name], "--cvr", cvr, "--certificate", cls.pki / f"{certificate}.pem",
                        "--reason", "prøve", *(word for role in roles for word in ("--role", role)))
        cls.hjemmel("user", "mail", cls.ids["lundeby"], "underskriver@lundeby.example", "--reason", "prøve")

    @classmethod
    def tearDownClass(cls):
        cls.demo.stop()

    @classmethod
    def hjemmel(cls, *words, by=None, fails=False):
        """What a command prints; of one that must fail, why."""
        signs = ["--certificate", cls.pair(by)[0], "--key", cls.pair(by)[1]] if by else []
        command = [demo.binary(), *words, *signs, "--config", cls.demo.dir / "hjemmel.toml"]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        if (ran.returncode != 0) != fails:
            raise AssertionError(f"{words}: {ran.stdout}{ran.stderr}")
        return ran.stderr if fails else ran.stdout

    @classmethod
    def pair(cls, who):
        if who in cls.told["users"]:
            return cls.told["users"][who]["certificate"], cls.told["users"][who]["key"]
        return cls.files(OTHERS[who][0])

    @classmethod
    def files(cls, name):
        return tuple(str(cls.pki / f"{name}{ending}") for ending in (".pem", ".key.pem"))

    def own(self, name):
        """A certificate without the chain that stands with it, and its thumbprint."""
        read = lambda *words: subprocess.run(["openssl", "x509", "-in", self.files(name)[0], *words], capture_output=True, text=True, check=True).stdout
        return read(), read("-noout", "-fingerprint", "-sha256").split("=")[1].strip().replace(":", "").lower()

    def until(self, called):
        """Seconds until a call is answered."""
        since = time.monotonic()
        while not called():
            self.assertLess(time.monotonic() - since, PATIENCE_SECONDS, "no call was answered after the approval")
        return time.monotonic() - since

    def step(self, steps, what, now):
        self.assertGreater(now[0], steps[-1][0], f"{what} is a step: {steps}, {now}")
        steps.append(now)

    def test_a_generated_client_goes_the_whole_way(self):
        answer = requests.get(self.told["api"] + "/openapi.json", cert=self.pair("operator"), verify=self.told["root"], timeout=120)
        answer.raise_for_status()
        contract = self.demo.dir / "openapi.json"
        contract.write_bytes(answer.content)
        api = Generated(contract, "hjemmel_way")
        users = {name: api.user(self.told["api"], self.told["root"], self.pair(name), timeout=120) for name in (*self.told["users"], *OTHERS)}

        def ask(who, tag, name, *words, body=None, **more):
            """Asks, and gives the answer or the problem."""
            more |= {} if body is None else {"body": getattr(api.models, body[0]).from_dict(body[1])}
            return api.operation(tag, name).sync(*words, client=users[who], **more)

        def done(answer, kind):
            self.assertIsInstance(answer, getattr(api.models, kind), answer)
            return answer

        def called():
            headers = {"Content-Type": "text/xml; charset=utf-8"}
            body = (self.demo.dir / "request.xml").read_bytes()
            return requests.post(self.told["service"], data=body, headers=headers, cert=self.files("client-intruder"), verify=self.told["root"], timeout=120)

        supplier = "supplier-administrator"
        system = done(ask(supplier, "systems", "register_system", body=("SystemRequest", {
            "name": "Nyt fagsystem", "contact": "drift@leverandor.example", "reason": "Sag 2026-31"})), "SystemView")
        certificate, thumbprint = self.own("client-intruder")
        said = f"hjemmel certificate v1\nsystem {system.id}\ncertificate {thumbprint}\n"
        signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.files("client-intruder")[1]], input=said.encode(), capture_output=True, check=True)
        done(ask(supplier, "systems", "change_system", system.id, if_match=system.etag, body=("SystemChange", {
            "certificate": certificate, "proof": base64.b64encode(signed.stdout).decode(), "reason": "Sag 2026-31"})), "ChangedSystem")

        connection = done(ask(supplier, "connections", "add_connection", body=("ConnectionRequest", {
            "graph": "terminaladgang", "service": SERVICE, "environment": "demo", "authority": KORSBAEK, "client": str(system.id),
            "client_supplier": SUPPLIER, "options": ["verification"], "reason": "Sag 2026-31"})), "NewConnection").id
        tasks = lambda who: done(ask(who, "connections", "get_connection", connection), "ConnectionTasks")
        now = lambda: (tasks(supplier).connection.done, tasks(supplier).connection.needed)
        steps = [now()]

        draft = done(ask(supplier, "requests", "draft_request", body=("RequestForm", ASKED | {
            "system": str(system.id), "certificates": [thumbprint], "authorities": [KORSBAEK, ANDEBY, LUNDEBY],
            "services": [{"service": SERVICE, "side": "front"}]})), "RequestView")
        sent = done(ask(supplier, "requests", "decide_on_request", draft.id, if_match=draft.etag, body=("RequestDecisionRequest", {
            "decision": "submit", "reason": "Sag 2026-31", "shown": draft.text_sha256})), "RequestView")
        self.assertEqual(sent.state, "ANMODET")
        lines = {line.authority: line.agreement for line in done(ask(supplier, "requests", "get_request", draft.id), "RequestView").lines}
        self.assertEqual(set(lines), {KORSBAEK, ANDEBY, LUNDEBY})
        self.step(steps, "a request", now())
        self.assertEqual(called().status_code, 500, "a call without an agreement is refused")

        def decide(who, cvr, decision, reason):
            agreement = done(ask(who, "agreements", "get_agreement", lines[cvr]), "AgreementView")
            return ask(who, "agreements", "decide_on_agreement", agreement.id, if_match=agreement.etag, body=("DecisionRequest", {
                "decision": decision, "reason": reason, "shown": agreement.text_sha256}))

        self.assertEqual(done(decide("signatory", KORSBAEK, "approve", "Sag 2026-32"), "AgreementView").state, "GODKENDT")
        waited = self.until(lambda: called().status_code == 200)
        self.step(steps, "an approval", now())

        self.assertEqual(done(decide("andeby", ANDEBY, "reject", WHY_NOT), "AgreementView").state, "AFVIST")
        history = done(ask(supplier, "agreements", "list_agreement_decisions", lines[ANDEBY]), "History")
        self.assertEqual(history.items[-1].reason, WHY_NOT)
        self.assertEqual(ask("andeby", "agreements", "get_agreement", lines[KORSBAEK]).code, "ApiNotFound", "another authority's agreement is not there")
        reminded = done(ask(supplier, "agreements", "remind_of_agreement", lines[LUNDEBY]), "Reminded")
        self.assertEqual(reminded.told, 1, "the one signatory who has an address is reminded")
        self.assertEqual(ask(supplier, "agreements", "remind_of_agreement", lines[LUNDEBY]).code, "ApiConflict", "and not twice within the hour")
        stand = {line.authority: line.stands for line in done(ask(supplier, "requests", "get_request", draft.id), "RequestView").lines}
        self.assertEqual(stand, {KORSBAEK: "GODKENDT", ANDEBY: "AFVIST", LUNDEBY: "ANMODET"})

        def states(who, task, reference):
            done(ask(who, "connections", "state_connection_task", connection, if_match=tasks(who).etag, body=("StatementRequest", {
                "task": task, "reference": reference, "reason": "Sag 2026-31"})), "ConnectionTasks")

        states("owner", "TA-INSTRUCTION", "DBA-2026-31")
        self.step(steps, "a statement", now())
        states(supplier, "TA-CALL", "Første kald besvaret")
        self.step(steps, "a verification call", now())
        self.assertEqual(*steps[-1], f"every task is done: {steps}")
        self.assertEqual(tasks(supplier).connection.next_, [])
        print(f"by a generated client: {len(steps)} steps; the first call was answered {waited:.2f} s after the approval")

    def test_the_command_line_goes_the_whole_way(self):
        supplier = "supplier-administrator"
        registered = self.hjemmel("system", "register", "--name", "Nyt fagsystem", "--contact", "drift@leverandor.example", "--reason", "Sag 2026-41", by=supplier)
        system = registered.split()[-1]
        own = self.demo.dir / "own.pem"
        certificate, thumbprint = self.own("person-supplier")
        own.write_text(certificate)
        cert, key = self.files("person-supplier")
        self.hjemmel("system", "add-certificate", system, own, "--certificate-key", key, "--reason", "Sag 2026-41", by=supplier)

        added = self.hjemmel("connection", "add", "--graph", "terminaladgang", "--service", SERVICE, "--authority", KORSBAEK, "--client", system,
                             "--client-supplier", SUPPLIER, "--uses", "verification", "--reason", "Sag 2026-41", by=supplier)
        connection = added.split()[0]
        shown = lambda: self.hjemmel("connection", "show", connection)
        now = lambda: tuple(int(number) for number in re.search(r"(\d+) of (\d+) tasks are done", shown()).groups())
        steps = [now()]

        form = self.demo.dir / "request.toml"
        quoted = lambda value: "[" + ", ".join(map(quoted, value)) + "]" if isinstance(value, list) else f'"{value}"'
        asked = ASKED | {"system": system, "certificates": [thumbprint], "authorities": [KORSBAEK, ANDEBY, LUNDEBY]}
        lines = [f"{name} = {quoted(value)}" for name, value in asked.items()]
        form.write_text("\n".join([*lines, "[[services]]", f'service = "{SERVICE}"', 'side = "front"', ""]), encoding="utf-8")
        draft = self.hjemmel("request", "draft", form, by=supplier)
        request = re.match(r"request (\S+) is KLADDE", draft)[1]
        read = lambda told: re.search(r"text +([0-9a-f]{64}) ", told)[1]
        sent = self.hjemmel("request", "send", request, "--shown", read(draft), "--reason", "Sag 2026-41", by=supplier)
        lines = {cvr: agreement for agreement, cvr in re.findall(r"agreement (\S+)  (\d{8})  ", sent)}
        self.assertEqual(set(lines), {KORSBAEK, ANDEBY, LUNDEBY}, sent)
        self.step(steps, "a request", now())

        call = [demo.binary(), "call", "--binding", "authority-context", "--service", self.told["service"], "--ca", self.told["root"],
                "--cert", cert, "--key", key, "--authority", KORSBAEK]
        called = lambda: subprocess.run(call, input=self.told["asks_about"] + "\n", capture_output=True, text=True, timeout=120)
        refused = called()
        self.assertNotEqual(refused.returncode, 0, f"a call without an agreement is refused: {refused.stdout}")

        def decide(who, cvr, decision, reason, *words):
            looked_at = read(self.hjemmel("agreement", "show", lines[cvr]))
            self.hjemmel("agreement", decision, lines[cvr], "--shown", looked_at, "--reason", reason, *words, by=who)

        decide("signatory", KORSBAEK, "approve", "Sag 2026-42", "--yes")
        waited = self.until(lambda: called().returncode == 0)
        self.step(steps, "an approval", now())

        decide("andeby", ANDEBY, "reject", WHY_NOT)
        self.assertIn(WHY_NOT, self.hjemmel("agreement", "show", lines[ANDEBY]))
        twice = self.hjemmel("agreement", "approve", lines[ANDEBY], "--reason", "Sag 2026-42", "--yes", by="andeby", fails=True)
        self.assertIn("AFVIST", twice)
        reminded = self.hjemmel("agreement", "remind", lines[LUNDEBY], by=supplier)
        self.assertEqual(reminded, "reminders: 1\n", "the one signatory who has an address is reminded")
        self.hjemmel("agreement", "remind", lines[LUNDEBY], by=supplier, fails=True)
        stand = dict(re.findall(r"agreement \S+  (\d{8})  .*  (\S+)$", self.hjemmel("request", "show", request), re.MULTILINE))
        self.assertEqual(stand, {KORSBAEK: "GODKENDT", ANDEBY: "AFVIST", LUNDEBY: "ANMODET"})

        states = lambda who, task, reference: self.hjemmel("connection", "state", connection, task, "--reference", reference, "--reason", "Sag 2026-42", by=who)
        states("owner", "TA-INSTRUCTION", "DBA-2026-31")
        self.step(steps, "a statement", now())
        states(supplier, "TA-CALL", "Første kald besvaret")
        self.step(steps, "a verification call", now())
        self.assertEqual(*steps[-1], f"every task is done: {shown()}")
        print(f"by the command line: {len(steps)} steps; the first call was answered {waited:.2f} s after the approval, the command's own start included")


if __name__ == "__main__":
    unittest.main()
