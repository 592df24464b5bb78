"""Measurements, each run as ``python -m benchmarks.NAME``; they print ratios from one run."""
