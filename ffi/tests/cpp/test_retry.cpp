// Retry strategy, retry budget and error classes through their C++ types.
#include "check.hpp"

using namespace std::chrono_literals;
using Budget = seawall::BasicRetryBudget<VectorClock>;
using Tokens = seawall::RetryTokens;

static_assert(stays_where_it_is<seawall::RetryStrategy> && stays_where_it_is<seawall::RetryBudget>);
static_assert(std::is_trivially_destructible_v<seawall::RetryStrategy>);
static_assert(std::is_trivially_destructible_v<seawall::RetryBudget>);
static_assert(sizeof(seawall::RetryBudget) == sizeof(seawall_retry_budget_t));
static_assert(noexcept(std::declval<seawall::RetryBudget&>().try_withdraw(seawall::RetryCost::error)));

static void what_was_not_made_never_retries() {
    seawall::RetryStrategy none;
    const auto decision = none.decide({}, 0);
    CHECK(!decision && !decision.give_up && none.max_attempts() == 0);
    CHECK(none.next_delay(1, std::nullopt, 0) == std::chrono::nanoseconds::max());
    seawall::RetryBudget nothing;
    CHECK(nothing.try_withdraw(seawall::RetryCost::error).status() == SEAWALL_E_UNINITIALISED);
    CHECK(nothing.balance() == Tokens{} && nothing.set_share(seawall::percent(1)) == SEAWALL_E_UNINITIALISED);
}

static void the_defaults_are_those_of_the_library() {
    const seawall_retry_strategy_config_t strategy = SEAWALL_RETRY_STRATEGY_CONFIG_INIT;
    const seawall_retry_strategy_config_t guide = SEAWALL_RETRY_STRATEGY_CONFIG_GUIDE;
    const seawall_retry_budget_config_t budget = SEAWALL_RETRY_BUDGET_CONFIG_INIT;
    const auto seen_strategy = seawall::RetryConfig{}.to_c(), seen_guide = seawall::RetryConfig::guide().to_c();
    const auto seen_budget = seawall::RetryBudgetConfig{}.to_c();
    CHECK(memcmp(&strategy, &seen_strategy, sizeof strategy) == 0 && memcmp(&guide, &seen_guide, sizeof guide) == 0);
    CHECK(memcmp(&budget, &seen_budget, sizeof budget) == 0);
    const auto small = seawall::RetryBudgetConfig::for_rate(seawall::per_minute(18), 1s);
    CHECK(small.cap == Tokens::whole(1) && small.initial == Tokens::whole(1));
    seawall::RetryConfig bad;
    bad.max_attempts = 0;
    CHECK(seawall::RetryStrategy::try_create(bad).status() == SEAWALL_E_RETRY_ZERO_ATTEMPTS);
    seawall::RetryBudgetConfig over;
    over.cap = Tokens::whole(1001);
    CHECK(Budget::try_create(over, at(0)).status() == SEAWALL_E_BUDGET_CAP_TOO_LARGE);
    CHECK(Tokens::whole(UINT32_MAX).millionths == UINT32_MAX);
}

static void a_strategy_decides_by_what_failed() {
    seawall::RetryConfig config;
    config.jitter = seawall::Jitter::None;
    config.total_deadline = 10s;
    auto made = seawall::RetryStrategy::try_create(config);
    CHECK(made && made->max_attempts() == 3 && made->total_deadline() == 10s);
    CHECK(made->next_delay(2, std::nullopt, 7) == 200ms);
    CHECK(made->decide({1}, 7).retry_after == 100ms);
    const auto permanent = made->decide({1, seawall::ErrorClass::Permanent}, 7);
    CHECK(!permanent && permanent.give_up == seawall::GiveUpReason::Permanent);
    CHECK(strcmp(name(seawall::GiveUpReason::BudgetSpent), "the retry budget is spent") == 0);
    CHECK(made->decide({1, seawall::ErrorClass::Throttled, 9s, std::nullopt, 2s}, 7).give_up ==
          seawall::GiveUpReason::DeadlineExceeded);
    CHECK(made->decide({1, seawall::ErrorClass::Throttled, 0s, std::nullopt, 2s}, 0).retry_after >= 2s);
}

static void a_budget_pays_for_retries_with_successes() {
    auto made = Budget::try_create({}, at(0));
    Budget& budget = *made;
    CHECK(budget.balance(at(0)) == Tokens::whole(1));
    CHECK(budget.try_withdraw(seawall::RetryCost::error, at(0)));
    const auto spent = budget.try_withdraw(seawall::RetryCost::error, at(0));
    CHECK(!spent && spent.reason() == seawall::Reason::NotYet && !spent.retry_after());
    CHECK(spent.stage() == seawall::Stage::RetryBudget);
    budget.refund(seawall::RetryCost::error, at(0));
    budget.deposit(at(0));
    CHECK(budget.balance(at(0)).millionths == 1'100'000);
    CHECK(budget.set_share(seawall::percent(50)) && budget.set_cap(Tokens::whole(2)));
    budget.deposit(at(0));
    CHECK(budget.balance(at(0)).millionths == 1'600'000);
    CHECK(budget.try_withdraw(Tokens::whole(3), at(0)).reason() == seawall::Reason::Never);
    CHECK(budget.rebase(at(0), at(SECONDS(9))) && budget.balance(at(SECONDS(9))).millionths == 1'600'000);
    CHECK(budget.reset(at(SECONDS(9))) && budget.balance(at(SECONDS(9))) == Tokens::whole(1));
}

static void an_answer_is_classified_as_http_means_it() {
    using seawall::ErrorClass;
    CHECK(!seawall::class_of_http(200) && seawall::class_of_http(404) == ErrorClass::Permanent);
    CHECK(seawall::class_of_http(429) == ErrorClass::Throttled && seawall::class_of_http(503) == ErrorClass::Retryable);
    CHECK(seawall::class_of_http(503, 1s) == ErrorClass::Throttled);
    CHECK(seawall::retry_after_seconds(" 120 ", 5) == 120s && !seawall::retry_after_seconds("soon", 4));
    for (const auto error : {ErrorClass::Retryable, ErrorClass::Throttled, ErrorClass::Permanent}) {
        std::uint32_t outcome = 0;
        CHECK_OK(seawall_error_class_outcome(static_cast<std::uint32_t>(error), &outcome));
        CHECK(seawall::outcome_of(error).c() == outcome);
    }
    CHECK(seawall::Classification::timeout().cost == seawall::RetryCost::timeout);
    CHECK(seawall::Classification::throttled(2s).retry_after == 2s && !seawall::Classification::throttled().retry_after);
    CHECK(seawall::Classification::permanent().error == ErrorClass::Permanent);
    CHECK(seawall::Classification::retryable().cost == seawall::RetryCost::error);
    CHECK(seawall::outcome_of(ErrorClass::Throttled, 2s).retry_after_ns() == SECONDS(2));
}

static void every_seed_has_a_stream_of_its_own() {
    seawall::Random random(7);
    seawall::SharedRandom shared(7), none;
    const auto first = random.next_u64();
    CHECK(first == shared.next_u64() && random.next_u64() == shared.next_u64() && first != seawall::Random(8).next_u64());
    shared.reseed(7);
    CHECK(first == shared.next_u64() && none.next_u64() == 0);
    CHECK(seawall::entropy() != seawall::entropy());
}

static void the_vectors_of_the_strategy_are_decided_as_the_oracle_says() {
    std::unique_ptr<seawall::RetryStrategy> strategy;
    unsigned beyond = 0;
    Vectors step("retry_strategy");
    while (step.next()) {
        if (step.is("new")) {
            strategy.reset();
            // The vectors have a strategy of 584 years, twice what std::chrono::nanoseconds can say.
            if (step.number("base_ns") > INT64_MAX) continue;
            seawall::RetryConfig config;
            config.max_attempts = step.small("max_attempts");
            config.total_deadline = step.maybe_ns("deadline_ns");
            config.base_delay = step.ns("base_ns");
            config.factor_percent = step.small("factor_percent");
            config.max_delay = step.ns("max_delay_ns");
            config.jitter = step.word("jitter", "none")       ? seawall::Jitter::None
                            : step.word("jitter", "additive") ? seawall::Jitter::Additive
                            : step.word("jitter", "equal")    ? seawall::Jitter::Equal
                            : step.word("jitter", "full")     ? seawall::Jitter::Full
                                                              : seawall::Jitter::Decorrelated;
            config.retry_after_cap = step.ns("retry_after_cap_ns");
            strategy = std::make_unique<seawall::RetryStrategy>();
            CHECK(strategy->init(config));
            step.saw("ok");
        } else if (!strategy) {
            ++beyond;
        } else if (step.is("next_delay")) {
            const auto delay =
                strategy->next_delay(step.small("attempt"), step.maybe_ns("previous_ns"), step.number("random"));
            step.saw("delay_ns=" + text(delay.count()));
        } else {
            CHECK(step.is("decide"));
            const auto decision =
                strategy->decide({step.small("attempt"),
                                  step.word("class", "retryable")   ? seawall::ErrorClass::Retryable
                                  : step.word("class", "throttled") ? seawall::ErrorClass::Throttled
                                                                    : seawall::ErrorClass::Permanent,
                                  step.ns("elapsed_ns"), step.maybe_ns("previous_ns"), step.maybe_ns("retry_after_ns")},
                                 step.number("random"));
            static const char* const reasons[] = {"",
                                                  "permanent",
                                                  "attempts_exhausted",
                                                  "deadline_exceeded",
                                                  "retry_after_too_long",
                                                  "budget_spent",
                                                  "permit_void",
                                                  "service_failing"};
            step.saw(decision ? "retry delay_ns=" + text(decision.retry_after->count())
                              : std::string("give_up reason=") + reasons[static_cast<std::size_t>(*decision.give_up)]);
        }
    }
    printf("%u steps are beyond 292 years\n", beyond);
    CHECK(beyond == 5 * 96);
}

static void the_vectors_of_the_budget_are_decided_as_the_oracle_says() {
    std::unique_ptr<Budget> budget;
    Vectors step("retry_budget");
    while (step.next()) {
        const auto now = step.now();
        const Tokens cost = {step.has("cost") ? step.small("cost") : 0};
        if (step.is("new")) {
            budget = std::make_unique<Budget>();
            CHECK(budget->init({{step.small("share_ppm")},
                                {step.small("cap")},
                                {step.small("initial")},
                                {step.small("floor")},
                                step.ns("lifetime_ns")},
                               now));
            step.saw("ok");
        } else if (step.is("deposit")) {
            budget->deposit(now);
            step.saw("ok");
        } else if (step.is("balance")) {
            step.saw("tokens=" + text(budget->balance(now).millionths));
        } else if (step.is("refund")) {
            budget->refund(cost, now);
            step.saw("ok");
        } else {
            CHECK(step.is("try_withdraw"));
            const auto decision = budget->try_withdraw(cost, now);
            step.saw(decision                                             ? "ok"
                     : decision.reason() == seawall::Reason::Never ? "refused reason=never"
                                                                   : "refused reason=not_yet");
        }
    }
}

int main() {
    RUN(what_was_not_made_never_retries);
    RUN(the_defaults_are_those_of_the_library);
    RUN(a_strategy_decides_by_what_failed);
    RUN(a_budget_pays_for_retries_with_successes);
    RUN(an_answer_is_classified_as_http_means_it);
    RUN(every_seed_has_a_stream_of_its_own);
    RUN(the_vectors_of_the_strategy_are_decided_as_the_oracle_says);
    RUN(the_vectors_of_the_budget_are_decided_as_the_oracle_says);
    return 0;
}
