/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stage 6, steer: VIP -> service -> slot of its ring -> backend.
 *
 * The slot's current backend serves, unless the slot is in transition: then a SYN (and everything that has no
 * connection) goes to the current backend, a segment of a connection not seen since the change to the previous one,
 * and both are recorded. Where nobody takes new flows, those that there are go on all the same. The hash has no secret
 * and no state: every edge with the same configuration agrees.
 */
#ifndef WEIR_BPF_STEER_H
#define WEIR_BPF_STEER_H

#include "flow.h"
#include "answer.h"

static __always_inline struct weir_service *steer_find_service(struct packet *p, __u32 *index)
{
	struct weir_port_key key = {.vip = p->vip - 1, .port = p->dport, .protocol = p->flow_protocol};
	__u32 *found = bank_lookup(ports, p->bank, &key);

	if (!found && key.port) {
		key.port = 0;
		found = bank_lookup(ports, p->bank, &key);
	}
	if (!found)
		return NULL;
	*index = *found;
	return bank_lookup(services, p->bank, index);
}

/* A tag of the slot that the addresses have, but of this flow: connections of one source can have different backends
 * while its slot changes. */
static __always_inline __u32 steer_tag_of_source(__u32 tag, __u32 flow, __u32 size)
{
	__u64 slot = weir_flow_slot(tag, size);
	__u32 first = ((slot << 32) + size - 1) / size, span = 0xffffffff / size;

	return first + ((__u64)flow * span >> 32);
}

static __always_inline void steer_hash(struct packet *p, const struct weir_policy *policy, __u8 affinity, __u32 size)
{
	__u64 hash = hash_addr(policy->steer_seed, &p->client, p->family), flow;

	hash = hash_addr(hash, &p->destination, p->family);
	flow = hash_mix(hash, (__u64)p->flow_protocol << 32 | (__u32)p->sport << 16 | p->dport);
	flow = hash_mix(flow, flow >> 29);
	if (affinity == WEIR_AFFINITY_SOURCE) {
		hash = hash_mix(hash, hash >> 29);
		flow = (__u64)steer_tag_of_source(hash >> 32, flow >> 32, size) << 32 | (__u32)flow;
	}
	p->flow_hash = flow;
}

#define STEER_CLOSING 0x05 /* FIN, RST */

/* The backend of a packet whose slot is not settled. */
static __always_inline __u32 steer_unsettled(struct packet *p, const struct weir_slot *slot)
{
	bool is_new = count_is_new_flow(p);
	bool records = slot->state == WEIR_SLOT_TRANSITION;
	__u32 backend, known = 0, now_s, use = FLOW_REFRESH;

	if (p->flow_protocol != IPPROTO_TCP)
		return slot->current; /* datagrams move at once */
	now_s = packet_clock() / 1000000000;
	/* SYNs and ICMP errors keep no record young: they prove no connection. A SYN that is recorded in any case need
	 * not be looked up: a flood of them is what unsettled slots have to bear. */
	if (is_new || p->quote)
		use = FLOW_LEAVE;
	else if (p->tcp_flags & STEER_CLOSING)
		use = FLOW_CLOSE;
	if (!is_new || !records)
		known = flow_find(p->flow_hash, slot->since_s, now_s, use, records ? 0 : slot->current);
	if (!is_new) {
		if (known) {
			TRACE(exception, 1);
			return known;
		}
		if (!slot->previous)
			return slot->current;
		TRACE(exception, 2);
		backend = slot->previous;
	} else {
		backend = slot->current;
	}
	/* A port used again: what its last connection left behind must not catch the new one. */
	if (backend && !p->quote && (records || (is_new && known)))
		flow_record(p->flow_hash, backend, now_s);
	return backend;
}

static __always_inline __u32 steer_pick_backend(struct packet *p, const struct weir_ring *ring)
{
	__u32 position = weir_flow_slot(WEIR_FLOW_TAG(p->flow_hash), ring->size);
	__u32 index = ring->base + position;
	__u64 *word = bank_lookup(slots, p->bank, &index);
	union {
		__u64 word;
		struct weir_slot slot;
	} is;

	if (!word)
		return 0;
	is.word = *(volatile __u64 *)word; /* whole: it may be replaced meanwhile */
	TRACE(slot, position);
	TRACE(ring_size, ring->size);
	TRACE(slot_current, is.slot.current);
	TRACE(slot_previous, is.slot.previous);
	TRACE(slot_state, is.slot.state);
	if (is.slot.state == WEIR_SLOT_SETTLED)
		return is.slot.current;
	return steer_unsettled(p, &is.slot);
}

static __always_inline enum step steer_without_backend(struct packet *p, __u8 fallback)
{
	if (fallback == WEIR_FALLBACK_KERNEL)
		return packet_decide(p, WEIR_PASS, WEIR_REASON_FALLBACK_KERNEL);
	if (fallback == WEIR_FALLBACK_REJECT && !answer_is_barred(p))
		return answer_reject(p, WEIR_REASON_FALLBACK_REJECT);
	return packet_decide(p, WEIR_DROP, WEIR_REASON_NO_BACKEND);
}

static __always_inline enum step steer_icmp(struct packet *p)
{
	if (answer_is_echo_request(p))
		return answer_with(p, ANSWER_ECHO, WEIR_REASON_VIP_ECHO);
	return packet_decide(p, WEIR_DROP, WEIR_REASON_VIP_ICMP);
}

static __always_inline enum step stage_steer(struct packet *p, const struct weir_policy *policy)
{
	struct weir_service *service;
	__u32 index = 0;
	union {
		__u64 word;
		struct weir_ring ring;
	} ring = {};
	__u64 *word;

	p->stage = WEIR_STAGE_STEER;
	if (!p->vip)
		return packet_decide(p, WEIR_PASS, WEIR_REASON_NOT_VIP);
	if (p->fragment)
		return packet_decide(p, WEIR_DROP, WEIR_REASON_VIP_FRAGMENT);
	service = steer_find_service(p, &index);
	if (!service)
		return p->protocol == IPPROTO_ICMP && !p->quote ? steer_icmp(p)
								: packet_decide(p, WEIR_DROP, WEIR_REASON_NO_SERVICE);
	p->service = service->id;
	word = bank_lookup(rings, p->bank, &index);
	if (word)
		ring.word = *(volatile __u64 *)word;
	if (!ring.ring.size)
		return steer_without_backend(p, service->fallback);
	steer_hash(p, policy, service->affinity, ring.ring.size);
	p->backend = steer_pick_backend(p, &ring.ring);
	if (!p->backend)
		return steer_without_backend(p, service->fallback);
	return STEP_NEXT;
}

#endif
