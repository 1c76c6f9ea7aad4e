/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes the control protocol: whatever decodes must encode to a frame that decodes to the same object. */
#include <user/control/control.h>

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	while (size) {
		json_t *json = NULL, *again = NULL;
		ssize_t used = control_frame_decode(data, size, &json);
		void *frame = NULL;
		size_t frame_size;

		if (used <= 0)
			break;
		if ((size_t)used > size || !json)
			abort();
		if (!control_frame_encode(json, &frame, &frame_size)) {
			if (control_frame_decode(frame, frame_size, &again) != (ssize_t)frame_size ||
			    !json_equal(json, again))
				abort();
		}
		free(frame);
		json_decref(json);
		json_decref(again);
		data += used;
		size -= (size_t)used;
	}
	return 0;
}
