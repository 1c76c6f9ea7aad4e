/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir maps`: the inventory of the kernel's tables, with the memory that they take. */
#include "cli.h"
#include "tables.h"
#include "../base/scope.h"
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <string.h>

struct options {
	struct cli_common common;
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct options *options = state->input;

	if (cli_common_option(&options->common, key, value))
		return 0;
	switch (key) {
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument \"%s\"", value);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const char *type_name(unsigned int type)
{
	switch (type) {
	case BPF_MAP_TYPE_ARRAY:
		return "array";
	case BPF_MAP_TYPE_HASH:
		return "hash";
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		return "percpu-array";
	default:
		return "other";
	}
}

/* What the kernel says that a map takes (proc(5), fdinfo of a BPF map). 0 when it does not say. */
static uint64_t read_memory(int fd)
{
	AUTO_FCLOSE FILE *file = NULL;
	char path[64], line[256];
	uint64_t bytes = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "memlock: %" SCNu64, &bytes) == 1)
			break;
	return bytes;
}

/* Of the map, or of both banks of a banked one. */
static uint64_t measure(const struct kernel *kernel, enum kernel_map map)
{
	uint64_t bytes = 0;

	if (!kernel_maps[map].pages)
		return kernel_maps[map].pinned ? read_memory(kernel_map_fd(kernel, map)) : 0;
	for (unsigned int bank = 0; bank < WEIR_BANKS; bank++)
		for (unsigned int page = 0; page < kernel_maps[map].pages; page++) {
			AUTO_CLOSE int fd = kernel_page_open(kernel, map, bank, page);

			if (fd < 0)
				break; /* there are no gaps */
			bytes += read_memory(fd);
		}
	return bytes;
}

static json_t *list_maps(const struct kernel *kernel)
{
	json_t *rows = json_array();

	for (int map = 0; map < KERNEL_MAPS; map++) {
		const struct kernel_map_info *info = &kernel_maps[map];
		json_t *memory = kernel ? json_integer((json_int_t)measure(kernel, map)) : json_null();

		json_array_append_new(rows,
				      json_pack("{s:s, s:s, s:I, s:I, s:I, s:b, s:b, s:b, s:o}", "name", info->name,
						"type", type_name(info->type), "key_bytes", (json_int_t)info->key_size,
						"value_bytes", (json_int_t)info->value_size, "max_entries",
						(json_int_t)info->max_entries, "pinned", info->pinned, "banked",
						info->pages > 0, "per_cpu", info->per_cpu, "memory_bytes", memory));
	}
	return rows;
}

static void print_maps(const json_t *rows, const char *pins)
{
	static const char *const headings[] = {"MAP", "TYPE", "KEY", "VALUE", "ENTRIES", "KIND", "MEMORY KiB"};
	struct cli_table table = {.align = "llrrrlr"};
	const json_t *row;
	uint64_t sum = 0;
	bool measured = false;
	size_t i;

	cli_table_headings(&table, headings);
	json_array_foreach(rows, i, row) {
		const json_t *memory = json_object_get(row, "memory_bytes");
		bool banked = json_is_true(json_object_get(row, "banked"));
		bool pinned = json_is_true(json_object_get(row, "pinned"));

		cli_table_add(&table, "%s", cli_text(row, "name"));
		cli_table_add(&table, "%s", cli_text(row, "type"));
		cli_table_add(&table, "%lld", cli_number(row, "key_bytes"));
		cli_table_add(&table, "%lld", cli_number(row, "value_bytes"));
		cli_table_add(&table, "%lld", cli_number(row, "max_entries"));
		cli_table_add(&table, "%s", banked ? "two banks" : pinned ? "pinned" : "local");
		cli_table_add(&table, json_is_integer(memory) ? "%lld" : "-", json_integer_value(memory) / 1024);
		measured = measured || json_is_integer(memory);
		sum += (uint64_t)json_integer_value(memory);
	}
	cli_table_print(&table);
	if (measured)
		printf("\n%.1f MiB in all, pinned below %s\n", (double)sum / (1 << 20), pins);
}

int cli_maps(int argc, char **argv)
{
	static const struct argp_option list[] = {
		CLI_OPTION_JSON("list"),
		{"pins", 'p', "DIR", 0, "The pinned tables (default " CLI_DEFAULT_PINS ")", 0},
		{0},
	};
	static const struct argp argp = {
		.options = list,
		.parser = parse_option,
		.doc = "List every table of the program: type, sizes, entries, and as root the memory that the pinned "
		       "ones "
		       "take. A banked table holds two generations of policy, of which one is live."
		       "\vExample:\n  weir maps --json | jq 'map(.memory_bytes) | add'",
	};
	struct options options = {0};
	struct problem problem = {0};
	struct kernel *kernel = NULL;
	const char *pins;
	json_t *rows;

	cli_parse(&argp, argc, argv, &options);
	pins = cli_pins(options.common.pins);
	if (cli_open_tables(pins, &kernel, &problem))
		fprintf(stderr, "weir: the memory is not known: %s\n", problem.text);
	rows = list_maps(kernel);
	if (kernel)
		kernel_free(kernel);
	if (options.common.json)
		return cli_print_json(rows);
	print_maps(rows, pins);
	json_decref(rows);
	return CLI_DONE;
}
