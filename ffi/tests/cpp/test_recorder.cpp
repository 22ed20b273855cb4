// The recorder through its C++ types: what a guard's calls tell it, by themselves.
#include "check.hpp"

using namespace std::chrono_literals;
using seawall::Stage;
using Guard = seawall::BasicGuard<seawall::ManualClock>;
using Recorder = seawall::BasicRecorder<seawall::ManualClock>;
using Owned = seawall::OwnedRecorder<seawall::ManualClock>;

// A moment, to which the clock is set: what is dropped reads it.
static seawall::ManualClock::time_point moment(std::uint64_t ns) {
    const seawall::ManualClock::time_point moment{std::chrono::nanoseconds(ns)};
    seawall::ManualClock::set(moment);
    return moment;
}

static_assert(stays_where_it_is<seawall::Recorder>);

static seawall::GuardConfig ready() {
    auto config = seawall::GuardConfig::for_service(seawall::per_second(20), 1s);
    config.bucket.fill_tokens = seawall::full;
    config.limit.start = config.limit.ceiling;
    return config;
}

static void one_that_was_not_made_has_counted_nothing() {
    Recorder none;
    Owned owner;
    CHECK(none.totals().begun == 0 && none.slices() == 0 && !none.own(owner) && !owner);
    auto guard = Guard::try_create(ready(), 7, moment(0));
    auto call = guard->begin({}, none, moment(0));
    CHECK(call.try_attempt(moment(0)));
    CHECK(!guard->snapshot({&none}, moment(0)));
}

static void the_defaults_are_those_of_the_library() {
    const seawall_recorder_config_t expected = SEAWALL_RECORDER_CONFIG_INIT;
    const auto seen = seawall::RecorderConfig{}.to_c();
    CHECK(memcmp(&expected, &seen, sizeof seen) == 0);
    CHECK(Recorder::required_size({}) > 8 * 512 * 8 && Recorder::required_size({1s, 3}) == 0);
    CHECK(Recorder::try_create({1s, 3}).status() == SEAWALL_E_SIZE);
}

// Three calls: one delivered by its second attempt, one given up with a permit that was dropped, one refused and left.
template <class Told>
static void three_calls(Guard& guard, Told& told) {
    {
        auto call = guard.begin({}, told, moment(0));
        auto first = call.try_attempt(moment(0));
        CHECK(first);
        const auto failed = first->finish(seawall::Outcome::failure(), moment(SEAWALL_SECOND / 10));
        CHECK(failed.verdict == seawall::Verdict::RetryAt);
        auto second = call.try_attempt(*failed.retry_at);
        CHECK(second);
        CHECK(second->finish(seawall::Outcome::success(), *failed.retry_at + 10ms).verdict == seawall::Verdict::Done);
    }
    {
        auto call = guard.begin({}, told, moment(SECONDS(9)));
        CHECK(call.try_attempt(moment(SECONDS(9))));
    }
    guard.breaker().force_open(moment(SECONDS(9)));
    auto call = guard.begin({}, told, moment(SECONDS(9)));
    CHECK(!call.try_attempt(moment(SECONDS(9))));
}

static void check_three(const seawall::Counts& counts) {
    CHECK(counts.begun == 3 && counts.admitted == 3 && counts.retries == 1 && counts.refused == 1);
    CHECK(counts.refused_by(Stage::CircuitBreaker) == 1 && counts.refused_by(Stage::TokenBucket) == 0);
    CHECK(counts.outcomes.success == 1 && counts.outcomes.failure == 1 && counts.outcomes.ignored == 1);
    CHECK(counts.delivered == 1 && counts.ignored == 1 && counts.abandoned == 1);
}

static void calls_tell_their_recorder_how_they_go_and_end() {
    auto guard = Guard::try_create(ready(), 7, moment(0));
    auto recorder = Recorder::try_create();
    three_calls(*guard, *recorder);
    check_three(recorder->totals());
    check_three(recorder->recent(moment(SECONDS(10))));
}

static void an_owner_counts_the_same_and_there_is_one_at_a_time() {
    auto guard = Guard::try_create(ready(), 7, moment(0));
    auto recorder = Recorder::try_create({30s, 8, 64, seawall::Writers::One});
    CHECK(recorder->slices() == 8 && recorder->cells() == 64);
    Owned owner, other;
    CHECK(recorder->own(owner) && recorder->own(other) == SEAWALL_TAKEN);
    three_calls(*guard, owner);
    check_three(recorder->totals());
    owner.release();
    CHECK(!owner && recorder->own(other));
}

static void a_guard_is_read_with_its_recorders() {
    auto guard = Guard::try_create(ready(), 7, moment(0));
    auto one = Recorder::try_create(), two = Recorder::try_create();
    three_calls(*guard, *one);
    guard->breaker().force_close(moment(SECONDS(9)));
    auto call = guard->begin({}, *two, moment(SECONDS(9)));
    CHECK(call.try_attempt(moment(SECONDS(9)))->finish(seawall::Outcome::success(), moment(SECONDS(9)) + 40ms).verdict ==
          seawall::Verdict::Done);
    const auto seen = guard->snapshot({&*one, &*two}, moment(SECONDS(10)));
    CHECK(seen && seen->total.begun == 4 && seen->total.delivered == 2 && seen->recent.begun == 4);
    CHECK(seen->attempts.count == 3 && seen->attempts.errors == 1 && seen->deliveries.count == 2);
    CHECK(seen->deliveries.p50 && *seen->deliveries.p50 >= 39ms && *seen->deliveries.p50 <= 42ms);
    CHECK(seen->snapshot.in_flight == 0 && seen->observed > 0s);
    CHECK(guard->explain_recorded(std::vector<Recorder*>{&*one, &*two}, moment(SECONDS(10))) != guard->explain(moment(SECONDS(10))));
    CHECK(one->rebase(moment(SECONDS(10)), moment(0)) && one->recent(moment(0)).begun == 0 && one->totals().begun == 3);
}

static void a_change_that_nobody_made_by_a_call_is_told() {
    auto recorder = Recorder::try_create();
    auto guard = Guard::try_create(ready(), 7, moment(0));
    seawall_transition_t change{};
    CHECK(recorder->changed(change, moment(0)) == SEAWALL_NOTHING_DONE);
    CHECK_OK(seawall_circuit_breaker_force_open(guard->breaker().c(), SECONDS(1), &change));
    CHECK(recorder->changed(change, moment(SECONDS(1))));
    const auto seen = guard->snapshot({&*recorder}, moment(SECONDS(3)));
    CHECK(seen && seen->breaker_cause == seawall::Cause::Forced && seen->breaker_for && *seen->breaker_for >= 1s);
}

int main() {
    RUN(one_that_was_not_made_has_counted_nothing);
    RUN(the_defaults_are_those_of_the_library);
    RUN(calls_tell_their_recorder_how_they_go_and_end);
    RUN(an_owner_counts_the_same_and_there_is_one_at_a_time);
    RUN(a_guard_is_read_with_its_recorders);
    RUN(a_change_that_nobody_made_by_a_call_is_told);
    return 0;
}
