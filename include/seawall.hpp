/*
 * seawall.hpp: seawall.h as C++17 and later. Header only, by hand; link libseawall as from C.
 *
 *     seawall::TokenBucket bucket{seawall::per_second(100)};
 *     if (const auto decision = bucket.try_take(1)) send();
 *     else come_back_after(decision.retry_after());
 *
 * OBJECTS are neither copied nor moved: threads share them by reference. Those of a fixed size hold their state by value;
 * they allocate nothing and need no destruction, so that one with static storage serves until the very end. Those whose
 * size depends on their configuration allocate a workspace once, or lie in one of yours (`Workspace`). A default
 * constructed object is not there yet: `init` makes it, and until then it refuses everything and has nothing. Where
 * exceptions are on, a constructor with a configuration makes it or throws `StatusError`; where they are off (or
 * SEAWALL_NO_EXCEPTIONS is defined), there are `init` and `try_create`. Nothing else here throws, and no RTTI is used.
 *
 * TIME is an argument: the last one, which is read from the clock of the object's type where it is left out. `TokenBucket`
 * is `BasicTokenBucket<std::chrono::steady_clock>`; any clock will do. What is older than time 0 of the clock counts as 0.
 *
 * DURATIONS are std::chrono::nanoseconds, saturated at 292 years; `nanoseconds::max()` is no bound.
 *
 * PERMITS report `Ignored` when they are dropped, so that an exception or an early return leaves nothing behind. One that
 * was moved from, or reported, does nothing.
 *
 * THREADS: what is `noexcept` and is not `init` or a move may be called from any thread, as the C function beneath says.
 */
#ifndef SEAWALL_HPP
#define SEAWALL_HPP

#include "seawall.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__linux__) || defined(__APPLE__)
#include <sys/random.h>
#endif

#if !defined(SEAWALL_NO_EXCEPTIONS) && (defined(__cpp_exceptions) || defined(_CPPUNWIND))
#define SEAWALL_EXCEPTIONS 1
#include <exception>
#else
#define SEAWALL_EXCEPTIONS 0
#endif

namespace seawall {

// ---------------------------------------------------------------------------------------------------------------- time

namespace detail {

/// A duration in the library's nanoseconds: 0 where it is negative, no bound where it has none.
template <class Rep, class Period>
constexpr std::uint64_t to_ns(std::chrono::duration<Rep, Period> duration) noexcept {
    using Factor = std::ratio_divide<Period, std::nano>;
    if (!(duration.count() > 0) || duration == duration.max()) return duration.count() > 0 ? UINT64_MAX : 0;
    if constexpr (std::is_floating_point_v<Rep>) {
        const long double ns = static_cast<long double>(duration.count()) * Factor::num / Factor::den;
        return ns < 18446744073709551615.0L ? static_cast<std::uint64_t>(ns) : UINT64_MAX;
    } else {
        const auto count = static_cast<std::uint64_t>(duration.count());
        constexpr auto num = static_cast<std::uint64_t>(Factor::num), den = static_cast<std::uint64_t>(Factor::den);
        return count > UINT64_MAX / num ? UINT64_MAX : count * num / den;
    }
}

constexpr std::chrono::nanoseconds from_ns(std::uint64_t ns) noexcept {
    return std::chrono::nanoseconds(ns < INT64_MAX ? static_cast<std::int64_t>(ns) : INT64_MAX);
}

constexpr std::optional<std::chrono::nanoseconds> known(std::uint64_t ns) noexcept {
    return ns == SEAWALL_UNKNOWN ? std::nullopt : std::optional(from_ns(ns));
}

constexpr std::uint64_t or_unknown(std::optional<std::chrono::nanoseconds> duration) noexcept {
    return duration ? to_ns(*duration) : SEAWALL_UNKNOWN;
}

template <class Clock, class Duration>
constexpr std::uint64_t to_ns(std::chrono::time_point<Clock, Duration> point) noexcept {
    return to_ns(point.time_since_epoch());
}

/// The library's instant as a point of the clock, rounded up to its tick, at the most its last one.
template <class Clock>
constexpr typename Clock::time_point to_point(std::uint64_t ns) noexcept {
    using Duration = typename Clock::duration;
    using Point = typename Clock::time_point;
    if (ns >= to_ns(Duration::max() - Duration(1))) return Point::max();
    auto ticks = std::chrono::duration_cast<Duration>(std::chrono::duration<std::uint64_t, std::nano>(ns));
    if (to_ns(ticks) < ns) ticks += Duration(1);
    return Point(ticks);
}

/// `wait` after `now`, at most the last point of the clock.
template <class Clock>
constexpr typename Clock::time_point later(typename Clock::time_point now, std::chrono::nanoseconds wait) noexcept {
    const std::uint64_t now_ns = to_ns(now), wait_ns = to_ns(wait);
    return to_point<Clock>(wait_ns < UINT64_MAX - now_ns ? now_ns + wait_ns : UINT64_MAX);
}

}  // namespace detail

/// A clock for tests, one for the program: it stands still until it is told.
struct ManualClock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<ManualClock>;
    static constexpr bool is_steady = false;

    static time_point now() noexcept { return time_point(duration(reading().load(std::memory_order_relaxed))); }
    static void set(time_point now) noexcept {
        reading().store(now.time_since_epoch().count(), std::memory_order_relaxed);
    }
    static void advance(duration by) noexcept { reading().fetch_add(by.count(), std::memory_order_relaxed); }

  private:
    static std::atomic<rep>& reading() noexcept {
        static std::atomic<rep> value{0};
        return value;
    }
};

// -------------------------------------------------------------------------------------------------------------- status

/// What a call answers: done, a no, or a mistake of the caller's; one of SEAWALL_OK, ….
class [[nodiscard]] Status {
  public:
    constexpr Status(seawall_status_t code = SEAWALL_OK) noexcept : code_(code) {}
    /// Whether it was done.
    constexpr explicit operator bool() const noexcept { return code_ == SEAWALL_OK; }
    constexpr bool is_mistake() const noexcept { return code_ < 0; }
    constexpr seawall_status_t code() const noexcept { return code_; }
    /// In words: of a mistake what was wrong, and what is allowed.
    const char* explain() const noexcept { return seawall_status_text(code_); }
    friend constexpr bool operator==(Status left, Status right) noexcept { return left.code_ == right.code_; }
    friend constexpr bool operator!=(Status left, Status right) noexcept { return left.code_ != right.code_; }

  private:
    seawall_status_t code_;
};

#if SEAWALL_EXCEPTIONS
/// A configuration that was not accepted, or a value that is not there.
class StatusError : public std::exception {
  public:
    explicit StatusError(Status status) noexcept : status_(status) {}
    Status status() const noexcept { return status_; }
    const char* what() const noexcept override { return status_.explain(); }

  private:
    Status status_;
};
#endif

namespace detail {
struct Making {};

#if SEAWALL_EXCEPTIONS
inline void require(Status status) {
    if (!status) throw StatusError(status);
}
#endif
}  // namespace detail

/// An object, or why it could not be made: then what it holds is one that is not there, and refuses everything.
template <class T>
class [[nodiscard]] Result {
  public:
    template <class... Arguments>
    explicit Result(detail::Making, Arguments&&... arguments) noexcept
        : status_(value_.init(std::forward<Arguments>(arguments)...)) {}

    explicit operator bool() const noexcept { return static_cast<bool>(status_); }
    Status status() const noexcept { return status_; }
    T& operator*() noexcept { return value_; }
    T* operator->() noexcept { return &value_; }
#if SEAWALL_EXCEPTIONS
    T& value() {
        detail::require(status_);
        return value_;
    }
#endif

  private:
    T value_;
    Status status_;
};

/// Who refused.
enum class Stage : std::uint32_t {
    Nobody = 0,
    Deadline = SEAWALL_STAGE_DEADLINE,
    Pause = SEAWALL_STAGE_PAUSE,
    CircuitBreaker = SEAWALL_STAGE_CIRCUIT_BREAKER,
    ConcurrencyLimit = SEAWALL_STAGE_CONCURRENCY_LIMIT,
    TokenBucket = SEAWALL_STAGE_TOKEN_BUCKET,
    RetryBudget = SEAWALL_STAGE_RETRY_BUDGET,
    KeyedBucket = SEAWALL_STAGE_KEYED_BUCKET,
};

/// Why.
enum class Reason : seawall_status_t {
    NotYet = SEAWALL_NOT_YET,
    Never = SEAWALL_NEVER,
    ClockStepped = SEAWALL_CLOCK_STEPPED,
    NoPlace = SEAWALL_NO_PLACE,
};

/// Admitted, or refused, and when to come back. After a mistake it is a refusal too, without a reason.
class [[nodiscard]] Decision {
  public:
    constexpr Decision(Status status, const seawall_decision_t& said) noexcept : said_(said), status_(status) {}

    /// Whether it was admitted.
    constexpr explicit operator bool() const noexcept { return static_cast<bool>(status_); }
    constexpr Status status() const noexcept { return status_; }
    /// Why it was refused.
    constexpr std::optional<Reason> reason() const noexcept {
        return status_.code() > 0 ? std::optional(static_cast<Reason>(status_.code())) : std::nullopt;
    }
    /// After how long it is worth asking again: nothing where that is not known, or never.
    constexpr std::optional<std::chrono::nanoseconds> retry_after() const noexcept {
        const bool waits = status_ == SEAWALL_NOT_YET || status_ == SEAWALL_NO_PLACE;
        return waits ? detail::known(said_.retry_after_ns) : std::nullopt;
    }
    /// Who refused.
    constexpr Stage stage() const noexcept { return static_cast<Stage>(said_.stage); }
    /// What is left after it: tokens, or free slots.
    constexpr std::uint32_t remaining() const noexcept { return said_.remaining; }
    const char* explain() const noexcept { return status_.explain(); }
    const seawall_decision_t& c() const noexcept { return said_; }

  private:
    seawall_decision_t said_;
    Status status_;
};

/// What was admitted, or a refusal: then what it holds is empty.
template <class T>
class [[nodiscard]] Answer {
  public:
    Answer(Decision decision, T value) noexcept : value_(std::move(value)), decision_(decision) {}

    explicit operator bool() const noexcept { return static_cast<bool>(decision_); }
    const Decision& decision() const noexcept { return decision_; }
    Status status() const noexcept { return decision_.status(); }
    std::optional<std::chrono::nanoseconds> retry_after() const noexcept { return decision_.retry_after(); }
    T& operator*() & noexcept { return value_; }
    T&& operator*() && noexcept { return std::move(value_); }
    T* operator->() noexcept { return &value_; }

  private:
    T value_;
    Decision decision_;
};

// -------------------------------------------------------------------------------------------------------------- values

/// `count` per `period`: `Rate{100, 1s}`. A count of 0 is never.
struct Rate {
    std::uint64_t count = 0;
    std::chrono::nanoseconds period = std::chrono::seconds(1);

    static constexpr Rate from_c(seawall_rate_t rate) noexcept { return {rate.count, detail::from_ns(rate.period_ns)}; }
    constexpr seawall_rate_t to_c() const noexcept { return {count, detail::to_ns(period)}; }
    friend constexpr bool operator==(Rate left, Rate right) noexcept {
        return left.count == right.count && left.period == right.period;
    }
    friend constexpr bool operator!=(Rate left, Rate right) noexcept { return !(left == right); }
};

constexpr Rate per_second(std::uint64_t count) noexcept { return {count, std::chrono::seconds(1)}; }
constexpr Rate per_minute(std::uint64_t count) noexcept { return {count, std::chrono::minutes(1)}; }
constexpr Rate per_hour(std::uint64_t count) noexcept { return {count, std::chrono::hours(1)}; }

/// A share, in parts per million: 0 to 1,000,000.
struct Ratio {
    std::uint32_t ppm = 0;

    friend constexpr bool operator==(Ratio left, Ratio right) noexcept { return left.ppm == right.ppm; }
    friend constexpr bool operator!=(Ratio left, Ratio right) noexcept { return left.ppm != right.ppm; }
};

constexpr Ratio percent(std::uint32_t percent) noexcept { return {percent <= 100 ? percent * 10'000 : UINT32_MAX}; }

/// How a rate climbs.
enum class Curve : std::uint32_t {
    Step = SEAWALL_CURVE_STEP,
    Linear = SEAWALL_CURVE_LINEAR,
    Exponential = SEAWALL_CURVE_EXPONENTIAL,
};

/// From which rate on, along which curve, for how long; a duration of 0 is no warm-up.
struct WarmUp {
    Curve curve = Curve::Step;
    Rate from = {0, std::chrono::seconds(1)};
    std::chrono::nanoseconds duration = {};

    static constexpr WarmUp none() noexcept { return {}; }
    static constexpr WarmUp from_c(const seawall_warm_up_t& warm_up) noexcept {
        return {static_cast<Curve>(warm_up.curve), Rate::from_c(warm_up.from), detail::from_ns(warm_up.duration_ns)};
    }
    constexpr seawall_warm_up_t to_c() const noexcept {
        return {static_cast<std::uint32_t>(curve), 0, from.to_c(), detail::to_ns(duration)};
    }
};

/// All of the tokens that a bucket holds.
inline constexpr std::uint32_t full = SEAWALL_FILL_FULL;

// -------------------------------------------------------------------------------------------------------- token bucket

namespace detail {
inline constexpr seawall_token_bucket_config_t bucket_default = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
}

/// Rate, burst, first fill and warm-up of a token bucket; as it stands, ten a second, ten at once, full, no warm-up.
struct BucketConfig {
    Rate rate = Rate::from_c(detail::bucket_default.rate);
    /// The most tokens that the bucket holds, and that one call may take: 1 and more.
    std::uint32_t burst = detail::bucket_default.burst;
    /// The tokens at the start; `full` for all.
    std::uint32_t fill_tokens = detail::bucket_default.fill_tokens;
    WarmUp warm_up = WarmUp::from_c(detail::bucket_default.warm_up);

    /// For a rate: a burst of one second of it, full, no warm-up.
    static BucketConfig for_rate(Rate rate) noexcept {
        seawall_token_bucket_config_t config = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
        // A rate that is none is kept, so that the bucket's `init` names it.
        if (seawall_token_bucket_config_for(&config, rate.to_c()) != SEAWALL_OK) config.rate = rate.to_c();
        return from_c(config);
    }
    static constexpr BucketConfig from_c(const seawall_token_bucket_config_t& config) noexcept {
        return {Rate::from_c(config.rate), config.burst, config.fill_tokens, WarmUp::from_c(config.warm_up)};
    }
    constexpr seawall_token_bucket_config_t to_c() const noexcept {
        seawall_token_bucket_config_t config = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
        config.rate = rate.to_c();
        config.burst = burst;
        config.fill_tokens = fill_tokens;
        config.warm_up = warm_up.to_c();
        return config;
    }
};

namespace detail {
template <class Self, class Clock>
class TokenBucketCalls;
}

/// Tokens that were booked ahead; dropped, they stay spent.
template <class Clock>
class Reservation {
  public:
    Reservation() noexcept : words_{}, ready_at_{} {}
    Reservation(Reservation&& other) noexcept : words_(other.words_), ready_at_(other.ready_at_) { other.words_ = {}; }
    Reservation& operator=(Reservation&& other) noexcept {
        if (this != &other) {
            words_ = std::exchange(other.words_, {});
            ready_at_ = other.ready_at_;
        }
        return *this;
    }
    Reservation(const Reservation&) = delete;
    Reservation& operator=(const Reservation&) = delete;

    /// From when on its tokens may be used.
    typename Clock::time_point ready_at() const noexcept { return ready_at_; }
    seawall_reservation_t* c() noexcept { return &words_; }

  private:
    template <class, class>
    friend class detail::TokenBucketCalls;
    seawall_reservation_t words_;
    typename Clock::time_point ready_at_;
};

namespace detail {

/// What can be asked of a token bucket, wherever it lies: `Self::c()` says where.
template <class Self, class Clock>
class TokenBucketCalls {
  public:
    using time_point = typename Clock::time_point;
    using Reservation = seawall::Reservation<Clock>;

    /// Takes `n` tokens, all or none.
    Decision try_take(std::uint32_t n, time_point now = Clock::now()) noexcept {
        seawall_decision_t said{};
        const Status status = seawall_token_bucket_try_take(self(), n, detail::to_ns(now), &said);
        return {status, said};
    }
    /// Takes as many tokens as there are, at most `n`, and says how many.
    std::uint32_t take_up_to(std::uint32_t n, time_point now = Clock::now()) noexcept {
        std::uint32_t taken = 0;
        seawall_token_bucket_take_up_to(self(), n, detail::to_ns(now), &taken);
        return taken;
    }
    /// Discards the tokens over `keep`, and says how many whole ones.
    std::uint32_t drain_to(std::uint32_t keep, time_point now = Clock::now()) noexcept {
        std::uint32_t discarded = 0;
        seawall_token_bucket_drain_to(self(), keep, detail::to_ns(now), &discarded);
        return discarded;
    }
    /// What `try_take` would answer. Takes nothing.
    Decision peek(std::uint32_t n, time_point now = Clock::now()) noexcept {
        seawall_decision_t said{};
        const Status status = seawall_token_bucket_peek(self(), n, detail::to_ns(now), &said);
        return {status, said};
    }
    /// Books `n` tokens for the earliest instant, at most `max_wait` ahead, so that who waits need not poll. Only the newest
    /// reservation can be taken back exactly: keep a line, and book for its head.
    Answer<Reservation> reserve(std::uint32_t n, std::chrono::nanoseconds max_wait,
                                time_point now = Clock::now()) noexcept {
        Reservation reservation;
        std::uint64_t ready_at_ns = 0;
        seawall_decision_t said{};
        const Status status = seawall_token_bucket_reserve(self(), n, detail::to_ns(max_wait), detail::to_ns(now),
                                                           reservation.c(), &ready_at_ns, &said);
        if (status) reservation.ready_at_ = detail::to_point<Clock>(ready_at_ns);
        return {Decision(status, said), std::move(reservation)};
    }
    /// Gives the tokens of a reservation back, if that cannot admit too many.
    bool cancel(Reservation reservation, time_point now = Clock::now()) noexcept {
        return seawall_token_bucket_cancel(self(), reservation.c(), detail::to_ns(now)) == SEAWALL_OK;
    }
    /// Gives `n` tokens back that were taken and never used, if that cannot admit too many.
    bool refund(std::uint32_t n, time_point now = Clock::now()) noexcept {
        return seawall_token_bucket_refund(self(), n, detail::to_ns(now)) == SEAWALL_OK;
    }
    /// How many whole tokens are there.
    std::uint32_t available(time_point now = Clock::now()) noexcept {
        std::uint32_t tokens = 0;
        seawall_token_bucket_available(self(), detail::to_ns(now), &tokens);
        return tokens;
    }
    /// The rate in force, which a warm-up may not have reached yet.
    Rate rate() noexcept {
        seawall_rate_t rate = {0, SEAWALL_SECOND};
        seawall_token_bucket_rate(self(), &rate);
        return Rate::from_c(rate);
    }
    /// The burst in force.
    std::uint32_t burst() noexcept {
        std::uint32_t burst = 0;
        seawall_token_bucket_burst(self(), &burst);
        return burst;
    }
    /// Changes the rate: what was earned until now stays.
    Status set_rate(Rate rate, time_point now = Clock::now()) noexcept {
        return seawall_token_bucket_set_rate(self(), rate.to_c(), detail::to_ns(now));
    }
    /// Changes the burst; tokens over a smaller one are gone.
    Status set_burst(std::uint32_t burst, time_point now = Clock::now()) noexcept {
        return seawall_token_bucket_set_burst(self(), burst, detail::to_ns(now));
    }
    /// Starts a warm-up, for instance after an outage; the tokens on hand stay.
    Status start_warm_up(const WarmUp& warm_up, time_point now = Clock::now()) noexcept {
        return seawall_token_bucket_start_warm_up(self(), warm_up.to_c(), detail::to_ns(now));
    }
    /// Moves it to a clock that reads `new_now` where the old one read `old_now`.
    Status rebase(time_point old_now, time_point new_now) noexcept {
        return seawall_token_bucket_rebase(self(), detail::to_ns(old_now), detail::to_ns(new_now));
    }
    /// Begins anew, at the rate and burst in force.
    Status reset(std::uint32_t fill_tokens = full, const WarmUp& warm_up = {}, time_point now = Clock::now()) noexcept {
        return seawall_token_bucket_reset(self(), fill_tokens, warm_up.to_c(), detail::to_ns(now));
    }

  private:
    seawall_token_bucket_t* self() noexcept { return static_cast<Self*>(this)->c(); }
};

}  // namespace detail

/// How fast to send.
template <class Clock>
class BasicTokenBucket : public detail::TokenBucketCalls<BasicTokenBucket<Clock>, Clock> {
  public:
    using time_point = typename Clock::time_point;

    /// One that is not there yet.
    constexpr BasicTokenBucket() noexcept : storage_{} {}
    BasicTokenBucket(const BasicTokenBucket&) = delete;
    BasicTokenBucket& operator=(const BasicTokenBucket&) = delete;
#if SEAWALL_EXCEPTIONS
    explicit BasicTokenBucket(const BucketConfig& config, time_point now = Clock::now()) : storage_{} {
        detail::require(init(config, now));
    }
    explicit BasicTokenBucket(Rate rate, time_point now = Clock::now())
        : BasicTokenBucket(BucketConfig::for_rate(rate), now) {}
#endif
    static Result<BasicTokenBucket> try_create(const BucketConfig& config, time_point now = Clock::now()) noexcept {
        return Result<BasicTokenBucket>(detail::Making{}, config, now);
    }

    /// Makes it, while nobody else uses it. On a mistake it is as it was.
    Status init(const BucketConfig& config, time_point now = Clock::now()) noexcept {
        const auto c_config = config.to_c();
        return seawall_token_bucket_init(&storage_, &c_config, detail::to_ns(now));
    }
    /// The object as C has it.
    seawall_token_bucket_t* c() noexcept { return &storage_; }

  private:
    seawall_token_bucket_t storage_;
};

/// The token bucket of a guard: lives as long as that.
template <class Clock>
class TokenBucketPart : public detail::TokenBucketCalls<TokenBucketPart<Clock>, Clock> {
  public:
    explicit TokenBucketPart(seawall_token_bucket_t* bucket) noexcept : bucket_(bucket) {}
    seawall_token_bucket_t* c() noexcept { return bucket_; }

  private:
    seawall_token_bucket_t* bucket_;
};

using TokenBucket = BasicTokenBucket<std::chrono::steady_clock>;

// -------------------------------------------------------------------------------------------------- outcomes, permits

/// How a call ended.
class Outcome {
  public:
    enum class Kind : std::uint32_t {
        Success = SEAWALL_OUTCOME_SUCCESS,
        Failure = SEAWALL_OUTCOME_FAILURE,
        Throttled = SEAWALL_OUTCOME_THROTTLED,
        Ignored = SEAWALL_OUTCOME_IGNORED,
    };

    /// It went well; a permanent error of the request itself is a success of the service.
    static constexpr Outcome success() noexcept { return {Kind::Success, SEAWALL_UNKNOWN}; }
    /// It failed, or nobody answered in time.
    static constexpr Outcome failure() noexcept { return {Kind::Failure, SEAWALL_UNKNOWN}; }
    /// The service said that it has too much to do, and perhaps for how long.
    static constexpr Outcome throttled(std::optional<std::chrono::nanoseconds> retry_after = std::nullopt) noexcept {
        return {Kind::Throttled, detail::or_unknown(retry_after)};
    }
    /// It says nothing of the service: cancelled, or a mistake of the caller's.
    static constexpr Outcome ignored() noexcept { return {Kind::Ignored, SEAWALL_UNKNOWN}; }

    /// `retry_after` counts for `Throttled` only.
    static constexpr Outcome of(Kind kind, std::optional<std::chrono::nanoseconds> retry_after = std::nullopt) noexcept {
        return {kind, kind == Kind::Throttled ? detail::or_unknown(retry_after) : SEAWALL_UNKNOWN};
    }

    constexpr Kind kind() const noexcept { return kind_; }
    constexpr std::uint32_t c() const noexcept { return static_cast<std::uint32_t>(kind_); }
    constexpr std::uint64_t retry_after_ns() const noexcept { return retry_after_ns_; }

  private:
    constexpr Outcome(Kind kind, std::uint64_t retry_after_ns) noexcept
        : retry_after_ns_(retry_after_ns), kind_(kind) {}
    std::uint64_t retry_after_ns_;
    Kind kind_;
};

/// Leave to send one call, of a `Giver`, whose `Words` say what it holds. Dropped, it reports `Ignored`.
template <class Giver, class Words>
class [[nodiscard]] Permit {
  public:
    using time_point = typename Giver::time_point;
    using clock = typename Giver::clock;

    /// One that holds nothing.
    Permit() noexcept : giver_(nullptr), words_{} {}
    Permit(Giver& giver, const Words& words) noexcept : giver_(&giver), words_(words) {}
    Permit(Permit&& other) noexcept : giver_(std::exchange(other.giver_, nullptr)), words_(other.words_) {}
    Permit& operator=(Permit&& other) noexcept {
        if (this != &other) {
            drop();
            giver_ = std::exchange(other.giver_, nullptr);
            words_ = other.words_;
        }
        return *this;
    }
    Permit(const Permit&) = delete;
    Permit& operator=(const Permit&) = delete;
    ~Permit() { drop(); }

    /// Whether its result is still to be reported.
    explicit operator bool() const noexcept { return giver_ != nullptr; }
    auto success(time_point now = clock::now()) noexcept { return finish(Outcome::success(), now); }
    auto failure(time_point now = clock::now()) noexcept { return finish(Outcome::failure(), now); }
    auto throttled(std::optional<std::chrono::nanoseconds> retry_after, time_point now = clock::now()) noexcept {
        return finish(Outcome::throttled(retry_after), now);
    }
    auto ignore(time_point now = clock::now()) noexcept { return finish(Outcome::ignored(), now); }
    /// Reports the result. A permit that holds nothing reports nothing.
    auto finish(Outcome outcome, time_point now = clock::now()) noexcept {
        using Told = decltype(giver_->finish(words_, outcome, now));
        Giver* const giver = std::exchange(giver_, nullptr);
        return giver != nullptr ? giver->finish(words_, outcome, now) : Told{};
    }
    /// It was never sent: gives back what it holds, as far as that cannot admit too many.
    bool cancel(time_point now = clock::now()) noexcept {
        Giver* const giver = std::exchange(giver_, nullptr);
        return giver != nullptr && giver->cancel(words_, now);
    }
    /// What it holds, as C has it.
    Words* c() noexcept { return &words_; }
    /// Takes what it holds away, for who keeps it elsewhere and reports it with the giver's `finish` or `cancel`.
    Words release() noexcept {
        giver_ = nullptr;
        return std::exchange(words_, {});
    }

  private:
    void drop() noexcept {
        if (giver_ != nullptr) (void)ignore();
    }
    Giver* giver_;
    Words words_;
};

// ---------------------------------------------------------------------------------------------------------- workspaces

/// Memory of the caller's for an object whose size depends on its configuration, aligned to 8 bytes; it has to outlive the
/// object. Processes that share it each `attach`.
struct Workspace {
    void* data;
    std::size_t size;
};

namespace detail {

/// What lies in a workspace: one of the caller's, or its own, which it allocates when it is made and at no other time.
template <class Handle>
class InWorkspace {
  public:
    InWorkspace(const InWorkspace&) = delete;
    InWorkspace& operator=(const InWorkspace&) = delete;
    /// The handle of C.
    Handle* c() noexcept { return handle_; }

  protected:
    InWorkspace() noexcept = default;
    ~InWorkspace() = default;

    /// `make(data, size, &handle)`, in memory of its own.
    template <class Make>
    Status make_own(Status size_known, std::size_t size, Make make) noexcept {
        if (!size_known) return size_known;
        std::unique_ptr<std::uint64_t[]> memory(new (std::nothrow) std::uint64_t[(size + 7) / 8]);
        if (!memory) return SEAWALL_E_WORKSPACE;
        const Status status = make(memory.get(), size, &handle_);
        if (status) memory_ = std::move(memory);
        return status;
    }
    Handle* handle_ = nullptr;

  private:
    std::unique_ptr<std::uint64_t[]> memory_;
};

}  // namespace detail

// -------------------------------------------------------------------------------------------------------------- version

/// The version of the library that runs.
inline const char* version() noexcept { return seawall_version(); }
/// Whether the library that runs goes with this header. If not, nothing else may be called.
inline bool is_compatible() noexcept { return seawall_abi_version() == SEAWALL_ABI_VERSION; }

// --------------------------------------------------------------------------------------------------------------- random

/// A seed of the operating system's, other in every process: a common one would make a fleet that is to be spread draw as
/// one. Take a new one after `fork`.
inline std::uint64_t entropy() noexcept {
    std::uint64_t seed = 0;
#if defined(__linux__)
    if (getrandom(&seed, sizeof seed, 0) == sizeof seed) return seed;
#elif defined(__APPLE__)
    if (getentropy(&seed, sizeof seed) == 0) return seed;
#endif
    // Where there is none: the moment, and where the system put this.
    seed = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
    return seed * 0x9E37'79B9'7F4A'7C15 ^ reinterpret_cast<std::uintptr_t>(&seed);
}

/// A seeded stream of random numbers that threads share; not for secrets.
class SharedRandom {
  public:
    /// One that is not there yet: all its numbers are 0.
    constexpr SharedRandom() noexcept : storage_{} {}
    explicit SharedRandom(std::uint64_t seed) noexcept : storage_{} { init(seed); }
    SharedRandom(const SharedRandom&) = delete;
    SharedRandom& operator=(const SharedRandom&) = delete;
    /// Begins the stream of `seed`, while nobody else uses it.
    void init(std::uint64_t seed) noexcept { (void)Status(seawall_shared_random_init(&storage_, seed)); }
    /// The next number, uniform over all of `uint64_t`; no two callers get the same of it.
    std::uint64_t next_u64() noexcept {
        std::uint64_t number = 0;
        (void)Status(seawall_shared_random_next_u64(&storage_, &number));
        return number;
    }
    /// Goes on with the stream of another seed, as a process has to that was forked.
    void reseed(std::uint64_t seed) noexcept { (void)Status(seawall_shared_random_reseed(&storage_, seed)); }
    seawall_shared_random_t* c() noexcept { return &storage_; }

  private:
    seawall_shared_random_t storage_;
};

/// As `SharedRandom`, for one thread at a time; a copy goes on with the same numbers.
class Random {
  public:
    explicit Random(std::uint64_t seed) noexcept : storage_{} { (void)Status(seawall_random_init(&storage_, seed)); }
    std::uint64_t next_u64() noexcept {
        std::uint64_t number = 0;
        (void)Status(seawall_random_next_u64(&storage_, &number));
        return number;
    }
    seawall_random_t* c() noexcept { return &storage_; }

  private:
    seawall_random_t storage_;
};

// ------------------------------------------------------------------------------------------------------ circuit breaker

enum class State : std::uint32_t {
    Closed = SEAWALL_STATE_CLOSED,
    Open = SEAWALL_STATE_OPEN,
    HalfOpen = SEAWALL_STATE_HALF_OPEN,
};

/// Why a breaker changed its state.
enum class Cause : std::uint32_t {
    ConsecutiveFailures = SEAWALL_CAUSE_CONSECUTIVE_FAILURES,
    FailureShare = SEAWALL_CAUSE_FAILURE_SHARE,
    SlowShare = SEAWALL_CAUSE_SLOW_SHARE,
    Tripped = SEAWALL_CAUSE_TRIPPED,
    IntervalOver = SEAWALL_CAUSE_INTERVAL_OVER,
    ProbesSucceeded = SEAWALL_CAUSE_PROBES_SUCCEEDED,
    ProbesFailed = SEAWALL_CAUSE_PROBES_FAILED,
    Forced = SEAWALL_CAUSE_FORCED,
    Reset = SEAWALL_CAUSE_RESET,
    ClockStepped = SEAWALL_CAUSE_CLOCK_STEPPED,
};

/// The names, as in metrics and logs.
inline const char* name(State state) noexcept { return seawall_state_text(static_cast<std::uint32_t>(state)); }
inline const char* name(Cause cause) noexcept { return seawall_cause_text(static_cast<std::uint32_t>(cause)); }
inline const char* name(Stage stage) noexcept {
    return stage == Stage::Nobody ? "nobody" : seawall_stage_text(static_cast<std::uint32_t>(stage));
}

/// A change of a breaker's state, told once, to the call that made it.
struct Transition {
    State from;
    State to;
    Cause cause;
    /// How many changes the breaker had made, this one included.
    std::uint32_t generation;
    /// The shard of a guard, else 0.
    std::uint32_t shard;

    static std::optional<Transition> from_c(const seawall_transition_t& transition) noexcept {
        if (transition.to == 0) return std::nullopt;
        return Transition{static_cast<State>(transition.from), static_cast<State>(transition.to),
                          static_cast<Cause>(transition.cause), transition.generation, transition.shard};
    }
};

/// On what evidence a breaker opens.
struct TripRule {
    enum class Kind : std::uint32_t {
        Consecutive = SEAWALL_TRIP_CONSECUTIVE,
        FailureShare = SEAWALL_TRIP_FAILURE_SHARE,
        SlowShare = SEAWALL_TRIP_SLOW_SHARE,
    };
    Kind kind = Kind::Consecutive;
    std::uint32_t threshold = 0;
    Ratio share = {};
    std::uint32_t window = 0;
    std::uint32_t minimum = 0;
    std::chrono::nanoseconds slower_than = {};

    /// So many failures in a row.
    static constexpr TripRule consecutive(std::uint32_t threshold) noexcept { return {Kind::Consecutive, threshold}; }
    /// At least this share of failures among the last `window` calls, of which `minimum` must have ended.
    static constexpr TripRule failure_share(Ratio share, std::uint32_t window, std::uint32_t minimum) noexcept {
        return {Kind::FailureShare, 0, share, window, minimum};
    }
    /// At least this share of calls that failed or took longer than `slower_than`.
    static constexpr TripRule slow_share(Ratio share, std::chrono::nanoseconds slower_than, std::uint32_t window,
                                         std::uint32_t minimum) noexcept {
        return {Kind::SlowShare, 0, share, window, minimum, slower_than};
    }
};

namespace detail {
inline constexpr seawall_circuit_breaker_config_t breaker_default = SEAWALL_CIRCUIT_BREAKER_CONFIG_INIT;
}

/// How a circuit breaker judges: see seawall_circuit_breaker_config_t.
struct BreakerConfig {
    TripRule rule = rule_of(detail::breaker_default);
    std::chrono::nanoseconds open_for = detail::from_ns(detail::breaker_default.open_for_ns);
    Ratio open_jitter = {detail::breaker_default.open_jitter_ppm};
    std::uint32_t open_growth_percent = detail::breaker_default.open_growth_percent;
    std::chrono::nanoseconds open_cap = detail::from_ns(detail::breaker_default.open_cap_ns);
    std::uint32_t probes = detail::breaker_default.probes;
    std::chrono::nanoseconds probe_lease = detail::from_ns(detail::breaker_default.probe_lease_ns);
    Ratio close_share = {detail::breaker_default.close_share_ppm};
    std::chrono::nanoseconds ramp = detail::from_ns(detail::breaker_default.ramp_ns);

    static constexpr TripRule rule_of(const seawall_circuit_breaker_config_t& c) noexcept {
        return {static_cast<TripRule::Kind>(c.rule), c.threshold, {c.share_ppm}, c.window, c.minimum,
                detail::from_ns(c.slower_than_ns)};
    }
    static constexpr BreakerConfig from_c(const seawall_circuit_breaker_config_t& c) noexcept {
        return {rule_of(c),
                detail::from_ns(c.open_for_ns),
                {c.open_jitter_ppm},
                c.open_growth_percent,
                detail::from_ns(c.open_cap_ns),
                c.probes,
                detail::from_ns(c.probe_lease_ns),
                {c.close_share_ppm},
                detail::from_ns(c.ramp_ns)};
    }
    constexpr seawall_circuit_breaker_config_t to_c() const noexcept {
        seawall_circuit_breaker_config_t c = SEAWALL_CIRCUIT_BREAKER_CONFIG_INIT;
        c.rule = static_cast<std::uint32_t>(rule.kind);
        c.threshold = rule.threshold;
        c.share_ppm = rule.share.ppm;
        c.window = rule.window;
        c.minimum = rule.minimum;
        c.slower_than_ns = detail::to_ns(rule.slower_than);
        c.open_for_ns = detail::to_ns(open_for);
        c.open_jitter_ppm = open_jitter.ppm;
        c.open_growth_percent = open_growth_percent;
        c.open_cap_ns = detail::to_ns(open_cap);
        c.probes = probes;
        c.close_share_ppm = close_share.ppm;
        c.probe_lease_ns = detail::to_ns(probe_lease);
        c.ramp_ns = detail::to_ns(ramp);
        return c;
    }
};

template <class Clock>
class BasicCircuitBreaker;

/// Leave to send one call, of a circuit breaker: what it reports may be a transition.
template <class Clock>
class BreakerPermit : public Permit<BasicCircuitBreaker<Clock>, seawall_breaker_permit_t> {
  public:
    using Permit<BasicCircuitBreaker<Clock>, seawall_breaker_permit_t>::Permit;

    typename Clock::time_point started() noexcept {
        std::uint64_t started_ns = 0;
        seawall_breaker_permit_started(this->c(), &started_ns);
        return detail::to_point<Clock>(started_ns);
    }
    /// Whether the call is a probe of a half-open breaker.
    bool is_probe() noexcept {
        std::uint32_t is_probe = 0;
        seawall_breaker_permit_is_probe(this->c(), &is_probe);
        return is_probe != 0;
    }
    /// Of which state of the breaker it is: what is reported of an earlier one is ignored.
    std::uint32_t generation() noexcept {
        std::uint32_t generation = 0;
        seawall_breaker_permit_generation(this->c(), &generation);
        return generation;
    }
    /// The transition to half-open, if this permit made it.
    std::optional<Transition> transition;
};

namespace detail {

/// What a breaker tells and is told from outside, wherever it lies: `Self::c()` says where.
template <class Self, class Clock>
class BreakerCalls {
  public:
    using time_point = typename Clock::time_point;

    /// What `try_attempt` would answer. Changes nothing.
    Decision peek(time_point now = Clock::now()) noexcept {
        seawall_decision_t said{};
        const Status status = seawall_circuit_breaker_peek(self(), to_ns(now), &said);
        return {status, said};
    }
    /// Open where it is not there.
    State state(time_point now = Clock::now()) noexcept {
        std::uint32_t state = SEAWALL_STATE_OPEN;
        seawall_circuit_breaker_state(self(), to_ns(now), &state);
        return static_cast<State>(state);
    }
    /// Opens it on evidence of the caller's; `random` draws the open interval.
    std::optional<Transition> trip(std::uint64_t random, time_point now = Clock::now()) noexcept {
        return told([&](seawall_transition_t* transition) {
            return seawall_circuit_breaker_trip(self(), to_ns(now), random, transition);
        });
    }
    /// Open until `force_close` or `reset`.
    std::optional<Transition> force_open(time_point now = Clock::now()) noexcept {
        return told([&](seawall_transition_t* transition) {
            return seawall_circuit_breaker_force_open(self(), to_ns(now), transition);
        });
    }
    /// Closed until `force_open` or `reset`.
    std::optional<Transition> force_close(time_point now = Clock::now()) noexcept {
        return told([&](seawall_transition_t* transition) {
            return seawall_circuit_breaker_force_close(self(), to_ns(now), transition);
        });
    }
    /// Closed, with nothing counted.
    std::optional<Transition> reset(time_point now = Clock::now()) noexcept {
        return told([&](seawall_transition_t* transition) {
            return seawall_circuit_breaker_reset(self(), to_ns(now), transition);
        });
    }
    Status set_config(const BreakerConfig& config) noexcept {
        const auto c_config = config.to_c();
        return seawall_circuit_breaker_set_config(self(), &c_config);
    }
    /// Moves it to a clock that reads `new_now` where the old one read `old_now`.
    Status rebase(time_point old_now, time_point new_now) noexcept {
        return seawall_circuit_breaker_rebase(self(), to_ns(old_now), to_ns(new_now));
    }

  protected:
    template <class Call>
    static std::optional<Transition> told(Call call) noexcept {
        seawall_transition_t transition{};
        return call(&transition) >= 0 ? Transition::from_c(transition) : std::nullopt;
    }

  private:
    seawall_circuit_breaker_t* self() noexcept { return static_cast<Self*>(this)->c(); }
};

}  // namespace detail

/// Leaves a service alone that fails, and finds out with a few probes when it is well again.
template <class Clock>
class BasicCircuitBreaker : public detail::BreakerCalls<BasicCircuitBreaker<Clock>, Clock> {
    using Calls = detail::BreakerCalls<BasicCircuitBreaker, Clock>;

  public:
    using clock = Clock;
    using time_point = typename Clock::time_point;
    using Permit = BreakerPermit<Clock>;

    /// One that is not there yet.
    constexpr BasicCircuitBreaker() noexcept : storage_{} {}
    BasicCircuitBreaker(const BasicCircuitBreaker&) = delete;
    BasicCircuitBreaker& operator=(const BasicCircuitBreaker&) = delete;
#if SEAWALL_EXCEPTIONS
    BasicCircuitBreaker(const BreakerConfig& config, std::uint64_t seed) : storage_{} {
        detail::require(init(config, seed));
    }
#endif
    static Result<BasicCircuitBreaker> try_create(const BreakerConfig& config, std::uint64_t seed) noexcept {
        return Result<BasicCircuitBreaker>(detail::Making{}, config, seed);
    }

    /// Makes it, while nobody else uses it. On a mistake it is as it was. The seed draws the open intervals: it has to be
    /// another in each process of a fleet, see `entropy`.
    Status init(const BreakerConfig& config, std::uint64_t seed) noexcept {
        const auto c_config = config.to_c();
        const Status status = seawall_circuit_breaker_init(&storage_, &c_config);
        if (status) random_.init(seed);
        return status;
    }

    /// Asks for leave to send a call.
    Answer<Permit> try_attempt(time_point now = Clock::now()) noexcept {
        seawall_breaker_permit_t words{};
        seawall_transition_t transition{};
        seawall_decision_t said{};
        const Status status =
            seawall_circuit_breaker_try_attempt(&storage_, detail::to_ns(now), &words, &transition, &said);
        if (!status) return {Decision(status, said), Permit()};
        Permit permit(*this, words);
        permit.transition = Transition::from_c(transition);
        return {Decision(status, said), std::move(permit)};
    }
    /// Reports a result; permits do that by themselves. `random` draws the open interval, if it opens.
    std::optional<Transition> finish(seawall_breaker_permit_t& permit, Outcome outcome, std::uint64_t random,
                                     time_point now) noexcept {
        return Calls::told([&](seawall_transition_t* transition) {
            return seawall_circuit_breaker_finish(&storage_, &permit, outcome.c(), detail::to_ns(now), random, transition);
        });
    }
    std::optional<Transition> finish(seawall_breaker_permit_t& permit, Outcome outcome,
                                     time_point now = Clock::now()) noexcept {
        // A good result opens nothing, and pays for no number.
        const bool good = outcome.kind() == Outcome::Kind::Success;
        return finish(permit, outcome, good ? 0 : random_.next_u64(), now);
    }
    bool cancel(seawall_breaker_permit_t& permit, time_point now = Clock::now()) noexcept {
        return seawall_circuit_breaker_cancel(&storage_, &permit, detail::to_ns(now)) == SEAWALL_OK;
    }
    using Calls::trip;
    std::optional<Transition> trip(time_point now = Clock::now()) noexcept { return trip(random_.next_u64(), now); }
    /// For callers without permits: whether a call is to be kept back.
    bool should_block(time_point now = Clock::now()) noexcept {
        std::uint32_t blocked = 1;
        seawall_circuit_breaker_should_block(&storage_, detail::to_ns(now), &blocked);
        return blocked != 0;
    }
    std::optional<Transition> on_success(time_point now = Clock::now()) noexcept {
        return Calls::told([&](seawall_transition_t* transition) {
            return seawall_circuit_breaker_on_success(&storage_, detail::to_ns(now), transition);
        });
    }
    std::optional<Transition> on_failure(time_point now = Clock::now()) noexcept {
        return Calls::told([&](seawall_transition_t* transition) {
            return seawall_circuit_breaker_on_failure(&storage_, detail::to_ns(now), random_.next_u64(), transition);
        });
    }
    /// The object as C has it.
    seawall_circuit_breaker_t* c() noexcept { return &storage_; }

  private:
    seawall_circuit_breaker_t storage_;
    SharedRandom random_;
};

/// A circuit breaker of a guard: lives as long as that.
template <class Clock>
class CircuitBreakerPart : public detail::BreakerCalls<CircuitBreakerPart<Clock>, Clock> {
  public:
    explicit CircuitBreakerPart(seawall_circuit_breaker_t* breaker) noexcept : breaker_(breaker) {}
    seawall_circuit_breaker_t* c() noexcept { return breaker_; }

  private:
    seawall_circuit_breaker_t* breaker_;
};

using CircuitBreaker = BasicCircuitBreaker<std::chrono::steady_clock>;

// -------------------------------------------------------------------------------------------------------------- retries

/// Which failures a retry can cure.
enum class ErrorClass : std::uint32_t {
    Retryable = SEAWALL_ERROR_CLASS_RETRYABLE,
    Throttled = SEAWALL_ERROR_CLASS_THROTTLED,
    Permanent = SEAWALL_ERROR_CLASS_PERMANENT,
};

/// The class of an HTTP answer; nothing where it is no error (100 to 399).
inline std::optional<ErrorClass>
class_of_http(unsigned status, std::optional<std::chrono::nanoseconds> retry_after = std::nullopt) noexcept {
    std::uint32_t error_class = 0;
    const Status found = seawall_error_class_of_http(status, detail::or_unknown(retry_after), &error_class);
    return found ? std::optional(static_cast<ErrorClass>(error_class)) : std::nullopt;
}

/// The wait in a Retry-After header of the form "delta-seconds"; nothing in all others.
inline std::optional<std::chrono::nanoseconds> retry_after_seconds(const char* value, std::size_t length) noexcept {
    std::uint64_t retry_after_ns = 0;
    const Status found = seawall_retry_after_seconds(value, length, &retry_after_ns);
    return found ? std::optional(detail::from_ns(retry_after_ns)) : std::nullopt;
}

/// What an attempt that failed so tells of the service: a permanent error is a success of it.
inline Outcome outcome_of(ErrorClass error, std::optional<std::chrono::nanoseconds> retry_after = std::nullopt) noexcept {
    std::uint32_t outcome = SEAWALL_OUTCOME_IGNORED;
    seawall_error_class_outcome(static_cast<std::uint32_t>(error), &outcome);
    return Outcome::of(static_cast<Outcome::Kind>(outcome), retry_after);
}

/// How clients are kept apart.
enum class Jitter : std::uint32_t {
    None = SEAWALL_JITTER_NONE,
    Additive = SEAWALL_JITTER_ADDITIVE,
    Equal = SEAWALL_JITTER_EQUAL,
    Full = SEAWALL_JITTER_FULL,
    Decorrelated = SEAWALL_JITTER_DECORRELATED,
};

/// Why a call is not sent again.
enum class GiveUpReason : std::uint32_t {
    Permanent = SEAWALL_GIVE_UP_PERMANENT,
    AttemptsExhausted = SEAWALL_GIVE_UP_ATTEMPTS_EXHAUSTED,
    DeadlineExceeded = SEAWALL_GIVE_UP_DEADLINE_EXCEEDED,
    RetryAfterTooLong = SEAWALL_GIVE_UP_RETRY_AFTER_TOO_LONG,
    BudgetSpent = SEAWALL_GIVE_UP_BUDGET_SPENT,
    PermitVoid = SEAWALL_GIVE_UP_PERMIT_VOID,
    ServiceFailing = SEAWALL_GIVE_UP_SERVICE_FAILING,
};
inline const char* name(GiveUpReason reason) noexcept { return seawall_give_up_text(static_cast<std::uint32_t>(reason)); }

namespace detail {
inline constexpr seawall_retry_strategy_config_t retry_default = SEAWALL_RETRY_STRATEGY_CONFIG_INIT;
inline constexpr seawall_retry_strategy_config_t retry_guide = SEAWALL_RETRY_STRATEGY_CONFIG_GUIDE;
inline constexpr seawall_retry_budget_config_t budget_default = SEAWALL_RETRY_BUDGET_CONFIG_INIT;
}  // namespace detail

/// What a retry strategy is made of; as it stands, for a user who waits: see seawall_retry_strategy_config_t.
struct RetryConfig {
    /// How often one call is sent in all.
    std::uint32_t max_attempts = detail::retry_default.max_attempts;
    std::optional<std::chrono::nanoseconds> total_deadline = detail::known(detail::retry_default.total_deadline_ns);
    std::chrono::nanoseconds base_delay = detail::from_ns(detail::retry_default.base_delay_ns);
    std::uint32_t factor_percent = detail::retry_default.factor_percent;
    std::chrono::nanoseconds max_delay = detail::from_ns(detail::retry_default.max_delay_ns);
    Jitter jitter = static_cast<Jitter>(detail::retry_default.jitter);
    /// The longest pause of a server's that is waited for.
    std::chrono::nanoseconds retry_after_cap = detail::from_ns(detail::retry_default.retry_after_cap_ns);

    /// For a message that must arrive and that nobody waits for.
    static constexpr RetryConfig guide() noexcept { return from_c(detail::retry_guide); }
    static constexpr RetryConfig from_c(const seawall_retry_strategy_config_t& c) noexcept {
        return {c.max_attempts,
                detail::known(c.total_deadline_ns),
                detail::from_ns(c.base_delay_ns),
                c.factor_percent,
                detail::from_ns(c.max_delay_ns),
                static_cast<Jitter>(c.jitter),
                detail::from_ns(c.retry_after_cap_ns)};
    }
    constexpr seawall_retry_strategy_config_t to_c() const noexcept {
        seawall_retry_strategy_config_t c = SEAWALL_RETRY_STRATEGY_CONFIG_INIT;
        c.max_attempts = max_attempts;
        c.total_deadline_ns = detail::or_unknown(total_deadline);
        c.base_delay_ns = detail::to_ns(base_delay);
        c.factor_percent = factor_percent;
        c.jitter = static_cast<std::uint32_t>(jitter);
        c.max_delay_ns = detail::to_ns(max_delay);
        c.retry_after_cap_ns = detail::to_ns(retry_after_cap);
        return c;
    }
};

/// One failed attempt, as a strategy needs to know it.
struct AttemptFailure {
    /// How many attempts have been made, this one included.
    std::uint32_t attempt = 1;
    ErrorClass error = ErrorClass::Retryable;
    /// Since the call began.
    std::chrono::nanoseconds elapsed = {};
    /// What was waited before this attempt.
    std::optional<std::chrono::nanoseconds> previous_delay = std::nullopt;
    /// How long the server asked to be spared.
    std::optional<std::chrono::nanoseconds> retry_after = std::nullopt;
};

/// Send again after a delay, or give up for a reason. After a mistake it is neither.
struct [[nodiscard]] RetryDecision {
    std::optional<std::chrono::nanoseconds> retry_after;
    std::optional<GiveUpReason> give_up;

    /// Whether to send again.
    explicit operator bool() const noexcept { return retry_after.has_value(); }
};

/// Whether to send again, and when: a value that never changes. It knows neither clock nor calls.
class RetryStrategy {
  public:
    constexpr RetryStrategy() noexcept : storage_{} {}
    RetryStrategy(const RetryStrategy&) = delete;
    RetryStrategy& operator=(const RetryStrategy&) = delete;
#if SEAWALL_EXCEPTIONS
    explicit RetryStrategy(const RetryConfig& config) : storage_{} { detail::require(init(config)); }
#endif
    static Result<RetryStrategy> try_create(const RetryConfig& config) noexcept {
        return Result<RetryStrategy>(detail::Making{}, config);
    }

    /// Makes it, while nobody else uses it. On a mistake it is as it was.
    Status init(const RetryConfig& config) noexcept {
        const auto c_config = config.to_c();
        return seawall_retry_strategy_init(&storage_, &c_config);
    }
    std::uint32_t max_attempts() noexcept {
        std::uint32_t max_attempts = 0;
        seawall_retry_strategy_max_attempts(&storage_, &max_attempts);
        return max_attempts;
    }
    std::optional<std::chrono::nanoseconds> total_deadline() noexcept {
        std::uint64_t total_deadline_ns = 0;
        seawall_retry_strategy_total_deadline(&storage_, &total_deadline_ns);
        return detail::known(total_deadline_ns);
    }
    /// The delay after failed attempt number `attempt`, from 1, jitter included. `random` is drawn afresh each time.
    std::chrono::nanoseconds next_delay(std::uint32_t attempt, std::optional<std::chrono::nanoseconds> previous_delay,
                                        std::uint64_t random) noexcept {
        std::uint64_t delay_ns = SEAWALL_UNKNOWN;
        seawall_retry_strategy_next_delay(&storage_, attempt, detail::or_unknown(previous_delay), random, &delay_ns);
        return detail::from_ns(delay_ns);
    }
    /// What to do after a failure.
    RetryDecision decide(const AttemptFailure& failure, std::uint64_t random) noexcept {
        seawall_attempt_failure_t c_failure =
            SEAWALL_ATTEMPT_FAILURE_INIT(failure.attempt, static_cast<std::uint32_t>(failure.error));
        c_failure.elapsed_ns = detail::to_ns(failure.elapsed);
        c_failure.previous_delay_ns = detail::or_unknown(failure.previous_delay);
        c_failure.retry_after_ns = detail::or_unknown(failure.retry_after);
        std::uint64_t delay_ns = 0;
        std::uint32_t give_up = 0;
        const Status status = seawall_retry_strategy_decide(&storage_, &c_failure, random, &delay_ns, &give_up);
        if (status) return {detail::from_ns(delay_ns), std::nullopt};
        if (status == SEAWALL_GIVE_UP) return {std::nullopt, static_cast<GiveUpReason>(give_up)};
        return {};
    }
    seawall_retry_strategy_t* c() noexcept { return &storage_; }

  private:
    seawall_retry_strategy_t storage_;
};

/// An amount of a retry budget, in millionths of a token.
struct RetryTokens {
    std::uint32_t millionths = 0;

    static constexpr RetryTokens whole(std::uint32_t tokens) noexcept {
        return {tokens <= UINT32_MAX / 1'000'000 ? tokens * 1'000'000 : UINT32_MAX};
    }
    friend constexpr bool operator==(RetryTokens left, RetryTokens right) noexcept {
        return left.millionths == right.millionths;
    }
    friend constexpr bool operator!=(RetryTokens left, RetryTokens right) noexcept { return !(left == right); }
};

/// What a retry takes from the budget.
struct RetryCost {
    static constexpr RetryTokens error = {SEAWALL_RETRY_COST_ERROR};
    static constexpr RetryTokens timeout = {SEAWALL_RETRY_COST_TIMEOUT};
    static constexpr RetryTokens hedge = {SEAWALL_RETRY_COST_HEDGE};
};

/// What is known of one failed attempt: for `AttemptFailure`, and for `try_withdraw`.
struct Classification {
    ErrorClass error;
    RetryTokens cost;
    std::optional<std::chrono::nanoseconds> retry_after;

    static constexpr Classification retryable() noexcept { return from_c(SEAWALL_CLASSIFICATION_RETRYABLE); }
    /// Its work is still going on in the server: its retry costs more.
    static constexpr Classification timeout() noexcept { return from_c(SEAWALL_CLASSIFICATION_TIMEOUT); }
    static constexpr Classification permanent() noexcept { return from_c(SEAWALL_CLASSIFICATION_PERMANENT); }
    static constexpr Classification
    throttled(std::optional<std::chrono::nanoseconds> retry_after = std::nullopt) noexcept {
        return from_c(SEAWALL_CLASSIFICATION_THROTTLED(detail::or_unknown(retry_after)));
    }
    static constexpr Classification from_c(const seawall_classification_t& c) noexcept {
        return {static_cast<ErrorClass>(c.error_class), {c.cost_millionths}, detail::known(c.retry_after_ns)};
    }
};

/// What a retry budget is made of; as it stands, for unknown traffic: see seawall_retry_budget_config_t.
struct RetryBudgetConfig {
    /// What a first try that succeeds earns.
    Ratio share = {detail::budget_default.share_ppm};
    RetryTokens cap = {detail::budget_default.cap_millionths};
    RetryTokens initial = {detail::budget_default.initial_millionths};
    RetryTokens floor = {detail::budget_default.floor_millionths};
    std::chrono::nanoseconds lifetime = detail::from_ns(detail::budget_default.lifetime_ns);

    /// For a process that expects `rate` calls and gives each `timeout`.
    static RetryBudgetConfig for_rate(Rate rate, std::chrono::nanoseconds timeout) noexcept {
        seawall_retry_budget_config_t c = SEAWALL_RETRY_BUDGET_CONFIG_INIT;
        seawall_retry_budget_config_for(&c, rate.to_c(), detail::to_ns(timeout));
        return from_c(c);
    }
    static constexpr RetryBudgetConfig from_c(const seawall_retry_budget_config_t& c) noexcept {
        return {{c.share_ppm},
                {c.cap_millionths},
                {c.initial_millionths},
                {c.floor_millionths},
                detail::from_ns(c.lifetime_ns)};
    }
    constexpr seawall_retry_budget_config_t to_c() const noexcept {
        seawall_retry_budget_config_t c = SEAWALL_RETRY_BUDGET_CONFIG_INIT;
        c.share_ppm = share.ppm;
        c.cap_millionths = cap.millionths;
        c.initial_millionths = initial.millionths;
        c.floor_millionths = floor.millionths;
        c.lifetime_ns = detail::to_ns(lifetime);
        return c;
    }
};

namespace detail {

/// What can be asked of a retry budget, wherever it lies: `Self::c()` says where.
template <class Self, class Clock>
class RetryBudgetCalls {
  public:
    using time_point = typename Clock::time_point;

    /// A call succeeded at its first try.
    void deposit(time_point now = Clock::now()) noexcept {
        seawall_retry_budget_deposit(self(), to_ns(now));
    }
    /// Takes what a retry costs, before its backoff starts. Refused, the call is to be given up.
    Decision try_withdraw(RetryTokens cost, time_point now = Clock::now()) noexcept {
        seawall_decision_t said{};
        const Status status = seawall_retry_budget_try_withdraw(self(), cost.millionths, to_ns(now), &said);
        return {status, said};
    }
    /// Gives back what a retry took that was never sent.
    void refund(RetryTokens cost, time_point now = Clock::now()) noexcept {
        seawall_retry_budget_refund(self(), cost.millionths, to_ns(now));
    }
    RetryTokens balance(time_point now = Clock::now()) noexcept {
        RetryTokens tokens;
        seawall_retry_budget_balance(self(), to_ns(now), &tokens.millionths);
        return tokens;
    }
    Status set_share(Ratio share) noexcept { return seawall_retry_budget_set_share(self(), share.ppm); }
    Status set_cap(RetryTokens cap) noexcept { return seawall_retry_budget_set_cap(self(), cap.millionths); }
    /// Moves it to a clock that reads `new_now` where the old one read `old_now`.
    Status rebase(time_point old_now, time_point new_now) noexcept {
        return seawall_retry_budget_rebase(self(), to_ns(old_now), to_ns(new_now));
    }
    /// As if new: the initial tokens.
    Status reset(time_point now = Clock::now()) noexcept {
        return seawall_retry_budget_reset(self(), to_ns(now));
    }

  private:
    seawall_retry_budget_t* self() noexcept { return static_cast<Self*>(this)->c(); }
};

}  // namespace detail

/// The share of the traffic that may be retries.
template <class Clock>
class BasicRetryBudget : public detail::RetryBudgetCalls<BasicRetryBudget<Clock>, Clock> {
  public:
    using time_point = typename Clock::time_point;

    constexpr BasicRetryBudget() noexcept : storage_{} {}
    BasicRetryBudget(const BasicRetryBudget&) = delete;
    BasicRetryBudget& operator=(const BasicRetryBudget&) = delete;
#if SEAWALL_EXCEPTIONS
    explicit BasicRetryBudget(const RetryBudgetConfig& config, time_point now = Clock::now()) : storage_{} {
        detail::require(init(config, now));
    }
#endif
    static Result<BasicRetryBudget> try_create(const RetryBudgetConfig& config, time_point now = Clock::now()) noexcept {
        return Result<BasicRetryBudget>(detail::Making{}, config, now);
    }

    /// Makes it, while nobody else uses it. On a mistake it is as it was.
    Status init(const RetryBudgetConfig& config, time_point now = Clock::now()) noexcept {
        const auto c_config = config.to_c();
        return seawall_retry_budget_init(&storage_, &c_config, detail::to_ns(now));
    }
    seawall_retry_budget_t* c() noexcept { return &storage_; }

  private:
    seawall_retry_budget_t storage_;
};

/// The retry budget of a guard: lives as long as that.
template <class Clock>
class RetryBudgetPart : public detail::RetryBudgetCalls<RetryBudgetPart<Clock>, Clock> {
  public:
    explicit RetryBudgetPart(seawall_retry_budget_t* budget) noexcept : budget_(budget) {}
    seawall_retry_budget_t* c() noexcept { return budget_; }

  private:
    seawall_retry_budget_t* budget_;
};

using RetryBudget = BasicRetryBudget<std::chrono::steady_clock>;

// ---------------------------------------------------------------------------------------------------- concurrency limit

/// Why a limit changed.
enum class LimitReason : std::uint32_t {
    Growth = SEAWALL_LIMIT_REASON_GROWTH,
    Slow = SEAWALL_LIMIT_REASON_SLOW,
    Timeout = SEAWALL_LIMIT_REASON_TIMEOUT,
    Throttled = SEAWALL_LIMIT_REASON_THROTTLED,
    Set = SEAWALL_LIMIT_REASON_SET,
    Refused = SEAWALL_LIMIT_REASON_REFUSED,
};
inline const char* name(LimitReason reason) noexcept {
    return seawall_limit_reason_text(static_cast<std::uint32_t>(reason));
}

/// A change of a limit by a whole call or more, told once, to the call that made it.
struct LimitChange {
    std::uint32_t from;
    std::uint32_t to;
    LimitReason reason;

    static std::optional<LimitChange> from_c(const seawall_limit_change_t& change) noexcept {
        if (change.reason == 0) return std::nullopt;
        return LimitChange{change.from, change.to, static_cast<LimitReason>(change.reason)};
    }
};

namespace detail {
inline constexpr seawall_concurrency_limit_config_t limit_default = SEAWALL_CONCURRENCY_LIMIT_CONFIG_INIT;
}

/// How a limit of the calls in flight adapts: see seawall_concurrency_limit_config_t.
struct LimitConfig {
    /// How many slots there are: what it was made with stays.
    std::uint32_t slots = detail::limit_default.slots;
    std::uint32_t start = detail::limit_default.start;
    std::uint32_t floor = detail::limit_default.floor;
    std::uint32_t ceiling = detail::limit_default.ceiling;
    std::chrono::nanoseconds slow_after = detail::from_ns(detail::limit_default.slow_after_ns);
    std::uint32_t tolerance_percent = detail::limit_default.tolerance_percent;
    std::uint32_t saturated_after = detail::limit_default.saturated_after;
    std::chrono::nanoseconds timeout = detail::from_ns(detail::limit_default.timeout_ns);
    Ratio slow_factor = {detail::limit_default.slow_factor_ppm};
    Ratio timeout_factor = {detail::limit_default.timeout_factor_ppm};
    std::chrono::nanoseconds lease = detail::from_ns(detail::limit_default.lease_ns);

    static constexpr LimitConfig from_c(const seawall_concurrency_limit_config_t& c) noexcept {
        return {c.slots,
                c.start,
                c.floor,
                c.ceiling,
                detail::from_ns(c.slow_after_ns),
                c.tolerance_percent,
                c.saturated_after,
                detail::from_ns(c.timeout_ns),
                {c.slow_factor_ppm},
                {c.timeout_factor_ppm},
                detail::from_ns(c.lease_ns)};
    }
    constexpr seawall_concurrency_limit_config_t to_c() const noexcept {
        seawall_concurrency_limit_config_t c = SEAWALL_CONCURRENCY_LIMIT_CONFIG_INIT;
        c.slots = slots;
        c.start = start;
        c.floor = floor;
        c.ceiling = ceiling;
        c.tolerance_percent = tolerance_percent;
        c.saturated_after = saturated_after;
        c.slow_after_ns = detail::to_ns(slow_after);
        c.timeout_ns = detail::to_ns(timeout);
        c.lease_ns = detail::to_ns(lease);
        c.slow_factor_ppm = slow_factor.ppm;
        c.timeout_factor_ppm = timeout_factor.ppm;
        return c;
    }
};

namespace detail {

/// What a limit tells and is told from outside, wherever it lies: `Self::c()` says where.
template <class Self, class Clock>
class LimitCalls {
  public:
    using time_point = typename Clock::time_point;

    /// What `try_attempt` would answer. Takes nothing.
    Decision peek(time_point now = Clock::now()) noexcept {
        seawall_decision_t said{};
        const Status status = seawall_concurrency_limit_peek(self(), to_ns(now), &said);
        return {status, said};
    }
    /// From which latency on a reply is slow, by what is known now.
    std::chrono::nanoseconds slow_after() noexcept {
        std::uint64_t slow_after_ns = 0;
        seawall_concurrency_limit_slow_after(self(), &slow_after_ns);
        return from_ns(slow_after_ns);
    }
    /// How many calls may be in flight.
    std::uint32_t limit() noexcept {
        std::uint32_t calls = 0;
        seawall_concurrency_limit_limit(self(), &calls);
        return calls;
    }
    /// How many are.
    std::uint32_t in_flight(time_point now = Clock::now()) noexcept {
        std::uint32_t calls = 0;
        seawall_concurrency_limit_in_flight(self(), to_ns(now), &calls);
        return calls;
    }
    std::uint32_t slots() noexcept {
        std::uint32_t slots = 0;
        seawall_concurrency_limit_slots(self(), &slots);
        return slots;
    }
    /// Sets the limit, within floor and ceiling; it adapts on from there.
    std::optional<LimitChange> set_limit(std::uint32_t calls) noexcept {
        seawall_limit_change_t change{};
        seawall_concurrency_limit_set_limit(self(), calls, &change);
        return LimitChange::from_c(change);
    }
    /// Changes the configuration, with the slots that it has; `change` gets what that made of the limit.
    Status set_config(const LimitConfig& config, std::optional<LimitChange>* change = nullptr) noexcept {
        const auto c_config = config.to_c();
        seawall_limit_change_t c_change{};
        const Status status = seawall_concurrency_limit_set_config(self(), &c_config, &c_change);
        if (change != nullptr) *change = LimitChange::from_c(c_change);
        return status;
    }
    /// Frees every slot and voids every permit.
    Status reset() noexcept { return seawall_concurrency_limit_reset(self()); }
    /// Moves it to a clock that reads `new_now` where the old one read `old_now`.
    Status rebase(time_point old_now, time_point new_now) noexcept {
        return seawall_concurrency_limit_rebase(self(), to_ns(old_now), to_ns(new_now));
    }

  private:
    seawall_concurrency_limit_t* self() noexcept { return static_cast<Self*>(this)->c(); }
};

}  // namespace detail

/// How many calls may be in flight at once, found out by their latency.
template <class Clock>
class BasicConcurrencyLimit : public detail::InWorkspace<seawall_concurrency_limit_t>,
                              public detail::LimitCalls<BasicConcurrencyLimit<Clock>, Clock> {
  public:
    using clock = Clock;
    using time_point = typename Clock::time_point;
    using Permit = seawall::Permit<BasicConcurrencyLimit, seawall_limit_permit_t>;

    /// One that is not there yet.
    BasicConcurrencyLimit() noexcept = default;
#if SEAWALL_EXCEPTIONS
    explicit BasicConcurrencyLimit(const LimitConfig& config) { detail::require(init(config)); }
#endif
    static Result<BasicConcurrencyLimit> try_create(const LimitConfig& config) noexcept {
        return Result<BasicConcurrencyLimit>(detail::Making{}, config);
    }
    /// How many bytes its workspace must have; 0 where the slots are out of range.
    static std::size_t required_size(const LimitConfig& config) noexcept {
        std::size_t size = 0;
        const auto c_config = config.to_c();
        seawall_concurrency_limit_required_size(&c_config, &size);
        return size;
    }

    /// Makes it, while nobody else uses it, in a workspace that it allocates.
    Status init(const LimitConfig& config) noexcept {
        const auto c_config = config.to_c();
        std::size_t size = 0;
        const Status known = seawall_concurrency_limit_required_size(&c_config, &size);
        return this->make_own(known, size, [&](void* data, std::size_t bytes, seawall_concurrency_limit_t** handle) {
            return seawall_concurrency_limit_init(data, bytes, &c_config, handle);
        });
    }
    /// Makes it in a workspace of the caller's.
    Status init_in(Workspace workspace, const LimitConfig& config) noexcept {
        const auto c_config = config.to_c();
        return seawall_concurrency_limit_init(workspace.data, workspace.size, &c_config, &this->handle_);
    }
    /// Finds the one that is in a workspace already.
    Status attach(Workspace workspace) noexcept {
        return seawall_concurrency_limit_attach(workspace.data, workspace.size, &this->handle_);
    }

    /// Asks to send one call.
    Answer<Permit> try_attempt(time_point now = Clock::now()) noexcept {
        seawall_limit_permit_t words{};
        seawall_decision_t said{};
        const Status status =
            seawall_concurrency_limit_try_attempt(this->handle_, detail::to_ns(now), &words, &said);
        return {Decision(status, said), status ? Permit(*this, words) : Permit()};
    }
    /// Reports a result; permits do that by themselves.
    std::optional<LimitChange> finish(seawall_limit_permit_t& permit, Outcome outcome,
                                      time_point now = Clock::now()) noexcept {
        seawall_limit_change_t change{};
        seawall_concurrency_limit_finish(this->handle_, &permit, outcome.c(), detail::to_ns(now), &change);
        return LimitChange::from_c(change);
    }
    /// Whether it still held its slot.
    bool cancel(seawall_limit_permit_t& permit, time_point now = Clock::now()) noexcept {
        return seawall_concurrency_limit_cancel(this->handle_, &permit, detail::to_ns(now)) == SEAWALL_OK;
    }
};

/// The limit of a guard: lives as long as that.
template <class Clock>
class ConcurrencyLimitPart : public detail::LimitCalls<ConcurrencyLimitPart<Clock>, Clock> {
  public:
    explicit ConcurrencyLimitPart(seawall_concurrency_limit_t* limit) noexcept : limit_(limit) {}
    seawall_concurrency_limit_t* c() noexcept { return limit_; }

  private:
    seawall_concurrency_limit_t* limit_;
};

using ConcurrencyLimit = BasicConcurrencyLimit<std::chrono::steady_clock>;

// ----------------------------------------------------------------------------------------- window summary, AIMD of rates

/// What a window saw, or you measured; latencies are absent where there were no calls.
struct WindowSummary {
    std::uint64_t count = 0;
    std::uint64_t errors = 0;
    /// How much time they stand for.
    std::chrono::nanoseconds observed = {};
    std::optional<std::chrono::nanoseconds> mean = std::nullopt;
    std::optional<std::chrono::nanoseconds> max = std::nullopt;
    std::optional<std::chrono::nanoseconds> p50 = std::nullopt;
    std::optional<std::chrono::nanoseconds> p95 = std::nullopt;
    std::optional<std::chrono::nanoseconds> p99 = std::nullopt;
    /// Since the window was made.
    std::uint64_t total_count = 0;
    std::uint64_t total_errors = 0;

    static constexpr WindowSummary from_c(const seawall_window_summary_t& c) noexcept {
        return {c.count,
                c.errors,
                detail::from_ns(c.observed_ns),
                detail::known(c.mean_ns),
                detail::known(c.max_ns),
                detail::known(c.p50_ns),
                detail::known(c.p95_ns),
                detail::known(c.p99_ns),
                c.total_count,
                c.total_errors};
    }
    constexpr seawall_window_summary_t to_c() const noexcept {
        seawall_window_summary_t c = SEAWALL_WINDOW_SUMMARY_INIT;
        c.count = count;
        c.errors = errors;
        c.observed_ns = detail::to_ns(observed);
        c.mean_ns = detail::or_unknown(mean);
        c.max_ns = detail::or_unknown(max);
        c.p50_ns = detail::or_unknown(p50);
        c.p95_ns = detail::or_unknown(p95);
        c.p99_ns = detail::or_unknown(p99);
        c.total_count = total_count;
        c.total_errors = total_errors;
        return c;
    }
    /// Calls a second over the time really observed.
    constexpr double throughput() const noexcept {
        const double seconds = std::chrono::duration<double>(observed).count();
        return seconds > 0 ? static_cast<double>(count) / seconds : 0;
    }
    /// The share of calls that failed.
    constexpr double error_rate() const noexcept {
        return count > 0 ? static_cast<double>(errors) / static_cast<double>(count) : 0;
    }
};

enum class RateChangeReason : std::uint32_t {
    Errors = SEAWALL_RATE_REASON_ERRORS,
    Latency = SEAWALL_RATE_REASON_LATENCY,
    Healthy = SEAWALL_RATE_REASON_HEALTHY,
};
inline const char* name(RateChangeReason reason) noexcept {
    return seawall_rate_reason_text(static_cast<std::uint32_t>(reason));
}

/// A change of the rate, told to the one caller that brought it about: the bucket does not know of it yet.
struct RateChange {
    Rate from;
    Rate to;
    RateChangeReason reason;
};

namespace detail {
inline constexpr seawall_aimd_controller_config_t aimd_default = SEAWALL_AIMD_CONTROLLER_CONFIG_INIT;
}

/// How a controller of a rate behaves: see seawall_aimd_controller_config_t.
struct AimdConfig {
    Rate initial_rate = Rate::from_c(detail::aimd_default.initial_rate);
    Rate min_rate = Rate::from_c(detail::aimd_default.min_rate);
    Rate max_rate = Rate::from_c(detail::aimd_default.max_rate);
    Rate step = Rate::from_c(detail::aimd_default.step);
    Ratio factor = {detail::aimd_default.factor_ppm};
    Ratio error_threshold = {detail::aimd_default.error_threshold_ppm};
    std::chrono::nanoseconds latency_threshold = detail::from_ns(detail::aimd_default.latency_threshold_ns);
    std::chrono::nanoseconds interval = detail::from_ns(detail::aimd_default.interval_ns);
    std::uint64_t minimum_samples = detail::aimd_default.minimum_samples;
    Ratio error_baseline_max = {detail::aimd_default.error_baseline_max_ppm};
    std::chrono::nanoseconds latency_baseline_max = detail::from_ns(detail::aimd_default.latency_baseline_max_ns);

    constexpr seawall_aimd_controller_config_t to_c() const noexcept {
        seawall_aimd_controller_config_t c = SEAWALL_AIMD_CONTROLLER_CONFIG_INIT;
        c.factor_ppm = factor.ppm;
        c.initial_rate = initial_rate.to_c();
        c.min_rate = min_rate.to_c();
        c.max_rate = max_rate.to_c();
        c.step = step.to_c();
        c.error_threshold_ppm = error_threshold.ppm;
        c.error_baseline_max_ppm = error_baseline_max.ppm;
        c.latency_threshold_ns = detail::to_ns(latency_threshold);
        c.interval_ns = detail::to_ns(interval);
        c.minimum_samples = minimum_samples;
        c.latency_baseline_max_ns = detail::to_ns(latency_baseline_max);
        return c;
    }
};

/// Finds the rate that a service can bear: grows it step by step, and cuts it when calls fail or take too long.
template <class Clock>
class BasicAimdController {
  public:
    using time_point = typename Clock::time_point;

    constexpr BasicAimdController() noexcept : storage_{} {}
    BasicAimdController(const BasicAimdController&) = delete;
    BasicAimdController& operator=(const BasicAimdController&) = delete;
#if SEAWALL_EXCEPTIONS
    explicit BasicAimdController(const AimdConfig& config) : storage_{} { detail::require(init(config)); }
#endif
    static Result<BasicAimdController> try_create(const AimdConfig& config) noexcept {
        return Result<BasicAimdController>(detail::Making{}, config);
    }

    /// Makes it, while nobody else uses it. On a mistake it is as it was.
    Status init(const AimdConfig& config) noexcept {
        const auto c_config = config.to_c();
        return seawall_aimd_controller_init(&storage_, &c_config);
    }
    /// Judges what a window saw, at most once an interval; hand the change to the bucket.
    std::optional<RateChange> observe(const WindowSummary& summary, time_point now = Clock::now()) noexcept {
        const auto c_summary = summary.to_c();
        seawall_rate_change_t change{};
        return told(seawall_aimd_controller_observe(&storage_, &c_summary, detail::to_ns(now), &change), change);
    }
    /// The plain rule, for callers that measure by themselves.
    std::optional<RateChange> update(std::optional<Ratio> error_rate, std::optional<std::chrono::nanoseconds> p95,
                                     time_point now = Clock::now()) noexcept {
        seawall_rate_change_t change{};
        const std::uint32_t error_rate_ppm = error_rate ? error_rate->ppm : SEAWALL_UNKNOWN_PPM;
        return told(seawall_aimd_controller_update(&storage_, error_rate_ppm, detail::or_unknown(p95),
                                                   detail::to_ns(now), &change),
                    change);
    }
    Rate current_rate() noexcept {
        seawall_rate_t rate = {0, SEAWALL_SECOND};
        seawall_aimd_controller_current_rate(&storage_, &rate);
        return Rate::from_c(rate);
    }
    /// Sets the rate by hand, and says what holds now: between floor and ceiling.
    Rate set_rate(Rate rate) noexcept {
        seawall_rate_t in_force = {0, SEAWALL_SECOND};
        seawall_aimd_controller_set_rate(&storage_, rate.to_c(), &in_force);
        return Rate::from_c(in_force);
    }
    Status reset(time_point now = Clock::now()) noexcept {
        return seawall_aimd_controller_reset(&storage_, detail::to_ns(now));
    }
    /// Moves it to a clock that reads `new_now` where the old one read `old_now`.
    Status rebase(time_point old_now, time_point new_now) noexcept {
        return seawall_aimd_controller_rebase(&storage_, detail::to_ns(old_now), detail::to_ns(new_now));
    }
    /// When the next judgement may come.
    time_point due_at() noexcept {
        std::uint64_t due_at_ns = 0;
        seawall_aimd_controller_due_at(&storage_, &due_at_ns);
        return detail::to_point<Clock>(due_at_ns);
    }
    /// What is taken for healthy; nothing before the first judgement.
    std::optional<Ratio> error_baseline() noexcept {
        Ratio share;
        const Status known = seawall_aimd_controller_error_baseline(&storage_, &share.ppm);
        return known ? std::optional(share) : std::nullopt;
    }
    std::optional<std::chrono::nanoseconds> latency_baseline() noexcept {
        std::uint64_t p95_ns = 0;
        const Status known = seawall_aimd_controller_latency_baseline(&storage_, &p95_ns);
        return known ? std::optional(detail::from_ns(p95_ns)) : std::nullopt;
    }
    seawall_aimd_controller_t* c() noexcept { return &storage_; }

  private:
    static std::optional<RateChange> told(Status status, const seawall_rate_change_t& change) noexcept {
        if (!status) return std::nullopt;
        return RateChange{Rate::from_c(change.from), Rate::from_c(change.to),
                          static_cast<RateChangeReason>(change.reason)};
    }
    seawall_aimd_controller_t storage_;
};

using AimdController = BasicAimdController<std::chrono::steady_clock>;

// -------------------------------------------------------------------------------------------------------- keyed buckets

/// What becomes of a new key while the table has no place for it.
enum class WhenFull : std::uint32_t {
    /// It passes without a limit, and is counted.
    FailOpen = SEAWALL_FAIL_OPEN,
    /// It is refused with `NoPlace`.
    FailClosed = SEAWALL_FAIL_CLOSED,
};

namespace detail {
inline constexpr seawall_keyed_buckets_config_t keyed_default = SEAWALL_KEYED_BUCKETS_CONFIG_INIT;
}

/// Rate and burst of each key, and the size of the table: see seawall_keyed_buckets_config_t.
struct KeyedConfig {
    Rate rate = Rate::from_c(detail::keyed_default.rate);
    std::uint32_t burst = detail::keyed_default.burst;
    /// Groups of seven places: one for each 4 keys that are busy at once.
    std::uint32_t groups = detail::keyed_default.groups;
    WhenFull when_full = static_cast<WhenFull>(detail::keyed_default.when_full);

    /// A burst of one second of the rate.
    static KeyedConfig for_rate(Rate rate, WhenFull when_full) noexcept {
        seawall_keyed_buckets_config_t c = SEAWALL_KEYED_BUCKETS_CONFIG_INIT;
        const auto status = seawall_keyed_buckets_config_for(&c, rate.to_c(), static_cast<std::uint32_t>(when_full));
        // A rate that is none is kept, so that `init` names it.
        if (status != SEAWALL_OK) c.rate = rate.to_c();
        return from_c(c);
    }
    static constexpr KeyedConfig from_c(const seawall_keyed_buckets_config_t& c) noexcept {
        return {Rate::from_c(c.rate), c.burst, c.groups, static_cast<WhenFull>(c.when_full)};
    }
    constexpr seawall_keyed_buckets_config_t to_c() const noexcept {
        seawall_keyed_buckets_config_t c = SEAWALL_KEYED_BUCKETS_CONFIG_INIT;
        c.rate = rate.to_c();
        c.burst = burst;
        c.groups = groups;
        c.when_full = static_cast<std::uint32_t>(when_full);
        return c;
    }
};

namespace detail {

/// What can be asked of a table of buckets, wherever it lies: `Self::c()` says where.
template <class Self, class Clock>
class KeyedBucketsCalls {
  public:
    using time_point = typename Clock::time_point;

    /// The key of a name, an address, a token: for what strangers make up. Numbers that are given out are keys as they are.
    std::uint64_t key_of(std::string_view name) noexcept {
        std::uint64_t key = 0;
        seawall_keyed_buckets_key_of(self(), name.data(), name.size(), &key);
        return key;
    }
    /// The number by which the table places `key`; as secret as the salt.
    std::uint64_t hash_of(std::uint64_t key) noexcept {
        std::uint64_t hash = 0;
        seawall_keyed_buckets_hash_of(self(), key, &hash);
        return hash;
    }
    /// Takes `n` tokens of `key`, all or none.
    Decision try_take(std::uint64_t key, std::uint32_t n, time_point now = Clock::now()) noexcept {
        seawall_decision_t said{};
        const Status status = seawall_keyed_buckets_try_take(self(), key, n, to_ns(now), &said);
        return {status, said};
    }
    /// What `try_take` would answer. Takes nothing.
    Decision peek(std::uint64_t key, std::uint32_t n, time_point now = Clock::now()) noexcept {
        seawall_decision_t said{};
        const Status status = seawall_keyed_buckets_peek(self(), key, n, to_ns(now), &said);
        return {status, said};
    }
    /// How many whole tokens `key` has.
    std::uint32_t available(std::uint64_t key, time_point now = Clock::now()) noexcept {
        std::uint32_t tokens = 0;
        seawall_keyed_buckets_available(self(), key, to_ns(now), &tokens);
        return tokens;
    }
    /// Gives `n` tokens of `key` back that were never used, if it was not full.
    bool refund(std::uint64_t key, std::uint32_t n, time_point now = Clock::now()) noexcept {
        return seawall_keyed_buckets_refund(self(), key, n, to_ns(now)) == SEAWALL_OK;
    }
    /// Changes the rate of every key: what each has stays.
    Status set_rate(Rate rate, time_point now = Clock::now()) noexcept {
        return seawall_keyed_buckets_set_rate(self(), rate.to_c(), to_ns(now));
    }
    /// Changes all but the groups.
    Status set_config(const KeyedConfig& config, time_point now = Clock::now()) noexcept {
        const auto c_config = config.to_c();
        return seawall_keyed_buckets_set_config(self(), &c_config, to_ns(now));
    }
    /// The configuration in force.
    KeyedConfig config() noexcept {
        seawall_keyed_buckets_config_t config = SEAWALL_KEYED_BUCKETS_CONFIG_INIT;
        seawall_keyed_buckets_config(self(), &config);
        return KeyedConfig::from_c(config);
    }
    /// How many calls passed without a limit, as there was no place.
    std::uint64_t let_through() noexcept {
        std::uint64_t calls = 0;
        seawall_keyed_buckets_let_through(self(), &calls);
        return calls;
    }
    /// How many places are held by keys whose buckets are not full. Reads the whole table.
    std::uint32_t occupied(time_point now = Clock::now()) noexcept {
        std::uint32_t places = 0;
        seawall_keyed_buckets_occupied(self(), to_ns(now), &places);
        return places;
    }
    /// How many keys fit at most.
    std::uint32_t places() noexcept {
        std::uint32_t places = 0;
        seawall_keyed_buckets_places(self(), &places);
        return places;
    }
    /// Moves it to a clock that reads `new_now` where the old one read `old_now`.
    Status rebase(time_point old_now, time_point new_now) noexcept {
        return seawall_keyed_buckets_rebase(self(), to_ns(old_now), to_ns(new_now));
    }
    /// Begins anew, with every bucket full.
    Status reset(time_point now = Clock::now()) noexcept { return seawall_keyed_buckets_reset(self(), to_ns(now)); }

  private:
    seawall_keyed_buckets_t* self() noexcept { return static_cast<Self*>(this)->c(); }
};

}  // namespace detail

/// A bucket for each user or connection, in a table of a fixed size.
template <class Clock>
class BasicKeyedBuckets : public detail::InWorkspace<seawall_keyed_buckets_t>,
                          public detail::KeyedBucketsCalls<BasicKeyedBuckets<Clock>, Clock> {
  public:
    using time_point = typename Clock::time_point;

    /// One that is not there yet.
    BasicKeyedBuckets() noexcept = default;
#if SEAWALL_EXCEPTIONS
    BasicKeyedBuckets(const KeyedConfig& config, std::uint64_t salt, time_point now = Clock::now()) {
        detail::require(init(config, salt, now));
    }
#endif
    static Result<BasicKeyedBuckets> try_create(const KeyedConfig& config, std::uint64_t salt,
                                                time_point now = Clock::now()) noexcept {
        return Result<BasicKeyedBuckets>(detail::Making{}, config, salt, now);
    }
    /// How many bytes its workspace must have; 0 where the groups are out of range.
    static std::size_t required_size(const KeyedConfig& config) noexcept {
        std::size_t size = 0;
        const auto c_config = config.to_c();
        seawall_keyed_buckets_required_size(&c_config, &size);
        return size;
    }

    /// Makes it, while nobody else uses it, in a workspace that it allocates. The salt is a secret random number, another in
    /// each process, as of `entropy`.
    Status init(const KeyedConfig& config, std::uint64_t salt, time_point now = Clock::now()) noexcept {
        const auto c_config = config.to_c();
        std::size_t size = 0;
        const Status known = seawall_keyed_buckets_required_size(&c_config, &size);
        return this->make_own(known, size, [&](void* data, std::size_t bytes, seawall_keyed_buckets_t** handle) {
            return seawall_keyed_buckets_init(data, bytes, &c_config, salt, detail::to_ns(now), handle);
        });
    }
    /// Makes it in a workspace of the caller's.
    Status init_in(Workspace workspace, const KeyedConfig& config, std::uint64_t salt,
                   time_point now = Clock::now()) noexcept {
        const auto c_config = config.to_c();
        return seawall_keyed_buckets_init(workspace.data, workspace.size, &c_config, salt, detail::to_ns(now),
                                          &this->handle_);
    }
    /// Finds the one that is in a workspace already.
    Status attach(Workspace workspace) noexcept {
        return seawall_keyed_buckets_attach(workspace.data, workspace.size, &this->handle_);
    }
};

using KeyedBuckets = BasicKeyedBuckets<std::chrono::steady_clock>;

/// The buckets by key of a guard: live as long as that.
template <class Clock>
class KeyedBucketsPart : public detail::KeyedBucketsCalls<KeyedBucketsPart<Clock>, Clock> {
  public:
    explicit KeyedBucketsPart(seawall_keyed_buckets_t* keyed) noexcept : keyed_(keyed) {}
    seawall_keyed_buckets_t* c() noexcept { return keyed_; }

  private:
    seawall_keyed_buckets_t* keyed_;
};

// -------------------------------------------------------------------------------------------------------- leased bucket

namespace detail {
inline constexpr seawall_leased_bucket_config_t leased_default = SEAWALL_LEASED_BUCKET_CONFIG_INIT;
}

/// Rate, burst, first fill and warm-up of all shards together, and how they share: see seawall_leased_bucket_config_t.
struct LeasedConfig {
    Rate rate = Rate::from_c(detail::leased_default.rate);
    std::uint32_t shards = detail::leased_default.shards;
    std::uint32_t burst = detail::leased_default.burst;
    /// How many tokens a shard takes at once; nothing: by the burst.
    std::optional<std::uint32_t> batch = batch_of(detail::leased_default);
    std::uint32_t fill_tokens = detail::leased_default.fill_tokens;
    WarmUp warm_up = WarmUp::from_c(detail::leased_default.warm_up);

    /// Eight shards, a burst of one second of the rate, full.
    static LeasedConfig for_rate(Rate rate) noexcept {
        seawall_leased_bucket_config_t c = SEAWALL_LEASED_BUCKET_CONFIG_INIT;
        // A rate that is none is kept, so that `init` names it.
        if (seawall_leased_bucket_config_for(&c, rate.to_c()) != SEAWALL_OK) c.rate = rate.to_c();
        return {Rate::from_c(c.rate), c.shards, c.burst, batch_of(c), c.fill_tokens, WarmUp::from_c(c.warm_up)};
    }
    static constexpr std::optional<std::uint32_t> batch_of(const seawall_leased_bucket_config_t& c) noexcept {
        return c.batch == SEAWALL_BATCH_BY_BURST ? std::nullopt : std::optional(c.batch);
    }
    constexpr seawall_leased_bucket_config_t to_c() const noexcept {
        seawall_leased_bucket_config_t c = SEAWALL_LEASED_BUCKET_CONFIG_INIT;
        c.rate = rate.to_c();
        c.shards = shards;
        c.burst = burst;
        c.batch = batch ? *batch : SEAWALL_BATCH_BY_BURST;
        c.fill_tokens = fill_tokens;
        c.warm_up = warm_up.to_c();
        return c;
    }
};

template <class Clock>
class BasicLeasedBucket;

/// A shard of a leased bucket that one worker owns, for one thread at a time; dropped, what is left lies there for all.
template <class Clock>
class OwnedLease {
  public:
    using time_point = typename Clock::time_point;

    /// One that owns nothing.
    OwnedLease() noexcept : bucket_(nullptr), words_{} {}
    OwnedLease(OwnedLease&& other) noexcept : bucket_(std::exchange(other.bucket_, nullptr)), words_(other.words_) {}
    OwnedLease& operator=(OwnedLease&& other) noexcept {
        if (this != &other) {
            release();
            bucket_ = std::exchange(other.bucket_, nullptr);
            words_ = other.words_;
        }
        return *this;
    }
    OwnedLease(const OwnedLease&) = delete;
    OwnedLease& operator=(const OwnedLease&) = delete;
    ~OwnedLease() { release(); }

    explicit operator bool() const noexcept { return bucket_ != nullptr; }
    /// Takes `n` tokens, all or none, from what it has, then with it from the bucket.
    Decision try_take(std::uint32_t n, time_point now = Clock::now()) noexcept {
        seawall_decision_t said{};
        const Status status = seawall_owned_lease_try_take(bucket_, &words_, n, detail::to_ns(now), &said);
        return {status, said};
    }
    /// How many tokens it has without asking.
    std::uint32_t tokens() noexcept {
        std::uint32_t tokens = 0;
        seawall_owned_lease_tokens(bucket_, &words_, &tokens);
        return tokens;
    }
    /// Ends it.
    void release() noexcept {
        if (bucket_ != nullptr) seawall_owned_lease_release(std::exchange(bucket_, nullptr), &words_);
    }

  private:
    template <class>
    friend class BasicLeasedBucket;
    seawall_leased_bucket_t* bucket_;
    seawall_owned_lease_t words_;
};

/// A token bucket for many cores: each shard takes tokens in batches and spends them alone.
template <class Clock>
class BasicLeasedBucket : public detail::InWorkspace<seawall_leased_bucket_t> {
  public:
    using time_point = typename Clock::time_point;

    /// One that is not there yet.
    BasicLeasedBucket() noexcept = default;
#if SEAWALL_EXCEPTIONS
    explicit BasicLeasedBucket(const LeasedConfig& config, time_point now = Clock::now()) {
        detail::require(init(config, now));
    }
#endif
    static Result<BasicLeasedBucket> try_create(const LeasedConfig& config, time_point now = Clock::now()) noexcept {
        return Result<BasicLeasedBucket>(detail::Making{}, config, now);
    }
    /// How many bytes its workspace must have; 0 where the shards are out of range.
    static std::size_t required_size(const LeasedConfig& config) noexcept {
        std::size_t size = 0;
        const auto c_config = config.to_c();
        seawall_leased_bucket_required_size(&c_config, &size);
        return size;
    }

    /// Makes it, while nobody else uses it, in a workspace that it allocates.
    Status init(const LeasedConfig& config, time_point now = Clock::now()) noexcept {
        const auto c_config = config.to_c();
        std::size_t size = 0;
        const Status known = seawall_leased_bucket_required_size(&c_config, &size);
        return this->make_own(known, size, [&](void* data, std::size_t bytes, seawall_leased_bucket_t** handle) {
            return seawall_leased_bucket_init(data, bytes, &c_config, detail::to_ns(now), handle);
        });
    }
    /// Makes it in a workspace of the caller's.
    Status init_in(Workspace workspace, const LeasedConfig& config, time_point now = Clock::now()) noexcept {
        const auto c_config = config.to_c();
        return seawall_leased_bucket_init(workspace.data, workspace.size, &c_config, detail::to_ns(now), &handle_);
    }
    /// Finds the one that is in a workspace already.
    Status attach(Workspace workspace) noexcept {
        return seawall_leased_bucket_attach(workspace.data, workspace.size, &handle_);
    }

    /// Takes `n` tokens, all or none, for the shard of the caller's worker or core, modulo the number of shards.
    Decision try_take(std::uint32_t shard, std::uint32_t n, time_point now = Clock::now()) noexcept {
        seawall_decision_t said{};
        const Status status = seawall_leased_bucket_try_take(handle_, shard, n, detail::to_ns(now), &said);
        return {status, said};
    }
    /// What `try_take` would answer, for any shard. Takes nothing.
    Decision peek(std::uint32_t n, time_point now = Clock::now()) noexcept {
        seawall_decision_t said{};
        const Status status = seawall_leased_bucket_peek(handle_, n, detail::to_ns(now), &said);
        return {status, said};
    }
    /// Gives `n` tokens back that were never used, if that cannot admit too many.
    bool refund(std::uint32_t n, time_point now = Clock::now()) noexcept {
        return seawall_leased_bucket_refund(handle_, n, detail::to_ns(now)) == SEAWALL_OK;
    }
    /// How many whole tokens are there, without those that owners hold.
    std::uint32_t available(time_point now = Clock::now()) noexcept {
        std::uint32_t tokens = 0;
        seawall_leased_bucket_available(handle_, detail::to_ns(now), &tokens);
        return tokens;
    }
    /// The rate in force.
    Rate rate() noexcept {
        seawall_rate_t rate = {0, SEAWALL_SECOND};
        seawall_leased_bucket_rate(handle_, &rate);
        return Rate::from_c(rate);
    }
    /// The burst in force, of the bucket and its shards.
    std::uint32_t burst() noexcept {
        std::uint32_t burst = 0;
        seawall_leased_bucket_burst(handle_, &burst);
        return burst;
    }
    /// How many tokens a shard takes at once.
    std::uint32_t batch() noexcept {
        std::uint32_t tokens = 0;
        seawall_leased_bucket_batch(handle_, &tokens);
        return tokens;
    }
    std::uint32_t shards() noexcept {
        std::uint32_t shards = 0;
        seawall_leased_bucket_shards(handle_, &shards);
        return shards;
    }
    Status set_rate(Rate rate, time_point now = Clock::now()) noexcept {
        return seawall_leased_bucket_set_rate(handle_, rate.to_c(), detail::to_ns(now));
    }
    Status set_burst(std::uint32_t burst, time_point now = Clock::now()) noexcept {
        return seawall_leased_bucket_set_burst(handle_, burst, detail::to_ns(now));
    }
    Status start_warm_up(const WarmUp& warm_up, time_point now = Clock::now()) noexcept {
        return seawall_leased_bucket_start_warm_up(handle_, warm_up.to_c(), detail::to_ns(now));
    }
    /// Moves it to a clock that reads `new_now` where the old one read `old_now`.
    Status rebase(time_point old_now, time_point new_now) noexcept {
        return seawall_leased_bucket_rebase(handle_, detail::to_ns(old_now), detail::to_ns(new_now));
    }
    /// Begins anew, at the rate and burst in force.
    Status reset(std::uint32_t fill_tokens = full, const WarmUp& warm_up = {}, time_point now = Clock::now()) noexcept {
        return seawall_leased_bucket_reset(handle_, fill_tokens, warm_up.to_c(), detail::to_ns(now));
    }
    /// Discards the tokens over `keep`, and says how many whole ones.
    std::uint32_t drain_to(std::uint32_t keep, time_point now = Clock::now()) noexcept {
        std::uint32_t discarded = 0;
        seawall_leased_bucket_drain_to(handle_, keep, detail::to_ns(now), &discarded);
        return discarded;
    }
    /// Makes the caller the only one who leases to this shard; empty where somebody is already.
    OwnedLease<Clock> own(std::uint32_t shard) noexcept {
        OwnedLease<Clock> lease;
        if (seawall_leased_bucket_own(handle_, shard, &lease.words_) == SEAWALL_OK) lease.bucket_ = handle_;
        return lease;
    }
};

using LeasedBucket = BasicLeasedBucket<std::chrono::steady_clock>;

// ------------------------------------------------------------------------------------------------------------- windows

namespace detail {

inline constexpr seawall_sliding_window_config_t sliding_default = SEAWALL_SLIDING_WINDOW_CONFIG_INIT;
inline constexpr seawall_sharded_window_config_t sharded_default = SEAWALL_SHARDED_WINDOW_CONFIG_INIT;

/// The functions of C that both kinds of windows have.
struct SlidingWindowApi {
    static constexpr auto summary = seawall_sliding_window_summary;
    static constexpr auto quantile = seawall_sliding_window_quantile;
    static constexpr auto error_rate = seawall_sliding_window_error_rate;
    static constexpr auto mark = seawall_sliding_window_mark;
    static constexpr auto rebase = seawall_sliding_window_rebase;
    static constexpr auto total_count = seawall_sliding_window_total_count;
    static constexpr auto total_errors = seawall_sliding_window_total_errors;
    static constexpr auto total_late = seawall_sliding_window_total_late;
    static constexpr auto window = seawall_sliding_window_window;
    static constexpr auto slice = seawall_sliding_window_slice;
    static constexpr auto slices = seawall_sliding_window_slices;
    static constexpr auto cells = seawall_sliding_window_cells;
    static constexpr auto relative_error = seawall_sliding_window_relative_error;
};
struct ShardedWindowApi {
    static constexpr auto summary = seawall_sharded_window_summary;
    static constexpr auto quantile = seawall_sharded_window_quantile;
    static constexpr auto error_rate = seawall_sharded_window_error_rate;
    static constexpr auto mark = seawall_sharded_window_mark;
    static constexpr auto rebase = seawall_sharded_window_rebase;
    static constexpr auto total_count = seawall_sharded_window_total_count;
    static constexpr auto total_errors = seawall_sharded_window_total_errors;
    static constexpr auto total_late = seawall_sharded_window_total_late;
    static constexpr auto window = seawall_sharded_window_window;
    static constexpr auto slice = seawall_sharded_window_slice;
    static constexpr auto slices = seawall_sharded_window_slices;
    static constexpr auto cells = seawall_sharded_window_cells;
    static constexpr auto relative_error = seawall_sharded_window_relative_error;
};

/// What a window of either kind tells.
template <class Self, class Clock, class Api>
class WindowCalls {
  public:
    using time_point = typename Clock::time_point;

    /// The usual figures, with the totals since it was made; all of nothing, where it is not there.
    WindowSummary summary(time_point now = Clock::now()) noexcept {
        seawall_window_summary_t summary = SEAWALL_WINDOW_SUMMARY_INIT;
        Api::summary(self(), to_ns(now), &summary);
        return WindowSummary::from_c(summary);
    }
    /// The latency that this share of the calls kept to; nothing, if there were none.
    std::optional<std::chrono::nanoseconds> quantile(Ratio q, time_point now = Clock::now()) noexcept {
        std::uint64_t latency_ns = 0;
        const Status found = Api::quantile(self(), q.ppm, to_ns(now), &latency_ns);
        return found ? std::optional(from_ns(latency_ns)) : std::nullopt;
    }
    /// The share of failed calls; nothing, if there were none: no evidence is not health.
    std::optional<Ratio> error_rate(time_point now = Clock::now()) noexcept {
        Ratio rate;
        const Status found = Api::error_rate(self(), to_ns(now), &rate.ppm);
        return found ? std::optional(rate) : std::nullopt;
    }
    /// Forgets what came before; the totals stay.
    Status mark(time_point now = Clock::now()) noexcept { return Api::mark(self(), to_ns(now)); }
    /// Starts anew on a clock that reads `new_now` where the old one read `old_now`; the totals stay.
    Status rebase(time_point old_now, time_point new_now) noexcept {
        return Api::rebase(self(), to_ns(old_now), to_ns(new_now));
    }
    /// All samples ever recorded, those of them that failed, and those that came too late for their slice.
    std::uint64_t total_count() noexcept { return number(Api::total_count); }
    std::uint64_t total_errors() noexcept { return number(Api::total_errors); }
    std::uint64_t total_late() noexcept { return number(Api::total_late); }
    /// The width of the window, and of a slice: how much it forgets at a time.
    std::chrono::nanoseconds window() noexcept { return from_ns(number(Api::window)); }
    std::chrono::nanoseconds slice() noexcept { return from_ns(number(Api::slice)); }
    /// How many slices, and how many cells each.
    std::uint32_t slices() noexcept {
        std::uint32_t slices = 0;
        Api::slices(self(), &slices);
        return slices;
    }
    std::uint32_t cells() noexcept {
        std::uint32_t cells = 0;
        Api::cells(self(), &cells);
        return cells;
    }
    /// The largest relative error of a quantile or a mean.
    Ratio relative_error() noexcept {
        Ratio error;
        Api::relative_error(self(), &error.ppm);
        return error;
    }

  private:
    auto* self() noexcept { return static_cast<Self*>(this)->c(); }
    template <class Get>
    std::uint64_t number(Get get) noexcept {
        std::uint64_t number = 0;
        get(self(), &number);
        return number;
    }
};

}  // namespace detail

/// How far a window looks back, and how finely: see seawall_sliding_window_config_t.
struct WindowConfig {
    std::chrono::nanoseconds window = detail::from_ns(detail::sliding_default.window_ns);
    std::uint32_t slices = detail::sliding_default.slices;
    std::uint32_t cells = detail::sliding_default.cells;

    constexpr seawall_sliding_window_config_t to_c() const noexcept {
        seawall_sliding_window_config_t c = SEAWALL_SLIDING_WINDOW_CONFIG_INIT;
        c.window_ns = detail::to_ns(window);
        c.slices = slices;
        c.cells = cells;
        return c;
    }
};

/// Counts, error rate, throughput and latency quantiles of the last stretch of time.
template <class Clock>
class BasicSlidingWindow : public detail::InWorkspace<seawall_sliding_window_t>,
                           public detail::WindowCalls<BasicSlidingWindow<Clock>, Clock, detail::SlidingWindowApi> {
  public:
    using time_point = typename Clock::time_point;

    /// One that is not there yet.
    BasicSlidingWindow() noexcept = default;
#if SEAWALL_EXCEPTIONS
    explicit BasicSlidingWindow(const WindowConfig& config) { detail::require(init(config)); }
#endif
    static Result<BasicSlidingWindow> try_create(const WindowConfig& config = {}) noexcept {
        return Result<BasicSlidingWindow>(detail::Making{}, config);
    }
    /// How many bytes its workspace must have; 0 where slices or cells cannot be.
    static std::size_t required_size(const WindowConfig& config) noexcept {
        std::size_t size = 0;
        const auto c_config = config.to_c();
        seawall_sliding_window_required_size(&c_config, &size);
        return size;
    }

    /// Makes it, while nobody else uses it, in a workspace that it allocates.
    Status init(const WindowConfig& config) noexcept {
        const auto c_config = config.to_c();
        std::size_t size = 0;
        const Status known = seawall_sliding_window_required_size(&c_config, &size);
        return this->make_own(known, size, [&](void* data, std::size_t bytes, seawall_sliding_window_t** handle) {
            return seawall_sliding_window_init(data, bytes, &c_config, handle);
        });
    }
    /// Makes it in a workspace of the caller's.
    Status init_in(Workspace workspace, const WindowConfig& config) noexcept {
        const auto c_config = config.to_c();
        return seawall_sliding_window_init(workspace.data, workspace.size, &c_config, &this->handle_);
    }
    /// Finds the one that is in a workspace already.
    Status attach(Workspace workspace) noexcept {
        return seawall_sliding_window_attach(workspace.data, workspace.size, &this->handle_);
    }
    /// Counts one finished call: how long it took, and whether it went well.
    void record(std::chrono::nanoseconds latency, bool ok, time_point now = Clock::now()) noexcept {
        seawall_sliding_window_record(this->handle_, detail::to_ns(latency), ok ? 1 : 0, detail::to_ns(now));
    }
};

using SlidingWindow = BasicSlidingWindow<std::chrono::steady_clock>;

/// Who records into a shard.
enum class Writers : std::uint32_t {
    /// Anybody, with `record` of the window.
    Many = SEAWALL_WRITERS_MANY,
    /// One owner at a time, with `record` of what `own` gives.
    One = SEAWALL_WRITERS_ONE,
};

/// How far a window looks back, how finely, for how many, and who records: see seawall_sharded_window_config_t.
struct ShardedWindowConfig {
    std::chrono::nanoseconds window = detail::from_ns(detail::sharded_default.window_ns);
    std::uint32_t shards = detail::sharded_default.shards;
    std::uint32_t slices = detail::sharded_default.slices;
    std::uint32_t cells = detail::sharded_default.cells;
    Writers writers = static_cast<Writers>(detail::sharded_default.writers);

    constexpr seawall_sharded_window_config_t to_c() const noexcept {
        seawall_sharded_window_config_t c = SEAWALL_SHARDED_WINDOW_CONFIG_INIT;
        c.window_ns = detail::to_ns(window);
        c.shards = shards;
        c.slices = slices;
        c.cells = cells;
        c.writers = static_cast<std::uint32_t>(writers);
        return c;
    }
};

template <class Clock>
class BasicShardedWindow;

/// A shard of a window that one worker owns, for one thread at a time; dropped, another may own it.
template <class Clock>
class OwnedWindow {
  public:
    using time_point = typename Clock::time_point;

    /// One that owns nothing.
    OwnedWindow() noexcept : window_(nullptr), words_{} {}
    OwnedWindow(OwnedWindow&& other) noexcept : window_(std::exchange(other.window_, nullptr)), words_(other.words_) {}
    OwnedWindow& operator=(OwnedWindow&& other) noexcept {
        if (this != &other) {
            release();
            window_ = std::exchange(other.window_, nullptr);
            words_ = other.words_;
        }
        return *this;
    }
    OwnedWindow(const OwnedWindow&) = delete;
    OwnedWindow& operator=(const OwnedWindow&) = delete;
    ~OwnedWindow() { release(); }

    explicit operator bool() const noexcept { return window_ != nullptr; }
    /// Counts one finished call, by plain loads and stores.
    void record(std::chrono::nanoseconds latency, bool ok, time_point now = Clock::now()) noexcept {
        seawall_owned_window_record(window_, &words_, detail::to_ns(latency), ok ? 1 : 0, detail::to_ns(now));
    }
    /// Ends it.
    void release() noexcept {
        if (window_ != nullptr) seawall_owned_window_release(std::exchange(window_, nullptr), &words_);
    }

  private:
    template <class>
    friend class BasicShardedWindow;
    seawall_sharded_window_t* window_;
    seawall_owned_window_t words_;
};

/// A sliding window of which each worker has a part, read as one.
template <class Clock>
class BasicShardedWindow : public detail::InWorkspace<seawall_sharded_window_t>,
                           public detail::WindowCalls<BasicShardedWindow<Clock>, Clock, detail::ShardedWindowApi> {
  public:
    using time_point = typename Clock::time_point;

    /// One that is not there yet.
    BasicShardedWindow() noexcept = default;
#if SEAWALL_EXCEPTIONS
    explicit BasicShardedWindow(const ShardedWindowConfig& config) { detail::require(init(config)); }
#endif
    static Result<BasicShardedWindow> try_create(const ShardedWindowConfig& config = {}) noexcept {
        return Result<BasicShardedWindow>(detail::Making{}, config);
    }
    /// How many bytes its workspace must have; 0 where shards, slices or cells cannot be.
    static std::size_t required_size(const ShardedWindowConfig& config) noexcept {
        std::size_t size = 0;
        const auto c_config = config.to_c();
        seawall_sharded_window_required_size(&c_config, &size);
        return size;
    }

    /// Makes it, while nobody else uses it, in a workspace that it allocates.
    Status init(const ShardedWindowConfig& config) noexcept {
        const auto c_config = config.to_c();
        std::size_t size = 0;
        const Status known = seawall_sharded_window_required_size(&c_config, &size);
        return this->make_own(known, size, [&](void* data, std::size_t bytes, seawall_sharded_window_t** handle) {
            return seawall_sharded_window_init(data, bytes, &c_config, handle);
        });
    }
    /// Makes it in a workspace of the caller's.
    Status init_in(Workspace workspace, const ShardedWindowConfig& config) noexcept {
        const auto c_config = config.to_c();
        return seawall_sharded_window_init(workspace.data, workspace.size, &c_config, &this->handle_);
    }
    /// Finds the one that is in a workspace already.
    Status attach(Workspace workspace) noexcept {
        return seawall_sharded_window_attach(workspace.data, workspace.size, &this->handle_);
    }
    /// Counts one finished call in `shard`, taken modulo the number of shards; answers a mistake where shards have owners.
    Status record(std::uint32_t shard, std::chrono::nanoseconds latency, bool ok,
                  time_point now = Clock::now()) noexcept {
        return seawall_sharded_window_record(this->handle_, shard, detail::to_ns(latency), ok ? 1 : 0,
                                             detail::to_ns(now));
    }
    /// Makes the caller the only one who records into this shard; empty where somebody is, and where anybody records.
    OwnedWindow<Clock> own(std::uint32_t shard) noexcept {
        OwnedWindow<Clock> owner;
        if (seawall_sharded_window_own(this->handle_, shard, &owner.words_) == SEAWALL_OK) owner.window_ = this->handle_;
        return owner;
    }
    std::uint32_t shards() noexcept {
        std::uint32_t shards = 0;
        seawall_sharded_window_shards(this->handle_, &shards);
        return shards;
    }
};

using ShardedWindow = BasicShardedWindow<std::chrono::steady_clock>;

// ------------------------------------------------------------------------------------------------------------ recorder

namespace detail {

inline constexpr seawall_recorder_config_t recorder_default = SEAWALL_RECORDER_CONFIG_INIT;

template <class Clock>
class CallNotes;

}  // namespace detail

/// How far a recorder looks back, how finely, and who writes it: see seawall_recorder_config_t.
struct RecorderConfig {
    std::chrono::nanoseconds window = detail::from_ns(detail::recorder_default.window_ns);
    std::uint32_t slices = detail::recorder_default.slices;
    std::uint32_t cells = detail::recorder_default.cells;
    Writers writers = static_cast<Writers>(detail::recorder_default.writers);

    constexpr seawall_recorder_config_t to_c() const noexcept {
        seawall_recorder_config_t c = SEAWALL_RECORDER_CONFIG_INIT;
        c.window_ns = detail::to_ns(window);
        c.slices = slices;
        c.cells = cells;
        c.writers = static_cast<std::uint32_t>(writers);
        return c;
    }
};

/// What recorders counted, of calls and of attempts: see seawall_counts_t, whose fields these are.
struct Counts : seawall_counts_t {
    Counts() noexcept : seawall_counts_t SEAWALL_COUNTS_INIT {}

    /// The attempts that a stage refused.
    std::uint64_t refused_by(Stage stage) const noexcept {
        const auto at = static_cast<std::size_t>(stage) - 1;
        std::uint64_t sum = 0;
        if (at < std::size(refused_for)) {
            for (const std::uint64_t count : refused_for[at]) sum += count;
        }
        return sum;
    }
};

template <class Clock>
class BasicRecorder;

/// The only one who writes a recorder, for one thread at a time; dropped, another may.
template <class Clock>
class OwnedRecorder {
  public:
    /// One that owns nothing.
    OwnedRecorder() noexcept : recorder_(nullptr), words_{} {}
    OwnedRecorder(const OwnedRecorder&) = delete;
    OwnedRecorder& operator=(const OwnedRecorder&) = delete;
    ~OwnedRecorder() { release(); }

    explicit operator bool() const noexcept { return recorder_ != nullptr; }
    /// The breaker changed outside of a call.
    Status changed(const seawall_transition_t& transition, typename Clock::time_point now = Clock::now()) noexcept {
        return seawall_owned_recorder_changed(recorder_, &words_, &transition, detail::to_ns(now));
    }
    /// Ends it, when its calls are over.
    void release() noexcept {
        if (recorder_ != nullptr) seawall_owned_recorder_release(std::exchange(recorder_, nullptr), &words_);
    }

  private:
    template <class>
    friend class BasicRecorder;
    template <class>
    friend class detail::CallNotes;
    seawall_recorder_t* recorder_;
    seawall_owned_recorder_t words_;
};

/// Counts and measures what a worker does through a guard: give it to `Guard::begin`, and read it with `Guard::snapshot`. One
/// a worker is fastest; shared by several it counts no less.
template <class Clock>
class BasicRecorder : public detail::InWorkspace<seawall_recorder_t> {
  public:
    using time_point = typename Clock::time_point;

    /// One that is not there yet.
    BasicRecorder() noexcept = default;
#if SEAWALL_EXCEPTIONS
    explicit BasicRecorder(const RecorderConfig& config) { detail::require(init(config)); }
#endif
    static Result<BasicRecorder> try_create(const RecorderConfig& config = {}) noexcept {
        return Result<BasicRecorder>(detail::Making{}, config);
    }
    /// How many bytes its workspace must have; 0 where slices or cells cannot be.
    static std::size_t required_size(const RecorderConfig& config) noexcept {
        std::size_t size = 0;
        const auto c_config = config.to_c();
        seawall_recorder_required_size(&c_config, &size);
        return size;
    }

    /// Makes it, while nobody else uses it, in a workspace that it allocates.
    Status init(const RecorderConfig& config) noexcept {
        const auto c_config = config.to_c();
        std::size_t size = 0;
        const Status known = seawall_recorder_required_size(&c_config, &size);
        return this->make_own(known, size, [&](void* data, std::size_t bytes, seawall_recorder_t** handle) {
            return seawall_recorder_init(data, bytes, &c_config, handle);
        });
    }
    /// Makes it in a workspace of the caller's.
    Status init_in(Workspace workspace, const RecorderConfig& config) noexcept {
        const auto c_config = config.to_c();
        return seawall_recorder_init(workspace.data, workspace.size, &c_config, &this->handle_);
    }
    /// Finds the one that is in a workspace already.
    Status attach(Workspace workspace) noexcept {
        return seawall_recorder_attach(workspace.data, workspace.size, &this->handle_);
    }

    /// Makes `owner`, which has to own nothing, the only one who writes it; answers `SEAWALL_TAKEN` while there is another.
    Status own(OwnedRecorder<Clock>& owner) noexcept {
        if (owner.recorder_ != nullptr) return SEAWALL_TAKEN;
        const Status status = seawall_recorder_own(this->handle_, &owner.words_);
        if (status) owner.recorder_ = this->handle_;
        return status;
    }
    /// The breaker changed outside of a call: forced, tripped or reset.
    Status changed(const seawall_transition_t& transition, time_point now = Clock::now()) noexcept {
        return seawall_recorder_changed(this->handle_, &transition, detail::to_ns(now));
    }
    /// What it counted since it was made.
    Counts totals() noexcept {
        Counts counts;
        seawall_recorder_totals(this->handle_, &counts);
        return counts;
    }
    /// What it counted in its window.
    Counts recent(time_point now = Clock::now()) noexcept {
        Counts counts;
        seawall_recorder_recent(this->handle_, detail::to_ns(now), &counts);
        return counts;
    }
    /// Goes over to another clock, with the guard: the windows start anew, the totals stay.
    Status rebase(time_point old_now, time_point new_now) noexcept {
        return seawall_recorder_rebase(this->handle_, detail::to_ns(old_now), detail::to_ns(new_now));
    }
    std::uint32_t slices() noexcept {
        std::uint32_t slices = 0;
        seawall_recorder_slices(this->handle_, &slices);
        return slices;
    }
    std::uint32_t cells() noexcept {
        std::uint32_t cells = 0;
        seawall_recorder_cells(this->handle_, &cells);
        return cells;
    }
};

using Recorder = BasicRecorder<std::chrono::steady_clock>;

namespace detail {

/// What a call tells its recorder, if it has one: shared by all, or of an owner.
template <class Clock>
class CallNotes {
  public:
    CallNotes() noexcept : recorder_(nullptr), owner_(nullptr), record_{} {}
    CallNotes(BasicRecorder<Clock>& recorder, std::uint64_t now_ns) noexcept
        : recorder_(recorder.c()), owner_(nullptr), record_{} {
        seawall_recorder_begun(recorder_, now_ns, &record_);
    }
    CallNotes(OwnedRecorder<Clock>& owner, std::uint64_t now_ns) noexcept
        : recorder_(owner.recorder_), owner_(&owner.words_), record_{} {
        seawall_owned_recorder_begun(recorder_, owner_, now_ns, &record_);
    }

    void attempted(Status status, const seawall_decision_t& said, const seawall_admission_t* admission,
                   std::uint64_t now_ns) noexcept {
        if (recorder_ == nullptr) return;
        if (owner_ != nullptr) {
            seawall_owned_recorder_attempted(recorder_, owner_, &record_, status.code(), &said, admission, now_ns);
        } else {
            seawall_recorder_attempted(recorder_, &record_, status.code(), &said, admission, now_ns);
        }
    }
    void cancelled(std::uint64_t now_ns) noexcept {
        if (recorder_ == nullptr) return;
        if (owner_ != nullptr) seawall_owned_recorder_cancelled(recorder_, owner_, &record_, now_ns);
        else seawall_recorder_cancelled(recorder_, &record_, now_ns);
    }
    void finished(std::uint32_t outcome, const seawall_finished_t& finished, std::uint64_t now_ns) noexcept {
        if (recorder_ == nullptr) return;
        if (owner_ != nullptr) seawall_owned_recorder_finished(recorder_, owner_, &record_, outcome, &finished, now_ns);
        else seawall_recorder_finished(recorder_, &record_, outcome, &finished, now_ns);
        is_over_ = finished.verdict != SEAWALL_VERDICT_RETRY_AT;
    }
    /// A call that ends without an end, refused or not: its caller gave it up.
    void abandoned(std::uint64_t now_ns) noexcept {
        if (recorder_ == nullptr || is_over_) return;
        is_over_ = true;
        if (owner_ != nullptr) seawall_owned_recorder_abandoned(recorder_, owner_, &record_, now_ns);
        else seawall_recorder_abandoned(recorder_, &record_, now_ns);
    }
    bool is_open() const noexcept { return recorder_ != nullptr && !is_over_; }

  private:
    seawall_recorder_t* recorder_;
    seawall_owned_recorder_t* owner_;
    seawall_call_record_t record_;
    bool is_over_ = false;
};

}  // namespace detail

// --------------------------------------------------------------------------------------------------------------- guard

/// What a stage does with the calls that it would refuse.
struct Mode {
    enum class Kind : std::uint32_t {
        Enforce = SEAWALL_MODE_ENFORCE,
        Shadow = SEAWALL_MODE_SHADOW,
        Canary = SEAWALL_MODE_CANARY,
        Off = SEAWALL_MODE_OFF,
    };
    Kind kind = Kind::Enforce;
    Ratio share = {};

    /// It refuses.
    static constexpr Mode enforce() noexcept { return {Kind::Enforce, {}}; }
    /// It says what it would refuse, and lets it pass.
    static constexpr Mode shadow() noexcept { return {Kind::Shadow, {}}; }
    /// It refuses calls of this share of the keys, and is in shadow for the others.
    static constexpr Mode canary(Ratio share) noexcept { return {Kind::Canary, share}; }
    /// It is neither read nor written.
    static constexpr Mode off() noexcept { return {Kind::Off, {}}; }

    static constexpr Mode from_c(seawall_mode_t c) noexcept { return {static_cast<Kind>(c.mode), {c.share_ppm}}; }
    constexpr seawall_mode_t to_c() const noexcept { return {static_cast<std::uint32_t>(kind), share.ppm}; }
    friend constexpr bool operator==(Mode left, Mode right) noexcept {
        return left.kind == right.kind && left.share == right.share;
    }
    friend constexpr bool operator!=(Mode left, Mode right) noexcept { return !(left == right); }
};

/// The mode of each stage of a guard that has one.
struct GuardModes {
    Mode pause = Mode::enforce();
    Mode breaker = Mode::enforce();
    Mode limit = Mode::enforce();
    Mode bucket = Mode::enforce();
    Mode budget = Mode::enforce();
    Mode keyed = Mode::enforce();

    static constexpr GuardModes all(Mode mode) noexcept { return {mode, mode, mode, mode, mode, mode}; }
};

/// What a guard is made of. Begin with `for_service`, from what you know: see seawall_guard_config_t.
struct GuardConfig {
    /// How fast attempts are sent.
    BucketConfig bucket;
    /// When the service counts as down.
    BreakerConfig breaker;
    /// How many attempts are in flight.
    LimitConfig limit;
    /// When a failed call is sent again.
    RetryConfig retry;
    /// What share of the traffic may be retries.
    RetryBudgetConfig budget;
    /// How long an attempt may take.
    std::chrono::nanoseconds call_timeout;
    /// How many failures in a row the breaker counts for a first attempt that timed out.
    std::uint32_t timeout_weight;
    /// A retry is promised only while fewer than so many failures stand in a row; nothing: whatever the breaker counts.
    std::optional<std::uint32_t> retry_streak;
    /// How the rate climbs after a pause or an open interval.
    WarmUp ramp;
    GuardModes modes;
    /// Of how many parts the service is made that fail one by one: each has a breaker.
    std::uint32_t shards;
    /// How fast each key may send; nothing: there are no buckets by key.
    std::optional<KeyedConfig> keyed;
    /// A secret random number for the buckets by key, over 0, as of `entropy`.
    std::uint64_t keyed_salt;

    /// For a process that sends up to `expected` calls and gives each attempt `call_timeout`.
    static GuardConfig for_service(Rate expected, std::chrono::nanoseconds call_timeout) noexcept {
        return for_shards(expected, call_timeout, 1);
    }
    /// As `for_service`, for a service of so many parts, which each get their share of the calls.
    static GuardConfig for_shards(Rate expected, std::chrono::nanoseconds call_timeout, std::uint32_t shards) noexcept {
        seawall_guard_config_t c = SEAWALL_GUARD_CONFIG_INIT;
        const Status status =
            seawall_guard_config_for_shards(&c, expected.to_c(), detail::to_ns(call_timeout), shards);
        // A rate that is none is kept, so that the guard's `init` names it.
        if (!status) c.bucket.rate = expected.to_c();
        return from_c(c);
    }
    static GuardConfig from_c(const seawall_guard_config_t& c) noexcept {
        return {BucketConfig::from_c(c.bucket),
                BreakerConfig::from_c(c.breaker),
                LimitConfig::from_c(c.limit),
                RetryConfig::from_c(c.retry),
                RetryBudgetConfig::from_c(c.budget),
                detail::from_ns(c.call_timeout_ns),
                c.timeout_weight,
                c.retry_streak == SEAWALL_NO_STREAK ? std::nullopt : std::optional(c.retry_streak),
                WarmUp::from_c(c.ramp),
                {Mode::from_c(c.modes.pause), Mode::from_c(c.modes.breaker), Mode::from_c(c.modes.limit),
                 Mode::from_c(c.modes.bucket), Mode::from_c(c.modes.budget), Mode::from_c(c.modes.keyed)},
                c.shards,
                c.keyed.groups == 0 ? std::nullopt : std::optional(KeyedConfig::from_c(c.keyed)),
                c.keyed_salt};
    }
    seawall_guard_config_t to_c() const noexcept {
        seawall_guard_config_t c = SEAWALL_GUARD_CONFIG_INIT;
        c.shards = shards;
        c.call_timeout_ns = detail::to_ns(call_timeout);
        c.timeout_weight = timeout_weight;
        c.retry_streak = retry_streak ? *retry_streak : SEAWALL_NO_STREAK;
        c.ramp = ramp.to_c();
        c.modes = {modes.pause.to_c(),  modes.breaker.to_c(), modes.limit.to_c(),
                   modes.bucket.to_c(), modes.budget.to_c(),  modes.keyed.to_c()};
        c.bucket = bucket.to_c();
        c.breaker = breaker.to_c();
        c.limit = limit.to_c();
        c.retry = retry.to_c();
        c.budget = budget.to_c();
        if (keyed) c.keyed = keyed->to_c();
        c.keyed_salt = keyed_salt;
        return c;
    }
};

/// What is asked of the service, as far as a guard must know.
template <class Clock>
struct BasicRequest {
    /// Whose call it is: a user, a tenant, a connection.
    std::uint64_t key = 0;
    /// Which part of the service it goes to; taken modulo the number of shards.
    std::uint32_t shard = 0;
    /// The tokens that each attempt takes.
    std::uint32_t cost = 1;
    /// From this moment on the answer is of no use: nothing is sent at it or after it.
    std::optional<typename Clock::time_point> deadline = std::nullopt;

    seawall_request_t to_c() const noexcept {
        seawall_request_t c = SEAWALL_REQUEST_INIT;
        c.key = key;
        c.shard = shard;
        c.cost = cost;
        c.deadline_ns = deadline ? detail::to_ns(*deadline) : SEAWALL_UNKNOWN;
        return c;
    }
};
using Request = BasicRequest<std::chrono::steady_clock>;

namespace detail {
/// The refusal that a stage in shadow would have made.
inline std::optional<Decision> refusal(const seawall_refusal_t& c) noexcept {
    if (c.stage == 0) return std::nullopt;
    return Decision(c.status, {c.retry_after_ns, 0, c.stage});
}
}  // namespace detail

/// What becomes of a call after an attempt.
enum class Verdict : std::uint32_t {
    /// After a mistake, and for a permit that held nothing.
    None = 0,
    /// It is over: it succeeded, or was ignored.
    Done = SEAWALL_VERDICT_DONE,
    /// Ask again for an attempt, not before `retry_at`. The retry is paid for.
    RetryAt = SEAWALL_VERDICT_RETRY_AT,
    /// It is not sent again.
    GiveUp = SEAWALL_VERDICT_GIVE_UP,
};

/// What the end of an attempt led to.
template <class Clock>
struct [[nodiscard]] BasicFinished {
    Verdict verdict = Verdict::None;
    /// `RetryAt` only.
    std::optional<typename Clock::time_point> retry_at = std::nullopt;
    /// `GiveUp` only.
    std::optional<GiveUpReason> give_up = std::nullopt;
    /// What this report made of the breaker and of the limit.
    std::optional<Transition> transition = std::nullopt;
    std::optional<LimitChange> limit_change = std::nullopt;
    /// The stage in shadow that would have refused the attempt.
    std::optional<Decision> shadow_refusal = std::nullopt;
    /// Why a stage in shadow would have given the call up, where the verdict promises a retry.
    std::optional<GiveUpReason> shadow_give_up = std::nullopt;
};

template <class Clock>
class BasicGuard;
template <class Clock>
class BasicCall;

/// Leave to send one attempt of a call, which it must not outlive. Dropped, it reports `Ignored`: the call is over.
template <class Clock>
class GuardPermit : public Permit<BasicCall<Clock>, seawall_permit_t> {
  public:
    using Permit<BasicCall<Clock>, seawall_permit_t>::Permit;

    /// The breaker's transition to half-open, if this attempt made it.
    std::optional<Transition> transition;
    /// The first stage in shadow that would have refused.
    std::optional<Decision> shadow_refusal;
};

/// One logical call, from its beginning through all its attempts; it stays where it is, within the life of its guard, and
/// has one user at a time. A retry that was paid for and is not sent goes back to the budget when the call is dropped.
template <class Clock>
class BasicCall {
  public:
    using clock = Clock;
    using time_point = typename Clock::time_point;
    using Finished = BasicFinished<Clock>;
    using Permit = GuardPermit<Clock>;

    BasicCall(BasicGuard<Clock>& guard, const BasicRequest<Clock>& request, time_point now = Clock::now()) noexcept
        : guard_(guard), words_{} {
        begin(request, now);
    }
    /// One whose ways and end go to `recorder`: a `BasicRecorder`, or the `OwnedRecorder` of this worker.
    template <class Recorder>
    BasicCall(BasicGuard<Clock>& guard, const BasicRequest<Clock>& request, Recorder& recorder,
              time_point now = Clock::now()) noexcept
        : guard_(guard), words_{}, notes_(recorder, detail::to_ns(now)) {
        begin(request, now);
    }
    BasicCall(const BasicCall&) = delete;
    BasicCall& operator=(const BasicCall&) = delete;
    ~BasicCall() {
        if (is_paid_ || notes_.is_open()) abandon();
    }

    /// Asks to send the next attempt.
    Answer<Permit> try_attempt(time_point now = Clock::now()) noexcept {
        seawall_permit_t words{};
        seawall_admission_t admission{};
        seawall_decision_t said{};
        const Status status =
            seawall_guard_try_attempt(guard_.c(), &words_, detail::to_ns(now), &words, &admission, &said);
        notes_.attempted(status, said, status ? &admission : nullptr, detail::to_ns(now));
        if (!status) return {Decision(status, said), Permit()};
        is_paid_ = false;
        Permit permit(*this, words);
        permit.transition = Transition::from_c(admission.transition);
        permit.shadow_refusal = detail::refusal(admission.shadow);
        guard_.tell(permit.transition);
        return {Decision(status, said), std::move(permit)};
    }
    /// What `try_attempt` would answer. Takes nothing.
    Decision peek(time_point now = Clock::now()) noexcept {
        seawall_decision_t said{};
        const Status status = seawall_guard_peek(guard_.c(), &words_, detail::to_ns(now), &said);
        return {status, said};
    }
    /// Reports how an attempt ended; permits do that by themselves.
    Finished finish(seawall_permit_t& permit, Outcome outcome, time_point now = Clock::now()) noexcept {
        seawall_finished_t c{};
        const Status status = seawall_guard_finish(guard_.c(), &words_, &permit, outcome.c(), outcome.retry_after_ns(),
                                                   detail::to_ns(now), &c);
        Finished finished;
        if (!status) return finished;
        notes_.finished(outcome.c(), c, detail::to_ns(now));
        finished.verdict = static_cast<Verdict>(c.verdict);
        if (finished.verdict == Verdict::RetryAt) finished.retry_at = detail::to_point<Clock>(c.retry_at_ns);
        if (c.give_up != 0) finished.give_up = static_cast<GiveUpReason>(c.give_up);
        finished.transition = Transition::from_c(c.transition);
        finished.limit_change = LimitChange::from_c(c.limit_change);
        finished.shadow_refusal = detail::refusal(c.shadow);
        if (c.shadow_give_up != 0) finished.shadow_give_up = static_cast<GiveUpReason>(c.shadow_give_up);
        is_paid_ = finished.verdict == Verdict::RetryAt;
        guard_.tell(finished.transition);
        return finished;
    }
    /// Gives an admitted attempt back that was never sent; permits do that by themselves.
    bool cancel(seawall_permit_t& permit, time_point now = Clock::now()) noexcept {
        notes_.cancelled(detail::to_ns(now));
        return seawall_guard_cancel(guard_.c(), &permit, detail::to_ns(now)) == SEAWALL_OK;
    }
    /// It is not sent again, whatever its verdict was.
    void abandon(time_point now = Clock::now()) noexcept {
        is_paid_ = false;
        seawall_guard_abandon(guard_.c(), &words_, detail::to_ns(now));
        notes_.abandoned(detail::to_ns(now));
    }
    /// How many attempts were sent and have ended.
    std::uint32_t attempts() const noexcept {
        std::uint32_t attempts = 0;
        seawall_call_attempts(&words_, &attempts);
        return attempts;
    }
    /// From when on nothing of it is sent.
    std::optional<time_point> deadline() const noexcept {
        std::uint64_t deadline_ns = 0;
        const Status known = seawall_call_deadline(&words_, &deadline_ns);
        return known ? std::optional(detail::to_point<Clock>(deadline_ns)) : std::nullopt;
    }
    seawall_call_t* c() noexcept { return &words_; }

  private:
    void begin(const BasicRequest<Clock>& request, time_point now) noexcept {
        const auto c_request = request.to_c();
        seawall_guard_begin(guard_.c(), &c_request, detail::to_ns(now), &words_);
    }

    BasicGuard<Clock>& guard_;
    seawall_call_t words_;
    detail::CallNotes<Clock> notes_;
    bool is_paid_ = false;
};
using Call = BasicCall<std::chrono::steady_clock>;

/// A guard at one moment; while others call, the parts are read one after the other.
template <class Clock>
struct BasicSnapshot {
    typename Clock::time_point now;
    /// The state of the breaker; of several, of the first that is open, or else half-open: of this shard.
    State breaker;
    std::uint32_t shard;
    /// How many attempts may be in flight, and how many are.
    std::uint32_t limit;
    std::uint32_t in_flight;
    /// The token bucket.
    Rate rate;
    std::uint32_t burst;
    std::uint32_t tokens;
    RetryTokens budget;
    /// Of a guard that has buckets by key: rate and burst of each, and how many attempts passed without a place.
    std::optional<Rate> keyed_rate;
    std::uint32_t keyed_burst;
    std::uint64_t keyed_let_through;
    /// What each says to an attempt of one token; nothing where it would pass.
    std::optional<Decision> pause_refusal;
    std::optional<Decision> breaker_refusal;
    std::optional<Decision> limit_refusal;
    std::optional<Decision> bucket_refusal;

    static BasicSnapshot from_c(const seawall_snapshot_t& c) noexcept {
        return {detail::to_point<Clock>(c.now_ns),
                static_cast<State>(c.breaker),
                c.shard,
                c.limit,
                c.in_flight,
                Rate::from_c(c.rate),
                c.burst,
                c.tokens,
                {c.budget_millionths},
                c.keyed_burst != 0 ? std::optional(Rate::from_c(c.keyed_rate)) : std::nullopt,
                c.keyed_burst,
                c.keyed_let_through,
                detail::refusal(c.pause_refusal),
                detail::refusal(c.breaker_refusal),
                detail::refusal(c.limit_refusal),
                detail::refusal(c.bucket_refusal)};
    }
};
using Snapshot = BasicSnapshot<std::chrono::steady_clock>;

/// A guard at one moment, with what recorders counted and measured beside it.
template <class Clock>
struct BasicRecorded {
    BasicSnapshot<Clock> snapshot;
    /// Why the breaker is in its state, and for how long: as far as a recorder heard of it.
    std::optional<Cause> breaker_cause;
    std::optional<std::chrono::nanoseconds> breaker_for;
    /// How much time `recent` stands for.
    std::chrono::nanoseconds observed;
    /// Of attempts, from leave to report; and of calls, from beginning to delivery.
    WindowSummary attempts;
    WindowSummary deliveries;
    /// What was counted in the window, and since the recorders were made.
    Counts recent;
    Counts total;
};
using Recorded = BasicRecorded<std::chrono::steady_clock>;

/// What became of a call that `run` sent.
class [[nodiscard]] Sent {
  public:
    /// Whether it was delivered: its last attempt was a success.
    explicit operator bool() const noexcept { return delivered_; }
    /// Whether the guard would not let it be sent, or not for longer than there was patience: then `decision` says why.
    bool is_refused() const noexcept { return decision_.has_value(); }
    const std::optional<Decision>& decision() const noexcept { return decision_; }
    /// Why it was not sent again.
    std::optional<GiveUpReason> give_up() const noexcept { return give_up_; }
    std::uint32_t attempts() const noexcept { return attempts_; }
    /// How long it waited in all: for leave, and between attempts.
    std::chrono::nanoseconds waited() const noexcept { return waited_; }

  private:
    template <class>
    friend class BasicGuard;
    std::optional<Decision> decision_;
    std::optional<GiveUpReason> give_up_;
    std::chrono::nanoseconds waited_{};
    std::uint32_t attempts_ = 0;
    bool delivered_ = false;
};

/// Every mechanism in one place, for the calls to one service: deadline, the pause that a server asked for, circuit breaker,
/// limit of calls in flight, token bucket, buckets by key, and for retries backoff and budget.
template <class Clock>
class BasicGuard : public detail::InWorkspace<seawall_guard_t> {
  public:
    using clock = Clock;
    using time_point = typename Clock::time_point;
    using Request = BasicRequest<Clock>;
    using Call = BasicCall<Clock>;
    using Permit = GuardPermit<Clock>;
    using Finished = BasicFinished<Clock>;

    /// One that is not there yet.
    BasicGuard() noexcept = default;
#if SEAWALL_EXCEPTIONS
    BasicGuard(const GuardConfig& config, std::uint64_t seed, time_point now = Clock::now()) {
        detail::require(init(config, seed, now));
    }
#endif
    static Result<BasicGuard> try_create(const GuardConfig& config, std::uint64_t seed,
                                         time_point now = Clock::now()) noexcept {
        return Result<BasicGuard>(detail::Making{}, config, seed, now);
    }
    /// How many bytes its workspace must have; 0 where the configuration is not accepted.
    static std::size_t required_size(const GuardConfig& config) noexcept {
        std::size_t size = 0;
        const auto c_config = config.to_c();
        seawall_guard_required_size(&c_config, &size);
        return size;
    }

    /// Makes it, while nobody else uses it, in a workspace that it allocates. The seed tells this process from others of its
    /// fleet: see `entropy`.
    Status init(const GuardConfig& config, std::uint64_t seed, time_point now = Clock::now()) noexcept {
        const auto c_config = config.to_c();
        std::size_t size = 0;
        const Status known = seawall_guard_required_size(&c_config, &size);
        return this->make_own(known, size, [&](void* data, std::size_t bytes, seawall_guard_t** handle) {
            return seawall_guard_init(data, bytes, &c_config, seed, detail::to_ns(now), handle);
        });
    }
    /// Makes it in a workspace of the caller's.
    Status init_in(Workspace workspace, const GuardConfig& config, std::uint64_t seed,
                   time_point now = Clock::now()) noexcept {
        const auto c_config = config.to_c();
        return seawall_guard_init(workspace.data, workspace.size, &c_config, seed, detail::to_ns(now), &this->handle_);
    }
    /// Finds the one that is in a workspace already.
    Status attach(Workspace workspace) noexcept {
        return seawall_guard_attach(workspace.data, workspace.size, &this->handle_);
    }
    /// Who is told of the breakers' transitions, each once, by the thread that made it, when its call has returned: it may
    /// call back into the library, and must not throw. It lies in this object, not in the workspace: each process that
    /// shares one has its own. To be set before others use the guard.
    void on_transition(std::function<void(const Transition&)> listener) { listener_ = std::move(listener); }

    /// A logical call begins. Takes nothing.
    Call begin(const Request& request = {}, time_point now = Clock::now()) noexcept { return Call(*this, request, now); }
    /// One whose ways and end are counted by `recorder`: a `BasicRecorder`, or the `OwnedRecorder` of this worker.
    template <class Recorder>
    Call begin(const Request& request, Recorder& recorder, time_point now = Clock::now()) noexcept {
        return Call(*this, request, recorder, now);
    }
    /// A logical call of a user, a tenant, a connection begins.
    Call call(std::uint64_t key, time_point now = Clock::now()) noexcept { return Call(*this, Request{key}, now); }

    /// Sends a call until it succeeds, is refused or is given up. `operation` sends one attempt and says how it ended, as an
    /// `Outcome`; it may take the number of the attempt, from 1. The thread sleeps until an attempt may be sent, for
    /// `max_wait` at most before each, and between two attempts until the moment that the guard names; of what it throws, the
    /// guard learns that it says nothing of the service.
    template <class Operation>
    Sent run(const Request& request, std::chrono::nanoseconds max_wait, Operation&& operation) {
        return run(request, max_wait, std::forward<Operation>(operation),
                   [](time_point until) { std::this_thread::sleep_until(until); });
    }
    /// As above, with a sleep of the caller's.
    template <class Operation, class SleepUntil>
    Sent run(const Request& request, std::chrono::nanoseconds max_wait, Operation&& operation,
             SleepUntil&& sleep_until) {
        Call call(*this, request);
        return run(call, max_wait, std::forward<Operation>(operation), std::forward<SleepUntil>(sleep_until));
    }
    /// As above, a call that has begun: one with a recorder, for instance.
    template <class Operation>
    Sent run(Call& call, std::chrono::nanoseconds max_wait, Operation&& operation) {
        return run(call, max_wait, std::forward<Operation>(operation),
                   [](time_point until) { std::this_thread::sleep_until(until); });
    }
    template <class Operation, class SleepUntil>
    Sent run(Call& call, std::chrono::nanoseconds max_wait, Operation&& operation, SleepUntil&& sleep_until) {
        // How often to ask where nobody can know when there is a free slot.
        constexpr std::chrono::nanoseconds step = std::chrono::milliseconds(5);
        Sent sent;
        const auto sleep = [&](time_point now, time_point until) {
            sleep_until(until);
            sent.waited_ += std::chrono::duration_cast<std::chrono::nanoseconds>(until - now);
        };
        for (;;) {
            time_point now = Clock::now();
            std::chrono::nanoseconds waited{};
            auto attempt = call.try_attempt(now);
            while (!attempt) {
                const bool waits = attempt.status() == SEAWALL_NOT_YET || attempt.status() == SEAWALL_NO_PLACE;
                const std::chrono::nanoseconds wait = attempt.retry_after().value_or(step);
                if (!waits || wait > max_wait - waited) {
                    sent.decision_ = attempt.decision();
                    return sent;
                }
                waited += wait;
                sleep(now, detail::later<Clock>(now, wait));
                now = Clock::now();
                attempt = call.try_attempt(now);
            }
            ++sent.attempts_;
            const Outcome outcome = [&]() -> Outcome {
                if constexpr (std::is_invocable_v<Operation&, std::uint32_t>) return operation(sent.attempts_);
                else return operation();
            }();
            const Finished finished = attempt->finish(outcome);
            if (finished.verdict != Verdict::RetryAt) {
                sent.delivered_ = finished.verdict == Verdict::Done && outcome.kind() == Outcome::Kind::Success;
                sent.give_up_ = finished.give_up;
                return sent;
            }
            now = Clock::now();
            if (*finished.retry_at > now) sleep(now, *finished.retry_at);
        }
    }

    /// The guard at one moment; nothing, where it is not there.
    std::optional<BasicSnapshot<Clock>> snapshot(time_point now = Clock::now()) noexcept {
        seawall_snapshot_t c = SEAWALL_SNAPSHOT_INIT;
        const Status status = seawall_guard_snapshot(this->handle_, detail::to_ns(now), &c);
        return status ? std::optional(BasicSnapshot<Clock>::from_c(c)) : std::nullopt;
    }
    /// The guard at one moment, with what `recorders` counted and measured: a list of pointers to them. Nothing, where the
    /// guard or one of them is not there.
    template <class Recorders = std::initializer_list<BasicRecorder<Clock>*>>
    std::optional<BasicRecorded<Clock>> snapshot(const Recorders& recorders, time_point now = Clock::now()) {
        const auto handles = handles_of(recorders);
        seawall_snapshot_t c = SEAWALL_SNAPSHOT_INIT;
        seawall_recorded_t recorded = SEAWALL_RECORDED_INIT;
        const Status status = seawall_guard_snapshot_recorded(this->handle_, handles.data(), handles.size(),
                                                              detail::to_ns(now), &c, &recorded);
        if (!status) return std::nullopt;
        BasicRecorded<Clock> told{BasicSnapshot<Clock>::from_c(c),
                                  std::nullopt,
                                  detail::known(recorded.breaker_for_ns),
                                  detail::from_ns(recorded.observed_ns),
                                  WindowSummary::from_c(recorded.attempts),
                                  WindowSummary::from_c(recorded.deliveries),
                                  {},
                                  {}};
        if (recorded.breaker_cause != 0) told.breaker_cause = static_cast<Cause>(recorded.breaker_cause);
        static_cast<seawall_counts_t&>(told.recent) = recorded.recent;
        static_cast<seawall_counts_t&>(told.total) = recorded.total;
        return told;
    }
    /// In words, with what `recorders` counted.
    template <class Recorders = std::initializer_list<BasicRecorder<Clock>*>>
    std::string explain_recorded(const Recorders& recorders, time_point now = Clock::now()) {
        const auto handles = handles_of(recorders);
        return text([&](char* into, std::size_t size, std::size_t* length) {
            return seawall_guard_explain_recorded(this->handle_, handles.data(), handles.size(), detail::to_ns(now), into,
                                                  size, length);
        });
    }
    /// In words: what refuses now, why, and when an attempt would pass.
    std::string explain(time_point now = Clock::now()) {
        return text([&](char* into, std::size_t size, std::size_t* length) {
            return seawall_guard_explain(this->handle_, detail::to_ns(now), into, size, length);
        });
    }
    /// A refusal in words, as `try_attempt` made it at `now`.
    std::string explain(const Decision& refused, time_point now = Clock::now()) {
        return text([&](char* into, std::size_t size, std::size_t* length) {
            return seawall_guard_explain_refusal(this->handle_, refused.status().code(), &refused.c(),
                                                 detail::to_ns(now), into, size, length);
        });
    }
    /// As the first, into memory of the caller's, which ends with a zero: whole sentences, as many as fit.
    Status explain_into(char* into, std::size_t size, time_point now = Clock::now()) noexcept {
        return seawall_guard_explain(this->handle_, detail::to_ns(now), into, size, nullptr);
    }

    /// Until when the server asked to be spared.
    std::optional<time_point> paused_until(time_point now = Clock::now()) noexcept {
        std::uint64_t until_ns = 0;
        const Status paused = seawall_guard_paused_until(this->handle_, detail::to_ns(now), &until_ns);
        return paused ? std::optional(detail::to_point<Clock>(until_ns)) : std::nullopt;
    }
    /// The mode of a stage.
    Mode mode(Stage stage) noexcept {
        seawall_mode_t mode = Mode::off().to_c();
        seawall_guard_mode(this->handle_, static_cast<std::uint32_t>(stage), &mode);
        return Mode::from_c(mode);
    }
    /// Sets the mode of a stage, for the calls that begin from now on.
    Status set_mode(Stage stage, Mode mode) noexcept {
        return seawall_guard_set_mode(this->handle_, static_cast<std::uint32_t>(stage), mode.to_c());
    }
    /// What it draws from here on is of another seed, as in a process that was forked.
    Status reseed(std::uint64_t seed) noexcept { return seawall_guard_reseed(this->handle_, seed); }
    /// Moves all parts to a clock that reads `new_now` where the old one read `old_now`. Permits that are out are void.
    Status rebase(time_point old_now, time_point new_now) noexcept {
        return seawall_guard_rebase(this->handle_, detail::to_ns(old_now), detail::to_ns(new_now));
    }
    /// As if new; what was set stays. Permits that are out are void. The listener is told of the breakers that it closed, as
    /// far as there is memory to keep their transitions.
    Status reset(time_point now = Clock::now()) noexcept {
        const std::size_t room = listener_ ? shards() : 0;
        std::unique_ptr<seawall_transition_t[]> told(room > 0 ? new (std::nothrow) seawall_transition_t[room] : nullptr);
        std::uint32_t count = 0;
        const Status status =
            seawall_guard_reset(this->handle_, detail::to_ns(now), told.get(), told ? room : 0, &count);
        for (std::size_t at = 0; told && at < count && at < room; ++at) tell(Transition::from_c(told[at]));
        return status;
    }
    std::uint32_t shards() noexcept {
        std::uint32_t shards = 0;
        seawall_guard_shards(this->handle_, &shards);
        return shards;
    }

    /// The parts, which live as long as the guard.
    TokenBucketPart<Clock> bucket() noexcept {
        seawall_token_bucket_t* bucket = nullptr;
        seawall_guard_bucket(this->handle_, &bucket);
        return TokenBucketPart<Clock>(bucket);
    }
    RetryBudgetPart<Clock> budget() noexcept {
        seawall_retry_budget_t* budget = nullptr;
        seawall_guard_budget(this->handle_, &budget);
        return RetryBudgetPart<Clock>(budget);
    }
    /// Of a shard, taken modulo their number. What it tells names shard 0, and does not come to the listener.
    CircuitBreakerPart<Clock> breaker(std::uint32_t shard = 0) noexcept {
        seawall_circuit_breaker_t* breaker = nullptr;
        seawall_guard_breaker(this->handle_, shard, &breaker);
        return CircuitBreakerPart<Clock>(breaker);
    }
    ConcurrencyLimitPart<Clock> limit() noexcept {
        seawall_concurrency_limit_t* limit = nullptr;
        seawall_guard_limit(this->handle_, &limit);
        return ConcurrencyLimitPart<Clock>(limit);
    }
    /// One that refuses all, where the guard has none.
    KeyedBucketsPart<Clock> keyed() noexcept {
        seawall_keyed_buckets_t* keyed = nullptr;
        seawall_guard_keyed(this->handle_, &keyed);
        return KeyedBucketsPart<Clock>(keyed);
    }

  private:
    template <class>
    friend class BasicCall;
    template <class Recorders>
    static std::vector<seawall_recorder_t*> handles_of(const Recorders& recorders) {
        std::vector<seawall_recorder_t*> handles;
        for (auto* recorder : recorders) handles.push_back(recorder->c());
        return handles;
    }
    template <class Explain>
    static std::string text(Explain explain) {
        char words[SEAWALL_LONGEST_EXPLANATION];
        std::size_t length = 0;
        const Status status = explain(words, sizeof words, &length);
        return status ? std::string(words, length) : std::string(status.explain());
    }
    void tell(const std::optional<Transition>& transition) noexcept {
        if (transition && listener_) listener_(*transition);
    }
    std::function<void(const Transition&)> listener_;
};

using Guard = BasicGuard<std::chrono::steady_clock>;

}  // namespace seawall

#endif  // SEAWALL_HPP
