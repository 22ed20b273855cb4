#include "connection.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace chat {

Reply Connection::ask(const std::string& line) {
    if (socket_ < 0) {
        if (!connect()) return {Reply::Kind::Lost, "nobody answers there"};
        // After a restart the server does not know us. Until it does, the line has not been sent.
        Reply known = exchange("NICK " + name_);
        if (known.kind == Reply::Kind::No) known.kind = Reply::Kind::Lost; // Our old connection is not gone yet.
        if (known.kind != Reply::Kind::Ok) {
            close();
            return known;
        }
    }
    return exchange(line);
}

Reply Connection::exchange(const std::string& line) {
    const Time until = std::chrono::steady_clock::now() + timeout_;
    std::string answer;
    bool is_there = write(line + "\n", until);
    while (is_there && (is_there = read_line(answer, until))) {
        const std::size_t space = std::min(answer.find(' '), answer.size());
        const std::string word = answer.substr(0, space), text = answer.substr(std::min(space + 1, answer.size()));
        if (word == "OK") return {Reply::Kind::Ok, text};
        if (word == "NO") return {Reply::Kind::No, text};
        if (word == "RETRY") {
            return {Reply::Kind::Retry, text, std::chrono::milliseconds(std::strtoul(text.c_str(), nullptr, 10))};
        }
        if (on_message) on_message(answer);
    }
    // An answer that still came would be taken for that of the next line: only a new connection is in step again.
    close();
    return {Reply::Kind::Lost, "no answer"};
}

bool Connection::connect() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // Blocking, as the loopback says at once whether somebody listens. Everything after it has a time-out.
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    if (socket_ >= 0 && ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
    close();
    return false;
}

void Connection::close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
    received_.clear();
}

bool Connection::wait(short events, Time until) const {
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        pollfd polled = {socket_, events, 0};
        const int ready = ::poll(&polled, 1, static_cast<int>(std::max<std::int64_t>(left.count() + 1, 0)));
        if (ready > 0) return true;
        if (ready == 0 || errno != EINTR) return false;
    }
}

bool Connection::write(const std::string& bytes, Time until) {
    for (std::size_t sent = 0; sent < bytes.size();) {
        if (!wait(POLLOUT, until)) return false;
        const ssize_t count = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count > 0) sent += static_cast<std::size_t>(count);
        else if (errno != EAGAIN && errno != EINTR) return false;
    }
    return true;
}

bool Connection::read_line(std::string& line, Time until) {
    for (;;) {
        const std::size_t end = received_.find('\n');
        if (end != std::string::npos) {
            line = received_.substr(0, end);
            received_.erase(0, end + 1);
            return true;
        }
        char bytes[4096];
        if (!wait(POLLIN, until)) return false;
        const ssize_t count = ::recv(socket_, bytes, sizeof bytes, MSG_DONTWAIT);
        if (count > 0) received_.append(bytes, static_cast<std::size_t>(count));
        else if (count == 0 || (errno != EAGAIN && errno != EINTR)) return false;
    }
}

}  // namespace chat
