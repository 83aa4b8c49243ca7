"""A full analysis talks to nobody and leaves nothing behind but its results and its cache."""

from __future__ import annotations

from tests.watch import Watched


def test_analyze_uses_no_network(watched_analyze: Watched) -> None:
    assert watched_analyze.returncode == 0, watched_analyze.output
    assert not watched_analyze.network


def test_analyze_writes_only_its_cache_into_the_home_folder(watched_analyze: Watched) -> None:
    files = [path.relative_to(watched_analyze.home) for path in watched_analyze.home.rglob("*") if path.is_file()]
    assert not [str(path) for path in files if "dermoscope" not in path.parts]
