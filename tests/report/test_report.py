"""The report: one HTML file that asks the network for nothing, in a real browser too."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from known_runs import FLIP, ROBUST, make_run, unit

from bnnray.report import Report, make_report

EVIL = "<script>alert(1)</script>&\"'"


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Report:
    """Of two attacks, one with a name that a page must not believe."""
    rows = [unit(n, point=n, seconds=0.1 * (1 + n), **FLIP) for n in range(4)]
    rows += [unit(10 + n, point=n, attack=EVIL, **(ROBUST if n > 3 else {})) for n in range(6)]
    traces = {row["key"]: [(0.0, -40), (0.05, 20)] for row in rows}
    return make_report(make_run(tmp_path_factory.mktemp("runs") / "job", rows, traces))


class References(HTMLParser):
    """Collects what a page would fetch, and its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "srcset")]


def test_the_page_refers_to_nothing_outside(report):
    page = References()
    page.feed(report.html())
    assert page.found
    assert all(reference.startswith(("#", "data:")) for reference in page.found)
    assert "script" not in page.tags
    assert "url(" not in report.html()
    assert EVIL not in report.html()


def test_it_says_what_is_left_out_and_why(report):
    html = unescape(report.html())
    assert {kind.name for kind in report.missing} >= {"step_sizes", "gallery"}
    for kind in report.missing:
        assert f"{kind.title}: it needs" in html
    for drawing in report.drawings:
        assert f'id="{drawing.name}"' in html


def test_the_tables_have_the_numbers(report):
    html = report.html()
    assert "100.0 (51.0\N{EN DASH}100.0)" in html
    assert "prefers-color-scheme: dark" in html


def test_the_numbers_are_json(report):
    found = json.loads(json.dumps(report.as_json()))
    assert found["statistics"][0]["flip_rate"]["percent"] == 100
    names = [figure["name"] for figure in found["figures"]]
    assert names == [drawing.name for drawing in report.drawings]
    assert found["figures"][0]["numbers"]["bars"][0]["rate"] == {"count": 4, "total": 4}


def browser() -> str:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("there is no Chromium, and CI must open the report in one")
        pytest.skip("there is no Chromium on the path")
    return found


def opened(page: Path, folder: Path, scheme: str) -> tuple[list[str], str]:
    """What a page asked for, and what the browser said, in light or dark; leaves page.png."""
    log = folder / "net.json"
    done = subprocess.run(
        [
            browser(),
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--disable-background-networking", "--disable-component-update", "--no-first-run"),
            *("--enable-logging=stderr", "--hide-scrollbars", "--window-size=1000,1400"),
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}",
            f"--user-data-dir={folder / 'profile'}",
            f"--log-net-log={log}",
            f"--screenshot={folder / 'page.png'}",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    events = [e.get("params", {}) for e in json.loads(log.read_text())["events"]]
    return [e["url"] for e in events if "url" in e and of_a_page(e)], done.stderr


def of_a_page(event: dict[str, Any]) -> bool:
    """Whether a request is a page's and not the browser's own, such as for updates."""
    asked = event["url"].startswith(("http", "ws", "ftp"))
    return asked and event.get("initiator", "not an origin") != "not an origin"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_without_errors_or_requests(report, tmp_path, scheme):
    report.write(tmp_path / "report.html")
    requests, said = opened(tmp_path / "report.html", tmp_path, scheme)
    assert requests == []
    assert "CONSOLE" not in said
    light = brightness(tmp_path / "page.png")
    assert light > 180 if scheme == "light" else light < 80


def test_a_request_or_an_error_of_a_page_would_be_seen(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<img src='http://example.invalid/x.png'><script>nothing()</script>")
    requests, said = opened(page, tmp_path, "light")
    assert "http://example.invalid/x.png" in requests
    assert "CONSOLE" in said


def brightness(path: Path) -> float:
    """Of the page's border, 0 to 255."""
    from matplotlib.image import imread

    return float(255 * imread(path)[:, :4, :3].mean())
