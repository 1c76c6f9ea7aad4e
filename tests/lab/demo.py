# SPDX-License-Identifier: BSD-2-Clause
"""The demonstration: an edge in the lab, attacked, limited, robbed of a cache, and measured at each step."""

import os
import subprocess
import time

import services
from lab import REPO, VIP4, VIP6, await_true
from narrate import load_text, share

BOTNET = "198.18.0.0/15"
BOTNET_SOURCES = 131072
FLOOD_PPS = 600000
FLOOD_SECONDS = 40 # at most; each flood is stopped when it was looked at
LISTED = 120000
LIST = """\
sets:
  blocklist: {file: lists/blocklist.netset, refresh: 1s, max_change: 30%}
filter:
  rules:
    - {name: listed, from: "@blocklist", action: drop}
"""
LIMIT = "  - {name: per-client, key: source, rate: 400/s, burst: 400}\n"


def reasons(edge):
    """{reason: packets} of the dataplane."""
    counts = {}
    for row in edge.json("stats")["verdicts"]:
        counts[row["reason"]] = counts.get(row["reason"], 0) + row["packets"]
    return counts


class Demo:
    def __init__(self, lab, narrator):
        self.lab, self.n = lab, narrator
        self.collector = self.edge = None
        self.list, self.fresh = (lab.dir / f"lists/blocklist.{end}" for end in ("netset", "new"))

    def run(self):
        self.build()
        self.pages()
        self.deny()
        self.flood()
        self.limit()
        self.failover()
        self.counters()

    def weir(self, *argv):
        self.n.command("weir " + " ".join(argv))
        return self.edge.weir(*argv)

    def config(self, limits=""):
        return services.weir_config(self.lab, otlp_path=self.collector.path, limits=limits, extra=LIST)

    def make_list(self, path, *argv):
        """A list as they are published, of a realistic size."""
        subprocess.run([REPO / "tests/lab/make-list", "--count", str(LISTED), "--output", path, *argv], check=True, timeout=120)

    # --- the steps -------------------------------------------------------------------------------------------
    def build(self):
        self.n.step("build", "A lab: a client, a greedy client, an attacker; an edge, three caches, an origin, a collector")
        start = time.monotonic()
        self.lab.up()
        self.n.say("network namespaces: " + " ".join(self.lab.nodes))
        self.list.parent.mkdir()
        self.make_list(self.list)
        self.make_list(self.fresh, "--change", "1", "--with", BOTNET)
        self.collector, self.edge = services.start_everything(self.lab, extra=LIST)
        seconds = time.monotonic() - start
        status = self.edge.json("status")
        mode = status["interfaces"][0]["mode"]
        self.n.say(f"origin nginx, caches varnish, metrics go to {self.collector.name}")
        listed = self.blocklist()["prefixes"]
        self.n.say(f"weir runs on the edge's eth0 in {mode} mode; up and all caches healthy after {seconds:.1f} s")
        self.n.say(f"a rule drops what a published list names: {listed:,} prefixes, of nobody here")
        self.n.figures(seconds=round(seconds, 2), xdp_mode=mode, collector=self.collector.name, listed=listed)

    def blocklist(self):
        return next(row for row in self.edge.json("set", "list")["sets"] if row["set"] == "blocklist")

    def pages(self):
        self.n.step("pages", f"Pages through the VIP: http://{VIP4}/ and http://[{VIP6}]/")
        for family, address in (("ipv4", VIP4), ("ipv6", VIP6)):
            seen, hits, misses = {}, 0, 0
            for _ in range(16):
                status, headers, size = services.fetch(self.lab, "client", f"/{family}/64k", address)
                self.n.require(status == 200 and size == services.SIZES["64k"],
                               f"a page over {family} came back with status {status} and {size} bytes")
                cache = headers["x-served-by"]
                hit = headers["x-cache"] == "HIT"
                self.n.require(hit or cache not in seen, f"{cache} had the page already and missed it")
                seen[cache] = seen.get(cache, 0) + 1
                hits, misses = hits + hit, misses + (not hit)
            by = ", ".join(f"{cache} {count}" for cache, count in sorted(seen.items()))
            self.n.say(f"{family}: 16 pages of 64 KiB, served by {by}; {misses} fetched from the origin, {hits} cache hits")
            self.n.require(hits and misses, "no page was a hit after a miss")
            self.n.figures(**{family: {"served_by": seen, "hits": hits, "misses": misses}})
            self.n.row(f"pages over {family}", f"16 of 16, {len(seen)} caches, {hits} hits")

    def deny(self):
        self.n.step("deny", "One attacker, denied by a command")
        attacker = self.lab.ip4("attacker")
        flood = self.lab.flood(8, rate=20000, prefix=f"{attacker}/32", name="attack")
        before = reasons(self.edge)
        await_true("the attack reaching the caches", lambda: reasons(self.edge).get("steered", 0) -
                   before.get("steered", 0) > 5000, 8)
        self.n.say(f"{attacker} sends 20,000 packets a second to the VIP, and they reach the caches")
        start = time.monotonic()
        self.weir("deny", "add", attacker, "--note", "demo")
        command_ms = (time.monotonic() - start) * 1000
        first, began = reasons(self.edge), time.monotonic()
        time.sleep(1) # the span that is measured
        second, span = reasons(self.edge), time.monotonic() - began
        flood.stop()
        denied = second.get("denied", 0) - first.get("denied", 0)
        passed = second.get("steered", 0) - first.get("steered", 0)
        self.n.say(f"the command took {command_ms:.0f} ms; in the {span:.1f} s after it {denied:,} packets were dropped, "
                   f"{passed} got through")
        self.n.require(denied > 10000 and passed < denied / 1000, "the attacker's packets are not dropped")
        self.n.figures(command_ms=round(command_ms, 1), dropped=denied, passed=passed, seconds=round(span, 2))
        self.n.row("deny add", f"took {command_ms:.0f} ms; then {denied:,} dropped, {passed} passed in {span:.1f} s")

    def _start_flood(self, label):
        """A generator on each processor, from all of the botnet's addresses."""
        before = sum(reasons(self.edge).values())
        cpus = sorted(os.sched_getaffinity(0))[:2]
        attacks = [self.lab.flood(FLOOD_SECONDS, rate=FLOOD_PPS / len(cpus), prefix=BOTNET, sources=BOTNET_SOURCES,
                                  proto="tcp-syn", cpu=cpu, name=f"flood-{label}-{cpu}") for cpu in cpus]
        await_true("the flood reaching the edge", lambda: sum(reasons(self.edge).values()) - before > FLOOD_PPS / 100, 10)
        return attacks

    def _load(self, label):
        """A client's load, and what else went on meanwhile."""
        before, sent, start = reasons(self.edge), self.lab.sent_packets("attacker"), time.monotonic()
        result = services.load_result(services.load(self.lab, "client", 5, 100, name=f"load-{label}"))
        sent, seconds = self.lab.sent_packets("attacker") - sent, time.monotonic() - start
        after = reasons(self.edge)
        result.update(flood_pps=round(sent / seconds), **{reason: after.get(reason, 0) - before.get(reason, 0)
                                                          for reason in ("rule", "steered")})
        return result

    def _update_list(self):
        """A feed's update, as such programs do it: a new file takes the place of the old one. The seconds until it acts."""
        before = reasons(self.edge).get("rule", 0)
        self.n.command(f"mv {self.fresh.name} {self.list.name}")
        start = time.monotonic()
        os.replace(self.fresh, self.list)
        await_true("the new list acting", lambda: reasons(self.edge).get("rule", 0) > before, 30)
        return time.monotonic() - start

    def flood(self):
        self.n.step("flood", f"A SYN flood from {BOTNET_SOURCES:,} addresses, and a client who wants pages")
        calm = self._load("before")
        self.n.say(f"before the flood:               {load_text(calm)}")
        attacks = self._start_flood("botnet")
        open_ = self._load("unlisted")
        self.n.say(f"flood of {open_['flood_pps']:,}/s, not listed: {load_text(open_)}; "
                   f"{open_['steered']:,} packets reached the caches")
        taken_s = self._update_list()
        row = self.blocklist()
        self.n.say(f"a feed's update: {row['prefixes']:,} prefixes, the botnet among them. The controller saw it by itself, and the "
                   f"edge dropped by it {taken_s:.1f} s later")
        listed = self._load("listed")
        for attack in attacks:
            attack.stop()
        self.n.say(f"flood of {listed['flood_pps']:,}/s, listed:     {load_text(listed)}; "
                   f"{listed['rule']:,} packets dropped by the edge")
        self.n.say("(unfiltered, the same processors carry the flood on to the caches: it gets slower, not kinder)")
        self._ask_the_list()
        self.n.figures(before=calm, unlisted=open_, listed=listed, list_taken_s=round(taken_s, 2), prefixes=row["prefixes"])
        self.n.require(calm["success"] > 0.99, "the client does not get its pages even without a flood")
        self.n.require(listed["flood_pps"] > 200000, "the flood is too slow to show anything")
        self.n.require(listed["success"] >= 0.95 and listed["success"] >= open_["success"] - 0.01,
                       "the client suffers from a flood that is filtered")
        self.n.require(listed["rule"] > 1000000, "the flood is not dropped by the list")
        for label, result in (("before", calm), ("not listed", open_), ("listed", listed)):
            self.n.row(f"flood, {label}", f"{result['flood_pps']:>7,} pkt/s: {load_text(result)}")
        self.n.row("list replaced", f"{row['prefixes']:,} prefixes, in force {taken_s:.1f} s later without a command")

    def _ask_the_list(self):
        """Which entry it was, and what the rule dropped by it."""
        for argv in (("set", "lookup", "198.18.77.77"), ("rule", "list")):
            for line in self.weir(*argv).stdout.splitlines():
                self.n.say("  " + line)
        found = [row["entry"] for row in self.edge.json("set", "lookup", "198.18.77.77")["sets"]]
        rule = next(row for row in self.edge.json("rule", "list")["rules"] if row["rule"] == "listed")
        self.n.figures(entry=found, rule_packets=rule["packets"])
        self.n.require(found == [BOTNET], "the list does not name the botnet")
        self.n.require(rule["packets"] > 1000000, "the rule does not count what it drops")

    def limit(self):
        self.n.step("limit", "A greedy client, limited while another is not")
        self.edge.write(self.config(limits=LIMIT))
        self.weir("apply", str(self.edge.path))
        pair = [services.load(self.lab, "greedy", 6, 400, timeout=0.5, name="load-greedy"),
                services.load(self.lab, "client", 6, 20, name="load-modest")]
        greedy, modest = map(services.load_result, pair)
        limits = {row["limit"]: row for row in self.edge.json("stats")["limits"]}
        dropped = limits["per-client"]["dropped"]
        self.n.say("limit: 400 packets a second for each source")
        self.n.say(f"greedy client, 400 requests/s: {greedy['ok_per_s']} requests/s succeeded, {greedy['failed']} failed")
        self.n.say(f"modest client, 20 requests/s:  {load_text(modest)}; {dropped:,} packets dropped by the limit")
        self.n.figures(greedy=greedy, modest=modest, dropped_packets=dropped)
        self.n.require(modest["success"] == 1, "the modest client was hurt by the greedy one's limit")
        self.n.require(dropped > 0 and greedy["ok_per_s"] < 200, "the greedy client was not limited")
        self.n.row("limit, greedy client", f"{greedy['ok_per_s']} of 400 requests/s, {dropped:,} packets dropped")
        self.n.row("limit, other client", f"{share(modest['success'])} of its requests succeeded")
        self.edge.write(self.config())
        self.weir("apply", str(self.edge.path))

    def failover(self):
        self.n.step("failover", "A cache dies, and comes back")
        victim = self.lab.cache_names()[0]
        load = services.load(self.lab, "client", 8, 100, timeout=1, name="load-failover")
        time.sleep(1) # some load before the loss
        self.n.command(f"kill -9 varnish on {victim}")
        services.kill_cache(self.lab, victim)
        out_s = self.edge.await_healthy(self.lab.caches - 1)
        result = services.load_result(load)
        self.n.say(f"{victim} was out of the ring {out_s:.2f} s after it died; {result['failed']} of {result['requests']} "
                   f"requests failed, all within {result['failing_for_s']} s")
        after = services.load_result(services.load(self.lab, "client", 2, 100, name="load-without"))
        self.n.say(f"without it: {load_text(after)}")
        self.n.require(out_s < 5, "the dead cache stayed in the ring")
        self.n.require(after["success"] == 1 and victim not in after["by"], "requests still go to the dead cache")
        services.start_cache(self.lab, victim)
        start = time.monotonic()
        self.edge.await_healthy(self.lab.caches, 30)
        back_s = time.monotonic() - start
        again = services.load_result(services.load(self.lab, "client", 2, 100, name="load-again"))
        self.n.say(f"{victim} is back after {back_s:.1f} s and served {again['by'].get(victim, 0)} of {again['ok']} requests")
        self.n.require(again["by"].get(victim, 0) > 0, "the cache that came back gets no requests")
        self.n.require(again["success"] == 1, "requests failed when the cache came back")
        self.n.figures(out_s=round(out_s, 3), during=result, without=after, back_s=round(back_s, 2), again=again)
        self.n.row("a cache killed", f"out after {out_s:.2f} s, {result['failed']} of {result['requests']} requests failed")
        self.n.row("its return", f"served {again['by'].get(victim, 0)} of {again['ok']} requests, {again['failed']} failed")

    def counters(self):
        self.n.step("counters", f"What each origin received, as {self.collector.name} has it")
        metrics = {"packets": "weir_backend_packets_total", "bytes": "weir_backend_bytes_total",
                   "flows": "weir_backend_flows_total"}

        def collected():
            rows = {}
            for kind, metric in metrics.items():
                for labels, value in self.collector.latest(metric):
                    rows.setdefault(labels["backend"], {})[kind] = int(value)
            return rows

        def agree():
            own = {row["backend"]: {kind: row[kind] for kind in metrics} for row in self.edge.json("stats")["backends"]}
            return own if own == collected() else None

        rows = await_true("the collector having the edge's own figures", agree, 15, 0.2)
        for name, row in sorted(rows.items()):
            self.n.say(f"{name}: {row['packets']:,} packets, {row['bytes']:,} bytes, {row['flows']:,} connections")
        self.n.say("the edge's own counters say the same")
        self.n.figures(collected=rows)
        self.n.row("collector", f"{len(rows)} origins, equal to the edge's counters")
