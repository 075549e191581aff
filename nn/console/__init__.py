"""The drawing console: draw a digit, see it being read, look inside, teach.

Only `gui_console.py` imports this package. Reading order:

- `document`: decisions without Tk: the drawing, what was read of it, the words for it
- `commands`: one table of all commands, from which menus, keys, buttons and help are made
- `views`: what is shown, each view given the document and what else it needs
- `jobs`, `idle`, `process`, `scheduler`, `session`: threads, the work between events, when the
  canvas is read, and by which network
- `app`: puts them together; `launch` starts it
"""
