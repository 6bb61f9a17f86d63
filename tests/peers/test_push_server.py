"""test_push_server.py - platen-mfp judged by a push server that is not ours (e2p_client.py): every mode, over TLS and
plainly, with the parameters that real software sends; what ends early; many presses and many devices."""

import hashlib
import itertools
import ssl
import subprocess
import time

import pytest

import common
import e2p_client
from e2p_client import Client, PushServer, Session, golden, parameters
from sane_peer import cut, difference, grey, toned, turned
from test_mfp import call

AREA = (0, 0, 640, 880)
addresses = (f"127.87.{i // 250}.{i % 250 + 1}" for i in itertools.count())


@pytest.fixture(scope="module", name="pages")
def fixture_pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    common.make_pictures(folder, 4, 640, 880)
    return folder


def files(pages):
    return [path.read_bytes() for path in sorted(pages.iterdir())]


class Both:
    """A push server and a device that has it on its panel; nobody else has the device's address."""

    def __init__(self, pages, *options, tls=False, client=None, **server):
        self.address = next(addresses)
        self.server = PushServer(**server)
        self.mfp = common.start_mfp("--pages", pages, "--port", 0, "--enpc-port", 0, "--address", self.address,
                                    "--server", f"127.0.0.1:{self.server.udp_port}", "--panel-port", 0,
                                    *(["--tls"] if tls else []), *options)
        self.port = int(self.mfp.ready["scan_port"])
        self.server.device_port = self.port
        self.server.client = {"tls": tls, **(client or {})}
        self.seen = 0

    def __enter__(self):
        self.mfp.__enter__()
        self.mfp.wait_line("destination ")
        return self

    def __exit__(self, *error):
        self.server.close()
        self.mfp.__exit__(*error)
        if not error[0]:
            assert self.server.wrongs == []

    def post(self, path, body=None):
        status, answer = call(self.mfp, path, body, "POST")
        assert status == 204, answer

    def press(self, choice="02", name="Scans"):
        self.post("/press", {"name": name, "choice": choice})
        self.seen += 1
        return self.server.wait_scan(self.seen)

    def ready(self):
        common.wait_until(lambda: call(self.mfp, "/state")[1]["state"] == "ready", "the panel to be ready")


def decoded(page, folder):
    path = folder / "came.jpg"
    path.write_bytes(page.data)
    return path


# ---- the whole line, as it is in an office: standard ports, multicast or not, TLS or not ---------------

CLIENT = [ "/usr/bin/python3", e2p_client.__file__, "--scans", 2 ]


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("unicast", [False, True])
def test_registers_and_scans_on_the_standard_ports(pages, tmp_path, tls, unicast):
    net = common.Namespace()
    for command in ("ip link add lan0 type veth peer name lan1", "ip link set lan0 up", "ip link set lan1 up",
                    "ip addr add 10.77.0.1/24 dev lan0", "ip addr add 10.77.0.2/24 dev lan0",
                    "ip route add 224.0.0.0/4 dev lan0"):
        assert net.run(*command.split()).returncode == 0, command
    words = [*CLIENT, "--address", "10.77.0.1", "--out", tmp_path, *(["--tls"] if tls else []),
             *(["--unicast"] if unicast else [])]
    with common.Program(*map(str, words), namespace=net) as server:
        server.wait_line("listening")
        options = ["--pages", pages, "--address", "10.77.0.2", "--model", "ET-4950", "--duplex",
                   "double-pass", "--announce-every", 1, "--press", "Scans:12", "--panel-port", 8080, *(["--tls"] if tls else []),
                   *(["--server", "10.77.0.1"] if unicast else [])]
        with common.start_mfp(*options, namespace=net) as mfp:
            version = "TLSv1.2" if tls else "-"
            assert server.wait_line("scan ", 60) == f'scan pages=4 error="" tls={version}'
            assert mfp.wait_line("scan-end ") == "scan-end pages=4 outcome=done"
            for path, body in (("load", '{"sheets": 1}'), ("press", '{"name": "Scans", "choice": "01"}')):
                done = net.run("curl", "-sf", "-H", "Content-Type: application/json", "-d", body,
                               f"http://10.77.0.2:8080/{path}")
                assert done.returncode == 0, (path, done.stderr)
            assert server.wait_line("scan ", 60) == f'scan pages=1 error="" tls={version}'
        assert server.wait_exit() == 0, server.errors
    net.close()
    fed = files(pages)
    # The feeder of this model turns sheets over: fronts go out byte for byte, backs are rendered upside down, and lie
    # at the right edge of the 2481 columns that Epson's driver asks for from column 69 on.
    assert [(tmp_path / f"scan-1-{i}.jpg").read_bytes() for i in (1, 3)] == [fed[0], fed[2]]
    back = cut(common.pixels(tmp_path / "scan-1-2.jpg"), 2481 - 640, 0, 640, 880)
    wanted = turned(common.pixels(sorted(pages.iterdir())[1]))
    assert sum(abs(a - b) for a, b in zip(back[2], wanted[2])) / len(wanted[2]) < 4
    assert (tmp_path / "scan-2-1.jpg").read_bytes() == fed[0]


# ---- modes ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("options,choice,sides", [
    ([], "02", "AAAA"),
    (["--duplex", "sequential"], "12", "ABAB"),
    (["--duplex", "interleaved"], "12", "ABAB"),
    (["--duplex", "sequential"], "01", "AA"),
    (["--source", "flatbed"], "01", "A"),
    (["--source", "flatbed", "--model", "ET-2750"], "02", "A"),
    (["--model", "ET-4950"], "01", "AAAA"),
    (["--split", "--drip", "900"], "02", "AAAA"),
])
def test_pages_of_real_parameters_come_byte_for_byte(pages, tls, options, choice, sides):
    with Both(pages, *options, tls=tls) as both:
        scan = both.press(choice)
        assert scan.error == "" and "".join(page.side[-1] for page in scan.pages) == sides
        fed = files(pages)
        assert [page.data for page in scan.pages] == fed[:len(sides)]
        assert all(page.start[::2] == page.end == (640, 880) for page in scan.pages)
        assert scan.feeder == ("flatbed" not in options)
        # A feeder that has been emptied says so until it is filled, and the glass never does.
        assert scan.states[-1] == b"#ERRADF PE  " if scan.feeder or "ET-2750" not in options else True
        assert both.mfp.wait_line("scan-end ") == f"scan-end pages={len(sides)} outcome=done"
        if tls:
            assert scan.tls_version == "TLSv1.2" and scan.certificate


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("pieces", [None, 12, 7])
@pytest.mark.parametrize("together", [True, False])
def test_parameters_in_one_record_and_in_many(pages, tls, pieces, together):
    """Header and body of PARA are sent without waiting, whole, each packet by itself, or cut anywhere."""
    with Both(pages, "--sheets", 1, tls=tls, client={"pieces": pieces, "together": together}) as both:
        scan = both.press()
        assert scan.error == "" and [page.data for page in scan.pages] == files(pages)[:1]


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("source", ["adf", "flatbed"])
@pytest.mark.parametrize("color", [b"C024", b"M008", b"M001"])
@pytest.mark.parametrize("fmt", [b"JPG ", b"RAW "])
def test_colours_and_formats(pages, tmp_path, tls, source, color, fmt):
    if (color, fmt) == (b"M001", b"JPG "):
        expected = "par FAIL"  # JPEG knows no single bits
    else:
        expected = ""

    def para(feeder, two_sided):
        return parameters("#ADF" if feeder else "#FB ", 150, color, fmt, AREA)
    with Both(pages, "--source", source, *(["--sheets", "1"] if source == "adf" else []), tls=tls,
              client={"para": para}) as both:
        scan = both.press()
        assert scan.error == expected
        if expected:
            return
        page, = scan.pages
        fed = common.pixels(sorted(pages.iterdir())[0])
        wanted = {b"C024": fed, b"M008": grey(fed), b"M001": grey(fed, 128)}[color]
        width, padding, height = page.start
        assert (width, height) == wanted[:2] == page.end
        if fmt == b"JPG ":
            assert difference(decoded(page, tmp_path), wanted) < 4
            return
        line = {b"C024": width * 3, b"M008": width, b"M001": (width + 7) // 8}[color] + padding
        assert len(page.data) == line * height
        netpbm = {b"C024": b"P6 %d %d 255\n", b"M008": b"P5 %d %d 255\n", b"M001": b"P4 %d %d\n"}[color]
        data = page.data if color != b"M001" else bytes(255 - byte for byte in page.data)  # P4: 1 = black
        came = tmp_path / "came.pnm"
        came.write_bytes(netpbm % (width, height) + data)
        assert difference(came, wanted) < 1


def test_a_part_of_the_glass(pages, tmp_path):
    with Both(pages, "--source", "flatbed",
              client={"para": lambda *_: parameters("#FB ", 150, b"C024", b"RAW ", (80, 100, 320, 200))}) as both:
        page, = both.press().pages
        assert page.start == (320, 0, 200)
        came = tmp_path / "came.ppm"
        came.write_bytes(b"P6 320 200 255\n" + page.data)
        fed = common.pixels(sorted(pages.iterdir())[0])
        assert difference(came, cut(fed, 80, 100, 320, 200)) < 1


# ---- what changes the picture is done, or refused -------------------------------------------------------

INVERSE = bytes(range(255, -1, -1))
PLAIN = bytes(range(256))


def table(channel, values):
    return b"#GMT" + channel + b"h100" + values


def one_page(pages, tmp_path, para, *options):
    """The decoded page of one scan with these parameters, and the page itself."""
    with Both(pages, "--sheets", 1, *options, client={"para": lambda *_: para}) as both:
        scan = both.press()
        assert scan.error == "", scan.error
        page, = scan.pages
    if b"FMTRAW " in para:
        path = tmp_path / "came.pnm"
        kind, maximum = {b"C024": (b"P6", b"255\n"), b"M008": (b"P5", b"255\n"), b"M001": (b"P4", b"")}[
            para[para.index(b"#COL") + 4:][:4]]
        data = page.data if maximum else bytes(255 - byte for byte in page.data)
        path.write_bytes(kind + b" %d %d " % page.start[::2] + maximum + data)
        return path, page
    return decoded(page, tmp_path), page


@pytest.mark.parametrize("fmt", [b"RAW ", b"JPG "])
@pytest.mark.parametrize("color,more,seen", [
    (b"C024", table(b"RED ", INVERSE), lambda p: toned(p, INVERSE, PLAIN, PLAIN)),
    (b"C024", table(b"GRN ", INVERSE) + table(b"BLU ", bytes(256)), lambda p: toned(p, PLAIN, INVERSE, bytes(256))),
    (b"C024", table(b"MONO", INVERSE), lambda p: p),  # that is the channel of grey
    (b"M008", table(b"MONO", INVERSE), lambda p: toned(grey(p), *[INVERSE] * 3)),
    (b"M001", table(b"MONO", INVERSE), lambda p: grey(toned(grey(p), *[INVERSE] * 3), 128)),
])
def test_tables_make_the_tone(pages, tmp_path, fmt, color, more, seen):
    if (color, fmt) == (b"M001", b"JPG "):
        fmt = b"RAW "
    path, _ = one_page(pages, tmp_path, parameters("#ADF", 150, color, fmt, AREA, more=more))
    wanted = seen(common.pixels(sorted(pages.iterdir())[0]))
    assert difference(path, wanted) < (4 if fmt == b"JPG " else 0.5)


@pytest.mark.parametrize("options,column", [([], 0), (["--model", "ET-4800"], 2550 - 640)])
def test_tables_of_a_real_driver(pages, tmp_path, options, column):
    """Epson's for an ET-4800 make dark darker and light white; those for an ET-4950 are one step from plain at most, and
    leave the file as it is (other tests)."""
    para = golden("para-et4800-adf")
    path, page = one_page(pages, tmp_path, para, *options)
    channels = [para[para.index(b"#GMT" + c + b"h100") + 12:][:256] for c in (b"RED ", b"GRN ", b"BLU ")]
    # #ACQ begins at column 69; the sheet lies at the left, or at the right of 8.5 inches.
    hidden, at, sheet = max(69 - column, 0), max(column - 69, 0), common.pixels(sorted(pages.iterdir())[0])
    wanted = cut(toned(sheet, *channels), hidden, 0, 640 - hidden, 880)
    came = cut(common.pixels(path), at, 0, 640 - hidden, 880)
    assert page.start == (2481, 0, 880) and page.data != files(pages)[0]
    assert sum(abs(a - b) for a, b in zip(came[2], wanted[2])) / len(wanted[2]) < 5
    plain = cut(sheet, hidden, 0, 640 - hidden, 880)
    assert sum(abs(a - b) for a, b in zip(came[2], plain[2])) / len(plain[2]) > 10


@pytest.fixture(scope="module", name="small")
def fixture_small(tmp_path_factory):
    """3.0 x 4.4 inches at 200 dpi: the end of a page is not a multiple of the blocks of a JPEG."""
    folder = tmp_path_factory.mktemp("small")
    common.make_pictures(folder, 1, 603, 877)
    path, = folder.iterdir()
    subprocess.run(["mogrify", "-units", "PixelsPerInch", "-density", "300", path], check=True)
    return folder


@pytest.mark.parametrize("words,margin,start,end", [
    ("", None, (1700, 0, 585), (1700, 585)),  # the asked width, down to the end of the sheet
    ("CRP ", None, (408, 0, 592), (402, 585)),
    ("CRP ", -20, (328, 0, 512), (322, 505)),  # 0.2 inches less on every side
    ("CRP ", 10, (448, 0, 608), (442, 605)),  # above the sheet there is nothing
    ("CRP SKEW", None, (408, 0, 592), (402, 585)),
])
def test_cropping_to_the_paper(small, tmp_path, words, margin, start, end):
    """The beginning says what the JPEG has, in blocks of eight; the end says how much of it is paper."""
    more = b"" if margin is None else b"#CRP" + (b"d%03d" % margin if margin >= 0 else b"i%07d" % margin)
    para = parameters("#ADF" + words, 200, area=(0, 0, 1700, 7200), more=more)
    path, page = one_page(small, tmp_path, para, "--model", "FF-680W", "--registration", 2)
    assert (page.start, page.end) == (start, end)
    assert common.pixels(path)[:2] == start[::2]
    if words and margin is None:
        inside = cut(common.pixels(path), 0, 0, *end)
        wanted = subprocess.run(["convert", next(small.iterdir()), "-filter", "Box", "-resize", "402x585!", "-depth", "8",
                                 "rgb:-"], check=True, capture_output=True).stdout
        assert sum(abs(a - b) for a, b in zip(inside[2], wanted)) / len(wanted) < 12


@pytest.mark.parametrize("more,model", [
    (b"#BRTd050", "XP-7100"), (b"#CTRd050", "XP-7100"), (b"#CRPd005", "XP-7100"), (b"#CRPd021", "FF-680W"),
    (b"#CRPi-000021", "FF-680W"), (b"#FLAi0000001i0000001i0000001i0000001", "FF-680W"), (b"#FLCWH  ", "FF-680W"),
    (table(b"CYAN", PLAIN), "FF-680W"),
])
def test_what_it_cannot_do_is_refused(pages, more, model):
    with Both(pages, "--model", model, "--registration", 2,
              client={"para": lambda *_: parameters("#ADF", 300, more=more)}) as both:
        assert both.press().error == "par FAIL"


@pytest.mark.parametrize("words", ["SKEW", "CRP ", "DFL1"])
def test_options_of_other_models_are_refused(pages, words):
    with Both(pages, client={"para": lambda *_: parameters("#ADF" + words, 300)}) as both:
        assert both.press().error == "par FAIL"


# ---- which transport ---------------------------------------------------------------------------------

@pytest.mark.parametrize("options,found", [([], "plain"), (["--tls"], "tls"), (["--legacy"], "legacy")])
def test_transport_is_found_by_trying(pages, options, found):
    """TLS first, then the welcome; a device survives both, and scans afterwards."""
    with Both(pages, *options, client={"tls": found == "tls"}) as both:
        client = Client((both.address, both.port))
        assert [client.probe() for _ in range(3)] == [found] * 3
        if found != "legacy":
            assert len(both.press().pages) == 4


# ---- ends before the end -------------------------------------------------------------------------------

@pytest.mark.parametrize("tls", [False, True])
def test_cancel_at_the_device(pages, tls):
    with Both(pages, "--sheets", 50, tls=tls) as both:
        both.server.client["on_page"] = lambda number: number == 2 and both.post("/cancel")
        scan = both.press()
        assert scan.error == "atn CAN " and 2 <= len(scan.pages) < 50
        assert both.mfp.wait_line("scan-end ").endswith(" outcome=cancelled")
        both.server.client["on_page"] = None
        both.ready()
        both.post("/load", {"sheets": 1})
        assert len(both.press().pages) == 1


def test_cancel_at_a_device_whose_client_does_not_listen(pages):
    """Some servers know no "attention": they poll until they give up, and unlock."""
    patient = e2p_client.SECONDS
    e2p_client.SECONDS = 1
    try:
        with Both(pages, "--sheets", 50, client={"obeys_cancel": False}) as both:
            both.server.client["on_page"] = lambda number: number == 2 and both.post("/cancel")
            both.post("/press", {"name": "Scans", "choice": "02"})
            assert both.mfp.wait_line("scan-end ").endswith(" outcome=cancelled")
            assert "progress" in str(common.wait_until(lambda: both.server.wrongs, "the server to give up")[0])
            both.server.wrongs.clear()
    finally:
        e2p_client.SECONDS = patient


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("how,outcome", [("cancel_after", "stopped"), ("abandon_after", "stopped")])
def test_stop_at_the_server(pages, tls, how, outcome):
    """By CAN and FIN, or by UNLOCK in the middle, as a server does that has failed."""
    with Both(pages, "--sheets", 50, tls=tls, client={how: 2}) as both:
        assert len(both.press().pages) == 2
        assert both.mfp.wait_line("scan-end ") == f"scan-end pages=2 outcome={outcome}"
        both.server.client[how] = None
        both.ready()
        both.post("/load", {"sheets": 2})
        assert len(both.press().pages) == 2


CAUSES = {"jam": "ADF PJ  ", "cover": "ADF OPN ", "double-feed": "ADF DFED", "error": "ADF ERR "}


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("fault", list(CAUSES))
def test_cause_in_the_second_page(pages, tls, fault):
    with Both(pages, "--fault", f"{fault}@2", tls=tls) as both:
        scan = both.press()
        assert scan.error == CAUSES[fault] and [page.data for page in scan.pages] == files(pages)[:1]
        again = both.press()  # it stands until somebody puts it right
        assert again.error == "err " + CAUSES[fault] and again.pages == []
        assert again.states[0] == b"#ERR" + CAUSES[fault].encode()
        both.post("/clear")
        both.post("/load", {"sheets": 2})
        both.ready()
        assert len(both.press().pages) == 2


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("fault", list(CAUSES))
def test_cause_for_a_server_that_reads_errors_of_images_only(pages, tls, fault):
    """epson2paperless: a cause that stands is not in TRDT for it, and it unlocks in the middle of everything."""
    with Both(pages, "--fault", f"{fault}@2", tls=tls, client={"curt": True}) as both:
        for sent in (1, 0):
            scan = both.press()
            assert scan.error == CAUSES[fault] and len(scan.pages) == sent and scan.polls < 10
            assert both.mfp.wait_line("scan-end ") == f"scan-end pages={sent} outcome=fault"
            both.ready()
        both.post("/clear")
        both.post("/load", {"sheets": 2})
        assert both.press().error == ""


@pytest.mark.parametrize("model", sorted(e2p_client.KNOWN.values()))
def test_models_are_known_by_their_capabilities(pages, model):
    with Both(pages, "--model", model, *(["--registration", 2] if model[:2] in ("FF", "DS") else [])) as both:
        scan = both.press("01")
        assert scan.error == "" and e2p_client.model_of(scan.capa) == model


@pytest.mark.parametrize("fault,error,pages_sent", [
    ("busy", "", 4), ("warming-up", "", 4), ("busy@2", "", 4), ("reserved", "nrd RSVD", 0), ("auth-needed", "nrd AFEN", 0),
    ("parameters", "par FAIL", 0), ("drop@2", "lost", 1), ("disconnect@2", "event 02", 1), ("time-out@2", "event 80", 1),
    ("server-error@2", "event a0", 1), ("device-cancel@2", "atn CAN ", 1), ("empty@2", "", 1),
])
@pytest.mark.parametrize("tls", [False, True])
def test_other_faults(pages, tls, fault, error, pages_sent):
    with Both(pages, "--fault", fault, tls=tls) as both:
        scan = both.press()
        assert len(scan.pages) == pages_sent
        if fault == "empty@2":
            assert scan.error == "ADF PE  "  # within a page: that page is lost
        else:
            assert scan.error == error
        if error and pages_sent == 0:  # the panel says so at once
            assert common.fields(both.mfp.wait_line("fault "))["kind"] == fault
            assert both.mfp.wait_line("scan-end ", 5) == "scan-end pages=0 outcome=fault"


@pytest.mark.parametrize("model,counters", [
    ("ET-4800", b"#ADFSCNTd004#ADFJAM d000#FB CNT d000#BSZi1048576"),
    ("XP-7100", b"#ADFSCNTd004#ADFDCNTd000#ADFJAM d000#FB CNT d000#BSZi1048576"),
    ("ET-2750", b"#FB CNT d001#BSZi1048576"),
])
def test_counters_of_maintenance_mode(pages, model, counters):
    """The keys that captured devices have, in their order."""
    with Both(pages, "--model", model, client={"para": lambda feeder, _: parameters("#ADF" if feeder else "#FB ", 300)}) as both:
        both.press()
        both.ready()
        assert both.press().counters == counters


def test_an_empty_feeder_is_an_ordinary_end(pages):
    """Somebody takes the sheets out between two pages: no #lft comes, the feeder says that it is empty."""
    with Both(pages, "--sheets", 3) as both:
        both.server.client["on_page"] = lambda number: number == 1 and both.post("/fault", {"kind": "empty", "page": 0})
        scan = both.press()
        assert scan.error == "" and len(scan.pages) in (1, 2)


def test_informational_events(pages):
    with Both(pages, "--events") as both:
        scan = both.press()
        assert scan.error == "" and scan.notices == [1] and len(scan.pages) == 4


def test_a_device_in_use_says_no(pages):
    with Both(pages) as both:
        other = Session((both.address, both.port))
        assert other.lock()
        assert both.press().error == "locked"
        other.close()
        both.post("/cancel")
        common.wait_until(lambda: both.press().error == "" or both.post("/cancel"), "the lock to be free")


def test_a_server_that_refuses(pages):
    with Both(pages, refuses=True) as both:
        both.post("/press", {"name": "Scans", "choice": "02"})
        assert common.fields(both.mfp.wait_line("pressed "))["result"] == "ERROR"
        both.server.refuses = False
        assert len(both.press().pages) == 4


# ---- again and again ------------------------------------------------------------------------------------

@pytest.mark.parametrize("tls", [False, True])
def test_several_presses_in_a_row(pages, tls):
    fed = files(pages)
    with Both(pages, "--sheets", 1, tls=tls) as both:
        for i in range(8):
            both.ready()
            both.post("/load", {"sheets": 1})
            scan = both.press("02" if i % 2 else "01")
            assert scan.error == "" and [page.data for page in scan.pages] == [fed[i % 4]]
        assert [press["uid"] for press in both.server.presses] == [str(i + 1) for i in range(8)]


@pytest.mark.parametrize("tls", [False, True])
def test_three_devices_at_once(pages, tls):
    server, (port,) = PushServer(), common.free_ports(1)
    options = ["--tls"] if tls else []
    with common.start_mfp("--pages", pages, "--port", port, "--enpc-port", 0, "--address", "127.88.7.1", "--count", 3,
                          "--server", f"127.0.0.1:{server.udp_port}", "--press", "Scans", *options) as mfp:
        server.device_port, server.client = port, {"tls": tls}
        scans = [server.wait_scan(i) for i in (1, 2, 3)]
        assert [scan.error for scan in scans] == ["", "", ""]
        assert [[page.data for page in scan.pages] for scan in scans] == [files(pages)] * 3
        ends = {common.fields(mfp.wait_line("scan-end "))["device"] for _ in range(3)}
        assert ends == {"127.88.7.1", "127.88.7.2", "127.88.7.3"}
        assert len({scan.certificate for scan in scans}) == (3 if tls else 1)
        assert sorted(press["peer"] for press in server.presses) == sorted(ends)
    server.close()
    assert server.wrongs == []


# ---- version 3: the jobs first -------------------------------------------------------------------------------

V3 = ["--model", "FF-680W", "--serial", "V3A001"]


def parameters_of_sheets(_, two_sided):
    return parameters("#ADFDPLXDFL1" if two_sided else "#ADF", 200, area=(0, 0, 1700, 3100))


@pytest.mark.parametrize("tls", [False, True])
def test_version_3_asks_for_jobs_and_tells_the_end(pages, tls):
    """JobList, JOBW, its answer; PushScan with a number, JOBR, its answer; the scan; ScanEnd."""
    with Both(pages, *V3, tls=tls, version=3, client={"para": parameters_of_sheets}) as both:
        assert (both.server.requests[0][0]["tags"], both.server.requests[0][0]["scope"]) == (
            b"Ver,ClientName,IPAddress,EventPort,Group", b"PID 016B")
        for number in (1, 2):
            scan = both.press()
            assert scan.error == "" and len(scan.pages) == 8
            assert common.fields(both.mfp.wait_line("job-list "))["bytes"] == "46"
            assert common.fields(both.mfp.wait_line("job-asked "))["number"] == "0"
            assert common.fields(both.mfp.wait_line("pressed "))["result"] == "OK"
            assert both.mfp.wait_line("scan-end ") == "scan-end pages=8 outcome=done"
            assert both.mfp.wait_line("scan-end-told ") == 'scan-end-told name="Scans" result=OK'
            assert both.server.talks == ["JobList", "JOBW", "PushScan", "JOBR", "ScanEnd"] * number
            both.ready()
            both.post("/load", {"sheets": 4})
        listed, pressed, ended = both.server.presses[:3]
        assert listed["capabilities"] == ["OfficeFormat", "PanelData=0110"]
        assert (pressed["job"], pressed["choice"]) == ("0", None) and pressed["answer"] == bytes(8)
        for press in (listed, pressed, ended):
            assert (press["version"], press["product"]) == ("3.00", "PID 016B")
        state = call(both.mfp, "/state")[1]
        assert bytes.fromhex(state["job_list"]) == golden("is-jobw-ff680w")[12 + 8 + 4:] and state["version"] == 3
        both.post("/press", {"name": "Scans", "choice": "02", "job": 258})
        both.seen += 1
        both.server.wait_scan(both.seen)
        job, = [press for press in both.server.presses if press["job"] == "258"]
        assert job["answer"] == bytes(6) + b"\x01\x02"


def test_an_end_that_cannot_be_told_is_said(pages):
    """Meanwhile the server has another name: nobody of the old one is on the panel any more."""
    options = ["--announce-every", 1, "--ppm", 120]
    with Both(pages, *V3, *options, version=3, client={"para": parameters_of_sheets}) as both:
        both.post("/press", {"name": "Scans", "choice": "02"})
        both.mfp.wait_line("scan-begin ")
        both.server.name = "Renamed"
        assert common.fields(both.mfp.wait_line("destination "))["name"] == "Renamed"
        scan = both.server.wait_scan(1)
        assert scan.error == "" and len(scan.pages) == 8
        why = 'no destination "Scans" on the panel'
        line = common.fields(both.mfp.wait_line("scan-end-told "))
        assert (line["name"], line["result"]) == ("Scans", "ERROR") and line["error"] == why
        assert call(both.mfp, "/state")[1]["result"] == f"Scans was not told that the scan has ended: {why}"
        assert "ScanEnd" not in both.server.talks


@pytest.mark.parametrize("faulty,why", [
    (lambda server: setattr(server, "refuses", True), "refused"),
    (lambda server: setattr(server, "lists", False), "JOBW"),
    (lambda server: setattr(server, "echoes", False), "capabilities"),
])
def test_version_3_and_a_server_that_does_not_play_its_part(pages, faulty, why):
    with Both(pages, *V3, version=3) as both:
        faulty(both.server)
        both.post("/press", {"name": "Scans", "choice": "02"})
        line = common.fields(both.mfp.wait_line("pressed "))
        assert line["result"] == "ERROR" and why in line["error"]
        both.ready()


@pytest.mark.parametrize("spoil", [lambda p: p[:20] + b"JOBX" + p[24:], lambda p: p[:19] + b"\x09" + p[20:],
                                   lambda p: p[:12] + b"\0\0\0\x03" + p[16:]])
def test_version_3_rejects_other_job_control(pages, spoil):
    with Both(pages, *V3, version=3, client={"para": parameters_of_sheets}) as both:
        session = Session((both.address, both.port))
        assert session.lock(30)
        session.socket.sendall(spoil(golden("is-jobr-ff680w")))
        with pytest.raises(e2p_client.Ended, match="event a0"):
            session.packet()
        session.close()
        assert len(both.press().pages) == 8  # the lock is free


def test_version_2_knows_no_job_control(pages):
    with Both(pages) as both:
        session = Session((both.address, both.port))
        assert session.lock(30)
        session.socket.sendall(golden("is-jobw-ff680w"))
        with pytest.raises(e2p_client.Ended, match="event a0"):
            session.packet()
        session.close()


# ---- the certificate ---------------------------------------------------------------------------------------

def test_a_certificate_is_kept_where_a_file_says(pages, tmp_path):
    """Else it is a new one at each start, and the first line says so."""
    kept = tmp_path / "device.pem"

    def seen(*options):
        with Both(pages, "--sheets", 1, *options, client={"tls": True}) as both:
            scan = both.press()
            said = common.fields(next(line for line in both.mfp.lines if line.startswith("certificate ")))
            assert said["sha256"] == hashlib.sha256(scan.certificate).hexdigest()
            assert said["kept"] == ("no" if options == ("--tls",) else "yes")
            return said["sha256"]
    assert seen("--tls") != seen("--tls")
    first = seen("--tls-certificate", kept)
    assert first == seen("--tls", "--tls-certificate", kept) and kept.stat().st_mode & 0o777 == 0o600
    made = tmp_path / "made.pem"  # by another program, the certificate first
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key", "-out", made,
                    "-days", "2", "-subj", "/CN=made"], check=True, capture_output=True)
    wanted = hashlib.sha256(ssl.PEM_cert_to_DER_cert(made.read_text())).hexdigest()
    made.write_text(made.read_text() + (tmp_path / "key").read_text())
    assert seen("--tls-certificate", made) == wanted


@pytest.mark.parametrize("content", [b"", b"no PEM", None])
def test_a_file_that_is_no_certificate(pages, tmp_path, content):
    path = tmp_path / ("missing/device.pem" if content is None else "device.pem")
    if content is not None:
        path.write_bytes(content)
    done = subprocess.run([common.program("src/mfp/platen-mfp"), "--pages", pages, "--port", "0", "--tls-certificate",
                           path], text=True, capture_output=True, timeout=common.PATIENCE_S, check=False)
    assert done.returncode == 1 and str(path) in done.stderr and "PEM" in done.stderr


def test_a_file_for_each_of_many_devices(pages, tmp_path):
    with common.start_mfp("--pages", pages, "--port", 0, "--enpc-port", 0, "--address", "127.88.8.1", "--count", 2,
                          "--server", "127.0.0.1:9", "--tls-certificate", tmp_path / "c.pem") as mfp:
        mfp.wait_line("ready ")  # of the second
        said = [common.fields(line) for line in mfp.lines if line.startswith("certificate ")]
    assert len({line["sha256"] for line in said}) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.pem-127.88.8.1", "c.pem-127.88.8.2"]
