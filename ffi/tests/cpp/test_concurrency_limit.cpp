// The limit of the calls in flight through its C++ type.
#include "check.hpp"

using namespace std::chrono_literals;
using Limit = seawall::BasicConcurrencyLimit<VectorClock>;

static_assert(stays_where_it_is<seawall::ConcurrencyLimit>);
static_assert(has_one_owner<seawall::ConcurrencyLimit::Permit>);
static_assert(noexcept(std::declval<seawall::ConcurrencyLimit&>().try_attempt()));

static seawall::LimitConfig of(std::uint32_t start, std::uint32_t slots) {
    seawall::LimitConfig config;
    config.slots = config.ceiling = slots;
    config.start = start;
    return config;
}

static void one_that_was_not_made_refuses_everything() {
    seawall::ConcurrencyLimit none;
    CHECK(none.try_attempt().status() == SEAWALL_E_NULL && !none.peek() && none.limit() == 0 && none.in_flight() == 0);
    CHECK(none.c() == nullptr && none.reset() == SEAWALL_E_NULL && !none.set_limit(3));
}

static void the_defaults_are_those_of_the_library() {
    const seawall_concurrency_limit_config_t expected = SEAWALL_CONCURRENCY_LIMIT_CONFIG_INIT;
    const auto seen = seawall::LimitConfig{}.to_c();
    CHECK(memcmp(&expected, &seen, sizeof seen) == 0);
    CHECK(Limit::try_create(of(0, 4)).status() == SEAWALL_E_LIMIT_START);
    CHECK(Limit::try_create(of(1, 0)).status() == SEAWALL_E_SIZE && Limit::required_size(of(1, 0)) == 0);
}

static void a_permit_holds_a_slot_until_it_is_reported_or_dropped() {
    using Clock = seawall::ManualClock;
    auto made = seawall::BasicConcurrencyLimit<Clock>::try_create(of(2, 4));
    auto& limit = *made;
    CHECK(limit.slots() == 4 && limit.limit() == 2);
    auto first = limit.try_attempt();
    CHECK(first && first.decision().remaining() == 1);
    {
        auto second = *limit.try_attempt();
        CHECK(second && limit.in_flight() == 2);
        const auto third = limit.try_attempt();
        CHECK(!third && third.decision().stage() == seawall::Stage::ConcurrencyLimit && !third.retry_after());
    }
    CHECK(limit.in_flight() == 1);
    Clock::advance(10ms);
    auto change = first->success();
    for (int call = 0; call < 10 && !change; ++call) {
        auto next = *limit.try_attempt(), beside = *limit.try_attempt();
        Clock::advance(10ms);
        change = next.success();
    }
    CHECK(change && change->from == 2 && change->to == 3 && change->reason == seawall::LimitReason::Growth);
    CHECK(strcmp(name(change->reason), seawall_limit_reason_text(SEAWALL_LIMIT_REASON_GROWTH)) == 0);
    CHECK(limit.in_flight() == 0 && !*first && !first->success());
    CHECK(limit.try_attempt()->cancel() && limit.in_flight() == 0);
    auto moved = *limit.try_attempt();
    auto owner = std::move(moved);
    CHECK(!moved.cancel() && limit.in_flight() == 1);
    owner = *limit.try_attempt();
    CHECK(limit.in_flight() == 1);
}

static void it_is_set_and_changed_while_it_runs() {
    auto made = Limit::try_create(of(2, 8));
    Limit& limit = *made;
    CHECK(limit.set_limit(5)->reason == seawall::LimitReason::Set && limit.limit() == 5);
    auto config = of(1, 8);
    config.ceiling = 3;
    std::optional<seawall::LimitChange> change;
    CHECK(limit.set_config(config, &change) && change && change->to == 3);
    CHECK(limit.set_config(of(1, 9)) == SEAWALL_E_SIZE);
    auto held = *limit.try_attempt(at(0));
    CHECK(limit.rebase(at(0), at(SECONDS(7))) && limit.in_flight(at(SECONDS(7))) == 1);
    CHECK(limit.reset() && limit.in_flight(at(SECONDS(7))) == 0 && !held.cancel(at(SECONDS(7))));
    CHECK(limit.slow_after() == 250ms);
}

static void a_workspace_of_the_callers_is_shared_by_who_attaches() {
    alignas(8) static unsigned char memory[2048];
    CHECK(Limit::required_size(of(2, 8)) <= sizeof memory);
    Limit limit, other;
    CHECK(other.attach({memory, sizeof memory}) == SEAWALL_E_UNINITIALISED);
    CHECK(limit.init_in({memory, 16}, of(2, 8)) == SEAWALL_E_WORKSPACE);
    CHECK(limit.init_in({memory, sizeof memory}, of(2, 8)));
    CHECK(other.attach({memory, sizeof memory}));
    auto held = *limit.try_attempt(at(0));
    CHECK(other.in_flight(at(0)) == 1 && held.cancel(at(0)) && other.in_flight(at(0)) == 0);
}

static std::string told(const std::optional<seawall::LimitChange>& change) {
    static const char* const reasons[] = {"", "growth", "slow", "time_out", "throttled", "set", "refused"};
    if (!change) return "ok";
    return "ok from=" + text(change->from) + " to=" + text(change->to) +
           " reason=" + reasons[static_cast<std::size_t>(change->reason)];
}

static void the_vectors_are_decided_as_the_oracle_says() {
    std::unique_ptr<Limit> limit;
    std::vector<seawall_limit_permit_t> permits;
    Vectors step("concurrency_limit");
    while (step.next()) {
        const auto now = step.now();
        if (step.is("new")) {
            seawall::LimitConfig config;
            config.slots = 16;
            config.start = step.small("start");
            config.floor = step.small("floor");
            config.ceiling = step.small("ceiling");
            config.slow_after = step.ns("slow_after_ns");
            config.timeout = step.ns("timeout_ns");
            config.slow_factor = {step.small("slow_factor_ppm")};
            config.timeout_factor = {step.small("timeout_factor_ppm")};
            config.tolerance_percent = step.small("tolerance_percent");
            config.saturated_after = step.small("saturated_after");
            config.lease = step.ns("lease_ns");
            limit = std::make_unique<Limit>();
            CHECK(limit->init(config));
            permits.clear();
            step.saw("ok");
        } else if (step.is("try_attempt")) {
            auto answer = limit->try_attempt(now);
            if (answer) permits.push_back(answer->release());
            step.saw(answer ? "ok permit=" + text(permits.size() - 1) : "refused reason=not_yet");
        } else if (step.is("in_flight")) {
            step.saw("limit=" + text(limit->limit()) + " in_flight=" + text(limit->in_flight(now)));
        } else if (step.is("finish")) {
            // The vectors report a call more than once: a copy of its words each time.
            seawall_limit_permit_t words = permits[step.number("permit")];
            const auto outcome = step.word("outcome", "success")     ? seawall::Outcome::success()
                                 : step.word("outcome", "failure")   ? seawall::Outcome::failure()
                                 : step.word("outcome", "throttled") ? seawall::Outcome::throttled()
                                                                     : seawall::Outcome::ignored();
            step.saw(told(limit->finish(words, outcome, now)));
        } else {
            CHECK(step.is("set_limit"));
            step.saw(told(limit->set_limit(step.small("limit"))));
        }
    }
}

int main() {
    RUN(one_that_was_not_made_refuses_everything);
    RUN(the_defaults_are_those_of_the_library);
    RUN(a_permit_holds_a_slot_until_it_is_reported_or_dropped);
    RUN(it_is_set_and_changed_while_it_runs);
    RUN(a_workspace_of_the_callers_is_shared_by_who_attaches);
    RUN(the_vectors_are_decided_as_the_oracle_says);
    return 0;
}
