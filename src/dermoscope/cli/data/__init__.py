"""`dermoscope data`: from an official download to a checked manifest, splits, statistics and pictures."""

from __future__ import annotations

from cyclopts import App

from dermoscope.cli.data import check, download, manifest, show, split, stats

data = App(name="data", help="Manifests, official counts, splits, leak checks, downloads and statistics of data sets.")
for _command in (
    manifest.manifest,
    manifest.counts,
    split.split,
    check.check,
    download.download,
    stats.stats,
    show.show,
):
    data.command(_command)
