// The controller of a rate through its C++ type.
#include "check.hpp"

using namespace std::chrono_literals;
using Controller = seawall::BasicAimdController<VectorClock>;

static_assert(stays_where_it_is<seawall::AimdController>);
static_assert(std::is_trivially_destructible_v<seawall::AimdController>);
static_assert(noexcept(std::declval<seawall::AimdController&>().observe({})));

static void one_that_was_not_made_knows_no_rate() {
    seawall::AimdController none;
    CHECK(none.current_rate() == seawall::Rate{} && !none.observe({}) && !none.update(seawall::percent(50), 9s));
    CHECK(!none.error_baseline() && !none.latency_baseline());
    CHECK(none.reset() == SEAWALL_E_UNINITIALISED);
}

static void the_defaults_are_those_of_the_library() {
    const seawall_aimd_controller_config_t expected = SEAWALL_AIMD_CONTROLLER_CONFIG_INIT;
    const auto seen = seawall::AimdConfig{}.to_c();
    CHECK(memcmp(&expected, &seen, sizeof seen) == 0);
    const seawall_window_summary_t nothing = SEAWALL_WINDOW_SUMMARY_INIT;
    const auto summary = seawall::WindowSummary{}.to_c();
    CHECK(memcmp(&nothing, &summary, sizeof summary) == 0);
    seawall::AimdConfig bad;
    bad.factor = seawall::percent(100);
    CHECK(Controller::try_create(bad).status() == SEAWALL_E_AIMD_FACTOR_TOO_LARGE);
}

static void a_rate_is_cut_set_and_begins_anew() {
    auto made = Controller::try_create({});
    Controller& controller = *made;
    CHECK(controller.current_rate() == seawall::per_second(5) && controller.due_at() == at(0));
    const auto cut = controller.update(seawall::percent(50), std::nullopt, at(0));
    CHECK(cut && cut->from == seawall::per_second(5) && cut->reason == seawall::RateChangeReason::Errors);
    CHECK(strcmp(name(cut->reason), seawall_rate_reason_text(SEAWALL_RATE_REASON_ERRORS)) == 0);
    CHECK(cut->to == controller.current_rate() && controller.due_at() == at(SECONDS(30)));
    CHECK(!controller.update(seawall::percent(50), std::nullopt, at(SECONDS(29))));
    CHECK(controller.set_rate(seawall::per_second(1000)) == seawall::per_second(100));
    CHECK(controller.rebase(at(0), at(SECONDS(5))) && controller.due_at() == at(SECONDS(35)));
    CHECK(controller.reset(at(SECONDS(35))) && controller.current_rate() == seawall::per_second(5));
    CHECK(!controller.error_baseline());
}

static std::string told(const std::optional<seawall::RateChange>& change) {
    if (!change) return "none";
    const auto millionths = [](seawall::Rate rate) {
        const long double exact = static_cast<long double>(rate.count) * 1e15L / static_cast<long double>(rate.period.count());
        return text(static_cast<std::uint64_t>(exact + 0.5L));
    };
    static const char* const reasons[] = {"", "errors", "latency", "healthy"};
    return "changed from_millionths=" + millionths(change->from) + " to_millionths=" + millionths(change->to) +
           " reason=" + reasons[static_cast<std::size_t>(change->reason)];
}

static void the_vectors_are_decided_as_the_oracle_says() {
    std::unique_ptr<Controller> controller;
    Vectors step("aimd_controller");
    while (step.next()) {
        if (step.is("new")) {
            seawall::AimdConfig config;
            if (step.word("config", "slow_client")) {
                config.initial_rate = seawall::per_minute(7);
                config.min_rate = seawall::per_minute(1);
                config.max_rate = seawall::per_second(1);
                config.step = {1, 7s};
                config.factor = seawall::percent(70);
                config.interval = 10s;
                config.minimum_samples = 3;
            }
            controller = std::make_unique<Controller>();
            CHECK(controller->init(config));
            step.saw("ok");
        } else if (step.is("update")) {
            const auto errors = step.none("error_ppm") ? std::nullopt
                                                       : std::optional(seawall::Ratio{step.small("error_ppm")});
            step.saw(told(controller->update(errors, step.maybe_ns("p95_ns"), step.now())));
        } else {
            CHECK(step.is("observe"));
            seawall::WindowSummary summary;
            summary.count = step.number("count");
            summary.observed = step.ns("observed_ns");
            summary.p95 = step.maybe_ns("p95_ns");
            summary.total_count = step.number("total");
            summary.total_errors = step.number("total_errors");
            step.saw(told(controller->observe(summary, step.now())));
        }
    }
}

int main() {
    RUN(one_that_was_not_made_knows_no_rate);
    RUN(the_defaults_are_those_of_the_library);
    RUN(a_rate_is_cut_set_and_begins_anew);
    RUN(the_vectors_are_decided_as_the_oracle_says);
    return 0;
}
