"""How a run of qpyflash that did not go well is told."""

import attr
from labgrid.driver.exception import ExecutionError


@attr.s(eq=False)
class QpyflashError(ExecutionError):
    """A run of qpyflash has failed, or has refused.

    Args:
        exit_code (int): 6 and 7 are refusals, 8 is a port in use, 10 to 12 a module that needs another run; none when
            it had to be killed
        code (str): the stable name of what went wrong: ``refused.submodel``, ``link.busy``
        hints (list): what to do next
        written (str): what is in the flash: ``nothing``, ``helpers-only``, ``partial``, ``complete``
        outcome (dict): everything that qpyflash has said
    """

    exit_code = attr.ib(default=None)
    code = attr.ib(default=None)
    hints = attr.ib(factory=list)
    written = attr.ib(default="nothing")
    outcome = attr.ib(factory=dict)

    @property
    def is_refusal(self):
        """Nothing is wrong with the farm: this package must not go onto this module."""
        return self.exit_code in (6, 7)

    @property
    def needs_another_run(self):
        """The module's firmware is not whole, or its end is not known."""
        return self.exit_code is None or self.exit_code in (10, 11, 12)

    def __str__(self):
        hints = "".join(f"\nhint: {hint}" for hint in self.hints)
        return f"{self.msg} (exit {self.exit_code}, {self.code}; written: {self.written}){hints}"
