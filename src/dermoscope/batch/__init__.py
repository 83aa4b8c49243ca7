"""From any mix of files, folders and patterns to a folder of results, however many images there are."""

from dermoscope.batch.analyses import analyze_batch
from dermoscope.batch.errors import BatchUsageError, OutputError
from dermoscope.batch.inputs import count_inputs, find_inputs
from dermoscope.batch.protocols import ImageAnalyzer
from dermoscope.batch.results import Totals, read_results
from dermoscope.batch.run import BatchSummary, Progress
from dermoscope.batch.worker import Failure

__all__ = [
    "BatchSummary",
    "BatchUsageError",
    "Failure",
    "ImageAnalyzer",
    "OutputError",
    "Progress",
    "Totals",
    "analyze_batch",
    "count_inputs",
    "find_inputs",
    "read_results",
]
