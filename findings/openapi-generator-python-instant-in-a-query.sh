#!/usr/bin/env bash
# openapi-generator 7.14.0, Python: one instant, right in a body and wrong in a query.
#
# Guessed:  a parameter of format date-time is written as one in JSON is: by RFC 3339, its offset as +01:00.
# Happens:  in a query (and a path) it is written by the pattern "%Y-%m-%dT%H:%M:%S.%f%z", whose offset has no colon: +0100, which is neither RFC
#           3339 nor JSON Schema's date-time. The same value in a body is written right. And a model with an instant cannot tell what will be sent:
#           its own to_json() raises "Object of type datetime is not JSON serializable". openapi-python-client 0.29.1 writes +01:00 in both.
# Product:  `GET agreements/ID/ending?ends_at=` refuses it (ApiQueryInvalid). docs/clients/api.md says which setting of the client helps.
#
# Needs java 11 or later, mvn and python3. Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
for tool in java mvn python3; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mvn --quiet --batch-mode dependency:copy -Dartifact=org.openapitools:openapi-generator-cli:7.14.0 -DoutputDirectory="$work" >mvn.log 2>&1 || { cat mvn.log; exit 2; }
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check openapi-python-client==0.29.1 urllib3==2.5.0 python-dateutil==2.9.0.post0 pydantic==2.11.7 || exit 2
cat >contract.json <<'JSON'
{"openapi": "3.1.0", "info": {"title": "tried", "version": "1"}, "paths": {"/things": {
  "get": {"operationId": "list", "parameters": [{"name": "at", "in": "query", "schema": {"type": "string", "format": "date-time"}}],
    "responses": {"204": {"description": "none"}}},
  "post": {"operationId": "add", "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
    "responses": {"204": {"description": "added"}}}}},
 "components": {"schemas": {"Thing": {"type": "object", "required": ["at"], "properties": {"at": {"type": "string", "format": "date-time"}}}}}}
JSON
java -jar openapi-generator-cli-7.14.0.jar generate -g python -i contract.json -o one --package-name one >one.log 2>&1 || { cat one.log; exit 1; }
venv/bin/openapi-python-client generate --path contract.json --meta none --output-path other >other.log 2>&1 || { cat other.log; exit 1; }
cat >ask.py <<'PY'
import datetime
import importlib
import sys
import urllib.parse

sys.path[:0] = ["one", "."]
import one

AT = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
api = one.DefaultApi(one.ApiClient(one.Configuration(host="http://localhost")))
rest = {"_request_auth": None, "_content_type": None, "_headers": None, "_host_index": 0}


def query():
    url = api._list_serialize(at=AT, **rest)[1]
    return urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["at"][0]


in_query, in_body = query(), api._add_serialize(thing=one.Thing(at=AT), **rest)[3]["at"]
try:
    told = one.Thing(at=AT).to_json()
except TypeError as error:
    told = f"TypeError: {error}"
other = importlib.import_module("other.api.default.list_")._get_kwargs(at=AT)["params"]["at"]
api.api_client.configuration.datetime_format = "%Y-%m-%dT%H:%M:%SZ"
AT = AT.astimezone(datetime.timezone.utc)
mended = query()
print(f"openapi-generator 7.14.0: query {in_query}, body {in_body}, to_json() {told}")
print(f"openapi-python-client 0.29.1: query {other}")
print(f"openapi-generator with another datetime_format and UTC: query {mended}")
due = "2026-01-01T00:00:00.000000+0100", "2026-01-01T00:00:00+01:00", "TypeError: Object of type datetime is not JSON serializable"
due += "2026-01-01T00:00:00+01:00", "2025-12-31T23:00:00Z"
sys.exit(0 if (in_query, in_body, told, other, mended) == due else "the behaviour has changed")
PY
venv/bin/python ask.py
