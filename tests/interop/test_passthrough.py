"""Three official services from their files as published, called by zeep through a running gateway that knows them by their
folder alone: what is answered, in which binding, and what is refused.

zeep loads the published WSDL from disk. One request for each service is built by zeep from plain values; one for each operation
is a valid message that the stub made. Each answer is read by zeep by the published schema.
"""

import copy
import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
import unittest
import uuid
from pathlib import Path
from unittest import mock

from lxml import etree
from lxml.builder import ElementMaker
from zeep import Client
from zeep.exceptions import Fault, XMLParseError
from zeep.transports import Transport
from zeep.wsa import WsAddressingPlugin

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = Path(os.environ.get("HJEMMEL_REFERENCE", ROOT.parent / "shared/reference"))
WORLD = Path(os.environ.get("HJEMMEL_INTEROP", ROOT / "target/interop")) / "../debug/examples/passthrough_world"
CONTEXT = "http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/"
SOAP11, SOAP12 = "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"
STRANGER = "99999982"

spec = importlib.util.spec_from_file_location("token_binding", ROOT / "docs/clients/python/token_binding.py")
signer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(signer)

SETTINGS = """
[service]
uuid = "11111111-1111-4111-8111-111111111111"
entity_id = "http://entityid.eksempel.dk/service/afproevning/1"
path = "/service/Afproevning/1"
[provider]
security = "token"
receiver = "RECEIVER"
[paths]
persons = []
[law]
legal_basis_da = "Lov om breve § 1"
legal_basis_en = "Act on letters § 1"
purpose_da = "At sende breve"
purpose_en = "To send letters"
"""


def context(authority):
    """AuthorityContext, for a Header."""
    block = etree.Element(f"{{{CONTEXT}}}AuthorityContext", nsmap={"a": CONTEXT})
    etree.SubElement(block, f"{{{CONTEXT}}}MunicipalityCVR").text = authority
    return block


class World:
    """A gateway with one official folder, its STS and the providers behind it."""

    def __init__(self, folder, offered, own, receiver):
        self.folder = tempfile.TemporaryDirectory(prefix="hjemmel-passthrough-")
        self.dir = Path(self.folder.name) / "service"
        shutil.copytree(REFERENCE / folder, self.dir)
        bindings = "".join(f'[{binding}]\nwsdl = "{wsdl}"\n' for binding, wsdl in offered.items())
        (self.dir / "service.toml").write_text(bindings + SETTINGS.replace("RECEIVER", receiver))
        self.errors = open(Path(self.folder.name) / "errors.txt", "w+", encoding="utf-8")
        self.process = subprocess.Popen([WORLD, self.dir, own], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        # The program's own log may come first.
        for line in self.process.stdout:
            if line.startswith(b"{\"authority\""):
                self.told = json.loads(line)
                return
        self.errors.seek(0)
        raise RuntimeError(f"the gateway did not come up:\n{self.errors.read()}")

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(60)
        finally:
            self.process.kill()
            self.process.stdout.close()
            self.errors.close()
            self.folder.cleanup()


class Signed(signer.OioIdws):
    """The signer of docs/clients, for either version of SOAP."""

    def __init__(self, namespace, *arguments):
        super().__init__(*arguments)
        self.namespace = namespace

    def apply(self, envelope, headers):
        self.token = copy.deepcopy(self.token)
        with self.version():
            envelope, headers = super().apply(envelope, headers)
            if self.namespace == SOAP11:
                envelope.find("soap:Header/wsse:Security", signer.NS).set(f"{{{SOAP11}}}mustUnderstand", "1")
        return envelope, headers

    def verify(self, envelope):
        with self.version():
            return super().verify(envelope)

    def version(self):
        return mock.patch.multiple(signer, SOAP=self.namespace, NS={**signer.NS, "soap": self.namespace})


@unittest.skipUnless(WORLD.exists(), "DID NOT RUN: pass-through services called by zeep, for the example passthrough_world is not built")
class Service:
    """What holds of every service. `written` is a hand-written call: operation, arguments, and what must be read in its answer.
    `marked` is a call with a text in it, which the stub obeys. `spoilt` is an element that a text breaks."""

    own = "token"
    receiver = "implicit-by-entity-id"

    @classmethod
    def setUpClass(cls):
        if not (REFERENCE / cls.folder).is_dir():
            raise unittest.SkipTest(f"DID NOT RUN: {cls.folder} called by zeep, for its official files are not at hand (../shared/reference or HJEMMEL_REFERENCE)")
        cls.world = World(cls.folder, cls.offered, cls.own, cls.receiver)
        cls.addClassCleanup(cls.world.stop)
        told = cls.world.told
        settings = {"CA": told["ca"], "ENTITY_ID": told["entity_id"], "STS": told["sts"], "STS_CERT": told["sts_certificate"]}
        patched = mock.patch.dict(os.environ, settings)
        patched.start()
        cls.addClassCleanup(patched.stop)
        cls.clients = {}

    def client(self, binding):
        """zeep's client from the published file, with its service at the gateway's address."""
        if binding not in self.clients:
            told, session, more = self.world.told, signer.session(), {}
            who = told["stranger"] if binding == "token of a stranger" else told
            if binding == "authority-context":
                session.cert = (who["certificate"], who["key"])
            else:
                system = signer.System(who["certificate"], who["key"])
                token = signer.token(system, who["authority"])
                more = {"wsse": Signed(self.soap, system, told["gateway"], token), "plugins": [WsAddressingPlugin()]}
            wsdl = self.offered.get(binding, self.offered["token"])
            made = Client(str(self.world.dir / wsdl), transport=Transport(session=session, timeout=120, operation_timeout=120), **more)
            self.clients[binding] = (made, made.create_service(self.name, told["service"]))
        return self.clients[binding]

    def call(self, binding, operation, arguments, authority=None):
        """Calls as a caller of this binding does."""
        made, service = self.client(binding)
        arguments = dict(arguments)
        if binding == "authority-context":
            authority = authority or self.world.told["authority"]
            if self.in_body:
                arguments["AuthorityContext"] = {"MunicipalityCVR": authority}
            else:
                arguments["_soapheaders"] = [context(authority)]
        return getattr(service, operation)(**arguments)

    def answered(self, binding):
        """What zeep reads of an answer. The stub's answers vary with what it is asked, and zeep cannot read each valid one: of a
        sequence whose first elements may be left out it expects them (a DSAKeyValue without P and Q). Then something else is asked."""
        for _ in range(8):
            operation, arguments, read = self.written()
            try:
                return self.call(binding, operation, arguments), read
            except XMLParseError as error:
                unreadable = error
        raise unreadable

    def code(self, *call, **more):
        """The code of the fault, told in two languages."""
        with self.assertRaises(Fault) as caught:
            self.call(*call, **more)
        detail = caught.exception.detail
        self.assertIsNotNone(detail, str(caught.exception))
        errors = list(detail.iter(f"{{{signer.FAULT}}}Error"))
        codes = {error.findtext(f"{{{signer.FAULT}}}ErrorCode") for error in errors}
        self.assertEqual((len(errors), len(codes)), (2, 1), etree.tostring(detail))
        self.told = [error.findtext(f"{{{signer.FAULT}}}ErrorText") for error in errors]
        return codes.pop()

    def from_sample(self, binding, operation):
        """The stub's own message, read by zeep by the published schema, as arguments."""
        made, _ = self.client(binding)
        sample = etree.fromstring(self.world.told["samples"][operation])
        read = made.get_element(sample.tag).parse(sample, made.wsdl.types)
        return {name: read[name] for name in read if read[name] is not None}

    def test_zeep_is_answered_in_each_binding_that_is_offered(self):
        for binding in self.offered:
            with self.subTest(binding):
                answer, read = self.answered(binding)
                self.assertTrue(answer and read(answer), answer)
                if binding == "token":
                    self.assertTrue(self.client(binding)[0].wsse.signed)

    def test_every_operation_of_the_published_file_is_answered_by_its_schema(self):
        for binding in self.offered:
            made, _ = self.client(binding)
            operations = made.wsdl.bindings[self.name].all()
            self.assertEqual(set(operations), set(self.world.told["samples"]))
            for name, operation in operations.items():
                with self.subTest(f"{binding} {name}"):
                    sample = etree.fromstring(self.world.told["samples"][name])
                    answered, _ = self.post(binding, operation, sample)
                    self.assertEqual(answered.tag, operation.output.body.qname.text)

    def post(self, binding, operation, sample):
        """The stub's own message in zeep's envelope; gives the answer's element, and what zeep reads in it.

        zeep cannot write all of them anew: an element that is there and empty is nothing to it once it is read.
        """
        made, service = self.client(binding)
        soap = ElementMaker(namespace=self.soap, nsmap={"soap-env": self.soap})
        envelope = soap.Envelope(soap.Header(), soap.Body(sample))
        if binding == "authority-context":
            own = context(self.world.told["authority"])
            sample.insert(0, own) if self.in_body else envelope[0].append(own)
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{operation.soapaction}"'}
        if self.soap == SOAP12:
            headers = {"Content-Type": f'application/soap+xml; charset=utf-8; action="{operation.soapaction}"'}
        address = self.world.told["service"]
        for plugin in made.plugins:
            envelope, headers = plugin.egress(envelope, headers, operation, {"address": address})
        if made.wsse:
            envelope, headers = made.wsse.apply(envelope, headers)
        answer = made.transport.post_xml(address, envelope, headers)
        read = operation.binding.process_reply(made, operation, answer)
        return etree.fromstring(answer.content).find(f"{{{self.soap}}}Body")[0], read

    def test_the_contract_that_the_gateway_serves_has_the_same_operations(self):
        for binding in self.offered:
            with self.subTest(binding):
                address = f"{self.world.told['service']}?wsdl={binding.replace('-', '')}"
                served = Client(address, transport=Transport(session=signer.session(), timeout=120)).wsdl.bindings[self.name]
                published = self.client(binding)[0].wsdl.bindings[self.name]
                signatures = lambda of: {name: operation.input.signature() for name, operation in of.all().items()}
                self.assertEqual(signatures(served), signatures(published))

    def test_a_provider_that_breaks_its_own_schema_is_not_heard(self):
        for binding in self.offered:
            with self.subTest(binding):
                operation, arguments = self.marked(binding, "stub:invalid")
                self.assertEqual(self.code(binding, operation, arguments), "AnswerViolated")

    def test_a_request_that_breaks_the_schema_is_refused_by_path_without_its_value(self):
        for binding in self.offered:
            with self.subTest(binding):
                made, _ = self.client(binding)
                operation, arguments, _ = self.written()
                spoil = lambda envelope: setattr(next(envelope.iter(f"{{*}}{self.spoilt}")), "text", "hemmeligt")
                with before_signing(made, spoil):
                    self.assertEqual(self.code(binding, operation, arguments), "SchemaViolated")
                for told in self.told:
                    self.assertIn(f"/{self.spoilt}", told)
                    self.assertNotIn("hemmeligt", told)

    def test_an_authority_that_has_no_agreement_is_refused(self):
        operation, arguments, _ = self.written()
        self.assertEqual(self.code("token of a stranger", operation, arguments), "ServiceAgreementNotFound")
        if "authority-context" in self.offered:
            self.assertEqual(self.code("authority-context", operation, arguments, authority=STRANGER), "ServiceAgreementNotFound")


class Distribution(Service, unittest.TestCase):
    """SF2900: both bindings as published; AuthorityContext stands in the body."""

    folder, soap, in_body = "sf2900", SOAP11, True
    offered = {"token": "wsdl/token/DistributionService.wsdl", "authority-context": "wsdl/context/DistributionService.wsdl"}
    name = "{http://serviceplatformen.dk/xml/wsdl/soap11/DistributionService/3/port}DistributionServiceBinding"
    spoilt = "AfsendendeMyndighed"

    def written(self):
        routing = {"RoutingMyndighed": "99999981", "RoutingModtagerAktoer": str(uuid.uuid4())}
        arguments = {"AfsendendeMyndighed": "11111111", "RoutingListe": {"Routing": [routing]}}
        return "FordelingsmodtagerValider", arguments, lambda answer: all(receiver.RoutingMyndighed for receiver in answer)

    def marked(self, binding, word):
        arguments = self.from_sample(binding, "FordelingskvitteringModtag")
        arguments["Forretningskvittering"].Begrundelse = word
        return "FordelingskvitteringModtag", arguments


class DistributionToContext(Distribution):
    """The same, where the provider takes AuthorityContext."""

    own = "authority-context"


class BenefitIndex(Service, unittest.TestCase):
    """YdelseIndeks 6, whole: its policy says token."""

    folder, soap = "ydelsesindeks-6", SOAP12
    offered = {"token": "wsdl/YdelseIndeks.wsdl"}
    name = "{http://stoettesystemerne.dk/ydelsesindeks}YdelseIndeks"
    spoilt = "SoegUdtryk"

    def written(self):
        header = {"header": {"TransactionUUID": str(uuid.uuid4())}}
        arguments = {"SoegUdtryk": signer.search("6101801234"), "_soapheaders": header}
        return "fremsoeg", arguments, lambda answer: answer.body.StandardRetur.StatusKode is not None

    def marked(self, binding, word):
        _, arguments, _ = self.written()
        payments = arguments["SoegUdtryk"]["_value_1"][1]["SoegOekonomiskEffektueringIndeks"]
        payments["RelationListe"] = {"OekonomiskYdelseEffektueringRelation": [{"Klassifikationsbeskrivelse": word}]}
        return "fremsoeg", arguments


class MessageBroker(Service, unittest.TestCase):
    """Beskedfordeler: no policy, so both bindings; AuthorityContext stands in the Header, for its schema has no place."""

    folder, soap, in_body = "sf1461", SOAP11, False
    offered = {"token": "spec/wsdl/Beskedfordeler.wsdl", "authority-context": "spec/wsdl/Beskedfordeler.wsdl"}
    name = "{urn:dk:kombit:vl:beskedfordeler:wsdl:1.0.0}Beskedfordeler"
    spoilt = "SletInput"

    def written(self, note="til prøve"):
        arguments = {"UUIDIdentifikator": str(uuid.uuid4()), "NoteTekst": note}
        return "sletvaerdiliste", arguments, lambda answer: answer.StandardRetur.StatusKode is not None

    def marked(self, binding, word):
        return self.written(word)[:2]


class BenefitIndexToContext(BenefitIndex):
    """The same, where the provider takes AuthorityContext."""

    own = "authority-context"


class MessageBrokerToContext(MessageBroker):
    """The same, where the provider takes AuthorityContext."""

    own = "authority-context"


class MessageBrokerWithOneReceiver(MessageBroker):
    """The same, where one provider receives for all, by the route from every authority to every authority."""

    receiver = "fixed"


class before_signing:
    """A plugin of zeep's that alters what it built before it is signed and sent."""

    def __init__(self, client, alter):
        self.client, self.alter = client, alter

    def __enter__(self):
        self.client.plugins.append(self)

    def __exit__(self, *_):
        self.client.plugins.remove(self)

    def egress(self, envelope, headers, operation, options):
        self.alter(envelope)
        return envelope, headers

    def ingress(self, envelope, headers, operation):
        return envelope, headers


if __name__ == "__main__":
    unittest.main()
