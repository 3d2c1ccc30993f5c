"""What schemathesis finds in the API by the users that the demo does not have."""

import unittest

import demo
import test_api


@unittest.skipUnless(demo.binary(), "DID NOT RUN: the API before schemathesis by further users: no gateway")
class Others(test_api.Tried, unittest.TestCase):
    def test_schemathesis_finds_nothing(self):
        # What this leaves is there for the others to see.
        self.finds_nothing(["supplier-administrator"], phases="stateful", examples="10")
        self.finds_nothing(test_api.OTHERS)
