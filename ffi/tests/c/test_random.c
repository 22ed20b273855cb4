/* The generators from C: a seed is a stream, and threads that share one never draw the same number. */
#include <pthread.h>

#include "check.h"

#define DRAWS 5000

static seawall_random_t stream;
static seawall_shared_random_t shared;

/* Something that is initialised and of another type. */
static uint64_t other[8];

static uint64_t drawn(void) {
    uint64_t number = 0;
    CHECK_OK(seawall_random_next_u64(&stream, &number));
    return number;
}

static void a_seed_is_a_stream(void) {
    uint64_t first, second, number = 0;
    CHECK_OK(seawall_random_init(&stream, 0));
    first = drawn();
    second = drawn();
    /* The first numbers of SplitMix64 (Steele, Lea and Flood, 2014) from 0. */
    CHECK(first == 0xE220A8397B1DCDAFu && second == 0x6E789E6AA1B965F4u);
    CHECK_OK(seawall_random_init(&stream, 1));
    CHECK(drawn() != first);
    CHECK_OK(seawall_shared_random_init(&shared, 0));
    CHECK_OK(seawall_shared_random_next_u64(&shared, &number));
    CHECK(number == first);
    CHECK_OK(seawall_shared_random_next_u64(&shared, &number));
    CHECK(number == second);
    CHECK_OK(seawall_shared_random_reseed(&shared, 0));
    CHECK_OK(seawall_shared_random_next_u64(&shared, &number));
    CHECK(number == first);
}

static void *draw(void *numbers) {
    unsigned index;
    for (index = 0; index < DRAWS; ++index) {
        CHECK_OK(seawall_shared_random_next_u64(&shared, (uint64_t *)numbers + index));
    }
    return NULL;
}

static int by_size(const void *left, const void *right) {
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void threads_that_share_a_stream_never_draw_the_same_number(void) {
    static uint64_t numbers[4 * DRAWS];
    pthread_t threads[4];
    unsigned index;
    CHECK_OK(seawall_shared_random_init(&shared, 7));
    for (index = 0; index < 4; ++index) {
        CHECK(pthread_create(&threads[index], NULL, draw, numbers + index * DRAWS) == 0);
    }
    for (index = 0; index < 4; ++index) CHECK(pthread_join(threads[index], NULL) == 0);
    qsort(numbers, 4 * DRAWS, sizeof *numbers, by_size);
    for (index = 1; index < 4 * DRAWS; ++index) CHECK(numbers[index] != numbers[index - 1]);
    /* And together they drew the stream: its numbers are all there. */
    CHECK_OK(seawall_random_init(&stream, 7));
    for (index = 0; index < 4 * DRAWS; ++index) {
        const uint64_t number = drawn();
        CHECK(bsearch(&number, numbers, 4 * DRAWS, sizeof *numbers, by_size) != NULL);
    }
}

static void no_mistake_does_harm(void) {
    uint64_t next, number = 77;
    other[0] = 0x5EA7FF01;
    CHECK_OK(seawall_random_init(&stream, 7));
    next = drawn();
    CHECK_OK(seawall_random_init(&stream, 7));
    CHECK_OK(seawall_shared_random_init(&shared, 7));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_random_init(NULL, 7));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_shared_random_init(NULL, 7));
    CHECK_STATUS(SEAWALL_E_ALIGNMENT, seawall_random_init(MISALIGNED(seawall_random_t, &stream), 7));
    CHECK_STATUS(SEAWALL_E_ALIGNMENT, seawall_shared_random_init(MISALIGNED(seawall_shared_random_t, &shared), 7));
    CHECK_OBJECT_MISTAKES(seawall_random_t, &stream, other, seawall_random_next_u64(it, &number));
    CHECK_OBJECT_MISTAKES(seawall_random_t, &stream, &shared, seawall_random_next_u64(it, &number));
    CHECK_OBJECT_MISTAKES(seawall_random_t, &stream, other, seawall_random_fini(it));
    CHECK_OBJECT_MISTAKES(seawall_shared_random_t, &shared, &stream, seawall_shared_random_next_u64(it, &number));
    CHECK_OBJECT_MISTAKES(seawall_shared_random_t, &shared, &stream, seawall_shared_random_reseed(it, 7));
    CHECK_OBJECT_MISTAKES(seawall_shared_random_t, &shared, other, seawall_shared_random_fini(it));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_random_next_u64(&stream, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_shared_random_next_u64(&shared, NULL));
    CHECK(number == 77);
    /* None of it moved a stream. */
    CHECK(drawn() == next);
    CHECK_OK(seawall_shared_random_next_u64(&shared, &number));
    CHECK(number == next);
    CHECK_OK(seawall_random_fini(&stream));
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_random_next_u64(&stream, &number));
    CHECK_OK(seawall_shared_random_fini(&shared));
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_shared_random_next_u64(&shared, &number));
}

int main(void) {
    RUN(a_seed_is_a_stream);
    RUN(threads_that_share_a_stream_never_draw_the_same_number);
    RUN(no_mistake_does_harm);
    return 0;
}
