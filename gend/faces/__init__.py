"""Faces in a picture: detectors behind one protocol, and the alignment that turns a face into a crop."""

from gend.faces.align import align, alignment
from gend.faces.face import Face, FaceDetector

__all__ = ["Face", "FaceDetector", "align", "alignment"]
