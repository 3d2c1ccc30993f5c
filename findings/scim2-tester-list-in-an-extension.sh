#!/usr/bin/env bash
# scim2-tester reports a server as wrong that has a list (a multi-valued attribute) in an extension.
#
# Guessed: `add` to a list that has a value already ends with both values, as RFC 7644, 3.5.2.1 says ("a new value is added to the attribute"), and
# the tester, which judges by the RFC, takes it so.
# What happens: the tester adds the extension as a whole, and then each of its attributes to the same user. Of a list the server
# then rightly shows two values; the tester expects the second alone, and reports ERROR check_add_attribute. SCIM's own
# extension has no list, so nobody meets it there. Shown with scim2-server, of the same makers.
# What the product does: `hjemmel stub campus` adds as the RFC says; tests/interop/campus.py knows this one verdict by its attribute.
#
# Installs pinned packages into a temporary folder and runs them without the product. Ends with 1 if the behaviour changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scim2-tester==0.5.2 'scim2-client[httpx2]==0.13.2' scim2-server==0.8.3 scim2-models==0.12.3
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import threading
from importlib.metadata import version
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx2
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import ResourceType, Schema, ScimProvider
from scim2_server.memory import InMemoryStorage
from scim2_server.service import ScimService
from scim2_server.testserver.application import BearerTokenApplication
from scim2_server.testserver.cli import ThreadingWSGIServer
from scim2_server.utils import load_default_resource_types, load_default_schemas, load_default_service_provider_config
from scim2_tester import Status, check_server

URN = "urn:example:extension:2.0:User"
part = {"name": "value", "type": "string", "multiValued": False, "required": False, "caseExact": False, "mutability": "readWrite", "returned": "default", "uniqueness": "none"}
extension = Schema.model_validate({
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"], "id": URN, "name": "Example", "description": "Example",
    "attributes": [part | {"name": "posts", "type": "complex", "multiValued": True, "subAttributes": [part]}]})
kinds = [kind for kind in load_default_resource_types().values() if kind.id == "User"]
kinds = [ResourceType.model_validate(kind.model_dump() | {"schemaExtensions": [{"schema": URN, "required": False}]}) for kind in kinds]
provider = ScimProvider.from_discovery([*load_default_schemas().values(), extension], kinds, config=load_default_service_provider_config())
app = BearerTokenApplication(InMemoryStorage(), provider, service=ScimService(provider, secret="x" * 32))
quiet = type("Quiet", (WSGIRequestHandler,), {"log_message": lambda *_: None})
server = make_server("127.0.0.1", 0, app, server_class=ThreadingWSGIServer, handler_class=quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()
results = check_server(SyncSCIMClient(httpx2.Client(base_url=f"http://127.0.0.1:{server.server_port}/v2/")))
wrong = [result for result in results if result.status is Status.ERROR]
print("scim2-tester", version("scim2-tester"), "before scim2-server", version("scim2-server"), "with a list in an extension:")
for result in wrong:
    print(f"  ERROR {result.title}: {str(result.reason)[:400]}")
same = len(wrong) == 1 and wrong[0].title == "check_add_attribute" and ":posts'" in str(wrong[0].reason)
print("as noted" if same else f"the behaviour has changed: {len(wrong)} errors of {len(results)} checks")
sys.exit(0 if same else 1)
PYTHON
