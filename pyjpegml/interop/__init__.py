"""What other packages read and write JPEGs by: plugins and codecs, one file for each package.

None of them is imported but by its own file here, and none is a dependency: who uses zarr has it.

- :mod:`~pyjpegml.interop.imageio_plugin`: ``imageio.v3`` reads and writes by ``plugin="pyjpegml"``.
- :mod:`~pyjpegml.interop.pillow_plugin`: a format beside Pillow's own JPEG.
- :mod:`~pyjpegml.interop.zarr_codec`, :mod:`~pyjpegml.interop.numcodecs_codec`: chunks of arrays as
  JPEGs that meet an MS-SSIM (:mod:`~pyjpegml.interop.chunks`).
"""
