#include "lua/scan.h"

#include "lua/names.h"

#include <ctype.h>
#include <stdlib.h>

/* Deeper than Lua's own parser goes (200). */
#define DEPTH_MAX 400

enum token_kind { TOKEN_END, TOKEN_NAME, TOKEN_WORD, TOKEN_NUMBER, TOKEN_STRING, TOKEN_SIGN };

struct token {
    enum token_kind kind;
    struct vf_bytes text;
    int line;
    int column;
};

struct local {
    struct vf_bytes name;
    int line;
    int column;
    bool hidden; /* declared by what follows: local x = x */
    bool used;
    bool parameter;                          /* of a function or a loop: nobody need use it */
    struct vf_scanned_parameter of_function; /* position 0: it is none of a function */
};

struct scan {
    const char *at;
    const char *end;
    const char *line_begin;
    int line;
    int depth;
    struct token token; /* the one to be read next */
    struct token ahead; /* the one behind it */
    struct local *locals;
    size_t local_count;
    size_t local_capacity;
    void (*found)(void *self, const struct vf_scanned_name *name);
    void *self;
};

/* --- tokens ------------------------------------------------------------------------------------------------------- */

static void step(struct scan *scan)
{
    if (*scan->at++ == '\n') {
        scan->line++;
        scan->line_begin = scan->at;
    }
}

static bool starts(const struct scan *scan, const char *text)
{
    size_t size = strlen(text);
    return (size_t)(scan->end - scan->at) >= size && memcmp(scan->at, text, size) == 0;
}

/* Skips [[...]] and [==[...]==]; false where none begins here. */
static bool skip_long(struct scan *scan)
{
    const char *at = scan->at + 1;
    while (at < scan->end && *at == '=')
        at++;
    if (at >= scan->end || *at != '[')
        return false;
    size_t level = (size_t)(at - scan->at - 1);
    while (scan->at <= at)
        step(scan);
    for (; scan->at < scan->end; step(scan)) {
        if (*scan->at != ']' || (size_t)(scan->end - scan->at) < level + 2 || scan->at[level + 1] != ']')
            continue;
        size_t found = 0;
        while (found < level && scan->at[1 + found] == '=')
            found++;
        if (found == level) {
            scan->at += level + 2;
            return true;
        }
    }
    return true;
}

static void skip_space(struct scan *scan)
{
    for (;;) {
        if (scan->at < scan->end && isspace((unsigned char)*scan->at)) {
            step(scan);
        } else if (starts(scan, "--")) {
            scan->at += 2;
            if (scan->at < scan->end && *scan->at == '[' && skip_long(scan))
                continue;
            while (scan->at < scan->end && *scan->at != '\n')
                scan->at++;
        } else {
            return;
        }
    }
}

static void skip_quoted(struct scan *scan)
{
    char quote = *scan->at;
    scan->at++;
    while (scan->at < scan->end && *scan->at != quote) {
        if (*scan->at == '\\' && scan->at + 1 < scan->end)
            step(scan);
        step(scan);
    }
    if (scan->at < scan->end)
        scan->at++;
}

static void skip_number(struct scan *scan)
{
    bool hex = starts(scan, "0x") || starts(scan, "0X");
    while (scan->at < scan->end) {
        char lower = (char)tolower((unsigned char)*scan->at);
        scan->at++;
        bool sign = scan->at < scan->end && (*scan->at == '+' || *scan->at == '-') && lower == (hex ? 'p' : 'e');
        if (sign)
            continue;
        if (scan->at >= scan->end || !(isalnum((unsigned char)*scan->at) || *scan->at == '.'))
            return;
    }
}

static bool is_word(struct vf_bytes text)
{
    static const char *const words[] = {"and",      "break",  "do",   "else", "elseif", "end",   "false", "for",
                                        "function", "goto",   "if",   "in",   "local",  "nil",   "not",   "or",
                                        "repeat",   "return", "then", "true", "until",  "while", NULL};
    for (size_t i = 0; words[i]; i++)
        if (vf_bytes_is(text, words[i]))
            return true;
    return false;
}

static void skip_sign(struct scan *scan)
{
    static const char *const signs[] = {"...", "..", "==", "~=", "<=", ">=", "//", "::", "<<", ">>", NULL};
    for (size_t i = 0; signs[i]; i++) {
        if (starts(scan, signs[i])) {
            scan->at += strlen(signs[i]);
            return;
        }
    }
    scan->at++;
}

static struct token read_token(struct scan *scan)
{
    skip_space(scan);
    const char *begin = scan->at;
    struct token token = {.kind = TOKEN_END, .line = scan->line, .column = (int)(begin - scan->line_begin) + 1};
    if (begin >= scan->end)
        return token;
    if (isalpha((unsigned char)*begin) || *begin == '_') {
        while (scan->at < scan->end && (isalnum((unsigned char)*scan->at) || *scan->at == '_'))
            scan->at++;
        token.kind = is_word(vf_bytes(begin, (size_t)(scan->at - begin))) ? TOKEN_WORD : TOKEN_NAME;
    } else if (isdigit((unsigned char)*begin) ||
               (*begin == '.' && begin + 1 < scan->end && isdigit((unsigned char)begin[1]))) {
        skip_number(scan);
        token.kind = TOKEN_NUMBER;
    } else if (*begin == '"' || *begin == '\'') {
        skip_quoted(scan);
        token.kind = TOKEN_STRING;
    } else if (*begin == '[' && skip_long(scan)) {
        token.kind = TOKEN_STRING;
    } else {
        skip_sign(scan);
        token.kind = TOKEN_SIGN;
    }
    token.text = vf_bytes(begin, (size_t)(scan->at - begin));
    return token;
}

static struct token take(struct scan *scan)
{
    struct token taken = scan->token;
    scan->token = scan->ahead;
    scan->ahead = read_token(scan);
    return taken;
}

/* No Lua nests that deep. */
static void give_up(struct scan *scan)
{
    scan->at = scan->end;
    scan->token = scan->ahead = (struct token){.kind = TOKEN_END};
}

/* Words and signs; a name or a string of that text is none. */
static bool next_is(const struct scan *scan, const char *text)
{
    return (scan->token.kind == TOKEN_WORD || scan->token.kind == TOKEN_SIGN) && vf_bytes_is(scan->token.text, text);
}

static bool accept(struct scan *scan, const char *text)
{
    if (!next_is(scan, text))
        return false;
    take(scan);
    return true;
}

/* --- names -------------------------------------------------------------------------------------------------------- */

static void declare_local(struct scan *scan, struct token token, bool parameter, bool hidden)
{
    if (token.kind != TOKEN_NAME)
        return; /* not Lua */
    if (scan->local_count == scan->local_capacity) {
        scan->local_capacity = scan->local_capacity ? scan->local_capacity * 2 : 64;
        scan->locals = vf_realloc(scan->locals, scan->local_capacity * sizeof *scan->locals);
    }
    scan->locals[scan->local_count++] = (struct local){
        .name = token.text, .line = token.line, .column = token.column, .parameter = parameter, .hidden = hidden};
}

static void declare(struct scan *scan, struct token token, bool parameter)
{
    declare_local(scan, token, parameter, false);
}

static void declare_hidden(struct scan *scan, struct token token, bool parameter)
{
    declare_local(scan, token, parameter, true);
}

static void show(struct scan *scan, size_t begin)
{
    for (size_t i = begin; i < scan->local_count; i++)
        scan->locals[i].hidden = false;
}

static void copy_text(char *text, size_t room, struct vf_bytes bytes)
{
    size_t size = bytes.size < room ? bytes.size : 0; /* names beyond that are near to none */
    if (size > 0)
        memcpy(text, bytes.data, size);
    text[size] = 0;
}

static void tell(struct scan *scan, enum vf_scanned what, struct token token, struct vf_bytes member)
{
    if (token.kind != TOKEN_NAME)
        return; /* not Lua */
    char name[64], candidate[64], near[64] = "";
    copy_text(name, sizeof name, token.text);
    for (size_t i = scan->local_count; i > 0 && name[0]; i--) {
        copy_text(candidate, sizeof candidate, scan->locals[i - 1].name);
        const char *const both[] = {near[0] ? near : candidate, candidate, NULL};
        const char *nearest = vf_lua_nearest(name, both);
        if (nearest == candidate || (nearest && !near[0]))
            memcpy(near, candidate, sizeof near);
    }
    scan->found(scan->self, &(struct vf_scanned_name){.what = what,
                                                      .name = token.text,
                                                      .member = member,
                                                      .near = near[0] ? near : NULL,
                                                      .line = token.line,
                                                      .column = token.column});
}

/* Forgets the locals of a block that has ended. */
static void end_block(struct scan *scan, size_t begin)
{
    while (scan->local_count > begin) {
        const struct local *local = &scan->locals[--scan->local_count];
        if (local->of_function.position > 0)
            scan->found(scan->self, &(struct vf_scanned_name){.what = VF_SCANNED_PARAMETER,
                                                              .name = local->name,
                                                              .parameter = &local->of_function,
                                                              .line = local->line,
                                                              .column = local->column});
        if (!local->used && !local->parameter && local->name.data[0] != '_')
            scan->found(scan->self, &(struct vf_scanned_name){.what = VF_SCANNED_UNUSED,
                                                              .name = local->name,
                                                              .line = local->line,
                                                              .column = local->column});
    }
}

static struct local *find_local(struct scan *scan, struct vf_bytes name)
{
    for (size_t i = scan->local_count; i > 0; i--)
        if (!scan->locals[i - 1].hidden && vf_bytes_equal(scan->locals[i - 1].name, name))
            return &scan->locals[i - 1];
    return NULL;
}

/* e.type is read or set, and `e` has just been taken. */
static void note_type(struct scan *scan, struct vf_scanned_parameter *parameter)
{
    const char *at = scan->ahead.text.data + scan->ahead.text.size, *end = scan->end;
    while (at < end && isspace((unsigned char)*at))
        at++;
    if (at >= end || *at != '=' || (at + 1 < end && at[1] == '=')) {
        parameter->sets_other_type = parameter->sets_other_type || (at < end && *at == ',');
        return;
    }
    for (at++; at < end && isspace((unsigned char)*at);)
        at++;
    const char *close = at < end && (*at == '"' || *at == '\'') ? memchr(at + 1, *at, (size_t)(end - at - 1)) : NULL;
    struct vf_bytes text = close ? vf_bytes(at + 1, (size_t)(close - at - 1)) : (struct vf_bytes){0};
    if (!close || (parameter->set_type.data && !vf_bytes_equal(parameter->set_type, text)))
        parameter->sets_other_type = true;
    else
        parameter->set_type = text;
}

static void tell_field(struct scan *scan, enum vf_scanned what, struct vf_bytes member)
{
    scan->found(scan->self,
                &(struct vf_scanned_name){
                    .what = what, .member = member, .line = scan->token.line, .column = scan->token.column});
}

/* A local has just been taken: what of it is used? */
static void note_use(struct scan *scan, struct local *local, struct token token)
{
    struct vf_scanned_parameter *parameter = &local->of_function;
    bool member = next_is(scan, ".") || next_is(scan, ":"), index = next_is(scan, "[");
    bool text = index && scan->ahead.kind == TOKEN_STRING && scan->ahead.text.size >= 2;
    parameter->passed = parameter->passed || (!member && !index);
    if (!member && !index)
        return;
    if (!parameter->field_line) {
        parameter->field_line = token.line;
        parameter->field_column = token.column;
    }
    parameter->uses_data = parameter->uses_data || index || vf_bytes_is(scan->ahead.text, "data");
    if (member && vf_bytes_is(scan->ahead.text, "type"))
        note_type(scan, parameter);
    if (member)
        tell_field(scan, VF_SCANNED_FIELD, scan->ahead.text);
    else if (text)
        tell_field(scan, VF_SCANNED_FIELD, vf_bytes(scan->ahead.text.data + 1, scan->ahead.text.size - 2));
    else if (parameter->position == 1)
        tell_field(scan, VF_SCANNED_ANY_FIELD, (struct vf_bytes){0});
}

static void read_name(struct scan *scan, struct token token)
{
    struct local *local = find_local(scan, token.text);
    if (local) {
        local->used = true;
        note_use(scan, local, token);
    } else if (next_is(scan, ".") && scan->ahead.kind == TOKEN_NAME)
        tell(scan, VF_SCANNED_MEMBER, token, scan->ahead.text);
    else
        tell(scan, VF_SCANNED_READ, token, (struct vf_bytes){0});
}

/* --- expressions -------------------------------------------------------------------------------------------------- */

static void expression(struct scan *scan);
static void block(struct scan *scan);

static void expressions(struct scan *scan)
{
    do
        expression(scan);
    while (accept(scan, ","));
}

/* From the parameters on, with `end`. */
static void function_body(struct scan *scan, bool method)
{
    size_t begin = scan->local_count;
    int line = scan->token.line;
    if (method)
        declare(scan, (struct token){.kind = TOKEN_NAME, .text = VF_LITERAL("self")}, true);
    accept(scan, "(");
    while (scan->token.kind != TOKEN_END && !accept(scan, ")")) {
        struct token parameter = take(scan);
        if (parameter.kind == TOKEN_NAME)
            declare(scan, parameter, true);
    }
    int count = (int)(scan->local_count - begin);
    for (int i = 0; i < count; i++)
        scan->locals[begin + (size_t)i].of_function =
            (struct vf_scanned_parameter){.function_line = line, .parameter_count = count, .position = i + 1};
    block(scan);
    end_block(scan, begin);
    accept(scan, "end");
}

static void table(struct scan *scan)
{
    accept(scan, "{");
    while (scan->token.kind != TOKEN_END && !accept(scan, "}")) {
        if (accept(scan, "[")) {
            expression(scan);
            accept(scan, "]");
            accept(scan, "=");
        } else if (scan->token.kind == TOKEN_NAME && scan->ahead.kind == TOKEN_SIGN &&
                   vf_bytes_is(scan->ahead.text, "=")) {
            take(scan);
            take(scan);
        }
        expression(scan);
        if (!accept(scan, ","))
            accept(scan, ";");
    }
}

/* A name, or something in brackets, and what is called on it or taken from it. True: a bare name, in *ret_name, which
 * nobody was told of. */
static bool suffixed(struct scan *scan, struct token *ret_name)
{
    bool bare = scan->token.kind == TOKEN_NAME;
    if (bare) {
        *ret_name = take(scan);
    } else if (accept(scan, "(")) {
        expression(scan);
        accept(scan, ")");
    } else {
        take(scan); /* not Lua */
    }
    for (;;) {
        bool suffix = next_is(scan, ".") || next_is(scan, "[") || next_is(scan, ":") || next_is(scan, "(") ||
                      next_is(scan, "{") || scan->token.kind == TOKEN_STRING;
        if (bare && suffix) {
            read_name(scan, *ret_name);
            bare = false;
        }
        if (accept(scan, ".") || accept(scan, ":")) {
            take(scan);
        } else if (accept(scan, "[")) {
            expression(scan);
            accept(scan, "]");
        } else if (accept(scan, "(")) {
            if (!next_is(scan, ")"))
                expressions(scan);
            accept(scan, ")");
        } else if (next_is(scan, "{")) {
            table(scan);
        } else if (scan->token.kind == TOKEN_STRING) {
            take(scan);
        } else {
            return bare;
        }
    }
}

static bool accept_any(struct scan *scan, const char *const *texts)
{
    for (; *texts; texts++)
        if (accept(scan, *texts))
            return true;
    return false;
}

static void operand(struct scan *scan)
{
    struct token name;
    if (scan->token.kind == TOKEN_NUMBER || scan->token.kind == TOKEN_STRING || next_is(scan, "nil") ||
        next_is(scan, "true") || next_is(scan, "false") || next_is(scan, "..."))
        take(scan);
    else if (next_is(scan, "{"))
        table(scan);
    else if (accept(scan, "function"))
        function_body(scan, false);
    else if (suffixed(scan, &name))
        read_name(scan, name);
}

static void expression(struct scan *scan)
{
    static const char *const unary[] = {"not", "-", "#", "~", NULL};
    static const char *const binary[] = {"+",  "-",  "*", "/", "//", "^",  "%",  "&",  "~",   "|",  ">>",
                                         "<<", "..", "<", ">", "<=", ">=", "==", "~=", "and", "or", NULL};
    if (++scan->depth > DEPTH_MAX)
        give_up(scan);
    do {
        while (accept_any(scan, unary))
            ;
        operand(scan);
    } while (accept_any(scan, binary));
    scan->depth--;
}

/* --- statements --------------------------------------------------------------------------------------------------- */

static void scoped_block(struct scan *scan)
{
    size_t begin = scan->local_count;
    block(scan);
    end_block(scan, begin);
}

static void local_statement(struct scan *scan)
{
    size_t begin = scan->local_count;
    if (accept(scan, "function")) {
        declare(scan, take(scan), false);
        function_body(scan, false);
        return;
    }
    do {
        declare_hidden(scan, take(scan), false);
        if (accept(scan, "<")) { /* <const>, <close> */
            take(scan);
            accept(scan, ">");
        }
    } while (accept(scan, ","));
    if (accept(scan, "="))
        expressions(scan);
    show(scan, begin);
}

static void for_statement(struct scan *scan)
{
    size_t begin = scan->local_count;
    do
        declare_hidden(scan, take(scan), true);
    while (accept(scan, ","));
    if (!accept(scan, "="))
        accept(scan, "in");
    expressions(scan);
    show(scan, begin);
    accept(scan, "do");
    block(scan);
    end_block(scan, begin);
    accept(scan, "end");
}

static void if_statement(struct scan *scan)
{
    do {
        expression(scan);
        accept(scan, "then");
        scoped_block(scan);
    } while (accept(scan, "elseif"));
    if (accept(scan, "else"))
        scoped_block(scan);
    accept(scan, "end");
}

static void set_name(struct scan *scan, struct token name)
{
    struct local *local = find_local(scan, name.text);
    if (local)
        local->of_function.passed = true;
    else
        tell(scan, VF_SCANNED_WRITE, name, (struct vf_bytes){0});
}

static void function_statement(struct scan *scan)
{
    struct token name = take(scan);
    bool method = false;
    if (next_is(scan, ".") || next_is(scan, ":"))
        read_name(scan, name);
    else
        set_name(scan, name);
    while (next_is(scan, ".") || next_is(scan, ":")) {
        method = next_is(scan, ":");
        take(scan);
        take(scan);
    }
    function_body(scan, method);
}

static void assignment_or_call(struct scan *scan)
{
    do {
        struct token name;
        if (suffixed(scan, &name))
            set_name(scan, name);
    } while (accept(scan, ","));
    if (accept(scan, "="))
        expressions(scan);
}

static void repeat_statement(struct scan *scan)
{
    size_t begin = scan->local_count;
    block(scan);
    accept(scan, "until");
    expression(scan); /* sees the block's locals */
    end_block(scan, begin);
}

static void statement(struct scan *scan)
{
    if (accept(scan, ";") || accept(scan, "break"))
        return;
    if (accept(scan, "::")) {
        take(scan);
        accept(scan, "::");
    } else if (accept(scan, "goto")) {
        take(scan);
    } else if (accept(scan, "do")) {
        scoped_block(scan);
        accept(scan, "end");
    } else if (accept(scan, "while")) {
        expression(scan);
        accept(scan, "do");
        scoped_block(scan);
        accept(scan, "end");
    } else if (accept(scan, "repeat")) {
        repeat_statement(scan);
    } else if (accept(scan, "if")) {
        if_statement(scan);
    } else if (accept(scan, "for")) {
        for_statement(scan);
    } else if (accept(scan, "function")) {
        function_statement(scan);
    } else if (accept(scan, "local")) {
        local_statement(scan);
    } else if (accept(scan, "return")) {
        bool nothing = next_is(scan, "end") || next_is(scan, "else") || next_is(scan, "elseif") ||
                       next_is(scan, "until") || next_is(scan, ";") || scan->token.kind == TOKEN_END;
        if (!nothing)
            expressions(scan);
    } else {
        assignment_or_call(scan);
    }
}

static void block(struct scan *scan)
{
    if (++scan->depth > DEPTH_MAX)
        give_up(scan);
    while (scan->token.kind != TOKEN_END && !next_is(scan, "end") && !next_is(scan, "else") &&
           !next_is(scan, "elseif") && !next_is(scan, "until"))
        statement(scan);
    scan->depth--;
}

void vf_lua_scan(struct vf_bytes script, void (*found)(void *self, const struct vf_scanned_name *name), void *self)
{
    struct scan scan = {.at = script.data,
                        .end = script.data + script.size,
                        .line_begin = script.data,
                        .line = 1,
                        .found = found,
                        .self = self};
    if (starts(&scan, "#")) /* a first line for a shell */
        while (scan.at < scan.end && *scan.at != '\n')
            scan.at++;
    take(&scan);
    take(&scan);
    block(&scan);
    end_block(&scan, 0);
    free(scan.locals);
}
