"""What is claimed in figures, measured: one file per headline, each run as ``python -m benchmarks.<name>``."""
