/* SPDX-License-Identifier: BSD-2-Clause */
/* The controller's parts and what they ask of each other. Private to controller/. */
#ifndef WEIR_CONTROLLER_COMPOSITION_H
#define WEIR_CONTROLLER_COMPOSITION_H

#include "controller.h"
#include "fold.h"
#include "links.h"
#include "../base/loop.h"
#include "../base/route.h"
#include "../control/control.h"
#include "../health/health.h"
#include "../reconcile/reconcile.h"
#include "../sets/sets.h"
#include "../telemetry/telemetry.h"
#include <limits.h>

/* What the change under way is at. */
struct doing {
	uv_mutex_t lock;	 /* of the next three */
	char what[128];		 /* empty: nothing */
	uint64_t done, total;	 /* total 0: it cannot be told how far it has come */
	char set[WEIR_NAME_MAX]; /* that is being read; like the next of the thread that reads alone */
	int64_t began_ns;
};

struct change; /* change.h */
struct saving; /* saving.c */

struct controller_interface {
	char name[16];
	enum config_xdp_mode mode; /* as configured */
	bool attached, generic, missing;
	unsigned int ifindex, program_id;
	char why[sizeof(((struct problem *)0)->text)];		/* it is not attached, or not as it should be */
	char why_unmarked[sizeof(((struct problem *)0)->text)]; /* the program that sets marks is not there */
};

struct controller {
	uv_loop_t loop;
	uv_timer_t tick;
	uv_signal_t terminate, interrupt, reload;
	unsigned int ticks;
	int state_lock, pins_lock;

	char config_path[PATH_MAX]; /* absolute: the file that it starts from */
	/* As at the start; a change of these waits for the next one. */
	char control_socket[sizeof(((struct config *)0)->control_socket)];
	char pin_directory[sizeof(((struct config *)0)->pin_directory)];
	char state_directory[sizeof(((struct config *)0)->state_directory)];

	struct kernel *kernel;
	struct reconcile *reconcile;
	struct sets *sets;
	struct sets_filter *filter; /* of the live generation */
	struct change *changes;	    /* the first one is under way */
	struct doing doing;
	bool is_stopping;
	struct saving *saving; /* of the state file, under way */
	struct fold_schedule fold;
	uint64_t filter_retry_ms; /* CLOCK_MONOTONIC: not before it, after a filter that could not be made live */
	struct loop_http *http;
	struct control_server *control;
	struct links *links;
	struct route_socket *routes;
	int neighbours_error; /* that was told last */

	struct controller_interface interfaces[WEIR_MAX_INTERFACES];
	size_t interfaces_count;
	uint64_t marks_lost; /* packets without the mark of their rule when this configuration became live */
	bool told_marks_lost;

	struct health *health;
	struct config_health *checks; /* copies, by pool: the engine borrows them, configurations come and go */

	struct telemetry_otlp *otlp;
	struct config_otlp otlp_config; /* that otlp was opened with */
	struct telemetry_http *prometheus;
	char prometheus_address[sizeof(((struct config *)0)->prometheus_address)];
	uint16_t prometheus_port;
	char host_name[sizeof(((struct config *)0)->host_name)];

	uint64_t started_ns;	    /* CLOCK_REALTIME */
	uint64_t counters_since_ns; /* CLOCK_REALTIME */
	uint64_t applies;	    /* that succeeded since the start */
};

/* apply.c */
/* Makes everything else what the configuration that is live now wants. What goes wrong is logged, and appended to
 * warnings. */
void controller_follow(struct controller *controller, bool at_start, json_t *warnings);
/* The lines of model_diff appended to changes. */
void controller_diff(const struct config *old, const struct config *new, json_t *changes);
/* Logs a warning and appends it to warnings (may be NULL). */
__attribute__((format(printf, 2, 3))) void controller_warn(json_t *warnings, const char *format, ...);
/* The same for each sentence of an array, which is stolen. */
void controller_warn_all(json_t *warnings, json_t *sentences);

/* filter.c */
/* Has the live filter follow lists that are due, and the interfaces and addresses of this host. To be called every
 * second. */
void filter_keep(struct controller *controller);
/* The same for the addresses, once. */
void filter_keep_sources(struct controller *controller);
/* An interface that a rule of the live configuration names got another number, or came. */
bool filter_interfaces_moved(const struct controller *controller);
/* What is in a set is not what the filter was made of: an apply was refused after the file had been read, or a filter
 * could not be made live. */
bool filter_is_behind(const struct sets_filter *filter, const struct sets *sets, const struct config *config);

/* doing.c: all but open and close may be called on any thread. */
void doing_open(struct doing *doing);
void doing_close(struct doing *doing);
void doing_set(struct doing *doing, const char *what, uint64_t done, uint64_t total);
void doing_read(void *doing, const char *set, uint64_t done_bytes, uint64_t total_bytes); /* a sets_progress */
json_t *doing_json(struct doing *doing);

/* saving.c: writes the state file on another thread when it has to be and would take long here. To be called every
 * second. */
void saving_keep(struct controller *controller);

/* fold.c: has live entries folded into the address tables when that is due. To be called every second. */
void fold_keep(struct controller *controller);

/* interfaces.c: attaches what config names and detaches what it no longer does. at_start also updates the program
 * of links that are there, and detaches links of interfaces that config does not name (unless it names none). */
void interfaces_set(struct controller *controller, const struct config *config, bool at_start, json_t *warnings);
/* Looks at the devices and links as they are now: reports changes in the log and attaches what came back. */
void interfaces_check(struct controller *controller);
json_t *interfaces_json(const struct controller *controller);

/* marks.c: the program that sets marks, on every interface that is attached. Before a configuration becomes live: where
 * it is not yet, so that no packet of the new rules comes without its mark. */
void marks_prepare(struct controller *controller, const struct config *config, json_t *warnings);
/* As the live configuration wants it. is_new: it has become live now; renew: what is there gets this version's program.
 */
void marks_keep(struct controller *controller, bool is_new, bool renew, json_t *warnings);

/* paths.c: append sentences about what keeps packets from the backends: an interface that does not forward; routes
 * that are missing or leave by a device that takes no packets from a program. */
void paths_check_forwarding(const struct config *config, const char *interface, json_t *sentences);
void paths_check_routes(const struct config *config, struct route_socket *routes, json_t *sentences);

/* neighbours.c: has the kernel find and confirm the next hops of all backends. To be called every few seconds. */
void neighbours_keep(struct controller *controller);

/* lockout.c */
/* -EPERM with *problem when one of the entries to be denied would cut off everybody, or a backend that is checked. */
int lockout_refuse(const struct controller *controller, const struct reconcile_ban *bans, size_t count,
		   struct problem *problem);
/* Whether the answers from a backend's port are dropped by a deny entry, and by which. */
bool lockout_is_denied(const struct controller *controller, const struct model_backend *backend, uint16_t port,
		       struct prefix *by);

/* targets.c: the health engine's targets, and what follows from its results. */
int targets_set(struct controller *controller);
void targets_result(void *arg, const struct health_result *result);

/* exporters.c: OTLP and Prometheus as config wants them; what goes on unchanged is left alone. */
void exporters_set(struct controller *controller, const struct config *config, json_t *warnings);
void exporters_close(struct controller *controller);
json_t *exporters_json(const struct controller *controller);

/* points.c: a telemetry_source; arg is the controller. */
int points_collect(void *arg, struct telemetry_points *points);

/* status.c */
json_t *status_json(const struct controller *controller);
json_t *status_backends_json(const struct controller *controller);
/* Why the newest version of a set's list is not in use; empty: it is, or the set is written in the configuration. */
const char *status_set_problem(const struct controller *controller, size_t set);

/* commands.c: a control_handler; arg is the controller. */
json_t *commands_handle(void *arg, struct control_request *request, const char *command, json_t *arguments,
			struct problem *problem);

/* commands_apply.c, commands_ban.c, commands_backend.c: the handlers of the table in commands.c; and for commands that
 * change the policy, what fills the change (0 or -errno with *problem), and what answers when it has been made. */
int command_apply(struct change *change, uint32_t unused, json_t *arguments, struct problem *problem);
json_t *command_applied(const struct change *change, struct problem *problem);
int command_reload(struct change *change, uint32_t unused, json_t *arguments, struct problem *problem);
json_t *command_reloaded(const struct change *change, struct problem *problem);
json_t *command_ban_add(struct controller *controller, uint32_t list, json_t *arguments, struct problem *problem);
json_t *command_ban_delete(struct controller *controller, uint32_t list, json_t *arguments, struct problem *problem);
json_t *command_ban_list(struct controller *controller, uint32_t list, json_t *arguments, struct problem *problem);
json_t *command_backend_admin(struct controller *controller, uint32_t admin, json_t *arguments,
			      struct problem *problem);
/* commands_filter.c */
json_t *command_rule_list(struct controller *controller, uint32_t unused, json_t *arguments, struct problem *problem);
/* mode: enum config_rule_mode; COMMAND_RULE_CONFIGURED: what the configuration says. */
#define COMMAND_RULE_CONFIGURED UINT32_MAX
int command_rule_mode(struct change *change, uint32_t mode, json_t *arguments, struct problem *problem);
json_t *command_rule_changed(const struct change *change, struct problem *problem);
json_t *command_set_list(struct controller *controller, uint32_t unused, json_t *arguments, struct problem *problem);
json_t *command_set_show(struct controller *controller, uint32_t unused, json_t *arguments, struct problem *problem);
json_t *command_set_lookup(struct controller *controller, uint32_t unused, json_t *arguments, struct problem *problem);
int command_set_refresh(struct change *change, uint32_t unused, json_t *arguments, struct problem *problem);
json_t *command_set_refreshed(const struct change *change, struct problem *problem);
json_t *command_backend_weight(struct controller *controller, uint32_t which, json_t *arguments,
			       struct problem *problem);

#endif
