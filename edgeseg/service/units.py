"""The files that make edgeseg a service, as text.

Hardening that was left out, and why: `DevicePolicy`, `PrivateDevices` and
`ProtectClock` each leave only listed devices, and a Jetson's cannot be listed
reliably; a private /tmp hides the socket of nvargus-daemon; the filter
`~@resources` kills NumPy; `MemoryDenyWriteExecute` forbids what CUDA does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeseg.errors import ConfigError, MissingDependencyError, ModelError

USER = "edgeseg"
UNIT = "edgeseg@.service"
TARGET = "edgeseg.target"
FINAL_CODES = tuple(
    sorted(error.exit_code for error in (ConfigError, ModelError, MissingDependencyError))
)
"""Exit codes after which starting again would change nothing."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """What differs from one installation to the next."""

    program: tuple[str, ...]
    """The command that is `edgeseg`, absolute."""
    watchdog_s: int = 30
    """Results may be missing for so long. A lost RTSP server is noticed after up to 15 s."""
    memory_max: str = "80%"
    tasks_max: int = 256
    home_hidden: bool = True
    """False when the program lies in a home folder."""


def service_unit(knobs: Knobs) -> str:
    """Give the template unit; an instance is named after its file in /etc/edgeseg."""
    program = " ".join(quoted(word) for word in knobs.program)
    return f"""\
# Written by `edgeseg service install`. Change it with: systemctl edit {UNIT}
[Unit]
Description=edgeseg video segmentation (%i)
Wants=network-online.target
After=network-online.target nvargus-daemon.service systemd-tmpfiles-setup.service
PartOf={TARGET}
# A camera may be away for days: starting again is never given up.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={program} run --config /etc/edgeseg/%i.toml
# A file with a mistake fails the reload and leaves the run as it is.
ExecReload={program} service verify %i --config-only
# The shell's own kill: the program /bin/kill is not on every system.
ExecReload=/bin/sh -c 'kill -HUP $MAINPID'
Restart=always
RestartSec=1
# Options, model or packages are wrong: starting again would change nothing.
RestartPreventExitStatus={" ".join(map(str, FINAL_CODES))}
SuccessExitStatus=143
WatchdogSec={knobs.watchdog_s}
# Each step of the start asks for the time it may take.
TimeoutStartSec=60
TimeoutStopSec=30
TimeoutAbortSec=5
KillMode=mixed

User={USER}
Group={USER}
SupplementaryGroups=video render
WorkingDirectory=%S/edgeseg/%i
StateDirectory=edgeseg/%i
StateDirectoryMode=0750
CacheDirectory=edgeseg
CacheDirectoryMode=0750
RuntimeDirectory=edgeseg/%i
RuntimeDirectoryMode=0750
# The flight record of a killed run is read by the next one.
RuntimeDirectoryPreserve=restart
UMask=0027
Environment=EDGESEG_CACHE_DIR=%C/edgeseg
Environment=EDGESEG_HEADLESS=true
Environment=HOME=%S/edgeseg/%i
Environment=ORT_DISABLE_TELEMETRY=1
Environment=PYTHONDONTWRITEBYTECODE=1

MemoryMax={knobs.memory_max}
TasksMax={knobs.tasks_max}
LimitCORE=0
OOMPolicy=stop

NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome={"yes" if knobs.home_hidden else "read-only"}
ProtectProc=invisible
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM

[Install]
WantedBy={TARGET}
"""


def paths_dropin(folders: Sequence[Path]) -> str:
    """Give the drop-in that opens folders for writing; they may be away, as a disk may."""
    lines = "".join(f"ReadWritePaths=-{quoted(str(folder))}\n" for folder in folders)
    return f"""\
# Written by `edgeseg service install`: the sinks of this instance lie there.
[Service]
{lines}"""


def target_unit() -> str:
    """Give the target that all instances belong to."""
    return """\
# Written by `edgeseg service install`.
[Unit]
Description=All edgeseg instances

[Install]
WantedBy=multi-user.target
"""


def sysusers() -> str:
    """Give the sysusers.d file: a user without login, in the groups of cameras and GPU."""
    return f"""\
# Written by `edgeseg service install`.
u {USER} - "edgeseg video segmentation" /var/lib/edgeseg /usr/sbin/nologin
m {USER} video
m {USER} render
"""


def tmpfiles() -> str:
    """Give the tmpfiles.d file: configurations may hold passwords of cameras."""
    return f"""\
# Written by `edgeseg service install`.
d /etc/edgeseg 0750 root {USER}
z /etc/edgeseg/*.toml 0640 root {USER}
"""


def udev_rules() -> str:
    """Give the udev rule: a camera that is plugged in starts the instances that are down."""
    return f"""\
# Written by `edgeseg service install`.
ACTION=="add", SUBSYSTEM=="video4linux", TAG+="systemd", ENV{{SYSTEMD_WANTS}}+="{TARGET}"
"""


def quoted(word: str) -> str:
    """Quote a word of ExecStart as systemd.service(5) says."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    plain = escaped == word and word.isprintable() and not any(c in word for c in " ;'#")
    return escaped if plain else f'"{escaped}"'
