/* SPDX-License-Identifier: BSD-2-Clause */
/* The networks of regions out of a GeoIP database: one walk through its tree, in the order of addresses. */
#include "geoip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "../base/prefixes_number.h"
#include "../base/scope.h"
#include "reading.h"

#define IPV4_DEPTH   96 /* of ::/96, below which an IPv6 tree has IPv4 */
#define ADDRESS_BITS 128
#define MAPPED	     0xffff /* of ::ffff:0:0/96, whose addresses are no packet's source */

struct branch {
	number6 address;
	uint32_t record;
	uint8_t depth;
};

struct walk {
	struct reading *reading;
	struct geoip geoip;
	struct branch branches[ADDRESS_BITS + 2]; /* still to be walked, the next one last */
	size_t branches_count;
	uint32_t root4;	  /* the node of ::/96; nodes_count: there is none */
	uint32_t visited; /* nodes */
	uint64_t networks;
	uint8_t family; /* of the range that may yet grow; 0: there is none */
	number6 first, last;
};

static int refuse_bytes(struct walk *walk, const char *sentence)
{
	problem_set(walk->reading->problem, -EINVAL, "%s is no whole MaxMind database: %s", walk->reading->path,
		    sentence);
	problem_hint(walk->reading->problem, "fetch it again, and unpack it (.mmdb)");
	return -EINVAL;
}

/* --- what the walk finds --------------------------------------------------------------------------------- */

static struct addr addr_of(uint8_t family, number6 address)
{
	return family == WEIR_IPV4 ? addr_of4((uint32_t)address)
				   : addr_of6((uint64_t)(address >> 64), (uint64_t)address);
}

static int end_range(struct walk *walk)
{
	struct prefixes_builder *builder = &walk->reading->builder;
	struct addr first = addr_of(walk->family, walk->first), last = addr_of(walk->family, walk->last);
	size_t most = walk->reading->options.max_entries;

	if (!walk->family)
		return 0;
	walk->family = 0;
	if (prefixes_add_range(builder, &first, &last))
		return problem_set(walk->reading->problem, -ENOMEM, "%s: out of memory", walk->reading->path);
	if (builder->v4_count + builder->v6_count <= most)
		return 0;
	problem_set(walk->reading->problem, -E2BIG, "%s has more than %zu prefixes of these regions",
		    walk->reading->path, most);
	problem_hint(walk->reading->problem, "all sets together hold as many: choose fewer regions");
	return -E2BIG;
}

/* Networks come in order, so those that lie side by side are one range. */
static int add_range(struct walk *walk, uint8_t family, number6 first, number6 last)
{
	int error = 0;

	if (walk->family == family && walk->last + 1 == first) {
		walk->last = last;
		return 0;
	}
	error = end_range(walk);
	walk->family = family;
	walk->first = first;
	walk->last = last;
	return error;
}

static int add_network(struct walk *walk, const struct branch *branch)
{
	unsigned int host_bits = walk->geoip.mmdb.address_bits - branch->depth;
	number6 hosts = host_bits == ADDRESS_BITS ? ~(number6)0 : ((number6)1 << host_bits) - 1;
	number6 high = branch->address >> 32;
	int error = 0;

	walk->networks++;
	if (host_bits <= 32 && !high)
		return add_range(walk, WEIR_IPV4, branch->address, branch->address + hosts);
	if (host_bits <= 32 && high == MAPPED)
		return 0;
	if (!branch->address) /* all of IPv4, and more */
		error = add_range(walk, WEIR_IPV4, 0, UINT32_MAX);
	return error ? error : add_range(walk, WEIR_IPV6, branch->address, branch->address + hosts);
}

/* --- the walk -------------------------------------------------------------------------------------------- */

static int take_leaf(struct walk *walk, const struct branch *branch)
{
	struct geoip *geoip = &walk->geoip;
	size_t at;
	int belongs = mmdb_data_of(&geoip->mmdb, branch->record, &at);

	if (!belongs)
		belongs = geoip_decide(geoip, at);
	if (belongs < 0)
		return refuse_bytes(walk, geoip->mmdb.wrong);
	return belongs ? add_network(walk, branch) : 0;
}

/* ::ffff:0:0/96, 2002::/16 and others lead to the IPv4 addresses that lie below ::/96. */
static bool is_alias(const struct walk *walk, const struct branch *branch)
{
	return branch->record == walk->root4 && branch->address >> 32;
}

static void push(struct walk *walk, const struct branch *parent, bool right)
{
	const struct mmdb *mmdb = &walk->geoip.mmdb;
	unsigned int bit = mmdb->address_bits - 1u - parent->depth;
	struct branch branch = {.record = mmdb_record(mmdb, parent->record, right), .depth = parent->depth + 1};

	if (branch.record == mmdb->nodes_count)
		return;
	branch.address = parent->address | (number6)right << bit;
	if (!is_alias(walk, &branch))
		walk->branches[walk->branches_count++] = branch;
}

static int take_node(struct walk *walk, const struct branch *branch)
{
	bool is_root4 = branch->record == walk->root4;

	if (branch->depth == walk->geoip.mmdb.address_bits)
		return refuse_bytes(walk, "its tree is deeper than an address has bits");
	if ((is_root4 && branch->depth != IPV4_DEPTH) || walk->visited == walk->geoip.mmdb.nodes_count)
		return refuse_bytes(walk, "its tree runs in circles");
	walk->visited++;
	push(walk, branch, true);
	push(walk, branch, false);
	return 0;
}

static int take_tree(struct walk *walk)
{
	uint32_t nodes_count = walk->geoip.mmdb.nodes_count;
	int error = 0;

	walk->branches[walk->branches_count++] = (struct branch){0};
	while (!error && walk->branches_count && nodes_count) {
		struct branch branch = walk->branches[--walk->branches_count];

		error = branch.record < nodes_count ? take_node(walk, &branch) : take_leaf(walk, &branch);
	}
	return error ? error : end_range(walk);
}

static uint32_t find_root4(const struct mmdb *mmdb)
{
	uint32_t node = 0;

	if (mmdb->address_bits != ADDRESS_BITS)
		return mmdb->nodes_count;
	for (int depth = 0; depth < IPV4_DEPTH && node < mmdb->nodes_count; depth++)
		node = mmdb_record(mmdb, node, false);
	return node < mmdb->nodes_count ? node : mmdb->nodes_count;
}

/* --- the file -------------------------------------------------------------------------------------------- */

static int read_file(struct reading *reading, uint8_t **out, size_t *out_size)
{
	size_t size = reading->report.fingerprint.size, used = 0;
	AUTO_FREE uint8_t *bytes = malloc(size + 1);
	int error;

	if (!bytes)
		return problem_set(reading->problem, -ENOMEM, "%s: out of memory", reading->path);
	do {
		size_t some;

		error = reading_fill(reading);
		if (error)
			return error;
		some = reading->end - reading->at;
		if (some > size - used)
			some = size - used; /* it grew, which is found below */
		memcpy(bytes + used, reading->buffer + reading->at, some);
		used += some;
		reading->at = reading->end;
	} while (!reading->ended);
	error = reading_check_whole(reading);
	if (error)
		return error;
	*out = TAKE_PTR(bytes);
	*out_size = used;
	return 0;
}

/* A database without any word of what is asked for is the wrong one, however whole it is. */
static int check_kinds(struct walk *walk)
{
	static const char *const words[REGION_KINDS] = {"countries", "continents", "AS numbers"};
	const struct geoip *geoip = &walk->geoip;

	for (unsigned int kind = 0; geoip->records && kind < REGION_KINDS; kind++) {
		if (!(geoip->wanted >> kind & 1) || geoip->seen >> kind & 1)
			continue;
		problem_set(walk->reading->problem, -EINVAL, "%s (%s) has no %s: another database is needed for them",
			    walk->reading->path, geoip->mmdb.type, words[kind]);
		problem_hint(walk->reading->problem,
			     kind == REGION_ASN ? "such as GeoLite2-ASN" : "such as GeoLite2-Country");
		return -EINVAL;
	}
	return 0;
}

static void report(struct walk *walk)
{
	struct feeds_report *report = &walk->reading->report;
	const struct geoip *geoip = &walk->geoip;

	reading_set_format(walk->reading, FEEDS_GEOIP);
	snprintf(report->database, sizeof(report->database), "%s", geoip->mmdb.type);
	report->built_s = geoip->mmdb.built_s > INT64_MAX ? 0 : (int64_t)geoip->mmdb.built_s;
	for (size_t i = 0; i < geoip->regions_count; i++) {
		if (geoip->found[i])
			continue;
		if (report->missing_count < FEEDS_PLACES)
			report->missing[report->missing_count] = i;
		report->missing_count++;
	}
	walk->reading->builder.given = walk->networks;
}

static int walk_bytes(struct walk *walk, const uint8_t *bytes, size_t size)
{
	struct geoip *geoip = &walk->geoip;
	AUTO_FREE uint8_t *decisions = NULL;
	AUTO_FREE bool *found = NULL;
	int error;

	if (mmdb_open(&geoip->mmdb, bytes, size)) {
		error = reading_check_foreign(walk->reading, (const char *)bytes, size);
		return error ? error : refuse_bytes(walk, geoip->mmdb.wrong);
	}
	geoip->decisions = decisions = calloc(geoip->mmdb.data.size / 4 + 1, 1);
	geoip->found = found = calloc(geoip->regions_count + 1, sizeof(*found));
	if (!decisions || !found)
		return problem_set(walk->reading->problem, -ENOMEM, "%s: out of memory", walk->reading->path);
	walk->root4 = find_root4(&geoip->mmdb);
	error = take_tree(walk);
	if (!error)
		error = check_kinds(walk);
	if (!error)
		report(walk);
	return error;
}

int reading_take_geoip(struct reading *reading)
{
	const struct feeds_options *options = &reading->options;
	struct walk walk = {
		.reading = reading,
		.geoip = {.regions = options->regions, .regions_count = options->regions_count},
	};
	AUTO_FREE uint8_t *bytes = NULL;
	size_t size = 0;
	int error = read_file(reading, &bytes, &size);

	for (size_t i = 0; i < options->regions_count; i++)
		walk.geoip.wanted |= 1u << options->regions[i].kind;
	return error ? error : walk_bytes(&walk, bytes, size);
}
