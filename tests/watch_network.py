"""Run a command in a network of its own, and print what it tried to send as JSON.

`unshare --net python watch_network.py COMMAND...`: there is an address and a route for
everything, which ends nowhere; all that would leave is noted.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import subprocess
import sys
import threading
import time

_ALL_PROTOCOLS = 3  # ETH_P_ALL
_IPV4, _IPV6 = 0x0800, 0x86DD
_TRANSPORTS = {6: "TCP", 17: "UDP"}
# Every address is taken for one of this machine: connections are refused, and seen.
SETUP = """\
link set lo up
addr add 192.0.2.2/32 dev lo
addr add 2001:db8::2/128 dev lo
route add local default dev lo
-6 route add local default dev lo
"""


def attempt(packet: bytes, protocol: int) -> str | None:
    """Give `TCP 192.0.2.9:443` for a packet that a program sent; None for the kernel's own."""
    if protocol == _IPV4 and len(packet) >= 20:
        header, transport, target = (packet[0] & 15) * 4, packet[9], packet[16:20]
    elif protocol == _IPV6 and len(packet) >= 40:
        header, transport, target = 40, packet[6], packet[24:40]
    else:
        return None
    if transport not in _TRANSPORTS or len(packet) < header + 4:
        return None
    port = int.from_bytes(packet[header + 2 : header + 4], "big")
    return f"{_TRANSPORTS[transport]} {ipaddress.ip_address(target)} port {port}"


def main(command: list[str]) -> int:
    """Watch while the command runs, and a moment longer."""
    for words in SETUP.splitlines():
        subprocess.run(["ip", *words.split()], check=True)
    seen: dict[str, int] = {}
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL_PROTOCOLS))

    def sniff() -> None:
        while True:
            packet, (_, protocol, *_) = sniffer.recvfrom(65536)
            found = attempt(packet, protocol)
            if found is not None:
                seen[found] = seen.get(found, 0) + 1

    threading.Thread(target=sniff, daemon=True).start()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    time.sleep(0.3)
    print(json.dumps({"seen": dict(seen), "code": done.returncode, "said": done.stderr.decode()}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
