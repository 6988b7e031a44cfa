"""What can go wrong with the local stack, in words for a person."""


class StackError(Exception):
    """The stack cannot do what was asked; the message says what and what to do."""


class ServerDied(StackError):
    """A server ended by itself; the message names it and shows the end of its log."""
