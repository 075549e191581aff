"""Convolutions: one module an algorithm."""
