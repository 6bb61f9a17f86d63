"""test_check_config.py - what platen.conf names and this computer does not have: `platend --check-config` says it with
the line, and the start refuses it with the same words."""

import os
import re
import shutil
import subprocess

import pytest

import common
from served import SANITIZERS, House


def platend(house, *more):
    return subprocess.run([house.program("platend"), "--config", house.conf_path, *more], env={**SANITIZERS, **os.environ},
                          capture_output=True, text=True, timeout=common.PATIENCE_S, check=False)


def line_of(house, key):
    lines = open(house.conf_path, encoding="utf-8").read().splitlines()
    return next((n for n, line in enumerate(lines, 1) if line.startswith(key + " =")), None)


def key_pair(folder, name):
    """A certificate of its own and its key, readable for everybody."""
    paths = [os.path.join(folder, f"{name}-{part}.pem") for part in ("chain", "key")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-out", paths[0], "-keyout", paths[1]],
                   check=True, capture_output=True)
    for path in paths:
        os.chmod(path, 0o644)
    return paths


def assert_refused(conf, key, words, spoil=None):
    """The key's line and the words are said by the check; the start says the words, too, and ends."""
    house = House()
    try:
        for section, keys in conf(house).items():
            house.conf.setdefault(section, {}).update(keys)
        house.write_conf()
        if spoil:
            spoil(house)
        checked, started = platend(house, "--check-config"), platend(house)
        assert (checked.returncode, started.returncode) == (2, 1), (checked, started)
        line = line_of(house, key)
        said, = checked.stderr.splitlines()
        section = next(s for s, keys in house.conf.items() if key in keys) if line else "http"
        at = f"line {line}: " if line else ""
        assert said.startswith(f"platend: {house.conf_path}: {at}[{section}] {key}: ") and words in said, said
        # "text. remedy" here, two lines there
        told = re.sub(r"\n  ", ". ", started.stderr.strip()).removeprefix("platend: ")
        assert told and said.endswith(f"{key}: {told}"), (said, started.stderr)
    finally:
        for path, _, _ in os.walk(house.top):
            os.chmod(path, 0o755)
        house.remove()


def test_what_can_be_used_is_sound_and_nothing_is_made():
    house = House()
    try:
        chain, key = key_pair(house.top, "own")
        house.conf["http"].update(certificate=chain, key=key)
        house.conf["server"]["libexec_dir"] = os.path.join(house.top, "bin")
        house.write_conf()
        # Missing folders are made by the start, not by the check. Root makes them anywhere.
        shutil.rmtree(house.data)
        if not common.IS_ROOT:
            os.chmod(house.top, 0o755)
        for _ in range(2):
            done = platend(house, "--check-config")
            assert (done.returncode, done.stdout) == (0, "the configuration is sound\n"), done
            assert not os.path.exists(house.data)
        house.start()
        # Of a server that runs it says the same.
        assert platend(house, "--check-config").returncode == 0
        house.stop()
    finally:
        house.remove()


def test_a_socket_in_the_root_folder():
    assert_refused(lambda _: {"http": {"socket": "/platen-of-a-test.sock"}}, "socket", "may not write in /: Permission denied. Name a folder")


def test_programs_that_are_not_there():
    assert_refused(lambda house: {"server": {"libexec_dir": house.delivered}}, "libexec_dir",
                   "platen-worker and platen-deliver cannot be run from")


def test_a_program_that_cannot_be_run():
    assert_refused(lambda house: {"server": {"libexec_dir": os.path.join(house.top, "bin")}}, "libexec_dir",
                   "platen-worker and platen-deliver cannot be run from",
                   lambda house: os.chmod(house.program("platen-deliver"), 0o644))


def test_a_user_who_is_not_there():
    """Only root becomes somebody; for an ordinary user the key says nothing."""
    if common.IS_ROOT:
        assert_refused(lambda _: {"server": {"user": "nobody-of-this-name"}}, "user",
                       "there is no user nobody-of-this-name to give up root to. useradd --system")
        return
    house = House({"server": {"user": "nobody-of-this-name"}})
    try:
        assert platend(house, "--check-config").returncode == 0
    finally:
        house.remove()


@pytest.mark.parametrize("key", ["certificate", "key"])
def test_a_certificate_or_key_that_is_not_there(key):
    def conf(house):
        chain, own = key_pair(house.top, "own")
        return {"http": {"certificate": chain, "key": own, key: "/nowhere/x.pem"}}
    assert_refused(conf, key, "certificate of the API: cannot open /nowhere/x.pem: No such file or directory")


def test_a_key_that_only_another_user_may_read():
    """Asked as the user who the server will be, not as root."""
    def conf(house):
        chain, key = key_pair(house.top, "own")
        os.chmod(key, 0o600 if common.IS_ROOT else 0)
        return {"http": {"certificate": chain, "key": key}}
    assert_refused(conf, "key", "Permission denied. Both files must be readable for the user of the server (id ")


def test_a_key_of_another_certificate():
    def conf(house):
        return {"http": {"certificate": key_pair(house.top, "own")[0], "key": key_pair(house.top, "other")[1]}}
    assert_refused(conf, "certificate", "no HTTPS listener can be made of this certificate and key")


def test_a_certificate_behind_symbolic_links():
    """As certbot keeps them; and quirks that an administrator keeps elsewhere."""
    house = House()
    try:
        for name, path in zip(("chain", "key"), key_pair(house.top, "own")):
            os.symlink(path, os.path.join(house.top, name))
        with open(os.path.join(house.top, "rows.yaml"), "w", encoding="utf-8") as f:
            f.write("quirks: []\n")
        os.symlink("rows.yaml", os.path.join(house.top, "quirks"))
        house.conf.setdefault("http", {}).update(certificate=os.path.join(house.top, "chain"),
                                                 key=os.path.join(house.top, "key"))
        house.conf.setdefault("devices", {}).update(quirks=os.path.join(house.top, "quirks"))
        house.write_conf()
        checked = platend(house, "--check-config")
        assert (checked.returncode, checked.stderr) == (0, ""), checked
    finally:
        house.remove()


def test_a_certificate_that_is_none():
    def conf(house):
        return {"http": {"certificate": house.conf_path, "key": key_pair(house.top, "own")[1]}}
    assert_refused(conf, "certificate", "no HTTPS listener can be made of this certificate and key")


def test_our_own_certificate_that_was_spoilt():
    """It is in no line of the file."""
    def spoil(house):
        for name in ("tls-certificate.pem", "tls-key.pem"):
            path = os.path.join(house.data, name)
            with open(path, "w", encoding="utf-8") as f:
                f.write("no")
            os.chmod(path, 0o644)
    assert_refused(lambda _: {}, "certificate", "no HTTPS listener can be made of this", spoil)


def test_folders_that_cannot_be_written_or_made():
    def closed(house):
        os.makedirs(os.path.join(house.top, "closed"))
        os.chmod(os.path.join(house.top, "closed"), 0o755 if common.IS_ROOT else 0o555)
    assert_refused(lambda house: {"server": {"data_dir": os.path.join(house.top, "closed")}}, "data_dir",
                   "may not write in", closed)
    assert_refused(lambda house: {"server": {"data_dir": house.conf_path + "/data"}}, "data_dir",
                   "platen.conf: Not a directory")
    assert_refused(lambda house: {"http": {"socket": house.conf_path + "/platen.sock"}}, "socket",
                   "platen.conf: Not a directory")
    if not common.IS_ROOT:
        assert_refused(lambda house: {"server": {"data_dir": os.path.join(house.top, "closed", "data")}}, "data_dir",
                       "cannot make folder", closed)


def test_everything_is_said_at_once():
    house = House({"server": {"libexec_dir": "/nowhere"}, "http": {"certificate": "/nowhere/a", "key": "/nowhere/b"}})
    try:
        house.conf["server"]["data_dir"] = house.conf_path
        house.write_conf()
        said = platend(house, "--check-config").stderr.splitlines()
        assert [line.split("[", 1)[1].split(":")[0] for line in said] == \
            ["server] data_dir", "server] libexec_dir", "http] certificate"], said
    finally:
        house.remove()
