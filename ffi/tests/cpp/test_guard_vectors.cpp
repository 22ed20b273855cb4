// The guard through its C++ types decides as an independent oracle says.
#include "check.hpp"

using namespace std::chrono_literals;
using Guard = seawall::BasicGuard<VectorClock>;

static std::string stage_name(seawall::Stage stage) {
    static const char* const names[] = {"none",         "deadline",     "pause",       "circuit_breaker", "concurrency_limit",
                                        "token_bucket", "retry_budget", "keyed_bucket"};
    return names[static_cast<std::size_t>(stage)];
}

static std::string shadow_name(const std::optional<seawall::Decision>& refusal) {
    return refusal ? stage_name(refusal->stage()) : "none";
}

static std::string state_name(seawall::State state) {
    return state == seawall::State::Closed ? "closed" : state == seawall::State::Open ? "open" : "half_open";
}

static std::string reason_name(const std::optional<seawall::GiveUpReason>& reason) {
    static const char* const names[] = {"none",
                                        "permanent",
                                        "attempts_exhausted",
                                        "deadline_exceeded",
                                        "retry_after_too_long",
                                        "budget_spent",
                                        "permit_void",
                                        "service_failing"};
    return names[reason ? static_cast<std::size_t>(*reason) : 0];
}

static std::string told(const std::optional<seawall::Transition>& transition) {
    return " to=" + (transition ? state_name(transition->to) : "none") +
           " shard=" + (transition ? text(transition->shard) : "none");
}

static seawall::GuardConfig config_of(const Vectors& step) {
    // Over the steps of the vectors: powers of two of nanoseconds.
    const auto two_to_the = [](int power) { return nanoseconds(std::uint64_t{1} << power); };
    auto config = seawall::GuardConfig::for_service(seawall::per_second(20), 1s);
    config.shards = step.small("shards");
    config.call_timeout = two_to_the(22);
    config.timeout_weight = step.small("timeout_weight");
    config.retry_streak = step.none("retry_streak") ? std::nullopt : std::optional(step.small("retry_streak"));
    config.bucket.rate = {1, two_to_the(20)};
    config.bucket.burst = step.small("burst");
    config.bucket.fill_tokens = step.small("tokens");
    config.breaker.rule = seawall::TripRule::consecutive(step.small("failures"));
    config.breaker.open_for = two_to_the(22);
    config.breaker.open_jitter = {0};
    config.breaker.open_growth_percent = 150;
    config.breaker.open_cap = two_to_the(23);
    config.breaker.probes = step.small("probes");
    config.breaker.probe_lease = two_to_the(24);
    config.limit.slots = config.limit.ceiling = 4;
    config.limit.start = 2;
    config.limit.slow_after = two_to_the(21);
    config.limit.timeout = two_to_the(22);
    config.limit.lease = two_to_the(24);
    config.retry.max_attempts = 3;
    config.retry.total_deadline = two_to_the(27);
    config.retry.base_delay = two_to_the(19);
    config.retry.max_delay = two_to_the(24);
    config.retry.jitter = seawall::Jitter::None;
    config.retry.retry_after_cap = two_to_the(25);
    config.budget.share = seawall::percent(40);
    config.budget.cap = seawall::RetryTokens::whole(4);
    config.budget.initial = seawall::RetryTokens::whole(3);
    config.budget.floor = seawall::RetryTokens::whole(1);
    config.budget.lifetime = 100ms;
    if (!step.none("keyed_burst")) {
        config.keyed = seawall::KeyedConfig{{1, two_to_the(22)}, step.small("keyed_burst"), 64, seawall::WhenFull::FailClosed};
        config.keyed_salt = 7;
    }
    return config;
}

static std::string look(Guard& guard, bool has_keys, VectorClock::time_point now) {
    std::string seen = "tokens=" + text(guard.bucket().available(now)) + " in_flight=" + text(guard.limit().in_flight(now)) +
                       " limit=" + text(guard.limit().limit()) + " states=";
    for (std::uint32_t shard = 0; shard < guard.shards(); ++shard) {
        seen += (shard > 0 ? "," : "") + state_name(guard.breaker(shard).state(now));
    }
    const auto paused = guard.paused_until(now);
    seen += " budget=" + text(guard.budget().balance(now).millionths) +
            " paused_until=" + (paused ? text(seawall::detail::to_ns(*paused)) : "none");
    for (std::uint64_t key = 0; has_keys && key < 5; ++key) {
        seen += (key > 0 ? "," : " keys=") + text(guard.keyed().available(key, now));
    }
    return seen;
}

static seawall::Stage stage_of(const Vectors& step) {
    std::uint32_t stage = 1;
    while (!step.word("stage", stage_name(static_cast<seawall::Stage>(stage)).c_str())) ++stage;
    return static_cast<seawall::Stage>(stage);
}

static seawall::Mode mode_of(const Vectors& step) {
    return step.word("mode", "enforce")  ? seawall::Mode::enforce()
           : step.word("mode", "shadow") ? seawall::Mode::shadow()
           : step.word("mode", "off")    ? seawall::Mode::off()
                                         : seawall::Mode::canary({step.small("share_ppm")});
}

static void the_vectors_are_decided_as_the_oracle_says() {
    std::unique_ptr<Guard> guard;
    std::vector<std::unique_ptr<Guard::Call>> calls;
    // The words of permits: the vectors report an attempt more than once, through a copy each time.
    std::vector<seawall_permit_t> permits;
    bool has_keys = false;
    Vectors step("guard");
    while (step.next()) {
        const auto now = step.now();
        if (step.is("new")) {
            // A call that is owed a retry would read the clock when it is dropped.
            for (auto& call : calls) call->abandon(now);
            calls.clear();
            permits.clear();
            guard = std::make_unique<Guard>();
            CHECK(guard->init(config_of(step), step.number("seed"), at(0)));
            has_keys = !step.none("keyed_burst");
            step.saw("ok");
        } else if (step.is("begin")) {
            Guard::Request request;
            request.key = step.number("key");
            request.shard = step.small("shard");
            request.cost = step.small("cost");
            if (!step.none("deadline")) request.deadline = at(step.number("deadline"));
            calls.push_back(std::make_unique<Guard::Call>(*guard, request, now));
            step.saw("ok");
        } else if (step.is("try_attempt")) {
            auto answer = calls[step.number("call")]->try_attempt(now);
            if (answer) {
                permits.push_back(answer->release());
                step.saw("ok permit=" + text(permits.size() - 1) + told(answer->transition) +
                         " shadow=" + shadow_name(answer->shadow_refusal));
            } else {
                step.saw("refused stage=" + stage_name(answer.decision().stage()) +
                         refused(answer.decision()).substr(strlen("refused")));
            }
        } else if (step.is("finish")) {
            seawall_permit_t words = permits[step.number("permit")];
            const auto outcome = step.word("outcome", "success")   ? seawall::Outcome::success()
                                 : step.word("outcome", "failure") ? seawall::Outcome::failure()
                                 : step.word("outcome", "throttled")
                                     ? seawall::Outcome::throttled(step.maybe_ns("retry_after_ns"))
                                     : seawall::Outcome::ignored();
            const auto finished = calls[step.number("call")]->finish(words, outcome, now);
            CHECK(finished.verdict != seawall::Verdict::None);
            step.saw((finished.verdict == seawall::Verdict::RetryAt
                          ? "retry_at=" + text(seawall::detail::to_ns(*finished.retry_at))
                      : finished.verdict == seawall::Verdict::GiveUp ? "give_up=" + reason_name(finished.give_up)
                                                                     : "done") +
                     told(finished.transition) +
                     " limit=" + (finished.limit_change ? text(finished.limit_change->to) : "none") +
                     " shadow=" + shadow_name(finished.shadow_refusal) +
                     " shadow_give_up=" + reason_name(finished.shadow_give_up));
        } else if (step.is("cancel")) {
            seawall_permit_t words = permits[step.number("permit")];
            step.saw("ok good=" + text(int{calls.front()->cancel(words, now)}));
        } else if (step.is("abandon")) {
            calls[step.number("call")]->abandon(now);
            step.saw("ok");
        } else if (step.is("set_mode")) {
            const auto status = guard->set_mode(stage_of(step), mode_of(step));
            CHECK(status || status == SEAWALL_E_GUARD_STAGE_WITHOUT_MODE);
            step.saw(status ? "ok" : "no_mode");
        } else {
            CHECK(step.is("look"));
            step.saw(look(*guard, has_keys, now));
        }
    }
    for (auto& call : calls) call->abandon(at(0));
}

int main() {
    RUN(the_vectors_are_decided_as_the_oracle_says);
    return 0;
}
