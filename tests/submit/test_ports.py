"""Ports that nobody has."""

from __future__ import annotations

import socket
import subprocess
import sys
from itertools import islice

from bnnray.submit.ports import free_ports


def test_taken_ports_are_passed_over():
    first, second = islice(free_ports(12_345), 2)
    assert 20_000 <= first < second < 30_000
    with socket.socket() as taken:
        taken.bind(("", first))
        assert next(free_ports(12_345)) == second


def test_two_jobs_have_ports_of_their_own():
    assert not set(islice(free_ports(7), 6)) & set(islice(free_ports(8), 6))


def test_the_last_job_of_a_thousand_goes_on_at_the_first_port():
    assert min(islice(free_ports(999), 200)) < 20_200


def test_the_batch_script_s_call():
    command = [sys.executable, "-m", "bnnray.submit.ports", "7", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len({int(word) for word in done.stdout.split()}) == 3
