"""Floods on loopback, ten seconds each: what is admitted is what the configuration says, by the server's own clock, to
2 %, and nobody is dropped. Where the users' limits leave something of the total, nobody who keeps to the own is refused."""

import selectors
import socket
import time
import unittest

from harness import Chat, Moderation

CONNECTIONS = 200
POLITE = 20
SECONDS = 10


class Talker:
    """A connection that says `batch` lines at once, and the next `every` seconds after they were answered."""

    def __init__(self, chat: Chat, name: str, room: str, batch: int, every: float):
        self.socket = chat.client(name, room).socket
        self.socket.setblocking(False)
        self.say, self.batch, self.every = f"SAY {name} says something\n".encode() * batch, batch, every
        self.received = b""
        self.next = time.monotonic() + every * (hash(name) % 1000) / 1000
        self.waiting = self.asked = self.admitted = self.refused = self.heard = 0
        self.is_there = True

    def speak(self, now: float) -> None:
        if self.waiting == 0 and now >= self.next and self.is_there:
            try:
                # Batches are far smaller than the buffer of a socket that has been answered.
                assert self.socket.send(self.say) == len(self.say)
            except OSError:
                self.is_there = False
                return
            self.waiting = self.batch
            self.asked += self.batch
            self.next = now + self.every

    def listen(self) -> None:
        try:
            more = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        if not more:
            self.is_there = False
            return
        *lines, self.received = (self.received + more).split(b"\n")
        for line in lines:
            if line.startswith((b"MSG ", b"UNCHECKED ")):
                self.heard += 1
                continue
            self.waiting -= 1
            if line.startswith(b"OK"):
                self.admitted += 1
            else:
                assert line.startswith(b"RETRY "), line
                self.refused += 1


def flood(chat: Chat, talkers: list[Talker]) -> tuple[dict[str, str], dict[str, str]]:
    """All talk for so long, then hear the rest of their answers; the figures of the server before and after."""
    with selectors.DefaultSelector() as selector, chat.client() as observer:
        for talker in talkers:
            selector.register(talker.socket, selectors.EVENT_READ, talker)
        before = observer.stats()
        start = time.monotonic()
        while (now := time.monotonic()) < start + SECONDS:
            for talker in talkers:
                talker.speak(now)
            for key, _ in selector.select(0.002):
                key.data.listen()
        after = observer.stats()
        while any(talker.waiting and talker.is_there for talker in talkers) and time.monotonic() < start + 2 * SECONDS:
            for key, _ in selector.select(0.1):
                key.data.listen()
        assert observer.stats()["clients"] == str(len(talkers) + 1)
        return before, after


class Flood(unittest.TestCase):
    def talkers(self, chat: Chat, polite_every: float) -> tuple[list[Talker], list[Talker]]:
        rude = [Talker(chat, f"rude{n}", f"room{n % 20}", 20, 0) for n in range(CONNECTIONS - POLITE)]
        polite = [Talker(chat, f"polite{n}", f"room{n % 20}", 1, polite_every) for n in range(POLITE)]
        return rude, polite

    def held(self, before: dict, after: dict, rude: list[Talker], polite: list[Talker], bound: float) -> None:
        admitted = int(after["admitted"]) - int(before["admitted"])
        asked = sum(talker.asked for talker in rude + polite)
        print(f"{admitted} admitted of {asked}, the bound is {bound:.0f}; "
              f"{sum(talker.heard for talker in rude + polite)} lines heard; moderation: "
              f"{after['moderation_sent']} sent, {after['unchecked']} unchecked")
        self.assertLessEqual(admitted, bound + 1)
        self.assertGreaterEqual(admitted, 0.98 * bound)
        # It was a flood: and of every line the server has said what became of it.
        self.assertGreater(asked, 4 * admitted)
        for talker in rude + polite:
            self.assertEqual((talker.waiting, talker.is_there), (0, True))
            self.assertEqual(talker.admitted + talker.refused, talker.asked)
        self.assertEqual(after["slow_readers_dropped"], "0")

    def test_where_the_users_limits_bind_each_gets_its_own_and_the_polite_do_not_notice(self):
        rate, burst = 15, 15
        with Moderation() as moderation, Chat(
            moderation.port, user_rate=rate, user_burst=burst, total_rate=4 * CONNECTIONS * rate, total_burst=4_000
        ) as chat:
            rude, polite = self.talkers(chat, polite_every=0.5)
            before, after = flood(chat, rude + polite)
            seconds = (int(after["uptime_ns"]) - int(before["uptime_ns"])) / 1e9
            # Each flooder has its burst, and what it earns meanwhile; the polite have what they asked for.
            said = sum(talker.asked for talker in polite)
            self.held(before, after, rude, polite, len(rude) * int(burst + rate * seconds) + said)
            self.assertEqual([talker.refused for talker in polite], [0] * POLITE)
            self.assertGreater(min(talker.admitted for talker in polite), SECONDS)

    def test_where_the_total_binds_that_is_what_all_together_get_in_its_warm_up_and_after(self):
        rate, burst, warm_up = 300, 20, 4
        with Moderation() as moderation, Chat(
            moderation.port, user_rate=10, user_burst=10, total_rate=rate, total_burst=burst, warm_up_ms=1000 * warm_up
        ) as chat:
            rude, polite = self.talkers(chat, polite_every=0.5)

            def earned(uptime_ns: str) -> float:
                climbing, seconds = min(int(uptime_ns) / 1e9, warm_up), int(uptime_ns) / 1e9
                climbed = rate / 10 * climbing + 0.9 * rate * climbing**2 / (2 * warm_up)
                return climbed + rate * (seconds - climbing)

            before, after = flood(chat, rude + polite)
            bound = int(before["total_tokens"]) + earned(after["uptime_ns"]) - earned(before["uptime_ns"])
            self.held(before, after, rude, polite, bound)


if __name__ == "__main__":
    unittest.main(verbosity=2)
