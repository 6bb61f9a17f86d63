"""merge-kinds.py makes one description of several."""

import json
import subprocess
import sys

import pytest

from checkers import TOOLS, load

merge = load("merge-kinds.py")


def described(version, *names):
    return {"version": version, "destinations": [{"name": name, "program": "p"} for name in names]}


def test_kinds_keep_their_order(tmp_path):
    paths = []
    for i, description in enumerate((described("1", "folder", "ftp"), described("1", "smb"))):
        paths.append(tmp_path / f"{i}.json")
        paths[i].write_text(json.dumps(description))
    subprocess.run([sys.executable, f"{TOOLS}/merge-kinds.py", tmp_path / "all.json", *paths], check=True)
    merged = json.loads((tmp_path / "all.json").read_text())
    assert merged == described("1", "folder", "ftp", "smb")


@pytest.mark.parametrize("second, word", [
    (described("1", "ftp"), "ftp"), (described("2", "smb"), "versions")])
def test_what_does_not_fit_is_refused(second, word):
    with pytest.raises(SystemExit, match=word):
        merge.merged([described("1", "folder", "ftp"), second])
