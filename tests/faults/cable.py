"""A network that can be cut: programs in a network namespace at the other end of a cable (Linux, root)."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Self

import pytest


class Cable:
    """Joins this machine, `here`, with a network namespace, whose programs reach nothing else. Both go at the end.

    Skips the test where namespaces cannot be made.

    Attributes:
        here: this machine's address on it.
    """

    def __init__(self) -> None:
        self._name = f"gend{os.getpid()}"
        number = os.getpid() % 2**14  # a /30 each of 198.18.0.0/16, which is nobody's (RFC 2544)
        self.here, self._there = (f"198.18.{number // 64}.{number % 64 * 4 + end}" for end in (1, 2))

    def __enter__(self) -> Self:
        if os.geteuid() != 0 or shutil.which("ip") is None:
            pytest.skip("the network is cut by root with iproute2 only")
        if not _done("netns", "add", self._name):
            pytest.skip("no network namespace can be made here")
        try:
            if not _done("link", "add", f"{self._name}h", "type", "veth", "peer", "name", "far", "netns", self._name):
                pytest.skip("no veth pair can be made here")
            _ip("address", "add", f"{self.here}/30", "dev", f"{self._name}h")
            _ip("link", "set", f"{self._name}h", "up")
            _ip("-n", self._name, "link", "set", "lo", "up")
            _ip("-n", self._name, "address", "add", f"{self._there}/30", "dev", "far")
            # No IPv6 addresses, which would come seconds later: browsers take that for a change of the network as well.
            _ip("-n", self._name, "link", "set", "far", "addrgenmode", "none")
            self.plug_in()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        _done("link", "delete", f"{self._name}h")
        _ip("netns", "delete", self._name)

    def pull(self) -> None:
        """From now on nothing passes."""
        _ip("-n", self._name, "link", "set", "far", "down")

    def plug_in(self) -> None:
        """All is as before."""
        _ip("-n", self._name, "link", "set", "far", "up")

    def far(self, program: str, folder: Path) -> Path:
        """A command in `folder` that runs a program at the other end."""
        command = folder / f"far-{Path(program).name}"
        command.write_text(f'#!/bin/sh\nexec ip netns exec {self._name} {shlex.quote(program)} "$@"\n')
        command.chmod(0o755)
        return command


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=30)


def _done(*arguments: str) -> bool:
    return subprocess.run(["ip", *arguments], check=False, capture_output=True, timeout=30).returncode == 0
