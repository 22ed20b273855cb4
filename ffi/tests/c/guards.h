/* What the tests of the guard share. */
#ifndef GUARDS_H
#define GUARDS_H

#include "handles.h"

/* A guard in a workspace that ends at a fence. */
typedef struct {
    storage_t storage;
    seawall_guard_t *handle;
    size_t size;
} guarded_t;

VECTORS_FUNCTION void make_of(guarded_t *guarded, const seawall_guard_config_t *config, uint64_t seed, uint64_t now_ns) {
    CHECK_OK(seawall_guard_required_size(config, &guarded->size));
    CHECK_OK(seawall_guard_init(storage_of(&guarded->storage, guarded->size), guarded->size, config, seed, now_ns,
                                &guarded->handle));
}

VECTORS_FUNCTION seawall_guard_config_t service_of(uint64_t per_second, uint32_t shards) {
    seawall_guard_config_t config = SEAWALL_GUARD_CONFIG_INIT;
    const seawall_rate_t expected = SEAWALL_RATE_INIT(per_second, SEAWALL_SECOND);
    CHECK_OK(seawall_guard_config_for_shards(&config, expected, SEAWALL_SECOND, shards));
    return config;
}

VECTORS_FUNCTION seawall_call_t begun(seawall_guard_t *guard, uint64_t key, uint32_t shard, uint64_t now_ns) {
    seawall_request_t request = SEAWALL_REQUEST_INIT;
    seawall_call_t call;
    request.key = key;
    request.shard = shard;
    CHECK_OK(seawall_guard_begin(guard, &request, now_ns, &call));
    return call;
}

VECTORS_FUNCTION seawall_finished_t reported(seawall_guard_t *guard, seawall_call_t *call, seawall_permit_t *permit,
                                             uint32_t outcome, uint64_t now_ns) {
    seawall_finished_t finished;
    CHECK_OK(seawall_guard_finish(guard, call, permit, outcome, SEAWALL_UNKNOWN, now_ns, &finished));
    return finished;
}

VECTORS_FUNCTION uint32_t tokens_of(seawall_guard_t *guard, uint64_t now_ns) {
    seawall_token_bucket_t *bucket = NULL;
    uint32_t tokens = 0;
    CHECK_OK(seawall_guard_bucket(guard, &bucket));
    CHECK_OK(seawall_token_bucket_available(bucket, now_ns, &tokens));
    return tokens;
}

VECTORS_FUNCTION uint32_t in_flight_of(seawall_guard_t *guard, uint64_t now_ns) {
    seawall_concurrency_limit_t *limit = NULL;
    uint32_t calls = 0;
    CHECK_OK(seawall_guard_limit(guard, &limit));
    CHECK_OK(seawall_concurrency_limit_in_flight(limit, now_ns, &calls));
    return calls;
}

VECTORS_FUNCTION int is_zero(const void *value, size_t size) {
    const unsigned char *bytes = (const unsigned char *)value;
    while (size && bytes[size - 1] == 0) --size;
    return size == 0;
}

#endif
