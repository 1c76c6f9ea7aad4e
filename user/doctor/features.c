/* SPDX-License-Identifier: BSD-2-Clause */
/* Tries what the kernel's BPF can, by small programs and maps that are gone again at the end. */
#include "facts.h"
#include "../base/scope.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <string.h>
#include <sys/mman.h>

#define FRAME_SIZE	 64
#define LOOPBACK_IFINDEX 1 /* of every network namespace */

#define INSN(op, dst, src, offset, value)                                                                              \
	((struct bpf_insn){.code = (op), .dst_reg = (dst), .src_reg = (src), .off = (offset), .imm = (value)})
#define MOVE_NUMBER(dst, value) INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, value)
#define MOVE_REGISTER(dst, src) INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define RETURN_DROP		MOVE_NUMBER(BPF_REG_0, XDP_DROP), INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* A descriptor or -errno. */
static int load(const struct bpf_insn *instructions, size_t count, __u32 flags)
{
	struct bpf_prog_load_opts options = {.sz = sizeof(options), .prog_flags = flags};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "weir_doctor", "GPL", instructions, count, &options);
}

static int load_drop(__u32 flags)
{
	const struct bpf_insn drop[] = {RETURN_DROP};

	return load(drop, ARRAY_SIZE(drop), flags);
}

static bool loads(const struct bpf_insn *instructions, size_t count)
{
	AUTO_CLOSE int fd = load(instructions, count, 0);

	return fd >= 0;
}

static int make_array(unsigned int entries, unsigned int flags)
{
	struct bpf_map_create_opts options = {.sz = sizeof(options), .map_flags = flags};

	return bpf_map_create(BPF_MAP_TYPE_ARRAY, "weir_doctor", sizeof(__u32), sizeof(__u64), entries, &options);
}

static bool has_banks(void)
{
	AUTO_CLOSE int small = make_array(1, BPF_F_INNER_MAP), larger = make_array(4, BPF_F_INNER_MAP), outer = -1;
	struct bpf_map_create_opts options = {.sz = sizeof(options), .inner_map_fd = (__u32)small};
	const __u32 zero = 0;

	if (small < 0 || larger < 0)
		return false;
	outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "weir_doctor", sizeof(__u32), sizeof(__u32), 1, &options);
	return outer >= 0 && !bpf_map_update_elem(outer, &zero, &larger, BPF_ANY);
}

static bool has_mmap(void)
{
	AUTO_CLOSE int fd = make_array(1, BPF_F_MMAPABLE);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *address;

	if (fd < 0)
		return false;
	address = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (address == MAP_FAILED)
		return false;
	munmap(address, page);
	return true;
}

/* The loopback device has no native mode, so that nothing is ever attached: a kernel with the link says so, or that
 * another program is there; one without it does not know what is asked (EINVAL). */
static bool has_link(int program)
{
	struct bpf_link_create_opts options = {.sz = sizeof(options), .flags = XDP_FLAGS_DRV_MODE};
	AUTO_CLOSE int fd = bpf_link_create(program, LOOPBACK_IFINDEX, BPF_XDP, &options);

	return fd != -EINVAL;
}

static bool has_fib(void)
{
	struct bpf_insn program[14] = {MOVE_REGISTER(BPF_REG_2, BPF_REG_10)};
	size_t count = 1;

	program[count++] = INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -(int)sizeof(struct bpf_fib_lookup));
	for (int offset = 0; offset < (int)sizeof(struct bpf_fib_lookup); offset += 8)
		program[count++] = INSN(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_2, 0, (__s16)offset, 0);
	program[count++] = MOVE_NUMBER(BPF_REG_3, sizeof(struct bpf_fib_lookup));
	program[count++] = MOVE_NUMBER(BPF_REG_4, 0);
	program[count++] = INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_fib_lookup);
	program[count++] = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return loads(program, count);
}

static bool has_atomics(void)
{
	const struct bpf_insn program[] = {
		INSN(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, -8, 0),
		MOVE_NUMBER(BPF_REG_0, 1),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_10, BPF_REG_0, -8, BPF_ADD | BPF_FETCH),
		RETURN_DROP,
	};

	return loads(program, ARRAY_SIZE(program));
}

static bool has_frags(void)
{
	AUTO_CLOSE int fd = load_drop(BPF_F_XDP_HAS_FRAGS);

	return fd >= 0;
}

static bool runs(int program, bool with_context, __u32 flags)
{
	struct xdp_md context = {.data_end = FRAME_SIZE, .ingress_ifindex = LOOPBACK_IFINDEX};
	char frame[FRAME_SIZE] = {0};
	struct bpf_test_run_opts options = {
		.sz = sizeof(options), .data_in = frame, .data_size_in = sizeof(frame), .repeat = 1, .flags = flags};

	if (with_context) {
		options.ctx_in = &context;
		options.ctx_size_in = sizeof(context);
	}
	return !bpf_prog_test_run_opts(program, &options);
}

static bool is_jited(int program)
{
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);

	return !bpf_obj_get_info_by_fd(program, &info, &size) && info.jited_prog_len;
}

static bool has_batch(void)
{
	AUTO_CLOSE int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "weir_doctor", sizeof(__u32), sizeof(__u32), 2, NULL);
	const __u32 keys[] = {1, 2}, values[] = {3, 4};
	__u32 count = ARRAY_SIZE(keys);

	return fd >= 0 && !bpf_map_update_batch(fd, keys, values, &count, NULL);
}

void facts_read_features(struct kernel_facts *kernel)
{
	AUTO_CLOSE int program = -1;

	libbpf_set_print(NULL);
	program = load_drop(0);
	kernel->features_error = program == -EPERM || program == -EACCES ? program : 0;
	if (kernel->features_error)
		return;
	kernel->has[FEATURE_XDP] = program >= 0;
	if (program < 0)
		return;
	kernel->is_jited = is_jited(program);
	kernel->has[FEATURE_BANKS] = has_banks();
	kernel->has[FEATURE_MMAP] = has_mmap();
	kernel->has[FEATURE_LINK] = has_link(program);
	kernel->has[FEATURE_FIB] = has_fib();
	kernel->has[FEATURE_TEST_RUN] = runs(program, false, 0);
	kernel->has[FEATURE_CONTEXT] = runs(program, true, 0);
	kernel->has[FEATURE_LIVE] = runs(program, false, BPF_F_TEST_XDP_LIVE_FRAMES);
	kernel->has[FEATURE_FRAGS] = has_frags();
	kernel->has[FEATURE_ATOMICS] = has_atomics();
	kernel->has[FEATURE_BATCH] = has_batch();
	kernel->has[FEATURE_FREPLACE] = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_EXT, NULL) == 1;
}
