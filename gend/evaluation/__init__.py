"""How well detectors tell real faces from fake ones: scores of sets of crops, figures, plots, one report."""
