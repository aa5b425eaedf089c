"""The pages that people look at: board, streams, alerts, calibration, uploads, the service. Built with NiceGUI.

A page is a function that builds what the browser shows and stays there as long as the browser does; what is clicked
comes back over one WebSocket. Everything shown or done goes through `monitor.actions` with the principal who asks, who
is looked up anew each time.
"""

from monitor.web.dashboard.opening import opened_dashboard

__all__ = ["opened_dashboard"]
