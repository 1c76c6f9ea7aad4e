/* SPDX-License-Identifier: BSD-2-Clause */
/* Within the module: who serves, given health, overrides and the configuration's thresholds. */
#ifndef WEIR_MODEL_STATE_H
#define WEIR_MODEL_STATE_H

#include "model.h"

/* Sets the effective weights, takes_new and keeps_old of the backends and what they make of the pool. */
void model_pool_judge(struct model_pool *pool, const struct config_pool *config);

/* The pool that serves, as an index of pools (model.pools), or -1. */
int model_service_choose(const struct config_service *service, const struct model_pool *pools);

#endif
