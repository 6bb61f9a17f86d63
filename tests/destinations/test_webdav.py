"""What is special about WebDAV: log-ins, proxies, folders, odd names, odd servers."""

import http.client
import os
import tempfile

import pytest

from apache import DOMAIN, TOKEN
from delivering import Document, deliver, result_of
from nginx import Nginx
from odd_dav import WAIT_S, OddDav
from peer import PASSWORD, USER, authority

BIG_BYTES = 100 << 20


@pytest.fixture
def dav(kinds):
    return kinds("webdav")


@pytest.fixture(scope="module")
def nginx():
    with tempfile.TemporaryDirectory(prefix="platen-nginx-") as folder:
        os.chmod(folder, 0o755)
        server = Nginx(folder)
        yield server
        server.process.end()


@pytest.fixture
def odd():
    with OddDav() as server:
        yield server


def delivered(dav, document, name=None):
    return dav.files().get(name or document.name) == document.content


def result_with(dav, tmp_path, door, scheme="https", **changes):
    document = Document(tmp_path, 70000, f"{door}-{os.urandom(4).hex()}.pdf")
    port = dav.https if scheme == "https" else dav.http
    settings = dav.settings(url=dav.url(door, port=port, scheme=scheme), auth=door, **changes)
    result = result_of(document.task("webdav", settings))
    assert delivered(dav, document) == (result["class"] == "ok")
    assert dav.temporary() == []
    return result


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("door, changes", [
    ("none", {}), ("basic", {"password_in_clear": True}), ("digest", {}), ("ntlm", {}),
    ("ntlm", {"user": DOMAIN + "\\" + USER}), ("bearer", {"password": TOKEN, "password_in_clear": True})],
    ids=str)
def test_ways_to_log_in(dav, tmp_path, door, changes, scheme):
    result = result_with(dav, tmp_path, door, scheme, **changes)
    assert result["class"] == "ok", result


@pytest.mark.parametrize("door", ["basic", "digest", "ntlm", "bearer"])
def test_a_wrong_password_never_appears(dav, tmp_path, door):
    result = result_with(dav, tmp_path, door, password="Wrong-" + PASSWORD)
    assert (result["class"], result["stage"]) == ("auth", "login"), result
    assert PASSWORD not in str(result)


def test_kerberos(dav, tmp_path, monkeypatch):
    for name, value in dav.kerberos.ticket().items():
        monkeypatch.setenv(name, value)
    document = Document(tmp_path, 3 << 20, "kerberos.pdf")
    settings = dav.settings(url=dav.url("negotiate", host="localhost"), auth="negotiate", user="", password="")
    result = result_of(document.task("webdav", settings))
    assert result["class"] == "ok" and delivered(dav, document), result
    monkeypatch.setenv("KRB5CCNAME", "FILE:/nowhere/ticket")
    result = result_of(document.task("webdav", settings))
    assert (result["class"], result["stage"]) == ("auth", "login"), result


def test_a_readable_password_is_not_sent(dav, tmp_path):
    for door in "basic", "bearer":
        result = result_with(dav, tmp_path, door, "http")
        assert result["class"] == "config" and "password_in_clear" in result["cure"]
    settings = dav.settings(url=f"https://{USER}:{PASSWORD}@127.0.0.1:{dav.https}/basic/")
    result = result_of(Document(tmp_path, 10).task("webdav", settings))
    assert result["class"] == "config" and PASSWORD not in str(result)


def test_whom_to_trust(dav, tmp_path):
    pin = {"tls_trust": "pin", "tls_ca": "", "tls_pin": authority().pin()}
    assert result_with(dav, tmp_path, "basic", **pin)["class"] == "ok"
    assert result_with(dav, tmp_path, "basic", tls_trust="insecure", tls_ca="")["class"] == "ok"
    result = result_with(dav, tmp_path, "basic", **dict(pin, tls_pin="sha256//" + "A" * 43 + "="))
    assert (result["class"], result["stage"]) == ("config", "tls")


@pytest.mark.parametrize("change", [
    {"url": "ftp://127.0.0.1/"}, {"url": "127.0.0.1"}, {"url": "https://127.0.0.1/basic/?a"},
    {"url": "https://127.0.0.1/basic/#a"}], ids=str)
def test_what_is_no_address(dav, tmp_path, change):
    result = result_of(Document(tmp_path, 10).task("webdav", dav.settings(**change)))
    assert result["class"] == "config", result


def test_a_web_server_without_webdav(dav, tmp_path):
    settings = dav.settings(url=f"https://127.0.0.1:{dav.https}/", auth="none")
    result = result_of(Document(tmp_path, 10).task("webdav", settings))
    assert (result["class"], result["stage"]) == ("config", "locate") and "WebDAV" in result["cure"]


@pytest.mark.parametrize("name", [
    "with blanks and 100% # ? &.pdf", "Grüße – 文書.pdf", "semi;colon'quote\"+.pdf", "-rf.pdf", "%2e%2e%2f.pdf"])
def test_odd_names_arrive_as_they_are(dav, tmp_path, name, nginx):
    document = Document(tmp_path, 100, name)
    result = result_of(document.task("webdav", dav.settings()))
    assert result["class"] == "ok" and delivered(dav, document), result
    result = result_of(document.task("webdav", nginx.settings()))
    assert result["class"] == "ok" and nginx.read(name) == document.content, result


def test_folders_of_a_job_are_made_and_the_destinations_is_not(dav, tmp_path):
    document = Document(tmp_path, 100)
    options = {"folder": "{date:%Y}/{job} x/ü #%"}
    for _ in range(2):  # made; there
        assert result_of(document.task("webdav", dav.settings(), options=options))["class"] == "ok"
    assert delivered(dav, document, "2026/Letters x/ü #%/scan.pdf")
    assert delivered(dav, document, "2026/Letters x/ü #%/scan_2.pdf")
    task = document.task("webdav", dav.settings(url=dav.url(path="not-there")), options={"folder": "a"})
    result = result_of(task)
    assert (result["class"], result["stage"]) == ("config", "locate")
    assert not os.path.exists(dav.home("not-there"))


def test_the_address_may_be_typed_as_it_is_read(dav, tmp_path):
    os.makedirs(dav.home("Ablage für Schüler"), exist_ok=True)
    for path in "Ablage für Schüler", "Ablage%20f%C3%BCr%20Sch%C3%BCler/":
        document = Document(tmp_path, 100, os.urandom(4).hex() + ".pdf")
        result = result_of(document.task("webdav", dav.settings(url=dav.url(path=path))))
        assert result["class"] == "ok" and delivered(dav, document, "Ablage für Schüler/" + document.name)


def test_a_file_is_no_folder(dav, tmp_path):
    with open(dav.home("plain"), "wb") as f:
        f.write(b"plain")
    document = Document(tmp_path, 10)
    for task in (document.task("webdav", dav.settings(url=dav.url(path="plain"))),
                 document.task("webdav", dav.settings(), options={"folder": "plain/below"})):
        result = result_of(task)
        assert result["class"] == "config" and result["stage"] == "locate", result
    assert dav.files()["plain"] == b"plain"


def test_taken_names(dav, tmp_path):
    first, second, third = (Document(tmp_path, 100 + i, "taken.pdf") for i in range(3))
    assert result_of(first.task("webdav", dav.settings()))["remote_name"] == "taken.pdf"
    assert result_of(second.task("webdav", dav.settings()))["remote_name"] == "taken_2.pdf"
    assert delivered(dav, first) and delivered(dav, second, "taken_2.pdf")
    refuse = result_of(third.task("webdav", dav.settings(), options={"same_name": "refuse"}))
    assert refuse["class"] == "fatal"
    over = result_of(third.task("webdav", dav.settings(), options={"same_name": "overwrite"}))
    assert over["remote_name"] == "taken.pdf" and delivered(dav, third)
    assert dav.temporary() == []


def test_a_folder_is_never_overwritten(dav, tmp_path):
    os.makedirs(dav.home("folder.pdf"))
    with open(dav.home("folder.pdf/inside.txt"), "w", encoding="ascii") as f:
        f.write("inside")
    task = Document(tmp_path, 10, "folder.pdf").task("webdav", dav.settings(),
                                                     options={"same_name": "overwrite"})
    assert result_of(task)["class"] == "fatal"
    assert dav.files()["folder.pdf/inside.txt"] == b"inside" and dav.temporary() == []
    numbered = result_of(Document(tmp_path, 10, "folder.pdf").task("webdav", dav.settings()))
    assert numbered["remote_name"] == "folder_2.pdf"


def test_a_locked_file_is_tried_again(dav, tmp_path):
    document = Document(tmp_path, 10, "locked.pdf")
    assert result_of(document.task("webdav", dav.settings()))["class"] == "ok"
    body = ('<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype>'
            '<owner>peer</owner></lockinfo>')
    client = http.client.HTTPConnection("127.0.0.1", dav.http)
    client.request("LOCK", "/none/locked.pdf", body, {"Timeout": "Second-60", "Content-Type": "text/xml"})
    answer = client.getresponse()
    assert answer.status == 200, answer.read()
    answer.read()
    result = result_of(Document(tmp_path, 20, "locked.pdf").task(
        "webdav", dav.settings(), options={"same_name": "overwrite"}))
    assert (result["class"], result["stage"], result["protocol_code"]) == ("retry", "rename", 423)
    client.request("UNLOCK", "/none/locked.pdf", headers={"Lock-Token": answer.headers["Lock-Token"]})
    assert client.getresponse().status == 204
    assert delivered(dav, document) and dav.temporary() == []


def test_a_reserved_name_that_is_there_is_done(dav, tmp_path):
    document = Document(tmp_path, 5000, "again.pdf")
    assert result_of(document.task("webdav", dav.settings()))["class"] == "ok"
    messages = deliver(document.task("webdav", dav.settings(), reserved_name="again.pdf"))
    assert messages[-1]["result"]["class"] == "ok"
    assert not [m for m in messages if m["type"] == "question"]
    assert list(dav.files().values()).count(document.content) == 1


def test_a_proxy_that_ends_tls(dav, tmp_path):
    """The server behind it takes https:// in Destination for a foreign host."""
    document, options = Document(tmp_path, 3000, "front.pdf"), {"same_name": "refuse"}
    settings = dav.settings(url=dav.url(port=dav.front))
    result = result_of(document.task("webdav", settings, options=options))
    assert result["class"] == "ok" and delivered(dav, document), result
    assert result_of(document.task("webdav", settings, options=options))["class"] == "fatal"
    assert result_of(document.task("webdav", settings))["remote_name"] == "front_2.pdf"


def test_too_large_for_the_server(dav, tmp_path):
    result = result_of(Document(tmp_path, 100000, "large.pdf").task(
        "webdav", dav.settings(url=dav.url("small"), auth="none")))
    assert (result["class"], result["stage"], result["protocol_code"]) == ("fatal", "write", 413), result


@pytest.mark.parametrize("door", ["basic", "digest", "ntlm"])
def test_large_files(dav, tmp_path, door):
    document = Document(tmp_path, BIG_BYTES, f"large-{door}.pdf")
    result = result_of(document.task("webdav", dav.settings(url=dav.url(door), auth=door)), seconds=60)
    assert result["class"] == "ok", result
    assert delivered(dav, document)
    os.remove(dav.home(document.name))


def test_nginx(nginx, tmp_path):
    first, second, third = (Document(tmp_path, 100000 + i, "scan.pdf") for i in range(3))
    options = {"folder": "a/b"}
    assert result_of(first.task("webdav", nginx.settings(), options=options))["class"] == "ok"
    assert nginx.read("a/b/scan.pdf") == first.content
    numbered = result_of(second.task("webdav", nginx.settings(), options=options))
    assert numbered["remote_name"] == "scan_2.pdf" and nginx.read("a/b/scan_2.pdf") == second.content
    refuse = result_of(third.task("webdav", nginx.settings(), options={**options, "same_name": "refuse"}))
    assert refuse["class"] == "fatal"
    over = result_of(third.task("webdav", nginx.settings(), options={**options, "same_name": "overwrite"}))
    assert over["class"] == "ok" and nginx.read("a/b/scan.pdf") == third.content
    result = result_of(third.task("webdav", nginx.settings(password="wrong")))
    assert (result["class"], result["stage"]) == ("auth", "login")
    assert sorted(os.listdir(nginx.folder + "/home/a/b")) == ["scan.pdf", "scan_2.pdf"]


# --- servers that cannot run here ---------------------------------------------------------------------

def odd_result(odd, tmp_path, words, name="scan.pdf", size=5000, **more):
    odd.odd = set(words.split())
    return result_of(Document(tmp_path, size, name).task("webdav", odd.settings(), **more))


def test_a_failure_inside_of_a_207_is_one(odd, tmp_path):
    odd.files["/scan.pdf"] = b"older"
    assert odd_result(odd, tmp_path, "hidden")["remote_name"] == "scan_2.pdf"
    result = odd_result(odd, tmp_path, "hidden locked", options={"same_name": "overwrite"})
    assert (result["class"], result["stage"], result["protocol_code"]) == ("retry", "rename", 423)
    assert sorted(odd.files) == ["/scan.pdf", "/scan_2.pdf"] and odd.files["/scan.pdf"] == b"older"


def test_the_length_is_always_told(odd, tmp_path):
    for size in 0, 5000:
        assert odd_result(odd, tmp_path, "chunky", f"{size}.pdf", size)["class"] == "ok"
        assert len(odd.files[f"/{size}.pdf"]) == size


@pytest.mark.parametrize("words, class_, stage", [
    ("quota", "retry", "locate"), ("busy", "retry", "write"), ("nosize", "config", "verify"),
    ("gateway", "config", "rename"), ("deaf", "config", "locate"), ("garbage", "retry", "locate")])
def test_odd_servers(odd, tmp_path, words, class_, stage):
    result = odd_result(odd, tmp_path, words)
    assert (result["class"], result["stage"]) == (class_, stage), result
    assert result["cure"].endswith(".") and not odd.files
    assert result["retry_after_s"] == (WAIT_S if words == "busy" else 0)


def test_names_that_iis_filters(odd, tmp_path):
    result = odd_result(odd, tmp_path, "iis", "a+b.pdf")
    assert (result["class"], result["stage"]) == ("config", "rename") and "404.11" in result["cure"], result
    assert not odd.files
