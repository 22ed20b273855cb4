/* What a call of seawall_token_bucket_try_take costs beside the same in Rust, in one run: scripts/bench-c.
 *
 *     bench            the table: medians of the ratios of neighbours, which take turns at beginning
 * admit and refuse are what a Rust program compiles to, where the call is inlined, its one token a constant, and when to
 * come back is not worked out, as nobody looks. In _called Rust calls a function too. In _decision both want all of it.
 *
 *     bench LOOP N     one loop alone, N turns, for a tool that counts: c_ or rust_, then the name of a row
 */
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seawall.h"
#include "seawall_clock.h"

void rust_make(uint32_t burst);
uint64_t rust_take(uint64_t turns, uint64_t step_ns);
uint64_t rust_take_called(uint64_t turns, uint64_t step_ns);
uint64_t rust_take_decision(uint64_t turns, uint64_t step_ns);
uint64_t c_take(uint64_t turns, uint64_t step_ns);
uint64_t c_take_decision(uint64_t turns, uint64_t step_ns);

static seawall_token_bucket_t bucket;

/* The compiler must not know what a pointer points to, as in a program where it comes from elsewhere. */
static seawall_token_bucket_t *black_box(seawall_token_bucket_t *pointer) {
    __asm__ volatile("" : "+r"(pointer) : : "memory");
    return pointer;
}

static void c_make(uint32_t burst) {
    seawall_token_bucket_config_t config = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    config.rate.count = 1;
    config.rate.period_ns = 100;
    config.burst = burst;
    if (seawall_token_bucket_init(&bucket, &config, 0) != SEAWALL_OK) exit(1);
}

uint64_t c_take(uint64_t turns, uint64_t step_ns) {
    uint64_t admitted = 0, turn;
    for (turn = 1; turn <= turns; ++turn) {
        admitted += seawall_token_bucket_try_take(black_box(&bucket), 1, turn * step_ns, NULL) == SEAWALL_OK;
    }
    return admitted;
}

uint64_t c_take_decision(uint64_t turns, uint64_t step_ns) {
    uint64_t admitted = 0, turn;
    seawall_decision_t decision;
    for (turn = 1; turn <= turns; ++turn) {
        admitted += seawall_token_bucket_try_take(black_box(&bucket), 1, turn * step_ns, &decision) == SEAWALL_OK;
        __asm__ volatile("" : : "r"(&decision) : "memory");
    }
    return admitted;
}

typedef struct {
    const char *name;
    uint64_t (*c)(uint64_t, uint64_t), (*rust)(uint64_t, uint64_t);
    uint64_t step_ns;   /* 1000: one is earned meanwhile, admit; 0: refuse */
    const char *reason; /* why the target is missed, where that is known */
} row_t;

static const row_t rows[] = {
    {"admit", c_take, rust_take, 1000, NULL},
    {"refuse", c_take, rust_take, 0, "Rust makes no call here; see refuse_called"},
    {"admit_called", c_take, rust_take_called, 1000, NULL},
    {"refuse_called", c_take, rust_take_called, 0, NULL},
    {"admit_decision", c_take_decision, rust_take_decision, 1000, NULL},
    {"refuse_decision", c_take_decision, rust_take_decision, 0, NULL},
};

#define ROUNDS 301
#define TURNS 20000

static double ratios[ROUNDS], c_ns[ROUNDS], rust_ns[ROUNDS];

static int compare(const void *left, const void *right) {
    const double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

static double median(double *values) {
    qsort(values, ROUNDS, sizeof *values, compare);
    return values[ROUNDS / 2];
}

/* Nanoseconds a turn. */
static double timed(const row_t *row, int is_rust) {
    uint64_t began, admitted;
    const uint64_t expected = row->step_ns ? TURNS : 1;
    if (is_rust) {
        rust_make(row->step_ns ? 10 : 1);
    } else {
        c_make(row->step_ns ? 10 : 1);
    }
    began = seawall_clock_now_ns();
    admitted = (is_rust ? row->rust : row->c)(TURNS, row->step_ns);
    if (admitted != expected) {
        fprintf(stderr, "%s: %llu admitted, not %llu\n", row->name, (unsigned long long)admitted,
                (unsigned long long)expected);
        exit(1);
    }
    return (double)(seawall_clock_now_ns() - began) / TURNS;
}

static int one(const char *name, uint64_t turns) {
    size_t index;
    const int is_rust = strncmp(name, "rust_", 5) == 0;
    const char *row = name + (is_rust ? 5 : 2);
    for (index = 0; index < sizeof rows / sizeof *rows; ++index) {
        if (strcmp(rows[index].name, row) != 0) continue;
        c_make(rows[index].step_ns ? 10 : 1);
        rust_make(rows[index].step_ns ? 10 : 1);
        return (is_rust ? rows[index].rust : rows[index].c)(turns, rows[index].step_ns) == 0;
    }
    return 2;
}

int main(int count, char **words) {
    size_t index;
    int round, misses = 0;
    if (count == 3) return one(words[1], strtoull(words[2], NULL, 10));
    printf("%-16s %8s %8s %6s  target\n", "seawall_token_bucket_try_take", "C", "Rust", "ratio");
    for (index = 0; index < sizeof rows / sizeof *rows; ++index) {
        const row_t *row = &rows[index];
        double ratio;
        for (round = -20; round < ROUNDS; ++round) {
            const int rust_first = round & 1;
            double first = timed(row, rust_first), second = timed(row, !rust_first);
            if (round < 0) continue; /* to warm up */
            c_ns[round] = rust_first ? second : first;
            rust_ns[round] = rust_first ? first : second;
            ratios[round] = c_ns[round] / rust_ns[round];
        }
        ratio = median(ratios);
        misses += ratio > 1.3 && row->reason == NULL;
        printf("%-29s %5.1f ns %5.1f ns %6.2f  <= 1.30%s%s\n", row->name, median(c_ns), median(rust_ns), ratio,
               ratio > 1.3 ? "  missed: " : "",
               ratio > 1.3 ? row->reason ? row->reason : "for no reason that is known" : "");
    }
    return misses != 0;
}
