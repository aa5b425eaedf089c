from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.capacity import USED, EncoderCost, Machine, StreamCost, capacity_of

MACHINE = Machine(cores=4, memory_mb=8000)
STREAM = StreamCost(seconds=10, cores=0.1, memory_mb=50, fps=25, faces=1.0, faces_share=1.0, crops_per_s=1.0)
SLOW = EncoderCost("large, on CPU", crops_per_s=4, cpu_s_per_crop=0.9, elsewhere_cores=0)
GPU = EncoderCost("large, on a GPU", crops_per_s=40, cpu_s_per_crop=0.01, elsewhere_cores=0)


def test_streams_and_an_encoder_on_the_cpu_share_its_cores() -> None:
    answer = capacity_of(MACHINE, [STREAM], SLOW, 1.0)
    limits = {limit.name: limit.streams for limit in answer.limits}
    assert limits["cores"] == pytest.approx(USED * 4 / (0.1 + 0.9))
    assert limits["encoder"] == pytest.approx(USED * 4)
    assert limits["memory"] == pytest.approx(USED * 160)
    assert (answer.streams, answer.limit) == (3, "cores")
    assert "GPU" in answer.helps  # most of the cores' time is the encoder's


def test_a_gpu_leaves_the_cores_to_reading() -> None:
    answer = capacity_of(MACHINE, [STREAM], GPU, 1.0)
    assert (answer.streams, answer.limit) == (29, "cores")
    assert "more cores" in answer.helps
    assert answer.faces_at_a_time == pytest.approx(USED * 40)


def test_an_encoder_on_one_thread_runs_out_while_cores_are_left() -> None:
    answer = capacity_of(replace(MACHINE, cores=32), [STREAM], replace(SLOW, cpu_s_per_crop=0.25), 1.0)
    assert (answer.streams, answer.limit) == (3, "encoder")


def test_memory_may_be_what_runs_out() -> None:
    answer = capacity_of(replace(MACHINE, memory_mb=300), [STREAM], GPU, 1.0)
    assert (answer.streams, answer.limit) == (4, "memory")
    assert "memory" in answer.helps


def test_different_streams_are_taken_in_the_mixture_they_are_configured_in() -> None:
    busy = replace(STREAM, cores=0.3, crops_per_s=3.0, memory_mb=70)
    both = capacity_of(MACHINE, [STREAM, busy], GPU, 1.0)
    mean = capacity_of(MACHINE, [replace(STREAM, cores=0.2, crops_per_s=2.0, memory_mb=60)], GPU, 1.0)
    assert both == mean


def test_without_a_face_the_encoder_limits_nothing_and_that_is_said() -> None:
    answer = capacity_of(MACHINE, [replace(STREAM, faces=0, faces_share=0, crops_per_s=0)], SLOW, 1.0)
    encoder = next(limit for limit in answer.limits if limit.name == "encoder")
    assert encoder.streams is None
    assert "no face" in encoder.reason
    assert (answer.streams, answer.limit) == (32, "cores")
    assert answer.faces_at_a_time == pytest.approx(USED * 4)  # what holds once there are some


def test_a_machine_that_carries_none_is_told_so() -> None:
    answer = capacity_of(Machine(cores=1, memory_mb=8000), [STREAM], replace(SLOW, crops_per_s=0.5), 1.0)
    assert (answer.streams, answer.limit) == (0, "encoder")


def test_faces_that_are_sampled_less_often_are_more() -> None:
    assert capacity_of(MACHINE, [STREAM], GPU, 0.5).faces_at_a_time == pytest.approx(2 * USED * 40)
