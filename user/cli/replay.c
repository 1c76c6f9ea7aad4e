/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir replay`: a capture through the program, with a line a packet or a summary. */
#include "cli.h"
#include "../base/scope.h"
#include "../replay/replay.h"
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <string.h>

enum { OPTION_STATEFUL = 256, OPTION_IFACE };

struct options {
	struct cli_common common;
	const char *config, *capture, *out, *iface;
	bool stateful;
};

struct totals {
	uint64_t packets;
	uint64_t cut;	  /* longer on the wire than in the capture */
	uint64_t refused; /* that the kernel's test run does not take */
	json_t *outcomes; /* "verdict reason" -> packets */
	json_t *backends; /* name -> packets */
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct options *options = state->input;

	if (cli_common_option(&options->common, key, value))
		return 0;
	switch (key) {
	case 'r':
		options->capture = value;
		return 0;
	case 'w':
		options->out = value;
		return 0;
	case 'c':
		options->config = value;
		return 0;
	case OPTION_IFACE:
		options->iface = value;
		return 0;
	case OPTION_STATEFUL:
		options->stateful = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument \"%s\"; the capture is given with --pcap", value);
		return EINVAL;
	case ARGP_KEY_END:
		if (!options->capture)
			argp_error(state, "which capture? (--pcap FILE)");
		if (options->stateful && !options->config)
			argp_error(state, "--stateful needs -c FILE: the live tables are not written");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void count_in(json_t *counts, const char *key)
{
	json_object_set_new(counts, key, json_integer(cli_number(counts, key) + 1));
}

/* Counts a packet and prints its line. Takes over json. */
static int report(const struct options *options, struct totals *totals, json_t *json,
		  const struct replay_packet *packet)
{
	char key[128];
	int err = 0;

	if (!json)
		return -ENOMEM;
	if (packet->original_size > packet->size) {
		totals->cut++;
		json_object_set_new(json, "cut_from", json_integer((json_int_t)packet->original_size));
	}
	if (json_object_get(json, "verdict")) {
		snprintf(key, sizeof(key), "%s %s", cli_text(json, "verdict"), cli_text(json, "reason"));
		count_in(totals->outcomes, key);
	}
	if (*cli_text(json, "backend"))
		count_in(totals->backends, cli_text(json, "backend"));
	if (options->common.json) {
		err = json_dumpf(json, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
	}
	json_decref(json);
	return err ? -EIO : 0;
}

struct run {
	const struct options *options;
	struct replay_bench *bench;
	struct replay_reader *reader;
	struct replay_writer *writer; /* NULL: none is written */
	unsigned int ifindex;
	uint8_t *out;
	size_t out_room;
	struct totals totals;
};

static int make_room(struct run *run, size_t size)
{
	uint8_t *grown;

	if (size + REPLAY_HEADERS_MAX <= run->out_room)
		return 0;
	grown = realloc(run->out, size + REPLAY_HEADERS_MAX);
	if (!grown)
		return -ENOMEM;
	run->out = grown;
	run->out_room = size + REPLAY_HEADERS_MAX;
	return 0;
}

static int replay_one(struct run *run, const struct replay_packet *packet, struct problem *problem)
{
	size_t out_size;
	struct replay_outcome outcome;
	struct problem reason = {0};
	uint64_t n = ++run->totals.packets;
	int err = make_room(run, packet->size);

	if (err)
		return problem_set(problem, err, "out of memory");
	out_size = run->out_room;
	err = replay_run(run->bench, packet->data, packet->size, packet->time_ns, run->ifindex, run->out, &out_size,
			 &outcome, &reason);
	/* Shorter than an Ethernet header or longer than a page: no reason to give the rest up. */
	if (err == -EINVAL || err == -E2BIG) {
		run->totals.refused++;
		err = report(run->options, &run->totals,
			     json_pack("{s:I, s:s}", "n", (json_int_t)n, "error", reason.text), packet);
		return err ? problem_set(problem, err, "cannot write: %s", strerror(-err)) : 0;
	}
	if (err) {
		*problem = reason;
		return err;
	}
	if (run->writer && outcome.trace.verdict != WEIR_DROP)
		err = replay_writer_put(run->writer, run->out, out_size, packet->time_ns);
	if (!err)
		err = report(run->options, &run->totals, replay_outcome_json(run->bench, &outcome, n), packet);
	return err ? problem_set(problem, err, "cannot write: %s", strerror(-err)) : 0;
}

static void print_counts(const json_t *counts, uint64_t packets, const char *const *headings, size_t key_columns)
{
	struct cli_table table = {.align = key_columns == 2 ? "llrr" : "lrr"};
	const json_t *value;
	const char *key;

	cli_table_headings(&table, headings);
	json_object_foreach((json_t *)counts, key, value) {
		const char *space = strchr(key, ' ');

		if (key_columns == 2 && space) {
			cli_table_add(&table, "%.*s", (int)(space - key), key);
			cli_table_add(&table, "%s", space + 1);
		} else {
			cli_table_add(&table, "%s", key);
		}
		cli_table_add(&table, "%lld", (long long)json_integer_value(value));
		cli_table_add(&table, "%.1f %%", 100.0 * (double)json_integer_value(value) / (double)packets);
	}
	cli_table_print(&table);
}

static void print_summary(const struct totals *totals)
{
	static const char *const by_outcome[] = {"VERDICT", "REASON", "PACKETS", "SHARE"};
	static const char *const by_backend[] = {"BACKEND", "PACKETS", "SHARE"};

	printf("%" PRIu64 " packets\n", totals->packets);
	print_counts(totals->outcomes, totals->packets, by_outcome, 2);
	if (json_object_size(totals->backends))
		putchar('\n');
	print_counts(totals->backends, totals->packets, by_backend, 1);
}

static void print_notes(const struct totals *totals)
{
	if (totals->cut)
		fprintf(stderr,
			"weir: %" PRIu64
			" packets are cut short in the capture: where their length matters (limits in bits, "
			"MTU, lying headers) the answer may differ; capture with `tcpdump -s 0`\n",
			totals->cut);
	if (totals->refused)
		fprintf(stderr,
			"weir: %" PRIu64
			" packets were left out: the kernel runs a program only on frames of 14 bytes to "
			"about a page\n",
			totals->refused);
}

static int replay_all(struct run *run, struct problem *problem)
{
	struct replay_packet packet;
	int more, err = 0;

	while (!err && (more = replay_reader_next(run->reader, &packet, problem)) != 0)
		err = more < 0 ? more : replay_one(run, &packet, problem);
	return err;
}

static int open_all(struct run *run, struct problem *problem)
{
	const struct options *options = run->options;
	struct replay_options bench = {.config_path = options->config,
				       .pin_directory = cli_pins(options->common.pins),
				       .stateful = options->stateful};
	int err;

	if (options->iface) {
		run->ifindex = if_nametoindex(options->iface);
		if (!run->ifindex)
			return problem_set(problem, -ENODEV, "there is no interface %s", options->iface);
	}
	err = replay_reader_open(options->capture, &run->reader, problem);
	if (!err)
		err = replay_bench_open(&bench, &run->bench, problem);
	if (!err && options->out)
		err = replay_writer_open(options->out, &run->writer, problem);
	return err;
}

int cli_replay(int argc, char **argv)
{
	static const struct argp_option list[] = {
		{"pcap", 'r', "FILE", 0, "The capture: pcap or pcapng, Ethernet; - for standard input", 0},
		{"out", 'w', "FILE", 0, "Write each packet that is not dropped as it would leave, as pcap", 0},
		{"config", 'c', "FILE", 0, "A candidate instead of the live policy: no NIC, no controller needed", 0},
		{"stateful", OPTION_STATEFUL, 0, 0,
		 "Limits and flows carry over from packet to packet, at the capture's own times (with -c)", 0},
		{"iface", OPTION_IFACE, "NAME", 0, "That the packets come in by (default: the first configured)", 0},
		{"pins", 'p', "DIR", 0, "The live tables (default " CLI_DEFAULT_PINS ")", 0},
		{"json", 'j', 0, 0, "A JSON line a packet", 0},
		{0},
	};
	static const struct argp argp = {
		.options = list,
		.parser = parse_option,
		.doc = "Send a capture through the program itself, over the live tables or a candidate's, and say what "
		       "it "
		       "would do with each packet. Nothing live is counted, limited or sent. Needs root."
		       "\vWith -c, where the host has no route or neighbour for a backend, a next hop is assumed, and "
		       "the "
		       "line says so.\n\nExamples:\n  tcpdump -i eth0 -s 0 -c 10000 -w sample.pcap\n"
		       "  weir replay --pcap sample.pcap                 against what is live\n"
		       "  weir replay --pcap sample.pcap -c new.yaml --json | jq -r .reason | sort | uniq -c",
	};
	struct problem problem = {0};
	struct options options = {0};
	struct run run = {.options = &options};
	int err, closed;

	cli_parse(&argp, argc, argv, &options);
	run.totals.outcomes = json_object();
	run.totals.backends = json_object();
	err = open_all(&run, &problem);
	if (!err)
		err = replay_all(&run, &problem);
	if (run.totals.packets && !options.common.json)
		print_summary(&run.totals);
	print_notes(&run.totals);
	closed = run.writer ? replay_writer_close(run.writer) : 0;
	if (!err && closed)
		err = problem_set(&problem, closed, "%s: %s", options.out, strerror(-closed));
	if (run.bench)
		replay_bench_close(run.bench);
	if (run.reader)
		replay_reader_close(run.reader);
	free(run.out);
	json_decref(run.totals.outcomes);
	json_decref(run.totals.backends);
	return err ? cli_fail(&problem) : CLI_DONE;
}
