/* SPDX-License-Identifier: BSD-2-Clause */
/* Facts of kernels that nobody has here, and what is thought of them; files below a root of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "user/base/file.h"
#include "user/base/scope.h"

#include "doctor_host.h"

static const struct doctor_options ipv4_policy = {.root = "", .has_policy = true, .has_backends4 = true};

static struct doctor_report judge_host(const struct host_facts *host)
{
	struct doctor_report report = {0};

	judge_kernel(&host->kernel, &report);
	judge_memory(&host->kernel, &host->memory, &report);
	judge_sysctls(host, &report);
	return report;
}

static void expect_of_host(const struct host_facts *host, const char *sentence, const struct expected *expected)
{
	struct doctor_report report = judge_host(host);

	doctor_expect(&report, sentence, expected);
	doctor_report_clear(&report);
}

/* --- the kernel ------------------------------------------------------------------------------------------- */

static void doctor_host_that_is_well_has_no_errors_and_warnings(void **state)
{
	struct host_facts host = well_host();
	struct device_facts device = well_device();
	struct doctor_report report = judge_host(&host);

	(void)state;
	judge_device(&ipv4_policy, &host, &device, &report);
	for (size_t i = 0; i < report.count; i++)
		if (report.findings[i].severity != DOCTOR_OK)
			fail_msg("%s: %s", report.findings[i].subject, report.findings[i].text);
	assert_true(report.count > FEATURES);
	doctor_report_clear(&report);
}

static void doctor_release_is_told_how_far_it_is_supported(void **state)
{
	static const struct {
		int major, minor;
		struct expected expected;
	} rows[] = {
		{0, 0, {"release", DOCTOR_WARNING, "cannot be read", "mount /proc"}},
		{4, 19, {"release", DOCTOR_ERROR, "older than Weir can use", "boot Linux 5.15 or newer"}},
		{5, 9, {"release", DOCTOR_ERROR, "older than Weir can use", "boot Linux 5.15 or newer"}},
		{5, 10, {"release", DOCTOR_WARNING, "not supported", "boot Linux 5.15 or newer"}},
		{5, 14, {"release", DOCTOR_WARNING, "not supported", "boot Linux 5.15 or newer"}},
		{5, 15, {"release", DOCTOR_OK, "is supported", ""}},
		{6, 1, {"release", DOCTOR_OK, "is supported", ""}},
		{7, 0, {"release", DOCTOR_OK, "is supported", ""}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct host_facts host = well_host();

		host.kernel.major = rows[i].major;
		host.kernel.minor = rows[i].minor;
		snprintf(host.kernel.release, sizeof(host.kernel.release), "%d.%d.0", rows[i].major, rows[i].minor);
		expect_of_host(&host, host.kernel.release, &rows[i].expected);
	}
}

static void doctor_feature_lacking_is_named_with_what_is_gone(void **state)
{
	static const struct {
		enum feature feature;
		int major, minor;
		struct expected expected;
	} rows[] = {
		{FEATURE_XDP, 6, 1, {"XDP programs", DOCTOR_ERROR, "nothing of it can run", "CONFIG_BPF_SYSCALL"}},
		{FEATURE_BANKS, 5, 9, {"maps of varying size", DOCTOR_ERROR, "does not load", "5.10 or newer"}},
		{FEATURE_MMAP, 5, 4, {"mapped arrays", DOCTOR_ERROR, "no policy", "5.5 or newer"}},
		{FEATURE_LINK, 5, 8, {"XDP links", DOCTOR_ERROR, "cannot attach", "5.9 or newer"}},
		{FEATURE_LINK, 6, 1, {"XDP links", DOCTOR_ERROR, "cannot attach", "a kernel that is built with"}},
		{FEATURE_FIB, 4, 17, {"bpf_fib_lookup", DOCTOR_ERROR, "no packet can be steered", "4.18"}},
		{FEATURE_TEST_RUN, 6, 1, {"test runs", DOCTOR_WARNING, "no `weir explain`", "a kernel that"}},
		{FEATURE_LIVE, 5, 10, {"live frames", DOCTOR_NOTE, "scripts/demo", "5.18 or newer"}},
		{FEATURE_FRAGS, 5, 10, {"frames of several buffers", DOCTOR_NOTE, "no jumbo frames", ""}},
		{FEATURE_ATOMICS, 5, 10, {"fetching atomics", DOCTOR_NOTE, "uses none", ""}},
		{FEATURE_FREPLACE, 6, 18, {"libxdp's dispatcher", DOCTOR_NOTE, "freplace", ""}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct host_facts host = well_host();

		host.kernel.has[rows[i].feature] = false;
		host.kernel.major = rows[i].major;
		host.kernel.minor = rows[i].minor;
		expect_of_host(&host, rows[i].expected.subject, &rows[i].expected);
	}
}

static void doctor_dispatcher_from_6_12_on_takes_no_program_that_changes_packets(void **state)
{
	static const struct expected older = {"libxdp's dispatcher", DOCTOR_OK, "a link of its own", ""};
	static const struct expected newer = {"libxdp's dispatcher", DOCTOR_NOTE, "none that changes packets", ""};
	struct host_facts host = well_host();

	(void)state;
	expect_of_host(&host, "6.1", &older);
	host.kernel.minor = 12;
	expect_of_host(&host, "6.12", &newer);
}

static void doctor_without_the_right_to_try_says_what_was_not_looked_at(void **state)
{
	static const struct expected rows[] = {{"features", DOCTOR_WARNING, "not looked at", "sudo weir doctor"},
					       {"XDP links", DOCTOR_OK, NULL, NULL},
					       {"JIT", DOCTOR_OK, NULL, NULL},
					       {"Weir's program", DOCTOR_OK, NULL, NULL}};
	struct host_facts host = well_host();

	(void)state;
	memset(host.kernel.has, 0, sizeof(host.kernel.has));
	host.kernel.features_error = -EPERM;
	host.kernel.program = FACT_UNKNOWN;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_of_host(&host, "unprivileged", &rows[i]);
}

static void doctor_program_refused_or_interpreted_is_told(void **state)
{
	static const struct expected refused = {"Weir's program", DOCTOR_ERROR, "E2BIG", "weir run"};
	static const struct expected slow = {"JIT", DOCTOR_WARNING, "off", "sysctl -w net/core/bpf_jit_enable=1"};
	struct host_facts host = well_host();

	(void)state;
	host.kernel.program = 0;
	host.kernel.is_jited = false;
	strcpy(host.kernel.refusal, "the kernel refused the program: E2BIG");
	expect_of_host(&host, "refused", &refused);
	expect_of_host(&host, "interpreted", &slow);
}

static void doctor_memlock_counts_before_5_11_alone(void **state)
{
	static const struct {
		const char *sentence;
		int minor;
		uint64_t memlock;
		bool may_raise;
		struct expected expected;
	} rows[] = {
		{"5.11", 11, 65536, false, {"memlock limit", DOCTOR_OK, "does not count", ""}},
		{"unlimited", 10, UINT64_MAX, false, {"memlock limit", DOCTOR_OK, "none", ""}},
		{"root", 10, 65536, true, {"memlock limit", DOCTOR_OK, "raises it by itself", ""}},
		{"a container", 10, 65536, false, {"memlock limit", DOCTOR_ERROR, "64 KiB", "ulimit -l unlimited"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct host_facts host = well_host();

		host.kernel.major = 5;
		host.kernel.minor = rows[i].minor;
		host.memory.memlock = rows[i].memlock;
		host.memory.may_raise = rows[i].may_raise;
		expect_of_host(&host, rows[i].sentence, &rows[i].expected);
	}
}

static void doctor_bpffs_missing_is_mounted_by_the_fix(void **state)
{
	static const struct expected expected = {"BPF file system", DOCTOR_NOTE, "not mounted",
						 "mount -t bpf bpf /sys/fs/bpf"};
	struct host_facts host = well_host();

	(void)state;
	host.memory.has_bpffs = false;
	expect_of_host(&host, "no bpffs", &expected);
}

/* --- the report ------------------------------------------------------------------------------------------- */

static void doctor_report_of_many_findings_counts_and_prints_them(void **state)
{
	struct doctor_report report = {0};
	json_t *json, *rows;

	(void)state;
	for (int i = 0; i < 200; i++)
		doctor_find(&report, i % 2 ? DOCTOR_WARNING : DOCTOR_ERROR, "group", "subject", "finding %d", i);
	doctor_fix(&report, "mend \"%s\"", "\xff");
	json = doctor_report_json(&report);
	rows = json_object_get(json, "findings");
	assert_int_equal(json_array_size(rows), 200);
	assert_int_equal(json_integer_value(json_object_get(json, "errors")), 100);
	assert_int_equal(json_integer_value(json_object_get(json, "warnings")), 100);
	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 199), "fix")), "mend \"?\"");
	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "severity")), "error");
	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "fix")), "");
	json_decref(json);
	doctor_report_clear(&report);
}

/* --- reading ---------------------------------------------------------------------------------------------- */

struct world {
	char root[64];
};

static void put(const struct world *world, const char *path, const char *text)
{
	char whole[256], directory[256];

	snprintf(whole, sizeof(whole), "%s%s", world->root, path);
	snprintf(directory, sizeof(directory), "%s", whole);
	*strrchr(directory, '/') = '\0';
	assert_int_equal(file_make_directories(directory, 0755), 0);
	assert_int_equal(file_replace(whole, text, strlen(text), 0644), 0);
}

static int world_up(void **state)
{
	static struct world world;

	strcpy(world.root, "/tmp/weir-doctor-XXXXXX");
	*state = &world;
	return mkdtemp(world.root) ? 0 : -1;
}

static int world_down(void **state)
{
	const struct world *world = *state;
	char line[128];

	snprintf(line, sizeof(line), "rm -r %s", world->root);
	return system(line);
}

static void doctor_files_below_a_root_are_read(void **state)
{
	const struct world *world = *state;
	struct host_facts host = {0};

	put(world, "/proc/sys/kernel/osrelease", "5.10.0-39-cloud-amd64\n");
	put(world, "/proc/self/status", "Name:\tx\nCapInh:\t0\nCapEff:\t0000000001000000\n");
	put(world, "/proc/sys/net/ipv4/ip_forward", "1\n");
	put(world, "/proc/sys/net/ipv4/conf/all/rp_filter", "2\n");
	put(world, "/sys/devices/system/cpu/online", "0-2,5\n");
	put(world, "/sys/devices/system/cpu/possible", "0-7\n");
	put(world, "/sys/kernel/btf/vmlinux", "");
	facts_read_kernel(world->root, &host.kernel);
	facts_read_memory(world->root, &host.memory);
	facts_read_sysctls(world->root, &host);
	assert_string_equal(host.kernel.release, "5.10.0-39-cloud-amd64");
	assert_int_equal(host.kernel.major, 5);
	assert_int_equal(host.kernel.minor, 10);
	assert_true(host.kernel.has_btf);
	assert_true(host.memory.may_raise);
	assert_false(host.memory.has_bpffs);
	assert_int_equal(host.sysctls.forward4, 1);
	assert_int_equal(host.sysctls.forward6, FACT_UNKNOWN);
	assert_int_equal(host.sysctls.rp_filter_all, 2);
	assert_int_equal(host.cpus_online, 4);
	assert_int_equal(host.cpus_possible, 8);
}

static void doctor_files_that_are_not_there_are_unknown(void **state)
{
	const struct world *world = *state;
	struct host_facts host = {0};
	int past = 7;

	put(world, "/garbage", "on and on\n");
	facts_read_kernel(world->root, &host.kernel);
	facts_read_memory(world->root, &host.memory);
	facts_read_sysctls(world->root, &host);
	assert_int_equal(host.kernel.major, 0);
	assert_false(host.kernel.has_btf);
	assert_false(host.memory.may_raise);
	assert_int_equal(host.sysctls.forward4, FACT_UNKNOWN);
	assert_int_equal(host.cpus_online, 0);
	assert_int_equal(facts_read_number(world->root, "/garbage"), FACT_UNKNOWN);
	assert_int_equal(facts_read_list(world->root, "/garbage", &past), 0);
	assert_int_equal(past, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doctor_host_that_is_well_has_no_errors_and_warnings),
		cmocka_unit_test(doctor_release_is_told_how_far_it_is_supported),
		cmocka_unit_test(doctor_feature_lacking_is_named_with_what_is_gone),
		cmocka_unit_test(doctor_dispatcher_from_6_12_on_takes_no_program_that_changes_packets),
		cmocka_unit_test(doctor_without_the_right_to_try_says_what_was_not_looked_at),
		cmocka_unit_test(doctor_program_refused_or_interpreted_is_told),
		cmocka_unit_test(doctor_memlock_counts_before_5_11_alone),
		cmocka_unit_test(doctor_bpffs_missing_is_mounted_by_the_fix),
		cmocka_unit_test(doctor_report_of_many_findings_counts_and_prints_them),
		cmocka_unit_test_setup_teardown(doctor_files_below_a_root_are_read, world_up, world_down),
		cmocka_unit_test_setup_teardown(doctor_files_that_are_not_there_are_unknown, world_up, world_down),
	};

	return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
