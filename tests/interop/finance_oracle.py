"""The rules of SF1590_A Finans told a second time, from docs/services.md and docs/faults.md, over Python's own XML reader and decimals.

Argument: a folder with lists/*.xml (value lists, common ones and supplements), and for each case NAME.delivery and NAME.json, which says what the
delivery is held against: caller, system, whether a time for tests is open, what each rule does ("modes"), whether there are value lists, and in the
environment for tests the operators' list of numbers ("test_numbers"; elsewhere null).
For each, by name, a JSON line: [NAME, findings, how many were left out, totals], a finding being [code, severity, voucher, posting].
"""

import json
import re
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

FB = "{urn:hjemmel:oekonomi:finansbilag:1}"
LIST = "{urn:hjemmel:oekonomi:sortiment:1}"
# What a rule does where nothing is said.
DEFAULTS = {"FB002": "warn", "FB020": "warn", "FB021": "warn", "FB040": "warn"}
# No setting makes these a warning, or turns them off.
ALWAYS = ("FB006", "FB041")
MOST = 20


def text(element, path):
    """A text as it stands, and as nothing where the element is not there."""
    found = element.find("/".join(FB + part for part in path.split("/")))
    return None if found is None else (found.text or "")


def value(element, path):
    """A number, date or boolean: white space around it does not count."""
    found = text(element, path)
    return None if found is None else found.strip(" \t\r\n")


def day(written):
    return date.fromisoformat(written) if written else None


def within(on, first, last):
    return (first is None or first <= on) and (last is None or on <= last)


def value_list(path):
    root = ElementTree.parse(path).getroot()
    get = lambda element, name: element.findtext(LIST + name)
    codes = lambda part: {
        get(e, "Kode"): (get(e, "KlasseUUID"), day(get(e, "GyldigFra")), day(get(e, "GyldigTil"))) for e in part.findall(LIST + "Element")
    }
    parts = {part.get("navn"): (part.get("kraeverPart") == "true", codes(part)) for part in root.findall(LIST + "Delsortiment")}
    return {
        "id": get(root, "UUID"), "version": get(root, "Version"), "authority": get(root, "Myndighed"),
        "from": day(get(root, "GyldigFra")), "to": day(get(root, "GyldigTil")), "parts": parts,
    }


def cpr_can_be(number):
    d, m, y, seventh = int(number[0:2]), int(number[2:4]), int(number[4:6]), int(number[6])
    if 61 <= d <= 91:
        d -= 60
    if seventh <= 3:
        year = 1900 + y
    elif seventh in (4, 9):
        year = 2000 + y if y <= 36 else 1900 + y
    else:
        year = 2000 + y if y <= 57 else 1800 + y
    try:
        date(year, m, d)
    except ValueError:
        return False
    return True


def for_tests(number, listed):
    """A number that nobody has by birth, or one that the operators know to be nobody's."""
    return 61 <= int(number[0:2]) <= 91 or number in listed


def party_can_be(party):
    scheme, number = party.rsplit(":", 1)
    return cpr_can_be(number) if scheme == "urn:oio:cpr-nr" else number[0] != "0"


def judged(root, lists, case):
    found = []

    def tell(code, voucher=None, posting=None):
        mode = "refuse" if code in ALWAYS else case["modes"].get(code, DEFAULTS.get(code, "refuse"))
        if mode != "off":
            found.append([code, mode, voucher, posting])

    two = lambda amount: re.fullmatch(r"[0-9]+\.[0-9]{2}", amount) is not None
    sender = text(root, "AfsenderMyndighed").removeprefix("urn:oio:cvr-nr:")
    if sender != case["caller"]:
        tell("FB001")
    if text(root, "AfsenderItSystem") != case["system"]:
        tell("FB001")
    trial = value(root, "Proeve") in ("true", "1")
    if trial and not case["trials"]:
        tell("FB006")
    named = (text(root, "SortimentReference/UUID"), text(root, "SortimentReference/Version"))
    of_version = [known for known in lists if (known["id"], known["version"]) == named]
    common = next((known for known in of_version if known["authority"] is None), None)
    supplements = [known for known in of_version if known["authority"] == sender]
    if case["lists"] and (common is None or day(value(root, "SortimentReference/GyldigFra")) != common["from"]):
        tell("FB002")
    same = case["lists"] and common is not None
    for name in ("SumDebet", "SumKredit"):
        if not two(value(root, "Kontrol/" + name)):
            tell("FB011")
    ids, sums, count, vouchers = set(), {"D": Decimal(0), "K": Decimal(0)}, 0, root.findall(FB + "Finansbilag")
    for voucher in vouchers:
        of, on, balance, last = text(voucher, "BilagID"), day(value(voucher, "Bogfoeringsdato")), Decimal(0), None
        if of in ids:
            tell("FB013", of)
        ids.add(of)
        holds = same and within(on, common["from"], common["to"])
        if same and not holds:
            tell("FB002", of)
        # Of the sender's supplements that have begun the last holds, until it ends; what is in the others is known all the same.
        begun = max((known for known in supplements if known["from"] <= on), key=lambda known: known["from"], default=None)
        in_force = [known for known in (common, begun) if known and within(on, known["from"], known["to"])]
        for posting in voucher.findall(FB + "Finanspostering"):
            count += 1
            number, side, amount = int(value(posting, "PosteringNummer")), text(posting, "DebetKredit"), value(posting, "Beloeb")
            sums[side] += Decimal(amount)
            balance += Decimal(amount) if side == "D" else -Decimal(amount)
            if last is not None and number <= last:
                tell("FB014", of, number)
            last = number
            if not two(amount):
                tell("FB011", of, number)
            if Decimal(amount) == 0 and not trial:
                tell("FB015", of, number)
            demands = False
            for element in posting.findall(f"{FB}Kontering/{FB}Element") if holds else []:
                part, code, wanted = text(element, "Delsortiment"), text(element, "Kode"), text(element, "KlasseUUID")
                # What is common and what the authority added; only the common list says that a party is demanded.
                demands = demands or common["parts"].get(part, (False, {}))[0]
                entries = [
                    (known in in_force, *known["parts"][part][1][code])
                    for known in (common, *supplements) if code in known["parts"].get(part, (False, {}))[1]
                ]
                entries = [entry for entry in entries if wanted is None or entry[1] is None or entry[1] == wanted]
                if not entries:
                    tell("FB020", of, number)
                elif not any(holding and within(on, first, end) for holding, _, first, end in entries):
                    tell("FB021", of, number)
            party = text(posting, "Part")
            # A number that cannot be anybody's is FB040's alone; companies and production units are no persons.
            person = party is not None and party.startswith("urn:oio:cpr-nr:") and party_can_be(party)
            if person and case["test_numbers"] is not None and not for_tests(party.rsplit(":", 1)[1], case["test_numbers"]):
                tell("FB041", of, number)
            if (party is None and demands) or (party is not None and not party_can_be(party)):
                tell("FB040", of, number)
        if balance != 0:
            tell("FB010", of)
    if int(value(root, "Kontrol/AntalBilag")) != len(vouchers):
        tell("FB003")
    if int(value(root, "Kontrol/AntalPosteringer")) != count:
        tell("FB003")
    if Decimal(value(root, "Kontrol/SumDebet")) != sums["D"]:
        tell("FB004")
    if Decimal(value(root, "Kontrol/SumKredit")) != sums["K"]:
        tell("FB005")
    # What refuses goes first, each in the order of the delivery; the first twenty are told.
    found.sort(key=lambda finding: finding[1] != "refuse")
    totals = [len(vouchers), count, f"{sums['D']:.2f}", f"{sums['K']:.2f}"]
    return [found[:MOST], max(0, len(found) - MOST), totals]


def main():
    folder = Path(sys.argv[1])
    lists = [value_list(path) for path in folder.glob("lists/*.xml")]
    for path in sorted(folder.glob("*.delivery")):
        case = json.loads(path.with_suffix(".json").read_text())
        print(json.dumps([path.stem, *judged(ElementTree.parse(path).getroot(), lists, case)]))


if __name__ == "__main__":
    main()
