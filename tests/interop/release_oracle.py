"""An oracle for the release policy, independent of the filter: what of an index answer may, and must, leave.

    release_oracle.py CASES.jsonl…   one case a line: {"id", "context", "unfiltered", "filtered" or "fault"}
    release_oracle.py FOLDER…        NAME.context.json, NAME.unfiltered.xml, and NAME.filtered.xml or NAME.fault (a code)
    release_oracle.py -              JSON lines from standard input

Prints every difference and `N checked, M differences`; exits with 1 where there is any, with 2 where there was no case.

The context is an object:

    person        "6101801234": the CPR number asked about
    from, to      the window [from, to) as instants with an offset
    counterparts  CVR numbers whose benefits may be shown to the caller
    kle           null, a list of patterns (32.03.04, 32.*, 9*), or a list of such lists that must all hold
    names         {"99999991": "Udbetaling Danmark"}: the gateway's register of authorities
    filter        null (everything) or the OekonomiskEffektueringVis values asked for; [] is the empty filter
    options       net_amounts (false), start_end_dates (true), person_check ("prove" or "trust-index"),
                  empty_status (20), sensitivity (null or the list of Foelsomhed within the constraint)

It reads lxml trees by fixed child paths and works out, for each object, the facts that *must* be there and those that
*may* (where the policy's text leaves a choice). Everything else in the released answer is a difference.
"""

import json
import re
import sys
from collections import Counter
from datetime import datetime
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from lxml import etree

NS = {
    "yi": "urn:oio:sts:ydelse:ydelseindeks:6",
    "oei": "urn:oio:sts:ydelse:oekonomiskeffektueringindeks:6",
    "bi": "urn:oio:sts:ydelse:bevillingindeks:6",
    "go": "urn:oio:sts:generelleoperationer:6",
    "gd": "urn:oio:sts:generelledefinitioner:6",
    "sd": "urn:oio:sagdok:3.0.0",
}
OWNER_ROLE = "a91824c4-da1d-47f9-bce2-5d6597879415"
GRANTEE_ROLE = "3102fa7e-f56e-4510-b0d4-1650c590dc3b"
PAYEE_ROLE = "68d4b903-acae-4f2f-aafc-45bd999ed81f"
COPENHAGEN = ZoneInfo("Europe/Copenhagen")

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
AMOUNT = re.compile(r"-?[0-9]+(\.[0-9]+)?")
KLE = re.compile(r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}")
INDEX = re.compile(r"[0-9]{1,4}")
CVR = re.compile(r"[0-9]{8}")
CPR_URN = re.compile(r"urn:oio:cpr-nr:([0-9]{10})")
DATE_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?")

UUID_PATH = "sd:UUIDIdentifikator"
GROSS, NET = "SamletBruttobeloeb", ("BeloebEfterSkatATP", "BeloebSendtTilUdbetaling", "BeloebUdbetalt")


# ---- reading values --------------------------------------------------------------------------------------------------

@lru_cache(maxsize=None)
def compiled(path):
    return etree.XPath(path, namespaces=NS)


def children(element, path):
    return compiled(path)(element)


def text_of(element):
    """The whole text of an element: XPath's string() joins what comments, CDATA and processing instructions split."""
    return compiled("string()")(element).strip(" \t\r\n")


def value(element, path):
    """The whole text of the one simple element at `path`, or None: absent, repeated, or with elements inside."""
    found = children(element, path)
    if len(found) != 1 or children(found[0], "*"):
        return None
    return text_of(found[0])


def formed(pattern, text):
    return text if text is not None and pattern.fullmatch(text) else None


def instants(text):
    """Every instant that a dateTime can mean, in seconds since the epoch: two in the hour that the clock repeats, none
    where it is not a dateTime."""
    match = DATE_TIME.fullmatch(text or "")
    if not match:
        return []
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    extra, fraction = 0, Fraction("0" + (match[7] or ""))
    if hour == 24:
        if minute or second or fraction:
            return []
        hour, extra = 0, 86_400
    try:
        local = datetime(year, month, day, hour, minute, second)
    except ValueError:
        return []
    naive = (local - datetime(1970, 1, 1)) // (datetime(1970, 1, 1, 0, 0, 1) - datetime(1970, 1, 1))
    if match[8] is None:
        # The civil day after 24:00:00 may have another offset; ask for it at that day's own midnight.
        try:
            at = datetime.fromordinal(local.toordinal() + 1) if extra else local
        except (ValueError, OverflowError):
            return []
        offsets = {at.replace(tzinfo=COPENHAGEN, fold=fold).utcoffset().total_seconds() for fold in (0, 1)}
    elif match[8] == "Z":
        offsets = {0}
    else:
        hours, minutes = int(match[8][1:3]), int(match[8][4:6])
        if minutes > 59 or hours * 60 + minutes > 14 * 60:
            return []
        offsets = {(hours * 3600 + minutes * 60) * (-1 if match[8][0] == "-" else 1)}
    return [naive + extra + fraction - int(offset) for offset in offsets]


def placed(text, window):
    """Where a disposition date lies: 'in', 'out' or 'unreadable'."""
    readings = instants(text)
    if not readings:
        return "unreadable"
    return "in" if all(window[0] <= reading < window[1] for reading in readings) else "out"


def within_kle(number, constraint):
    """Whether a KLE number satisfies every list of patterns in `constraint`; a pattern ends in `*` or is whole."""
    if constraint is None:
        return True
    lists = constraint if constraint and isinstance(constraint[0], list) else [constraint]
    fits = lambda pattern: number.startswith(pattern[:-1]) if pattern.endswith("*") else number == pattern
    return number is not None and all(any(fits(p) for p in patterns) for patterns in lists)


# ---- what must and what may leave ------------------------------------------------------------------------------------

class Facts:
    """One element of the answer as field → value: those that must be there and those that may."""

    def __init__(self, name, optional=False):
        self.name, self.must, self.may, self.optional, self.parts = name, {}, {}, optional, {}

    def put(self, field, text, must=True):
        if text is not None:
            (self.must if must else self.may)[field] = text

    def loosen(self):
        """What had to be there now only may."""
        self.may.update(self.must)
        self.must, self.optional = {}, True
        for items in self.parts.values():
            for item in items:
                item.loosen()


class Grants:
    """The grants of the answer: for each UUID, whose it is ('person', 'other', 'unproven') and how sensitive.

    `open` holds those that may as well prove nothing, for the text does not say: a party without a role, the same
    grantee named twice, a deleted registration, or one without a grantee beside one with."""

    def __init__(self, output, person):
        grantees, self.sensitivity, self.open = {}, {}, set()
        for grant in children(output, "yi:BevillingFiltreretOejebliksbillede"):
            uuid = formed(UUID, value(grant, f"bi:ObjektType/{UUID_PATH}"))
            if uuid is None:
                continue
            whose = grantees.setdefault(uuid.lower(), set())
            for registration in children(grant, "bi:Registrering"):
                named = 0
                for part in children(registration, "bi:RelationListe/bi:Bevillingspart"):
                    role = value(part, f"gd:Rolle/{UUID_PATH}")
                    if children(part, "gd:Rolle") and (role or "").lower() != GRANTEE_ROLE:
                        continue
                    named += 1
                    urn = CPR_URN.fullmatch(value(part, "gd:ReferenceID/sd:URNIdentifikator") or "")
                    whose.add(urn[1] if urn else None)
                    if role is None:
                        self.open.add(uuid.lower())
                if named != 1 or any(text_of(e) == "Slettet" for e in children(registration, "sd:LivscyklusKode")):
                    self.open.add(uuid.lower())
            levels = children(grant, "bi:Registrering/bi:AttributListe/bi:Egenskaber/bi:Foelsomhed")
            self.sensitivity.setdefault(uuid.lower(), []).extend(text_of(e) for e in levels)
        self.whose = {}
        for uuid, whose in grantees.items():
            alone = next(iter(whose)) if len(whose) == 1 else None
            self.whose[uuid] = "unproven" if alone is None else "person" if alone == person else "other"

    def of(self, line):
        reference = formed(UUID, value(line, f"oei:BevilgetYdelseRef/{UUID_PATH}"))
        return (reference or "").lower(), self.whose.get((reference or "").lower(), "unproven")


class Expected:
    """What the release policy makes of an index answer."""

    def __init__(self, output, context):
        self.context = context
        self.options = {"net_amounts": False, "start_end_dates": True, "person_check": "prove", "empty_status": 20,
                        "sensitivity": None, **context.get("options", {})}
        self.window = [instants(context[end])[0] for end in ("from", "to")]
        self.kle = context.get("kle")
        self.filter = context.get("filter")
        self.grants = Grants(output, context["person"])
        self.objects, self.fault, self.may_fault = [], None, False
        self.status = value(output, "sd:StandardRetur/sd:StatusKode")
        if self.status not in ("20", "44"):
            self.fault = "*"
            return
        for element in children(output, "yi:OekonomiskEffektueringFiltreretOejebliksbillede"):
            facts = self.judged(element)
            if facts is not None:
                self.objects.append(facts)
        if self.filter and not any(map(self.shows, ("egenskaber", "aktoer", "oekonomiskeydelseeffektueringer"))):
            # Parts that are never released were asked for, and no others: bare objects or none.
            self.may_fault, self.fault = self.may_fault or bool(self.fault), None
            for facts in self.objects:
                facts.loosen()
        if self.filter == []:
            # No data was asked for; whether proof is still looked for is open.
            self.may_fault, self.fault, self.objects = self.may_fault or bool(self.fault), None, []

    def shows(self, part):
        return self.filter is None or part in self.filter

    # Rules 1 and 2: the registrations that pass, each with whether the text leaves a choice about it.
    def registrations(self, element):
        for registration in children(element, "oei:Registrering"):
            if any(text_of(e) == "Slettet" for e in children(registration, "sd:LivscyklusKode")):
                continue
            properties = children(registration, "oei:AttributListe/oei:Egenskaber")
            dates = [children(p, "oei:Dispositionsdato") for p in properties]
            places = [placed(value(p, "oei:Dispositionsdato"), self.window) if d else "none" for p, d in zip(properties, dates)]
            if "out" in places or "in" not in places:
                continue
            owners = [a for a in children(registration, "oei:RelationListe/oei:Aktoer")
                      if (value(a, f"gd:Rolle/{UUID_PATH}") or "").lower() == OWNER_ROLE]
            if len(owners) != 1:
                continue
            cvr = formed(CVR, value(owners[0], "oei:CVR-nr"))
            if cvr not in self.context["counterparts"]:
                continue
            dated = [p for p, place in zip(properties, places) if place == "in"]
            yield registration, dated, owners[0], "unreadable" in places

    def judged(self, element):
        """The facts of one object, or None where it is removed without a trace."""
        passing = list(self.registrations(element))
        if not passing:
            return None

        # Rule 3: KLE.
        kept, hidden_sum, proof = {}, set(), []
        for n, (registration, *_) in enumerate(passing):
            kept[n] = []
            for line in children(registration, "oei:RelationListe/oei:OekonomiskYdelseEffektueringRelation"):
                number = formed(KLE, value(line, "oei:Klassifikationsbeskrivelse"))
                if self.kle is not None and not within_kle(number, self.kle):
                    hidden_sum.add(n)
                else:
                    kept[n].append(line)
        if self.kle is not None and not any(kept.values()):
            return None

        # Rule 0: the person; and the sensitivity of the grants that prove it.
        choice, contrary = False, False
        emptied = {n for n in kept if n in hidden_sum and not kept[n]}
        everyone = [self.grants.of(line) for lines in kept.values() for line in lines]
        if self.options["person_check"] == "prove":
            proof = {verdict for _, verdict in everyone}
            unsure = any(grant in self.grants.open for grant, _ in everyone)
            if proof <= {"unproven"}:
                self.fault = self.fault or "PersonUnproven"
                return None
            # The text can be read both ways where some lines lack proof beside others that have it or are another's, and
            # where one registration has lines and another has none.
            choice = "unproven" in proof or unsure or any(not lines and n not in emptied for n, lines in kept.items())
            self.may_fault |= choice
            if "person" not in proof:
                return None
            contrary = proof != {"person"}
            proven = {n: [line for line in lines if self.grants.of(line)[1] == "person"] for n, lines in kept.items()}
            emptied |= {n for n in kept if kept[n] and not proven[n]}
            kept = proven
        elif any(verdict == "other" for _, verdict in everyone):
            # Whether the index is trusted against proof to the contrary is open.
            choice = True
        allowed = self.options["sensitivity"]
        if allowed is not None:
            levels = [self.grants.sensitivity.get(self.grants.of(line)[0]) or [None] for lines in kept.values() for line in lines] or [[None]]
            if any(level not in allowed for grant in levels for level in grant):
                return None

        identity = formed(UUID, value(element, f"oei:ObjektType/{UUID_PATH}"))
        facts = Facts(f"object {identity}")
        facts.put("UUIDIdentifikator", identity)
        facts.parts["Registrering"] = []
        for n, (registration, properties, owner, unread) in enumerate(passing):
            # A sum is withheld where it hides a line; whether rule 3 means the registration's or the object's is open.
            sums = "no" if contrary or n in hidden_sum else "may" if hidden_sum else "must"
            part = self.registration(registration, properties, owner, kept[n], sums)
            # What no line is left to vouch for may go or stay, but for its sums.
            if unread or n in emptied:
                part.loosen()
            facts.parts["Registrering"].append(part)
        if choice or identity is None:
            facts.loosen()
        return facts

    def registration(self, registration, properties, owner, lines, sums):
        facts = Facts("Registrering")
        facts.parts = {"Egenskaber": [], "Linje": [], "Aktoer": [], "Part": []}
        if self.shows("egenskaber"):
            for element in properties:
                item = Facts("Egenskaber")
                fields = ["Dispositionsdato"] + (["Startdato", "Slutdato"] if self.options["start_end_dates"] else [])
                for field in fields:
                    text = value(element, f"oei:{field}")
                    item.put(field, text if instants(text) else None)
                for field in [GROSS] + (list(NET) if self.options["net_amounts"] else []):
                    if sums != "no":
                        item.put(field, formed(AMOUNT, value(element, f"oei:{field}")), must=sums == "must")
                facts.parts["Egenskaber"].append(item)
        if self.shows("oekonomiskeydelseeffektueringer"):
            for element in lines:
                item = Facts("Linje")
                item.put("Klassifikationsbeskrivelse", formed(KLE, value(element, "oei:Klassifikationsbeskrivelse")))
                item.put("Ydelsesbeloeb", formed(AMOUNT, value(element, "oei:Ydelsesbeloeb")))
                item.put("Indeks", formed(INDEX, value(element, "gd:Indeks")))
                for field in ("Rolle", "Type", "ReferenceID"):
                    item.put(field, formed(UUID, value(element, f"gd:{field}/{UUID_PATH}")))
                for field in ("YdelsesperiodeStartdato", "YdelsesperiodeSlutdato"):
                    text = value(element, f"oei:{field}")
                    item.put(field, text if instants(text) else None)
                item.optional = not item.must
                facts.parts["Linje"].append(item)
        if self.shows("aktoer"):
            item = Facts("Aktoer")
            cvr = value(owner, "oei:CVR-nr")
            item.put("CVR-nr", cvr)
            for field in ("Rolle", "Type"):
                item.put(field, formed(UUID, value(owner, f"gd:{field}/{UUID_PATH}")))
            # The register's name, never the index's. Whether it is added where the index gave none is open.
            item.put("FuldtNavn", self.context.get("names", {}).get(cvr), must=bool(children(owner, "oei:FuldtNavn")))
            facts.parts["Aktoer"].append(item)
        # To which part of a filter the payee belongs is not told.
        for element in children(registration, "oei:RelationListe/oei:OekonomiskEffektueringPart"):
            urn = f"urn:oio:cpr-nr:{self.context['person']}"
            if value(element, "gd:ReferenceID/sd:URNIdentifikator") == urn and len(children(element, "gd:ReferenceID/*")) == 1:
                role = (value(element, f"gd:Rolle/{UUID_PATH}") or "").lower()
                known = role == PAYEE_ROLE or not children(element, "gd:Rolle")
                item = Facts("Part", optional=self.filter is not None or not known)
                item.put("ReferenceID", urn)
                for field in ("Rolle", "Type"):
                    item.put(field, formed(UUID, value(element, f"gd:{field}/{UUID_PATH}")))
                facts.parts["Part"].append(item)
        facts.optional = not any(facts.parts.values())
        return facts


# ---- what did leave --------------------------------------------------------------------------------------------------

LINE = "oei:OekonomiskYdelseEffektueringRelation"
OUTPUT = "yi:FremsoegYdelseIndeksOutput"
OBJECT = "yi:OekonomiskEffektueringFiltreretOejebliksbillede"


def paths():
    """Every element path that an answer can have, root included."""
    def below(parent, names):
        return {f"{parent}/{name}" for name in names}

    relation = f"{OBJECT}/oei:Registrering/oei:RelationListe"
    properties = f"{OBJECT}/oei:Registrering/oei:AttributListe/oei:Egenskaber"
    allowed = {"", "sd:StandardRetur", "yi:Antal", OBJECT}
    allowed |= below("sd:StandardRetur", ["sd:StatusKode", "sd:FejlbeskedTekst", "sd:DetaljeretFejlbesked"])
    allowed |= below("yi:Antal", ["yi:Element", "yi:Antal", "yi:Paginering"])
    allowed |= below("yi:Antal/yi:Paginering", ["sd:FoersteResultatReference", "sd:MaksimalAntalKvantitet"])
    allowed |= below(OBJECT, ["oei:ObjektType", f"oei:ObjektType/{UUID_PATH}", "oei:Registrering"])
    allowed |= below(f"{OBJECT}/oei:Registrering", ["oei:AttributListe", "oei:TilstandListe", "oei:RelationListe"])
    allowed |= {properties} | below(properties, [f"oei:{f}" for f in ("Startdato", "Slutdato", GROSS, "Dispositionsdato", *NET)])
    for name in (LINE, "oei:Aktoer", "oei:OekonomiskEffektueringPart"):
        allowed |= below(relation, [name])
        for field in ("gd:Rolle", "gd:Type"):
            allowed |= below(f"{relation}/{name}", [field, f"{field}/{UUID_PATH}"])
    allowed |= below(f"{relation}/{LINE}", ["gd:Indeks", "gd:ReferenceID", f"gd:ReferenceID/{UUID_PATH}", *(f"oei:{f}" for f in (
        "YdelsesperiodeStartdato", "YdelsesperiodeSlutdato", "Ydelsesbeloeb", "Klassifikationsbeskrivelse"))])
    allowed |= below(f"{relation}/oei:Aktoer", ["oei:FuldtNavn", "oei:CVR-nr"])
    allowed |= below(f"{relation}/oei:OekonomiskEffektueringPart", ["gd:ReferenceID", "gd:ReferenceID/sd:URNIdentifikator"])
    return allowed


ALLOWED = paths()
CONTAINERS = {p for p in ALLOWED if any(q != p and q.startswith(f"{p}/") for q in ALLOWED)} | {"", f"{OBJECT}/oei:Registrering/oei:TilstandListe"}
PREFIX = {uri: prefix for prefix, uri in NS.items()}


def smuggled(element, path=""):
    """Whatever of the tree has no place in a released answer: elements, attributes, comments, stray text."""
    if not isinstance(element.tag, str):
        yield f"released: a comment or processing instruction in /{path}"
        return
    if path not in ALLOWED:
        yield f"released: element {path}"
        return
    for name in element.attrib:
        yield f"released: attribute {name} on /{path}"
    texts = [element.text or ""] + [child.tail or "" for child in element]
    if path in CONTAINERS and any(t.strip() for t in texts):
        yield f"released: text in /{path}"
    for child in element:
        name = "?"
        if isinstance(child.tag, str):
            tag = etree.QName(child)
            name = f"{PREFIX.get(tag.namespace, '{' + str(tag.namespace) + '}')}:{tag.localname}"
        yield from smuggled(child, f"{path}/{name}" if path else name)


def read(element, name, fields):
    """The facts of a released element: local field name → its values, for `fields` as path → field."""
    facts = Facts(name)
    for path, field in fields.items():
        found = [text_of(e) for e in children(element, path)]
        if found:
            facts.must[field] = found[0] if len(found) == 1 else " | ".join(found)
    return facts


def released(output):
    objects = []
    ids = {f"gd:{f}/*": f for f in ("Rolle", "Type", "ReferenceID")}
    local = lambda *names: {f"oei:{n}": n for n in names}
    for element in children(output, OBJECT):
        facts = read(element, "object", {f"oei:ObjektType/{UUID_PATH}": "UUIDIdentifikator"})
        facts.name = f"object {facts.must.get('UUIDIdentifikator')}"
        facts.parts["Registrering"] = []
        for registration in children(element, "oei:Registrering"):
            part = Facts("Registrering")
            every = lambda path: children(registration, path)
            part.parts = {
                "Egenskaber": [read(e, "Egenskaber", local("Dispositionsdato", "Startdato", "Slutdato", GROSS, *NET))
                               for e in every("oei:AttributListe/oei:Egenskaber")],
                "Linje": [read(e, "Linje", {**ids, "gd:Indeks": "Indeks", **local(
                    "Klassifikationsbeskrivelse", "Ydelsesbeloeb", "YdelsesperiodeStartdato", "YdelsesperiodeSlutdato")})
                    for e in every(f"oei:RelationListe/{LINE}")],
                "Aktoer": [read(e, "Aktoer", {**ids, **local("FuldtNavn", "CVR-nr")}) for e in every("oei:RelationListe/oei:Aktoer")],
                "Part": [read(e, "Part", ids) for e in every("oei:RelationListe/oei:OekonomiskEffektueringPart")],
            }
            facts.parts["Registrering"].append(part)
        objects.append(facts)
    return objects


# ---- comparing -------------------------------------------------------------------------------------------------------

def every_fact(facts, where):
    for field, text in facts.must.items():
        yield f"{where}/{field}", text
    for kind, items in facts.parts.items():
        for item in items:
            yield from every_fact(item, f"{where}/{kind}")


def compared(expected, found, where):
    """The differences between one expected and one released element."""
    told = []
    for field, text in found.must.items():
        if expected.must.get(field, expected.may.get(field)) != text:
            told.append(f"released: {where}/{field}, which no rule releases with this value")
    told += [f"missing: {where}/{field}" for field in expected.must if field not in found.must]
    for kind in {**expected.parts, **found.parts}:
        told += aligned(expected.parts.get(kind, []), found.parts.get(kind, []), f"{where}/{kind}")
    return told


def aligned(expected, found, where):
    """The fewest differences that explain `found` by `expected`, both in order."""
    @lru_cache(maxsize=None)
    def best(i, j):
        if i == len(expected) and j == len(found):
            return ()
        ways = []
        if i < len(expected):
            lost = () if expected[i].optional else tuple(f"missing: {p}" for p, _ in every_fact(expected[i], where)) or (f"missing: {where}",)
            ways.append(lost + best(i + 1, j))
        if j < len(found):
            extra = tuple(f"released: {p}, of an element that no rule releases" for p, _ in every_fact(found[j], where))
            ways.append((extra or (f"released: {where}, an element that no rule releases",)) + best(i, j + 1))
        if i < len(expected) and j < len(found):
            ways.append(tuple(compared(expected[i], found[j], f"{where}[{j + 1}]")) + best(i + 1, j + 1))
        return min(ways, key=len)

    return list(best(0, 0))


def objects_compared(expected, found):
    """As `aligned`, but objects are paired by their UUID, in order where several have the same, and the order is judged."""
    name = lambda facts: facts.must.get("UUIDIdentifikator", facts.may.get("UUIDIdentifikator"))
    told, queues, last = [], {}, -1
    for place, item in enumerate(expected):
        queues.setdefault(name(item), []).append((place, item))
    for item in found:
        queue = queues.get(name(item))
        place, same = queue.pop(0) if queue else (last, None)
        told += aligned([same] if same else [], [item], f"object {name(item)}")
        if place < last:
            told.append(f"released: object {name(item)} out of the index's order")
        last = place
    for queue in queues.values():
        told += aligned([item for _, item in queue], [], f"object {name(queue[0][1])}" if queue else "")
    return told


def counts(output, expected, objects):
    told, seen = [], Counter()
    lines = sum(len(r.parts["Linje"]) for o in objects for r in o.parts["Registrering"])
    # Under a filter that hides the lines, their number may be told as what was found within what may be released.
    hidden = None if expected.shows("oekonomiskeydelseeffektueringer") else "any"
    for count in children(output, "yi:Antal"):
        kind, number = value(count, "yi:Element"), value(count, "yi:Antal")
        seen[kind] += 1
        right = {"effektueringer": len(objects), "ydelser": lines}.get(kind)
        if right is None:
            told.append(f"released: a count of {kind}")
        elif number != str(right) and not (kind == "ydelser" and hidden):
            told.append(f"released: {number} {kind} are told, but {right} are in the answer")
        for text in children(count, "yi:Paginering/*"):
            if not re.fullmatch(r"[0-9]+", text_of(text)):
                told.append("released: paging that is no number")
    return told + [f"released: {n} counts of {kind}" for kind, n in seen.items() if n > 1]


def texts(output, source):
    """The index's own words, which are never passed on."""
    told = []
    for field in ("sd:FejlbeskedTekst", "sd:DetaljeretFejlbesked"):
        theirs, ours = value(source, f"sd:StandardRetur/{field}"), value(output, f"sd:StandardRetur/{field}")
        if theirs and ours and theirs in ours:
            told.append(f"released: the index's own {field}")
    return told


def silent_shape(output):
    """An answer without objects, as a caller sees its shape: paging values left out, for those the caller knows."""
    copy = etree.fromstring(etree.tostring(output))
    for paging in copy.iter(f"{{{NS['yi']}}}Paginering"):
        for number in paging:
            number.text = None
    return etree.tostring(copy, method="c14n", exclusive=True)


def differences(context, unfiltered, filtered=None, fault=None):
    """What is wrong with the outcome (an answer or a fault code), and the shape of the answer where it is empty."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    try:
        tree = etree.fromstring(unfiltered.encode() if isinstance(unfiltered, str) else unfiltered, parser)
        found = [e for e in tree.iter(f"{{{NS['yi']}}}FremsoegYdelseIndeksOutput")]
        usable = bool(found) and not tree.getroottree().docinfo.doctype
    except etree.XMLSyntaxError:
        usable = False
    if not usable:
        return ([] if fault else ["released: an answer where the index gave none that can be used"]), None
    expected = Expected(found[0], context)
    if expected.fault == "*":
        return ([] if fault else [f"released: an answer for the index's status {expected.status}"]), None
    if expected.fault:
        return ([] if fault == expected.fault else [f"outcome: {fault or 'an answer'}, but must be {expected.fault}"]), None
    if fault:
        return ([] if fault == "PersonUnproven" and expected.may_fault else [f"outcome: {fault}, but must be an answer"]), None

    answer = etree.fromstring(filtered.encode() if isinstance(filtered, str) else filtered, parser)
    outputs = [answer] if etree.QName(answer).localname == "FremsoegYdelseIndeksOutput" else \
        [e for e in answer.iter(f"{{{NS['yi']}}}FremsoegYdelseIndeksOutput")]
    if len(outputs) != 1:
        return [f"outcome: {len(outputs)} answers"], None
    output = outputs[0]
    objects = released(output)
    told = list(smuggled(output)) + objects_compared(expected.objects, objects)
    told += counts(output, expected, objects) + texts(output, found[0])
    status = value(output, "sd:StandardRetur/sd:StatusKode")
    right = str(expected.options["empty_status"]) if not objects else "20"
    if status != right:
        told.append(f"released: status {status}, but must be {right}")
    order = [etree.QName(e).localname for e in output if isinstance(e.tag, str)]
    if order != sorted(order, key=["StandardRetur", "Antal", OBJECT[3:]].index if set(order) <= {"StandardRetur", "Antal", OBJECT[3:]} else str):
        told.append("released: the answer's parts are not in the schema's order")
    return told, None if objects else silent_shape(output)


# ---- the cases -------------------------------------------------------------------------------------------------------

def cases(sources):
    for source in sources:
        if source != "-" and Path(source).is_dir():
            for file in sorted(Path(source).glob("*.context.json")):
                stem = file.name.removesuffix(".context.json")
                beside = lambda ending: file.with_name(stem + ending)
                case = {"id": stem, "context": json.loads(file.read_text()), "unfiltered": beside(".unfiltered.xml").read_bytes()}
                if beside(".fault").exists():
                    case["fault"] = beside(".fault").read_text().strip()
                else:
                    case["filtered"] = beside(".filtered.xml").read_bytes()
                yield case
        else:
            with (sys.stdin if source == "-" else open(source, encoding="utf-8")) as lines:
                yield from (json.loads(line) for line in lines if line.strip())


def main(sources):
    if not sources or sources[0] in ("-h", "--help"):
        print(__doc__)
        return 2
    checked = differing = 0
    shapes = {}
    for case in cases(sources):
        checked += 1
        told, shape = differences(case["context"], case["unfiltered"], case.get("filtered"), case.get("fault"))
        if shape is not None:
            # Silent: nothing left must not look otherwise than nothing found.
            key = json.dumps([case["context"].get("options", {}).get("empty_status", 20)])
            first, shown = shapes.setdefault(key, (case.get("id"), shape))
            if shape != shown:
                told.append(f"released: an empty answer that does not look like that of case {first}")
        differing += bool(told)
        for line in told:
            print(f"{case.get('id', checked)}: {line}")
    print(f"{checked} checked, {differing} differences")
    return 2 if checked == 0 else 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
