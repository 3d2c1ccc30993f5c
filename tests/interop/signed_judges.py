"""Three judges beside us: is a signed message good?

    signed_judges.py DIR [--xmlsec1 COUNT]

DIR is what `cargo run --example signed_cases -- DIR COUNT SEED` wrote. Santuario judges every message, WSS4J every message
in a form that it takes, xmlsec1 assertions, metadata and messages with a certificate (all, or COUNT of them spread evenly:
each costs a process); lxml (libxml2) and Santuario judge every canonical form.

What we say is valid must be valid to each. A digest or a signature that we say is wrong must not hold to any. What the
profile refuses is told by reason, beside what the others say: REFUSED has every reason that may differ, and why.
DIR/verdicts.jsonl has what each said of each message. Exit code 0: no verdict differs.
"""

import argparse
import base64
import collections
import concurrent.futures
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from lxml import etree

ROOT = Path(__file__).resolve().parents[2]
JUDGE = Path(os.environ.get("HJEMMEL_INTEROP", ROOT / "target/interop")) / "wss4j"

# What we refuse whatever the signature says. Where the others find such a message good, this is why they may.
REFUSED = {
    "CommentRefused": "comments are not digested: readers that stop at one read another text (CVE-2017-11427)",
    "ProcessingInstructionRefused": "SOAP forbids them",
    "DuplicateId": "one id must name one element, whatever the attribute is called",
    "SecurityStructure": "one place for each part: what stands elsewhere may be signed, but is not what is read",
    "SignatureCoverage": "a signature that holds, but not over all that must be signed",
    "SignatureAlgorithm": "algorithms and transforms outside the list",
    "EnvelopeStructure": "one Header, one Body, one payload",
    "AddressingInvalid": "addressing headers that are not plain text, or are there twice",
    "MustUnderstand": "a header that nobody here understands",
    "MalformedXml": "relative namespace names and the like: well-formed to others, canonicalised to nothing by some",
    "NotSoap": "another namespace than SOAP's",
    "OtherCertificate": "the certificate beside the signature is not that of the key that made it",
    "TokenInvalid": "the holder's certificate stands in its one place",
    "MessageTooComplex": "bounds",
}

EXC_C14N = "{http://www.w3.org/2001/10/xml-exc-c14n#}"


# ---- the judges ------------------------------------------------------------------------------------------------------

def java(what, lines):
    command = ["java", "-Xmx2g", "-Xss16m", "-cp", f"{JUDGE}/classes:{JUDGE}/lib/*", "dk.hjemmel.interop.Differential", what]
    run = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, encoding="utf-8", check=True)
    return run.stdout.splitlines()


def key(folder, case, role):
    return folder / "keys" / (case[role] + ".pem")


def santuario_and_wss4j(folder, cases):
    lines = ["\t".join([str(folder / "messages" / case["file"]), case["kind"], str(key(folder, case, "issuer")),
                        str(key(folder, case, "holder")), "yes" if case["wss4j"] else "no"]) for case in cases]
    for answer in java("messages", lines):
        file, santuario, wss4j = answer.split("\t")
        yield Path(file).name, {"Santuario": santuario} | ({} if wss4j == "-" else {"WSS4J": wss4j})


def xmlsec1(folder, case):
    """The first signature of the document, by the key given, ids being whatever is called an id."""
    file = folder / "messages" / case["file"]
    try:
        root = etree.fromstring(file.read_bytes(), etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    except etree.XMLSyntaxError as error:
        return f"invalid: {error}"
    # libxmlsec1 takes two spaces in a PrefixList for a prefix without letters, and that for the default namespace.
    if any(" ".join(e.get("PrefixList", "").split()) != e.get("PrefixList", "") for e in root.iter(EXC_C14N + "InclusiveNamespaces")):
        return None
    role = "issuer" if case["kind"] in ("assertion", "metadata") else "holder"
    command = ["xmlsec1", "--verify", "--pubkey-cert-pem", str(key(folder, case, role)), "--enabled-key-data", "rsa,ec,ecdsa",
               "--enabled-reference-uris", "same-doc"]
    ids = {(etree.QName(name).localname, etree.QName(element)) for element in root.iter(etree.Element)
           for name in element.attrib if etree.QName(name).localname.lower() == "id"}
    for attribute, name in sorted(ids, key=str):
        command += [f"--id-attr:{attribute}", f"{name.namespace}:{name.localname}" if name.namespace else name.localname]
    run = subprocess.run([*command, str(file)], capture_output=True, text=True)
    return "valid" if run.returncode == 0 else "invalid: " + " ".join((run.stderr or run.stdout).split())[:300]


def libxml2(lines):
    """Every canonical form that libxml2 writes otherwise, and how many there are."""
    forms = 0
    for line in lines:
        coded, *told = line.split("\t")
        root = etree.fromstring(base64.b64decode(coded), etree.XMLParser(strip_cdata=False))
        elements = list(root.iter(etree.Element))
        for form in told:
            apex, prefixes, ours = form.split(":")
            if "#default" in prefixes:
                # lxml does not hand this name on; Santuario judges it here, and xmlsec1 in messages.
                continue
            theirs = etree.tostring(elements[int(apex)], method="c14n", exclusive=True, with_comments=False, with_tail=False,
                                    inclusive_ns_prefixes=prefixes.split())
            forms += 1
            if hashlib.sha256(theirs).hexdigest() != ours:
                yield f"libxml2 writes {form} of {base64.b64decode(coded).decode()} as {theirs.decode()}"
    print(f"{forms} canonical forms of {len(lines)} documents judged by libxml2 {'.'.join(map(str, etree.LIBXML_VERSION))}")


# ---- the comparison --------------------------------------------------------------------------------------------------

def differences(case, verdicts):
    """What this case shows of us, by each judge."""
    ours = case["verdict"]
    if case["streamed"] is not None and (case["streamed"] == "valid") != (ours == "valid"):
        yield f"ours: {ours}, but {case['streamed']} while it streams"
    if case["mutation"] == "none" and ours != "valid":
        yield f"the generator made a message that is not good: {case['told']}"
    for judge, theirs in verdicts.items():
        holds = theirs == "valid"
        if ours == "valid" and not holds:
            yield f"{judge} refuses what we find valid: {theirs}"
        if ours in ("digest", "signature") and holds:
            yield f"{judge} finds valid what we refuse: {case['told']}"
        if ours == "refused" and holds and case["code"] not in REFUSED:
            yield f"{judge} finds valid what we refuse for no reason of the profile: {case['told']}"


def spread(cases, some):
    """About so many of the cases, whole families of them, evenly from first to last; all where `some` is None."""
    families = sorted({case["base"] for case in cases})
    step = 1 if some is None else max(1, round(len(cases) / some)) if some else len(cases)
    chosen = set(families[::step]) if some != 0 else set()
    return [case for case in cases if case["base"] in chosen]


def table(rows, heads):
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")


def messages(folder, cases, some):
    if not shutil.which("xmlsec1"):
        print("DID NOT RUN: xmlsec1 is not installed", file=sys.stderr)
        some = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        eligible = spread([case for case in cases if case["kind"] != "request"], some)
        by_xmlsec1 = dict(zip((case["file"] for case in eligible), pool.map(lambda case: xmlsec1(folder, case), eligible)))
    verdicts = dict(santuario_and_wss4j(folder, cases))
    for file, verdict in by_xmlsec1.items():
        if verdict is not None:
            verdicts[file]["xmlsec1"] = verdict
    # What is said of a change counts where the judge takes the message that was changed.
    for case in cases:
        verdicts[case["file"]] = {judge: theirs for judge, theirs in verdicts[case["file"]].items() if judge in verdicts[case["base"]]}

    with (folder / "verdicts.jsonl").open("w") as file:
        file.writelines(json.dumps(case | {"judges": verdicts[case["file"]]}) + "\n" for case in cases)
    told, agreed, refused = [], collections.Counter(), collections.defaultdict(collections.Counter)
    for case in cases:
        for difference in differences(case, verdicts[case["file"]]):
            told.append(f"{case['file']} ({case['kind']}; {case['shape']}; {case['mutation']}): {difference}")
        for judge, theirs in verdicts[case["file"]].items():
            agreed[judge, case["kind"], case["verdict"]] += 1
            if case["verdict"] == "refused":
                refused[case["code"]][judge, theirs == "valid"] += 1
    judges = ["Santuario", "WSS4J", "xmlsec1"]
    print(f"\n{len(cases)} messages. Judged by each, by our verdict (valid / digest / signature / refused by the profile):\n")
    words = ["valid", "digest", "signature", "refused"]
    kinds = sorted({case["kind"] for case in cases})
    table([[kind] + [" / ".join(str(agreed[judge, kind, word]) for word in words) for judge in judges] for kind in kinds], ["kind", *judges])
    print("\nRefused by the profile, and how many of them the others find valid:\n")
    table([[code, sum(case["code"] == code for case in cases)] + [f"{refused[code][judge, True]} of {refused[code][judge, True] + refused[code][judge, False]}" for judge in judges]
           + [REFUSED.get(code, "never valid to anybody")] for code in sorted(refused)], ["code", "messages", *judges, "why it may differ"])
    mutations = collections.defaultdict(collections.Counter)
    for case in cases:
        mutations[case["mutation"]][case["verdict"]] += 1
    print("\nMutations, by our verdict:\n")
    table([[name] + [mutations[name][word] for word in words] for name in sorted(mutations)], ["mutation", *words])
    return told


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--xmlsec1", type=int, metavar="COUNT", help="ask xmlsec1 of about so many messages only")
    options = parser.parse_args()
    cases = [json.loads(line) for line in (options.folder / "manifest.jsonl").read_text().splitlines()]
    lines = (options.folder / "canonical.tsv").read_text().splitlines()
    told = {
        "canonical bytes, libxml2": list(libxml2(lines)),
        "canonical bytes, Santuario": java("canonical", lines),
        "messages": messages(options.folder, cases, options.xmlsec1),
    }
    print(f"\n{sum(map(len, told.values()))} differences")
    for what, differing in told.items():
        if differing:
            print(f"{what}: {len(differing)}")
        for line in differing[:100]:
            print("  " + line)
    return 1 if any(told.values()) or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
