/* SPDX-License-Identifier: BSD-2-Clause */
/* The controller's life: the start that leaves the old dataplane alone until the new one is ready, the loop, the
 * exit that leaves everything pinned and working. */
#include "change.h"
#include "instance.h"
#include "notify.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/scope.h"
#include <errno.h>
#include <signal.h>
#include <string.h>

#define TICK_MS		  1000
#define INTERFACES_EVERY  2  /* ticks between looks at the devices, beside what netlink tells */
#define ROUTES_EVERY	  5  /* ticks between looks at the backends' routes and neighbours, beside what netlink tells */
#define CLOSING_TURNS_MAX 64 /* of the loop: closing needs a few */

static void on_tick(uv_timer_t *timer)
{
	struct controller *controller = timer->data;

	reconcile_tick(controller->reconcile, (uint64_t)(clock_read_ns(CLOCK_MONOTONIC) / NS_PER_MS));
	if (++controller->ticks % INTERFACES_EVERY == 0)
		interfaces_check(controller);
	saving_keep(controller);
	filter_keep(controller);
	fold_keep(controller);
	if (controller->ticks % ROUTES_EVERY == 0) {
		filter_keep_sources(controller);
		neighbours_keep(controller);
	}
	notify_send("WATCHDOG=1");
}

static void on_links_changed(void *arg)
{
	interfaces_check(arg);
	filter_keep_sources(arg);
	neighbours_keep(arg);
}

static void on_stop_signal(uv_signal_t *signal, int number)
{
	struct controller *controller = signal->data;

	log_info("%s: stopping; the dataplane stays attached and goes on with generation %u, without health checks",
		 number == SIGTERM ? "SIGTERM" : "SIGINT", reconcile_generation(controller->reconcile));
	notify_send("STOPPING=1");
	uv_stop(&controller->loop);
}

static void on_reloaded(struct change *change)
{
	char *rest = change->problem.text, *line;

	if (!change->error)
		return;
	while ((line = strsep(&rest, "\n")))
		if (*line)
			log_error("%s", line);
	log_error("the reload failed: generation %u stays live", reconcile_generation(change->controller->reconcile));
}

static void on_reload_signal(uv_signal_t *signal, int number)
{
	struct controller *controller = signal->data;
	struct change *change = change_new(controller, CHANGE_RELOAD, on_reloaded);

	(void)number;
	log_info("SIGHUP: reading %s again", controller->config_path);
	if (change)
		change_queue(change);
	else
		log_error("out of memory: the reload failed");
}

static int remember_settings(struct controller *controller, const char *config_path, const struct config *config,
			     struct problem *problem)
{
	AUTO_FREE char *resolved = realpath(config_path, NULL);
	const char *path = resolved ? resolved : config_path;

	if (strlen(path) >= sizeof(controller->config_path))
		return problem_set(problem, -ENAMETOOLONG, "%s: the path is too long", path);
	memcpy(controller->config_path, path, strlen(path) + 1);
	memcpy(controller->control_socket, config->control_socket, sizeof(controller->control_socket));
	memcpy(controller->pin_directory, config->pin_directory, sizeof(controller->pin_directory));
	memcpy(controller->state_directory, config->state_directory, sizeof(controller->state_directory));
	return 0;
}

/* No second instance comes past here: the lock of the state, the socket that answers, the lock of the pins. */
static int open_tables(struct controller *controller, const struct config *config, struct problem *problem)
{
	struct kernel_options options = {.pin_directory = controller->pin_directory};
	int fd = instance_lock_state(controller->state_directory, problem);
	int err;

	if (fd < 0)
		return fd;
	controller->state_lock = fd;
	err = control_server_open(&controller->loop, controller->control_socket, config->control_group, commands_handle,
				  controller, &controller->control, problem);
	if (err)
		return err;
	err = kernel_load(&options, &controller->kernel, problem);
	if (err)
		return err;
	fd = instance_lock_pins(controller->pin_directory, problem);
	if (fd < 0)
		return fd;
	controller->pins_lock = fd;
	controller->counters_since_ns =
		instance_counters_since(controller->state_directory, kernel_is_fresh(controller->kernel));
	err = sets_open(controller->state_directory, &controller->sets);
	if (err)
		return problem_set(problem, err, "out of memory");
	sets_watch(controller->sets, doing_read, &controller->doing);
	return reconcile_open(controller->kernel, controller->state_directory, &controller->reconcile, problem);
}

/* An interface that is not there yet is waited for; one that cannot be attached is a reason not to start. */
static int require_interfaces(const struct controller *controller, struct problem *problem)
{
	if (!controller->interfaces_count)
		log_warning("interfaces: is empty: nothing is filtered or steered until one is attached");
	for (size_t i = 0; i < controller->interfaces_count; i++) {
		const struct controller_interface *interface = &controller->interfaces[i];

		if (!interface->attached && !interface->missing)
			return problem_set(problem, -EIO, "interface %s cannot be attached: %s", interface->name,
					   interface->why);
	}
	return 0;
}

/* config is taken over. */
static int apply_first(struct controller *controller, struct config *config, struct problem *problem)
{
	struct change *change = change_new(controller, CHANGE_START, NULL);

	if (!change) {
		config_free(config);
		return problem_set(problem, -ENOMEM, "out of memory");
	}
	change->config = config;
	return change_make(change, problem);
}

static int start(struct controller *controller, struct config **config, struct problem *problem)
{
	int err = late_load(problem);

	if (!err)
		err = open_tables(controller, *config, problem);
	if (err)
		return err;
	err = loop_http_open(&controller->loop, &controller->http);
	if (!err)
		err = health_open(&controller->loop, controller->http, targets_result, controller, &controller->health);
	if (err)
		return problem_set(problem, err, "the event loop: %s", strerror(-err));
	err = route_open(&controller->routes);
	if (err)
		return problem_set(problem, err, "netlink: %s", strerror(-err));
	err = links_open(&controller->loop, on_links_changed, controller, &controller->links, problem);
	if (err)
		return err;
	err = apply_first(controller, TAKE_PTR(*config), problem);
	if (err)
		return err;
	return require_interfaces(controller, problem);
}

/* A signal during the start is acted upon after it. */
static void start_signals(struct controller *controller)
{
	const struct {
		uv_signal_t *handle;
		uv_signal_cb callback;
		int number;
	} signals[] = {
		{&controller->terminate, on_stop_signal, SIGTERM},
		{&controller->interrupt, on_stop_signal, SIGINT},
		{&controller->reload, on_reload_signal, SIGHUP},
	};

	signal(SIGPIPE, SIG_IGN);
	uv_timer_init(&controller->loop, &controller->tick);
	controller->tick.data = controller;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		uv_signal_init(&controller->loop, signals[i].handle);
		signals[i].handle->data = controller;
		uv_signal_start(signals[i].handle, signals[i].callback, signals[i].number);
	}
}

/* Closes what is open, of a whole or a failed start. Pins and links stay. */
static void stop(struct controller *controller)
{
	int left = 1;

	uv_close((uv_handle_t *)&controller->tick, NULL);
	uv_close((uv_handle_t *)&controller->terminate, NULL);
	uv_close((uv_handle_t *)&controller->interrupt, NULL);
	uv_close((uv_handle_t *)&controller->reload, NULL);
	control_server_close(controller->control);
	changes_stop(controller);
	links_close(controller->links);
	route_close(controller->routes);
	exporters_close(controller);
	if (controller->health)
		health_close(controller->health);
	for (int i = 0; left && i < CLOSING_TURNS_MAX; i++)
		left = uv_run(&controller->loop, UV_RUN_NOWAIT);
	if (controller->http)
		loop_http_close(controller->http);
	for (int i = 0; i < CLOSING_TURNS_MAX; i++)
		if (!uv_run(&controller->loop, UV_RUN_NOWAIT))
			break;
	if (controller->reconcile)
		reconcile_close(controller->reconcile);
	sets_filter_close(controller->filter);
	sets_close(controller->sets);
	if (controller->kernel)
		kernel_free(controller->kernel);
	if (controller->pins_lock >= 0)
		close(controller->pins_lock);
	if (controller->state_lock >= 0)
		close(controller->state_lock);
	free(controller->checks);
	doing_close(&controller->doing);
	uv_loop_close(&controller->loop);
}

int controller_run(const char *config_path, struct config *config, struct problem *problem)
{
	AUTO_FREE struct controller *controller = calloc(1, sizeof(*controller));
	int err = controller ? uv_loop_init(&controller->loop) : -ENOMEM;

	if (err) {
		config_free(config);
		return problem_set(problem, err, "out of memory");
	}
	doing_open(&controller->doing);
	controller->state_lock = controller->pins_lock = -1;
	controller->started_ns = (uint64_t)clock_read_ns(CLOCK_REALTIME);
	start_signals(controller);
	err = remember_settings(controller, config_path, config, problem);
	if (!err)
		err = start(controller, &config, problem);
	if (!err) {
		uv_timer_start(&controller->tick, on_tick, 0, TICK_MS);
		log_info("weir %s is ready: %zu interfaces, control socket %s", WEIR_VERSION,
			 controller->interfaces_count, controller->control_socket);
		notify_send("READY=1");
		uv_run(&controller->loop, UV_RUN_DEFAULT);
	}
	config_free(config);
	stop(controller);
	return err;
}
