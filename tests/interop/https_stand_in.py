"""A stand-in for the gateway, for the harness's own tests: the contract by HTTPS with mutual TLS, and canned answers.

It serves the files of CONTRACT with their addresses rewritten as the gateway does, answers a search for ANSWERED with
fixtures/answer.xml, and anything else with a fault. It judges nothing: the harness is under test here, not the gateway.
"""

import datetime
import shutil
import ssl
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from lxml import etree

HERE = Path(__file__).resolve().parent
# The service's own files and the platform's in one folder, for they name each other as if they lay together.
TOGETHER = tempfile.TemporaryDirectory()
CONTRACT = Path(TOGETHER.name)
for folder in ("terminaladgang/contract", "contract"):
    shutil.copytree(HERE.parents[1] / "src/services" / folder, CONTRACT, dirs_exist_ok=True)
SERVICE_PATH = "/service/Ydelse/TerminalAdgang/6"
ANSWERED = "6101801234"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
HEADER = "http://kombit.dk/xml/schemas/RequestHeader/1/"


def pki(folder):
    """A throw-away CA with a server and a client certificate, as PEM files in `folder`."""
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)

    def issue(name, issuer=None, usage=None):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (x509.CertificateBuilder().subject_name(subject)
                   .issuer_name(issuer[0].subject if issuer else subject).public_key(key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + day)
                   .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True))
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        certificate = builder.sign(issuer[1] if issuer else key, hashes.SHA256())
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return certificate, key

    ca = issue("ca")
    issue("server", ca, ExtendedKeyUsageOID.SERVER_AUTH)
    issue("client", ca, ExtendedKeyUsageOID.CLIENT_AUTH)


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, body):
        body = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        key, _, name = self.path.partition("?")[2].partition("=")
        file = {"wsdl": "TerminalAdgang-token.wsdl" if name == "token" else "TerminalAdgang.wsdl"}.get(key, f"{name}.xsd")
        url = f"https://localhost:{self.server.server_port}{SERVICE_PATH}"
        text = (CONTRACT / Path(file).name).read_text()
        text = text.replace(f"https://localhost{SERVICE_PATH}", url)
        self.answer(200, text.replace('schemaLocation="', f'schemaLocation="{url}?xsd=').replace('.xsd"', '"'))

    def do_POST(self):
        request = etree.fromstring(self.rfile.read(int(self.headers["Content-Length"])))
        transaction = request.findtext(f".//{{{HEADER}}}TransactionUUID")
        if not self.connection.getpeercert():
            return self.fault("ClientCertificateMissing", "AuthorityContext kræver et klientcertifikat.", "AuthorityContext needs a certificate.")
        person = request.findtext(".//{urn:oio:sagdok:3.0.0}URNIdentifikator")
        if person != f"urn:oio:cpr-nr:{ANSWERED}":
            return self.fault("PersonInvalid", "CPR-nummeret er ikke muligt.", "The CPR number is not possible.")
        self.answer(200, f'<e:Envelope xmlns:e="{SOAP}"><e:Header><h:RequestHeader xmlns:h="{HEADER}"><h:TransactionUUID>{transaction}'
                         '</h:TransactionUUID></h:RequestHeader></e:Header><e:Body><w:FremsoegResponse '
                         'xmlns:w="http://serviceplatformen.dk/xml/wsdl/soap11/Ydelse/TerminalAdgang/6/">'
                         f'{(HERE / "fixtures/answer.xml").read_text()}</w:FremsoegResponse></e:Body></e:Envelope>')

    def fault(self, code, danish, english):
        told = "".join(f"<f:Error><f:ErrorCode>{code}</f:ErrorCode><f:ErrorText>{text}</f:ErrorText></f:Error>" for text in (danish, english))
        self.answer(500, f'<e:Envelope xmlns:e="{SOAP}"><e:Body><e:Fault><faultcode>e:Client</faultcode><faultstring>{danish}</faultstring>'
                         '<detail><f:ServiceplatformFault xmlns:f="http://serviceplatformen.dk/xml/schemas/ServiceplatformFault/1/">'
                         f'<f:ErrorList>{told}</f:ErrorList></f:ServiceplatformFault></detail></e:Fault></e:Body></e:Envelope>')


def start(folder):
    """The running server; its certificates lie in `folder`. Stop it with `.shutdown()`."""
    pki(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_OPTIONAL
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
