/* SPDX-License-Identifier: BSD-2-Clause */
/* The inner maps of one generation: made, filled, read back and put into the outer maps. */
#include "parts.h"
#include "../base/scope.h"
#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <string.h>

/* Rows of a hash are key and value side by side; those of an array are values, by index. */
_Static_assert(sizeof(struct compile_vip) == sizeof(struct weir_vip_key) + sizeof(__u32), "a row");
_Static_assert(sizeof(struct compile_port) == sizeof(struct weir_port_key) + sizeof(__u32), "a row");
_Static_assert(sizeof(struct weir_ring) == sizeof(uint64_t), "a ring is stored whole");

struct bank_rows {
	const void *rows;
	size_t count;
};

static struct bank_rows bank_filter_rows(const struct compile_filter *filter, enum kernel_map map)
{
	const struct compile_addresses *addresses = &filter->addresses;

	switch (map) {
	case KERNEL_MAP_bits4:
		return (struct bank_rows){addresses->bits4, addresses->bits4_count};
	case KERNEL_MAP_tops4:
		return (struct bank_rows){addresses->tops4, addresses->tops4_count};
	case KERNEL_MAP_tops6:
		return (struct bank_rows){addresses->tops6, addresses->tops6_count};
	case KERNEL_MAP_indexes:
		return (struct bank_rows){filter->indexes, filter->indexes_count};
	case KERNEL_MAP_rules:
		return (struct bank_rows){filter->rules, filter->rules_count};
	case KERNEL_MAP_folded:
		return (struct bank_rows){filter->folded, filter->folded_count};
	default:
		return (struct bank_rows){NULL, 0};
	}
}

static struct bank_rows bank_rows(const struct compile_image *image, enum kernel_map map)
{
	switch (map) {
	case KERNEL_MAP_policy:
		return (struct bank_rows){&image->policy, 1};
	case KERNEL_MAP_protect:
		return (struct bank_rows){image->protects, image->protects_count};
	case KERNEL_MAP_protect_ports:
		return (struct bank_rows){image->protect_ports, image->protect_ports_count};
	case KERNEL_MAP_vips:
		return (struct bank_rows){image->vips, image->vips_count};
	case KERNEL_MAP_ports:
		return (struct bank_rows){image->ports, image->ports_count};
	case KERNEL_MAP_services:
		return (struct bank_rows){image->services, image->services_count};
	case KERNEL_MAP_rings:
		return (struct bank_rows){image->rings, image->services_count};
	case KERNEL_MAP_slots:
		return (struct bank_rows){image->slots, image->slots_count};
	case KERNEL_MAP_backends:
		return (struct bank_rows){image->backends, image->backends_count};
	case KERNEL_MAP_limits:
		return (struct bank_rows){image->limits, image->limits_count};
	case KERNEL_MAP_folded_entries:
		return (struct bank_rows){image->folded, image->folded_count};
	default:
		return bank_filter_rows(image->filter, map);
	}
}

static int bank_problem(int error, enum kernel_map map, const char *action, struct problem *problem)
{
	return problem_set(problem, error,
			   "the new generation's table %s could not be %s (%s); the live one is as it "
			   "was",
			   kernel_maps[map].name, action, strerror(-error));
}

/* The program takes a table of the filter that is not there for an empty one. */
static bool bank_may_lack(enum kernel_map map)
{
	return map >= KERNEL_MAP_bits4 && map <= KERNEL_MAP_folded_entries;
}

static bool bank_is_mapped(enum kernel_map map)
{
	return kernel_maps[map].flags & BPF_F_MMAPABLE;
}

static bool bank_is_hash(enum kernel_map map)
{
	return kernel_maps[map].type == BPF_MAP_TYPE_HASH;
}

static int bank_view_map(const int fds[KERNEL_MAPS], struct bank_view *out)
{
	struct bank_view view = {};
	unsigned int rings, slots;
	int error = kernel_map_entries(fds[KERNEL_MAP_rings], &rings);

	if (!error)
		error = kernel_map_entries(fds[KERNEL_MAP_slots], &slots);
	if (error)
		return error;
	view.rings_count = rings;
	view.slots_count = slots;
	view.rings = kernel_map_mmap(fds[KERNEL_MAP_rings], rings * sizeof(*view.rings), true);
	view.slots = kernel_map_mmap(fds[KERNEL_MAP_slots], slots * sizeof(*view.slots), true);
	if (!view.rings || !view.slots) {
		error = -errno;
		bank_view_close(&view);
		return error;
	}
	*out = view;
	return 0;
}

void bank_view_close(struct bank_view *view)
{
	kernel_map_munmap(view->rings, view->rings_count * sizeof(*view->rings));
	kernel_map_munmap(view->slots, view->slots_count * sizeof(*view->slots));
	*view = (struct bank_view){};
}

int bank_view_open(const struct kernel *kernel, unsigned int index, struct bank_view *out, struct problem *problem)
{
	AUTO_CLOSE int rings = kernel_bank_open(kernel, KERNEL_MAP_rings, index);
	AUTO_CLOSE int slots = kernel_bank_open(kernel, KERNEL_MAP_slots, index);
	const int fds[KERNEL_MAPS] = {[KERNEL_MAP_rings] = rings, [KERNEL_MAP_slots] = slots};
	int error = rings < 0 ? rings : slots < 0 ? slots : bank_view_map(fds, out);

	return error ? problem_set(problem, error, "the live rings cannot be opened: %s", strerror(-error)) : 0;
}

int bank_create(const struct compile_image *image, struct bank *bank, struct problem *problem)
{
	struct bank fresh = {};
	int error;

	for (int map = 0; map < KERNEL_MAPS; map++)
		fresh.fds[map] = -1;
	error = pages_create(image->filter, &fresh);
	if (error) {
		bank_problem(error, KERNEL_MAP_lines, "made", problem);
		bank_free(&fresh);
		return error;
	}
	for (int map = 0; map < KERNEL_MAPS; map++) {
		size_t count = bank_rows(image, map).count;

		if (kernel_maps[map].pages != 1 || (!count && bank_may_lack(map)))
			continue;
		fresh.fds[map] = kernel_bank_create(map, count ? (unsigned int)count : 1);
		if (fresh.fds[map] < 0) {
			error = bank_problem(fresh.fds[map], map, "made", problem);
			bank_free(&fresh);
			return error;
		}
	}
	error = bank_view_map(fresh.fds, &fresh.view);
	if (error) {
		bank_problem(error, KERNEL_MAP_slots, "mapped", problem);
		bank_free(&fresh);
		return error;
	}
	*bank = fresh;
	return 0;
}

static bool bank_is_zero(const uint8_t *bytes, size_t size)
{
	return !bytes[0] && memcmp(bytes, bytes + 1, size - 1) == 0;
}

static int bank_fill_map(int fd, enum kernel_map map, struct bank_rows from)
{
	const struct kernel_map_info *info = &kernel_maps[map];
	size_t key_bytes = bank_is_hash(map) ? info->key_size : 0;
	const uint8_t *row = from.rows;
	int error = 0;

	for (uint32_t index = 0; !error && index < from.count; index++, row += key_bytes + info->value_size) {
		if (key_bytes)
			error = kernel_map_put(fd, row, row + key_bytes);
		else if (!bank_is_zero(row, info->value_size)) /* as the kernel made it */
			error = kernel_map_put(fd, &index, row);
	}
	return error;
}

/* -EIO where the table holds something else. */
static int bank_check_map(int fd, enum kernel_map map, struct bank_rows expected)
{
	const struct kernel_map_info *info = &kernel_maps[map];
	size_t key_bytes = bank_is_hash(map) ? info->key_size : 0;
	const uint8_t *row = expected.rows;
	uint8_t value[sizeof(struct weir_policy)]; /* the largest */
	int error = 0;

	if (info->value_size > sizeof(value))
		return -EIO;
	for (uint32_t index = 0; !error && index < expected.count; index++, row += key_bytes + info->value_size) {
		error = kernel_map_get(fd, key_bytes ? (const void *)row : &index, value);
		if (!error && memcmp(value, row + key_bytes, info->value_size) != 0)
			error = -EIO;
	}
	return error;
}

/* Through a mapping: writes all rows, or compares them (-EIO where the table holds something else). */
static int bank_copy_mapped(int fd, enum kernel_map map, struct bank_rows rows, bool write)
{
	size_t bytes = rows.count * kernel_maps[map].value_size;
	void *mapped = bytes ? kernel_map_mmap(fd, bytes, write) : NULL;
	int error = 0;

	if (!bytes)
		return 0;
	if (!mapped)
		return -errno;
	if (write)
		memcpy(mapped, rows.rows, bytes);
	else if (memcmp(mapped, rows.rows, bytes) != 0)
		error = -EIO;
	kernel_map_munmap(mapped, bytes);
	return error;
}

/* Written at the last moment: what is live may still change its rings. */
static bool bank_is_ring(enum kernel_map map)
{
	return map == KERNEL_MAP_rings || map == KERNEL_MAP_slots;
}

int bank_fill(const struct compile_image *image, struct bank *bank, struct problem *problem)
{
	int error;

	for (int map = 0; map < KERNEL_MAPS; map++) {
		if (bank->fds[map] < 0 || bank_is_ring(map))
			continue;
		error = bank_is_mapped(map) ? bank_copy_mapped(bank->fds[map], map, bank_rows(image, map), true)
					    : bank_fill_map(bank->fds[map], map, bank_rows(image, map));
		if (error)
			return bank_problem(error, map, "filled", problem);
	}
	error = pages_fill(image->filter, bank);
	return error ? bank_problem(error, KERNEL_MAP_lines, "filled", problem) : 0;
}

int bank_check(const struct compile_image *image, const struct bank *bank, struct problem *problem)
{
	int error;

	for (int map = 0; map < KERNEL_MAPS; map++) {
		if (bank->fds[map] < 0 || bank_is_ring(map))
			continue;
		error = bank_is_mapped(map) ? bank_copy_mapped(bank->fds[map], map, bank_rows(image, map), false)
					    : bank_check_map(bank->fds[map], map, bank_rows(image, map));
		if (error)
			return bank_problem(error, map, "read back as written", problem);
	}
	error = pages_check(image->filter, bank);
	return error ? bank_problem(error, KERNEL_MAP_lines, "read back as written", problem) : 0;
}

int bank_fill_rings(const struct compile_image *image, struct bank *bank, struct problem *problem)
{
	for (int map = 0; map < KERNEL_MAPS; map++) {
		int error;

		if (!bank_is_ring(map))
			continue;
		error = bank_copy_mapped(bank->fds[map], map, bank_rows(image, map), true);
		if (!error)
			error = bank_copy_mapped(bank->fds[map], map, bank_rows(image, map), false);
		if (error)
			return bank_problem(error, map, "filled", problem);
	}
	return 0;
}

struct installing {
	const struct kernel *kernel;
	const int *fds;
	unsigned int count, bank;
	enum kernel_map map;
	pthread_t thread;
	bool has_thread;
	int error;
};

static void *install(void *arg)
{
	struct installing *one = arg;

	one->error = kernel_pages_install(one->kernel, one->map, one->bank, one->fds, one->count);
	return NULL;
}

/* At once, for the kernel lets programs end before it returns from each change, and those that wait at the same time
 * wait together. */
int bank_install(const struct kernel *kernel, const struct bank *bank, unsigned int index, struct problem *problem)
{
	struct installing all[KERNEL_MAPS];
	int error = 0;

	for (int map = 0; map < KERNEL_MAPS; map++) {
		bool is_one = kernel_maps[map].pages == 1;

		all[map] = (struct installing){
			.kernel = kernel,
			.fds = is_one ? &bank->fds[map] : bank->pages,
			.count = is_one ? bank->fds[map] >= 0 : bank->pages_count,
			.bank = index,
			.map = map,
		};
		if (!kernel_maps[map].pages)
			continue;
		all[map].has_thread = !pthread_create(&all[map].thread, NULL, install, &all[map]);
		if (!all[map].has_thread)
			install(&all[map]);
	}
	for (int map = 0; map < KERNEL_MAPS; map++) {
		if (all[map].has_thread)
			pthread_join(all[map].thread, NULL);
		if (all[map].error && !error)
			error = bank_problem(all[map].error, map, "installed", problem);
	}
	return error;
}

/* The kernel lets every program that runs end before it returns from a change of an outer map (Linux 1ae80cf31938). */
int bank_await_packets(const struct kernel *kernel, const struct bank *bank, unsigned int index)
{
	return kernel_bank_install(kernel, KERNEL_MAP_policy, index, bank->fds[KERNEL_MAP_policy]);
}

void bank_free(struct bank *bank)
{
	for (int map = 0; map < KERNEL_MAPS; map++)
		scope_close(&bank->fds[map]);
	pages_free(bank);
	bank_view_close(&bank->view);
}
