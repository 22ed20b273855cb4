#ifndef OTHER_UNIT_HPP
#define OTHER_UNIT_HPP
#include "seawall.hpp"

seawall::ManualClock::time_point now_in_the_other_unit();
bool taken_in_the_other_unit(seawall::TokenBucket& bucket);
#endif
