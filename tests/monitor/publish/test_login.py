from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from monitor.errors import ConfigError
from monitor.mqtt_config import MqttConfig
from monitor.publish.client import Broker, default_client_id
from monitor.store import Store
from tests.broker import Certificates, Mosquitto, listening, make_certificates
from tests.logs import told
from tests.monitor.publish.running import publishing, until
from tests.monitor.store.examples import an_alert

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


async def test_alert_is_delivered_over_tls_with_client_certificate_and_password(
    tmp_path: Path, store: Store, certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Mosquitto(tmp_path, username="monitor", password="s3cret-word", certificates=certificates) as broker:
        async with listening(broker.config()) as inbox, publishing(broker.config(), store) as publisher:
            await store.record(an_alert(), ["mqtt"])
            publisher.wake()
            await inbox.until(lambda inbox: inbox.on("gend/alerts/lobby"))
    assert "s3cret-word" not in caplog.text


async def test_wrong_password_is_one_line_without_it(
    tmp_path: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Mosquitto(tmp_path, username="monitor", password="right") as broker:
        async with publishing(broker.config(password="wr0ng-word"), store) as publisher:
            await until(lambda: publisher.statistics().reason)
            reason = publisher.statistics().reason
            assert reason == "refused: Not authorized; check mqtt.username and mqtt.password"
            assert not publisher.connected
    assert told(caplog, "monitor.publish") == [f"MQTT {broker.url}: {reason}; trying again"]
    assert "wr0ng-word" not in caplog.text


async def test_broker_of_an_unknown_authority_is_refused(
    tmp_path: Path, store: Store, certificates: Certificates
) -> None:
    others = await asyncio.to_thread(make_certificates, tmp_path / "others")
    with Mosquitto(tmp_path, certificates=certificates) as broker:
        async with publishing(broker.config(ca=others.ca), store) as publisher:
            await until(lambda: publisher.statistics().reason)
            assert "certificate verify failed" in (publisher.statistics().reason or "")


async def test_missing_client_certificate_is_one_line(
    tmp_path: Path,
    store: Store,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("monitor.publish.client._ANSWER_S", 0.5)
    with Mosquitto(tmp_path, certificates=certificates) as broker:
        async with publishing(broker.config(cert=None, key=None), store) as publisher:
            await until(lambda: broker.log.count("peer did not return a certificate") >= 2)
            assert publisher.statistics().reason == "no answer within 0.5 s; does it ask for a certificate (mqtt.cert)?"
    assert len(told(caplog)) == 1


async def test_broker_by_another_name_is_refused(tmp_path: Path, store: Store, certificates: Certificates) -> None:
    with Mosquitto(tmp_path, certificates=certificates) as broker:
        async with publishing(broker.config(url=f"mqtts://localhost:{broker.port}"), store) as publisher:
            await until(lambda: publisher.statistics().reason)
            assert "Hostname mismatch" in (publisher.statistics().reason or "")


def test_certificates_that_cannot_be_used_are_configuration_errors(tmp_path: Path, certificates: Certificates) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    pair = {"cert": certificates.client, "key": certificates.client_key}
    for fields, complaint in (
        ({"ca": tmp_path / "none.pem"}, "mqtt.ca: .*none.pem: no such file"),
        ({"ca": nonsense}, "mqtt.ca: .*nonsense.pem: no PEM certificate"),
        (pair | {"cert": nonsense}, "mqtt.cert: .*nonsense.pem: not a PEM certificate"),
        (pair | {"key": certificates.server_key}, "mqtt.cert: .*client.pem: not a PEM certificate with mqtt.key"),
        (pair | {"url": "mqtt://127.0.0.1"}, "mqtt.url: mqtt.ca and mqtt.cert need mqtts://"),
    ):
        with pytest.raises(ConfigError, match=complaint) as failure:
            Broker(MqttConfig.model_validate({"url": "mqtts://127.0.0.1"} | fields))
        assert "\n" not in str(failure.value)


def test_default_client_id_is_stable_and_differs_between_prefixes() -> None:
    assert default_client_id("gend") == default_client_id("gend") != default_client_id("other")
    assert len(default_client_id("gend")) <= 23
    assert default_client_id("gend").isalnum()
