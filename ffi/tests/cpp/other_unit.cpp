// A second translation unit for every test: the header stands alone, may be included twice, and is the same in both.
#include "seawall.hpp"
#include "seawall.hpp"

#include "other_unit.hpp"

seawall::ManualClock::time_point now_in_the_other_unit() { return seawall::ManualClock::now(); }
bool taken_in_the_other_unit(seawall::TokenBucket& bucket) { return static_cast<bool>(bucket.try_take(1)); }
