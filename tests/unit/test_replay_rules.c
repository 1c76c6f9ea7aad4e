/* SPDX-License-Identifier: BSD-2-Clause */
/* What explain and replay say of the rule that decided, or that a packet met on its way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pinned.h"
#include "user/base/json.h"
#include "user/base/scope.h"
#include "user/replay/replay.h"
#include <netinet/in.h>

static const char yaml[] = "sets:\n"
			   "  office: [198.51.100.0/28]\n"
			   "  listed: {file: listed.txt}\n"
			   "filter:\n"
			   "  default: drop\n"
			   "  rules:\n"
			   "    - {name: office, from: \"@office\", action: allow}\n"
			   "    - {name: listed, from: \"@listed\", action: drop}\n"
			   "    - {name: shade, proto: tcp, dport: 80, action: drop, mode: shadow}\n"
			   "    - {name: smtp, proto: tcp, dport: 25, action: reject}\n"
			   "    - {name: queries, proto: udp, dport: 53, limit: few}\n"
			   "    - {name: marked, proto: tcp, dport: 8080, mark: 0xfffffff0}\n"
			   "    - {name: web, proto: tcp, dport: 80, action: pass}\n"
			   "limits:\n"
			   "  - {name: few, key: source, rate: 5/s}\n";

/* Writes what the configuration needs beside it. */
static void write_file(const struct pinned *pinned, const char *name, const char *text)
{
	AUTO_FCLOSE FILE *file = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", pinned->state, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
}

static struct replay_bench *open_bench(struct pinned *pinned)
{
	struct replay_options options = {0};
	struct replay_bench *bench = NULL;
	char path[128];

	write_file(pinned, "listed.txt", "203.0.113.0/24\n");
	write_file(pinned, "weir.yaml", yaml);
	snprintf(path, sizeof(path), "%s/weir.yaml", pinned->state);
	options.config_path = path;
	if (replay_bench_open(&options, &bench, &pinned->problem))
		fail_msg("%s", pinned->problem.text);
	return bench;
}

static void run_packet(struct pinned *pinned, const struct replay_bench *bench, const char *source, uint8_t protocol,
		       uint16_t dport, struct replay_outcome *outcome)
{
	struct replay_words words = {
		.protocol = protocol, .sport = 40000, .dport = dport, .tcp_flags = 0x02, .vlan = -1};
	uint8_t packet[128], out[128 + REPLAY_HEADERS_MAX];
	size_t out_size = sizeof(out);
	ssize_t size;

	assert_int_equal(addr_parse(source, &words.source), 0);
	assert_int_equal(addr_parse("192.0.2.1", &words.destination), 0);
	size = replay_build_packet(&words, packet, sizeof(packet), &pinned->problem);
	assert_true(size > 0);
	if (replay_run((struct replay_bench *)bench, packet, (size_t)size, 0, 0, out, &out_size, outcome,
		       &pinned->problem))
		fail_msg("%s", pinned->problem.text);
}

/* The walk's line of a stage, without the stage's name; "" when it has none. */
static void find_line(const struct replay_bench *bench, const struct replay_outcome *outcome, const char *stage,
		      char *line, size_t line_size)
{
	AUTO_FREE char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	const char *at;

	assert_non_null(stream);
	replay_outcome_print(bench, outcome, stream, false);
	fclose(stream);
	at = strstr(text, stage);
	snprintf(line, line_size, "%.*s", at ? (int)strcspn(at, "\n") : 0, at ? at : "");
}

static const struct {
	const char *source;
	uint8_t protocol;
	uint16_t dport;
	const char *reason, *rule, *action; /* "": left out */
	const char *admit, *limit;
	uint32_t mark;
} rows[] = {
	{"203.0.113.7", IPPROTO_TCP, 80, "rule", "rule listed", "drop", "admit    rule listed (drop)", "", 0},
	{"198.51.100.1", IPPROTO_TCP, 25, "not-vip", "rule office", "allow",
	 "admit    rule office (allow: no limit applies)", "limit    free of limits", 0},
	{"198.51.100.99", IPPROTO_TCP, 25, "rule-reject", "rule smtp", "reject", "admit    rule smtp (reject)", "", 0},
	{"198.51.100.99", IPPROTO_UDP, 53, "not-vip", "rule queries", "limit", "admit    rule queries (limit few)",
	 "limit    within every limit", 0},
	{"198.51.100.99", IPPROTO_TCP, 80, "not-vip", "rule web", "pass", "admit    rule web (pass)", "", 0},
	{"198.51.100.99", IPPROTO_TCP, 8080, "not-vip", "rule marked", "mark", "admit    rule marked (mark 0xfffffff0)",
	 "", 0xfffffff0},
	{"198.51.100.99", IPPROTO_TCP, 81, "default", "", "",
	 "admit    no rule of the filter matches and its default is drop", "", 0},
};

static void outcome_of_rules_names_rule_and_action(void **state)
{
	struct pinned *pinned = *state;
	struct replay_bench *bench = open_bench(pinned);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct replay_outcome outcome;
		const char *rule, *action;
		AUTO_JSON json_t *json = NULL;
		char line[160];

		run_packet(pinned, bench, rows[i].source, rows[i].protocol, rows[i].dport, &outcome);
		json = replay_outcome_json(bench, &outcome, 0);
		rule = json_string_value(json_object_get(json, "rule"));
		action = json_string_value(json_object_get(json, "rule_action"));
		assert_string_equal(json_string_value(json_object_get(json, "reason")), rows[i].reason);
		assert_string_equal(rule ? rule : "", rows[i].rule);
		assert_string_equal(action ? action : "", rows[i].action);
		assert_int_equal(json_integer_value(json_object_get(json, "mark")), rows[i].mark);
		find_line(bench, &outcome, "admit", line, sizeof(line));
		assert_string_equal(line, rows[i].admit);
		find_line(bench, &outcome, "limit  ", line, sizeof(line));
		assert_string_equal(line, rows[i].limit);
	}
	replay_bench_close(bench);
}

static void bench_with_a_broken_list_names_its_line(void **state)
{
	struct pinned *pinned = *state;
	struct replay_options options = {0};
	struct replay_bench *bench = NULL;
	char path[128];

	write_file(pinned, "listed.txt", "203.0.113.0/24\n203.0.113.0/42\n");
	write_file(pinned, "weir.yaml", yaml);
	snprintf(path, sizeof(path), "%s/weir.yaml", pinned->state);
	options.config_path = path;
	assert_true(replay_bench_open(&options, &bench, &pinned->problem) < 0);
	assert_null(bench);
	assert_non_null(strstr(pinned->problem.text, "listed.txt:2: "));
}

int main(void)
{
	struct CMUnitTest tests[] = {
		PINNED_TEST(outcome_of_rules_names_rule_and_action),
		PINNED_TEST(bench_with_a_broken_list_names_its_line),
	};
	return PINNED_RUN(tests);
}
