"""The variables by which vlm-node names where it keeps things, for those who come from there:
POSTGRES_URL and DATA_DIR. They count where the room's own variables name no place.
"""

import os
from pathlib import Path
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

_MEDIA: Final = "media"
"""The folder in DATA_DIR that is ours; vlm-node's own are `input` and `output`."""


class VlmNodeNames(PydanticBaseSettingsSource):
    """Says what vlm-node's variables mean for a room, unless its own have said so before."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """What a variable of vlm-node's says of a field."""
        return _PLACES.get(field_name, lambda: None)(), field_name, False

    def __call__(self) -> dict[str, Any]:
        """The places that the variables name, by the names of a room's fields."""
        missing = (it for it in self.settings_cls.model_fields if it not in self.current_state)
        named = {it: place() for it in missing if (place := _PLACES.get(it))}
        return {it: place for it, place in named.items() if place}


def _database() -> str | None:
    return os.environ.get("POSTGRES_URL")


def _media() -> str | None:
    folder = os.environ.get("DATA_DIR")
    return (Path(folder).resolve() / _MEDIA).as_uri() if folder else None


_PLACES: Final = {"database_url": _database, "media_url": _media}
