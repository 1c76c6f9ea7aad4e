/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads, pins, attaches and reads the cache host's program, which takes the tunnels off. */
#include "../base/log.h"
#include "../base/scope.h"
#include "kernel.h"
#include "pins.h"
#include <backend.skel.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <net/if.h>
#include <string.h>
#include <sys/vfs.h>

#define LINK_PIN "link"

static const struct host_map {
	const char *name;
	unsigned int type, key_size, value_size, max_entries, flags;
} host_maps[] = {
#define HOST_MAP_ROW(name, type, key, value, entries, flags)                                                           \
	{#name, BPF_MAP_TYPE_##type, sizeof(key), sizeof(value), entries, flags},
	WEIR_HOST_MAPS(HOST_MAP_ROW)
#undef HOST_MAP_ROW
};

static int log_libbpf(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char text[1024];

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = '\0';
	log_debug("%s", text);
	return 0;
}

static int open_pin(const char *directory, const char *name)
{
	char path[PATH_MAX];
	int error = pins_path(directory, name, path, sizeof(path));

	return error ? error : bpf_obj_get(path);
}

/* The pinned link's program and device; -ENOENT without a pin. */
static int read_link(int fd, unsigned int *ifindex, unsigned int *program_id)
{
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	*ifindex = info.xdp.ifindex;
	*program_id = info.prog_id;
	return 0;
}

bool kernel_host_is_attached(const char *directory)
{
	AUTO_CLOSE int fd = open_pin(directory, LINK_PIN);
	unsigned int ifindex = 0, program_id;

	return read_link(fd, &ifindex, &program_id) == 0 && ifindex;
}

/* None is mounted here: in a mount namespace of this process's own, as `ip netns exec` makes one, it would go with the
 * process, and all that is pinned there with it. */
static int check_bpffs(const char *directory, struct problem *problem)
{
	char nearest[PATH_MAX], *slash;
	struct statfs fs;

	snprintf(nearest, sizeof(nearest), "%s", directory);
	while (statfs(nearest, &fs)) {
		slash = strrchr(nearest, '/');
		if (errno != ENOENT || !slash || slash == nearest)
			return problem_set(problem, -errno, "cannot pin in %s: %s", directory, strerror(errno));
		*slash = '\0';
	}
	if (fs.f_type == BPF_FS_MAGIC)
		return 0;
	problem_set(problem, -ENOTSUP, "cannot pin in %s: it is not on a BPF file system", directory);
	problem_hint(problem,
		     "mount -t bpf bpf /sys/fs/bpf; as `ip netns exec NAME` hides that mount, enter a namespace "
		     "by `nsenter --net=/run/netns/NAME`");
	return -ENOTSUP;
}

static void remove_pin(const char *directory, const char *name)
{
	char path[PATH_MAX];

	if (pins_path(directory, name, path, sizeof(path)) == 0)
		unlink(path);
}

static void remove_pins(const char *directory)
{
	for (size_t i = 0; i < ARRAY_SIZE(host_maps); i++)
		remove_pin(directory, host_maps[i].name);
	remove_pin(directory, LINK_PIN);
	rmdir(directory);
}

static int check_pinned_map(const char *directory, const struct host_map *want, struct problem *problem)
{
	AUTO_CLOSE int fd = open_pin(directory, want->name);
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return problem_set(problem, fd, "cannot open the pin %s/%s: %s", directory, want->name, strerror(-fd));
	if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.type == want->type &&
	    info.key_size == want->key_size && info.value_size == want->value_size &&
	    info.max_entries == want->max_entries && info.map_flags == want->flags)
		return 0;
	problem_set(problem, -EPROTO, "%s/%s is pinned with another layout", directory, want->name);
	problem_hint(problem, "take it down and up again: weir backend-host down, then up");
	return -EPROTO;
}

static int load_pinned(const char *directory, struct backend_bpf **out, struct problem *problem)
{
	struct backend_bpf *program;
	char path[PATH_MAX];
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(host_maps) && !error; i++)
		error = check_pinned_map(directory, &host_maps[i], problem);
	if (error)
		return error;
	program = backend_bpf__open();
	if (!program)
		return problem_set(problem, -errno, "cannot open the backend program: %s", strerror(errno));
	for (size_t i = 0; i < ARRAY_SIZE(host_maps) && !error; i++) {
		error = pins_path(directory, host_maps[i].name, path, sizeof(path));
		if (!error)
			error = bpf_map__set_pin_path(bpf_object__find_map_by_name(program->obj, host_maps[i].name),
						      path);
	}
	if (!error)
		error = backend_bpf__load(program);
	if (error) {
		backend_bpf__destroy(program);
		problem_set(problem, error, "the kernel refuses the backend program: %s", strerror(-error));
		problem_hint(problem, error == -EPERM ? "run as root" : "Linux 5.15 or newer is needed");
		return error;
	}
	*out = program;
	return 0;
}

static int read_keys(int fd, size_t key_size, size_t limit, void **keys, size_t *count)
{
	AUTO_FREE char *read = calloc(limit + 1, key_size);
	size_t n = 0;
	int error = 0;

	if (!read)
		return -ENOMEM;
	while (n < limit && !error) {
		error = kernel_map_next(fd, n ? read + (n - 1) * key_size : NULL, read + n * key_size);
		n += !error;
	}
	if (error && error != -ENOENT)
		return error;
	*keys = TAKE_PTR(read);
	*count = n;
	return 0;
}

static void free_policy(struct kernel_host_policy *policy)
{
	free(policy->vips);
	free(policy->edges);
}

static int read_policy(int vips, int edges, struct kernel_host_policy *out)
{
	struct kernel_host_policy policy = {};
	void *keys = NULL;
	int error = 0;

	if (vips >= 0)
		error = read_keys(vips, sizeof(*policy.vips), WEIR_HOST_MAX_VIPS, &keys, &policy.vip_count);
	policy.vips = keys;
	keys = NULL;
	if (!error && edges >= 0)
		error = read_keys(edges, sizeof(*policy.edges), WEIR_HOST_MAX_EDGES, &keys, &policy.edge_count);
	policy.edges = keys;
	if (error)
		free_policy(&policy);
	else
		*out = policy;
	return error;
}

static int add_keys(int fd, size_t key_size, const void *keys, size_t count)
{
	const __u32 present = 1;
	int error = 0;

	for (size_t i = 0; i < count && !error; i++)
		error = kernel_map_put(fd, (const char *)keys + i * key_size, &present);
	return error;
}

static bool has_key(const void *keys, size_t count, size_t key_size, const void *key)
{
	for (size_t i = 0; i < count; i++)
		if (memcmp((const char *)keys + i * key_size, key, key_size) == 0)
			return true;
	return false;
}

static int drop_keys(int fd, size_t key_size, const void *old, size_t old_count, const void *keep, size_t keep_count)
{
	int error = 0;

	for (size_t i = 0; i < old_count && !error; i++) {
		const char *key = (const char *)old + i * key_size;

		if (!has_key(keep, keep_count, key_size, key))
			error = kernel_map_delete(fd, key);
		if (error == -ENOENT)
			error = 0;
	}
	return error;
}

/* New entries first and old ones last, so that what stays is never missing in between. */
static int change_policy(const struct backend_bpf *program, const struct kernel_host_policy *old,
			 const struct kernel_host_policy *new)
{
	int vips = bpf_map__fd(program->maps.host_vips), edges = bpf_map__fd(program->maps.host_edges);
	struct weir_host_settings settings = {.check_edges = new->edge_count > 0};
	const __u32 zero = 0;
	int error = add_keys(edges, sizeof(*new->edges), new->edges, new->edge_count);

	if (!error)
		error = kernel_map_put(bpf_map__fd(program->maps.host_settings), &zero, &settings);
	if (!error)
		error = add_keys(vips, sizeof(*new->vips), new->vips, new->vip_count);
	if (!error)
		error = drop_keys(vips, sizeof(*old->vips), old->vips, old->vip_count, new->vips, new->vip_count);
	if (!error)
		error = drop_keys(edges, sizeof(*old->edges), old->edges, old->edge_count, new->edges, new->edge_count);
	return error;
}

static enum kernel_host_mode query_mode(unsigned int ifindex, unsigned int *program_id)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	*program_id = 0;
	if (!ifindex || bpf_xdp_query(ifindex, 0, &query) || query.attach_mode == XDP_ATTACHED_NONE)
		return KERNEL_HOST_DETACHED;
	*program_id = query.drv_prog_id ?: query.prog_id ?: query.skb_prog_id;
	return query.attach_mode == XDP_ATTACHED_SKB ? KERNEL_HOST_GENERIC : KERNEL_HOST_NATIVE;
}

/* The interface must be free or ours, and the pins' link free or on the interface. */
static int check_owner(const char *directory, const char *interface, int link, struct problem *problem)
{
	unsigned int ifindex = if_nametoindex(interface), linked = 0, ours = 0, there;

	if (!ifindex)
		return problem_set(problem, -ENODEV, "there is no interface %s", interface);
	read_link(link, &linked, &ours);
	query_mode(ifindex, &there);
	if (linked && (linked != ifindex || there != ours)) {
		problem_set(problem, -EBUSY, "the pins in %s belong to another interface, not to this %s", directory,
			    interface);
		problem_hint(problem, "give each network namespace its own --pins and --state");
		return -EBUSY;
	}
	if (there && !linked) {
		problem_set(problem, -EBUSY, "%s has a foreign XDP program (id %u)", interface, there);
		problem_hint(problem,
			     "see what it is: bpftool prog show id %u; then detach it: ip link set dev %s xdp off",
			     there, interface);
		return -EBUSY;
	}
	return 0;
}

static int attach_fresh(const char *directory, unsigned int ifindex, int program, struct problem *problem)
{
	LIBBPF_OPTS(bpf_link_create_opts, options);
	AUTO_CLOSE int link = -1;
	char path[PATH_MAX];
	int error;

	options.flags = XDP_FLAGS_DRV_MODE;
	link = bpf_link_create(program, ifindex, BPF_XDP, &options);
	if (link < 0) {
		options.flags = XDP_FLAGS_SKB_MODE;
		link = bpf_link_create(program, ifindex, BPF_XDP, &options);
	}
	if (link < 0)
		return problem_set(problem, link, "the backend program cannot be attached: %s", strerror(-link));
	remove_pin(directory, LINK_PIN); /* of a link whose device is gone */
	error = pins_path(directory, LINK_PIN, path, sizeof(path));
	if (!error)
		error = bpf_obj_pin(link, path);
	if (error)
		problem_set(problem, error, "cannot pin the link in %s: %s", directory, strerror(-error));
	return error;
}

static int attach(const char *directory, const char *interface, int link, int program, struct problem *problem)
{
	unsigned int ifindex = 0, program_id;
	int error;

	if (read_link(link, &ifindex, &program_id) || !ifindex)
		return attach_fresh(directory, if_nametoindex(interface), program, problem);
	error = bpf_link_update(link, program, NULL);
	if (error)
		problem_set(problem, error, "cannot replace the program on %s: %s", interface, strerror(-error));
	return error;
}

/* Puts the policy into the loaded program's maps and attaches it; on failure the maps hold the old policy again. */
static int put_into_service(const struct backend_bpf *program, const char *directory, const char *interface, int link,
			    const struct kernel_host_policy *policy, struct problem *problem)
{
	struct kernel_host_policy old = {};
	int error;

	error = read_policy(bpf_map__fd(program->maps.host_vips), bpf_map__fd(program->maps.host_edges), &old);
	if (error)
		return problem_set(problem, error, "cannot read the pinned VIPs and edges: %s", strerror(-error));
	error = change_policy(program, &old, policy);
	if (error)
		problem_set(problem, error, "cannot write the VIPs and edges: %s", strerror(-error));
	else
		error = attach(directory, interface, link, bpf_program__fd(program->progs.weir_backend), problem);
	if (error)
		change_policy(program, policy, &old);
	free_policy(&old);
	return error;
}

int kernel_host_up(const char *directory, const char *interface, const struct kernel_host_policy *policy, bool *generic,
		   struct problem *problem)
{
	AUTO_CLOSE int link = open_pin(directory, LINK_PIN);
	struct backend_bpf *program = NULL;
	unsigned int program_id;
	const bool fresh = access(directory, F_OK) != 0;
	int error;

	libbpf_set_print(log_libbpf);
	error = check_owner(directory, interface, link, problem);
	if (!error)
		error = check_bpffs(directory, problem);
	if (!error)
		error = pins_make_directory(directory, problem);
	if (error)
		return error;
	error = load_pinned(directory, &program, problem);
	if (!error)
		error = put_into_service(program, directory, interface, link, policy, problem);
	backend_bpf__destroy(program);
	if (error && fresh)
		remove_pins(directory);
	if (!error)
		*generic = query_mode(if_nametoindex(interface), &program_id) == KERNEL_HOST_GENERIC;
	return error;
}

int kernel_host_down(const char *directory, struct problem *problem)
{
	AUTO_CLOSE int link = open_pin(directory, LINK_PIN);
	unsigned int ifindex = 0, program_id;

	if (access(directory, F_OK))
		return -ENOENT;
	if (link < 0 && link != -ENOENT)
		return problem_set(problem, link, "cannot open the link pinned in %s: %s", directory, strerror(-link));
	/* Removing the pin alone would detach a moment later. A link whose device is gone cannot be detached. */
	if (read_link(link, &ifindex, &program_id) == 0 && ifindex && bpf_link_detach(link))
		return problem_set(problem, -errno, "cannot detach the link pinned in %s: %s", directory,
				   strerror(errno));
	remove_pins(directory);
	if (access(directory, F_OK) == 0)
		return problem_set(problem, -ENOTEMPTY, "%s holds more than the backend program's pins: left there",
				   directory);
	return 0;
}

int kernel_host_status(const char *directory, const char *interface, struct kernel_host_status *out,
		       struct problem *problem)
{
	AUTO_CLOSE int link = open_pin(directory, LINK_PIN), vips = open_pin(directory, "host_vips");
	AUTO_CLOSE int edges = open_pin(directory, "host_edges"), count = open_pin(directory, "host_count");
	struct kernel_host_status status = {};
	unsigned int linked = 0, ours = 0;
	int error;

	if (access(directory, F_OK))
		return -ENOENT;
	error = read_policy(vips, edges, &status.policy);
	for (unsigned int i = 0; i < WEIR_HOST_OUTCOMES_KNOWN && count >= 0 && !error; i++)
		error = kernel_map_sum(count, i, sizeof(status.count[i]) / sizeof(__u64), (__u64 *)&status.count[i]);
	if (error) {
		free_policy(&status.policy);
		return problem_set(problem, error, "cannot read the maps pinned in %s: %s", directory,
				   strerror(-error));
	}
	read_link(link, &linked, &ours);
	status.mode = query_mode(if_nametoindex(interface), &status.program_id);
	if (!linked || status.program_id != ours) {
		status.mode = KERNEL_HOST_DETACHED;
		status.program_id = 0;
	}
	*out = status;
	return 0;
}

void kernel_host_status_free(struct kernel_host_status *status)
{
	free_policy(&status->policy);
}
