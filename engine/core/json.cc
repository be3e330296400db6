/*
 * The only file that knows simdjson. A vf_json is a place on simdjson's tape (document, index), as its tape_ref is, so that
 * passing values costs nothing; every function rebuilds the tape_ref and asks it.
 *
 * Nothing throws: simdjson is used with exceptions off, allocations are the nothrow ones, and each function is noexcept.
 */
#define SIMDJSON_EXCEPTIONS 0
#include "core/json.h"

#include <simdjson.h>

#include <cstdlib>
#include <cstring>
#include <new>

using simdjson::internal::tape_ref;
using simdjson::internal::tape_type;

/* A large text makes simdjson allocate many times its size. It is let go when the texts are small again. */
static constexpr size_t kept_bytes_max = 1024 * 1024;
static constexpr size_t first_bytes = 4096;

struct vf_json_parser {
    simdjson::dom::parser dom;
    char *text = nullptr; /* with simdjson's padding behind it */
    size_t capacity = 0;
};

/* Room for a text of `size` bytes in the buffer and on the tape, and no more than is sensible. */
static simdjson::error_code make_room(vf_json_parser *parser, size_t size) noexcept
{
    bool too_small = size > parser->capacity;
    bool too_large = parser->capacity > kept_bytes_max && size <= kept_bytes_max / 4;
    if (!too_small && !too_large)
        return simdjson::SUCCESS;

    size_t capacity = first_bytes;
    while (capacity < size)
        capacity *= 2;
    free(parser->text);
    parser->text = nullptr;
    parser->capacity = 0;
    if (capacity > parser->dom.max_capacity())
        return simdjson::CAPACITY;
    parser->text = static_cast<char *>(vf_alloc(capacity + simdjson::SIMDJSON_PADDING));
    parser->capacity = capacity;
    /* simdjson allocates exactly what it is told, also less than it has. */
    simdjson::error_code code = parser->dom.allocate(capacity, VF_JSON_DEPTH_MAX);
    return code ? code : parser->dom.doc.allocate(capacity);
}

extern "C" struct vf_json_parser *vf_json_parser_new(void)
{
    vf_json_parser *parser = new (std::nothrow) vf_json_parser;
    if (!parser)
        vf_out_of_memory(sizeof *parser);
    return parser;
}

extern "C" void vf_json_parser_free(struct vf_json_parser *parser)
{
    if (!parser)
        return;
    free(parser->text);
    delete parser;
}

/* simdjson's own words are of its insides; it does not say where. */
static const char *reason(simdjson::error_code code) noexcept
{
    switch (code) {
    case simdjson::TAPE_ERROR:
        return "a comma, brace, quote or value is missing or too much (NaN and Infinity are no JSON)";
    case simdjson::STRING_ERROR:
        return "a text in it holds a \\ with what cannot follow it, or half a surrogate pair (\\ud800 to \\udfff alone)";
    case simdjson::T_ATOM_ERROR:
    case simdjson::F_ATOM_ERROR:
    case simdjson::N_ATOM_ERROR: return "a word in it is not true, false or null, and texts stand in quotes";
    case simdjson::UTF8_ERROR: return "a byte in it is not UTF-8";
    case simdjson::EMPTY: return "it holds nothing but spaces";
    case simdjson::UNESCAPED_CHARS: return "a text in it holds a control character as it is (write \\n, \\t, \\u0000)";
    case simdjson::UNCLOSED_STRING: return "the closing quote of a text is missing";
    default: return simdjson::error_message(code);
    }
}

extern "C" enum vf_code vf_json_parse(struct vf_json_parser *parser, struct vf_bytes text, struct vf_json *ret_root,
                                      struct vf_error *error)
{
    if (!text.size)
        return vf_fail(error, VF_E_DATA, "not JSON: the text is empty");

    simdjson::error_code code = make_room(parser, text.size);
    simdjson::dom::element root;
    if (!code) {
        memcpy(parser->text, text.data, text.size);
        memset(parser->text + text.size, 0, simdjson::SIMDJSON_PADDING);
        /* A byte order mark in front: some versions of simdjson skip it and some refuse it. Spaces are the same to all. */
        if (text.size >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
            memset(parser->text, ' ', 3);
        code = parser->dom.parse(parser->text, text.size, false).get(root);
    }
    if (code == simdjson::MEMALLOC)
        vf_out_of_memory(text.size);
    if (code == simdjson::DEPTH_ERROR)
        return vf_fail(error, VF_E_DATA, "nested deeper than %d", VF_JSON_DEPTH_MAX);
    if (code == simdjson::CAPACITY)
        return vf_fail(error, VF_E_DATA, "%zu bytes are more than a JSON text may have", text.size);
    if (code == simdjson::NUMBER_ERROR)
        return vf_fail(
            error, VF_E_DATA,
            "not JSON that viewfold takes: a number in it is malformed, an integer beyond 64 bits, or beyond "
            "a double (1e400)");
    if (code)
        return vf_fail(error, VF_E_DATA, "not JSON: %s", reason(code));

    *ret_root = vf_json{&parser->dom.doc, 1};
    return VF_OK;
}

static inline tape_ref tape_of(struct vf_json value) noexcept
{
    return tape_ref(static_cast<const simdjson::dom::document *>(value.document), value.index);
}

extern "C" enum vf_json_type vf_json_type(struct vf_json value)
{
    switch (tape_of(value).tape_ref_type()) {
    case tape_type::START_OBJECT: return VF_JSON_OBJECT;
    case tape_type::START_ARRAY: return VF_JSON_ARRAY;
    case tape_type::STRING: return VF_JSON_STRING;
    case tape_type::INT64: return VF_JSON_INT;
    case tape_type::UINT64: return VF_JSON_BIG;
    case tape_type::DOUBLE: return VF_JSON_DOUBLE;
    case tape_type::TRUE_VALUE:
    case tape_type::FALSE_VALUE: return VF_JSON_BOOL;
    default: return VF_JSON_NULL;
    }
}

extern "C" bool vf_json_bool(struct vf_json value)
{
    return tape_of(value).is_true();
}

extern "C" int64_t vf_json_int(struct vf_json value)
{
    return tape_of(value).next_tape_value<int64_t>();
}

extern "C" double vf_json_double(struct vf_json value)
{
    return tape_of(value).next_tape_value<double>();
}

extern "C" struct vf_bytes vf_json_string(struct vf_json value)
{
    std::string_view view = tape_of(value).get_string_view();
    return vf_bytes(view.data(), view.size());
}

extern "C" struct vf_json_iterator vf_json_iterate(struct vf_json value)
{
    tape_ref tape = tape_of(value);
    tape_type type = tape.tape_ref_type();
    if (type != tape_type::START_OBJECT && type != tape_type::START_ARRAY)
        return vf_json_iterator{value.document, 0, 0, false};
    /* The matching index is the one behind the closing brace. */
    return vf_json_iterator{value.document, value.index + 1, tape.matching_brace_index() - size_t{1},
                            type == tape_type::START_OBJECT};
}

extern "C" bool vf_json_next(struct vf_json_iterator *iterator, struct vf_bytes *ret_key, struct vf_json *ret_value)
{
    if (iterator->index >= iterator->end)
        return false;
    struct vf_json value = {iterator->document, iterator->index};
    if (iterator->object) {
        if (ret_key)
            *ret_key = vf_json_string(value);
        value.index++; /* a key takes one place, its value follows */
    }
    *ret_value = value;
    iterator->index = tape_of(value).after_element();
    return true;
}

extern "C" bool vf_json_member(struct vf_json value, struct vf_bytes key, struct vf_json *ret_member)
{
    if (vf_json_type(value) != VF_JSON_OBJECT)
        return false;
    struct vf_json_iterator iterator = vf_json_iterate(value);
    struct vf_bytes name;
    struct vf_json member;
    bool found = false;
    while (vf_json_next(&iterator, &name, &member)) {
        if (vf_bytes_equal(name, key)) {
            *ret_member = member; /* on to the end: of repeated keys the last counts */
            found = true;
        }
    }
    return found;
}

extern "C" void vf_json_members(struct vf_json value, const struct vf_bytes *names, size_t count, uint64_t sizes,
                                struct vf_json *ret_members)
{
    for (size_t i = 0; i < count; i++)
        ret_members[i] = vf_json{nullptr, 0};
    tape_ref key = tape_of(value);
    if (key.tape_ref_type() != tape_type::START_OBJECT)
        return;
    size_t end = key.matching_brace_index() - size_t{1};
    for (key.json_index++; key.json_index < end;) {
        size_t at = key.json_index + 1; /* a key takes one place, its value follows */
        size_t size = key.get_string_length();
        if (sizes >> (size & 63) & 1) {
            const char *text = key.get_c_str();
            for (size_t i = 0; i < count; i++) {
                /* The first byte, or the NUL behind an empty key, spares most calls of memcmp. */
                if (names[i].size == size && names[i].data[0] == text[0] && memcmp(names[i].data, text, size) == 0) {
                    ret_members[i] = vf_json{value.document, at};
                    break;
                }
            }
        }
        key.json_index = at;
        key.json_index = key.after_element();
    }
}

/* Whether `key` is what a pointer's reference token says once ~1 and ~0 in it are read as / and ~. */
static bool key_is(struct vf_bytes key, const char *token, size_t token_size) noexcept
{
    size_t at = 0;
    for (size_t i = 0; i < token_size; i++, at++) {
        char c = token[i];
        if (c == '~') {
            if (i + 1 == token_size || (token[i + 1] != '0' && token[i + 1] != '1'))
                return false;
            c = token[++i] == '0' ? '~' : '/';
        }
        if (at >= key.size || key.data[at] != c)
            return false;
    }
    return at == key.size;
}

static bool member_of_token(struct vf_json value, const char *token, size_t token_size,
                            struct vf_json *ret_member) noexcept
{
    struct vf_json_iterator iterator = vf_json_iterate(value);
    struct vf_bytes name;
    struct vf_json member;
    bool found = false;
    while (vf_json_next(&iterator, &name, &member)) {
        if (key_is(name, token, token_size)) {
            *ret_member = member;
            found = true;
        }
    }
    return found;
}

static bool element_of_token(struct vf_json value, const char *token, size_t token_size,
                             struct vf_json *ret_element) noexcept
{
    if (!token_size || token_size > 10 || (token[0] == '0' && token_size > 1))
        return false;
    uint64_t wanted = 0;
    for (size_t i = 0; i < token_size; i++) {
        if (token[i] < '0' || token[i] > '9')
            return false;
        wanted = wanted * 10 + static_cast<uint64_t>(token[i] - '0');
    }
    struct vf_json_iterator iterator = vf_json_iterate(value);
    struct vf_json element;
    while (vf_json_next(&iterator, nullptr, &element)) {
        if (wanted-- == 0) {
            *ret_element = element;
            return true;
        }
    }
    return false;
}

extern "C" bool vf_json_at(struct vf_json value, const char *pointer, struct vf_json *ret_value)
{
    while (*pointer) {
        if (*pointer++ != '/')
            return false;
        size_t token_size = strcspn(pointer, "/");
        bool found;
        switch (vf_json_type(value)) {
        case VF_JSON_OBJECT: found = member_of_token(value, pointer, token_size, &value); break;
        case VF_JSON_ARRAY: found = element_of_token(value, pointer, token_size, &value); break;
        default: found = false;
        }
        if (!found)
            return false;
        pointer += token_size;
    }
    *ret_value = value;
    return true;
}
