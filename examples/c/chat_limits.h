/* What this server asks of seawall: who may say how much, and what is done while moderation is slow or away.
 *
 * All of seawall is behind these few functions, in limits.c; chat.c knows of sockets and rooms only. Time is nanoseconds of
 * one clock, given to every call. */
#ifndef CHAT_LIMITS_H
#define CHAT_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "seawall.h"

typedef struct {
    uint64_t user_rate, total_rate;   /* Messages a second: of one user, and of all together. */
    uint32_t user_burst, total_burst; /* And at once. */
    uint32_t users;                   /* Users that talk at the same time. */
    uint64_t warm_up_ns;              /* In which the total climbs from a tenth of its rate. */
    uint64_t moderation_timeout_ns;   /* For one attempt; a message waits for twice as long at most. */
} limits_config_t;

typedef struct {
    seawall_token_bucket_t everybody; /* What the server bears. */
    seawall_keyed_buckets_t *users;   /* What is each user's share: a bucket for each. */
    seawall_guard_t *moderation;      /* Before the service that is asked about each message. */
    seawall_random_t random;          /* Spreads those who come back. */
    void *users_memory, *moderation_memory;
    uint64_t started_ns, moderation_timeout_ns, user_interval_ns;
    uint64_t admitted, refused_by_user, refused_by_everybody;
    uint64_t asked, retries, opened, refused_by_stage[8];
    bool is_back; /* Moderation, after it was away. */
} limits_t;

/* SEAWALL_OK, or what is wrong with the configuration. The secrets are random numbers, others in each process. */
seawall_status_t limits_init(limits_t *limits, const limits_config_t *config, const uint64_t secrets[3], uint64_t now_ns);
void limits_fini(limits_t *limits);

/* The number that stands for a user, from the name. */
uint64_t limits_user(limits_t *limits, const char *name);

/* Whether the user may say one message now. If not, *retry_after_ns says when to ask again. */
bool limits_admit(limits_t *limits, uint64_t user, uint64_t now_ns, uint64_t *retry_after_ns);

/* One message on its way through moderation: plain words, in the memory of who sent it. */
typedef struct {
    seawall_call_t call;
    seawall_permit_t permit;
} check_t;

void check_begin(limits_t *limits, check_t *check, uint64_t user, uint64_t now_ns);

/* Whether to ask the moderator now. If not, the message goes out without: moderation is down or has enough to do. */
bool check_may_ask(limits_t *limits, check_t *check, uint64_t now_ns);

/* How it ended: a SEAWALL_OUTCOME_…, and for how long a moderator that is busy wants to be left alone (else
 * SEAWALL_UNKNOWN). Returns when to ask again; 0 where that is not worth it. */
uint64_t check_ended(limits_t *limits, check_t *check, uint32_t outcome, uint64_t retry_after_ns, uint64_t now_ns);

/* The message is not asked about again; an answer that is still out is not waited for. */
void check_abandon(limits_t *limits, check_t *check, bool is_asked, uint64_t now_ns);

/* Rates, limits, states and what was refused by whom: lines of "STATS name value". Returns their length. */
size_t limits_stats(limits_t *limits, uint64_t user, char *text, size_t size, uint64_t now_ns);

#endif
