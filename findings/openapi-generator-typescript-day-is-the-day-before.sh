#!/usr/bin/env bash
# openapi-generator 7.14.0, TypeScript (typescript-fetch): the day new Date(2027, 0, 1), 1 January, is sent from Denmark as 2026-12-31, in bodies and in queries.
#
# Guessed:  a field of the format date is a day: the one that the Date shows where the program runs, or a text.
# Happens:  it is a Date, and the first ten characters of its toISOString() are sent, the day in UTC. Midnight in Denmark is the day before there: so a day made of year, month and day, or chosen in a calendar
#           that gives local midnight, is sent as the one before, and "now" is yesterday until one or two o'clock in the night. new Date("2027-01-01") is right, for the text of a day alone is midnight in
#           UTC; what is read is so too, and is written back right, but shows as the day before west of Greenwich (31 December in Nuuk). A machine whose zone is UTC, as containers have it, sends all right.
# Product:  a route's valid_from and valid_to are such fields, and so are the days of a mailbox's status: the route holds, and ends, a day earlier than was meant, and the status is another day's.
#           docs/clients/api.md says how to make the days.
#
# Needs java 11 or later, mvn, node and npm. Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
for tool in java mvn node npm; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
nice mvn --quiet --batch-mode org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -Dartifact=org.openapitools:openapi-generator-cli:7.14.0 -DoutputDirectory="$work" >mvn.log 2>&1 || { cat mvn.log; exit 2; }
echo '{"private": true, "type": "commonjs"}' >package.json
nice npm install --silent --no-audit --no-fund typescript@5.9.3 || exit 2
cat >contract.json <<'JSON'
{"openapi": "3.1.0", "info": {"title": "tried", "version": "1"}, "paths": {
 "/routes": {"post": {"operationId": "ask", "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Route"}}}}, "responses": {"204": {"description": "asked for"}}},
  "get": {"operationId": "look", "parameters": [{"name": "from", "in": "query", "schema": {"type": "string", "format": "date"}}],
   "responses": {"200": {"description": "found", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Route"}}}}}}}},
 "components": {"schemas": {"Route": {"type": "object", "required": ["valid_from"], "properties": {
  "valid_from": {"type": "string", "format": "date"}, "valid_to": {"type": ["string", "null"], "format": "date"}}}}}}
JSON
nice java -XX:TieredStopAtLevel=1 -jar openapi-generator-cli-7.14.0.jar generate -g typescript-fetch -i contract.json -o client >made.log 2>&1 || { cat made.log; exit 1; }
nice node_modules/.bin/tsc --skipLibCheck --target es2020 --module commonjs --lib es2020,dom --outDir built client/index.ts >tsc.log 2>&1 || { cat tsc.log; exit 1; }
cat >try.js <<'JS'
const { DefaultApi, Configuration } = require("./built");

async function main() {
  const sent = [];
  const fetchApi = async (url, init) => {
    sent.push(init.body ?? url.split("?")[1]);
    return init.method === "POST" ? new Response(null, { status: 204 }) : new Response('{"valid_from": "2027-01-01"}', { status: 200, headers: { "Content-Type": "application/json" } });
  };
  const api = new DefaultApi(new Configuration({ basePath: "http://localhost", fetchApi }));
  await api.ask({ route: { validFrom: new Date(2027, 0, 1), validTo: new Date(2027, 6, 1) } });
  await api.look({ from: new Date(2027, 0, 1) });
  await api.ask({ route: { validFrom: new Date("2027-01-01") } });
  const read = await api.look({});
  await api.ask({ route: read });
  console.log([sent[0], sent[1], sent[2], sent[4], `shown ${read.validFrom.toLocaleDateString("da-DK")}`].join(" | "));
}

main();
JS
same=yes
told() { # zone, what was seen
  local got
  got=$(TZ=$1 node try.js)
  echo "$1: $got"
  [ "$got" = "$2" ] || same=no
}
right='{"valid_from":"2027-01-01"}'
told Europe/Copenhagen "{\"valid_from\":\"2026-12-31\",\"valid_to\":\"2027-06-30\"} | from=2026-12-31 | $right | $right | shown 1.1.2027"
told UTC "{\"valid_from\":\"2027-01-01\",\"valid_to\":\"2027-07-01\"} | from=2027-01-01 | $right | $right | shown 1.1.2027"
told America/Nuuk "{\"valid_from\":\"2027-01-01\",\"valid_to\":\"2027-07-01\"} | from=2027-01-01 | $right | $right | shown 31.12.2026"
[ "$same" = yes ] || { echo "the behaviour has changed"; exit 1; }
