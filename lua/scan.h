/*
 * Which names a script uses that it does not declare, and which it declares and does not use: read from its text, so that
 * lint can say line and column without running it. The text has to be one that Lua compiles; of any other, the walk ends
 * somewhere. Pure but for what it calls; allocates while it runs.
 */
#ifndef VF_LUA_SCAN_H
#define VF_LUA_SCAN_H

#include "core/bytes.h"

enum vf_scanned {
    VF_SCANNED_READ,   /* a global is read */
    VF_SCANNED_WRITE,  /* a global is set */
    VF_SCANNED_MEMBER, /* `member` of a global is read: string.rep */
    VF_SCANNED_UNUSED, /* a local variable that nothing reads */
};

struct vf_scanned_name {
    enum vf_scanned what;
    struct vf_bytes name;
    struct vf_bytes member;
    const char *near; /* of a global: a local of a like name that is there to be used; NULL: none */
    int line;
    int column; /* in bytes, from 1 */
};

void vf_lua_scan(struct vf_bytes script, void (*found)(void *self, const struct vf_scanned_name *name), void *self);

#endif
