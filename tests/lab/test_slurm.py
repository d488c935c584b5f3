"""``bnnray submit`` on a real Slurm, and what may happen to a job there: no row is lost."""

from __future__ import annotations

from slurm_lab import NODES


def test_a_job_runs_on_all_nodes(campaign):
    said = campaign.submit().stdout
    assert "48 units on 3 nodes, 6 slots" in said
    campaign.wait_for_end()
    hosts = campaign.check_complete()
    assert set(hosts) == set(NODES)
