"""Video files: every frame, in order, upright, in the right colours, however broken."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeseg.errors import SourceError, SourceOpenError
from edgeseg.sources import SourceOptions, open_source
from edgeseg.sources.decoding import PictureConverter
from edgeseg.sources.video import CORRUPT, CUT_OFF
from edgeseg.types import Frame

# ISO/IEC 23001-8 code points: matrix, and swscale's own for the encoder's side.
BT709, BT601 = 1, 5
LIMITED, FULL = 1, 2


def frames_of(path: Path, **options: Any) -> tuple[list[Frame], Any]:
    source = open_source(path, SourceOptions(**options))
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    source.close()
    return frames, source


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mkv", "libx264", "yuv420p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.mp4", "libx264", "yuv420p10le"),
        ("a.mkv", "ffv1", "gray"),
        ("a.mkv", "ffv1", "gray16le"),
        ("a.mkv", "ffv1", "bgr0"),
        ("a.avi", "mjpeg", "yuvj420p"),
        ("a.avi", "rawvideo", "bgr24"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.mov", "prores_ks", "yuv422p10le"),
        ("a.gif", "gif", "rgb8"),
    ],
)
def test_every_frame_comes_in_order(
    tmp_path: Path,
    write_clip: Any,
    scene: Any,
    read_number: Any,
    name: str,
    codec: str,
    pix_fmt: str,
) -> None:
    path = write_clip(tmp_path / name, [scene(i) for i in range(24)], codec=codec, pix_fmt=pix_fmt)
    if path.suffix == ".gif":  # a .gif is taken for a picture: its first frame
        frames, source = frames_of(path)
        assert (len(frames), source.info.pictures) == (1, True)
        return
    frames, source = frames_of(path)
    assert [frame.index for frame in frames] == list(range(24))
    assert [read_number(frame.image) for frame in frames] == [i % 8 for i in range(24)]
    np.testing.assert_allclose([f.time_s for f in frames], np.arange(24) / 25, atol=2e-3)
    assert source.info.frame_count == 24
    assert source.info.fps == pytest.approx(25, rel=0.01)
    assert source.info.size_px == (160, 120)
    assert not source.info.live
    assert source.drops() == {}


@pytest.mark.parametrize("size_px", [(1, 1), (3, 5), (161, 121), (333, 2)])
def test_odd_sizes_are_kept(tmp_path: Path, write_clip: Any, size_px: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (size_px[1], size_px[0], 3), dtype=np.uint8)
    path = write_clip(tmp_path / "odd.mkv", [picture] * 3, codec="ffv1", pix_fmt="bgr0")
    frames, source = frames_of(path)
    assert source.info.size_px == size_px
    np.testing.assert_array_equal(frames[-1].image, picture)


def test_variable_frame_rate_keeps_its_times(tmp_path: Path, write_clip: Any, scene: Any) -> None:
    times_ms = [500, 540, 700, 1500, 1510, 4000]
    path = write_clip(tmp_path / "vfr.mkv", [scene(i) for i in range(6)], times_ms=times_ms)
    frames, _ = frames_of(path)
    expected = [(ms - 500) / 1000 for ms in times_ms]
    np.testing.assert_allclose([f.time_s for f in frames], expected, atol=1.1e-3)


@pytest.mark.parametrize(
    ("a", "b", "c", "d"), [(0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0), (1, 0, 0, 1)]
)
def test_rotation_of_the_display_matrix_is_honoured(
    tmp_path: Path, write_clip: Any, a: int, b: int, c: int, d: int
) -> None:
    picture = np.zeros((96, 160, 3), np.uint8)
    picture[:48, :80] = (255, 255, 255)
    path = write_clip(tmp_path / "turned.mp4", [picture] * 3)
    data = bytearray(path.read_bytes())
    # ISO/IEC 14496-12: the matrix starts 44 bytes after the box's type (version 0).
    start = data.index(b"tkhd") + 44
    one = [value * 0x10000 for value in (a, b, 0, c, d, 0, 0, 0)] + [0x40000000]
    data[start : start + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in one)
    path.write_bytes(data)

    frames, source = frames_of(path)
    image = frames[0].image

    # By definition (x, y) goes to (a x + c y, b x + d y); the picture is then
    # shifted back to start at (0, 0).
    white = np.array([[a * x + c * y, b * x + d * y] for x, y in ((0, 0), (80, 48))])
    corners = np.array([[a * x + c * y, b * x + d * y] for x, y in ((0, 0), (160, 96))])
    left, top = (white - corners.min(axis=0)).min(axis=0)
    right, bottom = (white - corners.min(axis=0)).max(axis=0)
    width, height = np.ptp(corners, axis=0)
    assert source.info.size_px == (width, height)
    inside = np.zeros((height, width), bool)
    inside[top:bottom, left:right] = True
    assert image[inside].mean() > 245
    assert image[~inside].mean() < 10


@pytest.mark.parametrize("matrix", [BT601, BT709])
@pytest.mark.parametrize("value_range", [LIMITED, FULL])
def test_colours_follow_matrix_and_range_of_the_stream(
    tmp_path: Path, write_clip: Any, matrix: int, value_range: int
) -> None:
    colours = [(0, 0, 0), (255, 255, 255), (0, 0, 255), (0, 255, 0), (255, 0, 0), (40, 90, 200)]
    pictures = [np.full((64, 64, 3), colour, np.uint8) for colour in colours]
    path = write_clip(
        tmp_path / "colour.mkv",
        pictures,
        pix_fmt="yuv444p",
        color=(matrix, value_range),
        options={"qp": "0", "preset": "ultrafast"},
    )
    with av.open(str(path)) as container:
        stored = next(container.decode(video=0))
        assert stored.color_range == value_range
    frames, _ = frames_of(path)
    for frame, colour in zip(frames, colours, strict=True):
        np.testing.assert_allclose(frame.image[32, 32], colour, atol=4)


def test_limited_range_is_stretched_and_full_range_is_not(tmp_path: Path) -> None:
    for pix_fmt, expected in (("yuv420p", (0, 255)), ("yuvj420p", (16, 235))):
        path = tmp_path / f"{pix_fmt}.mkv"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("ffv1" if pix_fmt == "yuv420p" else "mjpeg", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 64, pix_fmt
            for number, luma in enumerate((16, 235)):
                planes = np.full((96, 64), 128, np.uint8)
                planes[:64] = luma
                frame = av.VideoFrame.from_ndarray(planes, format=pix_fmt)
                frame.pts = number
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        frames, _ = frames_of(path)
        assert [int(f.image.mean().round()) for f in frames] == pytest.approx(expected, abs=2)


@pytest.mark.parametrize("reserved", [3, 65])
def test_a_reserved_matrix_code_counts_as_the_usual_one(reserved: int) -> None:
    frame = av.VideoFrame.from_ndarray(
        np.full((48, 64, 3), (200, 60, 30), np.uint8), format="bgr24"
    )
    frame = frame.reformat(format="yuv420p")
    usual = PictureConverter().bgr(frame)
    frame.colorspace = reserved
    np.testing.assert_array_equal(PictureConverter().bgr(frame), usual)


def test_frames_own_their_pictures(clip: Path, read_number: Any) -> None:
    frames, _ = frames_of(clip)
    for frame in frames[::2]:
        frame.image[:] = 0
    assert [read_number(frame.image) for frame in frames[1::2]] == [i % 8 for i in range(1, 60, 2)]
    assert all(frame.image.flags.c_contiguous for frame in frames)


def test_painting_on_a_frame_does_not_reach_the_decoder(
    tmp_path: Path, write_clip: Any, scene: Any
) -> None:
    # QuickTime RLE repeats what the last frame shows, out of that very frame.
    path = write_clip(tmp_path / "p.mov", [scene(3)] * 4, codec="qtrle", pix_fmt="rgb24")
    source = open_source(path)
    pictures = []
    while (frame := source.read()) is not None:
        pictures.append(frame.image.copy())
        frame.image[:] = 7
    source.close()
    for picture in pictures:
        np.testing.assert_array_equal(picture, scene(3))


def test_half_a_file_gives_what_is_there_and_ends(clip: Path, read_number: Any) -> None:
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) * 6 // 10])
    frames, source = frames_of(clip)
    assert 5 < len(frames) < 60
    assert [read_number(frame.image) for frame in frames] == [i % 8 for i in range(len(frames))]
    drops = source.drops()
    assert len(frames) + sum(drops.values()) == 60
    assert drops[CUT_OFF] > 0


def test_half_an_avi_tells_how_much_is_missing(data_dir: Path, tmp_path: Path) -> None:
    data = (data_dir / "mot/PETS09-S2L1/vtest.avi").read_bytes()
    path = tmp_path / "half.avi"
    path.write_bytes(data[: len(data) // 16])
    frames, source = frames_of(path)
    assert 20 < len(frames) < 100
    assert len(frames) + sum(source.drops().values()) == 795


def test_corrupt_packets_in_the_middle_are_counted_and_survived(clip: Path) -> None:
    with av.open(str(clip)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(clip.read_bytes())
    for position, size in packets[21:24]:
        data[position : position + size] = b"\xff" * size
    clip.write_bytes(data)
    frames, source = frames_of(clip)
    assert source.drops()[CORRUPT] >= 3
    assert len(frames) + source.drops()[CORRUPT] == 60
    assert frames[-1].time_s == pytest.approx(59 / 25)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (b"hello\n" * 100, "Invalid data"), (b"\0" * 5000, "Invalid data")],
)
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "no.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceOpenError, match=words):
        open_source(path)


def test_a_recording_without_its_index_is_refused_with_a_hint(
    tmp_path: Path, write_clip: Any, scene: Any
) -> None:
    path = write_clip(tmp_path / "a.mp4", [scene(0)] * 10)  # the index is at the end
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"moov") - 4])
    with pytest.raises(SourceOpenError, match="never finished"):
        open_source(path)


def test_sound_without_pictures_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(SourceOpenError, match="no video"):
        open_source(path)


def test_a_playlist_cannot_reach_the_network_or_other_protocols(tmp_path: Path, serve: Any) -> None:
    asked = []
    with serve(lambda request: asked.append(request.path)) as (port, _):
        path = tmp_path / "list.m3u8"
        path.write_text(
            "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n"
            f"http://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n"
        )
        with pytest.raises(SourceOpenError):
            open_source(path)
    assert asked == []


def test_a_name_with_a_colon_is_a_name(tmp_path: Path, clip: Path) -> None:
    odd = tmp_path / "http:x é [1].mp4"
    clip.rename(odd)
    assert len(frames_of(odd)[0]) == 60


def test_enormous_pictures_are_refused(tmp_path: Path) -> None:
    # A y4m header promises any size in a few bytes.
    path = tmp_path / "huge.y4m"
    path.write_bytes(b"YUV4MPEG2 W30000 H30000 F25:1 Ip C420\nFRAME\n" + b"\0" * 1000)
    with pytest.raises(SourceOpenError):
        open_source(path)


def test_loop_goes_on_for_ever(clip: Path, read_number: Any) -> None:
    source = open_source(clip, SourceOptions(loop=True))
    frames = [source.read() for _ in range(130)]
    assert [f.index for f in frames if f] == list(range(130))
    times = [f.time_s for f in frames if f]
    np.testing.assert_allclose(times, np.arange(130) / 25, atol=1e-6)
    assert [read_number(f.image) for f in frames if f][60:64] == [0, 1, 2, 3]
    source.close()
    assert source.read() is None


def test_close_from_another_thread_ends_the_reading(clip: Path) -> None:
    source = open_source(clip, SourceOptions(loop=True))
    threading.Timer(0.2, source.close).start()
    count = 0
    while source.read() is not None:
        count += 1
    assert count > 0
    source.close()
    assert source.read() is None


MUTATIONS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=60)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutations=MUTATIONS, cut=st.floats(0.05, 1), name=st.sampled_from(["a.mp4", "a.avi"]))
def test_no_damage_to_a_file_gets_past_the_error_types(
    tmp_path_factory: pytest.TempPathFactory, mutations: Any, cut: float, name: str
) -> None:
    data = bytearray(_sample(tmp_path_factory, name))
    for place, value in mutations:
        data[int(place * (len(data) - 1))] = value
    path = tmp_path_factory.getbasetemp() / f"mutated-{name}"
    path.write_bytes(data[: int(len(data) * cut)])
    try:
        frames, _ = frames_of(path)
    except SourceError:
        return
    assert all(b.time_s >= a.time_s for a, b in itertools.pairwise(frames))


@settings(max_examples=40, deadline=None)
@given(data=st.binary(max_size=3000))
def test_random_bytes_are_an_error_or_a_video(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "random.bin"
    path.write_bytes(data)
    with contextlib.suppress(SourceError):
        assert len(frames_of(path)[0]) > 0


_SAMPLES: dict[str, bytes] = {}


def _sample(factory: pytest.TempPathFactory, name: str) -> bytes:
    if name not in _SAMPLES:
        path = factory.mktemp("samples") / name
        codec = "libx264" if name.endswith("mp4") else "mpeg4"
        with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for number in range(20):
                picture = np.full((48, 64, 3), number * 10, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            container.mux(stream.encode())
        _SAMPLES[name] = path.read_bytes()
    return _SAMPLES[name]


@pytest.mark.needs_data
@pytest.mark.parametrize(
    ("name", "count", "size_px"),
    [
        ("mot/PETS09-S2L1/vtest.avi", 795, (768, 576)),
        ("mot/TUD-Stadtmitte/TUD-Stadtmitte.mp4", 179, (640, 480)),
        ("video/intel_car-detection.mp4", 377, (768, 432)),
        ("video/sam2_bedroom.mp4", 200, (960, 540)),
    ],
)
def test_real_clips_have_all_their_frames(
    data_dir: Path, name: str, count: int, size_px: tuple[int, int]
) -> None:
    frames = 0
    source = open_source(data_dir / name)
    while (frame := source.read()) is not None:
        frames += 1
        assert frame.size_px == size_px
    assert frames == count == source.info.frame_count
    assert source.drops() == {}


@pytest.mark.needs_data
def test_decoding_and_conversion_cost_under_two_milliseconds_of_cpu(data_dir: Path) -> None:
    source = open_source(data_dir / "mot/PETS09-S2L1/vtest.avi")
    costs = []
    for _ in range(4):
        begun_s = time.process_time()
        for _ in range(40):
            source.read()
        costs.append((time.process_time() - begun_s) / 40)
    source.close()
    # 0.5 ms on an idle machine; the best of four stands for a busy one.
    assert min(costs) < 2e-3
