#include "chat_limits.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The library allocates nothing: what it needs for a configuration is asked for, and given once. */
#define NEEDED(memory, config, required_size)                        \
    (status = required_size(&(config), &size)) != SEAWALL_OK ? status \
    : ((memory) = malloc(size)) == NULL                      ? SEAWALL_E_WORKSPACE \
                                                             : SEAWALL_OK

seawall_status_t limits_init(limits_t *limits, const limits_config_t *config, const uint64_t secrets[3], uint64_t now_ns) {
    const seawall_rate_t total_rate = SEAWALL_RATE_INIT(config->total_rate, SEAWALL_SECOND);
    const seawall_rate_t user_rate = SEAWALL_RATE_INIT(config->user_rate, SEAWALL_SECOND);
    seawall_token_bucket_config_t total = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    seawall_keyed_buckets_config_t each = SEAWALL_KEYED_BUCKETS_CONFIG_INIT;
    seawall_guard_config_t guard = SEAWALL_GUARD_CONFIG_INIT;
    seawall_status_t status;
    size_t size;

    memset(limits, 0, sizeof *limits);
    limits->started_ns = now_ns;
    limits->moderation_timeout_ns = config->moderation_timeout_ns;
    limits->user_interval_ns = config->user_rate ? SEAWALL_SECOND / config->user_rate : SEAWALL_SECOND;

    /* A server that begins is cold: the total climbs from a tenth. */
    total.rate = total_rate;
    total.burst = config->total_burst;
    total.warm_up.curve = SEAWALL_CURVE_LINEAR;
    total.warm_up.from.count = config->total_rate;
    total.warm_up.from.period_ns = 10 * SEAWALL_SECOND;
    total.warm_up.duration_ns = config->warm_up_ns;
    status = seawall_token_bucket_init(&limits->everybody, &total, now_ns);
    if (status != SEAWALL_OK) return status;

    /* One group for each four who talk at once. Should there be more, they pass: the total is held all the same. */
    each.rate = user_rate;
    each.burst = config->user_burst;
    each.groups = config->users / 4 + 1;
    each.when_full = SEAWALL_FAIL_OPEN;
    status = NEEDED(limits->users_memory, each, seawall_keyed_buckets_required_size);
    if (status == SEAWALL_OK) {
        status = seawall_keyed_buckets_init(limits->users_memory, size, &each, secrets[0], now_ns, &limits->users);
    }
    if (status != SEAWALL_OK) return status;

    /* Breaker, limit, retries and their budget, from what is known of the service: the rate and the time-out. */
    status = seawall_guard_config_for_service(&guard, total_rate, config->moderation_timeout_ns);
    if (status == SEAWALL_OK) status = NEEDED(limits->moderation_memory, guard, seawall_guard_required_size);
    if (status == SEAWALL_OK) {
        status = seawall_guard_init(limits->moderation_memory, size, &guard, secrets[1], now_ns, &limits->moderation);
    }
    if (status == SEAWALL_OK) status = seawall_random_init(&limits->random, secrets[2]);
    return status;
}

void limits_fini(limits_t *limits) {
    free(limits->users_memory);
    free(limits->moderation_memory);
}

uint64_t limits_user(limits_t *limits, const char *name) {
    uint64_t user = 0;
    /* Hashed under the secret salt: nobody can choose names that crowd others out. */
    (void)seawall_keyed_buckets_key_of(limits->users, name, strlen(name), &user);
    return user;
}

/* An hour at most: nobody is told to come back in a year, or never. */
static uint64_t wait_of(const seawall_decision_t *decision) {
    const uint64_t hour_ns = 3600 * SEAWALL_SECOND;
    return decision->retry_after_ns < hour_ns ? decision->retry_after_ns : hour_ns;
}

/* Both limits are charged, or neither: the user's is looked at first, and then is taken from both. */
bool limits_admit(limits_t *limits, uint64_t user, uint64_t now_ns, uint64_t *retry_after_ns) {
    seawall_decision_t decision = {0, 0, 0};
    uint64_t spread = 0;
    seawall_status_t status = seawall_keyed_buckets_peek(limits->users, user, 1, now_ns, &decision);
    if (status != SEAWALL_OK) {
        ++limits->refused_by_user;
        *retry_after_ns = wait_of(&decision);
        return false;
    }
    status = seawall_token_bucket_try_take(&limits->everybody, 1, now_ns, &decision);
    if (status == SEAWALL_OK) {
        status = seawall_keyed_buckets_try_take(limits->users, user, 1, now_ns, &decision);
        if (status == SEAWALL_OK) {
            ++limits->admitted;
            return true;
        }
        /* In a server of threads another may have taken the user's last token since: what all share goes back. */
        (void)seawall_token_bucket_refund(&limits->everybody, 1, now_ns);
    }
    ++limits->refused_by_everybody;
    /* Told the same instant, all would come back in it. */
    if (seawall_random_next_u64(&limits->random, &spread) == SEAWALL_OK) spread %= limits->user_interval_ns;
    *retry_after_ns = wait_of(&decision) + spread;
    return false;
}

/* ---- moderation: one logical call for each message ---- */

/* The call that makes a transition is told of it, once. */
static void told(limits_t *limits, const seawall_transition_t *transition) {
    if (transition->to == SEAWALL_STATE_OPEN) {
        if (limits->opened++ == 0 || limits->is_back) fprintf(stderr, "moderation is away: messages go out unchecked\n");
        limits->is_back = false;
    } else if (transition->to == SEAWALL_STATE_CLOSED) {
        fprintf(stderr, "moderation is back\n");
        limits->is_back = true;
    }
}

void check_begin(limits_t *limits, check_t *check, uint64_t user, uint64_t now_ns) {
    seawall_request_t request = SEAWALL_REQUEST_INIT;
    request.key = user;
    request.deadline_ns = now_ns + 2 * limits->moderation_timeout_ns;
    (void)seawall_guard_begin(limits->moderation, &request, now_ns, &check->call);
}

bool check_may_ask(limits_t *limits, check_t *check, uint64_t now_ns) {
    seawall_admission_t admission;
    seawall_decision_t decision;
    const seawall_status_t status =
        seawall_guard_try_attempt(limits->moderation, &check->call, now_ns, &check->permit, &admission, &decision);
    if (status == SEAWALL_OK) {
        told(limits, &admission.transition);
        ++limits->asked;
        return true;
    }
    if (decision.stage < sizeof limits->refused_by_stage / sizeof *limits->refused_by_stage) {
        ++limits->refused_by_stage[decision.stage];
    }
    return false;
}

uint64_t check_ended(limits_t *limits, check_t *check, uint32_t outcome, uint64_t retry_after_ns, uint64_t now_ns) {
    seawall_finished_t finished;
    if (seawall_guard_finish(limits->moderation, &check->call, &check->permit, outcome, retry_after_ns, now_ns,
                             &finished) != SEAWALL_OK) {
        return 0;
    }
    told(limits, &finished.transition);
    if (finished.verdict != SEAWALL_VERDICT_RETRY_AT) return 0;
    ++limits->retries;
    return finished.retry_at_ns;
}

void check_abandon(limits_t *limits, check_t *check, bool is_asked, uint64_t now_ns) {
    /* What was sent and is of no interest any more says nothing of the service. */
    if (is_asked) (void)check_ended(limits, check, SEAWALL_OUTCOME_IGNORED, SEAWALL_UNKNOWN, now_ns);
    (void)seawall_guard_abandon(limits->moderation, &check->call, now_ns);
}

/* ---- what the limits do at this moment ---- */

typedef struct {
    char *text;
    size_t size, length;
} lines_t;

__attribute__((format(printf, 2, 3))) static void line(lines_t *lines, const char *format, ...) {
    va_list arguments;
    int length;
    va_start(arguments, format);
    length = vsnprintf(lines->text + lines->length, lines->size - lines->length, format, arguments);
    va_end(arguments);
    if (length > 0 && (size_t)length < lines->size - lines->length) lines->length += (size_t)length;
}

static void number(lines_t *lines, const char *name, uint64_t value) {
    line(lines, "STATS %s %llu\n", name, (unsigned long long)value);
}

static uint64_t per_second(seawall_rate_t rate) {
    return rate.period_ns ? rate.count * SEAWALL_SECOND / rate.period_ns : 0;
}

size_t limits_stats(limits_t *limits, uint64_t user, char *text, size_t size, uint64_t now_ns) {
    static const char *const stages[8] = {
        [SEAWALL_STAGE_DEADLINE] = "deadline",         [SEAWALL_STAGE_PAUSE] = "pause",
        [SEAWALL_STAGE_CIRCUIT_BREAKER] = "breaker",   [SEAWALL_STAGE_CONCURRENCY_LIMIT] = "limit",
        [SEAWALL_STAGE_TOKEN_BUCKET] = "bucket",       [SEAWALL_STAGE_RETRY_BUDGET] = "budget",
        [SEAWALL_STAGE_KEYED_BUCKET] = "keyed_bucket",
    };
    static const char *const states[4] = {"unknown", "closed", "open", "half-open"};
    seawall_snapshot_t moderation = SEAWALL_SNAPSHOT_INIT;
    char words[SEAWALL_LONGEST_EXPLANATION] = "";
    seawall_rate_t rate = SEAWALL_RATE_INIT(0, 1);
    lines_t lines = {text, size, 0};
    uint32_t tokens = 0, own = 0, busy = 0;
    uint64_t let_through = 0;

    (void)seawall_token_bucket_rate(&limits->everybody, &rate);
    (void)seawall_token_bucket_available(&limits->everybody, now_ns, &tokens);
    (void)seawall_keyed_buckets_available(limits->users, user, now_ns, &own);
    (void)seawall_keyed_buckets_occupied(limits->users, now_ns, &busy);
    (void)seawall_keyed_buckets_let_through(limits->users, &let_through);
    number(&lines, "uptime_ns", now_ns - limits->started_ns);
    number(&lines, "admitted", limits->admitted);
    number(&lines, "refused_by_user", limits->refused_by_user);
    number(&lines, "refused_by_everybody", limits->refused_by_everybody);
    number(&lines, "total_rate", per_second(rate));
    number(&lines, "total_tokens", tokens);
    number(&lines, "your_tokens", own);
    number(&lines, "users_with_less_than_all_tokens", busy);
    number(&lines, "let_through_without_a_place", let_through);

    (void)seawall_guard_snapshot(limits->moderation, now_ns, &moderation);
    line(&lines, "STATS moderation_state %s\n", states[moderation.breaker & 3]);
    number(&lines, "moderation_opened", limits->opened);
    number(&lines, "moderation_limit", moderation.limit);
    number(&lines, "moderation_in_flight", moderation.in_flight);
    number(&lines, "moderation_rate", per_second(moderation.rate));
    number(&lines, "moderation_tokens", moderation.tokens);
    number(&lines, "moderation_retries_in_the_budget", moderation.budget_millionths / 1000000);
    number(&lines, "moderation_sent", limits->asked);
    number(&lines, "moderation_retries", limits->retries);
    for (unsigned stage = 1; stage < 8; ++stage) {
        line(&lines, "STATS moderation_refused_by_%s %llu\n", stages[stage],
             (unsigned long long)limits->refused_by_stage[stage]);
    }
    /* Why it refuses, if it does, and until when: in a sentence. */
    if (seawall_guard_explain(limits->moderation, now_ns, words, sizeof words, NULL) == SEAWALL_OK) {
        line(&lines, "STATS moderation_says %s\n", words);
    }
    return lines.length;
}
