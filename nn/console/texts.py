"""Every sentence the console shows, in one place.

Functions where a sentence holds a value, constants otherwise. To translate the console,
translate this file.
"""

from __future__ import annotations

from typing import Any

from nn.recognise.wording import percent

TITLE = "Digits"
HEADING_ANSWER = "Answer"
HEADING_SEEN = "What the network sees"
SEEN_NOTE = "28 × 28 pixels"
SEEN_HINT = "Cropped, scaled and centred by mass, as MNIST was made."
SHOW_STEPS = "Show how"
CANVAS_HINT = "Draw a digit here"
CANVAS_HINT_MORE = "or several in a row"

# ---------------------------------------------------------------- the answer's states

EMPTY_DETAIL = "Draw a digit, large or small, anywhere on the sheet."
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


def confidence(probability: float) -> str:
    """Say how sure the network is, without ever claiming 100 %."""
    return percent(probability) + " sure"


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
KEYBOARD_DRAWING_TITLE = "Draw by keys, erase by mouse"
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


def status_network(reader: Any) -> str:
    """Describe the network in one line."""
    line = f"{reader.name} · {int(reader.model.count_params()):,} parameters"
    time = reader.milliseconds
    return line if time is None else f"{line} · {time:.1f} ms"


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


def unexpected(kind: str, message: str, log: str) -> str:
    """Describe an error nobody foresaw."""
    return (
        f"{kind}: {message}\n\nThe drawing is still here and the window goes on working. "
        f"The details are in\n{log}"
    )


# ---------------------------------------------------------------- panels

PANELS = {
    "steps": "How it becomes 28 × 28",
    "inside": "Inside the network",
    "why": "Why this answer",
    "teach": "Teach the network",
}
PANEL_EMPTY = "Draw a digit, and it appears here."
PLAY = "Play"

STEPS_NAMES = (
    ("As drawn", "A tight box is put around the ink."),
    ("Scaled", "The box becomes 20 pixels long, its shape kept."),
    ("Centred", "The centre of mass goes to the middle of 28 × 28."),
)


def steps_numbers(width: float, height: float, scale: float, dx: float, dy: float) -> str:
    """Say the numbers behind the three steps."""
    return (
        f"Box {width:.0f} × {height:.0f}, scaled by {scale:.3f}. The centre of mass lies "
        f"{_way(dx, 'right', 'left')} and {_way(dy, 'below', 'above')} the middle of the box."
    )


def _way(value: float, positive: str, negative: str) -> str:
    return f"{abs(value):.1f} px {positive if value >= 0 else negative}"


INSIDE_HINT = "Click a unit to see where its value comes from."
INSIDE_INPUT = "Input, 28 × 28"


def stage_title(name: str, kind: str, shape: tuple[int, ...]) -> str:
    """Return the heading of a layer."""
    return f"{KINDS.get(kind, kind)} · {' × '.join(map(str, shape))}"


KINDS = {
    "Input": "Input",
    "Conv2D": "Convolution",
    "MaxPooling2D": "Max pooling",
    "AveragePooling2D": "Average pooling",
    "GlobalAveragePooling2D": "Global average",
    "Dense": "Dense",
    "BatchNormalization": "Batch normalisation",
    "Activation": "Activation",
    "Softmax": "Softmax",
}


def unit_title(kind: str, unit: tuple[int, ...], value: float) -> str:
    """Name a unit and its value."""
    if len(unit) == 3:
        place = f"map {unit[2]}, row {unit[0]}, column {unit[1]}"
    else:
        place = f"unit {unit[0]}"
    return f"{KINDS.get(kind, kind)}, {place}: {value:.3f}".replace("-", "−")


def unit_sum(products: str, bias: float, total: float, activation: str, value: float) -> str:
    """Write the sum behind a unit."""
    sign = "−" if bias < 0 else "+"
    line = f"{products} {sign} {abs(bias):.3f} (bias) = {total:.3f}"
    if activation not in ("linear", ""):
        line = f"{line}, {activation} → {value:.3f}"
    return line.replace("-", "−")


UNIT_PATCH = "sees"
UNIT_KERNEL = "weights"
UNIT_PRODUCT = "products"
UNIT_WINDOW = "window"
UNIT_WINNER = "winner"


def unit_channel(channel: int) -> str:
    """Say which of the maps before is shown."""
    return f"Strongest of the maps before: {channel}"


def pooling_sentence(value: float, maximum: bool) -> str:
    """Say what pooling did."""
    if maximum:
        return f"The largest of the window, {value:.3f}, is passed on."
    return f"The mean of the window, {value:.3f}, is passed on."


WHY_MODES = {
    "gradient": "Gradient × input",
    "occlusion": "Occlusion",
    "towards": "What would make it …",
}
WHY_NOTES = {
    "gradient": "Which pixels speak for this digit rather than the runner-up, by the network's "
    "own backward pass.",
    "occlusion": "How much less sure the network becomes when a 5 × 5 piece is wiped out.",
    "towards": "A small change of the picture that turns the answer.",
}
WHY_OVERLAY = "Lay it over the drawing"
LEGEND_AGAINST = "against"
LEGEND_FOR = "for"
LEGEND_REMOVE = "remove ink"
LEGEND_ADD = "add ink"


def why_title(digit: int) -> str:
    """Head the saliency picture."""
    return f"What speaks for {digit}"


def towards_result(target: int, before: float, after: float, reached: bool) -> str:
    """Say what the change did."""
    if reached:
        return f"With this change it reads {target}: {percent(before)} → {percent(after)}."
    return f"Even so it does not read {target}: {percent(before)} → {percent(after)}."


TEACH_QUESTION = "What should it have been?"
TEACH_EMPTY = "Draw a digit first. Then say what it is, and the network learns it."
TEACH_NOTE = (
    "The drawing joins your personal set, and the network practises it among digits it knows. "
    "The weights that came with the program stay as they are."
)
TEACH_LEARNING = "Learning…"
TEACH_CANCELLED = "Cancelled. The correction is kept in your set."
TEACH_UNDO = "Undo lesson"
TEACH_RESET = "Forget all lessons"
TEACH_EXPORT = "Export set…"
TEACH_IMPORT = "Import set…"
TEACH_UNDONE = "The last lesson is undone."
TEACH_RESET_DONE = "All lessons are forgotten. Your corrections are kept."
TEACH_RESET_QUESTION = (
    "The network goes back to how it was before all lessons. Your corrections are kept, and you "
    "can teach them again."
)
TEACH_ANYWAY = "Teach it"
TEACH_ASK = "Are you sure?"
TEACH_BUSY = "One lesson at a time: wait, or cancel the one that runs."


def lesson_done(label: int, learned: bool, seconds: float) -> str:
    """Say how a lesson ended."""
    if learned:
        return f"Learned: this is {label}. ({seconds:.1f} s)"
    return f"Not learned yet: teach {label} once more. ({seconds:.1f} s)"


def lesson_scores(name: str, before: float, after: float) -> tuple[str, str]:
    """Return a row of the table of a lesson."""
    return name, f"{100 * before:.1f} %  →  {100 * after:.1f} %"


SCORES_KNOWN = "Known digits"
SCORES_PERSONAL = "Your corrections"


def personal_line(lessons: int, examples: int) -> str:
    """Say how much was taught."""
    return f"{_count(lessons, 'lesson')} learned · {_count(examples, 'correction')} in your set"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def imported(count: int) -> str:
    """Say how many corrections came in."""
    return f"{_count(count, 'correction')} imported."


# ---------------------------------------------------------------- files and network

FILE_PICTURES = "Pictures and strokes"
FILE_PICTURES_ONLY = "Pictures"
FILE_STROKES = "Strokes"
FILE_WEIGHTS = "Networks"
FILE_SETS = "Personal sets"
FILE_ALL = "All files"
NO_INK = "{name} holds no ink that could be read."

INFO_TITLE = "About this network"
INFO_NOTE_PERSONAL = "Yours: {lessons}. Undo or forget them in the teaching panel."
INFO_ROWS = {
    "file": "File",
    "layers": "Layers",
    "parameters": "Parameters",
    "trained_on": "Trained on",
    "accuracy": "Test accuracy",
    "calibration": "Calibration",
    "command": "Made by",
    "personal": "Lessons",
    "form": "Input",
    "speed": "One answer",
}
INFO_UNKNOWN = "The file does not say."
ABOUT_TITLE = "Digits"
ABOUT = (
    "A convolutional network for handwritten digits, its every forward and backward pass written "
    "by hand in NumPy and Numba, and this console to watch it work. MIT licence."
)
PERSONAL_MARK = "yours, {lessons}"
NO_PANEL = "No panel is open."
INSIDE_SCALE = "each layer on its own scale"
UNIT_ONE_CHANNEL = "The pixels of the input, each multiplied by its weight"
DENSE_NOTE = "The ten strongest inputs, then the sum of all others."
OPENING = "Opening {name}…"
PICTURE_NOT_STROKES = "This sheet is an opened picture and has no strokes. Save it as PNG."
TOO_LARGE = "The picture needs more memory than there is. Make it smaller and try again."


def unknown_ending(name: str) -> str:
    """Say which endings a saved sheet can have."""
    return f"{name}: expected a name ending in .png, .svg or .json. Choose one of them."


def info_note(lessons: int) -> str:
    """Mark a network as the user's own."""
    return INFO_NOTE_PERSONAL.format(lessons=_count(lessons, "lesson"))


def personal_mark(lessons: int) -> str:
    """Return the mark of a taught network for title and status line."""
    return PERSONAL_MARK.format(lessons=_count(lessons, "lesson"))


def calibrated(error: str) -> str:
    """Say how far confidences are from the truth."""
    return f"Confidence is off by {error} on average."
