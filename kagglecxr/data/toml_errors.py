"""What is wrong with an entry of a competition's TOML, in a sentence."""

import re
from pathlib import Path

from pydantic import BaseModel, ValidationError

from kagglecxr.core.errors import SettingError
from kagglecxr.core.registry import nearest


def not_valid(model: type[BaseModel], path: Path, error: ValidationError) -> SettingError:
    """Says of the first wrong entry of a TOML what it is and what is wanted."""
    first = error.errors()[0]
    *tables, entry = [str(part) for part in first["loc"]] or ["the file"]
    received = first["input"]
    if first["type"] == "extra_forbidden":
        fields = _entries(model, tables)
        problem = f"there is no such entry; the nearest are {', '.join(nearest(entry, fields))}"
    elif first["type"] == "missing":
        is_table = not tables and entry != "name"
        line = f"[{entry}]" if is_table else f'{entry} = "..."'
        problem = f"it is missing; write {line}"
    elif first["type"] == "tuple_type":
        problem = f"it has to be a list; write [[{entry}]] above each"
    elif first["type"] == "list_type":
        problem = f"it has to be a list; write {entry} = [{received!r}]".replace("'", '"')
    elif first["type"] == "string_pattern_mismatch":
        better = re.sub(r"[^\w.-]+", "-", str(received)).strip("-._")
        problem = f"it may hold letters, digits, hyphens, points and underscores; write {better!r}"
    else:
        problem = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
        if first["type"] != "value_error":
            problem = f"{problem}, not {received!r}"
    return SettingError(
        f"A competition's TOML is not valid. Received: {path}, at {'.'.join([*tables, entry])}: "
        f"{problem}. docs/competitions.md lists all entries."
    )


def _entries(model: type[BaseModel], tables: list[str]) -> list[str]:
    """The entries of a table of the TOML, for messages."""
    for name in tables:
        field = model.model_fields.get(name)
        if field and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            model = field.annotation
    return list(model.model_fields)
