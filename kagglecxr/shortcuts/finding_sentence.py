"""What an audit says of a run of findings, in plain words with its numbers."""

from collections.abc import Mapping, Sequence

from kagglecxr.core.errors import shorten
from kagglecxr.shortcuts.verdict import (
    CLEAN,
    NOTHING,
    SHORTCUT,
    UNEXPLAINED,
    UNUSED,
    Verdict,
    short,
)

DETAILED = 3
"""Findings that are given with their numbers, at most."""


def finding_sentence(verdict: Verdict, name: str, findings: Sequence[str]) -> str:
    """Returns the verdict on a run of that name, and which findings it is of.

    Args:
        verdict: with one of each finding that was audited.
        name: of the run.
        findings: (K,) their names.
    """
    judged = {
        finding: one for finding, one in zip(findings, verdict.of_findings, strict=True) if one
    }
    read = _of_kind(judged, SHORTCUT)
    whole = (
        f"mean AUC {short(verdict.whole)} over {_count(judged, findings)} on whole images, where "
        f"{verdict.chance:.2f} is chance"
    )
    if verdict.kind == NOTHING:
        return f"{name} {verdict.kind}, so there is nothing to audit: {whole}."
    said = f"{name} {verdict.kind}{_for(read, verdict.kind)}: {whole}; from the background alone "
    said += f"heads on its features have {short(verdict.background)}"
    if verdict.gap is None:
        return f"{said}. {_read_nowhere(judged)}".strip()
    said += (
        f"; lungs put into images of their own label have a mean AUC of {verdict.gap.same:.2f}, "
        f"into those of the other label {verdict.gap.other:.2f} (a finding's probability falls by "
        f"{short(verdict.gap.certainty)}; {verdict.gap.images:,} images)."
    )
    parts = [said, _details(read), _others(judged), _read_nowhere(judged)]
    return " ".join(part for part in parts if part)


def _count(judged: Mapping[str, Verdict], findings: Sequence[str]) -> str:
    every = len(judged) == len(findings)
    return f"{len(judged)} {'' if every else f'of {len(findings)} '}findings"


def _of_kind(judged: Mapping[str, Verdict], *kinds: str) -> dict[str, Verdict]:
    return {finding: one for finding, one in judged.items() if one.kind in kinds}


def _for(read: Mapping[str, Verdict], kind: str) -> str:
    if kind != SHORTCUT:
        return ""
    return f" for {', '.join(read)}" if read else ", though it is not clear for which finding"


def _details(read: Mapping[str, Verdict]) -> str:
    """The numbers of the findings that change most with the background, and what follows."""
    if not read:
        return ""
    falls = sorted(read.items(), key=lambda item: -item[1].gap.accuracy.score if item[1].gap else 0)
    details = [
        f"{finding} has an AUC of {short(one.background)} from the background alone, and "
        f"{one.gap.same:.2f} falls to {one.gap.other:.2f} where that is of the other label"
        for finding, one in falls[:DETAILED]
        if one.gap
    ]
    return (
        f"{'; '.join(details)}. Where such a finding shows outside of the lungs, as a large heart "
        "or a tube does, it is to be read there; where not, expect a lower score on images of "
        "another origin."
    )


def _others(judged: Mapping[str, Verdict]) -> str:
    """What is ruled out for findings that are told, and not said to be read outside."""
    others = _of_kind(judged, CLEAN, UNUSED, UNEXPLAINED)
    highest = [one.gap.accuracy.high for one in others.values() if one.gap]
    if not highest:
        return ""
    said = (
        f"For {shorten(list(others))} a fall of the AUC by more than {max(*highest, 0.0):.2f} is "
        "ruled out"
    )
    unused = _of_kind(judged, UNUSED)
    if unused:
        said += f", though the background alone tells {shorten(list(unused))}"
    return f"{said}."


def _read_nowhere(judged: Mapping[str, Verdict]) -> str:
    """The findings of which nothing can be said."""
    none = _of_kind(judged, NOTHING)
    if not none:
        return ""
    return f"Of {shorten(list(none))} nothing is known: no better than chance on whole images."
