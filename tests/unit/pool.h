/* SPDX-License-Identifier: BSD-2-Clause */
/* A pool of a model, without a configuration behind it. */
#ifndef WEIR_TESTS_UNIT_POOL_H
#define WEIR_TESTS_UNIT_POOL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "user/model/model.h"

/* n backends "pool/b0".. with ids from 1, all of weight 1 and in service. */
static inline struct model_pool make_pool(size_t n, uint32_t ring_size)
{
	struct model_pool pool = {.name = "pool", .backends_count = n, .ring_size = ring_size};

	pool.backends = calloc(n ?: 1, sizeof(*pool.backends));
	assert_non_null(pool.backends);
	for (size_t i = 0; i < n; i++) {
		struct model_backend *backend = &pool.backends[i];

		snprintf(backend->name, sizeof(backend->name), "pool/b%zu", i);
		backend->id = i + 1;
		backend->weight = 1;
		backend->takes_new = backend->keeps_old = true;
	}
	return pool;
}

#endif
