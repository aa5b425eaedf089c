"""Every figure of the running service as a metric: one place where the names are chosen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from monitor.access.login import Login
from monitor.broadcast import BroadcastStatistics
from monitor.evidence import SHED_CAUSES, WriterStatistics
from monitor.histogram import Distribution
from monitor.learning import LearningStatistics
from monitor.messages import Status
from monitor.metrics import AnySample, HistogramSample, Sample
from monitor.notify import TargetStatistics
from monitor.pipeline import PipelineStatistics
from monitor.previews import PreviewStatistics
from monitor.publish import MqttStatistics
from monitor.recorder import RecorderStatistics
from monitor.store import StoreStatistics
from monitor.uploads import ScoreJobs
from monitor.worker import WorkerStatistics

_STATES = ("connecting", "live", "stalled", "stopped")


def samples(
    pipeline: PipelineStatistics,
    statuses: Iterable[Status],
    recorder: RecorderStatistics,
    store: StoreStatistics,
    mqtt: MqttStatistics,
    *,
    targets: Iterable[TargetStatistics],
    listeners: BroadcastStatistics,
    evidence: WriterStatistics | None,
    learning: LearningStatistics | None,
    calls: Mapping[str, int],
    calls_refused: int,
    previews: PreviewStatistics,
    loop_lag: Distribution,
    ready: bool,
    now: datetime,
) -> list[AnySample]:
    """All metrics now; those of evidence and of learning only where they are kept."""
    return [
        Sample("ready", "1 while everything that must run does, as /readyz says.", "gauge", ready),
        HistogramSample("event_loop_lag_seconds", "How late the event loop is; it should not be.", loop_lag),
        *_states(statuses),
        *(Sample("calls", "Calls that are on.", "gauge", on, (("stream", name),)) for name, on in calls.items()),
        Sample("calls_refused", "Calls that were wanted while too many were on.", "counter", calls_refused),
        *(sample for name, stream in pipeline.streams.items() for sample in of_stream(name, stream)),
        *_scoring(pipeline),
        *_decision(pipeline),
        *_delivery(recorder, store, now),
        *_mqtt(mqtt),
        *(sample for target in targets for sample in _target(target)),
        *_watchers(listeners, previews),
        *(() if evidence is None else _evidence(evidence)),
        *(() if learning is None else _learning(learning)),
    ]


def _states(statuses: Iterable[Status]) -> Iterator[Sample]:
    for status in statuses:
        for state in _STATES:
            labels = (("stream", status.stream), ("state", state))
            yield Sample("stream_state", "1 for the state a stream is in.", "gauge", state == status.state, labels)
        label = (("stream", status.stream),)
        snoozed = status.snoozed_until is not None
        yield Sample("stream_snoozed", "1 while the stream's alerts call nobody.", "gauge", snoozed, label)
        yield Sample("stream_degraded", "Reasons for which a stream is degraded.", "gauge", len(status.degraded), label)


def of_stream(name: str, worker: WorkerStatistics) -> Iterator[Sample]:
    """The metrics of one stream's worker; those by cause have a label of that name."""
    label = (("stream", name),)
    reader, tracking = worker.reader, worker.tracking
    counters = {
        "frames": ("Frames decoded.", reader.frames),
        "frames_distrusted": ("Frames that may be damaged; never scored.", reader.distrusted),
        "packets_corrupt": ("Packets the source marked as damaged.", reader.packets_corrupt),
        "decode_errors": ("Pictures that could not be decoded.", reader.decode_errors),
        "received_bytes": ("Bytes of video read.", reader.bytes),
        "reconnects": ("Connections made after the first.", reader.reconnects),
        "stalls": ("Times frames stopped coming on a connection.", reader.stalls),
        "frames_unwanted": ("Frames that came between two that were due for analysis.", reader.unwanted),
        "readers_crashed": ("Reading threads that died and were replaced.", reader.crashed),
        "readers_abandoned": ("Reading threads left behind inside FFmpeg.", reader.abandoned),
        "frames_skipped": ("Frames left undecoded because nothing needed them.", reader.skipped),
        "decode_seconds": ("Processor seconds spent decoding, a substream included.", reader.whole_decode_s),
        "pictures_outrun": ("Pictures over WebRTC lost because the decoder was too slow.", reader.outrun),
        "worker_restarts": ("Times the stream's process crashed or hung and was replaced.", worker.restarts),
        "worker_messages_unsent": ("Messages that the stream's process was too busy to take.", worker.unsent),
        "analysed_frames": ("Frames looked at for faces.", tracking.analysed),
        "face_searches": ("Searches for faces, of frames and of parts of them.", tracking.searched),
        "frames_carried": ("Frames in which known faces were carried on without a search.", tracking.carried),
        "analysis_failures": ("Frames whose analysis raised.", worker.failures),
        "tracks_begun": ("Faces that were given an identity.", tracking.identities),
        "faces_ignored": ("Faces inside an ignored polygon.", tracking.ignored),
        "crops_sampled": ("Crops handed to scoring.", tracking.sampled),
        "detect_seconds": ("Processor seconds spent in the face detector.", tracking.detect_s),
    }
    for metric, (about, value) in counters.items():
        yield Sample(metric, about, "counter", value, label)
    yield Sample("stream_fps", "Frames that came per second of late, decoded or not.", "gauge", reader.fps, label)
    yield Sample("faces", "Faces seen now.", "gauge", tracking.faces, label)
    yield Sample("tracks_followed", "Tracks alive, those lost for a moment included.", "gauge", tracking.tracks, label)
    about = "How long the analysis in progress has taken."
    yield Sample("analysis_awaited_seconds", about, "gauge", worker.analysing_s, label)
    if worker.cpu_s:  # it has a process of its own
        yield Sample("worker_cpu_seconds", "Processor time of the stream's process.", "counter", worker.cpu_s, label)
        about = "Resident memory of the stream's process, what it shares with others included."
        yield Sample("worker_memory_bytes", about, "gauge", worker.memory_bytes, label)
    if (small := reader.substream) is not None:
        about = "Frames of the substream that were decoded, on which faces are found."
        yield Sample("substream_frames", about, "counter", small.frames, label)
        about = "Frames of it left undecoded because nothing needed them."
        yield Sample("substream_frames_skipped", about, "counter", small.skipped, label)
        yield Sample("substream_received_bytes", "Bytes of its video read.", "counter", small.bytes, label)
        yield Sample("substream_reconnects", "Connections to it after the first.", "counter", small.reconnects, label)
        about = "1 while faces are found on the substream, 0 while on the main stream or not at all."
        used = reader.state == small.state == "live" and reader.degraded is None
        yield Sample("substream_used", about, "gauge", used, label)
    yield from _by_cause("frames_dropped", "Frames not analysed.", label, {"superseded": worker.superseded})
    yield from _by_cause("crops_gated", "Crops that were due from faces unfit to score.", label, tracking.gated)


def _scoring(pipeline: PipelineStatistics) -> Iterator[AnySample]:
    batcher, worker = pipeline.batcher, pipeline.worker
    lost = {
        "replaced": batcher.replaced,
        "stale": batcher.stale,
        "forgotten": batcher.forgotten,
        "refused": batcher.refused,
        "failed": worker.lost,
    }
    oldest_s = 0.0 if batcher.oldest_at_s is None else max(pipeline.now_s - batcher.oldest_at_s, 0.0)
    yield Sample("crops_offered", "Crops offered to the encoder.", "counter", batcher.offered)
    yield Sample("crops_taken", "Crops that the encoder took.", "counter", batcher.taken)
    yield Sample("crops_waiting", "Crops waiting for the encoder.", "gauge", batcher.waiting)
    yield Sample("crops_oldest_seconds", "Age of the crop that waits longest; 0 where none does.", "gauge", oldest_s)
    yield Sample("crops_scored", "Crops the encoder has judged.", "counter", worker.crops)
    yield from _by_cause("crops_dropped", "Crops that were never judged.", (), lost)
    about = "Share of the crops of the last minute that were replaced, too old or refused: the encoder is too slow."
    yield Sample("crops_dropped_ratio", about, "gauge", pipeline.dropped_share)
    about = "Crops made to learn from that wait until nothing else does."
    yield Sample("spare_crops_waiting", about, "gauge", batcher.spare_waiting)
    yield Sample("spare_crops_refused", "Those that came while enough waited.", "counter", batcher.spare_refused)
    yield Sample("batches", "Batches the encoder has judged.", "counter", worker.batches)
    yield Sample("encoder_errors", "Batches that failed.", "counter", worker.errors)
    yield Sample("encoder_hangs", "Batches that were overdue.", "counter", worker.hangs)
    restarts = pipeline.encoder_restarts
    yield Sample("encoder_restarts", "Times the encoder's process was replaced.", "counter", restarts)
    yield Sample("encoder_awaited_seconds", "How long the batch in progress has taken.", "gauge", worker.awaited_s)
    yield Sample("encoder_busy_ratio", "Share of the last minute spent in the encoder.", "gauge", worker.busy)
    yield Sample("encoder_busy_seconds", "Time spent in the encoder.", "counter", worker.busy_s)
    if (usage := pipeline.encoder_usage) is not None:
        yield Sample("encoder_cpu_seconds", "Processor time of the encoder's process.", "counter", usage.cpu_s)
        about = "Resident memory of the encoder's process, what it shares with others included."
        yield Sample("encoder_memory_bytes", about, "gauge", usage.memory_bytes)
    about = "From a frame's arrival until the encoder takes its crop."
    yield HistogramSample("arrival_to_encoder_seconds", about, worker.waits)
    about = "From a frame's arrival to the logit of its crop."
    yield HistogramSample("arrival_to_logit_seconds", about, worker.latencies)


def _decision(pipeline: PipelineStatistics) -> Iterator[Sample]:
    decision, mailbox = pipeline.decision, pipeline.mailbox
    yield Sample("mailbox_waiting", "Messages that wait to be decided on.", "gauge", mailbox.waiting)
    yield Sample("mailbox_received", "Messages that came to be decided on.", "counter", mailbox.received)
    yield Sample("worker_requests_waiting", "Requests that streams have not answered yet.", "gauge", pipeline.requests)
    yield Sample("tracks", "Tracks that are judged now.", "gauge", decision.tracks)
    for stream in pipeline.streams:
        about = "Tracks whose crops wait too long to be scored, now."
        yield Sample("tracks_starved", about, "gauge", decision.starved.get(stream, 0), (("stream", stream),))
    yield Sample("alerts_open", "Alert episodes that stand.", "gauge", decision.open_episodes)
    yield Sample("alerts_raised", "Alert episodes begun.", "counter", decision.alerts_raised)
    yield Sample("logits", "Logits that entered the evidence.", "counter", decision.logits)
    yield Sample("drifts", "Times a stream's scores no longer fitted the calibration.", "counter", decision.drifts)
    for stream, drifted in decision.drifted.items():
        about = "1 while the stream's scores no longer fit the calibration; absent where nobody can tell."
        yield Sample("stream_drifted", about, "gauge", drifted, (("stream", stream),))
    unused = {"late": decision.late_logits, "orphan": decision.orphan_logits, "refused": mailbox.refused}
    yield from _by_cause("logits_unused", "Logits and observations that did not enter it.", (), unused)


def _delivery(recorder: RecorderStatistics, store: StoreStatistics, now: datetime) -> Iterator[Sample]:
    yield Sample("alerts_recorded", "Alert messages that the store has taken.", "counter", recorder.recorded)
    yield Sample("alerts_unrecorded", "Alerts that wait for the store.", "gauge", recorder.waiting)
    yield Sample("store_errors", "Attempts to record that the store refused.", "counter", recorder.failures)
    for sink, waiting in store.waiting.items():
        label = (("sink", sink),)
        yield Sample("outbox_waiting", "Alert messages not yet acknowledged.", "gauge", waiting, label)
        oldest_s = (now - store.oldest[sink]).total_seconds() if sink in store.oldest else 0.0
        about = "Age of the alert message that waits longest; 0 where none does."
        yield Sample("outbox_oldest_seconds", about, "gauge", max(oldest_s, 0.0), label)
    yield Sample("outbox_delivered", "Alert messages that sinks acknowledged.", "counter", store.delivered)
    yield Sample("store_reserve_held", "0 where the disk is nearly full.", "gauge", store.reserve_held)


def _mqtt(mqtt: MqttStatistics) -> Iterator[Sample]:
    yield Sample("mqtt_connected", "1 while the broker is connected.", "gauge", mqtt.connected)
    yield Sample("mqtt_connections", "Connections the broker accepted.", "counter", mqtt.connections)
    yield Sample("mqtt_delivered", "Alert messages the broker acknowledged.", "counter", mqtt.delivered)
    yield Sample("mqtt_waiting", "Verdicts, events and states still to be published.", "gauge", mqtt.waiting)
    yield Sample("mqtt_dropped", "Verdicts and events that found no broker in time.", "counter", mqtt.dropped)


def _target(target: TargetStatistics) -> Iterator[Sample]:
    label = (("target", target.name),)
    yield Sample("notify_delivered", "Alert messages a target has taken.", "counter", target.delivered, label)
    yield Sample(
        "notify_notifications",
        "Notifications it took them in; a digest is one.",
        "counter",
        target.notifications,
        label,
    )
    yield Sample("notify_failures", "Attempts to deliver that failed.", "counter", target.failures, label)
    about = "1 where the last attempt to deliver failed."
    yield Sample("notify_failing", about, "gauge", target.failing is not None, label)
    yield Sample("notify_gave_up", "Alert messages it refused for too long.", "counter", target.gave_up, label)


def of_uploads(jobs: ScoreJobs | None) -> Iterator[Sample]:
    """The metrics of files that are sent to be scored; none where nothing may be sent."""
    if jobs is None:
        return
    uploads = jobs.statistics()
    yield Sample("uploads_waiting", "Files that wait to be scored, or are.", "gauge", uploads.waiting)
    yield Sample("uploads_refused", "Files that came while too many waited.", "counter", uploads.refused)
    over = {"done": uploads.done, "failed": uploads.failed, "cancelled": uploads.cancelled}
    for state, count in over.items():
        yield Sample("uploads", "Files that were sent to be scored.", "counter", count, (("state", state),))


def of_logins(login: Login | None) -> Iterator[Sample]:
    """The metrics of those who prove who they are by a password; none where nobody need."""
    if login is not None:
        about = "Tries to prove who one is by a password."
        for outcome, count in login.tries.items():
            yield Sample("login_tries", about, "counter", count, (("outcome", outcome),))


def _watchers(listeners: BroadcastStatistics, previews: PreviewStatistics) -> Iterator[Sample]:
    yield Sample("listeners", "Clients that follow /api/v1/events.", "gauge", listeners.subscribers)
    yield Sample("listeners_refused", "Clients that wanted to while too many did.", "counter", listeners.refused)
    yield Sample("listener_news_waiting", "News that clients have not taken yet.", "gauge", listeners.waiting)
    yield Sample("listener_news_dropped", "News that a client was too slow for.", "counter", listeners.dropped)
    yield Sample("preview_watchers", "Clients that look at a stream's picture.", "gauge", previews.looking)
    yield Sample("preview_watchers_refused", "Those that wanted to while too many did.", "counter", previews.refused)


def _evidence(evidence: WriterStatistics) -> Iterator[Sample]:
    shed = {**dict.fromkeys(SHED_CAUSES, 0), **evidence.shed}  # at 0 from the first, or the first one is no increase
    yield Sample("evidence_written", "Evidence packages written.", "counter", evidence.written)
    yield Sample("evidence_waiting", "Evidence packages that wait for the disk.", "gauge", evidence.waiting)
    yield Sample("evidence_packages", "Evidence packages kept.", "gauge", evidence.packages)
    yield Sample("evidence_bytes", "Bytes of the evidence packages kept.", "gauge", evidence.bytes)
    yield from _by_cause("evidence_shed", "Alerts without an evidence package.", (), shed)
    yield from _by_cause("evidence_removed", "Evidence packages removed.", (), evidence.removed)


def _learning(learning: LearningStatistics) -> Iterator[Sample]:
    yield Sample("learning_crops", "Scored crops that were learnt from.", "counter", learning.crops)
    yield Sample(
        "learning_fakes", "Crops blended with themselves and scored, to learn from.", "counter", learning.fakes
    )
    yield Sample("learning_candidates_waiting", "Crops that wait to be blended.", "gauge", learning.candidates)
    about = "Crops that were due to be blended while enough waited."
    yield Sample("learning_candidates_dropped", about, "counter", learning.passed_over)
    yield Sample("learning_bytes", "Bytes of the file that is learnt into.", "gauge", learning.bytes)
    yield Sample("learning_failing", "1 while that file takes nothing.", "gauge", learning.failure is not None)
    unused = {"not_finite": learning.not_finite, "lost": learning.lost}
    yield from _by_cause("learning_crops_unused", "Scored crops that were not learnt from.", (), unused)


def _by_cause(
    name: str, about: str, labels: tuple[tuple[str, str], ...], counts: Mapping[str, float]
) -> Iterator[Sample]:
    for cause, count in counts.items():
        yield Sample(name, about, "counter", count, (*labels, ("cause", cause)))
