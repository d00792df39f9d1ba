"""Write docs/OPTIONS.md from edgeseg/settings.py; the test suite checks that it is current."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from edgeseg.cli import app
from edgeseg.settings import Settings, option_names

PAGE = Path(__file__).parents[1] / "docs" / "OPTIONS.md"

HEADER = """\
# Options

Written by `python tools/write_options.py` from `edgeseg/settings.py`; do not edit.

Every option is a flag of `edgeseg run`, a key of a TOML file, an environment variable and a
keyword of the Python API. A flag beats the environment, which beats the file: `--config FILE`,
else `./edgeseg.toml`, else `config.toml` in the user's configuration folder for edgeseg.
`edgeseg config` prints the values in force and where each came from.
"""

TABLE_HEAD = "| flag | environment | Python | default | |\n|---|---|---|---|---|"


def page() -> str:
    """Give the text of docs/OPTIONS.md."""
    arguments = {
        a.name.lstrip("-"): a for a in app["run"].assemble_argument_collection(parse_docstring=True)
    }
    names = option_names()
    lines = [HEADER]
    group = ""
    for field in dataclasses.fields(Settings):
        argument = arguments[names[field.name]]
        title = argument.parameter.group[0].name
        if title != group:
            group = title
            lines += [f"\n## {group}\n", TABLE_HEAD]
        flag = names[field.name]
        default = "" if field.default in (None, (), False) else f"`{field.default}`"
        env = "EDGESEG_" + flag.upper().replace("-", "_")
        help_text = " ".join(str(argument.parameter.help).split()).replace("|", "\\|")
        lines.append(f"| `--{flag}` | `{env}` | `{field.name}` | {default} | {help_text} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
