"""The driver on a farm: what a test of somebody else's would do with it."""

import os

import pytest
from labgrid import Target
from labgrid.driver import SerialDriver
from labgrid.resource import NetworkSerialPort, RawSerialPort

from conftest import QPYFLASH
from qpyflash_labgrid import QpyflashDriver, QpyflashError, QuectelModule


def driver_on(resource, **options):
    """A driver of its own, without coordinator."""
    driver = QpyflashDriver(resource.target, None, **options)
    driver.tool = str(QPYFLASH)
    resource.target.activate(driver)
    return driver


def driver_of(farm, place, firmware, monkeypatch, backup_dir):
    options = f"        backup_dir: {backup_dir}\n"
    environment = farm.environment(place, firmware, monkeypatch, options)
    return environment.get_target("main").get_driver("QpyflashDriver")


def test_a_module_of_the_farm_is_asked_refused_written_and_restarted(farm, package, monkeypatch, tmp_path):
    firmware, other = package("asr"), package("asr", "--revision", "EC600NCNLFR03A08M08_OCPU_QPY")
    driver = driver_of(farm, "asr", firmware, monkeypatch, tmp_path)
    before = driver.identify()
    assert (before["ordering_code"], before["revision_text"]) == ("EC600NCNLA", "EC600NCNLAR03A07M08_OCPU_QPY")
    assert driver.check(firmware)["exit_code"] == 0
    with pytest.raises(QpyflashError) as refused:
        driver.write(other)
    error = refused.value
    assert (error.exit_code, error.written) == (6, "nothing")
    assert error.code.startswith("refused.")
    assert error.is_refusal and not error.needs_another_run
    assert error.hints and error.hints[0] in str(error)
    assert driver.identify() == before
    outcome = driver.load()
    assert (outcome["verdict"], outcome["written"]["state"]) == ("confirmed", "complete")
    assert outcome["transport"] == "network"
    driver.reset()
    assert driver.identify()["revision_text"] == "EC600NCNLAR03A08M08_OCPU_QPY"


def test_the_nv_items_of_a_unisoc_module_are_kept(farm, package, monkeypatch, tmp_path):
    firmware = package("unisoc8910")
    driver = driver_of(farm, "unisoc8910", firmware, monkeypatch, tmp_path)
    (backup,) = driver.read_nv(firmware)
    assert os.path.getsize(backup) > 0 and backup.startswith(str(tmp_path))


def test_a_console_on_the_same_port_keeps_qpyflash_off(uart):
    target = Target("main")
    port = RawSerialPort(target, None, port=uart)
    console = SerialDriver(target, None)
    target.activate(console)
    driver = driver_on(port)
    with pytest.raises(QpyflashError) as busy:
        driver.identify()
    assert (busy.value.exit_code, busy.value.code) == (8, "link.busy")
    target.deactivate(console)
    assert driver.identify()["ordering_code"] == "EC600NCNLA"


def test_a_raw_network_port_is_refused_in_words():
    target = Target("main")
    port = NetworkSerialPort(target, None, host="127.0.0.1", port=1, protocol="raw")
    with pytest.raises(QpyflashError, match="rfc2217"):
        driver_on(port).identify()


def test_a_port_where_nobody_listens_is_no_hang():
    target = Target("main")
    port = NetworkSerialPort(target, None, host="127.0.0.1", port=1)
    with pytest.raises(QpyflashError) as failed:
        driver_on(port).identify()
    assert (failed.value.exit_code, failed.value.code) == (4, "link.failed")


def test_a_module_on_this_hosts_usb_is_followed_through_download_mode(usb, package, tmp_path):
    usb()
    target = Target("main")
    driver = driver_on(QuectelModule(target, None, path="1-4.2"), backup_dir=str(tmp_path))
    outcome = driver.write(package("asr"))
    assert (outcome["verdict"], outcome["transport"]) == ("confirmed", "tty")


def test_a_run_past_its_deadline_is_interrupted_and_says_what_was_written(usb, package, tmp_path):
    usb("--programming", "1000")
    target = Target("main")
    driver = driver_on(QuectelModule(target, None, path="1-4.2"), deadline=20, backup_dir=str(tmp_path))
    with pytest.raises(QpyflashError) as late:
        driver.write(package("asr"))
    assert (late.value.exit_code, late.value.written) == (12, "partial")
    assert late.value.needs_another_run
