"""Why media are refused, in a form that a process can hand to the one that started it. It knows no
field, because bytes do not know where they came from.
"""

from services.chassis.errors import InvalidInput


class Refused(Exception):
    """The bytes cannot be taken: a code, what is wrong, and what would be right."""

    def __init__(self, code: str, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.code = code
        self.problem = problem
        self.remedy = remedy

    def told(self) -> dict[str, str]:
        """The refusal as a process tells it to the one that started it."""
        return {"code": self.code, "problem": self.problem, "remedy": self.remedy}

    def invalid(self, field: str) -> InvalidInput:
        """The refusal as a caller is told it, about the field that held the bytes."""
        return InvalidInput.field(field, self.problem, remedy=self.remedy, code=self.code)
