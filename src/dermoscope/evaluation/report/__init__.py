"""From predictions to a report: `metrics.json`, tables for papers, figures, and one offline page. Torch-free."""

from dermoscope.evaluation.report.facts import Request
from dermoscope.evaluation.report.output import OutputExistsError
from dermoscope.evaluation.report.parts import Settings
from dermoscope.evaluation.report.run import SCHEMA_VERSION, Run, evaluate

__all__ = ["SCHEMA_VERSION", "OutputExistsError", "Request", "Run", "Settings", "evaluate"]
