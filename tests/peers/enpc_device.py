"""enpc_device.py - a device that can be found: answers ENPC on UDP 3289, and says who it is on its scan port.

By hand: enpc_device.py ADDRESS SCAN_PORT SERIAL [answer|silent|garbage]; ends with standard input."""

import socket
import sys
import threading

import epson_models
from epson_device import Device


def answer_queries(address, manner):
    """A query has at least 14 bytes and begins with EPSONP; the answer has 76, from the device's address."""
    ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ear.bind(("0.0.0.0", 3289))
    mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    mouth.bind((address, 0))
    while True:
        query, sender = ear.recvfrom(2000)
        if len(query) < 14 or query[:6] != b"EPSONP" or manner == "silent":
            continue
        print(query.hex(), flush=True)
        answer = b"EPSONp" + query[6:12] + bytes(64)
        mouth.sendto(answer[:50] if manner == "garbage" else answer, sender)


def main():
    address, port, serial = sys.argv[1:4]
    manner = sys.argv[4] if len(sys.argv) > 4 else "answer"
    model = epson_models.FF680W._replace(
        info=epson_models.FF680W.info.replace(b"X5EW260651", serial.encode()))
    with Device(address, int(port), model) as device:
        threading.Thread(target=answer_queries, args=(address, manner), daemon=True).start()
        print("ready", flush=True)
        sys.stdin.read()
        print(f"complaints={device.complaints}", flush=True)


if __name__ == "__main__":
    main()
