"""`python -m dermoscope` is the command `dermoscope`."""

from __future__ import annotations

import sys

from dermoscope.cli import main

if __name__ == "__main__":
    sys.exit(main())
