"""The look: two ttk themes on top of `clam`, with rounded, antialiased controls.

ttk can draw a control from a stretchable picture. The pictures are made here with Pillow at
the scale of the screen, so that buttons are as round and sharp on a dense screen as on an
ordinary one, and the same on every desktop.
"""

from __future__ import annotations

import itertools
import sys
import tkinter as tk
from tkinter import font as tkfont
from tkinter import ttk
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageTk

from nn.console.views import icons
from nn.console.views.palette import THEMES, Palette

FAMILIES = {
    "darwin": ("SF Pro Text", ".AppleSystemUIFont", "Helvetica Neue"),
    "win32": ("Segoe UI Variable Text", "Segoe UI"),
}
FREE_FAMILIES = ("Inter", "Cantarell", "Ubuntu", "Noto Sans", "Open Sans", "DejaVu Sans")
PLAIN = {"text": 13, "small": 12, "tiny": 11, "micro": 9}
BOLD = {"bold": 13, "heading": 12, "headline": 19, "digit": 92, "digit_mid": 58, "digit_small": 34}
"""Names and sizes of the fonts, in design units."""
OVERSAMPLING = 4
RADIUS = 7
"""Radius of a control's corners in design units."""
Look = tuple[tuple[str, ...], str | None, str | None, float]

_NUMBERS = itertools.count(1)


class Theme:
    """Fonts, scale and the two ttk themes, "light" and "dark", of one window.

    `scale` is pixels per unit of the design; None takes it from the screen's density.
    """

    def __init__(self, root: tk.Tk, scale: float | None, name: str) -> None:
        self.root = root
        self.scale = scale or max(round(root.winfo_fpixels("1i") / 96 * 4) / 4, 1.0)
        root.tk.call("tk", "scaling", self.scale * 96 / 72)
        family = self._family()
        self.fonts = {
            name: tkfont.Font(root, family=family, size=-self.px(size))
            for name, size in (PLAIN | BOLD).items()
        }
        for bold in BOLD:
            self.fonts[bold].configure(weight="bold")
        for standard in ("TkDefaultFont", "TkTextFont", "TkMenuFont", "TkHeadingFont"):
            tkfont.nametofont(standard, root).configure(family=family, size=-self.px(13))
        self.style = ttk.Style(root)
        self._images: list[ImageTk.PhotoImage] = []
        self._icons: dict[tuple[icons.Lines, str, float], ImageTk.PhotoImage] = {}
        self._built: dict[str, str] = {}
        self.palette = THEMES[name]
        self.use(name)

    def px(self, units: float) -> int:
        """Return pixels for a length of the design."""
        return max(round(units * self.scale), 1) if units > 0 else 0

    def use(self, name: str) -> None:
        """Switch to "light" or "dark"; every widget receives `<<ThemeChanged>>`."""
        self.palette = THEMES[name]
        if name not in self._built:
            # Elements cannot be redefined, so every window has themes of its own.
            own = f"digits-{name}-{next(_NUMBERS)}"
            self.style.theme_create(own, parent="clam")
            self._built[name] = own
            self.style.theme_use(own)
            self._faces(self.palette)
            self._configure(self.palette)
        # The window's own colours first: <<ThemeChanged>> arrives when Tk is idle.
        self.root.configure(background=self.palette.window)
        self.root.option_add("*Toplevel.background", self.palette.window)
        self.style.theme_use(self._built[name])

    def _family(self) -> str:
        known = set(tkfont.families(self.root))
        for family in (*FAMILIES.get(sys.platform, ()), *FREE_FAMILIES):
            if family in known:
                return family
        return tkfont.nametofont("TkDefaultFont", self.root).actual("family")

    # ------------------------------------------------------------------ pictures

    def icon(self, name: str, colour: str) -> ImageTk.PhotoImage:
        """Return the icon of a command in a colour."""
        return self._drawn(icons.ICONS[name], 17, colour, 1.9)

    def dot(self, diameter: float) -> ImageTk.PhotoImage:
        """Return a disc of a diameter in design units, in the colour of the text."""
        return self._drawn(icons.DOT, 26, self.palette.text, diameter * icons.GRID / 26)

    def _drawn(
        self, lines: icons.Lines, size: int, colour: str, width: float
    ) -> ImageTk.PhotoImage:
        key = (lines, colour, width)
        if key not in self._icons:
            image = icons.drawn(lines, self.px(size), colour, width)
            self._icons[key] = ImageTk.PhotoImage(image, master=self.root)
        return self._icons[key]

    def _face(
        self, name: str, behind: str, *looks: Look, radius: float = RADIUS, middle: int = 64
    ) -> None:
        """Make the face of a control: a rounded rectangle for each of its states.

        ttk repeats the middle of a picture, piece by piece, and reads back what lies behind each
        piece that is partly transparent. A middle of two pixels made a large card cost 70,000
        such pieces, a second in all: so the middle is wide, and all faces are opaque.

        `behind` is the one colour the control lies on. A look is (states, fill, outline, width of
        the outline); the first one is that without any state. Lengths are in design units.
        """
        corner = self.px(radius) + 1
        side = 2 * corner + 1
        repeats = np.ones(side, np.intp)
        repeats[corner] = self.px(middle)
        faces: list[Any] = []
        for states, fill, outline, width in looks:
            large = Image.new("RGB", (side * OVERSAMPLING,) * 2, behind)
            ImageDraw.Draw(large).rounded_rectangle(
                (0, 0, *(side * OVERSAMPLING - 1,) * 2),
                radius=self.px(radius) * OVERSAMPLING,
                fill=fill,
                outline=outline,
                width=self.px(width) * OVERSAMPLING if outline else 0,
            )
            wide = np.asarray(large.reduce(OVERSAMPLING)).repeat(repeats, 0).repeat(repeats, 1)
            image = ImageTk.PhotoImage(Image.fromarray(wide), master=self.root)
            self._images.append(image)  # Tk keeps only the names
            faces.append((*states, image) if states else image)
        self.style.element_create(
            f"{self.palette.name}.{name}.face",
            "image",
            *faces,
            border=corner,
            padding=0,
            sticky="nsew",
            width=side,
            height=side,
        )

    def _faces(self, p: Palette) -> None:
        """Make the faces of the controls, for each ground they lie on."""
        for ground, behind in (("window", p.window), ("card", p.card)):
            self._face(
                f"{ground}.Button",
                behind,
                ((), p.card, p.line, 1),
                (("disabled",), p.window, p.line, 1),
                (("pressed",), p.pressed, p.line, 1),
                (("focus", "active"), p.hover, p.accent, 2),
                (("focus",), p.card, p.accent, 2),
                (("active",), p.hover, p.line, 1),
            )
            self._face(
                f"{ground}.Accent",
                behind,
                ((), p.accent, None, 0),
                (("disabled",), p.bar_track, None, 0),
                (("pressed",), p.accent, p.text, 2),
                (("focus",), p.accent, p.text, 2),
                (("active",), p.accent, p.accent_soft, 1),
            )
            self._face(
                f"{ground}.Tool",
                behind,
                ((), None, None, 0),
                (("selected", "focus"), p.accent_soft, p.accent, 2),
                (("selected",), p.accent_soft, None, 0),
                (("pressed",), p.pressed, None, 0),
                (("focus",), None, p.accent, 2),
                (("active", "!disabled"), p.hover, None, 0),
            )
        for name, fill in (("Card", p.card), ("Canvas", p.canvas)):
            self._face(name, p.window, ((), fill, p.line, 1), radius=10, middle=256)

    def _configure(self, p: Palette) -> None:
        """Set the styles: buttons, then everything else."""
        s, px = self.style, self.px
        s.configure(
            ".",
            background=p.window,
            foreground=p.text,
            font=self.fonts["text"],
            bordercolor=p.line,
            lightcolor=p.window,
            darkcolor=p.window,
            troughcolor=p.bar_track,
            selectbackground=p.accent_soft,
            selectforeground=p.text,
            fieldbackground=p.card,
            insertcolor=p.text,
            focuscolor=p.accent,
            relief="flat",
        )
        s.map(".", foreground=[("disabled", p.muted)], background=[])
        self._buttons(p)
        for face in ("Card", "Canvas"):
            s.layout(f"{face}.TFrame", [(f"{p.name}.{face}.face", {"sticky": "nsew"})])
            s.configure(f"{face}.TFrame", background=p.window, padding=px(16))
        s.configure("Inner.TFrame", background=p.card)
        s.configure("Line.TFrame", background=p.line)
        for style, background, colour, font in (
            ("TLabel", p.window, p.text, "text"),
            ("Muted.TLabel", p.window, p.muted, "small"),
            ("Card.TLabel", p.card, p.text, "text"),
            ("CardBold.TLabel", p.card, p.text, "bold"),
            ("CardMuted.TLabel", p.card, p.muted, "small"),
            ("Heading.TLabel", p.card, p.muted, "heading"),
            ("Headline.TLabel", p.card, p.text, "headline"),
        ):
            s.configure(style, background=background, foreground=colour, font=self.fonts[font])
        for style, trough, bar in (
            ("Horizontal.TProgressbar", p.bar_track, p.accent),
            ("Vertical.TScrollbar", p.card, p.bar_track),
        ):
            s.configure(style, troughcolor=trough, bordercolor=trough)
            s.configure(style, background=bar, lightcolor=bar, darkcolor=bar)
        s.configure("Horizontal.TProgressbar", thickness=px(6))
        s.configure("Vertical.TScrollbar", arrowcolor=p.muted, arrowsize=px(11), gripcount=0)
        s.map("Vertical.TScrollbar", background=[("active", p.bar), ("disabled", p.card)])
        s.configure(
            "Card.TCheckbutton",
            background=p.card,
            indicatorbackground=p.card,
            indicatorforeground=p.accent_text,
            upperbordercolor=p.muted,
            lowerbordercolor=p.muted,
            indicatorsize=px(13),
            indicatormargin=(0, 0, px(6), 0),
            padding=px(3),
        )
        s.map(
            "Card.TCheckbutton",
            background=[("active", p.card)],
            indicatorbackground=[("selected", p.accent), ("!selected", p.card)],
            foreground=[("focus", p.accent), ("!focus", p.text)],
        )

    def _buttons(self, p: Palette) -> None:
        s, px = self.style, self.px
        for style, face, padding, width in (
            ("TButton", "window.Button", (12, 6), 0),
            ("Card.TButton", "card.Button", (12, 6), 0),
            ("Digit.TButton", "card.Button", (2, 6), 3),
            ("Accent.TButton", "window.Accent", (16, 7), 0),
            ("Card.Accent.TButton", "card.Accent", (16, 7), 0),
            ("Tool.TButton", "window.Tool", (9, 6), 0),
            ("Quiet.TButton", "card.Tool", (8, 4), 0),
            ("Tool.Toolbutton", "window.Tool", (9, 6), 0),
            ("Card.Toolbutton", "card.Tool", (9, 6), 0),
        ):
            layout: Any = [("Button.label", {"sticky": "nsew"})]
            for part in ("Button.padding", f"{p.name}.{face}.face"):
                layout = [(part, {"sticky": "nsew", "children": layout})]
            s.layout(style, layout)
            s.configure(
                style,
                padding=(px(padding[0]), px(padding[1])),
                anchor="center",
                background=p.window if face.startswith("window") else p.card,
                width=width,
            )
        for style in ("Accent.TButton", "Card.Accent.TButton"):
            s.configure(style, foreground=p.accent_text, font=self.fonts["bold"])
        s.map("Accent.TButton", foreground=[("disabled", p.muted), ("!disabled", p.accent_text)])
        s.configure("Quiet.TButton", foreground=p.accent, font=self.fonts["small"])
        s.map("Quiet.TButton", foreground=[("disabled", p.muted), ("!disabled", p.accent)])
        for style in ("Tool.Toolbutton", "Card.Toolbutton"):
            s.map(style, foreground=[("selected", p.accent), ("!selected", p.text)])
