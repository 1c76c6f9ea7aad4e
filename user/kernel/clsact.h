/* SPDX-License-Identifier: BSD-2-Clause */
/* Within the kernel module: the mark program as a filter of a clsact qdisc, where the kernel has no TCX (before 6.6).
 */
#ifndef WEIR_KERNEL_CLSACT_H
#define WEIR_KERNEL_CLSACT_H

#include <stdbool.h>

#define CLSACT_PROGRAM "weir_mark" /* the name that tells our filter from those of others */

/* Adds the program as a filter, or replaces the one of a filter that is ours. *made_qdisc is set when there was no
 * clsact qdisc, and untouched else. 0 or -errno. */
int clsact_attach(unsigned int ifindex, int program, bool *made_qdisc);
bool clsact_is_attached(unsigned int ifindex);
/* Takes our filter away; the qdisc, too, when it is ours and nobody else has a filter there. 0, also where nothing is.
 */
int clsact_detach(unsigned int ifindex, bool is_our_qdisc);

#endif
