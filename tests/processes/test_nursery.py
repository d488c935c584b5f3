"""The nursery: what it forks answers, ends when it should, and dies with its owner."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from roles import echo, parent

from bnnray.errors import SetupError
from bnnray.processes import Nursery, Process
from bnnray.processes.requests import connect


def ended(pid: int, seconds: float = 20) -> bool:
    """Whether a process ends in time; a zombie has."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def ask(process: Process, what: str):
    process.connection.send(what)
    return process.connection.recv()


def test_a_forked_process_plays_its_role_and_each_is_its_own(nursery):
    address = nursery.ready()
    processes = [Process(address, echo, word) for word in ("one", "two")]
    answers = [ask(process, "who?") for process in processes]
    assert [word for word, _ in answers] == ["one", "two"]
    assert [pid for _, pid in answers] == [process.pid for process in processes]
    assert ask(processes[0], "threads") == (1, "1")
    assert processes[0].memory() > 2**20


@pytest.mark.parametrize(
    ("order", "obituary"),
    [
        ("exit", "ended with exit code 7"),
        ("fail", "ended with exit code 1"),
        ("segfault", "was ended by SIGSEGV"),
        ("return", "ended with exit code 0"),
        ("hang up", "hung up and was killed"),
    ],
)
def test_an_obituary_says_how_a_process_ended(nursery, order, obituary):
    process = Process(nursery.ready(), echo, "")
    process.connection.send(order)
    with pytest.raises(EOFError):
        process.connection.recv()
    assert process.obituary() == obituary
    assert ended(process.pid)


def last_words(process: Process, *orders: str) -> str:
    for order in orders[:-1]:
        ask(process, order)
    process.connection.send(orders[-1])
    with pytest.raises(EOFError):
        process.connection.recv()
    process.obituary()
    return process.last_words


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("exit", ""),
        ("fail", "ValueError: as told"),
        ("segfault", "Fatal Python error: Segmentation fault"),
        ("abort", "bad luck\nFatal Python error: Aborted"),
    ],
)
def test_last_words_say_what_went_wrong_and_where(nursery, order, words):
    said = last_words(Process(nursery.ready(), echo, ""), order)
    assert words in said
    assert ("in echo" in said) == bool(words)


def test_last_words_are_those_since_the_last_time_and_few(nursery):
    process = Process(nursery.ready(), echo, "")
    said = last_words(process, "flood", "forget", "fail")
    assert said.startswith("Traceback")
    process = Process(nursery.ready(), echo, "")
    assert set(last_words(process, "flood", "fail")) == {"x"}
    assert len(process.last_words) == 4000


def test_a_process_that_holds_its_interpreter_is_killed_by_any_thread(nursery):
    process = Process(nursery.ready(), echo, "")
    process.connection.send("spin")
    threading.Timer(0.2, process.kill).start()
    with pytest.raises(EOFError):
        process.connection.recv()
    assert process.obituary() == "was ended by SIGKILL"
    process.kill()  # once more does no harm
    assert process.memory() == 0


def test_a_flood_of_output_goes_nowhere(nursery, capfd):
    assert ask(Process(nursery.ready(), echo, ""), "flood") == "flooded"
    assert capfd.readouterr() == ("", "")


def test_the_child_of_a_child_ends_with_its_owner(nursery):
    address = nursery.ready()
    process = Process(address, parent, address)
    grandchild = process.connection.recv()
    assert psutil.pid_exists(grandchild)
    process.kill()
    assert ended(grandchild)


def test_a_dead_nursery_takes_its_processes_along_and_is_replaced(nursery):
    process = Process(nursery.ready(), echo, "")
    os.kill(nursery._process.pid, signal.SIGKILL)
    with pytest.raises(EOFError):
        process.connection.recv()
    assert ended(process.pid)
    nursery._process.wait()
    Nursery().close()  # another run on this machine: it must not take the folder for left behind
    assert ask(Process(nursery.ready(), echo, "again"), "who?")[0] == "again"


@contextlib.contextmanager
def another_holder() -> Iterator[tuple[subprocess.Popen[str], int, int, Path]]:
    """A process that holds a nursery, the ids of this and of what it forked, and its folder."""
    script = (
        "import sys, time; from bnnray.processes import Nursery, Process; from roles import echo\n"
        "n = Nursery(['roles']); p = Process(n.ready(), echo, '')\n"
        "print(n._process.pid, p.pid, n.address, flush=True); time.sleep(3600)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment
    ) as holder:
        nursery, process, address = holder.stdout.readline().split()
        yield holder, int(nursery), int(process), Path(address).parent
        holder.kill()


def test_all_ends_with_the_holder_of_the_nursery():
    """Also when it is killed: its pipe to the nursery ends."""
    with another_holder() as (holder, nursery, process, folder):
        holder.kill()
        assert ended(process)
        assert ended(nursery)
    assert not folder.exists()


def test_many_at_once_and_none_is_left(nursery):
    address = nursery.ready()
    made: list[Process] = []

    def make() -> None:
        for _ in range(10):
            process = Process(address, echo, "")
            ask(process, "who?")
            made.append(process)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({process.pid for process in made}) == 80
    nursery.close()
    assert all(ended(process.pid) for process in made)


def test_closed_or_broken_is_one_line():
    nursery = Nursery(["no_such_module"])
    with pytest.raises(SetupError, match=r"did not come up; try: .* -c 'import no_such_module'"):
        nursery.ready()
    nursery.close()
    with pytest.raises(SetupError, match="the run is ending"):
        nursery.ready()
    with pytest.raises(SetupError, match="a process of a slot did not start"):
        Process(nursery.address, echo, "")


def test_a_long_folder_for_temporary_files_is_no_obstacle(monkeypatch, tmp_path):
    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    nursery = Nursery()
    assert nursery.ready() == nursery.address
    nursery.close()
    assert list(deep.iterdir()) == []


def test_the_next_nursery_removes_what_killed_ones_left(nursery):
    nursery.ready()
    with another_holder() as (holder, killed, _, folder):
        os.kill(killed, signal.SIGKILL)
        assert ended(killed)
        Nursery().close()
        assert folder.exists()  # its holder may replace it there
        holder.kill()
    Nursery().close()
    assert not folder.exists()
    assert ask(Process(nursery.address, echo, "well"), "who?")[0] == "well"


def test_a_silent_client_holds_nobody_up(nursery):
    """Such as one that was stopped before it had sent its request."""
    process = Process(nursery.ready(), echo, "")
    silent = connect(nursery.address)
    process.kill()
    with pytest.raises(EOFError):
        process.connection.recv()
    assert ask(Process(nursery.ready(), echo, "well"), "who?")[0] == "well"
    silent.close()


def test_a_stopped_process_that_is_sent_much_counts_as_dead(nursery, monkeypatch):
    monkeypatch.setattr("bnnray.processes.process.TALK_SECONDS", 1.0)
    process = Process(nursery.ready(), echo, "")
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(OSError, match="unavailable"):
        process.connection.send(b"x" * 2**24)
    process.close()
    assert ended(process.pid)


def test_a_stopped_nursery_is_replaced(nursery, monkeypatch):
    monkeypatch.setattr("bnnray.processes.nursery.ANSWER_SECONDS", 1.0)
    process = Process(nursery.ready(), echo, "")
    os.kill(nursery._process.pid, signal.SIGSTOP)
    assert ask(Process(nursery.ready(), echo, "fresh"), "who?")[0] == "fresh"
    assert ended(process.pid)


def test_a_nursery_that_is_starting_can_be_closed(monkeypatch, tmp_path):
    (tmp_path / "roles_that_load_for_ever.py").write_text("import time; time.sleep(3600)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    nursery = Nursery(["roles_that_load_for_ever"])
    errors: list[SetupError] = []

    def start() -> None:
        try:
            nursery.ready()
        except SetupError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    time.sleep(0.5)
    nursery.close()
    thread.join(20)
    assert "the run is ending" in str(errors[0])


def test_a_number_that_is_gone_kills_nobody(nursery):
    """Process ids come again, numbers do not."""
    first = Process(nursery.ready(), echo, "")
    first.close()
    assert ended(first.pid)
    second = Process(nursery.ready(), echo, "second")
    first.pid = second.pid
    first.kill()
    assert ask(second, "who?")[0] == "second"


def test_a_number_of_a_dead_nursery_kills_nobody_of_the_next(nursery):
    first = Process(nursery.ready(), echo, "")
    os.kill(nursery._process.pid, signal.SIGKILL)
    nursery._process.wait()
    second = Process(nursery.ready(), echo, "second")
    first.close()
    assert ask(second, "who?")[0] == "second"


def test_what_was_said_before_the_end_is_read(nursery):
    process = Process(nursery.ready(), echo, "last word")
    process.connection.send("who?")
    assert process.connection.poll(20)
    said = []
    with contextlib.suppress(EOFError):
        for message in process.rest():
            said.append(message)  # noqa: PERF402  the list is wanted also when it raises
    assert [word for word, _ in said] == ["last word"]
