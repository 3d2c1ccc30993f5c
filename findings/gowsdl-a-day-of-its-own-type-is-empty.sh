#!/usr/bin/env bash
# gowsdl 0.5.0 (Go): a day of a type made from xs:date is sent as an empty element and read as none; xs:base64Binary is sent as the bytes themselves.
#
# Guessed:  what an xs:date is to the generated code, a type made from it is too; []byte, which it makes of xs:base64Binary, is written as base64, as Go's JSON writes it; an element that must be there
#           is written whatever its value is; an amount is a float64 and good to the øre.
# Happens:  the type becomes a Go type of its own (type DatoType soap.XSDDate), which in Go leaves the methods behind that write and read a day: the element goes out empty, and a day that came is gone
#           when it is sent on; nothing is said, and nothing in the type gives it back. An xs:date itself comes right, but on a line of its own it is none, without an error. Bytes are written as text,
#           unencoded, and what is read is the base64, undecoded. A boolean that is false, a number that is 0, and a text that is "" are left out, also where they must be there, and so is an
#           attribute. An amount from a million on has an exponent (1e+06), and of xs:integer there are 32 bits.
# Product:  Finansbilag's days are of such a type (DatoType), so that each voucher is refused by the schema (RequestInvalid, SchemaViolated), and a program that reads a voucher by these classes has no
#           day of it. docs/clients/field.md (gowsdl) says to make the types from xs:string in one's own copy, and to encode by hand.
#
# Seen: <Amount>1e+06</Amount>, <Day>2026-06-01</Day>, <Booked></Booked>, <Doc>hej</Doc>, no Must, no Count, no Empty, no seq; of an answer with all of them Booked is gone, Doc is "aGVq".
# Needs go (seen with 1.26). Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
command -v go >/dev/null || { echo "go is needed"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >service.wsdl <<'WSDL'
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">
  <wsdl:types><xs:schema targetNamespace="urn:t" elementFormDefault="qualified">
    <xs:simpleType name="AmountType"><xs:restriction base="xs:decimal"><xs:totalDigits value="13"/><xs:fractionDigits value="2"/></xs:restriction></xs:simpleType>
    <xs:simpleType name="DatoType"><xs:restriction base="xs:date"><xs:pattern value="[0-9]{4}-[0-9]{2}-[0-9]{2}"/></xs:restriction></xs:simpleType>
    <xs:simpleType name="TextType"><xs:restriction base="xs:string"><xs:pattern value="[0-9]{4}-[0-9]{2}-[0-9]{2}"/></xs:restriction></xs:simpleType>
    <xs:element name="Post"><xs:complexType><xs:sequence>
      <xs:element name="Amount" type="t:AmountType"/><xs:element name="Day" type="xs:date"/><xs:element name="Booked" type="t:DatoType"/>
      <xs:element name="Text" type="t:TextType"/><xs:element name="Doc" type="xs:base64Binary"/><xs:element name="Must" type="xs:boolean"/>
      <xs:element name="Count" type="xs:int"/><xs:element name="Empty" type="xs:string"/><xs:element name="Whole" type="xs:integer"/>
    </xs:sequence><xs:attribute name="seq" type="xs:int" use="required"/></xs:complexType></xs:element>
  </xs:schema></wsdl:types>
  <wsdl:message name="M"><wsdl:part name="p" element="t:Post"/></wsdl:message>
  <wsdl:portType name="P"><wsdl:operation name="post"><wsdl:input message="t:M"/><wsdl:output message="t:M"/></wsdl:operation></wsdl:portType>
  <wsdl:binding name="B" type="t:P">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="post"><soap:operation soapAction="urn:t/post"/>
      <wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="S"><wsdl:port name="O" binding="t:B"><soap:address location="http://localhost/"/></wsdl:port></wsdl:service>
</wsdl:definitions>
WSDL
cat >tools.go <<'GO'
//go:build tools

package main

import _ "github.com/hooklift/gowsdl"
GO
export GOFLAGS=-mod=mod
{ go mod init finding && nice go get github.com/hooklift/gowsdl@v0.5.0 && nice go run github.com/hooklift/gowsdl/cmd/gowsdl -d . -p gen -o gen.go service.wsdl; } >made.log 2>&1 || { cat made.log; exit 2; }
cat >main.go <<'GO'
package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"finding/gen"

	"github.com/hooklift/gowsdl/soap"
)

func main() {
	received, answer := "", ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received = string(body)
		fmt.Fprint(w, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><Post xmlns="urn:t" seq="1">`+answer+`</Post></s:Body></s:Envelope>`)
	}))
	client := gen.NewP(soap.NewClient(server.URL))
	same := true
	check := func(what, got, due string) {
		fmt.Printf("%s: %s\n", what, got)
		same = same && got == due
	}
	inside := func(message string) string {
		_, rest, _ := strings.Cut(message, "<Post")
		rest, _, _ = strings.Cut(rest, "</Post>")
		return strings.TrimPrefix(rest, ` xmlns="urn:t"`)
	}

	first := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	amount, booked, text := gen.AmountType(1000000.00), gen.DatoType(soap.CreateXsdDate(first, false)), gen.TextType("2026-06-01")
	request := &gen.Post{Amount: &amount, Day: soap.CreateXsdDate(first, false), Booked: &booked, Text: &text, Doc: []byte("hej"), Must: false, Count: 0, Empty: "", Whole: 5, Seq: 0}
	rest := "<Text>2026-06-01</Text><Doc>aGVq</Doc><Must>false</Must><Count>0</Count><Empty/><Whole>5</Whole>"
	answer = "<Amount>100.50</Amount><Day>2026-06-01</Day><Booked>2026-06-01</Booked>" + rest
	got, err := client.Post(request)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	check("sent", inside(received), "><Amount>1e+06</Amount><Day>2026-06-01</Day><Booked></Booked><Text>2026-06-01</Text><Doc>hej</Doc><Whole>5</Whole>")
	check("Doc that was read", string(got.Doc), "aGVq")
	again, _ := xml.Marshal(got)
	check("read and written", inside(string(again)), ` seq="1"><Amount>100.5</Amount><Day>2026-06-01</Day><Booked></Booked><Text>2026-06-01</Text><Doc>aGVq</Doc><Whole>5</Whole>`)

	answer = "<Amount>100.50</Amount><Day>\n2026-06-01\n</Day>" + rest
	got, err = client.Post(request)
	check("a day on a line of its own", fmt.Sprint(err, " ", got.Day.ToGoTime().Year()), "<nil> 1")

	answer = "<Amount>100.50</Amount><Day>2026-06-01</Day>" + strings.Replace(rest, "<Whole>5<", "<Whole>6107851240<", 1)
	_, err = client.Post(request)
	check("ten digits", fmt.Sprint(err), `strconv.ParseInt: parsing "6107851240": value out of range`)
	if !same {
		fmt.Println("the behaviour has changed")
		os.Exit(1)
	}
}
GO
nice go run .
