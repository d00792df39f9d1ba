"""Whatever a cfg or weights file holds, its import ends in a model or an EdgesegError."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import darknet_nets as nets
import pytest
from darknet_nets import conv, net
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.errors import EdgesegError
from edgeseg.models.darknet.cfg import parse_cfg_text
from edgeseg.models.darknet.export import export
from edgeseg.models.darknet.plan import Network, plan_network

FUZZ_SECONDS = 8
BASE = net(
    conv(8, stride=2), conv(8, groups=4), "[shortcut]\nfrom=-2\n", "[maxpool]\nsize=2\nstride=1\n",
    "[upsample]\nstride=2\n", "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n", "[reorg]\nstride=2\n",
    conv(4, act="mish"), "[avgpool]\n", "[scale_channels]\nfrom=-2\n", "[dropout]\n",
    head=nets.HEAD + "[route]\nlayers=0\n" + nets.HEAD,
)  # fmt: skip
VALUES = st.sampled_from(
    ["", "-1", "0", "1", "3", "64", "65536", "1000000", "2147483648", "1e400", "-1e9", "nan",
     "inf", "0x10", "1,1", ",", "-99", "1.5", "mish", "\u0663", "9" * 400]
)  # fmt: skip
LINES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["[yolo]", "[net]", "[convolutional]", "[route]", "[detection]", "[", "stride_x=7",
         "padding=3", "reverse=1", "layers=-1,-2,-3", "from=0", "dilation=2", "scale=0.5",
         "weights_type=per_feature", "new_coords=1", "mask=2,1,0", "tree=x", "xnor=1"]
    ),
)  # fmt: skip


@st.composite
def mutated_cfgs(draw: st.DrawFn) -> str:
    """Give the base network with a few lines changed, removed, doubled, moved or added."""
    lines = BASE.splitlines()
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["value", "remove", "double", "move", "add"])):
            case "value":
                key, equals, _ = lines[place].partition("=")
                lines[place] = key + equals + (draw(VALUES) if equals else "")
            case "remove" if len(lines) > 1:
                del lines[place]
            case "double":
                lines.insert(place, lines[place])
            case "move":
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(place))
            case _:
                lines.insert(place, draw(LINES))
    return "\n".join(lines)


@given(text=mutated_cfgs())
@settings(max_examples=400, deadline=2000)
def test_any_cfg_is_planned_or_refused_with_its_line(text: str) -> None:
    try:
        network = plan_network(parse_cfg_text(text, file="x.cfg"))
    except EdgesegError as error:
        assert re.match(r"x\.cfg(:\d+)?: ", str(error))  # noqa: PT017 - success is fine as well
        return
    assert isinstance(network, Network)
    for layer in network.layers:
        assert min(layer.shape) >= 1
        assert all(-1 <= source < layer.index for source in layer.inputs)


@given(text=st.text(max_size=200) | st.binary(max_size=200).map(lambda b: b.decode("latin-1")))
@settings(max_examples=200)
def test_any_text_is_planned_or_refused(text: str) -> None:
    with contextlib.suppress(EdgesegError):
        plan_network(parse_cfg_text(text))


@given(data=st.data())
@settings(max_examples=150, deadline=5000)
def test_any_weights_are_exported_or_refused_and_leave_nothing_half(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "mutated_weights"
    folder.mkdir(exist_ok=True)
    cfg, weights, _ = nets.place(folder, BASE)
    content = bytearray(weights.read_bytes())
    for _ in range(data.draw(st.integers(0, 6))):
        place = data.draw(st.integers(0, 40) | st.integers(0, len(content) - 1))
        content[place] = data.draw(st.sampled_from([0, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    end = data.draw(st.just(len(content)) | st.integers(0, len(content)))
    weights.write_bytes(content[:end] + data.draw(st.sampled_from([b"", b"", b"\0" * 4])))
    output = folder / "net.onnx"
    output.unlink(missing_ok=True)
    try:
        export(cfg, weights, output)
    except EdgesegError:
        assert not output.exists()
    assert not list(folder.glob("*.part"))


def test_planning_a_hostile_cfg_takes_little_memory_and_time() -> None:
    # Each asks for more than the machine has; run apart so that the peak is theirs alone.
    # VmHWM: ru_maxrss would also count the process that started this one.
    code = (
        "import re, sys, time\n"
        "from edgeseg.errors import EdgesegError\n"
        "from edgeseg.models.darknet.cfg import parse_cfg_text\n"
        "from edgeseg.models.darknet.plan import plan_network\n"
        "head = '[net]\\nwidth=16384\\nheight=16384\\n'\n"
        "net = '[net]\\nwidth=1\\nheight=1\\n'\n"
        "conv = '[convolutional]\\nfilters=65536\\nsize=16383\\npad=1\\n'\n"
        "hostile = [head + conv, head + '[upsample]\\nstride=64\\n' * 4000,\n"
        "  net + '[dropout]\\n[route]\\nlayers=' + '-1,' * 300000 + '-1\\n',\n"
        "  head + 'a=1\\n' * 200000,\n"
        "  head + '[dropout]\\n' + '[route]\\nlayers=0,0,0,0\\n' * 4000,\n"
        "  head + '[convolutional]\\nstride=2\\nfilters=1\\n' * 4000, '[' * 10**6, '[x]' * 10**5]\n"
        "start = time.process_time()\n"
        "for text in hostile:\n"
        "    try: plan_network(parse_cfg_text(text))\n"
        "    except EdgesegError as error: assert len(str(error)) < 1000\n"
        "    else: sys.exit('planned')\n"
        "peak = re.search('VmHWM: *\\t *([0-9]+)', open('/proc/self/status').read())[1]\n"
        "print(peak, time.process_time() - start)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    peak_kb, seconds = map(float, done.stdout.split())
    assert peak_kb < 250_000
    assert seconds < 10


def test_the_coverage_guided_fuzzer_finds_nothing(tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed: pip install 'edgeseg[test]'")
    command = [
        sys.executable, str(Path(__file__).with_name("fuzz_darknet.py")), str(tmp_path / "corpus"),
        f"-max_total_time={FUZZ_SECONDS}", "-timeout=10", "-rss_limit_mb=1024", "-max_len=20000",
        f"-artifact_prefix={tmp_path}/",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    runs = re.search(r"Done (\d+) runs", done.stderr)
    assert runs is not None
    assert int(runs[1]) > 100
