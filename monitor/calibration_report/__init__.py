"""The report of a calibration: one HTML file that needs no network and no script."""

from monitor.calibration_report.report import place_report, write_report

__all__ = ["place_report", "write_report"]
