/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of the control socket. Arguments and results are JSON objects; a ? marks what may be left out.
 *
 * command          arguments                                 result
 * status           -                                         the document of `weir status`
 * stats            -                                         the document of `weir stats`
 * doing            -                                         doing (null: nothing), done, total: what the change of the
 *                                                            policy that is under way is at (total 0: not told)
 * apply            path, text, base?, dry_run?               generation, changes[], warnings[], dry_run, starts_from,
 *                                                            same_file
 * reload           -                                         generation, changes[], warnings[]
 * deny.add         prefixes[], for_s?, note?, force?         added
 * deny.del         prefixes[]                                deleted
 * deny.list        after?                                    entries[]: prefix, added, until (null: no end), note; more
 * allow.add, allow.del, allow.list                           as for deny
 * backend.list     -                                         backends[]
 * backend.drain, backend.disable, backend.enable: name       backends[]: those of that name, as they are now
 * backend.weight   name, weight (null: as configured)        the same
 * rule.list        -                                         rules[], default
 * rule.enforce, rule.shadow, rule.off, rule.reset: name      rules[]: that one, as it is now
 * set.list         -                                         sets[]
 * set.show         name, after?                              prefixes[], more
 * set.lookup       address                                   sets[]: set, entry, rules[]
 * set.refresh      name, accept?                             changed, sets[]: that one
 * health           -                                         backends[] that are checked, with their last result
 *
 * A list comes in pages that fit into a frame, in the order of the prefixes: while more is true, the next one is asked
 * for with after, the last prefix of the one before. base is the generation that the sender looked at: with another one
 * live, the apply is refused as stale. Times are seconds since 1970.
 */
#include "change.h"
#include "../base/json.h"
#include "../base/log.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>

/* which: what tells commands apart that have one function, as the table below says. */
typedef json_t *command_run(struct controller *controller, uint32_t which, json_t *arguments, struct problem *problem);
typedef int command_begin(struct change *change, uint32_t which, json_t *arguments, struct problem *problem);
typedef json_t *command_answer(const struct change *change, struct problem *problem);

static json_t *run_status(struct controller *controller, uint32_t which, json_t *arguments, struct problem *problem)
{
	(void)which;
	(void)arguments;
	(void)problem;
	return status_json(controller);
}

static json_t *run_stats(struct controller *controller, uint32_t which, json_t *arguments, struct problem *problem)
{
	(void)which;
	(void)arguments;
	(void)problem;
	return controller_tables_stats(controller->kernel);
}

static json_t *run_doing(struct controller *controller, uint32_t which, json_t *arguments, struct problem *problem)
{
	(void)which;
	(void)arguments;
	(void)problem;
	return doing_json(&controller->doing);
}

static json_t *run_backend_list(struct controller *controller, uint32_t which, json_t *arguments,
				struct problem *problem)
{
	(void)which;
	(void)arguments;
	(void)problem;
	return json_pack("{s:o}", "backends", status_backends_json(controller));
}

static json_t *run_health(struct controller *controller, uint32_t which, json_t *arguments, struct problem *problem)
{
	json_t *all = status_backends_json(controller), *checked = json_array(), *row;
	size_t i;

	(void)which;
	(void)arguments;
	(void)problem;
	json_array_foreach(all, i, row)
		if (strcmp(json_string_value(json_object_get(row, "health")), "unchecked") != 0)
			json_array_append(checked, row);
	json_decref(all);
	return json_pack("{s:o}", "backends", checked);
}

static const struct {
	const char *name;
	command_run *run; /* NULL: it is a change of the policy */
	uint32_t which;
	bool writes; /* is told in the log, with who asked, unless it is a dry run */
	command_begin *begin;
	command_answer *answer;
} commands[] = {
	{"status", run_status, 0, false, NULL, NULL},
	{"stats", run_stats, 0, false, NULL, NULL},
	{"doing", run_doing, 0, false, NULL, NULL},
	{"apply", NULL, 0, true, command_apply, command_applied},
	{"reload", NULL, 0, true, command_reload, command_reloaded},
	{"deny.add", command_ban_add, WEIR_BAN_DENY, true, NULL, NULL},
	{"deny.del", command_ban_delete, WEIR_BAN_DENY, true, NULL, NULL},
	{"deny.list", command_ban_list, WEIR_BAN_DENY, false, NULL, NULL},
	{"allow.add", command_ban_add, WEIR_BAN_ALLOW, true, NULL, NULL},
	{"allow.del", command_ban_delete, WEIR_BAN_ALLOW, true, NULL, NULL},
	{"allow.list", command_ban_list, WEIR_BAN_ALLOW, false, NULL, NULL},
	{"backend.list", run_backend_list, 0, false, NULL, NULL},
	{"backend.drain", command_backend_admin, WEIR_ADMIN_DRAIN, true, NULL, NULL},
	{"backend.disable", command_backend_admin, WEIR_ADMIN_DISABLED, true, NULL, NULL},
	{"backend.enable", command_backend_admin, WEIR_ADMIN_ENABLED, true, NULL, NULL},
	{"backend.weight", command_backend_weight, 0, true, NULL, NULL},
	{"rule.list", command_rule_list, 0, false, NULL, NULL},
	{"rule.enforce", NULL, CONFIG_RULE_ENFORCE, true, command_rule_mode, command_rule_changed},
	{"rule.shadow", NULL, CONFIG_RULE_SHADOW, true, command_rule_mode, command_rule_changed},
	{"rule.off", NULL, CONFIG_RULE_OFF, true, command_rule_mode, command_rule_changed},
	{"rule.reset", NULL, COMMAND_RULE_CONFIGURED, true, command_rule_mode, command_rule_changed},
	{"set.list", command_set_list, 0, false, NULL, NULL},
	{"set.show", command_set_show, 0, false, NULL, NULL},
	{"set.lookup", command_set_lookup, 0, false, NULL, NULL},
	{"set.refresh", NULL, 0, true, command_set_refresh, command_set_refreshed},
	{"health", run_health, 0, false, NULL, NULL},
};

static void log_command(const char *name, const struct control_peer *peer, bool done, const char *why)
{
	if (done)
		log_info("%s by user %u (pid %d): done", name, peer->uid, peer->pid);
	else
		log_warning("%s by user %u (pid %d): refused: %s", name, peer->uid, peer->pid, why);
}

static json_t *run(struct controller *controller, size_t i, const struct control_peer *peer, json_t *arguments,
		   struct problem *problem)
{
	json_t *result = commands[i].run(controller, commands[i].which, arguments, problem);

	if (!result && !*problem->text)
		problem_set(problem, -ENOMEM, "out of memory");
	if (commands[i].writes)
		log_command(commands[i].name, peer, result, problem->text);
	return result;
}

static void on_changed(struct change *change)
{
	struct problem *problem = &change->problem;
	json_t *result = change->error ? NULL : commands[change->command].answer(change, problem);

	if (!result && !*problem->text)
		problem_set(problem, -ENOMEM, "out of memory");
	if (!change->dry_run)
		log_command(commands[change->command].name, &change->request->peer, result, problem->text);
	control_answer(change->request, result, problem);
}

/* Has the request answered when its change has been made. 0, or -errno with *problem when it cannot be made. */
static int begin(struct controller *controller, size_t i, struct control_request *request, json_t *arguments,
		 struct problem *problem)
{
	struct change *change = change_new(controller, CHANGE_APPLY, on_changed);
	int error = change ? commands[i].begin(change, commands[i].which, arguments, problem)
			   : problem_set(problem, -ENOMEM, "out of memory");

	if (error) {
		log_command(commands[i].name, &request->peer, false, problem->text);
		change_free(change);
		return error;
	}
	change->request = request;
	change->command = i;
	control_defer(request);
	change_queue(change);
	return 0;
}

json_t *commands_handle(void *arg, struct control_request *request, const char *command, json_t *arguments,
			struct problem *problem)
{
	struct controller *controller = arg;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, command) != 0)
			continue;
		problem->text[0] = '\0';
		if (commands[i].run)
			return run(controller, i, &request->peer, arguments, problem);
		begin(controller, i, request, arguments, problem);
		return NULL;
	}
	problem_set(problem, -ENOENT, "this controller (version %s) knows no command \"%.40s\"", WEIR_VERSION, command);
	problem_hint(problem, "is the client of another version?");
	return NULL;
}
