"""Every call into TensorRT exists in each real TensorRT: 10.3 to 11.4, and RTX."""

from __future__ import annotations

import ast
import functools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from trt_packages import BINDINGS, RTX, as_tensorrt, fetch, fetch_rtx, run_python, stub_libraries
from trt_usage import Usage, usages

import edgeseg.engines.tensorrt
from edgeseg.engines.tensorrt.bindings import RTX_ONLY

SOURCES = Path(edgeseg.engines.tensorrt.__file__).parent
PROBE = (Path(__file__).parents[1] / "trt_probe.py").read_text()
EVERY = (*BINDINGS, RTX)


@functools.cache
def source() -> dict[str, ast.Module]:
    return {path.stem: ast.parse(path.read_text()) for path in SOURCES.glob("*.py")}


def declared_calls() -> list[tuple[str, str, int]]:
    """Give class, method and number of arguments of all that `bindings.py` declares."""
    return [
        (cls.name, item.name, len(item.args.args) + len(item.args.posonlyargs) - 1)
        for cls in source()["bindings"].body
        if isinstance(cls, ast.ClassDef)
        for item in cls.body
        if isinstance(item, ast.FunctionDef)
    ]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, str]]:
    """Give the environment in which one version can be imported."""

    @functools.cache
    def of(version: str) -> dict[str, str]:
        if version == RTX:
            return {"PYTHONPATH": str(fetch_rtx())}
        folder = tmp_path_factory.mktemp("trt")
        package = as_tensorrt(folder / "package", fetch("tensorrt-cu12-bindings", version))
        libraries = stub_libraries(folder / "stubs", version.split(".", maxsplit=1)[0])
        return {"PYTHONPATH": str(package), "LD_LIBRARY_PATH": str(libraries)}

    return of


def probe(env: dict[str, str], version: str, names: set[tuple[str, str]]) -> dict[str, object]:
    calls = [call for call in declared_calls() if version == RTX or call[:2] not in RTX_ONLY]
    asked = json.dumps({"names": sorted(names), "calls": calls})
    module = "tensorrt_rtx" if version == RTX else "tensorrt"
    answer: dict[str, object] = json.loads(run_python(PROBE, module, env=env, stdin=asked))
    assert answer["version"] == version.removesuffix(".post1")
    return answer


def names_of(found: list[Usage]) -> set[tuple[str, str]]:
    return {(usage.owner, usage.attribute) for usage in found}


@pytest.mark.needs_network
@pytest.mark.parametrize("version", EVERY)
def test_every_call_exists_in_this_tensorrt(
    environment: Callable[[str], dict[str, str]], version: str
) -> None:
    names = names_of(usages(source()))
    assert len(names) >= 65
    assert names >= RTX_ONLY
    answer = probe(environment(version), version, names)
    ours = [] if version == RTX else sorted(f"{owner}.{name}" for owner, name in RTX_ONLY)
    assert answer["lacking"] == ours
    assert answer["refused"] == []
    assert answer["severities"] == [0, 1, 2]


def member_names() -> set[str]:
    """Give every name that `bindings.py` or `TensorRt` declares."""
    return {
        item.target.id if isinstance(item, ast.AnnAssign) else item.name  # type: ignore[union-attr]
        for module in ("bindings", "api")
        for cls in source()[module].body
        if isinstance(cls, ast.ClassDef) and (module == "bindings" or cls.name == "TensorRt")
        for item in cls.body
        if isinstance(item, (ast.AnnAssign, ast.FunctionDef))
    }


def test_the_reader_of_calls_sees_them_all() -> None:
    names = {usage.attribute for usage in usages(source())}
    declared = member_names()
    assert declared <= names, "declared in bindings.py but used nowhere"


class Misspell(ast.NodeTransformer):
    """Misspells one occurrence of one name."""

    def __init__(self, line: int, name: str) -> None:
        self._place = (line, name)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if (node.lineno, node.attr) == self._place:
            node.attr += "s"
        return self.generic_visit(node)


@pytest.mark.needs_network
def test_a_misspelt_call_fails_wherever_it_stands(
    environment: Callable[[str], dict[str, str]],
) -> None:
    # `b.` stands before annotations only; the last three are names of our own things too.
    watched = member_names() - {"name", "type", "shape"}
    places = sorted(
        (name, node.lineno, node.attr)
        for name, module in source().items()
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute)
        and node.attr in watched
        and (name, node.attr) != ("runtime", "nbytes")  # of our own arrays
        and not (isinstance(node.value, ast.Name) and node.value.id == "b")
    )
    misspelt: set[tuple[str, str]] = set()
    for name, line, attribute in places:
        mutated = Misspell(line, attribute).visit(ast.parse((SOURCES / f"{name}.py").read_text()))
        new = names_of(usages(source() | {name: mutated})) - names_of(usages(source()))
        assert new, f"{name}.py:{line}: {attribute}s went unnoticed"
        misspelt |= new
    assert len(places) >= 65
    for version in (BINDINGS[0], RTX):
        answer = probe(environment(version), version, misspelt)
        assert answer["lacking"] == [f"{owner}.{name}" for owner, name in sorted(misspelt)]


@pytest.mark.needs_network
@pytest.mark.parametrize("version", BINDINGS)
def test_without_a_driver_the_builder_says_so(
    environment: Callable[[str], dict[str, str]], version: str
) -> None:
    code = """
from edgeseg.engines.tensorrt.api import load_tensorrt
from edgeseg.engines.tensorrt.network import open_builder
from edgeseg.engines.tensorrt.watch import Messages, open_logger
from edgeseg.errors import EngineError

api, messages = load_tensorrt(), Messages()
try:
    open_builder(api, open_logger(api, messages), messages)
except EngineError as error:
    print(error)
"""
    said = run_python(code, env=environment(version))
    assert said.startswith(f"TensorRT {version} cannot start: it finds no CUDA driver\n")
    assert "--tensorrt rtx" in said
