/* A mistake on purpose: a thread fills the storage of a bucket with zeros while another takes from it. A sanitizer has to
 * see that they race, one of them inside of the library. */
#include <pthread.h>
#include <string.h>

#include "check.h"

static seawall_token_bucket_t bucket;

static void *clears(void *given) {
    (void)given;
    memset(&bucket, 0, sizeof bucket);
    return NULL;
}

int main(void) {
    const seawall_token_bucket_config_t config = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    pthread_t thread;
    int turn, admitted = 0;
    if (seawall_token_bucket_init(&bucket, &config, 0) != SEAWALL_OK) return 0;
    if (pthread_create(&thread, NULL, clears, NULL) != 0) return 0;
    for (turn = 0; turn < 100; ++turn) {
        admitted += seawall_token_bucket_try_take(&bucket, 1, 0, NULL) == SEAWALL_OK;
    }
    pthread_join(thread, NULL);
    return admitted < 0;
}
