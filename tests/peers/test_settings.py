"""test_settings.py - the scan settings of a job, as a device that is not of our making gets them.

The device reads its parameters with a parser of its own and complains of everything it does not offer;
here the same tokens are compared with what the job says, and with what the batch says was replaced."""

import itertools
import json
import os
import subprocess

import pytest

import common
import epson_models
from epson_blocks import quads
from epson_device import Device, Manner
from served import SANITIZERS, pdf_pages, running

addresses = (f"127.0.10.{i}" for i in range(1, 250))
names = (f"Job {i}" for i in itertools.count(1))

# What the captured device offers, and what no capture at hand has.
RICH = epson_models.XP7100._replace(
    product="PID 2222",
    capa=epson_models.XP7100.capa + b"#ADFSLOW#ADFDFL1DFL2#ADFCRP #ADFSKEW#FB CRP "
    b"#CRPRANGi-000020d020#FLCLISTWH  BK  #FLARANGd000d150")
OWN_TONE = RICH._replace(capa=RICH.capa + b"#BRTRANGi-000050d050#CTRRANGd000d200")
LONG = epson_models.FF680W


@pytest.fixture(scope="module")
def house():
    with running() as made:
        yield made


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    return [open(path, "rb").read() for path in common.make_pictures(folder, 3, 320, 440)]


def make_job(house, **settings):
    """A new job for the folder; its name. Fails as `platen job create` does."""
    name = next(names)
    folder = house.show("job", "show", "Scan")["destinations"][0]["destination"]
    words = [w for k, v in settings.items()
             for w in ([f"--{k.replace('_', '-')}", str(v).lower()])]
    house.cli("job", "create", "--name", name, "--destination", folder, *words)
    return name


class Scan:
    """One pull scan with a job of these settings: .given are the parameters, .batch what came of it."""

    def __init__(self, house, pages, model=RICH, manner=None, **settings):
        job = make_job(house, **settings)
        with Device(next(addresses), house.scan_port, model, pages, manner or Manner()) as device:
            device.register(("127.0.0.1", house.udp_port))
            self.id = house.approve(device.address)
            self.done = subprocess.run(
                [house.program("platen"), "scan", "--device", self.id, "--job", job, "--any-job",
                 "--wait", "--json"], capture_output=True, text=True, check=False,
                timeout=common.PATIENCE_S,
                env={**SANITIZERS, **os.environ, "PLATEN_SOCKET": house.socket})
            self.batch = json.loads(self.done.stdout)
            self.device, self.house = device, house
        self.block = device.parameters
        self.tables = {v[0]: list(v[1]) for k, v in quads(self.block) if k == "GMT"}
        self.given = dict(quads(self.block))
        self.notes = {n["setting"]: n["text"] for n in self.batch.get("notes", [])}

    def assert_well(self):
        assert self.batch["state"] == "done" and self.device.complaints == [], self.batch
        return self


def test_nothing_special(house, pages):
    """A job that says nothing gets what it always got: no optional token that is not needed."""
    scan = Scan(house, pages).assert_well()
    assert list(scan.given) == ["ADF", "RSM", "RSS", "COL", "FMT", "JPG", "GMM", "QIT", "PAG", "ACQ",
                                "BSZ"]
    assert (scan.given["ADF"], scan.given["QIT"], scan.given["PAG"]) == ([], ["OFF"], [0])
    assert "notes" not in scan.batch


# ---- each setting, alone: what is given for it ----------------------------------------------------

SETTINGS = {
    "crop": ({"crop": True}, {"ADF": ["CRP"]}),
    "crop-margin": ({"crop": True, "crop_margin_mm": -5}, {"ADF": ["CRP"], "CRP": [-19]}),
    "deskew": ({"deskew": True}, {"ADF": ["SKEW"]}),
    "slow": ({"slow_feed": True}, {"ADF": ["SLOW"]}),
    "double-feed": ({"double_feed": "standard"}, {"ADF": ["DFL1"]}),
    "double-feed-thin": ({"double_feed": "thin"}, {"ADF": ["DFL2"]}),
    "two-sides": ({"sides": "two"}, {"ADF": ["DPLX", "DFL1"]}),
    "two-sides-without-detection": ({"sides": "two", "double_feed": "off"}, {"ADF": ["DPLX"]}),
    "quiet": ({"quiet": True}, {"QIT": ["ON"]}),
    "white-edges": ({"edge_fill": "white", "edge_left_mm": 5, "edge_bottom_mm": 10},
                    {"FLC": ["WH"], "FLA": [19, 0, 0, 39]}),
    "black-edge": ({"edge_fill": "black", "edge_top_mm": 1, "edge_right_mm": 2},
                   {"FLC": ["BK"], "FLA": [0, 7, 3, 0]}),
    "gray": ({"color": "gray"}, {"COL": ["M008"]}),
    "quality": ({"jpeg_quality": 33}, {"JPG": [33]}),
    "dpi": ({"dpi": 600}, {"RSM": [600], "RSS": [600], "ACQ": [4, 0, 5096, 8400]}),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_setting(house, pages, name):
    settings, wanted = SETTINGS[name]
    two = settings.get("sides") == "two"
    scan = Scan(house, pages[:2], manner=Manner(two_sided=two), **settings)
    assert {k: scan.given[k] for k in wanted} == wanted
    assert scan.notes == {}
    scan.assert_well()


# A page narrower than 8.5 inches lies at the right edge of an XP-7100's feeder, in the middle of an
# FF-680W's, at the left of the glass: x, y, width, height at 300 dpi.
PAPER = {
    "a4-right": ("XP7100", {"paper": "a4"}, [70, 0, 2480, 3507]),
    "a5-right": ("XP7100", {"paper": "a5"}, [806, 0, 1744, 2481]),
    "letter": ("XP7100", {"paper": "letter"}, [6, 0, 2544, 3300]),
    "a4-centre": ("FF680W", {"paper": "a4"}, [35, 0, 2480, 3507]),
    "a6-centre": ("FF680W", {"paper": "a6"}, [659, 0, 1232, 1749]),
    "a4-left": ("ET2750", {"paper": "a4"}, [0, 0, 2480, 3507]),
    "custom": ("ET2750", {"paper": "custom", "paper_width_mm": 100, "paper_height_mm": 150},
               [0, 0, 1176, 1773]),
    "long": ("FF680W", {"paper": "custom", "paper_width_mm": 210, "paper_height_mm": 1000},
             [35, 0, 2480, 11811]),
}


@pytest.mark.parametrize("name", PAPER)
def test_paper(house, pages, name):
    model, settings, wanted = PAPER[name]
    model = getattr(epson_models, model)
    paper = [epson_models.ff680w_page()] if model is LONG else pages[:1]
    scan = Scan(house, paper, model=model, **settings).assert_well()
    assert scan.given["ACQ"] == wanted and scan.notes == {}


def expected_table(brightness=0, contrast=0, gamma=0):
    """The documented curve, computed anew."""
    steep = 1 + contrast / 50 if contrast >= 0 else 1 + contrast / 125
    line = [min(1, max(0, (i / 255 - 0.5) * steep + 0.5 + brightness / 200)) for i in range(256)]
    return [int(255 * v ** (2.2 ** (-gamma / 100)) + 0.5) for v in line]


TONES = [{"brightness": 40}, {"brightness": -100}, {"contrast": 100}, {"contrast": -60},
         {"gamma": 100}, {"gamma": -50}, {"brightness": 10, "contrast": 20, "gamma": 30}]


@pytest.mark.parametrize("tone", TONES, ids=str)
def test_tone_by_tables(house, pages, tone):
    """Where the device has no brightness of its own, its tables make it; the captured ones are nearly
    the identity, and so is a tone that is plain."""
    scan = Scan(house, pages[:1], **tone).assert_well()
    assert scan.notes == {} and set(scan.tables) == {"RED", "GRN", "BLU"}
    for table in scan.tables.values():
        assert table == expected_table(**tone)
    gray = Scan(house, pages[:1], color="gray", **tone).assert_well()
    assert set(gray.tables) == {"MONO"}  # offered by this device


def test_tone_of_its_own(house, pages):
    scan = Scan(house, pages[:1], model=OWN_TONE, brightness=50, contrast=-100).assert_well()
    assert (scan.given["BRT"], scan.given["CTR"], scan.tables) == ([25], [0], {})
    scan = Scan(house, pages[:1], model=OWN_TONE, brightness=50, gamma=20).assert_well()
    assert scan.given["BRT"] == [25] and scan.tables["RED"] == expected_table(gamma=20)


@pytest.mark.parametrize("color", ["red", "green", "blue"])
def test_drop_out(house, color):
    page = [epson_models.ff680w_page()]
    scan = Scan(house, page, model=LONG, color="gray", drop_out=color).assert_well()
    assert scan.given["COL"] == [color[0].upper() + "008"] and scan.notes == {}


def test_black_and_white(house, pages):
    scan = Scan(house, pages[:1], color="bw", threshold=90)
    assert (scan.given["COL"], scan.given["FMT"], scan.given["THR"]) == (["M001"], ["RAW"], [90])
    assert scan.given["GMM"] == ["UG10"] and scan.notes == {}


def test_page_limit(house, pages):
    """The device is told; one that does not count is left in order after so many pages."""
    scan = Scan(house, pages, page_limit=2).assert_well()
    assert scan.given["PAG"] == [2] and scan.batch["pages"] == 2
    assert pdf_pages(house.delivered_file(scan.batch["id"], ".pdf")) == pages[:2]
    assert "CAN" in scan.device.commands
    more = Scan(house, pages, page_limit=3).assert_well()
    assert more.batch["pages"] == 3
    many = Scan(house, pages, page_limit=1500).assert_well()
    assert many.given["PAG"] == [0] and many.batch["pages"] == 3


# ---- what the device cannot do -------------------------------------------------------------------

REPLACED = {
    "dpi": ("FF680W", {"dpi": 1200}, "dpi", "1200 dpi asked, 600 used."),
    "dpi-of-no-sensor": ("FF680W", {"dpi": 200}, None, ""),
    "dpi-between": ("XP7100", {"dpi": 250}, "dpi", "250 dpi asked, 300 used."),
    "bw-without-lines": ("FF680W", {"color": "bw"}, "color", "bw asked, gray used."),
    "threshold-does-not-matter": ("XP7100", {"threshold": 3}, None, ""),
    "crop": ("XP7100", {"crop": True}, "crop", "The device cannot cut pages to the paper."),
    "deskew": ("ET2750", {"deskew": True}, "deskew", "The device cannot straighten pages."),
    "margin": ("FF680W", {"crop": True, "crop_margin_mm": 9}, "crop_margin_mm",
               "9 mm asked, 5 mm used."),
    "quiet": ("ET2750", {"quiet": True}, "quiet", "The device cannot scan quietly."),
    "slow": ("XP7100", {"slow_feed": True}, "slow_feed", "The device cannot feed slowly."),
    "feeding-on-the-glass": ("ET2750", {"slow_feed": True, "double_feed": "thin", "page_limit": 1},
                             None, ""),
    "double-feed": ("XP7100", {"double_feed": "standard"}, "double_feed",
                    "The device does not notice two sheets at once."),
    "drop-out": ("XP7100", {"color": "gray", "drop_out": "red"}, "drop_out",
                 "The device cannot drop red; it is in the picture."),
    "drop-out-in-colour": ("FF680W", {"drop_out": "red"}, "drop_out",
                           "In colour pages red is not dropped."),
    "edges": ("XP7100", {"edge_fill": "white", "edge_left_mm": 3}, "edge_fill",
              "The device cannot fill the edges in white."),
    "a3": ("XP7100", {"paper": "a3"}, "paper",
           "297 x 420 mm asked, 216 x 420 mm used: the device takes no larger."),
    "small": ("XP7100", {"paper": "card"}, "paper",
              "86 x 54 mm asked, 148 x 105 mm used: the device takes no smaller."),
    "two-sides": ("ADF1", {"sides": "two"}, "sides", "Two sides asked, the feeder scans one."),
}
# What a strict job is told where that differs: nothing was used in place of what it asked.
REFUSED = {
    "dpi": "1200 dpi asked, the device offers 600.",
    "dpi-between": "250 dpi asked, the device offers 300.",
    "bw-without-lines": "bw asked, the device offers gray.",
    "margin": "9 mm asked, the device offers 5 mm.",
    "drop-out": "The device cannot drop red.",
    "a3": "297 x 420 mm asked, the device offers 216 x 420 mm: it takes no larger.",
    "small": "86 x 54 mm asked, the device offers 148 x 105 mm: it takes no smaller.",
}
epson_models.ADF1 = epson_models.XP7100._replace(
    capa=epson_models.XP7100.capa.replace(b"#ADFDPLX", b""))


@pytest.mark.parametrize("name", REPLACED)
def test_the_nearest_is_taken_and_said(house, pages, name):
    model, settings, setting, text = REPLACED[name]
    model = getattr(epson_models, model)
    paper = [epson_models.ff680w_page()] if model is LONG else pages[:1]
    scan = Scan(house, paper, model=model, **settings).assert_well()
    assert scan.notes == ({setting: text} if setting else {})
    # In the batch's own file, too.
    folder, = house.database().execute("SELECT folder FROM batch WHERE id = ?",
                                       (scan.batch["id"],)).fetchone()
    with open(os.path.join(house.spool, folder, "batch.json"), encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    said = [line["notes"] for line in lines if "notes" in line]
    assert said == ([[{"setting": setting, "text": text}]] if setting else [])
    if setting:
        assert text in house.cli("batch", "show", scan.batch["id"])
        strict = Scan(house, paper, model=model, strict_settings=True, **settings)
        assert strict.batch["state"] == "broken" and strict.device.complaints == []
        assert strict.batch["reason"]["code"] == "settings-not-offered"
        text = REFUSED.get(name, text)
        assert strict.batch["reason"]["text"] == \
            f"The device cannot do what the job asks for ({text[:-1]})."
        assert strict.notes == {setting: text} and "TRDT" not in strict.device.commands
    else:
        Scan(house, paper, model=model, strict_settings=True, **settings).assert_well()


def test_a_refusal_names_everything_at_once(house, pages):
    """As much as the sentence holds, and how many more there are; the notes have all."""
    unmet = {"dpi": 500, "crop": True, "deskew": True, "quiet": True, "slow_feed": True,
             "double_feed": "standard", "paper": "a3", "edge_fill": "white", "edge_left_mm": 3}
    scan = Scan(house, pages[:1], model=epson_models.XP7100, strict_settings=True, **unmet)
    assert scan.batch["state"] == "broken" and "TRDT" not in scan.device.commands
    assert set(scan.notes) == set(unmet) - {"edge_left_mm", "quiet"}
    assert not any(" used" in text for text in scan.notes.values())
    text = scan.batch["reason"]["text"]
    named = [note for note in scan.notes.values() if note[:-1] in text]
    assert len(named) >= 3 and len(text.encode()) < 240
    assert text.endswith(f"; and {len(scan.notes) - len(named)} more, see its notes).")
    shown = house.cli("batch", "show", scan.batch["id"])
    assert all(note in shown for note in scan.notes.values())
    two = Scan(house, pages[:1], model=epson_models.XP7100, strict_settings=True, dpi=500, crop=True)
    assert two.batch["reason"]["text"] == (
        "The device cannot do what the job asks for "
        "(500 dpi asked, the device offers 600; The device cannot cut pages to the paper).")


def test_refused_parameters_are_tried_without_the_optional(house, pages):
    """CAPA offers it, the device refuses it all the same: scanned without, and that is said."""
    scan = Scan(house, pages[:1], manner=Manner(refuse_optional=True), crop=True, brightness=30,
                quiet=True).assert_well()
    assert set(scan.notes) == {"crop", "brightness", "quiet"}
    assert scan.tables == {} and scan.given["ADF"] == []
    strict = Scan(house, pages[:1], manner=Manner(refuse_optional=True), crop=True,
                  strict_settings=True)
    assert strict.batch["reason"]["code"] == "settings-not-offered"


# ---- settings that make no sense ------------------------------------------------------------------

NONSENSE = {
    "custom-without-size": {"paper": "custom"},
    "custom-without-height": {"paper": "custom", "paper_width_mm": 100},
    "size-without-custom": {"paper": "a4", "paper_width_mm": 100},
    "edges-without-width": {"edge_fill": "white"},
    "width-without-edges": {"edge_left_mm": 4},
    "margin-without-crop": {"crop_margin_mm": 2},
    "contrast": {"contrast": 101},
    "threshold": {"threshold": 256},
    "gamma": {"gamma": -101},
    "pages": {"page_limit": -1},
    "paper": {"paper": "a2"},
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_refused(house, name):
    with pytest.raises(AssertionError, match="platen: "):
        make_job(house, **NONSENSE[name])


# ---- what a device offers --------------------------------------------------------------------------

def test_offer_is_kept(house, pages):
    scan = Scan(house, [epson_models.ff680w_page()], model=LONG).assert_well()
    offer = house.show("device", "show", scan.id)["offer"]
    assert offer["adf"]["dpi"] == [50, 75, 100, 150, 200, 240, 300, 360, 400, 600] and offer["adf"]["sides"] == 2
    assert (offer["adf"]["width_mm"], offer["adf"]["height_mm"]) == (216, 6096)
    assert (offer["adf"]["crop"], offer["adf"]["deskew"], offer["adf"]["slow_feed"]) == (
        True, True, False)
    assert offer["adf"]["double_feed"] == ["standard", "thin"] and "flatbed" not in offer
    assert offer["formats"] == ["jpeg"] and offer["colors"] == ["color", "gray"]
    assert offer["drop_out_gray"] == ["red", "green", "blue"]
    assert offer["crop_margin_mm"] == {"min": -5, "max": 5} and offer["tone_tables"] is True
    glass = Scan(house, pages[:1], model=epson_models.ET2750).assert_well()
    offer = house.show("device", "show", glass.id)["offer"]
    assert offer["flatbed"]["dpi"] == [75, 150, 300, 600, 1200] and "adf" not in offer
    assert offer["colors"] == ["color", "gray", "bw"] and offer["quiet"] is False
    assert offer["threshold"] == {"min": 0, "max": 255}


def test_a_job_is_compared_with_its_devices(house, pages):
    """Warnings when a job is read or changed, by what its devices said at their last scan; no refusal."""
    job = make_job(house)
    house.cli("group", "create", "--name", "Compared", "--job", job)
    assert house.show("job", "show", job)["warnings"] == []
    with Device(next(addresses), house.scan_port, epson_models.XP7100, pages) as device:
        device.register(("127.0.0.1", house.udp_port))
        id_ = house.approve(device.address, name="Compared device", job_group="Compared")
        house.cli("job", "set", job, "--dpi", "200", "--crop", "yes")
        assert house.show("job", "show", job)["warnings"] == []  # it never said what it can do
        house.cli("scan", "--device", id_, "--job", job, "--wait")
        device.wait_end()
    said = [{"device_id": id_, "device_name": "Compared device", "source": source, **more}
            for source in ("adf", "flatbed") for more in (
                {"setting": "dpi", "text": "200 dpi asked, 150 used."},
                {"setting": "crop", "text": "The device cannot cut pages to the paper."})]
    assert house.show("job", "show", job)["warnings"] == said
    house.cli("job", "set", job, "--source", "flatbed", "--strict-settings", "yes")  # what was read goes back
    done = subprocess.run([house.program("platen"), "job", "set", job, "--paper", "a3"],
                          capture_output=True, text=True, check=True,
                          env={**os.environ, "PLATEN_SOCKET": house.socket})
    assert done.stderr.splitlines() == [
        f"platen: Compared device (flatbed): {text}" for text in (
            "200 dpi asked, the device offers 150.",
            "297 x 420 mm asked, the device offers 216 x 297 mm: it takes no larger.",
            "The device cannot cut pages to the paper.")]
    house.cli("job", "set", job, "--source", "adf", "--dpi", "300", "--crop", "no", "--paper", "a4")
    assert house.show("job", "show", job)["warnings"] == []
