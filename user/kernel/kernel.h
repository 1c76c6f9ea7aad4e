/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The libbpf boundary: load, pin, attach, typed maps, test runs. Nothing else includes libbpf.
 *
 * Typed map access beyond this header goes by descriptor (kernel_map_fd) and <bpf/bpf.h>-free wrappers below.
 * Functions return 0 or -errno, and say in *problem what a person should know.
 */
#ifndef WEIR_KERNEL_H
#define WEIR_KERNEL_H

#include "../base/problem.h"
#include "backend_host.h"
#include <maps/list.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every map of the inventory, in its order. */
enum kernel_map {
#define KERNEL_MAP_ENUM(name, ...) KERNEL_MAP_##name,
	WEIR_MAPS_PINNED(KERNEL_MAP_ENUM) WEIR_MAPS_BANKED(KERNEL_MAP_ENUM) WEIR_MAPS_PAGED(KERNEL_MAP_ENUM)
		WEIR_MAPS_LOCAL(KERNEL_MAP_ENUM)
#undef KERNEL_MAP_ENUM
			KERNEL_MAPS
};

struct kernel_map_info {
	const char *name;
	unsigned int type; /* enum bpf_map_type; of a banked map: of a bank */
	size_t key_size, value_size;
	unsigned int max_entries, flags;
	unsigned int pages; /* inner maps of a bank at most; 0: not banked */
	bool pinned, per_cpu;
};
extern const struct kernel_map_info kernel_maps[KERNEL_MAPS];

struct kernel; /* one loaded program with its maps */

struct kernel_options {
	const char *pin_directory; /* NULL: nothing is pinned or reused, the maps are its own (replay -c, tests) */
	bool must_exist;	   /* with pin_directory: use the maps that are pinned there, pin nothing new */
	bool trace;		   /* the traced variant: fills the trace map */
	bool read_only;		   /* no counter, limit or flow is written */
	bool assume_next_hop;	   /* where the FIB has no answer a next hop is assumed */
};

/* Opens and loads. With a pin_directory the pinned maps are checked against the inventory first (type, sizes,
 * layout version): any difference is -EPROTO with the map's name, and nothing is touched. */
int kernel_load(const struct kernel_options *options, struct kernel **out, struct problem *problem);
void kernel_free(struct kernel *kernel);	   /* pinned maps and links stay */
bool kernel_is_fresh(const struct kernel *kernel); /* the maps were made by this load, not found pinned */

int kernel_map_fd(const struct kernel *kernel, enum kernel_map map); /* borrowed */
int kernel_program_fd(const struct kernel *kernel);		     /* borrowed */

/* Attach by a link pinned as <pins>/link-<interface>; a link that is there already is updated in place, which
 * loses no packet. mode as in the configuration: auto tries native, then generic with *generic = true and the reason
 * in *problem, which is left as it was when nothing is to be said. A foreign XDP program on the interface is -EBUSY
 * with its id in *problem. */
enum kernel_attach_mode { KERNEL_ATTACH_AUTO = 0, KERNEL_ATTACH_NATIVE, KERNEL_ATTACH_GENERIC };
int kernel_attach(struct kernel *kernel, const char *interface, enum kernel_attach_mode mode, bool *generic,
		  struct problem *problem);
/* Works without a loaded program: the way out when the controller is gone. -ENOENT when there is no link. The program
 * that sets marks goes, too. */
int kernel_detach(const char *pin_directory, const char *interface, struct problem *problem);
/* The interfaces that have a pinned link, and whether the link is still attached to a device. Calls each for one;
 * mode: 1 generic, 2 native, 0 detached. */
struct kernel_link {
	char interface[16];
	unsigned int ifindex; /* 0: the device is gone */
	unsigned int program_id;
	int mode;
};
int kernel_links(const char *pin_directory, void (*each)(void *arg, const struct kernel_link *link), void *arg);

/* The program at TC ingress that gives packets the marks of rules (bpf/mark.bpf.c), pinned as the links are; none of
 * this needs a loaded program. Attach: ahead of all others at TCX, or as a filter of a clsact qdisc; one that is there
 * gets the program of this version. */
int kernel_mark_attach(const char *pin_directory, const char *interface, struct problem *problem);
bool kernel_mark_is_attached(const char *pin_directory, const char *interface);
/* -ENOENT when it is not there. A qdisc goes with it only if it was made for it and nobody else uses it. */
int kernel_mark_detach(const char *pin_directory, const char *interface, struct problem *problem);
/* Calls each for every interface that it is pinned for; each may detach it. */
int kernel_marks(const char *pin_directory, void (*each)(void *arg, const char *interface), void *arg);
/* Packets that passed without the mark of their rule: the driver left no room for it. */
int kernel_marks_lost(const char *pin_directory, uint64_t *packets);

/* Removes every pin below the directory and the directory. */
int kernel_unpin(const char *pin_directory, struct problem *problem);

/* Maps. Keys and values have the inventory's sizes. EINTR and EBUSY are retried. */
int kernel_map_get(int fd, const void *key, void *value);
int kernel_map_put(int fd, const void *key, const void *value);
int kernel_map_delete(int fd, const void *key);
int kernel_map_next(int fd, const void *key, void *next); /* key NULL: the first; -ENOENT at the end */
int kernel_map_entries(int fd, unsigned int *entries);	  /* max_entries of a map */
/* Sums the possible CPUs of a per-CPU value made of words u64; out has room for them. */
int kernel_map_sum(int fd, unsigned int index, size_t words, __u64 *out);
/* The values of all possible CPUs, one after the other; the caller frees *out. The number of CPUs, or -errno. */
int kernel_map_cpus(int fd, unsigned int index, size_t words, __u64 **out);
/* Zeroes a per-CPU value. */
int kernel_map_zero(int fd, unsigned int index, size_t words);
/* A whole mmapable array of entries * value_size bytes, rounded to pages; NULL and errno on failure. */
void *kernel_map_mmap(int fd, size_t bytes, bool writable);
void kernel_map_munmap(void *address, size_t bytes);

/* Banks: a fresh inner map of the inventory's shape with entries (0, or a map whose banks must all be alike: the
 * inventory's number); >= 0 is a descriptor that the caller closes. Then put it into the outer map's slot. The
 * descriptor of the bank that is in a slot now: kernel_bank_open, which the caller closes. */
int kernel_bank_create(enum kernel_map map, unsigned int entries);
int kernel_bank_install(const struct kernel *kernel, enum kernel_map map, unsigned int bank, int fd);
int kernel_bank_open(const struct kernel *kernel, enum kernel_map map, unsigned int bank);
/* The same for a bank of several pages: count inner maps from its first one on; those behind them are taken out. */
int kernel_pages_install(const struct kernel *kernel, enum kernel_map map, unsigned int bank, const int *fds,
			 unsigned int count);
int kernel_page_open(const struct kernel *kernel, enum kernel_map map, unsigned int bank, unsigned int page);

/* One packet through the program by BPF_PROG_TEST_RUN. data_in is at least 14 bytes. *data_size is the room in
 * data_out on the way in and the bytes written on the way out. *action is enum xdp_action. The traced variant's
 * outcome is then in *trace (may be NULL; its inputs are taken from it on the way in). */
int kernel_test_run(struct kernel *kernel, const void *data_in, size_t size, void *data_out, size_t *data_size,
		    unsigned int *action, struct weir_trace *trace);

#endif
