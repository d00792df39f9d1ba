"""The driver to load and unload, and edgeseg to run, for the checks in guest.py."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

CAMERA = "/dev/video0"
NET = Path("/tmp/net")
EDGESEG = [sys.executable, "-m", "edgeseg"]
# No box is so sure: the picture stays as the driver painted it.
RUN = ["run", "--model", str(NET / "small.cfg"), "--camera-size", "640x360", "--conf", "0.99"]
# White, yellow, cyan, green, magenta, red, blue, black, from left to right; as BGR.
BARS = [(1, 1, 1), (0, 1, 1), (1, 1, 0), (0, 1, 0), (1, 0, 1), (0, 0, 1), (1, 0, 0), (0, 0, 0)]


def shell(*command: str, must: bool = True) -> str:
    """Run a tool of the system and give what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if must and done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def load_driver(number: int = 0, planar: int = 1) -> None:
    """Plug the camera in: a webcam with a second device file for metadata."""
    options = ["n_devs=1", "node_types=0x20001", "num_inputs=1", "input_types=0", "no_error_inj=0"]
    shell("modprobe", "vivid", *options, f"vid_cap_nr={number}", f"multiplanar={planar}")
    shell("udevadm", "settle", "--timeout=30")


def unload_driver() -> None:
    """Unplug the camera; a program that reads it loses it."""
    deadline_s = time.monotonic() + 40
    while Path("/sys/module/vivid").exists():
        assert time.monotonic() < deadline_s, "the driver stays in use"
        # Who was quicker to connect again is disconnected again.
        shell("v4l2-ctl", "-d", CAMERA, "-c", "disconnect=1", must=False)
        for _ in range(4):
            shell("modprobe", "-r", "vivid", must=False)


def control(name: str, value: int = 1) -> None:
    """Set one of the driver's controls."""
    shell("v4l2-ctl", "-d", CAMERA, "-c", f"{name}={value}")


def edgeseg(*arguments: str, before: Iterable[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run edgeseg to its end."""
    return subprocess.run(
        [*before, *EDGESEG, *arguments], capture_output=True, text=True, timeout=120, check=False
    )


class Running:
    """An edgeseg that reads the camera meanwhile; its frames are counted as they come."""

    def __init__(self, *arguments: str, camera: str = "0") -> None:
        self._log = Path("run.log")
        self.lines: list[dict[str, Any]] = []
        self._process = subprocess.Popen(
            [*EDGESEG, *RUN, "--camera", camera, "--sink", "jsonl:-", *arguments],
            stdout=subprocess.PIPE,
            stderr=self._log.open("w"),
            text=True,
        )
        self._reader = threading.Thread(target=self._count)
        self._reader.start()

    def _count(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(json.loads(line))

    def more(self, count: int, within_s: float = 60) -> None:
        """Wait for that many more frames."""
        wanted = len(self.lines) + count
        deadline_s = time.monotonic() + within_s
        while len(self.lines) < wanted:
            assert self._process.poll() is None, f"ended: {self.log}"
            assert time.monotonic() < deadline_s, f"{len(self.lines)} of {wanted}: {self.log}"
            time.sleep(0.05)

    @property
    def log(self) -> str:
        """What it printed on standard error."""
        return self._log.read_text()

    def wait(self, within_s: float = 60) -> int:
        """Wait for its end and give the exit code."""
        code = self._process.wait(within_s)
        self._reader.join(5)
        return code

    def stop(self) -> str:
        """End it with SIGTERM, which must be in order; give what it logged."""
        self._process.send_signal(signal.SIGTERM)
        code = self.wait()
        assert code == 0, f"exit code {code}: {self.log}"
        indices = [line["frame"] for line in self.lines]
        times_s = [line["time_s"] for line in self.lines]
        assert indices == sorted(set(indices)), indices
        assert times_s == sorted(set(times_s)), times_s
        return self.log

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait(10)
        self._reader.join(5)


def pictures_in(video: str) -> list[NDArray[np.uint8]]:
    """Decode every picture, BGR."""
    with av.open(video) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def bars_of(image: NDArray[np.uint8]) -> list[tuple[int, int, int]]:
    """Read the eight bars: 1 where a channel is bright."""
    height, width = image.shape[:2]
    spots = (image[height // 2 : height // 2 + 8, (2 * n + 1) * width // 16] for n in range(8))
    return [tuple(int(value > 100) for value in spot.mean(axis=0)) for spot in spots]  # type: ignore[misc]


def refused(done: subprocess.CompletedProcess[str], *texts: str) -> None:
    """Demand exit code 4 and one error with its hint, and nothing else on standard error."""
    lines = [line for line in done.stderr.splitlines() if ": converting " not in line]
    assert done.returncode == 4, f"exit code {done.returncode}: {done.stderr}"
    assert len(lines) == 2, done.stderr
    for text in texts:
        assert text in done.stderr, f"no {text!r} in {done.stderr!r}"
