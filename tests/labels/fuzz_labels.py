"""Coverage-guided fuzzing of label files: `python fuzz_labels.py KIND CORPUS_FOLDER [-flag=…]`.

KIND is yolo, coco, jsonl or yaml. Whatever comes, reading ends in labels,
problems or an EdgesegError, in bounded time and memory. Flags are those of
libFuzzer; new inputs are added to the corpus folder, which is created and
seeded when it is empty.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["edgeseg.labels"]):
    from edgeseg.errors import EdgesegError
    from edgeseg.labels.formats import ReadOptions, open_labels
    from edgeseg.labels.names import read_class_names
    from edgeseg.labels.problems import Problems

FILES = {"yolo": "x.txt", "coco": "x.json", "jsonl": "x.jsonl", "yaml": "data.yaml"}
SEEDS = {
    "yolo": [b"0 0.5 0.5 0.25 0.25 0.75\n", b"1 0 0 1 0 1 1 0.5 0.5\r\n0 .1 .1 .1 .1\n"],
    "coco": [
        b'{"images":[{"id":1,"file_name":"a.jpg","width":8,"height":6}],"categories":[{"id":1,'
        b'"name":"a"}],"annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[1,1,3,3],'
        b'"iscrowd":0,"segmentation":[[1,1,4,1,4,4]]},{"image_id":1,"category_id":1,'
        b'"segmentation":{"size":[6,8],"counts":"0`1"}}]}',
        b'{"images":[{"id":"x","file_name":"a.jpg","width":2,"height":2}],"annotations":[{"id":1,'
        b'"image_id":"x","category_id":1,"segmentation":{"size":[2,2],"counts":[1,3]}}]}',
    ],
    "jsonl": [
        b'{"frame":0,"time_s":0.5,"width":8,"height":6,"objects":[{"class_id":0,"class":"a",'
        b'"score":0.5,"box":[1,1,4,4],"track_id":3,"mask":{"box":[1,1,4,4],"size":[3,3],'
        b'"rle":"09"}}],"path":"a/b.jpg"}\n'
    ],
    "yaml": [
        b"path: .\nnames:\n  0: a\n  1: 'b''c'\n  2: \"d\"\n",
        b"names: [a, 'b', \"c\"] # x\nnc: 3",
        b"names:\n- a\n- b # c\n",
        b"names: {0: a,\n 1: b}",
    ],
}


def one_input(data: bytes, kind: str, path: Path) -> None:
    """Read one input; anything but success or an EdgesegError gets out."""
    path.write_bytes(data)
    try:
        if kind == "yaml":
            read_class_names(path)
            return
        source = path.parent if kind == "yolo" else path
        options = ReadOptions(kind, size_px=(8, 6))
        for picture in open_labels(source, Problems(lambda _: None), options).pictures():
            # A picture may claim any size, and a mask then takes its memory.
            if picture.size_px[0] * picture.size_px[1] > 10_000:
                return
            for item in picture.objects:
                if item.mask is not None:
                    item.mask.dense(picture.size_px)
    except EdgesegError:
        return


def main() -> None:
    """Fuzz until a flag or a finding ends it."""
    kind, corpus = sys.argv[1], Path(sys.argv[2])
    corpus.mkdir(parents=True, exist_ok=True)
    if not any(corpus.iterdir()):
        for number, data in enumerate(SEEDS[kind]):
            (corpus / f"seed{number}").write_bytes(data)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / FILES[kind]
        atheris.Setup([sys.argv[0], *sys.argv[2:]], lambda data: one_input(data, kind, path))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
