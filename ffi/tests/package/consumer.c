/* The program of a user who has only what was installed: ten at once, and not one more. C99 and C++11. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 199309L
#endif
#include <seawall.h>
#include <seawall_clock.h>
#include <stdio.h>

int main(void) {
    static seawall_token_bucket_t bucket;
    seawall_token_bucket_config_t config = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    const uint64_t now_ns = seawall_clock_now_ns();
    int admitted = 0;
    if (now_ns == 0 || seawall_clock_now_ns() < now_ns) return 1;
    if (seawall_abi_version() != SEAWALL_ABI_VERSION) return 2;
    if (seawall_token_bucket_init(&bucket, &config, now_ns) != SEAWALL_OK) return 3;
    while (seawall_token_bucket_try_take(&bucket, 1, now_ns, NULL) == SEAWALL_OK) ++admitted;
    printf("seawall %s: %d at once\n", seawall_version(), admitted);
    return admitted == 10 ? 0 : 4;
}
