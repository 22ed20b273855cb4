/* Programs whose links are looked at. With -DOTHER beside another Rust library, with -DUSER by way of a library that has
 * ours inside, with -DBARE without one at all, with -DFREESTANDING without libc. */
#ifdef FREESTANDING
#include <seawall.h>
/* What compilers take for granted wherever they make code, a freestanding environment included. */
void *memset(void *to, int byte, size_t n) {
    volatile char *at = (volatile char *)to;
    while (n--) *at++ = (char)byte;
    return to;
}
void *memcpy(void *to, const void *from, size_t n) {
    volatile char *at = (volatile char *)to;
    const char *next = (const char *)from;
    while (n--) *at++ = *next++;
    return to;
}
#else
#include <stdio.h>
#include "seawall.h"
#endif

#ifdef OTHER
int other_catches(int number);
#endif
int user_admits(void);

#if !defined(BARE) && !defined(USER_ONLY_MAIN)
int user_admits(void) {
    static seawall_token_bucket_t bucket;
    const seawall_token_bucket_config_t config = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    int admitted = 0;
    if (seawall_token_bucket_init(&bucket, &config, 0) != SEAWALL_OK) return -1;
    while (seawall_token_bucket_try_take(&bucket, 1, 0, NULL) == SEAWALL_OK) ++admitted;
    return admitted;
}
#endif

#ifdef FREESTANDING
void _start(void) {
    for (;;) user_admits();
}
#elif !defined(NO_MAIN)
int main(int count, char **words) {
    int admitted = 10;
    (void)words;
#ifndef BARE
    admitted = user_admits();
#endif
#ifdef OTHER
    if (!other_catches(count)) return 2;
#endif
    printf("%d arguments, %d admitted\n", count, admitted);
    return admitted == 10 ? 0 : 1;
}
#endif
