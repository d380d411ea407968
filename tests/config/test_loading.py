"""Configs: read, overridden, validated, and written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.config.loading import dump_config, load_config
from embedclf.config.schema import Config
from embedclf.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FAULTY = """\
data:
  train: ../data/reviews.csv
  validaton: 0.1
text:
  unit: charcter
  vocabulary_size: 1
  lowercase: true
  lowercase: false
model:
  embeding_dim: 128
  epochs: 3
  hidden_units: [3, x]
training:
  class_weight: {01: 2, no: -1}
  epochs: true
  early_stopping: 3.5
  learning_rate: .inf
seed: "4"
foo: 1
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def refused(file: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(file, overrides)
    return str(caught.value).replace(f"{file.parent}/", "")


def test_all_faults_are_reported_at_once_with_their_places(
    tmp_path: Path, golden: Callable[[str, str], None]
) -> None:
    message = refused(
        write(tmp_path, FAULTY), "model.poolin=max", "training.bach_size=3", "data.label=[]"
    )
    golden("config-faults.txt", message + "\n")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "config.yaml:1:1: data: missing"),
        ("- a", "config.yaml:1:1: not a mapping"),
        ("a: [1", "config.yaml:1:6: not YAML"),
        ("data:\n\ttrain: a.csv", "config.yaml:2:1: not YAML: a tab; indent with spaces"),
        ('a: 1\nb: "c\nd: 2\n', "config.yaml:2:4: not YAML: this quote is never closed"),
        (
            "data: {train: a.csv}\ntest: t.csv",
            "config.yaml:2:1: test: unknown key; did you mean 'data.test'?",
        ),
        ("data: {train: a.csv, sep: x}", "data.sep: unknown key; valid keys: train"),
        ("a: b: c", "config.yaml:1:5: not YAML"),
        ("a: [b]+", "config.yaml:1:7: not YAML: a value ends here, but the line continues"),
        ("a: &x [*x]", "config.yaml:1:4: an alias refers to itself"),
        ("? [a]\n: 3", "config.yaml:1:3: a key must be a word"),
        ("a: !!int x", "config.yaml:1:4: not YAML: cannot read 'x'"),
        ("a: \x00", "not YAML"),
        ("a: !!int ''", "not YAML: cannot read ''"),
        ("a: !!bool x", "not YAML: cannot read 'x'"),
        ("a: " + "[" * 1000, "config.yaml:1:53: nested too deep"),
        ("data: {train: a.csv, label: [a]}", "a list of two or more names"),
        ("data: {train: a.csv, label: [a, a]}", "column a is named twice in text and label"),
        ("data: {train: a.csv, text: [t, label]}", "column label is named twice"),
        ("data: {train: a.csv}\nmodel: {dropout: '0.5'}", "dropout: must be a number"),
        ("data: {train: a.csv}\ntraining: {learning_rate: true}", "must be a number, not true"),
        ("data: {train: a.csv}\ntraining: {batch_size: 99999999999}", "less than or equal to 2147"),
        ("data: 3", "config.yaml:1:1: data: must be a mapping of keys, not 3"),
        (
            "data: {train: 3}",
            "data.train: must be a file, a folder, a pattern",
        ),
        ("data: {train: a.csv, label: 1}", "data.label: must be a column name"),
        ("data: {train: a.csv, validation: 1.5}", "must be a fraction from 0 to 1, or a table"),
        ("data: {train: a.csv, label: [a, b], label_separator: x}", "needs a single label column"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path: Path, text: str, fault: str) -> None:
    message = refused(write(tmp_path, text))
    assert fault in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("line", "fixed"),
    [
        (
            r'train: "C:\new\data.csv"',
            r"write train: 'C:\new\data.csv' with single quotes, or use /",
        ),
        (
            r'train: "C:\Users\me.csv"',
            r"write train: 'C:\Users\me.csv' with single quotes, or use /",
        ),
        (r'train: "C:\data\it' + "'s.csv\"", "use / or two backslashes"),
        (r'train: "C:\new\temp.csv"', r"write 'C:\new\temp.csv' in single quotes, or use /"),
        (r'train: ["a.csv", "C:\rows.csv"]', r"write 'C:\rows.csv' in single quotes, or use /"),
        (r'train: "C:\Program\new.csv"', r"write 'C:\Program\new.csv' in single quotes, or use /"),
    ],
)
def test_a_windows_path_in_double_quotes_gets_the_fix(
    tmp_path: Path, line: str, fixed: str
) -> None:
    message = refused(write(tmp_path, f"data:\n  {line}\n"))
    assert message.startswith("config.yaml:2:")
    assert message.endswith(fixed)
    assert message.isprintable()
    assert "C:" in message or "two backslashes" in message
    override = line.replace("train: ", "data.train=")
    config = write(tmp_path, "data: {train: a.csv}")
    assert "single quotes" in refused(config, override) or "two backslashes" in refused(
        config, override
    )


def test_a_path_with_a_control_character_is_fine_if_the_file_exists(tmp_path: Path) -> None:
    (tmp_path / "a\tb.csv").touch()
    loaded = load_config(write(tmp_path, r'data: {train: "a\tb.csv"}'))
    assert loaded.data.train == str(tmp_path / "a\tb.csv")


def test_a_missing_or_undecodable_file_is_named(tmp_path: Path) -> None:
    assert "no.yaml: No such file" in refused(tmp_path / "no.yaml")
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"data: \xe9")
    assert "latin.yaml: not UTF-8 at byte 6" in refused(file)


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("seed", "-s seed: not KEY=VALUE"),
        ("=3", "-s =3: not KEY=VALUE"),
        ("seed=[", "-s seed=[: not YAML"),
        ("text.token_pattern=[a-z]+", "a value ends here, but the line continues; put all of it"),
        ("text.token_pattern=@[a-z]", "cannot start any token; put the value in single quotes"),
        ("seed.x=3", "-s seed.x=3: seed is a value, not a section"),
        ("seed=-1", "-s seed=-1: seed: must be greater than or equal to 0, not -1"),
        ("model.epochs=3", "did you mean 'training.epochs'?"),
        ("training.device=gpus", "did you mean 'gpu'?"),
        ("text.token_pattern=word", "unknown name 'word'; did you mean 'words'?"),
        ("text.token_pattern=foo", "names: classic, words, words_and_symbols"),
        ("text.token_pattern='(a'", "not a regular expression of RE2: missing ): (a; fix it"),
        ("text.token_pattern='a)|(b'", "not a regular expression of RE2: unexpected )"),
        (r"text.token_pattern='\b'", "also matches nothing; write + instead of *"),
        ("text.token_pattern=x*", "also matches nothing; write + instead of *"),
    ],
)
def test_a_bad_override_is_named(tmp_path: Path, override: str, fault: str) -> None:
    assert fault in refused(write(tmp_path, "data: {train: a.csv}\nseed: 1\n"), override)


@pytest.mark.parametrize(
    "pattern", [r"[\pL\pN]+", "(?i)(c)(#|[+]+)", "(?P<tag>#.)", ".", "<>", "c|d"]
)
def test_a_regular_expression_can_be_a_token_pattern(tmp_path: Path, pattern: str) -> None:
    path = write(tmp_path, f"data: {{train: a.csv}}\ntext:\n  token_pattern: '{pattern}'\n")
    assert load_config(path).text.token_pattern == pattern


@pytest.mark.parametrize("sign", list("|>#,&*!%@`?:-"))
def test_a_single_reserved_character_stands_for_itself(tmp_path: Path, sign: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("data: {train: a.csv}\n", encoding="utf-8")
    loaded = load_config(path, [f"data.label_separator={sign}"])
    assert loaded.data.label_separator == sign


def test_all_faults_of_overrides_are_reported_at_once(tmp_path: Path) -> None:
    message = refused(write(tmp_path, "data: {train: a.csv}\n"), "foo", "seed=x", "model=[")
    assert [line.partition(":")[0] for line in message.splitlines()] == [
        "-s foo",
        "-s model=[",
        "-s seed=x",
    ]


def test_the_home_of_an_unknown_user_is_a_plain_path(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, "data: {train: ~nosuchuser/a.csv}\n"))
    assert config.data.train == str(tmp_path / "~nosuchuser" / "a.csv")


def test_overrides_win_in_order_and_take_yaml(tmp_path: Path) -> None:
    file = write(tmp_path, "data: {train: a.csv}\ntraining: {epochs: 1}\n")
    config = load_config(
        file,
        [
            "training.epochs=2",
            "training.epochs=3",
            "training.learning_rate=3e-4",
            "training.early_stopping=",
            "training.class_weight={01: 2, no: 3}",
            "data.label=no",
        ],
    )
    assert config.training.epochs == 3
    assert config.training.learning_rate == 0.0003
    assert config.training.early_stopping is None
    assert config.training.class_weight == {"01": 2.0, "no": 3.0}
    assert config.data.label == "no"


def test_paths_start_at_the_file_but_those_of_overrides_at_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "configs"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    file = write(folder, "data: {train: ../a.csv, validation: v.csv}\n")
    config = load_config(file.relative_to(tmp_path), ["data.test=t.csv"])
    assert config.data.train == str(tmp_path / "a.csv")
    assert config.data.validation == str(folder / "v.csv")
    assert config.data.test == str(tmp_path / "t.csv")


def test_each_file_of_a_list_has_its_own_path_and_uris_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "configs"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    uri = "s3://bucket/a//b.csv?region=x"
    file = write(folder, f"data: {{train: [a.csv, ../b/*.csv, '{uri}'], validation: '{uri}'}}\n")
    config = load_config(file, ["data.test=[t.csv, /u.csv]"])
    assert config.data.train == (f"{folder}/a.csv", f"{tmp_path}/b/*.csv", uri)
    assert config.data.validation == uri
    assert config.data.test == (f"{tmp_path}/t.csv", "/u.csv")
    dumped = write(tmp_path, dump_config(config, tmp_path))
    assert f'train: ["configs/a.csv", "b/*.csv", "{uri}"]' in dumped.read_text()
    assert load_config(dumped) == config


@pytest.mark.parametrize("pattern", ["*.csv", "**/*.csv"])
def test_a_pattern_that_begins_with_a_star_needs_quotes_in_a_config_only(
    tmp_path: Path, pattern: str
) -> None:
    file = write(tmp_path, "data: {train: a.csv}\n")
    train = load_config(file, [f"data.train={pattern}"]).data.train
    assert train == os.path.abspath(pattern)
    message = refused(write(tmp_path, f"data:\n  train: {pattern}\n"))
    assert "put a pattern in quotes, such as '*.csv'" in message


@pytest.mark.parametrize("value", ["[]", "[1]", "{a: b}", "3", "['']"])
def test_a_table_is_named_by_text(tmp_path: Path, value: str) -> None:
    message = refused(write(tmp_path, f"data: {{train: {value}}}\n"))
    assert "data.train: must be a file, a folder, a pattern" in message


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
TABLES = st.sampled_from(["/d/a.csv", "/d/e/ü b.csv", "/d/*.csv", "gs://b/e f/*.csv?x=1"])
SECTIONS = st.fixed_dictionaries(
    {
        "data": st.fixed_dictionaries(
            {"train": st.one_of(TABLES, st.lists(TABLES, min_size=1, max_size=3))},
            optional={
                "validation": st.one_of(
                    st.floats(0.01, 0.99), st.sampled_from(["/d/v.csv", "/v.tsv"])
                ),
                "label": st.one_of(NAMES, st.lists(NAMES, min_size=2, max_size=3, unique=True)),
                "text": NAMES.map("text-{}".format),
                "delimiter": st.sampled_from([";", "\t", None]),
            },
        )
    },
    optional={
        "text": st.fixed_dictionaries({"vocabulary_size": st.integers(3, 10**6)}),
        "training": st.fixed_dictionaries(
            {
                "learning_rate": st.floats(1e-9, 1e3),
                "class_weight": st.one_of(
                    st.just("balanced"), st.dictionaries(NAMES, st.floats(0.001, 1000))
                ),
                "early_stopping": st.one_of(st.none(), st.integers(1, 9)),
            }
        ),
        "seed": st.integers(0, 2**32 - 1),
    },
)


@given(SECTIONS)
def test_a_dumped_config_loads_as_an_equal_config(
    tmp_path_factory: pytest.TempPathFactory, sections: dict[str, Any]
) -> None:
    config = Config.model_validate(sections)
    folder = tmp_path_factory.mktemp("dump")
    assert load_config(write(folder, dump_config(config, folder))) == config
