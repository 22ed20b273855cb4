// What the C++ tests are written with, beside ffi/tests/c/check.h: a clock of the vectors, which read up to 2^64 - 1.
#ifndef CHECK_HPP
#define CHECK_HPP

#include "seawall.hpp"

#include "check.h"
#include "vectors.h"

#include <chrono>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

struct VectorClock {
    using rep = std::uint64_t;
    using period = std::nano;
    using duration = std::chrono::duration<rep, period>;
    using time_point = std::chrono::time_point<VectorClock>;
    static constexpr bool is_steady = true;
    // No test is to read it: each gives its own time.
    static time_point now() noexcept { abort(); }
};

inline VectorClock::time_point at(std::uint64_t ns) { return VectorClock::time_point(VectorClock::duration(ns)); }

inline std::chrono::nanoseconds nanoseconds(std::uint64_t ns) { return seawall::detail::from_ns(ns); }

class Vectors {
  public:
    explicit Vectors(const char* name) { vectors_open(&vectors_, name); }
    ~Vectors() { printf("%u steps of %s\n", vectors_.steps, vectors_.path); }
    Vectors(const Vectors&) = delete;
    Vectors& operator=(const Vectors&) = delete;

    bool next() { return vectors_next(&vectors_) != 0; }
    bool is(const char* operation) const { return vectors_is(&vectors_, operation) != 0; }
    bool has(const char* name) const { return vectors_find(&vectors_, name) != nullptr; }
    bool none(const char* name) const { return !has(name) || vectors_word_is(&vectors_, name, "none"); }
    bool word(const char* name, const char* word) const { return vectors_word_is(&vectors_, name, word) != 0; }
    std::uint64_t number(const char* name) const { return vectors_number(&vectors_, name); }
    std::uint32_t small(const char* name) const { return static_cast<std::uint32_t>(number(name)); }
    std::chrono::nanoseconds ns(const char* name) const { return nanoseconds(number(name)); }
    std::optional<std::chrono::nanoseconds> maybe_ns(const char* name) const {
        return none(name) ? std::nullopt : std::optional(ns(name));
    }
    VectorClock::time_point now() const { return has("now") ? at(number("now")) : at(0); }

    // Holds what came out to what must.
    void saw(const std::string& seen) {
        vectors_say(&vectors_, "%s", seen.c_str());
        vectors_compare(&vectors_);
    }
    const char* expected() const { return vectors_.expected; }

  private:
    vectors_t vectors_;
};

template <class Number>
std::string text(Number number) {
    if constexpr (std::is_same_v<Number, bool>) return number ? "true" : "false";
    else return std::to_string(number);
}
inline std::string text(std::optional<std::chrono::nanoseconds> ns) {
    return ns ? std::to_string(ns->count()) : "none";
}

inline std::string refused(const seawall::Decision& decision) {
    CHECK(!decision && decision.reason().has_value());
    const char* reason = "no_place";
    switch (*decision.reason()) {
        case seawall::Reason::NotYet: reason = "not_yet"; break;
        case seawall::Reason::Never: reason = "never"; break;
        case seawall::Reason::ClockStepped: reason = "clock_stepped"; break;
        case seawall::Reason::NoPlace: break;
    }
    return std::string("refused reason=") + reason + " retry_after_ns=" + text(decision.retry_after());
}

// What every object promises: threads share it, nobody copies or moves it, and its calls cannot throw.
template <class T>
constexpr bool stays_where_it_is =
    !std::is_copy_constructible_v<T> && !std::is_move_constructible_v<T> && !std::is_copy_assignable_v<T> &&
    !std::is_move_assignable_v<T> && std::is_nothrow_default_constructible_v<T>;

// What every permit promises: one owner.
template <class T>
constexpr bool has_one_owner =
    !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T> && std::is_nothrow_move_constructible_v<T> &&
    std::is_nothrow_move_assignable_v<T> && std::is_nothrow_default_constructible_v<T>;

#endif
