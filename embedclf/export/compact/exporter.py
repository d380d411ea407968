"""A run -> a much smaller run, for all commands that predict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from embedclf.config.loading import dump_config
from embedclf.errors import DataError, RequestError, RunError
from embedclf.export.compact.search import find_smallest
from embedclf.export.exporter import Scores
from embedclf.runs.classifier_files import CALIBRATION_FILE, LABELS_FILE
from embedclf.runs.compact_files import write_quantized, write_vocabulary
from embedclf.runs.known_files import CONFIG_FILE, HISTORY_FILE, METRICS_FILE
from embedclf.runs.run import COMPACT_FORMAT, Run
from embedclf.runs.sealed_json import compute_checksum, seal_json
from embedclf.runs.writer import RunDraft

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from embedclf.export.compact.search import Compaction
    from embedclf.export.exporter import ExportSource

_LEFT_OUT = ("format", "files", "trainable_parameters")
"""Keys of the record that describe other files."""


class CompactExporter:
    """Writes a compact run, and reads it as any run is read."""

    title = "compact run"

    def prepare(self, source: ExportSource) -> ExportSource:
        """Find the smallest classifier; raises RequestError if there is none."""
        if source.run.is_compact:
            raise RequestError(
                f"{source.run.path}: is a compact run; name the run that it was made from, "
                f"{source.run.record['compact']['run']!r}"
            )
        try:
            self._found = find_smallest(source.run, source.classifier, source.options.max_loss)
        except (DataError, RunError) as error:
            fault = str(error).partition(";")[0]  # other commands could use other rows
            raise RequestError(
                f"{source.run.path}: its validation rows decide what a compact run may leave out; "
                f"restore their table, or train again: {fault}"
            ) from error
        return replace(source, classifier=self._found.classifier)

    def write(self, source: ExportSource, folder: Path) -> dict[str, Any]:
        """Write the files of a run."""
        run, found, draft = source.run, self._found, RunDraft(folder)
        classifier = found.classifier
        draft.write(CONFIG_FILE, dump_config(run.config(), folder))
        draft.write_bytes(HISTORY_FILE, run.read(HISTORY_FILE))
        draft.write_json(LABELS_FILE, classifier.labels.to_json())
        if classifier.calibration is not None:
            draft.write_json(CALIBRATION_FILE, classifier.calibration.to_json())
        write_vocabulary(draft, classifier.tokenizer)
        write_quantized(draft, found.weights)
        scores = found.rows.score(found.shift)
        metrics = {"decision": run.threshold_settings(), "validation": scores.to_json()}
        draft.write(METRICS_FILE, seal_json(metrics, indent=None))
        facts = _facts(source, found)
        draft.write_record(_record(run, found) | {"compact": facts})
        return facts | {"bytes_now": Run.read_record(folder).size}

    def load(self, folder: Path, source: ExportSource) -> Callable[[Sequence[str]], Scores]:
        """Open the run, and return what scores texts."""
        del source
        classifier = Run.open(folder).classifier()

        def score(texts: Sequence[str]) -> Scores:
            ids = classifier.tokenizer.encode(texts).ids
            probabilities = classifier.predict_proba_ids(ids)
            by_label = classifier.labels.label_probabilities(probabilities)
            return Scores(by_label, [of_text.tolist() for of_text in ids])

        return score


def _record(run: Run, found: Compaction) -> dict[str, Any]:
    """Return the record of a run with the sizes of the compact one."""
    tokenizer, weights = found.classifier.tokenizer, found.weights
    dense = sum(kernel.size + len(bias) for kernel, bias in weights.dense)
    kept = {key: value for key, value in run.record.items() if key not in _LEFT_OUT}
    sizes = {
        "vocabulary": tokenizer.first_ngram_id,
        "phrases": len(tokenizer.ngrams),
        "vector_words": tokenizer.vector_words,
    }
    return kept | {
        "format": COMPACT_FORMAT,
        "parameters": weights.multiples.size + dense,
        **{key: size for key, size in sizes.items() if key in kept},
    }


def _facts(source: ExportSource, found: Compaction) -> dict[str, Any]:
    """Return what the compact run was made from, and what that cost."""
    run, before, after = source.run, source.run.classifier().tokenizer, found.classifier.tokenizer
    return {
        "run": run.path.resolve().name,
        "sha256": compute_checksum(run.record["files"]),
        "bytes": run.size,
        "tokens_left_out": len(before.tokens) - len(after.tokens),
        "ngrams_left_out": len(before.ngrams) - len(after.ngrams),
        "rows": len(found.rows.ids),
        "metric": found.classifier.labels.score_name,
        "score_before": found.comparison.before,
        "score_after": found.comparison.after,
        "changed": found.comparison.changed,
    }
