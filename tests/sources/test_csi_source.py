"""CSI cameras: the pipeline, and OpenCV's GStreamer reader with a stand-in for Argus."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import cv2
import pytest

from edgeseg.errors import MissingDependencyError, SourceOpenError
from edgeseg.sources import open_source
from edgeseg.sources.csi import csi_pipeline, has_gstreamer, lacks_element

ROOT = Path(__file__).parents[2]


def test_the_argus_pipeline_asks_for_sensor_size_and_rate_and_keeps_one_frame() -> None:
    pipeline = csi_pipeline(1, size_px=(1920, 1080), fps=29.97)
    assert "nvarguscamerasrc sensor-id=1 !" in pipeline
    assert "video/x-raw(memory:NVMM),width=1920,height=1080,framerate=29970/1000" in pipeline
    assert pipeline.endswith("appsink max-buffers=1 drop=true sync=false")


def test_gstreamer_in_opencv_is_recognised() -> None:
    assert has_gstreamer("  Video I/O:\n    GStreamer:                   YES (1.22.0)\n")
    assert not has_gstreamer("    GStreamer:                   NO\n")


@pytest.mark.skipif(has_gstreamer(cv2.getBuildInformation()), reason="this cv2 has GStreamer")
def test_an_opencv_without_gstreamer_is_explained() -> None:
    with pytest.raises(MissingDependencyError, match="built with GStreamer"):
        open_source("csi://0")


def test_a_csi_camera_is_named_by_number() -> None:
    with pytest.raises(SourceOpenError, match="by number"):
        open_source("csi://front")


def with_system_opencv(code: str) -> Any:
    """Run code in the system's Python, whose cv2 has GStreamer; skip where it has not."""
    python = shutil.which("/usr/bin/python3")
    if python is None:
        pytest.skip("no /usr/bin/python3")
    check = (
        "import cv2, sys; assert 'GStreamer:                   YES' in cv2.getBuildInformation()"
    )
    probe = subprocess.run([python, "-c", check], capture_output=True, timeout=60, check=False)
    if probe.returncode:
        pytest.skip("no OpenCV with GStreamer: apt install python3-opencv")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [python, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_frames_come_through_gstreamer() -> None:
    told = with_system_opencv(
        "import json\n"
        "from edgeseg.sources import SourceOptions\n"
        "from edgeseg.sources.csi import open_csi\n"
        "source = open_csi(0, SourceOptions(size_px=(320, 240), fps=25.0),\n"
        "                  source='videotestsrc is-live=true pattern=red')\n"
        "frames = [source.read() for _ in range(10)]\n"
        "source.close()\n"
        "print(json.dumps([source.info.size_px, source.info.live, source.info.fps,\n"
        "                  frames[-1].image[100, 100].tolist(), frames[-1].index]))\n"
    )
    size_px, live, fps, colour, index = told
    assert (size_px, live, fps, index) == ([320, 240], True, 25.0, 9)
    assert colour == pytest.approx([0, 0, 255], abs=4)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nvarguscamerasrc", "GStreamer has no nvarguscamerasrc"),
        ("videotestsrc bad=1", "no frame came"),
    ],
)
def test_a_pipeline_that_does_not_start_is_an_open_error(source: str, words: str) -> None:
    if source == "nvarguscamerasrc" and not lacks_element(source):
        pytest.skip("this machine has Argus, or no gst-inspect-1.0: apt install gstreamer1.0-tools")
    kind, text = with_system_opencv(
        "import json\n"
        "from edgeseg.errors import EdgesegError\n"
        "from edgeseg.sources import SourceOptions\n"
        "from edgeseg.sources.csi import open_csi\n"
        f"try:\n    open_csi(0, SourceOptions(open_timeout_s=0.5), source={source!r})\n"
        "except EdgesegError as error:\n"
        "    print(json.dumps([type(error).__name__, str(error)]))\n"
    )
    assert kind == "SourceOpenError"
    assert words in text
