#!/usr/bin/env bash
# fast-xml-parser 5.12.1 (npm) reads a line break of Windows as the five characters &#xD;, loses the spaces around a CDATA section, and writes an attribute that is "true" without its value.
#
# Guessed:  &#xD; and &#248; are read as the characters that they stand for, as &amp; and &lt; are (XML 1.0, § 4.1, without any declaration); a section is another way to write text; and what it reads its own
#           XMLBuilder writes again.
# Happens:  of references to characters by their number none is resolved, in texts and attributes, and written again &#xD; is &amp;#xD;. With htmlEntities: true they are. "Løn <![CDATA[& pension]]> juni" is read as
#           "Løn& pensionjuni", since white space is taken off each piece by itself (not with trimValues: false). The builder writes Proeve="true" as Proeve alone, which is no XML, and the package's own
#           validator refuses it; xsi:nil="true" and mustUnderstand="true" too. With suppressBooleanAttributes: false they are written whole. xml2js 0.6.2 does none of the three.
# Product:  hands messages on in canonical form, in which the carriage return of a Windows line break is &#xD;: a text of two lines, typed in Windows, shows &#xD; in the middle, and is four characters longer, which can be too
#           long where it is sent on. A message that is built so is refused (MalformedXml). docs/clients/field.md (fast-xml-parser) says which settings to give.
#
# Seen: "linje 1&#xD;\nlinje 2", "S&#248;ren", "Løn& pensionjuni", <Post Proeve v="false"><Nil xsi:nil>; with the settings "linje 1\r\nlinje 2", "Søren", "Løn & pension juni", Proeve="true".
# Needs node and npm. Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
for tool in node npm; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo '{"private": true}' >package.json
nice npm install --silent --no-audit --no-fund fast-xml-parser@5.12.1 xml2js@0.6.2 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat >try.js <<'JS'
const { XMLParser, XMLBuilder, XMLValidator } = require("fast-xml-parser");
const xml2js = require("xml2js");
const { isDeepStrictEqual } = require("node:util");

const xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"';
const message =
  `<Post Proeve="true" v="false"><Lines>linje 1&#xD;\nlinje 2</Lines><Name kind="S&#248;">S&#248;ren &amp; Lis</Name><Text>Løn <![CDATA[& pension]]> juni</Text><Nil xsi:nil="true" ${xsi}/></Post>`;
let same = true;
function check(what, got, due) {
  console.log(`${what}: ${JSON.stringify(got)}`);
  same &&= isDeepStrictEqual(got, due);
}
function tried(what, settings, texts, written, valid) {
  const all = { ignoreAttributes: false, parseTagValue: false, ...settings };
  const { Post } = new XMLParser(all).parse(message);
  check(`${what}, read`, [Post.Lines, Post.Name["#text"], Post.Name["@_kind"], Post.Text], texts);
  const again = new XMLBuilder(all).build({ Post });
  check(`${what}, written`, again, written);
  check(`${what}, is it XML`, XMLValidator.validate(again) === true, valid);
}

console.log("fast-xml-parser", require("./node_modules/fast-xml-parser/package.json").version);
tried(
  "as it is", {},
  ["linje 1&#xD;\nlinje 2", "S&#248;ren & Lis", "S&#248;", "Løn& pensionjuni"],
  `<Post Proeve v="false"><Lines>linje 1&amp;#xD;\nlinje 2</Lines><Name kind="S&amp;#248;">S&amp;#248;ren &amp; Lis</Name><Text>Løn&amp; pensionjuni</Text><Nil xsi:nil ${xsi}></Nil></Post>`,
  false,
);
tried(
  "with the settings", { htmlEntities: true, trimValues: false, suppressBooleanAttributes: false },
  ["linje 1\r\nlinje 2", "Søren & Lis", "Sø", "Løn & pension juni"],
  `<Post Proeve="true" v="false"><Lines>linje 1\r\nlinje 2</Lines><Name kind="Sø">Søren &amp; Lis</Name><Text>Løn &amp; pension juni</Text><Nil xsi:nil="true" ${xsi}></Nil></Post>`,
  true,
);
xml2js.parseString(message, (error, result) => {
  if (error) throw error;
  check("xml2js", [result.Post.Lines[0], result.Post.Name[0]._, result.Post.Text[0]], ["linje 1\r\nlinje 2", "Søren & Lis", "Løn & pension juni"]);
  const again = new xml2js.Builder({ headless: true, renderOpts: { pretty: false } }).buildObject(result);
  check("xml2js, written", again.slice(0, 30), '<Post Proeve="true" v="false">');
});
if (!same) console.log("the behaviour has changed");
process.exit(same ? 0 : 1);
JS
node try.js
