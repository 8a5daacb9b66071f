"""All pages of Kaggle's list of files, and no more."""

import pytest

from kagglecxr.remote.asking import Patience
from kagglecxr.remote.downloads.listing import list_files
from kagglecxr.remote.downloads.manner import Manner
from kagglecxr.remote.downloads.origin import Origin
from kagglecxr.remote.failures import KaggleError
from tests.remote.downloads.conftest import COMPETITION, DATASET
from tests.remote.downloads.served import LIST, LIST_OF_DATASET, listed
from tests.remote.listening import Told
from tests.remote.stand_in import Answer, Seen, StandIn, refused, told

SIZES = {f"train/{number}.png": number for number in range(450)}


@pytest.mark.parametrize(
    ("origin", "call", "name"),
    [(COMPETITION, LIST, "files"), (DATASET, LIST_OF_DATASET, "datasetFiles")],
)
def test_all_pages_are_asked_for(
    origin: Origin, call: str, name: str, stand_in: StandIn, manner: Manner
) -> None:
    stand_in.on(call, listed(SIZES, name))
    assert list_files(origin, manner) == SIZES
    assert stand_in.calls == [call] * 3
    assert [seen.fields["pageSize"] for seen in stand_in.seen] == [200] * 3


def test_it_stops_where_all_wanted_files_are_found(stand_in: StandIn, manner: Manner) -> None:
    stand_in.on(LIST, listed(SIZES))
    assert list_files(COMPETITION, manner, ["train/250.png"])["train/250.png"] == 250
    assert len(stand_in.calls) == 2


def test_an_empty_page_is_not_the_end(stand_in: StandIn, manner: Manner) -> None:
    stand_in.on(
        LIST,
        told({"files": [], "nextPageToken": "a"}),
        told({"files": [{"name": "x.png", "totalBytes": 3}]}),
    )
    assert list_files(COMPETITION, manner) == {"x.png": 3}


def test_empty_pages_without_end_are_an_end(stand_in: StandIn, manner: Manner) -> None:
    stand_in.on(LIST, lambda seen: told({"nextPageToken": f"{len(stand_in.seen)}"}))
    assert list_files(COMPETITION, manner) == {}
    assert len(stand_in.calls) == 3


def test_a_list_that_goes_round_in_a_circle_is_refused(stand_in: StandIn, manner: Manner) -> None:
    page = {"files": [{"name": "x.png", "totalBytes": 3}], "nextPageToken": "a"}
    stand_in.on(LIST, told(page))
    with pytest.raises(KaggleError, match="in a circle"):
        list_files(COMPETITION, manner)


def test_sizes_told_as_text_or_not_at_all_are_numbers(stand_in: StandIn, manner: Manner) -> None:
    stand_in.on(LIST, told({"files": [{"name": "a", "totalBytes": "7"}, {"name": "b"}]}))
    assert list_files(COMPETITION, manner) == {"a": 7, "b": 0}


def test_too_many_requests_are_waited_out_on_the_page_that_was_refused(
    stand_in: StandIn, told: Told
) -> None:
    pages = listed(SIZES)
    waited: list[float] = []
    busy = Answer(429, headers={"Retry-After": "7"})
    answers = iter([None, busy, None, None])

    def answer(seen: Seen) -> Answer:
        return next(answers) or pages(seen)

    stand_in.on(LIST, answer)
    patient = Manner(told, patience=Patience(sleep=waited.append))
    assert list_files(COMPETITION, patient) == SIZES
    assert waited == [7.0]
    assert "asking again in 7 s" in told.notes[0]
    tokens = [seen.fields.get("pageToken") or "" for seen in stand_in.seen]
    assert tokens == ["", "200", "200", "400"]


def test_what_kaggle_says_in_place_of_a_list_is_told(stand_in: StandIn, manner: Manner) -> None:
    stand_in.on(LIST_OF_DATASET, told({"errorMessage": "is being processed"}))
    with pytest.raises(KaggleError, match="is being processed"):
        list_files(DATASET, manner)


def test_a_refusal_names_the_list(stand_in: StandIn, manner: Manner) -> None:
    stand_in.on(LIST, refused(403, "Permission 'competitions.participate' was denied"))
    with pytest.raises(KaggleError, match=r"403 for the list of files of .*/rules"):
        list_files(COMPETITION, manner)
