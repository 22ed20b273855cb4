// The token bucket through its C++ type.
#include "check.hpp"

using namespace std::chrono_literals;
using Bucket = seawall::BasicTokenBucket<VectorClock>;

static_assert(stays_where_it_is<seawall::TokenBucket>);
static_assert(std::is_trivially_destructible_v<seawall::TokenBucket>);
static_assert(sizeof(seawall::TokenBucket) == sizeof(seawall_token_bucket_t));
static_assert(has_one_owner<seawall::TokenBucket::Reservation>);
static_assert(noexcept(std::declval<seawall::TokenBucket&>().try_take(1)));
static_assert(noexcept(std::declval<seawall::TokenBucket&>().reserve(1, std::declval<std::chrono::nanoseconds>())));

// Nothing runs before main for one of static storage, and nothing after it.
static seawall::TokenBucket before_main;

static void one_that_was_not_made_refuses_everything_and_has_nothing() {
    const auto decision = before_main.try_take(1);
    CHECK(!decision && decision.status() == SEAWALL_E_UNINITIALISED && decision.status().is_mistake());
    CHECK(!decision.reason() && !decision.retry_after() && decision.remaining() == 0);
    CHECK(before_main.available() == 0 && before_main.burst() == 0 && before_main.take_up_to(3) == 0);
    CHECK(before_main.rate() == seawall::Rate{});
    CHECK(before_main.set_burst(3) == SEAWALL_E_UNINITIALISED);
    CHECK(!before_main.reserve(1, 1s));
    CHECK(before_main.init(seawall::BucketConfig::for_rate(seawall::per_second(5))));
    CHECK(before_main.try_take(5) && !before_main.try_take(5));
}

static void the_defaults_are_those_of_the_library() {
    const seawall::BucketConfig config;
    const seawall_token_bucket_config_t expected = SEAWALL_TOKEN_BUCKET_CONFIG_INIT, seen = config.to_c();
    CHECK(memcmp(&expected, &seen, sizeof seen) == 0);
    const auto fast = seawall::BucketConfig::for_rate(seawall::per_second(300));
    CHECK(fast.burst == 300 && fast.fill_tokens == seawall::full && fast.rate == (seawall::Rate{300, 1s}));
    CHECK(seawall::per_minute(7) == (seawall::Rate{7, 60s}) && seawall::per_hour(7) == (seawall::Rate{7, 1h}));
}

static void a_configuration_that_is_out_of_range_is_named() {
    const auto made = Bucket::try_create({seawall::Rate{1, 0s}, 1}, at(0));
    CHECK(!made && made.status() == SEAWALL_E_RATE_ZERO_PERIOD);
    CHECK(Bucket::try_create(seawall::BucketConfig::for_rate({1, 0s}), at(0)).status() == SEAWALL_E_RATE_ZERO_PERIOD);
    auto none = Bucket::try_create({seawall::per_second(1), 0}, at(0));
    CHECK(none.status() == SEAWALL_E_BUCKET_ZERO_BURST && strstr(none.status().explain(), "burst") != nullptr);
    // What it holds is one that is not there, and refuses.
    CHECK(none->try_take(1, at(0)).status() == SEAWALL_E_UNINITIALISED);
}

#if SEAWALL_EXCEPTIONS
static void a_constructor_throws_what_init_would_answer() {
    seawall::TokenBucket made{seawall::per_second(2)};
    CHECK(made.burst() == 2);
    try {
        seawall::TokenBucket bad{{seawall::per_second(1), 0}};
        CHECK(false);
    } catch (const std::exception& error) {
        CHECK(strcmp(error.what(), seawall_status_text(SEAWALL_E_BUCKET_ZERO_BURST)) == 0);
    }
    try {
        (void)Bucket::try_create({seawall::per_second(1), 0}, at(0)).value();
        CHECK(false);
    } catch (const seawall::StatusError& error) {
        CHECK(error.status() == SEAWALL_E_BUCKET_ZERO_BURST);
    }
}
#endif

static void a_decision_says_when_to_come_back_and_what_is_left() {
    auto made = Bucket::try_create({seawall::per_second(2), 4}, at(0));
    CHECK(made);
    Bucket& bucket = *made;
    const auto first = bucket.try_take(3, at(0));
    CHECK(first && first.remaining() == 1 && !first.reason() && first.stage() == seawall::Stage::Nobody);
    const auto second = bucket.try_take(2, at(0));
    CHECK(!second && second.reason() == seawall::Reason::NotYet && second.retry_after() == 500ms);
    CHECK(second.stage() == seawall::Stage::TokenBucket && second.remaining() == 1);
    const auto never = bucket.peek(5, at(0));
    CHECK(never.reason() == seawall::Reason::Never && !never.retry_after());
}

static void the_clock_of_the_type_is_read_where_no_time_is_given() {
    using Clock = seawall::ManualClock;
    auto made = seawall::BasicTokenBucket<Clock>::try_create({seawall::per_second(1), 1});
    CHECK(made && made->try_take(1) && !made->try_take(1));
    Clock::advance(1s);
    CHECK(made->try_take(1));
    Clock::set(Clock::time_point(3s));
    CHECK(made->available() == 1 && made->available(Clock::now() - 2s) == 0);
}

static void a_reservation_has_one_owner_and_is_cancelled_once() {
    auto made = Bucket::try_create({seawall::per_second(1), 2}, at(0));
    Bucket& bucket = *made;
    CHECK(bucket.try_take(2, at(0)));
    CHECK(bucket.reserve(1, 999ms, at(0)).status() == SEAWALL_NOT_YET);
    auto booked = bucket.reserve(1, 1s, at(0));
    CHECK(booked && booked->ready_at() == at(SECONDS(1)));
    auto moved = std::move(*booked);
    CHECK(!bucket.cancel(std::move(*booked), at(0)));
    CHECK(bucket.cancel(std::move(moved), at(0)));
    CHECK(!bucket.cancel(std::move(moved), at(0)));
    CHECK(bucket.reserve(1, std::chrono::nanoseconds::max(), at(0))->ready_at() == at(SECONDS(1)));
}

static void durations_and_times_of_any_clock_are_rounded_to_what_is_safe() {
    using namespace seawall::detail;
    CHECK(to_ns(-1s) == 0 && to_ns(0s) == 0 && to_ns(1500ms) == 1'500'000'000);
    CHECK(to_ns(std::chrono::duration<double>(0.25)) == 250'000'000 && to_ns(std::chrono::duration<double>(-1)) == 0);
    CHECK(to_ns(std::chrono::duration<double>(1e30)) == UINT64_MAX);
    CHECK(to_ns(std::chrono::nanoseconds::max()) == UINT64_MAX && to_ns(std::chrono::hours(1L << 40)) == UINT64_MAX);
    CHECK(to_ns(std::chrono::duration<std::int64_t, std::pico>(2999)) == 2);
    CHECK(from_ns(UINT64_MAX) == std::chrono::nanoseconds::max() && from_ns(7) == 7ns);
    using System = std::chrono::time_point<std::chrono::system_clock, std::chrono::seconds>;
    CHECK(to_ns(System(2s)) == SECONDS(2) && to_ns(System(-2s)) == 0);
    struct Coarse {
        using duration = std::chrono::duration<int>;
        using time_point = std::chrono::time_point<Coarse, duration>;
    };
    // A moment that a coarse clock cannot say is the next that it can: never earlier.
    CHECK(to_point<Coarse>(1).time_since_epoch() == 1s && to_point<Coarse>(SECONDS(2)).time_since_epoch() == 2s);
    CHECK(to_point<Coarse>(UINT64_MAX) == Coarse::time_point::max());
    CHECK(to_point<std::chrono::steady_clock>(UINT64_MAX) == std::chrono::steady_clock::time_point::max());
    CHECK(to_point<VectorClock>(UINT64_MAX - 1) == VectorClock::time_point::max());
}

static void the_vectors_are_decided_as_the_oracle_says() {
    std::unique_ptr<Bucket> bucket;
    std::vector<Bucket::Reservation> reservations;
    Vectors step("token_bucket");
    while (step.next()) {
        const auto now = step.now();
        const std::uint32_t n = step.has("n") ? step.small("n") : 0;
        const auto rate = step.has("rate_count") ? seawall::Rate{step.number("rate_count"), step.ns("period_ns")}
                                                 : seawall::Rate{};
        if (step.is("new")) {
            const auto fill = step.word("fill", "full") ? seawall::full : step.small("fill");
            bucket = std::make_unique<Bucket>();
            CHECK(bucket->init({rate, step.small("burst"), fill}, now));
            reservations.clear();
            step.saw("ok");
        } else if (step.is("try_take")) {
            const auto decision = bucket->try_take(n, now);
            step.saw(decision ? "ok" : refused(decision));
        } else if (step.is("reserve")) {
            auto answer = bucket->reserve(n, step.ns("max_wait_ns"), now);
            if (!answer) {
                step.saw(refused(answer.decision()));
            } else {
                reservations.push_back(*std::move(answer));
                step.saw("booked number=" + text(reservations.size()) +
                         " ready_at_ns=" + text(seawall::detail::to_ns(reservations.back().ready_at())));
            }
        } else if (step.is("cancel")) {
            step.saw("done=" + text(bucket->cancel(std::move(reservations[step.number("number") - 1]), now)));
        } else if (step.is("refund")) {
            step.saw("done=" + text(bucket->refund(n, now)));
        } else if (step.is("take_up_to")) {
            step.saw("taken=" + text(bucket->take_up_to(n, now)));
        } else if (step.is("drain_to")) {
            step.saw("drained=" + text(bucket->drain_to(step.small("keep"), now)));
        } else if (step.is("available")) {
            step.saw("tokens=" + text(bucket->available(now)));
        } else if (step.is("set_rate")) {
            CHECK(bucket->set_rate(rate, now));
            CHECK(bucket->rate() == rate);
            step.saw("ok");
        } else if (step.is("set_burst")) {
            CHECK(bucket->set_burst(step.small("burst"), now));
            CHECK(bucket->burst() == step.small("burst"));
            step.saw("ok");
        } else if (step.is("start_warm_up")) {
            const auto curve = step.word("curve", "step")     ? seawall::Curve::Step
                               : step.word("curve", "linear") ? seawall::Curve::Linear
                                                              : seawall::Curve::Exponential;
            CHECK(bucket->start_warm_up({curve, rate, step.ns("duration_ns")}, now));
            step.saw("ok");
        } else if (step.is("reset")) {
            CHECK(bucket->reset(step.small("fill"), seawall::WarmUp::none(), now));
            step.saw("ok");
        } else {
            CHECK(step.is("rebase"));
            CHECK(bucket->rebase(at(step.number("old_now")), at(step.number("new_now"))));
            step.saw("ok");
        }
    }
}

int main() {
    RUN(one_that_was_not_made_refuses_everything_and_has_nothing);
    RUN(the_defaults_are_those_of_the_library);
    RUN(a_configuration_that_is_out_of_range_is_named);
#if SEAWALL_EXCEPTIONS
    RUN(a_constructor_throws_what_init_would_answer);
#endif
    RUN(a_decision_says_when_to_come_back_and_what_is_left);
    RUN(the_clock_of_the_type_is_read_where_no_time_is_given);
    RUN(a_reservation_has_one_owner_and_is_cancelled_once);
    RUN(durations_and_times_of_any_clock_are_rounded_to_what_is_safe);
    RUN(the_vectors_are_decided_as_the_oracle_says);
    return 0;
}
