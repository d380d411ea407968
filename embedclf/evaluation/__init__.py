"""How good a run is: metrics, confidence intervals, thresholds, baselines, comparisons."""
