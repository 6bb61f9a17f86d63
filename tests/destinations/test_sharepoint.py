"""What is special about SharePoint Server: log-ins, versions, digests, blocks, names, columns, check-in."""

import http.client
import json
import os
import shutil

import pytest

from delivering import Document, deliver, result_of
from peer import PASSWORD, USER

BLOCK = 8 << 20
VERBOSE = "application/json;odata=verbose"


@pytest.fixture
def sp(kinds):
    kind = kinds("sharepoint")
    empty(kind)  # what other files of tests have left
    yield kind
    assert kind.temporary() == []
    empty(kind)


def empty(kind):
    for name in os.listdir(kind.library()):
        if os.path.isdir(kind.library(name)):
            shutil.rmtree(kind.library(name))
        else:
            os.remove(kind.library(name))


def deliver_to(sp, document, settings=None, seconds=30, **options):
    return result_of(document.task("sharepoint", settings or sp.settings(), options=options), seconds=seconds)


def delivered(sp, document, name=None):
    return sp.files().get(name or document.name) == document.content


@pytest.mark.parametrize("way", ["ntlm", "ntlm without a domain", "ntlm without tls", "basic"])
def test_ways_to_log_in(sp, tmp_path, way):
    document = Document(tmp_path, 70000)
    changes = {"ntlm": {}, "ntlm without a domain": {"user": USER},
               "ntlm without tls": {"url": sp.url(port=sp.http, scheme="http")},
               "basic": {"url": sp.url(port=sp.basic), "auth": "basic", "user": USER}}[way]
    result = deliver_to(sp, document, sp.settings(**changes))
    assert result["class"] == "ok" and delivered(sp, document), result
    result = deliver_to(sp, document, sp.settings(**changes, password="Wrong-" + PASSWORD))
    assert (result["class"], result["stage"]) == ("auth", "login"), result
    assert PASSWORD not in str(result)


def test_kerberos(sp, tmp_path, monkeypatch):
    for name, value in sp.kerberos.ticket().items():
        monkeypatch.setenv(name, value)
    document = Document(tmp_path, 3 << 20)
    settings = sp.settings(url=sp.url(port=sp.negotiate, host="localhost"), auth="negotiate", user="",
                           password="")
    result = deliver_to(sp, document, settings)
    assert result["class"] == "ok" and delivered(sp, document), result


def test_a_log_in_page_is_no_site(sp, tmp_path):
    with sp.farm_with(form_login=True):
        result = deliver_to(sp, Document(tmp_path, 10))
    assert (result["class"], result["stage"]) == ("auth", "login") and "Windows" in result["cure"]
    result = deliver_to(sp, Document(tmp_path, 10), sp.settings(url=f"https://127.0.0.1:{sp.https}/"))
    assert (result["class"], result["stage"]) == ("config", "locate"), result


@pytest.mark.parametrize("version", ["15", "16", "19"])
@pytest.mark.parametrize("size", [0, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 12345])
def test_sizes_and_versions(sp, tmp_path, version, size):
    document = Document(tmp_path, size)
    with sp.farm_with(version=version):
        result = deliver_to(sp, document)
    assert result["class"] == "ok" and delivered(sp, document), result
    assert os.listdir(sp.d + "/site/incoming") == []


@pytest.mark.parametrize("version, name, there", [
    ("19", "it's 'quoted' & {odd} + Grüße – 文書.pdf", None),
    ("19", "50% #1.pdf", "50_ _1.pdf"),
    ("16", "50% #1 ~x & {y}.pdf", "50_ _1 ~x & {y}.pdf"),
    ("15", "50% #1 ~x & {y} a..b.pdf", "50_ _1 _x _ _y_ a._b.pdf"),
    ("19", ".hidden.pdf", "_hidden.pdf"), ("19", "a_vti_b.pdf", "a-vti_b.pdf"), ("19", "~$lock.pdf", "__lock.pdf"),
    ("15", "x" * 180 + ".pdf", "x" * 118 + ".pdf"), ("19", "CON.pdf", "_CON.pdf"),
    ("19", "desktop.ini", "_desktop.ini"), ("15", "語" * 60 + ".pdf", None)])
def test_odd_names(sp, tmp_path, version, name, there):
    document = Document(tmp_path, 100, name)
    with sp.farm_with(version=version):
        result = deliver_to(sp, document)
        again = deliver_to(sp, document)
    assert result["class"] == again["class"] == "ok", (result, again)
    assert result["remote_name"] == (there or name) and delivered(sp, document, there or name)
    assert again["remote_name"] == "_2.".join((there or name).rsplit(".", 1))


def test_folders_of_a_job_are_made_and_the_library_is_not(sp, tmp_path):
    document = Document(tmp_path, 100)
    folder = "{date:%Y}/{job} Müller's #1/50% x"
    for name in "scan.pdf", "scan_2.pdf":  # made; there
        assert deliver_to(sp, document, folder=folder)["class"] == "ok"
        assert delivered(sp, document, "2026/Letters Müller's _1/50_ x/" + name)
    os.makedirs(sp.library("In/Box"))
    for library in "Shared Documents/In/Box", "/Shared Documents/In/Box/":
        assert deliver_to(sp, document, sp.settings(library=library), folder="a")["class"] == "ok"
    assert delivered(sp, document, "In/Box/a/scan_2.pdf")
    result = deliver_to(sp, document, sp.settings(library="Shared Documents/Out"), folder="a")
    assert (result["class"], result["stage"]) == ("config", "locate")
    assert not os.path.exists(sp.library("Out"))


def test_a_path_that_is_too_long(sp, tmp_path):
    folder = "/".join(["f" * 60] * 4)
    with sp.farm_with(version="16"):
        result = deliver_to(sp, Document(tmp_path, 10), folder=folder)
    assert (result["class"], result["stage"]) == ("config", "locate"), result
    document = Document(tmp_path, 10)
    assert deliver_to(sp, document, folder=folder)["class"] == "ok"


def test_taken_names(sp, tmp_path):
    first, second, third = (Document(tmp_path, 100 + i, "taken.pdf") for i in range(3))
    assert deliver_to(sp, first)["remote_name"] == "taken.pdf"
    assert deliver_to(sp, second)["remote_name"] == "taken_2.pdf"
    assert delivered(sp, first) and delivered(sp, second, "taken_2.pdf")
    assert deliver_to(sp, third, same_name="refuse")["class"] == "fatal"
    over = deliver_to(sp, third, same_name="overwrite")
    assert over["remote_name"] == "taken.pdf" and delivered(sp, third)


def test_a_reserved_name_that_is_there_is_done(sp, tmp_path):
    document = Document(tmp_path, 5000, "again.pdf")
    assert deliver_to(sp, document)["class"] == "ok"
    messages = deliver(document.task("sharepoint", sp.settings(), reserved_name="again.pdf"))
    assert messages[-1]["result"]["class"] == "ok"
    assert not [m for m in messages if m["type"] == "question"]
    assert list(sp.files().values()).count(document.content) == 1


def test_digests_are_renewed(sp, tmp_path):
    """Before they are old, and when the site takes one for old that it said was good."""
    document = Document(tmp_path, 20 << 20, "soon.pdf")
    with sp.farm_with(digest_told_s=0):
        result = deliver_to(sp, document)
    assert result["class"] == "ok" and delivered(sp, document), result
    with sp.farm_with(digest_uses=1):
        result = deliver_to(sp, document, same_name="overwrite")
    assert result["class"] == "ok" and delivered(sp, document), result
    with sp.farm_with(digest_uses=0):
        result = deliver_to(sp, document)
    assert (result["class"], result["protocol_code"]) == ("retry", 403) and "clock" in result["cure"]


def test_throttling_and_locks(sp, tmp_path):
    document = Document(tmp_path, 10)
    with sp.farm_with(throttle=55):
        result = deliver_to(sp, document)
    assert (result["class"], result["retry_after_s"], result["protocol_code"]) == ("retry", 55, 429)
    assert deliver_to(sp, document)["class"] == "ok"
    with sp.farm_with(locked=["/sites/x y/Shared Documents/scan.pdf"]):
        result = deliver_to(sp, Document(tmp_path, 20), same_name="overwrite")
    assert (result["class"], result["stage"], result["protocol_code"]) == ("retry", "rename", 423)
    assert delivered(sp, document)


def test_the_request_limit_of_iis(sp, tmp_path):
    with sp.farm_with(request_max=5 << 20):
        result = deliver_to(sp, Document(tmp_path, 6 << 20))
    assert (result["class"], result["stage"]) == ("config", "write") and "size" in result["cure"], result


COLUMNS = [{"name": "Title", "value": "{job} from {device}: it's \"50%\""},
           {"name": "Due", "value": "{date:%Y-%m-%d}"}]


def test_columns(sp, tmp_path):
    document = Document(tmp_path, 100)
    result = deliver_to(sp, document, columns=COLUMNS)
    assert result["class"] == "ok" and delivered(sp, document), result
    assert sp.meta("scan.pdf")["fields"] == {"Title": "Letters from Scanner: it's \"50%\"",
                                             "Due": "2026-11-22"}
    for column in {"name": "Nothing", "value": "x"}, {"name": "Due", "value": "tomorrow"}:
        result = deliver_to(sp, document, columns=COLUMNS[:1] + [column])
        assert (result["class"], result["stage"]) == ("config", "rename"), result
        assert column["name"] in result["text"]
    assert list(sp.files()) == ["scan.pdf"]


def test_check_in(sp, tmp_path):
    with sp.farm_with(force_check_out=True):
        for i, (word, kind) in enumerate({"major": "1", "minor": "0"}.items()):
            document = Document(tmp_path, 100 + i, word + ".pdf")
            result = deliver_to(sp, document, columns=COLUMNS, check_in=word, comment="It's {job}")
            assert result["class"] == "ok" and delivered(sp, document), result
            meta = sp.meta(document.name)
            assert (meta["out"], meta["comment"], meta["type"]) == (False, "It's Letters", kind)
        assert deliver_to(sp, Document(tmp_path, 9, "never.pdf"), check_in="never")["class"] == "ok"
        assert sp.meta("never.pdf")["out"]


def test_a_check_in_that_failed_is_made_up_for(sp, tmp_path):
    document = Document(tmp_path, 300, "required.pdf")
    task = document.task("sharepoint", sp.settings())
    with sp.farm_with(force_check_out=True, required=["Title"]):
        result = result_of(task)
        assert (result["class"], result["stage"]) == ("config", "rename") and "Title" in result["text"]
    with sp.farm_with(force_check_out=True):
        messages = deliver(dict(task, reserved_name="required.pdf"))
    assert messages[-1]["result"]["class"] == "ok" and delivered(sp, document), messages
    assert not sp.meta("required.pdf")["out"] and len(sp.files()) == 1


def test_the_double_refuses(sp):
    """What a real farm refuses; otherwise the tests above say little."""
    site, library = "/sites/x%20y/_api/", "'/sites/x%20y/Shared%20Documents'"
    user = {"X-Remote-User": "scan", "Accept": VERBOSE}
    client = http.client.HTTPConnection("127.0.0.1", sp.farm_port)

    def ask(method, path, body=b"", **headers):
        client.request(method, path, body, {**user, **{k.replace("_", "-"): v for k, v in headers.items()}})
        answer = client.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None

    def code(answer):
        return int(answer[1]["error"]["code"].split(",")[0])

    digest = ask("POST", site + "contextinfo")[1]["d"]["GetContextWebInformation"]["FormDigestValue"]
    add = site + f"web/GetFolderByServerRelativeUrl({library})/Files/add(url='a.pdf',overwrite=false)"
    assert code(ask("POST", add, b"x")) == code(ask("POST", add, b"x", X_RequestDigest="0xOLD")) == -2130575252
    assert ask("POST", add, b"x", X_RequestDigest=digest)[0] == 200
    assert code(ask("POST", add, b"x", X_RequestDigest=digest)) == -2130575257
    for bad in "%23.pdf", "it's.pdf", "a%2.pdf", "%FF.pdf", "a*.pdf", ".a.pdf", "%7E$a.pdf", "a.pdf%20":
        assert ask("POST", add.replace("a.pdf", bad), b"x", X_RequestDigest=digest)[0] == 400, bad
    file = site + "web/GetFileByServerRelativeUrl('/sites/x%20y/Shared%20Documents/a.pdf')"
    guid = "guid'00000000-0000-4000-8000-000000000000'"
    for bad in (f"ContinueUpload(uploadId={guid},fileOffset=0)", f"FinishUpload(uploadId={guid},fileOffset=3)",
                f"StartUpload(uploadId={guid},fileOffset=0)"):
        assert ask("POST", f"{file}/{bad}", b"x", X_RequestDigest=digest)[0] == 400, bad
    assert ask("POST", file, X_RequestDigest=digest, X_HTTP_Method="DELETE")[0] == 412
    assert ask("POST", site + "web/folders", b"{}", X_RequestDigest=digest, Content_Type=VERBOSE)[0] == 400
    client.putrequest("POST", site + "contextinfo")
    client.putheader("X-Remote-User", "scan")
    client.endheaders()
    assert client.getresponse().status == 411
    del user["X-Remote-User"]
    client.close()
    assert ask("GET", file)[0] == 401
