"""Tells of figures whether they keep to their bars, and remembers whether all did. It knows no
figure.
"""


class Bars:
    """Judges figures; `broken` names those that missed."""

    def __init__(self) -> None:
        self.broken: list[str] = []

    def at_most(self, name: str, figure: float, bar: float, unit: str = "") -> str:
        """Tell a figure that may not be above its bar."""
        return self._told(name, f"{figure:.2f}{unit}", f"at most {bar:g}", holds=figure <= bar)

    def at_least(self, name: str, figure: float, bar: float, unit: str = "") -> str:
        """Tell a figure that may not be below its bar."""
        return self._told(name, f"{figure:.2f}{unit}", f"at least {bar:g}", holds=figure >= bar)

    def close(self) -> int:
        """Tell the whole in one line. Returns the status to end with."""
        print(f"bars missed: {'; '.join(self.broken)}" if self.broken else "all bars hold")
        return 1 if self.broken else 0

    def _told(self, name: str, figure: str, bar: str, *, holds: bool) -> str:
        if not holds:
            self.broken.append(f"{name} {figure}, {bar}")
        return f"{figure} ({bar}: {'holds' if holds else 'MISSED'})"
