"""Decision: calibrate, accumulate, decide. From logits and observations to verdicts, alerts and demand."""

from monitor.decision.decision import Decision, DecisionOutput, DecisionStatistics

__all__ = ["Decision", "DecisionOutput", "DecisionStatistics"]
