"""`edgeseg run` connects to nobody: not edgeseg itself, and none of what it is made of.

ONNX Runtime reports home on Linux since 1.29, some seconds after it was loaded; the control
shows that the watch would see that.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from small_net import write_small_net

WATCH = Path(__file__).parents[1] / "watch_network.py"
LONG_S = 14
"""ONNX Runtime has reported by then."""


def namespaces() -> str:
    """Say why no network of its own can be made; empty when it can."""
    if os.geteuid() != 0:
        return "only root can make a network of its own"
    if not (shutil.which("unshare") and shutil.which("ip")):
        return "unshare or ip is missing"
    done = subprocess.run(
        ["unshare", "--net", sys.executable, str(WATCH), "true"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stderr.strip()[-200:] if done.returncode else ""


pytestmark = pytest.mark.skipif(bool(WHY := namespaces()), reason=WHY)


def start(*command: str) -> subprocess.Popen[str]:
    """Start a command where every attempt to connect is seen."""
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    return subprocess.Popen(
        ["unshare", "--net", sys.executable, str(WATCH), *command],
        stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


def outcome(watch: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for what was started, and give what it tried."""
    said, _ = watch.communicate(timeout=110)
    assert watch.returncode == 0
    return dict(json.loads(said))


def start_run(tmp_path: Path, source: str, *more: str) -> subprocess.Popen[str]:
    cfg = write_small_net(tmp_path)
    sinks = ["--sink", str(tmp_path / "out.mp4"), "--sink", str(tmp_path / "out.jsonl")]
    return start(sys.executable, "-m", "edgeseg", "run", source, "--model", str(cfg), *sinks, *more)


def test_the_watch_sees_connections_and_questions_for_names() -> None:
    code = (
        "import socket\n"
        "for family, address in ((2, '198.51.100.7'), (10, '2001:db8:1::7')):\n"
        "    try: socket.socket(family).connect((address, 443))\n"
        "    except OSError: pass\n"
        "try: socket.getaddrinfo('edgeseg.invalid', 80)\n"
        "except OSError: pass\n"
    )
    seen = outcome(start(sys.executable, "-c", code))["seen"]
    assert "TCP 198.51.100.7 port 443" in seen
    assert "TCP 2001:db8:1::7 port 443" in seen
    assert any("port 53" in attempt for attempt in seen)


def test_a_clip_is_run_without_a_connection(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for grey in range(50):
            picture = np.full((240, 320, 3), grey * 4, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        container.mux(stream.encode())
    done = outcome(start_run(tmp_path, str(clip)))
    assert done["code"] == 0, done["said"]
    assert "50 in" in done["said"]
    assert done["seen"] == {}


def test_a_run_that_lasts_is_silent_where_onnx_runtime_alone_is_not(tmp_path: Path) -> None:
    scene = f"test://?size=320x240&fps=10&live=1&frames={LONG_S * 10}"
    page, folder = f"unix:{tmp_path / 'h'}", str(tmp_path / "flight")
    alone = start(sys.executable, "-c", f"import onnxruntime, time; time.sleep({LONG_S})")
    done = outcome(start_run(tmp_path, scene, "--health", page, "--flight-record", folder))
    control = outcome(alone)
    assert done["code"] == 0, done["said"]
    assert done["seen"] == {}
    if not control["seen"]:
        pytest.skip("this ONNX Runtime reports home late or never: its silence proves little")
