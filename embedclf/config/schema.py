"""The whole config: sections, search space, rules across sections, JSON schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, PrivateAttr, model_validator
from pydantic_core import PydanticCustomError

from embedclf.config.data_section import DataConfig
from embedclf.config.fields import Section, allow_auto, search_space_model
from embedclf.config.sections import ModelConfig, TextConfig, TrainingConfig

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

SECTIONS: dict[str, type[Section]] = {
    "data": DataConfig,
    "text": TextConfig,
    "model": ModelConfig,
    "training": TrainingConfig,
}
"""Sections with keys that describe a training."""

# Type checkers cannot follow models made at run time, and need classes to refer to.
if TYPE_CHECKING:

    class TextSpace(Section):
        """Values to try in `text`, by key."""

    class ModelSpace(Section):
        """Values to try in `model`, by key."""

    class TrainingSpace(Section):
        """Values to try in `training`, by key."""
else:
    TextSpace = search_space_model(TextConfig, __name__)
    ModelSpace = search_space_model(ModelConfig, __name__)
    TrainingSpace = search_space_model(
        TrainingConfig, __name__, exclude={"device", "refit", "teacher"}
    )


class TuneConfig(Section):
    """Search space of `embedclf tune`: a list of values for a key, or a range of numbers."""

    text: TextSpace = Field(TextSpace(), description="Values to try in `text`.")
    model: ModelSpace = Field(ModelSpace(), description="Values to try in `model`.")
    training: TrainingSpace = Field(TrainingSpace(), description="Values to try in `training`.")


class Config(Section):
    """A config: everything that `embedclf train` needs to know.

    Keys that are left out, or are `auto`, are chosen from the data.
    """

    data: DataConfig = Field(description="The labeled texts, and how to read them.")
    text: TextConfig = Field(TextConfig(), description="How a text becomes token ids.")
    model: ModelConfig = Field(ModelConfig(), description="The network.")
    training: TrainingConfig = Field(TrainingConfig(), description="How the network is trained.")
    # NumPy's global generator, which Keras seeds as well, takes 32 bits.
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = Field(
        42,
        description="Seed of everything random: split, first weights, order of rows, dropout.",
    )
    tune: TuneConfig = Field(
        TuneConfig(),
        description="Search space of `embedclf tune`. Left out: values around those of the config.",
    )

    _reasons: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def reasons(self) -> dict[str, str]:
        """Why each value was chosen that was chosen from the data, by key: `model.pooling`."""
        return self._reasons

    def with_reasons(self, reasons: Mapping[str, str]) -> Config:
        """Return a copy that knows why values were chosen; they become comments in its YAML."""
        config = self.model_copy()
        config._reasons = dict(reasons)
        return config

    def written(self) -> frozenset[str]:
        """Return the keys that were set, not left out: `model.pooling`."""
        return frozenset(
            f"{section}.{key}"
            for section in SECTIONS
            for key in getattr(self, section).model_fields_set
        )

    def with_defaults_written(self, keys: Collection[str]) -> Config:
        """Return a copy in which some keys count as set, even if they were left out."""
        sections = {
            name: getattr(self, name).model_copy(
                update={
                    key: getattr(getattr(self, name), key)
                    for key in section.model_fields
                    if f"{name}.{key}" in keys
                }
            )
            for name, section in SECTIONS.items()
        }
        return self.model_copy(update=sections)

    @model_validator(mode="after")
    def _check_refit(self) -> Config:
        if self.training.refit and not isinstance(self.data.validation, float):
            raise PydanticCustomError(
                "both",
                "refit needs validation rows held out from data.train, but data.validation is a "
                "table; write training.refit: false, or add the table's rows to data.train",
                {"key": "training.refit"},
            )
        return self

    @model_validator(mode="after")
    def _check_epochs_by(self) -> Config:
        if self.training.epochs_by == "cross_validation" and self.data.time is not None:
            raise PydanticCustomError(
                "both",
                "cross_validation would let later rows choose the epochs for earlier ones, but "
                "data.time is set; write training.epochs_by: validation",
                {"key": "training.epochs_by"},
            )
        if self.training.epochs_by == "cross_validation" and self.training.teacher != "none":
            raise PydanticCustomError(
                "both",
                "cross_validation leaves out rows that the teacher has learned from; write "
                "training.epochs_by: validation",
                {"key": "training.epochs_by"},
            )
        return self

    @model_validator(mode="after")
    def _check_teacher(self) -> Config:
        if self.training.teacher != "none" and self.data.unlabelled is None:
            raise PydanticCustomError(
                "both",
                "a teacher labels the texts of data.unlabelled; set that to a table, or "
                "training.teacher: none",
                {"key": "training.teacher"},
            )
        return self

    @model_validator(mode="after")
    def _check_fields(self) -> Config:
        if self.text.sequence_length <= (fields := len(self.data.fields)):
            raise PydanticCustomError(
                "both",
                "must be above {fields}, because the tokens of data.fields come first",
                {"key": "text.sequence_length", "fields": fields},
            )
        return self

    @model_validator(mode="after")
    def _check_flatten(self) -> Config:
        # Only if it was written: the pooling of a config without the key is not known yet.
        if self.model.pooling != "flatten" or "pooling" not in self.model.model_fields_set:
            return self
        if self.text.ngrams > 1:
            raise PydanticCustomError(
                "both",
                "above 1 needs model.pooling: sqrt, average or max; flatten has separate weights "
                "for each position, where most n-grams never occur in training",
                {"key": "text.ngrams"},
            )
        if (
            "sequence_length" not in self.text.model_fields_set
            and getattr(self.tune.text, "sequence_length", None) is None
        ):
            raise PydanticCustomError(
                "both",
                "flatten has weights for each position and needs a fixed length; add "
                "text.sequence_length: 10",
                {"key": "model.pooling"},
            )
        return self


def json_schema() -> dict[str, Any]:
    """Describe the config as a JSON schema, for editors that complete and check YAML."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(),
        "title": "embedclf config",
    }


def auto_keys() -> tuple[str, ...]:
    """Return the keys whose value can be `auto`, in the order of the schema: `data.text`."""
    return tuple(
        f"{name}.{key}"
        for name, section in SECTIONS.items()
        for key, field in section.model_fields.items()
        if field.json_schema_extra is allow_auto
    )
