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
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

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
    template <class>
    friend class BasicTokenBucket;
    seawall_reservation_t words_;
    typename Clock::time_point ready_at_;
};

/// How fast to send.
template <class Clock>
class BasicTokenBucket {
  public:
    using time_point = typename Clock::time_point;
    using Reservation = seawall::Reservation<Clock>;

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

    /// Takes `n` tokens, all or none.
    Decision try_take(std::uint32_t n, time_point now = Clock::now()) noexcept {
        seawall_decision_t said{};
        const Status status = seawall_token_bucket_try_take(&storage_, n, detail::to_ns(now), &said);
        return {status, said};
    }
    /// Takes as many tokens as there are, at most `n`, and says how many.
    std::uint32_t take_up_to(std::uint32_t n, time_point now = Clock::now()) noexcept {
        std::uint32_t taken = 0;
        seawall_token_bucket_take_up_to(&storage_, n, detail::to_ns(now), &taken);
        return taken;
    }
    /// Discards the tokens over `keep`, and says how many whole ones.
    std::uint32_t drain_to(std::uint32_t keep, time_point now = Clock::now()) noexcept {
        std::uint32_t discarded = 0;
        seawall_token_bucket_drain_to(&storage_, keep, detail::to_ns(now), &discarded);
        return discarded;
    }
    /// What `try_take` would answer. Takes nothing.
    Decision peek(std::uint32_t n, time_point now = Clock::now()) noexcept {
        seawall_decision_t said{};
        const Status status = seawall_token_bucket_peek(&storage_, n, detail::to_ns(now), &said);
        return {status, said};
    }
    /// Books `n` tokens for the earliest instant, at most `max_wait` ahead, so that who waits need not poll. Only the newest
    /// reservation can be taken back exactly: keep a line, and book for its head.
    Answer<Reservation> reserve(std::uint32_t n, std::chrono::nanoseconds max_wait,
                                time_point now = Clock::now()) noexcept {
        Reservation reservation;
        std::uint64_t ready_at_ns = 0;
        seawall_decision_t said{};
        const Status status = seawall_token_bucket_reserve(&storage_, n, detail::to_ns(max_wait), detail::to_ns(now),
                                                           reservation.c(), &ready_at_ns, &said);
        if (status) reservation.ready_at_ = detail::to_point<Clock>(ready_at_ns);
        return {Decision(status, said), std::move(reservation)};
    }
    /// Gives the tokens of a reservation back, if that cannot admit too many.
    bool cancel(Reservation reservation, time_point now = Clock::now()) noexcept {
        return seawall_token_bucket_cancel(&storage_, reservation.c(), detail::to_ns(now)) == SEAWALL_OK;
    }
    /// Gives `n` tokens back that were taken and never used, if that cannot admit too many.
    bool refund(std::uint32_t n, time_point now = Clock::now()) noexcept {
        return seawall_token_bucket_refund(&storage_, n, detail::to_ns(now)) == SEAWALL_OK;
    }
    /// How many whole tokens are there.
    std::uint32_t available(time_point now = Clock::now()) noexcept {
        std::uint32_t tokens = 0;
        seawall_token_bucket_available(&storage_, detail::to_ns(now), &tokens);
        return tokens;
    }
    /// The rate in force, which a warm-up may not have reached yet.
    Rate rate() noexcept {
        seawall_rate_t rate = {0, SEAWALL_SECOND};
        seawall_token_bucket_rate(&storage_, &rate);
        return Rate::from_c(rate);
    }
    /// The burst in force.
    std::uint32_t burst() noexcept {
        std::uint32_t burst = 0;
        seawall_token_bucket_burst(&storage_, &burst);
        return burst;
    }
    /// Changes the rate: what was earned until now stays.
    Status set_rate(Rate rate, time_point now = Clock::now()) noexcept {
        return seawall_token_bucket_set_rate(&storage_, rate.to_c(), detail::to_ns(now));
    }
    /// Changes the burst; tokens over a smaller one are gone.
    Status set_burst(std::uint32_t burst, time_point now = Clock::now()) noexcept {
        return seawall_token_bucket_set_burst(&storage_, burst, detail::to_ns(now));
    }
    /// Starts a warm-up, for instance after an outage; the tokens on hand stay.
    Status start_warm_up(const WarmUp& warm_up, time_point now = Clock::now()) noexcept {
        return seawall_token_bucket_start_warm_up(&storage_, warm_up.to_c(), detail::to_ns(now));
    }
    /// Moves it to a clock that reads `new_now` where the old one read `old_now`.
    Status rebase(time_point old_now, time_point new_now) noexcept {
        return seawall_token_bucket_rebase(&storage_, detail::to_ns(old_now), detail::to_ns(new_now));
    }
    /// Begins anew, at the rate and burst in force.
    Status reset(std::uint32_t fill_tokens = full, const WarmUp& warm_up = {}, time_point now = Clock::now()) noexcept {
        return seawall_token_bucket_reset(&storage_, fill_tokens, warm_up.to_c(), detail::to_ns(now));
    }
    /// The object as C has it.
    seawall_token_bucket_t* c() noexcept { return &storage_; }

  private:
    seawall_token_bucket_t storage_;
};

using TokenBucket = BasicTokenBucket<std::chrono::steady_clock>;

}  // namespace seawall

#endif  // SEAWALL_HPP
