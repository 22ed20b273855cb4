/* A signal handler may call anything at any instant, in the middle of the same call of the same object too. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "check.h"

#define BURST 1000

static seawall_token_bucket_t bucket;
static const seawall_rate_t one_a_second = SEAWALL_RATE_INIT(1, SEAWALL_SECOND);
/* What the handler did. It alone writes them; the other side reads when no signal comes any more. */
static volatile sig_atomic_t signals, held_by_handler, mistakes;

static void expect(int is_so) {
    if (!is_so) ++mistakes;
}

static void on_signal(int number) {
    seawall_decision_t decision;
    uint32_t tokens = 0;
    const int errno_before = errno;
    (void)number;
    errno = 77;
    ++signals;
    if (seawall_token_bucket_try_take(&bucket, 1, 0, &decision) == SEAWALL_OK) {
        ++held_by_handler;
    } else {
        expect(decision.retry_after_ns > 0);
        /* All is out: what the handler has goes back. */
        if (held_by_handler > 0 && seawall_token_bucket_refund(&bucket, 1, 0) == SEAWALL_OK) --held_by_handler;
    }
    expect(seawall_token_bucket_available(&bucket, 0, &tokens) == SEAWALL_OK && tokens <= BURST);
    expect(seawall_token_bucket_set_rate(&bucket, one_a_second, 0) == SEAWALL_OK);
    expect(errno == 77);
    errno = errno_before;
}

static void a_handler_interrupts_every_call_and_no_token_is_lost_or_made(void) {
    seawall_token_bucket_config_t config = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    const struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
    const time_t end = time(NULL) + 20;
    struct sigaction action;
    uint32_t held = 0, tokens = 0;
    config.rate = one_a_second;
    config.burst = BURST;
    CHECK_OK(seawall_token_bucket_init(&bucket, &config, 0));
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    while (signals < 2000 && time(NULL) < end) {
        int turn;
        for (turn = 0; turn < 1000; ++turn) {
            uint32_t count = 0;
            if (seawall_token_bucket_try_take(&bucket, 1, 0, NULL) == SEAWALL_OK) ++held;
            CHECK_OK(seawall_token_bucket_take_up_to(&bucket, 3, 0, &count));
            held += count;
            CHECK_OK(seawall_token_bucket_set_rate(&bucket, one_a_second, 0));
            while (held > BURST / 2 && seawall_token_bucket_refund(&bucket, 1, 0) == SEAWALL_OK) --held;
        }
    }
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    CHECK(signals >= 20 && mistakes == 0);
    CHECK_OK(seawall_token_bucket_available(&bucket, 0, &tokens));
    CHECK(held + (uint32_t)held_by_handler + tokens == BURST);
    printf("%d signals\n", (int)signals);
}

int main(void) {
    RUN(a_handler_interrupts_every_call_and_no_token_is_lost_or_made);
    return 0;
}
