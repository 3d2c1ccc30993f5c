"""pysaml2 as the identity provider: it verifies the console's request by the console's metadata, and logs a person on; what it
sends by default is refused. `metadata` writes the provider's own.

  pysaml2_idp.py WORK metadata
  pysaml2_idp.py WORK CONSOLE-URL ROOT-PEM
"""

import base64
import pathlib
import sys
import urllib.parse

from saml2 import BINDING_HTTP_REDIRECT
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NAMEID_FORMAT_PERSISTENT, NameID
from saml2.server import Server

from browser import ATTRIBUTES, Browser, judge

BASE = "https://pysaml2.example"
SHA256 = {
    "sign_alg": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "digest_alg": "http://www.w3.org/2001/04/xmlenc#sha256",
}
CASES = [
    ("by default", {}, "LogOnUnsigned"),
    ("assertion signed, by SHA-1 as it is", {"sign_assertion": True}, "LogOnAlgorithm"),
    ("assertion signed", {"sign_assertion": True, **SHA256}, None),
    ("response signed", {"sign_response": True, **SHA256}, None),
    ("both signed", {"sign_response": True, "sign_assertion": True, **SHA256}, None),
    ("encrypted, by 3DES as it is", {"sign_assertion": True, "encrypt_assertion": True, **SHA256}, "LogOnEncryption"),
]


def config(work):
    service = {
        "endpoints": {
            "single_sign_on_service": [(BASE + "/sso", BINDING_HTTP_REDIRECT)],
            "single_logout_service": [(BASE + "/slo", BINDING_HTTP_REDIRECT)],
        },
        "want_authn_requests_signed": True,
        "policy": {"default": {"lifetime": {"minutes": 5}, "attribute_restrictions": None, "entity_categories": []}},
    }
    settings = {
        "entityid": BASE + "/md",
        "key_file": str(work / "idp.key"),
        "cert_file": str(work / "idp.crt"),
        "xmlsec_binary": "/usr/bin/xmlsec1",
        "service": {"idp": service},
    }
    if (work / "console.xml").exists():
        settings["metadata"] = {"local": [str(work / "console.xml")]}
    return IdPConfig().load(settings)


def main():
    work = pathlib.Path(sys.argv[1])
    if sys.argv[2] == "metadata":
        (work / "pysaml2.xml").write_text(str(entity_descriptor(config(work))))
        return 0
    url, root = sys.argv[2:]
    idp = Server(config=config(work))
    wrong = 0
    for name, how, due in CASES:
        browser = Browser(url, root)
        query = urllib.parse.parse_qs(browser.begin("pysaml2"))
        field = {key: query[key][0] for key in ("SAMLRequest", "RelayState", "SigAlg", "Signature")}
        asked = idp.parse_authn_request(
            field["SAMLRequest"], BINDING_HTTP_REDIRECT, relay_state=field["RelayState"], sigalg=field["SigAlg"],
            signature=field["Signature"],
        ).message
        response = idp.create_authn_response(
            {key: [value] for key, value in ATTRIBUTES.items()},
            in_response_to=asked.id,
            destination=asked.assertion_consumer_service_url,
            sp_entity_id=asked.issuer.text,
            name_id=NameID(format=NAMEID_FORMAT_PERSISTENT, text="aase-1"),
            authn={"class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"},
            **how,
        )
        wrong += judge("pysaml2", name, due, browser, base64.b64encode(str(response).encode()), field["RelayState"])
    return wrong


if __name__ == "__main__":
    sys.exit(main())
