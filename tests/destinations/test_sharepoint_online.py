"""What is special about SharePoint Online: tokens, upload sessions, throttling, drives, columns, check-in."""

import http.client
import json
import os
import shutil
import ssl
import subprocess

import pytest

import graph_cloud as cloud
from delivering import Document, deliver, result_of

FRAGMENT = 10 << 20


@pytest.fixture
def online(kinds):
    kind = kinds("sharepoint_online")
    empty(kind)  # what other files of tests have left
    yield kind
    assert kind.temporary() == []
    empty(kind)


def empty(kind):
    for drive in [*cloud.DRIVES.values(), cloud.ONEDRIVE]:
        shutil.rmtree(kind.library(drive=drive))
        os.makedirs(kind.library(drive=drive))


def deliver_to(online, document, settings=None, seconds=30, **options):
    task = document.task("sharepoint-online", settings or online.settings(), options=options)
    result = result_of(task, seconds=seconds)
    assert cloud.SECRET not in str(result) and "eyJ" not in str(result), "secrets are not told"
    return result


def delivered(online, document, name=None):
    return online.files().get(name or document.name) == document.content


# --- tokens ---------------------------------------------------------------------------------------------

def test_a_certificate(online, tmp_path):
    document = Document(tmp_path, 100)
    result = deliver_to(online, document, online.by_certificate())
    assert result["class"] == "ok" and delivered(online, document), result
    result = deliver_to(online, document, online.by_certificate("other"))
    assert (result["class"], result["stage"]) == ("auth", "login") and "AADSTS700027" in result["text"]


def test_certificates_that_are_none(online, tmp_path):
    document = Document(tmp_path, 100)
    subprocess.run(["openssl", "rsa", "-aes128", "-passout", "pass:x", "-in", "client.key", "-out", "locked.key"],
                   cwd=online.d, check=True, capture_output=True)
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ec.key"],
                   cwd=online.d, check=True, capture_output=True)
    for key in "other", "locked", "ec":
        result = deliver_to(online, document, online.by_certificate(key=key))
        assert (result["class"], result["stage"]) == ("config", "login"), (key, result)
    result = deliver_to(online, document, dict(online.by_certificate(), certificate="none"))
    assert result["class"] == "config" and "PEM" in result["cure"]


@pytest.mark.parametrize("change, class_", [
    ({"client_id": "someone"}, "auth"), ({"tenant": "fabrikam.example"}, "config"),
    ({"login_url": "http://127.0.0.1:9"}, "config"), ({"client_secret": ""}, "auth")], ids=str)
def test_who_gets_no_token(online, tmp_path, change, class_):
    result = deliver_to(online, Document(tmp_path, 10), online.settings(**change))
    assert (result["class"], result["stage"]) == (class_, "login"), result


def test_tokens_are_renewed(online, tmp_path):
    document = Document(tmp_path, 25 << 20)
    with online.cloud_with(token_life_s=1):
        assert deliver_to(online, document)["class"] == "ok"
    online.restart()
    with online.cloud_with(revoke=1):
        assert deliver_to(online, document)["class"] == "ok"
    with online.cloud_with(revoke=100):
        result = deliver_to(online, document)
    assert (result["class"], result["stage"]) == ("auth", "login"), result


# --- uploads --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("size", [0, FRAGMENT, FRAGMENT + 1, 2 * FRAGMENT, 3 * FRAGMENT + 12345])
def test_sizes(online, tmp_path, size):
    document = Document(tmp_path, size)
    result = deliver_to(online, document)
    assert result["class"] == "ok" and delivered(online, document), result
    assert os.listdir(online.d + "/incoming") == []


@pytest.mark.parametrize("taken", [False, True])
def test_an_interrupted_session_goes_on(online, tmp_path, taken):
    document = Document(tmp_path, 2 * FRAGMENT + 5)
    with online.cloud_with(broken_fragments=[0, FRAGMENT], broken_times=3, broken_taken=taken):
        result = deliver_to(online, document)
    assert result["class"] == "ok" and delivered(online, document), result
    if not taken:
        with online.cloud_with(broken_fragments=[FRAGMENT], broken_times=99):
            result = deliver_to(online, document)
        assert (result["class"], result["stage"]) == ("retry", "write"), result


@pytest.mark.parametrize("switches", [{"gone": True}, {"upload_http": True}], ids=str)
def test_sessions_that_do_not_work(online, tmp_path, switches):
    with online.cloud_with(**switches):
        result = deliver_to(online, Document(tmp_path, 2 * FRAGMENT))
    assert (result["class"], result["stage"]) == ("retry", "write"), result


def test_throttling(online, tmp_path):
    document = Document(tmp_path, 2 * FRAGMENT)
    for switches, code, wait_s in ({"throttle": 55}, 429, 55), ({"busy_fragments": 1}, 503, 33):
        with online.cloud_with(**switches):
            result = deliver_to(online, document)
        assert (result["class"], result["protocol_code"], result["retry_after_s"]) == ("retry", code, wait_s)
    assert deliver_to(online, document)["class"] == "ok"


def test_room_is_looked_for(online, tmp_path):
    with online.cloud_with(remaining=99):
        result = deliver_to(online, Document(tmp_path, 100))
    assert (result["class"], result["stage"]) == ("retry", "locate"), result


# --- places ---------------------------------------------------------------------------------------------

def test_places(online, tmp_path):
    document = Document(tmp_path, 100)
    os.makedirs(online.library("In/Box ü"))
    for changes in {"library": "documents"}, {"library": "Documents", "folder": "/In/Box ü/"}:
        assert deliver_to(online, document, online.settings(**changes), folder="a")["class"] == "ok"
    assert delivered(online, document, "a/scan.pdf") and delivered(online, document, "In/Box ü/a/scan.pdf")
    assert deliver_to(online, document, online.settings(site="", user=cloud.USER))["class"] == "ok"
    with open(online.library("scan.pdf", cloud.ONEDRIVE), "rb") as f:
        assert f.read() == document.content


@pytest.mark.parametrize("change", [
    {"site": ""}, {"user": cloud.USER}, {"site": "https://contoso.example/sites/none"}, {"folder": "none"},
    {"site": "", "user": "nobody@contoso.example"}], ids=str)
def test_places_that_are_none(online, tmp_path, change):
    result = deliver_to(online, Document(tmp_path, 10), online.settings(**change), folder="a")
    assert (result["class"], result["stage"]) == ("config", "locate"), result
    assert not online.files() and not os.path.exists(online.library("none"))


@pytest.mark.parametrize("name, there", [
    ("it's 'quoted' & {odd} + 100% #1 Grüße – 文書.pdf", None), (".hidden.pdf", "_hidden.pdf"),
    ("~$lock.pdf", "__lock.pdf"), ("a_vti_b.pdf", "a-vti_b.pdf"), ("a:b.pdf", "a_b.pdf")])
def test_odd_names(online, tmp_path, name, there):
    document = Document(tmp_path, 100, name)
    result = deliver_to(online, document, folder="#1 {job} 50%/it's")
    assert result["class"] == "ok" and result["remote_name"] == (there or name), result
    assert delivered(online, document, "#1 Letters 50%/it's/" + (there or name))


def test_taken_names(online, tmp_path):
    first, second, third = (Document(tmp_path, 100 + i, "taken.pdf") for i in range(3))
    assert deliver_to(online, first)["remote_name"] == "taken.pdf"
    assert deliver_to(online, second)["remote_name"] == "taken_2.pdf"
    assert delivered(online, first) and delivered(online, second, "taken_2.pdf")
    assert deliver_to(online, third, same_name="refuse")["class"] == "fatal"
    with online.cloud_with(locked=[f"{cloud.DRIVES['Documents']}/taken.pdf"]):
        result = deliver_to(online, third, same_name="overwrite")
    assert (result["class"], result["protocol_code"]) == ("retry", 423) and delivered(online, first)
    assert deliver_to(online, third, same_name="overwrite")["remote_name"] == "taken.pdf"
    assert delivered(online, third)
    os.makedirs(online.library("folder.pdf"))
    document = Document(tmp_path, 10, "folder.pdf")
    assert deliver_to(online, document, same_name="overwrite")["class"] == "fatal"
    assert deliver_to(online, document)["remote_name"] == "folder_2.pdf"


def test_a_reserved_name_that_is_there_is_done(online, tmp_path):
    document = Document(tmp_path, 5000, "again.pdf")
    assert deliver_to(online, document)["class"] == "ok"
    messages = deliver(document.task("sharepoint-online", online.settings(), reserved_name="again.pdf"))
    assert messages[-1]["result"]["class"] == "ok"
    assert not [m for m in messages if m["type"] == "question"]
    assert list(online.files().values()).count(document.content) == 1


# --- columns and check-in -------------------------------------------------------------------------------

COLUMNS = [{"name": "Title", "value": "{job}: \"50%\""}, {"name": "Due", "value": "{date:%Y-%m-%d}"}]


def test_columns(online, tmp_path):
    document = Document(tmp_path, 100)
    assert deliver_to(online, document, columns=COLUMNS)["class"] == "ok"
    assert online.meta("scan.pdf")["fields"] == {"Title": "Letters: \"50%\"", "Due": "2026-11-22"}
    result = deliver_to(online, document, columns=[{"name": "Nothing", "value": "x"}])
    assert (result["class"], result["stage"]) == ("config", "rename") and "Nothing" in result["text"]
    assert list(online.files()) == ["scan.pdf"]


def test_check_in(online, tmp_path):
    with online.cloud_with(force_check_out=True):
        for word, kind in {"major": "published", "minor": "unspecified"}.items():
            document = Document(tmp_path, 100, word + ".pdf")
            assert deliver_to(online, document, check_in=word, comment="For {job}")["class"] == "ok"
            meta = online.meta(document.name)
            assert (meta["out"], meta["comment"], meta["type"]) == (False, "For Letters", kind)
        assert deliver_to(online, Document(tmp_path, 9, "never.pdf"), check_in="never")["class"] == "ok"
        assert online.meta("never.pdf")["out"]


def test_a_check_in_that_failed_is_made_up_for(online, tmp_path):
    task = Document(tmp_path, 300, "required.pdf").task("sharepoint-online", online.settings())
    with online.cloud_with(force_check_out=True, required=["Title"]):
        result = result_of(task)
        assert (result["class"], result["stage"]) == ("config", "rename") and "Title" in result["text"]
    with online.cloud_with(force_check_out=True):
        messages = deliver(dict(task, reserved_name="required.pdf"))
    assert messages[-1]["result"]["class"] == "ok" and not online.meta("required.pdf")["out"]
    assert len(online.files()) == 1


# --- the double -----------------------------------------------------------------------------------------

def test_the_double_refuses(online):
    """What the real service refuses; otherwise the tests above say little."""
    client = http.client.HTTPSConnection("127.0.0.1", online.cloud_port,
                                         context=ssl._create_unverified_context())

    def ask(method, path, body=b"", **headers):
        client.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = client.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None

    form = (f"grant_type=client_credentials&client_id={cloud.CLIENT}&client_secret={cloud.SECRET}"
            f"&scope=https%3A%2F%2F127.0.0.1%3A{online.cloud_port}%2F.default")
    token_path, is_form = f"/{cloud.TENANT}/oauth2/v2.0/token", "application/x-www-form-urlencoded"
    assert ask("POST", token_path, form)[0] == 400, "no form"
    assert ask("POST", token_path, form + "x", Content_Type=is_form)[0] == 400, "scope"
    token = ask("POST", token_path, form, Content_Type=is_form)[1]["access_token"]
    user = {"Authorization": "Bearer " + token, "User_Agent": "NONISV|test|1", "Content_Type": "application/json"}
    drive = "/v1.0/drives/b!documents-1/root"
    assert ask("GET", drive)[0] == 401
    for path in "/a%20", "/a%2", "/%FF", "/a*b", "/it's":
        assert ask("POST", f"{drive}:{path}:/createUploadSession", b'{"item":{}}', **user)[0] == 400, path
    assert ask("POST", drive + ":/a.pdf:/createUploadSession", b"{}", **user)[0] == 400, "not wrapped"
    body = b'{"item":{"@microsoft.graph.conflictBehavior":"fail"}}'
    url = ask("POST", drive + ":/a.pdf:/createUploadSession", body, **user)[1]["uploadUrl"]
    url = url[url.index("/upload"):]
    for status, n, content_range, headers in (
            (401, 10, "bytes 0-9/10", {"Authorization": user["Authorization"]}), (400, 10, "bytes 0-9/20", {}),
            (400, 9, "bytes 0-9/10", {}), (416, 10, "bytes 10-19/20", {}), (400, 10, "0-9/10", {}),
            (202, 327680, "bytes 0-327679/327690", {}), (416, 327680, "bytes 0-327679/327690", {}),
            (400, 10, "bytes 327680-327689/327691", {}), (201, 10, "bytes 327680-327689/327690", {}),
            (404, 10, "bytes 327680-327689/327690", {})):
        assert ask("PUT", url, b"x" * n, Content_Range=content_range, **headers)[0] == status, content_range
    for jwt in "a.b.c", "a.b", "eyJhbGciOiJub25lIn0.e30.":
        bad = form.split("&client_secret")[0] + form[form.index("&scope"):] + \
            "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer" \
            f"&client_assertion={jwt}"
        assert ask("POST", token_path, bad, Content_Type=is_form)[0] == 401, jwt
