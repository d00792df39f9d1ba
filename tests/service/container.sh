#!/bin/bash
# Check edgeseg as a service under a real systemd: a Debian in a container, edgeseg from its wheel.
# Prints PASS or FAIL for each promise. Exit code: 0 all hold, 1 one does not, 77 it cannot be
# checked here. What takes long is kept in EDGESEG_CONTAINER_DIR. README.md says more.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$here/../.." && pwd)
work=${EDGESEG_CONTAINER_DIR:-$tree/build/container}
python=${PYTHON:-python3}
limit_s=${EDGESEG_CONTAINER_TIMEOUT_S:-240}
system=$work/system

skip() { echo "SKIPPED: $*" >&2; exit 77; }

need() {
    [ "$(id -u)" = 0 ] || skip "only root can boot a container"
    [ -f /etc/debian_version ] || skip "the container is made with Debian's tools"
    local tool
    for tool in mmdebstrap systemd-nspawn nsenter; do
        command -v "$tool" >/dev/null ||
            skip "$tool is missing: apt-get install mmdebstrap systemd-container util-linux"
    done
}

# systemd, Python and little else; made once.
make_system() {
    [ -d "$system" ] && return
    echo "making the container's system (a minute, once)"
    rm -rf "$system.new"
    local sources=/etc/apt/sources.list.d/debian.sources
    [ -f "$sources" ] || sources=/etc/apt/sources.list
    local suite
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
    timeout 600 mmdebstrap --quiet --variant=minbase --aptopt='APT::Install-Recommends "false"' \
        --include=systemd,systemd-sysv,dbus,udev,python3,python3-venv,curl \
        "$suite" "$system.new" "$sources" || skip "the system could not be made"
    rm -rf "$system.new"/etc/apt/sources.list*
    mv "$system.new" "$system"
}

# The wheel of this tree, put into a virtual environment of the container's own Python.
install_edgeseg() {
    local ours theirs
    theirs=$(readlink "$system/usr/bin/python3")
    ours=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    [ "$ours" = "$theirs" ] || skip "the container has $theirs, the wheel would be for $ours"
    # A build environment that stays where it is: what was compiled last time is used again.
    [ -d "$work/backend" ] || "$python" -m pip install --quiet --quiet \
        --target "$work/backend" 'scikit-build-core>=0.10' 'pybind11>=2.13' cmake ninja ||
        skip "the build tools could not be had"
    rm -rf "$work/wheels/"edgeseg-*.whl
    PYTHONPATH="$work/backend" PATH="$work/backend/bin:$PATH" "$python" -m pip wheel \
        --quiet --quiet --no-deps --no-build-isolation --wheel-dir "$work/wheels" \
        --config-settings=cmake.define.EDGESEG_CUDA=OFF \
        --config-settings "build-dir=$work/build" "$tree"
    mkdir -p "$system/wheels"
    cp --update "$work"/wheels/edgeseg-*.whl "$system/wheels/"
    local pip='/opt/edgeseg/bin/pip --quiet --quiet --disable-pip-version-check install --no-index'
    if [ ! -d "$system/opt/edgeseg" ]; then
        echo "installing edgeseg and what it needs (once)"
        "$python" -m pip wheel --quiet --quiet --wheel-dir "$work/wheels" \
            "$(echo "$work"/wheels/edgeseg-*.whl)[cpu,service]" ||
            skip "the packages edgeseg needs could not be had"
        cp --update "$work"/wheels/*.whl "$system/wheels/"
        chroot "$system" sh -c "python3 -m venv /opt/edgeseg.new &&
            mv /opt/edgeseg.new /opt/edgeseg && python3 -m venv --upgrade /opt/edgeseg &&
            sed -i 's|/opt/edgeseg.new|/opt/edgeseg|' /opt/edgeseg/bin/pip &&
            $pip --find-links /wheels 'edgeseg[cpu,service]'" || {
            rm -rf "$system/opt/edgeseg"
            exit 1
        }
    fi
    chroot "$system" sh -c "$pip --no-deps --force-reinstall /wheels/edgeseg-*.whl"
    rm -rf "$system/wheels"
    mkdir -p "$system/srv/net"
    PYTHONPATH="$tree/tests" "$python" -c \
        "import sys, pathlib, small_net; small_net.write_small_net(pathlib.Path(sys.argv[1]))" \
        "$system/srv/net"
}

# nspawn leaves cgroups at the root of the hierarchy it was started in: give it one of its own.
in_own_cgroup() {
    local top made=()
    for top in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
        [ -w "$top/cgroup.procs" ] || continue
        mkdir -p "$top/edgeseg-container" && echo "$BASHPID" >"$top/edgeseg-container/cgroup.procs" &&
            made+=("$top")
    done
    local code=0
    "$@" || code=$?
    for top in "${made[@]}"; do
        echo "$BASHPID" >"$top/cgroup.procs"
        find "$top/edgeseg-container" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
    return "$code"
}

need
mkdir -p "$work"
make_system
install_edgeseg
in_own_cgroup timeout --kill-after=20 "$limit_s" \
    "$python" "$here/container_checks.py" "$system" "$work/console.log"
