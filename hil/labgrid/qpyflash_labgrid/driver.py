"""The driver: one method for each command of qpyflash that a farm needs."""

import json
import signal
import subprocess

import attr
from labgrid.binding import BindingState
from labgrid.driver.common import Driver
from labgrid.factory import target_factory
from labgrid.protocol import BootstrapProtocol
from labgrid.resource import NetworkSerialPort
from labgrid.step import step
from labgrid.util.proxy import proxymanager

from .error import QpyflashError
from .resource import QuectelModule

#: Seconds a run is given to end by itself after it was interrupted: it says then what has been written.
ENDS_WITHIN = 30


@target_factory.reg_driver
@attr.s(eq=False)
class QpyflashDriver(Driver, BootstrapProtocol):
    """Writes a Quectel module, and asks it what it is, with the program ``qpyflash``.

    The program is ``tools: {qpyflash: PATH}`` of the environment, or the one in the search path.

    Args:
        image (str): key in ``images`` of the environment, for :meth:`load`
        oc (str): ordering code on the module's label, for a module that cannot say it itself
        backup_dir (str): folder for backups of NV items and RF data
        timeout_scale (float): stretches every time-out, for slow networks
        deadline (int): seconds after which a run is interrupted
    """

    bindings = {"port": {"SerialPort", "NetworkSerialPort", "QuectelModule"}}

    image = attr.ib(default=None, validator=attr.validators.optional(attr.validators.instance_of(str)))
    oc = attr.ib(default=None, validator=attr.validators.optional(attr.validators.instance_of(str)))
    backup_dir = attr.ib(default=None, validator=attr.validators.optional(attr.validators.instance_of(str)))
    timeout_scale = attr.ib(default=1.0, converter=float)
    deadline = attr.ib(default=1800, validator=attr.validators.instance_of(int))

    def __attrs_post_init__(self):
        super().__attrs_post_init__()
        config = self.target.env.config if self.target.env else None
        self.tool = config.get_tool("qpyflash") if config else "qpyflash"

    @Driver.check_active
    @step(result=True)
    def identify(self):
        """What the module says it is: a dictionary with ``ordering_code``, ``revision_text``, ``imei``."""
        return self._run("identify")["identity"]

    @Driver.check_active
    @step(args=["filename"])
    def write(self, filename, *options):
        """Writes a package and returns the outcome; options are those of ``qpyflash write``."""
        return self._run("write", filename, *self._claims(), *self._keeping(), *options)

    @Driver.check_active
    @step(args=["filename"])
    def check(self, filename, *options):
        """Does everything up to the first byte: may this package go onto this module?"""
        return self._run("check", filename, *self._claims(), *options)

    @Driver.check_active
    @step()
    def reset(self):
        """Restarts a module in run mode and waits until it answers again."""
        return self._run("reset")

    @Driver.check_active
    @step(args=["package"])
    def read_nv(self, package, *options):
        """Reads the NV items of a Unisoc module; returns the paths of the backups."""
        outcome = self._run("read", "nv", "--package", package, *self._claims(), *self._keeping(), *options)
        return outcome["backups"]

    @Driver.check_active
    @step(args=["filename"])
    def load(self, filename=None):
        """Writes ``filename``, or the image of this driver: what strategies call."""
        if filename is None and self.image is not None:
            filename = self.target.env.config.get_image_path(self.image)
        return self.write(filename)

    def _claims(self):
        return ["--oc", self.oc] if self.oc else []

    def _keeping(self):
        return ["--backup-dir", self.backup_dir] if self.backup_dir else []

    def _place(self):
        """Where the module is, in qpyflash's words."""
        if isinstance(self.port, QuectelModule):
            return ["--path", self.port.path]
        if not isinstance(self.port, NetworkSerialPort):
            return ["--port", self.port.port, "--baud", str(self.port.speed)]
        if self.port.protocol != "rfc2217":
            raise QpyflashError(
                f"a port with the protocol `{self.port.protocol}` cannot be set up from here",
                hints=["export it with the protocol `rfc2217`, which is what labgrid-exporter does"],
            )
        host, port = proxymanager.get_host_and_port(self.port)
        host = f"[{host}]" if ":" in host else host
        return ["--port", f"rfc2217://{host}:{port}", "--baud", str(self.port.speed)]

    def _leave_alone(self):
        """A console on the same port would put its bytes among ours: ser2net lets several clients in."""
        for driver in self.target.drivers:
            is_other = driver is not self and self.port in driver.suppliers
            if is_other and driver.state is BindingState.active:
                raise QpyflashError(
                    f"{driver.display_name} uses the module's port",
                    exit_code=8,
                    code="link.busy",
                    hints=["deactivate it first: `target.deactivate(driver)`"],
                )

    def _run(self, *arguments):
        self._leave_alone()
        command = [self.tool, *map(str, arguments), *self._place(), "--json", "--non-interactive"]
        command += ["--timeout-scale", str(self.timeout_scale)]
        self.logger.info("%s", " ".join(command))
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                stdout, stderr = process.communicate(timeout=self.deadline)
            except BaseException as reason:
                stdout, stderr = _end(process)
                if not isinstance(reason, subprocess.TimeoutExpired):
                    raise
        return _outcome(process.returncode, stdout, stderr)


def _end(process):
    """Lets a run stop at a safe point and say what has been written."""
    process.send_signal(signal.SIGINT)
    try:
        return process.communicate(timeout=ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()


def _outcome(exit_code, stdout, stderr):
    try:
        outcome = json.loads(stdout)
    except ValueError:
        outcome = {}
    if exit_code == 0 and outcome:
        return outcome
    error = outcome.get("error") or {}
    raise QpyflashError(
        error.get("message") or "qpyflash has ended without a word",
        stdout=stdout.splitlines(),
        stderr=stderr.splitlines(),
        exit_code=exit_code if exit_code >= 0 else None,
        code=error.get("code"),
        hints=error.get("hints", []),
        written=(outcome.get("written") or {}).get("state", "nothing" if exit_code >= 0 else "unknown"),
        outcome=outcome,
    )
