"""`gend-monitor demo`: the whole pipeline on a clip of its own, with nothing to configure."""
