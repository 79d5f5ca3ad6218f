"""Numbers alone: p-values, intervals, ROC, comparison, checks."""
