// Sends lines to a chat server through an outbox, and says what it took.
//
//     chat_client PORT NAME LINES [SECONDS]
//
// Try it against examples/c: stop the server while it runs, start it again, and nothing is lost.
#include "outbox.hpp"

#include <cstdio>
#include <cstdlib>

int main(int count, char** arguments) {
    using namespace std::chrono_literals;
    if (count < 4) {
        std::fprintf(stderr, "usage: %s PORT NAME LINES [SECONDS]\n", arguments[0]);
        return 2;
    }
    const auto port = static_cast<std::uint16_t>(std::strtoul(arguments[1], nullptr, 10));
    const unsigned long lines = std::strtoul(arguments[3], nullptr, 10);
    const std::chrono::seconds patience(count > 4 ? std::strtol(arguments[4], nullptr, 10) : 60);

    // All that it has to be told: how many messages this process sends in a second, and how long one may take. The seed
    // tells it from the others of its fleet, so that they do not all come back at once.
    const auto config = seawall::GuardConfig::for_service(seawall::per_second(2), 1s);
    auto guard = seawall::Guard::try_create(config, seawall::entropy());
    if (!guard) {
        std::fprintf(stderr, "%s\n", guard.status().explain());
        return 2;
    }
    guard->on_transition([](const seawall::Transition& change) {
        if (change.from == seawall::State::Closed || change.to == seawall::State::Closed) {
            std::printf("the breaker is %s: %s\n", seawall::name(change.to), seawall::name(change.cause));
        }
    });

    chat::Connection connection(port, arguments[2], 1s);
    connection.on_message = [](const std::string& line) { std::printf("%s\n", line.c_str()); };
    chat::Outbox outbox(connection, *guard);
    for (unsigned long line = 1; line <= lines; ++line) outbox.add("line " + std::to_string(line));

    const bool all = outbox.flush(std::chrono::steady_clock::now() + patience);

    for (const auto& rejected : outbox.rejected()) std::printf("rejected: %s\n", rejected.c_str());
    std::printf("delivered %u of %lu, %u attempts, given up %u times, waited %.3f s, %zu unsent\n", outbox.delivered(),
                lines, outbox.attempts(), outbox.given_up(), std::chrono::duration<double>(outbox.waited()).count(),
                outbox.unsent());
    std::printf("%s\n", guard->explain().c_str());
    return all ? 0 : 1;
}
