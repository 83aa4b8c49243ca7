"""A full analysis needs no torch, nowhere and at no time."""

from __future__ import annotations

from pathlib import Path

from tests.watch import REPOSITORY, TORCH_WORLD, Watched, run_watched


def test_analyze_never_imports_torch(watched_analyze: Watched) -> None:
    assert watched_analyze.returncode == 0, watched_analyze.output
    assert (watched_analyze.results / "results.csv").is_file()
    assert "dermoscope" in watched_analyze.imported, "the watch saw nothing"
    assert not {name.split(".")[0] for name in watched_analyze.imported} & TORCH_WORLD


def test_segment_never_imports_torch_and_talks_to_nobody(tmp_path: Path) -> None:
    image = next((REPOSITORY / "examples" / "images").glob("*_light_skin.jpg"))
    program = "import sys; from dermoscope.cli import main; sys.exit(main())"
    watched = run_watched(["-c", program, "segment", str(image), "--out", "results", "--edges", "--flips"], tmp_path)
    assert watched.returncode == 0, watched.output
    assert (watched.results / "segments.csv").is_file()
    assert "dermoscope.segmenter" in watched.imported, "the watch saw nothing"
    assert not {name.split(".")[0] for name in watched.imported} & TORCH_WORLD
    assert not watched.network
