"""Evaluation of runs: metrics, confidence intervals, thresholds, baselines, comparisons."""
