/* SPDX-License-Identifier: BSD-2-Clause */
/* Puts a backend host up and takes it down: in an order that is safe at every step, and undone when a step fails. */
#include "backendhost.h"
#include "../base/file.h"
#include "../base/log.h"
#include "../base/scope.h"
#include "../kernel/kernel.h"
#include "address.h"
#include "paths.h"
#include "state.h"
#include "sysctl.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/file.h>

/* One at a time in a state directory; the lock goes with the descriptor. */
static int lock_state(const char *directory, int *out, struct problem *problem)
{
	AUTO_CLOSE int fd = -1;
	int error = file_make_directories(directory, 0755);

	if (!error) {
		fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		error = fd < 0 || flock(fd, LOCK_EX) ? -errno : 0;
	}
	if (error)
		return problem_set(problem, error, "cannot use the state directory %s: %s", directory,
				   strerror(-error));
	*out = TAKE_FD(fd);
	return 0;
}

/* A state that another network namespace left is stale once its link is gone with its device. */
static int load_own_state(const struct backendhost_paths *paths, struct state *out, struct problem *problem)
{
	struct state state = {};
	int error = backendhost_state_load(paths->state, &state, problem);

	if (error)
		return error;
	if (state.netns && state.netns != state_netns()) {
		if (kernel_host_is_attached(paths->pins)) {
			backendhost_state_free(&state);
			problem_set(problem, -EBUSY, "%s speaks of another network namespace", paths->state);
			problem_hint(problem, "give each network namespace its own --pins and --state");
			return -EBUSY;
		}
		log_warning("%s was left by a network namespace that is gone: ignored", paths->state);
		backendhost_state_free(&state);
		state = (struct state){};
	}
	*out = state;
	return 0;
}

static int plan_addresses(const struct backendhost_options *options, struct state *state, struct problem *problem)
{
	AUTO_FREE struct addr *there = NULL;
	struct state listed = {};
	int error = address_list(&there, &listed.added_count);

	listed.added = there;
	for (size_t i = 0; i < options->vip_count && !error; i++) {
		if (!state_has_address(&listed, &options->vips[i]) && !state_has_address(state, &options->vips[i]))
			error = state_add_address(state, &options->vips[i]);
	}
	if (error)
		problem_set(problem, error, "cannot list the addresses of lo: %s", strerror(-error));
	return error;
}

/* One that has neither of its recorded values was changed by somebody to what also does: theirs. */
static int write_sysctls(const struct state *state, struct problem *problem)
{
	for (size_t i = 0; i < state->sysctl_count; i++) {
		const struct state_sysctl *sysctl = &state->sysctls[i];
		int now = 0, error = sysctl_read(sysctl->name, &now);

		if (!error && now == sysctl->before)
			error = sysctl_write(sysctl->name, sysctl->set);
		if (error)
			return problem_set(problem, error, "cannot set the sysctl %s to %d: %s", sysctl->name,
					   sysctl->set, strerror(-error));
	}
	return 0;
}

static bool is_wanted(const struct backendhost_options *options, const struct addr *address)
{
	for (size_t i = 0; i < options->vip_count; i++)
		if (addr_equal(&options->vips[i], address))
			return true;
	return false;
}

static int add_addresses(const struct backendhost_options *options, const struct state *state, struct problem *problem)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < state->added_count; i++) {
		int error = is_wanted(options, &state->added[i]) ? address_add(&state->added[i]) : 0;

		if (error && error != -EEXIST)
			return problem_set(problem, error, "cannot add %s to lo: %s",
					   addr_format(&state->added[i], text), strerror(-error));
	}
	return 0;
}

/* Removes an address that up added. */
static int remove_address(const struct addr *address, struct problem *problem)
{
	char text[ADDR_TEXT_MAX];
	int error = address_delete(address);

	if (error == -EADDRNOTAVAIL) {
		log_warning("%s is no longer on lo: somebody else removed it", addr_format(address, text));
		return 0;
	}
	if (error)
		problem_set(problem, error, "cannot remove %s from lo: %s", addr_format(address, text),
			    strerror(-error));
	return error;
}

/* Goes back where the sysctl still has the value that up gave it. */
static int restore_sysctl(const struct state_sysctl *sysctl, struct problem *problem)
{
	int now = 0, error = sysctl_read(sysctl->name, &now);

	if (error == -ENOENT || (!error && now == sysctl->before))
		return 0; /* the interface is gone, or nothing is left to do */
	if (!error && now != sysctl->set) {
		log_warning("the sysctl %s is %d now, not the %d that it was set to: left as it is", sysctl->name, now,
			    sysctl->set);
		return 0;
	}
	if (!error)
		error = sysctl_write(sysctl->name, sysctl->before);
	if (error)
		problem_set(problem, error, "cannot set the sysctl %s back to %d: %s", sysctl->name, sysctl->before,
			    strerror(-error));
	return error;
}

static bool has_sysctl(const struct state *state, const struct state_sysctl *sysctl)
{
	for (size_t i = 0; i < state->sysctl_count; i++)
		if (memcmp(&state->sysctls[i], sysctl, sizeof(*sysctl)) == 0)
			return true;
	return false;
}

/* Undoes what is in new and not in old. */
static void roll_back(const struct backendhost_paths *paths, const struct state *old, const struct state *new)
{
	for (size_t i = new->added_count; i-- > 0;)
		if (!state_has_address(old, &new->added[i]))
			address_delete(&new->added[i]);
	for (size_t i = new->sysctl_count; i-- > 0;)
		if (!has_sysctl(old, &new->sysctls[i]))
			restore_sysctl(&new->sysctls[i], NULL);
	if (!old->netns)
		unlink(paths->state);
	else
		backendhost_state_save(paths->state, old, NULL);
}

static void fill_policy(const struct backendhost_options *options, struct kernel_host_policy *policy)
{
	for (size_t i = 0; i < options->vip_count; i++)
		policy->vips[i] = (struct weir_vip_key){options->vips[i].bytes, options->vips[i].family};
	for (size_t i = 0; i < options->edge_count; i++)
		policy->edges[i] = (struct weir_host_edge_key){
			.length = WEIR_HOST_FAMILY_BITS + options->edges[i].length,
			.family = htonl(options->edges[i].addr.family),
			.address = options->edges[i].addr.bytes,
		};
}

static int set_kernel_policy(const struct backendhost_options *options, const struct backendhost_paths *paths,
			     bool *generic, struct problem *problem)
{
	struct kernel_host_policy policy = {.vip_count = options->vip_count, .edge_count = options->edge_count};
	int error;

	policy.vips = calloc(policy.vip_count + 1, sizeof(*policy.vips));
	policy.edges = calloc(policy.edge_count + 1, sizeof(*policy.edges));
	if (policy.vips && policy.edges) {
		fill_policy(options, &policy);
		error = kernel_host_up(paths->pins, options->interface, &policy, generic, problem);
	} else {
		error = problem_set(problem, -ENOMEM, "out of memory");
	}
	free(policy.vips);
	free(policy.edges);
	return error;
}

/* VIPs that are no longer wanted leave lo, now that nothing is decapsulated for them. */
static int drop_unwanted(const struct backendhost_options *options, const struct backendhost_paths *paths,
			 struct state *state, struct problem *problem)
{
	size_t kept = 0;
	int error = 0;

	for (size_t i = 0; i < state->added_count; i++) {
		int failed = is_wanted(options, &state->added[i]) ? 1 : remove_address(&state->added[i], problem);

		if (failed)
			state->added[kept++] = state->added[i];
		if (failed < 0)
			error = failed;
	}
	state->added_count = kept;
	return backendhost_state_save(paths->state, state, problem) ?: error;
}

static int check_options(const struct backendhost_options *options, struct problem *problem)
{
	if (!if_nametoindex(options->interface))
		return problem_set(problem, -ENODEV, "there is no interface %s", options->interface);
	if (options->vip_count == 0)
		return problem_set(problem, -EINVAL, "no VIP was given");
	if (options->vip_count > WEIR_HOST_MAX_VIPS)
		return problem_set(problem, -E2BIG, "more than %d VIPs", WEIR_HOST_MAX_VIPS);
	if (options->edge_count > WEIR_HOST_MAX_EDGES)
		return problem_set(problem, -E2BIG, "more than %d edge prefixes", WEIR_HOST_MAX_EDGES);
	if (address_lo_is_up())
		return 0;
	problem_set(problem, -ENETDOWN, "lo is down, so no VIP on it would work");
	problem_hint(problem, "ip link set lo up");
	return -ENETDOWN;
}

int backendhost_up(const struct backendhost_options *options, bool *generic, struct problem *problem)
{
	AUTO_CLOSE int lock = -1;
	struct backendhost_paths paths;
	struct state old = {}, new = {};
	int error = backendhost_paths(options, &paths, problem);

	if (!error)
		error = check_options(options, problem);
	if (!error)
		error = lock_state(options->state, &lock, problem);
	if (!error)
		error = load_own_state(&paths, &old, problem);
	if (error)
		return error;
	error = state_copy(&old, &new);
	if (error) {
		backendhost_state_free(&old);
		return problem_set(problem, error, "out of memory");
	}
	new.netns = state_netns();
	error = plan_addresses(options, &new, problem);
	if (!error)
		error = sysctl_plan(options->interface, &new, problem);
	if (!error)
		error = backendhost_state_save(paths.state, &new, problem);
	if (!error) {
		/* First the sysctls: a VIP on lo must never be answered for by ARP. Last the program: it hands up
		 * packets for VIPs that are there. */
		error = write_sysctls(&new, problem);
		if (!error)
			error = add_addresses(options, &new, problem);
		if (!error)
			error = set_kernel_policy(options, &paths, generic, problem);
		if (error)
			roll_back(&paths, &old, &new);
		else
			error = drop_unwanted(options, &paths, &new, problem);
	}
	backendhost_state_free(&old);
	backendhost_state_free(&new);
	return error;
}

/* Undoes all that the state tells, and leaves in it what could not be undone. */
static int undo(struct state *state, struct problem *problem)
{
	size_t kept = 0;
	int error = 0;

	for (size_t i = 0; i < state->added_count; i++) {
		int failed = remove_address(&state->added[i], problem);

		if (failed)
			state->added[kept++] = state->added[i];
		if (failed)
			error = failed;
	}
	state->added_count = kept;
	for (size_t i = state->sysctl_count; i-- > 0;) {
		int failed = restore_sysctl(&state->sysctls[i], problem);

		if (failed)
			error = failed;
	}
	return error;
}

int backendhost_down(const struct backendhost_options *options, struct problem *problem)
{
	AUTO_CLOSE int lock = -1;
	struct backendhost_paths paths;
	struct state state = {};
	int pins, error = backendhost_paths(options, &paths, problem);

	if (!error)
		error = lock_state(options->state, &lock, problem);
	if (!error)
		error = load_own_state(&paths, &state, problem);
	if (error)
		return error;
	pins = kernel_host_down(paths.pins, problem);
	if (pins == -ENOENT && access(paths.state, F_OK))
		return problem_set(problem, -ENOENT, "nothing is up on %s", options->interface);
	if (pins && kernel_host_is_attached(paths.pins)) {
		backendhost_state_free(&state);
		return pins;
	}
	if (pins == 0 && !state.netns)
		log_warning("%s is not there: the addresses of lo and the sysctls are left as they are", paths.state);
	error = undo(&state, problem);
	if (pins == -ENOENT)
		pins = 0;
	if (error)
		backendhost_state_save(paths.state, &state, NULL);
	else if (unlink(paths.state) && errno != ENOENT)
		error = problem_set(problem, -errno, "cannot remove %s: %s", paths.state, strerror(errno));
	backendhost_state_free(&state);
	return error ?: pins;
}
