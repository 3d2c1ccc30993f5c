#!/usr/bin/env bash
# openapi-generator 7.14.0, C# (library httpclient): a field that was not set is sent as null, where it may be null.
#
# Guessed:  a field that is neither required nor set is left out, as one of plain type string is; null is what is sent where the program said null.
# Happens:  of a field of type ["string", "null"] that nobody set, null is sent, and so of all of them, each time: the generated class marks it with EmitDefaultValue = true, and has no way to tell what was not set from what
#           was set to null. One of type "string" is left out. With the generator's option conditionalSerialization=true the class remembers what was set, and the one is left out and the other is null;
#           but what the constructor was given and must be there (id) is then left out too, until it is set by its property once more.
# Product:  in an import of persons (POST persons) a field left out stays as it is, and null clears: a client of this kind that sets what a new person needs clears all the rest, and makes each person
#           active again whose Aktionskodedato it does not set. The answer is OPDATERET. docs/clients/persons.md says which option to generate with.
#
# Needs java 11 or later, mvn, and Debian 12's packages mono-mcs, mono-runtime and libnewtonsoft-json5.0-cil, or root with apt-get to install them.
# Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
for tool in java mvn; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
json=/usr/lib/cli/Newtonsoft.Json-5.0/Newtonsoft.Json.dll
installed() { command -v mcs mono >/dev/null && [ -e "$json" ] && [ -e /usr/lib/mono/4.5/System.ComponentModel.DataAnnotations.dll ] && [ -e /usr/lib/mono/4.5/System.Runtime.Serialization.dll ]; }
if ! installed; then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive nice apt-get install -y -qq --no-install-recommends mono-mcs mono-runtime libnewtonsoft-json5.0-cil libmono-system-componentmodel-dataannotations4.0-cil \
    libmono-system-runtime-serialization4.0-cil; } >/dev/null 2>&1 && installed || { echo "mono-mcs, mono-runtime and libnewtonsoft-json5.0-cil are needed"; exit 2; }
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
nice mvn --quiet --batch-mode dependency:copy -Dartifact=org.openapitools:openapi-generator-cli:7.14.0 -DoutputDirectory="$work" >mvn.log 2>&1 || { cat mvn.log; exit 2; }
cat >contract.json <<'JSON'
{"openapi": "3.1.0", "info": {"title": "tried", "version": "1"}, "paths": {"/persons": {
  "post": {"operationId": "import", "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Person"}}}},
    "responses": {"204": {"description": "taken"}}}}},
 "components": {"schemas": {"Person": {"type": "object", "required": ["id"], "properties": {
   "id": {"type": "string"}, "email": {"type": ["string", "null"]}, "ends": {"type": ["string", "null"]}, "title": {"type": "string"}}}}}}
JSON
cat >Finding.cs <<'CS'
using System;
using Org.OpenAPITools.Model;

public static class Finding {
  static string Told(Person person) { return person.ToJson().Replace("\r", "").Replace("\n", "").Replace("  ", " "); }

  public static void Main() {
    Console.WriteLine(Told(new Person("1") { Email = "lis@example.dk" }));
    Console.WriteLine(Told(new Person("1") { Email = "lis@example.dk", Ends = null }));
    Console.WriteLine(Told(new Person("1") { Id = "1", Email = "lis@example.dk" }));
  }
}
CS
changed=
told() { # what, rest of the generator's options, what is sent where one field is set, where the other is set to null besides, and where the required one is set by its property
  local sent
  rm -rf made
  nice java -jar openapi-generator-cli-7.14.0.jar generate -g csharp -i contract.json -o made --global-property models,supportingFiles,modelDocs=false,modelTests=false \
    --additional-properties="targetFramework=netstandard2.0,validatable=false,$2" >made.log 2>&1 || { cat made.log; exit 1; }
  nice mcs -langversion:latest -nowarn:0105,0168,0219 -out:finding.exe -r:"$json" -r:System.Runtime.Serialization.dll -r:System.ComponentModel.DataAnnotations.dll Finding.cs \
    made/src/Org.OpenAPITools/Model/Person.cs made/src/Org.OpenAPITools/Client/OpenAPIDateConverter.cs made/src/Org.OpenAPITools/Client/FileParameter.cs
  sent=$(MONO_PATH=$(dirname "$json") nice mono finding.exe)
  printf '%s:\n%s\n' "$1" "$sent"
  [ "$sent" = "$3"$'\n'"$4"$'\n'"$5" ] || changed="$changed $1;"
}
null='{ "id": "1", "email": "lis@example.dk", "ends": null}'
none='{ "id": "1", "email": "lis@example.dk"}'
told 'httpclient' library=httpclient "$null" "$null" "$null"
told 'httpclient, conditionalSerialization' library=httpclient,conditionalSerialization=true '{ "email": "lis@example.dk"}' '{ "email": "lis@example.dk", "ends": null}' "$none"
[ -z "$changed" ] || { echo "the behaviour has changed:$changed"; exit 1; }
