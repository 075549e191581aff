"""The drawing console: draw a digit, see it being read, look inside, teach.

Only `gui_console.py` imports this package. Its modules without Tk hold the decisions and are
tested without a display:

- `drawing`: the sheet, its strokes, undo and redo, both erasers
- `document`: what is read, which digit is looked at, what a gesture does
- `answers`: from probabilities to words and bars
- `history`, `ink`, `keys`, `palette`, `texts`, `worker`, `reader`: one thing each
- `headless`, `evaluation`: the console without a window

The rest is the view: `app` (the window and its actions), `paper` (the canvas), `card` (the
answer), `strip` (the history), `dialogs`, `theme`, `icons`, and the panels.
"""
