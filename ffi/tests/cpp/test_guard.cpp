// The guard through its C++ types.
#include "check.hpp"

#include <stdexcept>

using namespace std::chrono_literals;
using seawall::Stage;
using Guard = seawall::BasicGuard<VectorClock>;
using Manual = seawall::ManualClock;
using ManualGuard = seawall::BasicGuard<Manual>;

static_assert(stays_where_it_is<seawall::Guard>);
static_assert(has_one_owner<seawall::Guard::Permit>);
static_assert(!std::is_move_constructible_v<seawall::Call> && !std::is_copy_constructible_v<seawall::Call>);
static_assert(noexcept(std::declval<seawall::Guard&>().begin()));
static_assert(noexcept(std::declval<seawall::Call&>().try_attempt()));
static_assert(noexcept(std::declval<seawall::Guard::Permit&>().success()));
static_assert(noexcept(std::declval<seawall::Guard::Permit&>().throttled(std::nullopt)));

static seawall::GuardConfig service(std::uint32_t shards = 1) {
    return seawall::GuardConfig::for_shards(seawall::per_second(20), 1s, shards);
}

// A guard whose bucket has tokens at once, so that only what a test is about refuses.
static seawall::GuardConfig ready() {
    auto config = service();
    config.bucket.fill_tokens = seawall::full;
    config.limit.start = config.limit.ceiling;
    return config;
}

static void one_that_was_not_made_refuses_everything() {
    seawall::Guard none;
    auto call = none.begin();
    const auto answer = call.try_attempt();
    CHECK(!answer && answer.status() == SEAWALL_E_NULL && !call.peek() && call.attempts() == 0 && !call.deadline());
    CHECK(!none.paused_until() && none.mode(Stage::TokenBucket) == seawall::Mode::off() && none.shards() == 0);
    CHECK(!none.bucket().try_take(1) && none.breaker().state() == seawall::State::Open && none.limit().limit() == 0);
    CHECK(!none.keyed().try_take(7, 1) && none.budget().balance() == seawall::RetryTokens{} && !none.reset());
    const auto sent = none.run({}, 1s, [] { return seawall::Outcome::success(); });
    CHECK(!sent && sent.is_refused() && sent.attempts() == 0);
}

static void the_defaults_are_those_of_the_library() {
    seawall_guard_config_t expected = SEAWALL_GUARD_CONFIG_INIT;
    const auto seen = service().to_c();
    CHECK(memcmp(&expected, &seen, sizeof seen) == 0);
    CHECK_OK(seawall_guard_config_for_shards(&expected, {300, SEAWALL_SECOND}, 2 * SEAWALL_SECOND, 4));
    const auto four = seawall::GuardConfig::for_shards(seawall::per_second(300), 2s, 4).to_c();
    CHECK(memcmp(&expected, &four, sizeof four) == 0);
    const seawall_request_t request = SEAWALL_REQUEST_INIT;
    const auto none = seawall::Request{}.to_c();
    CHECK(memcmp(&request, &none, sizeof none) == 0);
    CHECK(Guard::try_create(seawall::GuardConfig::for_service({1, 0s}, 1s), 7, at(0)).status() ==
          SEAWALL_E_RATE_ZERO_PERIOD);
    CHECK(Guard::try_create(seawall::GuardConfig::for_service(seawall::per_second(1), 0s), 7, at(0)).status() ==
          SEAWALL_E_GUARD_ZERO_TIMEOUT);
    auto keyed = service();
    keyed.keyed = seawall::KeyedConfig{};
    CHECK(Guard::try_create(keyed, 7, at(0)).status() == SEAWALL_E_VALUE);
#if SEAWALL_EXCEPTIONS
    try {
        seawall::Guard bad{seawall::GuardConfig::for_service(seawall::per_second(1), 0s), 7};
        CHECK(false);
    } catch (const seawall::StatusError& error) {
        CHECK(error.status() == SEAWALL_E_GUARD_ZERO_TIMEOUT);
    }
#endif
}

static void a_call_is_sent_again_when_the_guard_says_so() {
    auto made = Guard::try_create(ready(), 7, at(0));
    auto call = made->call(7, at(0));
    auto first = *call.try_attempt(at(0));
    CHECK(first && !first.transition && !first.shadow_refusal && made->limit().in_flight(at(0)) == 1);
    const auto failed = first.failure(at(1));
    CHECK(failed.verdict == seawall::Verdict::RetryAt && failed.retry_at >= at(1) && !failed.give_up && !first);
    CHECK(call.attempts() == 1 && made->budget().balance(at(1)).millionths < 1'000'000);
    auto second = *call.try_attempt(*failed.retry_at);
    const auto done = second.success(*failed.retry_at);
    CHECK(done.verdict == seawall::Verdict::Done && !done.retry_at && call.attempts() == 2);
    const auto over = call.try_attempt(*failed.retry_at);
    CHECK(!over && over.decision().reason() == seawall::Reason::Never);
    // What holds nothing reports nothing.
    CHECK(second.failure(at(2)).verdict == seawall::Verdict::None && !second.cancel(at(2)));
}

static void a_dropped_permit_says_nothing_of_the_service_and_frees_its_slot() {
    auto made = ManualGuard::try_create(ready(), 7);
    auto& guard = *made;
    {
        auto call = guard.begin();
        const auto permit = *call.try_attempt();
        CHECK(guard.limit().in_flight() == 1);
    }
    CHECK(guard.limit().in_flight() == 0 && guard.breaker().state() == seawall::State::Closed);
    auto call = guard.begin();
    const auto tokens = guard.bucket().available();
    CHECK(call.try_attempt()->cancel() && guard.bucket().available() == tokens);
    // Cancelled, the call may ask again; moved, the permit has one owner.
    auto permit = *call.try_attempt();
    auto owner = std::move(permit);
    CHECK(!permit && owner && owner.success().verdict == seawall::Verdict::Done);
}

static void a_dropped_call_gives_the_retry_back_that_it_paid_for() {
    auto made = ManualGuard::try_create(ready(), 7);
    auto& guard = *made;
    const auto before = guard.budget().balance();
    {
        auto call = guard.begin();
        CHECK(call.try_attempt()->failure().verdict == seawall::Verdict::RetryAt);
        CHECK(guard.budget().balance() != before);
    }
    CHECK(guard.budget().balance() == before);
}

static void the_pause_that_a_server_asked_for_holds_for_every_call() {
    auto made = Guard::try_create(ready(), 7, at(0));
    auto call = made->begin({}, at(0)), other = made->begin({}, at(0));
    const auto told = call.try_attempt(at(0))->throttled(2s, at(0));
    CHECK(told.verdict == seawall::Verdict::RetryAt && *told.retry_at >= at(SECONDS(2)));
    const auto refused = other.try_attempt(at(1));
    CHECK(!refused && refused.decision().stage() == Stage::Pause && refused.retry_after() >= 2s - 1ns);
    CHECK(made->paused_until(at(1)) >= at(SECONDS(2)));
    call.abandon(at(1));
}

static void transitions_come_to_the_listener_who_may_call_back() {
    auto made = ManualGuard::try_create(ready(), 7);
    auto& guard = *made;
    std::vector<seawall::Transition> told;
    guard.on_transition([&](const seawall::Transition& transition) {
        // Nothing is held meanwhile: the guard answers, and of another transition it tells again.
        CHECK(guard.begin().peek() || transition.to != seawall::State::Closed);
        CHECK(guard.breaker().state() == transition.to);
        told.push_back(transition);
    });
    for (int call = 0; call < 4; ++call) (void)guard.begin().try_attempt()->failure();
    CHECK(told.size() == 1 && told[0].to == seawall::State::Open);
    Manual::advance(1s);
    {
        auto call = guard.begin();
        auto probe = *call.try_attempt();
        CHECK(told.size() == 2 && told[1].to == seawall::State::HalfOpen && probe.transition);
        CHECK(probe.success().transition && told.size() == 3 && told[2].to == seawall::State::Closed);
    }
    (void)guard.breaker().force_open();
    CHECK(guard.reset() && told.size() == 4 && told[3].cause == seawall::Cause::Reset);
}

static void a_mode_lets_pass_what_it_would_refuse() {
    auto config = ready();
    config.bucket.burst = 1;
    config.modes.bucket = seawall::Mode::shadow();
    auto made = Guard::try_create(config, 7, at(0));
    auto first = made->begin({}, at(0)), second = made->begin({}, at(0));
    CHECK(first.try_attempt(at(0))->success(at(0)).verdict == seawall::Verdict::Done);
    auto shadowed = *second.try_attempt(at(0));
    CHECK(shadowed && shadowed.shadow_refusal && shadowed.shadow_refusal->stage() == Stage::TokenBucket);
    CHECK(shadowed.shadow_refusal->retry_after() > 0ns);
    CHECK(shadowed.success(at(0)).shadow_refusal->reason() == seawall::Reason::NotYet);
    CHECK(made->mode(Stage::TokenBucket) == seawall::Mode::shadow());
    CHECK(made->set_mode(Stage::TokenBucket, seawall::Mode::canary(seawall::percent(5))));
    CHECK(made->mode(Stage::TokenBucket) == seawall::Mode::canary(seawall::percent(5)));
    CHECK(made->set_mode(Stage::Deadline, seawall::Mode::off()) == SEAWALL_E_GUARD_STAGE_WITHOUT_MODE);
    CHECK(made->set_mode(Stage::KeyedBucket, seawall::Mode::off()) == SEAWALL_E_GUARD_STAGE_WITHOUT_MODE);
    CHECK(seawall::GuardModes::all(seawall::Mode::off()).budget == seawall::Mode::off());
}

static void the_parts_are_those_of_the_guard() {
    auto config = service(3);
    config.keyed = seawall::KeyedConfig::for_rate(seawall::per_second(2), seawall::WhenFull::FailOpen);
    config.keyed_salt = seawall::entropy();
    auto made = Guard::try_create(config, 7, at(0));
    Guard& guard = *made;
    CHECK(made && guard.shards() == 3 && guard.keyed().config().burst == 2);
    CHECK(guard.bucket().set_rate(seawall::per_second(9), at(0)) && guard.bucket().rate() == seawall::per_second(9));
    CHECK(guard.limit().set_limit(2)->to == 2 && guard.limit().limit() == 2);
    CHECK(guard.breaker(1).force_open(at(0)) && guard.breaker(4).state(at(0)) == seawall::State::Open);
    CHECK(guard.breaker(0).state(at(0)) == seawall::State::Closed && guard.breaker(1).reset(at(0)));
    CHECK(guard.budget().set_cap(seawall::RetryTokens::whole(3)));
    const auto alice = guard.keyed().key_of("alice");
    CHECK(guard.keyed().try_take(alice, 2, at(0)));
    auto call = guard.call(alice, at(0));
    CHECK(call.peek(at(0)).stage() == Stage::KeyedBucket);
    CHECK(guard.reseed(8));
    CHECK(guard.rebase(at(0), at(SECONDS(5))) && guard.keyed().available(alice, at(SECONDS(5))) == 0);
}

static void it_says_in_figures_and_in_words_what_refuses_and_why() {
    auto config = service();
    config.keyed = seawall::KeyedConfig{};
    config.keyed_salt = 7;
    auto made = Guard::try_create(config, 7, at(0));
    auto call = made->begin({}, at(0)), second = made->begin({}, at(0));
    CHECK(call.try_attempt(at(0))->success(at(0)).verdict == seawall::Verdict::Done);
    const auto refused = second.try_attempt(at(0));
    CHECK(!refused && refused.decision().stage() == Stage::TokenBucket);
    const auto snapshot = made->snapshot(at(0));
    CHECK(snapshot && snapshot->now == at(0) && snapshot->breaker == seawall::State::Closed && snapshot->tokens == 0);
    CHECK(snapshot->bucket_refusal->reason() == seawall::Reason::NotYet && !snapshot->pause_refusal);
    CHECK(snapshot->bucket_refusal->retry_after() == refused.retry_after() && !snapshot->limit_refusal);
    CHECK(!snapshot->breaker_refusal && snapshot->burst == 20 && snapshot->rate == seawall::per_second(320));
    CHECK(snapshot->limit == 4 && snapshot->in_flight == 0 && snapshot->budget == made->budget().balance(at(0)));
    CHECK(snapshot->keyed_rate == seawall::per_second(10) && snapshot->keyed_burst == 10);
    CHECK(made->explain(at(0)).find("token bucket refuses") != std::string::npos);
    CHECK(made->explain(refused.decision(), at(0)).find("token bucket") != std::string::npos);
    char words[200];
    CHECK(made->explain_into(words, sizeof words, at(0)) && made->explain(at(0)).rfind(words, 0) == 0);
    CHECK(made->explain_into(words, 0, at(0)) == SEAWALL_E_SIZE);
    seawall::Guard none;
    CHECK(!none.snapshot() && none.explain() == seawall_status_text(SEAWALL_E_NULL));
}

static void a_workspace_of_the_callers_is_shared_by_who_attaches() {
    const auto config = ready();
    std::vector<std::uint64_t> memory(Guard::required_size(config) / 8 + 1);
    const seawall::Workspace workspace = {memory.data(), memory.size() * 8};
    Guard one, other;
    CHECK(other.attach(workspace) == SEAWALL_E_UNINITIALISED);
    CHECK(one.init_in({memory.data(), 64}, config, 7, at(0)) == SEAWALL_E_WORKSPACE);
    CHECK(one.init_in(workspace, config, 7, at(0)) && other.attach(workspace));
    auto call = one.begin({}, at(0));
    auto permit = *call.try_attempt(at(0));
    CHECK(other.limit().in_flight(at(0)) == 1 && permit.cancel(at(0)) && other.limit().in_flight(at(0)) == 0);
}

static void run_sends_until_it_is_delivered_and_sleeps_as_the_guard_says() {
    auto made = ManualGuard::try_create(service(), 7);
    std::chrono::nanoseconds slept{};
    const auto sleep = [&](Manual::time_point until) {
        CHECK(until > Manual::now());
        slept += until - Manual::now();
        Manual::set(until);
    };
    std::vector<std::uint32_t> attempts;
    const auto sent = made->run(
        {}, 1s,
        [&](std::uint32_t attempt) {
            attempts.push_back(attempt);
            return attempt < 2 ? seawall::Outcome::throttled(3s) : seawall::Outcome::success();
        },
        sleep);
    CHECK(sent && !sent.is_refused() && !sent.give_up() && sent.attempts() == 2);
    CHECK((attempts == std::vector<std::uint32_t>{1, 2}) && sent.waited() == slept && slept >= 3s);

    // Nothing is sent after the deadline, and nobody waits longer than there is patience.
    ManualGuard::Request late;
    late.deadline = Manual::now();
    const auto refused = made->run(late, 1h, [] { return seawall::Outcome::success(); }, sleep);
    CHECK(!refused && refused.decision()->stage() == Stage::Deadline && refused.attempts() == 0);
    (void)made->breaker().force_open();
    slept = {};
    CHECK(made->run({}, 1s, [] { return seawall::Outcome::success(); }, sleep).decision()->stage() ==
          Stage::CircuitBreaker);
    CHECK(slept <= 1s);
    (void)made->breaker().reset();
    Manual::advance(1h);
    const auto ignored = made->run({}, 1s, [] { return seawall::Outcome::ignored(); }, sleep);
    CHECK(!ignored && !ignored.is_refused() && !ignored.give_up() && ignored.attempts() == 1);
    Manual::advance(1h);
    const auto failed = made->run({}, 1s, [] { return seawall::Outcome::failure(); }, sleep);
    CHECK(!failed && failed.give_up().has_value());
}

#if SEAWALL_EXCEPTIONS
static void what_is_thrown_while_sending_says_nothing_of_the_service() {
    auto made = ManualGuard::try_create(ready(), 7);
    try {
        (void)made->run({}, 1s, []() -> seawall::Outcome { throw std::runtime_error("not now"); });
        CHECK(false);
    } catch (const std::runtime_error&) {
        CHECK(made->limit().in_flight() == 0 && made->breaker().state() == seawall::State::Closed);
    }
}
#endif

static void a_real_clock_serves_as_well() {
    auto made = seawall::Guard::try_create(ready(), seawall::entropy());
    CHECK(made->run({}, 1s, [] { return seawall::Outcome::success(); }));
}

int main() {
    RUN(one_that_was_not_made_refuses_everything);
    RUN(the_defaults_are_those_of_the_library);
    RUN(a_call_is_sent_again_when_the_guard_says_so);
    RUN(a_dropped_permit_says_nothing_of_the_service_and_frees_its_slot);
    RUN(a_dropped_call_gives_the_retry_back_that_it_paid_for);
    RUN(the_pause_that_a_server_asked_for_holds_for_every_call);
    RUN(transitions_come_to_the_listener_who_may_call_back);
    RUN(a_mode_lets_pass_what_it_would_refuse);
    RUN(the_parts_are_those_of_the_guard);
    RUN(it_says_in_figures_and_in_words_what_refuses_and_why);
    RUN(a_workspace_of_the_callers_is_shared_by_who_attaches);
    RUN(run_sends_until_it_is_delivered_and_sleeps_as_the_guard_says);
#if SEAWALL_EXCEPTIONS
    RUN(what_is_thrown_while_sending_says_nothing_of_the_service);
#endif
    RUN(a_real_clock_serves_as_well);
    return 0;
}
