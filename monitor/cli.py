"""The command line of the service. Exit codes: 0 done, 1 ran and failed, 2 bad usage or configuration.

Each command here reads its arguments and prints; the work is done by the module of its name. What is heavy is
imported by the command that needs it, so that `--help` is quick.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import logging
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gend.cli_options import FaceDetectorOption
from gend.errors import GendError
from monitor.cli_accounts import audit, token, user
from monitor.cli_calibrate import CALIBRATE_EXAMPLES, calibrate
from monitor.cli_check import CHECK_EXAMPLES, check_command
from monitor.cli_options import DEBUG, AsJson, ConfigFile, LogFormatOption, hide_also, load, load_again
from monitor.cli_reviews import review, reviews, snooze
from monitor.config import MonitorConfig
from monitor.errors import ConfigError, MonitorError
from monitor.leaving import leave_now
from monitor.logs import LogFormat, set_up_logging
from monitor.redact import redact

if TYPE_CHECKING:
    from monitor.service import Started

_log = logging.getLogger("monitor")

app = typer.Typer(
    name="gend-monitor",
    help="Watches live video, follows every face, and alerts over MQTT when one is likely manipulated.",
    epilog="Try it: gend-monitor demo. Watch a camera: gend-monitor run monitor.yaml. Every error is one line.",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

notify = typer.Typer(help="Targets of notifications.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(notify, name="notify")
app.add_typer(user, name="user")
app.add_typer(token, name="token")


def main() -> None:
    """Runs the command line: one clear line per error, the exit code as documented."""
    set_up_logging(debug=DEBUG in sys.argv)
    try:
        app([argument for argument in sys.argv[1:] if argument != DEBUG], prog_name="gend-monitor")
    except KeyboardInterrupt:
        sys.exit(130)
    except (GendError, MonitorError) as error:
        sys.exit(_report(error))


def _report(error: GendError | MonitorError, log_format: LogFormat = "text") -> int:
    """Tells what went wrong, in the form of the log; returns the exit code."""
    if DEBUG in sys.argv:
        _log.error("the command failed", exc_info=error)
    for line in str(error).splitlines():
        if log_format == "json":
            _log.critical("%s", redact(line))
        else:
            print(f"error: {redact(line)}", file=sys.stderr)
    return 2 if isinstance(error, ConfigError) else 1


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    debug: Annotated[bool, typer.Option(DEBUG, help="Tracebacks and more log; goes anywhere.")] = False,  # noqa: ARG001
) -> None:
    # `main` takes --debug out wherever it stands; it is declared here to be seen in --help.
    if version:
        print(f"gend-monitor {importlib.metadata.version('gend-monitor')}")
        raise typer.Exit


@app.command(epilog="Example: gend-monitor run monitor.yaml")
def run(config: ConfigFile, log_format: LogFormatOption = "text") -> None:
    """Watch the configured streams until SIGTERM or Ctrl-C."""

    def tell(streams: int, started: Started) -> None:
        watched = "1 stream" if streams == 1 else f"{streams} streams"
        print(f"watching {watched}; alerts to {started.mqtt_url}, pages at {started.web_url}", flush=True)

    secrets: set[str] = set()
    set_up_logging(debug=DEBUG in sys.argv, log_format=log_format)
    read = partial(load_again, config, secrets, log_format)
    try:
        read()  # a mistake in it is told before anything slow is imported
        from monitor.running import run_service  # noqa: PLC0415

        run_service(config, read, tell, partial(hide_also, secrets, log_format=log_format))
    except (GendError, MonitorError) as error:
        # Not passed on: a thread may hang that an orderly end of the interpreter would wait for.
        leave_now(_report(error, log_format))
    leave_now(0)


app.command("check", epilog=CHECK_EXAMPLES)(check_command)


@app.command(epilog="Example: gend-monitor demo --until-alert --timeout-s 120")
def demo(
    until_alert: Annotated[bool, typer.Option("--until-alert", help="End with 0 at the first alert.")] = False,
    timeout_s: Annotated[
        float | None, typer.Option(help="End after so many seconds; with 1 if an alert is waited for.", min=1)
    ] = None,
    detector: FaceDetectorOption = "auto",
    port: Annotated[int, typer.Option(help="Port of health and metrics; 0 takes a free one.", min=0, max=65535)] = 0,
) -> None:
    """Play a built-in clip through the whole pipeline."""
    from monitor.demo.show import run_demo  # noqa: PLC0415

    leave_now(run_demo(until_alert=until_alert, timeout_s=timeout_s, detector=detector, port=port))


@app.command(epilog="Example: gend-monitor replay call.mp4 --config monitor.yaml --json")
def replay(
    files: Annotated[list[Path], typer.Argument(help="Recordings to judge.")],
    config: Annotated[Path | None, typer.Option(help="Takes faces, encoder and decision from this file.")] = None,
    weights: Annotated[str | None, typer.Option(help="Encoder weights, instead of the configuration's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge recordings as live streams are judged."""
    read = load(config) if config else None
    from monitor.replaying import replay_files  # noqa: PLC0415

    replay_files(files, read, weights=weights, as_json=as_json)


app.command(epilog=CALIBRATE_EXAMPLES)(calibrate)


@app.command(epilog="Example: gend-monitor alerts --config monitor.yaml --follow --json")
def alerts(
    config: Annotated[Path, typer.Option(help="The service's configuration; its store is read.")],
    follow: Annotated[bool, typer.Option("--follow", help="Keep printing as alerts are decided.")] = False,
    limit: Annotated[int, typer.Option(help="Alerts of the past to print.", min=0)] = 20,
    as_json: AsJson = False,
) -> None:
    """Print the alerts in the store, oldest first."""
    from monitor.alerts import print_alerts  # noqa: PLC0415

    asyncio.run(print_alerts(load(config).store.url.get_secret_value(), limit=limit, follow=follow, as_json=as_json))


@notify.command("test", epilog="Example: gend-monitor notify test monitor.yaml guard")
def test_target(
    config: ConfigFile, name: Annotated[str, typer.Argument(help="Name of a target in the section `notify`.")]
) -> None:
    """Send one notification, which says that it is a test, to a target."""
    from monitor.notify import send_trial  # noqa: PLC0415

    targets = {target.name: target for target in load(config).notify}
    if name not in targets:
        raise ConfigError(f"{config}: notify: no target is called {name}; there are: {', '.join(targets) or 'none'}")
    asyncio.run(send_trial(targets[name]))
    print(f"{name} has taken it")


@app.command(epilog="Example: gend-monitor verify evidence/lobby/20260131T120000Z-47aa2bb2 --key 9f86d081…")
def verify(
    folder: Annotated[Path, typer.Argument(help="One evidence package, or a folder of many.")],
    key: Annotated[
        str | None, typer.Option(help="Fingerprint of the key that should have signed; the service logs it at start.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell whether evidence packages are as they were signed."""
    from monitor.verifying import print_verified  # noqa: PLC0415

    if not print_verified(folder, key, as_json=as_json):
        raise typer.Exit(1)


@app.command(epilog="Example: gend-monitor schema > monitor.schema.json")
def schema() -> None:
    """Print the configuration's JSON schema."""
    print(json.dumps(MonitorConfig.model_json_schema(), indent=2))


app.command(epilog="Example: gend-monitor review monitor.yaml 47aa2bb2… wrong --by anna --note 'a poster'")(review)
app.command(epilog="Example: gend-monitor reviews monitor.yaml --unreviewed")(reviews)
app.command(epilog="Example: gend-monitor snooze monitor.yaml lobby --for 2h --by anna")(snooze)
app.command(epilog="Example: gend-monitor audit monitor.yaml --json")(audit)
