"""far_device.py - a device (epson_device.py) in a network of its own, driven from outside.

Reads commands line by line and answers each with one line of JSON:

    press HOST PORT     Start; {"ok": what the panel shows, "end": complaints}, after the session of a scan
    state               {"commands": [...], "sessions": n, "complaints": [...]}

Usage: far_device.py ADDRESS SCAN_PORT SERIAL PAGE.jpg [CERTIFICATE KEY]; ends with standard input."""

import json
import ssl
import sys

import epson_models
from epson_device import Device, Manner


class Far:
    def __init__(self, address, port, serial, page, certificate=None, key=None):
        model = epson_models.FF680W
        assert len(serial) == 10
        tls = None
        if certificate:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate, key)
        with open(page, "rb") as f:
            pages = [f.read()]
        self.device = Device(address, int(port), pages=pages, manner=Manner(tls=tls),
                             model=model._replace(info=model.info.replace(b"X5EW260651",
                                                                          serial.encode())))

    def press(self, host, port):
        answer = self.device.press((host, int(port)))
        ok = b"<StatusOut>OK<" in answer
        if ok:
            self.device.wait_end()
        return {"ok": ok, "end": self.device.complaints}

    def state(self):
        return {"commands": self.device.commands, "sessions": self.device.sessions,
                "complaints": self.device.complaints}


def main():
    far = Far(*sys.argv[1:])
    print("ready", flush=True)
    for line in sys.stdin:
        words = line.split()
        print(json.dumps(getattr(far, words[0])(*words[1:])), flush=True)


if __name__ == "__main__":
    main()
