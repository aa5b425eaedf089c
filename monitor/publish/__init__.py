"""Tells the world over MQTT: alerts through the outbox, everything else as its latest value."""

from monitor.publish.embedded import EmbeddedBroker, broker_of
from monitor.publish.mqtt import MqttPublisher, MqttStatistics
from monitor.publish.trial import check_certificates, try_broker

__all__ = ["EmbeddedBroker", "MqttPublisher", "MqttStatistics", "broker_of", "check_certificates", "try_broker"]
