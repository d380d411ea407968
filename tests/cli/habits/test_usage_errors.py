"""Misspelled and habitual commands and options lead to what is right."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from embedclf.cli.habits.other_tools import COMMANDS, CONFIG_KEYS, OPTIONS
from embedclf.cli.main import main
from embedclf.config.data_section import DataConfig
from embedclf.config.sections import ModelConfig, TextConfig, TrainingConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from tests.conftest import Invoke


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("train --epochs 5 a.csv", "no option --epochs: write -s training.epochs=5"),
        ("embeddings export -o a.npz", "no command embeddings export: write `embedclf export`"),
        ("print-word-vectors a", "no command 'print-word-vectors': write `embedclf export`"),
        ("train a.csv --epochs=5", "no option --epochs: write -s training.epochs=5"),
        ("train a.csv --epochs", "no option --epochs: write -s training.epochs=VALUE"),
        ("train a.csv --lr 0.1", "no option --lr: write -s training.learning_rate=0.1"),
        (
            "train a.csv --learning-rate 1e-3",
            "no option --learning-rate: write -s training.learning_rate=1e-3",
        ),
        ("train a.csv --batch_size 8", "no option --batch_size: write -s training.batch_size=8"),
        (
            "train a.csv --training.batch_size 8",
            "no option --training.batch_size: write -s training.batch_size=8",
        ),
        ("train a.csv --dim 64", "no option --dim: write -s model.embedding_dim=64"),
        ("train a.csv --max-len 99", "no option --max-len: write -s text.sequence_length=99"),
        ("train a.csv --dropout 0.1", "no option --dropout: write -s model.dropout=0.1"),
        ("train a.csv --seed 7", "no option --seed: write -s seed=7"),
        ("train a.csv --optimizer sgd", "no option --optimizer: write -s training.optimizer=sgd"),
        ("train a.csv --gpu", "no option --gpu: write -s training.device=gpu"),
        ("train a.csv --test 'b c.csv'", "no option --test: write -s 'data.test=b c.csv'"),
        ("train a.csv -epoch 25", "no option -epoch: write -s training.epochs=25"),
        ("train a.csv -wordNgrams 2", "no option -wordNgrams: write -s text.ngrams=2"),
        ("train -input a.csv", "no option -input: write `embedclf train a.csv`"),
        ("train --train a.csv", "no option --train: write `embedclf train a.csv`"),
        ("train --config a.yaml", "no option --config: write `embedclf train a.yaml`"),
        ("tune a.yaml --n-trials 9", "no option --n-trials: write --trials 9"),
        (
            "predict --epochs 5",
            "no option --epochs: it is set in training: `embedclf train ... -s training.epochs=5`",
        ),
        ("predict a.csv --quote none", "no option --quote: write -s data.quote=none"),
        ("predict a.csv --text-field x", "no option --text-field: write --text-column x"),
        ("train a.csv --text-field x", "no option --text-field: write --text x"),
        ("evaluate --data a.csv --target x", "no option --target: write --label-column x"),
        ("predict --model runs/a-1", "no option --model: write --run runs/a-1"),
        ("predict a.csv -f", "no option -f; see `embedclf predict --help`"),
        ("threshold a-1 --cutoff 0.3", "no option --cutoff: write --metric 0.3"),
        ("threshold --precision 0.8", "no option --precision: write --metric precision=0.8"),
        ("threshold --recall", "no option --recall: write --metric recall=0.9"),
        ("threshold a-1 --set 0.3", "no option --set: write --metric 0.3"),
        ("threshold --micro-f1", "no option --micro-f1: write --metric micro_f1"),
        ("train a.csv --model X", "no option --model: write -s model.KEY=VALUE"),
        ("predict -m runs/a-1 a.csv", "no option -m: write --run runs/a-1"),
        ("predict --input a.csv", "no option --input: write `embedclf predict a.csv`"),
        ("predict a.csv --top-k 3", "no option --top-k: write --best 3"),
        ("predict a.csv --proba", "no option --proba: write --all-probabilities"),
        ("predict a.csv --format json", "no option --format: write --json"),
        ("predict a.csv --outptu b.csv", "no option --outptu: did you mean --output?"),
        ("evaluate --model a-1", "no option --model: write --run a-1"),
        ("evaluate --test a.csv", "no option --test: write --data a.csv"),
        ("evaluate a-1 --input a.csv", "no option --input: write --data a.csv"),
        ("evaluate -o a.txt", "no option -o: results go to standard output: write > a.txt"),
        ("explain x --output a.html", "no option --output: write --html a.html"),
        ("embeddings neighbors x --phrases", "no option --phrases: write --ngrams"),
        (
            "--run a-1 predict",
            "no option --run: options follow the command: `embedclf predict --run`",
        ),
        ("--epochs 5 train", "no option --epochs; see `embedclf --help`"),
        ("train a.csv --foo", "no option --foo; see `embedclf train --help`"),
        (
            "train a.csv b.csv c.csv",
            "got unexpected extra arguments (b.csv c.csv); for a table of several files, quote a "
            "pattern, such as '*.csv'",
        ),
        ("trian a.csv", "no command 'trian': did you mean 'train'?"),
        ("fit a.csv", "no command 'fit': write `embedclf train`"),
        ("test", "no command 'test': write `embedclf evaluate`"),
        ("nn great", "no command 'nn': write `embedclf embeddings neighbors`"),
        ("embeddings neigbors x", "no command 'neigbors': did you mean 'neighbors'?"),
        ("xyz", "no command 'xyz'; see `embedclf --help`"),
        ("help", "write `embedclf --help`"),
        ("help train", "write `embedclf train --help`"),
        ("report --output", "option '--output' requires an argument; see `embedclf report --help`"),
    ],
)
def test_a_habit_leads_to_what_is_right(line: str, hint: str, invoke: Invoke) -> None:
    stderr = invoke(*shlex.split(line), status=2).stderr
    # The runner of the tests calls the program by the name of its function.
    assert re.sub(r"\bmain\b", "embedclf", stderr) == f"embedclf: {hint}\n"


SECTIONS: dict[str, type[BaseModel]] = {
    "data": DataConfig,
    "text": TextConfig,
    "model": ModelConfig,
    "training": TrainingConfig,
}
KEYS = [f"{name}.{key}" for name, section in SECTIONS.items() for key in section.model_fields]


@pytest.mark.parametrize("key", KEYS)
def test_every_config_key_can_be_tried_as_an_option(key: str, invoke: Invoke) -> None:
    option = f"--{key.replace('_', '-')}"
    stderr = invoke("train", "a.csv", option, "1", status=2).stderr
    assert stderr == f"embedclf: no option {option}: write -s {key}=1\n"


def leaves(group: click.Group = main) -> Iterator[click.Command]:
    """The commands that are no groups."""
    for command in group.commands.values():
        if isinstance(command, click.Group):
            yield from leaves(command)
        else:
            yield command


def names(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts}


def test_what_is_suggested_exists() -> None:
    for path in COMMANDS:
        command: click.Command = main
        for name in path.split():
            assert isinstance(command, click.Group)
            command = command.commands[name]
    assert set(OPTIONS) <= {name for command in leaves() for name in names(command)}
    assert set(CONFIG_KEYS) <= {*KEYS, "seed"}


def test_no_habit_is_an_option_or_a_command_already() -> None:
    for name, words in OPTIONS.items():
        for owner in leaves():
            # Some commands have both --text and --text-column.
            if name in names(owner) and f"{name}-column" not in names(owner):
                assert not {f"--{word}" for word in words.split()} & names(owner), owner.name
    habits = {habit for words in COMMANDS.values() for habit in words.split()}
    assert not habits & set(main.commands)


@given(st.sampled_from(sorted(main.commands)), st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1))
def test_any_unknown_option_is_one_line(command: str, option: str) -> None:
    done = CliRunner().invoke(main, [command, f"--no-{option}", "x"])
    assert done.exit_code == 2
    assert done.stderr.startswith("embedclf: ") or command == "embeddings"
    assert done.stderr.count("\n") == 1
