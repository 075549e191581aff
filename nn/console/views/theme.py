"""The look: two ttk themes on top of `clam`, with rounded, antialiased controls.

ttk can draw a control from a stretchable picture. The pictures are made here with Pillow at
the scale of the screen, so that buttons are as round and sharp on a dense screen as on an
ordinary one, and the same on every desktop.
"""

from __future__ import annotations

import itertools
import sys
import tkinter as tk
from functools import partial
from tkinter import font as tkfont
from tkinter import ttk
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageTk

from nn.console.views.palette import THEMES, Palette

FAMILIES = {
    "darwin": ("SF Pro Text", ".AppleSystemUIFont", "Helvetica Neue"),
    "win32": ("Segoe UI Variable Text", "Segoe UI"),
}
FREE_FAMILIES = ("Inter", "Cantarell", "Ubuntu", "Noto Sans", "Open Sans", "DejaVu Sans")
OVERSAMPLING = 4
RADIUS = 7
"""Radius of a control's corners in design units."""


_NUMBERS = itertools.count(1)


class Theme:
    """Fonts, scale and the two ttk themes of one window.

    Parameters
    ----------
    root : tk.Tk
        The window.
    scale : float or None
        Pixels per unit of the design; None takes it from the screen's density.
    name : "light" or "dark"
    """

    def __init__(self, root: tk.Tk, scale: float | None, name: str) -> None:
        self.root = root
        self.scale = scale or max(round(root.winfo_fpixels("1i") / 96 * 4) / 4, 1.0)
        root.tk.call("tk", "scaling", self.scale * 96 / 72)
        family = self._family()
        self.fonts: dict[str, tkfont.Font] = {}
        for key, size, weight in (
            ("text", 13, "normal"),
            ("bold", 13, "bold"),
            ("small", 12, "normal"),
            ("tiny", 11, "normal"),
            ("micro", 9, "normal"),
            ("heading", 12, "bold"),
            ("headline", 19, "bold"),
            ("digit", 92, "bold"),
            ("digit_mid", 58, "bold"),
            ("digit_small", 34, "bold"),
        ):
            self.fonts[key] = tkfont.Font(
                root,
                family=family,
                size=-self.px(size),
                weight=weight,  # type: ignore[arg-type]
            )
        for standard in ("TkDefaultFont", "TkTextFont", "TkMenuFont", "TkHeadingFont"):
            tkfont.nametofont(standard, root).configure(family=family, size=-self.px(13))
        self.style = ttk.Style(root)
        self._images: list[ImageTk.PhotoImage] = []
        self._built: dict[str, str] = {}
        self.palette = THEMES[name]
        self.use(name)

    def px(self, units: float) -> int:
        """Return pixels for a length of the design."""
        return max(round(units * self.scale), 1) if units > 0 else 0

    def use(self, name: str) -> None:
        """Switch to "light" or "dark"; every widget hears `<<ThemeChanged>>`."""
        self.palette = THEMES[name]
        if name not in self._built:
            # Elements cannot be redefined, so every window has themes of its own.
            own = f"digits-{name}-{next(_NUMBERS)}"
            self.style.theme_create(own, parent="clam")
            self._built[name] = own
            self.style.theme_use(own)
            self._elements(self.palette)
            self._configure(self.palette)
        # The window's own colours first: <<ThemeChanged>> arrives when Tk is idle.
        self.root.configure(background=self.palette.window)
        self._options(self.palette)
        self.style.theme_use(self._built[name])

    def _family(self) -> str:
        known = set(tkfont.families(self.root))
        for family in (*FAMILIES.get(sys.platform, ()), *FREE_FAMILIES):
            if family in known:
                return family
        return tkfont.nametofont("TkDefaultFont", self.root).actual("family")

    # ------------------------------------------------------------------ pictures of controls

    def rounded(
        self,
        fill: str | None,
        outline: str | None = None,
        *,
        radius: float = RADIUS,
        thick: float = 1,
        middle: int = 64,
        behind: str,
    ) -> ImageTk.PhotoImage:
        """Return a rounded rectangle whose middle of so many units ttk repeats.

        Tk repeats the middle piece by piece, and asks the screen for what lies behind each
        piece of a picture that is partly transparent. A middle of two pixels made a large
        card cost 70,000 questions, a second in all: so the middle is wide, and all faces know
        the one colour they lie on (`behind`) and are opaque.
        """
        corner = self.px(radius) + 1
        side = 2 * corner + 1
        large = Image.new("RGB", (side * OVERSAMPLING,) * 2, behind)
        draw = ImageDraw.Draw(large)
        edge = side * OVERSAMPLING - 1
        draw.rounded_rectangle(
            (0, 0, edge, edge),
            radius=self.px(radius) * OVERSAMPLING,
            fill=fill,
            outline=outline,
            width=self.px(thick) * OVERSAMPLING if outline else 0,
        )
        small = np.asarray(large.reduce(OVERSAMPLING))
        repeats = np.ones(side, np.intp)
        repeats[corner] = self.px(middle)
        wide = small.repeat(repeats, axis=0).repeat(repeats, axis=1)
        image = ImageTk.PhotoImage(Image.fromarray(wide), master=self.root)
        self._images.append(image)  # Tk keeps only the name
        return image

    def _element(
        self,
        name: str,
        default: ImageTk.PhotoImage,
        *states: Any,
        radius: float = RADIUS,
    ) -> None:
        corner = self.px(radius) + 1
        size = 2 * corner + 1
        self.style.element_create(
            name,
            "image",
            default,
            *states,
            border=corner,
            padding=0,
            sticky="nsew",
            width=size,
            height=size,
        )

    def _elements(self, p: Palette) -> None:
        """Make the faces of the controls, for each ground they lie on."""
        n = p.name
        for ground, behind in (("window", p.window), ("card", p.card)):
            rounded = partial(self.rounded, behind=behind)
            self._element(
                f"{n}.{ground}.Button.face",
                rounded(p.card, p.line),
                (("disabled",), rounded(p.window, p.line)),
                (("pressed",), rounded(p.pressed, p.line)),
                (("focus", "active"), rounded(p.hover, p.accent, thick=2)),
                (("focus",), rounded(p.card, p.accent, thick=2)),
                (("active",), rounded(p.hover, p.line)),
            )
            edged = rounded(p.accent, p.text, thick=2)
            self._element(
                f"{n}.{ground}.Accent.face",
                rounded(p.accent),
                (("disabled",), rounded(p.bar_track)),
                (("pressed",), edged),
                (("focus",), edged),
                (("active",), rounded(p.accent, p.accent_soft, thick=1)),
            )
            self._element(
                f"{n}.{ground}.Tool.face",
                rounded(None),
                (("selected", "focus"), rounded(p.accent_soft, p.accent, thick=2)),
                (("selected",), rounded(p.accent_soft)),
                (("pressed",), rounded(p.pressed)),
                (("focus",), rounded(None, p.accent, thick=2)),
                (("active", "!disabled"), rounded(p.hover)),
            )
        card = self.rounded(p.card, p.line, radius=10, middle=256, behind=p.window)
        self._element(f"{n}.Card.face", card, radius=10)
        paper = self.rounded(p.paper, p.line, radius=10, middle=256, behind=p.window)
        self._element(f"{n}.Paper.face", paper, radius=10)

    def _configure(self, p: Palette) -> None:
        s, n, px = self.style, p.name, self.px
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

        def button(style: str, face: str, padding: tuple[int, int], **options: Any) -> None:
            s.layout(
                style,
                [
                    (
                        face,
                        {
                            "sticky": "nsew",
                            "children": [
                                (
                                    "Button.padding",
                                    {
                                        "sticky": "nsew",
                                        "children": [("Button.label", {"sticky": "nsew"})],
                                    },
                                )
                            ],
                        },
                    )
                ],
            )
            s.configure(style, padding=padding, anchor="center", **options)

        pad = (px(12), px(6))
        button("TButton", f"{n}.window.Button.face", pad, background=p.window, width=0)
        button("Card.TButton", f"{n}.card.Button.face", pad, background=p.card, width=0)
        small = (px(2), px(6))
        button("Digit.TButton", f"{n}.card.Button.face", small, background=p.card, width=3)
        for style, ground in (("Accent.TButton", "window"), ("Card.Accent.TButton", "card")):
            button(
                style,
                f"{n}.{ground}.Accent.face",
                (px(16), px(7)),
                background=p.window if ground == "window" else p.card,
                foreground=p.accent_text,
                font=self.fonts["bold"],
                width=0,
            )
        s.map("Accent.TButton", foreground=[("disabled", p.muted), ("!disabled", p.accent_text)])
        tool = (px(9), px(6))
        button("Tool.TButton", f"{n}.window.Tool.face", tool, background=p.window, width=0)
        button("Quiet.TButton", f"{n}.card.Tool.face", (px(8), px(4)), background=p.card, width=0)
        s.configure("Quiet.TButton", foreground=p.accent, font=self.fonts["small"])
        s.map("Quiet.TButton", foreground=[("disabled", p.muted), ("!disabled", p.accent)])
        for style, ground, background in (
            ("Tool.Toolbutton", "window", p.window),
            ("Card.Toolbutton", "card", p.card),
        ):
            button(style, f"{n}.{ground}.Tool.face", tool, background=background, width=0)
            s.map(style, foreground=[("selected", p.accent), ("!selected", p.text)])
        for sheet in ("Card", "Paper"):
            s.layout(f"{sheet}.TFrame", [(f"{n}.{sheet}.face", {"sticky": "nsew"})])
            s.configure(f"{sheet}.TFrame", background=p.window, padding=px(16))
        s.configure("Inner.TFrame", background=p.card)
        for style, background, colour, face in (
            ("TLabel", p.window, p.text, "text"),
            ("Muted.TLabel", p.window, p.muted, "small"),
            ("Card.TLabel", p.card, p.text, "text"),
            ("CardBold.TLabel", p.card, p.text, "bold"),
            ("CardMuted.TLabel", p.card, p.muted, "small"),
            ("Heading.TLabel", p.card, p.muted, "heading"),
            ("Headline.TLabel", p.card, p.text, "headline"),
            ("Title.TLabel", p.window, p.text, "headline"),
            ("Good.TLabel", p.card, p.good, "bold"),
            ("Warn.TLabel", p.card, p.warn, "bold"),
        ):
            s.configure(style, background=background, foreground=colour, font=self.fonts[face])
        s.configure(
            "Horizontal.TProgressbar",
            troughcolor=p.bar_track,
            background=p.accent,
            bordercolor=p.bar_track,
            lightcolor=p.accent,
            darkcolor=p.accent,
            thickness=px(6),
        )
        for way in ("Vertical", "Horizontal"):
            s.configure(
                f"{way}.TScrollbar",
                troughcolor=p.card,
                background=p.bar_track,
                bordercolor=p.card,
                lightcolor=p.bar_track,
                darkcolor=p.bar_track,
                arrowcolor=p.muted,
                arrowsize=px(11),
                gripcount=0,
            )
            s.map(f"{way}.TScrollbar", background=[("active", p.bar), ("disabled", p.card)])
        s.configure("Line.TFrame", background=p.line)
        for style, background in (("TCheckbutton", p.window), ("Card.TCheckbutton", p.card)):
            s.configure(
                style,
                background=background,
                indicatorbackground=p.card,
                indicatorforeground=p.accent_text,
                upperbordercolor=p.muted,
                lowerbordercolor=p.muted,
                indicatorsize=px(13),
                indicatormargin=(0, 0, px(6), 0),
                padding=px(3),
            )
            s.map(
                style,
                background=[("active", background)],
                indicatorbackground=[("selected", p.accent), ("!selected", p.card)],
                foreground=[("focus", p.accent), ("!focus", p.text)],
            )
        s.configure(
            "TCombobox",
            padding=(px(8), px(5)),
            arrowsize=px(13),
            arrowcolor=p.muted,
            background=p.card,
            foreground=p.text,
            bordercolor=p.line,
            lightcolor=p.card,
            darkcolor=p.card,
        )
        s.map(
            "TCombobox",
            fieldbackground=[("readonly", p.card)],
            foreground=[("readonly", p.text)],
            background=[("active", p.hover)],
            bordercolor=[("focus", p.accent)],
            selectbackground=[("readonly", p.card)],
            selectforeground=[("readonly", p.text)],
        )

    def _options(self, p: Palette) -> None:
        """Colour the classic widgets ttk does not cover: menus, pop-up lists, windows."""
        option = self.root.option_add
        for pattern, value in (
            ("*Menu.background", p.card),
            ("*Menu.foreground", p.text),
            ("*Menu.activeBackground", p.accent_soft),
            ("*Menu.activeForeground", p.text),
            ("*Menu.disabledForeground", p.muted),
            ("*Menu.selectColor", p.accent),
            ("*Menu.relief", "flat"),
            ("*Menu.borderWidth", 0),
            ("*Menu.activeBorderWidth", self.px(3)),
            ("*TCombobox*Listbox.background", p.card),
            ("*TCombobox*Listbox.foreground", p.text),
            ("*TCombobox*Listbox.selectBackground", p.accent_soft),
            ("*TCombobox*Listbox.selectForeground", p.text),
            ("*Toplevel.background", p.window),
        ):
            option(pattern, value)
