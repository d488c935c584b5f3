"""Site profiles: layers, and mistakes that are one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnnray.errors import SiteError
from bnnray.submit.shipped import SHIPPED
from bnnray.submit.sites import Site, load_site, read_flags


@pytest.fixture
def project(monkeypatch, tmp_path) -> Path:
    """A project's folder; the user's profiles are in ``config/bnnray/sites`` beside it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config" / "bnnray" / "sites").mkdir(parents=True)
    (tmp_path / "project" / "cluster").mkdir(parents=True)
    return tmp_path / "project"


def write(folder: Path, text: str) -> None:
    (folder / "generic.toml").write_text(text)


def test_flags_come_before_the_project_s_file_and_that_before_the_user_s(project):
    write(project / ".." / "config" / "bnnray" / "sites", 'account = "user"\ncores = 6\nnodes = 2')
    write(project / "cluster", 'account = "project"\ncores = 8')
    site = load_site("generic", project, {"account": "flag"})
    assert (site.account, site.cores, site.nodes, site.scratch) == ("flag", 8, 2, "/tmp")


@pytest.mark.parametrize("path", sorted((SHIPPED / "cluster").glob("*.toml")), ids=lambda p: p.stem)
def test_the_profiles_that_come_along_are_valid(path, project):
    assert isinstance(load_site(path.stem, project, {}), Site)


def test_the_example_shows_every_key(project):
    text = (SHIPPED / "cluster" / "example.toml").read_text()
    assert [name for name in Site.model_fields if f"{name} = " not in text] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cors = 3", "cors: unknown key 'cors'; did you mean 'cores'?"),
        ("cores = 0", "cores: input should be greater than or equal to 1; got 0"),
        ("cores = '4'", "cores: input should be a valid integer; got '4'"),
        ("gurobi_tokens = 0", 'gurobi_tokens: expected "unlimited" or a whole number from 1 on'),
        ('memory = "lots"', 'memory: expected a size such as "2GiB" or "500MiB"; got \'lots\''),
        ('time = "soon"', "time: expected a time limit as Slurm writes it"),
        ('partition = "a\\nb"', "partition: expected one line; got 'a\\nb'"),
        ('scratch = "tmp"', "scratch: expected a folder from / on"),
        ('scratch = "/a/folder/with/a/long/name"', "must not be longer than 107"),
        ("cores", "is not valid TOML"),
    ],
)
def test_mistakes_are_one_line_that_names_the_file(project, text, message):
    write(project / "cluster", text)
    with pytest.raises(SiteError) as raised:
        load_site("generic", project, {})
    assert str(project / "cluster" / "generic.toml") in str(raised.value)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_unknown_site_is_one_line_with_the_nearest(project):
    with pytest.raises(SiteError, match=r"unknown site 'genric'; did you mean 'generic'\?"):
        load_site("genric", project, {})


def test_flags_are_read_from_set():
    found = read_flags(
        ["site.cores=16", "data.points=3", "site.scratch=/local", "site.requeue=false"]
    )
    assert found == {"cores": 16, "scratch": "/local", "requeue": False}
    with pytest.raises(SiteError, match="--set takes place=value"):
        read_flags(["site.cores"])
