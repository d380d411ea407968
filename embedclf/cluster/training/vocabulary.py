"""The vocabulary of a training table that no machine reads whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from embedclf.cluster.training.counting import (
    partition_count,
    rank_keys,
    read_counts,
    reduce_keys,
    reduce_tokens,
    write_counts,
)
from embedclf.cluster.training.parts import PartFiles, count_ngrams
from embedclf.cluster.training.shards import EncoderFiles
from embedclf.text.ngram_counts import keep_most_frequent
from embedclf.text.ngrams import Ngrams
from embedclf.text.token_rules import TokenRules
from embedclf.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from embedclf.cluster.task_queue import TaskQueue
    from embedclf.cluster.training.work_folder import WorkFolder
    from embedclf.config.schema import Config
    from embedclf.data.labels import Labels

_COUNTS = "counts"


def fit_tokenizer(
    tasks: TaskQueue,
    folder: WorkFolder,
    config: Config,
    parts: Sequence[tuple[PartFiles, dict[str, Any]]],
    labels: Labels,
) -> Tokenizer:
    """Learn the vocabulary that a single machine would learn, if it did not drop rare items.

    Args:
        tasks: Runs tasks on the workers.
        folder: Of all files.
        config: The config.
        parts: With what `read_part` has returned for each.
        labels: Only passed on.
    """
    rules, text = TokenRules.from_config(config), config.text
    options = {"size": text.vocabulary_size, "min_count": text.min_count, "fields": rules.fields}
    reduced = _reduce(tasks, folder, "tokens", parts, (reduce_tokens, options))
    tokens = pa.concat_arrays([items for items, _ in reduced])
    counts = (tokens, np.concatenate([totals for _, totals in reduced]))
    tokenizer = Tokenizer.fit([counts], rules, text)
    if text.ngrams == 1:
        return tokenizer
    first_id, known, totals = tokenizer.first_ngram_id, Ngrams(), np.zeros(0, np.int64)
    for n in range(2, text.ngrams + 1):
        known_so_far = replace(tokenizer, ngrams=known)
        files = EncoderFiles.write(folder.folder(f"{n}-grams"), known_so_far, labels)
        arguments = [(part, files) for part, _ in parts]
        counted = tasks.run(_count, arguments, f"counting {n}-grams")
        with_counts = [(part, counts) for (part, _), counts in zip(parts, counted, strict=True)]
        keys_options = {"size": text.ngram_vocabulary_size, "min_count": text.min_count}
        reduced = _reduce(tasks, folder, f"{n}-grams", with_counts, (reduce_keys, keys_options))
        keys, counts_of_keys = rank_keys(
            np.concatenate([keys for keys, _ in reduced]),
            np.concatenate([counts for _, counts in reduced]),
            text.ngram_vocabulary_size,
        )
        known = Ngrams(n, np.concatenate([known.keys, keys]))
        totals = np.concatenate([totals, counts_of_keys])
    ngrams = keep_most_frequent(known, totals, first_id, text.ngram_vocabulary_size)
    return replace(tokenizer, ngrams=ngrams)


def _count(part: PartFiles, files: EncoderFiles) -> dict[str, Any]:
    return count_ngrams(part, files.read()[0])


def _reduce(
    tasks: TaskQueue,
    folder: WorkFolder,
    name: str,
    parts: Sequence[tuple[PartFiles, dict[str, Any]]],
    reduction: tuple[Callable[..., Any], dict[str, Any]],
) -> list[Any]:
    """Add up the counts of the parts, range by range; return the most frequent of each range."""
    # In a file, as a task for each range would have all names
    paths = f"{name}-files.json"
    with folder.writing(paths) as file:
        found = [str(part.folder.path / each) for part, values in parts for each in values[_COUNTS]]
        file.write(json.dumps(found).encode())
    ranges = partition_count(sum(values["entries"] for _, values in parts))
    arguments = [
        (folder, f"{name}-{number:06}", paths, (number, ranges), reduction)
        for number in range(ranges)
    ]
    done = tasks.run(_reduce_range, arguments, f"adding up {name}", unit="ranges")
    return [read_counts(folder.path / each["file"]) for each in done]


def _reduce_range(
    folder: WorkFolder,
    name: str,
    paths: str,
    part: tuple[int, int],
    reduction: tuple[Callable[..., Any], dict[str, Any]],
) -> Any:
    file = f"{name}.arrow"

    def work() -> tuple[dict[str, Any], list[str]]:
        reduce, options = reduction
        files = map(Path, json.loads((folder.path / paths).read_bytes()))
        write_counts(folder, file, reduce(files, part, **options))
        return {"file": file}, [file]

    return folder.do(name, work)
