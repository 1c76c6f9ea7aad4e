/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes the state file beside the loop: with a hundred thousand live entries that takes a while. */
#include "composition.h"

struct saving {
	uv_work_t work;
	struct controller *controller;
	struct reconcile_save *save;
};

static void on_work(uv_work_t *work)
{
	struct saving *saving = work->data;

	reconcile_save_write(saving->save);
}

static void on_worked(uv_work_t *work, int status)
{
	struct saving *saving = work->data;

	(void)status;
	saving->controller->saving = NULL;
	reconcile_save_close(saving->save);
	free(saving);
}

void saving_keep(struct controller *controller)
{
	struct saving *saving = calloc(1, sizeof(*saving));

	if (saving)
		saving->save = reconcile_save_open(controller->reconcile);
	if (!saving || !saving->save) {
		free(saving);
		return;
	}
	saving->controller = controller;
	saving->work.data = saving;
	controller->saving = saving;
	/* It fails for want of a function alone. */
	uv_queue_work(&controller->loop, &saving->work, on_work, on_worked);
}
