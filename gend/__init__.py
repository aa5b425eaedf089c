"""GenD, a detector of manipulated faces: usable alone, for pictures, files, training and evaluation."""
