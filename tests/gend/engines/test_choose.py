from __future__ import annotations

from dataclasses import replace

import pytest

from gend.engines.choose import Choice, Machine, Wish, choose
from gend.engines.cpu import CPU
from gend.engines.reports import Report, arithmetic
from gend.errors import GendError

AMX = CPU(x86=True, bf16=True, int8="amx")
GENOA = CPU(x86=True, bf16=True, int8="vnni")
ICE_LAKE = CPU(x86=True, bf16=False, int8="vnni")
HASWELL = CPU(x86=True, bf16=False, int8="none")
ARM = CPU(x86=False, bf16=False, int8="none")


def report(cpu: CPU, max_drift: float = 0.05, crops: int = 100, folder: str = "/int8") -> Report:
    return Report("ab", folder, "cd", arithmetic(cpu), crops, max_drift, max_drift / 2)


def chosen(wish: Wish, cpu: CPU, *reports: Report, gpu: bool = False, small: bool = False) -> Choice:
    return choose(wish, Machine(cpu, gpu), "w", small=small, reports=reports)


@pytest.mark.parametrize(("cpu", "precision"), [(AMX, "bf16"), (GENOA, "bf16"), (ICE_LAKE, "fp32"), (HASWELL, "fp32")])
def test_auto_takes_bf16_where_the_cpu_has_it(cpu: CPU, precision: str) -> None:
    choice = chosen(Wish(), cpu)
    assert (choice.engine, choice.precision, choice.device, choice.int8) == ("openvino", precision, "cpu", None)
    assert chosen(Wish(mixes=True), cpu) == choice
    assert chosen(Wish(engine="openvino"), cpu) == choice
    assert chosen(Wish(engine="torch"), cpu) == replace(choice, engine="torch")


@pytest.mark.parametrize("cpu", [AMX, GENOA, ICE_LAKE, HASWELL])
def test_auto_takes_int8_where_a_report_allows_it(cpu: CPU) -> None:
    good = report(cpu)
    assert chosen(Wish(), cpu, good) == Choice("openvino", "int8", "cpu", good)


def test_auto_takes_no_int8_otherwise() -> None:
    plain = chosen(Wish(), AMX)
    assert chosen(Wish(), AMX, report(AMX, max_drift=0.11)) == plain
    assert chosen(Wish(max_logit_drift=0.01), AMX, report(AMX)) == plain
    assert chosen(Wish(), AMX, report(AMX, crops=31)) == plain
    assert chosen(Wish(), AMX, report(GENOA)) == plain, "compared with another arithmetic"
    assert chosen(Wish(mixes=True), AMX, report(AMX)) == plain
    assert chosen(Wish(precision="bf16"), AMX, report(AMX)) == plain
    assert chosen(Wish(engine="torch"), AMX, report(AMX)) == Choice("torch", "bf16")


def test_auto_takes_the_int8_network_that_drifts_least() -> None:
    # as `find_reports` has them: least first
    reports = [report(GENOA, 0.01), report(AMX, 0.02, folder="/other"), report(AMX, 0.03)]
    assert chosen(Wish(), AMX, *reports).int8 == reports[1]


def test_auto_leaves_small_networks_and_other_cpus_to_torch() -> None:
    assert chosen(Wish(), AMX, report(AMX), small=True) == Choice("torch", "fp32")
    assert chosen(Wish(engine="openvino"), AMX, report(AMX), small=True) == Choice("openvino", "fp32")
    assert chosen(Wish(), ARM) == Choice("torch", "fp32")
    assert chosen(Wish(engine="openvino"), ARM) == Choice("openvino", "fp32")


def test_auto_takes_the_gpu() -> None:
    assert chosen(Wish(), AMX, report(AMX), gpu=True) == Choice("torch", "bf16", "cuda")
    assert chosen(Wish(precision="fp32"), AMX, gpu=True) == Choice("torch", "fp32", "cuda")
    assert chosen(Wish(), AMX, gpu=True, small=True) == Choice("torch", "fp32", "cuda")
    assert chosen(Wish(device="cpu"), AMX, gpu=True) == Choice("openvino", "bf16")
    assert chosen(Wish(engine="openvino"), AMX, gpu=True) == Choice("openvino", "bf16")
    assert chosen(Wish(precision="int8"), AMX, report(AMX), gpu=True).engine == "openvino"


def test_what_is_asked_for_is_taken() -> None:
    assert chosen(Wish(precision="bf16"), HASWELL) == Choice("openvino", "bf16")
    assert chosen(Wish(engine="torch", precision="fp32"), AMX) == Choice("torch", "fp32")
    assert chosen(Wish(precision="int8"), AMX, report(AMX)).precision == "int8"
    assert chosen(Wish(precision="int8", max_logit_drift=9), AMX, report(AMX, 8.9)).precision == "int8"


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish(device="cuda"), "torch finds no CUDA GPU"),
        (Wish(device="cuda", engine="openvino"), "device cuda needs engine torch"),
        (Wish(precision="int8", engine="torch"), "precision int8: runs on engine openvino"),
        (Wish(precision="int8", mixes=True), "adapters need bf16 or fp32"),
        (Wish(precision="int8"), "`gend export w --to openvino --precision int8 --pictures FACES --out DIR`"),
    ],
)
def test_what_cannot_be_had_is_said(wish: Wish, said: str) -> None:
    with pytest.raises(GendError) as caught:
        chosen(wish, AMX)
    assert said in str(caught.value)


def test_int8_that_drifts_too_far_is_not_to_be_had() -> None:
    with pytest.raises(GendError, match=r"/int8 was compared on 100 crops .* up to 0\.2: .* max_logit_drift 0\.1"):
        chosen(Wish(precision="int8"), AMX, report(AMX, 0.2))
