"""The fake REAPER's window: what a script draws is kept, and can be made into a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
from PIL import Image, ImageDraw, ImageFont

FONT = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"


@dataclass
class Window:
    """A gfx window: its size, its keys to come, what was drawn in the last whole frame."""

    title: str = ""
    is_open: bool = False
    dock: int = 0
    position: tuple[float, float, float, float] = (0, 0, 0, 0)
    keys: list[int] = field(default_factory=list)
    menus: list[str] = field(default_factory=list)
    choices: list[int] = field(default_factory=list)
    frame: list[tuple[Any, ...]] = field(default_factory=list)
    drawn: list[tuple[Any, ...]] = field(default_factory=list)
    n_frames: int = 0
    font: Any = None
    font_px: int = 15

    def texts(self) -> list[str]:
        """Every text of the last frame."""
        return [call[1] for call in self.drawn if call[0] == "text"]

    def place_of(self, text: str) -> tuple[float, float]:
        """The middle of the box a text was drawn in."""
        for kind, shown, x, y, right, bottom, *_ in self.texts_drawn():
            if kind == "text" and shown == text:
                return (x + right) / 2, (y + bottom) / 2
        raise AssertionError(f"{text!r} isn't in the panel: {self.texts()}")

    def texts_drawn(self) -> list[tuple[Any, ...]]:
        return [call for call in self.drawn if call[0] == "text"]

    def measure(self, text: str) -> tuple[float, float]:
        """Width and height of a text."""
        font = ImageFont.truetype(str(FONT), self.font_px - 2)
        return float(font.getlength(text)), float(self.font_px)

    def picture(self, size: tuple[int, int]) -> Image.Image:
        """The last frame, drawn from the calls that made it."""
        image = Image.new("RGB", size)
        draw = ImageDraw.Draw(image)
        font = ImageFont.truetype(str(FONT), self.font_px - 2)
        for kind, *call in self.drawn:
            if kind == "rect":
                x, y, w, h, is_filled, color = call
                box = (x, y, max(x, x + w - 1), max(y, y + h - 1))
                if w >= 1 and h >= 1:
                    fill, outline = (color, None) if is_filled else (None, color)
                    draw.rectangle(box, fill=fill, outline=outline)
            elif kind == "triangle":
                draw.polygon(call[0], fill=call[1])
            else:
                self._draw_text(image, font, *call)
        return image

    def _draw_text(
        self,
        image: Image.Image,
        font: ImageFont.FreeTypeFont,
        text: str,
        x: float,
        y: float,
        right: float,
        bottom: float,
        flags: int,
        color: tuple[int, int, int],
    ) -> None:
        if right <= x or bottom <= y:
            return
        box = Image.new("RGBA", (int(right - x), int(bottom - y)), (0, 0, 0, 0))
        width = font.getlength(text)
        at_x = max(0.0, (box.width - width) / 2) if flags & 1 else 0.0
        at_y = (box.height - self.font_px) / 2 if flags & 4 else 0.0
        ImageDraw.Draw(box).text((at_x, at_y), text, font=font, fill=(*color, 255))
        image.paste(box, (int(x), int(y)), box)


class GfxCalls:
    """What the gfx functions do: each gets the calling script first."""

    def _gfx_init(
        self,
        script: Any,
        name: str,
        w: float = 0,
        h: float = 0,
        dock: float = 0,
        x: float = 0,
        y: float = 0,
    ) -> float:
        window = script.window
        window.title, window.is_open, window.dock = name, True, int(dock)
        window.position = (x, y, w, h)
        script.gfx["w"], script.gfx["h"] = float(w), float(h)
        return 1.0

    def _gfx_quit(self, script: Any) -> float:
        script.window.is_open = False
        return 0.0

    def _gfx_dock(self, script: Any, value: float, *wanted: Any) -> tuple[Any, ...]:
        if value >= 0:
            script.window.dock = int(value)
        return (float(script.window.dock), *(script.window.position if wanted else (None,) * 4))

    def _gfx_getchar(self, script: Any, character: float = 0) -> float:
        window = script.window
        if not window.is_open:
            return -1.0
        return float(window.keys.pop(0)) if window.keys else 0.0

    def _gfx_showmenu(self, script: Any, menu: str) -> float:
        script.window.menus.append(menu)
        return float(script.window.choices.pop(0)) if script.window.choices else 0.0

    def _gfx_setfont(
        self, script: Any, index: float, face: str = "", size: float = 15, flags: float = 0
    ) -> float:
        script.window.font_px = int(size)
        return 1.0

    def _gfx_measurestr(self, script: Any, text: str) -> tuple[float, float]:
        return script.window.measure(text)  # type: ignore[no-any-return]

    def _gfx_set(self, script: Any, r: float, g: float, b: float, *rest: float) -> float:
        script.gfx["r"], script.gfx["g"], script.gfx["b"] = r, g, b
        return 0.0

    def _gfx_rect(
        self, script: Any, x: float, y: float, w: float, h: float, filled: float = 1
    ) -> float:
        script.window.frame.append(("rect", x, y, w, h, bool(filled), _color(script)))
        return 0.0

    def _gfx_triangle(self, script: Any, *points: float) -> float:
        corners = list(zip(points[::2], points[1::2], strict=True))
        script.window.frame.append(("triangle", corners, _color(script)))
        return 0.0

    def _gfx_drawstr(
        self, script: Any, text: str, flags: float = 0, right: float = 0, bottom: float = 0
    ) -> float:
        x, y = script.gfx["x"], script.gfx["y"]
        shown = ("text", text, x, y, right, bottom, int(flags), _color(script))
        script.window.frame.append(shown)
        return 0.0

    def _gfx_update(self, script: Any) -> float:
        script.window.drawn, script.window.frame = script.window.frame, []
        script.window.n_frames += 1
        return 0.0


def _color(script: Any) -> tuple[int, int, int]:
    r, g, b = (round(255 * script.gfx[key]) for key in "rgb")
    return r, g, b
