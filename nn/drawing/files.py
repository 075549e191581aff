"""The older name of ``nn.drawing.stroke_files``."""

from nn.drawing.stroke_files import Drawing, StrokeFileError, load_strokes, save_strokes

__all__ = ["Drawing", "StrokeFileError", "load_strokes", "save_strokes"]
