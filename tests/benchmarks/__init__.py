"""Benchmarks: ``python -m tests.benchmarks`` measures this project against its peers and limits."""
