/* SPDX-License-Identifier: BSD-2-Clause */
/* What became of a packet, as a JSON object and as a walk through the stages in words. */
#include "bench.h"
#include "../base/scope.h"
#include <linux/bpf.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <string.h>

struct outcome_reason {
	const char *name, *sentence;
};

static struct outcome_reason outcome_reason(uint32_t reason)
{
	switch (reason) {
#define OUTCOME_REASON(number, symbol, name, verdict, sentence)                                                        \
	case number:                                                                                                   \
		return (struct outcome_reason){name, sentence};
		WEIR_REASONS(OUTCOME_REASON)
#undef OUTCOME_REASON
	default:
		return (struct outcome_reason){"unknown", "the program gave a reason that this weir does not know"};
	}
}

static const char *outcome_verdict(const struct replay_outcome *outcome)
{
	switch (outcome->action) {
	case XDP_PASS:
		return "pass";
	case XDP_DROP:
		return "drop";
	case XDP_TX:
		return "tx";
	case XDP_REDIRECT:
		return "redirect";
	default:
		return "aborted";
	}
}

static const char *outcome_protocol(const struct weir_trace *trace, char out[16])
{
	switch (trace->protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return trace->family == WEIR_IPV6 ? "icmpv6" : "icmp";
	default:
		snprintf(out, 16, "%u", trace->protocol);
		return out;
	}
}

static char *outcome_addr(const struct weir_trace *trace, const struct weir_addr *bytes, char out[ADDR_TEXT_MAX])
{
	const struct addr addr = {.bytes = *bytes, .family = (uint8_t)trace->family};

	return addr_format(&addr, out);
}

/* "deny 203.0.113.0/24", "protect 192.0.2.0/24", "rule no-ntp", or an empty string. */
static char *outcome_rule(const struct replay_bench *bench, const struct weir_trace *trace, char out[2 * ADDR_TEXT_MAX])
{
	char text[ADDR_TEXT_MAX];
	struct prefix prefix;

	out[0] = '\0';
	if (trace->protect) {
		if (bench_protect(bench, trace->used_generation, trace->protect - 1, &prefix))
			snprintf(out, 2 * ADDR_TEXT_MAX, "protect #%u", trace->protect);
		else
			snprintf(out, 2 * ADDR_TEXT_MAX, "protect %s", prefix_format(&prefix, text));
	} else if (trace->rule_id) {
		snprintf(out, 2 * ADDR_TEXT_MAX, "rule %s", bench_name(bench, WEIR_NAMES_RULES, trace->rule_id, text));
	} else if (trace->ban_lists) {
		struct weir_addr mask = prefix_mask((uint8_t)trace->family, trace->ban_length);

		prefix.addr.family = (uint8_t)trace->family;
		prefix.length = trace->ban_length;
		for (size_t i = 0; i < ARRAY_SIZE(mask.word); i++)
			prefix.addr.bytes.word[i] = trace->source.word[i] & mask.word[i];
		snprintf(out, 2 * ADDR_TEXT_MAX, "%s %s", trace->ban_lists & WEIR_BAN_ALLOW ? "allow" : "deny",
			 prefix_format(&prefix, text));
	}
	return out;
}

static const char *outcome_action(const struct replay_bench *bench, const struct weir_trace *trace,
				  struct weir_rule *rule)
{
	static const char *const names[] = CONFIG_ACTION_NAMES;

	if (!trace->rule_id || bench_rule(bench, trace->used_generation, trace->rule_id, rule) ||
	    rule->action >= ARRAY_SIZE(names))
		return NULL;
	return names[rule->action];
}

static void outcome_add_rule(json_t *json, const struct replay_bench *bench, const struct weir_trace *trace)
{
	char text[2 * ADDR_TEXT_MAX];
	struct weir_rule rule;
	const char *action = outcome_action(bench, trace, &rule);

	if (*outcome_rule(bench, trace, text))
		json_object_set_new(json, "rule", json_string(text));
	if (action)
		json_object_set_new(json, "rule_action", json_string(action));
	if (action && rule.action == WEIR_ACTION_MARK && trace->verdict == WEIR_PASS)
		json_object_set_new(json, "mark", json_integer(rule.mark));
}

static void outcome_add_packet(json_t *json, const struct weir_trace *trace)
{
	char text[ADDR_TEXT_MAX], number[16];

	if (trace->vlan_tags)
		json_object_set_new(json, "vlan_tags", json_integer(trace->vlan_tags));
	if (!trace->family)
		return;
	json_object_set_new(json, "source", json_string(outcome_addr(trace, &trace->source, text)));
	json_object_set_new(json, "destination", json_string(outcome_addr(trace, &trace->destination, text)));
	json_object_set_new(json, "protocol", json_string(outcome_protocol(trace, number)));
	if (trace->sport || trace->dport) {
		json_object_set_new(json, "sport", json_integer(trace->sport));
		json_object_set_new(json, "dport", json_integer(trace->dport));
	}
	if (trace->fragment)
		json_object_set_new(json, "fragment", json_string(trace->fragment == 1 ? "first" : "later"));
	if (trace->icmp_quote)
		json_object_set_new(json, "quoted_flow", json_true());
}

static void outcome_add_steering(json_t *json, const struct replay_bench *bench, const struct weir_trace *trace)
{
	char name[WEIR_NAME_MAX];

	if (trace->service_id)
		json_object_set_new(json, "service",
				    json_string(bench_name(bench, WEIR_NAMES_SERVICES, trace->service_id, name)));
	if (trace->backend_id)
		json_object_set_new(json, "backend",
				    json_string(bench_name(bench, WEIR_NAMES_BACKENDS, trace->backend_id, name)));
	if (trace->ring_size) {
		json_object_set_new(json, "slot", json_integer(trace->slot));
		json_object_set_new(json, "ring_size", json_integer(trace->ring_size));
	}
	if (trace->exception)
		json_object_set_new(json, "exception", json_string(trace->exception == 1 ? "recorded" : "previous"));
	if (trace->next_hop)
		json_object_set_new(json, "next_hop", json_string(trace->next_hop == 1 ? "fib" : "assumed"));
	if (trace->mtu)
		json_object_set_new(json, "mtu", json_integer(trace->mtu));
}

json_t *replay_outcome_json(const struct replay_bench *bench, const struct replay_outcome *outcome, uint64_t n)
{
	const struct weir_trace *trace = &outcome->trace;
	char name[WEIR_NAME_MAX];
	json_t *json = json_object();

	if (!json)
		return NULL;
	if (n)
		json_object_set_new(json, "n", json_integer((json_int_t)n));
	json_object_set_new(json, "verdict", json_string(outcome_verdict(outcome)));
	json_object_set_new(json, "reason", json_string(outcome_reason(trace->reason).name));
	outcome_add_rule(json, bench, trace);
	if (trace->limit_id)
		json_object_set_new(json, "limit",
				    json_string(bench_name(bench, WEIR_NAMES_LIMITS, trace->limit_id, name)));
	outcome_add_steering(json, bench, trace);
	outcome_add_packet(json, trace);
	if (trace->used_generation) /* what parse decides needs no policy */
		json_object_set_new(json, "generation", json_integer(trace->used_generation));
	return json;
}

__attribute__((format(printf, 4, 5))) static void outcome_line(FILE *file, bool colour, const char *stage,
							       const char *format, ...)
{
	va_list arguments;

	fprintf(file, "%s%-8s%s ", colour ? "\033[1m" : "", stage, colour ? "\033[0m" : "");
	va_start(arguments, format);
	vfprintf(file, format, arguments);
	va_end(arguments);
	fputc('\n', file);
}

static const char *outcome_tcp_flags(uint8_t flags, char out[40])
{
	static const struct {
		uint8_t bit;
		const char *name;
	} names[] = {{TH_SYN, "SYN"}, {TH_ACK, "ACK"},	{TH_FIN, "FIN"},
		     {TH_RST, "RST"}, {TH_PUSH, "PSH"}, {TH_URG, "URG"}};
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (flags & names[i].bit)
			used += (size_t)snprintf(out + used, 40 - used, "%s%s", used ? "+" : " ", names[i].name);
	return out;
}

static const char *outcome_protocol_title(const struct weir_trace *trace, char out[16])
{
	switch (trace->protocol) {
	case IPPROTO_TCP:
		return "TCP";
	case IPPROTO_UDP:
		return "UDP";
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return trace->family == WEIR_IPV6 ? "ICMPv6" : "ICMP";
	default:
		snprintf(out, 16, "protocol %u", trace->protocol);
		return out;
	}
}

static void outcome_print_parse(const struct weir_trace *trace, FILE *file, bool colour)
{
	static const char *const fragments[] = {"", ", a first fragment", ", a later fragment"};
	char source[ADDR_TEXT_MAX], destination[ADDR_TEXT_MAX], number[16], flags[40] = "", tags[24] = "";
	char sport[8] = "", dport[8] = "";
	bool ported = trace->sport || trace->dport, ipv6 = trace->family == WEIR_IPV6;

	if (trace->vlan_tags)
		snprintf(tags, sizeof(tags), "%u VLAN tag%s, ", trace->vlan_tags, trace->vlan_tags > 1 ? "s" : "");
	if (!trace->family) {
		outcome_line(file, colour, "parse", "%snot understood as IP", tags);
		return;
	}
	if (ported) {
		snprintf(sport, sizeof(sport), ":%u", trace->sport);
		snprintf(dport, sizeof(dport), ":%u", trace->dport);
	}
	if (trace->protocol == IPPROTO_TCP)
		outcome_tcp_flags(trace->tcp_flags, flags);
	outcome_line(file, colour, "parse", "%s%s %s %s%s%s%s -> %s%s%s%s%s, %u bytes%s%s", tags,
		     ipv6 ? "IPv6" : "IPv4", outcome_protocol_title(trace, number), ipv6 && ported ? "[" : "",
		     outcome_addr(trace, &trace->source, source), ipv6 && ported ? "]" : "", sport,
		     ipv6 && ported ? "[" : "", outcome_addr(trace, &trace->destination, destination),
		     ipv6 && ported ? "]" : "", dport, flags, trace->ip_length,
		     trace->fragment < ARRAY_SIZE(fragments) ? fragments[trace->fragment] : "",
		     trace->icmp_quote ? ", quotes a flow" : "");
}

static void outcome_print_protect(const struct replay_bench *bench, const struct weir_trace *trace, FILE *file,
				  bool colour)
{
	char rule[2 * ADDR_TEXT_MAX];

	if (trace->stage < WEIR_STAGE_PROTECT)
		return;
	outcome_rule(bench, trace, rule);
	outcome_line(file, colour, "protect", "%s",
		     trace->protect			  ? rule + strlen("protect ")
		     : trace->stage == WEIR_STAGE_PROTECT ? outcome_reason(trace->reason).sentence
							  : "no entry covers it");
}

/* What a rule did, in brackets behind its name. */
static const char *outcome_effect(const struct replay_bench *bench, const struct weir_trace *trace, char *out,
				  size_t size)
{
	struct weir_rule rule = {0};
	const char *action = outcome_action(bench, trace, &rule);
	char name[WEIR_NAME_MAX];
	struct weir_limit limit;

	if (!action)
		snprintf(out, size, "%s", trace->reason == WEIR_REASON_RULE ? "drop" : "it is gone meanwhile");
	else if (rule.action == WEIR_ACTION_LIMIT &&
		 !bench_limit(bench, trace->used_generation, rule.limit - 1, &limit))
		snprintf(out, size, "limit %s", bench_name(bench, WEIR_NAMES_LIMITS, limit.id, name));
	else if (rule.action == WEIR_ACTION_REJECT && trace->reason == WEIR_REASON_RULE)
		snprintf(out, size, "reject, but such a packet gets no answer");
	else if (rule.action == WEIR_ACTION_ALLOW)
		snprintf(out, size, "allow: no limit applies");
	else if (rule.action == WEIR_ACTION_MARK)
		snprintf(out, size, "mark %#x", rule.mark);
	else
		snprintf(out, size, "%s", action);
	return out;
}

static void outcome_print_admit(const struct replay_bench *bench, const struct weir_trace *trace, FILE *file,
				bool colour)
{
	char rule[2 * ADDR_TEXT_MAX], effect[WEIR_NAME_MAX + 32];

	if (trace->stage < WEIR_STAGE_ADMIT)
		return;
	outcome_rule(bench, trace, rule);
	if (trace->rule_id)
		outcome_line(file, colour, "admit", "%s (%s)", rule,
			     outcome_effect(bench, trace, effect, sizeof(effect)));
	else if (trace->ban_lists & WEIR_BAN_ALLOW)
		outcome_line(file, colour, "admit", "%s (no rule and no limit applies)", rule);
	else if (*rule && !trace->protect)
		outcome_line(file, colour, "admit", "%s", rule);
	else if (trace->stage == WEIR_STAGE_ADMIT)
		outcome_line(file, colour, "admit", "%s", outcome_reason(trace->reason).sentence);
	else
		outcome_line(file, colour, "admit", "no live entry covers the source, no rule matches");
}

/* Limits are for what goes to a VIP, and for what a rule charges to one. */
static void outcome_print_limit(const struct replay_bench *bench, const struct weir_trace *trace, FILE *file,
				bool colour)
{
	char name[WEIR_NAME_MAX];
	struct weir_rule rule = {0};

	if (trace->stage < WEIR_STAGE_LIMIT)
		return;
	outcome_action(bench, trace, &rule);
	if (trace->limit_id)
		outcome_line(file, colour, "limit", "over %s",
			     bench_name(bench, WEIR_NAMES_LIMITS, trace->limit_id, name));
	else if (trace->ban_lists & WEIR_BAN_ALLOW || rule.allows)
		outcome_line(file, colour, "limit", "free of limits");
	else if (trace->vip || rule.limit)
		outcome_line(file, colour, "limit", "within every limit");
}

static void outcome_print_steer(const struct replay_bench *bench, const struct weir_trace *trace, FILE *file,
				bool colour)
{
	char service[WEIR_NAME_MAX], backend[WEIR_NAME_MAX], state[64] = "";

	if (trace->stage < WEIR_STAGE_STEER)
		return;
	if (!trace->vip) {
		outcome_line(file, colour, "steer", "the destination is not a VIP");
		return;
	}
	if (!trace->service_id || !trace->backend_id) {
		outcome_line(file, colour, "steer", "%s%s%s",
			     trace->service_id ? bench_name(bench, WEIR_NAMES_SERVICES, trace->service_id, service)
					       : "",
			     trace->service_id ? ": " : "", outcome_reason(trace->reason).sentence);
		return;
	}
	if (trace->slot_state)
		snprintf(state, sizeof(state), " (%s%s)",
			 trace->slot_state == WEIR_SLOT_TRANSITION ? "in transition" : "has exceptions",
			 trace->exception == 1	 ? "; a recorded flow"
			 : trace->exception == 2 ? "; an unknown flow of the previous backend"
						 : "");
	outcome_line(file, colour, "steer", "%s -> ring of %u slots, slot %u%s -> %s",
		     bench_name(bench, WEIR_NAMES_SERVICES, trace->service_id, service), trace->ring_size, trace->slot,
		     state, bench_name(bench, WEIR_NAMES_BACKENDS, trace->backend_id, backend));
}

static const char *outcome_forward(const struct weir_trace *trace, const struct weir_backend *backend)
{
	if (backend->forward == WEIR_FORWARD_L2)
		return "L2";
	if (backend->family == WEIR_IPV4)
		return trace->family == WEIR_IPV4 ? "IPIP" : "6in4";
	return trace->family == WEIR_IPV4 ? "4in6" : "IP6IP6";
}

static void outcome_print_forward(const struct replay_bench *bench, const struct weir_trace *trace, FILE *file,
				  bool colour)
{
	char address[ADDR_TEXT_MAX] = "its backend", interface[IF_NAMESIZE] = "";
	const char *how = "sent on";
	struct weir_backend backend;

	if (trace->stage < WEIR_STAGE_FORWARD)
		return;
	if (trace->reason != WEIR_REASON_STEERED) {
		if (trace->mtu)
			outcome_line(file, colour, "forward", "does not fit: an MTU of %u is announced", trace->mtu);
		else
			outcome_line(file, colour, "forward", "%s", outcome_reason(trace->reason).sentence);
		return;
	}
	if (!bench_backend(bench, trace->used_generation, trace->backend_id, &backend)) {
		const struct addr addr = {.bytes = backend.address, .family = backend.family};

		addr_format(&addr, address);
		how = outcome_forward(trace, &backend);
	}
	if (!trace->egress_ifindex || !if_indextoname(trace->egress_ifindex, interface))
		snprintf(interface, sizeof(interface), "#%u", trace->egress_ifindex);
	outcome_line(file, colour, "forward", "%s to %s by %s%s", how, address, interface,
		     trace->next_hop == 2 ? " (next hop assumed)" : "");
}

void replay_outcome_print(const struct replay_bench *bench, const struct replay_outcome *outcome, FILE *file,
			  bool colour)
{
	const struct outcome_reason reason = outcome_reason(outcome->trace.reason);
	bool lost = outcome->action == XDP_DROP || outcome->action == XDP_ABORTED;
	const char *paint = !colour ? "" : lost ? "\033[1;31m" : "\033[1;32m";

	outcome_print_parse(&outcome->trace, file, colour);
	outcome_print_protect(bench, &outcome->trace, file, colour);
	outcome_print_admit(bench, &outcome->trace, file, colour);
	outcome_print_limit(bench, &outcome->trace, file, colour);
	outcome_print_steer(bench, &outcome->trace, file, colour);
	outcome_print_forward(bench, &outcome->trace, file, colour);
	fprintf(file, "%s%-8s %s%s: %s (%s)\n", paint, "verdict", outcome_verdict(outcome), colour ? "\033[0m" : "",
		reason.sentence, reason.name);
}
