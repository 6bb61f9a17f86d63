"""platen, the command line, against the real API: what it prints, what it asks, its exit codes."""

import json
import os
import re
import subprocess

import pytest

from workers import BUILD

PLATEN = os.path.join(BUILD, "src", "cli", "platen")
SERVER = os.path.join(BUILD, "tests", "peers", "api-server")
SECONDS = 30


class Cli:
    """The command line with a server of its own."""

    def __init__(self, socket, port):
        self.socket, self.port = socket, port

    def run(self, *words, code=0, stdin=None, **environment):
        done = subprocess.run(
            [PLATEN, *words], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            encoding="utf-8", timeout=SECONDS, check=False,
            env={**os.environ, "PLATEN_SOCKET": str(self.socket), **environment})
        assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
        return done

    def out(self, *words, **more):
        return self.run(*words, **more).stdout

    def err(self, *words, code=1, **more):
        return self.run(*words, code=code, **more).stderr

    def json(self, *words):
        return json.loads(self.out(*words, "--json"))

    def id_of_batch(self):
        return self.json("batch", "list")["items"][0]["id"]


def start(socket, *tls):
    server = subprocess.Popen([SERVER, str(socket), *map(str, tls)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, encoding="utf-8")
    word, port = server.stdout.readline().split()
    assert word == "ready"
    return server, Cli(socket, int(port))


def stop(server):
    server.stdin.close()
    assert server.wait(SECONDS) == 0


@pytest.fixture
def cli(tmp_path):
    server, platen = start(tmp_path / "s")
    yield platen
    stop(server)


# --- the command line itself


def words_of_commands():
    """Every command, as help shows it: words in small letters from the start of the line."""
    text = subprocess.run([PLATEN, "--help"], stdout=subprocess.PIPE, encoding="utf-8",
                          check=True).stdout
    rows = text.split("Commands:\n")[1].split("\n\n")[0].splitlines()
    return [re.match(r"  ([a-z-]+(?: [a-z][a-z-]*)?)", row)[1].split() for row in rows
            if re.match(r"  [a-z]", row)]


@pytest.mark.parametrize("words", words_of_commands(), ids=" ".join)
def test_every_command_has_help(words):
    done = subprocess.run([PLATEN, *words, "--help"], stdout=subprocess.PIPE, encoding="utf-8",
                          check=False)
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: platen {' '.join(words)}")


@pytest.mark.parametrize("words, said", [
    (["jobb", "list"], '"job"'),
    (["job", "listt"], '"list"'),
    (["job", "list", "--sokcet", "x"], "--socket"),
    (["job", "create", "--dip", "300"], "--dpi"),
    (["job", "show"], "JOB"),
    (["job", "list", "more"], "no more words"),
    (["group", "create", "--job", "A", "B"], 'too much is "B"'),
    (["--server", "https://x", "device", "list"], "Put options behind the command"),
    (["job", "list", "--json=yes"], "no value"),
    (["job", "list", "--socket"], "wants a value"),
    (["job", "create", "--dpi", "many"], "whole number"),
    (["job", "create", "--keep-partial", "perhaps"], "yes or no"),
    (["event", "follow", "--count", "0"], "above 0"),
])
def test_what_is_no_command_is_said_with_the_nearest(tmp_path, words, said):
    assert said in Cli(tmp_path / "none", 0).err(*words, code=2)


def test_no_server_says_what_to_do(tmp_path):
    said = Cli(tmp_path / "none", 0).err("job", "list")
    assert str(tmp_path / "none") in said and "  do: " in said


def test_the_socket_can_be_named(cli):
    assert "Letters" in cli.out("job", "list", "--socket", str(cli.socket), PLATEN_SOCKET="/none")


def test_version_and_openapi(cli):
    assert re.match(r"platen \d+\.\d+\.\d+\n$", cli.out("version"))
    assert cli.out("--version") == cli.out("version")
    assert json.loads(cli.out("openapi"))["openapi"] == "3.1.0"


# --- nouns


def test_a_job_by_names(cli):
    assert "is created" in cli.out("destination", "create", "--name", "Box", "--kind", "folder",
                                   "--folder", "/srv/box", "--retries", "5", "--sub-folders", "yes")
    cli.run("job", "create", "--name", "Invoice", "--destination", "Box", "--destination", "Archive",
            "--dpi", "200", "--keep-partial", "yes")
    assert re.search(r"^Invoice +auto +200 +pdf +2 ", cli.out("job", "list"), re.M)
    cli.run("job", "set", "Invoice", "--file-format", "jpeg", "--destination", "Box")
    shown = cli.json("job", "show", "Invoice")
    assert (shown["file_format"], shown["dpi"], len(shown["destinations"])) == ("jpeg", 200, 1)
    assert "file_format: jpeg" in cli.out("job", "show", "Invoice")
    settings = cli.json("destination", "show", "Box")["settings"]
    assert settings == {"folder": "/srv/box", "retries": 5, "sub_folders": True}

    cli.run("group", "create", "--name", "Front", "--job", "Invoice=2-sided-pdf", "--job", "Letters")
    jobs = cli.json("group", "show", "Front")["jobs"]
    assert [j["panel_choice"] for j in jobs] == ["2-sided-pdf", "automatic"]
    assert "Front" in cli.out("group", "list")
    cli.run("group", "set", "Front", "--name", "Desk")
    said = cli.err("job", "delete", "Invoice")
    assert said.startswith("platen: ")
    cli.run("group", "delete", "Desk")
    cli.run("job", "delete", "Invoice")
    cli.run("destination", "delete", "Box")
    assert "Box" not in cli.out("destination", "list")


def test_refusals_name_field_and_remedy(cli):
    said = cli.err("job", "create", "--name", "x", "--dpi", "9999", "--destination", "Archive")
    assert "  field: dpi\n" in said
    said = cli.err("destination", "create", "--name", "x", "--kind", "foldr", "--folder", "/x")
    assert "  field: kind\n" in said and '"folder"' in said
    said = cli.err("job", "show", "Leters")
    assert '"Letters"' in said
    assert "--folder" in cli.err("destination", "create", "--name", "x", "--kind", "folder",
                                 "--foldre", "/x", code=2)


def test_secrets_come_from_files_and_are_not_shown(cli, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hush\n")
    cli.run("destination", "set", "Archive", "--password", f"@{secret}")
    assert "hush" not in cli.out("destination", "show", "Archive")
    said = cli.err("destination", "set", "Archive", "--password", "@/none")
    assert "/none" in said
    assert "password" in cli.out("destination", "kinds")
    plan = "destinations:\n  - name: Archive\n    kind: folder\n    settings:\n" \
           "      folder: /srv\n      password: hush\n"
    assert cli.out("config", "plan", stdin=plan) == "0 changes planned\n"


def test_devices(cli):
    assert re.search(r"^Front desk +registered ", cli.out("device", "list"), re.M)
    cli.run("device", "approve", "10.0.0.8")
    assert "device 10.0.0.8 (" in cli.out("device", "set", "10.0.0.8", "--job-group", "Office")
    cli.run("device", "set", "10.0.0.8", "--name", "Hall")
    assert cli.json("device", "show", "Hall")["job_group_name"] == "Office"
    assert "  do: " in cli.err("device", "show", "Nowhere")
    cli.run("device", "revoke", "Hall")
    assert cli.json("device", "show", "Hall")["state"] == "seen"
    cli.run("device", "delete", "Hall")
    assert len(cli.json("device", "list")["items"]) == 1


def test_batches(cli):
    assert re.search(r" delivering +Front desk +Letters +2 ", cli.out("batch", "list"))
    assert cli.out("batch", "list", "--state", "done") == "(none)\n"
    assert "composing" in cli.err("batch", "list", "--state", "composin")
    batch = cli.id_of_batch()
    assert "state: delivering" in cli.out("batch", "show", batch)
    assert len(cli.out("batch", "pages", batch).splitlines()) == 3
    assert len(cli.out("batch", "documents", batch).splitlines()) == 4
    assert re.search(r"^Archive +ready ", cli.out("batch", "deliveries", batch), re.M)
    cli.run("batch", "deliver", batch)
    cli.run("batch", "retry", batch)
    assert "not the id of a batch" in cli.err("batch", "show", "x")


def test_lists_go_on_before_their_last(cli):
    for noun in ("batch", "delivery"):
        newest_first = [row["id"] for row in cli.json(noun, "list")["items"]]
        seen, page = [], cli.json(noun, "list", "--limit", "1")["items"]
        while page:
            seen += [row["id"] for row in page]
            page = cli.json(noun, "list", "--limit", "1", "--before", seen[-1])["items"]
        assert seen == newest_first != []
        assert cli.out(noun, "list", "--before", newest_first[-1]) == "(none)\n"
        assert "before" in cli.err(noun, "list", "--before", "x")


# --- events


def test_events(cli):
    newest_first = cli.json("event", "list", "--limit", "1000")["items"]
    listed = newest_first[::-1]
    assert len(listed) > 2 and [e["id"] for e in listed] == sorted(e["id"] for e in listed)
    rows = cli.out("event", "list", "--after", str(listed[0]["id"]), "--limit", "1").splitlines()
    assert len(rows) == 2 and rows[1].startswith(str(listed[1]["id"]))
    followed = cli.out("event", "follow", "--after", "0", "--count", "2", "--json").splitlines()
    assert [json.loads(e)["id"] for e in followed] == [e["id"] for e in listed[:2]]


def test_the_list_of_events_goes_back_and_is_narrowed(cli):
    def ids(*words):
        return [e["id"] for e in cli.json("event", "list", *words)["items"]]

    cli.run("device", "approve", "10.0.0.8")
    all_ids = ids("--limit", "1000")
    assert all_ids == sorted(all_ids, reverse=True)
    seen, page = [], ids("--limit", "2")
    while page:
        seen += page
        page = ids("--limit", "2", "--before", str(seen[-1]))
    assert seen == all_ids and ids() == all_ids[:20]
    title, row = cli.out("event", "list", "--device", "10.0.0.8", "--limit", "1").splitlines()
    assert "DEVICE" in title and "10.0.0.8" in row and "device." in row
    of_device = cli.json("event", "list", "--device", "10.0.0.8")["items"]
    assert {e["device_name"] for e in of_device} == {"10.0.0.8"}
    batch = cli.id_of_batch()
    of_batch = cli.json("event", "list", "--batch", batch, "--kind", "batch")["items"]
    assert of_batch and {e["batch"] for e in of_batch} == {batch}
    assert all(e["kind"].startswith("batch.") for e in of_batch)
    assert cli.out("event", "list", "--kind", "device.tls-lost") == "(none)\n"
    assert "batch" in cli.err("event", "list", "--batch", "x")
    assert "kind" in cli.err("event", "list", "--kind", "A b")
    assert "device" in cli.err("event", "list", "--device", "nobody")


def test_follow_prints_what_happens_now(cli):
    last = cli.json("event", "list")["items"][0]["id"]
    follow = subprocess.Popen(
        [PLATEN, "event", "follow", "--after", str(last), "--count", "1", "--socket",
         str(cli.socket)], stdout=subprocess.PIPE, encoding="utf-8")
    cli.run("device", "approve", "10.0.0.8")
    out, _ = follow.communicate(timeout=SECONDS)
    assert follow.returncode == 0 and "device." in out


def test_follow_outlives_a_restart(tmp_path):
    server, platen = start(tmp_path / "s")
    known = len(platen.json("event", "list", "--limit", "1000")["items"])
    follow = subprocess.Popen(
        [PLATEN, "event", "follow", "--after", "0", "--count", str(known + 1), "--socket",
         str(platen.socket)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    for _ in range(known):
        assert follow.stdout.readline()
    stop(server)
    server, platen = start(tmp_path / "s")  # with the same events, which are not printed again
    platen.run("device", "approve", "10.0.0.8")
    out, _ = follow.communicate(timeout=SECONDS)
    assert follow.returncode == 0
    assert len(out.splitlines()) == 1 and "device." in out
    stop(server)


# --- the configuration as a file


def test_config_goes_round(cli, tmp_path):
    exported = cli.out("config", "export")
    file = tmp_path / "platen.yaml"
    file.write_text(exported)
    assert cli.out("config", "plan", str(file), "--delete") == "0 changes planned\n"
    file.write_text(exported.replace("dpi: 300", "dpi: 600"))
    planned = cli.out("config", "plan", str(file))
    assert "change  job          Letters\n        dpi: 300 -> 600\n" in planned
    assert cli.out("config", "apply", str(file)).endswith("1 change made\n")
    assert cli.json("job", "show", "Letters")["dpi"] == 600
    assert json.loads(cli.out("config", "export", "--json"))["jobs"][0]["dpi"] == 600


def test_a_wrong_file_says_where(cli, tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text("jobs:\n  - name: A\n    dpii: 300\n")
    said = cli.err("config", "plan", str(file))
    assert "field: jobs[0].dpii" in said
    file.write_text("jobs: [\n")
    assert str(file) in cli.err("config", "apply", str(file))
    assert "none.yaml" in cli.err("config", "plan", str(tmp_path / "none.yaml"))


# --- the server about itself


def test_health_and_metrics(cli):
    assert "status: ok" in cli.out("health")
    assert cli.json("health")["status"] == "ok"
    assert 'platen_batches{state="delivering"} ' in cli.out("metrics")


# --- from elsewhere: HTTPS and a token


@pytest.fixture
def far(tmp_path):
    """A server with a certificate, and a token for it."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(key), "-out",
                    str(certificate), "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=IP:127.0.0.1"], check=True, stderr=subprocess.DEVNULL)
    server, platen = start(tmp_path / "s", certificate, key)
    token = tmp_path / "token"
    token.write_text(platen.out("token", "create", "backup"))
    yield platen, ["--server", f"https://127.0.0.1:{platen.port}"], certificate, token
    stop(server)


def test_a_token_opens_the_server_from_elsewhere(far):
    platen, there, certificate, token = far
    trust = ["--ca", str(certificate)]
    assert "Letters" in platen.out("job", "list", *there, *trust, "--token-file", str(token))
    assert "Letters" in platen.out("job", "list", *there, *trust,
                                   PLATEN_TOKEN=token.read_text().strip())
    assert "token" in platen.err("job", "list", *there, *trust)
    assert "--ca" in platen.err("job", "list", *there, "--token-file", str(token))
    assert re.search(r"^backup ", platen.out("token", "list"), re.M)
    platen.run("token", "delete", "backup")
    assert "not known" in platen.err("job", "list", *there, *trust, "--token-file", str(token))


def test_a_token_never_travels_unencrypted(tmp_path):
    said = Cli(tmp_path / "none", 0).err("job", "list", "--server", "http://127.0.0.1:1",
                                         PLATEN_TOKEN="x")
    assert "unencrypted" in said


# --- programs it runs for others


def program(folder, name):
    path = folder / name
    path.write_text('#!/bin/sh\necho "$0" "$@"\nexit 3\n')
    path.chmod(0o755)


def test_compose_and_fsck_run_the_programs(tmp_path):
    program(tmp_path, "platen-worker")
    program(tmp_path, "platend")
    platen = Cli(tmp_path / "none", 0)
    done = platen.run("compose", "a.jpg", "-o", "b.pdf", code=3, PLATEN_LIBEXEC=str(tmp_path))
    assert done.stdout == f"{tmp_path}/platen-worker compose a.jpg -o b.pdf\n"
    done = platen.run("fsck", "--full", "--dry-run", code=3, PLATEN_LIBEXEC=str(tmp_path))
    assert done.stdout == f"{tmp_path}/platend --fsck --full --dry-run\n"


def test_a_missing_program_is_said(tmp_path):
    said = Cli(tmp_path / "none", 0).err("fsck", PLATEN_LIBEXEC=str(tmp_path))
    assert "platend" in said and "PLATEN_LIBEXEC" in said
