"""The rules of the person import once more, as one would write them in Python with pydantic (v2): how many persons a second a CSV file's
rows are judged. Prints `pydantic VERSION RATE`; nothing is asked of a store. Run by `examples/persons_speed.rs`."""

import csv
import datetime
import re
import sys
import time
import unicodedata
from typing import Annotated, Literal, Optional

import pydantic
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints, model_validator

CENTURY = lambda seventh, year: 1900 if seventh <= 3 else (2000 if year <= 36 else 1900) if seventh in (4, 9) else (2000 if year <= 57 else 1800)
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
FORMED = re.compile(r"(?<!\d)\d{10}(?!\d)|(?<!\d)\d{6}[^\w]{1,3}\d{4}(?!\d)|(?<!\d)\d\d[^\w]\d\d[^\w]\d\d[^\w]\d{4}(?!\d)")
COUNTRIES = set("DK SE NO FI IS DE PL GL FO GB IE FR ES PT IT NL BE LU AT CH CZ SK HU RO BG GR TR UA RU LT LV EE US CA".split())


def cpr(text):
    day, month, year = int(text[:2]), int(text[2:4]), int(text[4:6])
    datetime.date(CENTURY(int(text[6]), year) + year, month, day - 60 if 61 <= day <= 91 else day)
    return text


def ean(text):
    if sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(text)) % 10:
        raise ValueError("the check digit is wrong")
    return text


def seen(text):
    if UNSEEN.search(text):
        raise ValueError("characters that nobody sees")
    found = FORMED.search(text)
    if found:
        try:
            cpr(re.sub(r"\D", "", found.group()))
        except ValueError:
            return text
        raise ValueError("a CPR number")
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def country(text):
    if text.upper() not in COUNTRIES:
        raise ValueError("no country")
    return text.upper()


empty = BeforeValidator(lambda value: None if value == "" else value)
code = lambda longest: Annotated[str, StringConstraints(max_length=longest, pattern=r"^[\w./-]+$"), AfterValidator(seen)]
text = lambda longest: Annotated[str, StringConstraints(min_length=1, max_length=longest), AfterValidator(seen)]
Cpr = Annotated[str, StringConstraints(pattern=r"^[0-9]{10}$"), AfterValidator(cpr)]
Phone = Annotated[str, StringConstraints(max_length=20, pattern=r"^\+?[0-9]+( [0-9]+)*$")]
Email = Annotated[str, StringConstraints(max_length=254, pattern=r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+$"), AfterValidator(seen)]
Maybe = lambda kind: Annotated[Optional[kind], empty]


class Person(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    InstitutionsID1: code(10)
    InstitutionsID2: code(10)
    Kommunekode: Annotated[str, StringConstraints(pattern=r"^[0-9]{3}$")]
    CPRnummer: Cpr
    Medarbejdernummer: code(20)
    Koen: Literal["0", "1", "2"]
    Fornavne: text(100)
    Efternavn: text(100)
    Email: Email
    Brugernavn: text(100)
    Foedselsdato: Maybe(datetime.date) = None
    Overenskomstnummer: Maybe(Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}$"), AfterValidator(lambda text: text.rjust(3, "0"))]) = None
    Loenramme: Maybe(Literal["00", "35", "36", "37", "38", "39", "40", "41", "42"]) = None
    Stillingskode: Maybe(Annotated[str, StringConstraints(pattern=r"^[0-9]{1,6}$")]) = None
    Aktionskodedato: Maybe(datetime.date) = None
    Ansaettelsesdato: Maybe(datetime.date) = None
    Klasse: Maybe(text(20)) = None
    Job: Maybe(code(50)) = None
    Stillingsbetegnelse: Maybe(text(100)) = None
    Telefon: Maybe(Phone) = None
    LederCPRnummer: Maybe(Cpr) = None
    EAN: Maybe(Annotated[str, StringConstraints(pattern=r"^[0-9]{13}$"), AfterValidator(ean)]) = None
    Godkender2: Optional[str] = None
    Nationalitet: Maybe(Annotated[str, StringConstraints(max_length=2), AfterValidator(country)]) = None
    LederMedarbejdernummer: Maybe(code(20)) = None

    @model_validator(mode="after")
    def own_numbers_stand_nowhere_else(self):
        for name in ("Medarbejdernummer", "Brugernavn", "Email", "Stillingsbetegnelse", "Job", "Klasse", "Efternavn", "Fornavne"):
            value = getattr(self, name)
            if value and sum(map(str.isdigit, value)) >= 9:
                digits = re.sub(r"\D", "", value)
                if self.CPRnummer in digits or (self.LederCPRnummer and self.LederCPRnummer in digits):
                    raise ValueError("a CPR number")
        return self


def main():
    with open(sys.argv[1], encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    begun, wrong, judge = time.perf_counter(), 0, Person.model_validate
    for row in rows:
        try:
            judge(row)
        except pydantic.ValidationError:
            wrong += 1
    took = time.perf_counter() - begun
    if wrong:
        raise SystemExit(f"{wrong} of {len(rows)} rows are wrong")
    print(f"pydantic {pydantic.VERSION} {len(rows) / took:.0f}")


if __name__ == "__main__":
    main()
