"""Mutations of real and made studies, and what must come of them: the same volumes, or a reason. Never anything else.

No reader can notice every change, for most of a DICOM file carries no checksum. What is let pass, no more and no less,
and only where pydicom still finds the changed file whole, with all its pixel data, and its changed elements say so:

- Pixel values and what scales them (PixelData, Rescale*, BitsStored, transfer syntax, ...): the slices of the changed
  file may hold other finite numbers. No other slice may differ, and the grid stays as it was.
- Place: no corner of a volume may move by more than 0.3 mm, which is what the tolerances of `geometry` (0.05 mm,
  0.1 % of the pixel spacing, 1e-3 of a cosine) come to over a field of view.
- b-value: it may move within its bin (5 s/mm2 or 3 %), and a computed volume with it.
- A lost slice at an end of a stack: the volume may be shorter by what `completeness` allows between T2 and DWI (6 mm),
  if the file is gone or says of itself that it belongs elsewhere.
- What a file states once for many images (a mosaic, shared functional groups) has no second witness in that file.

A damaged archive excuses nothing: its members carry checksums. Two slices that exchange all that places them are not
tried: nobody could tell.
"""
