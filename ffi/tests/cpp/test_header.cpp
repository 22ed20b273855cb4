// The header and its library.
#include "seawall.hpp"

#include "check.hpp"
#include "other_unit.hpp"

static void two_units_share_objects_and_the_manual_clock() {
    using namespace std::chrono_literals;
    seawall::ManualClock::advance(5s);
    CHECK(now_in_the_other_unit() == seawall::ManualClock::now());
    auto bucket = seawall::TokenBucket::try_create({seawall::per_hour(1), 2});
    CHECK(bucket->try_take(1) && taken_in_the_other_unit(*bucket) && !bucket->try_take(1));
}

// Every number of the C header that a C++ name stands for; a name that says another would not compile.
static void a_status_says_what_it_is() {
    CHECK(seawall::Status() && !seawall::Status(SEAWALL_NOT_YET) && !seawall::Status(SEAWALL_E_NULL));
    CHECK(!seawall::Status(SEAWALL_NOT_YET).is_mistake() && seawall::Status(SEAWALL_E_NULL).is_mistake());
    CHECK(seawall::Status(SEAWALL_E_NULL) != SEAWALL_E_TYPE && seawall::Status(SEAWALL_E_NULL).code() == SEAWALL_E_NULL);
    CHECK(strcmp(seawall::Status().explain(), "done") == 0);
    CHECK(seawall::percent(5).ppm == 50'000 && seawall::percent(100) == seawall::Ratio{1'000'000});
    CHECK(seawall::percent(101).ppm > 1'000'000 && seawall::percent(5) != seawall::percent(6));
}

static void the_library_is_that_of_the_header() {
    CHECK(seawall::is_compatible() && strcmp(seawall::version(), seawall_version()) == 0);
}

int main() {
    RUN(two_units_share_objects_and_the_manual_clock);
    RUN(the_library_is_that_of_the_header);
    RUN(a_status_says_what_it_is);
    return 0;
}
