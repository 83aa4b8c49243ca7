"""Large buffers of a training stay with the process, instead of going back to the system after every step."""

from __future__ import annotations

import ctypes
import platform

# Of glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_KEPT_FREE = 2**31 - 1
_GROWTH = 2**28


def keep_large_buffers() -> bool:
    """Let the C library keep and reuse memory that a step has freed.

    By default glibc maps each large buffer by itself and unmaps it when it is freed, so that every step pays a page
    fault for every 4 KiB of its activations and gradients; a fifth of the time of a training on the CPU went there.
    `benchmarks/README.md` has what this saves. Memory that is free at the end of the heap is kept up to 2 GiB.

    Returns:
        Whether the C library knows how to.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    asked = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _KEPT_FREE), (_TOP_PAD, _GROWTH))
    return all(library.mallopt(parameter, value) == 1 for parameter, value in asked)
