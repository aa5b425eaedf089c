"""`gend-monitor demo`: the whole pipeline on a clip of its own, with nothing to configure."""

from monitor.demo.show import run_demo

__all__ = ["run_demo"]
