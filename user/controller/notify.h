/* SPDX-License-Identifier: BSD-2-Clause */
/* Word to the service manager (the sd_notify protocol). Private to controller/. */
#ifndef WEIR_CONTROLLER_NOTIFY_H
#define WEIR_CONTROLLER_NOTIFY_H

/* Sends a state such as "READY=1" to $NOTIFY_SOCKET; does nothing when there is none. */
void notify_send(const char *state);

#endif
