"""Pieces of a report: one HTML file with everything in it, tables and plots, that needs no network and no script."""
