/*
 * Event types that have failed lately. Events of these are folded with a copy of their documents at hand, so that one that
 * fails costs no more than itself; and once one of them has failed as often as `errors` says, the others of its type that
 * fail are parked at once: what is wrong has been tried, and a topic on which every event fails must not stall the others.
 *
 * One worker's thread. Forgotten when nothing of a type has failed for a while.
 */
#ifndef VF_RUN_SUSPECTS_H
#define VF_RUN_SUSPECTS_H

#include "core/arena.h"
#include "core/event.h"

struct vf_suspects;

struct vf_suspects *vf_suspects_new(void);
void vf_suspects_free(struct vf_suspects *suspects); /* NULL is fine */

/* What stands for an event's type: its kind and type; of one that cannot be read, what of it could. In the arena. */
struct vf_bytes vf_suspect_key(struct vf_arena *arena, const struct vf_event *event);

/* Whether some event of this type has failed lately; whether one has failed for good. NULL: none has. */
bool vf_suspects_has(const struct vf_suspects *suspects, const struct vf_event *event);
bool vf_suspects_is_condemned(const struct vf_suspects *suspects, const struct vf_event *event);

/* One more failure; how many there have been since the type was taken up, this one included. */
int32_t vf_suspects_add(struct vf_suspects *suspects, struct vf_bytes key, int64_t now_ms);
/* It has failed for good. */
void vf_suspects_condemn(struct vf_suspects *suspects, struct vf_bytes key, int64_t now_ms);

/* Events have been parked: those types that are condemned go on being so. */
void vf_suspects_keep(struct vf_suspects *suspects, int64_t now_ms);
/* Forgets what has not failed for a minute. Cheap where there is nothing. */
void vf_suspects_age(struct vf_suspects *suspects, int64_t now_ms);

#endif
