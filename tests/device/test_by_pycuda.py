"""Every call into pycuda is real: pycuda itself, over a driver of host memory."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from pycuda_package import BUILD_TIMEOUT_S, fetch_pycuda, host_driver

import edgeseg.device.by_runtime
from edgeseg.device import open_device
from edgeseg.errors import DeviceError
from edgeseg.types import Model

SOURCE = Path(edgeseg.device.by_runtime.__file__).with_name("by_pycuda.py")
HERE = Path(__file__).parent
THEIRS = {
    "Context", "Device", "Error", "Event", "MemoryError", "Stream", "VERSION_TEXT", "free",
    "base", "detach", "event_flags", "host_alloc_flags", "init", "mem_alloc", "mem_get_info",
    "pagelocked_empty", "pop", "push", "record", "retain_primary_context",
    "get_device_pointer", "BLOCKING_SYNC", "DEVICEMAP", "PORTABLE", "synchronize",
}  # fmt: skip
"""pycuda's names in the module; `handle` is one of ours too."""

pytestmark = [pytest.mark.needs_network, pytest.mark.timeout(2 * BUILD_TIMEOUT_S)]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    package = fetch_pycuda()
    driver = host_driver(tmp_path_factory.mktemp("driver"), package)
    paths = [str(package), str(HERE.parents[1]), str(HERE.parent)]
    return {"PYTHONPATH": os.pathsep.join(paths), "LD_LIBRARY_PATH": str(driver)}


def exercise(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(HERE / "pycuda_exercise.py"), *arguments],
        env=os.environ | environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_pycudas_memory_serves_the_whole_chain(
    environment: dict[str, str], model: Model, compiled: ModuleType
) -> None:
    done = exercise(environment, str(SOURCE), str(model.onnx_path))
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert "WARNING" not in done.stderr


class Misspell(ast.NodeTransformer):
    """Misspells the attribute at one place."""

    def __init__(self, place: tuple[int, int, str]) -> None:
        self._place = place

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if (node.lineno, node.col_offset, node.attr) == self._place:
            node.attr += "s"
        return self.generic_visit(node)


def test_a_misspelt_call_fails_wherever_it_stands(
    environment: dict[str, str], tmp_path: Path
) -> None:
    tree = ast.parse(SOURCE.read_text())
    places = [
        (node.lineno, node.col_offset, node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in THEIRS
    ]
    assert {name for _, _, name in places} == THEIRS
    for place in places:
        mutant = tmp_path / "by_pycuda.py"
        mutant.write_text(ast.unparse(Misspell(place).visit(ast.parse(SOURCE.read_text()))))
        done = exercise(environment, str(mutant))
        assert done.returncode == 1 or "WARNING" in done.stderr, (
            f"line {place[0]}: {place[2]}s went unnoticed"
        )
        assert f"{place[2]}s" in done.stderr


def test_without_pycuda_the_extension_serves_and_pycuda_is_named(standin: ModuleType) -> None:
    assert open_device().description.endswith("by edgeseg's own calls")
    with pytest.raises(DeviceError, match="pycuda does not load") as raised:
        open_device(flavor="pycuda")
    assert "edgeseg[jetson]" in (raised.value.hint or "")
