"""The verb `doctor`: what is here, and what to do about what is missing."""

import sys

from kagglecxr.core.cli import CommonOptions, run_verb


def doctor(
    *,
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """What hardware, backend, versions, credentials, disk and weights are here.

    Example: python -m kagglecxr.doctor

    Args:
        common: Options of every verb.
    """
    from kagglecxr.models.runtime import setup_keras

    setup_keras()
    from kagglecxr.training.diagnosis import examine

    findings = examine(common.work)
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        mark = "ok  " if finding.is_well else "!   "
        sys.stdout.write(f"{mark}{finding.subject:<{width}}  {finding.found}\n")
        if finding.advice:
            sys.stdout.write(f"{'':<{width + 6}}{finding.advice}\n")
    ill = sum(not finding.is_well for finding in findings)
    common.finish(f"{ill} of {len(findings)} points want attention.", "python -m kagglecxr.demo")


if __name__ == "__main__":
    run_verb(doctor)
