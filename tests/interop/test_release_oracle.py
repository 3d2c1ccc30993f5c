"""The oracle itself is judged: for each rule of the release policy an answer that keeps it and one that breaks it."""

import io
import json
import unittest
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import release_oracle
from release_oracle import differences, instants

P, Q = "6101801234", "6202802345"
UDK, OTHER = "99999991", "99999981"
GRANT, GRANT_Q = "a0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000002"
OBJECT, OBJECT_2 = "e0000000-0000-4000-8000-000000000001", "e0000000-0000-4000-8000-000000000002"
CLASS = "70355b26-6028-4e42-9eb1-1a93aa9890b1"
XMLNS = " ".join(f'xmlns:{p}="{u}"' for p, u in release_oracle.NS.items()) + ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
IN, BEFORE = "2026-10-30T00:00:00+01:00", "2026-07-30T00:00:00+02:00"

CONTEXT = {"person": P, "from": "2026-08-01T00:00:00+02:00", "to": "2026-12-01T00:00:00+01:00", "tomorrow": "2026-11-23T00:00:00+01:00", "counterparts": [UDK],
           "kle": None, "names": {UDK: "Udbetaling Danmark (test)"}, "filter": None, "options": {}}


def context(**changes):
    return {**CONTEXT, **changes}


def uuid(element, value):
    return f"<{element}><sd:UUIDIdentifikator>{value}</sd:UUIDIdentifikator></{element}>"


def grant(identity=GRANT, persons=(P,), role=release_oracle.GRANTEE_ROLE, level=None):
    egenskaber = f"<bi:Egenskaber><bi:Foelsomhed>{level}</bi:Foelsomhed></bi:Egenskaber>" if level else ""
    parts = "".join(f'<bi:Bevillingspart>{uuid("gd:Rolle", role)}<gd:ReferenceID><sd:URNIdentifikator>urn:oio:cpr-nr:{p}'
                    "</sd:URNIdentifikator></gd:ReferenceID></bi:Bevillingspart>" for p in persons)
    return (f'<yi:BevillingFiltreretOejebliksbillede>{uuid("bi:ObjektType", identity)}<bi:Registrering><bi:AttributListe>{egenskaber}'
            f"</bi:AttributListe><bi:TilstandListe/><bi:RelationListe>{parts}</bi:RelationListe></bi:Registrering>"
            "</yi:BevillingFiltreretOejebliksbillede>")


def line(kle="32.03.04", amount="100.00", to=GRANT, index="1", source=True, extra=""):
    """A benefit line, as the index has it (source) or as it is released."""
    reference = f'<oei:BevilgetYdelseRef><sd:UUIDIdentifikator>{to}</sd:UUIDIdentifikator><oei:BevilgetYdelseId>1</oei:BevilgetYdelseId></oei:BevilgetYdelseRef>' if source and to else ""
    number = f"<oei:Klassifikationsbeskrivelse>{kle}</oei:Klassifikationsbeskrivelse>" if kle else ""
    return (f'<oei:OekonomiskYdelseEffektueringRelation>{f"<gd:Indeks>{index}</gd:Indeks>" if index else ""}{uuid("gd:ReferenceID", CLASS)}{extra}'
            f"<oei:Ydelsesbeloeb>{amount}</oei:Ydelsesbeloeb>{number}{reference}</oei:OekonomiskYdelseEffektueringRelation>")


def owner(cvr=UDK, name="Udbetaling Danmark (test)", role=release_oracle.OWNER_ROLE):
    told = f"<oei:FuldtNavn>{name}</oei:FuldtNavn>" if name else ""
    return f'<oei:Aktoer>{uuid("gd:Rolle", role)}{told}<oei:CVR-nr>{cvr}</oei:CVR-nr></oei:Aktoer>'


def payee(person=P):
    return f"<oei:OekonomiskEffektueringPart><gd:ReferenceID><sd:URNIdentifikator>urn:oio:cpr-nr:{person}</sd:URNIdentifikator></gd:ReferenceID></oei:OekonomiskEffektueringPart>"


def properties(date=IN, gross="100.00", more=""):
    told = f"<oei:SamletBruttobeloeb>{gross}</oei:SamletBruttobeloeb>" if gross else ""
    dated = f"<oei:Dispositionsdato>{date}</oei:Dispositionsdato>" if date else ""
    return f"<oei:Egenskaber>{told}{dated}{more}</oei:Egenskaber>"


def registration(attributes=None, relations=None, head="", state=""):
    attributes = properties() if attributes is None else attributes
    return (f"<oei:Registrering>{head}<oei:AttributListe>{attributes}</oei:AttributListe><oei:TilstandListe>{state}</oei:TilstandListe>"
            f"<oei:RelationListe>{relations}</oei:RelationListe></oei:Registrering>")


def effectuation(*registrations, identity=OBJECT, head=None):
    return (f'<yi:OekonomiskEffektueringFiltreretOejebliksbillede>{head or uuid("oei:ObjektType", identity)}{"".join(registrations)}'
            "</yi:OekonomiskEffektueringFiltreretOejebliksbillede>")


def count(kind, number):
    return f"<yi:Antal><yi:Element>{kind}</yi:Element><yi:Antal>{number}</yi:Antal></yi:Antal>"


def output(*content, status="20", text=""):
    return (f"<yi:FremsoegYdelseIndeksOutput {XMLNS}><sd:StandardRetur><sd:StatusKode>{status}</sd:StatusKode>{text}</sd:StandardRetur>"
            f'{"".join(content)}</yi:FremsoegYdelseIndeksOutput>')


SOURCE = output(grant(), effectuation(registration(relations=line() + owner(name="Karens Konto") + payee())))
RELEASED = output(count("effektueringer", 1), count("ydelser", 1),
                  effectuation(registration(relations=line(source=False) + owner() + payee())))
NOTHING = output()


def one(attributes=None, relations=None, *grants, **rest):
    """An index answer with one object of one registration."""
    return output(*(grants or (grant(),)), effectuation(registration(attributes, relations or line() + owner(), **rest)))


def answer(attributes=None, relations=None):
    """A released answer with one object of one registration."""
    return output(effectuation(registration(attributes, relations or line(source=False) + owner())))


class Case(unittest.TestCase):
    def right(self, source, filtered=None, fault=None, **changes):
        self.assertEqual(differences(context(**changes), source, filtered, fault)[0], [])

    def wrong(self, told, source, filtered=None, fault=None, **changes):
        """Something is held against the outcome, and one line of it holds `told`."""
        found = differences(context(**changes), source, filtered, fault)[0]
        self.assertTrue(any(told in line for line in found), f"{told!r} is not told by {found}")


class Fields(Case):
    def test_what_the_rules_name_is_released_and_nothing_is_held_against_it(self):
        self.right(SOURCE, RELEASED)

    def test_every_field_that_must_be_released_is_missed_when_it_is_not(self):
        for field, cut in [
            ("SamletBruttobeloeb", "<oei:SamletBruttobeloeb>100.00</oei:SamletBruttobeloeb>"),
            ("Dispositionsdato", f"<oei:Dispositionsdato>{IN}</oei:Dispositionsdato>"),
            ("Ydelsesbeloeb", "<oei:Ydelsesbeloeb>100.00</oei:Ydelsesbeloeb>"),
            ("Klassifikationsbeskrivelse", "<oei:Klassifikationsbeskrivelse>32.03.04</oei:Klassifikationsbeskrivelse>"),
            ("ReferenceID", uuid("gd:ReferenceID", CLASS)),
            ("Indeks", "<gd:Indeks>1</gd:Indeks>"),
            ("CVR-nr", f"<oei:CVR-nr>{UDK}</oei:CVR-nr>"),
            ("FuldtNavn", "<oei:FuldtNavn>Udbetaling Danmark (test)</oei:FuldtNavn>"),
            ("Part", payee()),
            ("Aktoer", owner()),
        ]:
            self.assertIn(cut, RELEASED)
            self.wrong(f"{field}", SOURCE, RELEASED.replace(cut, ""))

    def test_an_amount_is_never_reformatted(self):
        self.wrong("SamletBruttobeloeb", SOURCE, RELEASED.replace("<oei:SamletBruttobeloeb>100.00", "<oei:SamletBruttobeloeb>100.0"))

    def test_the_owners_name_is_the_registers_never_the_indexs(self):
        self.wrong("FuldtNavn", SOURCE, RELEASED.replace("Udbetaling Danmark (test)", "Karens Konto"))
        self.wrong("FuldtNavn", SOURCE, RELEASED, names={})
        self.right(SOURCE, RELEASED.replace("<oei:FuldtNavn>Udbetaling Danmark (test)</oei:FuldtNavn>", ""), names={})

    def test_net_amounts_leave_only_where_the_option_says_so(self):
        more = "<oei:BeloebUdbetalt>60.00</oei:BeloebUdbetalt>"
        source, net = one(properties(more=more)), answer(properties(more=more))
        self.wrong("BeloebUdbetalt", source, net)
        self.right(source, answer())
        self.right(source, net, options={"net_amounts": True})
        self.wrong("missing", source, answer(), options={"net_amounts": True})

    def test_start_and_end_dates_are_switchable(self):
        more = "<oei:Startdato>2026-10-01T00:00:00</oei:Startdato>"
        source, dated = one(properties(more=more)), answer(properties(more=more))
        self.right(source, dated)
        self.wrong("Startdato", source, dated, options={"start_end_dates": False})
        self.wrong("missing", source, answer())

    def test_a_structure_value_of_another_form_is_not_released_for_it_can_carry_a_cpr_number(self):
        for bad in [line(index=P), line(kle=f"32.03.04 {P}"), line().replace(CLASS, P)]:
            source = one(relations=bad + owner())
            self.wrong("released", source, answer(relations=bad.replace("oei:BevilgetYdelseRef", "oei:X") + owner()))
        self.right(one(relations=line(index=P) + owner()), answer(relations=line(index="", source=False) + owner()))
        self.wrong("Indeks", one(relations=line(index=P) + owner()), answer(relations=line(index=P, source=False) + owner()))

    def test_another_payee_than_the_person_is_removed(self):
        source = one(relations=line() + owner() + payee(Q))
        self.right(source, answer())
        self.wrong("ReferenceID", source, answer(relations=line(source=False) + owner() + payee(Q)))

    def test_what_no_rule_names_is_told_wherever_it_stands(self):
        inside = lambda old, new: RELEASED.replace(old, new)
        for told, filtered in [
            ("BrugervendtNoegle", inside("<oei:Egenskaber>", "<oei:Egenskaber><oei:BrugervendtNoegle>x</oei:BrugervendtNoegle>")),
            ("UdbetaltTekst", inside("</oei:Egenskaber>", "<oei:UdbetaltTekst>modregnet</oei:UdbetaltTekst></oei:Egenskaber>")),
            ("BevilgetYdelseRef", RELEASED.replace(line(source=False), line())),
            ("Virkning", inside("<oei:Egenskaber>", "<oei:Egenskaber><oei:Virkning/>")),
            ("NoteTekst", inside("<oei:Registrering>", "<oei:Registrering><sd:NoteTekst>x</sd:NoteTekst>")),
            ("ItSystem", inside("</oei:RelationListe>", "<oei:ItSystem/></oei:RelationListe>")),
            ("LokalUdvidelseListe", inside("<oei:TilstandListe>", "<oei:TilstandListe><gd:LokalUdvidelseListe/>")),
            ("BevillingFiltreret", inside(count("ydelser", 1), count("ydelser", 1) + grant())),
            ("attribute", inside("<oei:Egenskaber>", '<oei:Egenskaber id="1">')),
            ("attribute", inside("<sd:StandardRetur>", '<sd:StandardRetur xsi:type="sd:StandardReturType">')),
            ("attribute", inside("<oei:TilstandListe>", '<oei:TilstandListe xsi:nil="true">')),
            ("comment", inside("<oei:Egenskaber>", "<oei:Egenskaber><!-- x -->")),
            ("comment", inside("100.00", "10<!-- x -->0.00")),
            ("processing", inside("<oei:Egenskaber>", "<oei:Egenskaber><?x y?>")),
            ("text in", inside("<oei:TilstandListe>", f"<oei:TilstandListe>{P}")),
            ("text in", inside("<oei:RelationListe>", f"<oei:RelationListe>{P}")),
            ("{urn:other}", inside("<oei:Egenskaber>", '<x xmlns="urn:other"/><oei:Egenskaber>')),
            ("{None}", inside("<oei:Egenskaber>", "<x/><oei:Egenskaber>")),
        ]:
            self.assertNotEqual(filtered, RELEASED, told)
            self.wrong(told, SOURCE, filtered)

    def test_the_indexs_own_words_are_never_passed_on(self):
        told = "<sd:FejlbeskedTekst>Karen skylder</sd:FejlbeskedTekst>"
        source = output(text=told)
        self.wrong("FejlbeskedTekst", source, output(text=told))
        self.right(source, NOTHING)

    def test_text_split_by_comments_and_cdata_is_read_whole(self):
        for split in ["32.<!-- -->03.04", "<![CDATA[32.03]]>.04", "32&#46;03.04", "32.03.<?x?>04"]:
            source = one(relations=line(kle=split) + owner())
            self.right(source, answer())
            self.right(source, NOTHING, kle=["99.*"])
        self.wrong("Klassifikationsbeskrivelse", one(relations=line(kle="32.03.04<x/>") + owner()), answer())

    def test_an_index_object_hidden_by_xsi_type_is_no_source(self):
        hidden = f'<oei:ObjektType xsi:type="oei:OekonomiskEffektueringIndeksType"><sd:UUIDIdentifikator>{OBJECT}</sd:UUIDIdentifikator>{registration(relations=line() + owner())}</oei:ObjektType>'
        source = output(grant(), effectuation(head=hidden))
        self.right(source, NOTHING)
        self.wrong("released", source, answer())


class Rule1(Case):
    def test_a_registration_with_a_date_outside_is_removed_and_the_object_with_its_last(self):
        self.right(one(properties(BEFORE)), NOTHING)
        self.wrong("released", one(properties(BEFORE)), answer(properties(BEFORE)))
        both = properties() + properties(BEFORE)
        self.right(one(both), NOTHING)
        self.wrong("released", one(both), answer())

    def test_the_bounds_are_instants_from_included_to_excluded(self):
        for date, inside in [("2026-08-01T00:00:00+02:00", True), ("2026-07-31T22:00:00Z", True), ("2026-07-31T23:59:59+02:00", False),
                             ("2026-08-01T00:00:00", True), ("2026-12-01T00:00:00", False), ("2026-11-30T24:00:00", False),
                             ("2026-12-01T00:00:00+02:00", True), ("2026-11-30T23:59:59.999+01:00", True), ("2026-07-31T24:00:00", True)]:
            self.right(one(properties(date)), answer(properties(date)) if inside else NOTHING)
            self.wrong("missing" if inside else "released", one(properties(date)), NOTHING if inside else answer(properties(date)))

    def test_a_missing_or_unreadable_date_releases_nothing(self):
        for date in ["", "2026-10-30", "30-10-2026", "2026-02-30T00:00:00", "2026-10-30T00:00:60", "2026-10-30T24:00:01", "2026-10-30T00:00:00+14:01"]:
            self.right(one(properties(date)), NOTHING)
            self.wrong("released", one(properties(date)), answer(properties(date)))

    def test_beside_a_good_date_an_element_without_one_is_left_out(self):
        source = one(properties() + properties(""))
        self.right(source, answer())
        self.wrong("released", source, answer(properties() + properties("")))

    def test_a_deleted_registration_is_removed(self):
        deleted = "<sd:LivscyklusKode>Slettet</sd:LivscyklusKode>"
        self.right(one(head=deleted), NOTHING)
        self.wrong("released", one(head=deleted), answer())
        self.right(one(head="<sd:LivscyklusKode>Importeret</sd:LivscyklusKode>"), answer())

    def test_of_two_registrations_only_the_one_inside_is_released(self):
        relations = line() + owner()
        source = output(grant(), effectuation(registration(properties(BEFORE), relations), registration(relations=relations)))
        self.right(source, answer())
        self.wrong("released", source, output(effectuation(*[registration(relations=line(source=False) + owner())] * 2)))


class Rule2(Case):
    def test_only_the_counterparts_benefits_are_released(self):
        self.right(one(relations=line() + owner(OTHER)), NOTHING)
        self.wrong("released", one(relations=line() + owner(OTHER)), answer(relations=line(source=False) + owner(OTHER, None)))
        self.right(one(relations=line() + owner(OTHER, None)), answer(relations=line(source=False) + owner(OTHER, None)),
                   counterparts=[UDK, OTHER], names={})

    def test_no_owner_or_two_is_none(self):
        for owners in ["", owner() + owner(), owner() + owner(OTHER), owner().replace(UDK, "9999"), owner(role=CLASS)]:
            source = output(grant(), effectuation(registration(relations=line() + owners)))
            self.right(source, NOTHING)
            self.wrong("released", source, answer())

    def test_another_actor_beside_the_owner_is_removed(self):
        paying = owner(OTHER, None, role=CLASS)
        self.right(one(relations=line() + owner() + paying), answer())
        self.wrong("released", one(relations=line() + owner() + paying), answer(relations=line(source=False) + owner() + paying))


class Rule3(Case):
    TWO = line() + line("32.06.04", "900.00") + owner()

    def test_lines_outside_the_kle_go_and_the_sum_with_them(self):
        source, kept = one(relations=self.TWO), answer(properties(gross=None), line(source=False) + owner())
        self.right(source, kept, kle=["32.03.*"])
        self.wrong("SamletBruttobeloeb", source, answer(), kle=["32.03.*"])
        self.wrong("released", source, answer(properties(gross=None), self.TWO.replace("oei:BevilgetYdelseRef", "oei:X")), kle=["32.03.*"])
        self.wrong("missing", source, answer(properties(gross=None), owner()), kle=["32.03.*"])

    def test_without_a_constraint_all_lines_and_the_sum_stay(self):
        self.right(one(relations=self.TWO), answer(relations=line(source=False) + line("32.06.04", "900.00", source=False) + owner()))

    def test_both_constraints_hold_where_agreement_and_token_each_have_one(self):
        self.right(one(), answer(), kle=[["32.*"], ["32.03.0*"]])
        self.right(one(), NOTHING, kle=[["32.*"], ["99.*"]])

    def test_patterns_are_prefixes(self):
        for pattern, fits in [("3*", True), ("32.*", True), ("32.0*", True), ("32.03.*", True), ("32.03.0*", True), ("32.03.04", True),
                              ("32.03", False), ("9*", False), ("32.03.05", False)]:
            self.right(one(), answer() if fits else NOTHING, kle=[pattern])

    def test_under_a_constraint_an_object_without_readable_lines_is_removed(self):
        for unread in ["", line(kle=None), line(kle="folkepension")]:
            self.right(output(grant(), effectuation(registration(relations=unread + owner()))), NOTHING, kle=["32.*"])


class Rule0(Case):
    def test_payee_alone_proves_nothing(self):
        source = output(grant(persons=[Q]), effectuation(registration(relations=line() + owner() + payee())))
        self.right(source, NOTHING)
        self.wrong("released", source, answer(relations=line(source=False) + owner() + payee()))

    def test_another_persons_line_goes_and_all_sums_with_it(self):
        source = one(None, line() + line("32.06.04", "900.00", GRANT_Q) + owner(), grant(), grant(GRANT_Q, [Q]))
        self.right(source, answer(properties(gross=None), line(source=False) + owner()))
        self.wrong("SamletBruttobeloeb", source, answer())
        self.wrong("released", source, answer(properties(gross=None), line(source=False) + line("32.06.04", "900.00", source=False) + owner()))

    def test_missing_proof_ends_in_a_fault_not_in_receives_nothing(self):
        for source in [one(relations=owner()), one(relations=line(to=None) + owner()), one(relations=line(to=GRANT_Q) + owner()),
                       one(None, None, grant(persons=[])), one(None, None, grant(persons=[P, Q])), one(None, None, grant(role=CLASS))]:
            self.right(source, fault="PersonUnproven")
            self.wrong("must be PersonUnproven", source, NOTHING)
            self.wrong("must be PersonUnproven", source, answer())

    def test_the_fault_is_for_missing_proof_only(self):
        self.wrong("must be an answer", SOURCE, fault="PersonUnproven")
        self.wrong("must be an answer", output(grant(persons=[Q]), effectuation(registration(relations=line() + owner()))), fault="PersonUnproven")

    def test_rules_1_to_3_come_first_so_that_what_they_remove_is_never_unproven(self):
        for source in [one(properties(BEFORE), line(to=None) + owner()), one(relations=line(to=None) + owner(OTHER))]:
            self.right(source, NOTHING)
            self.wrong("must be an answer", source, fault="PersonUnproven")
        self.right(one(relations=line(to=None) + owner()), NOTHING, kle=["99.*"])

    def test_where_one_line_is_proven_and_one_lacks_proof_the_call_ends_in_the_fault(self):
        source = one(relations=line() + line("32.06.04", "900.00", None) + owner())
        self.right(source, fault="PersonUnproven")
        self.wrong("PersonUnproven", source, answer(properties(gross=None), line(source=False) + owner()))

    def test_uuids_are_read_without_regard_to_case(self):
        self.right(one(relations=line(to=GRANT.upper()) + owner()), answer())

    def test_a_grant_that_names_two_grantees_or_no_role_or_is_deleted_proves_nothing(self):
        deleted = grant().replace("<bi:Registrering>", "<bi:Registrering><sd:LivscyklusKode>Slettet</sd:LivscyklusKode>")
        roleless = grant().replace(uuid("gd:Rolle", release_oracle.GRANTEE_ROLE), "")
        for kind in [grant(persons=[P, P]), deleted, roleless]:
            self.right(one(None, None, kind), fault="PersonUnproven")
            self.wrong("PersonUnproven", one(None, None, kind), answer())

    def test_a_registration_without_lines_beside_a_proven_one_ends_in_the_fault(self):
        source = output(grant(), effectuation(registration(relations=line() + owner()), registration(relations=owner())))
        self.right(source, fault="PersonUnproven")
        self.wrong("PersonUnproven", source, answer())

    def test_a_registration_that_lost_its_last_line_to_another_person_goes_and_the_sums_with_it(self):
        source = output(grant(), grant(GRANT_Q, [Q]), effectuation(
            registration(relations=line() + owner()), registration(relations=line(to=GRANT_Q) + owner())))
        kept, bare = registration(properties(gross=None), line(source=False) + owner()), registration(properties(gross=None), owner())
        self.right(source, output(effectuation(kept)))
        self.wrong("released", source, output(effectuation(kept, bare)))
        self.wrong("SamletBruttobeloeb", source, output(effectuation(registration(relations=line(source=False) + owner()))))

    def test_trust_index_asks_for_no_proof(self):
        trusted = {"options": {"person_check": "trust-index"}}
        self.right(one(relations=line(to=None) + owner()), answer(), **trusted)
        self.wrong("missing", one(relations=line(to=None) + owner()), NOTHING, **trusted)
        self.right(one(None, None, grant(persons=[Q])), NOTHING, **trusted)

    def test_what_is_to_come_is_withheld_where_the_policy_says_so_and_by_the_danish_day(self):
        withheld = {"options": {"future": "withhold"}}
        for date, to_come in [("2026-11-22T23:59:59+01:00", False), ("2026-11-22T22:59:59Z", False), ("2026-11-22T23:00:00Z", True),
                              ("2026-11-23T00:00:00", True), ("2026-11-30T00:00:00+01:00", True)]:
            source, shown = one(properties(date)), output(effectuation(registration(properties(date), line(source=False) + owner())))
            self.wrong("missing", source, NOTHING)
            if to_come:
                self.right(source, NOTHING, **withheld)
            else:
                self.wrong("missing", source, NOTHING, **withheld)

    def test_sensitivity_outside_the_constraint_removes_the_object(self):
        source = one(None, None, grant(level="VIP_SAGER"))
        self.right(source, NOTHING)
        self.right(one(None, None, grant(level="FOELSOMME_PERSONOPLYSNINGER")), answer())
        self.right(source, NOTHING, options={"sensitivity": ["IKKE_FORTROLIGE_DATA"]})
        self.wrong("released", source, answer(), options={"sensitivity": ["IKKE_FORTROLIGE_DATA"]})
        self.right(source, answer(), options={"sensitivity": ["VIP_SAGER"]})
        self.right(one(), NOTHING, options={"sensitivity": ["IKKE_FORTROLIGE_DATA"]})


class Answer(Case):
    def test_counts_are_of_what_is_released(self):
        self.wrong("2 effektueringer", SOURCE, RELEASED.replace(count("effektueringer", 1), count("effektueringer", 2)))
        self.wrong("0 ydelser", SOURCE, RELEASED.replace(count("ydelser", 1), count("ydelser", 0)))
        self.wrong("bevillinger", SOURCE, RELEASED.replace(count("ydelser", 1), count("bevillinger", 1)))
        self.wrong("2 counts", SOURCE, RELEASED.replace(count("ydelser", 1), count("ydelser", 1) * 2))

    def test_nothing_left_has_the_status_of_nothing_found(self):
        self.right(output(status="44"), NOTHING)
        self.wrong("status 44", output(status="44"), output(status="44"))
        self.right(output(), output(status="44"), options={"empty_status": 44})
        self.wrong("status 44", SOURCE, RELEASED.replace(">20<", ">44<"))

    def test_any_other_status_of_the_index_is_the_gateways_fault(self):
        for status in ["40", "41", "50", "x"]:
            self.right(output(status=status), fault="PeerFault" if status.isdigit() else "PeerAnswerInvalid")
            self.wrong("outcome", output(status=status), NOTHING)

    def test_what_is_no_answer_is_never_passed_on(self):
        for bad in [SOURCE[:-30], "<!DOCTYPE x>" + SOURCE, "<html/>", ""]:
            self.right(bad, fault="PeerAnswerInvalid")
            self.wrong("released", bad, RELEASED)

    def test_the_counts_stand_before_the_objects(self):
        moved = RELEASED.replace(count("ydelser", 1), "").replace("</yi:FremsoegYdelseIndeksOutput>", count("ydelser", 1) + "</yi:FremsoegYdelseIndeksOutput>")
        self.wrong("order", SOURCE, moved)

    def test_a_filter_makes_the_answer_smaller(self):
        without = registration("", line(source=False))
        self.right(SOURCE, output(effectuation(without)), filter=["oekonomiskeydelseeffektueringer"])
        self.wrong("released", SOURCE, RELEASED, filter=["oekonomiskeydelseeffektueringer"])
        self.right(SOURCE, NOTHING, filter=[])
        self.wrong("released", SOURCE, RELEASED, filter=[])
        self.right(SOURCE, NOTHING, filter=["itsystem"])
        self.wrong("released", SOURCE, RELEASED, filter=["itsystem"])

    def test_of_many_objects_the_missing_and_the_smuggled_one_are_named(self):
        names = [f"e0000000-0000-4000-8000-{n:012}" for n in range(60)]
        source = output(grant(), *(effectuation(registration(relations=line() + owner()), identity=n) for n in names))
        leave = lambda kept: output(*(effectuation(registration(relations=line(source=False) + owner()), identity=n) for n in kept))
        self.right(source, leave(names))
        self.wrong("missing: object", source, leave(names[:30] + names[31:]))
        self.wrong("released: object", source, leave(names + [OBJECT_2]))

    def test_dates_are_read_as_the_schema_reads_them(self):
        self.assertEqual(instants("1970-01-01T01:00:00"), [0])
        self.assertEqual(instants("1970-01-01T00:00:00.5Z"), [release_oracle.Fraction(1, 2)])
        self.assertEqual(len(instants("2026-10-25T02:30:00")), 2)
        self.assertEqual(instants("2026-10-24T24:00:00"), instants("2026-10-25T00:00:00+02:00"))
        for bad in ["", "2026-1-1T00:00:00", "0000-01-01T00:00:00Z", "2026-01-01T00:00:00+0100", "12026-01-01T00:00:00Z", "٢٠٢٦-01-01T00:00:00Z"]:
            self.assertEqual(instants(bad), [], bad)


class Batch(unittest.TestCase):
    def run_on(self, *cases):
        with TemporaryDirectory() as folder:
            file = Path(folder) / "cases.jsonl"
            file.write_text("".join(json.dumps(c) + "\n" for c in cases))
            told = io.StringIO()
            with redirect_stdout(told):
                code = release_oracle.main([str(file)])
            return code, told.getvalue()

    def test_it_counts_what_it_checked_and_fails_on_a_difference(self):
        good = {"id": "good", "context": CONTEXT, "unfiltered": SOURCE, "filtered": RELEASED}
        self.assertEqual(self.run_on(good, good), (0, "2 checked, 0 differences\n"))
        code, told = self.run_on(good, {**good, "id": "bad", "filtered": SOURCE})
        self.assertEqual(code, 1)
        self.assertIn("bad: released:", told)
        self.assertIn("2 checked, 1 differences", told)
        self.assertEqual(self.run_on()[0], 2)

    def test_nothing_left_looks_like_nothing_found(self):
        found = {"id": "found", "context": CONTEXT, "unfiltered": output(), "filtered": NOTHING}
        left = {"id": "left", "context": CONTEXT, "unfiltered": one(properties(BEFORE)), "filtered": NOTHING}
        self.assertEqual(self.run_on(found, left)[0], 0)
        telltale = {**left, "filtered": output(count("effektueringer", 0))}
        code, told = self.run_on(found, telltale)
        self.assertEqual(code, 1)
        self.assertIn("does not look like", told)

    def test_a_folder_of_cases_is_read_too(self):
        with TemporaryDirectory() as folder:
            write = lambda name, text: (Path(folder) / name).write_text(text)
            options = {"net_amounts": False, "periods": True, "person_check": "prove", "empty_status": 20, "naive": "copenhagen",
                       "future": "release"}
            told = json.dumps({"person": P, "window_from": CONTEXT["from"], "window_to": CONTEXT["to"], "tomorrow": CONTEXT["tomorrow"], "counterpart_cvrs": [UDK],
                               "names": CONTEXT["names"], "kle": None, "sensitivity": None, "asked": "all", "options": options})
            write("a.context.json", told), write("a.answer.xml", SOURCE), write("a.released.xml", RELEASED)
            write("b.context.json", told), write("b.answer.xml", one(relations=owner())), write("b.refused.txt", "PersonUnproven\n")
            told = io.StringIO()
            with redirect_stdout(told):
                self.assertEqual(release_oracle.main([folder]), 0)
            self.assertEqual(told.getvalue(), "2 checked, 0 differences\n")


if __name__ == "__main__":
    unittest.main()
