from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conftest import write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke


def test_scripts_without_spaces_are_split_into_characters(tmp_path: Path, invoke: Invoke) -> None:
    texts = {
        "chinese": "味道很好，送餐也很快。",
        "segmented": "味道 很 好 ， 送餐 也 很 快 。",
        "korean": "정말 재미있는 영화였어요",
        "thai": "อาหารอร่อยมากและส่งเร็ว",
        "english": "It was lovely",
    }
    for name, text in texts.items():
        rows = [(f"{text} {n}", "ab"[n % 2]) for n in range(40)]
        path = write_csv(tmp_path / f"{name}.csv", ["text", "label"], rows)
        unit = "character" if name in {"chinese", "thai"} else "word"
        assert f"unit: {unit}\n" in invoke("init", path, "-o", "-", "-q").stdout, name


def test_labels_in_a_table_sorted_by_label_are_found(tmp_path: Path, invoke: Invoke) -> None:
    rows = [(f"a text of number {n}", "first" if n < 10_500 else "second") for n in range(12_000)]
    path = write_csv(tmp_path / "t.csv", ["text", "label"], rows)
    output = invoke("init", path, "-o", "-", "-q", "--json").stdout
    assert "'first' 10,500, 'second' 1,500" in output
