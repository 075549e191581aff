"""What is on the canvas, what was read of it and what follows: decisions, without Tk."""
