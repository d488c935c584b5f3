"""``bnnray verify`` on real images: a sentence, a picture, an exit code."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest


@pytest.fixture
def verify(networks, real_data, tmp_path):
    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        model = str(networks / "mnist_2x100.bnn")
        command = [sys.executable, "-m", "bnnray.cli.main", "verify", model, *arguments]
        return subprocess.run(
            [*command, "--data-dir", str(real_data)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def test_a_flip_is_a_sentence_and_a_picture(verify, tmp_path):
    done = verify("--point", "8", "--epsilon", "1/255", "--attack", "sat", "--png", "8.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("vulnerable: changing ")
    assert done.stdout.endswith("pixels by at most 1/255 turns class 5 into class 6\n")
    assert (tmp_path / "8.png").read_bytes().startswith(b"\x89PNG")


def test_a_proof_is_a_sentence_that_says_what_it_rests_on(verify):
    sat = verify("--point", "6", "--epsilon", "1/255", "--attack", "sat", "--goal", "runner-up")
    exact = verify("--point", "6", "--epsilon", "1/255", "--attack", "exact")
    assert sat.stdout.startswith("robust: no input within epsilon 1/255 turns class 4 into class ")
    assert sat.stdout.endswith("(proof: solver)\n")
    assert exact.stdout.endswith("turns class 4 into another one (proof: exact)\n")
    assert sat.returncode == exact.returncode == 0


def test_a_real_change_is_a_decimal_number(verify):
    done = verify("--point", "8", "--epsilon", "0.01", "--domain", "box")
    assert re.fullmatch(
        r"vulnerable: changing \d+ pixels by at most 0\.0\d{1,4} turns class 5 into class \d\n",
        done.stdout,
    )


def test_json_is_one_object(verify):
    done = verify("--point", "6", "--epsilon", "1/255", "--attack", "sat", "--json")
    answer = json.loads(done.stdout)
    assert (answer["verdict"], answer["label"], answer["epsilon"]) == ("robust", 4, 1 / 255)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--epsilon", "1/255", "--attack", "sat", "--domain", "box"], 'use domain = "grid"'),
        (["--epsilon", "1/255", "--point", "10000"], "points 0 to 9999; got 10000"),
        (["--epsilon", "2"], "a number from 0 to 1"),
        (["--epsilon", "1/255", "--goal", "best"], 'goal must be "runner-up", "any" or'),
        (["--epsilon", "1/255", "--time-limit", "soon"], "--time-limit must be such as"),
    ],
)
def test_a_mistake_is_one_line(verify, arguments, reason):
    done = verify(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("bnnray: ")
    assert done.stderr.count("\n") == 1
    assert reason in done.stderr
