#include "cli/suggest.h"

#include <stdint.h>
#include <string.h>

#define WORD_BYTES_MAX 63

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t vf_suggest_distance(const char *a, const char *b)
{
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);
    if (a_size > WORD_BYTES_MAX || b_size > WORD_BYTES_MAX) {
        return SIZE_MAX;
    }
    size_t rows[3][WORD_BYTES_MAX + 1]; /* the row before last, the last, this one */
    size_t *before = rows[0];
    size_t *last = rows[1];
    size_t *row = rows[2];
    for (size_t j = 0; j <= b_size; j++) {
        before[j] = last[j] = j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t substitution = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = least(substitution, least(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], before[j - 2] + 1);
            }
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b_size];
}

void vf_suggest_offer(const char *word, const char *candidate, const char **best)
{
    size_t allowed = strlen(word) / 3;
    allowed = allowed < 1 ? 1 : allowed > 3 ? 3 : allowed;
    size_t distance = vf_suggest_distance(word, candidate);
    if (distance <= allowed && (!*best || distance < vf_suggest_distance(word, *best))) {
        *best = candidate;
    }
}
