"""Modules on the USB of this host."""

import attr
from labgrid.factory import target_factory
from labgrid.resource.common import Resource


@target_factory.reg_resource
@attr.s(eq=False)
class QuectelModule(Resource):
    """A module that is plugged into this host, by the socket it sits in.

    Its ports change their names on the way through download mode, its place does not.

    Args:
        path (str): USB topology path, as ``qpyflash list`` shows it: ``1-4.2``
    """

    path = attr.ib(validator=attr.validators.instance_of(str))
