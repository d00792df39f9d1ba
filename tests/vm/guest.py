"""What edgeseg promises of cameras, checked on Linux's vivid driver.

Runs as root in the emulated PC that camera.sh boots; every check finds the
driver freshly loaded and works in an empty folder.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from guest_tools import (
    BARS,
    CAMERA,
    NET,
    RUN,
    Running,
    bars_of,
    control,
    edgeseg,
    load_driver,
    pictures_in,
    refused,
    shell,
    unload_driver,
)
from small_net import write_small_net

from edgeseg.sources import SourceOptions, open_source
from edgeseg.sources.cameras import READABLE

BY_PATH = "/dev/v4l/by-path/platform-vivid.0-video-index0"
SIZE_PX = (640, 360)

CHECKS: list[Callable[[], None]] = []


def check(promise: Callable[[], None]) -> Callable[[], None]:
    """Add a check; its name is the promise."""
    CHECKS.append(promise)
    return promise


@check
def the_emulated_cpu_has_no_avx() -> None:
    assert not re.search(r"^flags.* avx", Path("/proc/cpuinfo").read_text(), re.MULTILINE)


@check
def cameras_prints_the_camera_and_no_metadata_node() -> None:
    lines = edgeseg("cameras").stdout.splitlines()
    assert lines[0] == f"{CAMERA}  vivid  (vivid)", lines[:1]
    assert any(line.startswith("  YUYV  640x360 at ") and " 30 " in line for line in lines)
    assert sum(line.startswith("/dev") for line in lines) == 1


@check
def cameras_json_agrees_with_v4l2_ctl() -> None:
    (camera,) = json.loads(edgeseg("cameras", "--json").stdout)
    codes = re.findall(r"'(.{4})(?:-BE)?'", shell("v4l2-ctl", "-d", CAMERA, "--list-formats"))
    assert [each["fourcc"] for each in camera["formats"]] == [code.rstrip() for code in codes]
    yuyv = camera["formats"][0]["sizes"]
    told = shell("v4l2-ctl", "-d", CAMERA, "--list-framesizes", "YUYV")
    sizes = [[int(side) for side in pair] for pair in re.findall(r"(\d+)x(\d+)", told)]
    assert [each["size_px"] for each in yuyv] == sizes
    mode = "width=640,height=360,pixelformat=YUYV"
    told = shell("v4l2-ctl", "-d", CAMERA, "--list-frameintervals", mode)
    rates = [float(rate) for rate in re.findall(r"\(([\d.]+) fps\)", told)]
    assert yuyv[sizes.index(list(SIZE_PX))]["fps"] == sorted(rates, reverse=True)


@check
def a_run_writes_the_pictures_of_the_camera() -> None:
    begun_s = time.monotonic()
    done = edgeseg(
        *RUN, "--camera", "0", "--max-frames", "20", "--sink", "x.mp4", "--sink", "x.jsonl"
    )
    took_s = time.monotonic() - begun_s
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in Path("x.jsonl").read_text().splitlines()]
    images = pictures_in("x.mp4")
    assert len(lines) == len(images) == 20, (len(lines), len(images))
    assert {image.shape for image in images} == {(360, 640, 3)}
    assert all(bars_of(image) == BARS for image in images), bars_of(images[0])
    first, last = lines[0], lines[-1]
    span_s = last["time_s"] - first["time_s"]
    assert first["time_s"] < 2, first  # the network's loading is no part of the run
    assert 0.3 < span_s < took_s
    assert 10 < (last["frame"] - first["frame"]) / span_s < 32, (first, last)
    # MJPG, which comes first, is what vivid has not.
    chosen = shell("v4l2-ctl", "-d", CAMERA, "--get-fmt-video")
    assert "'YUYV'" in chosen, chosen
    assert "640/360" in chosen, chosen


@check
def every_pixel_format_gives_the_same_colours() -> None:
    offered = set(re.findall(r"'(.{4})'", shell("v4l2-ctl", "-d", CAMERA, "--list-formats")))
    wrong = {}
    for code in [code for code in READABLE if code in offered]:
        source = open_source(0, SourceOptions(size_px=SIZE_PX, pixel_format=code))
        frame = source.read()
        source.close()
        assert frame is not None
        assert frame.size_px == SIZE_PX
        grey = [float(value) for value in frame.image[180, 40::80].mean(axis=1)]
        good = (
            grey == sorted(grey, reverse=True) if code == "GREY" else bars_of(frame.image) == BARS
        )
        if not (good and 60 < frame.image.mean() < 110):
            wrong[code] = (bars_of(frame.image), float(frame.image.mean()))
    assert not wrong, wrong


@check
def the_nearest_size_and_the_rate_asked_for_are_given() -> None:
    source = open_source(0, SourceOptions(size_px=(650, 350), fps=15.0))
    frames = [source.read() for _ in range(20)]
    source.close()
    last = frames[-1]
    assert last is not None
    assert (source.info.size_px, source.info.fps) == (SIZE_PX, 15.0)
    assert 12 < last.index / last.time_s < 17, (last.index, last.time_s)


@check
def a_multiplanar_camera_is_listed_and_read() -> None:
    unload_driver()
    load_driver(planar=2)
    (camera,) = json.loads(edgeseg("cameras", "--json").stdout)
    assert {"YUYV", "NV12"} <= {each["fourcc"] for each in camera["formats"]}
    source = open_source(0, SourceOptions(size_px=SIZE_PX))
    frame = source.read()
    source.close()
    assert frame is not None
    assert bars_of(frame.image) == BARS, bars_of(frame.image)


@check
def a_camera_is_found_by_its_lasting_name() -> None:
    done = edgeseg(*RUN, "--camera", BY_PATH, "--max-frames", "3", "--sink", "null:")
    assert done.returncode == 0, done.stderr
    assert BY_PATH in done.stderr


@check
def what_cannot_be_read_is_refused_with_one_error() -> None:
    run = [*RUN, "--sink", "null:", "--camera"]
    there = f"{CAMERA} (vivid)"
    refused(edgeseg(*run, "7"), "/dev/video7: no such camera", there)
    refused(edgeseg(*run, "/dev/v4l/by-path/none"), "no such camera", there)
    refused(edgeseg(*run, "1"), "gives no pictures on this device file", there)
    refused(edgeseg(*run, "0", "--pixel-format", "MJPG"), "no pixel format MJPG", "YUYV")


@check
def an_ordinary_user_is_told_of_the_group() -> None:
    ordinary = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "env",
        "HOME=/tmp/nobody",
    ]
    run = [*RUN, "--sink", "null:", "--camera", "0"]
    refused(edgeseg(*run, before=ordinary), "no permission", "usermod -aG video")
    listed = edgeseg("cameras", before=ordinary)
    assert listed.returncode == 0
    assert "no permission: add the user to the group video" in listed.stdout


@check
def a_second_reader_is_told_who_has_the_camera() -> None:
    with Running() as first:
        first.more(5)
        second = edgeseg(*RUN, "--camera", "0", "--sink", "null:")
        refused(second, "is in use by python3 (process", "fuser -v")
        first.more(5)
        assert "connecting again" not in first.stop()


@check
def sigterm_ends_a_live_run_in_order_with_whole_files() -> None:
    with Running("--sink", "x.mp4", "--sink", "x.jsonl") as run:
        run.more(10)
        log = run.stop()
    count = len(run.lines)
    assert len(pictures_in("x.mp4")) == count
    assert len(Path("x.jsonl").read_text().splitlines()) == count
    assert not list(Path().glob("*.part"))
    assert "x.mp4" in log


@check
def a_short_disconnection_is_survived() -> None:
    with Running("--sink", "x.mp4") as run:
        run.more(10)
        control("disconnect")
        run.more(10)
        log = run.stop()
    assert log.count(f"{CAMERA}: the camera is gone; connecting again") == 1, log
    assert log.count("connected again") == 1, log
    assert "WARN" not in log, log
    assert all(bars_of(image) == BARS for image in pictures_in("x.mp4"))


@check
def a_camera_that_stays_away_for_seconds_is_waited_for() -> None:
    with Running() as run:
        run.more(5)
        # vivid comes back when the last program has closed it.
        with Path(CAMERA).open("rb", buffering=0):
            control("disconnect")
            time.sleep(5)
        gone = len(run.lines)
        run.more(10)
        log = run.stop()
    assert "no such camera (attempt 1)" in log, log
    assert "connected again" in log, log
    assert run.lines[gone]["time_s"] - run.lines[gone - 1]["time_s"] > 4


@check
def a_camera_plugged_in_under_another_number_is_found_by_its_lasting_name() -> None:
    with Running(camera=BY_PATH) as run:
        run.more(5)
        unload_driver()
        time.sleep(2)
        load_driver(number=3)
        assert Path(BY_PATH).resolve() == Path("/dev/video3")
        run.more(10)
        assert "connected again" in run.stop()


@check
def a_camera_that_never_returns_ends_the_run_with_code_4() -> None:
    with Running("--reconnect", "3", "--sink", "x.mp4") as run:
        run.more(10)
        unload_driver()
        begun_s = time.monotonic()
        code = run.wait(within_s=20)
        took_s = time.monotonic() - begun_s
    assert code == 4, run.log
    assert run.log.count("lost, nothing came for") == 1, run.log
    assert "Traceback" not in run.log
    assert took_s < 8, took_s
    assert len(pictures_in("x.mp4")) == len(run.lines)


@check
def a_camera_that_falls_silent_ends_the_run_with_code_4() -> None:
    with Running("--reconnect", "3") as run:
        run.more(5)
        control("percentage_of_dropped_buffers", 100)
        code = run.wait(within_s=40)
    assert code == 4, run.log
    assert run.log.count("lost, nothing came for") == 1, run.log
    assert "WARN" not in run.log, run.log


@check
def dropped_and_faulty_buffers_do_not_break_the_connection() -> None:
    with Running() as run:
        run.more(5)
        control("percentage_of_dropped_buffers", 60)
        run.more(10)
        control("percentage_of_dropped_buffers", 0)
        control("inject_v4l2_buf_flag_error")
        run.more(10)
        control("inject_vidioc_qbuf_error")
        run.more(10)
        assert "connecting again" not in run.stop(), run.log


@check
def a_fatal_streaming_error_is_survived() -> None:
    with Running() as run:
        run.more(5)
        control("inject_fatal_streaming_error")
        run.more(10)
        log = run.stop()
    assert "gives no pictures; connecting again" in log, log
    assert "connected again" in log, log


@check
def a_driver_that_refuses_once_is_asked_again() -> None:
    for error in ("inject_vidioc_streamon_error", "inject_vidioc_reqbufs_error"):
        control(error)
        done = edgeseg(*RUN, "--camera", "0", "--max-frames", "3", "--sink", "null:")
        assert done.returncode == 0, f"{error}: {done.stderr}"
        assert "WARN" not in done.stderr, done.stderr


def passes(promise: Callable[[], None]) -> bool:
    """Run one check in an empty folder with a fresh driver, and print its line."""
    name = promise.__name__.replace("_", " ")
    begun_s = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            Path(folder).chmod(0o755)
            unload_driver()
            load_driver()
            promise()
    except Exception:  # noqa: BLE001 - the other checks go on
        print(f"FAIL {name}\n{traceback.format_exc()}")
        return False
    finally:
        os.chdir("/")
    print(f"PASS {name} ({time.monotonic() - begun_s:.0f} s)")
    return True


def main() -> None:
    """Run all checks; the last line is the verdict."""
    NET.mkdir()
    write_small_net(NET)
    failed = [promise for promise in CHECKS if not passes(promise)]
    print(f"{len(failed)} of {len(CHECKS)} failed" if failed else f"all passed: {len(CHECKS)}")


if __name__ == "__main__":
    main()
