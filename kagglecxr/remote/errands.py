"""What the verbs ask of Kaggle, and what a user can do when it is not given."""

from kagglecxr.remote.failures import Errand

PAGE = "https://www.kaggle.com"
_OTHERWISE = "Without an account: python -m kagglecxr.submit COMPETITION --local."


def competition_errand(slug: str, what: str) -> Errand:
    """Something of a competition that only those who joined it may have.

    Args:
        slug: the last part of its page's address.
        what: is asked for.
    """
    page = f"{PAGE}/competitions/{slug}"
    return Errand(
        what=f"{what} of {slug}",
        if_refused=f"Open {page}/rules, signed in as the credentials' user, join and accept the "
        f"rules; if there is no such page, the slug is wrong.",
        if_unknown=f"Check the slug against the address of the competition's page: {page}",
        instead=_OTHERWISE,
    )


def kernel_errand(kernel: str, what: str) -> Errand:
    """Something of a kernel, `owner/slug`."""
    page = f"{PAGE}/code/{kernel}"
    return Errand(
        what=f"{what} of {kernel}",
        if_refused=f"Check the name against the address of the kernel's page, {page}, and that the "
        "credentials are its owner's.",
        if_unknown=f"Check that {page} is there; a kernel has to be pushed first: "
        "python -m kagglecxr.kernel push FOLDER",
        instead="The folder can be uploaded on Kaggle's page as well: File, Import notebook.",
    )
