"""What the chat server promises, from outside: over loopback, with its moderation beside it."""

import os
import signal
import socket
import subprocess
import time
import unittest

from harness import PROGRAM, SLOWER, Chat, Client, Moderation, retry_ms, until


class Talk(unittest.TestCase):
    def test_what_is_said_in_a_room_is_heard_by_all_in_it_and_by_nobody_else(self):
        with Moderation() as moderation, Chat(moderation.port) as chat:
            speaker, *members = [chat.client(name, "garden") for name in ("ann", "ben", "cid", "dora")]
            stranger = chat.client("eve")
            for number in range(20):
                self.assertEqual(speaker.ask(f"SAY number {number}"), "OK")
            for member in members:
                self.assertEqual([member.hear() for _ in range(20)], [f"MSG ann number {n}" for n in range(20)])
            self.assertEqual(members[0].ask("JOIN lobby"), "OK")
            self.assertEqual(stranger.ask("SAY hello"), "OK")
            self.assertEqual(members[0].hear(), "MSG eve hello")
            stranger.stats()
            speaker.stats()
            self.assertEqual(stranger.heard + speaker.heard, [])

    def test_each_command_has_its_answer_and_they_come_in_order_however_many_are_sent_at_once(self):
        with Moderation(latency_ms=5) as moderation, Chat(moderation.port) as chat:
            client = chat.client()
            client.send("SAY too soon\nNICK a b\nNICK ann\nNICK ben\nSAY hello\r\nJOIN\nJOIN attic\nSAY spam\nDANCE\nQUIT\n")
            answers = [client.answer() for _ in range(10)]
            begins = [answer.split(":")[0] for answer in answers]
            self.assertEqual(begins[:4], ["NO name", "NO name", "OK", "NO you have a name"])
            self.assertEqual(begins[4:], ["OK", "NO room", "OK", "NO moderation does not like it", "NO such command", "OK"])
            self.assertEqual(client.line(), "", "it is closed")

    def test_a_line_that_is_too_long_is_refused_and_not_cut(self):
        with Moderation() as moderation, Chat(moderation.port) as chat:
            ann, ben = chat.client("ann"), chat.client("ben")
            self.assertEqual(ann.ask("SAY " + "x" * 506), "OK")
            self.assertEqual(ben.hear(), "MSG ann " + "x" * 506)
            self.assertEqual(ann.ask("SAY " + "x" * 507), "NO line: 510 bytes at most")
            self.assertEqual(ann.ask("SAY short"), "OK")
            self.assertEqual(ben.hear(), "MSG ann short")

    def test_a_name_belongs_to_one_who_is_there(self):
        with Chat() as chat:
            first, second = chat.client("ann"), chat.client()
            self.assertEqual(second.ask("NICK ann"), "NO that name is taken")
            first.ask("QUIT")
            until(lambda: second.ask("NICK ann") == "OK")

    def test_a_line_without_an_end_and_a_server_that_is_full_harm_nobody(self):
        with Chat() as chat:
            witness = chat.client("ann")
            endless = chat.client()
            try:
                for _ in range(100):
                    endless.send("x" * 4096)
                self.assertEqual(endless.line(), "")
            except (BrokenPipeError, ConnectionResetError):
                pass
            until(lambda: witness.stats()["clients"] == "1")
            crowd = [Client(chat.port) for _ in range(1024)]
            self.assertEqual(crowd[-1].line(), "RETRY 1000")
            for client in crowd:
                client.close()
            until(lambda: witness.stats()["clients"] == "1")


class Limits(unittest.TestCase):
    def test_a_flooding_user_is_told_when_to_retry_and_the_others_do_not_notice(self):
        with Moderation() as moderation, Chat(moderation.port, user_rate=2, user_burst=5) as chat:
            flooder, polite = chat.client("mallory"), chat.client("ann")
            flooder.send("SAY me\n" * 500)
            for number in range(5):
                self.assertTrue(polite.ask(f"SAY {number}").startswith("OK"))
            answers = [flooder.answer() for _ in range(500)]
            refused = [answer for answer in answers if answer.startswith("RETRY ")]
            self.assertEqual(len(refused) + sum(answer.startswith("OK") for answer in answers), 500)
            self.assertGreaterEqual(len(refused), 494 - 2 * 10 * SLOWER)
            wait = retry_ms(refused[-1])
            self.assertTrue(1 <= wait <= 500, wait)
            # Who waits as told is let in.
            time.sleep(wait / 1000)
            self.assertTrue(flooder.ask("SAY please").startswith("OK"))
            stats = polite.stats()
            self.assertEqual(int(stats["refused_by_user"]), len(refused))
            self.assertEqual(int(stats["admitted"]), 500 - len(refused) + 5 + 1)

    def test_a_name_that_leaves_and_comes_back_is_as_it_was(self):
        with Chat(user_rate=1, user_burst=3) as chat:
            client = chat.client("ann")
            while client.ask("SAY me").startswith("OK"):
                pass
            client.ask("QUIT")
            until(lambda: chat.stats()["clients"] == "1")
            self.assertLessEqual(int(chat.client("ann").stats()["your_tokens"]), 1)

    def test_both_limits_are_charged_or_neither(self):
        with Chat(user_rate=1, user_burst=50, total_rate=1, total_burst=3) as chat:
            ann, ben = chat.client("ann"), chat.client("ben")
            while ann.ask("SAY all that there is").startswith("OK"):
                pass
            # What all together may not say costs the user nothing...
            before = int(ben.stats()["your_tokens"])
            answers = [ben.ask("SAY me too") for _ in range(30)]
            said = sum(answer.startswith("OK") for answer in answers)
            self.assertLess(said, 10 * SLOWER)
            self.assertGreaterEqual(int(ben.stats()["your_tokens"]), before - said)
            self.assertGreaterEqual(int(ben.stats()["refused_by_everybody"]), 30 - said)
        with Chat(user_rate=1, user_burst=3, total_rate=1, total_burst=50) as chat:
            ann = chat.client("ann")
            # ... and what the user may not say costs the others nothing.
            answers = [ann.ask("SAY me") for _ in range(100)]
            said = sum(answer.startswith("OK") for answer in answers)
            self.assertLess(said, 20 * SLOWER)
            self.assertGreaterEqual(int(ann.stats()["total_tokens"]), 50 - said)

    def test_the_total_climbs_in_its_warm_up(self):
        with Chat(total_rate=1000, total_burst=1, warm_up_ms=60_000) as chat:
            client = chat.client("ann")
            start = time.monotonic()
            said = 0
            while time.monotonic() < start + 1:
                said += client.ask("SAY more").startswith("OK")
            # From a tenth of the rate: about a hundred in the first second, and not a thousand.
            elapsed = time.monotonic() - start
            self.assertLess(said, 1 + 100 * (elapsed + 0.5) + 10 * (elapsed + 0.5) ** 2)
            self.assertGreater(said, 5)

    def test_those_whom_all_refuse_do_not_come_back_in_one_instant(self):
        with Chat(user_rate=1, user_burst=5, total_rate=1, total_burst=1) as chat:
            clients = [chat.client(f"user{number}") for number in range(20)]
            clients[0].ask("SAY first")
            answers = [client.ask("SAY next") for client in clients[1:]]
            waits = {retry_ms(answer) for answer in answers if answer.startswith("RETRY ")}
            self.assertGreater(len(waits), 10)


class ModerationFails(unittest.TestCase):
    def test_a_dead_moderation_opens_the_breaker_and_chat_goes_on_with_a_mark(self):
        with Moderation() as moderation, Chat(moderation.port) as chat:
            ann, ben = chat.client("ann"), chat.client("ben")
            self.assertEqual(ann.ask("SAY checked"), "OK")
            self.assertEqual(ben.hear(), "MSG ann checked")
            moderation.end(signal.SIGKILL)
            for number in range(30):
                self.assertEqual(ann.ask(f"SAY {number}"), "OK unchecked")
                self.assertEqual(ben.hear(), f"UNCHECKED ann {number}")
            stats = ann.stats()
            self.assertGreater(int(stats["moderation_opened"]), 0)
            self.assertGreater(int(stats["moderation_refused_by_breaker"]), 0)
            self.assertIn("circuit breaker", stats["moderation_says"])
            self.assertEqual(stats["unchecked"], "30")
            with Moderation(moderation.port):
                until(lambda: ann.ask("SAY is it back?") == "OK")
                until(lambda: ann.stats()["moderation_state"] == "closed")

    def test_a_moderation_that_hangs_holds_nobody_up_for_longer_than_its_time_out(self):
        with Moderation(latency_ms=60_000) as moderation, Chat(moderation.port, moderation_timeout_ms=100) as chat:
            clients = [chat.client(f"user{number}") for number in range(5)]
            for _ in range(10):
                start = time.monotonic()
                for client in clients:
                    client.send("SAY hello?\n")
                for client in clients:
                    self.assertEqual(client.answer(), "OK unchecked")
                # Twice the time-out at most, and not the minute that an answer takes; the rest is for a busy machine.
                self.assertLess(time.monotonic() - start, 0.2 + 2 * SLOWER)
            self.assertNotEqual(clients[0].stats()["moderation_state"], "closed")
            moderation.tell("LATENCY 0")
            until(lambda: clients[0].ask("SAY and now?") == "OK")

    def test_a_moderation_that_fails_now_and_then_is_asked_again(self):
        with Moderation(fail_percent=10) as moderation, Chat(moderation.port) as chat:
            client = chat.client("ann")
            answers = [client.ask(f"SAY {number}") for number in range(60)]
            # Six of sixty fail at first; only what the budget for retries does not bear goes out unchecked.
            self.assertGreaterEqual(answers.count("OK"), 54)
            self.assertGreater(int(client.stats()["moderation_retries"]), 0)

    def test_who_leaves_in_the_middle_of_a_message_leaves_nothing_behind(self):
        # The lease of a slot that is not given back is 25 seconds.
        with Moderation(latency_ms=60_000) as moderation, Chat(moderation.port, moderation_timeout_ms=5_000) as chat:
            witness = chat.client("ann")
            leaver = chat.client("ben")
            leaver.send("SAY never mind\n")
            until(lambda: witness.stats()["moderation_in_flight"] == "1")
            leaver.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            leaver.close()
            until(lambda: witness.stats()["moderation_in_flight"] == "0", 4 / SLOWER)
            self.assertEqual(witness.stats()["moderation_state"], "closed")


class Figures(unittest.TestCase):
    def test_they_add_up_to_what_was_asked(self):
        with Moderation(fail_percent=20) as moderation, Chat(moderation.port, user_rate=1, user_burst=20) as chat:
            clients = [chat.client(f"user{number}") for number in range(4)]
            answers = [client.ask("SAY something") for _ in range(40) for client in clients]
            stats = {name: int(value) for name, value in clients[0].stats().items() if value.isdigit()}
            self.assertEqual(stats["admitted"], sum(answer.startswith("OK") for answer in answers))
            self.assertEqual(stats["refused_by_user"] + stats["refused_by_everybody"], 160 - stats["admitted"])
            self.assertEqual(stats["unchecked"], answers.count("OK unchecked"))
            # Each message is asked about once, and once more for each retry, or a stage of the guard refused that.
            refused = sum(value for name, value in stats.items() if name.startswith("moderation_refused_by_"))
            self.assertEqual(stats["moderation_sent"] + refused, stats["admitted"] + stats["moderation_retries"])
            self.assertEqual((stats["clients"], stats["moderation_in_flight"]), (4, 0))
            self.assertEqual(stats["users_with_less_than_all_tokens"], 4)


class Ends(unittest.TestCase):
    def test_one_command_starts_both_services_and_an_interrupt_ends_both(self):
        folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
            port, moderator = (server.getsockname()[1] for server in (one, other))
        make = ["make", "--quiet", "-C", folder, "run", f"PORT={port}", f"MODERATOR={moderator}"]
        build = [f"BUILD={os.path.dirname(os.path.abspath(PROGRAM))}", f"CFLAGS={os.environ.get('CHAT_CFLAGS', '-O2 -g')}"]
        with subprocess.Popen([*make, *build], stdout=subprocess.PIPE, text=True, start_new_session=True) as run:
            try:
                lines = (line for line in run.stdout if "listening" in line)
                listening = sorted((next(lines), next(lines)))
                self.assertEqual([int(line.rsplit(":")[-1]) for line in listening], [port, moderator])
                with Client(port) as client:
                    self.assertEqual(client.ask("NICK ann"), "OK")
                    self.assertEqual(client.ask("SAY hello"), "OK")
            finally:
                # As the terminal does it for Ctrl-C: to the group of this command, and to nobody else.
                os.killpg(run.pid, signal.SIGINT)
            printed = run.communicate(timeout=20)[0]
            self.assertIn("STATS admitted 1\n", printed)
        for gone in (port, moderator):
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", gone))

    def test_a_slow_reader_is_dropped_and_the_room_goes_on(self):
        with Moderation() as moderation, Chat(moderation.port) as chat:
            slow = socket.socket()
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", chat.port))
            slow.sendall(b"NICK slow\n")
            ann, ben = chat.client("ann"), chat.client("ben")
            until(lambda: ann.stats()["clients"] == "3")
            text = "x" * 400
            said = 0
            # Far more than what the kernel and the server keep for one who does not read.
            while ann.stats()["slow_readers_dropped"] == "0":
                said += 100
                self.assertLess(said, 100_000)
                ann.send(f"SAY {text}\n" * 100)
                for _ in range(100):
                    self.assertTrue(ann.answer().startswith("OK"))
                for _ in range(100):
                    self.assertIn(text, ben.hear())
            self.assertEqual(ann.stats()["clients"], "2")
            self.assertEqual(ann.ask("SAY still here"), "OK")
            self.assertEqual(ben.hear(), "MSG ann still here")
            slow.close()

    def test_who_does_not_read_its_answers_is_not_read_and_loses_none(self):
        with Chat() as chat:
            client = chat.client("ann")
            # Ten megabytes of answers to so little that all of it is on its way before the first is read.
            count = 10_000
            client.send("STATS\n" * count)
            until(lambda: chat.stats()["clients"] == "2")
            time.sleep(0.2 * SLOWER)
            answers = 0
            while answers < count:
                line = client.answer()
                self.assertTrue(line.startswith(("STATS ", "OK")), line)
                answers += line == "OK"
            self.assertEqual(chat.stats()["slow_readers_dropped"], "0")

    def test_a_signal_ends_it_in_order_with_the_last_figures_and_a_word_to_those_who_wait(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            with Moderation(latency_ms=60_000) as moderation, Chat(moderation.port, moderation_timeout_ms=5_000) as chat:
                waiting, idle = chat.client("ann"), chat.client("ben")
                waiting.send("SAY wait for me\n")
                until(lambda: idle.stats()["moderation_in_flight"] == "1")
                printed = chat.end(how)
                self.assertEqual((waiting.line(), waiting.line(), idle.line()), ("RETRY 1000", "", ""))
                self.assertIn("STATS admitted 1\n", printed)
                self.assertIn("STATS clients 0\n", printed)


if __name__ == "__main__":
    unittest.main(verbosity=2)
