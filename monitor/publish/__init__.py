"""Tells the world over MQTT: alerts through the outbox, everything else as its latest value."""

from monitor.publish.embedded import EmbeddedBroker
from monitor.publish.mqtt import MqttPublisher, MqttStatistics

__all__ = ["EmbeddedBroker", "MqttPublisher", "MqttStatistics"]
