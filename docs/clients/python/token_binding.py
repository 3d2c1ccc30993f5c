"""Asks TerminalAdgang about one person with a token (OIO IDWS). The CPR number is read from standard input.

Settings are environment variables, see README.md. Needs `pip install -r requirements.txt`.

zeep builds the call from the WSDL. It is signed here, by hand: the profile covers the token through an STR-Transform, which
libxmlsec1 (and so python-xmlsec and zeep's own WSSE) does not have and lets nobody register. What an STR-Transform digests
is the token's own canonical form, so it takes ten lines. Answers hold no STR-Transform: python-xmlsec verifies them.
"""

import base64
import hashlib
import os
import re
import sys
import uuid
from datetime import datetime, timedelta, timezone

import requests
import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree
from lxml.builder import ElementMaker
from zeep import Client
from zeep.exceptions import Fault
from zeep.transports import Transport

OASIS = "http://docs.oasis-open.org/wss"
DS = "http://www.w3.org/2000/09/xmldsig#"
EXC_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
FAULT = "http://serviceplatformen.dk/xml/schemas/ServiceplatformFault/1/"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAML_ID = f"{OASIS}/oasis-wss-saml-token-profile-1.1#SAMLID"
SAML_TOKEN = f"{OASIS}/oasis-wss-saml-token-profile-1.1#SAMLV2.0"
SOAP = "http://www.w3.org/2003/05/soap-envelope"
STR_TRANSFORM = f"{OASIS}/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform"
BASE64 = f"{OASIS}/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
WSA = "http://www.w3.org/2005/08/addressing"
WSSE = f"{OASIS}/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSSE11 = f"{OASIS}/oasis-wss-wssecurity-secext-1.1.xsd"
WST = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
WSU = f"{OASIS}/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
X509V3 = f"{OASIS}/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
NS = {"ds": DS, "saml": SAML, "soap": SOAP, "wsa": WSA, "wsse": WSSE, "wsu": WSU}
WSU_ID = f"{{{WSU}}}Id"

ds = ElementMaker(namespace=DS, nsmap={"ds": DS})
wsse = ElementMaker(namespace=WSSE, nsmap={"wsse": WSSE})
wsu = ElementMaker(namespace=WSU, nsmap={"wsu": WSU})


class Untrusted(Exception):
    """The answer is not what the peer signed for us. Nothing of it may be used."""


class System:
    """The system's certificate and key, which the token is bound to."""

    def __init__(self, certificate, key):
        with open(certificate, "rb") as file:
            self.certificate = x509.load_pem_x509_certificate(file.read())
        with open(key, "rb") as file:
            self.key = serialization.load_pem_private_key(file.read(), None)

    def binary_token(self, **attributes):
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        return wsse.BinarySecurityToken(base64.b64encode(der).decode(), EncodingType=BASE64, ValueType=X509V3, **attributes)


class OioIdws:
    """Signs what is sent and verifies what comes back: a `wsse` for zeep.

    With a token: it goes into Security as it came, and the signature covers it through an STR-Transform. Without (towards
    the STS): the certificate goes along as a BinarySecurityToken.
    """

    def __init__(self, system, peer_certificate, token=None):
        self.system, self.token = system, token
        self.peer = xmlsec.Key.from_file(peer_certificate, xmlsec.constants.KeyDataFormatCertPem)
        self.message_id = None
        self.signed = None

    # --- the request

    def apply(self, envelope, headers):
        header = envelope.find("soap:Header", NS)
        self.message_id = header.findtext("wsa:MessageID", None, NS)
        security = etree.SubElement(header, f"{{{WSSE}}}Security", {f"{{{SOAP}}}mustUnderstand": "true"}, nsmap={"wsse": WSSE, "wsu": WSU})
        now = datetime.now(timezone.utc)
        instant = lambda at: at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        security.append(wsu.Timestamp(wsu.Created(instant(now)), wsu.Expires(instant(now + timedelta(minutes=5)))))

        signed = [envelope.find("soap:Body", NS), security[0], *header.findall("wsa:*", NS)]
        if self.token is None:
            security.append(self.system.binary_token())
            signed.append(security[-1])
        else:
            before = canonical(self.token)
            security.append(self.token)
            assert canonical(self.token) == before, "the token must stay as the STS signed it"
            security.append(self.token_reference())
            security[-1].set(WSU_ID, "token-reference")
        for number, element in enumerate(signed):
            element.set(WSU_ID, f"part-{number}")

        references = [reference(element.get(WSU_ID), [ds.Transform(Algorithm=EXC_C14N)], element) for element in signed]
        if self.token is not None:
            parameters = wsse.TransformationParameters(ds.CanonicalizationMethod(Algorithm=EXC_C14N))
            transform = ds.Transform(parameters, Algorithm=STR_TRANSFORM)
            # The STR-Transform replaces the reference by the token that it names, signature and all.
            references.append(reference("token-reference", [transform], self.token))
        info = ds.SignedInfo(
            ds.CanonicalizationMethod(Algorithm=EXC_C14N),
            ds.SignatureMethod(Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"), *references)
        key = self.token_reference() if self.token is not None else wsse.SecurityTokenReference(
            wsse.Reference(URI=f"#{security[1].get(WSU_ID)}", ValueType=X509V3))
        signature = ds.Signature(info, ds.SignatureValue(), ds.KeyInfo(key))
        security.append(signature)
        # Signed where it stands: its canonical form depends on the place.
        value = self.system.key.sign(canonical(info), padding.PKCS1v15(), hashes.SHA256())
        signature[1].text = base64.b64encode(value).decode()
        return envelope, headers

    def token_reference(self):
        identifier = wsse.KeyIdentifier(self.token.get("ID"), ValueType=SAML_ID)
        return wsse.SecurityTokenReference(identifier, {f"{{{WSSE11}}}TokenType": SAML_TOKEN})

    # --- the answer

    def verify(self, envelope):
        """Raises `Untrusted` unless the peer signed this very answer to our request.

        A fault that comes before our own signature was verified is unsigned; it releases nothing. `signed` tells.
        """
        security = envelope.findall("soap:Header/wsse:Security", NS)
        self.signed = bool(security)
        if not security and envelope.find("soap:Body/soap:Fault", NS) is not None:
            return envelope
        if len(security) != 1 or len(signatures := security[0].findall("ds:Signature", NS)) != 1:
            raise Untrusted("the answer is not signed")
        header, body = envelope.find("soap:Header", NS), envelope.find("soap:Body", NS)
        xmlsec.tree.add_ids(envelope, ["Id"])
        context = xmlsec.SignatureContext()
        context.key = self.peer
        # Nothing but what the profile has; whatever KeyInfo says, the pinned key decides.
        for transform in (xmlsec.constants.TransformExclC14N, xmlsec.constants.TransformSha256):
            context.enable_reference_transform(transform)
        for transform in (xmlsec.constants.TransformExclC14N, xmlsec.constants.TransformRsaSha256):
            context.enable_signature_transform(transform)
        try:
            context.verify(signatures[0])
        except xmlsec.Error as error:
            raise Untrusted(f"the signature does not hold: {error}") from error
        # What is signed is what is read: by place, and each id once.
        named = {reference.get("URI").removeprefix("#") for reference in signatures[0].findall("ds:SignedInfo/ds:Reference", NS)}
        ids = envelope.xpath("//@*[local-name() = 'Id' or local-name() = 'ID' or local-name() = 'id']")
        timestamp = security[0].find("wsu:Timestamp", NS)
        for part in [body, timestamp, *header.findall("wsa:*", NS)]:
            if part is None or part.get(WSU_ID) not in named or ids.count(part.get(WSU_ID)) != 1:
                raise Untrusted("the signature does not cover all that is read")
        if header.findtext("wsa:RelatesTo", None, NS) != self.message_id:
            raise Untrusted("it answers another request")
        created, expires = (datetime.fromisoformat(timestamp.findtext(f"wsu:{name}", None, NS)) for name in ("Created", "Expires"))
        if not created - timedelta(minutes=1) <= datetime.now(timezone.utc) < expires + timedelta(minutes=1):
            raise Untrusted(f"it was made for another time: {created}, the clock here says {datetime.now(timezone.utc)}")
        return envelope


def canonical(element):
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def reference(element_id, transforms, digested):
    digest = base64.b64encode(hashlib.sha256(canonical(digested)).digest()).decode()
    return ds.Reference(ds.Transforms(*transforms), ds.DigestMethod(Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"),
                        ds.DigestValue(digest), URI=f"#{element_id}")


class Refused(Exception):
    """The gateway's fault: `code` for programs, the texts for people, `call_id` for whoever asks the operators."""

    def __init__(self, code, danish, english, signed):
        super().__init__(f"{code}: {english}")
        self.code, self.danish, self.english, self.signed = code, danish, english, signed
        self.call_id = re.search(r"Call-id: (\S+)$", english)[1]


def session():
    made = requests.Session()
    made.verify = os.environ["CA"]
    made.trust_env = False  # else a REQUESTS_CA_BUNDLE in the environment wins over `verify`
    return made


def token(system, authority):
    """WS-Trust Issue: a token for the service, for the authority, bound to the system's key. It holds for hours: keep it."""
    wst = ElementMaker(namespace=WST, nsmap={"wst": WST})
    wsp = ElementMaker(namespace="http://schemas.xmlsoap.org/ws/2004/09/policy", nsmap={None: "http://schemas.xmlsoap.org/ws/2004/09/policy"})
    auth = ElementMaker(namespace="http://docs.oasis-open.org/wsfed/authorization/200706", nsmap={"auth": "http://docs.oasis-open.org/wsfed/authorization/200706"})
    wsa = ElementMaker(namespace=WSA, nsmap={"wsa": WSA})
    soap = ElementMaker(namespace=SOAP, nsmap={"soap": SOAP})
    claim = auth.ClaimType(auth.Value(authority), Uri="dk:gov:saml:attribute:CvrNumberIdentifier", Optional="false")
    order = wst.RequestSecurityToken(
        wst.TokenType(SAML_TOKEN), wst.RequestType(f"{WST}/Issue"), wst.KeyType(f"{WST}/PublicKey"),
        wsp.AppliesTo(wsa.EndpointReference(wsa.Address(os.environ["ENTITY_ID"]))),
        wst.Claims(claim, Dialect="http://docs.oasis-open.org/wsfed/authorization/200706/authclaims"),
        wst.UseKey(system.binary_token()), Context=f"urn:uuid:{uuid.uuid4()}")
    envelope = soap.Envelope(
        soap.Header(wsa.Action(f"{WST}/RST/Issue"), wsa.MessageID(f"urn:uuid:{uuid.uuid4()}"), wsa.To(os.environ["STS"]),
                    wsa.ReplyTo(wsa.Address(f"{WSA}/anonymous"))),
        soap.Body(order))
    security = OioIdws(system, os.environ["STS_CERT"])
    security.apply(envelope, {})
    posted = session().post(os.environ["STS"], etree.tostring(envelope), headers={"Content-Type": "application/soap+xml; charset=utf-8"}, timeout=30)
    # No DTD is read: nothing of the parser's may fetch or grow.
    answer = etree.fromstring(posted.content, etree.XMLParser(resolve_entities=False, no_network=True))
    security.verify(answer)
    assertions = answer.findall(f"soap:Body//{{{WST}}}RequestedSecurityToken/saml:Assertion", NS)
    if len(assertions) != 1:
        raise SystemExit("no token: " + " ".join(answer.find("soap:Body", NS).itertext()).strip())
    return assertions[0]


def search(cpr, since=None, until=None):
    """AND(the person, payments): without a period the service inserts the one that the law gives."""
    person = {"AttributListe": {}, "TilstandListe": {},
              "RelationListe": {"Bevillingspart": {"ReferenceID": {"URNIdentifikator": f"urn:oio:cpr-nr:{cpr}"}}}}
    period = {"SoegEgenskaberLokalUdvidelse": {"DispositionsDatoInterval": {
        "FraTidspunkt": {"TidsstempelDatoTid": since}, "TilTidspunkt": {"TidsstempelDatoTid": until}}}}
    payments = {"AttributListe": {"LokalUdvidelseListe": period} if since else {}, "TilstandListe": {}, "RelationListe": {}}
    return {"operation": "AND", "_value_1": [{"SoegBevillingIndeks": person}, {"SoegOekonomiskEffektueringIndeks": payments}]}


def ask(expression, security):
    """The answer, or `Refused`, or `Untrusted`."""
    transport = Transport(session=session(), timeout=30, operation_timeout=60)
    client = Client(f"{os.environ['SERVICE']}?wsdl=token", transport=transport, wsse=security)
    header = {"header": {"TransactionUUID": str(uuid.uuid4())}}
    try:
        return client.service.fremsoeg(SoegUdtryk=expression, _soapheaders=header).body
    except Fault as fault:
        errors = list(fault.detail.iter(f"{{{FAULT}}}Error")) if fault.detail is not None else []
        if len(errors) != 2:
            raise
        danish, english = (error.findtext(f"{{{FAULT}}}ErrorText") for error in errors)
        raise Refused(errors[0].findtext(f"{{{FAULT}}}ErrorCode"), danish, english, security.signed) from fault


def main():
    cpr = sys.stdin.readline().strip()
    system = System(os.environ["CERT"], os.environ["KEY"])
    try:
        answer = ask(search(cpr), OioIdws(system, os.environ["GATEWAY_CERT"], token(system, os.environ["AUTHORITY"])))
    except Refused as refused:
        print(f"{refused.code}: {refused.danish}\n{refused.code}: {refused.english}")
        sys.exit(1)
    payments = answer.OekonomiskEffektueringFiltreretOejebliksbillede
    if not payments:
        print("no benefits")
    for payment in payments:
        for registration in payment.Registrering:
            relations = registration.RelationListe  # zeep reads an empty element as None
            for line in relations.OekonomiskYdelseEffektueringRelation if relations else []:
                print(line.Klassifikationsbeskrivelse, line.Ydelsesbeloeb, *(owner.FuldtNavn for owner in relations.Aktoer))


if __name__ == "__main__":
    main()
