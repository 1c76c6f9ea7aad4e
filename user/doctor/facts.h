/* SPDX-License-Identifier: BSD-2-Clause */
/* What is read of a host, apart from what is thought of it. Private to doctor/. */
#ifndef WEIR_DOCTOR_FACTS_H
#define WEIR_DOCTOR_FACTS_H

#include "doctor.h"
#include <stdint.h>

/* Of a number or a yes and no that could not be read. */
#define FACT_UNKNOWN (-1)

enum feature {
	FEATURE_XDP,
	FEATURE_BANKS,	  /* an array of maps whose inner maps differ in size */
	FEATURE_MMAP,	  /* arrays that user space maps */
	FEATURE_LINK,	  /* bpf_link for XDP */
	FEATURE_FIB,	  /* bpf_fib_lookup */
	FEATURE_TEST_RUN, /* BPF_PROG_TEST_RUN of an XDP program */
	FEATURE_CONTEXT,  /* the same as if a packet came in by a named interface */
	FEATURE_LIVE,	  /* the same with frames that really leave */
	FEATURE_FRAGS,	  /* frames of several buffers */
	FEATURE_ATOMICS,  /* atomic operations that return the former value */
	FEATURE_BATCH,	  /* many hash entries a call */
	FEATURE_FREPLACE, /* programs that replace a function of another: libxdp's dispatcher */
	FEATURES
};

struct kernel_facts {
	char release[65];
	int major, minor;
	int features_error; /* -errno: the features could not be tried */
	bool has[FEATURES];
	bool is_jited; /* the small programs of the tries were translated to machine code */
	bool has_btf;
	/* Weir's own program: 1 loaded for a try, 0 refused, FACT_UNKNOWN not tried. */
	int program;
	char refusal[256];
};

struct memory_facts {
	uint64_t memlock; /* bytes; UINT64_MAX: no limit */
	bool may_raise;	  /* CAP_SYS_RESOURCE */
	bool has_bpffs;	  /* at /sys/fs/bpf */
};

struct sysctl_facts { /* FACT_UNKNOWN: not there */
	int forward4, forward6, rp_filter_all;
};

/* An XDP program on an interface. */
enum xdp_mode { XDP_MODE_NONE = 0, XDP_MODE_NATIVE, XDP_MODE_GENERIC, XDP_MODE_OFFLOADED, XDP_MODE_SEVERAL };

struct device_facts {
	char name[16];
	unsigned int ifindex; /* 0: there is no such device */
	bool is_named;	      /* on the command line or in the configuration, not found by ourselves */
	enum doctor_mode wanted;
	bool is_up, has_carrier, is_ethernet;
	unsigned int mtu;
	char kind[16];	 /* "veth", "vlan", "bond"...; "" for hardware */
	char driver[32]; /* "" unknown */
	char lower[16];	 /* of a VLAN or macvlan: the device below it */
	char peer[16];	 /* of a veth: the other end, "" when it is in another network namespace */
	unsigned int peer_mtu;
	int peer_tx_checksum; /* whether the peer leaves transmit checksums to the device */
	enum xdp_mode xdp;
	unsigned int program_id;
	char program_name[16];	     /* "" unknown */
	unsigned int link_id;	     /* of the bpf_link that holds the program; 0: none is known */
	bool is_weir;		     /* the program is Weir's, by the pins */
	bool has_marks;		     /* the program is there that gives packets the marks of rules */
	uint64_t marks_lost;	     /* packets that some driver left no room for one, since the tables were made */
	int combined, combined_most; /* queue pairs in use and at most; 0 unknown */
	int receive_queues;	     /* in use, those for XDP's own sending not among them; 0 unknown */
	int lro;
	bool has_abilities; /* whether the kernel tells the next one */
	uint64_t abilities; /* what XDP the driver has: enum netdev_xdp_act of <linux/netdev.h> */
	bool has_virtio;
	uint64_t virtio; /* feature bits that driver and device agreed upon */
	int forward4, forward6, rp_filter;
};

struct host_facts {
	struct kernel_facts kernel;
	struct memory_facts memory;
	struct sysctl_facts sysctls;
	int cpus_online, cpus_possible; /* possible: the highest number and one; 0 unknown */
};

/* Reading. */
void facts_read_features(struct kernel_facts *kernel);
void facts_read_program(struct kernel_facts *kernel);
void facts_read_kernel(const char *root, struct kernel_facts *kernel);
void facts_read_memory(const char *root, struct memory_facts *memory);
void facts_read_sysctls(const char *root, struct host_facts *host);
/* A number of a file below root; FACT_UNKNOWN when there is none. */
int facts_read_number(const char *root, const char *path);
/* "0-1,4" of a file below root: how many there are, and the highest and one. 0 when it cannot be read. */
int facts_read_list(const char *root, const char *path, int *past_highest);

/* Every interface of this network namespace, as rtnetlink tells; the caller frees *out. 0 or -errno. */
struct device_link {
	struct device_facts facts; /* what a link message tells */
	unsigned int below;	   /* the index of IFLA_LINK, 0 in another namespace */
	bool is_loopback;
};
int device_list(struct device_link **out, size_t *count);
/* The rest of what is known of an interface: ethtool, sysctls, the peer. */
void device_read(const char *root, const struct device_link *links, size_t count, struct device_facts *device);
void ethtool_read(const char *root, struct device_facts *device);
/* Whether the stack leaves transmit checksums to the device; FACT_UNKNOWN. */
int ethtool_tx_checksum(const char *name);
void netdev_read(struct device_facts *device);
/* Whose the XDP program is. */
void program_read(const char *pins, struct device_facts *device);

/* Judging: facts in, findings out, nothing else looked at. */
void judge_kernel(const struct kernel_facts *kernel, struct doctor_report *report);
void judge_memory(const struct kernel_facts *kernel, const struct memory_facts *memory, struct doctor_report *report);
void judge_sysctls(const struct host_facts *host, struct doctor_report *report);
void judge_device(const struct doctor_options *options, const struct host_facts *host,
		  const struct device_facts *device, struct doctor_report *report);
/* The parts of the last one that are about a driver. */
void judge_driver(const struct host_facts *host, const struct device_facts *device, struct doctor_report *report);

bool kernel_is_before(const struct kernel_facts *kernel, int major, int minor);

#endif
