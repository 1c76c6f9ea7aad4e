/* SPDX-License-Identifier: BSD-2-Clause */
/* The frame codec: a 32-bit length in network byte order, then that many bytes of a JSON object. */
#include "control.h"
#include "../base/scope.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#define HEADER_BYTES 4

ssize_t control_frame_decode(const void *data, size_t size, json_t **json)
{
	uint32_t length;
	json_t *parsed;

	if (size < HEADER_BYTES)
		return 0;
	memcpy(&length, data, sizeof(length));
	length = ntohl(length);
	if (length > CONTROL_FRAME_MAX)
		return -EMSGSIZE;
	if (!length)
		return -EBADMSG;
	if (size - HEADER_BYTES < length)
		return 0;
	parsed = json_loadb((const char *)data + HEADER_BYTES, length, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(parsed)) {
		json_decref(parsed);
		return -EBADMSG;
	}
	*json = parsed;
	return HEADER_BYTES + (ssize_t)length;
}

int control_frame_encode(const json_t *json, void **data, size_t *size)
{
	size_t length = json_dumpb(json, NULL, 0, JSON_COMPACT);
	AUTO_FREE char *frame = NULL;
	uint32_t header;

	if (!length)
		return -EINVAL;
	if (length > CONTROL_FRAME_MAX)
		return -EMSGSIZE;
	frame = malloc(HEADER_BYTES + length);
	if (!frame)
		return -ENOMEM;
	header = htonl((uint32_t)length);
	memcpy(frame, &header, sizeof(header));
	if (json_dumpb(json, frame + HEADER_BYTES, length, JSON_COMPACT) != length)
		return -ENOMEM;
	*data = TAKE_PTR(frame);
	*size = HEADER_BYTES + length;
	return 0;
}
