/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes changes of the policy, one after the other, with all that takes long on another thread. */
#include "change.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>

struct change *change_new(struct controller *controller, enum change_kind kind, void (*end)(struct change *change))
{
	struct change *change = calloc(1, sizeof(*change));

	if (!change)
		return NULL;
	change->controller = controller;
	change->kind = kind;
	change->end = end;
	change->base = -1;
	change->changes = json_array();
	change->warnings = json_array();
	return change;
}

void change_free(struct change *change)
{
	if (!change)
		return;
	reconcile_plan_close(change->plan);
	sets_filter_close(change->filter);
	sets_close(change->sets);
	config_free(change->config);
	json_decref(change->changes);
	json_decref(change->warnings);
	free(change->path);
	free(change->text);
	free(change);
}

/* --- on the loop, before ---------------------------------------------------------------------------------- */

static int check_base(const struct change *change, struct problem *problem)
{
	uint32_t live = reconcile_generation(change->controller->reconcile);

	if (change->base < 0 || change->base == live)
		return 0;
	problem_set(problem, -ESTALE, "the apply was made for generation %lld, but %u is live", (long long)change->base,
		    live);
	problem_hint(problem, "look at what changed meanwhile, and apply again");
	return -ESTALE;
}

static int begin(struct change *change)
{
	struct controller *controller = change->controller;
	struct problem *problem = &change->problem;
	int error = check_base(change, problem);

	if (error)
		return error;
	if (sets_clone(controller->sets, &change->sets))
		return problem_set(problem, -ENOMEM, "out of memory");
	error = reconcile_plan_open(controller->reconcile, &change->plan, problem);
	if (!error && change->kind == CHANGE_RULE)
		error = reconcile_plan_override(change->plan, change->name, change->mode, problem);
	change->now_ms = (uint64_t)(clock_read_ns(CLOCK_MONOTONIC) / NS_PER_MS);
	if (change->kind == CHANGE_FOLLOW) {
		change->interfaces_moved = filter_interfaces_moved(controller);
		change->sources_moved = reconcile_sources_moved(controller->reconcile);
	}
	return error;
}

/* --- on the other thread ---------------------------------------------------------------------------------- */

static void warn_into(void *arg, const char *sentence)
{
	controller_warn(arg, "%s", sentence);
}

static int parse_text(struct change *change, struct config_errors *errors)
{
	int error = config_parse(change->path, change->text, change->text_size, &change->config, errors);

	if (error)
		problem_set(&change->problem, error, "%s", errors->text ? errors->text : strerror(-error));
	return error;
}

static int parse_file(struct change *change, struct config_errors *errors)
{
	const char *path = change->controller->config_path;
	int error = config_load(path, &change->config, errors);

	if (!error)
		return 0;
	problem_set(&change->problem, error, "%s was refused, the policy stays as it is:\n%s", path,
		    errors->text ? errors->text : strerror(-error));
	problem_hint(&change->problem, "correct it, try it with `weir check %s`, and reload again", path);
	return error;
}

/* 1: go on, 0: nothing is to become live, or -errno. */
static int read_configuration(struct change *change)
{
	struct config_errors errors = {0};
	int error = change->kind == CHANGE_APPLY ? parse_text(change, &errors) : parse_file(change, &errors);

	config_errors_free(&errors);
	if (error)
		return error;
	controller_diff(reconcile_config(change->controller->reconcile), change->config, change->changes);
	return !change->dry_run;
}

/* The same. */
static int read_sets(struct change *change, const struct config *live)
{
	struct controller *controller = change->controller;

	if (change->kind == CHANGE_SET)
		return sets_renew(change->sets, live, change->name, change->accept, &change->problem);
	sets_refresh(change->sets, live, change->now_ms, warn_into, NULL);
	if (change->now_ms < controller->filter_retry_ms)
		return 0;
	return change->interfaces_moved || change->sources_moved ||
	       filter_is_behind(controller->filter, change->sets, live);
}

/* For a rule, or for live entries, the filter that is live: lists are none of their business. */
static int build(struct change *change, const struct config *live)
{
	const struct sets_filter *filter = change->controller->filter;

	if (change->kind != CHANGE_RULE && change->kind != CHANGE_FOLD) {
		int error = sets_filter_open(change->sets, change->config ? change->config : live, &change->filter,
					     warn_into, change->warnings, &change->problem);

		if (error)
			return error;
		filter = change->filter;
	}
	doing_set(&change->controller->doing, "building the tables and writing them", 0, 0);
	return reconcile_plan_build(change->plan, change->config, &filter->model, &change->problem);
}

static int prepare(struct change *change)
{
	const struct config *live = reconcile_config(change->controller->reconcile);
	int next = 1;

	*change->controller->doing.set = '\0';
	if (change->kind == CHANGE_APPLY || change->kind == CHANGE_RELOAD)
		next = read_configuration(change);
	else if (change->kind == CHANGE_SET || change->kind == CHANGE_FOLLOW)
		next = read_sets(change, live);
	if (next > 0)
		next = build(change, live) ?: 1;
	doing_set(&change->controller->doing, "", 0, 0);
	return next;
}

/* --- on the loop, after ----------------------------------------------------------------------------------- */

static void follow(struct change *change)
{
	struct controller *controller = change->controller;
	uint32_t generation = reconcile_generation(controller->reconcile);

	switch (change->kind) {
	case CHANGE_APPLY:
	case CHANGE_START:
	case CHANGE_RELOAD:
		controller_follow(controller, change->kind == CHANGE_START, change->warnings);
		break;
	case CHANGE_FOLLOW:
		controller->filter_retry_ms = 0;
		if (change->sources_moved)
			log_warning("this host's addresses changed: generation %u is live, its tunnels are sent from "
				    "the new ones",
				    generation);
		else
			log_info("sets or interfaces changed: generation %u is live", generation);
		break;
	case CHANGE_RULE:
	case CHANGE_SET:
	case CHANGE_FOLD:
		break;
	}
}

/* ready: as prepare returns it. */
static void finish(struct change *change, int ready)
{
	struct controller *controller = change->controller;

	if (change->sets) { /* what was read counts, whatever comes of it */
		sets_close(controller->sets);
		controller->sets = TAKE_PTR(change->sets);
	}
	if (ready > 0 && controller->is_stopping)
		ready = problem_set(&change->problem, -ECANCELED, "the controller is stopping");
	if (ready > 0 && change->config)
		marks_prepare(controller, change->config, change->warnings);
	if (ready > 0)
		ready = reconcile_plan_commit(change->plan, change->config, &change->problem) ?: 1;
	change->error = ready < 0 ? ready : 0;
	if (ready <= 0)
		return;
	change->config = NULL;
	if (change->filter) {
		sets_filter_close(controller->filter);
		controller->filter = TAKE_PTR(change->filter);
	}
	change->is_live = true;
	follow(change);
}

static void log_failure(const struct change *change)
{
	char text[sizeof(change->problem.text)], *rest = text, *line;

	memcpy(text, change->problem.text, sizeof(text));
	while ((line = strsep(&rest, "\n")))
		if (*line)
			log_error("%s", line);
}

static void start_next(struct controller *controller);

/* Whoever asked is told when all is as it will be. */
static void end(struct change *change)
{
	struct controller *controller = change->controller;

	reconcile_plan_close(TAKE_PTR(change->plan));
	controller->changes = change->next;
	if (change->end)
		change->end(change);
	else if (change->error)
		log_failure(change);
	change_free(change);
	start_next(controller);
}

/* --- the queue -------------------------------------------------------------------------------------------- */

static void on_work(uv_work_t *work)
{
	struct change *change = work->data;

	change->error = prepare(change);
}

static void on_await(uv_work_t *work)
{
	struct change *change = work->data;

	reconcile_plan_await(change->plan);
}

static void on_awaited(uv_work_t *work, int status)
{
	struct change *change = work->data;

	if (status < 0)
		reconcile_plan_await(change->plan);
	end(change);
}

static void on_worked(uv_work_t *work, int status)
{
	struct change *change = work->data;

	finish(change,
	       status < 0 ? problem_set(&change->problem, status, "the controller is stopping") : change->error);
	if (!change->is_live || !reconcile_plan_is_turning(change->plan))
		end(change);
	else if (uv_queue_work(&change->controller->loop, &change->work, on_await, on_awaited))
		on_awaited(work, -1);
}

/* The first of the queue, unless it is under way. */
static void start_next(struct controller *controller)
{
	struct change *change = controller->changes;
	int error;

	if (!change)
		return;
	error = controller->is_stopping ? problem_set(&change->problem, -ECANCELED, "the controller is stopping")
					: begin(change);
	if (!error) {
		change->work.data = change;
		error = uv_queue_work(&controller->loop, &change->work, on_work, on_worked);
		if (error)
			problem_set(&change->problem, error, "no thread for the change: %s", uv_strerror(error));
	}
	if (!error)
		return;
	finish(change, error);
	end(change);
}

void change_queue(struct change *change)
{
	struct change **last = &change->controller->changes;

	while (*last)
		last = &(*last)->next;
	*last = change;
	if (change == change->controller->changes)
		start_next(change->controller);
}

int change_make(struct change *change, struct problem *problem)
{
	int error = begin(change);

	finish(change, error ? error : prepare(change));
	error = change->error;
	if (error)
		*problem = change->problem;
	if (change->is_live && reconcile_plan_is_turning(change->plan))
		reconcile_plan_await(change->plan);
	change_free(change);
	return error;
}

void changes_stop(struct controller *controller)
{
	controller->is_stopping = true;
	while (controller->changes || controller->saving)
		uv_run(&controller->loop, UV_RUN_ONCE);
}
