"""DICOM files -> images: headers of slices, frames and tiles."""
