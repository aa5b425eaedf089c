"""`gend-monitor verify`: says of each package whether it is as it was signed, and by whom."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from monitor.evidence import Verified, verify


def print_verified(folder: Path, key: str | None, *, as_json: bool) -> bool:
    """Verifies and prints.

    Args:
        folder: one package, or a folder of many.
        key: the fingerprint of whoever should have signed; None: nobody is known.
        as_json: print one object; else a line for each package, and one for each fault of it.

    Returns:
        Whether all is well.

    Raises:
        ConfigError: no such folder, no package in it, or no fingerprint.
    """
    found = verify(folder, key)
    ok = all(package.intact for package in found)
    if as_json:
        print(json.dumps({"ok": ok, "packages": [asdict(package) for package in found]}))
    else:
        for package in found:
            print("\n".join(_lines(package)))
    return ok


def _lines(package: Verified) -> list[str]:
    if not package.intact:
        return [f"{package.path}: NOT AS IT WAS SIGNED"] + [f"  {fault.file}: {fault.what}" for fault in package.faults]
    if package.signer_known:
        return [f"{package.path}: intact, signed by {package.signer}"]
    return [f"{package.path}: intact, signer unknown (key {package.signer})"]
