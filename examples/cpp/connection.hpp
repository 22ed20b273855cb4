// One connection to a chat server (examples/c): lines out, answers in. Nothing of seawall is in here.
#ifndef CHAT_CONNECTION_HPP
#define CHAT_CONNECTION_HPP

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace chat {

/// How the server answered a line.
struct Reply {
    enum class Kind {
        Ok,    ///< `OK …`: done.
        Retry, ///< `RETRY milliseconds`: not done; send it again, not earlier.
        No,    ///< `NO reason`: not done, and never will be.
        Lost,  ///< Nobody there, the connection broke, or no answer in time. It may have been done all the same.
    };
    Kind kind;
    std::string text;                        ///< What stands behind the word.
    std::chrono::milliseconds retry_after{}; ///< For `Retry`.
};

/// Connects when it has something to say, and again when the connection was lost. For one thread.
class Connection {
  public:
    Connection(std::uint16_t port, std::string name, std::chrono::milliseconds timeout)
        : name_(std::move(name)), timeout_(timeout), port_(port) {}
    ~Connection() { close(); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Sends one line and waits for its answer, for the time-out at most.
    Reply ask(const std::string& line);

    /// What others say, which comes between the answers: `MSG name text`.
    std::function<void(const std::string& line)> on_message;

  private:
    using Time = std::chrono::steady_clock::time_point;
    bool connect();
    void close();
    Reply exchange(const std::string& line);
    bool write(const std::string& bytes, Time until);
    bool read_line(std::string& line, Time until);
    bool wait(short events, Time until) const;

    std::string name_;
    std::chrono::milliseconds timeout_;
    std::string received_;
    std::uint16_t port_;
    int socket_ = -1;
};

}  // namespace chat

#endif
