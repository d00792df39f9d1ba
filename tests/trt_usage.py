"""Which calls into TensorRT the engine modules make, read from their source.

A small type inference: it knows the classes of `bindings.py`, what annotated
names, attributes and calls give, and follows assignments. mypy holds the code
to the same classes; this finds the places.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Type = Any
"""A class name; ("call", Type); ("tuple", [Type, ...]); ("class", name); None: not known."""


class Usage(NamedTuple):
    """An attribute of something of TensorRT's."""

    owner: str
    """`TensorRt` for the module itself."""
    attribute: str
    place: str


def annotated(node: ast.expr | None) -> Type:  # noqa: PLR0911 - one for each kind of node
    """Give the type that an annotation names."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return annotated(ast.parse(node.value, mode="eval").body)
    if isinstance(node, ast.BinOp):  # X | None
        return annotated(node.left)
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript):
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        kind = annotated(node.value)
        if kind == "Callable":
            return ("call", annotated(inner[-1]))
        if kind == "tuple":
            return ("tuple", [annotated(one) for one in inner])
    return None


@dataclass
class Program:
    """All classes and functions of the modules."""

    members: dict[str, dict[str, Type]]
    functions: dict[str, Type]
    foreign: frozenset[str]
    """The classes that stand for TensorRT's."""

    @classmethod
    def of(cls, modules: Mapping[str, ast.Module]) -> Program:
        """Read declarations; the classes of `bindings`, and `TensorRt`, are TensorRT's."""
        program = cls({}, {}, frozenset())
        theirs = {"TensorRt"}
        for name, module in modules.items():
            for node in module.body:
                if isinstance(node, ast.ClassDef):
                    program.members[node.name] = dict(program._declared(node))
                    theirs |= {node.name} if name == "bindings" else set()
                elif isinstance(node, ast.FunctionDef):
                    program.functions[node.name] = ("call", annotated(node.returns))
        program.foreign = frozenset(theirs)
        for module in modules.values():
            for node in module.body:
                if isinstance(node, ast.ClassDef):
                    program._infer_attributes(node)
        return program

    @staticmethod
    def _declared(node: ast.ClassDef) -> Iterator[tuple[str, Type]]:
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                yield item.target.id, annotated(item.annotation)
            elif isinstance(item, ast.FunctionDef):
                is_property = any(annotated(one) == "property" for one in item.decorator_list)
                given = annotated(item.returns)
                yield item.name, given if is_property else ("call", given)

    def _infer_attributes(self, node: ast.ClassDef) -> None:
        """Give `self.x` the type of what `__init__` puts there."""
        for item in node.body:
            if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                Reader(self, "", []).function(item, {"self": node.name})


class Reader:
    """Walks one module and notes each attribute of a foreign type."""

    def __init__(self, program: Program, module: str, found: list[Usage]) -> None:
        self._program = program
        self._module = module
        self._found = found

    def body(self, nodes: list[ast.stmt], env: dict[str, Type]) -> None:
        """Walk statements in order."""
        for node in nodes:
            self._statement(node, env)

    def function(self, node: ast.FunctionDef, env: dict[str, Type]) -> None:
        """Walk a function with what its arguments are."""
        inner = dict(env)
        for one in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]:
            if one.arg != "self":
                inner[one.arg] = annotated(one.annotation)
        self.body(node.body, inner)

    def _statement(self, node: ast.stmt, env: dict[str, Type]) -> None:
        if isinstance(node, ast.FunctionDef):
            self.function(node, env)
        elif isinstance(node, ast.ClassDef):
            self._class(node, env)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            kind = self.expression(node.value, env)
            if isinstance(node, ast.AnnAssign):
                kind = annotated(node.annotation)
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                self._assign(target, kind, env)
        else:
            for field in ast.iter_child_nodes(node):
                if isinstance(field, ast.stmt):
                    self._statement(field, env)
                elif isinstance(field, (ast.ExceptHandler, ast.withitem)):
                    for inner in ast.iter_child_nodes(field):
                        walk = self._statement if isinstance(inner, ast.stmt) else self.expression
                        walk(inner, env)  # type: ignore[operator]
                elif isinstance(field, ast.expr):
                    self.expression(field, env)

    def _class(self, node: ast.ClassDef, env: dict[str, Type]) -> None:
        """Walk a class; what it overrides of TensorRT's must exist there."""
        for base in node.bases:
            self.expression(base, env)
            if isinstance(base, ast.Attribute) and self.expression(base.value, env) == "TensorRt":
                self._found += [
                    Usage(base.attr, item.name, f"{self._module}:{item.lineno}")
                    for item in node.body
                    if isinstance(item, ast.FunctionDef) and not item.name.startswith("__")
                ]
        for item in node.body:
            self._statement(item, env | {"self": node.name})

    def _assign(self, target: ast.expr, kind: Type, env: dict[str, Type]) -> None:
        if isinstance(target, ast.Name):
            env[target.id] = kind
        elif isinstance(target, ast.Tuple) and isinstance(kind, tuple) and kind[0] == "tuple":
            for one, inner in zip(target.elts, kind[1], strict=True):
                self._assign(one, inner, env)
        elif isinstance(target, ast.Attribute):
            owner = self.expression(target.value, env)
            self._note(target, owner)
            if isinstance(owner, str) and owner not in self._program.foreign:
                self._program.members.setdefault(owner, {}).setdefault(target.attr, kind)

    def expression(self, node: ast.AST, env: dict[str, Type]) -> Type:  # noqa: PLR0911
        """Give an expression's type, after noting everything inside it."""
        if isinstance(node, ast.Name):
            if node.id in env:
                return env[node.id]
            if node.id in self._program.members:
                return ("call", node.id)
            return self._program.functions.get(node.id)
        if isinstance(node, ast.Attribute):
            owner = self.expression(node.value, env)
            self._note(node, owner)
            return self._program.members.get(owner, {}).get(node.attr) if owner else None
        if isinstance(node, ast.Lambda):
            return ("call", self.expression(node.body, env))
        kinds = [self.expression(inner, env) for inner in ast.iter_child_nodes(node)]
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id == "cast":
                return annotated(node.args[0])
            called = kinds[0]
            return called[1] if isinstance(called, tuple) and called[0] == "call" else None
        if isinstance(node, ast.IfExp):
            return kinds[1] or kinds[2]
        return None

    def _note(self, node: ast.Attribute, owner: Type) -> None:
        if owner in self._program.foreign:
            self._found.append(Usage(owner, node.attr, f"{self._module}:{node.lineno}"))


def usages(modules: Mapping[str, ast.Module]) -> list[Usage]:
    """Give every attribute of a TensorRT thing that the modules use."""
    program = Program.of(modules)
    found: list[Usage] = []
    for name, module in modules.items():
        if name != "bindings":
            Reader(program, name, found).body(module.body, {})
    return found
