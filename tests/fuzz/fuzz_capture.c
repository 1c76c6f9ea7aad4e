/* SPDX-License-Identifier: BSD-2-Clause */
/* Captures from strangers: whatever the bytes, the reader ends, stays in its bounds and says why it stopped. */
#include "user/replay/replay.h"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct replay_reader *reader = NULL;
	struct replay_packet packet;
	struct problem problem = {0};
	volatile uint8_t seen = 0;
	FILE *file;
	int result;

	if (!size)
		return 0;
	file = fmemopen((void *)(uintptr_t)data, size, "r");
	if (!file)
		return 0;
	if (replay_reader_stream(file, "capture", &reader, &problem)) {
		if (!problem.text[0])
			abort();
		fclose(file);
		return 0;
	}
	while ((result = replay_reader_next(reader, &packet, &problem)) == 1) {
		if (packet.size > (256u << 10) || packet.original_size < packet.size)
			abort();
		for (size_t i = 0; i < packet.size; i++)
			seen ^= packet.data[i];
	}
	if (result && !problem.text[0])
		abort();
	replay_reader_close(reader);
	return 0;
}
