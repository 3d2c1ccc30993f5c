"""What must be answered on persons that are imported, told a second time: from the specification of the import, the names, lengths
and forms of the published schema (PersonImport.xsd), and the meaning of each code (docs/faults-persons.md). Nothing of it comes from the
program.

An answer is judged by its status, by which codes stand at which fields, and by what is said with each code: the published text, whatever stands
in it in the place of the example's values.
"""

import datetime
import random
import re
from pathlib import Path

PUBLISHED = Path(__file__).resolve().parents[2] / "docs/faults-persons.md"

# Digit 7 and the year tell the century (CPR-kontoret, "Personnummeret i CPR").
CENTURY = lambda seventh, year: 1900 if seventh <= 3 else (2000 if year <= 36 else 1900) if seventh in (4, 9) else (2000 if year <= 57 else 1800)
MANDATORY = ("InstitutionsID1", "InstitutionsID2", "CPRnummer", "Medarbejdernummer")
AT_CREATION = ("Kommunekode", "Koen", "Fornavne", "Efternavn", "Email", "Brugernavn")
DATES = ("Foedselsdato", "Aktionskodedato", "Ansaettelsesdato")
NUMBERS = {"CPRnummer", "LederCPRnummer"}


def lengths(schema):
    """Each field of a person with the longest that it may be, by the published schema (an lxml tree)."""
    xs = "{http://www.w3.org/2001/XMLSchema}"
    person = next(kind for kind in schema.iter(f"{xs}complexType") if kind.get("name") == "PersonType")
    return {element.get("name"): int(element.find(f".//{xs}maxLength").get("value")) for element in person.iter(f"{xs}element")}


def texts():
    """For each code a pattern of what is said with it in Danish, what is wrong and what to do, and one in English: the text that is published, with
    whatever in the place of what differs from person to person (the name of a field, lengths, the form or the values that are allowed)."""
    found = {}
    for line in PUBLISHED.read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and (code := re.fullmatch(r"`(PER\d{3})`", cells[1])):
            found[code[1]] = tuple(pattern(code[1], cell) for cell in cells[2:4])
    return found


# What stands in the published text in the place of what differs.
EXAMPLES = {"PER001": ("Fornavn",), "PER003": ("104", "100"), "PER005": ("0, 1 eller 2", "0, 1 or 2"), "PER013": ("3 cifre", "3 digits")}


def pattern(code, text):
    exact = re.escape(text)
    for example in EXAMPLES.get(code, ()):
        exact = exact.replace(re.escape(example), ".+")
    return "^" + exact + "$"


def is_day(text):
    try:
        return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII)) and datetime.date.fromisoformat(text) is not None
    except ValueError:
        return False


def number(text):
    """The code for a CPR number that is none."""
    if re.fullmatch(r"\d{9}", text, re.ASCII):
        return "PER011"
    if not re.fullmatch(r"\d{10}", text, re.ASCII):
        return "PER010"
    day, month, year = int(text[:2]), int(text[2:4]), int(text[4:6])
    day -= 60 if 61 <= day <= 91 else 0
    try:
        datetime.date(CENTURY(int(text[6]), year) + year, month, day)
        return None
    except ValueError:
        return "PER012"


def ean(text):
    if not re.fullmatch(r"\d{13}", text, re.ASCII):
        return "PER013"
    total = sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(text[:12]))
    return None if (10 - total % 10) % 10 == int(text[12]) else "PER014"


def wrong(field, text):
    """The code for a value that is not empty and has not the form of its field."""
    code = lambda fits, code: None if fits else code
    if field in DATES:
        return code(is_day(text), "PER004")
    if field == "Koen":
        return code(text in ("0", "1", "2"), "PER005")
    if field == "Loenramme":
        return code(text in ("00", "0", *map(str, range(35, 43))), "PER005")
    if field == "EAN":
        return ean(text)
    if field == "Nationalitet":
        return code(text.upper() in ("DK", "SE", "NO", "DE", "PL", "GL"), "PER015")
    if field == "Email":
        return code(bool(re.fullmatch(r"[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", text)), "PER016")
    if field == "Telefon":
        return code(bool(re.fullmatch(r"\+?[0-9 ]+", text)), "PER017")
    if field in ("Kommunekode", "Overenskomstnummer", "Stillingskode"):
        return code(text.isascii() and text.isdigit(), "PER013")
    if field in ("InstitutionsID1", "InstitutionsID2", "Medarbejdernummer", "LederMedarbejdernummer", "Job"):
        return code(bool(re.fullmatch(r"[\w./-]+", text)), "PER013")
    return None


def formed_like_a_number(text, own):
    """Whether a CPR number stands in a text: anybody's, as ten digits or in the groups in which people write one, or one of `own` however
    it is parted, and without its first zero."""
    digits = re.sub("[^0-9]", "", text)
    if any(cpr in digits or (cpr[0] == "0" and cpr[1:] in digits) for cpr in own):
        return True
    if text.startswith("+") and re.fullmatch(r"\+[0-9 ]+", text):
        return False  # a phone's, with its country
    for part in re.split(r"[^\W\d_]+", text):
        groups = re.findall("[0-9]+", part)
        for many in (1, 2, 4):
            for some in zip(*(groups[at:] for at in range(many))):
                if [len(group) for group in some] in ([10], [6, 4], [2, 2, 2, 4]) and number("".join(some)) is None:
                    return True
    return False


class Oracle:
    """The institutions that one agreement covers, and what was imported into them."""

    def __init__(self, longest, institutions):
        self.longest, self.institutions = longest, set(institutions)
        self.employments = {}  # (institution, CPR, staff number) → fields
        self.staff = {}  # (institution, CPR) → staff numbers
        self.holders = {}  # (institution, field, value in lower case) → CPR numbers, each as often as it has it

    def call(self, persons):
        """What each person of a call must be answered: status, errors and warnings as sets of (field, code)."""
        named, answers = set(), []
        for person in persons:
            answers.append(self.person(person, named))
        return answers

    def person(self, given, named):
        given = {name: value.strip() for name, value in given.items()}
        errors, warnings = set(), set()
        own = [given[name] for name in NUMBERS if re.fullmatch(r"\d{10}", given.get(name, ""), re.ASCII)]
        for name, value in given.items():
            if name not in self.longest:
                errors.add(("", "PER001"))
            elif name == "Godkender2":
                warnings |= {(name, "PER105")} if value else set()
            elif name in NUMBERS:
                if value and number(value):
                    errors.add((name, number(value)))
            elif not value:
                continue
            elif len(value) > self.longest[name]:
                errors.add((name, "PER003"))
            elif re.search(r"[\x00-\x1f\u200b\u202e]", value):
                errors.add((name, "PER019"))
            elif formed_like_a_number(value, own):
                errors.add((name, "PER018"))
            elif wrong(name, value):
                errors.add((name, wrong(name, value)))
        errors |= {(name, "PER002") for name in MANDATORY if not given.get(name)}
        spoilt = {name for name, _ in errors}
        institution = given.get("InstitutionsID1", "")
        if institution and "InstitutionsID1" not in spoilt and institution not in self.institutions:
            errors.add(("InstitutionsID1", "PER006"))
            spoilt.add("InstitutionsID1")
        key = (institution, given.get("CPRnummer"), given.get("Medarbejdernummer"))
        if spoilt & {"InstitutionsID1", "CPRnummer", "Medarbejdernummer"}:
            # Nobody knows whose employment it is: what is empty may not be emptied, whoever it is.
            errors |= {(name, "PER009") for name in AT_CREATION if given.get(name) == ""}
            return "AFVIST", errors, warnings
        if key in named:
            errors.add(("", "PER007"))
        named.add(key)
        before = self.employments.get(key)
        told = {name for name, _ in errors}
        for name in AT_CREATION:
            if before is None and not given.get(name) and name not in told:
                errors.add((name, "PER002"))
            if before is not None and given.get(name) == "":
                errors.add((name, "PER009"))
        refused = {name for name, _ in errors}
        taken = lambda name: name not in refused and given.get(name, "") and any(
            cpr != key[1] for cpr in self.holders.get((institution, name, given[name].lower()), ()))
        if taken("Brugernavn"):
            errors.add(("Brugernavn", "PER008"))
        if taken("Email"):
            warnings.add(("Email", "PER102"))
        own_others = self.staff.get(key[:2], set()) - {key[2]}
        if before is None and own_others:
            warnings.add(("Medarbejdernummer", "PER103"))
        manager = given.get("LederCPRnummer")
        is_known = lambda cpr: cpr == key[1] or (institution, cpr) in self.staff
        if manager and number(manager) is None and not is_known(manager):
            warnings.add(("LederCPRnummer", "PER101"))
        staff = given.get("LederMedarbejdernummer")
        if staff and "LederMedarbejdernummer" not in told:
            if manager is None or (manager and number(manager)):
                manager = (before or {}).get("LederCPRnummer")
            has = lambda cpr: staff in self.staff.get((institution, cpr), ()) or (cpr == key[1] and staff == key[2])
            # Who is not there yet may have it.
            if not manager or ((institution, manager) in self.staff and not has(manager)):
                warnings.add(("LederMedarbejdernummer", "PER106"))
        if errors:
            return "AFVIST", errors, warnings
        after = dict(before or {})
        for name, value in given.items():
            if name in ("Godkender2",):
                continue
            value = self.kept(name, value)
            if value:
                after[name] = value
            else:
                after.pop(name, None)
        for name in ("Brugernavn", "Email"):
            for fields, change in ((before or {}, list.remove), (after, list.append)):
                if fields.get(name):
                    change(self.holders.setdefault((institution, name, fields[name].lower()), []), key[1])
        self.staff.setdefault(key[:2], set()).add(key[2])
        self.employments[key] = after
        return ("OPRETTET" if before is None else "UAENDRET" if before == after else "OPDATERET"), errors, warnings

    @staticmethod
    def kept(name, value):
        """As it is kept: what a spreadsheet took away is put back."""
        if name == "Overenskomstnummer" and value:
            return value.rjust(3, "0")
        if name == "Loenramme" and value:
            return value.rjust(2, "0")
        return value.upper() if name == "Nationalitet" else value


class People:
    """Invented persons with every kind of error, the same for the same seed. CPR-like numbers have a day of 61 to 88."""

    def __init__(self, seed, institution):
        self.random, self.institution, self.numbers, self.made = random.Random(seed), institution, set(), 0

    def cpr(self):
        while True:
            # Years of 37 to 57 have a century by either reading of digit 7.
            text = f"{self.random.randint(61, 88):02}{self.random.randint(1, 12):02}{self.random.randint(37, 57):02}{self.random.randint(0, 3999):04}"
            if text not in self.numbers:
                self.numbers.add(text)
                return text

    def whole(self):
        self.made += 1
        n = self.made
        person = {
            "InstitutionsID1": self.institution, "InstitutionsID2": f"A{n % 7}", "Kommunekode": "101", "CPRnummer": self.cpr(), "Medarbejdernummer": f"{1000 + n}",
            "Koen": str(n % 3), "Fornavne": self.random.choice(["Åse", "Bo", "Ib Ærø", "Øjvind", "Jo-Ann", "O'Neil"]), "Efternavn": f"Prøve{n}",
            "Email": f"person{n}@skole.example", "Brugernavn": f"bruger{n}",
        }
        extras = {
            "Foedselsdato": "1985-02-28", "Overenskomstnummer": self.random.choice(["44", "044", "7", "123"]), "Loenramme": self.random.choice(["35", "00", "42"]),
            "Stillingskode": "12345", "Ansaettelsesdato": "2020-01-01", "Klasse": "3. b", "Job": "profil-7", "Stillingsbetegnelse": "Lærer; <vikar> & \"mere\"",
            "Telefon": "+45 33 92 00 00", "EAN": "5798000420526", "Nationalitet": self.random.choice(["DK", "se"]),
        }
        for name, value in extras.items():
            if self.random.random() < 0.3:
                person[name] = value
        return person

    def flawed(self, before):
        """A person with something wrong or odd; `before` was made earlier in the same call."""
        person = self.whole()
        before = self.whole() | before
        r = self.random
        flaws = {
            "unknown": lambda: person.update({r.choice(["Fornavn", "Titel", "cprnummer"]): "x"}),
            "missing": lambda: person.pop(r.choice(list(AT_CREATION))),
            "mandatory": lambda: person.pop("InstitutionsID2"),
            "mandatory empty": lambda: person.update({r.choice(["InstitutionsID2", "Medarbejdernummer"]): " "}),
            "empty": lambda: person.update({r.choice(list(AT_CREATION)): ""}),
            "long": lambda: person.update({r.choice(["Fornavne", "Efternavn", "Stillingsbetegnelse"]): "å" * r.choice([101, 104])}),
            "long number": lambda: person.update({"Kommunekode": "0101"}),
            "no day": lambda: person.update({r.choice(list(DATES)): r.choice(["31-12-2026", "2026-02-30", "20261231"])}),
            "list": lambda: person.update({r.choice([("Koen", "3"), ("Koen", "9"), ("Loenramme", "43")])[0]: "9"}),
            "institution": lambda: person.update({"InstitutionsID1": "FREMMED"}),
            "twice": lambda: person.update({name: before[name] for name in ("InstitutionsID1", "CPRnummer", "Medarbejdernummer")}),
            "user name": lambda: person.update({"Brugernavn": before["Brugernavn"].upper()}),
            "number": lambda: person.update({r.choice(["CPRnummer", "LederCPRnummer"]): r.choice(["12345678", "abcdefghij"])}),
            "nine": lambda: person.update({"CPRnummer": person["CPRnummer"][1:]}),
            "no date": lambda: person.update({"CPRnummer": "6113" + person["CPRnummer"][4:]}),
            "form": lambda: person.update({r.choice(["Kommunekode", "Overenskomstnummer"]): "1x"}),
            "code": lambda: person.update({r.choice(["Job", "InstitutionsID2"]): "a b"}),
            "ean": lambda: person.update({"EAN": r.choice(["5798000420527", "579800042052"])}),
            "country": lambda: person.update({"Nationalitet": r.choice(["XX", "D1"])}),
            "mail": lambda: person.update({"Email": r.choice(["ingen", "a@b@c.dk", "a b@skole.example"])}),
            "phone": lambda: person.update({"Telefon": "ring til mig"}),
            "anothers number elsewhere": lambda: person.update({r.choice(["Klasse", "Medarbejdernummer", "Brugernavn"]): r.choice(["{}{}", "{}.{}", "{}_{}"]).format("610180", r.randint(1000, 3999))}),
            "manager's staff number": lambda: person.update(r.choice([{"LederMedarbejdernummer": "9"}, {"LederCPRnummer": before["CPRnummer"], "LederMedarbejdernummer": before["Medarbejdernummer"]},
                                                                      {"LederCPRnummer": before["CPRnummer"], "LederMedarbejdernummer": "findes-ikke"}, {"LederCPRnummer": self.cpr(), "LederMedarbejdernummer": "7"}])),
            "number elsewhere": lambda: person.update({"Stillingsbetegnelse": f"nr. {person['CPRnummer'][:6]}-{person['CPRnummer'][6:]}"}),
            "unseen": lambda: person.update({"Efternavn": r.choice(["a\u200bb", "a\u202eb"])}),
            "manager unknown": lambda: person.update({"LederCPRnummer": self.cpr()}),
            "manager": lambda: person.update({"LederCPRnummer": before["CPRnummer"]}),
            "mail taken": lambda: person.update({"Email": before["Email"].upper()}),
            "employment": lambda: person.update({"CPRnummer": before["CPRnummer"], "Brugernavn": before["Brugernavn"], "Email": before["Email"]}),
            "approver": lambda: person.update({"Godkender2": "NN"}),
            "formula": lambda: person.update({"Fornavne": "=cmd()|' /C calc'!A0", "Efternavn": "@SUM(1)"}),
        }
        # The number that stands elsewhere is the one that the person has in the end.
        for name in sorted(r.sample(sorted(flaws), r.choice([1, 1, 1, 2, 3])), key="number elsewhere".__eq__):
            flaws[name]()
        return person

    def calls(self, many, at_once=500):
        """So many persons in calls: new ones, flawed ones, and such as come a second time. In every second call each person has every
        field, if only empty, as in a table; elsewhere what is not there is left out."""
        calls, known = [], []
        for begin in range(0, many, at_once):
            call = []
            for _ in range(min(at_once, many - begin)):
                dice = self.random.random()
                if known and dice < 0.15:
                    # Of an earlier call: the same again, or something of it.
                    person = dict(self.random.choice(known))
                    self.random.choice([lambda: None, lambda: person.update({"InstitutionsID2": "FLYTTET"}), lambda: person.update({"Telefon": ""}),
                                        lambda: person.update({"Aktionskodedato": "2099-12-31"}), lambda: person.pop("Email", None), lambda: person.update({"Email": ""})])()
                elif call and dice < 0.5:
                    person = self.flawed(self.random.choice(call) if "CPRnummer" in call[-1] else self.whole())
                else:
                    person = self.whole()
                call.append(person)
            if len(calls) % 2:
                columns = sorted({name for person in call for name in person if name not in ("Fornavn", "Titel", "cprnummer")})
                call = [{name: person.get(name, "") for name in columns} for person in call]
            known += [person for person in call if all(person.get(name) for name in MANDATORY)]
            calls.append(call)
        return calls
