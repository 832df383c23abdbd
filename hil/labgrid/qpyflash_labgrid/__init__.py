"""qpyflash for labgrid: a driver that writes Quectel modules with QuecPython firmware.

``imports: [qpyflash_labgrid]`` in an environment makes the driver and the resource known.
"""

from .driver import QpyflashDriver
from .error import QpyflashError
from .resource import QuectelModule

__all__ = ["QpyflashDriver", "QpyflashError", "QuectelModule"]
