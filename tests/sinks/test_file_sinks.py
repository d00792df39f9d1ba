"""JSONL, CSV, YOLO, COCO and pictures: what they write, and what they never leave."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeseg.errors import SinkError
from edgeseg.sinks import make_sink
from edgeseg.types import Detections, Frame, Result

FILES = ["jsonl", "csv", "coco"]
FOLDERS = ["yolo", "yolo-seg", "pictures", "masks"]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def deliver(spec, run, results):
    sink = make_sink(spec)
    sink.open(run)
    for one in results:
        sink.write(one, one.frame.image if sink.needs_picture else None)
    return sink.close()


def test_jsonl_holds_each_result_as_one_line(tmp_path, run_info, result):
    results = [result(0), result(1, empty=True), result(2, path="a/b.jpg")]
    path = deliver(f"{tmp_path}/new/out.jsonl", run_info(), results)
    assert path == f"{tmp_path}/new/out.jsonl"
    lines = Path(path).read_text().splitlines()
    assert [json.loads(line) for line in lines] == [one.to_dict() for one in results]
    assert '"objects":[{"class_id":0,"class":"person","score":0.93,"box":[10.0,' in lines[0]


def test_jsonl_lines_can_be_read_while_the_run_goes_on(tmp_path, run_info, result):
    sink = make_sink(f"{tmp_path}/out.jsonl")
    sink.open(run_info())
    sink.write(result(0), None)
    assert json.loads((tmp_path / "out.jsonl.part").read_text())["frame"] == 0
    assert not (tmp_path / "out.jsonl").exists()
    sink.close()
    assert names_in(tmp_path) == ["out.jsonl"]


def test_jsonl_survives_names_that_are_not_utf8(tmp_path, run_info, result):
    name = os.fsdecode(b"gr\xfcn.jpg")
    for kind in FILES:
        assert deliver(f"{kind}:{tmp_path}/out", run_info(), [result(0, path=name)])
    deliver(f"jsonl:{tmp_path}/out", run_info(), [result(0, path=name)])
    assert json.loads((tmp_path / "out").read_text())["path"] == name


def test_csv_has_a_row_for_each_object(tmp_path, run_info, result):
    path = deliver(
        f"{tmp_path}/out.csv",
        run_info(),
        [result(0), result(1, empty=True), result(2, path='a,"b".jpg')],
    )
    rows = list(csv.DictReader(io.StringIO(Path(path).read_text())))
    assert len(rows) == 4
    assert rows[1] == {
        "frame": "0",
        "time_s": "0.0",
        "path": "",
        "class_id": "1",
        "class": "traffic light",
        "score": "0.5",
        "left": "0.0",
        "top": "0.0",
        "right": "100.0",
        "bottom": "50.0",
    }
    assert rows[2]["path"] == 'a,"b".jpg'


def test_yolo_labels_are_fractions_of_the_picture(tmp_path, run_info, result):
    deliver(f"yolo:{tmp_path}/labels", run_info(), [result(7), result(8, empty=True)])
    assert (tmp_path / "labels/000007.txt").read_text() == (
        "0 0.200000 0.600000 0.200000 0.400000\n1 0.500000 0.500000 1.000000 1.000000\n"
    )
    assert (tmp_path / "labels/000008.txt").read_text() == ""


def test_yolo_scores_are_a_sixth_column_when_asked_for(tmp_path, run_info, result):
    deliver(f"yolo:{tmp_path}?scores=yes", run_info(), [result(0)])
    assert (tmp_path / "000000.txt").read_text().split()[5] == "0.930000"


@pytest.mark.parametrize(("kind", "ending"), [("yolo", "txt"), ("pictures", "jpg")])
def test_pictures_of_one_stem_get_files_of_their_own(tmp_path, run_info, result, kind, ending):
    paths = ["a/x.jpg", "b/x.jpg", "b/x_2.jpg", "c/x.jpg"]
    run = run_info(pictures=True)
    deliver(f"{kind}:{tmp_path}", run, [result(i, path=p) for i, p in enumerate(paths)])
    names = names_in(tmp_path)
    assert names == [f"x.{ending}", f"x_2.{ending}", f"x_2_2.{ending}", f"x_3.{ending}"]


def test_coco_files_open_in_pycocotools(tmp_path, run_info, result, capsys):
    coco = pytest.importorskip("pycocotools.coco")
    results = [result(0, path="val/000000000139.jpg"), result(1, path="val/x.jpg"), result(2)]
    path = deliver(f"{tmp_path}/out.json", run_info(), [*results, result(3, empty=True)])
    truth = coco.COCO(path)
    assert sorted(truth.getImgIds()) == [2, 3, 4, 139]
    assert [item["name"] for item in truth.loadCats(truth.getCatIds())] == [
        "person",
        "traffic light",
    ]
    found = truth.loadRes(json.loads(Path(path).read_text())["annotations"])
    first = found.loadAnns(found.getAnnIds(imgIds=[139], catIds=[1]))[0]
    assert (first["bbox"], first["area"], first["score"]) == ([10, 20, 20, 20], 400, 0.93)


def test_coco_classes_have_the_official_numbers(tmp_path, run_info, result):
    names = ("person", *(f"class {i}" for i in range(1, 79)), "toothbrush")
    frame = result(0).frame
    found = Detections(np.ones((3, 4), np.float32), np.ones(3, np.float32), np.array([0, 11, 79]))
    path = deliver(f"coco:{tmp_path}/o", run_info(class_names=names), [Result(frame, found, names)])
    dataset = json.loads(Path(path).read_text())
    # Stop sign is 13 in COCO because 12 was never used; toothbrush is 90.
    assert [item["category_id"] for item in dataset["annotations"]] == [1, 13, 90]
    assert len({item["id"] for item in dataset["categories"]}) == 80


def test_coco_classes_beyond_the_names_do_not_hit_named_ones(tmp_path, run_info, result):
    found = Detections(np.ones((1, 4), np.float32), np.ones(1, np.float32), np.array([5]))
    one = Result(result(0).frame, found, ("a",))
    path = deliver(f"coco:{tmp_path}/o", run_info(class_names=("a",)), [one])
    assert json.loads(Path(path).read_text())["annotations"][0]["category_id"] == 6


def test_coco_image_ids_are_unique(tmp_path, run_info, result):
    paths = ["a/2.jpg", "b/2.jpg", "c/x.jpg", "d/x.jpg", "e/3.jpg"]
    results = [result(i, path=p) for i, p in enumerate(paths)]
    path = deliver(f"coco:{tmp_path}/o", run_info(), results)
    ids = [image["id"] for image in json.loads(Path(path).read_text())["images"]]
    assert ids[0] == 2
    assert len(set(ids)) == 5


def test_pictures_keep_name_format_and_pixels(tmp_path, run_info):
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    results = [
        Result(Frame(image, 0, path="in/a.png"), Detections.empty(), ()),
        Result(Frame(image, 1, path="in/b.jpeg"), Detections.empty(), ()),
        Result(Frame(image, 2), Detections.empty(), ()),
    ]
    deliver(f"pictures:{tmp_path}", run_info(), results)
    assert names_in(tmp_path) == ["000002.jpg", "a.png", "b.jpg"]
    with Image.open(tmp_path / "a.png") as saved:
        np.testing.assert_array_equal(np.asarray(saved)[:, :, ::-1], image)


def test_pictures_never_replace_the_source(tmp_path, run_info, result):
    original = tmp_path / "a.jpg"
    original.write_bytes(b"precious")
    with pytest.raises(SinkError, match="picture of the source"):
        deliver(f"pictures:{tmp_path}", run_info(), [result(0, path=str(original))])
    assert original.read_bytes() == b"precious"


@pytest.mark.parametrize("kind", FILES)
def test_the_source_is_never_the_sink(tmp_path, run_info, kind):
    source = tmp_path / "clip"
    source.write_bytes(b"precious")
    with pytest.raises(SinkError, match="source itself"):
        make_sink(f"{kind}:{source}").open(run_info(name=str(source)))
    assert source.read_bytes() == b"precious"


@pytest.mark.parametrize("kind", FILES)
def test_an_older_file_stays_until_the_new_one_is_complete(tmp_path, run_info, result, kind):
    path = tmp_path / "out"
    path.write_text("old")
    sink = make_sink(f"{kind}:{path}")
    sink.open(run_info())
    sink.write(result(0), None)
    assert path.read_text() == "old"
    sink.close()
    assert path.read_text() != "old"


@pytest.mark.parametrize("kind", FILES)
def test_a_run_without_results_leaves_nothing(tmp_path, run_info, kind):
    sink = make_sink(f"{kind}:{tmp_path}/out")
    sink.open(run_info())
    assert sink.close() is None
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("kind", [*FILES, *FOLDERS])
def test_a_place_that_cannot_be_written_is_known_at_open(tmp_path, run_info, kind):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    wrong_kind = "file" if kind in FOLDERS else "folder"
    for place in (wrong_kind, "file/below", "file/below/deeper"):
        sink = make_sink(f"{kind}:{tmp_path}/{place}")
        with pytest.raises(SinkError, match=r"file|folder"):
            sink.open(run_info())
        assert sink.close() is None
    sink = make_sink(f"{kind}:/proc/edgeseg-test/out")
    with pytest.raises(SinkError, match="/proc/edgeseg-test/out: cannot be written"):
        sink.open(run_info())
    assert sink.close() is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("kind", [*FILES, *FOLDERS])
def test_a_folder_of_somebody_else_is_refused(tmp_path, run_info, kind):
    tmp_path.chmod(0o555)
    with pytest.raises(SinkError, match="permission denied"):
        make_sink(f"{kind}:{tmp_path}" if kind in FOLDERS else f"{kind}:{tmp_path}/o").open(
            run_info()
        )


@pytest.mark.parametrize("kind", FILES)
def test_a_device_is_not_replaced(run_info, kind):
    with pytest.raises(SinkError, match="not a regular file"):
        make_sink(f"{kind}:/dev/full").open(run_info())
    assert Path("/dev/full").is_char_device()


def test_a_link_keeps_pointing_at_its_file(tmp_path, run_info, result):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out.jsonl").symlink_to(tmp_path / "disk/real.jsonl")
    assert deliver(f"{tmp_path}/out.jsonl", run_info(), [result(0)]).endswith("disk/real.jsonl")
    assert (tmp_path / "out.jsonl").is_symlink()
    assert names_in(tmp_path / "disk") == ["real.jsonl"]


FULL_DISK = """
import json, resource, signal, sys
import numpy as np
from edgeseg.errors import SinkError
from edgeseg.sinks import RunInfo, make_sink
from edgeseg.sources.base import SourceInfo
from edgeseg.types import Detections, Frame, Result

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
found = Detections(np.ones((4, 4), np.float32), np.ones(4, np.float32), np.zeros(4, np.int32))
sink = make_sink(sys.argv[1])
written = -1
try:
    sink.open(RunInfo(SourceInfo("clip", live=False, fps=25.0), ("a",), "m"))
    for written in range(60):
        sink.write(Result(Frame(image, written, written / 25), found, ("a",)), image)
    place, told = sink.close(), None
except SinkError as error:
    place, told = sink.close(), str(error)
print(json.dumps({"place": place, "told": told, "written": written}))
"""


def on_a_full_disk(spec: str, limit: int) -> dict:
    """Write sixty results where no file may grow beyond `limit` bytes."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, spec, str(limit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("limit", [0, 100, 4000])
def test_a_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path, kind, limit):
    (tmp_path / "out").write_text("old")
    outcome = on_a_full_disk(f"{kind}:{tmp_path}/out", limit)
    assert f"{tmp_path}/out: no room to write (" in outcome["told"]
    assert "MB free)" in outcome["told"]
    assert outcome["place"] is None
    assert names_in(tmp_path) == ["out"]
    assert (tmp_path / "out").read_text() == "old"


@pytest.mark.parametrize("kind", FILES)
def test_a_disk_that_fills_with_the_last_byte_is_noticed(tmp_path, kind):
    whole = on_a_full_disk(f"{kind}:{tmp_path}/whole", -1)
    size = Path(whole["place"]).stat().st_size
    outcome = on_a_full_disk(f"{kind}:{tmp_path}/out", size - 1)
    assert "no room" in outcome["told"]
    assert names_in(tmp_path) == ["whole"]
    assert on_a_full_disk(f"{kind}:{tmp_path}/out", size)["told"] is None


@pytest.mark.parametrize("kind", ["yolo", "pictures"])
def test_a_full_disk_leaves_no_half_file_in_a_folder(tmp_path, kind):
    outcome = on_a_full_disk(f"{kind}:{tmp_path}", 20)
    assert "no room to write" in outcome["told"]
    assert names_in(tmp_path) == []


STDOUT = """
import sys
import numpy as np
from edgeseg.sinks import RunInfo, StopRequested, make_sink
from edgeseg.sources.base import SourceInfo
from edgeseg.types import Detections, Frame, Result

sink = make_sink("jsonl:-")
sink.open(RunInfo(SourceInfo("clip", live=False), (), "m"))
image = np.zeros((4, 4, 3), np.uint8)
try:
    for index in range(int(sys.argv[1])):
        sink.write(Result(Frame(image, index), Detections.empty(), ()), None)
except StopRequested:
    sys.exit(42)
assert sink.close() is None
"""


def test_standard_output_carries_jsonl():
    done = subprocess.run(
        [sys.executable, "-c", STDOUT, "3"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert [json.loads(line)["frame"] for line in done.stdout.splitlines()] == [0, 1, 2]


def test_a_reader_that_goes_away_ends_the_run_quietly():
    with subprocess.Popen(
        [sys.executable, "-c", STDOUT, "1000000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=60) == 42
        assert process.stderr.read() == b""


def test_a_full_standard_output_is_one_clear_error():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", STDOUT, "3"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
            cwd=Path(__file__).parents[2],
        )
    assert "SinkError: standard output: No space left on device" in done.stderr


def test_a_signal_does_not_tear_lines_on_standard_output():
    # Unbuffered, a write that a signal interrupts takes only a part.
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: None)\n"
        "from edgeseg.sinks import make_sink\n"
        "import numpy as np\n"
        "from edgeseg.types import Detections, Frame, Result\n"
        "found = Detections(np.zeros((2000, 4), np.float32), np.ones(2000, np.float32),"
        " np.zeros(2000, np.int32))\n"
        "frame = Frame(np.zeros((4, 4, 3), np.uint8))\n"
        "make_sink('jsonl:-').write(Result(frame, found, ('person',)), None)\n"
    )
    command = [sys.executable, "-u", "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = process.stdout.read(1)  # it is in the midst of a line longer than the pipe
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        rest = process.stdout.read()
    assert process.returncode == 0
    assert len(json.loads(first + rest)["objects"]) == 2000
