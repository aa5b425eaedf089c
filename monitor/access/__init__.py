"""Who asks, and what they may: principals, and the passwords, sessions and tokens that prove them."""

from monitor.access.accounts import (
    AccountError,
    AuditEntry,
    LastAdminError,
    StoredSession,
    TakenError,
    Token,
    UnknownError,
    User,
)
from monitor.access.principal import LOCAL, ROLES, ForbiddenError, Principal, Role

__all__ = [
    "LOCAL",
    "ROLES",
    "AccountError",
    "AuditEntry",
    "ForbiddenError",
    "LastAdminError",
    "Principal",
    "Role",
    "StoredSession",
    "TakenError",
    "Token",
    "UnknownError",
    "User",
]
