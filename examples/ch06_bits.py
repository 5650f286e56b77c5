"""
6. The bits of one block
========================

Levels become bits in three steps: a zigzag path that puts zeros together, symbols that stand
for a run of zeros and the size of what follows, and Huffman's codes for the symbols (T.81,
F.1.2). Here is one block, bit by bit, cut out of a real file.

The photograph is Coffee, by Rachel Michetti, CC0, from scikit-image.
"""

from collections import Counter
from pathlib import Path

import imageio.v3 as iio
import matplotlib.pyplot as plt
import numpy as np

import pyjpegml
from pyjpegml.constants import ZIGZAG
from pyjpegml.explorer.trace import blocks, extend, symbols_of

folder = Path("examples") if Path("examples").is_dir() else Path()  # run from here, or beside it
photo = iio.imread(folder / "data" / "coffee.png")
photo = photo[64:256, 96:320]
data = pyjpegml.encode(photo, quality=75)
everything = list(blocks(data))
block = next(b for b in everything if b.component == 0 and len(b.codes) == 12)
print(f"block {block.column}, {block.row} of luma:\n{block.levels}")

# %%
# The zigzag path
# ---------------
# From low frequencies to high ones. Behind the last level that is not zero nothing need be said.
path = block.levels.ravel()[ZIGZAG]
print(path.tolist())
figure, axis = plt.subplots(figsize=(4.2, 4.2), layout="constrained")
axis.imshow(block.levels != 0, cmap="Blues", vmax=2)
axis.plot(ZIGZAG % 8, ZIGZAG // 8, color="tab:orange", alpha=0.4)
for v, u in np.ndindex(8, 8):
    axis.text(u, v, str(block.levels[v, u]), ha="center", va="center")
axis.set(title="The zigzag path (T.81, Figure 5)", xticks=[], yticks=[])
plt.show()

# %%
# Symbols and codes
# -----------------
# DC is sent as its difference to the block before: a symbol for the size, the number of bits, and
# the bits. AC: ``run/size``, and the bits. Of a negative value they are those of the value less
# one (Figure F.12), so that the first bit is the sign: 0 is negative.
for code in block.codes:
    byte, bit = divmod(code.bit, 8)
    what = "end of block" if not code.symbol and code.place else f"value {code.value}"
    symbol = f"size {code.symbol}" if not code.place else f"{code.run}/{code.symbol & 15}"
    print(f"byte {byte}.{bit}  {symbol:8} {code.code:>16} {code.raw:10} {what}")
print(f"{len(block.bits)} bits for 64 levels")
assert all(extend(code.raw) == code.value for code in block.codes)

# %%
# They are the file's own. Cut out of it, with the stuffed zeros behind FF left out, they are:
byte, first = divmod(block.codes[0].bit, 8)
text = ""
while len(text) < first + len(block.bits):
    text += f"{data[byte]:08b}"
    byte += 2 if data[byte] == 0xFF else 1
assert text[first : first + len(block.bits)] == block.bits
print(block.bits)

# %%
# Huffman's code
# --------------
# Frequent symbols have short codes (Huffman, "A method for the construction of minimum-redundancy
# codes", 1952). Those of this file were made for it (Annex K.2): their lengths follow the
# frequencies.
header = pyjpegml.read_header(data)
codes = {symbol: code for code, symbol in symbols_of(header.huffman_tables[4]).items()}
counts = Counter(c.symbol for b in everything if b.component == 0 for c in b.codes[1:])
total = sum(counts.values())
for symbol, count in counts.most_common(8):
    share, name = count / total, f"{symbol >> 4}/{symbol & 15}"
    print(f"{name}: {share:6.1%}, ideal {-np.log2(share):4.1f} bits, code {codes[symbol]}")
spent = sum(count * len(codes[symbol]) for symbol, count in counts.items())
entropy = -sum(count * np.log2(count / total) for count in counts.values())
print(f"{spent} bits of codes; the entropy of the symbols is {entropy:.0f}")
assert entropy <= spent < 1.1 * entropy

# %%
# Exercises
# ---------
# *How many bits does DC take, and how many AC?*
dc = sum(len(b.codes[0].code + b.codes[0].raw) for b in everything)
ac = sum(len(b.bits) for b in everything) - dc
print(f"DC {dc} bits, AC {ac} bits")

# %%
# *What does the optimal code save against the standard's example (Tables K.3 to K.6)?*
example = pyjpegml.encode(photo, quality=75, optimize=False)
print(f"{len(example) - len(data)} of {len(example)} bytes")

# %%
# *Change one bit of the file. What happens?* Codes have no marks between them: from there on all
# may be read wrongly, up to a restart marker (chapter 13). *Try next:* ``pyjpegml inspect
# --html`` shows every block of any file as this page shows one.
