"""Validate request and answer bodies with xmllint, by the index's own schemas and by ours.

    validate.py FILE...            each a yi:FremsoegYdelseIndeksInput or …Output, alone or in a SOAP envelope or wrapper
    validate.py --index-only FILE...   by the index's schemas alone (an honest index client may use more than our schema tells)

The index's schemas are read from ../shared/reference beside the project, or from the folder in HJEMMEL_REFERENCE.
Prints `N checked, M invalid`; the exit code is 1 where any is invalid, 3 where the index's schemas are not at hand.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from lxml import etree

ROOT = Path(__file__).resolve().parents[2]
YI = "{urn:oio:sts:ydelse:ydelseindeks:6}"
OURS = ROOT / "src/services/terminaladgang/contract/YdelseIndeks.xsd"


def index_schema():
    """The index's own schema, or None where the reference material is not at hand."""
    folder = Path(os.environ.get("HJEMMEL_REFERENCE", ROOT.parent / "shared/reference"))
    schema = folder / "ydelsesindeks-6/xsd/6.0.STS-0/YdelseIndeksOperationer.xsd"
    return schema if schema.exists() else None


def body(path):
    """The index's own element in the file, whatever is wrapped around it, as a document of its own."""
    root = etree.parse(str(path), etree.XMLParser(resolve_entities=False, no_network=True)).getroot()
    found = [e for e in root.iter(f"{YI}FremsoegYdelseIndeksInput", f"{YI}FremsoegYdelseIndeksOutput")]
    if not found:
        raise SystemExit(f"{path}: holds no FremsoegYdelseIndeksInput or …Output")
    element = found[0]
    element.tail = None
    return etree.tostring(element)


def errors(document, schema):
    """What xmllint holds against `document` (bytes); empty where it is valid."""
    with tempfile.NamedTemporaryFile(suffix=".xml") as file:
        file.write(document)
        file.flush()
        run = subprocess.run(["xmllint", "--nonet", "--noout", "--schema", str(schema), file.name],
                             capture_output=True, text=True)
    return [] if run.returncode == 0 else run.stderr.replace(file.name, "").strip().splitlines() or ["xmllint failed"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--index-only", action="store_true")
    options = parser.parse_args()
    schemas = {} if options.index_only else {"ours": OURS}
    if index_schema():
        schemas["the index's"] = index_schema()
    invalid = 0
    for file in options.files:
        document = body(file)
        for name, schema in schemas.items():
            problems = errors(document, schema)
            invalid += bool(problems)
            for problem in problems:
                print(f"{file}: by {name} schema: {problem}")
    print(f"{len(options.files)} checked, {invalid} invalid, by {' and '.join(schemas) or 'no'} schema(s)")
    if invalid:
        sys.exit(1)
    if not index_schema():
        print("DID NOT RUN: the index's schemas are not at hand (../shared/reference or HJEMMEL_REFERENCE)")
        sys.exit(3)


if __name__ == "__main__":
    main()
