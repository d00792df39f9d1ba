"""Promises of edgeseg.service.machine and of what the doctor says about the service."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeseg.errors import ServiceError
from edgeseg.service import doctor, systemd
from edgeseg.service.instances import Instance
from edgeseg.service.machine import available_bytes, resident_bytes, temperatures_c


def zone(folder: Path, number: int, kind: str, reading: str) -> None:
    path = folder / f"thermal_zone{number}"
    path.mkdir()
    (path / "type").write_text(kind + "\n")
    (path / "temp").write_text(reading + "\n")


def test_zones_are_read_by_type_and_dead_sensors_left_out(tmp_path: Path) -> None:
    for number, (kind, reading) in enumerate(
        [("cpu-thermal", "48500"), ("gpu-thermal", "-256000"), ("cpu-thermal", "50000"),
         ("broken", "n/a")]
    ):  # fmt: skip
        zone(tmp_path, number, kind, reading)
    (tmp_path / "thermal_zone9").mkdir()
    assert temperatures_c(tmp_path) == {"cpu-thermal": 48.5, "cpu-thermal#2": 50.0}
    assert temperatures_c(tmp_path / "nowhere") == {}


def test_memory_is_plausible() -> None:
    resident, available = resident_bytes(), available_bytes()
    assert resident is not None
    assert 1e6 < resident < 1e11
    assert available is not None
    assert available > 1e6


def by_area(findings: list[doctor.Finding]) -> dict[str, doctor.Finding]:
    return {finding.area: finding for finding in findings}


def test_the_doctor_tells_of_each_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    units = {
        "good": {"ActiveState": "active", "WatchdogUSec": "30s", "StatusText": "running"},
        "bad": {"ActiveState": "failed", "WatchdogUSec": "0", "NRestarts": "7"},
    }
    monkeypatch.setattr(doctor, "instance_names", lambda: sorted(units))
    monkeypatch.setattr(doctor, "look_at", lambda name: Instance(name, Path(), units[name]))
    found = by_area(list(doctor.instances()))
    assert found["service good"].ok
    assert found["watchdog good"].ok
    assert not found["service bad"].ok
    assert "7 restarts" in found["service bad"].value
    assert "logs bad" in found["service bad"].fix
    assert not found["watchdog bad"].ok


def test_the_doctor_bears_what_it_may_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed() -> list[str]:
        raise ServiceError("/etc/edgeseg cannot be read")

    monkeypatch.setattr(doctor, "instance_names", closed)
    (finding,) = doctor.instances()
    assert not finding.ok
    monkeypatch.setattr(systemd, "RUNNING", Path("/nowhere"))
    assert "systemd does not run" in by_area(list(doctor.findings()))["service"].value


def test_a_camera_that_may_not_be_opened_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "video0").touch(mode=0o000)
    monkeypatch.setattr(doctor, "CAMERAS", str(tmp_path))
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    found = by_area(list(doctor.camera_group()))
    assert "video0" in found["camera access"].value
    assert "usermod -aG video" in found["camera access"].fix


def test_programs_that_fail_or_hang_are_clean_errors() -> None:
    assert systemd.run("echo", "hello") == "hello\n"
    with pytest.raises(ServiceError, match="not installed"):
        systemd.run("no-such-program-here")
    with pytest.raises(ServiceError, match="exit code 1"):
        systemd.run("false")
    with pytest.raises(ServiceError, match="did not end"):
        systemd.run("sleep", "5", limit_s=0.1)


def test_a_folder_that_may_not_be_read_is_not_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeseg.service import instances

    assert instances.instance_names(tmp_path / "nowhere") == []
    monkeypatch.setattr(instances.os, "access", lambda *_: False)
    with pytest.raises(ServiceError, match="cannot be read"):
        instances.instance_names(tmp_path)
