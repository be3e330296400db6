#include "lua/bytecode.h"

#include <lauxlib.h>

/* lopcodes.h, lobject.h and ldump.c of Lua 5.4. */
#define OP_SETUPVAL       10
#define INSTRUCTION_BYTES 4
#define LINE_IS_ABSOLUTE  (-0x80)
#define UPVALUES_MAX      255

enum { CONSTANT_FLOAT = 0x13, CONSTANT_INTEGER = 0x03, CONSTANT_SHORT = 0x04, CONSTANT_LONG = 0x14 };

/* Functions nest as deep as the parser lets them (200 levels of C). */
#define FUNCTIONS_DEEP_MAX 250

struct dump {
    lua_State *L;
    const unsigned char *at, *end;
    int deep;
};

static __attribute__((noreturn)) void unknown_form(lua_State *L)
{
    vf_lua_stop(L, VF_E_CONFIG, "this build's Lua library writes its code in a form that viewfold does not know (%s)",
                LUA_RELEASE);
}

static const unsigned char *take(struct dump *dump, size_t size)
{
    if ((size_t)(dump->end - dump->at) < size)
        unknown_form(dump->L);
    const unsigned char *taken = dump->at;
    dump->at += size;
    return taken;
}

static unsigned char take_byte(struct dump *dump)
{
    return *take(dump, 1);
}

/* Seven bits a byte, the highest first; the last byte has its high bit set. */
static size_t take_size(struct dump *dump)
{
    size_t size = 0;
    unsigned char byte;
    do {
        if (size > SIZE_MAX >> 8)
            unknown_form(dump->L);
        byte = take_byte(dump);
        size = size << 7 | (byte & 0x7f);
    } while (!(byte & 0x80));
    return size;
}

static void skip_string(struct dump *dump)
{
    size_t size = take_size(dump); /* one more than it has bytes; 0: none */
    if (size > 0)
        take(dump, size - 1);
}

static void skip_header(struct dump *dump)
{
    static const unsigned char begin[] = "\x1bLua\x54\x00\x19\x93\r\n\x1a\n\x04\x08\x08";
    if (memcmp(take(dump, sizeof begin - 1), begin, sizeof begin - 1) != 0)
        unknown_form(dump->L);
    take(dump, 8 + 8); /* an integer and a number, to be recognized */
    take_byte(dump);   /* how many upvalues: said again below */
}

static void skip_constants(struct dump *dump)
{
    for (size_t count = take_size(dump); count > 0; count--) {
        switch (take_byte(dump)) {
        case CONSTANT_FLOAT:
        case CONSTANT_INTEGER: take(dump, 8); break;
        case CONSTANT_SHORT:
        case CONSTANT_LONG: skip_string(dump); break;
        default: break; /* nil, false and true have nothing behind them */
        }
    }
}

/* Lines are told as the difference to the instruction before; now and then as they are. */
struct lines {
    const unsigned char *differences;
    size_t count;
    struct dump absolute; /* pairs of instruction and line */
    int line;
};

static struct lines take_lines(struct dump *dump, int first)
{
    struct lines lines = {.line = first};
    lines.count = take_size(dump);
    lines.differences = take(dump, lines.count);
    size_t absolute = take_size(dump);
    lines.absolute = *dump;
    for (size_t i = 0; i < 2 * absolute; i++)
        take_size(dump);
    lines.absolute.end = dump->at;
    for (size_t count = take_size(dump); count > 0; count--) { /* local variables */
        skip_string(dump);
        take_size(dump);
        take_size(dump);
    }
    for (size_t count = take_size(dump); count > 0; count--) /* upvalues' names */
        skip_string(dump);
    return lines;
}

/* The line of the next instruction. */
static int next_line(struct lines *lines, size_t instruction)
{
    signed char difference = (signed char)lines->differences[instruction];
    if (difference != LINE_IS_ABSOLUTE) {
        lines->line += difference;
    } else {
        take_size(&lines->absolute);
        lines->line = (int)take_size(&lines->absolute);
    }
    return lines->line;
}

/* What a function does to the variables of the one around it. */
struct assigned {
    int line[UPVALUES_MAX + 1]; /* of each of its upvalues, from 0: where it is first assigned; 0: nowhere */
    unsigned char count;
    unsigned char in_stack[UPVALUES_MAX + 1], index[UPVALUES_MAX + 1]; /* where the function around it has it */
};

static void read_function(struct dump *dump, struct assigned *assigned);

static void note(struct dump *dump, struct assigned *assigned, int upvalue, int line)
{
    if (upvalue >= assigned->count)
        unknown_form(dump->L);
    if (assigned->line[upvalue] == 0 || line < assigned->line[upvalue])
        assigned->line[upvalue] = line;
}

/* The functions inside it: what they do to its own upvalues, they do for it. */
static void read_inner(struct dump *dump, struct assigned *assigned)
{
    for (size_t count = take_size(dump); count > 0; count--) {
        struct assigned *inner = lua_newuserdatauv(dump->L, sizeof *inner, 0);
        read_function(dump, inner);
        for (int i = 0; i < inner->count; i++)
            if (inner->line[i] > 0 && !inner->in_stack[i])
                note(dump, assigned, inner->index[i], inner->line[i]);
        lua_pop(dump->L, 1);
    }
}

static void read_function(struct dump *dump, struct assigned *assigned)
{
    memset(assigned, 0, sizeof *assigned);
    if (++dump->deep > FUNCTIONS_DEEP_MAX)
        unknown_form(dump->L);
    vf_lua_check_stack(dump->L, 2);
    skip_string(dump); /* the source's name */
    int first_line = (int)take_size(dump);
    take_size(dump); /* the last line */
    take(dump, 3);   /* parameters, whether varargs, stack size */
    size_t instructions = take_size(dump);
    if (instructions > SIZE_MAX / INSTRUCTION_BYTES)
        unknown_form(dump->L);
    const unsigned char *code = take(dump, instructions * INSTRUCTION_BYTES);
    vf_lua_spend(dump->L, (int64_t)instructions);
    skip_constants(dump);
    size_t upvalues = take_size(dump);
    if (upvalues > UPVALUES_MAX)
        unknown_form(dump->L);
    assigned->count = (unsigned char)upvalues;
    for (size_t i = 0; i < upvalues; i++) {
        assigned->in_stack[i] = take_byte(dump);
        assigned->index[i] = take_byte(dump);
        take_byte(dump); /* its kind */
    }
    read_inner(dump, assigned);
    struct lines lines = take_lines(dump, first_line);
    if (lines.count != instructions) /* a dump without lines is not ours */
        unknown_form(dump->L);
    for (size_t i = 0; i < instructions; i++) {
        uint32_t instruction;
        int line = next_line(&lines, i);
        memcpy(&instruction, code + i * INSTRUCTION_BYTES, sizeof instruction);
        if ((instruction & 0x7f) == OP_SETUPVAL)
            note(dump, assigned, (int)(instruction >> 16 & 0xff), line);
    }
    dump->deep--;
}

static int add_to_buffer(lua_State *L, const void *data, size_t size, void *buffer)
{
    (void)L;
    vf_buffer_add(buffer, data, size);
    return 0;
}

struct vf_assignment vf_lua_outside_assignment(lua_State *L, int index)
{
    struct vf_buffer *text = &vf_lua_projector(L)->out;
    struct vf_assignment first = {.upvalue = 0, .line = 0};
    int top = lua_gettop(L);
    vf_lua_check_stack(L, 4);
    lua_pushvalue(L, index);
    vf_buffer_clear(text);
    if (lua_dump(L, add_to_buffer, text, false) != 0)
        unknown_form(L);
    struct assigned *assigned = lua_newuserdatauv(L, sizeof *assigned, 0);
    struct dump dump = {.L = L, .at = (unsigned char *)text->data, .end = (unsigned char *)text->data + text->size};
    skip_header(&dump);
    read_function(&dump, assigned);
    if (dump.at != dump.end)
        unknown_form(L);
    for (int i = 0; i < assigned->count; i++)
        if (assigned->line[i] > 0 && (first.upvalue == 0 || assigned->line[i] < first.line))
            first = (struct vf_assignment){.upvalue = i + 1, .line = assigned->line[i]};
    lua_settop(L, top);
    return first;
}

void vf_lua_check_bytecode(lua_State *L)
{
    /* Functions that assign to the second of their upvalues in line 2, by an inner function, and not at all. */
    static const char *const texts[] = {
        "local a, b = 1, 2\nreturn function() local c = a b = c end",
        "local a, b = 1, 2 return function() local c = a c = 3 return function()\nc = 4 b = c return a end end",
        "local a, b = 1, 2\nreturn function() local c = a c = b return function() c = b return a end end",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (luaL_loadbufferx(L, texts[i], strlen(texts[i]), "=probe", "t") != LUA_OK)
            lua_error(L);
        lua_call(L, 0, 1);
        struct vf_assignment found = vf_lua_outside_assignment(L, -1);
        bool right = i < 2 ? found.upvalue == 2 && found.line == 2 : found.upvalue == 0;
        if (!right)
            unknown_form(L);
        lua_pop(L, 1);
    }
}
