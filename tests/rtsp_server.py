"""A real RTSP server for tests: GStreamer's, in a child process that can be killed or frozen.

Imported, this module is the handle a test holds. Run by the system's Python, which is the one that has
GStreamer's bindings, it is the server itself. Tests that ask for a server are skipped where GStreamer is absent.

    with RtspServer({"clip": path}) as server:
        url = server.url("clip")
"""

from __future__ import annotations

import argparse
import functools
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

SYSTEM_PYTHON = "/usr/bin/python3"
START_S = 20.0


class RtspServer:
    """Serves H.264 files (MP4) by name, each client from the start of the file, at the file's own pace.

    Args:
        files: path of the file by the name it is served under.
        user: with `password`, what clients must present (Basic authentication).
        password: see `user`.
        payload: `h264`, or `ts` to wrap the same pictures into an MPEG transport stream.
    """

    def __init__(
        self, files: Mapping[str, Path], *, user: str | None = None, password: str | None = None, payload: str = "h264"
    ) -> None:
        self._arguments = [f"--payload={payload}", *(f"{name}={path}" for name, path in files.items())]
        if user is not None:
            self._arguments += [f"--user={user}", f"--password={password}"]
        self._user = user
        self._password = password
        self._process: subprocess.Popen[str] | None = None
        self._port = _free_port()
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, name: str, *, credentials: bool = True) -> str:
        """Where a file is served, with user and password (percent-encoded) where the server wants them."""
        user_part = ""
        if credentials and self._user is not None:
            user_part = f"{quote(self._user, safe='')}:{quote(self._password or '', safe='')}@"
        return f"rtsp://{user_part}127.0.0.1:{self._port}/{name}"

    def start(self) -> None:
        """Starts the server, on the same port each time. Skips the test without GStreamer."""
        require_gstreamer()
        self._process = subprocess.Popen(
            [SYSTEM_PYTHON, __file__, f"--port={self._port}", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        self._port = int(self.wait_for("port").split()[1])

    def wait_for(self, event: str, timeout_s: float = START_S) -> str:
        """The next line of that kind the server prints: `port N`, `play`, `teardown` or `closed`."""
        while True:
            line = self._lines.get(timeout=timeout_s)
            if line.split()[0] == event:
                return line

    def freeze(self) -> None:
        """Stops the process where it stands: connections stay open and nothing comes any more."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets a frozen process go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Ends the process at once, as a power cut would; `start` brings it back on the same port."""
        self._signal(signal.SIGKILL)
        self._reap()

    def stop(self) -> None:
        """Ends the process, frozen or not."""
        if self._process is not None:
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise RuntimeError("the server is not running")
        self._process.send_signal(number)

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait(timeout=START_S)
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process = None

    def _listen(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is not None:
            with process.stdout as lines:
                for line in lines:
                    self._lines.put(line.strip())


def _free_port() -> int:
    from tests.ports import free_port  # here: the system's Python, which runs this file, has no `tests`

    return free_port()


def require_gstreamer() -> None:
    """Skips the calling test, visibly, where GStreamer's RTSP server or its Python bindings are not installed."""
    import pytest

    if not _has_gstreamer():
        pytest.skip("no GStreamer RTSP server (gir1.2-gst-rtsp-server-1.0, python3-gi) for the system's Python")


@functools.cache
def _has_gstreamer() -> bool:
    check = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    if shutil.which(SYSTEM_PYTHON) is None:
        return False
    return subprocess.run([SYSTEM_PYTHON, "-c", check], capture_output=True, check=False).returncode == 0


def _serve(options: argparse.Namespace) -> None:
    """The server process: prints what happens, and ends with its parent."""
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer

    Gst.init(None)
    server: Any = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(options.port))
    payload = {
        "h264": "rtph264pay name=pay0 pt=96",
        "ts": "mpegtsmux ! rtpmp2tpay name=pay0 pt=33",
    }[options.payload]
    for entry in options.files:
        name, _, path = entry.partition("=")
        factory: Any = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f'( filesrc location="{path}" ! qtdemux ! h264parse config-interval=-1 ! {payload} )')
        if options.user is not None:
            permissions = GstRtspServer.RTSPPermissions()
            permissions.add_permission_for_role("viewer", "media.factory.access", True)
            permissions.add_permission_for_role("viewer", "media.factory.construct", True)
            factory.set_permissions(permissions)
        server.get_mount_points().add_factory(f"/{name}", factory)
    if options.user is not None:
        auth: Any = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(options.user, options.password), token)
        server.set_auth(auth)

    def report(event: str) -> None:
        print(event, flush=True)

    def connected(_: Any, client: Any) -> None:
        client.connect("play-request", lambda *_: report("play"))
        client.connect("teardown-request", lambda *_: report("teardown"))
        client.connect("closed", lambda *_: report("closed"))

    server.connect("client-connected", connected)
    if not server.attach(None):
        sys.exit("cannot listen")
    report(f"port {server.get_bound_port()}")
    loop = GLib.MainLoop()
    # The parent holds the other end of our standard input: when it is gone, so are we.
    GLib.io_add_watch(0, GLib.PRIORITY_DEFAULT, GLib.IOCondition.HUP, lambda *_: loop.quit())
    loop.run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--payload", choices=("h264", "ts"), default="h264")
    parser.add_argument("files", nargs="+")
    _serve(parser.parse_args())
