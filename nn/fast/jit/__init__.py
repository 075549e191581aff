"""Numba with a cache that can be trusted, compile workers, and the thread pool."""
