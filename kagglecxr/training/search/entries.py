"""One entry of a space: a range of numbers, or a list of choices."""

from decimal import Decimal

from pydantic import (
    BaseModel,
    ConfigDict,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from kagglecxr.core.errors import SettingError
from kagglecxr.core.registry import nearest

Number = StrictInt | StrictFloat
Choice = StrictBool | StrictInt | StrictFloat | StrictStr


class Range(BaseModel):
    """Numbers from `low` to `high`, both included; whole ones where both are whole.

    Attributes:
        low: the least.
        high: the greatest.
        log: whether each factor is as likely as another, rather than each difference.
        step: the distance of neighbours.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    low: Number
    high: Number
    log: bool = False
    step: Number | None = None

    @model_validator(mode="after")
    def _holds_numbers(self) -> "Range":
        if not self.low < self.high:
            raise ValueError("low is below high")
        if self.log and self.low <= 0:
            raise ValueError("low is above 0 where log is true")
        if self.step is None:
            return self
        if self.log:
            raise ValueError("log and step exclude each other")
        if self.step <= 0:
            raise ValueError("step is above 0")
        if self.whole() and not isinstance(self.step, int):
            raise ValueError("step is whole where low and high are")
        low, high, step = (Decimal(str(v)) for v in (self.low, self.high, self.step))
        if (high - low) % step:
            raise ValueError("high is a whole number of steps above low")
        return self

    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def holds(self, value: object) -> bool:
        """Whether a value lies in the range."""
        return (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and self.low <= value <= self.high
            and (float(value).is_integer() or not self.whole())
            and not self._beside_a_step(value)
        )

    def _beside_a_step(self, value: float) -> bool:
        low, step = Decimal(str(self.low)), Decimal(str(self.step or 0))
        return bool(step and (Decimal(str(value)) - low) % step)

    def samples(self) -> list[int | float]:
        """Both ends and, of fractions, one between, for a try."""
        between = self.low + (self.step or (self.high - self.low) * 0.37)
        return [self.low, self.high] if self.whole() else [self.low, between, self.high]


Entry = Range | tuple[Choice, ...]


def parse_entry(name: str, value: object) -> Entry:
    """A validated entry.

    Args:
        name: the recipe's, dotted.
        value: a mapping with the fields of a range, or a list.

    Raises:
        SettingError: it is neither.
    """
    try:
        if isinstance(value, dict):
            return Range.model_validate(value)
        choices: tuple[Choice, ...] = TypeAdapter(tuple[Choice, ...]).validate_python(value)
    except ValidationError as error:
        raise SettingError(_entry_error(name, value, error)) from error
    if not choices:
        raise SettingError(
            f"An entry of a space holds no choice. Received: {name} = []. Name some, or leave the "
            "entry out."
        )
    return tuple(dict.fromkeys(choices))


def _entry_error(name: str, value: object, error: ValidationError) -> str:
    first = error.errors()[0]
    told = f"An entry of a space is not valid. Received: {name} = {value!r} ({first['msg']}). "
    if first["type"] == "extra_forbidden":
        near = nearest(str(first["loc"][-1]), Range.model_fields)
        return f"{told}The nearest words of a range are {', '.join(near)}."
    return f"{told}Write a range as {{low = 1, high = 8}} or a list of choices."
