"""Runs beside one real TensorRT: says which of the names on stdin it lacks. Prints JSON."""

from __future__ import annotations

import importlib
import json
import re
import sys
from types import ModuleType


def lacking(trt: ModuleType, wanted: list[list[str]]) -> list[str]:
    """Give the attributes that are not there; `TensorRt` is the module itself."""
    missing = []
    for owner, attribute in wanted:
        holder = trt if owner == "TensorRt" else getattr(trt, owner, None)
        if holder is None or not hasattr(holder, attribute):
            missing.append(f"{owner}.{attribute}")
    return missing


def accepts(doc: str, name: str, count: int) -> bool:
    """Say whether a signature in pybind11's docstring takes `count` arguments after self."""
    for line in doc.splitlines():
        found = re.match(rf"(?:\d+\. )?{name}\((.*)\)(?: ->.*)?$", line.strip())
        if found is None:
            continue
        parts, depth = [""], 0
        for letter in found[1]:
            depth += (letter in "[(") - (letter in "])")
            if letter == "," and depth == 0:
                parts.append("")
            else:
                parts[-1] += letter
        if any(part.strip().startswith("*args") for part in parts):
            continue  # the header of overloads that follow
        optional = sum("=" in part for part in parts)
        if len(parts) - 1 - optional <= count <= len(parts) - 1:
            return True
    return False


def main() -> None:
    trt = importlib.import_module(sys.argv[1])
    asked = json.load(sys.stdin)
    refused = [
        f"{owner}.{name} with {count} arguments"
        for owner, name, count in asked["calls"]
        if not accepts(getattr(getattr(trt, owner), name).__doc__ or "", name, count)
    ]
    severity = trt.ILogger.Severity
    print(
        json.dumps(
            {
                "version": trt.__version__,
                "lacking": lacking(trt, asked["names"]),
                "refused": refused,
                "severities": [
                    int(s) for s in (severity.INTERNAL_ERROR, severity.ERROR, severity.WARNING)
                ],
            }
        )
    )


main()
