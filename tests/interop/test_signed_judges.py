"""The comparison sees every way in which our verdict may differ from another's, and only those."""

import unittest

from signed_judges import differences, spread


def told(ours, theirs, code="", mutation="content", streamed=None):
    case = {"verdict": ours, "code": code, "told": code, "mutation": mutation, "streamed": streamed}
    return list(differences(case, {"Santuario": theirs}))


class Comparison(unittest.TestCase):
    def test_the_same_verdict_is_no_difference(self):
        self.assertEqual(told("valid", "valid"), [])
        for ours in ("digest", "signature", "refused"):
            self.assertEqual(told(ours, "invalid: why", "DigestMismatch"), [])

    def test_what_we_accept_must_hold(self):
        self.assertRegex(told("valid", "invalid: digest")[0], "refuses what we find valid: invalid: digest")

    def test_what_we_find_altered_must_not_hold(self):
        for ours in ("digest", "signature"):
            self.assertRegex(told(ours, "valid")[0], "finds valid what we refuse")

    def test_the_profile_may_refuse_what_holds_but_only_for_a_reason_that_is_named(self):
        self.assertEqual(told("refused", "valid", "CommentRefused"), [])
        self.assertRegex(told("refused", "valid", "Internal")[0], "for no reason of the profile")

    def test_an_answer_has_one_verdict_whole_and_while_it_streams(self):
        self.assertEqual(told("digest", "invalid", streamed="refused"), [])
        self.assertRegex(told("digest", "invalid", streamed="valid")[0], "while it streams")
        self.assertRegex(told("valid", "valid", streamed="digest")[0], "while it streams")

    def test_a_message_that_is_not_good_from_the_start_is_told(self):
        self.assertRegex(told("digest", "invalid", mutation="none")[0], "not good")

    def test_a_part_of_the_cases_is_whole_families_from_first_to_last(self):
        cases = [{"base": f"{n // 6:03}"} for n in range(600)]
        self.assertEqual(len(spread(cases, None)), 600)
        self.assertEqual(spread(cases, 0), [])
        some = spread(cases, 120)
        self.assertEqual(len(some), 120)
        self.assertGreater(max(case["base"] for case in some), "090")


if __name__ == "__main__":
    unittest.main()
