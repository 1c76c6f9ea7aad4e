/* SPDX-License-Identifier: BSD-2-Clause */
/* The results for people, for machines, and for docs/benchmarks.md. */
#include "bench.h"
#include "user/base/scope.h"
#include <jansson.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

struct column_set {
	enum result_kind kind;
	const char *title, *head;
};

static const struct column_set column_sets[] = {
	{RESULT_PACKET, "In test runs",
	 "| group | case | ns | quartiles | over XDP_DROP | ratio |\n|---|---|--:|--:|--:|--:|\n"},
	{RESULT_LIVE, "Live frames over veth",
	 "| group | case | Mpps | CPU ns a packet | ratio to XDP_DROP | lost |\n|---|---|--:|--:|--:|--:|\n"},
	{RESULT_TIME, "Time of the controller", "| group | case | ms | quartiles | budget |\n|---|---|--:|--:|--:|\n"},
	{RESULT_SIZE, "Memory", "| group | case | MiB | budget |\n|---|---|--:|--:|\n"},
};

/* What the figure is to stay below. */
static void report_budget(FILE *out, double budget, double figure)
{
	if (budget)
		fprintf(out, "%6g%s", budget, figure < budget ? "" : " MISSED");
}

/* Fields of a row, without group and name; the separator is all that the two tables differ by. */
static void report_fields(FILE *out, const struct result *r, const char *separator)
{
	switch (r->kind) {
	case RESULT_PACKET:
		fprintf(out, "%7.1f%s%6.1f-%-6.1f%s%+8.1f%s%7.2f", r->median, separator, r->q1, r->q3, separator,
			r->over_floor, separator, r->ratio);
		break;
	case RESULT_LIVE:
		fprintf(out, "%7.3f%s%8.0f%s%7.2f%s%6.2f %%", r->mpps, separator, r->cpu_ns, separator, r->ratio,
			separator, r->lost * 100);
		break;
	case RESULT_TIME:
		fprintf(out, "%8.2f%s%7.2f-%-7.2f%s", r->median, separator, r->q1, r->q3, separator);
		report_budget(out, r->budget, r->median);
		break;
	case RESULT_SIZE:
		fprintf(out, "%8.1f%s", r->kib / 1024, separator);
		report_budget(out, r->budget / 1024, r->kib / 1024);
		break;
	}
}

void report_table(FILE *out, const struct results *results)
{
	static const char *const heads[] = {
		[RESULT_PACKET] = "      ns      quartiles       over    ratio",
		[RESULT_LIVE] = "    Mpps   CPU ns   ratio    lost",
		[RESULT_TIME] = "       ms      quartiles       budget",
		[RESULT_SIZE] = "      MiB  budget",
	};

	for (size_t i = 0; i < results->count; i++) {
		const struct result *r = &results->row[i];

		if (!i || r->kind != results->row[i - 1].kind || strcmp(r->group, results->row[i - 1].group))
			fprintf(out, "%s%-44s%s\n", i ? "\n" : "", r->group, heads[r->kind]);
		fprintf(out, "  %-42s", r->name);
		report_fields(out, r, "  ");
		fputc('\n', out);
	}
}

/* Two decimals: more would be noise. */
static json_t *rounded(double value)
{
	return json_real((double)(long long)(value * 100 + (value < 0 ? -0.5 : 0.5)) / 100);
}

static json_t *report_object(const struct result *r)
{
	json_t *object = json_pack("{s:s, s:s}", "group", r->group, "name", r->name);

	if (!object)
		bench_fail("out of memory");
	if (r->kind == RESULT_SIZE) {
		json_object_set_new(object, "kib", rounded(r->kib));
		if (r->budget)
			json_object_set_new(object, "budget_kib", rounded(r->budget));
		return object;
	}
	if (r->kind == RESULT_LIVE) {
		json_object_set_new(object, "mpps", json_real((double)(long long)(r->mpps * 1e4) / 1e4));
		json_object_set_new(object, "cpu_ns_per_packet", rounded(r->cpu_ns));
		json_object_set_new(object, "ratio_to_drop", rounded(r->ratio));
		json_object_set_new(object, "lost", json_real((double)(long long)(r->lost * 1e6) / 1e6));
		return object;
	}
	json_object_set_new(object, r->kind == RESULT_TIME ? "ms_median" : "ns_median", rounded(r->median));
	json_object_set_new(object, r->kind == RESULT_TIME ? "ms_q1" : "ns_q1", rounded(r->q1));
	json_object_set_new(object, r->kind == RESULT_TIME ? "ms_q3" : "ns_q3", rounded(r->q3));
	if (r->budget)
		json_object_set_new(object, "budget_ms", rounded(r->budget));
	if (r->kind == RESULT_PACKET) {
		json_object_set_new(object, "over_floor_ns", rounded(r->over_floor));
		json_object_set_new(object, "ratio_to_floor", rounded(r->ratio));
	}
	return object;
}

void report_json(FILE *out, const struct results *results)
{
	fputs("[\n", out);
	for (size_t i = 0; i < results->count; i++) {
		json_t *object = report_object(&results->row[i]);

		json_dumpf(object, out, JSON_REAL_PRECISION(9));
		json_decref(object);
		fputs(i + 1 < results->count ? ",\n" : "\n", out);
	}
	fputs("]\n", out);
}

static void report_machine(FILE *out)
{
	AUTO_FCLOSE FILE *cpuinfo = fopen("/proc/cpuinfo", "re");
	char line[256], model[128] = "unknown", day[32];
	time_t now = time(NULL);
	struct utsname system;
	struct tm date;

	uname(&system);
	while (cpuinfo && fgets(line, sizeof(line), cpuinfo)) {
		if (sscanf(line, "model name : %127[^\n]", model) == 1)
			break;
	}
	strftime(day, sizeof(day), "%Y-%m-%d", gmtime_r(&now, &date));
	/* The version is Linux's; what follows it names somebody's build. */
	fprintf(out, "Taken on %s: %s, %ld CPUs online, Linux %.*s, JIT on.\n", day, model,
		sysconf(_SC_NPROCESSORS_ONLN), (int)strcspn(system.release, "-+"), system.release);
}

static const char introduction[] =
	"# What packets cost\n\n"
	"<!-- Written by scripts/bench --markdown: do not edit by hand. -->\n\n"
	"`sudo scripts/bench --markdown docs/benchmarks.md` takes these figures anew on your machine. Compare ratios, "
	"not nanoseconds.\n\n";

static const char method[] =
	"\n## Method\n\n"
	"**Test runs.** Programs run through `BPF_PROG_TEST_RUN`, pinned to one core, in rounds that run every row of "
	"a "
	"group once, so that what the machine does meanwhile falls on all rows alike. A wrapper gives each packet its "
	"source address and port from a counter through a bijection, so that tables are touched all over their whole "
	"size, and tail-calls the program under test. A row's figure is the thread CPU time of its wrapped run, less "
	"that of the same wrapper around `XDP_DROP`, plus a bare `XDP_DROP`, all of one round; the table shows median "
	"and quartiles over the rounds. Each timed run follows an untimed one of half its length, "
	"so that what a core's "
	"caches can hold of the tables is there. Programs that change "
	"the packet get a wrapper that restores it, in the row and in what is subtracted.\n\n"
	"**Live frames.** A generator sends 64-byte TCP frames out of one end of a veth pair (two queues, offloads "
	"off) "
	"through live frames; the case under test sits at the other end: a native XDP program, or nft or iptables "
	"behind "
	"`XDP_PASS`. CPU time is that of the sending thread, in whose context the frames are received, and of its "
	"core's ksoftirqd. Each measurement is bracketed by `XDP_DROP` at the receiver; the ratio is to the two. "
	"`_2cores` sends from two cores to a queue each.\n\n"
	"**Weir** is loaded by its own controller's code from a configuration with one service of two VIPs and eight "
	"backends behind IPIP, with static neighbours; steered packets leave by the interface that they came in by.\n\n"
	"**Loading.** `load_1m` and its kin are a controller of its own, with a list of a million IPv4 prefixes (60 % "
	"hosts, 23 "
	"% /24, the rest between; in clusters as attackers are): from the request on its socket to the answer that the "
	"new "
	"generation is live, the list read from its file. `reload_*` have one prefix in a hundred changed; `_watched` "
	"is "
	"from the moment when the new file is in place, of which up to a second passes until it is looked at "
	"(`refresh: "
	"1s`). `ban_*` is from the start of the process `weir deny add` to the entry in the kernel's table, "
	"`ban_request_*` "
	"from the start of a thread that sends the request; beside the million prefixes, beside 100,000 live "
	"entries too, "
	"and while lists are read and compiled all the time (`_worst`: the slowest of those). "
	"`frames_while_loading` are live frames to the VIPs while the list is loaded, changed and "
	"taken away.\n\n"
	"## Caveats\n\n"
	"- Test runs let cache misses of successive packets overlap, which flatters whatever misses; live rows do "
	"not.\n"
	"- No NIC and no driver is measured: a driver's receive path costs more than the program does.\n"
	"- Baselines (`lpm_*`, `lru_*`) are the bare table behind a minimal parser, not a whole product.\n"
	"- `weir_deny_*` holds single addresses unless the name says otherwise; `lpm_*` holds a mix of 60 % hosts, 23 "
	"% "
	"/24 and the rest between (IPv6: /32, /48, /64 and hosts).\n"
	"- In a virtual machine the other guests are in the quartiles too.\n";

void report_markdown(FILE *out, const struct results *results)
{
	fputs(introduction, out);
	report_machine(out);
	for (size_t set = 0; set < ARRAY_SIZE(column_sets); set++) {
		bool any = false;

		for (size_t i = 0; i < results->count; i++) {
			const struct result *r = &results->row[i];

			if (r->kind != column_sets[set].kind)
				continue;
			if (!any)
				fprintf(out, "\n## %s\n\n%s", column_sets[set].title, column_sets[set].head);
			any = true;
			fprintf(out, "| %s | %s | ", r->group, r->name);
			report_fields(out, r, " | ");
			fputs(" |\n", out);
		}
	}
	fputs(method, out);
}
