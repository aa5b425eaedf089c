from __future__ import annotations

import pytest

from monitor.access import ForbiddenError, Principal, Role


@pytest.mark.parametrize(
    ("role", "allowed"),
    [("viewer", ["viewer"]), ("operator", ["viewer", "operator"]), ("admin", ["viewer", "operator", "admin"])],
)
def test_a_role_may_what_lesser_ones_may(role: Role, allowed: list[Role]) -> None:
    principal = Principal("anna", role)
    for asked in ("viewer", "operator", "admin"):
        if asked in allowed:
            principal.require(asked, "lobby")
        else:
            with pytest.raises(ForbiddenError, match=f"this takes the role {asked}; yours is {role}"):
                principal.require(asked, "lobby")


def test_a_stream_that_may_not_be_seen_reads_like_one_that_is_not_there() -> None:
    principal = Principal("anna", "admin", frozenset({"lobby"}))
    principal.require("admin", "lobby")
    principal.require("admin")
    with pytest.raises(ForbiddenError, match="there is no stream gate, or you may not see it"):
        principal.require("viewer", "gate")
