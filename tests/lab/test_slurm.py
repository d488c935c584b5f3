"""``bnnray submit`` on a real Slurm, and what may happen to a job there: no row is lost."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from campaign import Campaign
from slurm_lab import NODES

pytestmark = pytest.mark.timeout(600)
LONG = 36
"""Points of a job that is not over before it is disturbed."""


def test_a_job_runs_on_all_nodes(campaign):
    said = campaign.submit("--gpus", "1").stdout
    assert "24 units on 3 nodes, 6 slots" in said
    campaign.wait_for((campaign.folder / "units.parquet").exists)
    token = campaign.folder / "slurm" / f"{campaign.job}.token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert campaign.status()["slurm"]["state"] == "RUNNING"
    shown = campaign.bnnray("dashboard", campaign.name).stdout
    assert token.read_text() in shown
    refused, answered, status = ask_dashboard(campaign, re.search(r"-L 8265:(\S+)", shown)[1])
    assert (refused, answered) == ("401", "200")
    assert "/6.0 CPU" in status
    assert "/3.0 GPU" in status
    campaign.wait_for_end()
    assert set(campaign.check_complete()) == set(NODES)
    assert not token.exists()
    assert "ends with 0" in campaign.bnnray("logs", campaign.name, "-f").stdout
    for node in NODES:
        assert campaign.lab.run("ls", "/mnt", node=node).stdout == ""


def ask_dashboard(campaign: Campaign, place: str) -> list[str]:
    """Of Ray's dashboard, seen from the login node: its answers without the token and with it, and
    what it says about the nodes."""
    token = (campaign.folder / "slurm" / f"{campaign.job}.token").read_text()
    code = (
        "import sys, urllib.request as u, urllib.error as e\n"
        "for headers in ({}, {'Authorization': 'Bearer ' + sys.argv[2]}):\n"
        "    try: answer = u.urlopen(u.Request(sys.argv[1], headers=headers), timeout=20)\n"
        "    except e.HTTPError as error: answer = error\n"
        "    print(answer.status)\n"
        "print(answer.read())\n"
    )
    url = f"http://{place}/api/cluster_status?format=1"
    return campaign.lab.run(sys.executable, "-c", code, url, token).stdout.split("\n", 2)


def test_a_job_is_cancelled_and_goes_on_when_submitted_again(campaign):
    campaign.submit(points=LONG)
    refused = campaign.submit(points=LONG, check=False)
    assert refused.returncode == 2
    assert f"has a Slurm job already, {campaign.job} (" in refused.stderr
    campaign.wait_for_work()
    assert "drains" in campaign.bnnray("cancel", campaign.name).stdout
    campaign.wait_for_end("FAILED")
    assert campaign.show("ExitCode") == "75:0"
    assert "work is left; go on with: bnnray submit" in campaign.log
    rows = campaign.rows()
    campaign.submit(points=LONG)
    campaign.wait_for(lambda: campaign.rows() > rows)
    campaign.bnnray("cancel", "--now", campaign.name)
    campaign.wait_for_end("CANCELLED")
    done = campaign.submit("--wait", points=LONG)
    assert "RUNNING on n" in done.stderr
    campaign.check_complete()


def test_the_time_limit_drains_and_the_job_is_run_again(campaign):
    campaign.submit(points=75)
    campaign.wait_for_work()
    campaign.lab.run("scontrol", "update", f"JobId={campaign.job}", "TimeLimit=2")
    campaign.wait_for_restart()
    assert "drains, as Slurm asked" in campaign.log
    assert "work is left" not in campaign.log
    campaign.lab.run("scontrol", "update", f"JobId={campaign.job}", "TimeLimit=10")
    campaign.wait_for_end()
    campaign.check_complete()
    assert "units are done already" in campaign.log


def test_the_head_s_node_is_lost_and_the_job_is_run_again(campaign):
    campaign.submit(points=LONG)
    campaign.wait_for_work()
    head = campaign.show("BatchHost")
    campaign.lab.kill_node(head)
    try:
        campaign.wait_for(lambda: campaign.show("Restarts") != "0")
    finally:
        campaign.lab.start_node(head)
    campaign.wait_for_restart()
    campaign.wait_for_end()
    campaign.check_complete()
    assert "this node asks Slurm to run the job again" in campaign.log


def test_a_raylet_that_dies_is_begun_anew(campaign):
    campaign.submit(points=LONG)
    campaign.wait_for_work()
    worker = other_nodes(campaign)[0]
    pids = campaign.lab.run("pgrep", "-f", "raylet/raylet", node=worker).stdout.split()
    campaign.lab.run("kill", "-9", *pids, node=worker)
    campaign.wait_for_end()
    campaign.check_complete()
    assert f"{worker}] Ray ended on this node" in campaign.node_log
    assert campaign.show("Restarts") == "0"


def test_a_node_that_is_lost_costs_no_row(campaign):
    campaign.submit(points=LONG)
    campaign.wait_for_work()
    worker = other_nodes(campaign)[0]
    campaign.lab.kill_node(worker)
    try:
        campaign.wait_for_end()
        campaign.check_complete()
        assert campaign.show("Restarts") == "0"
    finally:
        campaign.lab.start_node(worker)


def test_two_jobs_of_a_user_share_their_nodes(lab, home):
    both = [Campaign(lab, home, name) for name in ("one", "two")]
    try:
        for campaign in both:
            campaign.submit()
        both[1].wait_for_work()
        for campaign in both:
            campaign.wait_for_end()
            assert set(campaign.check_complete()) == set(NODES)
    finally:
        for campaign in both:
            campaign.end()


@pytest.fixture
def ray_of_another_user(lab, tmp_path) -> Iterator[None]:
    """Somebody else's Ray with all its defaults on the first node."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    who = ["--reuid=65534", "--regid=65534", "--clear-groups"]
    reads = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]  # root's Python
    as_nobody = ["setpriv", *who, *reads, *command]
    environment = lab.environment(
        HOME="/mnt", RAY_AUTH_MODE="disabled", RAY_USAGE_STATS_ENABLED="0"
    )
    with (tmp_path / "other").open("w") as log:
        process = subprocess.Popen(
            lab.command(
                ["env", "--chdir=/mnt", *as_nobody, "--temp-dir=/mnt/ray", "--num-cpus=1"], "n1"
            ),
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + 90
        while "Ray runtime started" not in (tmp_path / "other").read_text():
            assert process.poll() is None, (tmp_path / "other").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.5)
        yield
    finally:
        pids = lab.run("pgrep", "-U", "65534", node="n1", check=False).stdout.split()
        lab.run("kill", "-9", *pids, node="n1", check=False)
        process.wait(timeout=30)
        lab.run("rm", "-rf", "/mnt/ray", node="n1")


@pytest.mark.usefixtures("ray_of_another_user")
def test_another_user_s_ray_is_no_trouble(campaign):
    campaign.submit()
    campaign.wait_for_end()
    assert set(campaign.check_complete()) == set(NODES)
    assert campaign.lab.run("pgrep", "-U", "65534", "-f", "raylet/raylet", node="n1").stdout


def test_what_sbatch_refuses_is_shown_whole(campaign):
    done = campaign.submit("--partition", "none such", check=False)
    assert done.returncode == 3
    assert (
        "bnnray: sbatch refused: sbatch: error: invalid partition specified: none such"
        in done.stderr
    )
    assert "Invalid partition name specified" in done.stderr


def test_a_folder_with_every_sign_in_its_name(lab, home):
    place = home / 'it\'s a "place" of 100% $HOME & more\\'
    place.mkdir()
    shutil.copy(home / "net.bnn", place)
    campaign = Campaign(lab, place, "nasty")
    try:
        campaign.submit("--wait", "--nodes", "1", points=2)
        campaign.check_complete()
    finally:
        campaign.end()


def other_nodes(campaign: Campaign) -> list[str]:
    """The nodes of a job without that of its batch script."""
    return [node for node in NODES if node != campaign.show("BatchHost")]


def test_nothing_of_the_lab_is_outside_of_it(lab):
    assert not Path("/sys/class/net/lab").exists()
    assert str(lab.base) not in Path("/proc/mounts").read_text()
    assert os.environ.get("SLURM_CONF") != str(lab.base / "slurm.conf")
