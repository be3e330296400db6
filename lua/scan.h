/*
 * Which names a script uses that it does not declare, which it declares and does not use, and what its functions do with
 * their parameters: read from its text, so that lint can say line and column without running it. The text has to be one that Lua compiles; of any other, the walk ends
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
    VF_SCANNED_FIELD,  /* `member` of a local is read or set: doc.name, doc["name"] */
    VF_SCANNED_ANY_FIELD, /* a function's first parameter has a field read or set whose name is not in the text: doc[name] */
    VF_SCANNED_PARAMETER, /* what a function does with a parameter; told when the function ends */
};

struct vf_scanned_parameter {
    int function_line;   /* as Lua counts: where its parameters begin */
    int parameter_count; /* that the function has */
    int position;        /* from 1 */
    bool passed;         /* it is used by itself: compared, given on, assigned */
    int field_line;      /* the first place where a field of it is used; 0: nowhere */
    int field_column;
    bool uses_data;           /* x.data, or x[...] */
    struct vf_bytes set_type; /* x.type = "...": the text; data NULL: nothing like it */
    bool sets_other_type;     /* x.type = ... something else too */
};

struct vf_scanned_name {
    enum vf_scanned what;
    struct vf_bytes name;
    struct vf_bytes member;
    const struct vf_scanned_parameter *parameter;
    const char *near; /* of a global: a local of a like name that is there to be used; NULL: none */
    int line;
    int column; /* in bytes, from 1 */
};

void vf_lua_scan(struct vf_bytes script, void (*found)(void *self, const struct vf_scanned_name *name), void *self);

#endif
