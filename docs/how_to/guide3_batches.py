"""
Compress many pictures
======================

A tree of pictures becomes another one of the same structure. The run may be interrupted at any
moment, on one machine or many, and the same command goes on where it stopped. It needs the extra
``batch`` (``pip install 'pyjpegml[batch]'``).
"""

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import imageio.v3 as iio

repository = Path(__file__).resolve().parents[2]
photo = iio.imread(repository / "examples" / "data" / "coffee.png")

# %%
# A tree
# ------
# Parts of one photograph, in folders, and a file that is none.
folder = tempfile.TemporaryDirectory()
photos, web = Path(folder.name, "photos"), Path(folder.name, "web")
for name, left in [("a.png", 0), ("2026/b.png", 200), ("2026/c.png", 400)]:
    path = photos / name
    path.parent.mkdir(parents=True, exist_ok=True)
    iio.imwrite(path, photo[100:260, left : left + 200])
(photos / "broken.jpg").write_bytes(b"no picture")


def pyjpegml(*words):
    """Run the command, and show what it says."""
    print("$ pyjpegml", shlex.join(str(word).replace(folder.name + "/", "") for word in words))
    done = subprocess.run(
        [sys.executable, "-m", "pyjpegml", *map(str, words)], capture_output=True, text=True
    )
    print((done.stdout + done.stderr).replace(folder.name + "/", ""), end="")
    print(f"exit code {done.returncode}")
    return done.returncode


# %%
# What would be done
# ------------------
pyjpegml("batch", photos, web, "--dry-run")

# %%
# Do it
# -----
# One bad file stops nothing: it is told, and the exit code says that there was one.
code = pyjpegml("batch", photos, web, "--ms-ssim", "0.98", "--jobs", "1")
assert code == 4
made = sorted(path.relative_to(web).as_posix() for path in web.rglob("*.jpg"))
print(made)
assert made == ["2026/b.jpg", "2026/c.jpg", "a.jpg"]

# %%
# Once more
# ---------
# The journal in the target knows what is done, so that nothing is done twice. After an interruption
# this is the way to go on; put it into a timer, and new pictures are done as they come.
(photos / "broken.jpg").unlink()
code = pyjpegml("batch", photos, web, "--ms-ssim", "0.98", "--jobs", "1")
assert code == 0
folder.cleanup()

# %%
# Elsewhere
# ---------
# Trees may be in object stores, and the work may be shared out by a Dask cluster, or by machines
# that know nothing of each other; :doc:`/batch` says what holds then.
#
# .. code-block:: sh
#
#    pyjpegml batch s3://bucket/photos s3://bucket/web --report report.csv
#    pyjpegml batch photos web --dask tcp://scheduler:8786
#    pyjpegml batch photos web --shard 0/4     # on the first of four machines
#
# From Python, :func:`pyjpegml.batch.batch` does the same with whatever backend
# ``joblib.parallel_config`` names.
