"""
Watch over the pictures of a web site
=====================================

Pictures grow heavy unnoticed: somebody adds a file of a camera, and every visitor pays for it. This
page is a check for continuous integration, which names each JPEG of a repository that could be
smaller by much, and a fix that can be run by hand.
"""

import tempfile
from pathlib import Path

import imageio.v3 as iio

import pyjpegml

repository = Path(__file__).resolve().parents[2]
photo = iio.imread(repository / "examples" / "data" / "coffee.png")

# %%
# The assets of an example: one picture as a camera leaves it, and one that has been seen to.
folder = tempfile.TemporaryDirectory()
assets = Path(folder.name)
(assets / "camera.jpg").write_bytes(pyjpegml.encode(photo, quality=97, subsampling="4:4:4"))
(assets / "done.jpg").write_bytes(pyjpegml.compress(photo, ms_ssim=0.98).data)

# %%
# The check
# ---------
# *What counts as heavy* has to leave alone what is right already. A file that was made at a target
# can always be made smaller at the same target measured anew, since each loss is measured from the
# last file: so bits a pixel decide whether a file is looked at, and only then is it compressed. A
# quarter is worth a remark.
HEAVY_BITS = 1.5  # a pixel, on web pages
WORTH = 0.25


def heavy(path):
    """A complaint about a JPEG that could be much smaller at MS-SSIM 0.98, or nothing."""
    data = path.read_bytes()
    header = pyjpegml.read_header(data)
    if 8 * len(data) <= HEAVY_BITS * header.width * header.height:
        return ""
    result = pyjpegml.compress(data, ms_ssim=0.98, metadata="strip", effort="fast")
    saved = 1 - len(result.data) / len(data)
    if not result.met or saved < WORTH:
        return ""
    return f"{path.name}: {len(data):,} bytes could be {len(result.data):,}, {saved:.0%} less"


complaints = {path.name: heavy(path) for path in sorted(assets.glob("*.jpg"))}
for name, complaint in complaints.items():
    print(complaint or f"{name} is fine")
assert complaints["camera.jpg"]
assert not complaints["done.jpg"]

# %%
# As a test
# ---------
# With ``heavy`` in a file of tests, pytest does the rest:
#
# .. code-block:: python
#
#    @pytest.mark.parametrize("path", sorted(Path("assets").rglob("*.jpg")), ids=str)
#    def test_no_picture_is_heavy(path):
#        assert not heavy(path)
#
# The job, for GitHub's runners; compiled kernels are kept from one run to the next, so that each
# compiles for its own processor once:
#
# .. code-block:: yaml
#
#    name: assets
#    on: [pull_request]
#    jobs:
#      pictures:
#        runs-on: ubuntu-latest
#        env:
#          NUMBA_CACHE_DIR: ${{ github.workspace }}/.kernels
#        steps:
#          - uses: actions/checkout@v4
#          - uses: actions/setup-python@v5
#            with:
#              python-version: "3.12"
#          - uses: actions/cache@v4
#            with:
#              path: .kernels
#              key: kernels-${{ hashFiles('requirements.txt') }}-${{ github.run_id }}
#              restore-keys: kernels-${{ hashFiles('requirements.txt') }}-
#          - run: pip install -r requirements.txt
#          - run: pytest tests/test_assets.py
#
# The fix
# -------
# Originals do not belong into the repository of a site. Where they lie elsewhere, make all assets
# of them by one command, which does only what is new or has changed:
#
# .. code-block:: sh
#
#    pyjpegml batch originals assets --ms-ssim 0.98 --metadata strip
#
# A JPEG whose original is lost can be recoded: the same pixels, in fewer bytes.
data = (assets / "camera.jpg").read_bytes()
recoded = pyjpegml.recode(data, progressive="search", metadata="strip")
print(f"{len(data):,} bytes recoded in {len(recoded):,}")
assert (pyjpegml.decode(recoded) == pyjpegml.decode(data)).all()
folder.cleanup()
