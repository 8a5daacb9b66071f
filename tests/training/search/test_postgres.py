"""Several machines share a study in a real PostgreSQL server, and nobody reads its password.

The server is that of KAGGLECXR_TEST_POSTGRES, a URL as postgresql+psycopg://user:password@host/name
whose user may create databases; else one of the tests' own, where PostgreSQL is installed.
"""

import os
import shutil
import subprocess
import sys
import threading
import traceback
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy
from optuna.trial import TrialState

from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.search.results import SearchResult
from kagglecxr.training.search.space import make_space
from kagglecxr.training.search.study import open_study
from kagglecxr.training.search.study_storage import open_storage
from kagglecxr.training.search.trial_process import TrialResult, TrialSpec
from kagglecxr.training.search.tuning import tune_recipe
from kagglecxr.training.training_options import SearchBudget
from tests.conftest import PreparedDemo, prepare_demo
from tests.training.search.conftest import FakeTrial
from tests.training.search.postgres_server import (
    PASSWORD,
    USER,
    find_binaries,
    private_server,
    unprivileged,
)

pytest.importorskip("psycopg", reason="needs pip install 'kagglecxr[postgres]'")
SMALL = make_recipe({}, ["epochs=1", "model_options.width=4", "batch_size=16", "optimizer=sgd"])
FEW = make_space({"batch_size": [8, 16, 32], "optimizer": ["adam", "adamw", "sgd", "adamax"]})


@pytest.fixture(scope="module")
def server() -> Iterator[sqlalchemy.URL]:
    """A server's URL, its password included."""
    given = os.environ.get("KAGGLECXR_TEST_POSTGRES")
    if given:
        yield sqlalchemy.make_url(given)
        return
    binaries = find_binaries()
    if not binaries:
        pytest.skip("needs PostgreSQL, or the URL of a server in KAGGLECXR_TEST_POSTGRES")
    if unprivileged() and not shutil.which("runuser"):
        pytest.skip("needs runuser: PostgreSQL refuses to be run by root")
    with private_server(binaries) as folder:
        yield sqlalchemy.URL.create(
            "postgresql+psycopg", USER, PASSWORD, database="postgres", query={"host": str(folder)}
        )


@pytest.fixture
def url(server: sqlalchemy.URL) -> Iterator[sqlalchemy.URL]:
    """An empty database's, its password included."""
    name = f"kagglecxr_{uuid.uuid4().hex[:12]}"
    engine = sqlalchemy.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
    yield server.set(database=name)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def whole(url: sqlalchemy.URL) -> str:
    return url.render_as_string(hide_password=False)


@dataclass
class SearchingMachine:
    """One of several that search together, each with a workspace of its own."""

    demo: PreparedDemo
    root: Path
    url: str
    trials: int
    specs: list[TrialSpec] = field(default_factory=list)
    results: list[SearchResult] = field(default_factory=list)

    def launch(self, spec: TrialSpec) -> FakeTrial:
        self.specs.append(spec)
        return FakeTrial(TrialResult("finished", spec.recipe.batch_size), polls=5)

    def search(self) -> None:
        workspace = Workspace(self.root, "demo")
        budget = SearchBudget(self.trials, workers=2, storage=self.url)
        result = tune_recipe(
            "demo", self.demo.prepared, workspace, SMALL, FEW, budget, self.launch, Silent()
        )
        self.results.append(result)


@pytest.fixture
def searched(demo: PreparedDemo, url: sqlalchemy.URL, tmp_path: Path) -> list[SearchingMachine]:
    """Two that have searched at once, from an empty database on."""
    machines = [SearchingMachine(demo, tmp_path / name, whole(url), 12) for name in ("one", "two")]
    threads = [threading.Thread(target=machine.search) for machine in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return machines


def test_two_that_search_at_once_find_every_trial_once(
    searched: list[SearchingMachine], url: sqlalchemy.URL
) -> None:
    one, other = searched
    assert one.specs
    assert other.specs
    tried = [(spec.recipe.batch_size, spec.recipe.optimizer) for spec in (*one.specs, *other.specs)]
    assert len(tried) == 12
    assert len(set(tried)) == 12
    (study,) = {spec.study for spec in (*one.specs, *other.specs)}
    kept = open_study(study, whole(url), maximise=True, seed=0)
    done = kept.get_trials(states=(TrialState.COMPLETE,))
    assert {(t.params["batch_size"], t.params["optimizer"]) for t in done} == set(tried)
    assert {len(machine.results) for machine in searched} == {1}
    assert max(machine.results[0].score for machine in searched) == 32


def test_a_search_goes_on_where_one_on_another_machine_ended(
    demo: PreparedDemo, url: sqlalchemy.URL, tmp_path: Path
) -> None:
    first, second = (
        SearchingMachine(demo, tmp_path / str(trials), whole(url), trials) for trials in (3, 5)
    )
    first.search()
    second.search()
    assert [len(first.specs), len(second.specs)] == [3, 2]
    assert len(second.results[0].trials) == 5


def test_an_empty_database_may_be_opened_by_many_at_once(url: sqlalchemy.URL) -> None:
    opened: list[object] = []
    threads = [
        threading.Thread(target=lambda: opened.append(open_storage(whole(url)))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"password": "not-%@the#one"}, "refuses the user or the password"),
        ({"database": "no_such_database"}, "no such database"),
        ({"query": {"host": "/nowhere"}}, "no server answers"),
        ({"query": {}, "host": "127.0.0.1", "port": 1}, "no server answers"),
    ],
)
def test_the_error_of_a_server_that_cannot_be_used_hides_the_password(
    url: sqlalchemy.URL, change: dict[str, object], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = url.set(**change)  # type: ignore[arg-type]
    with pytest.raises(
        SettingError, match=rf"--storage postgresql\+psycopg://\.\.\. \(.*{words}"
    ) as caught:
        open_storage(whole(wrong))
    message = "".join(traceback.format_exception(caught.value))
    assert not _shown(message + "".join(capfd.readouterr()), wrong)


def test_all_trials_are_killed_when_the_server_is_lost(
    demo: PreparedDemo, url: sqlalchemy.URL, tmp_path: Path
) -> None:
    machine = SearchingMachine(demo, tmp_path, whole(url), 12)
    processes: list[FakeTrial] = []
    engine = sqlalchemy.create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")

    def launch(spec: TrialSpec) -> FakeTrial:
        processes.append(FakeTrial(TrialResult("pruned"), polls=10**9))
        if len(processes) == 2:
            with engine.connect() as connection:
                connection.execute(
                    sqlalchemy.text(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS false")
                )
                connection.execute(
                    sqlalchemy.text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        f"WHERE datname = '{url.database}'"
                    )
                )
        return processes[-1]

    machine.launch = launch  # type: ignore[method-assign]
    with pytest.raises(SettingError, match="was lost") as caught:
        machine.search()
    engine.dispose()
    assert [process.killed for process in processes] == [True, True]
    assert not _shown("".join(traceback.format_exception(caught.value)), url)


@pytest.mark.slow
def test_two_commands_share_a_study_and_write_no_password(
    demo_images: Path, url: sqlalchemy.URL, tmp_path: Path
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        prepare_demo(demo_images, folder / "work")
        (folder / "space.toml").write_text("learning_rate = {low = 1e-3, high = 1e-2, log = true}")
    command = [
        sys.executable, "-m", "kagglecxr.tune", "demo", "--work", "work", "--recipe", "cpu_scratch",
        "--set", "epochs=2", "--set", "model_options.width=4", "--space", "space.toml",
        "--trials", "4", "--storage", whole(url),
    ]  # fmt: skip
    processes = [
        subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for folder in folders
    ]
    outputs = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    trained = [path.parent.name for path in tmp_path.rglob("trials/*/result.json")]
    assert len(trained) == len(set(trained)) == 4
    assert not _shown("".join(out + error for out, error in outputs), url)
    assert not _holding([path for path in tmp_path.rglob("*") if path.is_file()], url)


def _secrets(url: sqlalchemy.URL) -> list[str]:
    """The password, plain and as it stands in a URL, and its parts between odd letters."""
    plain = str(url.password)
    quoted = whole(url).partition("://")[2].partition(":")[2].partition("@")[0]
    return [plain, quoted]


def _shown(text: str, url: sqlalchemy.URL) -> bool:
    return any(secret in text for secret in _secrets(url))


def _holding(files: list[Path], url: sqlalchemy.URL) -> list[Path]:
    return [
        path
        for path in files
        if any(secret.encode() in path.read_bytes() for secret in _secrets(url))
    ]
