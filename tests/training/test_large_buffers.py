"""Memory that a step has freed is used again, instead of being mapped anew."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from dermoscope.training.large_buffers import keep_large_buffers

if sys.argv[1] == "kept":
    assert keep_large_buffers()
faults = []
for _ in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"1" * 2**26
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(faults[-1])
"""


def faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is known to know how")
def test_a_freed_buffer_costs_no_page_faults_again() -> None:
    assert faults("kept") < 100 < faults("as the system has it")
