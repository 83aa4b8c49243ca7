"""A full analysis needs no torch, nowhere and at no time."""

from __future__ import annotations

from tests.watch import TORCH_WORLD, Watched


def test_analyze_never_imports_torch(watched_analyze: Watched) -> None:
    assert watched_analyze.returncode == 0, watched_analyze.output
    assert (watched_analyze.results / "results.csv").is_file()
    assert "dermoscope" in watched_analyze.imported, "the watch saw nothing"
    assert not {name.split(".")[0] for name in watched_analyze.imported} & TORCH_WORLD
