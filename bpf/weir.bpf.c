/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The edge program: one pass over each frame, stage by stage, to one exit. DESIGN: docs/architecture.md. */
#include "parse.h"
#include "protect.h"
#include "admit.h"
#include "filter.h"
#include "limit.h"
#include "steer.h"
#include "forward.h"
#include "count.h"

/* Picks the generation that this packet sees from start to end, and its policy; NULL before the first one. */
static __always_inline struct weir_policy *choose_generation(struct packet *p)
{
	__u32 zero = 0;
	struct weir_live *now = bpf_map_lookup_elem(&live, &zero);
	struct weir_trace *t = packet_trace();

	if (!now)
		return NULL;
	p->sketch_seed = now->sketch_seed;
	p->heartbeat_ns = now->heartbeat_ns;
	p->allowed = *(volatile __u32 *)&now->reserved;
	p->rule_limit = *(volatile __u32 *)&now->reserved;
	p->matched = *(volatile __u32 *)&now->reserved;
	p->source_class = *(volatile __u32 *)&now->reserved;
	p->generation = t && t->generation ? t->generation : *(volatile __u32 *)&now->generation;
	if (!p->generation)
		return NULL;
	p->bank = p->generation & 1;
	return bank_lookup(policy, p->bank, &zero);
}

static __always_inline enum step walk(struct packet *p)
{
	struct weir_policy *policy;
	enum step step = stage_parse(p);

	if (step != STEP_NEXT)
		return step;
	policy = choose_generation(p);
	if (!policy)
		return packet_decide(p, WEIR_PASS, WEIR_REASON_NO_POLICY);
	step = stage_protect(p, policy);
	if (step != STEP_NEXT)
		return step;
	step = stage_admit(p, policy);
	if (step != STEP_NEXT)
		return step;
	step = stage_filter(p, policy);
	if (step != STEP_NEXT)
		return step;
	step = stage_limit(p, policy);
	if (step != STEP_NEXT)
		return step;
	step = stage_steer(p, policy);
	if (step != STEP_NEXT)
		return step;
	return stage_forward(p);
}

SEC("xdp")
int weir(struct xdp_md *ctx)
{
	struct packet packet = {.ctx = ctx};

	if (walk(&packet) == STEP_ANSWER)
		stage_answer(&packet);
	return stage_count(&packet);
}

char _license[] SEC("license") = "Dual BSD/GPL";
