from tests.commands.conftest import connect_to, inspectmongo, inspectmongo_on, refuse, start

__all__ = ["connect_to", "inspectmongo", "inspectmongo_on", "refuse", "start"]
