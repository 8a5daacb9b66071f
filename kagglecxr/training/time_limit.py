"""How a time limit is given; light, since the command line is read with it."""

from kagglecxr.core.errors import SettingError


def check_timeout(seconds: float | None) -> None:
    """Refuses a limit that allows nothing; None is no limit.

    Raises:
        SettingError: no time at all.
    """
    if seconds is not None and not seconds > 0:
        raise SettingError(
            f"--timeout is a positive number of seconds. Received: {seconds}. Use a greater "
            "number, or leave it out."
        )
