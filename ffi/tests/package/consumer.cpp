// As consumer.c, in C++17.
#if __has_include(<seawall.hpp>)
#include <seawall.hpp>
#endif
#include "consumer.c"
