// The windows through their C++ types.
#include "check.hpp"

using namespace std::chrono_literals;
using Window = seawall::BasicSlidingWindow<VectorClock>;
using Sharded = seawall::BasicShardedWindow<VectorClock>;

static_assert(stays_where_it_is<seawall::SlidingWindow> && stays_where_it_is<seawall::ShardedWindow>);
static_assert(has_one_owner<seawall::OwnedWindow<std::chrono::steady_clock>>);
static_assert(noexcept(std::declval<seawall::SlidingWindow&>().record(std::declval<std::chrono::nanoseconds>(), true)));

static void those_that_were_not_made_have_seen_nothing() {
    seawall::SlidingWindow window;
    window.record(1ms, true);
    CHECK(window.summary().count == 0 && !window.quantile(seawall::percent(50)) && !window.error_rate());
    CHECK(window.total_count() == 0 && window.window() == 0ns && !window.mark());
    seawall::ShardedWindow sharded;
    CHECK(!sharded.record(0, 1ms, true) && !sharded.own(0) && sharded.shards() == 0 && sharded.total_late() == 0);
    seawall::OwnedWindow<std::chrono::steady_clock> none;
    none.record(1ms, true);
    CHECK(!none);
}

static void the_defaults_are_those_of_the_library() {
    const seawall_sliding_window_config_t sliding = SEAWALL_SLIDING_WINDOW_CONFIG_INIT;
    const seawall_sharded_window_config_t sharded = SEAWALL_SHARDED_WINDOW_CONFIG_INIT;
    const auto seen_sliding = seawall::WindowConfig{}.to_c();
    const auto seen_sharded = seawall::ShardedWindowConfig{}.to_c();
    CHECK(memcmp(&sliding, &seen_sliding, sizeof sliding) == 0 && memcmp(&sharded, &seen_sharded, sizeof sharded) == 0);
    CHECK(Window::try_create({1s, 3, 512}).status() == SEAWALL_E_SIZE && Window::required_size({1s, 3, 512}) == 0);
    CHECK(Window::try_create({1us, 16, 512}).status() == SEAWALL_E_WINDOW_TOO_SHORT);
    CHECK(Sharded::try_create({1s, 0}).status() == SEAWALL_E_SIZE);
}

static void a_window_counts_measures_and_forgets() {
    auto made = Window::try_create({8s, 8, 512});
    Window& window = *made;
    window.record(10ms, true, at(0));
    window.record(30ms, false, at(SECONDS(1)));
    const auto summary = window.summary(at(SECONDS(1)));
    CHECK(summary.count == 2 && summary.errors == 1 && summary.p50 && summary.max >= 30ms);
    CHECK(summary.throughput() > 0 && summary.error_rate() == 0.5);
    CHECK(window.error_rate(at(SECONDS(1))) == seawall::percent(50));
    const auto p99 = window.quantile(seawall::percent(99), at(SECONDS(1)));
    CHECK(p99 && *p99 >= 29ms && *p99 <= 31ms && window.relative_error().ppm > 0);
    CHECK(window.window() == 8s && window.slice() == 1s && window.total_errors() == 1 && window.total_late() == 0);
    CHECK(window.mark(at(SECONDS(2))) && window.summary(at(SECONDS(2))).count == 0 && window.total_count() == 2);
    CHECK(window.rebase(at(SECONDS(2)), at(0)));
    window.record(1ms, true, at(0));
    CHECK(window.summary(at(0)).count == 1);
}

static void a_shard_has_one_owner_until_it_is_dropped() {
    seawall::ShardedWindowConfig config;
    config.shards = 2;
    config.writers = seawall::Writers::One;
    auto made = Sharded::try_create(config);
    Sharded& window = *made;
    CHECK(window.shards() == 2 && window.record(0, 1ms, true, at(0)) == SEAWALL_E_WRITER);
    {
        auto owner = window.own(1);
        CHECK(owner && !window.own(1) && window.own(0));
        auto moved = std::move(owner);
        owner.record(1ms, true, at(0));
        CHECK(!owner && window.total_count() == 0);
        moved.record(1ms, false, at(0));
        CHECK(window.total_count() == 1 && window.summary(at(0)).errors == 1);
    }
    auto owner = window.own(0);
    owner = window.own(1);
    CHECK(window.own(0) && !window.own(1) && !window.own(7));
    owner.release();
    CHECK(!owner && window.own(1));
}

static void a_workspace_of_the_callers_is_shared_by_who_attaches() {
    std::vector<std::uint64_t> memory(Sharded::required_size({}) / 8 + 1);
    const seawall::Workspace workspace = {memory.data(), memory.size() * 8};
    Sharded one, other;
    CHECK(one.init_in(workspace, {}) && other.attach(workspace) && one.record(5, 1ms, true, at(0)));
    CHECK(other.total_count() == 1);
    Window window, again;
    CHECK(window.attach(workspace) == SEAWALL_E_TYPE && window.init_in(workspace, {}) && again.attach(workspace));
    window.record(1ms, true, at(0));
    CHECK(again.total_count() == 1);
}

static std::string figures(const seawall::WindowSummary& summary, std::uint64_t late, bool is_sharded) {
    return "count=" + text(summary.count) + " errors=" + text(summary.errors) +
           " observed_ns=" + text(summary.observed.count()) + (is_sharded ? "" : " mean_ns=" + text(summary.mean)) +
           " max_ns=" + text(summary.max) + " p50_ns=" + text(summary.p50) + " p95_ns=" + text(summary.p95) +
           (is_sharded ? "" : " p99_ns=" + text(summary.p99)) + " total_count=" + text(summary.total_count) +
           " total_errors=" + text(summary.total_errors) + " total_late=" + text(late);
}

static void the_vectors_of_the_sliding_window_are_decided_as_the_oracle_says() {
    std::unique_ptr<Window> window;
    Vectors step("sliding_window");
    while (step.next()) {
        const auto now = step.now();
        if (step.is("new")) {
            window = std::make_unique<Window>();
            CHECK(window->init({step.ns("window_ns"), step.small("slices"), step.small("cells")}));
            step.saw("ok");
        } else if (step.is("record")) {
            window->record(step.ns("latency_ns"), step.number("ok") == 1, now);
            step.saw("ok");
        } else if (step.is("mark")) {
            CHECK(window->mark(now));
            step.saw("ok");
        } else if (step.is("rebase")) {
            CHECK(window->rebase(at(step.number("old_now")), at(step.number("new_now"))));
            step.saw("ok");
        } else {
            CHECK(step.is("summary"));
            step.saw(figures(window->summary(now), window->total_late(), false));
        }
    }
}

static void the_vectors_of_the_sharded_window_are_decided_as_the_oracle_says() {
    std::unique_ptr<Sharded> window;
    Vectors step("sharded_window");
    while (step.next()) {
        const auto now = step.now();
        if (step.is("new")) {
            window = std::make_unique<Sharded>();
            CHECK(window->init({step.ns("window_ns"), step.small("shards"), step.small("slices"), step.small("cells")}));
            step.saw("ok");
        } else if (step.is("record")) {
            CHECK(window->record(step.small("shard"), step.ns("latency_ns"), step.number("ok") == 1, now));
            step.saw("ok");
        } else if (step.is("mark")) {
            CHECK(window->mark(now));
            step.saw("ok");
        } else if (step.is("rebase")) {
            CHECK(window->rebase(at(step.number("old_now")), at(step.number("new_now"))));
            step.saw("ok");
        } else {
            CHECK(step.is("summary"));
            step.saw(figures(window->summary(now), window->total_late(), true));
        }
    }
}

int main() {
    RUN(those_that_were_not_made_have_seen_nothing);
    RUN(the_defaults_are_those_of_the_library);
    RUN(a_window_counts_measures_and_forgets);
    RUN(a_shard_has_one_owner_until_it_is_dropped);
    RUN(a_workspace_of_the_callers_is_shared_by_who_attaches);
    RUN(the_vectors_of_the_sliding_window_are_decided_as_the_oracle_says);
    RUN(the_vectors_of_the_sharded_window_are_decided_as_the_oracle_says);
    return 0;
}
