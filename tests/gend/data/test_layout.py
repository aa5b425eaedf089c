from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gend.data.layout import Layout, layout_names, load_layout
from gend.data.layout_plan import plan_layout
from gend.data.source_videos import Plan, SourceVideo
from gend.errors import ConfigError, PictureError

OWN = """
about: a set of my own
dataset: mine
sources:
  - {source: real, label: real, files: "orig/{id}.mp4"}
  - {source: swap, label: fake, files: "swap/{id}_{to}.mp4", pair: "real/{id}", mask: "masks/{id}_{to}.avi"}
"""


def planned(src: Path, layout: str, files: Sequence[str], texts: Mapping[str, str] | None = None) -> Plan:
    for name in files:
        (src / name).parent.mkdir(parents=True, exist_ok=True)
        (src / name).touch()
    for name, text in (texts or {}).items():
        (src / name).parent.mkdir(parents=True, exist_ok=True)
        (src / name).write_text(text)
    known = load_layout(layout)
    return plan_layout(src, known, known.dataset)


def told(plan: Plan) -> list[str]:
    return [f"{problem.severity}: {problem}" for problem in plan.problems]


def own(tmp_path: Path, text: str = OWN) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return str(path)


def test_ffpp(tmp_path: Path) -> None:
    originals = [f"original_sequences/youtube/c23/videos/{name}.mp4" for name in ("071", "054", "999")]
    fakes = [f"manipulated_sequences/{kind}/c23/videos/071_054.mp4" for kind in ("Deepfakes", "NeuralTextures")]
    other = ["manipulated_sequences/Deepfakes/c40/videos/071_054.mp4"]
    masks = ["manipulated_sequences/Deepfakes/masks/videos/071_054.mp4"]
    splits = {"splits/train.json": '[["071", "054"]]', "splits/val.json": '[["999", "998"]]', "splits/test.json": "[]"}
    plan = planned(tmp_path, "ffpp", originals + fakes + other + masks, splits)
    pair = "FF++/real-youtube/071"
    assert plan.videos == (
        SourceVideo("FF++/DF/071_054", (fakes[0],), (masks[0],), pair, "train"),
        SourceVideo("FF++/NT/071_054", (fakes[1],), (None,), pair, "train"),
        SourceVideo("FF++/real-youtube/054", (originals[1],), split="train"),
        SourceVideo("FF++/real-youtube/071", (originals[0],), split="train"),
        SourceVideo("FF++/real-youtube/999", (originals[2],), split="val"),
    )
    assert told(plan) == [
        f"notice: {other[0]}: not of this layout",
        f"notice: {fakes[1]}: no mask: the largest face of each frame is taken",
    ]


def test_ffpp_without_lists_of_splits_and_partner(tmp_path: Path) -> None:
    fake = "manipulated_sequences/FaceSwap/c23/videos/071_054.mp4"
    plan = planned(tmp_path, "ffpp", [fake, fake.replace("c23", "masks")])
    assert plan.videos[0].split is None
    assert told(plan) == [
        *(
            f"notice: splits/{name}.json: no such list of a split: there will be no list of {name}"
            for name in ("train", "val", "test")
        ),
        f"notice: {fake}: no partner: FF++/real-youtube/071 is not here",
    ]


def test_celeb_df(tmp_path: Path) -> None:
    files = ["Celeb-real/id0_0000.mp4", "Celeb-synthesis/id0_id1_0000.mp4", "YouTube-real/00170.mp4"]
    tested = "1 YouTube-real/00170.mp4\n0 Celeb-synthesis/id0_id1_0000.mp4\n"
    plan = planned(tmp_path, "celeb-df-v2", files, {"List_of_testing_videos.txt": tested})
    assert [(video.key, video.label, video.pair, video.split) for video in plan.videos] == [
        ("Celeb-DF-v2/Celeb-real/id0_0000", 0, None, "train"),
        ("Celeb-DF-v2/Celeb-synthesis/id0_id1_0000", 1, "Celeb-DF-v2/Celeb-real/id0_0000", "test"),
        ("Celeb-DF-v2/YouTube-real/00170", 0, None, "test"),
    ]
    assert told(plan) == []


def test_dfdc(tmp_path: Path) -> None:
    rows = {
        "aa.mp4": {"label": "FAKE", "split": "train", "original": "bb.mp4"},
        "bb.mp4": {"label": "REAL", "split": "train", "original": None},
        "cc.mp4": {"split": "train"},
        "ee.mp4": {"label": "FAKE", "split": "train"},
    }
    files = [f"part_0/{name}.mp4" for name in ("aa", "bb", "cc", "dd", "ee")] + ["part_1/xx.mp4", "part_1/yy.mp4"]
    plan = planned(tmp_path, "dfdc", files, {"part_0/metadata.json": json.dumps(rows)})
    assert [(video.key, video.pair) for video in plan.videos] == [
        ("DFDC/fake/aa", "DFDC/real/bb"),
        ("DFDC/real/bb", None),
    ]
    assert told(plan) == [
        "error: part_0/cc.mp4: no label: its row says: no label",
        "error: part_0/dd.mp4: no label: metadata.json has no row for dd.mp4",
        "error: part_0/ee.mp4: no label: its row has no original",
        "error: part_1/metadata.json: label table: no such label table; files left out for it: 2",
    ]
    one_part = plan_layout(tmp_path / "part_0", load_layout("dfdc"), "DFDC")
    assert [video.files for video in one_part.videos] == [("aa.mp4",), ("bb.mp4",)]


def test_fakeavceleb(tmp_path: Path) -> None:
    def row(person: str, method: str, kind: str, file: str) -> str:
        return f"{person},-,-,{method},A,{kind},Asian (East),men,{file},FakeAVCeleb/{kind}/Asian (East)/men/{person}"

    real, reenacted, swapped = "RealVideo-RealAudio", "FakeVideo-RealAudio", "FakeVideo-FakeAudio"
    table = [
        "source,target1,target2,method,category,type,race,gender,path,",
        row("id1", "real", real, "00109.mp4"),
        row("id1", "wav2lip", reenacted, "00109_2_id7_wavtolip.mp4"),
        row("id1", "faceswap-wav2lip", swapped, "00109_2_id7_wavtolip.mp4"),
        row("id1", "fsgan-wav2lip", swapped, "00109_3_id7_wavtolip.mp4"),
        row("id1", "wav2lip", swapped, "00109_4_id7_wavtolip.mp4"),
        row("id1", "faceswap-wav2lip", swapped, "00109_4_id7_wavtolip.mp4"),
        row("id1", "rtvc", "RealVideo-FakeAudio", "00109_fake.mp4"),
    ]
    files = [f"{kind}/Asian_East/men/id1/00109_2_id7_wavtolip.mp4" for kind in (reenacted, swapped)]
    files += [f"{swapped}/Asian_East/men/id1/00109_{number}_id7_wavtolip.mp4" for number in (3, 4)]
    files += [f"{real}/Asian_East/men/id1/00109.mp4", "RealVideo-FakeAudio/Asian_East/men/id1/00109_fake.mp4"]
    plan = planned(tmp_path, "fakeavceleb", files, {"meta_data.csv": "\ufeff" + "\n".join(table)})
    assert [(video.key, video.label) for video in plan.videos] == [
        ("FakeAVCeleb/FV-FA-FS/id1/00109_2_id7_wavtolip", 1),
        ("FakeAVCeleb/FV-FA-GAN/id1/00109_3_id7_wavtolip", 1),
        ("FakeAVCeleb/FV-RA-WL/id1/00109_2_id7_wavtolip", 1),
        ("FakeAVCeleb/RV-RA-real/id1/00109", 0),
    ]
    assert {video.pair for video in plan.videos} == {None, "FakeAVCeleb/RV-RA-real/id1/00109"}
    assert told(plan) == [
        f"error: {files[3]}: no label: meta_data.csv names it twice, with another method",
        f"notice: {files[5]}: not of this layout",
    ]


def test_the_layouts_of_the_package_are_sound() -> None:
    assert layout_names() == ["celeb-df-v2", "dfdc", "fakeavceleb", "ffpp"]
    for name in layout_names():
        assert {source.label for source in load_layout(name).sources} == {"real", "fake"}


def test_a_layout_of_ones_own(tmp_path: Path) -> None:
    plan = planned(tmp_path / "set", own(tmp_path), ["orig/1.mp4", "swap/1_2.mp4", "masks/1_2.avi", "masks/9_9.avi"])
    assert plan.videos == (
        SourceVideo("mine/real/1", ("orig/1.mp4",)),
        SourceVideo("mine/swap/1_2", ("swap/1_2.mp4",), ("masks/1_2.avi",), "mine/real/1"),
    )
    assert told(plan) == []


@pytest.mark.parametrize(
    ("find", "instead", "expected"),
    [
        ("about:", "colour: red\nabout:", "colour: unknown key"),
        ("label: real, ", "", "sources.0.label: is required"),
        ("label: fake", "label: real", "sources.1: label: real, but the source's name lacks `real`"),
        ("source: swap", "source: RealSwap", "sources.1: label: fake, but the source's name has `real`"),
        ("orig/{id}", "orig/{id", "sources.0.files: expected fields such as {name}"),
        ('pair: "real/{id}"', 'pair: "real/{ident}"', "sources.1.pair: no field {ident} in swap/{id}_{to}.mp4"),
        ("label: real, ", "label: real, where: {a: b}, ", "sources.0.where: there is no table"),
        ("dataset: mine", "dataset: a/b", "dataset: data set 'a/b': expected the name of a folder"),
        ("source: swap", "source: a/b", "source: 'a/b' is not the name of a folder"),
    ],
)
def test_faults_of_a_layout_are_told_with_file_and_field(
    tmp_path: Path, find: str, instead: str, expected: str
) -> None:
    assert find in OWN
    with pytest.raises(ConfigError) as raised:
        load_layout(own(tmp_path, OWN.replace(find, instead)))
    assert expected in str(raised.value)
    assert str(raised.value).startswith(f"{tmp_path}/mine.yaml: ")
    assert "\n" not in str(raised.value)


def test_no_such_layout(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing: no such layout; there are celeb-df-v2, dfdc, fakeavceleb, ffpp"):
        load_layout("nothing")
    with pytest.raises(ConfigError, match=r"gone\.yaml: cannot read: No such file"):
        load_layout(str(tmp_path / "gone.yaml"))


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"not a data set of this layout: holiday\.mp4 is not original_sequences"):
        planned(tmp_path, "ffpp", ["holiday.mp4"])


def test_a_video_in_two_splits(tmp_path: Path) -> None:
    layout = Layout.model_validate(
        {
            "about": "",
            "dataset": "set",
            "splits": {"lists": {"train": "a.txt", "test": "b.txt"}},
            "sources": [{"source": "real", "label": "real", "files": "{id}.mp4", "split_key": "{id}"}],
        }
    )
    for name in ("1.mp4", "a.txt", "b.txt"):
        (tmp_path / name).write_text("1 2")
    plan = plan_layout(tmp_path, layout, "set")
    assert told(plan) == ["error: 1.mp4: in two splits: 1 is in the lists of train and test"]
    assert plan.videos[0].split is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "cannot read this label table"),
        ("[1]", "expected an object of rows, or a list of rows and a key in the layout"),
        ('{"a.mp4": 1}', "expected rows of named columns, found '1'"),
    ],
)
def test_a_damaged_table_is_one_line(tmp_path: Path, text: str, expected: str) -> None:
    plan = planned(tmp_path, "dfdc", ["a.mp4", "b.mp4"], {"metadata.json": text})
    assert plan.videos == ()
    (line,) = told(plan)
    assert line.startswith("error: metadata.json: label table: cannot read this label table: ")
    assert expected in line
    assert line.endswith("files left out for it: 2")


def test_a_table_of_ones_own_and_a_layout_that_builds_on_it(tmp_path: Path) -> None:
    own(
        tmp_path,
        """
about: labels in a table
dataset: base
table: {file: labels.csv, row: "{name}", key: "{filename|stem}"}
sources:
  - {source: real, label: real, files: "*/{name}.mp4", where: {fake: 0}}
  - {source: made, label: fake, files: "*/{name}.mp4", where: {fake: 1, how: [swap, sync]}, video: "{how}/{stem}"}
""",
    )
    (tmp_path / "more.yaml").write_text(
        "extends: mine.yaml\ndataset: more\nsplits: {lists: {test: test.txt}, rest: rest}"
    )
    table = "filename,fake,how\na.mp4,0,\nb.mp4,1,sync\nc.mp4,1,paint\n"
    texts = {"labels.csv": table, "test.txt": "x/b.mp4"}
    plan = planned(tmp_path / "set", str(tmp_path / "more.yaml"), ["x/a.mp4", "x/b.mp4", "x/c.mp4"], texts)
    assert [(video.key, video.split) for video in plan.videos] == [
        ("more/made/sync/b", "test"),
        ("more/real/a", "rest"),
    ]
    assert told(plan) == ["error: x/c.mp4: no label: its row says: fake is 1, how is paint"]
