"""A square grid for drawing: from -1 to 1, x to the right of the picture, y downwards."""

import math

import cv2
import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]
Point = tuple[float, float]
Window = tuple[slice, slice]
WHOLE: Window = (slice(None), slice(None))


class Canvas:
    """A square grid of `size` pixels a side on which shapes are drawn."""

    def __init__(self, size: int) -> None:
        self.size = size
        axis = (np.arange(size, dtype=np.float32) + 0.5) / size * 2.0 - 1.0
        self.x, self.y = np.meshgrid(axis, axis)

    def blank(self) -> Field:
        """Returns a field of zeros."""
        return np.zeros((self.size, self.size), np.float32)

    def pixels(self, points: Points) -> npt.NDArray[np.int32]:
        """Converts points to OpenCV's fixed-point coordinates, sixteenths of a pixel."""
        return np.rint(((points + 1.0) / 2.0 * self.size - 0.5) * 16).astype(np.int32)

    def polygon(self, points: Points) -> Field:
        """Returns 1 inside a polygon and 0 outside, anti-aliased."""
        field = self.blank()
        cv2.fillPoly(field, [self.pixels(points)], 1.0, cv2.LINE_AA, shift=4)
        return field

    def line(self, points: Points, width: float) -> Field:
        """Returns 1 on a line of a width, 0 elsewhere."""
        field = self.blank()
        thick = max(1, round(width / 2.0 * self.size))
        cv2.polylines(field, [self.pixels(points)], False, 1.0, thick, cv2.LINE_AA, shift=4)
        return field

    def stroke(self, points: Points, width: float) -> tuple[Window, Field]:
        """Returns the rows and columns of a line of a width, and its field there."""
        reach = width + 4.0 / self.size
        (left, right), (top, bottom) = (
            (self.nearest(low - reach), self.nearest(high + reach))
            for low, high in zip(points.min(axis=0), points.max(axis=0), strict=True)
        )
        window = slice(top, bottom), slice(left, right)
        return window, self.line(points, width)[window]

    def nearest(self, coordinate: float) -> int:
        """Returns the first row or column at or after a coordinate; `size` if there is none."""
        return min(max(math.ceil((coordinate + 1.0) / 2.0 * self.size - 0.5), 0), self.size)

    def blur(self, field: Field, width: float) -> Field:
        """Blurs with a Gaussian of standard deviation `width`."""
        blurred = cv2.GaussianBlur(field, (0, 0), max(0.3, width / 2.0 * self.size))
        return np.asarray(blurred, np.float32)

    def ellipse(self, centre: Point, axes: Point, turn: float, window: Window = WHOLE) -> Field:
        """Returns the squared distance from the centre of an ellipse turned by radians; 1 on it."""
        dx, dy = self.x[window] - centre[0], self.y[window] - centre[1]
        u = dx * np.cos(turn) + dy * np.sin(turn)
        v = dy * np.cos(turn) - dx * np.sin(turn)
        return np.asarray((u / axes[0]) ** 2 + (v / axes[1]) ** 2, np.float32)

    def disc(self, centre: Point, axes: Point, turn: float = 0.0) -> Field:
        """Returns 1 inside an ellipse, 0 outside."""
        field, reach = self.blank(), max(axes)
        columns, rows = (
            slice(self.nearest(middle - reach), self.nearest(middle + reach)) for middle in centre
        )
        field[rows, columns] = self.ellipse(centre, axes, turn, (rows, columns)) < 1
        return field
