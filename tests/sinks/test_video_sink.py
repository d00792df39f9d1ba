"""The video sink: what it writes can be played, whole or killed."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from edgeseg.errors import SinkError
from edgeseg.sinks import make_sink
from edgeseg.types import Detections, Frame, Result

ROOT = Path(__file__).parents[2]


def scene(index, size_px=(96, 64)):
    """Grey that gets lighter with each frame, with a coloured square."""
    image = np.full((size_px[1], size_px[0], 3), 40 + 3 * index % 180, np.uint8)
    image[8:40, 8:40] = (30, 60, 200)
    return image


def record(sink, run, frames):
    sink.open(run)
    for index, (image, time_s) in enumerate(frames):
        sink.write(Result(Frame(image, index, time_s), Detections.empty(), ()), image)
    return sink.close()


def frames_of_a_torn_file(path):
    """Count the frames a player shows until the place where the file ends."""
    count = 0
    with av.open(str(path)) as container:
        try:
            for _ in container.decode(video=0):
                count += 1
        except av.InvalidDataError:
            pass
    return count


def played(path):
    """Give pictures (BGR), times and the stream's facts."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoded = list(container.decode(stream))
        facts = {
            "rate": stream.average_rate,
            "duration_s": (container.duration or 0) / 1e6,
            "codec": stream.codec_context.name,
            "pix_fmt": stream.codec_context.pix_fmt,
            "size": (stream.width, stream.height),
            "colours": (
                int(stream.codec_context.colorspace),
                int(stream.codec_context.color_range),
                int(stream.codec_context.color_primaries),
                int(stream.codec_context.color_trc),
            ),
        }
        images = [frame.to_ndarray(format="bgr24") for frame in decoded]
        times = [frame.time for frame in decoded]
    return images, times, facts


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "avi", "webm"])
def test_frames_rate_duration_and_colours_come_back(tmp_path, run_info, ending):
    path = record(
        make_sink(f"{tmp_path}/out.{ending}"),
        run_info(fps=25.0),
        [(scene(i), i / 25) for i in range(40)],
    )
    assert [entry.name for entry in tmp_path.iterdir()] == [f"out.{ending}"]
    images, times, facts = played(path)
    assert len(images) == 40
    assert facts["rate"] == 25
    assert facts["duration_s"] == pytest.approx(1.6, abs=0.002)
    assert facts["pix_fmt"] == "yuv420p"
    assert times == pytest.approx([i / 25 for i in range(40)], abs=0.001)
    for index in (0, 20, 39):
        difference = np.abs(images[index][2:-2, 2:-2].astype(int) - scene(index)[2:-2, 2:-2])
        assert np.median(difference) <= 3
        inside = np.abs(images[index][14:34, 14:34].astype(int) - (30, 60, 200))
        assert inside.mean() <= 6


@pytest.mark.parametrize("rate", [10.0, 23.976, 29.97002997, 59.94005994])
def test_the_rate_of_the_source_is_kept(tmp_path, run_info, rate):
    path = record(
        make_sink(f"{tmp_path}/out.mp4"),
        run_info(fps=rate),
        [(scene(i), i / rate) for i in range(60)],
    )
    _, _, facts = played(path)
    assert float(facts["rate"]) == pytest.approx(rate, rel=1e-4)
    assert facts["duration_s"] == pytest.approx(60 / rate, abs=0.002)


@pytest.mark.parametrize("libavformat", [(60, 16, 100), (61, 7, 100)])
def test_older_ffmpeg_makes_videos_too(tmp_path, run_info, monkeypatch, libavformat):
    if av.library_versions["libavformat"] < libavformat:
        pytest.skip("FFmpeg is older than this")
    monkeypatch.setitem(av.library_versions, "libavformat", libavformat)
    path = record(
        make_sink(f"{tmp_path}/out.mp4"),
        run_info(fps=25.0),
        [(scene(i), i / 25) for i in range(40)],
    )
    images, _, facts = played(path)
    assert len(images) == 40
    assert facts["duration_s"] == pytest.approx(1.6, abs=0.002)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_variable_rate_stays_variable(tmp_path, run_info, ending):
    times = [100.0, 100.04, 100.1, 101.5, 101.503, 104.0]
    path = record(
        make_sink(f"{tmp_path}/out.{ending}"),
        run_info(),
        [(scene(i), t) for i, t in enumerate(times)],
    )
    _, seen, facts = played(path)
    assert seen == pytest.approx([t - 100 for t in times], abs=0.0011)
    assert facts["duration_s"] == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi"])
def test_times_that_jump_back_do_not_stop_the_recording(tmp_path, run_info, ending):
    times = [0, 0.1, 0.2, 0.0, 0.1, 0.1, 0.1001]
    path = record(
        make_sink(f"{tmp_path}/out.{ending}"),
        run_info(fps=10.0),
        [(scene(i), t) for i, t in enumerate(times)],
    )
    images, seen, _ = played(path)
    assert len(images) == 7
    assert seen == sorted(set(seen))


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 5), (97, 63), (96, 63), (97, 64), (1, 300)])
def test_odd_sizes_lose_no_pixel(tmp_path, run_info, size):
    image = np.full((size[1], size[0], 3), 60, np.uint8)
    image[:, -1] = image[-1] = 200
    path = record(
        make_sink(f"video:{tmp_path}/out.mp4?crf=0"), run_info(fps=5.0), [(image, 0), (image, 0.2)]
    )
    images, _, facts = played(path)
    assert facts["size"] == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    got = images[1].astype(int)
    # The encoder rings a little at the edge, which is a step of 140.
    assert np.abs(got[: size[1], : size[0]] - image.astype(int)).max() <= 8
    # What was added repeats the edge.
    assert np.abs(got[size[1] :] - 200).max(initial=0) <= 8


def test_pictures_of_other_sizes_are_fitted_whole(tmp_path, run_info):
    wide, tall = np.full((64, 96, 3), 90, np.uint8), np.full((200, 50, 3), 180, np.uint8)
    path = record(
        make_sink(f"{tmp_path}/out.mp4"),
        run_info(fps=5.0),
        [(wide, 0), (tall, 0.2), (scene(0, (480, 320)), 0.4), (wide, 0.6)],
    )
    images, _, facts = played(path)
    assert facts["size"] == (96, 64)
    middle, border = images[1][:, 44:52], images[1][:, :36]
    assert abs(float(middle.mean()) - 180) <= 3
    assert float(border.mean()) <= 3
    assert abs(float(images[3].mean()) - 90) <= 2


def test_pictures_are_shown_a_second_each(tmp_path, run_info):
    frames = [(scene(i), 0.0) for i in range(3)]
    path = record(make_sink(f"{tmp_path}/out.mp4"), run_info(pictures=True), frames)
    _, times, facts = played(path)
    assert times == pytest.approx([0, 1, 2])
    assert facts["duration_s"] == pytest.approx(3, abs=0.01)


def test_options_reach_the_encoder(tmp_path, run_info):
    frames = [
        (np.random.default_rng(i).integers(0, 256, (64, 96, 3), np.uint8), 0) for i in range(9)
    ]
    sizes = []
    for options in ("crf=10", "crf=45", "codec=mpeg4&fps=3"):
        path = record(make_sink(f"video:{tmp_path}/out.mp4?{options}"), run_info(), frames)
        sizes.append(Path(path).stat().st_size)
    assert sizes[0] > 2 * sizes[1]
    images, _, facts = played(path)
    assert (facts["codec"], facts["rate"], len(images)) == ("mpeg4", 3, 9)


@pytest.mark.parametrize(("height", "matrix"), [(576, 6), (720, 1)])
def test_the_matrix_is_tagged_and_is_the_one_used(tmp_path, run_info, height, matrix):
    image = np.full((height, 64, 3), (20, 200, 40), np.uint8)
    path = record(make_sink(f"{tmp_path}/out.mp4"), run_info(), [(image, 0)])
    _, _, facts = played(path)
    assert facts["colours"] == (matrix, 1, 1, 1)
    kr, kb = (0.299, 0.114) if matrix == 6 else (0.2126, 0.0722)
    luma = 16 + 219 / 255 * (kb * 20 + (1 - kr - kb) * 200 + kr * 40)
    with av.open(path) as container:
        frame = next(container.decode(video=0))
        assert abs(float(frame.to_ndarray()[: height // 2].mean()) - luma) <= 2


def test_without_the_best_encoder_the_next_one_is_taken(tmp_path, run_info, monkeypatch):
    from edgeseg.sinks import encoder

    monkeypatch.setattr(encoder, "_H264_FIRST", ("no_such_encoder", "h264_v4l2m2m", "mpeg4"))
    path = record(make_sink(f"{tmp_path}/out.mp4"), run_info(fps=5.0), [(scene(0), 0)] * 3)
    assert played(path)[2]["codec"] == "mpeg4"


def test_no_encoder_is_one_clear_error_and_leaves_nothing(tmp_path, run_info):
    with pytest.raises(SinkError, match=r"no encoder for 96x64 works \(no_such_encoder"):
        record(
            make_sink(f"video:{tmp_path}/out.mp4?codec=no_such_encoder"),
            run_info(),
            [(scene(0), 0)],
        )


def test_a_run_without_a_frame_leaves_nothing_and_keeps_the_old_file(tmp_path, run_info):
    (tmp_path / "out.mp4").write_bytes(b"old")
    sink = make_sink(f"{tmp_path}/out.mp4")
    sink.open(run_info())
    assert (tmp_path / "out.mp4.part").exists()
    assert sink.close() is None
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"old"


def test_a_place_that_cannot_be_written_is_known_at_open(tmp_path, run_info):
    (tmp_path / "file").touch()
    (tmp_path / "folder.mp4").mkdir()
    for place in (f"{tmp_path}/folder.mp4", f"{tmp_path}/file/out.mp4", "/proc/edgeseg/out.mp4"):
        sink = make_sink(place)
        with pytest.raises(SinkError, match=r"cannot be written|is a folder"):
            sink.open(run_info())
        assert sink.close() is None


def test_the_source_is_never_the_sink(tmp_path, run_info):
    (tmp_path / "clip.mp4").write_bytes(b"precious")
    with pytest.raises(SinkError, match="source itself"):
        make_sink(f"{tmp_path}/clip.mp4").open(run_info(name=f"{tmp_path}/clip.mp4"))


RECORDER = """
import json, os, resource, signal, sys
import numpy as np
from edgeseg.errors import SinkError
from edgeseg.sinks import RunInfo, make_sink
from edgeseg.sources.base import SourceInfo
from edgeseg.types import Detections, Frame, Result

path, limit, kill = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "kill"
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
rng = np.random.default_rng(0)
sink, told, index = make_sink(path), None, -1
try:
    sink.open(RunInfo(SourceInfo("clip", live=False, fps=25.0), (), "m"))
    for index in range(100):
        image = rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)
        sink.write(Result(Frame(image, index, index / 25), Detections.empty(), ()), image)
    if kill:
        os.kill(os.getpid(), signal.SIGKILL)
    place = sink.close()
except SinkError as error:
    place, told = sink.close(), str(error)
print(json.dumps({"place": place, "told": told, "written": index}))
"""


def record_elsewhere(path, limit=-1, mode="finish"):
    return subprocess.run(
        [sys.executable, "-c", RECORDER, str(path), str(limit), mode],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "avi"])
def test_a_killed_process_leaves_a_part_that_plays(tmp_path, ending):
    done = record_elsewhere(tmp_path / f"out.{ending}", mode="kill")
    assert done.returncode == -9
    assert [entry.name for entry in tmp_path.iterdir()] == [f"out.{ending}.part"]
    images, _, _ = played(tmp_path / f"out.{ending}.part")
    # At most what came since the last whole second is lost.
    assert 70 <= len(images) <= 100


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_full_disk_keeps_the_part_that_plays_and_says_so(tmp_path, ending):
    (tmp_path / f"out.{ending}").write_bytes(b"old")
    outcome = json.loads(record_elsewhere(tmp_path / f"out.{ending}", limit=250_000).stdout)
    assert 10 < outcome["written"] < 99
    assert outcome["place"] is None
    assert f"out.{ending}: no room to write (" in outcome["told"]
    assert f"What was written plays: {tmp_path}/out.{ending}.part" in outcome["told"]
    assert frames_of_a_torn_file(tmp_path / f"out.{ending}.part") > 10
    assert (tmp_path / f"out.{ending}").read_bytes() == b"old"


@pytest.mark.parametrize("limit", [0, 30])
def test_a_disk_that_was_full_at_the_start_leaves_nothing(tmp_path, limit):
    outcome = json.loads(record_elsewhere(tmp_path / "out.mp4", limit=limit).stdout)
    assert "no room to write" in outcome["told"]
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_while_the_index_is_written_leaves_no_half_video(tmp_path):
    whole = json.loads(record_elsewhere(tmp_path / "whole.mp4").stdout)
    size = Path(whole["place"]).stat().st_size
    outcome = json.loads(record_elsewhere(tmp_path / "out.mp4", limit=size - 10).stdout)
    assert outcome["written"] == 99
    assert "no room to write" in outcome["told"]
    assert not (tmp_path / "out.mp4").exists()
    assert len(played(tmp_path / "out.mp4.part")[0]) > 70


def test_real_frames_stay_recognisable(data_dir, tmp_path, run_info):
    with av.open(str(data_dir / "mot/PETS09-S2L1/vtest.avi")) as container:
        images = [
            f.to_ndarray(format="bgr24")
            for f, _ in zip(container.decode(video=0), range(20), strict=False)
        ]
    path = record(
        make_sink(f"{tmp_path}/out.mp4"),
        run_info(fps=10.0),
        [(image, i / 10) for i, image in enumerate(images)],
    )
    seen, _, facts = played(path)
    assert facts["rate"] == Fraction(10)
    error = np.mean([(a.astype(float) - b) ** 2 for a, b in zip(seen, images, strict=True)])
    assert 10 * np.log10(255**2 / error) > 30
