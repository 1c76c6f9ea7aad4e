/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration file as a form: every value checked on its own, with its place in the file.
 *
 * YAML in, struct config out; no look at the kernel, the network or other files. Relations within the file (a
 * service names a pool that exists, a VIP is not used twice) are checked here too. Every error names file, line
 * and column and shows the line with a caret.
 */
#ifndef WEIR_CONFIG_H
#define WEIR_CONFIG_H

#include "../base/addr.h"
#include "../base/region.h"
#include <maps/ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/capacity.h>

#define CONFIG_MAX_BYTES (8u << 20)

struct config_place {
	int line, column; /* from 1 */
};

enum config_xdp_mode { CONFIG_XDP_AUTO = 0, CONFIG_XDP_NATIVE, CONFIG_XDP_GENERIC };

struct config_interface {
	char name[16];
	enum config_xdp_mode mode;
	struct config_place place;
};

struct config_ports {
	uint8_t protocol;     /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP (both ICMPs) */
	uint16_t first, last; /* host order; 0, 0: any port (and ICMP) */
	struct config_place place;
};

struct config_protect {
	struct prefix *from; /* at least one: an empty list is an error, never "any" */
	size_t from_count;
	struct config_ports *ports; /* none: every protocol and port */
	size_t ports_count;
	struct config_place place;
};

enum config_limit_unit { CONFIG_PER_PACKET = 0, CONFIG_PER_BIT };

struct config_limit {
	char name[WEIR_NAME_MAX];
	uint8_t prefix4, prefix6; /* the key: "source" is 32 and 128, "source/24,/56" is 24 and 56 */
	enum config_limit_unit unit;
	double rate_per_s; /* packets or bits a second, > 0 */
	double burst;	   /* packets or bits; default one second's worth */
	bool has_match;	   /* `match` is written out */
	bool by_rule;	   /* no `match`, and a rule names it: only packets that such a rule matches are charged */
	struct config_place place;
};

struct config_backend {
	char name[WEIR_NAME_MAX]; /* unique within its pool */
	struct addr address;
	uint16_t weight; /* 1..1000, default 1; 0: takes no new flows */
	struct config_place place;
};

enum config_health_type { CONFIG_HEALTH_NONE = 0, CONFIG_HEALTH_TCP, CONFIG_HEALTH_HTTP };

struct config_health {
	enum config_health_type type;
	uint16_t port;
	char path[256];			  /* HTTP, default "/" */
	char host[256];			  /* HTTP Host header; empty: the address */
	char expect_body[128];		  /* HTTP: must occur in the first 64 KiB of the answer; empty: anything */
	uint16_t expect_status;		  /* HTTP; 0: any of 200..399 */
	uint32_t interval_ms, timeout_ms; /* default 2000, 1000 */
	uint32_t rise, fall;		  /* consecutive results that change the state, default 2, 3 */
	struct config_place place;
};

struct config_pool {
	char name[WEIR_NAME_MAX];
	enum weir_forward forward; /* default IPIP */
	struct config_backend *backends;
	size_t backends_count;
	struct config_health health;
	uint8_t panic_below_percent;  /* 0: off. Below this share of healthy backends all of them are used */
	uint16_t min_healthy;	      /* the pool serves while at least so many are healthy, default 1 */
	uint32_t ring_size;	      /* 0: the default */
	struct addr source4, source6; /* of outer headers; family 0: the kernel's choice towards the backend */
	struct config_place place;
};

struct config_service {
	char name[WEIR_NAME_MAX];
	struct addr *addresses;
	size_t addresses_count;
	struct config_ports *ports;
	size_t ports_count;
	size_t *pools; /* indices into config.pools, in order of preference */
	size_t pools_count;
	enum weir_fallback fallback; /* default reject */
	enum weir_affinity affinity; /* default flow */
	struct config_place place;
};

/* A set of addresses: written here, or in a list or a GeoIP database that is read again. */
enum config_set_kind { CONFIG_SET_INLINE = 0, CONFIG_SET_FILE, CONFIG_SET_GEOIP };

struct config_set {
	char name[WEIR_NAME_MAX];
	enum config_set_kind kind;
	struct prefix *prefixes; /* INLINE; may be empty */
	size_t prefixes_count;	 /* as written: neither sorted nor joined */
	char path[4096]; /* FILE, GEOIP: ready to open; what is relative got the configuration's directory in front */
	uint32_t refresh_ms;	     /* FILE, GEOIP: how often it is looked at again; default 10000, 0 not allowed */
	uint16_t max_change_percent; /* FILE, GEOIP: a version that is larger or smaller by more is held back; 0: any
					goes */
	bool strict;		     /* FILE: host bits set are an error rather than masked with a warning */
	bool unread;		     /* something of it was refused: see config_examine */
	struct region *regions;	     /* GEOIP: at least one; sorted by region_compare, each one once */
	struct config_place *region_places; /* [regions_count] */
	size_t regions_count;
	struct config_place place;
};

enum config_action {
	CONFIG_ACTION_PASS = 0,
	CONFIG_ACTION_ALLOW,
	CONFIG_ACTION_LIMIT,
	CONFIG_ACTION_MARK,
	CONFIG_ACTION_DROP,
	CONFIG_ACTION_REJECT,
};
#define CONFIG_ACTION_NAMES                                                                                            \
	{                                                                                                              \
		"pass", "allow", "limit", "mark", "drop", "reject"                                                     \
	}

enum config_rule_mode { CONFIG_RULE_ENFORCE = 0, CONFIG_RULE_SHADOW, CONFIG_RULE_OFF };
#define CONFIG_RULE_MODE_NAMES                                                                                         \
	{                                                                                                              \
		"enforce", "shadow", "off"                                                                             \
	}

enum { CONFIG_TERM_PREFIX = -1, CONFIG_TERM_VIPS = -2 };

/* One item of `from` or `to`. An address matches when one of the terms without negation holds it, or there is none
 * without, and none of the negated ones does. */
struct config_term {
	int set;	      /* index of config.sets, or CONFIG_TERM_PREFIX, or CONFIG_TERM_VIPS ("@vips") */
	struct prefix prefix; /* CONFIG_TERM_PREFIX */
	bool negated;	      /* written with "!" in front */
	struct config_place place;
};

/* Inclusive. */
struct config_range {
	uint16_t first, last;
};

struct config_ranges {
	struct config_range *ranges; /* none: not looked at */
	size_t count;
};

/* What rules look at beside addresses; what is empty is not looked at. Everything that is not must hold. */
struct config_rule {
	char name[WEIR_NAME_MAX]; /* unique; from its content when none is given */
	enum config_action action;
	enum config_rule_mode mode;
	size_t limit;	   /* CONFIG_ACTION_LIMIT: index of config.limits */
	uint32_t mark;	   /* CONFIG_ACTION_MARK: skb->mark of what goes to the kernel; not 0 */
	int64_t expires_s; /* seconds since 1970, UTC; 0: never */
	struct config_term *from, *to;
	size_t from_count, to_count;
	struct config_ranges protocols; /* values of WEIR_DIMENSION_PROTOCOL: IPv6's plus 256 */
	struct config_ranges sports, dports;
	bool has_tcp_flags;
	uint8_t tcp_flags_set, tcp_flags_mask; /* matches when (flags & mask) == set */
	struct config_ranges icmp;	       /* type << 8 | code */
	struct config_ranges length;	       /* of the IP packet, bytes */
	struct config_ranges ttl, dscp;
	uint8_t fragments;	   /* bit n: fragment state n (0 whole, 1 first, 2 later) matches; 0: not looked at */
	int8_t extensions;	   /* IPv6 extension headers: 1 must be there, -1 must not, 0 not looked at */
	struct config_ranges vlan; /* VID of the outer tag; 4096 is "no tag" */
	size_t *interfaces;	   /* indices of config.interfaces */
	size_t interfaces_count;
	bool unread; /* something of it was refused: see config_examine */
	struct config_place place;
};

struct config_filter {
	enum config_action default_action; /* PASS or DROP */
	struct config_rule *rules;
	size_t rules_count;
	bool unread; /* something beside the rules was refused: see config_examine */
	struct config_place place;
};

struct config_otlp {
	char endpoint[512];	/* base URL; empty: off. Metrics go to <endpoint>/v1/metrics */
	char metrics_path[256]; /* default "/v1/metrics" */
	uint32_t interval_ms;	/* default 10000 */
	uint32_t timeout_ms;	/* default 5000 */
};

struct config {
	char path[4096]; /* as named by the caller, for messages */
	struct config_interface *interfaces;
	size_t interfaces_count;
	struct config_protect *protects;
	size_t protects_count;
	struct config_set *sets;
	size_t sets_count;
	struct config_filter filter;
	struct config_limit *limits;
	size_t limits_count;
	struct config_pool *pools;
	size_t pools_count;
	struct config_service *services;
	size_t services_count;
	bool services_unread; /* there may be VIPs that are not here: see config_examine */
	bool refused;	      /* by config_examine: only to be looked at */
	uint64_t steer_seed;  /* steering: {seed: N}, default 0 */
	uint32_t settle_ms;   /* steering: {settle: 10m}: how long changed slots stay in transition */
	uint32_t idle_ms;     /* steering: {idle: 2h}: how long flows that left it behind are remembered when silent */
	struct config_otlp otlp;
	char host_name[256];	     /* telemetry: {host: NAME}, default the host's name */
	char prometheus_address[64]; /* telemetry.prometheus.listen, "127.0.0.1:9180" split; empty: off */
	uint16_t prometheus_port;
	char control_socket[108];  /* default "/run/weir/control.sock" */
	char control_group[33];	   /* group that may use the socket; empty: root only */
	char pin_directory[256];   /* dataplane: {pins: DIR}, default "/sys/fs/bpf/weir" */
	char state_directory[256]; /* state: {directory: DIR}, default "/var/lib/weir" */
};

/* Ports as the configuration writes them ("tcp/8000-8099", "udp/any", "icmp") into out[CONFIG_PORTS_TEXT_MAX]; returns
 * out. */
#define CONFIG_PORTS_TEXT_MAX 32
char *config_ports_format(const struct config_ports *ports, char *out);

/* What a rule matches, in the words of the configuration: "from @listed to @vips tcp dport 80,443", or "any". The
 * caller frees it; NULL: no memory. */
char *config_rule_match_format(const struct config *config, const struct config_rule *rule);
/* What it does: "drop", "limit per-client", "mark 0x10". out has room for CONFIG_ACTION_TEXT_MAX; returns out. */
#define CONFIG_ACTION_TEXT_MAX (WEIR_NAME_MAX + 8)
char *config_rule_action_format(const struct config *config, const struct config_rule *rule, char *out);
/* Both, with a blank between them. The caller frees it; NULL: no memory. */
char *config_rule_format(const struct config *config, const struct config_rule *rule);

/* The regions of a set out of a GeoIP database: "DE, FR, AS64496", of many the first ones, their number and a digest.
 * The caller frees it; NULL: no memory. */
char *config_regions_format(const struct config_set *set);

/* Something that is said of a place in the file. */
struct config_finding {
	struct config_place place,
		other; /* place.line is 0 for the whole file, other.line when there is just one place */
	char *sentence;
	char hint[128]; /* what to do; may be empty */
};

struct config_findings {
	struct config_finding *findings; /* in order of place */
	size_t count;
};

/* What is valid in sets and rules, and yet probably not meant at now_s (CLOCK_REALTIME). Only what is certain from the
 * configuration alone: the contents of list files are not known here. 0 or -ENOMEM with *out untouched; the caller
 * frees with config_findings_free. */
int config_findings_collect(const struct config *config, int64_t now_s, struct config_findings *out);
/* One more, in its place. 0 or -ENOMEM. */
__attribute__((format(printf, 5, 6))) int config_findings_add(struct config_findings *findings,
							      struct config_place place, struct config_place other,
							      const char *hint, const char *format, ...);
/* For a person: "PATH:3:5: warning: SENTENCE (9:5); HINT", with the line of text and a mark below it; a long list is
 * cut. The caller frees it; NULL: no memory. */
char *config_findings_format(const struct config_findings *findings, const char *path, const char *text, size_t size);
void config_findings_free(struct config_findings *findings);

/* The errors of one file, in order of place, as text ready for a person:
 *   weir.yaml:12:9: unknown key "adress" in a backend; did you mean "address"?
 *      12 |       - {adress: 10.0.0.1}
 *         |          ^
 */
struct config_errors {
	char *text; /* NUL-terminated, empty string when there is none */
	size_t count;
	struct config_findings entries; /* the same one by one; empty when there was no memory for them */
};

/* Parse a file, or text that is to be reported as path. 0, -EINVAL (errors says why; all that can be told in one
 * pass are listed, at most 50), or -errno from reading with the sentence in errors too. *out is untouched on
 * failure. The caller frees *out with config_free and errors with config_errors_free, in every case. */
int config_load(const char *path, struct config **out, struct config_errors *errors);
int config_parse(const char *path, const char *text, size_t size, struct config **out, struct config_errors *errors);
/* All that can be told of a text in one run. */
struct config_report {
	struct config_errors errors; /* why it is refused */
	struct config_findings
		findings;      /* what is probably not meant, as far as that is certain whatever was refused */
	struct config *config; /* also when it is refused, as far as it could be read: to be looked at, never to be
				  used; NULL: nothing could be read */
	char *text;	       /* what was read, by config_examine_file */
	size_t size;
};

/* Return what config_load and config_parse do. The caller frees *out with config_report_free, in every case. */
int config_examine_file(const char *path, int64_t now_s, struct config_report *out);
int config_examine(const char *path, const char *text, size_t size, int64_t now_s, struct config_report *out);
void config_report_free(struct config_report *report);
void config_free(struct config *config);
void config_errors_free(struct config_errors *errors);

#endif
