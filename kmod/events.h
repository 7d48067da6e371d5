/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What happened: the last events.
 */
#ifndef _CTK_EVENTS_H
#define _CTK_EVENTS_H

#include <linux/bits.h>
#include <linux/types.h>
#include <linux/ctk.h>
#include "actor.h"
#include "netns.h"

/**
 * struct ctk_event - something that happened
 * @seq: counts all events, from 1
 * @netns_seq: counts those of the namespace, from 1
 * @time: CLOCK_BOOTTIME nanoseconds; 0 before ctk_event_add() is now
 * @has: BIT(CTK_A_EVENT_*) of what is set below, save @netns_id and
 *	@netns_inum, which count with a @netns_id, and @actor, with its pid
 * @type: what
 * @netns_id: where; 0 for what is true of all namespaces
 * @netns_inum: likewise
 * @old: as all that follows: see ctk.yaml
 */
struct ctk_event {
	u64 seq;
	u64 netns_seq;
	u64 time;
	u32 has;
	enum ctk_event_type type;
	u64 netns_id;
	u32 netns_inum;
	u32 old;
	u32 new;
	u32 limit;
	u32 buckets;
	u32 entries;
	u32 fill;
	u32 threshold;
	u32 peak;
	u64 duration;
	u64 lost;
	struct ctk_losses losses;
	struct ctk_actor actor;
};

#define CTK_EVENT_HAS(name) BIT(CTK_A_EVENT_##name)

/**
 * struct ctk_event_field - a member that &ctk_event.has speaks of
 * @name: as the JSON key of ctkstat
 * @attr: CTK_A_EVENT_*
 * @size: of the member, that of a u32 or of a u64
 * @offset: of it
 */
struct ctk_event_field {
	const char *name;
	u8 attr;
	u8 size;
	u16 offset;
};

#define CTK_EVENT_FIELDS 15

extern const struct ctk_event_field ctk_event_fields[CTK_EVENT_FIELDS];

static inline bool ctk_event_has(const struct ctk_event *event,
				 const struct ctk_event_field *field)
{
	return event->has & BIT(field->attr);
}

static inline u64 ctk_event_value(const struct ctk_event *event,
				  const struct ctk_event_field *field)
{
	const void *member = (const char *)event + field->offset;

	return field->size == sizeof(u64) ? *(const u64 *)member :
					    *(const u32 *)member;
}

void ctk_event_add(struct ctk_event *event, struct ctk_netns *ns);
bool ctk_event_next(u64 seq, u64 netns_id, struct ctk_event *event);

int ctk_events_init(unsigned int room);
void ctk_events_open(bool log);
void ctk_events_close(void);
void ctk_events_exit(void);

#endif /* _CTK_EVENTS_H */
