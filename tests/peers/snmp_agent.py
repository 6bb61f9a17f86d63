"""snmp_agent.py - the SNMP side of scanners that have only a button: Debian's snmpd, and an agent for bad manners.

RealAgent is net-snmp's snmpd with one writable object, served by this file as its pass_persist program. OwnAgent speaks
version 1 by itself (BER, RFC 1157), with the standard library only: it keeps every datagram, and can be told to be silent,
odd or broken."""

import os
import socket
import subprocess
import sys
import threading

OID = "1.3.6.1.4.1.1248.1.1.3.1.10.2.5.0"
GET, RESPONSE, SET = 0xa0, 0xa2, 0xa3


# ---- as pass_persist program of snmpd --------------------------------------------------------------------

def answer_snmpd(folder):
    """FOLDER/value has the name in hex; FOLDER/manner a word: missing, integer, keeps, or what snmpd is to answer
    to a SET (not-writable, wrong-value)."""
    def read(name):
        try:
            with open(os.path.join(folder, name), encoding="ascii") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def line():
        text = sys.stdin.readline()
        if not text:
            sys.exit(0)
        return text.rstrip("\n")

    def say(text):
        print(text, flush=True)

    while True:
        word, manner = line(), read("manner")
        if word == "PING":
            say("PONG")
        elif word == "get" and line() == "." + OID and manner != "missing":
            value = bytes.fromhex(read("value"))
            kind = ("integer\n7" if manner == "integer" else
                    "octet\n" + " ".join(f"{b:02X}" for b in value) if value else "string\n")
            say(f".{OID}\n{kind}")
        elif word == "set":
            _, value = line(), line()
            kind, text = value.split(" ", 1)
            if manner in ("", "keeps") and kind in ("string", "octet"):
                text = text.strip('"')
                new = text.encode() if kind == "string" else bytes.fromhex(text)
                if manner == "":
                    with open(os.path.join(folder, "value.new"), "w", encoding="ascii") as f:
                        f.write(new.hex())
                    os.rename(os.path.join(folder, "value.new"), os.path.join(folder, "value"))
                say("DONE")
            else:
                say(manner or "wrong-type")
        elif word in ("get", "getnext"):
            if word == "getnext":
                line()
            say("NONE")
        # snmpd sends an empty line behind each SET.


class RealAgent:
    """snmpd at an address; community may read and write, "looker" may read."""

    def __init__(self, folder, address, port, community="epson", namespace=None):
        self.namespace = namespace
        self.folder, self.address, self.port, self.community = str(folder), address, port, community
        os.makedirs(self.folder, exist_ok=True)
        self.name = ""
        self.process = None
        self.conf = os.path.join(self.folder, "snmpd.conf")
        at = f"udp6:[{address}]:{port}" if ":" in address else f"udp:{address}:{port}"
        six = "6" if ":" in address else ""
        with open(self.conf, "w", encoding="ascii") as f:
            f.write(f"agentaddress {at}\nrwcommunity{six} {community}\nrocommunity{six} looker\n"
                    f"pass_persist .{OID.rsplit('.', 3)[0]} {sys.executable} {os.path.abspath(__file__)} "
                    f"{self.folder}\n")

    def command(self, program, *words):
        """One of net-snmp's programs, which reads and writes nothing outside the folder."""
        words = [program, "-v1", "-t", "1", "-r", "0", *words]
        return subprocess.run(self.namespace.command(*words) if self.namespace else words, capture_output=True, text=True,
                              check=False, timeout=30, env=self.environment())

    def environment(self):
        return {**os.environ, "MIBS": "", "SNMPCONFPATH": self.folder,
                "SNMP_PERSISTENT_DIR": os.path.join(self.folder, "state")}

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            words = ["/usr/sbin/snmpd", "-f", "-LE", "6", "-C", "-c", self.conf, "-p",
                     os.path.join(self.folder, "pid")]
            self.process = subprocess.Popen(
                self.namespace.command(*words) if self.namespace else words,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment())
        for _ in range(40):
            done = self.command("snmpget", "-c", "looker", self.at, ".1.3.6.1.2.1.1.3.0")
            if done.returncode == 0:
                return self
            assert self.process.poll() is None, open(self.folder + "/log", encoding="utf-8").read()
        raise AssertionError("snmpd does not answer: " + done.stderr)

    @property
    def at(self):
        return f"udp6:[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def manner(self, word):
        with open(os.path.join(self.folder, "manner"), "w", encoding="ascii") as f:
            f.write(word)

    @property
    def name(self):
        """The host it is paired with."""
        with open(os.path.join(self.folder, "value"), encoding="ascii") as f:
            return bytes.fromhex(f.read()).decode()

    @name.setter
    def name(self, text):
        with open(os.path.join(self.folder, "value.new"), "w", encoding="ascii") as f:
            f.write(text.encode().hex())
        os.rename(os.path.join(self.folder, "value.new"), os.path.join(self.folder, "value"))


# ---- an agent of its own ---------------------------------------------------------------------------------

def ber(tag, content):
    """Short and long form of the length."""
    n = len(content)
    return bytes([tag]) + (bytes([n]) if n < 128 else b"\x82" + n.to_bytes(2, "big")) + content


def take(data):
    """((tag, content), rest) of the first value."""
    n, at = data[1], 2
    if n & 0x80:
        at += n & 0x7f
        n = int.from_bytes(data[2:at], "big")
    assert len(data) >= at + n
    return (data[0], data[at:at + n]), data[at + n:]


def parts(data):
    found = []
    while data:
        one, data = take(data)
        found.append(one)
    return found


class OwnAgent:
    """Answers as a paired scanner would, unless `manner` changes the answer: manner(request, answer) gives the
    datagrams to send. request: dict of what was asked."""

    def __init__(self, address, port, name=b"", community=b"epson"):
        self.name, self.community = name, community
        self.manner = lambda request, answer: [answer]
        self.datagrams, self.requests = [], []
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, port))
        self.answers_by = self.socket  # another socket: answers come from somewhere else
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _serve(self):
        while True:
            try:
                datagram, sender = self.socket.recvfrom(65535)
            except OSError:
                return
            self.datagrams.append(datagram)
            request = self.read(datagram)
            self.requests.append(request)
            if request["community"] != self.community:
                continue
            if request["pdu"] == SET:
                self.name = request["value"]
            for answer in self.manner(request, self.answer(request, ber(4, self.name))):
                self.answers_by.sendto(answer, sender)

    @staticmethod
    def read(datagram):
        (_, message), rest = take(datagram)
        assert rest == b""
        (version, community, (pdu, body)) = parts(message)
        number, status, index, (_, bindings) = parts(body)
        assert version == (2, b"\0") and (status[1], index[1]) == (b"\0", b"\0")
        (oid, value) = parts(parts(bindings)[0][1])
        return {"community": community[1], "pdu": pdu, "number": number[1], "oid": oid[1],
                "type": value[0], "value": value[1]}

    @staticmethod
    def answer(request, value, status=0, oid=None):
        """A response; value: with its tag."""
        binding = ber(0x30, ber(6, request["oid"] if oid is None else oid) + value)
        body = (ber(2, request["number"]) + ber(2, bytes([status])) + ber(2, bytes([1 if status else 0]))
                + ber(0x30, binding))
        return ber(0x30, ber(2, b"\0") + ber(4, request["community"]) + ber(RESPONSE, body))


if __name__ == "__main__":
    answer_snmpd(sys.argv[1])
