# SPDX-License-Identifier: BSD-2-Clause
"""How a demonstration speaks: numbered steps, measured figures, a table at the end, or all of it as JSON."""

import json
import os
import sys
import time


class StepFailed(Exception):
    """What was measured is not what the step promises."""


class Narrator:
    def __init__(self, as_json=False):
        self.as_json, self.steps, self.rows, self.start = as_json, {}, [], time.monotonic()
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.bold, self.plain = ("\033[1m", "\033[0m") if colour else ("", "")
        self.current = None

    def _print(self, text=""):
        # With --json standard output is for machines; people still see what goes on.
        print(text, file=sys.stderr if self.as_json else sys.stdout, flush=True)

    def step(self, name, title):
        self.current = self.steps[name] = {}
        self._print(f"\n{self.bold}{len(self.steps)}. {title}{self.plain}")

    def say(self, text):
        self._print(f"   {text}")

    def command(self, text):
        self._print(f"   $ {text}")

    def figures(self, **figures):
        self.current.update(figures)

    def row(self, what, text):
        self.rows.append((what, text))

    def require(self, holds, text):
        if not holds:
            raise StepFailed(text)

    def summary(self):
        self._print(f"\n{self.bold}Summary{self.plain} ({time.monotonic() - self.start:.0f} s)")
        width = max((len(what) for what, _ in self.rows), default=0)
        for what, text in self.rows:
            self._print(f"   {what:{width}}  {text}")

    def finish(self, error=None):
        if not error:
            self.summary()
        if self.as_json:
            document = {"ok": error is None, "seconds": round(time.monotonic() - self.start, 1), "steps": self.steps}
            if error:
                document["error"] = str(error)
            print(json.dumps(document, indent=2))
        return 0 if error is None else 1


def share(part):
    return f"{part * 100:.1f} %"


def load_text(result):
    latency = f"p50 {result['p50_ms']} ms, p99 {result['p99_ms']} ms" if result["p50_ms"] is not None else "no answer"
    return f"{result['ok']} of {result['requests']} requests succeeded ({share(result['success'])}), {latency}"
