"""SCIM programs that this project did not write: clients before `hjemmel stub campus`, and a server before the gateway's own client.

    campus.py PROGRAM [ROOT]    PROGRAM is the built hjemmel; with ROOT, the project's folder, the gateway's client meets scim2-server too

scim2-tester asks for everything that RFC 7643 and 7644 demand of a server, by the schemas that the server itself shows. scim2-client
then does what a provisioning system does: create, look for, page, replace, change, delete; and meets a user name that is taken, an ETag of
before and a wrong token. scim2-server is the other side of the test `campus::a_server_of_somebody_elses…`: once with its own schemas, and once with
those that the stub shows, the gateway's extension among them. Ends with a table of what passed.
"""

import collections
import os
import ssl
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx2
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import Error, PatchOp, PatchOperation, ResourceType, Schema, ScimProvider, SearchRequest
from scim2_server.memory import InMemoryStorage
from scim2_server.service import ScimService
from scim2_server.testserver.application import BearerTokenApplication
from scim2_server.testserver.cli import ThreadingWSGIServer
from scim2_server.utils import load_default_resource_types, load_default_schemas, load_default_service_provider_config
from scim2_tester import Status, check_server

# scim2-tester adds an extension whole, then each of its attributes, and takes a list with both values for wrong: RFC 7644, 3.5.2.1 says that it is
# right (findings/scim2-tester-list-in-an-extension.sh).
KNOWN = "PATCH modify() returned unexpected value for 'urn:hjemmel:params:scim:schemas:extension:campus:1.0:User:employments'"
TOKEN = "prøve-1".encode().hex()


def start(program: str, folder: Path) -> tuple[subprocess.Popen, str]:
    """The stub on a free port, and its address."""
    subprocess.run([program, "certs", "dev", str(folder / "pki")], check=True, stdout=subprocess.DEVNULL)
    (folder / "token").write_text(TOKEN + "\n")
    line = [program, "stub", "campus", "--pki", str(folder / "pki"), "--listen", "127.0.0.1:0", "--token", str(folder / "token")]
    running = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    first = running.stdout.readline()
    return running, first.split()[-1].replace("127.0.0.1", "localhost")


def as_provisioning_does(client: SyncSCIMClient, http: httpx2.Client, expect) -> None:
    """What a provisioning system does, each as the RFC says."""
    User = client.get_resource_model("User")
    made = client.create(User(user_name="anna@prøve.example", external_id="41", active=True))
    expect("create gives an id, and the user as it was given", bool(made.id) and made.external_id == "41")
    for nth in range(7):
        client.create(User(user_name=f"other{nth}", external_id=f"9{nth}"))
    taken = client.create(User(user_name="ANNA@prøve.example"), raise_scim_errors=False)
    expect("a user name that is taken, in capitals, is 409 uniqueness", isinstance(taken, Error) and (taken.status, taken.scim_type) == (409, "uniqueness"))
    found = client.query(User, query_parameters=SearchRequest(filter='externalId eq "41"'))
    expect("a filter on externalId finds the one", [user.id for user in found.resources or []] == [made.id])
    none = client.query(User, query_parameters=SearchRequest(filter='externalId eq "42"'))
    expect("a filter that finds none has totalResults 0", none.total_results == 0 and not none.resources)
    page = client.query(User, query_parameters=SearchRequest(start_index=3, count=4))
    expect("a page of four of eight begins with the third", (page.total_results, len(page.resources), page.start_index) == (8, 4, 3))
    change = PatchOp[User](operations=[PatchOperation(op=PatchOperation.Op.replace_, path="title", value="Konsulent")])
    changed = client.modify(User, made.id, change)
    again = client.query(User, made.id)
    expect("a PATCH changes what it names and nothing else", again.title == "Konsulent" and again.user_name == "anna@prøve.example" and (changed is None or changed.title == "Konsulent"))
    again.title = "Leder"
    replaced = client.replace(again)
    expect("a PUT replaces the user", replaced.title == "Leder")

    # What the client has no words for.
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "replace", "path": "active", "value": False}]}
    kind = {"Content-Type": "application/scim+json"}
    etag = http.get(f"Users/{made.id}").headers["ETag"]
    first = http.patch(f"Users/{made.id}", json=body, headers=kind | {"If-Match": etag})
    second = http.patch(f"Users/{made.id}", json=body | {"Operations": [{"op": "remove", "path": "active"}]}, headers=kind | {"If-Match": etag})
    expect("If-Match holds once, and an ETag of before is 412", (first.status_code, second.status_code) == (200, 412))
    expect("the text \"true\" is no boolean", http.post("Users", json={"schemas": body["schemas"], "userName": "x", "active": "true"}, headers=kind).status_code == 400)
    expect("a wrong token is 401", http.get("Users", headers={"Authorization": "Bearer x"}).status_code == 401)
    client.delete(User, made.id)
    expect("who was deleted is 404", http.get(f"Users/{made.id}").status_code == 404)


class Quiet(WSGIRequestHandler):
    def log_message(self, *_) -> None:
        pass


def before_scim2_server(project: Path, folder: Path, schemas: list, resource_types: list, extension: str) -> bool:
    """The gateway's client before scim2-server, over TLS with the certificate of the stub."""
    provider = ScimProvider.from_discovery(schemas, resource_types, config=load_default_service_provider_config())
    app = BearerTokenApplication(InMemoryStorage(), provider, service=ScimService(provider, secret="x" * 32))
    server = make_server("127.0.0.1", 0, app, server_class=ThreadingWSGIServer, handler_class=Quiet)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "pki" / "index-server.pem", folder / "pki" / "index-server.key.pem")
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    told = f"https://localhost:{server.server_port}/v2|{folder / 'pki' / 'root.pem'}|{extension}"
    test = ["cargo", "test", "--locked", "--quiet", "--test", "stores", "campus::a_server_of_somebody_elses"]
    passed = subprocess.run(test, cwd=project, env=os.environ | {"HJEMMEL_SCIM": told}).returncode == 0
    server.shutdown()
    return passed


def main(program: str, project: Path | None) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        running, address = start(program, folder)
        try:
            trust = ssl.create_default_context(cafile=str(folder / "pki" / "root.pem"))
            http = httpx2.Client(base_url=address + "/", headers={"Authorization": f"Bearer {TOKEN}"}, verify=trust)
            results = check_server(SyncSCIMClient(http))
            table = collections.Counter((result.title, result.status) for result in results)
            print("scim2-tester before stub campus:")
            for title in dict.fromkeys(result.title for result in results):
                counts = ", ".join(f"{table[title, status]} {status.name.lower()}" for status in Status if table[title, status])
                print(f"  {title:48} {counts}")
            failed = [result for result in results if result.status not in (Status.SUCCESS, Status.SKIPPED, Status.COMPLIANT)]
            known = [result for result in failed if str(result.reason).startswith(KNOWN)]
            failed = [result for result in failed if result not in known]
            print(f"  {len(known)} of them known: a list in an extension to which a value is added")
            for result in failed:
                print(f"  {result.status.name} {result.title}: {result.reason}", file=sys.stderr)
            wrong = []

            def expect(what: str, holds: bool) -> None:
                print(f"  {'holds' if holds else 'DOES NOT HOLD':14} {what}")
                if not holds:
                    wrong.append(what)

            print("scim2-client before stub campus:")
            client = SyncSCIMClient(http)
            client.discover()
            for user in client.query(client.get_resource_model("User")).resources or []:
                client.delete(type(user), user.id)
            as_provisioning_does(client, http, expect)
            if project:
                own = (list(load_default_schemas().values()), list(load_default_resource_types().values()), "")
                shown = (
                    [Schema.model_validate(schema) for schema in http.get("Schemas").json()["Resources"]],
                    [ResourceType.model_validate(kind) for kind in http.get("ResourceTypes").json()["Resources"]],
                    "extension",
                )
                print("the gateway's client before scim2-server:")
                for schemas, kinds, extension in (own, shown):
                    expect(f"everybody is there once and as told last, {extension or 'no extension'}", before_scim2_server(project, folder, schemas, kinds, extension))
            return 0 if not failed and not wrong and len(results) > 60 else 1
        finally:
            running.terminate()
            running.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else None))
