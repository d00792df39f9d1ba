"""Large JSON is read piece by piece, and every piece is where it is said to be."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.errors import LabelError
from edgeseg.labels import json_stream
from edgeseg.labels.json_stream import JsonStream

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=12,
)


@given(
    st.dictionaries(st.text(), VALUES, max_size=5),
    st.booleans(),
    st.sampled_from([None, 1]),
    st.sampled_from([1, 2, 7, 1 << 20]),
)
@settings(deadline=None)
def test_elements_are_those_of_the_json_module(whole, ascii_only, indent, chunk):
    data = json.dumps(whole, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace")
    whole = json.loads(data)
    before, json_stream._CHUNK_BYTES = json_stream._CHUNK_BYTES, chunk
    try:
        told = []
        elements = list(JsonStream(io.BytesIO(data), "x", told.append).elements())
    finally:
        json_stream._CHUNK_BYTES = before
    assert sum(told) == len(data)
    for key, value in whole.items():
        # A key that is not ASCII is garbled, as the class says.
        name = key if key.isascii() else json.dumps(key, ensure_ascii=ascii_only)
        if not name.isascii():
            continue
        mine = [element for element in elements if element.key == key]
        parsed = [json.loads(data[e.offset : e.offset + e.length]) for e in mine]
        assert parsed == (value if isinstance(value, list) else [value])


def test_an_element_tells_its_line():
    data = b'\xef\xbb\xbf{\n"a": [\n1,\n\n2]\n}'
    assert [e.line for e in JsonStream(io.BytesIO(data), "x").elements()] == [3, 5]


def test_an_endless_element_is_refused(monkeypatch):
    monkeypatch.setattr(json_stream, "MAX_ELEMENT_BYTES", 1000)
    monkeypatch.setattr(json_stream, "_CHUNK_BYTES", 100)
    data = b'{"a": ["' + b"x" * 100_000
    with pytest.raises(LabelError, match="x:1: one element is longer than 0 MiB"):
        list(JsonStream(io.BytesIO(data), "x").elements())


READ = """
import resource, sys
from pathlib import Path
from edgeseg.labels.formats import open_labels
from edgeseg.labels.problems import Problems

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = sum(len(p.objects) for p in open_labels(Path(sys.argv[1]), Problems()).pictures())
print(count, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_a_large_coco_file_takes_little_memory(tmp_path):
    path = tmp_path / "x.json"
    pictures, each = 500, 40
    polygon = [round(1.37 * n, 2) for n in range(200)]
    with path.open("w") as file:
        file.write('{"categories":[{"id":1,"name":"a"}],"annotations":[\n')
        for number in range(pictures * each):
            record = {"id": number, "image_id": number % pictures, "category_id": 1}
            record |= {"bbox": [1, 1, 9, 9], "segmentation": [], "note": polygon}
            file.write((",\n" if number else "") + json.dumps(record))
        images = [
            {"id": n, "file_name": f"{n}.jpg", "width": 640, "height": 480} for n in range(pictures)
        ]
        file.write(f'],"images":{json.dumps(images)}}}')
    size_mb = path.stat().st_size / 2**20
    assert size_mb > 25
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True
    )
    count, grown_mb = done.stdout.split()
    assert int(count) == pictures * each
    assert float(grown_mb) < 12
