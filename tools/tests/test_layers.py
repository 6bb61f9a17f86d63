"""check-layers lets the good samples pass and names what is wrong with the bad ones."""

import pytest
from checkers import load

layers = load("check-layers")

GOOD = [
    ("src/wire/slp.c", '#include "wire/slp.h"\n#include "base/bytes.h"\n'),
    ("src/store/store.c", '#include "json/json.h"\n#include <sqlite3.h>\n'),
    ("src/server/main.c", '#include "queue/retry.h"\n#include "http/router.h"\n'),
    ("src/base/file.c", "int f(void)\n{\n    return openat(a, b, O_CREAT, 0600);\n}\n"),
    ("src/http/local.c", "    (void)unlink(path);\n"),
    ("src/store/spool.c", "    return file_rename(a, b, c, d, err); /* not rename(2) */\n"),
    ("src/net/tcp.c", '    fd = open("/dev/null", O_RDONLY);\n    ops->rename(x);\n'),
    ("src/queue/queue.c", '    log_line(LOG_INFO, "x", "y");\n    const char *s = "rename(a)";\n'),
]

BAD = [
    ("src/base/err.c", '#include "json/json.h"\n', 'base may not include "json/json.h"'),
    ("src/wire/slp.c", '#include "model/job.h"\n', "wire may know only: base"),
    ("src/server/main.c", '#include "image/jpeg.h"\n', "server may not include"),
    ("src/device/x.c", '#include "tests/unit/cm.h"\n', "not in a folder of src/"),
    ("src/wire/slp.c", '#include "slp.h"\n', "without its folder"),
    ("src/api/api.c", "#include <jansson.h>\n", "only json may"),
    ("src/device/x.c", "# include <event2/event.h>\n", "only net may"),
    ("src/api/api.c", "#include <microhttpd.h>\n", "only http may"),
    ("src/queue/q.c", "#include <sqlite3.h>\n", "only store may"),
    ("src/document/pdf.c", "#include <jpeglib.h>\n", "only image and mfp may"),
    ("src/server/main.c", "#include <curl/curl.h>\n", "only cli and destination may"),
    ("src/store/spool.c", "    fd = openat(dir, name, O_RDONLY);\n", "openat is called outside"),
    ("src/store/spool.c", "    fd = open(name,\n        O_CREAT, 0600);\n", "open with O_CREAT"),
    ("src/store/spool.c", "    renameat2(a, b, c, d, 0);\n", "renameat2 is called outside"),
    ("src/worker/x.c", "    if (fsync(fd) != 0)\n", "fsync is called outside"),
    ("src/api/x.c", '    FILE *f = fopen(name, "r");\n', "fopen is called outside"),
    ("src/http/x.c", "    mkdir(path, 0700);\n", "mkdir is called outside"),
    ("src/wire/slp.c", "#include <sys/socket.h>\n", "wire may not include <sys/socket.h>"),
    ("src/flow/scan.c", '#include "base/file.h"\n', "flow may not include"),
    ("src/model/batch.c", "    Wall now = wall_now();\n", "model may not call wall_now"),
    ("src/store/db.c", '    log_line(LOG_INFO, "x", "y");\n', "store may not log"),
    ("src/misc/x.c", "int a;\n", "in no layer"),
]


@pytest.mark.parametrize("path,text", GOOD, ids=lambda value: value[:24])
def test_good_sample_passes(path, text):
    assert layers.check_file(path, text, layers.layers()) == []


@pytest.mark.parametrize("path,text,message", BAD, ids=lambda value: value[:24])
def test_bad_sample_is_reported(path, text, message):
    found = layers.check_file(path, text, layers.layers())
    assert len(found) == 1
    assert message in found[0][1]


def test_table_has_no_circle_and_no_unknown_folder():
    table = layers.layers()
    seen = set()
    while len(seen) < len(table):
        ready = [f for f, below in table.items() if f not in seen and set(below) <= seen]
        assert ready, f"a circle among {set(table) - seen}"
        seen.update(ready)
