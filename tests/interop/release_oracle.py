"""An oracle for the release policy, independent of the filter: what of an index answer may, and must, leave.

    release_oracle.py CASES.jsonl…   one case a line: {"id", "context", "unfiltered", "filtered" or "fault"}
    release_oracle.py FOLDER…        NAME.context.json, NAME.answer.xml, and NAME.released.xml or NAME.refused.txt (a code),
                                     as `cargo run --example release_cases` writes them
    release_oracle.py -              JSON lines from standard input

Prints every difference and `N checked, M differences`; exits with 1 where there is any, with 2 where there was no case.

The context is an object (a folder's has the names that `settings` translates):

    person        "6101801234": the CPR number asked about
    from, to      the window [from, to) as instants with an offset
    tomorrow      the first instant of the day after the call's in Copenhagen; needed where options.future is "withhold"
    counterparts  CVR numbers whose benefits may be shown to the caller
    kle           null, a list of patterns (32.03.04, 32.*, 9*), or a list of such lists that must all hold
    names         {"99999991": "Udbetaling Danmark"}: the gateway's register of authorities
    filter        null (everything) or the OekonomiskEffektueringVis values asked for; [] is the empty filter
    options       net_amounts (false), start_end_dates (true), person_check ("prove" or "trust-index"),
                  empty_status (20), sensitivity (null, or Foelsomhed's values within the constraint, in lists that must
                  all hold), naive ("copenhagen", or "refuse" a dateTime without an offset), future ("release", or
                  "withhold" what lies at or after `tomorrow`)

It reads lxml trees by fixed child paths and works out, for each object, the facts that must be there; everything else in
the released answer is a difference. Where the policy's text leaves a choice it holds to docs/decisions/release-policy.md.
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
LINE = "oei:OekonomiskYdelseEffektueringRelation"
OBJECT = "yi:OekonomiskEffektueringFiltreretOejebliksbillede"
# The parts of an answer, in the schema's order.
NAMES = ["sd:StandardRetur", "yi:Antal", "yi:BevillingFiltreretOejebliksbillede", OBJECT]
SENSITIVITIES = ["IKKE_FORTROLIGE_DATA", "FORTROLIGE_PERSONOPLYSNINGER", "FOELSOMME_PERSONOPLYSNINGER", "VIP_SAGER"]
GROSS, NET = "SamletBruttobeloeb", ("BeloebEfterSkatATP", "BeloebSendtTilUdbetaling", "BeloebUdbetalt")


# ---- reading values --------------------------------------------------------------------------------------------------

XSI = "{http://www.w3.org/2001/XMLSchema-instance}"


@lru_cache(maxsize=None)
def compiled(path):
    return etree.XPath(path, namespaces=NS)


def children(element, path):
    return compiled(path)(element)


def text_of(element):
    """The whole text of an element: XPath's string() joins what comments, CDATA and processing instructions split."""
    return compiled("string()")(element)


def typed(element):
    """Whether an element says of itself that it is another type, or nil."""
    return element.get(f"{XSI}type") is not None or element.get(f"{XSI}nil") is not None


PREFIX = {uri: prefix for prefix, uri in NS.items()}


def qualified(element):
    tag = etree.QName(element)
    return f"{PREFIX.get(tag.namespace, '{' + str(tag.namespace) + '}')}:{tag.localname}"


DOUBT = "\N{REPLACEMENT CHARACTER}"


def value(element, path):
    """The whole text of the one simple element at `path`; None where there is none; DOUBT where it cannot be told: it is
    repeated, typed, or has elements inside."""
    found = children(element, path)
    if not found:
        return None
    return DOUBT if len(found) > 1 or typed(found[0]) or children(found[0], "*") else text_of(found[0])


def identity(element, path="."):
    """The `sd:UUIDIdentifikator` or `sd:URNIdentifikator` of the one element at `path`, as (kind, text); None where the
    element is not there; DOUBT where it cannot be told which it is."""
    found = children(element, path)
    if not found:
        return None
    uuid, urn = value(found[0], "sd:UUIDIdentifikator"), value(found[0], "sd:URNIdentifikator")
    if len(found) > 1 or typed(found[0]) or DOUBT in (uuid, urn) or (uuid is None) == (urn is None):
        return DOUBT
    if urn is not None:
        return "urn", urn
    return ("uuid", uuid) if UUID.fullmatch(uuid) else DOUBT


def uuid(element, path="."):
    told = identity(element, path)
    return told[1] if told not in (None, DOUBT) and told[0] == "uuid" else None


def formed(pattern, text):
    return text if text is not None and pattern.fullmatch(text) else None


def instants(text, naive="copenhagen"):
    """Every instant that a dateTime can mean, in seconds since the epoch: two in the hour that the clock repeats, none
    where it is not a dateTime, or has no offset where that is refused."""
    match = DATE_TIME.fullmatch(text or "")
    if not match or (match[8] is None and naive == "refuse"):
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


def placed(text, window, naive):
    """Where a disposition date lies: 'in', 'out' or 'unreadable'."""
    readings = instants(text, naive)
    if not readings:
        return "unreadable"
    return "in" if all(window[0] <= reading < window[1] for reading in readings) else "out"


def as_lists(constraint):
    """A constraint as the lists that must all hold; None where there is none."""
    return [constraint] if constraint and not isinstance(constraint[0], list) else constraint


def within_kle(number, constraint):
    """Whether a KLE number satisfies every list of patterns in `constraint`; a pattern ends in `*` or is whole."""
    lists = as_lists(constraint)
    if lists is None:
        return True
    fits = lambda pattern: number.startswith(pattern[:-1]) if pattern.endswith("*") else number == pattern
    return number is not None and all(any(fits(p) for p in patterns) for patterns in lists)


# ---- what must leave -------------------------------------------------------------------------------------------------

class Facts:
    """One element of an answer: field → value, and the elements below it by kind."""

    def __init__(self, name, **parts):
        self.name, self.fields, self.parts = name, {}, parts

    def put(self, field, text):
        if text is not None:
            self.fields[field] = text


class Grants:
    """The grants of the answer by UUID: whose each is ('person', 'other' or 'unproven'), and how sensitive."""

    def __init__(self, output, person):
        self.person, self.whose, self.sensitivity = person, {}, {}
        for grant in children(output, "yi:BevillingFiltreretOejebliksbillede"):
            named = children(grant, "bi:ObjektType")
            name = uuid(named[0]) if len(named) == 1 else None
            if name is None:
                continue
            parts = [grant, *children(grant, "bi:ObjektType | bi:Registrering | bi:Registrering/bi:AttributListe"
                " | bi:Registrering/bi:AttributListe/bi:Egenskaber | bi:Registrering/bi:RelationListe"
                " | bi:Registrering/bi:RelationListe/bi:Bevillingspart")]
            said = {self.of_registration(r) for r in children(grant, "bi:Registrering")}
            verdict = said.pop() if len(said) == 1 and not any(map(typed, parts)) else "unproven"
            name = name.lower()
            if self.whose.setdefault(name, verdict) != verdict:
                self.whose[name] = "unproven"
            levels = [value(e, "bi:Foelsomhed") for e in children(grant, "bi:Registrering/bi:AttributListe/bi:Egenskaber")]
            self.sensitivity.setdefault(name, []).extend(level for level in levels if level is not None)

    def of_registration(self, registration):
        """Exactly one grantee, a CPR number, in a registration that is in force."""
        grantees = []
        for part in children(registration, "bi:RelationListe/bi:Bevillingspart"):
            role = identity(part, "gd:Rolle")
            if role in (None, DOUBT):
                return "unproven"
            if role[0] == "uuid" and role[1].lower() == GRANTEE_ROLE:
                grantees.append(identity(part, "gd:ReferenceID"))
        if len(grantees) != 1 or not in_force(registration) or grantees[0] in (None, DOUBT) or grantees[0][0] != "urn":
            return "unproven"
        cpr = CPR_URN.fullmatch(grantees[0][1])
        return "unproven" if cpr is None else "person" if cpr[1] == self.person else "other"

    def of(self, line):
        """The grant that a benefit line refers to, and whose it is."""
        name = (uuid(line, "oei:BevilgetYdelseRef") or "").lower()
        return name, self.whose.get(name, "unproven")


def in_force(registration):
    return value(registration, "sd:LivscyklusKode") in (None, "Opstaaet", "Importeret", "Passiveret")


class Kept:
    """A registration that passes rules 1 and 2."""

    def __init__(self, element, properties, owner):
        self.properties, self.owner = properties, owner
        self.lines = children(element, "oei:RelationListe/oei:OekonomiskYdelseEffektueringRelation")
        self.parts = children(element, "oei:RelationListe/oei:OekonomiskEffektueringPart")


class Expected:
    """What the release policy makes of an index answer."""

    def __init__(self, output, context):
        self.context = context
        self.options = {"net_amounts": False, "start_end_dates": True, "person_check": "prove", "empty_status": 20,
                        "sensitivity": None, "naive": "copenhagen", "future": "release", **context.get("options", {})}
        self.window = [instants(context[end])[0] for end in ("from", "to")]
        self.kle = as_lists(context.get("kle"))
        self.filter = context.get("filter")
        self.grants = Grants(output, context["person"])
        self.objects, self.unproven = [], False
        self.fault = self.unusable(output)
        if self.fault or not any(map(self.shows, ("egenskaber", "aktoer", "oekonomiskeydelseeffektueringer"))):
            # A filter of nothing that may be shown asks for nothing, so nobody need be proven.
            return
        for element in children(output, OBJECT):
            facts = self.judged(element)
            if facts is not None:
                self.objects.append(facts)
        if self.unproven:
            self.fault = "PersonUnproven"

    def unusable(self, output):
        """The fault of an answer that is none: not in the schema's order, or with a status other than 20 and 44."""
        order = [NAMES.index(name) for name in map(qualified, children(output, "*")) if name in NAMES]
        if typed(output) or order[:1] != [0] or typed(children(output, NAMES[0])[0]):
            return "PeerAnswerInvalid"
        # What comes first is told first; a second StandardRetur is out of order, whatever it says.
        status = (value(children(output, NAMES[0])[0], "sd:StatusKode") or "").strip(" \t\r\n")
        if status not in ("20", "44"):
            return "PeerFault" if re.fullmatch("[0-9]+", status) else "PeerAnswerInvalid"
        if order != sorted(order) or order.count(0) > 1 or (status == "44" and 3 in order):
            return "PeerAnswerInvalid"
        return None

    def shows(self, part):
        return self.filter is None or part in self.filter

    # Rules 1 and 2.
    def kept(self, registration):
        properties = children(registration, "oei:AttributListe/oei:Egenskaber")
        dates = [value(p, "oei:Dispositionsdato") for p in properties]
        places = [placed(d, self.window, self.options["naive"]) for d in dates if d is not None]
        if not in_force(registration) or not places or set(places) != {"in"}:
            return None
        if self.options["future"] == "withhold":
            tomorrow = instants(self.context["tomorrow"])[0]
            if any(reading >= tomorrow for d in dates if d is not None for reading in instants(d, self.options["naive"])):
                return None
        roles = [(actor, identity(actor, "gd:Rolle")) for actor in children(registration, "oei:RelationListe/oei:Aktoer")]
        owners = [(a, role) for a, role in roles if role == DOUBT or role and role[0] == "uuid" and role[1].lower() == OWNER_ROLE]
        if len(owners) != 1 or owners[0][1] == DOUBT or value(owners[0][0], "oei:CVR-nr") not in self.context["counterparts"]:
            return None
        return Kept(registration, [p for p, d in zip(properties, dates) if d is not None], owners[0][0])

    def judged(self, element):
        """The facts of one object, or None where it is removed."""
        registrations = children(element, "oei:Registrering")
        types = children(element, "oei:ObjektType")
        parts = [element, *registrations, *children(element, "oei:Registrering/oei:AttributListe | oei:Registrering/oei:RelationListe"
            " | oei:Registrering/oei:AttributListe/oei:Egenskaber | oei:Registrering/oei:RelationListe/oei:Aktoer"
            f" | oei:Registrering/oei:RelationListe/{LINE} | oei:Registrering/oei:RelationListe/oei:OekonomiskEffektueringPart")]
        twice = any(len(children(r, f"oei:{part}")) > 1 for r in registrations for part in ("AttributListe", "RelationListe"))
        if len(types) != 1 or uuid(types[0]) is None or twice or any(map(typed, parts)):
            return None
        left = [kept for kept in map(self.kept, registrations) if kept]

        # Rule 3: KLE.
        hidden = False
        if self.kle is not None:
            for kept in left:
                inside = [l for l in kept.lines if within_kle(formed(KLE, value(l, "oei:Klassifikationsbeskrivelse")), self.kle)]
                hidden |= len(inside) < len(kept.lines)
                kept.lines = inside
            left = [kept for kept in left if kept.lines]
        if not left:
            return None

        # Rule 0: the person.
        if self.options["person_check"] == "prove" and any(
                not kept.lines or any(self.grants.of(l)[1] == "unproven" for l in kept.lines) for kept in left):
            self.unproven = True
            return None
        for kept in list(left):
            own = [l for l in kept.lines if self.grants.of(l)[1] != "other"]
            hidden |= len(own) < len(kept.lines)
            if kept.lines and not own:
                left.remove(kept)
            kept.lines = own
        if not left or not self.permitted([l for kept in left for l in kept.lines]):
            return None

        facts = Facts("object", Registrering=[self.registration(kept, hidden) for kept in left])
        facts.put("UUIDIdentifikator", uuid(types[0]))
        return facts

    def permitted(self, lines):
        """Whether every grant behind `lines` states only sensitivities within the constraint."""
        stated = [self.grants.sensitivity.get(self.grants.of(line)[0], []) for line in lines]
        constraint = as_lists(self.options["sensitivity"])
        if constraint is None:
            return all(level in SENSITIVITIES[:3] for levels in stated for level in levels)
        return bool(stated) and all(levels and all(level in names for level in levels for names in constraint) for levels in stated)

    def dates(self, item, element, *fields):
        for field in fields:
            text = value(element, f"oei:{field}")
            item.put(field, text if instants(text, self.options["naive"]) else None)

    def registration(self, kept, hidden):
        facts = Facts("Registrering", Egenskaber=[], Linje=[], Aktoer=[], Part=[])
        for element in kept.properties if self.shows("egenskaber") else []:
            item = Facts("Egenskaber")
            self.dates(item, element, "Dispositionsdato", *(["Startdato", "Slutdato"] if self.options["start_end_dates"] else []))
            for field in [] if hidden else [GROSS, *(NET if self.options["net_amounts"] else [])]:
                item.put(field, formed(AMOUNT, value(element, f"oei:{field}")))
            facts.parts["Egenskaber"].append(item)
        for element in kept.lines if self.shows("oekonomiskeydelseeffektueringer") else []:
            item = Facts("Linje")
            item.put("Klassifikationsbeskrivelse", formed(KLE, value(element, "oei:Klassifikationsbeskrivelse")))
            item.put("Ydelsesbeloeb", formed(AMOUNT, value(element, "oei:Ydelsesbeloeb")))
            item.put("Indeks", formed(INDEX, value(element, "gd:Indeks")))
            for field in ("Rolle", "Type", "ReferenceID"):
                item.put(field, uuid(element, f"gd:{field}"))
            self.dates(item, element, "YdelsesperiodeStartdato", "YdelsesperiodeSlutdato")
            facts.parts["Linje"].append(item)
        if self.shows("aktoer"):
            item, cvr = Facts("Aktoer"), value(kept.owner, "oei:CVR-nr")
            for field in ("Rolle", "Type"):
                item.put(field, uuid(kept.owner, f"gd:{field}"))
            # The name in the gateway's register, never the index's.
            item.put("FuldtNavn", self.context.get("names", {}).get(cvr))
            item.put("CVR-nr", cvr)
            facts.parts["Aktoer"].append(item)
        # No part of a filter names the payee: shown where everything was asked for.
        urn = f"urn:oio:cpr-nr:{self.context['person']}"
        for element in kept.parts if self.filter is None else []:
            role = identity(element, "gd:Rolle")
            if identity(element, "gd:ReferenceID") == ("urn", urn) and role != DOUBT and (role is None or role[0] == "uuid" and role[1].lower() == PAYEE_ROLE):
                item = Facts("Part")
                for field in ("Rolle", "Type"):
                    item.put(field, uuid(element, f"gd:{field}"))
                item.put("ReferenceID", urn)
                facts.parts["Part"].append(item)
        return facts


# ---- what did leave --------------------------------------------------------------------------------------------------


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
        name = qualified(child) if isinstance(child.tag, str) else "?"
        yield from smuggled(child, f"{path}/{name}" if path else name)


def read(element, name, fields):
    """The facts of a released element: local field name → its values, for `fields` as path → field."""
    facts = Facts(name)
    for path, field in fields.items():
        found = [text_of(e) for e in children(element, path)]
        if found:
            facts.fields[field] = found[0] if len(found) == 1 else " | ".join(found)
    return facts


def released(output):
    objects = []
    ids = {f"gd:{f}/*": f for f in ("Rolle", "Type", "ReferenceID")}
    local = lambda *names: {f"oei:{n}": n for n in names}
    for element in children(output, OBJECT):
        facts = read(element, "object", {f"oei:ObjektType/{UUID_PATH}": "UUIDIdentifikator"})
        facts.name = f"object {facts.fields.get('UUIDIdentifikator')}"
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
    for field, text in facts.fields.items():
        yield f"{where}/{field}", text
    for kind, items in facts.parts.items():
        for item in items:
            yield from every_fact(item, f"{where}/{kind}")


def compared(expected, found, where):
    """The differences between one expected and one released element."""
    told = []
    for field, text in found.fields.items():
        if expected.fields.get(field) != text:
            told.append(f"released: {where}/{field}, which no rule releases with this value")
    told += [f"missing: {where}/{field}" for field in expected.fields if field not in found.fields]
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
            lost = tuple(f"missing: {p}" for p, _ in every_fact(expected[i], where)) or (f"missing: {where}",)
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
    name = lambda facts: facts.fields.get("UUIDIdentifikator")
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
    if fault != expected.fault:
        return [f"outcome: {fault or 'an answer'}, but must be {expected.fault or 'an answer'}"], None
    if fault:
        return [], None

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

def settings(told):
    """The context as the generator of cases tells it, in this oracle's names."""
    asked, options = told["asked"], told["options"]
    return {
        "person": told["person"], "from": told["window_from"], "to": told["window_to"],
        "tomorrow": told["tomorrow"],
        "counterparts": told["counterpart_cvrs"], "names": told["names"], "kle": told["kle"],
        "filter": {"all": None, "nothing": []}[asked] if isinstance(asked, str) else asked,
        "options": {"net_amounts": options["net_amounts"], "start_end_dates": options["periods"], "naive": options["naive"],
                    "future": options["future"], "person_check": options["person_check"], "empty_status": options["empty_status"],
                    "sensitivity": told["sensitivity"]},
    }


def cases(sources):
    for source in sources:
        if source != "-" and Path(source).is_dir():
            for file in sorted(Path(source).glob("*.context.json")):
                stem = file.name.removesuffix(".context.json")
                beside = lambda ending: file.with_name(stem + ending)
                case = {"id": stem, "context": settings(json.loads(file.read_text())), "unfiltered": beside(".answer.xml").read_bytes()}
                if beside(".refused.txt").exists():
                    case["fault"] = beside(".refused.txt").read_text().strip()
                else:
                    case["filtered"] = beside(".released.xml").read_bytes()
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
