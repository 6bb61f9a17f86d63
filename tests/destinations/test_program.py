"""What is special about programs: which may be run, what they are given, and how their end is told."""

import hashlib
import json
import os
import subprocess
import time

import pytest

from delivering import LEAST_CURE, Document, deliver, result_of
from peer import wait_until
from workers import DELIVER, Served

TELL = """#!/bin/sh
# tell FOLDER ARGUMENT ... - writes down all that a program can see of its world
set -eu
to=$1
shift
printf '%s\\0' "$@" >"$to/arguments"
env -0 >"$to/environment"
ls -l /proc/$$/fd >"$to/descriptors"
{ pwd; umask; ulimit -c; ulimit -n; ulimit -t; ps -o sid= -p $$ | tr -d ' '; echo $$; } >"$to/self"
mkdir -p deep/er && echo left >deep/er/file && chmod 500 deep/er
"""


@pytest.fixture
def program(kinds):
    return kinds("program")


def settings_for(program, text, *arguments, name="other", **more):
    """Settings of a program made of this text."""
    return {"program": program.add(name, text), **more,
            "arguments": [{"argument": a} for a in arguments]}


def mark_of(task):
    return "platen-run-" + task["id"]


def read(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        return f.read()


# --- what it is given ---

def test_arguments_are_given_as_they_are(program, tmp_path):
    odd = ["two words", "'\"", "$(touch /tmp/no) `id` ; | & > <", "*", "ü – 文", "-n", "\\n"]
    document = Document(tmp_path, 10, "Grüße & 'more' $x.pdf")
    task = document.task("program", settings_for(program, TELL, str(tmp_path), *odd,
                                                 "{job}/{date:%Y}/{doc}"),
                         options={"arguments": [{"argument": "for {job} only"}]})
    result = result_of(task)
    assert result["class"] == "ok" and result["remote_name"] == document.name, result
    *given, path = read(tmp_path, "arguments").split("\0")[:-1]
    assert given == [*odd, "Letters/2026/1", "for Letters only"]
    assert os.path.basename(path) == document.name and path.startswith(program.scratch)
    assert program.temporary() == [], "what the program left in its folder goes, too"


def test_its_world_is_small(program, tmp_path):
    task = Document(tmp_path, 10).task("program", settings_for(program, TELL, str(tmp_path)))
    secret = dict(os.environ, SECRET="no program's affair")
    done = subprocess.run([DELIVER, "--task", "-"], input=json.dumps(task), text=True,
                          capture_output=True, env=secret, check=True, pass_fds=(0,))
    assert '"class":"ok"' in done.stdout.replace(" ", "")
    environment = dict(v.split("=", 1) for v in read(tmp_path, "environment").split("\0")[:-1])
    folder = os.path.join(program.scratch, mark_of(task))
    assert {k: v for k, v in environment.items() if k not in ("PWD", "OLDPWD", "SHLVL", "_")} == {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": folder,
        "TMPDIR": folder, "PLATEN_NAME": "scan.pdf", "PLATEN_DELIVERY": task["id"],
        "PLATEN_FILE": folder + "/scan.pdf"}
    descriptors = [line.split()[8:] for line in read(tmp_path, "descriptors").splitlines()[1:]]
    low = [d for d in descriptors if d[0] in "012"]
    assert [d[2] for d in low[:1]] == ["/dev/null"] and len(low) == 3
    assert all(d[2].startswith((program.programs, "pipe:", "/dev/null")) or d[0] == "1"
               for d in descriptors), descriptors
    pwd, umask, core, files, cpu, session, own = read(tmp_path, "self").split()
    assert (pwd, umask, core, files, cpu) == (folder, "0077", "0", "256", "61")
    assert session == own, "a session of its own"


def test_standard_input(program, tmp_path):
    document = Document(tmp_path, 200000, "through-stdin.pdf")
    result = result_of(document.task("program", program.settings(input="stdin")))
    assert result["class"] == "ok", result
    assert program.files()["through-stdin.pdf"] == document.content


def test_the_document_in_the_spool_stays_as_it_is(program, tmp_path):
    text = "#!/bin/sh\nset -eu\nif [ $# = 1 ]; then rm \"$1\"; else ! echo x >&0; fi 2>/dev/null\n"
    document = Document(tmp_path, 1000)
    for how in "file", "stdin":
        task = document.task("program", settings_for(program, text, input=how))
        assert result_of(task)["class"] == "ok"
        with open(document.path, "rb") as f:
            assert f.read() == document.content


def test_an_index_is_a_document_like_others(program, tmp_path):
    index = {"batch": {"started_at_ms": 1795338930000, "utc_offset_min": 60, "device": "Scanner",
                       "job": {"name": "Letters"}},
             "documents": [{"file_name": "a.pdf", "pages": 2, "size": 5, "sha256": "ab" * 32}]}
    document = Document(tmp_path, 1, "list.csv")
    for how in "file", "stdin":
        task = document.task("program", program.settings(input=how), index=index)
        assert result_of(task)["class"] == "ok"
        assert b"a.pdf" in program.files()["list.csv"]
        os.remove(os.path.join(program.taken, "list.csv"))


def test_a_damaged_document_is_not_handed_over(program, tmp_path):
    document = Document(tmp_path, 1000, "damaged.pdf")
    task = document.task("program", program.settings())
    task["file"]["sha256"] = hashlib.sha256(b"other").hexdigest()
    result = result_of(task)
    assert (result["class"], result["stage"]) == ("fatal", "verify")
    assert "damaged.pdf" not in program.files()


# --- how it ends ---

@pytest.mark.parametrize("script, kind, text", [
    ("echo first >&2; echo '  no paper today  ' >&2; echo >&2; exit 3", "fatal", ": no paper today"),
    ("exit 1", "fatal", "no reason"),
    ("printf 'half a \\377 line' >&2; exit 1", "fatal", "half a ? line"),
    ("printf '\\033[1mGrüße' >&2; exit 1", "fatal", " [1mGrüße"),
    ("i=0; while [ $i -lt 3000 ]; do echo 'a long story' >&2; i=$((i + 1)); done; echo end >&2; exit 9",
     "fatal", ": end"),
    ("echo full >&2; exit 75", "retry", ": full"),
    ("kill -SEGV $$", "unknown", "signal 11"),
    ("kill -TERM 0", "unknown", "signal 15"),
])
def test_ends_that_are_not_well(program, tmp_path, script, kind, text):
    task = Document(tmp_path, 10).task("program", settings_for(program, "#!/bin/sh\n" + script))
    *questions, result = deliver(task)
    result = result["result"]
    assert result["class"] == kind and result["stage"] == "send" and text in result["text"], result
    assert len(result["cure"]) >= LEAST_CURE and result["cure"].endswith(".")
    assert [q["name"] for q in questions] == [mark_of(task), ""], "the mark is given back"
    if "exit 9" in script:
        assert result["protocol_code"] == 9
    assert program.temporary() == []


def test_all_it_started_ends_with_its_time(program, tmp_path):
    text = "#!/bin/sh\ntrap '' TERM\nsleep 61 &\necho $! >\"$1/pid\"\nsleep 61 & wait; wait\n"
    task = Document(tmp_path, 10).task("program", settings_for(program, text, str(tmp_path),
                                                               time_limit_s=1))
    begun = time.monotonic()
    result = result_of(task)
    assert result["class"] == "unknown" and "limit of 1 s" in result["text"], result
    assert 1 <= time.monotonic() - begun < 30  # it would have slept for 61 s
    wait_until(lambda: gone(int(read(tmp_path, "pid"))), "the end of what it started")


def test_what_it_leaves_running_ends(program, tmp_path):
    text = "#!/bin/sh\nsleep 62 >/dev/null 2>&1 &\necho $! >\"$1/pid\"\n"
    task = Document(tmp_path, 10).task("program", settings_for(program, text, str(tmp_path)))
    assert result_of(task)["class"] == "ok"
    wait_until(lambda: gone(int(read(tmp_path, "pid"))), "the end of what it left")


def gone(pid):
    """No such process, or one that only waits to be collected."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_server_that_says_stop_has_nothing_started(program, tmp_path):
    task = Document(tmp_path, 10, "stopped.pdf").task("program", program.settings())
    with Served(DELIVER) as served:
        served.send(task)
        assert served.receive()["name"] == mark_of(task)
        served.send({"type": "answer", "id": task["id"], "answer": "stop"})
        assert served.receive()["result"]["class"] == "retry"
    assert "stopped.pdf" not in program.files() and program.temporary() == []


def test_an_attempt_that_died_with_the_program_running_is_unknown(program, tmp_path):
    text = "#!/bin/sh\necho $$ >\"$1/pid.new\"\nmv \"$1/pid.new\" \"$1/pid\"\nsleep 63\n"
    document = Document(tmp_path, 10, "lost.pdf")
    task = document.task("program", settings_for(program, text, str(tmp_path), name="lost"))
    with Served(DELIVER) as served:
        served.send(task)
        name = served.receive()["name"]
        served.send({"type": "answer", "id": task["id"], "answer": "go"})
        wait_until(lambda: os.path.exists(tmp_path / "pid"), "the start of the program")
        served.process.kill()
        served.process.wait()
    wait_until(lambda: gone(int(read(tmp_path, "pid"))), "the end of the program")
    assert program.temporary() == [name]
    again = dict(task, settings=program.settings(), reserved_name=name)
    question, result = deliver(again)
    assert question["name"] == ""
    assert result["result"]["class"] == "unknown" and "died" in result["result"]["text"]
    assert program.temporary() == [] and "lost.pdf" not in program.files()
    # A person has looked and asks for another attempt: the mark is gone.
    assert result_of(dict(again, reserved_name=None))["class"] == "ok"
    assert program.files()["lost.pdf"] == document.content


# --- which may be run ---

def refused(allowed, tmp_path, environment=None, **changes):
    """Nothing may be run; gives the result."""
    task = Document(tmp_path, 10, "refused.pdf").task("program", allowed.settings(**changes))
    done = subprocess.run([DELIVER, "--task", "-"], input=json.dumps(task), text=True,
                          capture_output=True, check=False, env=environment or os.environ)
    result = json.loads(done.stdout.splitlines()[-1])["result"]
    assert (result["class"], result["stage"]) == ("config", "locate"), result
    assert len(result["cure"]) >= LEAST_CURE and result["cure"].endswith(".")
    assert "refused.pdf" not in allowed.files() and allowed.temporary() == []
    return result


@pytest.mark.parametrize("folder", [None, "", "programs", "/", "/nowhere"])
def test_without_a_folder_there_are_no_programs(program, tmp_path, folder):
    environment = {k: v for k, v in os.environ.items() if k != "PLATEN_PROGRAMS"}
    if folder is not None:
        environment["PLATEN_PROGRAMS"] = folder
    result = refused(program, tmp_path, environment)
    assert "platen.conf" in result["cure"]


@pytest.mark.parametrize("path", [
    "/bin/sh", "{}", "{}/", "{}/../programs/take", "{}/./take", "{}//take", "{}/sub/take",
    "/proc/self/cwd/take", "{}x/take", "{}/none", "{}/sub", "{}/link", "{}/plain"])
def test_only_plain_programs_of_the_folder(program, tmp_path, path):
    program.add("plain", TELL, 0o644)
    sub, link = (os.path.join(program.programs, name) for name in ("sub", "link"))
    os.makedirs(sub, exist_ok=True)
    if not os.path.islink(link):
        os.symlink("/bin/sh", link)
    refused(program, tmp_path, program=path.format(program.programs))


@pytest.mark.parametrize("what, mode", [
    ("take", 0o775), ("take", 0o757), ("", 0o775), ("", 0o1777), ("..", 0o775)])
def test_what_others_could_replace_is_not_run(program, tmp_path, what, mode):
    path = os.path.join(program.programs, what)
    former = os.stat(path).st_mode & 0o7777
    os.chmod(path, mode)
    try:
        assert "replaced" in refused(program, tmp_path)["text"]
    finally:
        os.chmod(path, former)


def test_a_link_above_is_not_followed(program, tmp_path):
    link = os.path.join(program.folder, "linked")
    os.symlink(program.programs, link)
    refused(program, tmp_path, dict(os.environ, PLATEN_PROGRAMS=link), program=link + "/take")


def test_a_program_that_cannot_start(program, tmp_path):
    for text in "#!/no/such/interpreter\n", "no program at all":
        task = Document(tmp_path, 10).task("program", settings_for(program, text))
        *questions, result = deliver(task)
        assert result["result"]["class"] == "config" and "by hand" in result["result"]["cure"]
        assert [q["name"] for q in questions] == [mark_of(task), ""]


def test_a_wrong_token_is_told(program, tmp_path):
    settings = program.settings(arguments=[{"argument": "{jobb}"}])
    result = result_of(Document(tmp_path, 10).task("program", settings))
    assert (result["class"], result["stage"]) == ("config", "locate") and "{jobb}" in result["text"]
