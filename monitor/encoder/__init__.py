"""The encoder, in the service's process or in one of its own, which may crash or hang and is replaced."""

from monitor.encoder.isolated import EncoderLostError, IsolatedEncoder
from monitor.encoder.plan import EncoderPlan

__all__ = ["EncoderLostError", "EncoderPlan", "IsolatedEncoder"]
