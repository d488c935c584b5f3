"""What is submitted is the job as it was checked."""

from __future__ import annotations

import pytest
import tomli_w

from bnnray.job import load_job
from bnnray.submit.shipped import SHIPPED


@pytest.mark.parametrize("path", sorted((SHIPPED / "jobs").glob("*.toml")), ids=lambda p: p.stem)
def test_a_job_written_down_is_the_same_job(path, tmp_path):
    job = load_job(path).job
    copy = tmp_path / "job.toml"
    copy.write_text(tomli_w.dumps(job.dump()))
    again = load_job(copy).job
    assert again == job
    assert [a.content() for a in again.attack] == [a.content() for a in job.attack]
