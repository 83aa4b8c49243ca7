"""One offline HTML page that shows a results folder to a person. Research use only, not a medical device."""

from dermoscope.report.page import write_report

__all__ = ["write_report"]
