/* SPDX-License-Identifier: BSD-2-Clause */
/* One probe, started and forgotten: what the health engine asks of the TCP and HTTP probers. */
#ifndef WEIR_HEALTH_PROBE_H
#define WEIR_HEALTH_PROBE_H

#include "health.h"

struct probe_outcome {
	bool ok;
	int local_error; /* -errno when this host could not even ask (no descriptors, no memory): nobody's failure */
	char error[160]; /* as in struct health_result */
};

/* Called once, on the loop, unless the probe was cancelled; the probe is gone by then. */
typedef void probe_done(void *arg, const struct probe_outcome *outcome);

struct probe {
	void (*cancel)(struct probe *probe); /* done is not called after it */
};

/* Neither has a timeout of its own: the engine cancels. 0, or -errno with nothing started. */
int probe_tcp_start(uv_loop_t *loop, const struct addr *address, uint16_t port, probe_done *done, void *arg,
		    struct probe **out);
/* *check must live as long as the probe. */
int probe_http_start(struct loop_http *http, const struct addr *address, const struct config_health *check,
		     probe_done *done, void *arg, struct probe **out);

/* Fills in what a system error (-errno) says about the probe. */
void probe_outcome_from_errno(struct probe_outcome *outcome, int error);

#endif
