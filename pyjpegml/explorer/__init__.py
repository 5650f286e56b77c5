"""The explorer: one page on which a JPEG can be taken apart, block by block and bit by bit.

``pyjpegml walkthrough PHOTO -o page.html`` and ``pyjpegml inspect --html page.html FILE`` write it.
The page holds whole JPEG files, made by the real encoder, and a small decoder in JavaScript that is
written to be read (``page/scans.js``): what it shows of a block it reads from the bytes of the file
when the block is chosen. So a page of a large photograph needs nothing beside its files, and cannot
show bits that are not theirs.

=============================== ================================================================
:mod:`~pyjpegml.explorer.trace` the bits of one block, read in plain Python
``similarity``                  where MS-SSIM sees a difference, block by block
``pixels``                      the original, without loss, in as few bytes as a page can hold
``variants``                    the files of one photograph: qualities, targets, ways to make tables
``page``                        everything put together as one HTML file
=============================== ================================================================
"""
