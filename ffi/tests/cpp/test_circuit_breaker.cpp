// The circuit breaker through its C++ type.
#include "check.hpp"

using namespace std::chrono_literals;
using Breaker = seawall::BasicCircuitBreaker<VectorClock>;

static_assert(stays_where_it_is<seawall::CircuitBreaker>);
static_assert(std::is_trivially_destructible_v<seawall::CircuitBreaker>);
static_assert(has_one_owner<seawall::CircuitBreaker::Permit>);
static_assert(noexcept(std::declval<seawall::CircuitBreaker&>().try_attempt()));
static_assert(noexcept(std::declval<seawall::CircuitBreaker::Permit&>().failure()));

static seawall::BreakerConfig two_in_a_row() {
    seawall::BreakerConfig config;
    config.rule = seawall::TripRule::consecutive(2);
    config.open_for = 1s;
    config.open_jitter = {0};
    config.probes = 1;
    config.probe_lease = 5s;
    config.ramp = 0s;
    return config;
}

static void one_that_was_not_made_refuses_everything() {
    seawall::CircuitBreaker none;
    const auto answer = none.try_attempt();
    CHECK(!answer && answer.status() == SEAWALL_E_UNINITIALISED);
    CHECK(none.state() == seawall::State::Open && none.should_block() && !none.trip() && !none.force_close());
}

static void the_defaults_are_those_of_the_library() {
    const seawall_circuit_breaker_config_t expected = SEAWALL_CIRCUIT_BREAKER_CONFIG_INIT;
    const auto seen = seawall::BreakerConfig{}.to_c();
    CHECK(memcmp(&expected, &seen, sizeof seen) == 0);
    const auto again = seawall::BreakerConfig::from_c(two_in_a_row().to_c()).to_c(), once = two_in_a_row().to_c();
    CHECK(memcmp(&again, &once, sizeof once) == 0);
    seawall::BreakerConfig bad;
    bad.rule = seawall::TripRule::consecutive(0);
    CHECK(Breaker::try_create(bad, 7).status() == SEAWALL_E_BREAKER_CONSECUTIVE);
    bad.rule = seawall::TripRule::failure_share(seawall::percent(101), 20, 10);
    CHECK(Breaker::try_create(bad, 7).status() == SEAWALL_E_RATIO);
    bad.rule = seawall::TripRule::slow_share(seawall::percent(50), 0s, 20, 10);
    CHECK(Breaker::try_create(bad, 7).status() == SEAWALL_E_BREAKER_SLOWER_THAN);
}

static void failures_open_it_and_a_probe_closes_it_each_told_once() {
    auto made = Breaker::try_create(two_in_a_row(), 7);
    Breaker& breaker = *made;
    CHECK(!breaker.try_attempt(at(0))->failure(at(1)));
    const auto opened = breaker.try_attempt(at(2))->failure(at(3));
    CHECK(opened && opened->from == seawall::State::Closed && opened->to == seawall::State::Open);
    CHECK(opened->cause == seawall::Cause::ConsecutiveFailures);
    CHECK(strcmp(name(opened->cause), "consecutive failures") == 0 && strcmp(name(opened->to), "open") == 0);
    const auto refused = breaker.try_attempt(at(4));
    CHECK(!refused && refused.retry_after() > 990ms && refused.retry_after() <= 1s + 8ms);
    CHECK(refused.decision().stage() == seawall::Stage::CircuitBreaker);
    CHECK(strcmp(name(refused.decision().stage()), "circuit breaker") == 0);
    CHECK(breaker.state(at(4)) == seawall::State::Open && !breaker.peek(at(4)));

    const auto later = at(SECONDS(2));
    auto probe = *breaker.try_attempt(later);
    CHECK(probe && probe.is_probe() && probe.started() == later);
    CHECK(probe.transition && probe.transition->to == seawall::State::HalfOpen);
    CHECK(!breaker.try_attempt(later));
    const auto closed = probe.success(later + 1ns);
    CHECK(closed && closed->to == seawall::State::Closed && closed->generation == 3);
    CHECK(!probe && !probe.success(later + 2ns));
}

static void a_dropped_permit_reports_that_it_says_nothing() {
    using Clock = seawall::ManualClock;
    auto made = seawall::BasicCircuitBreaker<Clock>::try_create(two_in_a_row(), 7);
    auto& breaker = *made;
    CHECK(breaker.trip());
    Clock::advance(2s);
    {
        auto probe = breaker.try_attempt();
        CHECK(probe && !breaker.try_attempt());
    }
    // Its place is free, and the breaker is as open to a verdict as before.
    CHECK(breaker.state() == seawall::State::HalfOpen);
    auto probe = *breaker.try_attempt();
    CHECK(probe && probe.is_probe());
    // What it is moved to holds the place, what was moved from nothing; assigned over, it is dropped.
    auto moved = std::move(probe);
    CHECK(moved && !probe && !probe.failure() && !probe.cancel());
    moved = {};
    auto next = *breaker.try_attempt();
    CHECK(next && next.cancel() && !next.cancel());
    CHECK(breaker.try_attempt()->success()->to == seawall::State::Closed);
}

static void it_is_forced_tripped_reset_and_changed() {
    auto made = Breaker::try_create(two_in_a_row(), 7);
    Breaker& breaker = *made;
    CHECK(breaker.force_open(at(0))->cause == seawall::Cause::Forced && breaker.should_block(at(0)));
    CHECK(breaker.force_close(at(0))->to == seawall::State::Closed);
    CHECK(!breaker.trip(5, at(0)));
    CHECK(!breaker.reset(at(0)) || breaker.state(at(0)) == seawall::State::Closed);
    CHECK(breaker.trip(5, at(0))->cause == seawall::Cause::Tripped);
    CHECK(breaker.rebase(at(0), at(SECONDS(100))));
    CHECK(breaker.state(at(SECONDS(100))) == seawall::State::Open);
    CHECK(breaker.reset(at(SECONDS(100)))->cause == seawall::Cause::Reset);
    auto config = two_in_a_row();
    config.rule = seawall::TripRule::consecutive(1);
    CHECK(breaker.set_config(config));
    CHECK(!breaker.on_success(at(SECONDS(100))));
    CHECK(breaker.on_failure(at(SECONDS(100)))->to == seawall::State::Open);
    config.rule.threshold = 0;
    CHECK(breaker.set_config(config) == SEAWALL_E_BREAKER_CONSECUTIVE);
}

static std::string told(const std::optional<seawall::Transition>& transition) {
    if (!transition) return "";
    const auto words = [](const char* name) {
        std::string text = name;
        for (char& letter : text) {
            if (letter == ' ' || letter == '-') letter = '_';
        }
        return text;
    };
    return " from=" + words(name(transition->from)) + " to=" + words(name(transition->to)) +
           " cause=" + words(name(transition->cause));
}

static void the_vectors_are_decided_as_the_oracle_says() {
    std::unique_ptr<Breaker> breaker;
    std::vector<seawall_breaker_permit_t> permits;
    Vectors step("circuit_breaker");
    while (step.next()) {
        const auto now = step.now();
        const std::uint64_t random = step.has("random") ? step.number("random") : 0;
        // The vectors report a call more than once: a copy of its words each time.
        seawall_breaker_permit_t words{};
        if (step.has("permit")) words = permits[step.number("permit")];
        if (step.is("new")) {
            seawall::BreakerConfig config;
            const auto share = [&] { return seawall::Ratio{step.small("share_ppm")}; };
            config.rule =
                step.word("rule", "consecutive") ? seawall::TripRule::consecutive(step.small("threshold"))
                : step.word("rule", "failure_share")
                    ? seawall::TripRule::failure_share(share(), step.small("window"), step.small("minimum"))
                    : seawall::TripRule::slow_share(share(), step.ns("slower_than_ns"), step.small("window"),
                                                    step.small("minimum"));
            config.open_for = step.ns("open_for_ns");
            config.open_jitter = {step.small("open_jitter_ppm")};
            config.open_growth_percent = step.small("open_growth_percent");
            config.open_cap = step.ns("open_cap_ns");
            config.probes = step.small("probes");
            config.probe_lease = step.ns("probe_lease_ns");
            config.close_share = {step.small("close_share_ppm")};
            config.ramp = 0s;
            breaker = std::make_unique<Breaker>();
            CHECK(breaker->init(config, 7));
            permits.clear();
            step.saw("ok");
        } else if (step.is("try_attempt")) {
            auto answer = breaker->try_attempt(now);
            if (answer) {
                permits.push_back(answer->release());
                step.saw("ok permit=" + text(permits.size() - 1) + told(answer->transition));
            } else {
                step.saw("refused retry_after_ns=" + text(answer.retry_after()));
            }
        } else if (step.is("finish")) {
            const auto outcome = step.word("outcome", "success")     ? seawall::Outcome::success()
                                 : step.word("outcome", "failure")   ? seawall::Outcome::failure()
                                 : step.word("outcome", "throttled") ? seawall::Outcome::throttled()
                                                                     : seawall::Outcome::ignored();
            step.saw("ok" + told(breaker->finish(words, outcome, random, now)));
        } else if (step.is("cancel")) {
            CHECK(breaker->cancel(words, now));
            step.saw("ok");
        } else if (step.is("trip")) {
            step.saw("ok" + told(breaker->trip(random, now)));
        } else if (step.is("force_open")) {
            step.saw("ok" + told(breaker->force_open(now)));
        } else if (step.is("force_close")) {
            step.saw("ok" + told(breaker->force_close(now)));
        } else {
            CHECK(step.is("reset"));
            step.saw("ok" + told(breaker->reset(now)));
        }
    }
}

int main() {
    RUN(one_that_was_not_made_refuses_everything);
    RUN(the_defaults_are_those_of_the_library);
    RUN(failures_open_it_and_a_probe_closes_it_each_told_once);
    RUN(a_dropped_permit_reports_that_it_says_nothing);
    RUN(it_is_forced_tripped_reset_and_changed);
    RUN(the_vectors_are_decided_as_the_oracle_says);
    return 0;
}
