#!/bin/bash
# Check edgeseg on a real V4L2 device: boot an emulated PC with the kernel's vivid driver.
# Prints a line PASS or FAIL for each promise; the exit code is 0 when all of them hold.
# README.md says what is needed; what is built stays in EDGESEG_VM_DIR for the next time.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$here/../.." && pwd)
work=${EDGESEG_VM_DIR:-$tree/build/vm}
python=${PYTHON:-python3}
limit_s=${EDGESEG_VM_TIMEOUT_S:-900}
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")

need() {
    [ "$(id -u)" = 0 ] || { echo "camera.sh: only root can make a root file system" >&2; exit 2; }
    local tool
    for tool in mmdebstrap mke2fs qemu-system-x86_64; do
        command -v "$tool" >/dev/null || {
            echo "camera.sh: $tool is missing: apt-get install mmdebstrap e2fsprogs qemu-system-x86" >&2
            exit 2
        }
    done
}

# The distribution's kernel, Python and little else; made once.
make_system() {
    [ -d "$work/system" ] && return
    echo "making the root file system (minutes, once)"
    rm -rf "$work/system.new"
    local hooks='etc=$1/etc/initramfs-tools/conf.d list=$1/usr/share/initramfs-tools/modules.d
        mkdir -p $etc $list
        echo MODULES=list >$etc/vm
        printf "%s\n" virtio_pci virtio_blk ext4 >$list/vm'
    local sources=/etc/apt/sources.list.d/debian.sources
    [ -f "$sources" ] || sources=/etc/apt/sources.list
    mmdebstrap --quiet --variant=minbase --aptopt='APT::Install-Recommends "false"' \
        --include=linux-image-amd64,kmod,python3,udev,v4l-utils --essential-hook="$hooks" \
        "$suite" "$work/system.new" "$sources"
    rm -rf "$work"/system.new/etc/apt/sources.list*
    mv "$work/system.new" "$work/system"
}

# The wheel of this tree with what it depends on, and the guest's part of the check.
install_edgeseg() {
    local theirs ours
    theirs=$(readlink "$work/system/usr/bin/python3")
    ours=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    [ "$ours" = "$theirs" ] || {
        echo "camera.sh: the guest has $theirs, the wheel would be for $ours: set PYTHON" >&2
        exit 2
    }
    echo "building and installing the wheel"
    rm -rf "$work/wheel" "$work/system/check"
    mkdir -p "$work/system/check"
    "$python" -m pip wheel --quiet --no-deps --wheel-dir "$work/wheel" \
        --config-settings "build-dir=$work/build" "$tree"
    "$python" -m pip install --quiet --target "$work/system/check/site" \
        "$(echo "$work"/wheel/edgeseg-*.whl)[cpu]" "$@"
    cp "$here"/guest* "$tree/tests/small_net.py" "$work/system/check/"
}

make_disk() {
    rm -f "$work/disk.img"
    truncate --size=3G "$work/disk.img"
    mke2fs -q -t ext4 -d "$work/system" "$work/disk.img"
}

# Nehalem has no AVX: the wheel must not need it. TCG needs nothing of the host.
boot() {
    local kernel initrd
    kernel=$(echo "$work"/system/boot/vmlinuz-*)
    initrd=$(echo "$work"/system/boot/initrd.img-*)
    timeout --kill-after=5 "$limit_s" qemu-system-x86_64 \
        -accel tcg,thread=multi -cpu Nehalem -smp 2 -m 2048 -machine q35 \
        -nodefaults -no-reboot -display none \
        -serial "file:$work/console.log" -serial stdio \
        -drive "file=$work/disk.img,format=raw,if=virtio,snapshot=on" -device virtio-rng-pci \
        -kernel "$kernel" -initrd "$initrd" \
        -append "console=ttyS0 quiet panic=1 mitigations=off root=/dev/vda rw init=/check/guest.sh" \
        </dev/null | tee "$work/result.log"
}

need
mkdir -p "$work"
make_system
install_edgeseg "$@"
make_disk
boot || echo "the emulated PC did not end in order; see $work/console.log" >&2
grep -q '^all passed' "$work/result.log"
