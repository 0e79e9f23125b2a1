"""Benchmarks: what the engines cost as the data grow, against the plain way in the same run."""
