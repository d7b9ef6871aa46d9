"""Who may see what, written apart from the product's own rules: a second opinion.

A visitor: the public stream of the conversations that are theirs, and nothing of the operators' stream, ever. An
operator: what is in a department of theirs or was given to them; supervisors and administrators all of it.
"""

from tests.support.stored import PUBLIC, Stored


class Oracle:
    def __init__(self, stored: Stored) -> None:
        self._stored = stored

    def may_see(self, kind: str, identity: str, conversation: str, stream: str) -> bool:
        if conversation not in self._stored.visitors:
            return False
        if kind == "visitor":
            return stream == PUBLIC and self._is_of(identity, conversation)
        return kind == "operator" and self._works_on(identity, conversation)

    def _is_of(self, start: str, conversation: str) -> bool:
        visitor = self._stored.started.get(start)
        return visitor is not None and self._stored.visitors[conversation] == visitor

    def _works_on(self, email: str, conversation: str) -> bool:
        operator = self._stored.operators.get(email)
        if operator is None:
            return False
        if operator.role in ("supervisor", "administrator"):
            return True
        if operator.id in self._stored.assigned.get(conversation, ()):
            return True
        # The departments of today and every one the conversation was in: whoever saw it then, saw it by right.
        return bool(operator.departments & self._stored.departments.get(conversation, set()))
