"""The verb `doctor`: checks this machine and advises on what is missing."""

import sys

from kagglecxr.core.cli import CommonOptions, run_verb


def doctor(
    *,
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Checks hardware, backend, versions, credentials, accelerator quotas, disk and weights.

    Example: python -m kagglecxr.doctor

    Args:
        common: Options of every verb.
    """
    from kagglecxr.core.environment import Check, check_environment
    from kagglecxr.models.weights.sources import check_imagenet_weights
    from kagglecxr.remote.credentials import check_credentials
    from kagglecxr.remote.kernels.push import check_quotas

    def show(check: Check) -> None:
        advice = f"\n{'':<24}{check.advice}" if check.advice else ""
        mark = "ok" if check.is_ok else "!"
        sys.stdout.write(f"{mark:<4}{check.subject:<18}{check.found}{advice}\n")

    # What needs no Keras comes first and is shown even if Keras cannot be imported.
    checks = [*check_environment(common.work), check_credentials(), *check_quotas()]
    checks.append(check_imagenet_weights())
    for check in checks:
        show(check)
    try:
        from kagglecxr.models.runtime import setup_keras

        setup_keras()
        from kagglecxr.training.select_recipe import check_accelerators

        checks.append(check_accelerators())
    except ImportError as error:
        found = f"unknown, since Keras cannot be imported: {error}"
        advice = "Install keras and tensorflow, or set KERAS_BACKEND to an installed backend."
        checks.append(Check("accelerators", found, advice, is_ok=False))
    show(checks[-1])
    problems = sum(not check.is_ok for check in checks)
    common.finish(f"{problems} of {len(checks)} checks failed.", "python -m kagglecxr.demo")


if __name__ == "__main__":
    run_verb(doctor)
