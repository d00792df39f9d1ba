"""The command line: parse, call, exit code.

Exit codes: 0 done; 1 a bug of edgeseg; 2 options or config; 3 model; 4 source;
5 sink; 6 engine or device; 7 a package is missing; 8 `selftest` found no GPU, or could
not test all; 9 a download failed; 10 the service manager refused; 130, 143 and
129 when Ctrl-C, SIGTERM or the end of the terminal cut a file short (a live
source ended that way is done: 0). A service is not started again after 2, 3 and
7: nothing would be different.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, CycloptsPanel, Group, Parameter

from edgeseg import __version__
from edgeseg.config_file import config_steps, find_config, placed, said_of_file
from edgeseg.errors import ConfigError, EdgesegError, EngineError, SinkError
from edgeseg.interrupts import raised_as_keyboard_interrupt
from edgeseg.service.notify import managed
from edgeseg.settings import Settings

log = logging.getLogger("edgeseg")

app = App(
    name="edgeseg",
    help="From a Darknet checkpoint to annotated video, with one command: edgeseg run --camera 0",
    version=__version__,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
)
app.command(
    "edgeseg.models.commands:app",
    name="models",
    help="List, fetch, inspect, convert and check models.",
)
app.command(
    "edgeseg.engines.commands:app",
    name="engines",
    help="Build TensorRT engines, list them, clear up.",
)
app.command(
    "edgeseg.labels.commands:app",
    name="labels",
    help="Convert labels between formats, count and check them.",
)
app.command(
    "edgeseg.selftest.command:selftest",
    name="selftest",
    help="Prove on this machine that what it computes is right, and say how fast it is.",
)

SEGMENTS = Group("Segments", sort_key=0)

app.command(
    "edgeseg.service.commands:app",
    name="service",
    help="Keep a run going as a systemd service: install, uninstall, status, logs, print, verify.",
)

_origins: dict[str, str] = {}
_tokens: list[str] = []


@app.command
def run(settings: Settings = Settings()) -> int:  # noqa: B008 - frozen, so one for all is fine
    """Detect objects in a camera, stream, video or pictures; show, record and write them.

    Examples: edgeseg run demo://  |  edgeseg run --camera 0  |
    edgeseg run street.mp4 --sink out.mp4 --sink out.jsonl
    """
    from edgeseg.report import print_summary, write_summary
    from edgeseg.runner import run as run_pipeline

    _set_up_logging(verbose=settings.verbose)
    tokens = tuple(_tokens)
    summary = run_pipeline(settings, show_progress=True, reread=lambda: settings_of(tokens)[0])
    if settings.summary is not None:
        write_summary(summary, settings.summary)
    with contextlib.suppress(OSError):  # the terminal may be gone; the results are not
        print_summary(summary)
    if summary.signal is not None and not summary.live:
        return 128 + summary.signal
    return 0


@app.command
def segments(
    settings: Settings = Settings(),  # noqa: B008
    *,
    gap: Annotated[float, Parameter(group=SEGMENTS)] = 1.0,
    shortest: Annotated[float, Parameter(group=SEGMENTS)] = 0.2,
    shots: Annotated[bool, Parameter(group=SEGMENTS)] = True,
) -> int:
    """Cut a clip in time: its shots, and when each class and each track was there.

    Writes NAME-segments.json, .csv and a timeline as .png into the folder --output.

    Examples: edgeseg segments film.mp4  |  edgeseg segments film.mp4 --segment motion  |
    edgeseg segments film.mp4 --classes person --gap 3

    Parameters
    ----------
    gap
        Seconds of absence that do not end a span.
    shortest
        Seconds; shorter spans are left out.
    shots
        Look for shots (needs PySceneDetect).
    """
    from edgeseg.segments.command import run_segments

    _set_up_logging(verbose=settings.verbose)
    summary = run_segments(settings, gap_s=gap, shortest_s=shortest, shots=shots)
    if summary.signal is not None and not summary.live:
        return 128 + summary.signal
    return 0


@app.command
def config(settings: Settings = Settings()) -> int:  # noqa: B008
    """Print the options a run would use, and where each value comes from."""
    from edgeseg.report import print_settings

    print_settings(settings, _origins)
    return 0


@app.command
def sinks() -> int:
    """List the kinds of sinks with an example of each."""
    from edgeseg.report import print_sinks

    print_sinks()
    return 0


@app.command
def cameras(*, json: Annotated[bool, Parameter(negative=())] = False) -> int:
    """List the cameras of this machine with their formats, sizes and frame rates."""
    from edgeseg.report import print_cameras

    print_cameras(as_json=json)
    return 0


@app.command
def doctor(*, json: Annotated[bool, Parameter(negative=())] = False) -> int:
    """Look at this machine: versions, devices, codecs, what is missing and how to mend it."""
    from edgeseg.doctor import examine, print_findings

    findings = examine()
    print_findings(findings, as_json=json)
    return 0 if all(finding.ok for finding in findings if finding.needed) else 1


@app.command
def replay(record: Path, *, output: Path | None = None) -> int:
    """Show a flight record: why a run ended, its last frames, timings and log lines.

    Parameters
    ----------
    record
        A flight-….zip, or a folder: its newest one.
    output
        Write the frames there: a folder for pictures, or a video such as last.mp4.
    """
    from edgeseg.service.replay import replay as show

    show(record, output)
    return 0


def main(tokens: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    sys.exit(call(sys.argv[1:] if tokens is None else tokens))


def call(tokens: Sequence[str]) -> int:
    """Run one command and give its exit code; errors are printed, never raised."""
    wished = os.environ.get("EDGESEG_VERBOSE", "").lower() in ("1", "true", "yes", "y", "on")
    verbose = wished or "--verbose" in tokens or "-v" in tokens
    code = 0
    try:
        _tokens[:] = tokens
        _origins.clear()
        if tokens and tokens[0] in ("run", "segments", "config"):
            app[tokens[0]].config = config_steps(find_config(tokens), _origins)
        if managed() and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the run can reload
        with raised_as_keyboard_interrupt():
            result = app(
                tokens, exit_on_error=False, print_error=False, result_action="return_value"
            )
            code = result if isinstance(result, int) else 0
            print(end="", flush=True)
    except CycloptsError as error:
        in_file = said_of_file(error)
        if in_file is None:
            app.error_console.print(CycloptsPanel(error))
        else:
            _say_error(f"edgeseg: {in_file}")
        return ConfigError.exit_code
    except EdgesegError as error:
        return _report(placed(error, _origins), verbose=verbose)
    except KeyboardInterrupt as interrupt:
        _say("interrupted")
        return 128 + int(interrupt.args[0] if interrupt.args else signal.SIGINT)
    except MemoryError:
        _say("edgeseg: there is not enough memory\n  Try a smaller --size, or smaller pictures.")
        return EngineError.exit_code
    except OSError as error:
        return code or _output_failed(error)
    return code


def settings_of(tokens: Sequence[str]) -> tuple[Settings, dict[str, str]]:
    """Read a call's options as `edgeseg run` would, and where each came from.

    Raises ConfigError, with file and line where it stands in a file.
    """
    origins: dict[str, str] = {}
    try:
        app["run"].config = config_steps(find_config(tokens), origins)
        _, bound, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        raise ConfigError(said_of_file(error) or str(error)) from error
    except EdgesegError as error:
        raise placed(error, origins) from error
    settings: Settings = bound.arguments.get("settings", Settings())
    return settings, origins


def _output_failed(error: OSError) -> int:
    """Give the exit code when text could not be printed; what is the world's elsewhere is ours."""
    if error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EIO):
        raise error
    # Python flushes both once more when it ends.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    if error.errno == errno.EPIPE:  # the reader went away, as `head` does
        return 0
    _say(f"edgeseg: standard output: {error.strerror}")
    return SinkError.exit_code


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def _say_error(text: str) -> None:
    """Say what ended the call; the journal shows it as an error."""
    from edgeseg.service.journal import stderr_is_journal

    mark = "<3>" if stderr_is_journal() else ""  # sd-daemon(3)
    _say("\n".join(mark + line for line in text.splitlines()))


def _report(error: EdgesegError, *, verbose: bool) -> int:
    if verbose:
        log.error("traceback", exc_info=error)
    _say_error(f"edgeseg: {error}")
    return error.exit_code


def _set_up_logging(*, verbose: bool) -> None:
    from edgeseg.service.journal import journal_handler

    handler = journal_handler()
    form = (
        "edgeseg: %(message)s" if not verbose else "%(relativeCreated)6d ms %(name)s: %(message)s"
    )
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.WARNING,
        format=form if handler is None else "%(message)s",
        handlers=[handler or logging.StreamHandler(sys.stderr)],
    )
    log.setLevel(logging.DEBUG if verbose else logging.INFO)
