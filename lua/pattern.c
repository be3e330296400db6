#include "lua/pattern.h"

#include "lua/host.h"

#include <lauxlib.h>

/* As many repetitions deep may a match go: each is a level of C. */
#define DEPTH_MAX 200

/* Compiling */

struct compiler {
    lua_State *L;
    const char *at, *end;
    struct vf_pattern *pattern;
    uint8_t open[VF_PATTERN_CAPTURES_MAX]; /* captures that wait for their ) */
    int open_count;
    bool closed[VF_PATTERN_CAPTURES_MAX];
};

bool vf_pattern_is_plain(struct vf_bytes pattern)
{
    for (size_t i = 0; i < pattern.size; i++)
        if (pattern.data[i] != '\0' && strchr("^$*+?.([%-", pattern.data[i]))
            return false;
    return true;
}

static inline bool in_set(const uint64_t set[4], unsigned char c)
{
    return set[c >> 6] >> (c & 63) & 1;
}

static void add_range(uint64_t set[4], unsigned first, unsigned last)
{
    for (unsigned c = first; c <= last; c++)
        set[c >> 6] |= UINT64_C(1) << (c & 63);
}

static void add_text(uint64_t set[4], const char *text)
{
    for (; *text; text++)
        add_range(set, (unsigned char)*text, (unsigned char)*text);
}

/* Adds what %`letter` stands for: a class, its complement (a capital letter), or the character itself. */
static void add_class(uint64_t set[4], unsigned char letter)
{
    uint64_t class[4] = {0, 0, 0, 0};
    bool capital = letter >= 'A' && letter <= 'Z';
    switch (capital ? letter - 'A' + 'a' : letter) {
    case 'a': add_range(class, 'A', 'Z'), add_range(class, 'a', 'z'); break;
    case 'c': add_range(class, 0, 31), add_range(class, 127, 127); break;
    case 'd': add_range(class, '0', '9'); break;
    case 'g': add_range(class, 33, 126); break;
    case 'l': add_range(class, 'a', 'z'); break;
    case 'p':
        add_range(class, 33, 47), add_range(class, 58, 64);
        add_range(class, 91, 96), add_range(class, 123, 126);
        break;
    case 's': add_text(class, " \t\n\v\f\r"); break;
    case 'u': add_range(class, 'A', 'Z'); break;
    case 'w': add_range(class, '0', '9'), add_range(class, 'A', 'Z'), add_range(class, 'a', 'z'); break;
    case 'x': add_range(class, '0', '9'), add_range(class, 'A', 'F'), add_range(class, 'a', 'f'); break;
    case 'z': add_range(class, 0, 0); break; /* deprecated since 5.2, and still there */
    default: add_range(set, letter, letter); return;
    }
    for (int i = 0; i < 4; i++)
        set[i] |= capital ? ~class[i] : class[i];
}

static unsigned char escaped(struct compiler *c)
{
    if (c->at == c->end)
        luaL_error(c->L, "malformed pattern (ends with '%%')");
    return (unsigned char)*c->at++;
}

/* The bracket that ends the set which begins here: not the first byte, nor an escaped one. */
static const char *find_set_end(const struct compiler *c)
{
    const char *at = c->at;
    do {
        if (at == c->end)
            luaL_error(c->L, "malformed pattern (missing ']')");
        if (*at++ == '%' && at < c->end)
            at++;
    } while (at == c->end || *at != ']');
    return at;
}

/* A [set], whose bracket has been read. Where it ends is looked for first, as in the language's own library: a range may end with
 * the '%' of an escape, and what that escaped counts for itself. */
static void compile_bracket(struct compiler *c, uint64_t set[4])
{
    uint64_t inside[4] = {0, 0, 0, 0};
    bool complement = c->at < c->end && *c->at == '^';
    if (complement)
        c->at++;
    const char *end = find_set_end(c);
    while (c->at < end) {
        unsigned char low = (unsigned char)*c->at++;
        if (low == '%') {
            add_class(inside, escaped(c));
            continue;
        }
        unsigned char high = low;
        if (end - c->at >= 2 && c->at[0] == '-') {
            high = (unsigned char)c->at[1];
            c->at += 2;
        }
        add_range(inside, low, high);
    }
    c->at = end + 1;
    for (int i = 0; i < 4; i++)
        set[i] |= complement ? ~inside[i] : inside[i];
}

static struct vf_pattern_piece *add_piece(struct compiler *c, enum vf_pattern_kind kind)
{
    struct vf_pattern_piece *piece = &c->pattern->pieces[c->pattern->count++];
    memset(piece, 0, sizeof *piece);
    piece->kind = (uint8_t)kind;
    return piece;
}

static void compile_open(struct compiler *c)
{
    bool position = c->at < c->end && *c->at == ')';
    if (c->pattern->captures == VF_PATTERN_CAPTURES_MAX)
        luaL_error(c->L, "too many captures");
    uint8_t capture = (uint8_t)c->pattern->captures++;
    add_piece(c, position ? VF_PIECE_POSITION : VF_PIECE_OPEN)->capture = capture;
    if (position) {
        c->at++;
        c->closed[capture] = true;
    } else {
        c->open[c->open_count++] = capture;
    }
}

static void compile_close(struct compiler *c)
{
    if (c->open_count == 0)
        luaL_error(c->L, "invalid pattern capture");
    uint8_t capture = c->open[--c->open_count];
    c->closed[capture] = true;
    add_piece(c, VF_PIECE_CLOSE)->capture = capture;
}

static void compile_balance(struct compiler *c)
{
    if (c->end - c->at < 2)
        luaL_error(c->L, "malformed pattern (missing arguments to '%%b')");
    struct vf_pattern_piece *piece = add_piece(c, VF_PIECE_BALANCE);
    piece->open = (uint8_t)*c->at++;
    piece->close = (uint8_t)*c->at++;
}

static void compile_frontier(struct compiler *c)
{
    if (c->at == c->end || *c->at != '[')
        luaL_error(c->L, "missing '[' after '%%f' in pattern");
    c->at++;
    compile_bracket(c, add_piece(c, VF_PIECE_FRONTIER)->set);
}

static void compile_same(struct compiler *c, unsigned char digit)
{
    int capture = digit - '1';
    if (capture < 0 || capture >= c->pattern->captures || !c->closed[capture])
        luaL_error(c->L, "invalid capture index %%%d in pattern", digit - '0');
    add_piece(c, VF_PIECE_SAME)->capture = (uint8_t)capture;
}

/* One character's set and what follows it. `first` has been read. */
static void compile_single(struct compiler *c, unsigned char first)
{
    struct vf_pattern_piece *piece = add_piece(c, VF_PIECE_SET);
    switch (first) {
    case '.': add_range(piece->set, 0, 255); break;
    case '[': compile_bracket(c, piece->set); break;
    case '%': add_class(piece->set, escaped(c)); break;
    default: add_range(piece->set, first, first); break;
    }
    if (c->at < c->end && *c->at != '\0' && strchr("*+-?", *c->at))
        piece->repeat = *c->at++;
}

static void compile_item(struct compiler *c)
{
    unsigned char first = (unsigned char)*c->at++;
    bool last = c->at == c->end;
    unsigned char second = last ? '\0' : (unsigned char)*c->at;
    bool special = first == '%' && !last && (second == 'b' || second == 'f' || (second >= '0' && second <= '9'));
    if (first == '(') {
        compile_open(c);
    } else if (first == ')') {
        compile_close(c);
    } else if (first == '$' && last) {
        add_piece(c, VF_PIECE_END);
    } else if (special) {
        c->at++;
        if (second == 'b')
            compile_balance(c);
        else if (second == 'f')
            compile_frontier(c);
        else
            compile_same(c, second);
    } else {
        compile_single(c, first);
    }
}

void vf_pattern_compile(lua_State *L, struct vf_bytes text, bool anchors, struct vf_pattern *ret_pattern)
{
    struct compiler c = {.L = L, .at = text.data, .end = text.data + text.size, .pattern = ret_pattern};
    ret_pattern->count = 0;
    ret_pattern->captures = 0;
    ret_pattern->anchored = anchors && text.size > 0 && text.data[0] == '^';
    if (ret_pattern->anchored)
        c.at++;
    vf_lua_spend(L, 1 + (int64_t)text.size);
    while (c.at < c.end)
        compile_item(&c);
    if (c.open_count > 0)
        luaL_error(L, "unfinished capture");
}

/* Matching */

static inline const char *text_end(const struct vf_pattern_match *match)
{
    return match->text.data + match->text.size;
}

static const char *match_from(struct vf_pattern_match *match, size_t piece, const char *at);

/* Where the text that %bxy matches ends. */
static const char *match_balance(struct vf_pattern_match *match, const struct vf_pattern_piece *piece, const char *at)
{
    const char *end = text_end(match);
    if (at == end || (uint8_t)*at != piece->open)
        return NULL;
    size_t open = 1;
    while (++at < end) {
        vf_lua_spend(match->L, 1);
        if ((uint8_t)*at == piece->close) {
            if (--open == 0)
                return at + 1;
        } else if ((uint8_t)*at == piece->open) {
            open++;
        }
    }
    return NULL;
}

static bool at_frontier(const struct vf_pattern_match *match, const struct vf_pattern_piece *piece, const char *at)
{
    unsigned char before = at == match->text.data ? '\0' : (unsigned char)at[-1];
    unsigned char here = at == text_end(match) ? '\0' : (unsigned char)*at;
    return !in_set(piece->set, before) && in_set(piece->set, here);
}

static const char *match_same(struct vf_pattern_match *match, const struct vf_pattern_piece *piece, const char *at)
{
    size_t size = match->captures[piece->capture].size;
    if (match->captures[piece->capture].position || (size_t)(text_end(match) - at) < size)
        return NULL;
    vf_lua_spend(match->L, vf_lua_bytes_cost(size));
    return memcmp(at, match->captures[piece->capture].begin, size) == 0 ? at + size : NULL;
}

/* * and +: as many as there are, then fewer and fewer. */
static const char *match_most(struct vf_pattern_match *match, size_t index, const char *at, const char *least)
{
    const struct vf_pattern_piece *piece = &match->pattern->pieces[index];
    const char *end = text_end(match), *most = at;
    while (most < end && in_set(piece->set, (unsigned char)*most))
        most++;
    vf_lua_spend(match->L, 1 + (most - at) / 4);
    for (; most >= least; most--) {
        const char *found = match_from(match, index + 1, most);
        if (found)
            return found;
    }
    return NULL;
}

/* -: as few as will do. */
static const char *match_fewest(struct vf_pattern_match *match, size_t index, const char *at)
{
    const struct vf_pattern_piece *piece = &match->pattern->pieces[index];
    for (;; at++) {
        const char *found = match_from(match, index + 1, at);
        if (found)
            return found;
        if (at == text_end(match) || !in_set(piece->set, (unsigned char)*at))
            return NULL;
    }
}

static const char *match_repeated(struct vf_pattern_match *match, size_t index, const char *at)
{
    const struct vf_pattern_piece *piece = &match->pattern->pieces[index];
    if (++match->depth > DEPTH_MAX)
        luaL_error(match->L, "pattern too complex");
    bool fits = at < text_end(match) && in_set(piece->set, (unsigned char)*at);
    const char *found = NULL;
    if (piece->repeat == '-') {
        found = match_fewest(match, index, at);
    } else if (piece->repeat == '?') {
        found = fits ? match_from(match, index + 1, at + 1) : NULL;
        if (!found)
            found = match_from(match, index + 1, at);
    } else if (fits || piece->repeat == '*') {
        found = match_most(match, index, at, piece->repeat == '+' ? at + 1 : at);
    }
    match->depth--;
    return found;
}

/* The pieces from `index` on. What a failed try leaves in the captures does no harm: the pieces that set them come
 * again. */
static const char *match_from(struct vf_pattern_match *match, size_t index, const char *at)
{
    const struct vf_pattern *pattern = match->pattern;
    for (; index < pattern->count && at; index++) {
        const struct vf_pattern_piece *piece = &pattern->pieces[index];
        /* GUARD lua-pattern-budget: find(".-.-.-b") on 400 bytes runs for seconds, on 3,000 for ever */
        vf_lua_spend(match->L, 1);
        switch ((enum vf_pattern_kind)piece->kind) {
        case VF_PIECE_SET:
            if (piece->repeat)
                return match_repeated(match, index, at);
            at = at < text_end(match) && in_set(piece->set, (unsigned char)*at) ? at + 1 : NULL;
            break;
        case VF_PIECE_OPEN: match->captures[piece->capture].begin = at; break;
        case VF_PIECE_CLOSE:
            match->captures[piece->capture].size = (size_t)(at - match->captures[piece->capture].begin);
            match->captures[piece->capture].position = false;
            break;
        case VF_PIECE_POSITION:
            match->captures[piece->capture].begin = at;
            match->captures[piece->capture].position = true;
            break;
        case VF_PIECE_SAME: at = match_same(match, piece, at); break;
        case VF_PIECE_BALANCE: at = match_balance(match, piece, at); break;
        case VF_PIECE_FRONTIER: at = at_frontier(match, piece, at) ? at : NULL; break;
        case VF_PIECE_END: at = at == text_end(match) ? at : NULL; break;
        }
    }
    return at;
}

const char *vf_pattern_match_at(struct vf_pattern_match *match, const char *at)
{
    match->depth = 0;
    vf_lua_spend(match->L, 1);
    return match_from(match, 0, at);
}
