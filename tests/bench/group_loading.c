/* SPDX-License-Identifier: BSD-2-Clause */
/* A list of a million prefixes from its file to live, and live entries and frames while that goes on. */
#include "controller.h"
#include "live.h"
#include "user/base/scope.h"
#include "user/control/control.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define LOADS		5
#define BANS		60
#define BANS_PRESENT	100000
#define BAN_DEADLINE_NS 5000000000ull
#define CALL_MS		60000
#define FRAMES		500000 /* between two looks at whether to go on */

#define BUDGET_LOAD_MS	  3000
#define BUDGET_RELOAD_MS  1000
#define BUDGET_LOOK_MS	  1000 /* `refresh` of the lists that are watched */
#define BUDGET_BAN_MS	  10
#define BUDGET_MEMORY_KIB (400 * 1024)

struct loading {
	struct bench *bench;
	struct results *results;
	struct place place;
	pid_t pid;
	char socket[96];
	unsigned int version; /* of the list: odd ones have 1 % changed */
	unsigned int rounds;
	uint32_t bans; /* that were added one by one */
	atomic_bool stop;
};

/* --- what is asked of the controller ----------------------------------------------------------------------- */

static json_t *ask(const struct loading *loading, const char *command, json_t *arguments)
{
	struct problem problem = {0};
	json_t *result = NULL;

	if (control_call(loading->socket, command, arguments, CALL_MS, &result, &problem))
		bench_fail("%s: %s %s", command, problem.text, problem.hint);
	json_decref(arguments);
	return result;
}

static json_int_t generation(const struct loading *loading)
{
	json_t *status = ask(loading, "status", json_object());
	json_int_t number = json_integer_value(json_object_get(status, "generation"));

	json_decref(status);
	return number;
}

static void apply(const struct loading *loading, const char *sections)
{
	AUTO_FREE char *text = place_configuration(&loading->place, sections);

	json_decref(ask(loading, "apply", json_pack("{s:s, s:s}", "path", loading->place.configuration, "text", text)));
}

/* file: of the place. */
static void apply_list(const struct loading *loading, const char *file, const char *refresh)
{
	AUTO_FREE char *sections = NULL;

	if (asprintf(&sections,
		     "sets: {listed: {file: %s/%s, refresh: %s, max_change: 30%%}}\n"
		     "filter: {rules: [{name: listed, from: \"@listed\", action: drop}]}\n",
		     loading->place.directory, file, refresh) < 0)
		bench_fail("out of memory");
	apply(loading, sections);
}

/* Puts the next version of the list in place, at once and as a whole. */
static void next_version(struct loading *loading)
{
	const char *directory = loading->place.directory;

	loading->version++;
	network_run("cp %s/version%u %s/next && mv %s/next %s/list", directory, loading->version % 2, directory,
		    directory, directory);
}

static struct result *add(const struct loading *loading, const char *name, double *samples, unsigned int count,
			  double budget)
{
	struct result *row = results_add(loading->results, RESULT_TIME, loading->bench->group, name);

	bench_quartiles(samples, count, row);
	row->budget = budget;
	return row;
}

static double ms_since(uint64_t start_ns)
{
	return (double)(bench_clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e6;
}

/* --- loading ------------------------------------------------------------------------------------------------ */

/* Each time under another name: a list that is known is not read again. */
static void measure_load(struct loading *loading)
{
	double samples[LOADS];

	for (unsigned int i = 0; i < loading->rounds; i++) {
		char file[32];
		uint64_t start_ns;

		snprintf(file, sizeof(file), "load%u", i);
		network_run("cp %s/version0 %s/%s", loading->place.directory, loading->place.directory, file);
		apply(loading, "");
		start_ns = bench_clock_ns(CLOCK_MONOTONIC);
		apply_list(loading, file, "1h");
		samples[i] = ms_since(start_ns);
		network_run("rm %s/%s", loading->place.directory, file);
	}
	add(loading, "load_1m", samples, loading->rounds, BUDGET_LOAD_MS);
}

static void refresh(const struct loading *loading)
{
	json_decref(ask(loading, "set.refresh", json_pack("{s:s}", "name", "listed")));
}

static void measure_reload(struct loading *loading)
{
	double by_refresh[LOADS], by_apply[LOADS], watched[LOADS];
	uint64_t start_ns;

	network_run("cp %s/version0 %s/list", loading->place.directory, loading->place.directory);
	apply_list(loading, "list", "1h");
	for (unsigned int i = 0; i < loading->rounds; i++) {
		next_version(loading);
		start_ns = bench_clock_ns(CLOCK_MONOTONIC);
		refresh(loading);
		by_refresh[i] = ms_since(start_ns);
		next_version(loading);
		start_ns = bench_clock_ns(CLOCK_MONOTONIC);
		apply_list(loading, "list", "1h");
		by_apply[i] = ms_since(start_ns);
	}
	apply_list(loading, "list", "1s");
	for (unsigned int i = 0; i < loading->rounds; i++) {
		json_int_t before = generation(loading);

		next_version(loading);
		start_ns = bench_clock_ns(CLOCK_MONOTONIC);
		while (generation(loading) == before && ms_since(start_ns) < CALL_MS)
			nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
		watched[i] = ms_since(start_ns);
	}
	add(loading, "reload_1m_1pct_refresh", by_refresh, loading->rounds, BUDGET_RELOAD_MS);
	add(loading, "reload_1m_1pct_apply", by_apply, loading->rounds, BUDGET_RELOAD_MS);
	add(loading, "reload_1m_1pct_watched", watched, loading->rounds, BUDGET_LOOK_MS + BUDGET_RELOAD_MS);
	apply_list(loading, "list", "1h");
}

/* --- live entries ------------------------------------------------------------------------------------------- */

/* Of the shared address space (RFC 6598), which lists have nothing of. */
static uint32_t ban_address(uint32_t number)
{
	return htonl(0x64400000 + number);
}

static void add_present_bans(const struct loading *loading)
{
	json_t *prefixes = json_array();
	char text[INET_ADDRSTRLEN];

	for (uint32_t i = 0; i < BANS_PRESENT; i++) {
		uint32_t address = ban_address(0x100000 + i);

		json_array_append_new(prefixes, json_string(inet_ntop(AF_INET, &address, text, sizeof(text))));
	}
	json_decref(ask(loading, "deny.add", json_pack("{s:o}", "prefixes", prefixes)));
}

/* One that asks for an entry: the command, or a thread that sends its request. Neither is a fork of this process, whose
 * tables of pages take longer to copy than an entry takes. */
struct asking {
	const struct loading *loading;
	char address[INET_ADDRSTRLEN];
	bool by_command;
	pid_t pid;
	pthread_t thread;
};

static void *ask_for_ban(void *argument)
{
	const struct asking *asking = argument;

	json_decref(ask(asking->loading, "deny.add", json_pack("{s:[s]}", "prefixes", asking->address)));
	return NULL;
}

static void ban_start(struct asking *asking)
{
	const struct loading *loading = asking->loading;
	char *const argv[] = {(char *)loading->bench->options->weir,
			      "deny",
			      "add",
			      asking->address,
			      "--socket",
			      (char *)loading->socket,
			      NULL};
	posix_spawn_file_actions_t actions;
	int error;

	if (!asking->by_command) {
		if (pthread_create(&asking->thread, NULL, ask_for_ban, asking))
			bench_fail("no thread can be made");
		return;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	error = posix_spawn(&asking->pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error)
		bench_fail("%s: %s", argv[0], strerror(error));
}

static void ban_end(const struct asking *asking)
{
	int status;

	if (!asking->by_command)
		pthread_join(asking->thread, NULL);
	else if (waitpid(asking->pid, &status, 0) != asking->pid || status)
		bench_fail("the entry %s was not taken", asking->address);
}

/* From the start of the command or the thread to the entry in the kernel's table. */
static double ban_ms(struct loading *loading, int map, bool by_command)
{
	const struct weir_ban4_key key = {.address = ban_address(loading->bans++), .length = 32};
	struct asking asking = {.loading = loading, .by_command = by_command};
	struct weir_ban value;
	uint64_t start_ns;
	double took_ms;

	inet_ntop(AF_INET, &key.address, asking.address, sizeof(asking.address));
	start_ns = bench_clock_ns(CLOCK_MONOTONIC);
	ban_start(&asking);
	while (bpf_map_lookup_elem(map, &key, &value) && ms_since(start_ns) < BAN_DEADLINE_NS / 1e6)
		nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
	took_ms = ms_since(start_ns);
	ban_end(&asking);
	return took_ms;
}

static double largest(const double *samples, unsigned int count)
{
	double most = 0;

	for (unsigned int i = 0; i < count; i++)
		most = samples[i] > most ? samples[i] : most;
	return most;
}

/* situation: what the names of the rows end with. */
static void measure_bans(struct loading *loading, const char *situation, bool with_worst)
{
	unsigned int count = loading->bench->options->quick ? BANS / 4 : BANS;
	double samples[BANS], worst;
	char path[128], name[48];

	snprintf(path, sizeof(path), "%s/ban4", loading->place.pins);
	AUTO_CLOSE int map = bpf_obj_get(path);

	if (map < 0)
		bench_fail("%s: %s", path, strerror(errno));
	for (int by_command = 1; by_command >= 0; by_command--) {
		const char *what = by_command ? "ban" : "ban_request";

		for (unsigned int i = 0; i < count; i++)
			samples[i] = ban_ms(loading, map, by_command);
		worst = largest(samples, count);
		snprintf(name, sizeof(name), "%s_%s", what, situation);
		add(loading, name, samples, count, BUDGET_BAN_MS);
		snprintf(name, sizeof(name), "%s_%s_worst", what, situation);
		if (with_worst)
			add(loading, name, &worst, 1, 0);
	}
}

static void *reload_always(void *argument)
{
	struct loading *loading = argument;

	network_enter(false);
	while (!atomic_load(&loading->stop)) {
		next_version(loading);
		refresh(loading);
	}
	return NULL;
}

static void measure_bans_while_reloading(struct loading *loading)
{
	pthread_t thread;

	atomic_store(&loading->stop, false);
	if (pthread_create(&thread, NULL, reload_always, loading))
		bench_fail("no thread can be made");
	measure_bans(loading, "while_reloading", true);
	atomic_store(&loading->stop, true);
	pthread_join(thread, NULL);
}

/* --- frames ------------------------------------------------------------------------------------------------- */

struct sending {
	struct loading *loading;
	double sent, taken, cpu_ns, mpps;
};

static const struct traffic to_vip = {.keys = KEYS_MILLION, .destination = VIP4, .tcp_flags = TCP_SYN};

static void *send_always(void *argument)
{
	struct sending *sending = argument;
	unsigned int runs = 0;

	network_enter(false);
	while (!atomic_load(&sending->loading->stop)) {
		struct live_load load = live_send(sending->loading->bench, &to_vip, FRAMES, 1);

		sending->sent += FRAMES;
		sending->taken += (1 - load.lost) * FRAMES;
		sending->cpu_ns += load.cpu_ns;
		sending->mpps += load.mpps;
		runs++;
	}
	sending->cpu_ns /= runs;
	sending->mpps /= runs;
	return NULL;
}

/* By the program's own account: what it counted with any verdict. */
static double counted(const struct loading *loading)
{
	json_t *status = ask(loading, "status", json_object()), *packets = json_object_get(status, "packets"), *value;
	const char *key;
	double sum = 0;

	json_object_foreach(packets, key, value)
		sum += json_number_value(value);
	json_decref(status);
	return sum;
}

static void measure_frames(struct loading *loading, double drop_ns)
{
	struct sending sending = {.loading = loading};
	double before = counted(loading), seen;
	struct result *row;
	pthread_t thread;

	atomic_store(&loading->stop, false);
	if (pthread_create(&thread, NULL, send_always, &sending))
		bench_fail("no thread can be made");
	for (unsigned int i = 0; i < loading->rounds; i++) {
		apply(loading, "");
		next_version(loading);
		apply_list(loading, "list", "1h");
		next_version(loading);
		refresh(loading);
	}
	atomic_store(&loading->stop, true);
	pthread_join(thread, NULL);
	seen = counted(loading) - before;
	row = results_add(loading->results, RESULT_LIVE, loading->bench->group, "frames_while_loading");
	row->mpps = sending.mpps;
	row->cpu_ns = sending.cpu_ns;
	row->ratio = sending.cpu_ns / drop_ns;
	row->lost = 1 - (seen < sending.taken ? seen : sending.taken) / sending.sent;
}

/* --- all of it ---------------------------------------------------------------------------------------------- */

static void make_lists(const struct loading *loading)
{
	for (int i = 0; i < 2; i++)
		network_run("tests/lab/make-list --count %d --change %d --output %s/version%d", KEYS_MILLION, i,
			    loading->place.directory, i);
}

static void await_controller(const struct loading *loading)
{
	uint64_t start_ns = bench_clock_ns(CLOCK_MONOTONIC);
	struct problem problem = {0};
	json_t *status = NULL;

	while (control_call(loading->socket, "status", NULL, CALL_MS, &status, &problem)) {
		if (ms_since(start_ns) > CALL_MS || waitpid(loading->pid, NULL, WNOHANG))
			bench_fail("the controller does not answer: %s", problem.text);
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	json_decref(status);
}

void loading_measure(struct bench *bench, struct results *results)
{
	struct loading loading = {.bench = bench, .results = results, .rounds = bench->options->quick ? 3 : LOADS};
	double drop_ns;
	struct result *memory;

	network_attach(false, verdict_program(VERDICT_DROP));
	network_attach(true, verdict_program(VERDICT_DROP));
	drop_ns = live_send(bench, &to_vip, FRAMES, 1).cpu_ns;
	loading.place = place_make("");
	snprintf(loading.socket, sizeof(loading.socket), "%s/control.sock", loading.place.directory);
	make_lists(&loading);
	network_attach(false, -1);
	loading.pid = controller_start(bench->options, &loading.place);
	await_controller(&loading);
	measure_load(&loading);
	measure_reload(&loading);
	measure_bans(&loading, "beside_1m", false);
	add_present_bans(&loading);
	measure_bans(&loading, "beside_1m_and_100k", false);
	measure_bans_while_reloading(&loading);
	memory = results_add(results, RESULT_SIZE, bench->group, "peak_with_1m_and_100k");
	memory->kib = process_kib(loading.pid, "VmHWM");
	memory->budget = BUDGET_MEMORY_KIB;
	measure_frames(&loading, drop_ns);
	controller_stop(loading.pid);
	place_clear(&loading.place, true);
	network_attach(false, verdict_program(VERDICT_PASS));
}
