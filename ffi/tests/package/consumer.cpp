// As consumer.c, in C++17.
#if __has_include(<seawall.hpp>)
#include <seawall.hpp>
static_assert(sizeof(seawall::TokenBucket) >= sizeof(seawall_token_bucket_t), "the headers go together");
#endif
#include "consumer.c"
