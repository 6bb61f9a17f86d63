"""What `make demo` runs when all is built: it has to end by itself, with the pages that were fed in the PDF."""

import os
import re
import shutil
import subprocess

from house import TOP, pdf_images


def test_the_demonstration():
    done = subprocess.run([os.path.join(TOP, "tools", "demo")], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pdf = re.search(r"/\S+\.pdf", done.stdout)[0]
    folder = os.path.join(TOP, "tests", "peers", "data", "pages")
    with open(pdf, "rb") as f:
        images = pdf_images(f.read())
    assert images == [open(os.path.join(folder, name), "rb").read() for name in sorted(os.listdir(folder))]
    assert os.path.exists(re.search(r"/\S+\.csv", done.stdout)[0])
    shutil.rmtree(os.path.dirname(os.path.dirname(pdf)))
