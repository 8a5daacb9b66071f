"""Searches for a recipe: names and opens the study, runs its trials, collects the results."""

import platform
import uuid

from optuna.trial import Trial

from kagglecxr.core.errors import MissingError, SettingError, WeightsError
from kagglecxr.core.files import digest
from kagglecxr.core.progress import Reporter, Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepared import PreparedData
from kagglecxr.models.weights.sources import each_source, find_weights
from kagglecxr.models.zoo import MODELS
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.run_spec import run_name
from kagglecxr.training.search.pipeline_caches import PipelineCaches
from kagglecxr.training.search.results import SearchResult, collect_results
from kagglecxr.training.search.search_loop import SearchLoop
from kagglecxr.training.search.space import Space
from kagglecxr.training.search.study import open_study, to_distributions
from kagglecxr.training.search.study_storage import explain_storage_errors, storage_location
from kagglecxr.training.search.trial_process import RunningTrial, TrialLauncher, TrialSpec
from kagglecxr.training.search.trial_queue import PIPELINE_TEXT, RECIPE, RUN, WorkerLock
from kagglecxr.training.tasks import data_of_recipe, make_task
from kagglecxr.training.training_options import SearchBudget


def study_name(
    prepared: PreparedData, recipe: Recipe, space: Space, trial_folds: int, seed: int
) -> str:
    """Returns the name of a study, a digest of all that its scores depend on."""
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
    launch: TrialLauncher,
    reporter: Reporter,
    *,
    seed: int = 0,
) -> SearchResult:
    """Searches for a better recipe; the same call continues where an earlier one ended.

    The first trial is the recipe itself, as far as the space contains its values. The competition
    is named as on the command line, since the trials' processes load it again.

    Raises:
        SettingError: The space or the budget is not valid, the storage cannot be opened or was
            lost, or no trial finished.
    """
    data = data_of_recipe(prepared, workspace, recipe, reporter)
    folds = int(data.fold.max()) + 1
    budget.check(folds)
    space.check(recipe)
    caches = PipelineCaches(prepared, workspace, reporter)
    caches.check(space.entries)
    name = study_name(prepared, recipe, space, budget.trial_folds, seed)
    folder = workspace.studies / name
    location = storage_location(folder, budget.storage)
    metric = make_task(data).metric

    def start(trial: Trial) -> RunningTrial:
        chosen, images = space.recipe(recipe, trial.params), caches.get(trial.params)
        run = run_name(data_of_recipe(images, workspace, chosen, Silent()), chosen, folds, seed)
        cache_key = "" if images is prepared else images.cache.key
        trial.set_user_attr(RECIPE, chosen.model_dump(mode="json"))
        trial.set_user_attr(PIPELINE_TEXT, cache_key and images.pipeline_text)
        trial.set_user_attr(RUN, run)
        spec = TrialSpec(
            competition=competition,
            workspace=workspace.root,
            study=name,
            storage=location,
            number=trial.number,
            recipe=chosen,
            folder=folder / "trials" / run,
            folds=budget.trial_folds,
            seed=seed,
            cache_key=cache_key,
        )
        return launch(spec)

    worker = WorkerLock(
        f"{platform.node()}-{uuid.uuid4().hex[:8]}", (folder / "workers").absolute()
    )
    with explain_storage_errors(location):
        study = open_study(name, location, maximise=metric.greater_is_better, seed=seed)
        if not study.get_trials(deepcopy=False):
            initial = space.initial_parameters(recipe) | caches.initial_parameters(space.entries)
            study.enqueue_trial(initial)
        SearchLoop(study, to_distributions(space), budget, worker, start, reporter).run()
        return collect_results(study, metric.name, budget.trial_folds)


def with_available_models(space: Space, base: Recipe, reporter: Reporter) -> Space:
    """Returns the space with only those models that can start from the recipe's weights.

    Raises:
        SettingError: There are weights for none of them.
    """
    choices = space.entries.get("model")
    if not isinstance(choices, tuple):
        return space
    names = map(str, choices)
    missing = {name: error for name in names if (error := _weights_error(space, base, name))}
    for name, error in missing.items():
        reporter.note(f"The model {name} is not tried: {error}")
    left = tuple(name for name in choices if name not in missing)
    if not left:
        raise SettingError(
            f"There are weights for no model of the space. Received: {', '.join(missing)}. Name a "
            "folder that holds them with --set weights=FOLDER, or an empty one to train from "
            "scratch."
        )
    return Space({**space.entries, "model": left})


def _weights_error(space: Space, base: Recipe, name: str) -> str:
    recipe = space.recipe(base, {"model": name})
    try:
        for source in each_source(recipe.weights):
            find_weights(MODELS[recipe.model], source)
    except (MissingError, WeightsError) as error:
        return str(error)
    return ""
