#!/usr/bin/env bash
# .NET's XmlSerializer reads a day with an offset, 2026-06-01+02:00, as 31 May on a machine whose zone is UTC, as containers have it.
#
# Guessed:  an xs:date is a day: what is read of 2026-06-01+02:00 is 1 June wherever the program runs, and is written back as 2026-06-01 or as it came.
# Happens:  the day is read as the instant of its midnight and turned into the machine's own zone. In Copenhagen it is 1 June; in UTC it is 31 May 22:00, the program shows 31 May, and 2026-05-31 is
#           written back, with no offset. The 31st of December is the 30th. On a developer's machine all is right. Of an xs:time the zone of the year 1 is taken: 10:00:00+02:00 is 09:00 in Copenhagen,
#           in summer too, and one without any offset is written back with +01:00 behind it. More than seven digits of a second are rounded, 23:59:59.99999999 to the next day, and T24:00:00, the
#           end of a day, ends the reading of the whole message (InvalidOperationException). A day without an offset, and an xs:dateTime, come right; so does all of it as a text.
#           Seen with .NET Core 3.1.23 (Linux); later runtimes were not tried.
# Product:  hands answers and deliveries on as they were written. Finansbilag's days have no offset (DatoType), but Axis2, and PHP where it is given a Unix time, write one elsewhere.
#           docs/clients/dotnet.md says how to read such a day.
#
# Needs python3 and Debian 12's package mono-mcs (a C# compiler), or root with apt-get to install it; the runtime and the OpenSSL 1.1 that it asks for come out of two packages of PyPI (x86-64).
# Exit 0: it still does so. Exit 1: it does something else. Exit 2: something cannot be installed.
set -euo pipefail
command -v python3 >/dev/null || { echo "python3 is needed"; exit 2; }
command -v mcs >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive nice apt-get install -y -qq --no-install-recommends mono-mcs; } >/dev/null 2>&1 || { echo "Debian's package mono-mcs is needed"; exit 2; }
[ -e /usr/share/zoneinfo/Europe/Copenhagen ] || { echo "tzdata is needed"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
nice venv/bin/pip install --quiet --disable-pip-version-check --no-deps dotnetcore2==3.1.23 || exit 2
nice venv/bin/pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --python-version 310 --platform manylinux_2_17_x86_64 -d wheels psycopg2-binary==2.9.5 || exit 2
python3 -m zipfile -e wheels/*.whl unpacked
mkdir ssl
cp unpacked/psycopg2_binary.libs/* ssl
mv ssl/libssl-*.so.1.1 ssl/libssl.so.1.1
dotnet=$(echo venv/lib/python3*/site-packages/dotnetcore2/bin)
framework=$dotnet/shared/Microsoft.NETCore.App/3.1.23
cat >Finding.cs <<'CS'
using System;
using System.IO;
using System.Xml.Serialization;

[XmlRoot("Answer", Namespace = "urn:t")]
public class Answer {
  [XmlElement(DataType = "date")] public DateTime Day;
  public DateTime At;
  [XmlElement(DataType = "time")] public DateTime Opens;
}

public static class Finding {
  public static void Main(string[] values) {
    var serializer = new XmlSerializer(typeof(Answer));
    foreach (string value in values) {
      string name = value.StartsWith("20") ? value.Contains("T") ? "At" : "Day" : "Opens";
      string told;
      try {
        var answer = (Answer) serializer.Deserialize(new StringReader("<Answer xmlns='urn:t'><" + name + ">" + value + "</" + name + "></Answer>"));
        var read = (DateTime) typeof(Answer).GetField(name).GetValue(answer);
        var written = new StringWriter();
        serializer.Serialize(written, answer);
        string xml = written.ToString();
        int from = xml.IndexOf("<" + name + ">") + name.Length + 2;
        told = read.ToString(name == "Day" ? "yyyy-MM-dd" : name == "At" ? "yyyy-MM-dd'T'HH:mm" : "HH:mm") + ", written back as " + xml.Substring(from, xml.IndexOf("</" + name) - from);
      } catch (InvalidOperationException error) {
        told = error.GetType().Name;
      }
      Console.WriteLine(value + ": " + told);
    }
  }
}
CS
references=
for name in System.Runtime System.Private.CoreLib System.Private.Xml System.Xml.XmlSerializer System.Xml.ReaderWriter System.Console System.Runtime.Extensions; do references="$references -r:$framework/$name.dll"; done
# shellcheck disable=SC2086
nice mcs -nostdlib -noconfig -nowarn:1702 $references -out:finding.dll Finding.cs
echo '{"runtimeOptions": {"framework": {"name": "Microsoft.NETCore.App", "version": "3.1.0"}, "configProperties": {"System.Globalization.Invariant": true}}}' >finding.runtimeconfig.json
run() { TZ=$1 LD_LIBRARY_PATH=$work/ssl nice "$dotnet/dotnet" finding.dll 2026-06-01 2026-06-01+02:00 2026-12-31+01:00 2026-06-30T23:59:59+02:00 10:00:00 10:00:00+02:00 2026-06-30T23:59:59.99999999 2026-06-30T24:00:00; }
run UTC >utc.txt
run Europe/Copenhagen >copenhagen.txt
cat >utc.due <<'DUE'
2026-06-01: 2026-06-01, written back as 2026-06-01
2026-06-01+02:00: 2026-05-31, written back as 2026-05-31
2026-12-31+01:00: 2026-12-30, written back as 2026-12-30
2026-06-30T23:59:59+02:00: 2026-06-30T21:59, written back as 2026-06-30T21:59:59+00:00
10:00:00: 10:00, written back as 10:00:00.0000000+00:00
10:00:00+02:00: 08:00, written back as 08:00:00.0000000+00:00
2026-06-30T23:59:59.99999999: 2026-07-01T00:00, written back as 2026-07-01T00:00:00
2026-06-30T24:00:00: InvalidOperationException
DUE
cat >copenhagen.due <<'DUE'
2026-06-01: 2026-06-01, written back as 2026-06-01
2026-06-01+02:00: 2026-06-01, written back as 2026-06-01
2026-12-31+01:00: 2026-12-31, written back as 2026-12-31
2026-06-30T23:59:59+02:00: 2026-06-30T23:59, written back as 2026-06-30T23:59:59+02:00
10:00:00: 10:00, written back as 10:00:00.0000000+01:00
10:00:00+02:00: 09:00, written back as 09:00:00.0000000+01:00
2026-06-30T23:59:59.99999999: 2026-07-01T00:00, written back as 2026-07-01T00:00:00
2026-06-30T24:00:00: InvalidOperationException
DUE
echo "on a machine in UTC:"; cat utc.txt
echo "on a machine in Copenhagen:"; cat copenhagen.txt
diff utc.due utc.txt && diff copenhagen.due copenhagen.txt || { echo "the behaviour has changed"; exit 1; }
