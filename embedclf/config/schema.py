"""The schema: keys, types, bounds, defaults."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from embedclf.config.fields import (
    ClassWeight,
    Columns,
    Count,
    FiniteNumber,
    Fraction,
    Initialization,
    LabelColumns,
    Section,
    Threshold,
    search_space_model,
    union_error,
)

DATA_FILES = ("train", "validation", "test")
"""Keys of `data` whose string is the path of a table."""

BUILT_IN_INITIALIZATIONS = ("random", "naive_bayes", "glove")
"""Values of `model.initialization` that are not a file."""


class DataConfig(Section):
    """Where the labelled texts are."""

    train: Path = Field(description="Table of training rows: csv, tsv, jsonl or parquet; .gz too.")
    validation: Annotated[Fraction | Path, union_error("a fraction between 0 and 1, or a file")] = (
        Field(
            0.1,
            description="Share of the training rows to hold out (stratified, seeded, equal texts "
            "on one side), or a table of its own.",
        )
    )
    test: Path | None = Field(None, description="Table that is scored once, after training.")
    text: Columns = Field("text", description="Column of the text; several are joined by a blank.")
    label: LabelColumns = Field(
        "label",
        description="Column of the label, or several columns of 0 and 1: one a label.",
    )
    label_separator: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="What parts several labels in one cell; makes the task multi-label.",
    )
    # Two characters, for a tab written as \t.
    delimiter: Annotated[str, Field(min_length=1, max_length=2)] | None = Field(
        None, description="What parts the columns of a text table; null detects it."
    )
    encoding: str | None = Field(
        None,
        description="Encoding of a text table; null is UTF-8 unless a byte-order mark tells.",
    )
    skip_invalid: bool = Field(
        False, description="Drop rows whose label is empty instead of refusing the table."
    )

    @property
    def text_columns(self) -> list[str]:
        """The text columns, as a list even if there is only one."""
        return [self.text] if isinstance(self.text, str) else self.text

    @property
    def label_columns(self) -> list[str]:
        """The label columns, as a list even if there is only one."""
        return [self.label] if isinstance(self.label, str) else self.label

    @model_validator(mode="after")
    def _check_columns(self) -> DataConfig:
        if self.label_separator is not None and isinstance(self.label, list):
            raise PydanticCustomError(
                "both", "label_separator goes with one label column, not with a list of them"
            )
        columns = [*self.text_columns, *self.label_columns]
        duplicate = next((column for column in columns if columns.count(column) > 1), None)
        if duplicate is not None:
            raise PydanticCustomError(
                "both", "column {column} is named twice among text and label", {"column": duplicate}
            )
        return self


class TextConfig(Section):
    """How a text becomes token ids."""

    unit: Literal["word", "character"] = Field(
        "word", description="Token: a word, or a character; runs of these know the parts of words."
    )
    lowercase: bool = Field(True, description="Whether upper and lower case are one.")
    vocabulary_size: Annotated[int, Field(strict=True, ge=3, le=10_000_000)] = Field(
        10_000, description="Most rows of the embedding; padding and unknown take two."
    )
    sequence_length: Annotated[int, Field(strict=True, ge=1, le=100_000)] = Field(
        10, description="Tokens of a text: shorter texts are padded, longer ones cut."
    )
    min_count: Count = Field(
        1, description="How often a token or an n-gram must be in the training texts."
    )
    ngrams: Annotated[int, Field(strict=True, ge=1, le=5)] = Field(
        1, description="Most tokens of a phrase that counts as one: 2 knows pairs too."
    )
    ngram_vocabulary_size: Annotated[int, Field(strict=True, ge=1, le=100_000_000)] = Field(
        200_000, description="Most phrases; the rows of the embedding beside those of tokens."
    )


class ModelConfig(Section):
    """The network between token ids and probabilities."""

    embedding_dim: Annotated[int, Field(strict=True, ge=1, le=10_000)] = Field(
        128, description="Numbers that stand for one token."
    )
    initialization: Initialization = Field(
        "random",
        description="What the vectors of tokens are before training: random, naive_bayes (random "
        "too, but what stands in texts of one label above all begins larger and learns quicker), "
        "glove (the package of the extra of that name), or a file of word vectors as text.",
    )
    trainable_embedding: bool = Field(
        True, description="Whether training changes the vectors of tokens; false needs some."
    )
    pooling: Literal["flatten", "average", "max", "sqrt"] = Field(
        "flatten",
        description="How the vectors of a text become one: flatten keeps positions; sqrt is their "
        "sum over the root of their number.",
    )
    # pydantic copies a mutable default for each instance.
    hidden_units: list[Annotated[int, Field(strict=True, ge=1, le=100_000)]] = Field(
        default=[], description="Units of each hidden layer (ReLU) before the output."
    )
    dropout: FiniteNumber = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share dropped in training: after pooling and hidden layers.",
    )

    @model_validator(mode="after")
    def _check_frozen_vectors(self) -> ModelConfig:
        if self.initialization in ("random", "naive_bayes") and not self.trainable_embedding:
            raise PydanticCustomError(
                "both",
                "trainable_embedding: false keeps what initialization gives, and random vectors "
                "say nothing; name word vectors there, or leave it out",
            )
        return self


class TrainingConfig(Section):
    """How the network is fitted."""

    epochs: Count = Field(10, description="Most passes over the training rows.")
    early_stopping: Count | None = Field(
        3,
        description="Epochs without a better validation loss before it stops; null never stops.",
    )
    batch_size: Count = Field(32, description="Rows of one step.")
    optimizer: Literal["adam", "adagrad", "sgd", "rmsprop"] = Field(
        "adam", description="Rule of the steps, with Keras's constants."
    )
    learning_rate: FiniteNumber = Field(0.003, gt=0, description="Size of the steps.")
    schedule: Literal["constant", "linear"] = Field(
        "constant", description="Of the learning rate: it stays, or falls to 0 over all epochs."
    )
    refit: bool = Field(
        False,
        description="Whether, once the best epoch is known, a new network is trained for so many "
        "epochs on all rows, those held out too; their scores stay those of the first.",
    )
    class_weight: ClassWeight = Field(
        "none",
        description="Weight of the rows of each label: none, balanced, or {label: weight}.",
    )
    calibration: Literal["none", "temperature", "isotonic"] = Field(
        "none",
        description="What makes probabilities come true as often as they say; learned on "
        "validation rows. With temperature an epoch is judged by the loss that it would leave.",
    )
    threshold: Threshold = Field(
        0.5,
        description="Probability from which on a label is given, or what it is to reach on "
        "validation rows; each of several labels has its own, but by micro_f1.",
    )
    device: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="Where to train; gpu fails where there is none."
    )


# Type checkers cannot follow models made at run time, and need classes to refer to.
if TYPE_CHECKING:

    class TextSpace(Section):
        """What to try of `text`: its keys, each with its choices."""

    class ModelSpace(Section):
        """The same of `model`."""

    class TrainingSpace(Section):
        """The same of `training`."""
else:
    TextSpace, ModelSpace = search_space_model(TextConfig), search_space_model(ModelConfig)
    TrainingSpace = search_space_model(TrainingConfig, exclude={"device", "refit"})


class TuneConfig(Section):
    """What `embedclf tune` tries: for any key a list of values, of numbers also a range."""

    text: TextSpace = Field(TextSpace(), description="Keys of `text`.")
    model: ModelSpace = Field(ModelSpace(), description="Keys of `model`.")
    training: TrainingSpace = Field(TrainingSpace(), description="Keys of `training`.")


class Config(Section):
    """A whole config: what `embedclf train` needs to know."""

    data: DataConfig = Field(description="Where the labelled texts are.")
    text: TextConfig = Field(TextConfig(), description="How a text becomes token ids.")
    model: ModelConfig = Field(ModelConfig(), description="The network.")
    training: TrainingConfig = Field(TrainingConfig(), description="How it is fitted.")
    # NumPy's global generator, which Keras seeds as well, takes 32 bits.
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = Field(
        42,
        description="Source of all randomness: split, first weights, order of rows, dropout.",
    )
    tune: TuneConfig = Field(
        TuneConfig(), description="What `embedclf tune` tries; empty tries what is usual."
    )

    @model_validator(mode="after")
    def _check_refit(self) -> Config:
        if self.training.refit and isinstance(self.data.validation, Path):
            raise PydanticCustomError(
                "both",
                "training.refit goes with a share of the rows in data.validation; a table there is "
                "for validation alone: add its rows to data.train, or leave refit out",
            )
        return self

    @model_validator(mode="after")
    def _check_ngrams(self) -> Config:
        if self.model.pooling == "flatten" and self.text.ngrams > 1:
            raise PydanticCustomError(
                "both",
                "text.ngrams above 1 goes with model.pooling: average, sqrt or max: flatten has "
                "weights for each place, and would see most phrases in most places never",
            )
        return self


def json_schema() -> dict[str, Any]:
    """Describe the config as a JSON schema, for editors that complete and check YAML."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(),
        "title": "embedclf config",
    }
