"""The rules of SF1590_A Finans told a second time, from docs/services.md and docs/faults.md, over Python's own XML reader and decimals.

Arguments: a folder with list.xml (a value list), the caller's CVR number and its it-system; deliveries are the files *.delivery in it. For each, by
name, a JSON line with what must be found, in the order of the delivery: code, voucher, posting.
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


def text(element, path):
    found = element.find("/".join(FB + part for part in path.split("/")))
    return None if found is None else (found.text or "").strip()


def day(written):
    return date.fromisoformat(written) if written else None


def within(on, first, last):
    return (first is None or first <= on) and (last is None or on <= last)


def value_list(path):
    root = ElementTree.parse(path).getroot()
    get = lambda element, name: element.findtext(LIST + name)
    parts = {}
    for part in root.findall(LIST + "Delsortiment"):
        codes = {get(e, "Kode"): (day(get(e, "GyldigFra")), day(get(e, "GyldigTil"))) for e in part.findall(LIST + "Element")}
        parts[part.get("navn")] = (part.get("kraeverPart") == "true", codes)
    return {"id": get(root, "UUID"), "version": get(root, "Version"), "from": day(get(root, "GyldigFra")), "to": day(get(root, "GyldigTil")), "parts": parts}


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


def party_can_be(party):
    scheme, number = party.rsplit(":", 1)
    return cpr_can_be(number) if scheme == "urn:oio:cpr-nr" else number[0] != "0"


def judged(root, known, caller, system):
    found = []
    tell = lambda code, voucher=None, posting=None: found.append([code, voucher, posting])
    two = lambda amount: re.fullmatch(r"[0-9]+\.[0-9]{2}", amount) is not None
    if text(root, "AfsenderMyndighed") != "urn:oio:cvr-nr:" + caller:
        tell("FB001")
    if text(root, "AfsenderItSystem") != system:
        tell("FB001")
    trial = text(root, "Proeve") in ("true", "1")
    if trial:  # The time for tests is not open.
        tell("FB006")
    same = text(root, "SortimentReference/UUID") == known["id"] and text(root, "SortimentReference/Version") == known["version"]
    if not same or day(text(root, "SortimentReference/GyldigFra")) != known["from"]:
        tell("FB002")
    for name in ("SumDebet", "SumKredit"):
        if not two(text(root, "Kontrol/" + name)):
            tell("FB011")
    ids, sums, count, vouchers = set(), {"D": Decimal(0), "K": Decimal(0)}, 0, root.findall(FB + "Finansbilag")
    for voucher in vouchers:
        own, on, balance, last = text(voucher, "BilagID"), day(text(voucher, "Bogfoeringsdato")), Decimal(0), None
        if own in ids:
            tell("FB013", own)
        ids.add(own)
        holds = same and within(on, known["from"], known["to"])
        if same and not holds:
            tell("FB002", own)
        for posting in voucher.findall(FB + "Finanspostering"):
            count += 1
            number, side, amount = int(text(posting, "PosteringNummer")), text(posting, "DebetKredit"), text(posting, "Beloeb")
            sums[side] += Decimal(amount)
            balance += Decimal(amount) if side == "D" else -Decimal(amount)
            if last is not None and number <= last:
                tell("FB014", own, number)
            last = number
            if not two(amount):
                tell("FB011", own, number)
            if Decimal(amount) == 0 and not trial:
                tell("FB015", own, number)
            demands = False
            if holds:
                for element in posting.findall(f"{FB}Kontering/{FB}Element"):
                    needs, codes = known["parts"].get(text(element, "Delsortiment"), (False, {}))
                    demands = demands or needs
                    code = text(element, "Kode")
                    if code not in codes:
                        tell("FB020", own, number)
                    elif not within(on, *codes[code]):
                        tell("FB021", own, number)
            party = text(posting, "Part")
            if (party is None and demands) or (party is not None and not party_can_be(party)):
                tell("FB040", own, number)
        if balance != 0:
            tell("FB010", own)
    if int(text(root, "Kontrol/AntalBilag")) != len(vouchers):
        tell("FB003")
    if int(text(root, "Kontrol/AntalPosteringer")) != count:
        tell("FB003")
    if Decimal(text(root, "Kontrol/SumDebet")) != sums["D"]:
        tell("FB004")
    if Decimal(text(root, "Kontrol/SumKredit")) != sums["K"]:
        tell("FB005")
    return found


def main():
    folder, caller, system = sys.argv[1:]
    known = value_list(Path(folder) / "list.xml")
    for path in sorted(Path(folder).glob("*.delivery")):
        print(json.dumps([path.stem, judged(ElementTree.parse(path).getroot(), known, caller, system)]))


if __name__ == "__main__":
    main()
