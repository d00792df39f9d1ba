"""Promises of the linter's checks of a cfg by itself: each mistake, in its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from head_net import CFG

from edgeseg.models import zoo
from edgeseg.models.darknet.lint import MAX_FINDINGS, Finding, is_clean, lint


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    path = tmp_path / "net.cfg"
    path.write_text(CFG)
    return path


def line_of(text: str) -> int:
    """Number of the only line of CFG that begins with `text`."""
    found = [number for number, line in enumerate(CFG.splitlines(), 1) if line.startswith(text)]
    assert len(found) == 1, text
    return found[0]


def lint_mutated(cfg: Path, old: str, new: str) -> list[Finding]:
    assert CFG.count(old) == 1, old
    cfg.write_text(CFG.replace(old, new))
    return lint(cfg)


@pytest.mark.parametrize("name", zoo.MODELS)
def test_the_registrys_cfgs_have_no_findings(name: str) -> None:
    assert lint(zoo.MODELS[name].cfg, None, zoo.MODELS[name].names) == []


ANCHORS = "anchors=4,6, 8,9, 20,22, 40,41"
ERRORS = [
    ("filters=14   # head 1", "filters=13", "filters=13, but the [yolo] after it (line 34) needs "
     "14: (5 + 2 classes) * 2 mask"),
    ("filters=14   # head 2", "filters=255", "filters=255, but the [yolo]"),
    ("filters=14   # head 1", "filters=many", "filters must be a whole number"),
    ("filters=14   # head 1", "filters=0", "filters=0"),
    ("filters=14   # head 1", "filters=-14", "filters=-14"),
    ("mask=2,3   # head 1", "mask=2,4", "mask names anchor 4; there are 4, from 0 to 3"),
    ("mask=2,3   # head 1", "mask=-1,3", "mask names anchor -1"),
    ("mask=2,3   # head 1", "mask=2;,3", "needs 7: (5 + 2 classes) * 1 mask",
     "filters=14   # head 1"),
    ("mask=0,1   # head 2", "mask=a,b", "mask must be a whole number, got 'a'"),
    ("num=4   # head 1", "num=9", "num=9, but anchors has 4 pairs"),
    ("num=4   # head 1", "num=nan", "num must be a whole number"),
    (f"{ANCHORS}   # head 1", "anchors=4,6, 8", "anchors has 3 values"),
    (f"{ANCHORS}   # head 2", "anchors=", "must be a number"),
    (f"{ANCHORS}   # head 1", ANCHORS.replace("41", "-1"), "larger than 0"),
    (f"{ANCHORS}   # head 1", ANCHORS.replace("41", "nan"), "be a number"),
    ("classes=2   # head 2", "classes=3", "needs 16: (5 + 3 classes) * 2 mask",
     "filters=14   # head 2"),
    ("classes=2   # head 2", "classes=3", "classes differ from those of the first head (line 37)"),
    ("classes=2   # head 1", "classes=-2", "classes must be from 1 to"),
    ("num=4   # head 1", "num=0", "num=0, but anchors has 4 pairs"),
    ("classes=2   # head 1", "classes=1e3", "classes must be a whole number"),
    ("activation=mish", "activation=mist", "unknown activation 'mist'"),
    ("layers=-3", "layers=-9", "layers=-9 points before the first layer; this is layer 5"),
    ("layers=-3", "layers=5", "layers=5 points to layer 5; this is layer 5"),
    ("layers=-3", "layers=99", "layers=99 points to layer 99"),
    ("layers=-3", "layers=-1", "layers=-1 reads layer 4, which is a head"),
    ("layers=-3", "layers=x", "layers must be a whole number"),
    ("from=-1", "from=-100", "from=-100 points before the first layer; this is layer 7"),
    ("from=-1", "# from", "needs from=", "[shortcut]"),
    ("width=64", "width=70", "needs multiples of 8"),
    ("width=64", "width=0", "width must be from 1"),
    ("height=64", "height=1e9", "height must be a whole number"),
    ("channels=3", "channels=4", "channels=4"),
    ("[maxpool]", "[maxpoool]", "is unknown"),
    ("[upsample]", "[rnn]", "is not supported"),
    ("stride=2\npad=1\nactivation=leaky", "stride=0\npad=1\nactivation=leaky",
     "stride must be from 1", "stride=2", 13),
    ("width=64", "width=64\nwidth=32", "width is set twice", "height=64"),
    ("learning_rate=0.001", "learning_rate", "expected key=value"),
]  # fmt: skip


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: f"{case[0]} -> {case[1]}"[:60])
def test_each_mistake_is_an_error_in_its_line(
    cfg: Path,
    case: tuple[str, str, str] | tuple[str, str, str, str] | tuple[str, str, str, str, int],
) -> None:
    old, new, message, *place = case
    line = place[1] if len(place) > 1 else line_of(str(place[0] if place else old))
    findings = lint_mutated(cfg, old, new)
    found = [f for f in findings if f.line == line and message in f.message]
    assert [f.severity for f in found] == ["error"], findings
    assert found[0].file == str(cfg)
    assert not is_clean(findings)


WARNINGS = [
    ("size=2", "sise=2", "[maxpool] knows no key 'sise'", "Did you mean size?"),
    ("learning_rate=0.001", "colour=1", "[net] knows no key 'colour'", None),
    ("learning_rate=0.001", "learning_rate=1\nlearning_rate=2", "set again",
     "takes learning_rate=1."),
    ("num=4   # head 1", "num=3", "num=3, but anchors has 4 pairs", "Set num=4."),
    ("mask=0,1   # head 2", "mask=1,1", "mask names an anchor twice", None),
    ("activation=linear   # head 2", "activation=leaky", "activation=leaky before a head",
     "linear"),
    (f"{ANCHORS}   # head 2", ANCHORS.replace("41", "42"), "anchors differ",
     None),
]  # fmt: skip


@pytest.mark.parametrize("case", WARNINGS, ids=lambda case: f"{case[0]} -> {case[1]}"[:60])
def test_what_loads_but_looks_wrong_is_a_warning(
    cfg: Path, case: tuple[str, str, str, str | None]
) -> None:
    old, new, message, fix = case
    findings = lint_mutated(cfg, old, new)
    found = [f for f in findings if message in f.message]
    assert [f.severity for f in found] == ["warning"], findings
    assert found[0].line == line_of(old) + new.count("\n")
    assert fix is None or fix in str(found[0].fix)
    assert is_clean(found)
    assert not is_clean(found, strict=True)


def test_one_mistake_is_told_once(cfg: Path) -> None:
    for old, new in (
        ("filters=14   # head 1", "filters=18"),
        ("layers=-3", "layers=-9"),
        ("mask=2,3   # head 1", "mask=2,4"),
        ("activation=mish", "activation=mist"),
        ("width=64", "width=64\nwidth=32"),
    ):
        assert len(lint_mutated(cfg, old, new)) == 1, (old, new)


def test_two_mistakes_of_one_section_are_both_told(cfg: Path) -> None:
    cfg.write_text(CFG.replace("num=4   # head 1", "num=5\nscale_x_y=nan"))
    assert [f.line for f in lint(cfg)] == [line_of("num=4   # head 1") + i for i in (0, 1)]


def test_every_mistake_of_a_file_is_told(cfg: Path) -> None:
    text = CFG
    wrong = {
        "activation=mish": "activation=mist",
        "filters=14   # head 1": "filters=13",
        "layers=-3": "layers=-30",
        "filters=14   # head 2": "filters=15",
        "mask=0,1   # head 2": "mask=0,7",
    }
    for old, new in wrong.items():
        text = text.replace(old, new)
    cfg.write_text(text)
    findings = lint(cfg)
    assert [f.line for f in findings] == [line_of(old) for old in wrong]
    assert {f.severity for f in findings} == {"error"}


def test_training_settings_are_fine(cfg: Path) -> None:
    training = "subdivisions=16\nmomentum=0.9\npolicy=steps\nsteps=1,2\nmosaic=1\nburn_in=1000"
    assert lint_mutated(cfg, "learning_rate=0.001", training) == []
    assert lint_mutated(cfg, "num=4   # head 2", "num=4\njitter=.3\nignore_thresh=.7") == []


def test_letter_box_is_a_note(cfg: Path) -> None:
    (finding,) = lint_mutated(cfg, "learning_rate=0.001", "letter_box=1")
    assert (finding.severity, finding.line) == ("note", 7)
    assert "letterboxed" in finding.message


def test_layers_without_use_are_a_note(cfg: Path) -> None:
    cfg.write_text(CFG + "\n[route]\nlayers=0\n\n[convolutional]\nfilters=4\nactivation=relu\n")
    (finding,) = lint(cfg)
    assert (finding.severity, finding.line) == ("note", len(CFG.splitlines()) + 2)
    assert "no head depends on 2 of the layers" in finding.message


def test_a_net_without_heads_is_an_error(cfg: Path) -> None:
    cfg.write_text("[net]\nwidth=32\nheight=32\nchannels=3\n[convolutional]\nactivation=relu\n")
    assert "no detector" in lint(cfg)[0].message


def test_a_hostile_file_does_not_flood(cfg: Path) -> None:
    cfg.write_text(CFG + "k=1\n" * 100_000)
    assert len(lint(cfg)) <= MAX_FINDINGS + 1
    cfg.write_text(CFG.replace("layers=-3", "layers=" + "99," * 200_000))
    assert len(lint(cfg)) <= MAX_FINDINGS + 1


def test_published_cfgs_use_no_key_that_is_unknown() -> None:
    published = sorted(Path("/usr/share/darknet/cfg").glob("yolov[23]*.cfg"))
    if not published:
        pytest.skip("Debian's package darknet is not installed")
    for path in published:
        assert [f for f in lint(path) if f.severity != "note"] == [], path
