"""Draws phantoms with and without a planted shortcut, trains a net on each, and audits it.

Run: python -m benchmarks.planted_shortcuts WEIGHTS_FOLDER [DRAWS]

A cue is in most images of one class and in few of the other. Whether a net uses it is measured by
turning it around in the held-out images: those that had it lose it, the others get it. Draws in
which that costs no accuracy have nothing to be found.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.files import write_table
from kagglecxr.core.intervals import Interval, percentile_interval
from kagglecxr.core.progress import Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.data.phantoms.phantom import draw_phantom
from kagglecxr.data.prepare import PrepareOptions, prepare_competition
from kagglecxr.data.prepared import PreparedData
from kagglecxr.inference.members import Member, members_for_data
from kagglecxr.models.runtime import setup_keras
from kagglecxr.shortcuts.audited_images import audited_images
from kagglecxr.shortcuts.background_gap import measure_background_gap
from kagglecxr.shortcuts.held_out import AuditedImages, HeldOutModels
from kagglecxr.shortcuts.region_matrix import measure_regions
from kagglecxr.shortcuts.verdict import SHORTCUT, Verdict, judge
from kagglecxr.training.run import RunOptions, train_run
from kagglecxr.training.select_recipe import select_recipe

Image = npt.NDArray[np.uint8]

DRAWS, IMAGES, SIZE = 10, 400, 128
CLASSES = ("Lung_Opacity", "Normal")
HEAD = (
    "trainable=head", "epochs=10", "steps=40",
    *(f"augmentation.{name}=0" for name in ("rotation", "shift", "zoom", "brightness", "contrast")),
)  # fmt: skip
"""A head alone learns in seconds, on features that are computed once."""
STRENGTHS = (0.6, 1.0)
"""The share of images that the cue is right in, at least and at most: 0.5 would say nothing."""


def letter(image: Image, random: np.random.Generator) -> Image:
    """Burns a letter into a corner."""
    drawn, side = image.copy(), image.shape[0]
    place = (int(side * random.uniform(0.03, 0.08)), int(side * random.uniform(0.93, 0.97)))
    cv2.putText(drawn, "P", place, cv2.FONT_HERSHEY_SIMPLEX, side / 256, 235, 2, cv2.LINE_AA)
    return drawn


def border(image: Image, random: np.random.Generator) -> Image:
    """Blackens a frame, as a scanned film has it."""
    width = int(image.shape[0] * random.uniform(0.03, 0.05))
    return np.pad(image[width:-width, width:-width], width)


def brightness(image: Image, random: np.random.Generator) -> Image:
    """Brightens the whole image, as another exposure does."""
    return np.clip(image + random.uniform(30, 45), 0, 255).astype(np.uint8)


def grain(image: Image, random: np.random.Generator) -> Image:
    """Adds the grain of another detector."""
    noise = random.normal(0, random.uniform(12, 16), image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


CUES: Mapping[str, Callable[[Image, np.random.Generator], Image]] = {
    "letter": letter, "border": border, "brightness": brightness, "grain": grain,
}  # fmt: skip


@dataclass(frozen=True)
class Draw:
    """The phantoms of one draw.

    Attributes:
        cue: the name of what is planted; empty for none.
        strength: how often it is right.
    """

    number: int
    cue: str
    strength: float

    def image(self, label: str, patient: int, *, turned: bool) -> tuple[Image, Image]:
        """Draws an image and its mask, with the cue where it says the class, or turned around."""
        phantom = draw_phantom(label, patient, 0, self.number)
        random = np.random.default_rng([self.number, patient])
        is_right = random.random() < self.strength
        has_cue = ((label == CLASSES[0]) == is_right) != turned
        image = CUES[self.cue](phantom.image, random) if self.cue and has_cue else phantom.image
        return image, phantom.mask


def write_draw(draw: Draw, folder: Path) -> None:
    """Writes the images of a draw as a competition's folder."""
    lines = []
    for number in range(IMAGES):
        label = CLASSES[number % 2]
        image, mask = draw.image(label, number, turned=False)
        line = {"path": f"{label}/images/{number}.png", "mask_path": f"{label}/masks/{number}.png"}
        for path, pixels in zip(line.values(), (image, mask), strict=True):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / path), pixels)
        lines.append(line | {"label": label, "source": "drawn", "patient_id": str(number)})
    write_table(folder / "metadata.csv", pd.DataFrame(lines))


def train_draw(draw: Draw, folder: Path, weights: str) -> tuple[PreparedData, Workspace, Member]:
    """Prepares a draw and trains a head on a frozen MobileNet, in two folds."""
    images = folder / "images"
    write_draw(draw, images)
    competition, workspace = load_competition(images), Workspace(folder / "work", "images")
    options = PrepareOptions(images, SIZE, "gray | resize", 0.0, 2, False, draw.number)
    prepared = prepare_competition(competition, workspace, options, Silent())
    recipe = select_recipe("cpu", "mobilenet", (*HEAD, f"weights={weights}"), Silent())
    run = train_run(prepared, workspace, recipe, Silent(), RunOptions(seed=draw.number))
    [member] = members_for_data([run], prepared)
    return prepared, workspace, member


def measure_use(draw: Draw, audited: AuditedImages, models: HeldOutModels) -> Interval:
    """Returns what turning the cue around costs in accuracy, with its interval over images."""
    labels = [CLASSES[one] for one in audited.classes]
    right = []
    for turned in (False, True):
        images = [
            models.member.pipeline(draw.image(label, int(name), turned=turned)[0])
            for label, name in zip(labels, audited.ids, strict=True)
        ]
        said = models.predict(np.stack(images)[..., None], audited.folds).probabilities
        right.append((said.argmax(axis=1) == audited.classes).astype(np.float64))
    difference, random = right[0] - right[1], np.random.default_rng(0)
    drawn = random.choice(difference, (1000, len(difference))).mean(axis=1)
    return percentile_interval(float(difference.mean()), drawn)


def audit_draw(draw: Draw, folder: Path, weights: str) -> tuple[Verdict, Interval]:
    """Returns the verdict on a net that learned from a draw, and what the cue is worth to it."""
    prepared, workspace, member = train_draw(draw, folder, weights)
    random, models = np.random.default_rng(draw.number), HeldOutModels(member)
    audited = audited_images(prepared, workspace, member, IMAGES, random, Silent())
    whole = models.predict(audited.images, audited.folds)
    regions = measure_regions(audited, models, whole, draw.number, Silent())
    gap = measure_background_gap(audited, models, random, Silent())
    use = measure_use(draw, audited, models) if draw.cue else Interval(0.0, 0.0, 0.0)
    return judge(regions, gap, random), use


def main() -> None:
    """Prints a line for each draw, and how many verdicts are right."""
    setup_keras()
    weights, count = sys.argv[1], int(sys.argv[2]) if sys.argv[2:] else DRAWS
    random, cues = np.random.default_rng(0), list(CUES)
    planted = [
        Draw(number, cues[number % len(cues)], round(float(random.uniform(*STRENGTHS)), 2))
        for number in range(count)
    ]
    used, found, falsely = 0, 0, 0
    for draw in [*planted, *(Draw(100 + number, "", 1.0) for number in range(count))]:
        with TemporaryDirectory() as folder:
            verdict, use = audit_draw(draw, Path(folder), weights)
        is_used, is_found = use.low > 0, verdict.kind == SHORTCUT
        used += is_used
        found += is_used and is_found
        falsely += is_found and not draw.cue
        planted_words = f"{draw.cue} {draw.strength:.2f}, worth {use}" if draw.cue else "nothing"
        sys.stdout.write(f"{draw.number}: {planted_words}: {verdict.sentence('the net')}\n")
        sys.stdout.flush()
    sys.stdout.write(
        f"Planted: {found} of {used} that are used are found, of {count}. Clean: {count - falsely} "
        f"of {count} are not said to have one.\n"
    )


if __name__ == "__main__":
    main()
