"""Which files Kaggle says it has, and of what sizes: all pages of its list."""

from collections.abc import Collection
from typing import Any

from kagglecxr.remote.downloads.manner import Manner
from kagglecxr.remote.downloads.origin import Origin
from kagglecxr.remote.failures import KaggleError

PAGE_SIZE = 200
"""Files a page: the most that Kaggle gives."""
_MOST_EMPTY = 3


def list_files(origin: Origin, manner: Manner, wanted: Collection[str] = ()) -> dict[str, int]:
    """The bytes of each file by its name; 0 where Kaggle does not tell them.

    Kaggle's lists are known to leave files out: a file that is not in one may be there.

    Args:
        origin: whose files.
        manner: how Kaggle is asked.
        wanted: stops where all of these are found; all pages are asked for where empty.

    Raises:
        MissingError: there is no client, or there are no credentials.
        KaggleError: Kaggle refused, or its list has no end.
    """
    sizes: dict[str, int] = {}
    tokens: list[str | None] = [None]

    def go_on(api: Any) -> None:
        # Asked anew after too many requests, it goes on with the page that was refused.
        empty = 0
        while True:
            page = origin.page_of_files(api, tokens[-1], PAGE_SIZE)
            if told := getattr(page, "error_message", None):
                raise ValueError(told)
            # The field is called after the kind.
            files = page.files if origin.kind == "competition" else page.dataset_files
            sizes.update((file.name, int(file.total_bytes or 0)) for file in files)
            empty = 0 if files else empty + 1
            following = page.next_page_token
            if not following or empty == _MOST_EMPTY or (wanted and sizes.keys() >= {*wanted}):
                return
            if following in tokens:
                raise KaggleError(
                    "Kaggle's list of files goes round in a circle. Received: one page twice for "
                    f"{origin}, after {len(sizes)} files. Run the same command again in some "
                    "minutes."
                )
            tokens.append(following)

    manner.ask(origin.errand("the list of files"), go_on)
    return sizes
