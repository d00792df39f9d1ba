"""Promises of `edgeseg service install|uninstall|print|verify`, in a folder that stands for `/`."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from edgeseg.cli import call, settings_of
from edgeseg.errors import ConfigError, ServiceError
from edgeseg.service import install as install_module
from edgeseg.service.install import install_files
from edgeseg.service.plan import File, config_text, first_closed, in_home
from edgeseg.service.units import Knobs, quoted, service_unit
from edgeseg.settings import Settings, settings_from

UNIT = Path("etc/systemd/system/edgeseg@.service")
CONFIG = Path("etc/edgeseg/main.toml")

needs_systemd = pytest.mark.skipif(
    shutil.which("systemctl") is None or shutil.which("systemd-analyze") is None,
    reason="systemd's programs are not here",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A system with a program, and nothing else of edgeseg."""
    program = tmp_path / "root/opt/edgeseg"
    program.parent.mkdir(parents=True)
    return tmp_path / "root"


def program() -> list[str]:
    return ["--program", shutil.which("true") or "/bin/true"]


def written(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*edgeseg*") if path.is_file()}


@needs_systemd
def test_install_writes_what_print_shows(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--root", str(root), "--camera", "0", "--conf", "0.4", *program()]
    assert call(["service", "print", *options]) == 0
    shown = capsys.readouterr().out
    assert not (root / "etc").exists(), "print writes nothing"
    assert call(["service", "install", *options]) == 0
    for path in (UNIT, CONFIG, Path("etc/sysusers.d/edgeseg.conf")):
        assert (root / path).read_text() in shown
        assert f"# --- /{path}" in shown
    wants = root / "etc/systemd/system/edgeseg.target.wants/edgeseg@main.service"
    assert wants.is_symlink()
    assert stat.S_IMODE((root / CONFIG).stat().st_mode) == 0o640
    assert not list(root.rglob("*.part"))


@needs_systemd
def test_installing_again_changes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["service", "install", "--root", str(root), "--camera", "0", *program()]
    assert call(options) == 0
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert call(options) == 0
    assert "written" not in capsys.readouterr().out
    assert call([*options[:4], *program()]) == 0, "without options the configuration stays"
    after = {path: path.stat().st_mtime_ns for path in before}
    ours = [path for path in before if "edgeseg" in str(path.relative_to(root))]
    assert ours
    assert all(before[path] == after[path] for path in ours)


@needs_systemd
def test_another_configuration_is_not_overwritten_unasked(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["service", "install", "--root", str(root), *program()]
    assert call([*options, "--camera", "0"]) == 0
    assert call([*options, "--camera", "1"]) == 2
    assert "--replace-config" in capsys.readouterr().err
    assert 'camera = "0"' in (root / CONFIG).read_text()
    assert call([*options, "--camera", "1", "--replace-config"]) == 0
    assert 'camera = "1"' in (root / CONFIG).read_text()


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ([], 2, "no options were given"),
        (["--camera", "0", "--instance", "../evil"], 2, "cannot be called"),
        (["--camera", "0", "--watchdog", "0"], 2, "--watchdog"),
        (["--camera", "0", "--memory-max", "much"], 2, "--memory-max"),
        (["--camera", "0", "--program", "edgeseg"], 2, "whole path"),
        (["--camera", "0", "--sink", "nonsense"], 2, "nonsense"),
        (["--conf", "0.4"], 2, "no source"),
        (["--config", "/nowhere.toml"], 2, "/nowhere.toml"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_written(
    root: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: int, says: str
) -> None:
    chosen = [] if "--program" in options else program()
    assert call(["service", "install", "--root", str(root), *chosen, *options]) == code
    assert says in capsys.readouterr().err
    assert not (root / "etc").exists()


@needs_systemd
def test_a_file_is_copied_and_checked(root: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('# mine\nsource = "test://"\nconf = 0.3\n')
    options = ["service", "install", "--root", str(root), *program(), "--config", str(mine)]
    assert call([*options, "--conf", "0.5"]) == 2
    assert call(options) == 0
    assert (root / CONFIG).read_text() == mine.read_text()
    mine.write_text("conf = 9\n")
    assert call([*options, "--replace-config"]) == 2
    assert "0.3" in (root / CONFIG).read_text()


@needs_systemd
def test_uninstall_takes_its_files_and_leaves_recordings(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["service", "install", "--root", str(root), "--camera", "0", *program()]) == 0
    recording = root / "var/lib/edgeseg/main/recordings/a.mp4"
    recording.parent.mkdir(parents=True)
    recording.write_bytes(b"film")
    capsys.readouterr()
    assert call(["service", "uninstall", "--root", str(root)]) == 0
    said = capsys.readouterr().out
    assert "left      /var/lib/edgeseg/main: 1 files" in said
    assert "left      /etc/edgeseg/main.toml" in said
    assert recording.read_bytes() == b"film"
    assert written(root) == set()
    assert not list(root.glob("etc/systemd/system/*.wants/*"))
    assert call(["service", "uninstall", "--root", str(root), "--purge"]) == 0
    assert not (root / CONFIG).exists()
    assert recording.exists()
    assert call(["service", "uninstall", "--root", str(root)]) == 0, "again is no error"


def test_a_failure_in_the_middle_puts_everything_back(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = root / "etc/one"
    old.parent.mkdir(parents=True)
    old.write_text("old")
    old.chmod(0o600)
    real, calls = Path.replace, [0]

    def failing(self: Path, target: Path) -> Path:
        calls[0] += 1
        if calls[0] == 3:
            raise OSError(28, "No space left on device", str(target))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    files = [File(Path(f"/etc/{name}"), "new") for name in ("one", "two", "three")]
    with pytest.raises(ServiceError, match="no space left"):
        install_files(files, root)
    assert old.read_text() == "old"
    assert stat.S_IMODE(old.stat().st_mode) == 0o600
    assert [path.name for path in old.parent.iterdir()] == ["one"]


def test_a_failure_while_staging_leaves_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = install_module.os.fsync
    calls = [0]

    def failing(descriptor: int) -> None:
        calls[0] += 1
        if calls[0] == 2:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(install_module.os, "fsync", failing)
    with pytest.raises(ServiceError):
        install_files([File(Path(f"/etc/{n}"), "new") for n in ("one", "two")], root)
    assert list((root / "etc").iterdir()) == []


@needs_systemd
def test_the_unit_has_no_fault_and_little_exposure(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["service", "install", "--root", str(root), "--camera", "0", *program()]) == 0
    code = call(["service", "verify", "--root", str(root)])
    said = capsys.readouterr()
    assert code == 0, said.err
    score = float(said.out.split("exposure ")[1].split()[0])
    assert score <= 2.5
    unit = root / UNIT
    unit.write_text(unit.read_text().replace("WatchdogSec=30", "WatchdogSecs=30"))
    assert call(["service", "verify", "--root", str(root)]) == 2
    assert "WatchdogSecs" in capsys.readouterr().err


@needs_systemd
def test_verify_names_file_and_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["service", "install", "--root", str(root), "--camera", "0", *program()]) == 0
    config = root / CONFIG
    lines = config.read_text().splitlines()
    config.write_text("\n".join([*lines, "conf = 7"]))
    capsys.readouterr()
    assert call(["service", "verify", "main", "--config-only", "--root", str(root)]) == 2
    assert f"{config}:{len(lines) + 1}: --conf must be" in capsys.readouterr().err
    assert call(["service", "verify", "nobody", "--root", str(root)]) == 2


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("# a\nconf = 7", 2, "--conf must be from 0 to 1"),
        ('conf = "high"', 1, "unable to convert"),
        ('\n\nlabels = "worst"', 3, "worst"),
        ("max_frames = 0", 1, "--max-frames"),
        ("confi = 0.3", 1, "confi"),
        ("conf = 0.1\nconf = = 2", 2, "Invalid value"),
        ("[nested]\na = 1", 1, "nested"),
        ('sink = ["a.nonsense"]', 1, "a.nonsense"),
        ('health = "here"', 1, "--health"),
    ],
)
def test_a_mistake_in_a_file_is_found_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, line: int, says: str
) -> None:
    path = tmp_path / "main.toml"
    path.write_text(text)
    assert call(["run", "test://", "--config", str(path)]) == 2
    said = capsys.readouterr().err
    assert f"{path}:{line}: " in said
    assert says in said


def test_a_wrong_flag_is_not_blamed_on_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "main.toml"
    path.write_text("conf = 0.3\n")
    assert call(["run", "test://", "--config", str(path), "--conf", "7"]) == 2
    assert str(path) not in capsys.readouterr().err


def test_options_become_a_file_that_says_the_same(tmp_path: Path) -> None:
    given = settings_from(
        source="rtsp://u:p@h/s?a=\"b'\\é", conf=0.4, classes=("person", 'say "hi"'), show=True
    )
    path = tmp_path / "main.toml"
    path.write_text(config_text("main", given))
    read, _ = settings_of(("run", "--config", str(path)))
    assert (read.source, read.conf, read.classes) == (given.source, given.conf, given.classes)
    assert read.reconnect_s == float("inf"), "a service waits for its camera for ever"
    assert read.health == "unix:/run/edgeseg/main/health.sock"
    assert not read.show


def test_paths_become_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("clip.mp4", "a.cfg", "a.weights"):
        (tmp_path / name).touch()
    text = config_text(
        "main", settings_from(source="clip.mp4", model="a.cfg", weights="a.weights", size=416)
    )
    for name in ("clip.mp4", "a.cfg", "a.weights"):
        assert f'"{tmp_path / name}"' in text
    assert 'model = "yolov3"' in config_text("m", Settings("test://", model="yolov3"))


def test_the_unit_does_what_the_operations_notes_found_out() -> None:
    unit = service_unit(Knobs(("/opt/edge seg/bin/edgeseg",), watchdog_s=12))
    assert 'ExecStart="/opt/edge seg/bin/edgeseg" run --config /etc/edgeseg/%i.toml' in unit
    for line in (
        "Type=notify", "WatchdogSec=12", "StartLimitIntervalSec=0", "Restart=always",
        "RestartPreventExitStatus=2 3 7", "User=edgeseg", "SupplementaryGroups=video render",
        "Environment=ORT_DISABLE_TELEMETRY=1", "ProtectSystem=strict", "ProtectHome=yes",
    ):  # fmt: skip
        assert line in unit.splitlines(), line
    assert "nvargus-daemon.service" in unit
    for trap in ("@resources", "PrivateTmp=yes", "DynamicUser", "DevicePolicy", "ProtectClock"):
        assert trap not in unit, trap
    assert "ProtectHome=read-only" in service_unit(Knobs(("/x",), home_hidden=False))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("/usr/bin/edgeseg", "/usr/bin/edgeseg"),
        ("/a b", '"/a b"'),
        ("/50%", '"/50%%"'),
        ("/$x", '"/$$x"'),
        ('/"', '"/\\""'),
    ],
)
def test_words_of_a_command_are_quoted_for_systemd(word: str, expected: str) -> None:
    assert quoted(word) == expected


def test_a_program_that_the_services_user_cannot_reach_is_found(tmp_path: Path) -> None:
    program = tmp_path / "venv/bin/edgeseg"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    (tmp_path / "venv").chmod(0o700)
    closed = first_closed(program)
    assert closed is not None
    assert closed in program.parents
    assert first_closed(Path("/bin/sh")) is None
    assert in_home(Path("/home/ann/venv/bin/edgeseg"))
    assert not in_home(Path("/opt/edgeseg/bin/edgeseg"))


def test_status_without_an_instance_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from edgeseg.service import instances

    monkeypatch.setattr(instances.chosen_names, "__defaults__", (tmp_path,))
    assert call(["service", "status"]) == ServiceError.exit_code
    assert "edgeseg service install" in capsys.readouterr().out
    with pytest.raises(ConfigError):
        instances.chosen_names("main", tmp_path)


@needs_systemd
def test_sinks_elsewhere_are_opened_for_this_instance(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--root", str(root), *program(), "--camera", "0", "--sink", "/mnt/usb/a.mp4"]
    assert call(["service", "install", *options, "--sink", "pictures:/mnt/b c/"]) == 0
    assert "note      /mnt/usb: the user edgeseg must be allowed" in capsys.readouterr().out
    dropin = root / "etc/systemd/system/edgeseg@main.service.d/10-paths.conf"
    assert 'ReadWritePaths=-"/mnt/b c"\nReadWritePaths=-/mnt/usb\n' in dropin.read_text()
    assert call(["service", "verify", "--root", str(root)]) == 0
    assert call(["service", "uninstall", "--root", str(root)]) == 0
    assert not dropin.parent.exists()


def test_files_in_a_home_folder_are_known_to_be_unreadable(tmp_path: Path) -> None:
    from edgeseg.service.plan import outside_folders, unreadable_files

    (tmp_path / "a.cfg").touch(mode=0o600)
    settings = settings_from(source="test://", model=str(tmp_path / "a.cfg"))
    assert unreadable_files(settings) == [tmp_path / "a.cfg"]
    assert unreadable_files(Settings("test://")) == []
    inside = settings_from(source="test://", sink=("a.mp4", "jsonl:-", "null:"))
    assert outside_folders(inside) == []
    own = settings_from(source="test://", sink="/var/lib/edgeseg/main/x/a.mp4")
    assert outside_folders(own) == []
