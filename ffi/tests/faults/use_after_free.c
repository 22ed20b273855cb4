/* A mistake on purpose: the storage of a bucket is freed and used again. A sanitizer has to see it inside of the library. */
#include <stdlib.h>

#include "check.h"

int main(void) {
    const seawall_token_bucket_config_t config = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    seawall_token_bucket_t *bucket = (seawall_token_bucket_t *)malloc(sizeof *bucket);
    if (!bucket || seawall_token_bucket_init(bucket, &config, 0) != SEAWALL_OK) return 0;
    free(bucket);
    return seawall_token_bucket_try_take(bucket, 1, 0, NULL) == SEAWALL_OK ? 0 : 0;
}
