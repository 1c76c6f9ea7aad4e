# SPDX-License-Identifier: BSD-2-Clause
"""What is documented is true: every example of weir.yaml(5) is valid, and everything that rules and sets have is in one."""

import pathlib
import re
import tempfile
import unittest

from lab import REPO
from mmdb import Database
from test_check import check

# What the examples of the manual speak of and do not say themselves.
AROUND = {
    "interfaces": "interfaces: [eth0, eth1]",
    "sets": "sets: {office: [203.0.113.0/24], listed: {file: lists/firehol.netset}}",
    "limits": "limits: [{name: pings, rate: 10/s}, {name: dns-answers, rate: 1000/s}]",
    "pools": "pools: {local: {backends: [{address: 10.0.0.11}]}, midtier: {backends: [{address: 10.0.0.21}]}}",
    "services": "services: [{address: 198.51.100.20, ports: tcp/80, pools: local}]",
}


def manual():
    return (REPO / "docs/man/weir.yaml.5.scd").read_text()


def manual_examples():
    """The blocks of the manual that are YAML: the others show what is printed, or typed."""
    blocks = re.findall(r"^```\n(.*?)^```$", manual(), re.M | re.S)
    return [block for block in blocks if not re.match(r"weir\.yaml:\d|weir |\$ ", block)]


def whole(block):
    """A configuration around the example."""
    if block.startswith("  - "):
        block = "filter:\n  rules:\n" + re.sub("^", "  ", block, flags=re.M).rstrip(" ")
    elif block.startswith("rules:"):
        block = "filter:\n" + re.sub("^", "  ", block, flags=re.M).rstrip(" ")
    keys = set(re.findall(r"^(\w+):", block, re.M))
    return block + "".join(f"{text}\n" for key, text in AROUND.items() if key not in keys)


def keys_of(source, table):
    """The keys that a reader in user/config knows, from the table behind its name."""
    text = (REPO / "user/config" / source).read_text()
    text = text[text.index(table):]
    return re.findall(r'\{"(\w+)",', text[text.index("keys[]"):text.index("};")])


class ManualExamples(unittest.TestCase):
    def write_databases(self, directory, text):
        """With a network of every region that the text names."""
        countries = re.findall(r"\b[A-Z]{2}\b", " ".join(re.findall(r"(?:countries|continents): \[([^]]*)", text)))
        asns = re.findall(r"\d+", " ".join(re.findall(r"asns: \[([^]]*)", text)))
        by_country, by_asn = Database(), Database("Test-ASN")
        for at, word in enumerate(countries):
            by_country.country(f"192.0.2.{16 * at}/28", word)
        for at, word in enumerate(asns):
            by_asn.asn(f"192.0.2.{16 * at}/28", int(word))
        for name, database in (("country", by_country), ("asn", by_asn)):
            if f"{name}.mmdb" in text:
                database.write(directory / f"{name}.mmdb")

    def accept(self, text):
        with tempfile.TemporaryDirectory() as directory:
            (pathlib.Path(directory) / "lists").mkdir()
            for name in ["firehol.netset", *re.findall(r"file: lists/([\w.]+)", text)]:
                (pathlib.Path(directory) / "lists" / name).write_text("# invented\n198.51.100.0/28\n")
            self.write_databases(pathlib.Path(directory), text)
            (pathlib.Path(directory) / "weir.yaml").write_text(text)
            done = check(directory, "weir.yaml")
            self.assertEqual(done.returncode, 0, f"{text}\n{done.stderr}")
            return done.stdout

    def test_manual_every_example_is_valid(self):
        examples = manual_examples()
        self.assertGreater(len(examples), 20)
        for block in examples:
            with self.subTest(block=block):
                self.accept(whole(block))

    def test_manual_configuration_of_the_readme_is_valid(self):
        block, = re.findall(r"^```yaml\n(.*?)^```$", (REPO / "README.md").read_text(), re.M | re.S)
        self.accept(block)

    def test_manual_example_file_is_valid(self):
        said = self.accept((REPO / "docs/weir.yaml.example").read_text())
        self.assertNotIn("warning:", said)

    def test_manual_describes_every_match_action_and_kind_of_set_with_an_example(self):
        text, examples = manual(), "\n".join(manual_examples())
        for source, table, least in (("rules.c", "static void read_content", 19), ("sets.c", "static void read_map", 5)):
            keys = keys_of(source, table)
            self.assertGreaterEqual(len(keys), least)
            for key in keys:
                with self.subTest(key=key):
                    self.assertTrue(re.search(rf"^\t*(\*\w+:\*, )*\*{key}:\*", text, re.M), "not described")
                    self.assertTrue(re.search(rf"[{{ ,]{key}: ", examples), "in no example")
        for key, words in (("action", ("pass", "allow", "drop", "reject", "limit")), ("mode", ("enforce", "shadow", "off")),
                           ("default", ("pass", "drop")), ("fragment", ("no", "first", "later", "yes")),
                           ("ipv6_extensions", ("present", "absent")), ("strict", ("true", "false"))):
            for word in words:
                with self.subTest(key=key, word=word):
                    self.assertTrue(re.search(rf"\b{key}: \[?([\w, ]+, )?{word}\b", examples), "in no example")
