/*
 * A TCP proxy before one mongod that loses what a test tells it to lose. It reads the client's messages as OP_MSG, so that it
 * can tell a transaction's first command from its commit. Threads of its own; the functions here may be called from any.
 */
#ifndef VF_TEST_MONGODB_PROXY_H
#define VF_TEST_MONGODB_PROXY_H

#include <stdbool.h>
#include <stdint.h>

struct proxy;

/* Listens on a free loopback port and passes everything on to 127.0.0.1:port. NULL: could not listen. */
struct proxy *proxy_new(uint16_t port);
void proxy_free(struct proxy *proxy);
uint16_t proxy_port(const struct proxy *proxy);

/* The next command that starts a transaction does not arrive: its connection is cut instead. */
void proxy_lose_next_transaction(struct proxy *proxy);

/* The next commitTransaction arrives, its reply does not, and no repetition of it is passed on. */
void proxy_lose_next_commit_reply(struct proxy *proxy);

/* The same, but repetitions are passed on. */
void proxy_lose_one_commit_reply(struct proxy *proxy);

/* The next commitTransaction does not arrive, and no repetition of it. */
void proxy_lose_next_commit(struct proxy *proxy);

/* The `number`th message from a client from now on (1 is the next) does not arrive: its connection is cut instead. */
void proxy_cut_at_message(struct proxy *proxy, int number);

/* How many commitTransactions came through, and how many of them asked for a majority's journal. */
void proxy_commits(struct proxy *proxy, int *ret_all, int *ret_safe);

/* How many connections were cut. */
int proxy_cuts(struct proxy *proxy);

#endif
