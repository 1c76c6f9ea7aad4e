/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of user/kernel on the running kernel: pins, their layout, links and test runs. In a network of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <sys/stat.h>

#include "pinned.h"

static struct kernel *load(struct pinned *pinned)
{
	const struct kernel_options options = {.pin_directory = pinned->pins};
	struct kernel *kernel = NULL;

	if (kernel_load(&options, &kernel, &pinned->problem))
		fail_msg("%s", pinned->problem.text);
	return kernel;
}

static struct weir_live read_live(const struct kernel *kernel)
{
	struct weir_live live;

	assert_int_equal(kernel_map_get(kernel_map_fd(kernel, KERNEL_MAP_live), &(__u32){0}, &live), 0);
	return live;
}

static __u32 map_id(int fd)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
	return info.id;
}

static __u32 program_id(const struct kernel *kernel)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(kernel_program_fd(kernel), &info, &size), 0);
	return info.id;
}

static void pin_path(const struct pinned *pinned, const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", pinned->pins, name);
}

/* The id of what is pinned under the name. */
static __u32 pin_id(const struct pinned *pinned, const char *name)
{
	char path[128];
	__u32 id;
	int fd;

	pin_path(pinned, name, path);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	id = map_id(fd);
	close(fd);
	return id;
}

static void kernel_load_first_time_pins_every_map(void **state)
{
	struct pinned *pinned = *state;
	struct kernel *kernel = load(pinned);
	struct weir_live live = read_live(kernel);

	assert_true(kernel_is_fresh(kernel));
	assert_int_equal(live.layout, WEIR_LAYOUT);
	assert_int_equal(live.generation, 0);
	assert_true(live.sketch_seed != 0);
	for (int map = 0; map < KERNEL_MAPS; map++) {
		if (kernel_maps[map].pinned)
			assert_int_equal(pin_id(pinned, kernel_maps[map].name), map_id(kernel_map_fd(kernel, map)));
	}
	kernel_free(kernel);
}

static void kernel_load_second_time_reuses_maps_and_seed(void **state)
{
	struct pinned *pinned = *state;
	struct kernel *first = load(pinned), *second;
	struct weir_live live = read_live(first);
	__u32 id = map_id(kernel_map_fd(first, KERNEL_MAP_count_verdict));

	kernel_free(first);
	second = load(pinned);
	assert_false(kernel_is_fresh(second));
	assert_true(read_live(second).sketch_seed == live.sketch_seed);
	assert_int_equal(map_id(kernel_map_fd(second, KERNEL_MAP_count_verdict)), id);
	kernel_free(second);
}

static void kernel_load_must_exist_without_pins_is_refused(void **state)
{
	struct pinned *pinned = *state;
	const struct kernel_options options = {.pin_directory = pinned->pins, .must_exist = true, .trace = true};
	struct kernel *kernel = NULL;

	assert_int_equal(kernel_load(&options, &kernel, &pinned->problem), -ENOENT);
	assert_null(kernel);
	assert_int_not_equal(access(pinned->pins, F_OK), 0);
}

static void kernel_load_outside_a_bpffs_says_how_to_mount(void **state)
{
	struct pinned *pinned = *state;
	const struct kernel_options options = {.pin_directory = pinned->state};
	struct kernel *kernel = NULL;

	assert_int_equal(kernel_load(&options, &kernel, &pinned->problem), -ENOTSUP);
	assert_non_null(strstr(pinned->problem.hint, "mount -t bpf bpf "));
	assert_non_null(strstr(pinned->problem.hint, pinned->state));
}

/* A start that was cut short has pinned some maps, and nothing is live. */
static void kernel_load_half_pinned_before_first_generation_is_completed(void **state)
{
	struct pinned *pinned = *state;
	struct kernel *kernel = load(pinned);
	__u32 live_id = pin_id(pinned, "live");
	char path[128];

	kernel_free(kernel);
	pin_path(pinned, "limits", path);
	assert_int_equal(unlink(path), 0);
	kernel = load(pinned);
	assert_int_equal(pin_id(pinned, "live"), live_id);
	assert_int_equal(pin_id(pinned, "limits"), map_id(kernel_map_fd(kernel, KERNEL_MAP_limits)));
	kernel_free(kernel);
}

static void kernel_load_half_pinned_with_live_generation_is_refused(void **state)
{
	struct pinned *pinned = *state;
	const struct kernel_options options = {.pin_directory = pinned->pins};
	struct kernel *kernel = load(pinned), *again = NULL;
	struct weir_live live = read_live(kernel);
	char path[128];

	live.generation = 3;
	assert_int_equal(kernel_map_put(kernel_map_fd(kernel, KERNEL_MAP_live), &(__u32){0}, &live), 0);
	kernel_free(kernel);
	pin_path(pinned, "limits", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(kernel_load(&options, &again, &pinned->problem), -EPROTO);
	assert_int_not_equal(access(path, F_OK), 0);
}

/* The faulty pin is refused by name, and nothing at all changes. */
static void check_refused(struct pinned *pinned, const char *name)
{
	const struct kernel_options options = {.pin_directory = pinned->pins};
	__u32 before = pin_id(pinned, name), live_before = pin_id(pinned, "live");
	struct kernel *kernel = NULL;

	assert_int_equal(kernel_load(&options, &kernel, &pinned->problem), -EPROTO);
	assert_null(kernel);
	assert_non_null(strstr(pinned->problem.text, name));
	assert_non_null(strstr(pinned->problem.hint, "weir detach"));
	assert_int_equal(pin_id(pinned, name), before);
	assert_int_equal(pin_id(pinned, "live"), live_before);
}

static void kernel_load_fault_18_other_layout_number_is_refused_untouched(void **state)
{
	struct pinned *pinned = *state;
	struct kernel *kernel = load(pinned);
	struct weir_live live = read_live(kernel), after;

	live.layout = WEIR_LAYOUT + 1;
	assert_int_equal(kernel_map_put(kernel_map_fd(kernel, KERNEL_MAP_live), &(__u32){0}, &live), 0);
	check_refused(pinned, "live");
	after = read_live(kernel);
	assert_memory_equal(&after, &live, sizeof(live));
	kernel_free(kernel);
}

static void kernel_load_fault_18_other_map_shapes_are_refused_untouched(void **state)
{
	static const struct {
		const char *what, *name;
		enum bpf_map_type type;
		__u32 key_size, value_size, entries, flags;
	} rows[] = {
		{"another type", "ban_lengths", BPF_MAP_TYPE_HASH, 4, 64, 1, 0},
		{"longer keys", "ban4", BPF_MAP_TYPE_HASH, 12, 24, WEIR_MAX_BANS, BPF_F_NO_PREALLOC},
		{"shorter values", "count_limit", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 16, WEIR_MAX_LIMITS, 0},
		{"fewer entries", "flows", BPF_MAP_TYPE_ARRAY, 4, 64, WEIR_FLOW_LINES / 2, 0},
		{"other flags", "ban6", BPF_MAP_TYPE_HASH, 20, 24, WEIR_MAX_BANS, 0},
		{"no banks", "policy", BPF_MAP_TYPE_ARRAY, 4, 32, 1, 0},
	};
	struct pinned *pinned = *state;
	struct kernel *kernel = load(pinned);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = rows[i].flags);
		int fd = bpf_map_create(rows[i].type, "other", rows[i].key_size, rows[i].value_size, rows[i].entries,
					&options);
		char path[128], aside[128];

		assert_true(fd >= 0);
		pin_path(pinned, rows[i].name, path);
		pin_path(pinned, "aside", aside);
		assert_int_equal(rename(path, aside), 0);
		assert_int_equal(bpf_obj_pin(fd, path), 0);
		close(fd);
		print_message("%s: %s\n", rows[i].name, rows[i].what);
		check_refused(pinned, rows[i].name);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(rename(aside, path), 0);
	}
	kernel_free(kernel);
	kernel_free(load(pinned));
}

static void kernel_bank_smaller_than_inventory_is_installed_and_found(void **state)
{
	struct pinned *pinned = *state;
	struct kernel *kernel = load(pinned);

	for (int map = 0; map < KERNEL_MAPS; map++) {
		unsigned int entries;
		int fd, found;

		if (!kernel_maps[map].pages)
			continue;
		fd = kernel_bank_create(map, 1);
		assert_true(fd >= 0);
		assert_int_equal(kernel_bank_open(kernel, map, 1), -ENOENT);
		assert_int_equal(kernel_bank_install(kernel, map, 1, fd), 0);
		found = kernel_bank_open(kernel, map, 1);
		assert_true(found >= 0);
		assert_int_equal(kernel_map_entries(found, &entries), 0);
		assert_true(entries >= 1 && entries <= kernel_maps[map].max_entries);
		close(found);
		close(fd);
	}
	kernel_free(kernel);
	kernel_free(load(pinned)); /* banks of other sizes are no other layout */
}

static void kernel_test_run_traced_packet_gives_outcome(void **state)
{
	struct pinned *pinned = *state;
	const struct kernel_options options = {.pin_directory = pinned->pins, .must_exist = true, .trace = true};
	struct weir_trace trace = {.now_ns = 1, .ifindex = 1};
	unsigned char frame[60] = {[12] = 0x08, [13] = 0x06}, out[256];
	struct kernel *owner = load(pinned), *kernel = NULL;
	size_t size = sizeof(out);
	unsigned int action = ~0u;

	assert_int_equal(kernel_load(&options, &kernel, &pinned->problem), 0);
	assert_int_equal(kernel_test_run(kernel, frame, 13, out, &size, &action, &trace), -EINVAL);
	assert_int_equal(kernel_test_run(kernel, frame, sizeof(frame), out, &size, &action, &trace), 0);
	assert_int_equal(action, XDP_PASS);
	assert_int_equal(size, sizeof(frame));
	assert_int_equal(trace.now_ns, 1);
	assert_int_equal(trace.verdict, WEIR_PASS);
	assert_int_not_equal(trace.reason, WEIR_REASON_NONE);
	assert_int_equal(kernel_test_run(owner, frame, sizeof(frame), out, &size, &action, &trace), -EINVAL);
	kernel_free(kernel);
	kernel_free(owner);
}

static void find_link(void *arg, const struct kernel_link *link)
{
	struct kernel_link *wanted = arg;

	if (strcmp(wanted->interface, link->interface) == 0)
		*wanted = *link;
}

static struct kernel_link link_of(const struct pinned *pinned, const char *interface)
{
	struct kernel_link link = {.mode = -1};

	snprintf(link.interface, sizeof(link.interface), "%s", interface);
	assert_int_equal(kernel_links(pinned->pins, find_link, &link), 0);
	return link;
}

static void ip(const char *command)
{
	char line[256];

	snprintf(line, sizeof(line), "ip %s", command);
	if (system(line))
		fail_msg("%s failed", line);
}

static void attach(struct pinned *pinned, struct kernel *kernel, const char *interface, enum kernel_attach_mode mode,
		   bool expect_generic)
{
	bool generic = !expect_generic;

	if (kernel_attach(kernel, interface, mode, &generic, &pinned->problem))
		fail_msg("%s", pinned->problem.text);
	assert_int_equal(generic, expect_generic);
	assert_int_equal(link_of(pinned, interface).mode, expect_generic ? 1 : 2);
	assert_int_equal(link_of(pinned, interface).ifindex, if_nametoindex(interface));
	assert_int_equal(link_of(pinned, interface).program_id, program_id(kernel));
}

static void kernel_attach_again_updates_the_link_in_place(void **state)
{
	struct pinned *pinned = *state;
	struct kernel *first = load(pinned), *second;
	struct stat before, after;
	char path[128];

	ip("link add wk.0 type veth peer name wk1");
	attach(pinned, first, "wk.0", KERNEL_ATTACH_AUTO, false);
	pin_path(pinned, "link-wk:0", path);
	assert_int_equal(stat(path, &before), 0);
	kernel_free(first);
	assert_int_equal(link_of(pinned, "wk.0").mode, 2);
	second = load(pinned);
	attach(pinned, second, "wk.0", KERNEL_ATTACH_AUTO, false);
	assert_int_equal(stat(path, &after), 0);
	assert_true(before.st_ino == after.st_ino);
	attach(pinned, second, "wk.0", KERNEL_ATTACH_GENERIC, true);
	attach(pinned, second, "wk.0", KERNEL_ATTACH_AUTO, true);
	assert_int_equal(kernel_detach(pinned->pins, "wk.0", &pinned->problem), 0);
	assert_int_equal(link_of(pinned, "wk.0").mode, -1);
	assert_int_equal(kernel_detach(pinned->pins, "wk.0", &pinned->problem), -ENOENT);
	ip("link del wk.0");
	kernel_free(second);
}

static void kernel_attach_fault_21_device_recreated_or_renamed_is_attached_anew(void **state)
{
	struct pinned *pinned = *state;
	struct kernel *kernel = load(pinned);

	ip("link add wk0 type veth peer name wk1");
	attach(pinned, kernel, "wk0", KERNEL_ATTACH_AUTO, false);
	ip("link del wk0");
	assert_int_equal(link_of(pinned, "wk0").ifindex, 0);
	assert_int_equal(link_of(pinned, "wk0").mode, 0);
	ip("link add wk0 type veth peer name wk1");
	attach(pinned, kernel, "wk0", KERNEL_ATTACH_AUTO, false);
	ip("link set wk0 name wk2");
	attach(pinned, kernel, "wk2", KERNEL_ATTACH_AUTO, false);
	assert_int_equal(link_of(pinned, "wk0").mode, -1);
	ip("link del wk2");
	kernel_free(kernel);
}

static __u32 link_id(const struct pinned *pinned, const char *name)
{
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);
	char path[128];
	int fd;

	pin_path(pinned, name, path);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
	close(fd);
	return info.id;
}

/* Neither link is given up in between: both devices are filtered all the time. */
static void kernel_attach_two_devices_that_swap_names_keep_their_links(void **state)
{
	struct pinned *pinned = *state;
	struct kernel *kernel = load(pinned);
	__u32 first, second;

	ip("link add wk0 type veth peer name wk1");
	attach(pinned, kernel, "wk0", KERNEL_ATTACH_AUTO, false);
	attach(pinned, kernel, "wk1", KERNEL_ATTACH_AUTO, false);
	first = link_id(pinned, "link-wk0");
	second = link_id(pinned, "link-wk1");
	ip("link set wk0 name wk9");
	ip("link set wk1 name wk0");
	ip("link set wk9 name wk1");
	attach(pinned, kernel, "wk0", KERNEL_ATTACH_AUTO, false);
	assert_int_equal(link_of(pinned, "wk1").mode, 2);
	attach(pinned, kernel, "wk1", KERNEL_ATTACH_AUTO, false);
	assert_int_equal(link_id(pinned, "link-wk0"), second);
	assert_int_equal(link_id(pinned, "link-wk1"), first);
	assert_int_equal(link_of(pinned, "+").mode, -1);
	ip("link del wk0");
	kernel_free(kernel);
}

static void kernel_attach_foreign_program_is_refused_with_its_id(void **state)
{
	struct pinned *pinned = *state;
	const struct kernel_options options = {};
	struct kernel *kernel = load(pinned), *foreign = NULL;
	bool generic = false;
	char id[32];
	int link;

	ip("link add wk0 type veth peer name wk1");
	assert_int_equal(kernel_load(&options, &foreign, &pinned->problem), 0);
	link = bpf_link_create(kernel_program_fd(foreign), (int)if_nametoindex("wk0"), BPF_XDP, NULL);
	assert_true(link >= 0);
	assert_int_equal(kernel_attach(kernel, "wk0", KERNEL_ATTACH_AUTO, &generic, &pinned->problem), -EBUSY);
	snprintf(id, sizeof(id), "(id %u)", program_id(foreign));
	assert_non_null(strstr(pinned->problem.text, id));
	assert_int_equal(link_of(pinned, "wk0").mode, -1);
	close(link);
	ip("link del wk0");
	kernel_free(foreign);
	kernel_free(kernel);
}

static void kernel_attach_mtu_too_large_is_generic_or_refused_with_cause(void **state)
{
	struct pinned *pinned = *state;
	struct kernel *kernel = load(pinned);
	bool generic = false;

	ip("link add wk0 mtu 9000 type veth peer name wk1 mtu 9000");
	assert_int_equal(kernel_attach(kernel, "wk0", KERNEL_ATTACH_NATIVE, &generic, &pinned->problem), -ERANGE);
	assert_non_null(strstr(pinned->problem.text, "MTU"));
	assert_non_null(strstr(pinned->problem.hint, "mtu"));
	memset(&pinned->problem, 0, sizeof(pinned->problem));
	attach(pinned, kernel, "wk0", KERNEL_ATTACH_AUTO, true);
	assert_non_null(strstr(pinned->problem.text, "MTU"));
	ip("link del wk0");
	kernel_free(kernel);
}

static void kernel_attach_mode_that_is_refused_keeps_the_former_one(void **state)
{
	struct pinned *pinned = *state;
	struct kernel *kernel = load(pinned);
	bool generic = false;

	ip("link add wk0 mtu 9000 type veth peer name wk1 mtu 9000");
	attach(pinned, kernel, "wk0", KERNEL_ATTACH_GENERIC, true);
	assert_int_equal(kernel_attach(kernel, "wk0", KERNEL_ATTACH_NATIVE, &generic, &pinned->problem), -ERANGE);
	assert_non_null(strstr(pinned->problem.text, "MTU"));
	assert_non_null(strstr(pinned->problem.hint, "goes on in generic mode"));
	assert_int_equal(link_of(pinned, "wk0").mode, 1);
	assert_int_equal(link_of(pinned, "wk0").program_id, program_id(kernel));
	ip("link del wk0");
	kernel_free(kernel);
}

static void kernel_attach_no_such_interface_is_refused(void **state)
{
	struct pinned *pinned = *state;
	struct kernel *kernel = load(pinned);
	bool generic = false;

	assert_int_equal(kernel_attach(kernel, "wk9", KERNEL_ATTACH_AUTO, &generic, &pinned->problem), -ENODEV);
	assert_int_equal(kernel_attach(kernel, "a/b", KERNEL_ATTACH_AUTO, &generic, &pinned->problem), -EINVAL);
	kernel_free(kernel);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		PINNED_TEST(kernel_load_first_time_pins_every_map),
		PINNED_TEST(kernel_load_second_time_reuses_maps_and_seed),
		PINNED_TEST(kernel_load_must_exist_without_pins_is_refused),
		PINNED_TEST(kernel_load_outside_a_bpffs_says_how_to_mount),
		PINNED_TEST(kernel_load_half_pinned_before_first_generation_is_completed),
		PINNED_TEST(kernel_load_half_pinned_with_live_generation_is_refused),
		PINNED_TEST(kernel_load_fault_18_other_layout_number_is_refused_untouched),
		PINNED_TEST(kernel_load_fault_18_other_map_shapes_are_refused_untouched),
		PINNED_TEST(kernel_bank_smaller_than_inventory_is_installed_and_found),
		PINNED_TEST(kernel_test_run_traced_packet_gives_outcome),
		PINNED_TEST(kernel_attach_again_updates_the_link_in_place),
		PINNED_TEST(kernel_attach_fault_21_device_recreated_or_renamed_is_attached_anew),
		PINNED_TEST(kernel_attach_two_devices_that_swap_names_keep_their_links),
		PINNED_TEST(kernel_attach_foreign_program_is_refused_with_its_id),
		PINNED_TEST(kernel_attach_mtu_too_large_is_generic_or_refused_with_cause),
		PINNED_TEST(kernel_attach_mode_that_is_refused_keeps_the_former_one),
		PINNED_TEST(kernel_attach_no_such_interface_is_refused),
	};

	if (geteuid() == 0 && unshare(CLONE_NEWNET)) {
		perror("a network of its own");
		return 1;
	}
	return PINNED_RUN(tests);
}
