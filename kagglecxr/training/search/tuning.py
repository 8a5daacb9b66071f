"""The search for a recipe from end to end: its name, its study, its trials, what it found."""

import platform
import uuid
from collections.abc import Callable

from optuna.trial import Trial

from kagglecxr.core.files import digest
from kagglecxr.core.metrics import METRICS
from kagglecxr.core.progress import Reporter
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepare import PreparedData
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.run_spec import run_name
from kagglecxr.training.search.pipeline_caches import PipelineCaches
from kagglecxr.training.search.results import SearchResult, collect_results
from kagglecxr.training.search.search_budget import SearchBudget
from kagglecxr.training.search.search_loop import run_search
from kagglecxr.training.search.space import Space
from kagglecxr.training.search.study import open_study, to_distributions
from kagglecxr.training.search.study_storage import explain_storage_errors, storage_location
from kagglecxr.training.search.trial_process import RunningTrial, TrialProcess, TrialSpec
from kagglecxr.training.search.trial_queue import PIPELINE, RECIPE, RUN, WorkerLock


def study_name(
    prepared: PreparedData, recipe: Recipe, space: Space, trial_folds: int, seed: int
) -> str:
    """The name of a study: a digest of all that its scores depend on."""
    folds = int(prepared.fold.max()) + 1
    decided = digest(run_name(prepared, recipe, folds, seed), space.as_json(), trial_folds)
    return f"{prepared.competition.name}-{decided[:8]}"


def tune_recipe(
    competition: str,
    prepared: PreparedData,
    workspace: Workspace,
    recipe: Recipe,
    space: Space,
    budget: SearchBudget,
    reporter: Reporter,
    *,
    seed: int = 0,
    start: Callable[[TrialSpec], RunningTrial] = TrialProcess,
) -> SearchResult:
    """Searches for a better recipe; the same call goes on where an earlier one ended.

    The recipe itself is tried first, with the values of the space where it lies outside.

    Args:
        competition: as on the command line: each trial's process loads it again.
        prepared: the data.
        workspace: where the study's folder goes.
        recipe: what does not vary.
        space: what does.
        budget: how much it may take.
        reporter: told of every trial.
        seed: fixes all chance.
        start: starts the process of a trial.

    Raises:
        SettingError: a space or budget that cannot be, a storage that cannot be opened or was lost,
            or no finished trial.
    """
    folds = int(prepared.fold.max()) + 1
    budget.check(folds)
    space.check(recipe)
    preprocessing = PipelineCaches(prepared, workspace, reporter)
    preprocessing.check(space.entries)
    name = study_name(prepared, recipe, space, budget.trial_folds, seed)
    folder = workspace.studies / name
    place = storage_location(folder, budget.storage)
    metric = METRICS[prepared.competition.metric.name]

    def begin(trial: Trial) -> RunningTrial:
        chosen, images = space.recipe(recipe, trial.params), preprocessing.of(trial.params)
        run = run_name(images, chosen, folds, seed)
        cache = "" if images is prepared else images.cache.key
        trial.set_user_attr(RECIPE, chosen.model_dump(mode="json"))
        trial.set_user_attr(PIPELINE, cache and images.pipeline_text)
        trial.set_user_attr(RUN, run)
        return start(
            TrialSpec(
                competition=competition,
                work=str(workspace.root),
                study=name,
                storage=place,
                number=trial.number,
                recipe=chosen.model_dump(mode="json"),
                folder=str(folder / "trials" / run),
                folds=budget.trial_folds,
                seed=seed,
                cache=cache,
            )
        )

    owner = WorkerLock(f"{platform.node()}-{uuid.uuid4().hex[:8]}", (folder / "owners").absolute())
    with explain_storage_errors(place):
        study = open_study(name, place, maximise=metric.greater_is_better, seed=seed)
        if not study.get_trials(deepcopy=False):
            study.enqueue_trial(space.start(recipe) | preprocessing.start(space.entries))
        run_search(study, to_distributions(space), budget, owner, begin, reporter)
        return collect_results(study, metric.name, budget.trial_folds)
