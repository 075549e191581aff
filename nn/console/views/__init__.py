"""What the window shows: the canvas, the answer, the panels and their look."""
