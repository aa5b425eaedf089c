"""Who asks, and what they may."""

from monitor.access.principal import LOCAL, ROLES, ForbiddenError, Principal, Role

__all__ = ["LOCAL", "ROLES", "ForbiddenError", "Principal", "Role"]
