"""How far training moved vectors, from where they began."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from embedclf.config.loading import load_config
from embedclf.data.dataset import prepare_dataset
from embedclf.inference.embeddings import Embeddings
from embedclf.runs.run import Run
from embedclf.training.initialization import initialize
from embedclf.training.movement import initial_vectors, measure_movement

if TYPE_CHECKING:
    from tests.conftest import Invoke


INITIALIZATIONS = {
    "random": [],
    "naive_bayes": ["model.initialization=naive_bayes", "model.pooling=sqrt", "text.ngrams=2"],
    "file": ["model.initialization=vectors.txt"],
    "frozen": ["model.initialization=vectors.txt", "model.trainable_embedding=false"],
}


@pytest.mark.parametrize("start", INITIALIZATIONS)
def test_the_initial_vectors_of_a_run_are_restored(
    workplace: Path, invoke: Invoke, start: str
) -> None:
    flags = [flag for one in INITIALIZATIONS[start] for flag in ("-s", one)]
    invoke("train", "binary.yaml", "-q", "-o", "run", *flags)
    run = Run.open(Path("run"))
    dataset = prepare_dataset(load_config(workplace / "binary.yaml", INITIALIZATIONS[start]))
    known = Embeddings.from_run(run)
    assert (initial_vectors(run, known) == initialize(dataset).rows).all()
    assert known.counts is not None
    assert known.entry(known.find_row("hotel")).count == sum(
        "hotel" in text for text in texts_of(dataset)
    )
    result = measure_movement(run, 5)
    assert len(result.moved) == 5
    assert (result.moved[0].distance > 0) == (start != "frozen")
    assert [one.distance for one in result.moved] == sorted(
        (one.distance for one in result.moved), reverse=True
    )


def texts_of(dataset: Any) -> list[str]:
    """What training reads, token by token."""
    known = dataset.tokenizer
    return [" ".join(known.decode(ids[: known.sequence_length])) for ids in dataset.train.ids]


def test_changed_or_missing_word_vectors_are_refused(workplace: Path, invoke: Invoke) -> None:
    invoke("train", "binary.yaml", "-q", "-o", "run", "-s", "model.initialization=vectors.txt")
    table = workplace / "vectors.txt"
    table.write_text(table.read_text().replace("0.1", "0.2"))
    stderr = invoke("embeddings", "movement", "--run", "run", status=2).stderr
    assert "vectors.txt: not the word vectors that the run started from; restore" in stderr
    table.unlink()
    stderr = invoke("embeddings", "movement", "--run", "run", status=1).stderr
    assert "vectors.txt" in stderr
