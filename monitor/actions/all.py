"""All actions together, as pages and routes are given them."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.actions.adapters import AdapterActions
from monitor.actions.added_streams import AddedStreamActions
from monitor.actions.alerts import AlertActions
from monitor.actions.board import BoardActions
from monitor.actions.calibrations import CalibrationActions
from monitor.actions.calls import CallActions
from monitor.actions.configuration import ConfigurationActions
from monitor.actions.evidence import EvidenceActions
from monitor.actions.live import LiveActions
from monitor.actions.pictures import PictureActions
from monitor.actions.recent import RecentActions
from monitor.actions.scores import ScoreActions
from monitor.actions.snoozes import SnoozeActions
from monitor.actions.streams import StreamActions
from monitor.actions.system import SystemActions


@dataclass(frozen=True, slots=True)
class Actions:
    """One object per subject. Nothing else of the service is reached from a page or a route."""

    streams: StreamActions
    calls: CallActions
    live: LiveActions
    pictures: PictureActions
    board: BoardActions
    recent: RecentActions
    alerts: AlertActions
    snoozes: SnoozeActions
    evidence: EvidenceActions
    calibrations: CalibrationActions
    adapters: AdapterActions
    configuration: ConfigurationActions
    added_streams: AddedStreamActions
    scores: ScoreActions
    system: SystemActions
