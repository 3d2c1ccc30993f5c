#!/usr/bin/env bash
# openapi-generator 7.14.0, Go: an answer with a field that the contract did not have when the client was made is an error, after the call has been carried out.
#
# Guessed:  a schema that does not say `additionalProperties: false` lets other fields be there (JSON Schema), and encoding/json passes over what a struct has not; so a service may add a field to its
#           answers, and RFC 9457, § 3.2, bids clients to ignore members of a problem that they do not know.
# Happens:  each model with a field that must be there reads strictly: of a 201 with one field more the method returns `json: unknown field "…"` and an empty model, like after a failure, though the
#           service has done what was asked; whoever tries again asks a second time. A model of which nothing must be there passes over it. Of a problem with one member more the error says "json:
#           unknown field" in the place of "409 Conflict" and the title, and Model() is nil; only Body() has the problem's code. With the generator's option
#           disallowAdditionalPropertiesIfNotPresent=false, which is off by default, the field is kept in AdditionalProperties and all comes right.
# Product:  a new version may add fields to what the API answers and to problems. docs/clients/api.md says which option to generate with.
#
# Needs java 11 or later, mvn and go. Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
for tool in java mvn go; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
nice mvn --quiet --batch-mode org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -Dartifact=org.openapitools:openapi-generator-cli:7.14.0 -DoutputDirectory="$work" >mvn.log 2>&1 || { cat mvn.log; exit 2; }
cat >contract.json <<'JSON'
{"openapi": "3.1.0", "info": {"title": "tried", "version": "1"}, "paths": {
 "/agreements": {"post": {"operationId": "ask", "responses": {"201": {"description": "asked for", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Agreement"}}}},
   "default": {"description": "refused", "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}}},
  "get": {"operationId": "look", "responses": {"200": {"description": "nothing of it must be there", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Loose"}}}}}}}},
 "components": {"schemas": {
  "Agreement": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}, "state": {"type": "string"}}},
  "Loose": {"type": "object", "properties": {"id": {"type": "string"}}},
  "Problem": {"type": "object", "required": ["code", "title"], "properties": {"code": {"type": "string"}, "title": {"type": "string"}}}}}}
JSON
generate() { nice java -XX:TieredStopAtLevel=1 -jar openapi-generator-cli-7.14.0.jar generate -g go -i contract.json "$@" >made.log 2>&1 || { cat made.log; exit 1; }; }
generate -o strict --package-name strict
generate -o open --package-name open --additional-properties disallowAdditionalPropertiesIfNotPresent=false
rm -rf strict/go.* strict/test open/go.* open/test
printf 'module tried\n\ngo 1.18\n' >go.mod
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	"tried/open"
	"tried/strict"
)

var posts int

// Answers are as the contract has them; with /new, /new/agreements has one field more.
func answer(to http.ResponseWriter, from *http.Request) {
	more := ""
	if from.URL.Path == "/new/agreements" {
		more = `, "since": "2026-12-01"`
	}
	kind, status, body := "application/json", 200, `{"id": "a1"`
	if from.Method == "POST" {
		posts++
		status = 201
		if from.Header.Get("Refuse") != "" {
			kind, status, body = "application/problem+json", 409, `{"code": "ApiTaken", "title": "Taken"`
		}
	}
	to.Header().Set("Content-Type", kind)
	to.WriteHeader(status)
	fmt.Fprint(to, body+more+"}")
}

func strictly(address string, refuse bool) string {
	settings := strict.NewConfiguration()
	settings.Servers = strict.ServerConfigurations{{URL: address}}
	if refuse {
		settings.AddDefaultHeader("Refuse", "yes")
	}
	made, response, err := strict.NewAPIClient(settings).DefaultAPI.Ask(context.Background()).Execute()
	if failure, is := err.(*strict.GenericOpenAPIError); is {
		return fmt.Sprintf("%d, error %q, model %v, problem %v, body %s", response.StatusCode, failure.Error(), made.GetId(), failure.Model(), failure.Body())
	}
	return fmt.Sprintf("%d, error %v, model %v", response.StatusCode, err, made.GetId())
}

func loosely(address string) string {
	settings := strict.NewConfiguration()
	settings.Servers = strict.ServerConfigurations{{URL: address}}
	made, response, err := strict.NewAPIClient(settings).DefaultAPI.Look(context.Background()).Execute()
	return fmt.Sprintf("%d, error %v, model %v", response.StatusCode, err, made.GetId())
}

func openly(address string, refuse bool) string {
	settings := open.NewConfiguration()
	settings.Servers = open.ServerConfigurations{{URL: address}}
	if refuse {
		settings.AddDefaultHeader("Refuse", "yes")
	}
	made, response, err := open.NewAPIClient(settings).DefaultAPI.Ask(context.Background()).Execute()
	if failure, is := err.(*open.GenericOpenAPIError); is {
		problem, _ := failure.Model().(open.Problem)
		return fmt.Sprintf("%d, error %q, problem %v", response.StatusCode, failure.Error(), problem.Code)
	}
	return fmt.Sprintf("%d, error %v, model %v, more %v", response.StatusCode, err, made.GetId(), made.AdditionalProperties)
}

func main() {
	server := httptest.NewServer(http.HandlerFunc(answer))
	defer server.Close()
	now, then := server.URL, server.URL+"/new"
	seen := [][2]string{
		{"as the contract has it", strictly(now, false)},
		{"a field more", strictly(then, false)},
		{"a field more, nothing must be there", loosely(then)},
		{"a problem as the contract has it", strictly(now, true)},
		{"a problem with a member more", strictly(then, true)},
		{"with the option: a field more", openly(then, false)},
		{"with the option: a problem with a member more", openly(then, true)},
	}
	due := []string{
		"201, error <nil>, model a1",
		`201, error "json: unknown field \"since\"", model , problem <nil>, body {"id": "a1", "since": "2026-12-01"}`,
		"200, error <nil>, model a1",
		`409, error "409 Conflict Taken", model , problem {ApiTaken Taken}, body {"code": "ApiTaken", "title": "Taken"}`,
		`409, error "json: unknown field \"since\"", model , problem <nil>, body {"code": "ApiTaken", "title": "Taken", "since": "2026-12-01"}`,
		"201, error <nil>, model a1, more map[since:2026-12-01]",
		`409, error "409 Conflict Taken", problem ApiTaken`,
	}
	same := posts == 6
	for at, one := range seen {
		fmt.Println(one[0] + ": " + one[1])
		same = same && one[1] == due[at]
	}
	if !same {
		fmt.Println("the behaviour has changed")
		os.Exit(1)
	}
}
GO
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
nice go build -o tried-program . || exit 1
./tried-program
