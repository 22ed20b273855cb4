// The buckets by key and the leased bucket through their C++ types.
#include "check.hpp"

using namespace std::chrono_literals;
using Keyed = seawall::BasicKeyedBuckets<VectorClock>;
using Leased = seawall::BasicLeasedBucket<VectorClock>;

static_assert(stays_where_it_is<seawall::KeyedBuckets> && stays_where_it_is<seawall::LeasedBucket>);
static_assert(has_one_owner<seawall::OwnedLease<std::chrono::steady_clock>>);
static_assert(noexcept(std::declval<seawall::KeyedBuckets&>().try_take(1, 1)));
static_assert(noexcept(std::declval<seawall::LeasedBucket&>().try_take(1, 1)));

static void those_that_were_not_made_refuse_everything() {
    seawall::KeyedBuckets keyed;
    CHECK(!keyed.try_take(7, 1) && keyed.available(7) == 0 && keyed.key_of("alice") == 0 && keyed.places() == 0);
    seawall::LeasedBucket leased;
    CHECK(!leased.try_take(0, 1) && !leased.own(0) && leased.shards() == 0 && leased.rate() == seawall::Rate{});
    seawall::OwnedLease<std::chrono::steady_clock> lease;
    CHECK(!lease && !lease.try_take(1) && lease.tokens() == 0);
}

static void the_defaults_are_those_of_the_library() {
    const seawall_keyed_buckets_config_t keyed = SEAWALL_KEYED_BUCKETS_CONFIG_INIT;
    const seawall_leased_bucket_config_t leased = SEAWALL_LEASED_BUCKET_CONFIG_INIT;
    const auto seen_keyed = seawall::KeyedConfig{}.to_c();
    const auto seen_leased = seawall::LeasedConfig{}.to_c();
    CHECK(memcmp(&keyed, &seen_keyed, sizeof keyed) == 0 && memcmp(&leased, &seen_leased, sizeof leased) == 0);
    const auto each = seawall::KeyedConfig::for_rate(seawall::per_second(3), seawall::WhenFull::FailClosed);
    CHECK(each.burst == 3 && each.groups == 64 && each.when_full == seawall::WhenFull::FailClosed);
    CHECK(seawall::LeasedConfig::for_rate(seawall::per_second(900)).burst == 900);
    CHECK(Keyed::try_create({seawall::per_second(1), 0}, 7, at(0)).status() == SEAWALL_E_KEYED_ZERO_BURST);
    CHECK(Leased::try_create({seawall::per_second(1), 0}, at(0)).status() == SEAWALL_E_SIZE);
    CHECK(Keyed::try_create(seawall::KeyedConfig::for_rate({1, 0s}, seawall::WhenFull::FailOpen), 7, at(0)).status() ==
          SEAWALL_E_RATE_ZERO_PERIOD);
}

static void each_key_has_a_bucket_of_its_own() {
    auto made = Keyed::try_create({seawall::per_second(1), 2, 8, seawall::WhenFull::FailClosed}, 7, at(0));
    Keyed& users = *made;
    const auto alice = users.key_of("alice"), bob = users.key_of(std::string("bob"));
    CHECK(alice != bob && users.hash_of(alice) != users.hash_of(bob) && users.places() == 56);
    CHECK(users.try_take(alice, 2, at(0)).remaining() == 0);
    const auto refused = users.try_take(alice, 1, at(0));
    CHECK(!refused && refused.retry_after() > 999ms && refused.retry_after() <= 1001ms);
    CHECK(refused.stage() == seawall::Stage::KeyedBucket && users.peek(bob, 2, at(0)) && !users.peek(bob, 3, at(0)));
    CHECK(users.occupied(at(0)) == 1 && users.let_through() == 0);
    CHECK(users.refund(alice, 1, at(0)) && users.available(alice, at(0)) == 1 && !users.refund(bob, 1, at(0)));
    CHECK(users.set_rate(seawall::per_second(4), at(0)) && users.config().rate == seawall::per_second(4));
    auto config = users.config();
    config.burst = 5;
    CHECK(users.set_config(config, at(0)) && users.config().burst == 5);
    CHECK(users.rebase(at(0), at(SECONDS(9))) && users.reset(at(SECONDS(9))));
    CHECK(users.available(alice, at(SECONDS(9))) == 5);
}

static void a_lease_is_owned_by_one_until_it_is_dropped() {
    auto made = Leased::try_create({seawall::per_second(100), 2, 100, 10}, at(0));
    Leased& bucket = *made;
    CHECK(bucket.shards() == 2 && bucket.batch() == 10 && bucket.burst() == 100);
    CHECK(bucket.try_take(1, 3, at(0)) && bucket.available(at(0)) == 97);
    {
        auto lease = bucket.own(0);
        CHECK(lease && !bucket.own(0) && lease.try_take(1, at(0)));
        const auto held = lease.tokens();
        CHECK(held > 0 && held < 10 && bucket.available(at(0)) == 96 - held);
        auto moved = std::move(lease);
        CHECK(!lease && moved && moved.tokens() == held && moved.try_take(1, at(0)) && moved.tokens() == held - 1);
    }
    CHECK(bucket.available(at(0)) == 95);
    CHECK(bucket.own(0));
    CHECK(bucket.peek(50, at(0)) && bucket.try_take(1, 50, at(0)) && bucket.available(at(0)) == 45);
    CHECK(bucket.refund(4, at(0)) && bucket.available(at(0)) == 49);
    CHECK(bucket.set_rate(seawall::per_second(7), at(0)) && bucket.rate() == seawall::per_second(7));
    CHECK(bucket.set_burst(60, at(0)) && bucket.burst() == 60);
    CHECK(bucket.drain_to(5, at(0)) > 0);
    CHECK(bucket.start_warm_up({seawall::Curve::Linear, seawall::per_second(1), 10s}, at(0)));
    CHECK(bucket.rebase(at(0), at(SECONDS(5))) && bucket.reset(20, {}, at(SECONDS(5))));
    CHECK(bucket.available(at(SECONDS(5))) == 20);
}

static void a_workspace_of_the_callers_is_shared_by_who_attaches() {
    std::vector<std::uint64_t> memory(Keyed::required_size({}) / 8 + 1);
    const seawall::Workspace workspace = {memory.data(), memory.size() * 8};
    Keyed one, other;
    CHECK(one.init_in(workspace, {}, 7, at(0)) && other.attach(workspace));
    CHECK(one.try_take(5, 10, at(0)) && other.available(5, at(0)) == 0);
    Leased leased, again;
    CHECK(again.attach(workspace) == SEAWALL_E_TYPE);
    CHECK(Leased::required_size({}) <= workspace.size && leased.init_in(workspace, {}, at(0)) && again.attach(workspace));
    CHECK(leased.try_take(0, 10, at(0)) && again.available(at(0)) == 0);
}

static void the_vectors_are_decided_as_the_oracle_says() {
    std::unique_ptr<Keyed> users;
    Vectors step("keyed_buckets");
    while (step.next()) {
        const auto now = step.now();
        const std::uint64_t key = step.has("key") ? step.number("key") : 0;
        const std::uint32_t n = step.has("n") ? step.small("n") : 0;
        const auto config = [&] {
            return seawall::KeyedConfig{{step.number("rate_count"), step.ns("period_ns")},
                                        step.small("burst"),
                                        8,
                                        seawall::WhenFull::FailClosed};
        };
        if (step.is("new")) {
            CHECK(step.number("groups") == 8);
            users = std::make_unique<Keyed>();
            CHECK(users->init(config(), 7, now));
            step.saw("ok");
        } else if (step.is("try_take")) {
            const auto decision = users->try_take(key, n, now);
            step.saw(decision ? "ok" : refused(decision));
        } else if (step.is("refund")) {
            step.saw("done=" + text(users->refund(key, n, now)));
        } else if (step.is("set_config")) {
            CHECK(users->set_config(config(), now));
            step.saw("ok");
        } else if (step.is("rebase")) {
            CHECK(users->rebase(at(step.number("old_now")), at(step.number("new_now"))));
            step.saw("ok");
        } else {
            CHECK(step.is("available"));
            step.saw("tokens=" + text(users->available(key, now)));
        }
    }
}

int main() {
    RUN(those_that_were_not_made_refuse_everything);
    RUN(the_defaults_are_those_of_the_library);
    RUN(each_key_has_a_bucket_of_its_own);
    RUN(a_lease_is_owned_by_one_until_it_is_dropped);
    RUN(a_workspace_of_the_callers_is_shared_by_who_attaches);
    RUN(the_vectors_are_decided_as_the_oracle_says);
    return 0;
}
