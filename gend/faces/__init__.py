"""Faces in a picture: detectors behind one protocol, and the alignment that turns a face into a crop."""

from gend.faces.align import align, alignment, warp
from gend.faces.face import Face, FaceDetector
from gend.faces.load import load_detector

__all__ = ["Face", "FaceDetector", "align", "alignment", "load_detector", "warp"]
