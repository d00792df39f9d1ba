"""Cameras: their modes, their errors, and a whole run against a preloaded V4L2 driver."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgeseg.errors import SourceOpenError
from edgeseg.sources import SourceOptions, open_source, v4l2
from edgeseg.sources.cameras import choose_mode, holders, list_cameras
from edgeseg.sources.v4l2 import FormatModes, FrameSizeMode

FULL, HD, VGA, QVGA = (1920, 1080), (1280, 720), (640, 480), (320, 240)


def modes(fourcc: str, **rates: tuple[float, ...]) -> FormatModes:
    sizes = {"full": FULL, "hd": HD, "vga": VGA, "qvga": QVGA}
    return FormatModes(
        fourcc, fourcc, tuple(FrameSizeMode(sizes[name], fps) for name, fps in rates.items())
    )


WEBCAM = (
    modes("YUYV", full=(5,), hd=(10, 5), vga=(30, 15), qvga=(30, 15)),
    modes("MJPG", full=(30,), hd=(60, 30), vga=(60, 30), qvga=(120, 60)),
    modes("H264", full=(30,)),
)


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ({}, ("MJPG", HD, 30)),
        ({"size_px": VGA}, ("MJPG", VGA, 30)),
        ({"size_px": (650, 470)}, ("MJPG", VGA, 30)),
        ({"size_px": (9999, 9999)}, ("MJPG", FULL, 30)),
        ({"size_px": HD, "fps": 60.0}, ("MJPG", HD, 60)),
        ({"size_px": HD, "fps": 10.0}, ("YUYV", HD, 10)),
        ({"size_px": VGA, "fps": 20.0}, ("MJPG", VGA, 30)),
        ({"size_px": HD, "pixel_format": "YUYV"}, ("YUYV", HD, 10)),
        ({"size_px": VGA, "pixel_format": "yuyv", "fps": 15.0}, ("YUYV", VGA, 15)),
        ({"fps": 1000.0, "size_px": QVGA}, ("MJPG", QVGA, 120)),
    ],
)
def test_the_nearest_mode_is_chosen_and_mjpg_before_raw(wishes: Any, expected: Any) -> None:
    mode = choose_mode(WEBCAM, **wishes)
    assert (mode.fourcc, mode.size_px, mode.fps) == expected


def test_without_mjpg_raw_video_is_taken() -> None:
    assert choose_mode(WEBCAM[:1], size_px=VGA).fourcc == "YUYV"


def test_a_camera_that_lists_nothing_is_asked_as_wished() -> None:
    mode = choose_mode((), size_px=VGA, fps=5.0, pixel_format="YUYV")
    assert (mode.fourcc, mode.size_px, mode.fps) == ("YUYV", VGA, 5.0)
    assert choose_mode([FormatModes("YUYV", "", ())], size_px=VGA).fourcc == "YUYV"


def test_a_pixel_format_it_has_not_is_refused_with_those_it_has() -> None:
    with pytest.raises(SourceOpenError, match="YUYV, MJPG, H264"):
        choose_mode(WEBCAM, pixel_format="NV12")
    with pytest.raises(SourceOpenError, match="cannot be read"):
        choose_mode(WEBCAM[2:])


def test_a_range_of_sizes_is_offered_as_common_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    def driver(fd: int, code: int, buffer: bytearray) -> int:
        index = int.from_bytes(buffer[:4], sys.byteorder)
        if index > 0:
            raise OSError(22, "no more")
        numbers = {
            v4l2.ENUM_FMT: {44: int.from_bytes(b"YUYV", "little")},
            # stepwise: type 3, then widths 16 to 1280 by 16, heights 16 to 720 by 8
            v4l2.ENUM_FRAMESIZES: {8: 3, 12: 16, 16: 1280, 20: 16, 24: 16, 28: 720, 32: 8},
            # continuous: type 2, from 1/60 s to 1/1 s
            v4l2.ENUM_FRAMEINTERVALS: {16: 2, 20: 1, 24: 60, 28: 1, 32: 1},
        }[code]
        for offset, number in numbers.items():
            buffer[offset : offset + 4] = number.to_bytes(4, sys.byteorder)
        return 0

    (only,) = v4l2.formats(3, v4l2.CAP_VIDEO_CAPTURE, ioctl=driver)
    assert only.fourcc == "YUYV"
    assert {size.size_px for size in only.sizes} == {
        QVGA, (640, 360), VGA, HD, (800, 600),
    }  # fmt: skip
    assert only.sizes[0].fps == (60.0, 1.0)


def test_a_camera_that_is_not_there_is_refused_with_what_is_there() -> None:
    if Path("/dev/video61").exists():
        pytest.skip("this machine has a /dev/video61")
    for uri in (61, "61", "camera://61", "/dev/video61", "/dev/v4l/by-id/none"):
        with pytest.raises(SourceOpenError, match="no such camera") as caught:
            open_source(uri)
        assert caught.value.hint
    with pytest.raises(SourceOpenError, match="by number"):
        open_source("camera://front")
    with pytest.raises(ValueError, match="0 or more"):
        open_source(-1)


def test_a_file_that_is_no_camera_is_refused(tmp_path: Path) -> None:
    (tmp_path / "video0").write_bytes(b"")
    with pytest.raises(SourceOpenError, match="not a camera"):
        open_source(f"camera://{tmp_path}/video0")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every device")
def test_a_camera_without_permission_names_the_group(tmp_path: Path) -> None:
    (tmp_path / "video0").touch(mode=0)
    with pytest.raises(SourceOpenError, match="group video"):
        open_source(f"camera://{tmp_path}/video0")


def test_cameras_of_this_machine_can_be_listed(tmp_path: Path) -> None:
    assert list_cameras(tmp_path) == []
    assert [camera.path for camera in list_cameras()] == sorted(
        (str(path) for path in Path("/dev").glob("video*") if path.name[5:].isdigit()
         and str(path) in {camera.path for camera in list_cameras()}),
        key=lambda path: int(path[10:]),
    )  # fmt: skip


def test_a_process_that_holds_a_device_is_named(tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.touch()
    assert holders(device) == []
    with device.open() as file, subprocess.Popen(["/bin/sleep", "30"], stdin=file) as sleeper:
        assert holders(device) == [f"sleep (process {sleeper.pid})"]
        sleeper.kill()


def test_layouts_and_codes_are_the_kernels(tmp_path: Path) -> None:
    program = tmp_path / "codes.c"
    program.write_text(
        "#include <linux/videodev2.h>\n#include <stdio.h>\n#include <stddef.h>\n"
        'int main(void) { printf("%lu %lu %lu %lu %zu %zu %zu %zu", '
        "(unsigned long)VIDIOC_QUERYCAP, (unsigned long)VIDIOC_ENUM_FMT, "
        "(unsigned long)VIDIOC_ENUM_FRAMESIZES, (unsigned long)VIDIOC_ENUM_FRAMEINTERVALS, "
        "offsetof(struct v4l2_capability, device_caps), "
        "offsetof(struct v4l2_fmtdesc, pixelformat), "
        "offsetof(struct v4l2_frmsizeenum, discrete), "
        "offsetof(struct v4l2_frmivalenum, discrete)); return 0; }\n"
    )
    compiled(["-o", str(tmp_path / "codes"), str(program)])
    told = subprocess.run([tmp_path / "codes"], capture_output=True, check=True, text=True).stdout
    codes = (v4l2.QUERYCAP, v4l2.ENUM_FMT, v4l2.ENUM_FRAMESIZES, v4l2.ENUM_FRAMEINTERVALS)
    assert [int(number) for number in told.split()] == [*codes, 88, 44, 12, 20]


def compiled(arguments: list[str]) -> None:
    compiler = shutil.which("cc")
    if compiler is None or not Path("/usr/include/linux/videodev2.h").exists():
        pytest.skip("no C compiler with the kernel's headers")
    subprocess.run([compiler, "-O1", *arguments], check=True, timeout=60)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The preloaded driver of fake_v4l2.c."""
    library = tmp_path_factory.mktemp("driver") / "fake_v4l2.so"
    source = Path(__file__).with_name("fake_v4l2.c")
    compiled(["-shared", "-fPIC", "-Wall", "-Werror", "-o", str(library), str(source), "-ldl"])
    return library


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    device = tmp_path / "video0"
    device.touch()
    picture = np.full((480, 640, 3), (30, 60, 200), np.uint8)
    cv2.imwrite(f"{device}.jpg", picture)
    return device


def run_with(driver: Path, camera: Path, code: str) -> Any:
    """Run code that prints JSON, in a process where `camera` is a V4L2 device."""
    begin = (
        "import json, sys, time\nfrom pathlib import Path\n"
        "from edgeseg.errors import EdgesegError\n"
        "from edgeseg.sources import SourceOptions, open_source\n"
        "from edgeseg.sources.cameras import list_cameras\n"
        f"device = Path({str(camera)!r})\nuri = f'camera://{{device}}'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", begin + code],
        env={**os.environ, "LD_PRELOAD": str(driver), "OPENCV_LOG_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_camera_is_listed_with_all_its_modes(driver: Path, camera: Path) -> None:
    (camera.parent / "video1").touch()
    (camera.parent / "video1.meta").touch()
    links = camera.parent / "v4l/by-id"
    links.mkdir(parents=True)
    (links / "usb-Fake-index0").symlink_to(camera)
    told = run_with(
        driver,
        camera,
        "from dataclasses import asdict\n"
        "print(json.dumps([asdict(camera) for camera in list_cameras(device.parent)]))",
    )
    assert told == [
        {
            "path": str(camera),
            "name": "Fake Camera",
            "driver": "fake",
            "bus": "usb-fake-1",
            "by_id": str(links / "usb-Fake-index0"),
            "problem": None,
            "formats": [
                {
                    "fourcc": "YUYV",
                    "description": "YUYV 4:2:2",
                    "sizes": [
                        {"size_px": [320, 240], "fps": [60.0]},
                        {"size_px": [640, 480], "fps": [30.0]},
                    ],
                },
                {
                    "fourcc": "MJPG",
                    "description": "Motion-JPEG",
                    "sizes": [{"size_px": [640, 480], "fps": [30.0]}],
                },
            ],
        }
    ]


READ = """
source = open_source(uri, SourceOptions({options}))
frames = [source.read() for _ in range(12)]
source.close()
print(json.dumps({{
    "size": source.info.size_px, "live": source.info.live, "fps": source.info.fps,
    "middle": [frame.image[200, 100].tolist() for frame in frames],
    "index": [frame.index for frame in frames]}}))
"""


def test_a_camera_gives_frames_as_mjpg(driver: Path, camera: Path) -> None:
    told = run_with(driver, camera, READ.format(options=""))
    assert (told["size"], told["live"], told["fps"]) == ([640, 480], True, 30)
    np.testing.assert_allclose(told["middle"], [[30, 60, 200]] * 12, atol=6)
    assert told["index"] == list(range(12))


def test_a_camera_gives_the_mode_that_was_asked_for(driver: Path, camera: Path) -> None:
    told = run_with(
        driver, camera, READ.format(options="size_px=(320, 240), pixel_format='YUYV', fps=60.0")
    )
    assert (told["size"], told["fps"]) == ([320, 240], 60)
    greys = [middle[1] for middle in told["middle"]]
    assert len(set(greys)) > 4  # the driver's brightness steps with every frame


def error_of(driver: Path, camera: Path) -> list[str]:
    return run_with(  # type: ignore[no-any-return]
        driver,
        camera,
        "try:\n    open_source(uri, SourceOptions(open_timeout_s=1))\n"
        "except EdgesegError as error:\n"
        "    print(json.dumps([type(error).__name__, str(error)]))",
    )


def test_a_busy_camera_names_who_has_it(driver: Path, camera: Path) -> None:
    Path(f"{camera}.busy").touch()
    with camera.open() as file, subprocess.Popen(["/bin/sleep", "30"], stdin=file) as sleeper:
        kind, text = error_of(driver, camera)
        sleeper.kill()
    assert kind == "SourceOpenError"
    assert "the camera is in use by " in text
    assert f"sleep (process {sleeper.pid})" in text


def test_a_metadata_node_is_no_camera(driver: Path, camera: Path) -> None:
    Path(f"{camera}.meta").touch()
    kind, text = error_of(driver, camera)
    assert kind == "SourceOpenError"
    assert "gives no pictures on this device file" in text


def test_a_camera_unplugged_and_plugged_in_again_goes_on(driver: Path, camera: Path) -> None:
    told = run_with(
        driver,
        camera,
        """
import threading
source = open_source(uri, SourceOptions(read_timeout_s=1))
before = [source.read().index for _ in range(5)]
gone = Path(f"{device}.gone")
gone.touch()
device.unlink()
def plug_in():
    gone.unlink()
    device.touch()
threading.Timer(1.0, plug_in).start()
begun = time.monotonic()
while source.reconnects == 0:
    frame = source.read()
after = [source.read().index for _ in range(5)]
source.close()
print(json.dumps([before, after, time.monotonic() - begun]))
""",
    )
    before, after, took_s = told
    assert before == sorted(before)
    assert after[0] > before[-1]
    assert took_s < 20


def test_a_camera_that_stays_away_is_lost(driver: Path, camera: Path) -> None:
    kind, text = run_with(
        driver,
        camera,
        """
source = open_source(uri, SourceOptions(read_timeout_s=1, reconnect_s=1))
source.read()
Path(f"{device}.gone").touch()
device.unlink()
try:
    while True:
        source.read()
except EdgesegError as error:
    print(json.dumps([type(error).__name__, str(error)]))
""",
    )
    assert kind == "SourceLostError"
    assert "lost" in text


def test_a_stream_refused_once_is_asked_for_again(driver: Path, camera: Path) -> None:
    Path(f"{camera}.refuse").touch()
    told = run_with(driver, camera, READ.format(options=""))
    assert told["index"] == list(range(12))
    assert not Path(f"{camera}.refuse").exists()


def test_empty_pictures_are_counted_and_no_loss(driver: Path, camera: Path) -> None:
    before, after, reconnects, drops = run_with(
        driver,
        camera,
        """
source = open_source(uri, SourceOptions(read_timeout_s=5))
before = source.read().index
picture = Path(f"{device}.jpg")
whole = picture.read_bytes()
picture.write_bytes(b"")
time.sleep(0.5)
part = Path(f"{device}.part")
part.write_bytes(whole)
part.replace(picture)
after = [source.read().index for _ in range(10)]
source.close()
print(json.dumps([before, after, source.reconnects, source.drops()]))
""",
    )
    assert after[-1] > before
    assert reconnects == 0
    assert drops["the camera sent an empty picture"] > 2


@pytest.mark.parametrize("file_stays", [True, False])
def test_an_unplugged_camera_is_called_gone_whoever_else_has_it_open(
    driver: Path, camera: Path, file_stays: bool
) -> None:
    with camera.open() as file, subprocess.Popen(["/bin/sleep", "30"], stdin=file) as sleeper:
        kind, text = run_with(
            driver,
            camera,
            f"""
import logging
lines = []
logging.getLogger("edgeseg.sources").addFilter(lambda line: lines.append(line.getMessage()))
source = open_source(uri, SourceOptions(read_timeout_s=1, reconnect_s=0.2))
source.read()
Path(f"{{device}}.gone").touch()
{file_stays} or device.unlink()
try:
    while True:
        source.read()
except EdgesegError as error:
    print(json.dumps([type(error).__name__, lines[0]]))
""",
        )
        sleeper.kill()
    assert kind == "SourceLostError"
    assert text == f"{camera}: the camera is gone; connecting again"


def test_options_reach_only_sources_they_concern(clip: Path) -> None:
    source = open_source(clip, SourceOptions(size_px=VGA, pixel_format="MJPG"))
    assert source.info.size_px == (160, 120)
    source.close()
