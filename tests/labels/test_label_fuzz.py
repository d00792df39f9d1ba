"""Whatever a label file holds, reading it ends in labels, problems, or one clear error."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_shapes import NAMES, difficult_pictures

from edgeseg.errors import LabelError
from edgeseg.labels.formats import ReadOptions, WriteOptions, create_labels, open_labels
from edgeseg.labels.names import read_class_names
from edgeseg.labels.problems import Problem, Problems
from edgeseg.labels.survey import survey
from edgeseg.labels.types import Classes

FUZZ_SECONDS = 3
FILES = {
    "yolo-seg": ("labels/0008.txt", "labels/1all.txt"),
    "yolo": ("labels/1all.txt",),
    "coco": ("",),
    "masks": ("instances.jsonl", "masks/0000.png"),
    "class-masks": ("masks/0000.png",),
    "jsonl": ("",),
}
PIECES = st.one_of(
    st.binary(max_size=8),
    st.sampled_from(
        [b"nan", b"-1", b"1e400", b"9" * 400, b'"', b"{", b"]", b"null", b"\n", b"\r", b"\x00",
         b"\xff\xfe", b"1e-400", b"[[]]", b"true", b'"\\ud800"', b"-0", b"0.5", b",", b" "]
    ),
)  # fmt: skip
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), PIECES), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def valid(tmp_path_factory) -> dict[str, Path]:
    """Write good labels in every format."""
    folder = tmp_path_factory.mktemp("valid")
    pictures = [p for p in difficult_pictures() if p.name.startswith(("0008", "0000", "1all"))]
    made = {}
    for kind in FILES:
        ending = {"coco": ".json", "jsonl": ".jsonl"}.get(kind, "")
        writer = create_labels(folder / f"{kind}{ending}", Classes(NAMES), WriteOptions(kind))
        for picture in pictures:
            writer.add(picture)
        made[kind] = Path(writer.finish(Classes(NAMES)))
    return made


def edited(data: bytes, edits) -> bytes:
    """Replace some bytes here and there."""
    for where, length, piece in edits:
        at = round(where * len(data))
        data = data[:at] + piece + data[at + length :]
    return data


def look(source: Path, kind: str) -> None:
    """Read labels both ways; anything but a LabelError gets out, and a problem has a place."""
    found: list[Problem] = []
    options = ReadOptions(kind, size_px=(16, 13))
    with contextlib.suppress(LabelError):
        survey(source, options, found.append)
    for problem in found:
        assert problem.file
        assert len(str(problem).splitlines()) == 1
    raised = None
    try:
        for picture in open_labels(source, Problems(), options).pictures():
            for item in picture.objects:
                left, top, right, bottom = item.box_px
                assert 0 <= left < right <= picture.size_px[0]
                assert 0 <= top < bottom <= picture.size_px[1]
                if item.mask is not None:
                    assert item.mask.dense(picture.size_px).sum() == item.mask.area_px > 0
    except LabelError as error:
        raised = error
    if raised is None:
        assert not any(problem.serious for problem in found)
    else:
        assert raised.file
        assert "\n" not in raised.message


@pytest.mark.parametrize(
    ("kind", "file"), [(kind, file) for kind, files in FILES.items() for file in files]
)
@given(edits=EDITS)
@settings(max_examples=40, deadline=None)
def test_any_damage_ends_in_labels_or_one_clear_error(valid, kind, file, edits):
    source = valid[kind]
    path = source / file if file else source
    before = path.read_bytes()
    try:
        path.write_bytes(edited(before, edits))
        look(source, kind)
    finally:
        path.write_bytes(before)


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
        st.sampled_from([0, 1, 7, 2**31, 2**64, 10**30, "x.jpg", "../x", "/x", "", [], {}])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.lists(st.integers(-5, 30), max_size=9)),
    max_leaves=6,
)  # fmt: skip
KEYS = {
    "images": ("id", "file_name", "width", "height", "time_s"),
    "annotations": (
        "id", "image_id", "category_id", "bbox", "segmentation", "iscrowd", "score", "track_id",
        "size", "counts",
    ),
    "categories": ("id", "name"),
}  # fmt: skip
GOOD = {
    "images": {"id": 1, "file_name": "x.jpg", "width": 16, "height": 13},
    "annotations": {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]},
    "categories": {"id": 1, "name": "a"},
}


@given(
    st.sampled_from(sorted(KEYS)).flatmap(
        lambda kind: st.tuples(
            st.just(kind), st.dictionaries(st.sampled_from(KEYS[kind]), JSON, max_size=4), JSON
        )
    )
)
@settings(max_examples=100, deadline=None)
def test_any_coco_values_end_in_labels_or_one_clear_error(tmp_path_factory, case):
    kind, change, segmentation = case
    listed = {key: [value] for key, value in GOOD.items()}
    listed[kind].append({**GOOD[kind], **change})
    if kind == "annotations":
        rle = {"size": change.get("size", [13, 16]), "counts": change.get("counts", segmentation)}
        listed[kind].append({**GOOD[kind], "segmentation": rle, "id": 9})
    path = tmp_path_factory.mktemp("coco") / "x.json"
    path.write_text(json.dumps(listed))
    look(path, "coco")


WORDS = st.sampled_from(
    ["0", "1", "2", "0.5", "-0.1", "1.2", "3", "nan", "inf", "1e-9", "x", "1_0", "٣", "0x1", "+1"]
)


@given(st.lists(st.lists(WORDS, max_size=12).map(" ".join), max_size=4))
@settings(max_examples=100, deadline=None)
def test_any_yolo_words_end_in_labels_or_one_clear_error(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("yolo")
    (folder / "x.txt").write_text("\n".join(lines))
    look(folder, "yolo-seg")


YAML = st.lists(
    st.one_of(
        st.text(max_size=12),
        st.sampled_from(
            ["names:", "names: [", "names: {0: a", "]", "}", "  0: a", "  - b", '"x', "  'it''s'",
             "- c", "nc: 2", "  99999999: x", "# no", "  1: \"\\u00e9\"", ", ,", "names: []"]
        ),
    ),
    max_size=6,
)  # fmt: skip


@given(YAML)
@settings(max_examples=100, deadline=None)
def test_any_yaml_gives_names_or_one_clear_error(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("yaml") / "data.yaml"
    path.write_text("\n".join(lines), encoding="utf-8", errors="replace")
    raised, names = None, ()
    try:
        names = read_class_names(path)
    except LabelError as error:
        raised = error
    assert raised is None or raised.file == str(path)
    assert all(isinstance(name, str) and name for name in names)


def test_random_bytes_as_a_mask_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(20):
        (tmp_path / f"{number}.png").write_bytes(rng.bytes(80))
    found: list[Problem] = []
    survey(tmp_path, ReadOptions("class-masks"), found.append)
    assert len(found) == 20


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris is not installed here"
)
@pytest.mark.parametrize("kind", ["yolo", "coco", "jsonl", "yaml"])
def test_fuzzing_guided_by_coverage_finds_nothing(tmp_path, kind):
    done = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("fuzz_labels.py")),
            kind,
            str(tmp_path / "corpus"),
            f"-max_total_time={FUZZ_SECONDS}",
            "-max_len=2000",
            "-timeout=20",
            f"-artifact_prefix={tmp_path}/",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    runs = re.search(r"Done (\d+) runs", done.stderr)
    assert runs is not None
    assert int(runs[1]) > 100
