# SPDX-License-Identifier: BSD-2-Clause
"""What `weir check` tells in one run, without an edge: every mistake with its place, in words and as a document."""

import json
import os
import pathlib
import re
import subprocess
import unittest

from lab import REPO

BUILD = pathlib.Path(os.environ.get("WEIR_BUILD") or REPO / "build").resolve()
MISTAKES = pathlib.Path(__file__).parent / "data/mistakes"

# (line:column, whether it is an error, words of the sentence, the other place)
PLANTED = [
    ("7:3", False, 'set "nobody" is empty', "27:7"),
    ("8:40", True, "a duration needs a unit", None),
    ("11:3", False, 'set "silent" is empty: its list holds no prefix', "17:7"),
    ("13:52", True, "a rate needs its time", None),
    ("16:28", True, 'there is no set "ofice"; did you mean "office"?', None),
    ("19:7", False, 'rule "ten-one" can never match: rule "ten" ahead of it', "18:7"),
    ("20:47", True, "192.0.2.7/24 has bits set behind its prefix length: write 192.0.2.0/24", None),
    ("21:7", True, 'rule "listed" is here twice, first in line 17', None),
    ("22:38", True, '"70000" for "dport": values are 0 to 65535', None),
    ("23:23", True, 'unknown key "prot" in a rule; did you mean "proto"?', None),
    ("24:32", True, 'the mask behind the slash leaves "ack" out', None),
    ("25:44", True, "a range goes from the lower to the higher: write 8000-8099", None),
    ("26:7", False, 'rule "last-summer" has expired', None),
    ("28:7", False, 'rule "late" has no effect', "14:1"),
]
LIST_MISTAKE = "broken.netset:3: ", 'set "broken" (weir.yaml:10:3)'


def check(directory, *argv):
    """Nobody answers on the socket, so nothing is compared with what is live."""
    return subprocess.run([BUILD / "weir", "check", "-s", "/nowhere/weir.sock", *argv], cwd=directory, text=True,
                          capture_output=True, timeout=60)


class CheckMistakes(unittest.TestCase):
    def test_check_planted_mistakes_are_all_named_with_line_and_column_in_one_run(self):
        done = check(MISTAKES, "weir.yaml")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        told = re.findall(r"^weir\.yaml:(\d+:\d+): (warning: )?(.*)\n +\d+ \| (.*)\n +\| ( *)\^$", done.stderr, re.M)
        self.assertEqual(sorted(place for place, *_ in told), sorted(place for place, *_ in PLANTED))
        source = (MISTAKES / "weir.yaml").read_text().splitlines()
        for place, is_error, words, other in PLANTED:
            with self.subTest(place=place):
                line, column = map(int, place.split(":"))
                _, warning, sentence, shown, before = next(row for row in told if row[0] == place)
                self.assertEqual(warning, "" if is_error else "warning: ")
                self.assertIn(words, sentence)
                self.assertEqual(f"({other})" in sentence, bool(other))
                self.assertEqual((shown, len(before) + 1), (source[line - 1], column))
        for words in LIST_MISTAKE:
            self.assertIn(words, done.stderr)

    def test_check_planted_mistakes_are_all_in_the_json_document(self):
        done = check(MISTAKES, "--json", "weir.yaml")
        document = json.loads(done.stdout)
        self.assertEqual((done.returncode, document["valid"]), (1, False))
        rows = [(row, is_error) for key, is_error in (("errors", True), ("findings", False)) for row in document[key]]
        placed = {f"{row['line']}:{row['column']}": (row, is_error) for row, is_error in rows if "line" in row}
        self.assertEqual(sorted(placed), sorted(place for place, *_ in PLANTED))
        for place, is_error, words, other in PLANTED:
            with self.subTest(place=place):
                row, was_error = placed[place]
                self.assertEqual((row["file"], was_error), ("weir.yaml", is_error))
                self.assertIn(words, row["message"])
                self.assertEqual("{line}:{column}".format(**row["other"]) if "other" in row else None, other)
        of_lists, = [row["message"] for row, _ in rows if "line" not in row]
        for words in LIST_MISTAKE:
            self.assertIn(words, of_lists)
