"""A generic client can use the contract, and what is valid by our schemas is valid by the index's."""

import os
import re
import subprocess
import sys
import tempfile
import unittest
from datetime import datetime
from pathlib import Path

from lxml import etree

import https_stand_in
import validate
import wsdl_zeep

HERE = Path(__file__).resolve().parent
CLIENTS = HERE.parents[1] / "docs/clients"
CONTRACT = https_stand_in.CONTRACT
CXF = Path(os.environ.get("HJEMMEL_INTEROP", HERE.parents[1] / "target/interop")) / "cxf"
WSDLS = ["TerminalAdgang.wsdl", "TerminalAdgang-token.wsdl"]
SINCE, UNTIL = datetime.fromisoformat("2026-09-01T00:00:00+02:00"), datetime.fromisoformat("2026-11-01T00:00:00+01:00")


def both_schemas(test):
    if validate.index_schema() is None:
        test.skipTest("DID NOT RUN: the index's schemas are not at hand (../shared/reference or HJEMMEL_REFERENCE)")
    return {"ours": validate.OURS, "the index's": validate.index_schema()}


class OverTls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.pki = Path(cls.folder.name)
        cls.server = https_stand_in.start(cls.pki)
        cls.url = f"https://localhost:{cls.server.server_port}{https_stand_in.SERVICE_PATH}"

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()
        cls.folder.cleanup()

    def client(self, query="wsdl", certificate=True):
        shown = (str(self.pki / "client.pem"), str(self.pki / "client.key")) if certificate else (None, None)
        return wsdl_zeep.load(f"{self.url}?{query}", str(self.pki / "ca.pem"), *shown)[0]

    def test_zeep_loads_both_wsdls_by_address_and_each_names_its_own_address(self):
        for query in ["wsdl", "wsdl=token"]:
            client = self.client(query)
            self.assertEqual(client.service._binding_options["address"], self.url)

    def test_a_search_is_answered_and_zeep_reads_the_answer_by_our_schema(self):
        outcome, answer = wsdl_zeep.call(self.client(), wsdl_zeep.search(https_stand_in.ANSWERED, SINCE, UNTIL, ["32.03.04"]))
        self.assertEqual(outcome, "served")
        first = answer.OekonomiskEffektueringFiltreretOejebliksbillede[0].Registrering[0]
        self.assertEqual(first.AttributListe.Egenskaber[0].SamletBruttobeloeb, "6928.50")
        self.assertEqual(first.RelationListe.Aktoer[0]["CVR-nr"], "99999991")

    def test_a_fault_tells_its_code_and_both_texts(self):
        outcome, told = wsdl_zeep.call(self.client(), wsdl_zeep.search("0000000000"))
        self.assertEqual(outcome, "PersonInvalid")
        self.assertEqual([text for _, text in told], ["CPR-nummeret er ikke muligt.", "The CPR number is not possible."])

    def test_the_client_certificate_is_what_is_shown_in_tls(self):
        outcome, _ = wsdl_zeep.call(self.client(certificate=False), wsdl_zeep.search(https_stand_in.ANSWERED))
        self.assertEqual(outcome, "ClientCertificateMissing")


    def sample(self, cpr):
        settings = {"SERVICE": self.url, "AUTHORITY": "11111111",
                    **{name: str(self.pki / file) for name, file in [("CA", "ca.pem"), ("CERT", "client.pem"), ("KEY", "client.key")]}}
        return subprocess.run([sys.executable, CLIENTS / "python/authority_context.py"], env={**os.environ, **settings}, input=cpr,
                              capture_output=True, text=True)

    def test_the_sample_client_of_the_documentation_prints_the_answer_or_the_fault(self):
        served, refused = self.sample(https_stand_in.ANSWERED), self.sample("0000000000")
        self.assertEqual((served.returncode, served.stdout), (0, "32.03.04 6928.50 Udbetaling Danmark (test)\n"), served.stderr)
        self.assertEqual((refused.returncode, refused.stdout.splitlines()[1]), (1, "PersonInvalid: The CPR number is not possible."))


@unittest.skipUnless((CXF / "classes").exists(), f"DID NOT RUN: the CXF judge is not built ({CXF}); run.sh builds it")
class Cxf(unittest.TestCase):
    def load(self, wsdl, *assertions):
        run = subprocess.run(["java", "-Xmx2g", "-cp", f"{CXF}/classes:{CXF}/lib/*", "dk.hjemmel.interop.Load", str(CONTRACT / wsdl), *assertions],
                             capture_output=True, text=True)
        return run.returncode, run.stdout + run.stderr

    def test_cxf_generates_a_client_from_both_wsdls_and_knows_the_token_ports_policy(self):
        self.assertEqual(self.load("TerminalAdgang.wsdl")[0], 0)
        code, told = self.load("TerminalAdgang-token.wsdl", "Addressing", "AsymmetricBinding", "SignedParts")
        self.assertEqual(code, 0, told)

    def test_the_port_without_a_token_asks_for_no_message_security(self):
        self.assertNotEqual(self.load("TerminalAdgang.wsdl", "AsymmetricBinding")[0], 0)


class Schemas(unittest.TestCase):
    def test_the_sample_request_of_the_documentation_is_valid_in_its_wrapper_and_without(self):
        request = CLIENTS / "request.xml"
        wrapper = etree.tostring(next(etree.parse(request).iter("{*}FremsoegRequest")))
        self.assertEqual(validate.errors(wrapper, CONTRACT / "TerminalAdgang.xsd"), [])
        for name, schema in both_schemas(self).items():
            self.assertEqual(validate.errors(validate.body(request), schema), [], name)

    def test_what_zeep_builds_by_our_wsdl_is_valid_by_the_indexs_schema(self):
        schemas = both_schemas(self)
        person = "6101801234"
        plain = wsdl_zeep.search(person)
        dated = wsdl_zeep.search(person, SINCE, UNTIL, ["32.03.04"], 100)
        b, e = dated["_value_1"]
        effectuation = e["SoegOekonomiskEffektueringIndeks"]
        either = {"operation": "AND", "_value_1": [b, {"SoegUdtryk": {"operation": "OR", "_value_1": [e, e]}},
                                                   {"NOT": {"SoegOekonomiskEffektueringIndeks": effectuation}}]}
        point = {"_value_1": [b, {"SoegOekonomiskEffektueringIndeks": {
            "AttributListe": {"Egenskaber": {"Dispositionsdato": SINCE}}, "TilstandListe": {},
            "RelationListe": {
                "Aktoer": [{"Rolle": {"UUIDIdentifikator": "a91824c4-da1d-47f9-bce2-5d6597879415"}, "CVR-nr": "99999991"}],
                "OekonomiskEffektueringPart": {"ReferenceID": {"URNIdentifikator": f"urn:oio:cpr-nr:{person}"}}}}}]}
        for wsdl in WSDLS:
            client, _ = wsdl_zeep.load(str(CONTRACT / wsdl))
            for expression in [plain, dated, either, point]:
                envelope = wsdl_zeep.request(client, expression)
                document = etree.tostring(next(envelope.iter(f"{wsdl_zeep.YI}FremsoegYdelseIndeksInput")))
                for name, schema in schemas.items():
                    self.assertEqual(validate.errors(document, schema), [], f"{wsdl}, {name} schema")

    def test_filter_and_sorting_of_ours_are_valid_by_the_indexs_schema(self):
        schemas = both_schemas(self)
        client, _ = wsdl_zeep.load(str(CONTRACT / "TerminalAdgang-token.wsdl"))
        order = {"Retning": "Faldende", "Sekvens": 1}
        sorting = [{"OekonomiskEffektueringSortering": {"Element": "Dispositionsdato", **order}},
                   {"BevillingSortering": {"Element": "Ydelsesnavn", **order}}]
        shown = [{"Vis": "egenskaber"}, {"Vis": "aktoer"}, {"Vis": "oekonomiskeydelseeffektueringer"}]
        for vis in [shown, []]:
            envelope = client.create_message(client.service, "fremsoeg", SoegUdtryk=wsdl_zeep.search("6101801234"),
                                             Filter={"OekonomiskEffektueringVis": vis}, Sortering={"_value_1": sorting})
            document = etree.tostring(next(envelope.iter(f"{wsdl_zeep.YI}FremsoegYdelseIndeksInput")))
            for name, schema in schemas.items():
                self.assertEqual(validate.errors(document, schema), [], name)

    def test_filtered_answers_are_valid_by_both(self):
        for name, schema in both_schemas(self).items():
            for fixture in sorted((HERE / "fixtures").glob("answer*.xml")):
                self.assertEqual(validate.errors(validate.body(fixture), schema), [], f"{fixture.name}, {name} schema")

    def test_our_schema_refuses_what_is_never_released_or_never_taken(self):
        answer = (HERE / "fixtures/answer.xml").read_text()
        withheld = [
            ("<oei:TilstandListe/>", "<oei:TilstandListe><gd:LokalUdvidelseListe/></oei:TilstandListe>"),
            ("</oei:Egenskaber>", "<oei:UdbetaltTekst>x</oei:UdbetaltTekst></oei:Egenskaber>"),
            ("<oei:FuldtNavn>", "<oei:BrugervendtNoegle>x</oei:BrugervendtNoegle><oei:FuldtNavn>"),
            (">32.03.04<", ">folkepension<"),
            (">effektueringer<", ">bevillinger<"),
            ("urn:oio:cpr-nr:6101801234", "urn:oio:cvr-nr:11111111"),
        ]
        for original, changed in withheld:
            self.assertIn(original, answer)
            self.assertNotEqual(validate.errors(answer.replace(original, changed).encode(), validate.OURS), [], changed)

    def test_our_words_are_our_own_and_every_type_is_told_in_danish_and_english(self):
        for schema in CONTRACT.glob("*.xsd"):
            told = re.findall(r'<xs:documentation xml:lang="(..)">', schema.read_text())
            self.assertEqual(told, ["da", "en"] * (len(told) // 2), schema.name)


if __name__ == "__main__":
    unittest.main()
