"""Promises of edgeseg.files."""

from pathlib import Path

import pytest

from edgeseg.files import cache_dir, sha256_of, written_aside


def test_a_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    final = tmp_path / "folder" / "a.txt"
    with written_aside(final) as aside:
        aside.write_text("new")
        assert not final.exists()
    assert final.read_text() == "new"


def test_an_error_keeps_the_old_file_and_leaves_nothing_behind(tmp_path: Path) -> None:
    final = tmp_path / "a.txt"
    final.write_text("old")
    with pytest.raises(RuntimeError), written_aside(final) as aside:
        aside.write_text("half")
        raise RuntimeError
    assert final.read_text() == "old"
    assert list(tmp_path.iterdir()) == [final]


def test_the_cache_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGESEG_CACHE_DIR", str(tmp_path / "c"))
    assert cache_dir() == tmp_path / "c"


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "a") == expected
