"""A voice for programs whose words nobody is to hear."""


class Silent:
    """Hears and tells nothing."""

    def heard(self, name: str, line: str) -> None:
        """Let it pass."""

    def told(self, name: str, line: str) -> None:
        """Let it pass."""
