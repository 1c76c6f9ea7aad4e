# SPDX-License-Identifier: BSD-2-Clause
"""GeoIP databases under live rules: a country and an AS are blocked, and a new database acts by itself."""

import json

from filtering import FilterTest
from mmdb import Database
from shared import VIP4, VIP6, await_true

# So that a network more or less is a small change.
PADDING = [f"10.{n}.0.0/16" for n in range(0, 40, 2)] + [f"2001:db8:2:{n:x}::/64" for n in range(0, 40, 2)]


class FilterGeoip(FilterTest):
    def database(self, name):
        return self.lab.dir / f"{name}.mmdb"

    def put_country(self, name, country, *nodes):
        """A database in which the nodes' addresses and the padding are in the country, and the client in another."""
        database = Database("Test-Country")
        for prefix in [*self.addresses(*nodes), *PADDING]:
            database.country(prefix, country)
        for address in self.addresses("client"):
            database.country(address, "NZ", "OC")
        return database.write(self.database(name))

    def policy_of(self, name, geoip, **options):
        """A policy that drops what the regions hold, and looks at the database every second."""
        return self.filtered({"name": "blocked", "from": f"@{name}", "action": "drop"},
                             sets={name: {"geoip": {"file": str(self.database(name)), **geoip}, "refresh": "1s", **options}})

    def test_filter_geoip_country_is_blocked_and_no_other(self):
        self.put_country("blocked-country", "DE", "attacker")
        self.apply(self.policy_of("blocked-country", {"countries": ["DE"]}))
        for vip in (VIP4, VIP6):
            with self.counting(rule=7, steered=5):
                self.datagrams("attacker", 7, vip)
                self.datagrams("client", 5, vip)
        self.assertEqual(self.set("blocked-country")["prefixes"], len(PADDING) + 2)

    def test_filter_geoip_database_that_is_replaced_acts_without_a_command(self):
        self.put_country("replaced", "DE", "attacker")
        self.apply(self.policy_of("replaced", {"continents": ["EU"]}, max_change="50%"))
        self.assertEqual((self.fate("attacker"), self.fate("greedy")), ("rule", "steered"))
        self.put_country("replaced", "FR", "greedy")
        self.await_fate("greedy", "rule")
        self.await_fate("attacker", "steered")
        for vip in (VIP4, VIP6):
            self.assertEqual(self.fate("greedy", vip), "rule")

    def test_filter_geoip_as_number_is_matched(self):
        database = Database("Test-ASN")
        for address in self.addresses("attacker"):
            database.asn(address, 64496)
        for address in self.addresses("greedy"):
            database.asn(address, 4200000001)
        database.asn("10.0.0.0/8", 64511).write(self.database("systems"))
        self.apply(self.policy_of("systems", {"asns": ["AS64496", 64511]}))
        for vip in (VIP4, VIP6):
            self.assertEqual((self.fate("attacker", vip), self.fate("greedy", vip)), ("rule", "steered"))
        self.apply(self.policy_of("systems", {"asns": 4200000001}, max_change="10%")) # another set, so no change of one
        for vip in (VIP4, VIP6):
            self.assertEqual((self.fate("attacker", vip), self.fate("greedy", vip)), ("steered", "rule"))

    def test_filter_geoip_database_that_breaks_is_held_back_and_the_old_one_goes_on_over_a_restart(self):
        self.put_country("breaking-country", "DE", "attacker")
        path = self.database("breaking-country")
        policy = self.policy_of("breaking-country", {"countries": ["DE"]}, max_change="30%")
        self.apply(policy)
        whole = path.read_bytes()
        for what, content, why in (("cut off", whole[:len(whole) // 2], "is no whole MaxMind database"),
                                   ("a page", b"<html>502 Bad Gateway</html>", "is no whole MaxMind database"),
                                   ("emptied", Database().country("10.0.0.0/8", "FR").bytes(), "to none")):
            with self.subTest(what=what):
                path.write_bytes(content)
                said = await_true("the version held back", lambda: self.set("breaking-country").get("why"), 15, every=0.1)
                self.assertIn(why, said)
                self.assertEqual(self.fate("attacker"), "rule")
                self.restart()
                self.assertEqual((self.fate("attacker"), self.fate("attacker", VIP6)), ("rule", "rule"))
                self.assertTrue(self.set("breaking-country")["restored"])
                path.write_bytes(whole)
                await_true("the whole one in use", lambda: not self.set("breaking-country").get("why"), 15, every=0.1)

    def test_filter_geoip_commands_name_the_database(self):
        self.put_country("named", "GB", "attacker")
        policy = self.policy_of("named", {"countries": ["GB", "UK"]})
        self.apply(policy)
        geoip = self.set("named")["geoip"]
        self.assertEqual((geoip["database"], geoip["regions"]), ("Test-Country", "GB, UK"))
        self.assertGreater(geoip["built"], 1_700_000_000)
        path = self.lab.dir / "named.yaml"
        path.write_text(json.dumps(policy))
        source = f"{self.database('named')} (GeoIP database Test-Country of "
        for argv in (["set", "list"], ["set", "lookup", self.lab.ip4("attacker")], ["check", path]):
            self.assertIn(source, self.edge.weir(*argv).stdout)
        shown = self.edge.weir("set", "show", "named")
        self.assertEqual(len(shown.stdout.split()), len(PADDING) + 2)
        self.assertIn(source, shown.stderr)
        self.assertIn("is in the country UK; was GB meant?", self.edge.weir("check", path).stdout)

    def test_filter_geoip_database_of_something_else_is_refused_by_apply(self):
        Database("Test-ASN").asn("10.0.0.0/8", 64496).write(self.database("other"))
        path = self.lab.dir / "refused.yaml"
        path.write_text(json.dumps(self.policy_of("other", {"countries": ["DE"]})))
        done = self.edge.weir("apply", path, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("(Test-ASN) has no countries: another database is needed for them", done.stderr)
