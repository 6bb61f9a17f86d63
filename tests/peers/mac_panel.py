"""mac_panel.py - the panel of a virtual device that keeps one name for each Ethernet address.

Real panels were seen to do so: two answers from one Ethernet address are one entry, the first of a
cycle. Runs in a network of its own. Reads commands line by line and answers each with one line of JSON:

    cycle               asks the group, waits; {"MAC": [name, address, port, sender], ...}
    press NAME CHOICE   Start; {"ok": true, "mac": who has the address by ARP, "end": complaints}
    quit

Usage: mac_panel.py INTERFACE ADDRESS PRODUCT SERIAL PAGE.jpg...
       mac_panel.py agent ADDRESS NAME      another server that answers the group"""

import json
import re
import socket
import struct
import subprocess
import sys
import time

import epson_models
from epson_device import SLP_GROUP, SLP_PORT, Device

ETH_P_IP, WAIT_S = 0x0800, 0.8


def reply_of(frame):
    """(MAC, sender, datagram) of a UDP datagram from a raw frame, or None."""
    header = (frame[14] & 15) * 4
    if frame[23] != 17:
        return None
    udp = frame[14 + header:]
    length = struct.unpack(">H", udp[4:6])[0]
    return frame[6:12].hex(":"), socket.inet_ntoa(frame[26:30]), udp[8:length]


class Panel:
    def __init__(self, interface, address, product, serial, pages):
        model = epson_models.FF680W
        assert len(serial) == 10
        self.device = Device(address, pages=pages, model=model._replace(
            product=product, info=model.info.replace(b"X5EW260651", serial.encode())))
        self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
        self.wire.bind((interface, 0))
        self.entries = {}

    def cycle(self):
        """One cycle; the first answer of each Ethernet address counts."""
        self.entries = {}
        self.device.announce()
        end = time.monotonic() + WAIT_S
        while (left := end - time.monotonic()) > 0:
            self.wire.settimeout(left)
            try:
                got = reply_of(self.wire.recv(2000))
            except TimeoutError:
                break
            if not got or got[2][:2] != b"\x02\x07" or got[2][10:12] != struct.pack(
                    ">H", self.device.xid):
                continue
            values = dict(re.findall(r"\(([^=]+)=([^)]*)\)", got[2][20:].decode()))
            self.entries.setdefault(got[0], [values["ClientName"], values["IPAddress"],
                                             int(values["EventPort"]), got[1]])
        return self.entries

    def press(self, name, choice):
        address, port = next(e[1:3] for e in self.entries.values() if e[0] == name)
        self.device.complaints.clear()
        answer = self.device.press((address, port), choice)
        ok = b"<StatusOut>OK<" in answer
        table = subprocess.run(["ip", "neigh", "show", address], capture_output=True, text=True,
                               check=True).stdout
        if ok:
            self.device.wait_end()
        return {"ok": ok, "mac": table.split("lladdr ")[1].split()[0],
                "end": self.device.complaints}


def agent(address, name):
    """Another server: answers every request with its name."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    udp.bind(("", SLP_PORT))
    udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                   socket.inet_aton(SLP_GROUP) + socket.inet_aton(address))
    print("ready", flush=True)
    while True:
        request, sender = udp.recvfrom(2000)
        values = f"(ClientName={name}),(IPAddress={address}),(EventPort=2968)".encode()
        rest = (request[10:16] + b"\0\0" + struct.pack(">H", len(values)) + values + b"\0")
        udp.sendto(b"\x02\x07" + struct.pack(">I", 10 + len(rest))[1:] + bytes(5) + rest, sender)


def main():
    if sys.argv[1] == "agent":
        agent(*sys.argv[2:])
    interface, address, product, serial, *paths = sys.argv[1:]
    panel = Panel(interface, address, product, serial, [open(path, "rb").read() for path in paths])
    print("ready", flush=True)
    for line in sys.stdin:
        words = line.rstrip("\n").split("\t")
        if words[0] == "quit":
            break
        print(json.dumps(getattr(panel, words[0])(*words[1:])), flush=True)


if __name__ == "__main__":
    main()
