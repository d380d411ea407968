"""Commands, options and config keys by what other tools call them."""

from __future__ import annotations

COMMANDS = {
    "train": "fit supervised learn experiment",
    "evaluate": "test eval score metrics",
    "predict": "classify infer inference apply predict-prob",
    "runs": "list ls history models",
    "summary": "show info describe model",
    "check": "validate audit lint debug profile",
    "init": "new start create setup config init-config",
    "tune": "hyperopt hpo search optimize autotune",
    "report": "visualize plot html",
    "suspects": "clean label-errors",
    "explain": "interpret why",
    "suggest": "active-learning annotate query select sample label-next next",
    "embeddings neighbors": "nn neighbors similar most-similar",
    "embeddings analogy": "analogies analogy",
    "export": "print-word-vectors vectors convert quantize save deploy onnx savedmodel",
}
"""Commands by what other tools call them."""

OPTIONS = {
    "--run": "model m model-path model-dir checkpoint ckpt run-dir run-path",
    "--data": "test test-data test-file test-path test-set eval-data gold dataset data-path input"
    " file i",
    "--file": "input i data dataset",
    "--output": "out output-file output-path output-dir save save-to save-path save-dir",
    "--html": "output out o output-file page",
    "--best": "top-k topk top k n-best",
    "--all-probabilities": "proba probs probabilities predict-proba predict-prob scores",
    "--json": "format output-format as-json",
    "--text-column": "text-col text-field text-key column x sentence message",
    "--text": "text-column text-col text-field text-key x sentence message string",
    "--label-column": "label label-col label-field label-key target target-column class y",
    "--label": "label-column label-col label-field label-key target target-column class y",
    "--columns": "names header-names field-names colnames",
    "--input-format": "file-format filetype file-type input-type",
    "--delimiter": "sep separator delim field-separator",
    "--folds": "k-folds n-folds cv cross-validation",
    "--cross-validate": "folds k-folds n-folds kfold cv cross-validation cross-val",
    "--rows": "count number num n-rows n-samples n-instances batch-size size limit top-k k",
    "--uncertainty": "strategy query-strategy measure method metric",
    "--trials": "n-trials max-trials num-trials iterations",
    "--minutes": "timeout time max-time",
    "--quiet": "silent no-verbose",
    "--verbose": "debug",
    "--ngrams": "phrases bigrams",
    "--metric": "rule value threshold cutoff criterion objective",
}
"""Options by what other tools call them."""

CONFIG_KEYS = {
    "data.validation": "val dev val-split validation-split validation-data val-data dev-file valid",
    "data.test": "test test-data test-file test-path test-set",
    "data.text": "text-column text-col text-field",
    "data.label": "label-column label-col label-field target target-column",
    "text.unit": "tokenizer char characters analyzer",
    "text.vocabulary_size": "vocab-size vocab max-features max-vocab num-words max-words",
    "text.sequence_length": "max-len maxlen max-length seq-len seq-length max-seq-length"
    " max-sequence-length",
    "text.min_count": "min-freq min-df mincount min-frequency",
    "text.ngram_vocabulary_size": "bucket buckets",
    "text.ngrams": "ngram word-ngrams wordngrams ngram-range",
    "model.embedding_dim": "dim embedding-size embed-dim emb-dim embedding-dimension output-dim",
    "model.initialization": "vectors embeddings pretrained pretrained-vectors pretrainedvectors"
    " glove init-tok2vec",
    "model.hidden_units": "hidden hidden-size hidden-dim hidden-layers layers",
    "training.epochs": "epoch n-epochs num-epochs max-epochs e",
    "training.early_stopping": "patience early-stop",
    "training.batch_size": "batch bs b",
    "training.learning_rate": "lr learn-rate alpha eta",
    "training.optimizer": "optim opt",
    "training.schedule": "lr-schedule scheduler lr-scheduler",
    "training.class_weight": "class-weights balanced",
    "training.device": "gpu cpu",
    "seed": "random-state random-seed random",
}
"""Config keys by what other tools call their options."""

FLAGS = {"balanced", "cpu", "gpu"}
"""Options of other tools that are values of a key here."""

OWN_INPUT = {"train", "check", "init", "tune", "suspects", "predict", "suggest"}
"""Commands that take their file as it is, without an option."""

RULES = {"precision": "0.9", "recall": "0.9", "cost": "1:10"}
"""Rules of `threshold --metric` that need a value, with an example of one."""

THRESHOLD_HABITS = "set s t min-threshold set-threshold"
"""Options of other tools for a threshold itself; elsewhere, they mean something else."""

SECTIONS = "data text model training"
"""Sections of a config."""

INPUT_HABITS = (
    "input i data dataset file f data-path csv train train-file train-data train-path training-data"
    " config c config-file"
)
"""Options of other tools that name that file."""

OUTPUT_HABITS = "output o out output-file output-path save save-to"
