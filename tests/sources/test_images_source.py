"""Pictures of every kind, in the order a person would put them."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.errors import SourceOpenError
from edgeseg.sources import SourceOptions, open_source
from edgeseg.sources.images import EXTENSIONS, UNREADABLE, is_cut_off, natural_key, read_picture


def quadrants() -> np.ndarray[Any, Any]:
    """An RGB picture, 40 wide and 24 high, white in its upper left quarter."""
    picture = np.zeros((24, 40, 3), np.uint8)
    picture[:12, :20] = 255
    return picture


def all_of(uri: str | Path, **options: Any) -> tuple[list[Any], Any]:
    source = open_source(uri, SourceOptions(**options))
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    source.close()
    return frames, source


def write_numbered(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((8, 8, 3), number * 10, np.uint8))


def test_a_folder_gives_its_pictures_in_natural_order(tmp_path: Path) -> None:
    write_numbered(tmp_path, "img10.png", "img2.png", "IMG1.PNG", "img02b.png")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "inner").mkdir()
    frames, source = all_of(tmp_path)
    names = [Path(frame.path).name for frame in frames]
    assert names == ["IMG1.PNG", "img2.png", "img02b.png", "img10.png"]
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert (source.info.frame_count, source.info.pictures, source.info.live) == (4, True, False)


def test_a_pattern_gives_what_it_names_and_goes_into_folders(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    write_numbered(tmp_path / "a", "1.png", "2.bmp")
    write_numbered(tmp_path / "a/b", "3.png")
    frames, _ = all_of(f"{tmp_path}/**/*.png")
    assert [Path(frame.path).name for frame in frames] == ["1.png", "3.png"]
    with pytest.raises(SourceOpenError, match="no picture has such a name"):
        open_source(f"{tmp_path}/*.tiff")


def test_a_name_with_brackets_is_first_a_name(tmp_path: Path) -> None:
    write_numbered(tmp_path, "a[1].png")
    frames, _ = all_of(tmp_path / "a[1].png")
    assert len(frames) == 1


def test_a_folder_without_pictures_says_what_pictures_are(tmp_path: Path) -> None:
    with pytest.raises(SourceOpenError) as caught:
        open_source(tmp_path)
    assert all(extension in str(caught.value) for extension in EXTENSIONS)


def test_rate_gives_pictures_their_times(tmp_path: Path) -> None:
    write_numbered(tmp_path, "1.png", "2.png", "3.png")
    frames, source = all_of(tmp_path, fps=4.0)
    assert [frame.time_s for frame in frames] == [0.0, 0.25, 0.5]
    assert source.info.fps == 4.0


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_exif_orientation_is_honoured(tmp_path: Path, orientation: int, suffix: str) -> None:
    # What the camera stored for an upright scene, by the definition of the tag
    # (TIFF 6.0, Orientation: where row 0 and column 0 lie).
    stored = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: p.transpose(1, 0, 2)[::-1],
        7: lambda p: p.transpose(1, 0, 2)[::-1, ::-1],
        8: lambda p: p.transpose(1, 0, 2)[:, ::-1],
    }[orientation](quadrants())
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a{suffix}"
    PIL.Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, quality=100)
    np.testing.assert_allclose(read_picture(path), quadrants(), atol=12)


def test_sixteen_bits_keep_the_upper_byte(tmp_path: Path) -> None:
    deep = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    for name, picture in (
        ("grey.png", deep),
        ("grey.tif", deep),
        ("bgr.png", np.dstack([deep] * 3)),
    ):
        cv2.imwrite(str(tmp_path / name), picture)
        got = read_picture(tmp_path / name)
        assert got.dtype == np.uint8
        assert got.shape == (64, 64, 3)
        np.testing.assert_allclose(got[:, :, 1].astype(int), deep >> 8, atol=1)


def test_pillow_alone_reads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    deep = np.random.default_rng(0).integers(0, 65536, (30, 40), dtype=np.uint16)
    PIL.Image.fromarray(rgb).save(tmp_path / "a.png")
    PIL.Image.fromarray(rgb).save(tmp_path / "a.jpg")
    cv2.imwrite(str(tmp_path / "deep.png"), deep)
    with_cv2 = {path: read_picture(path) for path in tmp_path.iterdir()}
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    for path, picture in with_cv2.items():
        np.testing.assert_allclose(
            read_picture(path).astype(int), picture.astype(int), atol=3, err_msg=path.name
        )


def test_grey_palette_alpha_bilevel_and_cmyk_become_bgr(tmp_path: Path) -> None:
    picture = PIL.Image.fromarray(quadrants())
    for mode, name in (
        ("L", "l.png"), ("P", "p.png"), ("RGBA", "rgba.png"), ("LA", "la.png"), ("1", "1.png"),
        ("CMYK", "cmyk.jpg"), ("L", "l.jpg"), ("P", "p.gif"), ("RGB", "rgb.webp"), ("RGB", "a.tif"),
        ("RGB", "a.bmp"), ("RGB", "a.ppm"), ("CMYK", "cmyk.tif"),
    ):  # fmt: skip
        picture.convert(mode).save(tmp_path / name)
        got = read_picture(tmp_path / name)
        np.testing.assert_allclose(got, quadrants(), atol=20, err_msg=name)


def test_an_animation_gives_its_first_picture(tmp_path: Path) -> None:
    first, second = PIL.Image.new("RGB", (16, 16), "white"), PIL.Image.new("RGB", (16, 16), "black")
    for name in ("a.gif", "a.webp", "a.png"):
        first.save(tmp_path / name, save_all=True, append_images=[second], duration=100)
        assert read_picture(tmp_path / name).mean() > 250, name


def test_unreadable_pictures_are_skipped_and_counted(tmp_path: Path) -> None:
    write_numbered(tmp_path, "1.png", "3.png", "6.png")
    (tmp_path / "2.png").write_bytes(b"")
    (tmp_path / "4.jpg").write_bytes(b"no picture at all")
    (tmp_path / "5.png").write_bytes((tmp_path / "3.png").read_bytes()[:-20])
    frames, source = all_of(tmp_path)
    assert [Path(frame.path).name for frame in frames] == ["1.png", "3.png", "6.png"]
    assert source.drops() == {UNREADABLE: 3}


@pytest.mark.parametrize(("content", "words"), [(b"", "empty"), (b"GIF89a", "not a picture")])
def test_an_only_picture_that_is_unreadable_is_an_error(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(SourceOpenError, match=words):
        open_source(path)


def test_half_a_picture_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for name in ("a.jpg", "a.png"):
        path = tmp_path / name
        exif = PIL.Image.Exif()
        PIL.Image.fromarray(noise).save(path, exif=exif)
        data = path.read_bytes()
        assert not is_cut_off(data)
        assert not is_cut_off(data + b"a maker's trailer")
        path.write_bytes(data[: len(data) // 2])
        with pytest.raises(SourceOpenError, match="cut off"):
            open_source(path)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    for width, height in ((12_000, 12_000), (60_000, 60_000)):
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        path = tmp_path / "bomb.png"
        path.write_bytes(
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", header)
            + chunk(b"IDAT", b"")
            + chunk(b"IEND", b"")
        )
        with pytest.raises(SourceOpenError, match="megapixels"):
            open_source(path)


def test_a_png_chunk_that_claims_gigabytes_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    PIL.Image.fromarray(quadrants()).save(file, "PNG")
    data = bytearray(file.getvalue())
    place = data.index(b"IDAT")
    data[place - 4] = 0xFF
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(SourceOpenError, match="cut off"):
        open_source(path)


def test_natural_order_puts_two_before_ten() -> None:
    names = ["a10b2", "a2", "a10b10", "b", "A1", "²", "10", "9"]
    assert sorted(names, key=natural_key) == ["9", "10", "A1", "a2", "a10b2", "a10b10", "b", "²"]


@given(st.text(max_size=8), st.integers(0, 10**9), st.integers(0, 10**9), st.text(max_size=8))
def test_numbers_in_names_are_ordered_as_numbers(stem: str, one: int, two: int, end: str) -> None:
    keys = [natural_key(f"{stem}x{number}x{end}") for number in (one, two)]
    assert (keys[0] < keys[1]) == (one < two)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"]),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=20),
    cut=st.floats(0, 1),
)
def test_no_damage_to_a_picture_gets_past_the_error_type(
    tmp_path_factory: pytest.TempPathFactory, kind: str, changes: Any, cut: float
) -> None:
    file = io.BytesIO()
    PIL.Image.fromarray(quadrants()).save(file, kind)
    data = bytearray(file.getvalue())
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    path = tmp_path_factory.getbasetemp() / "mutated.png"
    path.write_bytes(data[: int(len(data) * cut)])
    try:
        picture = read_picture(path)
    except SourceOpenError:
        return
    assert picture.ndim == 3
    assert picture.dtype == np.uint8


@pytest.mark.needs_data
def test_real_photographs_equal_opencvs(data_dir: Path) -> None:
    frames, source = all_of(data_dir / "images")
    assert [Path(frame.path).stem for frame in frames] == [
        "dog", "eagle", "giraffe", "horses", "kite", "person",
    ]  # fmt: skip
    for frame in frames:
        np.testing.assert_array_equal(frame.image, cv2.imread(frame.path))
    assert source.drops() == {}
