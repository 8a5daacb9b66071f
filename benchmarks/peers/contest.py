"""Contests: contenders that do the same work on the same files, run in turn; figures and ratios."""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.peers.environments import Environment
from kagglecxr.core.files import read_json, write_json

SCRIPTS = Path(__file__).parent / "scripts"
OURS = "kagglecxr"
MEMORY = "MB of memory"


@dataclass(frozen=True)
class Contender:
    """Who takes part.

    Attributes:
        name: as it stands in the table.
        script: below `scripts`; prints a line of JSON, figures by name, last.
        words: further arguments of the script.
        packages: what its environment has, as pip names it; the package itself where empty.
        base: the contender that its ratio is of.
    """

    name: str
    script: str
    words: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    base: str = OURS


@dataclass(frozen=True)
class Contest:
    """What is compared.

    Attributes:
        name: on the command line.
        title: of its table.
        text: what is done, below the title.
        against: the figure whose ratio is taken, and whether more is better.
        contenders: ours first.
        quick: arguments of all scripts in a quick look.
        whole: those in a measurement.
    """

    name: str
    title: str
    text: str
    against: tuple[str, bool]
    contenders: tuple[Contender, ...]
    quick: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What was measured: of each contender the figures of each round, or why there are none."""

    contest: str
    rounds: dict[str, list[dict[str, float]]]
    failed: dict[str, str]
    versions: dict[str, str] = field(default_factory=dict)
    machine: str = ""

    @classmethod
    def read(cls, path: Path) -> "Outcome":
        """Reads what `write` wrote."""
        return cls(**read_json(path))

    def write(self, path: Path) -> None:
        """Writes it as JSON."""
        write_json(path, asdict(self))


def play(contest: Contest, files: Path, rounds: int, *, quick: bool) -> Outcome:
    """Runs all contenders in turn, round after round; one that fails is left out from then on."""
    found: dict[str, list[dict[str, float]]] = {each.name: [] for each in contest.contenders}
    failed: dict[str, str] = {}
    versions: dict[str, str] = {}
    environments = {each.name: Environment(each.packages) for each in contest.contenders}
    for name, environment in environments.items():
        try:
            environment.install()
            versions[name] = environment.versions()
        except subprocess.CalledProcessError as error:
            failed[name] = f"cannot be installed: {_last_line(error.stderr)}"
    for number in range(rounds):
        for each in contest.contenders:
            if each.name in failed:
                continue
            words = [str(files), *(contest.quick if quick else contest.whole), *each.words]
            try:
                figures = _run(environments[each.name].python, SCRIPTS / each.script, words)
            except subprocess.CalledProcessError as error:
                failed[each.name] = f"does not run: {_last_line(error.stderr)}"
                continue
            found[each.name].append(figures)
            print(f"{contest.name}, round {number + 1}, {each.name}: {figures}", flush=True)
    return Outcome(contest.name, found, failed, versions, machine())


def _run(python: Path, script: Path, words: Sequence[str]) -> dict[str, float]:
    """The figures of one run, its largest memory among them.

    Raises:
        CalledProcessError: it failed.
    """
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": root, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        command = [str(python), str(script), *words]
        process = subprocess.Popen(command, stdout=out, stderr=err, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        printed, complaints = out.read(), err.read()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, printed, complaints)
    figures: dict[str, float] = json.loads(printed.strip().splitlines()[-1])
    return figures | {MEMORY: usage.ru_maxrss / 1024}


def _last_line(text: str | None) -> str:
    lines = [line for line in (text or "").splitlines() if line.strip()]
    return lines[-1][:160] if lines else "without a word"


def machine() -> str:
    """The processor, its cores, and the Python that plays."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    python = sys.version.split()[0]
    return f"{named[0] if named else platform.machine()}, {os.cpu_count()} cores, Python {python}"


def table(contest: Contest, outcome: Outcome) -> str:
    """The Markdown of a contest: medians of all rounds, and how far ours is ahead in each."""
    figure, _ = contest.against
    ours = outcome.rounds.get(OURS, [])
    played = [each for rounds in outcome.rounds.values() for each in rounds]
    names = list(dict.fromkeys(name for each in played for name in each))
    ratio = f"{OURS} is ahead in {figure}, times"
    lines = [
        f"## {contest.title}",
        "",
        contest.text,
        "",
        f"| | {' | '.join(names)} | {ratio} |",
        f"|---|{'---|' * (len(names) + 1)}",
    ]
    for each in contest.contenders:
        if each.name in outcome.failed:
            lines.append(f"| {each.name} | {' | '.join([''] * len(names))} | not run |")
            continue
        rounds = outcome.rounds[each.name]
        cells = [_number(_median(rounds, name)) for name in names]
        ahead = "" if each.name == each.base else _spread(contest, outcome, each)
        lines.append(f"| {each.name} | {' | '.join(cells)} | {ahead} |")
    lines += ["", f"{len(ours)} rounds in turn; medians, and ratios with their range."]
    lines += [f"{name}: {why}." for name, why in outcome.failed.items()]
    listed = dict.fromkeys(outcome.versions[name] for name in outcome.versions)
    lines += ["", f"{outcome.machine}; {'; '.join(filter(None, listed))}."]
    return "\n".join(lines)


def _median(rounds: Sequence[Mapping[str, float]], name: str) -> float:
    values = [each[name] for each in rounds if name in each]
    return float(np.median(values)) if values else float("nan")


def _number(value: float) -> str:
    if np.isnan(value):
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _spread(contest: Contest, outcome: Outcome, contender: Contender) -> str:
    """How many times as good its base is, in the median of all rounds, and the range."""
    figure, more_is_better = contest.against
    pairs = zip(outcome.rounds[contender.base], outcome.rounds[contender.name], strict=False)
    ratios = [base[figure] / own[figure] for base, own in pairs]
    if not more_is_better:
        ratios = [1 / ratio for ratio in ratios]
    if not ratios:
        return ""
    middle, low, high = (_number(each) for each in (np.median(ratios), min(ratios), max(ratios)))
    return f"{middle} ({low} to {high})"
