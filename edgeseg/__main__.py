"""The program `edgeseg`, also as `python -m edgeseg`."""

from __future__ import annotations

import io
import os
import signal
import sys
from pathlib import Path


def main() -> None:
    """Run the command line and end the process with its exit code."""
    # While the commands load, Ctrl-C ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _open_missing_streams()
    _print_any_name()
    from edgeseg.cli import main as run

    run()


def _open_missing_streams() -> None:
    """Keep the numbers 0 to 2 from files: libraries would write their messages into them."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - it lives as long as the process


def _print_any_name() -> None:
    """Let names that the terminal's encoding lacks be printed in another form, not raise."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        unicode = sys.stdout.encoding.lower().replace("-", "") == "utf8"
        sys.stdout.reconfigure(errors="surrogateescape" if unicode else "backslashreplace")


if __name__ == "__main__":
    main()
