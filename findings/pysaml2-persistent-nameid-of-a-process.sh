#!/usr/bin/env bash
# pysaml2 7.5.4 as an identity provider: a persistent NameID is made by each process for itself, and whoever was first told by email stays so.
#
# Guessed:  a NameID of the kind persistent is made from the person, the provider and the service, as the same library makes eduPersonTargetedID, so that each process says the same of a person, today
#           and tomorrow; and what is asked for as persistent is answered as persistent.
# Happens:  it is random and held in the memory of the process: after a restart, and in each of several workers of one provider, the same person has another. Nothing is said at the start or at log-on.
#           With `subject_data`, a file, it is kept. But a kept NameID of any kind but transient then answers a request for a persistent one: whoever logged on once when the service asked for
#           emailAddress is answered with that from then on, of Format emailAddress, where persistent is asked for; a person who comes for the first time gets a persistent one. Once what was kept of
#           the person is removed (ident.find_nameid, ident.remove_remote), a persistent one is answered.
# Product:  knows a person by a persistent NameID: with another one it is a new user without what the first one has, and one of another kind is refused (LogOnPerson). docs/console/log-on.md says to
#           set `subject_data`, and what to remove from it.
#
# Needs python3 and openssl. Exit 0: it still does so. Exit 1: it does something else. Exit 2: something is missing or cannot be installed.
set -euo pipefail
for tool in python3 openssl; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
nice venv/bin/pip install --quiet --disable-pip-version-check pysaml2==7.5.4 || exit 2
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out certificate.pem -days 30 -subj /CN=provider 2>/dev/null
printf '#!/bin/sh\nexit 1\n' >xmlsec1 && chmod +x xmlsec1 # it wants one to be there; nothing is signed here
cat >service.xml <<'XML'
<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://service.example"><SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
<AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://service.example/acs" index="0"/></SPSSODescriptor></EntityDescriptor>
XML
cat >provider.py <<'PY'
import sys

from saml2 import BINDING_HTTP_REDIRECT
from saml2.config import IdPConfig
from saml2.saml import NAMEID_FORMAT_EMAILADDRESS, NAMEID_FORMAT_PERSISTENT
from saml2.samlp import NameIDPolicy
from saml2.server import Server

stored, asked = sys.argv[1], sys.argv[2:]
settings = {
    "entityid": "https://provider.example", "key_file": "key.pem", "cert_file": "certificate.pem", "xmlsec_binary": "./xmlsec1", "metadata": {"local": ["service.xml"]},
    "service": {"idp": {"endpoints": {"single_sign_on_service": [("https://provider.example/logon", BINDING_HTTP_REDIRECT)]}, "domain": "example.dk",
                        "name_id_format": [NAMEID_FORMAT_PERSISTENT], **({} if stored == "-" else {"subject_data": stored})}},
}
provider = Server(config=IdPConfig().load(settings))
for one in asked:
    person, kind = one.split("/")
    if kind == "removed":
        for name in provider.ident.find_nameid(person):
            provider.ident.remove_remote(name)
        continue
    format_ = {"persistent": NAMEID_FORMAT_PERSISTENT, "email": NAMEID_FORMAT_EMAILADDRESS}[kind]
    answer = provider.create_authn_response(
        identity={}, in_response_to="_1", destination="https://service.example/acs", sp_entity_id="https://service.example", userid=person,
        name_id_policy=NameIDPolicy(format=format_, allow_create="true"), authn={"class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"},
        sign_response=False, sign_assertion=False, encrypt_assertion=False)
    name = answer.assertion.subject.name_id if not isinstance(answer.assertion, list) else answer.assertion[0].subject.name_id
    print(name.format.split(":")[-1], name.text)
provider.close()
PY
cat >try.py <<'PY'
import subprocess
import sys


def process(*arguments):
    told = subprocess.run([sys.executable, "provider.py", *arguments], capture_output=True, text=True)
    if told.returncode:
        sys.exit(told.stderr)
    print(*arguments, "->", told.stdout.replace("\n", "; "), told.stderr)
    return told.stdout.splitlines(), told.stderr


(one, again), quiet = process("-", "lis/persistent", "lis/persistent")
(other,), quiet_too = process("-", "lis/persistent")
(kept, new), _ = process("kept", "lis/persistent", "bo/email")
(kept_too, still, third), _ = process("kept", "lis/persistent", "bo/persistent", "mo/persistent")
(persistent, and_so), _ = process("kept", "bo/removed", "bo/persistent", "lis/persistent")
same = one == again != other and quiet == quiet_too == ""
same &= kept == kept_too and new == still and new.startswith("emailAddress ") and persistent.startswith("persistent ") and and_so == kept
same &= all(name.startswith("persistent ") for name in (one, other, kept, third))
print("the same twice in a process, another in the next; kept in a file the same, and an email for a persistent one" if same else "the behaviour has changed")
sys.exit(0 if same else 1)
PY
venv/bin/python try.py
