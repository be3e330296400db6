/*
 * "Did you mean": the nearest of some words. Pure; any thread.
 */
#ifndef VF_CLI_SUGGEST_H
#define VF_CLI_SUGGEST_H

#include <stddef.h>

/* Damerau-Levenshtein (optimal string alignment) over bytes; words longer than 63 bytes count as far away. */
size_t vf_suggest_distance(const char *a, const char *b);

/* Keeps the better of *best and `candidate` for `word`, where either is near enough to be meant (a third of the word's
 * length, at least 1 edit, at most 3). *best starts as NULL. */
void vf_suggest_offer(const char *word, const char *candidate, const char **best);

#endif
