"""Drawn people and scenes: small pictures whose subject can be told apart, from numbers alone.

The one law: a person is a fixed row of numbers, and each picture of that person differs in pose,
light, place and noise. All pictures of a call are drawn at once with NumPy; seeds are arguments.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Place = Literal["studio", "beach", "forest", "city", "office", "garden"]
PLACES: tuple[Place, ...] = ("studio", "beach", "forest", "city", "office", "garden")
SIDE = 64
_CHUNK = 64  # pictures drawn together: their planes stay in the processor's cache

HAIR_COLOURS: tuple[tuple[str, tuple[float, float, float]], ...] = (
    ("black", (0.08, 0.07, 0.07)),
    ("brown", (0.35, 0.2, 0.1)),
    ("blond", (0.88, 0.74, 0.4)),
    ("red", (0.68, 0.22, 0.08)),
    ("grey", (0.62, 0.62, 0.64)),
)
SKINS = np.array(
    [(0.98, 0.85, 0.75), (0.93, 0.76, 0.62), (0.8, 0.6, 0.44), (0.6, 0.41, 0.28), (0.4, 0.26, 0.18)]
)
SHIRT_COLOURS: tuple[tuple[str, tuple[float, float, float]], ...] = (
    ("red", (0.85, 0.2, 0.2)),
    ("blue", (0.2, 0.4, 0.8)),
    ("green", (0.2, 0.6, 0.3)),
    ("yellow", (0.95, 0.8, 0.25)),
    ("white", (0.9, 0.9, 0.9)),
    ("black", (0.15, 0.15, 0.2)),
    ("purple", (0.55, 0.3, 0.65)),
    ("orange", (0.95, 0.55, 0.2)),
)
_SHIRTS = np.array([rgb for _name, rgb in SHIRT_COLOURS])
_EYES = np.array([(0.25, 0.15, 0.08), (0.2, 0.45, 0.75), (0.25, 0.5, 0.25), (0.45, 0.45, 0.5)])


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Attributes of drawn people, one row each.

    Attributes:
        shape: Shape (n, 16), uniform in [0, 1]: widths, distances and angles of a face.
        skin: Shape (n, 3), colour in [0, 1].
        hair: Shape (n,), index into `HAIR_COLOURS`.
        shirt: Shape (n, 3), colour in [0, 1].
        eyes: Shape (n, 3), colour in [0, 1].
        woman: Shape (n,), bool: longer hair, no beard.
        glasses: Shape (n,), bool.
        beard: Shape (n,), bool.
        hat: Shape (n,), bool.
    """

    shape: Floats
    skin: Floats
    hair: NDArray[np.int64]
    shirt: Floats
    eyes: Floats
    woman: NDArray[np.bool_]
    glasses: NDArray[np.bool_]
    beard: NDArray[np.bool_]
    hat: NDArray[np.bool_]

    def __len__(self) -> int:
        """Number of people."""
        return len(self.hair)

    def take(self, rows: NDArray[np.int64]) -> "Faces":
        """The people of these rows, in this order."""
        return Faces(*(getattr(self, name)[rows] for name in self.__slots__))

    @staticmethod
    def joined(parts: "Sequence[Faces]") -> "Faces":
        """All people of these, one after another."""
        return Faces(
            *(np.concatenate([getattr(p, name) for p in parts]) for name in Faces.__slots__)
        )


def draw_attributes(n: int, rng: np.random.Generator) -> Faces:
    """Draw the attributes of ``n`` people; no two are alike (16 continuous numbers each)."""
    woman = rng.random(n) < 0.5
    tone = rng.random(n) * (len(SKINS) - 1)
    low = np.floor(tone).astype(int)
    part = (tone - low)[:, None]
    skin = SKINS[low] * (1 - part) + SKINS[np.minimum(low + 1, len(SKINS) - 1)] * part
    jitter = rng.normal(0, 0.06, (n, 3))
    return Faces(
        shape=rng.random((n, 16)).astype(np.float32),
        skin=skin.astype(np.float32),
        hair=rng.integers(0, len(HAIR_COLOURS), n),
        shirt=np.clip(_SHIRTS[rng.integers(0, len(_SHIRTS), n)] + jitter, 0, 1).astype(np.float32),
        eyes=_EYES[rng.integers(0, len(_EYES), n)].astype(np.float32),
        woman=woman,
        glasses=rng.random(n) < 0.3,
        beard=~woman & (rng.random(n) < 0.4),
        hat=rng.random(n) < 0.15,
    )


def describe(faces: Faces, row: int) -> str:
    """Say what an anonymous person looks like: ``"a woman with red hair and glasses"``."""
    who = "woman" if faces.woman[row] else "man"
    words = f"a {who} with {HAIR_COLOURS[int(faces.hair[row])][0]} hair"
    extra = [
        name
        for name, there in (
            ("glasses", faces.glasses),
            ("a beard", faces.beard),
            ("a hat", faces.hat),
        )
        if there[row]
    ]
    return f"{words} and {extra[0]}" if extra else words


def shirt_colour(faces: Faces, row: int) -> str:
    """The word for a shirt's colour: the nearest of `SHIRT_COLOURS`."""
    return SHIRT_COLOURS[int(np.square(_SHIRTS - faces.shirt[row]).sum(1).argmin())][0]


def draw_faces(
    faces: Faces,
    places: NDArray[np.int64],
    rng: np.random.Generator,
    step: Callable[[int], None] = lambda _units: None,
) -> NDArray[np.uint8]:
    """Draw one picture of each row, in a pose and light of its own.

    Args:
        faces: Who is drawn; repeat a row for several pictures of one person.
        places: Shape (n,), index into `PLACES`: what stands behind.
        rng: Source of pose, light, place details and noise.
        step: Told the number of pictures just drawn.

    Returns:
        Shape (n, 64, 64, 3), red green blue.
    """
    pictures = np.empty((len(faces), SIDE, SIDE, 3), np.uint8)
    for start in range(0, len(faces), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(faces)))
        canvas = _places(places[rows], rng)
        _paint_people(canvas, faces.take(rows), rng)
        pictures[rows] = _develop(canvas, rng)
        step(len(rows))
    return pictures


def draw_scenes(
    places: NDArray[np.int64],
    rng: np.random.Generator,
    step: Callable[[int], None] = lambda _units: None,
) -> NDArray[np.uint8]:
    """Draw places without people; arguments and result as in `draw_faces`."""
    pictures = np.empty((len(places), SIDE, SIDE, 3), np.uint8)
    for start in range(0, len(places), _CHUNK):
        rows = slice(start, start + _CHUNK)
        pictures[rows] = _develop(_places(places[rows], rng), rng)
        step(len(places[rows]))
    return pictures


def _grid() -> tuple[Floats, Floats]:
    """Pixel coordinates from -1 (left, top) to 1, each of shape (1, side, side)."""
    line = np.linspace(-1, 1, SIDE, dtype=np.float32)
    y, x = np.meshgrid(line, line, indexing="ij")
    return x[None], y[None]


def _column(values: NDArray[np.generic]) -> Floats:
    return np.asarray(values, np.float32)[:, None, None]


def _cover(canvas: Floats, mask: Floats, colour: Floats) -> None:
    """Lay a colour (n, 3) over the canvas (n, 3, side, side) where the mask is 1."""
    canvas += mask[:, None] * (colour[:, :, None, None] - canvas)


def _disc(
    x: Floats, y: Floats, cx: Floats, cy: Floats, rx: Floats, ry: Floats, soft: float = 14.0
) -> Floats:
    """Soft-edged ellipse: 1 inside, 0 outside."""
    radius = np.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2)
    mask: Floats = np.clip((1 - radius) * np.minimum(rx, ry) * soft * 2 + 0.5, 0, 1)
    return mask


def _places(places: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Backgrounds, shape (n, 3, side, side)."""
    n = len(places)
    x, y = _grid()
    tops = np.array(
        [(0.7, 0.7, 0.75), (0.5, 0.75, 0.95), (0.25, 0.45, 0.25), (0.6, 0.65, 0.75),
         (0.85, 0.82, 0.75), (0.6, 0.85, 0.95)]
    )  # fmt: skip
    lows = np.array(
        [(0.6, 0.6, 0.65), (0.9, 0.8, 0.55), (0.2, 0.3, 0.12), (0.35, 0.35, 0.38),
         (0.5, 0.38, 0.25), (0.35, 0.65, 0.25)]
    )  # fmt: skip
    tint = rng.normal(0, 0.07, (n, 3))
    top = (tops[places] + tint).astype(np.float32)
    low = (lows[places] + tint).astype(np.float32)
    horizon = _column(rng.uniform(-0.2, 0.35, n))
    ground = np.clip((y - horizon) * 10 + 0.5, 0, 1)
    studio = _column(places == PLACES.index("studio"))
    ground = ground * (1 - studio) + (0.5 + 0.5 * y) * studio
    canvas: Floats = top[:, :, None, None] + np.zeros((1, 1, SIDE, SIDE), np.float32)
    _cover(canvas, ground.astype(np.float32), low)
    # Stripes: trunks, houses, shelves or flowers, by place.
    across = np.array([0.0, 0.0, 9.0, 6.0, 3.0, 14.0])[places]
    down = np.array([0.0, 7.0, 0.0, 5.0, 6.0, 14.0])[places]
    strength = np.array([0.0, 0.12, 0.45, 0.4, 0.3, 0.35])[places]
    phase = rng.uniform(0, 6.28, (2, n))
    wave = np.sin(_column(across) * x + _column(phase[0])) * np.sin(
        _column(down) * y + _column(phase[1]) + 1.57
    )
    dark = rng.uniform(0.1, 0.5, (n, 3)).astype(np.float32)
    _cover(canvas, np.clip(wave * 3, 0, 1) * _column(strength), dark)
    return canvas


def _paint_people(canvas: Floats, faces: Faces, rng: np.random.Generator) -> None:
    """Paint one person over each background, in place."""
    n = len(faces)
    gx, gy = _grid()
    angle = _column(rng.normal(0, 0.12, n))
    scale = _column(rng.uniform(0.88, 1.12, n))
    dx, dy = _column(rng.uniform(-0.16, 0.16, n)), _column(rng.uniform(-0.12, 0.12, n))
    turn = _column(rng.normal(0, 0.05, n))  # features slide sideways on the head
    cos, sin = np.cos(angle), np.sin(angle)
    x = np.asarray(((gx - dx) * cos + (gy - dy) * sin) / scale, np.float32)
    y = np.asarray(((gy - dy) * cos - (gx - dx) * sin) / scale, np.float32)
    s = [_column(faces.shape[:, i]) for i in range(faces.shape.shape[1])]
    zero = np.zeros_like(dx)
    hair = np.array([rgb for _name, rgb in HAIR_COLOURS], np.float32)[faces.hair]
    hair = np.clip(hair + 0.1 * (faces.shape[:, 13:14] - 0.5), 0, 1)
    wide, tall = 0.34 + 0.14 * s[0], 0.44 + 0.14 * s[1]
    woman, hat = _column(faces.woman), _column(faces.hat)

    length = 0.1 + 0.25 * s[2] + woman * (0.15 + 0.45 * s[2])
    _cover(canvas, _disc(x, y, zero, length - 0.2, wide + 0.1 + 0.08 * s[3], tall + length), hair)
    _cover(canvas, _disc(x, y, zero, zero + 1.05, 0.62 + 0.2 * s[4], zero + 0.5), faces.shirt)
    _cover(
        canvas, _disc(x, y, zero, zero + 0.55, 0.13 + 0.08 * s[4], zero + 0.25), faces.skin * 0.92
    )
    head = _disc(x, y, zero, zero, wide, tall)
    _cover(canvas, head, faces.skin)
    hairline = -0.5 * tall - 0.2 * (s[5] - 0.5) + 0.35 * (s[6] - 0.5) * x
    _cover(canvas, head * np.clip((hairline - y) * 14 + 0.5, 0, 1), hair)

    eye_y = -0.02 - 0.14 * s[7]
    apart = 0.13 + 0.08 * s[8]
    size = 0.045 + 0.04 * s[9]
    tilt = 0.5 * (s[10] - 0.5)
    white = np.full((n, 3), 0.96, np.float32)
    black = np.full((n, 3), 0.12, np.float32)
    beard = head * np.clip((y - (0.16 + 0.1 * s[11])) * 14, 0, 1) * _column(faces.beard)
    _cover(canvas, beard * 0.85, hair * 0.8)
    for side in (-1.0, 1.0):
        ex = side * apart + turn
        _cover(canvas, _disc(x, y, ex, eye_y, size * 1.5, size), white)
        _cover(canvas, _disc(x, y, ex + turn * 0.3, eye_y, size * 0.8, size * 0.8), faces.eyes)
        brow = eye_y - size - 0.05 - 0.03 * s[12] + tilt * (x - ex) * side
        _cover(
            canvas,
            np.clip((0.02 + 0.025 * s[12] - np.abs(y - brow)) * 40, 0, 1)
            * np.clip((0.1 - np.abs(x - ex)) * 30, 0, 1),
            hair * 0.6,
        )
        ring = np.abs(np.sqrt(((x - ex) / 1.15) ** 2 + (y - eye_y) ** 2) - 0.12)
        _cover(canvas, np.clip((0.025 - ring) * 45, 0, 1) * _column(faces.glasses), black)
    nose = 0.1 + 0.14 * s[14]
    _cover(
        canvas, _disc(x, y, turn, eye_y + nose, 0.03 + 0.05 * s[15], nose * 0.55), faces.skin * 0.8
    )
    mouth_y = eye_y + nose + 0.16 + 0.06 * s[11] + 0.9 * (s[3] - 0.5) * (x - turn) ** 2
    lips = np.array([(0.75, 0.25, 0.28)], np.float32) * (0.6 + 0.4 * faces.woman[:, None])
    _cover(
        canvas,
        np.clip((0.02 + 0.03 * s[13] - np.abs(y - mouth_y)) * 35, 0, 1)
        * np.clip((0.08 + 0.1 * s[6] - np.abs(x - turn)) * 25, 0, 1),
        lips.astype(np.float32),
    )
    brim = np.clip((-0.62 * tall - y) * 16 + 0.5, 0, 1) * np.clip(
        (wide + 0.12 - np.abs(x)) * 16, 0, 1
    )
    _cover(
        canvas, brim * hat * np.clip((y + 1.1 * tall + 0.1) * 16, 0, 1), faces.shirt[:, ::-1] * 0.8
    )


def _develop(canvas: Floats, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Light, noise and rounding: (n, 3, side, side) to (n, side, side, 3)."""
    n = len(canvas)
    x, y = _grid()
    slope = rng.normal(0, 0.12, (2, n))
    light = _column(rng.uniform(0.8, 1.15, n)) + _column(slope[0]) * x + _column(slope[1]) * y
    canvas *= light[:, None]
    canvas += rng.normal(0, 0.03, (n, 3, 1, 1)).astype(np.float32)  # white balance
    canvas += rng.standard_normal(canvas.shape, np.float32) * np.float32(0.04)
    return (np.clip(canvas, 0, 1) * 255).astype(np.uint8).transpose(0, 2, 3, 1)
