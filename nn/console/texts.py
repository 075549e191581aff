"""Every sentence the console shows, in one place.

Functions where a sentence holds a value, constants otherwise. To translate the console,
translate this file.
"""

from __future__ import annotations

from collections.abc import Sequence

TITLE = "Digits"
HEADING_ANSWER = "Answer"
HEADING_SEEN = "What the network sees"
SEEN_NOTE = "28 × 28 pixels"
SEEN_HINT = "Cropped, scaled and centred by mass, as MNIST was made."
SHOW_STEPS = "Show how"
CANVAS_HINT = "Draw a digit here"
CANVAS_HINT_MORE = "or several in a row"

# ---------------------------------------------------------------- the answer's states

EMPTY = "Nothing drawn yet"
EMPTY_DETAIL = "Draw a digit, large or small, anywhere on the sheet."
NOT_A_DIGIT = "Not a digit"
NOT_A_DIGIT_DETAIL = "This does not look like a digit."
WARMING = "Warming up"
WARMING_DETAIL = "You can draw already. The answer follows in a moment."
NO_NETWORK = "No network"
NO_NETWORK_DETAIL = "Choose a weights file with {key}."
PAUSED = "Paused"


def paused_detail(key: str) -> str:
    """Say how to get an answer while live answers are off."""
    return f"Live answers are off. Press {key} to recognise."


def no_network(key: str) -> str:
    """Say how to get a network."""
    return NO_NETWORK_DETAIL.format(key=key)


def sure(digit: int) -> str:
    """Name the digit."""
    return f"This is a {digit}" if digit != 8 else "This is an 8"


def unsure(candidates: Sequence[int]) -> str:
    """Name the two candidates."""
    return "Not sure: " + " or ".join(str(c) for c in candidates[:2])


def confidence(probability: float) -> str:
    """Say how sure the network is, without ever claiming 100 %."""
    return percent(probability) + " sure"


def percent(probability: float) -> str:
    """Return a percentage that is never rounded up to certainty or down to nothing."""
    value = 100 * probability
    if value >= 99.95:
        return "> 99.9 %"
    if 0 < value < 0.05:
        return "< 0.1 %"
    return f"{value:.1f} %"


def number_detail(index: int, count: int) -> str:
    """Say which of several digits the bars belong to."""
    return f"Digit {index + 1} of {count}"


# ---------------------------------------------------------------- actions: menus, buttons, help

MENUS = {"file": "File", "edit": "Edit", "view": "View", "network": "Network", "help": "Help"}

ACTIONS = {
    "open": "Open picture or strokes…",
    "paste": "Paste picture",
    "save_png": "Save as picture (PNG)…",
    "save_svg": "Save as drawing (SVG)…",
    "save_json": "Save strokes (JSON)…",
    "quit": "Quit",
    "undo": "Undo",
    "redo": "Redo",
    "clear": "Clear",
    "copy": "Copy the number",
    "pen": "Pen",
    "eraser": "Eraser: whole strokes",
    "rubber": "Eraser: rub out",
    "thinner": "Thinner pen",
    "thicker": "Thicker pen",
    "recognise": "Recognise",
    "live": "Answer while drawing",
    "sort": "Sort bars by probability",
    "next_digit": "Next digit",
    "previous_digit": "Previous digit",
    "theme": "Dark theme",
    "history": "Go to the history",
    "steps": "How it becomes 28 × 28",
    "inside": "Inside the network",
    "why": "Why this answer",
    "teach": "Teach the network",
    "close_panel": "Close the panel",
    "tear_off": "Panel in a window of its own",
    "weights": "Choose weights…",
    "info": "About this network",
    "keys": "Keys",
    "about": "About this program",
}

SHORT = {
    "undo": "Undo",
    "redo": "Redo",
    "clear": "Clear",
    "pen": "Pen",
    "eraser": "Eraser",
    "rubber": "Rub out",
    "recognise": "Recognise",
    "inside": "Inside",
    "why": "Why",
    "teach": "Teach",
    "steps": "Steps",
}

SECTIONS = (
    ("Draw", ("pen", "eraser", "rubber", "thinner", "thicker", "undo", "redo", "clear")),
    ("Answer", ("recognise", "live", "sort", "next_digit", "previous_digit", "copy", "history")),
    ("Look inside", ("steps", "inside", "why", "teach", "tear_off", "close_panel")),
    ("Files", ("open", "paste", "save_png", "save_svg", "save_json", "weights", "info")),
    ("Window", ("theme", "keys", "quit")),
)

KEYBOARD_DRAWING = (
    ("Tab to the sheet, then", ""),
    ("arrows", "move the pen"),
    ("Shift + arrows", "move it further"),
    ("Space", "pen down, pen up"),
    ("right mouse button", "eraser"),
)
KEYBOARD_DRAWING_TITLE = "Draw without a mouse"
KEYS_TITLE = "Keys"
CLOSE = "Close"
CANCEL = "Cancel"
OK = "OK"

ERASER_LABEL = "Erase"
WIDTH_LABEL = "Width"
HISTORY_EMPTY = "Your last answers line up here."
LIVE_LABEL = "Live"


def tip(label: str, key: str) -> str:
    """Return the hover text of a button."""
    return f"{label}   {key}" if key else label


# ---------------------------------------------------------------- status line

READY = "Ready"


def status_warming(seconds: float | None = None) -> str:
    """Say that the kernels are being loaded."""
    if seconds is None or seconds < 3:
        return "Warming up the network…"
    return f"Compiling the kernels, once on this machine… {seconds:.0f} s"


def status_network(name: str, parameters: int, milliseconds: float | None) -> str:
    """Describe the network in one line."""
    line = f"{name} · {parameters:,} parameters"
    return line if milliseconds is None else f"{line} · {milliseconds:.1f} ms"


def status_read(milliseconds: float) -> str:
    """Say how long the last answer took."""
    return f"read in {milliseconds:.1f} ms"


PEN_DOWN = "Pen down. Arrows draw, space lifts it."
PEN_UP = "Pen up. Arrows move, space puts it down."
COPIED = "Copied {text}."
NOTHING_TO_COPY = "There is no number to copy yet."
NOTHING_TO_UNDO = "Nothing to undo."
NOTHING_TO_REDO = "Nothing to redo."
NOTHING_TO_SAVE = "There is nothing on the sheet to save."
NOTHING_PASTED = "The clipboard holds no picture."
SAVED = "Saved {name}."
OPENED = "Opened {name}."

# ---------------------------------------------------------------- errors

ERROR_TITLE = "That did not work"
NO_TKINTER = (
    "gui_console: Python's tkinter is not installed. Install it with "
    "`sudo apt install python3-tk` (Debian, Ubuntu), `sudo dnf install python3-tkinter` (Fedora) "
    "or `brew install python-tk` (macOS), or read pictures without a window: "
    "gui_console.py --image FILE."
)
NO_DISPLAY = (
    "gui_console: there is no display to open a window on ({reason}). Start it in a desktop "
    "session or through `ssh -X`, or read pictures without a window: gui_console.py --image FILE."
)
OLD_TK = (
    "gui_console: Tk {found} is too old, 8.6 is needed. Install a newer one with "
    "`sudo apt install python3-tk`, `sudo dnf install python3-tkinter` or "
    "`brew install python-tk`."
)


def no_weights(path: str) -> str:
    """Say that the weights are missing and what to do."""
    return (
        f"there is no weights file at {path}. Train one with `python train.py`, "
        "or name one with --weights FILE."
    )


def unexpected(kind: str, message: str, log: str) -> str:
    """Describe an error nobody foresaw."""
    return (
        f"{kind}: {message}\n\nThe drawing is still here and the window goes on working. "
        f"The details are in\n{log}"
    )
