/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of the control socket. Arguments and results are JSON objects; a ? marks what may be left out.
 *
 * command          arguments                                 result
 * status           -                                         the document of `weir status`
 * stats            -                                         the document of `weir stats`
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
#include "composition.h"
#include "../base/json.h"
#include "../base/log.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>

/* which: what tells commands apart that have one function, as the table below says. */
typedef json_t *command_run(struct controller *controller, uint32_t which, json_t *arguments, struct problem *problem);

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

static bool is_same_file(const struct controller *controller, const char *path)
{
	AUTO_FREE char *resolved = realpath(path, NULL);

	return !strcmp(controller->config_path, resolved ? resolved : path);
}

static bool is_stale(const struct controller *controller, const json_t *base, struct problem *problem)
{
	uint32_t live = reconcile_generation(controller->reconcile);

	if (!json_is_integer(base) || json_integer_value(base) == live)
		return false;
	problem_set(problem, -ESTALE, "the apply was made for generation %lld, but %u is live",
		    (long long)json_integer_value(base), live);
	problem_hint(problem, "look at what changed meanwhile, and apply again");
	return true;
}

static json_t *run_apply(struct controller *controller, uint32_t which, json_t *arguments, struct problem *problem)
{
	const json_t *text = json_object_get(arguments, "text");
	const char *path = json_string_value(json_object_get(arguments, "path"));
	bool dry_run = json_is_true(json_object_get(arguments, "dry_run"));
	json_t *changes, *warnings;
	struct config_errors errors = {0};
	struct config *config = NULL;
	int err;

	(void)which;
	if (!path || !json_is_string(text)) {
		problem_set(problem, -EINVAL, "apply needs the path and the text of a configuration");
		return NULL;
	}
	if (is_stale(controller, json_object_get(arguments, "base"), problem))
		return NULL;
	err = config_parse(path, json_string_value(text), json_string_length(text), &config, &errors);
	if (err)
		problem_set(problem, err, "%s", errors.text ? errors.text : strerror(-err));
	config_errors_free(&errors);
	if (err)
		return NULL;
	changes = json_array();
	warnings = json_array();
	controller_diff(reconcile_config(controller->reconcile), config, changes);
	err = dry_run ? 0 : controller_apply(controller, config, warnings, problem);
	if (err || dry_run)
		config_free(config);
	if (err) {
		json_decref(changes);
		json_decref(warnings);
		return NULL;
	}
	return json_pack("{s:I, s:o, s:o, s:b, s:o, s:b}", "generation",
			 (json_int_t)reconcile_generation(controller->reconcile), "changes", changes, "warnings",
			 warnings, "dry_run", dry_run, "starts_from", json_text(controller->config_path), "same_file",
			 is_same_file(controller, path));
}

static json_t *run_reload(struct controller *controller, uint32_t which, json_t *arguments, struct problem *problem)
{
	json_t *changes = json_array(), *warnings = json_array();

	(void)which;
	(void)arguments;
	if (controller_reload(controller, changes, warnings, problem)) {
		json_decref(changes);
		json_decref(warnings);
		return NULL;
	}
	return json_pack("{s:I, s:o, s:o}", "generation", (json_int_t)reconcile_generation(controller->reconcile),
			 "changes", changes, "warnings", warnings);
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
	command_run *run;
	uint32_t which;
	bool writes; /* is told in the log, with who asked, unless it is a dry run */
} commands[] = {
	{"status", run_status, 0, false},
	{"stats", run_stats, 0, false},
	{"apply", run_apply, 0, true},
	{"reload", run_reload, 0, true},
	{"deny.add", command_ban_add, WEIR_BAN_DENY, true},
	{"deny.del", command_ban_delete, WEIR_BAN_DENY, true},
	{"deny.list", command_ban_list, WEIR_BAN_DENY, false},
	{"allow.add", command_ban_add, WEIR_BAN_ALLOW, true},
	{"allow.del", command_ban_delete, WEIR_BAN_ALLOW, true},
	{"allow.list", command_ban_list, WEIR_BAN_ALLOW, false},
	{"backend.list", run_backend_list, 0, false},
	{"backend.drain", command_backend_admin, WEIR_ADMIN_DRAIN, true},
	{"backend.disable", command_backend_admin, WEIR_ADMIN_DISABLED, true},
	{"backend.enable", command_backend_admin, WEIR_ADMIN_ENABLED, true},
	{"backend.weight", command_backend_weight, 0, true},
	{"rule.list", command_rule_list, 0, false},
	{"rule.enforce", command_rule_mode, CONFIG_RULE_ENFORCE, true},
	{"rule.shadow", command_rule_mode, CONFIG_RULE_SHADOW, true},
	{"rule.off", command_rule_mode, CONFIG_RULE_OFF, true},
	{"rule.reset", command_rule_mode, COMMAND_RULE_CONFIGURED, true},
	{"set.list", command_set_list, 0, false},
	{"set.show", command_set_show, 0, false},
	{"set.lookup", command_set_lookup, 0, false},
	{"set.refresh", command_set_refresh, 0, true},
	{"health", run_health, 0, false},
};

json_t *commands_handle(void *arg, const struct control_peer *peer, const char *command, json_t *arguments,
			struct problem *problem)
{
	struct controller *controller = arg;
	json_t *result;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, command) != 0)
			continue;
		problem->text[0] = '\0';
		result = commands[i].run(controller, commands[i].which, arguments, problem);
		if (!result && !*problem->text)
			problem_set(problem, -ENOMEM, "out of memory");
		if (json_is_true(json_object_get(arguments, "dry_run")))
			return result;
		if (commands[i].writes && result)
			log_info("%s by user %u (pid %d): done", command, peer->uid, peer->pid);
		else if (commands[i].writes)
			log_warning("%s by user %u (pid %d): refused: %s", command, peer->uid, peer->pid,
				    problem->text);
		return result;
	}
	problem_set(problem, -ENOENT, "this controller (version %s) knows no command \"%.40s\"", WEIR_VERSION, command);
	problem_hint(problem, "is the client of another version?");
	return NULL;
}
