"""The engine: a plan of stages, their buffers, and the calls of a step."""
