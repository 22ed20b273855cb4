// Messages that are not sent yet, and the guard that says when each may go: what to copy.
//
// An outbox is what makes a client polite and its user unhurt. A message stays in it until the server has said OK, so a
// restart of the server loses none; and all of them, first tries and retries, pass one guard, so that a server which
// stumbles is not run over by the clients that wait for it:
//   - the breaker stops sending where every try fails, and lets a probe through from time to time;
//   - the budget stops retries that would be most of the load;
//   - `RETRY <ms>` of the server pauses all of this client for so long, not only the message that was told so;
//   - backoff and jitter spread what comes back.
#ifndef CHAT_OUTBOX_HPP
#define CHAT_OUTBOX_HPP

#include "connection.hpp"

#include <deque>
#include <seawall.hpp>
#include <string>
#include <vector>

namespace chat {

class Outbox {
  public:
    using Clock = std::chrono::steady_clock;

    /// One guard for all that is sent to one service; the outbox is one of its users.
    Outbox(Connection& connection, seawall::Guard& guard) : connection_(connection), guard_(guard) {}

    /// Puts a message in. It is sent by `flush`.
    void add(std::string text) { lines_.push_back("SAY " + std::move(text)); }

    /// Sends what is there, in the order in which it was put in, until nothing is left or it is `until`. What could not be
    /// delivered stays. Says whether nothing is left.
    bool flush(Clock::time_point until) {
        seawall::Request request;
        request.deadline = until;
        while (!lines_.empty() && Clock::now() < until) {
            const auto sent = guard_.run(request, until - Clock::now(), [&] { return send(lines_.front()); });
            attempts_ += sent.attempts();
            waited_ += sent.waited();
            if (sent) lines_.pop_front();        // The server has it, or will never take it.
            else if (sent.is_refused()) break;   // Not before `until`.
            else ++given_up_;                    // It stays, and is a new call, through the same gates.
        }
        return lines_.empty();
    }

    std::size_t unsent() const { return lines_.size(); }
    unsigned delivered() const { return delivered_; }
    unsigned attempts() const { return attempts_; }
    unsigned given_up() const { return given_up_; }
    std::chrono::nanoseconds waited() const { return waited_; }
    /// What the server will never take, and why.
    const std::vector<std::string>& rejected() const { return rejected_; }

  private:
    /// One attempt, and what its answer says of the service.
    seawall::Outcome send(const std::string& line) {
        const Reply reply = connection_.ask(line);
        switch (reply.kind) {
            case Reply::Kind::Ok: ++delivered_; return seawall::Outcome::success();
            case Reply::Kind::Retry: return seawall::Outcome::throttled(reply.retry_after);
            // The service is well: it is the message that is not. Sent again it would meet the same answer.
            case Reply::Kind::No: rejected_.push_back(line + ": " + reply.text); return seawall::Outcome::success();
            // It may have been said before the connection broke. Where twice is worse than never, give messages a number.
            case Reply::Kind::Lost: break;
        }
        return seawall::Outcome::failure();
    }

    Connection& connection_;
    seawall::Guard& guard_;
    std::deque<std::string> lines_;
    std::vector<std::string> rejected_;
    unsigned delivered_ = 0, attempts_ = 0, given_up_ = 0;
    std::chrono::nanoseconds waited_{};
};

}  // namespace chat

#endif
