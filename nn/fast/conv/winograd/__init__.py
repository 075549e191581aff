"""Winograd's minimal filtering for 3 x 3 convolutions."""
